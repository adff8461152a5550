"""The trackers."""

from __future__ import annotations

import math
import os
import threading
import time
import uuid
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Optional

from ..errors import ConfigurationError, EstimateWarning, PartialFigureWarning
from ..settings import stack_level
from . import _location
from ._compatibility import CodeCarbonAttributes
from ._machine import Machine, Roots
from ._outputs import outputs
from ._parameters import COMMON, OFFLINE, Parameters, given_by_name
from ._run import About, Run
from .external.logger import logger, set_logger_format, set_logger_level
from .external.scheduler import PeriodicScheduler
from .external.task import Task
from .output_methods.base_output import BaseOutput
from .output_methods.emissions_data import EmissionsData

if TYPE_CHECKING:
    from typing_extensions import Self

_PROJECT = "codecarbon"
# What CodeCarbon writes where no experiment is named.
_EXPERIMENT_ID = "5b0fa12a-3dd7-45bb-9766-cc326314d9f1"
# As of every stated intensity (gCO2e/kWh) and PUE: beyond it is another unit.
_HIGHEST_INTENSITY, _HIGHEST_PUE = 3000.0, 100.0
# Seconds between readings in CodeCarbon, and readings between two calls of `live_out`.
_MEASURE_SECONDS, _LIVE_EVERY = 15.0, 8


