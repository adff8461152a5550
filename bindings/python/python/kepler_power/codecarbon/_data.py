"""The rows of emissions.csv, field for field in CodeCarbon's order (version 3.3)."""

from __future__ import annotations

import dataclasses
import json
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, Optional

if TYPE_CHECKING:
    from typing_extensions import Self

JOULES_PER_KWH = 3.6e6

# Fields stand in the order of the bases from last to first: a row is put together from right to left.


@dataclasses.dataclass
class _OfTask:
    task_name: str


@dataclasses.dataclass
class _OfRun:
    timestamp: str
    """When the row was made: local time, ``2026-01-31T12:00:00``."""
    project_name: str
    run_id: str


@dataclasses.dataclass
class _OfExperiment:
    experiment_id: str


@dataclasses.dataclass
class _Row:
    """What was used, where, and on what."""

    duration: float
    """Seconds."""
    emissions: float
    """kg of CO2e."""
    emissions_rate: float
    """kg of CO2e per second."""
    cpu_power: float
    """Mean power of the processors, watts."""
    gpu_power: float
    """Mean power of graphics processors, watts."""
    ram_power: float
    """Mean power of memory, watts; zero where it is not metered apart."""
    cpu_energy: float
    """kWh; also what a meter does not tell apart."""
    gpu_energy: float
    """kWh."""
    ram_energy: float
    """kWh."""
    energy_consumed: float
    """kWh, all of it."""
    water_consumed: float
    """Litres: energy times the WUE that was stated."""
    country_name: str
    country_iso_code: str
    """ISO 3166-1 alpha-3."""
    region: Optional[str]
    cloud_provider: str
    cloud_region: str
    os: str
    python_version: str
    codecarbon_version: str
    """What made the row: ``kepler-power`` and its version."""
    cpu_count: float
    cpu_model: str
    gpu_count: Optional[float]
    gpu_model: Optional[str]
    longitude: Optional[float]
    latitude: Optional[float]
    ram_total_size: float
    """GiB."""
    tracking_mode: str
    """``machine``, or ``process`` for this process's share."""
    cpu_utilization_percent: float = 0.0
    """Mean over the run, of all processors."""
    gpu_utilization_percent: float = 0.0
    ram_utilization_percent: float = 0.0
    """Mean of the moments at which the tracker was asked."""
    ram_used_gb: float = 0.0
    """GiB, the same mean."""
    on_cloud: str = "N"

    @property
    def values(self) -> OrderedDict[str, Any]:
        """The columns, in order."""
        return OrderedDict(vars(self))

    def toJSON(self) -> str:  # noqa: N802 - CodeCarbon's name
        """As JSON, its names sorted."""
        return json.dumps(self.values, sort_keys=True, indent=4)

    def with_means(self) -> Self:
        """The same with rate and powers made anew from amounts and duration."""

        def mean(amount: float) -> float:
            return amount / self.duration if self.duration > 0 else 0.0

        return dataclasses.replace(
            self,
            emissions_rate=mean(self.emissions),
            cpu_power=mean(self.cpu_energy * JOULES_PER_KWH),
            gpu_power=mean(self.gpu_energy * JOULES_PER_KWH),
            ram_power=mean(self.ram_energy * JOULES_PER_KWH),
        )


@dataclasses.dataclass
class EmissionsData(_Row, _OfExperiment, _OfRun):
    """What a run used and emitted. Energy, power and emissions include the PUE that was stated."""

    pue: float = 1.0
    wue: float = 0.0

    def since(self, earlier: EmissionsData) -> EmissionsData:
        """What was used between an earlier row of the same run and this one."""
        used = {name: getattr(self, name) - getattr(earlier, name) for name in _AMOUNTS}
        return dataclasses.replace(self, **used).with_means()


# What adds up over time.
_AMOUNTS = ("duration", "emissions", "cpu_energy", "gpu_energy", "ram_energy", "energy_consumed", "water_consumed")


@dataclasses.dataclass
class TaskEmissionsData(_Row, _OfRun, _OfTask):
    """What a task of a run used and emitted; the units are those of :class:`EmissionsData`."""

    @classmethod
    def of(cls, task_name: str, row: EmissionsData) -> TaskEmissionsData:
        """A task's row from what was used in it."""
        names = [field.name for field in dataclasses.fields(cls) if field.name != "task_name"]
        return cls(task_name=task_name, **{name: getattr(row, name) for name in names})
