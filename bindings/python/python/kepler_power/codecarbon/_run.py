"""A run: what it used so far, as rows."""

from __future__ import annotations

import datetime
from typing import NamedTuple

from .. import __version__
from ._data import JOULES_PER_KWH, EmissionsData
from ._machine import Load, Machine
from ._meter import Meter
from ._place import Place


class About(NamedTuple):
    """What a tracker was told that its rows repeat."""

    project_name: str
    run_id: str
    experiment_id: str
    tracking_mode: str
    pue: float
    wue: float


class Run:
    """Counts from its making on."""

    def __init__(self, about: About, place: Place, machine: Machine) -> None:
        self._about, self._place, self._machine = about, place, machine
        self._meter = Meter(about.tracking_mode)
        self._loads = [Load.now()]

    def stop(self) -> None:
        """Counts no longer."""
        self._meter.stop()

    def row(self) -> EmissionsData:
        """The run so far."""
        reading = self._meter.read()
        self._loads.append(Load.now())
        about, place, machine, loads = self._about, self._place, self._machine, self._loads
        joules = (reading.cpu_joules, reading.gpu_joules, reading.ram_joules)
        cpu, gpu, ram = (each * about.pue / JOULES_PER_KWH for each in joules)
        consumed = cpu + gpu + ram
        # An intensity that nobody knows makes emissions that nobody knows: not zero.
        emissions = float("nan") if place.grams_per_kwh is None else consumed * place.grams_per_kwh / 1000.0
        return EmissionsData(
            timestamp=datetime.datetime.now().strftime("%Y-%m-%dT%H:%M:%S"),
            project_name=about.project_name,
            run_id=about.run_id,
            experiment_id=about.experiment_id,
            duration=reading.seconds,
            emissions=emissions,
            emissions_rate=0.0,
            cpu_power=0.0,
            gpu_power=0.0,
            ram_power=0.0,
            cpu_energy=cpu,
            gpu_energy=gpu,
            ram_energy=ram,
            energy_consumed=consumed,
            water_consumed=consumed * about.wue,
            country_name=place.country_name,
            country_iso_code=place.country_iso_code,
            region=place.region,
            cloud_provider=place.cloud_provider,
            cloud_region=place.cloud_region,
            os=machine.os,
            python_version=machine.python_version,
            codecarbon_version=f"kepler-power {__version__}",
            cpu_count=machine.cpu_count,
            cpu_model=machine.cpu_model,
            gpu_count=None,
            gpu_model=None,
            longitude=None,
            latitude=None,
            ram_total_size=machine.ram_total_size,
            tracking_mode=about.tracking_mode,
            cpu_utilization_percent=loads[-1].cpu_percent_since(loads[0]),
            gpu_utilization_percent=0.0,
            ram_utilization_percent=_mean([load.ram_percent for load in loads]),
            ram_used_gb=_mean([load.ram_used_gb for load in loads]),
            on_cloud="Y" if place.cloud_provider else "N",
            pue=about.pue,
            wue=about.wue,
        ).with_means()


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)
