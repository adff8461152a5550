"""Showing what a measurement draws while it runs: `measure(..., progress=True)`."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, Callable, NamedTuple, Optional

from ._text import shown
from .quantities import Energy, Power

if TYPE_CHECKING:
    from ._native import Facility, Mark, Stopwatch

__all__ = ["Progress", "Show"]

# Seconds between two readings. Reading and showing takes some tenths of a millisecond of CPU time.
INTERVAL = 1.0
# Points of the curve that are kept: past that every second one is dropped, so that a run of days stays as small.
_POINTS = 600


class Progress(NamedTuple):
    """A running measurement at one moment."""

    name: str
    seconds: float
    """Since it was started."""
    watts: float
    """The machine's mean power since the moment before."""
    joules: float
    """The machine's energy since it was started."""
    process_watts: float
    """The part of `watts` that is this process's and its children's."""
    co2e_grams: Optional[float]
    """What `joules` emitted; none where no intensity is published for the region."""
    method: str
    """``measured``, ``partial`` or ``estimated``."""

    def __str__(self) -> str:
        minutes, seconds = divmod(int(self.seconds), 60)
        mark = "" if self.method == "measured" else f" ({self.method})"
        power, energy = Power(self.watts), Energy.from_joules(self.joules)
        return f"{self.name}  {power}{mark}  this process {Power(self.process_watts)}  {energy}  {minutes}:{seconds:02d}"


Show = Callable[[Progress], object]


class Live:
    """Reads a measurement once a second on a thread, keeps the curve, and shows each moment."""

    def __init__(
        self, name: str, facility: Facility, stopwatch: Stopwatch, show: Optional[Show], clear: Optional[Callable[[], object]]
    ) -> None:
        self.points: list[tuple[float, float]] = []
        """Seconds since the start, and joules until then."""
        self._name, self._facility, self._stopwatch = name, facility, stopwatch
        self._show, self._clear = show, clear
        self._ended = threading.Event()
        self._process = os.getpid()
        self._stride = self._skipped = 0
        self._thread: Optional[threading.Thread] = None

    def start(self, mark: Mark) -> None:
        """From the measurement's start on."""
        self._first = self._last = mark
        self._thread = threading.Thread(target=self._run, name="kepler-power-progress", daemon=True)
        self._thread.start()

    def stop(self, mark: Mark) -> None:
        """Ends at the measurement's end; the line is cleared."""
        if os.getpid() != self._process:
            # A forked child has no such thread, and the line is its parent's.
            return
        self._ended.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join()
        self._keep(mark)
        if self._clear is not None:
            self._clear()

    def _run(self) -> None:
        while not self._ended.wait(INTERVAL):
            moment = self._moment()
            if self._show is not None:
                self._show(moment)

    def _moment(self) -> Progress:
        mark = self._stopwatch.mark()
        spent, since = self._first.until(mark), self._last.until(mark)
        self._last = mark
        seconds = since.seconds or 1.0
        microjoules = spent.microjoules or 0
        methods = {zone[3] for zone in spent.zones() if zone[7]}
        self._point(spent.seconds, microjoules)
        return Progress(
            shown(self._name),
            spent.seconds,
            (since.microjoules or 0) / 1e6 / seconds,
            microjoules / 1e6,
            (since.tree_microjoules or 0) / 1e6 / seconds,
            self._facility.co2e_grams(microjoules / 1e6),
            methods.pop() if len(methods) == 1 else "partial",
        )

    def _keep(self, mark: Mark) -> None:
        spent = self._first.until(mark)
        if not self.points or spent.seconds > self.points[-1][0]:
            self.points.append((spent.seconds, (spent.microjoules or 0) / 1e6))

    def _point(self, seconds: float, microjoules: int) -> None:
        self._skipped += 1
        if self._skipped <= self._stride:
            return
        self._skipped = 0
        self.points.append((seconds, microjoules / 1e6))
        if len(self.points) > _POINTS:
            # What was drawn between two points stays what it was: energies are sums.
            del self.points[::2]
            self._stride = 2 * self._stride + 1
