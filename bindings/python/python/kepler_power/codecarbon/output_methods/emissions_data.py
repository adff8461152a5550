"""The rows of emissions.csv: CodeCarbon's columns in its order (version 3.3), then those that say how each figure was found.

A figure that is not known is NaN here, an empty cell in CSV and ``null`` in JSON; it is never zero.
"""

from __future__ import annotations

import dataclasses
import json
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, Optional

if TYPE_CHECKING:
    from typing_extensions import Self

JOULES_PER_KWH = 3.6e6
UNKNOWN = float("nan")

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
    """kg of CO2e, of ``energy_consumed``."""
    emissions_rate: float
    """kg of CO2e per second."""
    cpu_power: float
    """Mean power of the processors, watts."""
    gpu_power: float
    """Mean power of graphics processors, watts."""
    ram_power: float
    """Mean power of memory, watts."""
    cpu_energy: float
    """kWh; also what a meter does not tell apart."""
    gpu_energy: float
    """kWh; 0 where there is no graphics processor, unknown where there is one."""
    ram_energy: float
    """kWh; unknown where it is part of ``cpu_energy``."""
    energy_consumed: float
    """kWh, the sum of the parts that are known; see ``energy_method``."""
    water_consumed: float
    """Litres: energy times the WUE that was stated; unknown without one."""
    country_name: str
    """Empty where no location was stated."""
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
    """0 where it is known that there are none."""
    gpu_model: Optional[str]
    longitude: Optional[float]
    latitude: Optional[float]
    ram_total_size: float
    """GiB."""
    tracking_mode: str
    """``machine``, or ``process`` for this process's share."""
    cpu_utilization_percent: float = UNKNOWN
    """Mean over the run, of all processors."""
    gpu_utilization_percent: float = UNKNOWN
    ram_utilization_percent: float = UNKNOWN
    """Mean of the moments at which the tracker was asked."""
    ram_used_gb: float = UNKNOWN
    """GiB, the same mean."""
    on_cloud: str = ""
    """``Y``, ``N``, or empty where neither is stated."""

    @property
    def values(self) -> OrderedDict[str, Any]:
        """The columns, in order."""
        return OrderedDict(vars(self))

    @property
    def known(self) -> OrderedDict[str, Any]:
        """The columns, with ``None`` for what is not known: what JSON can hold."""
        return OrderedDict((name, None if value != value else value) for name, value in vars(self).items())

    def toJSON(self) -> str:  # noqa: N802 - CodeCarbon's name
        """As JSON, its names sorted; what is not known is ``null``."""
        return json.dumps(self.known, sort_keys=True, indent=4)

    def with_means(self) -> Self:
        """The same with rate and powers recomputed from amounts and duration."""

        def mean(amount: float) -> float:
            return amount / self.duration if self.duration > 0 else UNKNOWN

        return dataclasses.replace(
            self,
            emissions_rate=mean(self.emissions),
            cpu_power=mean(self.cpu_energy * JOULES_PER_KWH),
            gpu_power=mean(self.gpu_energy * JOULES_PER_KWH),
            ram_power=mean(self.ram_energy * JOULES_PER_KWH),
        )

    def _repr_html_(self) -> str:
        """A table for notebooks."""
        from ..._html import table

        shown = [(name, _cell(value)) for name, value in self.known.items()]
        return table(("", ""), shown, "an empty cell is a figure that is not known")


@dataclasses.dataclass
class _Basis:
    """How the figures of a row were found. These columns are not CodeCarbon's."""

    cpu_energy_method: str = "unknown"
    """``measured`` by a counter or sensor, ``partial`` (a part had no meter and is estimated), ``estimated`` by a model, or
    ``unknown``."""
    ram_energy_method: str = "unknown"
    """The same, or ``included`` where it is part of ``cpu_energy``."""
    gpu_energy_method: str = "unknown"
    """``absent`` where there is no graphics processor."""
    energy_method: str = "unknown"
    """Of ``energy_consumed``: that of all parts, or ``partial`` where they differ or one is unknown and therefore missing."""
    energy_error_ratio: Optional[float] = None
    """Relative error of the known parts of ``energy_consumed``, one standard deviation; unknown parts are not in it."""
    location_basis: str = "unknown"
    """``stated``; ``assumed``: country and cloud are empty, and emissions are those of ``grid_zone``."""
    grid_zone: str = ""
    """The grid zone whose intensity was taken; empty where the intensity itself was stated."""
    grid_intensity_g_per_kwh: float = UNKNOWN
    """What the electricity emits, gCO2e/kWh."""
    grid_intensity_method: str = "unknown"
    """``direct`` (at the stack), ``lifecycle``, or ``stated``."""
    grid_intensity_source: str = ""
    """Who published it."""
    grid_intensity_year: Optional[int] = None
    """The year it is for."""
    pue_basis: str = "assumed"
    """``stated``, or ``assumed`` where 1 stands in."""


@dataclasses.dataclass
class _OfSite:
    pue: float = 1.0
    wue: float = UNKNOWN


@dataclasses.dataclass
class EmissionsData(_Basis, _OfSite, _Row, _OfExperiment, _OfRun):
    """What a run used and emitted. Energy, power and emissions include the PUE that was stated."""

    def since(self, earlier: EmissionsData) -> EmissionsData:
        """What was used between an earlier row of the same run and this one."""
        used = {name: getattr(self, name) - getattr(earlier, name) for name in _AMOUNTS}
        return dataclasses.replace(self, **used).with_means()

    def compute_delta_emission(self, previous_emission: EmissionsData) -> None:
        """Makes this row what was used since an earlier one."""
        vars(self).update(vars(self.since(previous_emission)))


# What adds up over time.
_AMOUNTS = ("duration", "emissions", "cpu_energy", "gpu_energy", "ram_energy", "energy_consumed", "water_consumed")


@dataclasses.dataclass
class TaskEmissionsData(_Basis, _Row, _OfRun, _OfTask):
    """What a task of a run used and emitted; the units are those of :class:`EmissionsData`."""

    @classmethod
    def of(cls, task_name: str, row: EmissionsData) -> TaskEmissionsData:
        """A task's row from what was used in it."""
        names = [field.name for field in dataclasses.fields(cls) if field.name != "task_name"]
        return cls(task_name=task_name, **{name: getattr(row, name) for name in names})


def _cell(value: object) -> str:
    if value is None:
        return ""
    return f"{value:.4g}" if isinstance(value, float) else str(value)
