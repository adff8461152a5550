"""What a block of code used: energy, power, carbon, and whose it was."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Optional

from .devices import Device, visible
from .errors import MeterError
from .quantities import Carbon, Energy, Power, _duration
from .settings import carbon_of
from .source import Source

if TYPE_CHECKING:
    from ._native import Facility, Spent
    from .platform import Platform

__all__ = ["Figures", "Share", "Zone"]


def combined(methods: Iterable[str]) -> str:
    """How a sum was found: as all its parts were, or ``partial``."""
    kinds = set(methods)
    return kinds.pop() if len(kinds) == 1 else "partial"


def no_meter() -> MeterError:
    """There is nothing that energy could be read or estimated from."""
    return MeterError("no meter of this machine could be read", "let the model estimate: use_meters() without names")


class Zone:
    """What one part of the machine drew, summed over sockets: package, core, uncore, dram, psys, gpu or platform."""

    __slots__ = ("energy", "idle_energy", "is_counted", "is_uncertain", "name", "source")

    name: str
    """core and uncore are parts of package; psys contains all others; platform is the rest of the machine."""
    energy: Energy
    """All that it drew."""
    idle_energy: Optional[Energy]
    """The part that an idle machine draws all the same, where it is known."""
    source: Source
    """The meter it comes from."""
    is_counted: bool
    """Whether it is part of the machine's sum: package, dram, gpu and platform, or psys where there is neither package nor dram."""
    is_uncertain: bool
    """Whether a counter was reset, or could not be read in time."""

    def __init__(
        self,
        name: str,
        energy: Energy,
        idle_energy: Optional[Energy],
        source: Source,
        is_counted: bool,
        is_uncertain: bool,
    ) -> None:
        self.name = name
        self.energy = energy
        self.idle_energy = idle_energy
        self.source = source
        self.is_counted = is_counted
        self.is_uncertain = is_uncertain

    def __repr__(self) -> str:
        return f"Zone({self.name!r}, {self.energy!r}, source={str(self.source)!r})"


class Share:
    """The part of the machine's energy that goes to someone: by CPU time, and of accelerators by how busy they were kept."""

    __slots__ = ("_facility", "_seconds", "cpu_seconds", "energy", "ratio")

    energy: Energy
    """Its energy. Other users' work and, where it is known, the idle machine's are not in it."""
    cpu_seconds: float
    """CPU time used, of all threads, in seconds."""
    ratio: float
    """Its part of the machine's energy, 0 ... 1."""

    def __init__(self, microjoules: int, whole: int, cpu_seconds: float, seconds: float, facility: Facility) -> None:
        self.energy = Energy(microjoules)
        self.cpu_seconds = cpu_seconds
        self.ratio = microjoules / whole if whole else 0.0
        self._seconds = seconds
        self._facility = facility

    @property
    def power(self) -> Power:
        """Its mean power."""
        return Power(self.energy.joules / self._seconds if self._seconds else 0.0)

    @property
    def co2e(self) -> Carbon:
        """What it emitted."""
        return carbon_of(self.energy, self._facility)

    def __repr__(self) -> str:
        return f"Share(energy={self.energy!r}, cpu_seconds={self.cpu_seconds!r}, ratio={self.ratio!r})"


class _Sum:
    """One or more intervals, added up."""

    __slots__ = ("devices", "microjoules", "own", "own_cpu", "platform", "seconds", "tree", "tree_cpu", "zones")

    def __init__(self) -> None:
        self.seconds = 0.0
        self.microjoules: Optional[int] = None
        self.own = 0
        self.tree = 0
        self.own_cpu = 0.0
        self.tree_cpu = 0.0
        self.zones: dict[str, Zone] = {}
        self.devices: dict[str, Device] = {}
        self.platform: dict[tuple[str, ...], Platform] = {}

    def add(self, spent: Spent) -> None:
        self.seconds += spent.seconds
        microjoules = spent.microjoules
        if microjoules is not None:
            self.microjoules = (self.microjoules or 0) + microjoules
        self.own += spent.own_microjoules or 0
        self.tree += spent.tree_microjoules or 0
        self.own_cpu += spent.own_cpu_seconds
        self.tree_cpu += spent.tree_cpu_seconds
        for name, energy, source, method, error, idle, uncertain, counted in spent.zones():
            zone = Zone(
                name,
                Energy(energy),
                None if idle is None else Energy(idle),
                Source(source, method, error),
                counted,
                uncertain,
            )
            before = self.zones.get(name)
            if before is not None:
                zone.energy = before.energy + zone.energy
                known = before.idle_energy is not None and zone.idle_energy is not None
                zone.idle_energy = before.idle_energy + zone.idle_energy if known else None  # type: ignore[operator]
                zone.is_uncertain = before.is_uncertain or zone.is_uncertain
            self.zones[name] = zone
        for who, source_of, amounts, (seconds, uncertain) in spent.devices():
            device = Device(who, Source(*source_of), amounts, seconds, uncertain)
            earlier = self.devices.get(device.uuid)
            if earlier is None:
                self.devices[device.uuid] = device
            else:
                earlier.add(device)
        rows = spent.platform()
        if rows:
            from .platform import Platform

            for row in rows:
                meter = Platform(row)
                shown = self.platform.get(meter._key())
                if shown is not None:
                    meter._add_before(shown)
                self.platform[meter._key()] = meter

    def energy(self) -> Energy:
        """The machine's; an error where none was known."""
        if self.microjoules is None:
            raise no_meter()
        return Energy(self.microjoules)


