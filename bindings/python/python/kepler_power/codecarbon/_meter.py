"""The energy of a run, from this package's meters."""

from __future__ import annotations

from typing import NamedTuple

from ..measurement import measure


class Reading(NamedTuple):
    """What was used since the beginning."""

    seconds: float
    cpu_joules: float
    """Processors, and what a meter does not tell apart."""
    ram_joules: float
    gpu_joules: float


class Meter:
    """Counts from its making on."""

    def __init__(self, mode: str) -> None:
        self._of_process = mode == "process"
        self._measurement = measure("codecarbon").start()
        self._sum = Reading(0.0, 0.0, 0.0, 0.0)

    def read(self) -> Reading:
        """What was used until now."""
        lap = self._measurement.lap()
        joules = {zone.name: zone.energy.joules for zone in lap.zones.values() if zone.is_counted}
        # The process's share is by CPU time; what it is of all zones is taken for each.
        share = lap.tree.ratio if self._of_process else 1.0
        ram = joules.pop("dram", 0.0)
        self._sum = Reading(
            self._sum.seconds + lap.seconds,
            self._sum.cpu_joules + sum(joules.values()) * share,
            self._sum.ram_joules + ram * share,
            0.0,
        )
        return self._sum

    def stop(self) -> None:
        """Counts no longer."""
        self._measurement.stop()
