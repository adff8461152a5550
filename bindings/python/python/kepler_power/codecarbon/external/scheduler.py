"""Calls at equal intervals."""

from __future__ import annotations

import threading
from collections.abc import Callable


class PeriodicScheduler:
    """Calls a function at equal intervals (seconds) on a thread of its own, until it is stopped."""

    def __init__(self, interval: float, function: Callable[[], object]) -> None:
        self._interval, self._function = interval, function
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begins; the first call comes after one interval."""
        if self._thread is None:
            self._stopping.clear()
            self._thread = threading.Thread(target=self._run, name="kepler-power-live", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """No call begins after this; one under way goes on to its end."""
        self._stopping.set()
        self._thread = None

    def _run(self) -> None:
        stopping = self._stopping
        while not stopping.wait(self._interval):
            self._function()
