"""CodeCarbon's interface over this package's meters: change the import, keep the code.

    from kepler_power.codecarbon import EmissionsTracker

    with EmissionsTracker(project_name="train") as tracker:
        ...
    print(tracker.final_emissions)  # kg of CO2e

What is the same: the classes, their parameters, ``emissions.csv`` with its columns in order, tasks, outputs, the modules that
scripts import, and the configuration from ``.codecarbon.config`` and ``CODECARBON_*``. What differs: energy is read from
hardware counters where there are some, memory included; columns after CodeCarbon's say of each figure how it was found; what
is not known is empty; and no web service is asked where this machine is (state it with :func:`kepler_power.configure`,
``KEPLER_REGION`` or the offline tracker). Parameters that have no meaning here are warned about by name
(:class:`IgnoredParameterWarning`).
"""

from __future__ import annotations

from ._decorator import track_emissions
from ._parameters import IgnoredParameterWarning
from ._tracker import EmissionsTracker, OfflineEmissionsTracker
from .output_methods.base_output import BaseOutput, OutputMethod
from .output_methods.emissions_data import EmissionsData, TaskEmissionsData

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

__app_name__ = "codecarbon"
# Programs compare it with releases of CodeCarbon: the one whose interface this is, with a local part (PEP 440) that says whose.
__version__ = "3.3.2+kepler"
