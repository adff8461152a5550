"""The trackers and the decorator."""

from __future__ import annotations

import datetime
import functools
import inspect
import logging
import math
import threading
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Optional, TypeVar, cast, overload

from .. import __version__
from ..errors import ConfigurationError
from . import _place
from ._data import EmissionsData, TaskEmissionsData
from ._machine import Load, Machine
from ._meter import Meter, Reading
from ._output import BaseOutput, FileOutput, LoggerOutput, OutputMethod, logger
from ._settings import IGNORED, NOT_GIVEN, Parameters

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self

_JOULES_PER_KWH = 3.6e6
_PROJECT = "codecarbon"
# What CodeCarbon writes where no experiment is named.
_EXPERIMENT_ID = "5b0fa12a-3dd7-45bb-9766-cc326314d9f1"

# Parameters of every tracker that have a meaning here; those of IGNORED are taken, and warned about.
_COMMON = (
    "project_name",
    "output_dir",
    "output_file",
    "output_methods",
    "save_to_file",
    "save_to_logger",
    "logging_logger",
    "output_handlers",
    "experiment_id",
    "experiment_name",
    "tracking_mode",
    "log_level",
    "on_csv_write",
    "pue",
    "wue",
    "force_carbon_intensity_g_co2e_kwh",
    "allow_multiple_runs",
)
_OFFLINE = ("country_iso_code", "region", "cloud_provider", "cloud_region", "country_2letter_iso_code")
# As CodeCarbon's trackers take them by position.
_POSITIONS = (
    "project_name",
    "measure_power_secs",
    "api_call_interval",
    "api_endpoint",
    "api_key",
    "output_dir",
    "output_file",
)


class _Task:
    """A stretch of a run with a name."""

    def __init__(self, name: str, begun: EmissionsData) -> None:
        self.name, self.begun = name, begun
        self.row: EmissionsData | None = None


