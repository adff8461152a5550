"""The machine at rest, and what was drawn beyond that."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Optional

from .devices import Device
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
        """The part of that by the busy time beyond rest, and of accelerators by their use beyond rest; none where one of
        them was not busier than at rest."""
        above, devices = self.above(machine), self._of_devices(machine)
        if above is None or devices is None or busy is None or self._busy is None:
            return None
        of_all, own = devices
        above -= of_all
        added = busy - self._busy * machine.seconds / self._machine.seconds
        if above <= 0 or added <= 0 or added < cpu_seconds * _LEAST_ADDED:
            return None
        return above * cpu_seconds / added + own

    def _of_devices(self, machine: Measurement) -> Optional[tuple[float, float]]:
        """Joules of accelerators beyond rest: of all that are in the machine's sum, and of this process and those that it
        started; none where that is not known."""
        zone = machine.zones.get("gpu")
        if zone is None or not zone.is_counted:
            return 0.0, 0.0
        times = machine.seconds / self._machine.seconds
        before = {device.uuid: device for device in self._machine.devices}
        of_all, own, seen = 0.0, 0.0, 0.0
        for device in machine.devices:
            if device.energy is None:
                continue
            seen += device.energy.joules
            now, rest = _use(device), _use(before.get(device.uuid))
            if now is None or rest is None:
                return None
            energy, active, used = now
            above = energy - rest[0] * times
            of_all += above
            if used <= 0:
                continue
            added = active - rest[1] * times
            if above <= 0 or added <= 0 or added < used * _LEAST_ADDED:
                return None
            own += above * used / added
        # Some are in the sum and not to be seen from here (CUDA_VISIBLE_DEVICES).
        return (of_all, own) if abs(seen - zone.energy.joules) < 1e-3 else None


def _use(device: Optional[Device]) -> Optional[tuple[float, float, float]]:
    """Joules of a device: all, active, and of this process with those that it started."""
    if device is None or device.energy is None or device.idle_energy is None or device.tree_energy is None:
        return None
    energy = device.energy.joules
    return energy, energy - device.idle_energy.joules, device.tree_energy.joules
