"""Lightning, as `lightning` or as `pytorch_lightning`."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any, Union

from ..errors import MissingDependencyError
from ..measurement import Measurement
from ._training import Training

__all__ = ["EnergyCallback"]


def _base() -> Any:
    """The callback of the package that the program uses: the two do not take each other's."""
    names = ("lightning.pytorch", "pytorch_lightning")
    for name in sorted(names, key=lambda name: name.partition(".")[0] not in sys.modules):
        try:
            return import_module(name).Callback
        except ImportError:
            continue
    raise MissingDependencyError("neither lightning nor pytorch_lightning is installed", "pip install lightning")


if TYPE_CHECKING:
    _Callback = object
else:
    _Callback = _base()


class EnergyCallback(_Callback):
    """Measures a fit: ``Trainer(callbacks=[EnergyCallback()])``.

    After every epoch ``energy_joules`` (so far), ``energy_watts`` (since the epoch before), ``energy_process_joules`` and ``energy_co2e_grams`` go to the trainer's loggers and
    ``callback_metrics``. Epochs (``epoch``), validations (``epoch/validation``), and a test or a prediction on its own are phases of `measurement`.

    :param name: of the measurement.
    :param directory: for a training of several processes: where each writes its share, see :mod:`kepler_power.distributed`.
    :param arguments: those of :func:`kepler_power.measure`.
    """

    def __init__(self, name: str = "fit", *, directory: Union[str, os.PathLike[str], None] = None, **arguments: Any) -> None:
        self._training = Training(name, directory, arguments)

    @property
    def measurement(self) -> Measurement:
        """The run that goes on, or the last one.

        :raises kepler_power.errors.KeplerError: none has begun.
        """
        return self._training.done()

    def setup(self, trainer: Any, pl_module: Any, stage: str) -> None:
        """The trainer calls it: a fit, a validation, a test or a prediction begins."""
        self._training.begin()

    def teardown(self, trainer: Any, pl_module: Any, stage: str) -> None:
        """The trainer calls it."""
        self._training.end()

    def on_exception(self, trainer: Any, pl_module: Any, exception: BaseException) -> None:
        """The trainer calls it: the figures are there all the same."""
        self._training.end(exception)

    def on_train_epoch_start(self, trainer: Any, pl_module: Any) -> None:
        """The trainer calls it."""
        self._training.enter("epoch")

    def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        """The trainer calls it."""
        self._training.leave("epoch")
        pl_module.log_dict(self._training.lap())

    def on_validation_start(self, trainer: Any, pl_module: Any) -> None:
        """The trainer calls it."""
        self._training.enter("validation")

    def on_validation_end(self, trainer: Any, pl_module: Any) -> None:
        """The trainer calls it."""
        self._training.leave("validation")
