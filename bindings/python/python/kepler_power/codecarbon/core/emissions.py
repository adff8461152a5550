"""Energy into emissions by the names that scripts import from ``codecarbon.core.emissions``; figures of this package's table."""

from __future__ import annotations

from typing import Any, Optional

from ...compliance import Region, region
from ...errors import DataError, UnknownRegionError
from ..external.geography import CloudMetadata, GeoMetadata
from .units import EmissionsPerKWh, Energy


class Emissions:
    """Emissions of an energy at a location, kg of CO2e.

    :param data_source: accepted and not used: the figures are those of :func:`kepler_power.compliance.region`.
    :param electricitymaps_api_token: accepted and not used.
    :param force_carbon_intensity_g_co2e_kwh: gCO2e/kWh, instead of the location's.
    """

    def __init__(
        self,
        data_source: Any = None,
        electricitymaps_api_token: Optional[str] = None,
        force_carbon_intensity_g_co2e_kwh: Optional[float] = None,
    ) -> None:
        self._stated = force_carbon_intensity_g_co2e_kwh

    def get_cloud_emissions(self, energy: Energy, cloud: CloudMetadata, geo: Optional[GeoMetadata] = None) -> float:
        """Of a cloud region."""
        return self._emissions(energy, str(cloud.region))

    def get_private_infra_emissions(self, energy: Energy, geo: GeoMetadata) -> float:
        """Of a part of a country where the table has it apart, else of the country."""
        try:
            return self.get_region_emissions(energy, geo)
        except UnknownRegionError:
            return self.get_country_emissions(energy, geo)

    def get_region_emissions(self, energy: Energy, geo: GeoMetadata) -> float:
        """Of a part of a country."""
        return self._emissions(energy, geo.region or geo.country)

    def get_country_emissions(self, energy: Energy, geo: GeoMetadata) -> float:
        """Of a country."""
        return self._emissions(energy, geo.country)

    def get_cloud_country_name(self, cloud: CloudMetadata) -> str:
        """The country that a cloud region is in."""
        return region(region(str(cloud.region)).country).name

    def get_cloud_country_iso_code(self, cloud: CloudMetadata) -> str:
        """Its code, ISO 3166-1 alpha-3."""
        country = region(region(str(cloud.region)).country)
        return next((code.upper() for code in country.aliases.get("iso", []) if len(code) == 3), country.id)

    def get_cloud_geo_region(self, cloud: CloudMetadata) -> str:
        """The grid zone that a cloud region is in."""
        return region(str(cloud.region)).name

    def _emissions(self, energy: Energy, name: str) -> float:
        grams = self._stated if self._stated is not None else _intensity(region(name))
        return energy.kWh * EmissionsPerKWh.from_g_per_kWh(grams).kgs_per_kWh


def _intensity(zone: Region) -> float:
    if zone.intensity is None:
        raise DataError(f"no intensity is published for {zone.name}", "state force_carbon_intensity_g_co2e_kwh")
    return zone.intensity.g_per_kwh
