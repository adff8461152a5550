"""The energy of a run, from this package's meters."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple, Optional

from ..figures import combined
from ..measurement import measure
from . import _memory
from .output_methods.emissions_data import UNKNOWN

if TYPE_CHECKING:
    from ..devices import Device
    from ..figures import Zone
    from ..source import Source
    from ._machine import Machine


class Part(NamedTuple):
    """Energy of one part of the machine, and how it was found."""

    joules: float
    """NaN where it is not known."""
    method: str
    """``measured``, ``estimated``, ``partial``, ``unknown``, ``included`` in another part, or ``absent``."""
    error_ratio: float = 0.0
    """Relative, one standard deviation."""


class Reading(NamedTuple):
    """What was used since the beginning."""

    seconds: float
    cpu: Part
    """Processors, and what a meter does not tell apart."""
    ram: Part
    gpu: Part

    @property
    def parts(self) -> tuple[Part, Part, Part]:
        """All of them."""
        return self.cpu, self.gpu, self.ram

    @property
    def joules(self) -> float:
        """The sum of the known parts; NaN where not even that of the processors is known."""
        return self.cpu.joules + sum(part.joules for part in self.parts[1:] if not math.isnan(part.joules))

    @property
    def method(self) -> str:
        """That of all parts; ``partial`` where they differ or one is missing."""
        if self.cpu.method == "unknown":
            return "unknown"
        return combined(part.method for part in self.parts if part.method not in ("included", "absent"))

    @property
    def error_ratio(self) -> Optional[float]:
        """Relative error of the sum, its parts' errors taken as independent; ``None`` where nothing is known."""
        known = [part for part in self.parts if not math.isnan(part.joules)]
        total = sum(part.joules for part in known)
        if not total:
            return None
        return math.hypot(*(part.joules * part.error_ratio for part in known)) / total


class Meter:
    """Counts from its making on."""

    def __init__(self, mode: str, machine: Machine) -> None:
        self._of_process = mode == "process"
        self._memory_watts = _memory.watts(machine.ram_total_size, machine.memory_modules)
        self._gpu = Part(0.0, "absent") if machine.accelerators.are_absent else Part(UNKNOWN, "unknown")
        self._measurement = measure("codecarbon").start()

    def read(self) -> Reading:
        """What was used until now."""
        total = self._measurement._sum()
        counted = {name: zone for name, zone in total.zones.items() if zone.is_counted}
        memory, accelerators = counted.pop("dram", None), counted.pop("gpu", None)
        devices = list(total.devices.values()) if accelerators is not None else []
        # The process's share is by CPU time, and what it is of all zones is taken for each; that of accelerators is their own.
        whole = (total.microjoules or 0) - sum(device.energy.microjoules for device in devices if device.energy is not None)
        tree = total.tree - sum(device.tree_energy.microjoules for device in devices if device.tree_energy is not None)
        share = (tree / whole if whole else 0.0) if self._of_process else 1.0
        if memory is not None:
            ram = _part([memory], share)
        elif "psys" in counted:
            ram = Part(UNKNOWN, "included")
        elif self._of_process and not whole:
            ram = Part(UNKNOWN, "unknown")
        else:
            joules = self._memory_watts * total.seconds * share
            ram = Part(joules, "unknown" if math.isnan(joules) else "estimated", _memory.ERROR_RATIO)
        gpu = self._gpu if accelerators is None else _of_devices(devices, accelerators.source, self._of_process)
        return Reading(total.seconds, _part(list(counted.values()), share), ram, gpu)

    def stop(self) -> None:
        """Counts no longer."""
        self._measurement.stop()


def _of_devices(devices: list[Device], source: Source, of_process: bool) -> Part:
    """The sum of accelerators, or of the process's part of them; unknown where that of one is."""
    amounts = [device.tree_energy if of_process else device.energy for device in devices]
    known = [amount.joules for amount in amounts if amount is not None]
    if len(known) < len(amounts):
        return Part(UNKNOWN, "unknown")
    return Part(sum(known), source.method, _error(source))


def _part(zones: list[Zone], share: float) -> Part:
    """The sum of zones."""
    if not zones:
        return Part(UNKNOWN, "unknown")
    joules = sum(zone.energy.joules for zone in zones)
    method = combined(zone.source.method for zone in zones)
    errors = [zone.energy.joules * _error(zone.source) for zone in zones]
    return Part(joules * share, method, math.hypot(*errors) / joules if joules else max(_error(zone.source) for zone in zones))


def _error(source: Source) -> float:
    return source.error_ratio or 0.0