class BaseEmissionsTracker(CodeCarbonAttributes):
    """What both trackers do. Their methods may be called from any thread."""

    final_emissions: Optional[float] = None
    """What the run emitted, kg of CO2e; known once it is stopped."""
    final_emissions_data: Optional[EmissionsData] = None
    """The last row."""

    def __init__(self, given: dict[str, Any], stacklevel: int) -> None:
        parameters = self._parameters = Parameters(given)
        parameters.warn_of_ignored(stacklevel + 1)
        self.run_id: Any = uuid.uuid4()
        """Who this run is in files; another one after every start and in a forked child, unless it was set."""
        self._about = _about(parameters)
        self._experiment = parameters.text("experiment_name", "base")
        set_logger_level(parameters.get("log_level"))
        if parameters.get("logger_preamble"):
            set_logger_format(parameters.text("logger_preamble", ""))
        self._output_handlers = outputs(parameters)
        self._live = _live(parameters, self._output_handlers, self._write_live)
        self._location = self._find_location(parameters.number("force_carbon_intensity_g_co2e_kwh", None, _HIGHEST_INTENSITY), stacklevel + 1)
        if self._location.intensity.grams_per_kwh is None:
            logger.warning("no intensity is published for %s; emissions are not known", self._location.country_name)
        self._machine = Machine.of(Roots.now())
        self._run: Run | None = None
        self._tasks: dict[str, Task] = {}
        self._active_task: str | None = None
        self._sent: EmissionsData | None = None
        self._has_run = False
        self._process = os.getpid()
        # Re-entrant: handlers are called under it, and may ask the tracker.
        self._lock = threading.RLock()

    def _find_location(self, grams_per_kwh: float | None, stacklevel: int) -> _location.Location:
        return _location.configured(grams_per_kwh, stacklevel=stacklevel + 1)

    def start(self) -> None:
        """Begins. A tracker that is stopped begins another run, with a ``run_id`` and tasks of its own."""
        with self._lock:
            if self._run is not None:
                logger.warning("already started")
                return
            self._begin()

    def _begin(self) -> Run:
        if self._has_run:
            self.run_id, self._tasks = uuid.uuid4(), {}
        self._start_time = time.perf_counter()
        self._run, self._sent, self._has_run = Run(str(self.run_id), self._about, self._location, self._machine), None, True
        _warn_of_what_is_not_measured(self._run.row())
        if self._live is not None:
            self._live.start()
        return self._run

    def flush(self) -> float | None:
        """Writes a row, and goes on.

        :returns: emissions so far, kg of CO2e; ``None`` if it is not started or the intensity is not known.
        """
        with self._lock:
            if self._run is None:
                logger.error("not started")
                return None
            return _known(self._write(self._row(self._run)).emissions)

    def stop(self) -> float | None:
        """Ends, and writes the row. Again, it gives the same figure.

        :returns: emissions, kg of CO2e; ``None`` if it was never started or the intensity is not known.
        """
        with self._lock:
            run = self._run
            if run is None:
                logger.warning("already stopped, or never started")
                return self.final_emissions
            if self._active_task is not None:
                self.stop_task()
            if self._live is not None:
                self._live.stop()
            row = self._row(run)
            run.stop()
            self._run = None
            self._write(row)
            self.final_emissions, self.final_emissions_data = _known(row.emissions), row
            for output in self._output_handlers:
                self._safely(output.exit)
            return self.final_emissions

    def start_task(self, task_name: str | None = None) -> None:
        """Begins a part of the run with a name of its own; starts the tracker where that was not done."""
        with self._lock:
            if self._active_task is not None:
                logger.warning("task %s is still active", self._active_task)
                return
            run = self._run or self._begin()
            name = task_name or str(uuid.uuid4())
            if name in self._tasks:
                name = f"{name}_{uuid.uuid4()}"
            self._tasks[name] = Task(name, self._row(run))
            self._active_task = name

    def stop_task(self, task_name: str | None = None) -> EmissionsData | None:
        """Ends it.

        :returns: what was used in it; ``None`` if there is no such active task.
        """
        with self._lock:
            task = self._tasks.get(task_name or self._active_task or "")
            if self._run is None or task is None or not task.is_active:
                logger.warning("no such task is active")
                return None
            if self._active_task == task.task_name:
                self._active_task = None
            return task.end(self._row(self._run))

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()

    def _row(self, run: Run) -> EmissionsData:
        if os.getpid() != self._process:
            # A forked child goes on with the parent's figures, and must not replace the parent's row.
            self._process, self.run_id = os.getpid(), uuid.uuid4()
        run.run_id = str(self.run_id)
        return run.row()

    def _delta(self, row: EmissionsData) -> EmissionsData:
        delta = row if self._sent is None else row.since(self._sent)
        self._sent = row
        return delta

    def _write(self, row: EmissionsData) -> EmissionsData:
        delta = self._delta(row)
        tasks = [data for task in self._tasks.values() if (data := task.out()) is not None]
        for output in self._output_handlers:
            self._safely(output.out, row, delta)
            if tasks:
                self._safely(output.task_out, tasks, self._experiment)
        return row

    def _write_live(self) -> None:
        with self._lock:
            if self._run is None:
                return
            row = self._row(self._run)
            delta = self._delta(row)
            for output in self._output_handlers:
                self._safely(output.live_out, row, delta)

    def _safely(self, handler: Callable[..., None], *arguments: Any) -> None:
        """A file that cannot be written must not end a training that took days; the log has the reason."""
        try:
            handler(*arguments)
        except Exception:
            logger.exception("a row could not be written; the tracker's final_emissions_data has it")


def _about(parameters: Parameters) -> About:
    pue, wue = parameters.number("pue", None, _HIGHEST_PUE), parameters.number("wue", None)
    if pue is not None and pue < 1.0:
        raise ConfigurationError(f"pue = {pue}", "a PUE is 1 or more: facility over IT energy")
    mode = parameters.text("tracking_mode", "machine")
    if mode not in ("machine", "process"):
        raise ConfigurationError(f"tracking_mode = `{mode}`", "give machine or process")
    project, experiment = parameters.text("project_name", _PROJECT), parameters.text("experiment_id", _EXPERIMENT_ID)
    return About(project, experiment, mode, pue, wue)


def _live(parameters: Parameters, handlers: list[BaseOutput], write: Callable[[], None]) -> PeriodicScheduler | None:
    """What calls `live_out`, if any output has one of its own."""
    seconds, every = parameters.number("measure_power_secs", _MEASURE_SECONDS), parameters.get("api_call_interval", _LIVE_EVERY)
    try:
        interval = (seconds or 0.0) * float(every)
    except (TypeError, ValueError) as error:
        raise ConfigurationError(f"api_call_interval = {every!r}", "give a number; -1 for never") from error
    has_live = any(getattr(type(handler), "live_out", BaseOutput.live_out) is not BaseOutput.live_out for handler in handlers)
    return PeriodicScheduler(interval, write) if has_live and interval > 0 else None


