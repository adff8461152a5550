"""Where a tracker believes to be, and what its electricity emits."""

from __future__ import annotations

import logging
import warnings
from typing import NamedTuple, Optional

from .. import _native
from ..compliance import Region
from ..compliance import region as find_region
from ..errors import ConfigurationError, UnknownRegionError
from ._settings import Parameters

logger = logging.getLogger("kepler_power.codecarbon")


class Place(NamedTuple):
    """A place on a grid."""

    country_name: str
    country_iso_code: str
    """ISO 3166-1 alpha-3."""
    region: Optional[str]
    cloud_provider: str
    cloud_region: str
    grams_per_kwh: Optional[float]
    """Grid intensity, gCO2e/kWh; ``None`` where nobody published one."""


def configured(grams_per_kwh: float | None, *, stacklevel: int) -> Place:
    """The facility of this process: as :func:`kepler_power.configure` or the environment states it."""
    facility = _native.facility()
    if not facility.is_stated and grams_per_kwh is None:
        warnings.warn(
            f"nobody says where this machine stands; {facility.region} is assumed: call "
            "kepler_power.configure(region=...), set KEPLER_REGION, or use OfflineEmissionsTracker",
            stacklevel=stacklevel + 1,
        )
    intensity = facility.grid_intensity if grams_per_kwh is None else grams_per_kwh
    return _place(find_region(facility.region), facility.region, None, intensity)


def offline(parameters: Parameters, grams_per_kwh: float | None) -> Place:
    """The place that an offline tracker was told."""
    cloud_region = parameters.get("cloud_region")
    provider = parameters.get("cloud_provider")
    country = parameters.get("country_iso_code") or parameters.get("country_2letter_iso_code")
    if provider and not cloud_region:
        raise ConfigurationError(f"cloud_provider `{provider}` without cloud_region", "give both")
    name = cloud_region if provider else country
    if not name:
        remedy = "give country_iso_code (ISO 3166-1 alpha-3), or cloud_provider and cloud_region"
        raise ConfigurationError("an offline tracker needs a place", remedy)
    found = find_region(str(name))
    region = parameters.get("region")
    if region and not provider:
        found = _part(found, str(region))
    intensity = found.intensity.g_per_kwh if found.intensity else None
    return _place(found, str(name), region, intensity if grams_per_kwh is None else grams_per_kwh)


def _part(country: Region, region: str) -> Region:
    """The part of a country, where the table has it apart."""
    try:
        part = find_region(region)
    except UnknownRegionError:
        part = None
    if part is not None and part.country == country.country:
        return part
    logger.warning("no figures for the region `%s`; those of %s are used", region, country.name)
    return country


def _place(zone: Region, name: str, region: str | None, grams_per_kwh: float | None) -> Place:
    country = find_region(zone.country)
    codes = country.aliases.get("iso", [])
    alpha3 = next((code.upper() for code in codes if len(code) == 3), country.id)
    wanted = name.strip().lower().replace("_", "-").replace(" ", "-")
    clouds = [cloud for cloud in ("aws", "gcp", "azure") if wanted in map(str.lower, zone.aliases.get(cloud, []))]
    provider = clouds[0] if clouds else ""
    place = region if region is not None else (None if provider or zone.id == country.id else zone.name)
    return Place(country.name, alpha3, place, provider, wanted if provider else "", grams_per_kwh)
