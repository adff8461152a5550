"""Weights & Biases."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Optional

from ..errors import ConfigurationError
from ._metrics import metrics, tags

if TYPE_CHECKING:
    from ..figures import Figures

__all__ = ["log"]

# By name: its functions have no types everywhere.
_wandb: Any = import_module("wandb")


def log(figures: Figures, run: Optional[Any] = None) -> None:
    """Writes the figures into a run's summary, and what they rest on into its configuration.

    While it runs, put them beside your own: ``run.log({"loss": loss, **kepler_power.integrations.metrics(m)})``; so they have your step.

    :param figures: a measurement, a phase of it, or a lap.
    :param run: the one that is active, if not given.
    """
    run = _wandb.run if run is None else run
    if run is None:
        raise ConfigurationError("no run of Weights & Biases is active", "call it between wandb.init() and finish(), or give run=")
    run.summary.update(metrics(figures))
    run.config.update(tags(figures), allow_val_change=True)
