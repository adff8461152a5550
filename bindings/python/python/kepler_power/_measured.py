"""What a measurement has to show: its figures with those of phases and laps, and its curve."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Optional

from ._native import Facility
from ._statistics import Passes
from .figures import Figures, _Sum


class PhaseTotal(Figures):
    """All passes through a phase, added up."""

    __slots__ = ("_passes", "_total", "count")

    count: int
    """How often it was entered and left."""

    def __init__(self, name: str, facility: Facility) -> None:
        super().__init__(name, facility)
        self.count = 0
        self._passes = Passes()
        self._total = _Sum()

    def _sum(self) -> _Sum:
        return self._total


class Measured(Figures):
    """A block of code as what draws, saves and forecasts it sees it."""

    __slots__ = ("_laps", "_phases", "_points", "_started_at")

    def __init__(self, name: str, facility: Facility) -> None:
        super().__init__(name, facility)
        self._started_at = 0.0
        self._laps: Optional[list[Figures]] = None
        self._phases: Optional[dict[str, PhaseTotal]] = None
        # Seconds since the start, and joules until then.
        self._points: Optional[list[tuple[float, float]]] = None

    @property
    def phases(self) -> Mapping[str, PhaseTotal]:
        """All phases by path (``epoch/forward``), in the order in which they were first entered."""
        return self._phases or {}

    @property
    def laps(self) -> Sequence[Figures]:
        """The laps taken."""
        return self._laps or []

    @property
    def curve(self) -> Sequence[tuple[float, float]]:
        """The machine's power over time as pairs of seconds since the start and watts until then: once a second where it was made with
        `progress`, else empty."""
        found: list[tuple[float, float]] = []
        before, drawn = 0.0, 0.0
        for seconds, joules in self._points or ():
            if seconds > before:
                found.append((seconds, (joules - drawn) / (seconds - before)))
                before, drawn = seconds, joules
        return found

    @property
    def started_at(self) -> float:
        """When it was started, in seconds since 1970."""
        return self._started_at

    def to_dict(self) -> dict[str, Any]:
        """All figures as plain values with the unit in the name, with those of phases and laps."""
        figures = super().to_dict()
        figures["started_at"] = self._started_at
        figures["phases"] = {path: {"count": total.count, **total.to_dict()} for path, total in self.phases.items()}
        figures["laps"] = [lap.to_dict() for lap in self.laps]
        return figures
