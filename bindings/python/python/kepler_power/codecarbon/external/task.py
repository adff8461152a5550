"""A part of a run that has a name."""

from __future__ import annotations

import time
import uuid
from typing import Optional

from ..output_methods.emissions_data import EmissionsData, TaskEmissionsData


class Task:
    """From ``start_task`` to ``stop_task``."""

    def __init__(self, task_name: str, begun: EmissionsData) -> None:
        self.task_id = f"{task_name}{uuid.uuid4()}"
        self.task_name = task_name
        self.start_time = time.perf_counter()
        """On the clock of ``time.perf_counter``."""
        self.is_active = True
        self.emissions_data: Optional[EmissionsData] = None
        """What was used in it, once it has ended."""
        self._begun = begun

    def end(self, now: EmissionsData) -> EmissionsData:
        """Ends it at a row of the run."""
        self.emissions_data, self.is_active = now.since(self._begun), False
        return self.emissions_data

    def out(self) -> Optional[TaskEmissionsData]:
        """Its row, once it has ended."""
        return None if self.emissions_data is None else TaskEmissionsData.of(self.task_name, self.emissions_data)
