"""A run: what it used so far, as rows."""

from __future__ import annotations

import datetime
import math
from typing import NamedTuple, Optional

from .. import __version__
from ._location import Location
from ._machine import Load, Machine, Roots
from ._meter import Meter
from .output_methods.emissions_data import JOULES_PER_KWH, UNKNOWN, EmissionsData


class About(NamedTuple):
    """What a tracker was given that its rows repeat."""

    project_name: str
    experiment_id: str
    tracking_mode: str
    pue: Optional[float]
    """``None`` where it was not stated."""
    wue: Optional[float]
    """``None`` where it was not stated."""


class Run:
    """Counts from its making on."""

    def __init__(self, run_id: str, about: About, location: Location, machine: Machine) -> None:
        self.run_id = run_id
        self.about, self._location, self._machine = about, location, machine
        self._roots = Roots.now()
        self._meter = Meter(about.tracking_mode, machine)
        self._first_load = Load.now(self._roots)
        self._ram_percent, self._ram_used_gb = [self._first_load.ram_percent], [self._first_load.ram_used_gb]

    def stop(self) -> None:
        """Counts no longer."""
        self._meter.stop()

    def row(self) -> EmissionsData:
        """The run so far."""
        reading = self._meter.read()
        load = Load.now(self._roots)
        self._ram_percent.append(load.ram_percent)
        self._ram_used_gb.append(load.ram_used_gb)
        about, location, machine = self.about, self._location, self._machine
        gpus = machine.accelerators
        pue = 1.0 if about.pue is None else about.pue
        wue = UNKNOWN if about.wue is None else about.wue
        cpu, gpu, ram = (part.joules * pue / JOULES_PER_KWH for part in reading.parts)
        consumed = reading.joules * pue / JOULES_PER_KWH
        grams = location.intensity.grams_per_kwh
        return EmissionsData(
            timestamp=datetime.datetime.now().strftime("%Y-%m-%dT%H:%M:%S"),
            project_name=about.project_name,
            run_id=self.run_id,
            experiment_id=about.experiment_id,
            duration=reading.seconds,
            emissions=UNKNOWN if grams is None else consumed * grams / 1000.0,
            emissions_rate=UNKNOWN,
            cpu_power=UNKNOWN,
            gpu_power=UNKNOWN,
            ram_power=UNKNOWN,
            cpu_energy=cpu,
            gpu_energy=gpu,
            ram_energy=ram,
            energy_consumed=consumed,
            water_consumed=consumed * wue,
            country_name=location.country_name,
            country_iso_code=location.country_iso_code,
            region=location.region,
            cloud_provider=location.cloud_provider,
            cloud_region=location.cloud_region,
            os=machine.os,
            python_version=machine.python_version,
            codecarbon_version=f"kepler-power {__version__}",
            cpu_count=machine.cpu_count,
            cpu_model=machine.cpu_model,
            gpu_count=gpus.count,
            gpu_model=gpus.description,
            longitude=None,
            latitude=None,
            ram_total_size=machine.ram_total_size,
            tracking_mode=about.tracking_mode,
            cpu_utilization_percent=load.cpu_percent_since(self._first_load),
            gpu_utilization_percent=0.0 if gpus.are_absent else UNKNOWN,
            ram_utilization_percent=_mean(self._ram_percent),
            ram_used_gb=_mean(self._ram_used_gb),
            on_cloud=location.on_cloud,
            pue=pue,
            wue=wue,
            cpu_energy_method=reading.cpu.method,
            ram_energy_method=reading.ram.method,
            gpu_energy_method=reading.gpu.method,
            energy_method=reading.method,
            energy_error_ratio=reading.error_ratio,
            location_basis=location.basis,
            grid_zone=location.intensity.zone,
            grid_intensity_g_per_kwh=UNKNOWN if grams is None else grams,
            grid_intensity_method=location.intensity.method,
            grid_intensity_source=location.intensity.source,
            grid_intensity_year=location.intensity.year,
            pue_basis="assumed" if about.pue is None else "stated",
        ).with_means()


def _mean(values: list[float]) -> float:
    known = [value for value in values if not math.isnan(value)]
    return sum(known) / len(known) if known else UNKNOWN
