"""The machine at rest, and what was drawn beyond that."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Optional

from .measurement import Measurement

# Where the machine was busier than at rest by less than this share of the CPU time in question, other load has ended
# meanwhile, and the ratio says nothing.
_LEAST_ADDED = 0.5


def busy_seconds() -> Optional[float]:
    """CPU time that all processors spent on something (proc_stat(5)): user, nice, system, irq, softirq."""
    procfs = Path(os.environ.get("KEPLER_HOST_PROCFS") or "/proc")
    try:
        fields = [int(field) for field in (procfs / "stat").read_text().split("\n", 1)[0].split()[1:8]]
        user, nice, system, _idle, _iowait, irq, softirq = fields
    except (OSError, ValueError):
        return None
    return (user + nice + system + irq + softirq) / os.sysconf("SC_CLK_TCK")


class Rest:
    """What the machine drew, and how busy it was, while nothing was asked of it."""

    def __init__(self, begin: Callable[[], Measurement], wait: Callable[[], None]) -> None:
        before = busy_seconds()
        with begin() as self._machine:
            wait()
        after = busy_seconds()
        self._busy = None if before is None or after is None else after - before

    def to_dict(self) -> dict[str, Any]:
        """As the report has it."""
        seconds = self._machine.seconds
        return {
            "duration_seconds": seconds,
            "power_watts": self._machine.power.watts,
            "busy_processors": None if self._busy is None else self._busy / seconds,
        }

    def above(self, machine: Measurement) -> Optional[float]:
        """The machine's joules beyond rest, below zero where it drew less; none where other zones are counted."""
        counted = [[zone.name for zone in each.zones.values() if zone.is_counted] for each in (machine, self._machine)]
        if counted[0] != counted[1]:
            return None
        return machine.energy.joules - self._machine.power.watts * machine.seconds

    def part_above(self, machine: Measurement, busy: Optional[float], cpu_seconds: float) -> Optional[float]:
        """The part of that by the busy time beyond rest; none where the machine was not busier than at rest."""
        above = self.above(machine)
        if above is None or above <= 0 or busy is None or self._busy is None:
            return None
        added = busy - self._busy * machine.seconds / self._machine.seconds
        if added <= 0 or added < cpu_seconds * _LEAST_ADDED:
            return None
        return above * cpu_seconds / added
