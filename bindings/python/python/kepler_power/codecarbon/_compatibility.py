"""What scripts read of CodeCarbon's trackers although it is not public there.

Found in public code: model cards of sentence-transformers and PyLate ask ``_start_time`` and ``_prepare_emissions_data()``, benchmarks read
``_total_energy.kWh``, examples print ``_tasks``, lamarr-energy-tracker reads ``_output_dir``, pytest-codecarbon sets ``_project_name``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Optional

from ._parameters import COMMON, IGNORED, OFFLINE
from .core.units import Energy, Power, Water
from .external.hardware import CPU, GPU
from .external.ram import RAM

if TYPE_CHECKING:
    from ._location import Location
    from ._machine import Machine
    from ._parameters import Parameters
    from ._run import About, Run
    from .external.hardware import BaseHardware
    from .output_methods.emissions_data import EmissionsData


# What a parameter is where it was not given, by its type.
_DEFAULTS: dict[str, Any] = {
    "api_call_interval": 8,
    "experiment_name": "base",
    "log_level": "info",
    "measure_power_secs": 15.0,
    "on_csv_write": "append",
    "output_dir": ".",
    "output_file": "emissions.csv",
    "pue": 1.0,
    "save_to_api": False,
    "save_to_file": True,
    "save_to_logger": False,
    "save_to_logfire": False,
    "save_to_prometheus": False,
    "tracking_mode": "machine",
}
_LOCATION = ("country_name", "country_iso_code", "region", "cloud_provider", "cloud_region")


class CodeCarbonAttributes:
    """Read-only views of the newest figures. Energy that is not known is NaN, as in rows."""

    _about: About
    _location: Location
    _machine: Machine
    _parameters: Parameters
    _run: Optional[Run]
    _sent: Optional[EmissionsData]
    final_emissions_data: Optional[EmissionsData]
    _start_time: Optional[float] = None
    """By the clock of `time.perf_counter`; none before the first start."""

    def __getattr__(self, name: str) -> Any:
        """``_output_dir`` and its like: parameters as they were given, and the location."""
        own = name[1:] if name.startswith("_") else ""
        if own in _LOCATION and "_location" in self.__dict__:
            return getattr(self._location, own)
        if (own in COMMON or own in OFFLINE or own in IGNORED) and "_parameters" in self.__dict__:
            default = _DEFAULTS.get(own)
            if isinstance(default, bool):
                return self._parameters.flag(own, default)
            value = self._parameters.get(own, default)
            return type(default)(value) if isinstance(default, (int, float)) else value
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    @property
    def _project_name(self) -> str:
        return self._about.project_name

    @_project_name.setter
    def _project_name(self, name: str) -> None:
        self._describe(self._about._replace(project_name=name))

    @property
    def _experiment_id(self) -> str:
        return self._about.experiment_id

    @_experiment_id.setter
    def _experiment_id(self, experiment: str) -> None:
        self._describe(self._about._replace(experiment_id=experiment))

    def _describe(self, about: About) -> None:
        self._about = about
        if self._run is not None:
            self._run.about = about

    def _row(self, run: Run) -> EmissionsData:
        raise NotImplementedError

    def stop(self) -> Optional[float]:
        raise NotImplementedError

    def get_detected_hardware(self) -> dict[str, Any]:
        """What the machine has: ``ram_total_size`` (GiB), ``cpu_count``, ``cpu_physical_count``, ``cpu_model``, ``gpu_count``,
        ``gpu_model``, ``gpu_ids``; ``None`` is not known."""
        machine = self._machine
        return {
            "ram_total_size": machine.ram_total_size,
            "cpu_count": machine.cpu_count,
            "cpu_physical_count": machine.cpu_physical_count,
            "cpu_model": machine.cpu_model,
            "gpu_count": machine.accelerators.count,
            "gpu_model": machine.accelerators.description,
            "gpu_ids": None,
        }

    def service_shutdown(self, signum: int, frame: object) -> None:
        """A signal handler that stops the tracker."""
        self.stop()

    def _prepare_emissions_data(self, delta: bool = False) -> EmissionsData:
        """The row so far, or of the last run; with ``delta`` what came since the last row that was written."""
        row = self.final_emissions_data if self._run is None else self._row(self._run)
        if row is None:
            raise RuntimeError("the tracker was never started")
        return row.since(self._sent) if delta and self._sent is not None and self._run is not None else row

    def _measure_power_and_energy(self) -> None:
        """Nothing: counters do not forget, and are read when a figure is asked for."""

    def _figure(self, name: str) -> float:
        if self._run is None and self.final_emissions_data is None:
            return 0.0
        figure: float = getattr(self._prepare_emissions_data(), name)
        return figure

    @property
    def _total_energy(self) -> Energy:
        return Energy(self._figure("energy_consumed"))

    @property
    def _total_cpu_energy(self) -> Energy:
        return Energy(self._figure("cpu_energy"))

    @property
    def _total_gpu_energy(self) -> Energy:
        return Energy(self._figure("gpu_energy"))

    @property
    def _total_ram_energy(self) -> Energy:
        return Energy(self._figure("ram_energy"))

    @property
    def _total_emissions(self) -> float:
        return self._figure("emissions")

    @property
    def _total_water(self) -> Water:
        return Water(self._figure("water_consumed"))

    @property
    def _cpu_power(self) -> Power:
        return Power.from_watts(self._figure("cpu_power"))

    @property
    def _gpu_power(self) -> Power:
        return Power.from_watts(self._figure("gpu_power"))

    @property
    def _ram_power(self) -> Power:
        return Power.from_watts(self._figure("ram_power"))

    @property
    def _hardware(self) -> list[BaseHardware]:
        mode = self._about.tracking_mode
        found: list[BaseHardware] = [RAM(tracking_mode=mode), CPU(self._machine.cpu_model, tracking_mode=mode)]
        if self._machine.accelerators.names:
            found.append(GPU())
        return found

    @property
    def _conf(self) -> dict[str, Any]:
        return {**self.get_detected_hardware(), "tracking_mode": self._about.tracking_mode, "pue": self._about.pue or 1.0}
