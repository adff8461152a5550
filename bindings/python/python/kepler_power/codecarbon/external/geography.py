"""Locations by the names that scripts import from ``codecarbon.external.geography``. No web service is asked."""

from __future__ import annotations

import dataclasses
from typing import Optional


@dataclasses.dataclass
class CloudMetadata:
    """A region of a cloud."""

    provider: Optional[str]
    region: Optional[str]

    @property
    def is_on_private_infra(self) -> bool:
        """Whether it is none."""
        return self.provider is None and self.region is None

    @classmethod
    def from_utils(cls) -> CloudMetadata:
        """The cloud that :func:`kepler_power.configure` states; none if it states none."""
        from .._location import configured

        location = configured(0.0, stacklevel=2)
        return cls(location.cloud_provider or None, location.cloud_region or None)


@dataclasses.dataclass
class GeoMetadata:
    """A country, or a part of one."""

    country_iso_code: Optional[str]
    country_name: Optional[str] = None
    region: Optional[str] = None
    latitude: Optional[float] = None
    longitude: Optional[float] = None
    country_2letter_iso_code: Optional[str] = None

    @property
    def country(self) -> str:
        """Its name for :func:`kepler_power.compliance.region`."""
        return str(self.country_iso_code or self.country_2letter_iso_code or self.country_name)
