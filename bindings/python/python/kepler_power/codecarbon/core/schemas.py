"""What CodeCarbon's web API is sent, by the names that scripts import from ``codecarbon.core.schemas``. Nothing here sends it."""

from __future__ import annotations

import dataclasses
from datetime import datetime
from typing import Optional
from uuid import UUID


@dataclasses.dataclass
class EmissionBase:
    """Figures of an interval of a run: seconds, kg, kg/s, W and kWh."""

    timestamp: str
    run_id: str
    duration: int
    emissions_sum: float
    emissions_rate: float
    cpu_power: float
    gpu_power: float
    ram_power: float
    cpu_energy: float
    gpu_energy: float
    ram_energy: float
    energy_consumed: float
    cpu_utilization_percent: Optional[float] = None
    gpu_utilization_percent: Optional[float] = None
    ram_utilization_percent: Optional[float] = None
    wue: Optional[float] = 0


class EmissionCreate(EmissionBase):
    """As it is sent."""


@dataclasses.dataclass
class RunBase:
    """A run and its machine."""

    timestamp: str
    experiment_id: str
    os: Optional[str]
    python_version: Optional[str]
    codecarbon_version: Optional[str]
    cpu_count: Optional[int]
    cpu_model: Optional[str]
    gpu_count: Optional[int]
    gpu_model: Optional[str]
    longitude: Optional[float]
    latitude: Optional[float]
    region: Optional[str]
    provider: Optional[str]
    ram_total_size: Optional[float]
    tracking_mode: Optional[str]


class RunCreate(RunBase):
    """As it is sent."""


@dataclasses.dataclass
class ExperimentBase:
    """An experiment: runs that belong together."""

    timestamp: datetime
    name: str
    description: str
    on_cloud: bool
    project_id: UUID
    country_name: Optional[str] = None
    country_iso_code: Optional[str] = None
    region: Optional[str] = None
    cloud_provider: Optional[str] = None
    cloud_region: Optional[str] = None


class ExperimentCreate(ExperimentBase):
    """As it is sent."""


@dataclasses.dataclass
class OrganizationBase:
    """Whose projects they are."""

    name: str
    description: str


class OrganizationCreate(OrganizationBase):
    """As it is sent."""


@dataclasses.dataclass
class ProjectBase:
    """Whose experiments they are."""

    name: str
    description: str
    organization_id: str


class ProjectCreate(ProjectBase):
    """As it is sent."""
