"""Energy into emissions: the formulas of the GHG Protocol, ISO/IEC 30134 and ISO/IEC 21031.

Plain numbers go in and come out; the unit is in each name. A figure that cannot be, such as a negative
energy or a PUE below 1, raises :class:`kepler_power.errors.ConfigurationError` (a ``ValueError``).
"""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING, NamedTuple, Optional

from . import _native
from ._native import (
    carbon_usage_effectiveness,
    effective_intensity,
    emission_rate,
    emissions,
    energy_reuse_factor,
    pue,
    renewable_energy_factor,
    water_usage_effectiveness,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "Contract",
    "EmissionsOverTime",
    "MarketBased",
    "TimedValue",
    "carbon_usage_effectiveness",
    "effective_intensity",
    "embodied",
    "emission_rate",
    "emissions",
    "emissions_over",
    "energy_reuse_factor",
    "market_based",
    "pue",
    "renewable_energy_factor",
    "sci",
    "water_usage_effectiveness",
]


class TimedValue(NamedTuple):
    """A value that holds from ``start`` (included) to ``end`` (excluded)."""

    start: datetime.datetime
    end: datetime.datetime
    value: float


class EmissionsOverTime(NamedTuple):
    """Emissions over time, with how much of the energy they speak for."""

    grams: float
    """Emissions of the covered energy, gCO2e."""
    facility_kwh: float
    """Facility energy that emitted it: the covered IT energy times PUE."""
    covered_kwh: float
    """IT energy for which the intensity was known."""
    uncovered_kwh: float
    """IT energy for which it was not; its emissions are unknown, not zero."""
    mean_intensity: Optional[float]
    """Mean grid intensity of the covered energy, gCO2e/kWh; ``None`` where there was none."""


class Contract(NamedTuple):
    """A contractual instrument: a PPA, a certificate, a supplier's tariff. It covers a share or an amount."""

    name: str
    intensity: float
    """What it attributes to its energy, gCO2e/kWh."""
    share: Optional[float] = None
    """Share of all consumption, 0 to 1."""
    kwh: Optional[float] = None
    """Amount over the assessed period, kWh."""


class MarketBased(NamedTuple):
    """Emissions by the market-based method (GHG Protocol Scope 2 guidance, chapter 6)."""

    grams: float
    """All of it, gCO2e: contracts and remainder."""
    contracted_kwh: float
    """Facility energy that contracts cover."""
    residual_kwh: float
    """Facility energy that none covers; it counts at the residual intensity."""
    surplus_kwh: float
    """Contracted energy beyond what was consumed; it offsets nothing."""


def emissions_over(
    energy: Iterable[tuple[datetime.datetime, datetime.datetime, float]],
    intensity: Iterable[tuple[datetime.datetime, datetime.datetime, float]],
    *,
    pue: float = 1.0,
) -> EmissionsOverTime:
    """Emissions of energy over time, each part with the intensity of its own hours.

    :param energy: (start, end, IT energy of that interval in kWh), taken as drawn evenly over it.
    :param intensity: (start, end, gCO2e/kWh); the intervals may be others. A gap is a time without a figure.
    :param pue: of the site, 1 or more.
    """
    return EmissionsOverTime(*_native.emissions_over(_intervals(energy), _intervals(intensity), pue))


def embodied(
    total_grams: float,
    *,
    time_reserved: float | datetime.timedelta,
    expected_life: float | datetime.timedelta,
    resources_reserved: float = 1.0,
    total_resources: float = 1.0,
) -> float:
    """The share of a machine's embodied emissions that a reservation carries, gCO2e (ISO/IEC 21031, M).

    :param total_grams: emissions of making and disposing of the machine, gCO2e.
    :param time_reserved: seconds, or a timedelta.
    :param expected_life: how long the machine is to serve; seconds, or a timedelta.
    :param resources_reserved: for instance vCPUs.
    :param total_resources: what the machine has, in the same unit.
    """
    return _native.embodied(
        total_grams, _seconds(time_reserved), _seconds(expected_life), resources_reserved, total_resources
    )


def sci(operational_grams: float, embodied_grams: float = 0.0, *, count: float, unit: str = "unit") -> float:
    """Software Carbon Intensity, gCO2e per functional unit (ISO/IEC 21031:2024): (C + M) / R.

    :param operational_grams: C, location-based, gCO2e.
    :param embodied_grams: M, gCO2e; see :func:`embodied`.
    :param count: R, how many units there were: requests, users, training runs; above 0.
    :param unit: what is counted, for the message where that is nothing.
    """
    return _native.sci(operational_grams, embodied_grams, count, unit)


def market_based(facility_kwh: float, residual_intensity: float, contracts: Iterable[Contract]) -> MarketBased:
    """Market-based emissions of facility energy (IT energy times PUE).

    Contracts are used in the order given until the consumption is covered.

    :param facility_kwh: consumption over the assessed period, kWh.
    :param residual_intensity: of what they leave, gCO2e/kWh: the residual mix, or else the grid's average.
    :param contracts: what was bought.
    """
    plain = [(contract.name, contract.share, contract.kwh, contract.intensity) for contract in contracts]
    return MarketBased(*_native.market_based(facility_kwh, residual_intensity, plain))


def _seconds(length: float | datetime.timedelta) -> float:
    return length.total_seconds() if isinstance(length, datetime.timedelta) else float(length)


_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)


def _nanoseconds(time: datetime.datetime) -> int:
    zoned = time.replace(tzinfo=datetime.timezone.utc) if time.tzinfo is None else time
    return (zoned - _EPOCH) // datetime.timedelta(microseconds=1) * 1000


def _intervals(intervals: Iterable[tuple[datetime.datetime, datetime.datetime, float]]) -> list[tuple[int, int, float]]:
    return [(_nanoseconds(start), _nanoseconds(end), float(value)) for start, end, value in intervals]
