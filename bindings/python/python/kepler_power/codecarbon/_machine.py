"""What rows say of the machine."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import NamedTuple, Optional

from ..settings import current
from ._accelerators import Accelerators

_GIB_IN_KIB = 1024 * 1024


class Roots(NamedTuple):
    """Where the kernel's file systems are: those of the host that is measured."""

    procfs: Path
    sysfs: Path

    @classmethod
    def now(cls) -> Roots:
        """As :func:`kepler_power.use_meters` or the environment state."""
        host = current().host
        return cls(Path("/proc"), Path("/sys")) if host is None else cls(Path(host.procfs), Path(host.sysfs))


class Machine(NamedTuple):
    """What does not change while a run lasts."""

    os: str
    python_version: str
    cpu_count: int
    cpu_physical_count: int
    """Sockets."""
    cpu_model: str
    ram_total_size: float
    """GiB; NaN where it cannot be read."""
    memory_modules: Optional[int]
    """Memory modules that the kernel lists; ``None`` where it lists none."""
    accelerators: Accelerators

    @classmethod
    def of(cls, roots: Roots) -> Machine:
        """The one whose file systems these are."""
        cpuinfo = _lines(roots.procfs / "cpuinfo")
        model = _first(cpuinfo, "model name") or platform.processor() or platform.machine()
        sockets = {line.split(":", 1)[1].strip() for line in cpuinfo if line.startswith("physical id")}
        total = _memory(roots).get("MemTotal")
        return cls(
            os=platform.platform(),
            python_version=platform.python_version(),
            cpu_count=os.cpu_count() or 1,
            cpu_physical_count=len(sockets) or 1,
            cpu_model=model,
            ram_total_size=float("nan") if total is None else total / _GIB_IN_KIB,
            memory_modules=_memory_modules(roots),
            accelerators=Accelerators.of(roots.sysfs),
        )


class Load(NamedTuple):
    """How busy the machine is. A figure that cannot be read is NaN."""

    busy: int
    """CPU time since it started, clock ticks."""
    all: int
    """The same with idle time."""
    ram_used_gb: float
    ram_percent: float

    @classmethod
    def now(cls, roots: Roots) -> Load:
        """At this moment."""
        ticks = [int(text) for text in (_first(_lines(roots.procfs / "stat", 1), "cpu ") or "").split() if text.isdigit()]
        # user nice system idle iowait irq softirq steal; guest time is in user time already.
        ticks = (ticks + [0] * 8)[:8]
        memory = _memory(roots)
        total, available = memory.get("MemTotal"), memory.get("MemAvailable")
        idle = ticks[3] + ticks[4]
        if not total or available is None:
            return cls(sum(ticks) - idle, sum(ticks), float("nan"), float("nan"))
        used = total - available
        return cls(sum(ticks) - idle, sum(ticks), used / _GIB_IN_KIB, 100.0 * used / total)

    def cpu_percent_since(self, earlier: Load) -> float:
        """Mean utilisation of all processors, 0 to 100; NaN where no tick has passed."""
        ticks = self.all - earlier.all
        # Idle time may fall when a processor goes offline: busy time is then more than all of it.
        return min(100.0, 100.0 * max(0, self.busy - earlier.busy) / ticks) if ticks > 0 else float("nan")


def _lines(path: Path, count: int = -1) -> list[str]:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.readlines() if count < 0 else [file.readline() for _ in range(count)]
    except OSError:
        return []


def _first(lines: list[str], key: str) -> str | None:
    """The rest of the first line that begins with a key."""
    found = next((line for line in lines if line.startswith(key)), None)
    return None if found is None else found[len(key) :].lstrip(" \t:").strip()


def _memory(roots: Roots) -> dict[str, int]:
    """meminfo, KiB."""
    rows = [line.replace(":", " ").split() for line in _lines(roots.procfs / "meminfo")]
    return {row[0]: int(row[1]) for row in rows if len(row) > 1 and row[1].isdigit()}


def _memory_modules(roots: Roots) -> int | None:
    """Modules with a size, from the memory controllers that EDAC drivers list; ``None`` without such a driver."""
    sizes = roots.sysfs.glob("devices/system/edac/mc/mc*/dimm*/size")
    return sum(1 for size in sizes if _first(_lines(size, 1), "") not in (None, "", "0")) or None
