"""Where a tracker's machine is, and what its electricity emits."""

from __future__ import annotations

import warnings
from typing import NamedTuple, Optional

from .. import _native
from ..compliance import Region
from ..compliance import region as find_region
from ..errors import ConfigurationError, UnknownRegionError
from ._parameters import Parameters
from .external.logger import logger

# Names of zones that are not those of a cloud provider's regions.
_NOT_CLOUDS = ("iso", "name", "grid", "state", "city")


class Intensity(NamedTuple):
    """What electricity emits, and who says so."""

    grams_per_kwh: Optional[float]
    """gCO2e/kWh; ``None`` where it is not published."""
    method: str
    """``direct``, ``lifecycle``, ``stated``, or ``unknown``."""
    zone: str
    """The grid zone it is of; empty where it was stated."""
    source: str
    year: Optional[int]


class Location(NamedTuple):
    """A place on a grid. What was not stated is empty."""

    basis: str
    """``stated``; ``assumed`` where emissions rest on the default region; ``unknown`` where only an intensity was stated."""
    country_name: str
    country_iso_code: str
    """ISO 3166-1 alpha-3."""
    region: Optional[str]
    cloud_provider: str
    cloud_region: str
    on_cloud: str
    """``Y``, ``N``, or empty where neither is stated."""
    intensity: Intensity


def configured(grams_per_kwh: float | None, *, stacklevel: int) -> Location:
    """The facility of this process, as :func:`kepler_power.configure` or the environment states it."""
    facility = _native.facility()
    if grams_per_kwh is None and facility.is_grid_intensity_stated:
        grams_per_kwh = facility.grid_intensity
    if facility.is_region_stated:
        return _location(find_region(facility.region), facility.region, None, grams_per_kwh, on_premises="")
    if grams_per_kwh is not None:
        return Location("unknown", "", "", None, "", "", "", _stated(grams_per_kwh))
    warnings.warn(
        f"no location is stated, so emissions are computed for {facility.zone_name}; call "
        "kepler_power.configure(region=...), set KEPLER_REGION, or use OfflineEmissionsTracker",
        stacklevel=stacklevel + 1,
    )
    return Location("assumed", "", "", None, "", "", "", _published(facility.region))


def offline(parameters: Parameters, grams_per_kwh: float | None) -> Location:
    """The location that an offline tracker was given."""
    provider, cloud_region = _text(parameters, "cloud_provider"), _text(parameters, "cloud_region")
    countries = [_text(parameters, name) for name in ("country_iso_code", "country_2letter_iso_code")]
    found = [find_region(code) for code in countries if code]
    if len({zone.country for zone in found}) > 1:
        raise ConfigurationError(
            f"country_iso_code `{countries[0]}` and country_2letter_iso_code `{countries[1]}` are two countries", "give one"
        )
    if provider or cloud_region:
        cloud = _cloud(provider, cloud_region)
        if found and found[0].country != cloud.country:
            raise ConfigurationError(
                f"cloud_region `{cloud_region}` is in {cloud.country}, not in {found[0].name}", "give the cloud region or the country"
            )
        return _location(cloud, cloud_region, _text(parameters, "region") or None, grams_per_kwh, on_premises="N")
    if not found:
        remedy = "give country_iso_code (ISO 3166-1 alpha-3), or cloud_provider and cloud_region"
        raise ConfigurationError("an offline tracker needs a location", remedy)
    region = _text(parameters, "region")
    zone = _part(found[0], region) if region else found[0]
    return _location(zone, countries[0] or countries[1], region or None, grams_per_kwh, on_premises="N")


def _text(parameters: Parameters, name: str) -> str:
    return str(parameters.get(name) or "").strip()


def _cloud(provider: str, cloud_region: str) -> Region:
    """The zone of a cloud region, which must be one of that provider's."""
    if not cloud_region:
        raise ConfigurationError(f"cloud_provider `{provider}` without cloud_region", "give both")
    zone = find_region(cloud_region)
    clouds = _clouds_of(zone, cloud_region)
    if not clouds or (provider and provider.lower() not in clouds):
        whose = f"one of {' and '.join(clouds)}" if clouds else "not a cloud region"
        given = f", and cloud_provider is `{provider}`" if provider else ""
        raise ConfigurationError(f"cloud_region `{cloud_region}` is {whose}{given}", "give a region of the provider, or a country")
    return zone


def _clouds_of(zone: Region, name: str) -> list[str]:
    """The clouds that have a region of this name."""
    wanted = _normal(name)
    return [scheme for scheme, names in zone.aliases.items() if scheme not in _NOT_CLOUDS and wanted in map(_normal, names)]


def _normal(name: str) -> str:
    return name.strip().lower().replace("_", "-").replace(" ", "-")


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


def _stated(grams_per_kwh: float) -> Intensity:
    return Intensity(grams_per_kwh, "stated", "", "", None)


def _published(name: str) -> Intensity:
    """The figure that measurements and tools take for a region too: of one method, the one configured if any is."""
    method = _native.facility().__getnewargs_ex__()[1].get("intensity_method")
    found = _native.Facility(name, intensity_method=method)
    return Intensity(found.grid_intensity, found.grid_method or "unknown", found.zone, found.grid_source or "", found.grid_year)


def _location(zone: Region, name: str, region: str | None, grams_per_kwh: float | None, *, on_premises: str) -> Location:
    country = find_region(zone.country)
    alpha3 = next((code.upper() for code in country.aliases.get("iso", []) if len(code) == 3), country.id)
    clouds = _clouds_of(zone, name)
    return Location(
        basis="stated",
        country_name=country.name,
        country_iso_code=alpha3,
        region=region if region is not None else (None if clouds or zone.id == country.id else zone.name),
        cloud_provider=clouds[0] if clouds else "",
        cloud_region=_normal(name) if clouds else "",
        on_cloud="Y" if clouds else on_premises,
        intensity=_published(name if clouds else zone.id) if grams_per_kwh is None else _stated(grams_per_kwh),
    )
