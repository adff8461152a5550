"""What the callbacks of trainers have in common: a measurement with phases that are entered and left by events."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager
from typing import Any, Optional, Union

from ..errors import KeplerError
from ..measurement import Measurement, Phase, measure
from ._metrics import metrics


class Training:
    """A training, from its begin to its end; again for another one."""

    def __init__(self, name: str, directory: Union[str, os.PathLike[str], None], arguments: dict[str, Any]) -> None:
        self._name, self._directory, self._arguments = name, directory, arguments
        self._running: Optional[AbstractContextManager[Any]] = None
        self._open: dict[str, Phase] = {}
        self.measurement: Optional[Measurement] = None

    def begin(self) -> None:
        """A training begins; one that was broken off ends."""
        self.end()
        if self._directory is None:
            context: AbstractContextManager[Measurement] = measure(self._name, **self._arguments)
        else:
            from ..distributed import rank

            context = rank(self._name, directory=self._directory, **self._arguments)
        self.measurement = context.__enter__()
        self._running = context

    def end(self, error: Optional[BaseException] = None) -> None:
        """It ends. Ending what does not run changes nothing."""
        for name in list(self._open)[::-1]:
            self.leave(name)
        context, self._running = self._running, None
        if context is not None:
            context.__exit__(type(error) if error is not None else None, error, None)

    def enter(self, name: str) -> None:
        """A phase begins."""
        if self.measurement is None or not self.measurement.is_running:
            return
        self.leave(name)
        phase = self._open[name] = self.measurement.phase(name)
        phase.__enter__()

    def leave(self, name: str) -> None:
        """A phase ends."""
        phase = self._open.pop(name, None)
        if phase is not None:
            phase.__exit__(None, None, None)

    def lap(self) -> dict[str, float]:
        """The figures so far, with the power since this was asked last."""
        measurement = self.measurement
        if measurement is None:
            return {}
        found = metrics(measurement, "energy_")
        if measurement.is_running:
            found["energy_watts"] = measurement.lap().power.watts
        return found

    def done(self) -> Measurement:
        """The measurement."""
        if self.measurement is None:
            raise KeplerError("no training has begun yet", "give the callback to the trainer, and train")
        return self.measurement
