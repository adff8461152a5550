"""The whole machine: what its service processor (BMC), its firmware or a meter at the socket shows.

>>> import kepler_power
>>> plug = kepler_power.ExternalMeter("plug", url="http://192.0.2.7/rpc/Switch.GetStatus?id=0", field="/apower")
>>> kepler_power.use_meters(platform=[plug])  # doctest: +SKIP
>>> with kepler_power.measure("train") as m:
...     total = sum(range(1_000_000))
>>> m.platform is None or m.platform.energy  # doctest: +SKIP

Such a meter contains package, memory and accelerators, so it is beside the machine's energy and no part of it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from dataclasses import field as _field
from typing import TYPE_CHECKING, Any, NamedTuple, Optional, Union

from .quantities import Energy, Power
from .source import Source

if TYPE_CHECKING:
    from ._native import MeterRow, ResidualRow

__all__ = ["Bmc", "ExternalMeter", "Platform", "PlatformMeter", "Residual"]

_MOST_WATTS = 30_000.0


@dataclass(frozen=True)
class Bmc:
    """This machine's service processor, asked over the network by Redfish.

    What is chosen among its figures and what is believed: docs/platform.md.
    """

    endpoint: str
    """Its address: ``https://192.0.2.17``."""
    username: Optional[str] = None
    """Who asks; none where no account is needed."""
    password: Optional[str] = _field(default=None, repr=False)
    login: str = "auto"
    """How the account is shown: ``auto`` (by a session, else with each request), ``session``, ``basic``."""
    insecure: bool = False
    """Whether any certificate is believed."""
    ca_file: Optional[str] = None
    """Certificates (PEM) to trust instead of the system's: of the authority that signed the BMC's, or the BMC's own."""
    chassis: Optional[str] = None
    """The chassis of this machine, where there are several."""
    interval: float = 10.0
    """Seconds between two rounds, 1 to 600."""
    contains_gpus: bool = True
    """Whether its figures contain what accelerators draw."""
    max_watts: float = _MOST_WATTS
    """More is not believed."""


@dataclass(frozen=True)
class ExternalMeter:
    """A meter outside of the machine: a metered socket, a rack's power distribution unit.

    Either `url` and `field` say where a number in a JSON answer is, or `prometheus` and `query` which series is meant.
    """

    name: str
    """What it is called in figures (`Platform.bmc_id`)."""
    url: Optional[str] = None
    field: Optional[str] = None
    """A JSON pointer (RFC 6901) to a number, or a text that is one: ``/apower``."""
    time_field: Optional[str] = None
    """One to the time of the reading: seconds since 1970, or RFC 3339. Without it the reading is as old as its request."""
    prometheus: Optional[str] = None
    """The base address of a server that speaks Prometheus' HTTP API."""
    query: Optional[str] = None
    """A query that brings one series."""
    unit_watts: float = 1.0
    """How many watts one is: 1000 for kilowatts."""
    interval: float = 10.0
    """Seconds between two readings, 1 to 600."""
    timeout: float = 5.0
    """How long a request may take, 1 to 60 seconds."""
    max_age: float = 120.0
    """A reading that is older, in seconds, says nothing about now."""
    max_watts: float = _MOST_WATTS
    """More is not believed."""
    scope: str = "node"
    """``node``: this machine and nothing else; ``part`` of it; ``shared`` with others, as a rack's total."""
    contains_gpus: bool = True
    """Whether it contains what accelerators draw."""
    error_ratio: Optional[float] = None
    """The figure is an estimate with this relative error: a rack's power by the number of its servers."""
    username: Optional[str] = None
    password: Optional[str] = _field(default=None, repr=False)
    login: str = "basic"
    """``basic``, or ``digest`` (RFC 7616, SHA-256) where the device asks for that."""
    token_file: Optional[str] = None
    """A file with a bearer token."""
    ca_file: Optional[str] = None
    """Certificates (PEM) to trust instead of the system's."""


PlatformMeter = Union[str, Bmc, ExternalMeter]
"""A meter of the whole machine: ``hwmon`` (its firmware's ACPI power meter, else its power supplies), ``ipmi`` (its BMC by
``/dev/ipmi0``), a `Bmc` or an `ExternalMeter`."""


