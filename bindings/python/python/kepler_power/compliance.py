"""Does it meet a carbon standard, and what would help? The tools, the regions and the rules.

Each tool is a function with keyword arguments; each answer is a frozen dataclass with ``to_dict()``. What is not
known is ``None`` and makes a judgement ``INSUFFICIENT_DATA``; it is never a zero. Power is the mean over the window of
what still runs, energy that of all that ran in it; figures for a month (730 h) are projections from the window.

    >>> from kepler_power import compliance
    >>> clean_at_night = [100.0] * 6 + [300.0] * 18
    >>> plan = compliance.calculate_optimal_schedule("2h", region="europe-west1", intensity=clean_at_night)
    >>> round(plan.best.mean_intensity_gCO2eq_kWh)
    100
"""

from __future__ import annotations

import datetime
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Optional

from . import _native, _tools
from ._answer import Answer, IntensityProvider, Length, Moment, length, many, meters, one
from ._native import Observation
from ._tools import *  # noqa: F403 - all tools and their answers, listed in its own __all__

if TYPE_CHECKING:
    from collections.abc import Mapping
    from os import PathLike

__all__ = [
    "Answer",
    "GridIntensity",
    "IntensityProvider",
    "Length",
    "Moment",
    "Observation",
    "PublishedPue",
    "Region",
    "RuleKind",
    "Standard",
    "observe",
    "region",
    "regions",
    "standard",
    "standards",
]
__all__ += _tools.__all__

RuleKind = Literal["intensity_limit", "pue_limit", "emission_budget", "energy_duty", "metric_report"]
"""What a rule bounds: emissions per kWh, a PUE, emissions per hour or month, a yearly amount, figures to report."""


@dataclass(frozen=True)
class GridIntensity(Answer):
    """What a kilowatt-hour of a grid emits, by whom and how it was found."""

    g_per_kwh: float
    """gCO2e/kWh."""
    period: Mapping[str, Any]
    """The time it speaks for: ``{"year": 2023}``, ``{"years": {"from": ..., "to": ...}}`` or an interval."""
    zone: str
    """Its grid zone."""
    method: Literal["direct", "lifecycle"]
    """Emissions at the stack, or with building, fuel supply and disposal of the plants."""
    boundary: Literal["generation", "consumption", "unstated"]
    """Whether the kilowatt-hour is counted where it is generated or where it is consumed."""
    kind: Literal["average", "marginal"]
    """The mean of all kilowatt-hours, or the next one demanded."""
    source: str
    """Who published it."""

    @property
    def year(self) -> int | None:
        """The year it is for; of several the last."""
        years: Mapping[str, int] = self.period.get("years", {})
        year: int | None = self.period.get("year", years.get("to"))
        return year


@dataclass(frozen=True)
class PublishedPue(Answer):
    """A PUE that a provider publishes."""

    provider: Literal["aws", "gcp", "azure"]
    """Who publishes it."""
    region: str
    """The region, or ``global`` for the mean of a provider's fleet."""
    year: int
    """The year it is for."""
    pue: float
    """Facility energy over IT energy."""
    wue_l_per_kwh: Optional[float]
    """Water, litres per kWh of IT energy, where published."""
    source: str
    """Where."""


@dataclass(frozen=True)
class Region(Answer):
    """A zone of the electricity grid: a country or a part of one."""

    id: str
    """ISO 3166-1 alpha-2, or that with a grid zone (``US-MIDA-PJM``)."""
    name: str
    """Its English name."""
    name_local: Optional[str]
    """Its name in the local language."""
    country: str
    """ISO 3166-1 alpha-2 code of the country."""
    parent: Optional[str]
    """The zone it is part of."""
    time_zone: Optional[str]
    """IANA time zone; ``None`` where a country has several."""
    aliases: Mapping[str, list[str]]
    """What others call it: ``iso``, ``grid``, ``aws``, ``gcp``, ``azure``, ``city``."""
    intensity: Optional[GridIntensity]
    """The figure that speaks for it, its country's included; ``None`` where none is published."""
    pue: Optional[PublishedPue]
    """The PUE published for the name that was asked for, a cloud region's; ``None`` otherwise."""
    caveats: tuple[str, ...]
    """What weakens these figures."""

    _convert: ClassVar[Mapping[str, Any]] = {
        "intensity": one(GridIntensity),
        "pue": one(PublishedPue),
        "caveats": tuple,
    }


def _date(text: str) -> datetime.date:
    return datetime.date.fromisoformat(text)


