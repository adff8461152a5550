"""Trackers and decorators by the names that scripts import from ``codecarbon.emissions_tracker``."""

from __future__ import annotations

from ._decorator import TaskEmissionsTracker, track_emissions, track_task_emissions
from ._tracker import BaseEmissionsTracker, EmissionsTracker, OfflineEmissionsTracker

__all__ = [
    "BaseEmissionsTracker",
    "EmissionsTracker",
    "OfflineEmissionsTracker",
    "TaskEmissionsTracker",
    "track_emissions",
    "track_task_emissions",
]
