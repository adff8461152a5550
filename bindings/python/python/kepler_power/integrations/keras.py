"""Keras, with whatever backend."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Optional, Union

from ..measurement import Measurement
from ._training import Training

if TYPE_CHECKING:
    _Callback = object
else:
    from keras.callbacks import Callback as _Callback

__all__ = ["EnergyCallback"]


class EnergyCallback(_Callback):
    """Measures a fit: ``model.fit(x, y, callbacks=[EnergyCallback()])``.

    Every epoch's logs, and so the history, have ``energy_joules`` (so far), ``energy_watts`` (since the epoch before), ``energy_process_joules`` and ``energy_co2e_grams``. Epochs are
    phases of `measurement`. Callbacks that come after it in the list see its figures.

    :param name: of the measurement.
    :param directory: for a training of several processes: where each writes its share, see :mod:`kepler_power.distributed`.
    :param arguments: those of :func:`kepler_power.measure`.
    """

    def __init__(self, name: str = "fit", *, directory: Union[str, os.PathLike[str], None] = None, **arguments: Any) -> None:
        super().__init__()
        self._training = Training(name, directory, arguments)

    @property
    def measurement(self) -> Measurement:
        """The fit that goes on, or the last one.

        :raises kepler_power.errors.KeplerError: none has begun.
        """
        return self._training.done()

    def on_train_begin(self, logs: Optional[dict[str, Any]] = None) -> None:
        """Keras calls it."""
        self._training.begin()

    def on_epoch_begin(self, epoch: int, logs: Optional[dict[str, Any]] = None) -> None:
        """Keras calls it."""
        self._training.enter("epoch")

    def on_epoch_end(self, epoch: int, logs: Optional[dict[str, Any]] = None) -> None:
        """Keras calls it."""
        self._training.leave("epoch")
        if logs is not None:
            logs.update(self._training.lap())

    def on_train_end(self, logs: Optional[dict[str, Any]] = None) -> None:
        """Keras calls it."""
        self._training.end()