class _Tracker:
    """What both trackers do. Their methods may be called from any thread."""

    final_emissions: Optional[float] = None
    """What the run emitted, kg of CO2e; known once it is stopped."""
    final_emissions_data: Optional[EmissionsData] = None
    """The last row."""

    def __init__(self, given: dict[str, Any], stacklevel: int) -> None:
        parameters = self._parameters = Parameters(given)
        parameters.warn_of_ignored(stacklevel + 1)
        self._pue = parameters.number("pue", 1.0) or 1.0
        if self._pue < 1.0:
            raise ConfigurationError(f"pue = {self._pue}", "a PUE is 1 or more: facility over IT energy")
        self._wue = parameters.number("wue", 0.0) or 0.0
        self._mode = parameters.text("tracking_mode", "machine")
        if self._mode not in ("machine", "process"):
            raise ConfigurationError(f"tracking_mode = `{self._mode}`", "give machine or process")
        self._project = parameters.text("project_name", _PROJECT)
        self._experiment = parameters.text("experiment_name", "base")
        self._experiment_id = parameters.text("experiment_id", _EXPERIMENT_ID)
        self.run_id = uuid.uuid4()
        self._set_log_level()
        self._outputs = self._make_outputs()
        self._place = self._find_place(parameters.number("force_carbon_intensity_g_co2e_kwh", None), stacklevel + 1)
        if self._place.grams_per_kwh is None:
            logger.warning("nobody published an intensity for %s; emissions are not known", self._place.country_name)
        self._machine = Machine.this()
        self._meter: Meter | None = None
        self._loads: list[Load] = []
        self._tasks: dict[str, _Task] = {}
        self._active: str | None = None
        self._sent: EmissionsData | None = None
        # Re-entrant: handlers are called under it, and may ask the tracker.
        self._lock = threading.RLock()

    def _find_place(self, grams_per_kwh: float | None, stacklevel: int) -> _place.Place:
        return _place.configured(grams_per_kwh, stacklevel=stacklevel + 1)

    def _set_log_level(self) -> None:
        level = self._parameters.get("log_level")
        if level is not None:
            try:
                logger.setLevel(level.upper() if isinstance(level, str) else level)
            except ValueError as error:
                remedy = "give debug, info, warning, error or critical"
                raise ConfigurationError(f"log_level = {level!r}", remedy) from error

    def _make_outputs(self) -> list[BaseOutput]:
        parameters = self._parameters
        methods = parameters.get("output_methods")
        if methods is None:
            methods = [OutputMethod.CSV] if parameters.flag("save_to_file", True) else []
            methods += [OutputMethod.LOGGER] if parameters.flag("save_to_logger", False) else []
        elif isinstance(methods, str):
            methods = [part.strip() for part in methods.split(",") if part.strip()]
        outputs: list[BaseOutput] = list(parameters.get("output_handlers", []))
        for method in methods:
            try:
                method = OutputMethod(method)
            except ValueError as error:
                raise ConfigurationError(f"output method {method!r}", "give csv or logger") from error
            if method is OutputMethod.CSV:
                name = parameters.text("output_file", "emissions.csv")
                directory, write = parameters.text("output_dir", "."), parameters.text("on_csv_write", "append")
                outputs.append(FileOutput(name, directory, write))
            elif method is OutputMethod.LOGGER:
                to = parameters.get("logging_logger") or logger
                # A plain logger, or an object that handles rows as CodeCarbon's LoggerOutput does.
                outputs.append(LoggerOutput(to) if isinstance(to, logging.Logger) else cast(BaseOutput, to))
            else:
                logger.warning("output method %s is not served here: csv and logger are", method.value)
        return outputs

    def start(self) -> None:
        """Begins. A tracker that is stopped begins anew."""
        with self._lock:
            if self._meter is not None:
                logger.warning("already started")
                return
            self._begin()

    def _begin(self) -> None:
        self._meter = Meter(self._mode)
        self._loads = [Load.now()]
        self._sent = None

    def flush(self) -> float | None:
        """Writes a row, and goes on.

        :returns: emissions so far, kg of CO2e; ``None`` if it is not started or the intensity is not known.
        """
        with self._lock:
            if self._meter is None:
                logger.error("not started")
                return None
            return _known(self._persist(self._row()).emissions)

    def stop(self) -> float | None:
        """Ends, and writes the row. Again, it gives the same figure.

        :returns: emissions, kg of CO2e; ``None`` if it was never started or the intensity is not known.
        """
        with self._lock:
            if self._meter is None:
                logger.warning("already stopped, or never started")
                return self.final_emissions
            if self._active is not None:
                self.stop_task()
            row = self._row()
            self._meter.stop()
            self._meter = None
            self._persist(row)
            self.final_emissions, self.final_emissions_data = _known(row.emissions), row
            for output in self._outputs:
                self._safely(output.exit)
            return self.final_emissions

    def start_task(self, task_name: str | None = None) -> None:
        """Begins a stretch with a name of its own; starts the tracker where that was not done."""
        with self._lock:
            if self._active is not None:
                logger.warning("task %s is still under way", self._active)
                return
            if self._meter is None:
                self._begin()
            name = task_name or str(uuid.uuid4())
            if name in self._tasks:
                name = f"{name}_{uuid.uuid4()}"
            self._tasks[name] = _Task(name, self._row())
            self._active = name

    def stop_task(self, task_name: str | None = None) -> EmissionsData | None:
        """Ends it.

        :returns: what was used in it; ``None`` if there is no such task under way.
        """
        with self._lock:
            task = self._tasks.get(task_name or self._active or "")
            if task is None or task.row is not None:
                logger.warning("no such task is under way")
                return None
            task.row = self._row().since(task.begun)
            if self._active == task.name:
                self._active = None
            return task.row

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _row(self) -> EmissionsData:
        """The run so far."""
        assert self._meter is not None
        reading = self._meter.read()
        self._loads.append(Load.now())
        return self._as_row(reading)

    def _as_row(self, reading: Reading) -> EmissionsData:
        place, machine, loads = self._place, self._machine, self._loads
        joules = (reading.cpu_joules, reading.gpu_joules, reading.ram_joules)
        cpu, gpu, ram = (each * self._pue / _JOULES_PER_KWH for each in joules)
        consumed = cpu + gpu + ram
        seconds = reading.seconds
        # An intensity that nobody knows makes emissions that nobody knows: not zero.
        emissions = float("nan") if place.grams_per_kwh is None else consumed * place.grams_per_kwh / 1000.0

        def watts(kwh: float) -> float:
            return kwh * _JOULES_PER_KWH / seconds if seconds > 0 else 0.0

        def mean(values: list[float]) -> float:
            return sum(values) / len(values)

        return EmissionsData(
            timestamp=datetime.datetime.now().strftime("%Y-%m-%dT%H:%M:%S"),
            project_name=self._project,
            run_id=str(self.run_id),
            experiment_id=self._experiment_id,
            duration=seconds,
            emissions=emissions,
            emissions_rate=emissions / seconds if seconds > 0 else 0.0,
            cpu_power=watts(cpu),
            gpu_power=watts(gpu),
            ram_power=watts(ram),
            cpu_energy=cpu,
            gpu_energy=gpu,
            ram_energy=ram,
            energy_consumed=consumed,
            water_consumed=consumed * self._wue,
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
            tracking_mode=self._mode,
            cpu_utilization_percent=loads[-1].cpu_percent_since(loads[0]),
            gpu_utilization_percent=0.0,
            ram_utilization_percent=mean([load.ram_percent for load in loads]),
            ram_used_gb=mean([load.ram_used_gb for load in loads]),
            on_cloud="Y" if place.cloud_provider else "N",
            pue=self._pue,
            wue=self._wue,
        )

    def _persist(self, row: EmissionsData) -> EmissionsData:
        delta = row if self._sent is None else row.since(self._sent)
        self._sent = row
        tasks = [TaskEmissionsData.of(task.name, task.row) for task in self._tasks.values() if task.row is not None]
        for output in self._outputs:
            self._safely(output.out, row, delta)
            if tasks:
                self._safely(output.task_out, tasks, self._experiment)
        return row

    def _safely(self, handler: Callable[..., None], *arguments: Any) -> None:
        """A file that cannot be written must not end a training that took days; the log has the reason."""
        try:
            handler(*arguments)
        except Exception:
            logger.exception("a row could not be written; the tracker's final_emissions_data has it")


