"""Bars of energy by matplotlib."""

from __future__ import annotations

from importlib import import_module
from typing import Any, Optional

from ._chart import bars
from ._measured import Measured
from .errors import MissingDependencyError


def plot(measurement: Measured, ax: Optional[Any]) -> Any:
    """Draws into ``ax``, or into a figure of its own."""
    found = bars(measurement)
    axes: Any = ax
    if ax is None:
        try:
            pyplot = import_module("matplotlib.pyplot")
        except ImportError as error:
            remedy = "pip install matplotlib; report() and notebooks draw without it"
            raise MissingDependencyError("plot() draws with matplotlib, which is not installed", remedy) from error
        _, axes = pyplot.subplots(figsize=(7, 0.4 * len(found) + 1), layout="constrained")
    colours = {"machine": "#0072b2", "part": "#56b4e9", "other": "#999999"}
    joules = [bar.energy.joules for bar in found]
    errors = [bar.energy.joules * (bar.error_ratio or 0.0) for bar in found]
    lower = [min(value, error) for value, error in zip(joules, errors)]
    axes.barh(
        [bar.label for bar in found],
        joules,
        color=[colours[bar.kind] for bar in found],
        xerr=[lower, errors] if any(errors) else None,
    )
    axes.invert_yaxis()
    axes.set_xlabel("energy (J)")
    axes.set_title(f"{measurement.name}: {measurement.source}")
    return axes
