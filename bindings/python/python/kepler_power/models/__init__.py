"""Power models: what a machine draws, from what it does, where nothing can be measured.

    model = models.load("ec2-0.7.11/rapl-sysfs/AbsPower/BPFOnly/SGDRegressorTrainer_0.json")
    watts = model.predict(rows)                 # a numpy array, one column for each of model.components
    package = model.predict(rows, "package")

Reads every JSON format of Kepler's model database (linear weights, curves, XGBoost trees) and this project's own; pickles
are never read. Arrays of float64 in C order are used in place, without a copy, and without the GIL. Features are sums
over the node, per second; the unit of a power is the watt.
"""

from __future__ import annotations

import os

from ._catalogue import Catalogue, Entry, Found, Machine, find
from ._model import Interval, Model, Semantics
from ._regressor import PowerRegressor

__all__ = ["Catalogue", "Entry", "Found", "Interval", "Machine", "Model", "PowerRegressor", "Semantics", "find", "load"]


def load(path: str | os.PathLike[str]) -> Model:
    """Reads a power model; see :meth:`Model.load`."""
    return Model.load(path)
