"""MLflow."""

from __future__ import annotations

import time
from importlib import import_module
from typing import TYPE_CHECKING, Any, Optional

from ..errors import ConfigurationError
from ._metrics import metrics, tags

if TYPE_CHECKING:
    from ..figures import Figures
    from ..live import Progress, Show

__all__ = ["log", "watch"]

# By name: its functions have no types everywhere.
_mlflow: Any = import_module("mlflow")


def log(figures: Figures, *, step: Optional[int] = None, run_id: Optional[str] = None) -> None:
    """Writes the figures as metrics of a run, and what they rest on as its tags: ``energy/joules``, ``energy.method``, ….

    :param figures: a measurement, a phase of it, or a lap.
    :param step: of the metrics.
    :param run_id: the run that is active, if not given.
    """
    client, run = _mlflow.MlflowClient(), _run(run_id)
    for name, value in metrics(figures).items():
        client.log_metric(run, name, value, step=step)
    for name, text in tags(figures).items():
        client.set_tag(run, name, text)


def watch(run_id: Optional[str] = None) -> Show:
    """Writes watts while it runs: ``kepler_power.measure("train", progress=watch())``. The step is the second.

    :param run_id: the run that is active now, if not given.
    """
    client, run = _mlflow.MlflowClient(), _run(run_id)

    def show(progress: Progress) -> None:
        now, step = int(time.time() * 1000), round(progress.seconds)
        client.log_metric(run, "energy/watts_now", progress.watts, timestamp=now, step=step)

    return show


def _run(run_id: Optional[str]) -> str:
    if run_id is not None:
        return run_id
    active = _mlflow.active_run()
    if active is None:
        raise ConfigurationError("no run of MLflow is active", "call it inside `with mlflow.start_run():`, or give run_id=")
    return str(active.info.run_id)