@dataclass(frozen=True)
class Standard(Answer):
    """One version of a rule."""

    code: str
    """Its code, upper case with ``_``."""
    name: str
    """English name."""
    name_local: Optional[str]
    """Name in the language of the jurisdiction."""
    kind: RuleKind
    """What it bounds."""
    text: Mapping[str, str]
    """What it asks, in a sentence: ``en``, ``ko``."""
    jurisdiction: str
    """Whose rule it is: a country code, ``EU``, or a name of your own."""
    countries: tuple[str, ...]
    """Countries it holds in."""
    force: _tools.Force
    """Its binding force."""
    subject: _tools.Subject
    """Its subject."""
    status: str
    """How far it has come: ``draft``, ``passed`` (in force from its first day on), ``in_force``."""
    valid_from: Optional[datetime.date]
    """First day in force; ``None``: since ever."""
    valid_to: Optional[datetime.date]
    """Last day in force; ``None``: until further notice."""
    source: str
    """Where it is written."""
    year: Optional[int]
    """The year the source speaks of."""
    verified: Optional[datetime.date]
    """The day on which it was last compared with its source; ``None``: not since it was written."""
    note: Optional[Mapping[str, str]]
    """What an honest reader should know about it: ``en``, ``ko``."""
    limit: Optional[_tools.Limit]
    """The bound, where the rule is one bound."""
    metric: Optional[str]
    """What is bounded, where the kind does not say."""
    at_least: Optional[float]
    """From where on a duty applies."""
    duty: Optional[Mapping[str, str]]
    """What must be done then: ``en``, ``ko``."""
    metrics: Optional[tuple[Mapping[str, Any], ...]]
    """Figures to report, and their bounds."""
    applies: Mapping[str, Any]
    """To whom of its subjects it applies."""

    _convert: ClassVar[Mapping[str, Any]] = {
        "countries": tuple,
        "valid_from": _date,
        "valid_to": _date,
        "verified": _date,
        "limit": one(_tools.Limit),
        "metrics": tuple,
    }

    def in_force(self, day: datetime.date) -> bool:
        """Whether it is in force on a day."""
        begun = self.valid_from is None or self.valid_from <= day
        adopted = self.status == "in_force" or (self.status == "passed" and self.valid_from is not None)
        return adopted and begun and (self.valid_to is None or day <= self.valid_to)


def regions() -> tuple[Region, ...]:
    """All zones of the table, countries first, each with its grid's intensity."""
    found: tuple[Region, ...] = many(one(Region))(json.loads(_native.zones_json()))
    return found


def region(name: str) -> Region:
    """The zone that a name means, with its grid's intensity and, for a cloud region, its published PUE.

    :param name: an AWS, GCP or Azure region, a country (ISO 3166), a grid zone or a city; upper or lower case.
    :raises kepler_power.errors.UnknownRegionError: no zone has it; the error's ``valid`` has the nearest.
    """
    found = json.loads(_native.zone_json(name, datetime.date.today().year))
    caveats = [*found["zone"]["caveats"], *found["pue_caveats"]]
    return Region.from_dict({**found["zone"], "pue": found["pue"], "caveats": caveats})


def standards(directory: str | PathLike[str] | None = None) -> tuple[Standard, ...]:
    """All rules with all their versions, by code.

    :param directory: rules of your own, which add to the built-in ones or override them (JSON files).
    """
    found: tuple[Standard, ...] = many(one(Standard))(json.loads(_native.standards_json(None, directory)))
    return found


def standard(code: str, directory: str | PathLike[str] | None = None) -> tuple[Standard, ...]:
    """All versions of a rule, oldest first.

    :param code: ``KR_CARBON_2050``; upper or lower case, with ``_`` or ``-``.
    :param directory: rules of your own, as in :func:`standards`.
    :raises kepler_power.errors.UnknownStandardError: no rule has it; the error's ``valid`` has all codes.
    """
    found: tuple[Standard, ...] = many(one(Standard))(json.loads(_native.standards_json(code, directory)))
    return found


def observe(source: str = "local", window: Length | None = None) -> Observation:
    """Observes a source for a while, so that many questions can be asked of the same figures.

    Blocks for ``window`` without the GIL; Ctrl-C ends it. A Prometheus server is not waited for.

    :param source: ``local``, ``kepler=URL[,URL...]`` (each exporter's own address) or ``prometheus=URL``.
    :param window: how long; 6 s, or the 5 min that are asked of Prometheus.
    :raises kepler_power.errors.SourceError: nothing can be measured here, or the server cannot be reached.
    """
    return _native.observe(source, length(window), meters())