class Figures:
    """The figures of one or more intervals of time. ``energy``, ``power`` and ``co2e`` are the whole machine's."""

    __slots__ = ("_facility", "name")

    name: str
    """What was measured."""

    def __init__(self, name: str, facility: Facility) -> None:
        self.name = name
        self._facility = facility

    def _sum(self) -> _Sum:
        raise NotImplementedError

    @property
    def seconds(self) -> float:
        """How long it took, in seconds, without suspend."""
        return self._sum().seconds

    @property
    def energy(self) -> Energy:
        """What the machine drew: its processors, memory and accelerators, or the platform where there are no meters of these."""
        return self._sum().energy()

    @property
    def power(self) -> Power:
        """The machine's mean power."""
        seconds = self.seconds
        return Power(self.energy.joules / seconds if seconds else 0.0)

    @property
    def co2e(self) -> Carbon:
        """What the machine emitted: energy * PUE * grid intensity."""
        return carbon_of(self.energy, self._facility)

    @property
    def process(self) -> Share:
        """This process's share of the machine's energy: by CPU time, and of accelerators by how busy it kept them."""
        total = self._sum()
        return Share(total.own, total.microjoules or 0, total.own_cpu, total.seconds, self._facility)

    @property
    def tree(self) -> Share:
        """The share of this process with the processes it started, also those that have ended and were waited for."""
        total = self._sum()
        return Share(total.tree, total.microjoules or 0, total.tree_cpu, total.seconds, self._facility)

    @property
    def children(self) -> Share:
        """The share of the processes that this one started and waited for, or that still run, without this process itself."""
        total = self._sum()
        own, cpu = max(0, total.tree - total.own), max(0.0, total.tree_cpu - total.own_cpu)
        return Share(own, total.microjoules or 0, cpu, total.seconds, self._facility)

    @property
    def zones(self) -> Mapping[str, Zone]:
        """Each part of the machine that has a meter, by name."""
        return self._sum().zones

    @property
    def devices(self) -> Sequence[Device]:
        """The GPUs and other accelerators that this process may use, as it counts them: ``devices[0]`` is ``cuda:0``, with
        ``CUDA_VISIBLE_DEVICES`` as the environment has it now. ``zones["gpu"]`` is the sum of all that the machine has."""
        return visible(self._sum().devices.values(), os.environ)

    @property
    def platform(self) -> Optional[Platform]:
        """What the meter of the whole machine showed meanwhile: that of this machine and nothing else, where there are several. It contains
        the zones, and is no part of ``energy``. None where none is named (:func:`use_meters`), or none has shown anything yet."""
        if not self._sum().platform:
            return None
        from .platform import of_machine

        return of_machine(self._sum().platform.values())

    @property
    def platforms(self) -> Sequence[Platform]:
        """Each meter of the whole machine that has shown something."""
        return list(self._sum().platform.values())

    @property
    def source(self) -> Source:
        """Where ``energy`` comes from: the meter of the package, or of what stands in for it. Its method is
        ``partial`` where that of the zones that count differs."""
        counted = [zone for zone in self.zones.values() if zone.is_counted]
        if not counted:
            raise no_meter()
        method = combined(zone.source.method for zone in counted)
        if method == counted[0].source.method and len({zone.source.error_ratio for zone in counted}) == 1:
            return counted[0].source
        # Zones are metered apart: their errors are independent.
        joules = sum(zone.energy.joules for zone in counted)
        errors = [zone.energy.joules * (zone.source.error_ratio or 0.0) for zone in counted]
        ratio = math.hypot(*errors) / joules if joules else max(zone.source.error_ratio or 0.0 for zone in counted)
        return Source(counted[0].source.name, method, None if method == "measured" else ratio)

    @property
    def error_ratio(self) -> float:
        """Expected relative error of ``energy``, one standard deviation: that of the meter's method, and that of catching its
        last update at both ends. Above 1, the interval was too short for the meter."""
        source, seconds = self.source, self.seconds
        counted = [zone for zone in self.zones.values() if zone.is_counted]
        joules = sum(zone.energy.joules for zone in counted)
        # Each meter is late by its own time, and that weighs as much as what it shows.
        late = sum(zone.energy.joules * zone.source.resolution_seconds for zone in counted)
        resolution = late / joules if joules else source.resolution_seconds
        short = resolution / seconds if seconds else math.inf
        return math.hypot(source.error_ratio or 0.0, short)

    @property
    def is_uncertain(self) -> bool:
        """Whether a counter that counts was reset, or could not be read in time."""
        return any(zone.is_uncertain for zone in self.zones.values() if zone.is_counted)

    def to_dict(self) -> dict[str, Any]:
        """All figures as plain values with the unit in the name."""
        co2e, source = self.co2e, self.source
        return {
            "name": self.name,
            "seconds": self.seconds,
            "energy_joules": self.energy.joules,
            "power_watts": self.power.watts,
            "co2e_grams": co2e.grams,
            "grid_intensity_g_per_kwh": co2e.grid_intensity,
            "region": co2e.region,
            "region_basis": co2e.basis,
            "grid_intensity_method": co2e.grid_method,
            "grid_intensity_source": co2e.source,
            "pue": co2e.pue,
            "pue_basis": co2e.pue_basis,
            "source": source.name,
            "method": source.method,
            "error_ratio": self.error_ratio if math.isfinite(self.error_ratio) else None,
            "is_uncertain": self.is_uncertain,
            "process_joules": self.process.energy.joules,
            "process_cpu_seconds": self.process.cpu_seconds,
            "tree_joules": self.tree.energy.joules,
            "tree_cpu_seconds": self.tree.cpu_seconds,
            "children_joules": self.children.energy.joules,
            "children_cpu_seconds": self.children.cpu_seconds,
            "zones_joules": {name: zone.energy.joules for name, zone in self.zones.items()},
            "zones_method": {name: zone.source.method for name, zone in self.zones.items()},
            **_of_devices(list(self._sum().devices.values())),
            "devices": [device.to_dict() for device in self.devices],
            **platform_cells(self.platform),
            "platform": [meter.to_dict() for meter in self.platforms],
        }

    def __str__(self) -> str:
        error = f", ± {self.error_ratio * 100:.0f} %" if 0.01 < self.error_ratio < 10 else ""
        return (
            f"{self.name}: {self.energy} in {_duration(self.seconds)} ({self.power}), {self.co2e}{assumed(self.co2e)}; "
            f"this process {self.process.energy}, with its children {self.tree.energy} "
            f"({self.source.method} by {self.source.name}{error})"
        )

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self}>"


