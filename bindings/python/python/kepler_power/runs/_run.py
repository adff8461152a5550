"""A run, from whatever file it comes."""

from __future__ import annotations

import datetime
from typing import NamedTuple, Optional


class Run(NamedTuple):
    """What is known of a run that has ended; ``None`` is not known, never zero."""

    name: str
    origin: str
    """The file, and the row in it."""
    energy_joules: Optional[float]
    """Of the machine, or of what `scope` says."""
    scope: str = "machine"
    """``machine``, ``process`` (a command or process with its children), or ``job`` (the shares of a job's ranks)."""
    error_ratio: Optional[float] = None
    """Of the energy, one standard deviation; none where all was measured, or where the file does not say."""
    method: str = "unstated"
    """``measured``, ``partial``, ``estimated``; ``unstated``: the file does not say, as CodeCarbon's."""
    source: str = ""
    """The meter."""
    seconds: Optional[float] = None
    started_at: Optional[float] = None
    """Seconds since 1970."""
    co2e_grams: Optional[float] = None
    grid_intensity: Optional[float] = None
    """gCO2e/kWh."""
    region: str = ""
    region_basis: str = ""
    """``stated`` or ``assumed``; empty where the file does not say."""
    pue: Optional[float] = None
    note: str = ""
    """What is wrong with it: that a counter was reset, that ranks are missing."""

    @property
    def watts(self) -> Optional[float]:
        """Mean power."""
        return None if self.energy_joules is None or not self.seconds else self.energy_joules / self.seconds

    @property
    def started(self) -> str:
        """In UTC: ``2026-01-31 12:00``; empty where it is not known."""
        if self.started_at is None:
            return ""
        try:
            moment = datetime.datetime.fromtimestamp(self.started_at, datetime.timezone.utc)
        except (OverflowError, OSError, ValueError):
            return ""
        return moment.strftime("%Y-%m-%d %H:%M")