_warned: set[type[Warning]] = set()


def _warn_of_what_is_not_measured(row: EmissionsData) -> None:
    """Once a process: that memory is estimated, and that graphics processors are not in the figures."""
    if row.ram_energy_method == "estimated" and not math.isnan(row.ram_power):
        text = f"memory has no energy counter here: its power is estimated from its size ({row.ram_total_size:.3g} GiB), ±100 %"
        _warn_once(EstimateWarning, text)
    missing = [name for name, method in (("memory", row.ram_energy_method), ("graphics processors", row.gpu_energy_method)) if method == "unknown"]
    if missing:
        found = f" ({row.gpu_model})" if row.gpu_model else ""
        _warn_once(PartialFigureWarning, f"the energy of {' and '.join(missing)}{found} is not known; its columns are empty, and sums leave it out")


def _warn_once(category: type[Warning], text: str) -> None:
    if category not in _warned:
        _warned.add(category)
        warnings.warn(text, category, stacklevel=stack_level())


def _known(figure: float) -> float | None:
    return None if math.isnan(figure) else figure


class EmissionsTracker(BaseEmissionsTracker):
    """Measures the energy of this machine or process, and what it emits at the location that was stated.

    Use it as a context manager, or call :meth:`start` and :meth:`stop`.

    :param project_name: goes into the row; ``codecarbon``.
    :param output_dir: where ``output_file`` (``emissions.csv``) is written; it must exist.
    :param output_methods: ``csv`` (default), ``logger``, ``prometheus``, ``logfire``, as a list or with commas; ``save_to_file`` and
        its like are the older way to say so.
    :param output_handlers: objects of your own, see :class:`BaseOutput`.
    :param emissions_endpoint: a URL that rows are posted to as JSON.
    :param prometheus_url: of the Pushgateway, ``http://localhost:9091``.
    :param measure_power_secs: seconds; with ``api_call_interval`` how often ``live_out`` of outputs is called. Energy counters do not
        forget, so that nothing else depends on it.
    :param tracking_mode: ``machine``, or ``process``: the share of this process and its children.
    :param on_csv_write: what a second row of one run does: ``append``, or ``update`` to replace the first.
    :param pue: power usage effectiveness of the site, 1 or more: multiplies energy and power.
    :param wue: water usage effectiveness, litres per kWh; without it water is not known.
    :param force_carbon_intensity_g_co2e_kwh: grid intensity, gCO2e/kWh, instead of the location's.

    ``experiment_id``, ``experiment_name``, ``log_level`` and ``logger_preamble`` are as in CodeCarbon. Other parameters of CodeCarbon's are
    accepted and warned about by name: :class:`IgnoredParameterWarning`.
    """

    def __init__(self, *positions: Any, **parameters: Any) -> None:
        super().__init__(given_by_name(positions, parameters, COMMON), stacklevel=2)


class OfflineEmissionsTracker(BaseEmissionsTracker):
    """The same for a location that is stated here.

    :param country_iso_code: ISO 3166-1 alpha-3.
    :param region: a part of the country that the table has apart, such as a US state or grid.
    :param cloud_provider: with ``cloud_region``, instead of a country: aws, gcp or azure.
    :param cloud_region: a region of that provider.
    :param country_2letter_iso_code: ISO 3166-1 alpha-2, where ``country_iso_code`` is not given.
    :raises kepler_power.errors.UnknownRegionError: no country or cloud region has that name.
    :raises kepler_power.errors.ConfigurationError: provider, region and country contradict each other.
    """

    def __init__(self, *positions: Any, **parameters: Any) -> None:
        super().__init__(given_by_name(positions, parameters, (*COMMON, *OFFLINE)), stacklevel=2)

    def _find_location(self, grams_per_kwh: float | None, stacklevel: int) -> _location.Location:
        return _location.offline(self._parameters, grams_per_kwh)
