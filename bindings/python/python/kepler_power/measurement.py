"""Measuring a block of code."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextvars import ContextVar, Token
from typing import TYPE_CHECKING, Any, Optional, Union

from ._adding import adding
from ._measured import Measured, PhaseTotal
from ._native import Facility, Host, Mark, Spent, Stopwatch
from .errors import KeplerError
from .figures import Figures, _Sum
from .quantities import _duration
from .settings import current, facility_for

if TYPE_CHECKING:
    from .forecast import Forecast
    from .live import Live, Show

__all__ = ["Measurement", "Phase", "PhaseTotal", "measure"]


class _Interval(Figures):
    """One interval of time that has ended."""

    __slots__ = ("_spent", "_total")

    def __init__(self, name: str, facility: Facility, spent: Spent) -> None:
        super().__init__(name, facility)
        self._spent = spent
        self._total: Optional[_Sum] = None

    def _sum(self) -> _Sum:
        if self._total is None:
            self._total = _Sum()
            self._total.add(self._spent)
        return self._total


# The innermost phase that is open here: each thread and each asyncio task has its own.
_open_phase: ContextVar[Optional[Phase]] = ContextVar("kepler_power_open_phase", default=None)


class Phase:
    """A part of a measurement, as a context manager; see :meth:`Measurement.phase`."""

    __slots__ = ("_measurement", "_name", "_parent", "_start", "_token", "path")

    path: str
    """Its name with those of the phases around it: ``epoch/forward``. Known once it is entered."""

    def __init__(self, measurement: Measurement, name: str) -> None:
        self._measurement = measurement
        self._name = name
        self._parent: Optional[Phase] = None
        self._start: Optional[Mark] = None
        self._token: Optional[Token[Optional[Phase]]] = None
        self.path = name

    def __enter__(self) -> Phase:
        if self._start is not None:
            raise KeplerError(f"phase `{self.path}` is open already", "make another one with .phase()")
        around = self._parent = _open_phase.get()
        while around is not None and around._measurement is not self._measurement:
            around = around._parent
        self.path = self._name if around is None else f"{around.path}/{self._name}"
        self._measurement._total_of(self.path)
        self._token = _open_phase.set(self)
        self._start = self._measurement._mark()
        return self

    def __exit__(self, *error: object) -> None:
        if self._start is None or self._token is None:
            return
        spent = self._start.until(self._measurement._mark())
        try:
            _open_phase.reset(self._token)
        except ValueError:
            # Left in another task or thread than it was entered in, as a generator may be: nothing is open there.
            pass
        self._start = self._token = self._parent = None
        total = self._measurement._total_of(self.path)
        with adding:
            total.count += 1
            total._total.add(spent)
            total._passes.add((spent.microjoules or 0) / 1e6, spent.seconds)

    async def __aenter__(self) -> Phase:
        return self.__enter__()

    async def __aexit__(self, *error: object) -> None:
        self.__exit__(*error)


class Measurement(Measured):
    """A block of code, from `start` to `stop`. Made by :func:`measure`.

    While it runs, the figures are those so far; once stopped, they stay. An exception inside stops it like
    anything else: the figures are there. In a process forked inside, it goes on by itself: the machine's energy is the
    same, and this process's share counts from the fork.
    """

    __slots__ = ("_lap_start", "_live", "_progress", "_spent", "_start", "_stopwatch", "_total")

    def __init__(
        self, name: str, stopwatch: Stopwatch, facility: Facility, progress: Union[bool, Show] = False
    ) -> None:
        super().__init__(name, facility)
        self._stopwatch = stopwatch
        self._progress = progress
        self._live: Optional[Live] = None
        self._start: Optional[Mark] = None
        self._spent: Optional[Spent] = None
        self._total: Optional[_Sum] = None
        self._lap_start: Optional[Mark] = None

    def _mark(self) -> Mark:
        return self._stopwatch.mark()

    def start(self) -> Measurement:
        """Starts it; one that has ended starts again from zero."""
        if self._start is not None:
            raise KeplerError(f"`{self.name}` is running already", "stop it first, or make another one with measure()")
        self._spent = self._total = self._laps = self._phases = self._points = self._lap_start = None
        self._start = mark = self._stopwatch.mark()
        self._started_at = mark.timestamp
        if self._progress is not False:
            from ._display import display
            from .live import Live

            show, clear = (self._progress, None) if callable(self._progress) else display()
            self._live = Live(self.name, self._facility, self._stopwatch, show, clear)
            self._points = self._live.points
            self._live.start(mark)
        return self

    def stop(self) -> Measurement:
        """Stops it. Stopping what does not run changes nothing."""
        start = self._start
        if start is not None:
            end = self._stopwatch.mark()
            self._spent = start.until(end)
            self._start = self._lap_start = None
            if self._live is not None:
                self._live.stop(end)
        return self

    def lap(self, name: Optional[str] = None) -> Figures:
        """The figures since the start or the lap before; also kept in `laps`."""
        start = self._lap_start or self._start
        if start is None:
            raise KeplerError(f"`{self.name}` is not running", "start it before taking laps")
        now = self._mark()
        laps = self._laps = [] if self._laps is None else self._laps
        lap = _Interval(name or f"{self.name} {len(laps) + 1}", self._facility, start.until(now))
        laps.append(lap)
        self._lap_start = now
        return lap

    def phase(self, name: str) -> Phase:
        """A part to be measured on its own, as a context manager, as often as wanted:

        >>> import kepler_power
        >>> with kepler_power.measure("train") as m:
        ...     for _ in range(3):
        ...         with m.phase("epoch"), m.phase("forward"):
        ...             pass
        >>> m.phases["epoch/forward"].count
        3

        Phases opened inside another one, in the same thread and the same asyncio task, are parts of it.
        """
        return Phase(self, name)

    def forecast(self, *, level: float = 0.9, **total: int) -> Forecast:
        """What the run will have used at its end: the passes through a phase so far tell of those to come.

        >>> import kepler_power
        >>> with kepler_power.measure("train") as m:
        ...     for _ in range(4):
        ...         with m.phase("epoch"):
        ...             _ = sum(range(100_000))
        ...     forecast = m.forecast(epochs=100)
        >>> forecast.energy > m.energy and forecast.energy_interval is not None
        True

        From the fourth pass on the first, which compiles and fills caches, does not count for those to come. Where energy is estimated, the
        interval has the estimate's error in it.

        :param total: the phase's name, in the singular or the plural, and how many passes the whole run has. Where no phase has
            that name the laps are what is meant.
        :param level: how probable it is that the interval holds what will be used.
        :raises kepler_power.errors.DataError: nothing to go by has ended yet.
        """
        from .errors import ConfigurationError
        from .forecast import forecast

        if len(total) != 1:
            raise ConfigurationError("a forecast is for one unit", "as in m.forecast(epochs=10)")
        ((unit, number),) = total.items()
        return forecast(self, unit, number, level)

    @property
    def is_running(self) -> bool:
        """Whether it was started and not stopped."""
        return self._start is not None

    def _total_of(self, path: str) -> PhaseTotal:
        with adding:
            if self._phases is None:
                self._phases = {}
            total = self._phases.get(path)
            if total is None:
                total = self._phases[path] = PhaseTotal(path, self._facility)
            return total

    def _sum(self) -> _Sum:
        if self._start is not None:
            so_far = _Sum()
            so_far.add(self._start.until(self._mark()))
            return so_far
        if self._total is None:
            if self._spent is None:
                raise KeplerError(f"`{self.name}` has not been started", "enter it with `with`, or call start()")
            self._total = _Sum()
            self._total.add(self._spent)
        return self._total

    def __enter__(self) -> Measurement:
        return self.start()

    def __exit__(self, *error: object) -> None:
        self.stop()

    async def __aenter__(self) -> Measurement:
        return self.start()

    async def __aexit__(self, *error: object) -> None:
        self.stop()

    def __str__(self) -> str:
        if self._start is None and self._spent is None:
            return f"{self.name}: not started"
        return super().__str__()

    def __repr__(self) -> str:
        return f"<Measurement {self}>"

    def plot(self, ax: Optional[Any] = None) -> Any:
        """Draws the machine's energy, its parts, phases and laps as bars, by matplotlib; an estimate with its error.

        :param ax: axes of yours to draw into; without it a figure of its own.
        :returns: the axes.
        :raises kepler_power.errors.MissingDependencyError: matplotlib is not installed.
        """
        from ._plot import plot

        return plot(self, ax)

    def latex(self) -> str:
        """A sentence for a paper: how long, how much energy, by what meter and how certain, emissions and what they rest on."""
        from ._latex import sentence

        return sentence(self)

    def save(self, path: Union[str, os.PathLike[str]]) -> None:
        """Adds it as a row to a CSV file, which :mod:`kepler_power.runs` and the command ``kepler-power board`` read."""
        from .runs._save import save

        save(self, path)

    def report(self, path: Union[str, os.PathLike[str]]) -> None:
        """Writes a page of HTML about it, with a chart, that needs nothing else and prints well."""
        from ._page import page

        text = page(self)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)

    def _repr_html_(self) -> str:
        from ._chart import bars, curve_svg, svg
        from ._html import table

        if self._start is None and self._spent is None:
            return table([], [], str(self))
        head = ("", "time", "energy", "power", "CO2e", "this process", "with children")
        rows = [_cells(self.name, self)]
        rows += [_cells(f"\u2003{path} ×{total.count}", total) for path, total in self.phases.items()]
        co2e = self.co2e
        where = (co2e.region or "stated") + (", assumed: give region=" if co2e.basis == "assumed" else "")
        pue = f"PUE {co2e.pue:g} ({co2e.pue_basis})"
        note = f"{self.source}; {co2e.grid_intensity:.0f} gCO2e/kWh ({where}), {pue}"
        return table(head, rows, note) + svg(bars(self)) + curve_svg(self.curve)


def _cells(title: str, figures: Figures) -> list[str]:
    amounts = (figures.energy, figures.power, figures.co2e, figures.process.energy, figures.tree.energy)
    return [title, _duration(figures.seconds), *map(str, amounts)]


def measure(
    name: str = "measurement",
    *,
    region: Optional[str] = None,
    pue: Optional[float] = None,
    grid_intensity: Optional[float] = None,
    host: Optional[Host] = None,
    meters: Optional[Sequence[str]] = None,
    progress: Union[bool, Show] = False,
) -> Measurement:
    """Measures what happens inside a ``with`` or ``async with`` block, or between `start` and `stop`.

    >>> import kepler_power
    >>> with kepler_power.measure("train", region="eu-north-1") as m:
    ...     total = sum(range(1_000_000))
    >>> m.energy.joules, m.power.watts, m.co2e.grams, m.process.energy.joules  # doctest: +SKIP

    Arguments not given are those of :func:`configure` and :func:`use_meters`; see there what they mean, and what is raised
    for a bad one. A region given here is another facility than the process's; a PUE or an intensity alone changes only that of it.
    Entering and leaving costs some microseconds; nothing is sampled in between unless `progress` asks for it.

    :param progress: ``True`` shows watts once a second, in a line of the terminal or below the cell of a notebook (nothing where the output is a
        file); a function is called with a :class:`kepler_power.live.Progress` instead, on a thread of its own.
    """
    settings = current()
    return Measurement(name, settings.stopwatch(host, meters), facility_for(region, pue, grid_intensity), progress)
