"""What rows say of the machine."""

from __future__ import annotations

import os
import platform
from typing import NamedTuple

_GIB_IN_KIB = 1024 * 1024


class Machine(NamedTuple):
    """What does not change while a run lasts."""

    os: str
    python_version: str
    cpu_count: int
    cpu_model: str
    ram_total_size: float
    """GiB."""

    @classmethod
    def this(cls) -> Machine:
        """The one we are on."""
        model = _first("/proc/cpuinfo", "model name") or platform.processor() or platform.machine()
        total = _memory().get("MemTotal", 0)
        return cls(platform.platform(), platform.python_version(), os.cpu_count() or 1, model, total / _GIB_IN_KIB)


class Load(NamedTuple):
    """How busy the machine is."""

    busy: int
    """CPU time since it started, clock ticks."""
    all: int
    """The same with idle time."""
    ram_used_gb: float
    ram_percent: float

    @classmethod
    def now(cls) -> Load:
        """At this moment."""
        ticks = [int(text) for text in (_first("/proc/stat", "cpu ") or "").split()]
        # user nice system idle iowait irq softirq steal; guest time is in user time already.
        ticks = (ticks + [0] * 8)[:8]
        memory = _memory()
        total = memory.get("MemTotal", 0)
        used = total - memory.get("MemAvailable", total)
        idle = ticks[3] + ticks[4]
        return cls(sum(ticks) - idle, sum(ticks), used / _GIB_IN_KIB, 100.0 * used / total if total else 0.0)

    def cpu_percent_since(self, earlier: Load) -> float:
        """Mean utilisation of all processors, 0 to 100; 0 where no tick has passed."""
        ticks = self.all - earlier.all
        return 100.0 * (self.busy - earlier.busy) / ticks if ticks > 0 else 0.0


def _first(path: str, key: str) -> str | None:
    """The rest of the first line that begins with a key."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            for line in file:
                if line.startswith(key):
                    return line[len(key) :].lstrip(" \t:").strip()
    except OSError:
        pass
    return None


def _memory() -> dict[str, int]:
    """/proc/meminfo, KiB."""
    try:
        with open("/proc/meminfo", encoding="ascii", errors="replace") as file:
            rows = [line.replace(":", " ").split() for line in file]
    except OSError:
        return {}
    return {row[0]: int(row[1]) for row in rows if len(row) > 1 and row[1].isdigit()}
