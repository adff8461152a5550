"""Measure the energy and the carbon of Python code.

Hardware counters (RAPL and others) where there are some, an estimate that says so where there are none:

>>> import kepler_power
>>> with kepler_power.measure("train") as m:
...     total = sum(range(1_000_000))
>>> m.energy.joules > 0
True

`measure` and `measured` measure a block of code, `Monitor` watches who on the machine uses how much. `load_ext kepler_power`
in a notebook gives the cell magic `%%energy`. Everything that goes wrong is a `KeplerError`, which says what to do about it.
"""

from __future__ import annotations

import os as _os
from typing import TYPE_CHECKING, Any

from . import _native
from ._facility import Facility, configure, facility
from ._native import Host, __version__
from .decorator import Results, measured, results
from .errors import (
    ConfigurationError,
    DataError,
    EstimateWarning,
    KeplerError,
    MeterError,
    MissingDependencyError,
    ModelError,
    MonitorError,
    PartialFigureWarning,
    SourceError,
    UnknownNameError,
)
from .figures import Figures, Share, Zone
from .measurement import Measurement, Phase, PhaseTotal, measure
from .quantities import Carbon, Energy, Power
from .settings import use_meters
from .source import Source

if TYPE_CHECKING:
    from . import carbon as carbon
    from . import codecarbon as codecarbon
    from . import compliance as compliance
    from . import models as models
    from .platform import Bmc, ExternalMeter, Platform, Residual
    from .watch import Monitor, Snapshot, Table

__all__ = [
    "Bmc",
    "Carbon",
    "ConfigurationError",
    "DataError",
    "Energy",
    "EstimateWarning",
    "ExternalMeter",
    "Facility",
    "Figures",
    "Host",
    "KeplerError",
    "Measurement",
    "MeterError",
    "MissingDependencyError",
    "ModelError",
    "Monitor",
    "MonitorError",
    "PartialFigureWarning",
    "Phase",
    "PhaseTotal",
    "Platform",
    "Power",
    "Residual",
    "Results",
    "Share",
    "Snapshot",
    "Source",
    "SourceError",
    "Table",
    "UnknownNameError",
    "Zone",
    "__version__",
    "configure",
    "facility",
    "measure",
    "measured",
    "results",
    "use_meters",
]

# Threads that read meters release the GIL: none of them may hold a lock at the moment of a fork.
_os.register_at_fork(
    before=_native.before_fork, after_in_parent=_native.after_fork, after_in_child=_native.after_fork
)

# What not every program needs is imported when it is first asked for: importing this package costs milliseconds.
_LAZY = {
    **dict.fromkeys(("Bmc", "ExternalMeter", "Platform", "Residual"), "platform"),
    **dict.fromkeys(("Monitor", "Snapshot", "Table"), "watch"),
}
_MODULES = ("carbon", "codecarbon", "compliance", "models")


def __getattr__(name: str) -> Any:
    module = _LAZY.get(name)
    if module is None and name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    if module is None:
        return import_module(f"{__name__}.{name}")
    value = getattr(import_module(f"{__name__}.{module}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_LAZY, *_MODULES})


def load_ipython_extension(ipython: Any) -> None:
    """Registers the magics `%energy` and `%%energy`; called by `%load_ext kepler_power`."""
    from .notebook import register

    register(ipython)
