"""CodeCarbon's interface over this package's meters: change the import, keep the code.

    from kepler_power.codecarbon import EmissionsTracker

    with EmissionsTracker(project_name="train") as tracker:
        ...
    print(tracker.final_emissions)  # kg of CO2e

What is the same: the classes, their parameters, ``emissions.csv`` with its columns in order, tasks, and the
configuration from ``.codecarbon.config`` and ``CODECARBON_*``. What differs: energy is read from hardware counters
where there are some, memory included, instead of modelled from a TDP; nothing is sent anywhere and nobody is asked
where this machine stands (state it with :func:`kepler_power.configure`, ``KEPLER_REGION`` or the offline tracker).
Parameters that have no meaning here are warned about by name (:class:`IgnoredParameterWarning`).
"""

from __future__ import annotations

from ._data import EmissionsData, TaskEmissionsData
from ._decorator import track_emissions
from ._output import BaseOutput, OutputMethod
from ._settings import IgnoredParameterWarning
from ._tracker import EmissionsTracker, OfflineEmissionsTracker

__all__ = [
    "BaseOutput",
    "EmissionsData",
    "EmissionsTracker",
    "IgnoredParameterWarning",
    "OfflineEmissionsTracker",
    "OutputMethod",
    "TaskEmissionsData",
    "track_emissions",
]