def _of_devices(devices: Sequence[Device]) -> dict[str, Optional[float]]:
    """Sums over all accelerators of the machine; none where there are none, or one is not known."""

    def total(amounts: list[Optional[Energy]]) -> Optional[float]:
        known = [amount.joules for amount in amounts if amount is not None]
        return sum(known) if known and len(known) == len(amounts) else None

    return {
        "gpu_joules": total([device.energy for device in devices]),
        "process_gpu_joules": total([device.process_energy for device in devices]),
        "tree_gpu_joules": total([device.tree_energy for device in devices]),
    }


def platform_cells(meter: Optional[Platform]) -> dict[str, Any]:
    """What `kepler measure` writes of it in a row; none of all where there is no meter of the whole machine."""
    names = ("joules", "covered_seconds", "watts", "age_seconds", "method", "source", "source_type", "source_id", "error_ratio", "fault")
    figures = {} if meter is None else meter.to_dict()
    figures |= {"joules": figures.get("energy_joules"), "watts": figures.get("power_watts")}
    return {f"platform_{name}": figures.get(name) for name in names}


def assumed(co2e: Carbon) -> str:
    """A mark for emissions that rest on an assumed region; empty where it was stated."""
    return f" (region {co2e.region} assumed)" if co2e.basis == "assumed" else ""