class Platform:
    """What a meter of the whole machine showed. What is not known is ``None``, never zero."""

    __slots__ = (
        *("age_seconds", "bmc_id", "chassis_id", "contains_gpus", "covered_seconds", "energy", "fault", "power", "scope", "source"),
        *("source_id", "source_name", "source_type"),
    )

    source: Source
    """By what it is asked (redfish, ipmi, acpi, hwmon, prometheus, http), measured or estimated, with its error."""
    bmc_id: str
    """Which BMC or outside meter; empty for meters of the machine itself."""
    chassis_id: str
    """Which chassis of it."""
    source_type: str
    """The kind of figure: ``PowerControl``, ``EnvironmentMetrics``, ``PowerMeter``, ..."""
    source_id: str
    """Which figure of that kind."""
    source_name: str
    """The same for people."""
    scope: str
    """``node``: this machine and nothing else; ``part``: a chassis of which it is not known whether it is all of it; ``shared``: more than it."""
    contains_gpus: bool
    """Whether what accelerators draw is contained."""
    energy: Optional[Energy]
    """What it measured between its first and its last reading meanwhile; none where there were no two."""
    covered_seconds: float
    """The time that `energy` is of, in seconds: a BMC is read every ten. Their quotient is the mean power."""
    power: Optional[Power]
    """Its newest reading; none where that is not believed or too old."""
    age_seconds: Optional[float]
    """How old its newest believed reading is; none before the first one."""
    fault: Optional[str]
    """Why it cannot be read now or is not believed: ``stale``, ``implausible``, ``frozen``, ``partial``, ``timeout``, ...; none if it is fine."""

    def __init__(self, row: MeterRow) -> None:
        which, how, figures = row
        source, self.bmc_id, self.chassis_id, self.source_type, self.source_id, self.source_name = which
        self.scope, self.contains_gpus, method, error_ratio = how
        self.source = Source(source, method, error_ratio)
        energy, self.covered_seconds, power, self.age_seconds, self.fault = figures
        self.energy = None if energy is None else Energy(energy)
        self.power = None if power is None else Power(power)

    @property
    def state(self) -> str:
        """Of `power`: ``measured`` or ``estimated``; ``unknown`` where there is none, and `fault` says why."""
        return "unknown" if self.power is None else self.source.method

    def _key(self) -> tuple[str, ...]:
        return (self.source.name, self.bmc_id, self.chassis_id, self.source_type, self.source_id)

    def _add_before(self, earlier: Platform) -> None:
        """Adds what it measured in an interval before; the newest reading stays."""
        if earlier.energy is not None:
            self.energy = earlier.energy if self.energy is None else earlier.energy + self.energy
            self.covered_seconds += earlier.covered_seconds

    def to_dict(self) -> dict[str, Any]:
        """Its figures as plain values, as `kepler measure` names them."""
        return {
            "source": self.source.name,
            "bmc_id": self.bmc_id,
            "chassis_id": self.chassis_id,
            "source_type": self.source_type,
            "source_id": self.source_id,
            "scope": self.scope,
            "method": self.source.method,
            "error_ratio": self.source.error_ratio,
            "energy_joules": None if self.energy is None else self.energy.joules,
            "covered_seconds": self.covered_seconds,
            "power_watts": None if self.power is None else self.power.watts,
            "age_seconds": self.age_seconds,
            "fault": self.fault,
        }

    def __repr__(self) -> str:
        name = "/".join(part for part in (self.source.name, self.bmc_id, self.chassis_id) if part)
        fault = "" if self.fault is None else f", fault={self.fault!r}"
        return f"Platform({name!r}, energy={self.energy!r}, power={self.power!r}{fault})"


class Residual(NamedTuple):
    """What the machine draws beside package, memory and accelerators: fans, disks, network, losses of power supplies."""

    source: Source
    """By what the whole is measured; ``measured``, ``partial`` or ``estimated`` as the weaker of the whole and its parts. The error is that of
    their difference: of a small rest above 1."""
    bmc_id: str
    chassis_id: str
    contains_gpus: bool
    """Whether what accelerators draw was subtracted."""
    energy: Optional[Energy]
    """The rest since the meter's first reading; it never falls. None before the second one."""
    deficit: Energy
    """What the parts drew beyond the whole, and the rest has still to make up for."""
    covered_seconds: float
    """The time that both are of, in seconds."""
    watts: Optional[float]
    """Mean between the last two readings; below zero where the parts say more than the whole; none where not known."""
    fault: Optional[str]
    """``below_parts`` where the parts say distinctly more than the whole: its figure does not contain one of them."""

    @classmethod
    def _of(cls, row: ResidualRow) -> Residual:
        (source, bmc_id, chassis_id), (contains_gpus, method, error_ratio), figures = row
        energy, deficit, covered, watts, fault = figures
        known = None if energy is None else Energy(energy)
        return cls(Source(source, method, error_ratio), bmc_id, chassis_id, contains_gpus, known, Energy(deficit), covered, watts, fault)


def of_machine(meters: Iterable[Platform]) -> Optional[Platform]:
    """The one that measures the machine and nothing else, else the first; none of none."""
    found = sorted(meters, key=lambda meter: (meter.scope != "node", meter.fault == "replaced"))
    return found[0] if found else None
