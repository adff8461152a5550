"""Hugging Face's Trainer."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Optional, Union

from ..measurement import Measurement
from ._training import Training

if TYPE_CHECKING:
    _Callback = object
else:
    from transformers.trainer_callback import TrainerCallback as _Callback

__all__ = ["EnergyCallback"]


class EnergyCallback(_Callback):
    """Measures a training: ``Trainer(..., callbacks=[EnergyCallback()])``.

    Every log of the trainer has ``energy_joules`` (so far), ``energy_watts`` (since the log before), ``energy_process_joules``, ``energy_co2e_grams``, and so has
    ``state.log_history``. Epochs and evaluations are phases of `measurement`, so that ``callback.measurement.forecast(epochs=10)`` works
    while it trains.

    :param name: of the measurement.
    :param directory: for a training of several processes: where each writes its share, see :mod:`kepler_power.distributed`.
    :param arguments: those of :func:`kepler_power.measure`.
    """

    def __init__(self, name: str = "train", *, directory: Union[str, os.PathLike[str], None] = None, **arguments: Any) -> None:
        self._training = Training(name, directory, arguments)

    @property
    def measurement(self) -> Measurement:
        """The training that runs, or the last one.

        :raises kepler_power.errors.KeplerError: none has begun.
        """
        return self._training.done()

    def add_to(self, trainer: Any) -> None:
        """Adds it to a trainer before its reporters (TensorBoard, W&B, …), which show the energy then as well."""
        trainer.callback_handler.callbacks.insert(0, self)

    def on_train_begin(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
        """The trainer calls it."""
        self._training.begin()

    def on_epoch_begin(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
        """The trainer calls it."""
        self._training.enter("epoch")

    def on_epoch_end(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
        """The trainer calls it."""
        self._training.leave("epoch")

    def on_log(self, args: Any, state: Any, control: Any, logs: Optional[dict[str, Any]] = None, **rest: Any) -> None:
        """The trainer calls it: callbacks after this one see the energy in the logs."""
        found = self._training.lap()
        if logs is not None:
            logs.update(found)
        history = getattr(state, "log_history", None)
        if history:
            history[-1].update(found)

    def on_train_end(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
        """The trainer calls it."""
        self._training.end()