def _known(figure: float) -> float | None:
    return None if math.isnan(figure) else figure


def _given(positions: tuple[Any, ...], names: dict[str, Any], known: tuple[str, ...]) -> dict[str, Any]:
    """Arguments by name; a name that nobody knows is an error."""
    if len(positions) > len(_POSITIONS):
        raise TypeError(f"at most {len(_POSITIONS)} arguments by position, not {len(positions)}")
    given: dict[str, Any] = dict(zip(_POSITIONS, positions))
    for name, value in names.items():
        if name in given:
            raise TypeError(f"{name} is given twice")
        if name not in known and name not in IGNORED:
            raise TypeError(f"unknown parameter {name!r}; known are {', '.join((*known, *IGNORED))}")
        given[name] = value
    return given


class EmissionsTracker(_Tracker):
    """Measures the energy of this machine or process, and what it emits where it was stated to stand.

    Use it as a context manager, or call :meth:`start` and :meth:`stop`.

    :param project_name: goes into the row; ``codecarbon``.
    :param output_dir: where ``output_file`` (``emissions.csv``) is written; it must exist.
    :param output_methods: ``csv`` (default), ``logger``, as a list or with commas; ``save_to_file`` and
        ``save_to_logger`` are the older way to say so.
    :param output_handlers: objects of your own, see :class:`BaseOutput`.
    :param tracking_mode: ``machine``, or ``process``: the share of this process and its children.
    :param on_csv_write: what a second row of one run does: ``append``, or ``update`` to replace the first.
    :param pue: power usage effectiveness of the site, 1 or more: multiplies energy and power.
    :param wue: water usage effectiveness, litres per kWh.
    :param force_carbon_intensity_g_co2e_kwh: grid intensity, gCO2e/kWh, instead of the place's.

    ``experiment_id``, ``experiment_name`` and ``log_level`` are as in CodeCarbon. Other parameters of CodeCarbon's are
    taken and warned about by name: :class:`IgnoredParameterWarning`.
    """

    def __init__(self, *positions: Any, **parameters: Any) -> None:
        super().__init__(_given(positions, parameters, _COMMON), stacklevel=2)


class OfflineEmissionsTracker(_Tracker):
    """The same for a place that is stated.

    :param country_iso_code: ISO 3166-1 alpha-3.
    :param region: a part of the country that the table has apart, such as a US state or grid.
    :param cloud_provider: with ``cloud_region``, instead of a country.
    :param cloud_region: an AWS, GCP or Azure region.
    :param country_2letter_iso_code: ISO 3166-1 alpha-2, where ``country_iso_code`` is not given.
    :raises kepler_power.errors.UnknownRegionError: no country or cloud region has that name.
    """

    def __init__(self, *positions: Any, **parameters: Any) -> None:
        super().__init__(_given(positions, parameters, (*_COMMON, *_OFFLINE)), stacklevel=2)

    def _find_place(self, grams_per_kwh: float | None, stacklevel: int) -> _place.Place:
        return _place.offline(self._parameters, grams_per_kwh)


_Function = TypeVar("_Function", bound=Callable[..., Any])


@overload
def track_emissions(fn: _Function) -> _Function: ...


@overload
def track_emissions(fn: None = None, **parameters: Any) -> Callable[[_Function], _Function]: ...


def track_emissions(fn: Any = None, *, offline: Any = NOT_GIVEN, **parameters: Any) -> Any:
    """Tracks every call of a function, with or without parameters: ``@track_emissions(project_name="train")``.

    Coroutine functions are tracked until they return. An exception passes through; its row is written.

    :param offline: use an :class:`OfflineEmissionsTracker`, whose parameters are then taken too.
    """
    known = (*_COMMON, *_OFFLINE)
    _given((), parameters, known)

    def tracker() -> _Tracker:
        if offline is not NOT_GIVEN and offline:
            return OfflineEmissionsTracker(**parameters)
        online = {name: value for name, value in parameters.items() if name not in _OFFLINE}
        return EmissionsTracker(**online)

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def tracked_coroutine(*arguments: Any, **names: Any) -> Any:
                with tracker():
                    return await function(*arguments, **names)

            return tracked_coroutine

        @functools.wraps(function)
        def tracked(*arguments: Any, **names: Any) -> Any:
            with tracker():
                return function(*arguments, **names)

        return tracked

    return decorate(fn) if fn is not None else decorate
