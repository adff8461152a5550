"""What every way of writing rows does."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .emissions_data import EmissionsData, TaskEmissionsData


class OutputMethod(str, enum.Enum):
    """Where rows may go. ``API`` and ``BOAMPS`` are not served here, and a warning says so."""

    CSV = "csv"
    API = "api"
    LOGGER = "logger"
    PROMETHEUS = "prometheus"
    LOGFIRE = "logfire"
    BOAMPS = "boamps"


class BaseOutput:
    """A handler of rows: override what you need, and give it as ``output_handlers``."""

    def out(self, total: EmissionsData, delta: EmissionsData) -> None:
        """At every flush and at the end: the run so far, and since the last row."""

    def live_out(self, total: EmissionsData, delta: EmissionsData) -> None:
        """While the run goes on: every ``measure_power_secs * api_call_interval`` seconds."""

    def task_out(self, data: list[TaskEmissionsData], experiment_name: str) -> None:
        """At every flush and at the end: the tasks that ended."""

    def exit(self) -> None:
        """After the last row."""
