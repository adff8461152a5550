"""The trackers."""

from __future__ import annotations

import math
import threading
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Optional

from ..errors import ConfigurationError
from . import _place
from ._data import EmissionsData, TaskEmissionsData
from ._machine import Machine
from ._output import logger, outputs
from ._run import About, Run
from ._settings import COMMON, OFFLINE, Parameters, given_by_name

if TYPE_CHECKING:
    from typing_extensions import Self

_PROJECT = "codecarbon"
# What CodeCarbon writes where no experiment is named.
_EXPERIMENT_ID = "5b0fa12a-3dd7-45bb-9766-cc326314d9f1"


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
        self.run_id = uuid.uuid4()
        self._about = _about(parameters, self.run_id)
        self._experiment = parameters.text("experiment_name", "base")
        self._set_log_level()
        self._outputs = outputs(parameters)
        self._place = self._find_place(parameters.number("force_carbon_intensity_g_co2e_kwh", None), stacklevel + 1)
        if self._place.grams_per_kwh is None:
            logger.warning("nobody published an intensity for %s; emissions are not known", self._place.country_name)
        self._machine = Machine.this()
        self._run: Run | None = None
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

    def start(self) -> None:
        """Begins. A tracker that is stopped begins anew."""
        with self._lock:
            if self._run is not None:
                logger.warning("already started")
                return
            self._begin()

    def _begin(self) -> Run:
        self._run, self._sent = Run(self._about, self._place, self._machine), None
        return self._run

    def flush(self) -> float | None:
        """Writes a row, and goes on.

        :returns: emissions so far, kg of CO2e; ``None`` if it is not started or the intensity is not known.
        """
        with self._lock:
            if self._run is None:
                logger.error("not started")
                return None
            return _known(self._persist(self._run.row()).emissions)

    def stop(self) -> float | None:
        """Ends, and writes the row. Again, it gives the same figure.

        :returns: emissions, kg of CO2e; ``None`` if it was never started or the intensity is not known.
        """
        with self._lock:
            run = self._run
            if run is None:
                logger.warning("already stopped, or never started")
                return self.final_emissions
            if self._active is not None:
                self.stop_task()
            row = run.row()
            run.stop()
            self._run = None
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
            run = self._run or self._begin()
            name = task_name or str(uuid.uuid4())
            if name in self._tasks:
                name = f"{name}_{uuid.uuid4()}"
            self._tasks[name] = _Task(name, run.row())
            self._active = name

    def stop_task(self, task_name: str | None = None) -> EmissionsData | None:
        """Ends it.

        :returns: what was used in it; ``None`` if there is no such task under way.
        """
        with self._lock:
            task = self._tasks.get(task_name or self._active or "")
            if self._run is None or task is None or task.row is not None:
                logger.warning("no such task is under way")
                return None
            task.row = self._run.row().since(task.begun)
            if self._active == task.name:
                self._active = None
            return task.row

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()

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


def _about(parameters: Parameters, run_id: uuid.UUID) -> About:
    pue, wue = parameters.number("pue", 1.0) or 1.0, parameters.number("wue", 0.0) or 0.0
    if pue < 1.0:
        raise ConfigurationError(f"pue = {pue}", "a PUE is 1 or more: facility over IT energy")
    mode = parameters.text("tracking_mode", "machine")
    if mode not in ("machine", "process"):
        raise ConfigurationError(f"tracking_mode = `{mode}`", "give machine or process")
    project, experiment = parameters.text("project_name", _PROJECT), parameters.text("experiment_id", _EXPERIMENT_ID)
    return About(project, str(run_id), experiment, mode, pue, wue)


def _known(figure: float) -> float | None:
    return None if math.isnan(figure) else figure


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
        super().__init__(given_by_name(positions, parameters, COMMON), stacklevel=2)


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
        super().__init__(given_by_name(positions, parameters, (*COMMON, *OFFLINE)), stacklevel=2)

    def _find_place(self, grams_per_kwh: float | None, stacklevel: int) -> _place.Place:
        return _place.offline(self._parameters, grams_per_kwh)
