"""The facility of this process: where it runs and what its electricity emits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from . import _native
from ._native import Facility

__all__ = ["Facility", "configure", "facility"]


def configure(
    region: str | None = None,
    *,
    pue: float | None = None,
    pue_basis: str = "assumed",
    grid_intensity: float | None = None,
    price: float | None = None,
    currency: str = "KRW",
    intensity_method: Literal["direct", "lifecycle"] | None = None,
    facts: Mapping[str, Any] | None = None,
) -> Facility:
    """States where this process runs: emissions of every measurement and tool rest on it from now on.

    Without a call the environment decides, as for ``kepler serve``: ``KEPLER_REGION``, ``KEPLER_PUE``,
    ``KEPLER_PUE_BASIS``, ``KEPLER_GRID_INTENSITY``, ``KEPLER_PRICE``, ``KEPLER_CURRENCY``,
    ``KEPLER_FACT``.

    :param region: an AWS, GCP or Azure region, a country (ISO 3166), a grid zone or a city;
        ``ap-northeast-2`` is assumed where neither this nor a grid intensity is stated.
    :param pue: power usage effectiveness of the site, 1 or more; without it the one its provider publishes.
    :param pue_basis: how that was found: ``measured``, ``published``, ``estimated`` or ``assumed``.
    :param grid_intensity: what the electricity emits, gCO2e/kWh; without it the region's yearly average.
    :param price: what a kilowatt-hour costs.
    :param currency: of the price, ISO 4217.
    :param intensity_method: which published intensities to take where there are several: ``direct`` (at the stack) or
        ``lifecycle``. Figures of different methods do not compare; without it the table's preference for the region decides.
    :param facts: what rules need to know of the site, by name, as ``{"connection_kw": 450, "cool_climate": True}``;
        a verdict names the facts that it lacks.
    :returns: the facility, with the figures found and their sources.
    :raises kepler_power.errors.UnknownRegionError: no region has that name; its ``valid`` has the nearest.
    :raises kepler_power.errors.ConfigurationError: a figure that cannot be.
    """
    stated = Facility(
        region,
        pue=pue,
        pue_basis=pue_basis,
        grid_intensity=grid_intensity,
        price=price,
        currency=currency,
        intensity_method=intensity_method,
        facts=None if facts is None else dict(facts),
    )
    _native.set_facility(stated)
    return stated


def facility() -> Facility:
    """The facility that measurements and tools rest on: as configured, else as the environment states."""
    return _native.facility()
