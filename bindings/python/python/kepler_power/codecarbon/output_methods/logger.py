"""Rows to loggers."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any

from .base_output import BaseOutput

if TYPE_CHECKING:
    from .emissions_data import EmissionsData


class LoggerOutput(BaseOutput):
    """Rows as one line of JSON each to a logger of the standard library.

    :param logger: where to.
    :param severity: the level of the line.
    """

    def __init__(self, logger: Any, severity: int = logging.INFO) -> None:
        self.logger = logger
        self.logging_severity = severity

    def out(self, total: EmissionsData, delta: EmissionsData) -> None:
        self.logger.log(self.logging_severity, json.dumps(total.known))

    def live_out(self, total: EmissionsData, delta: EmissionsData) -> None:
        self.out(total, delta)


class GoogleCloudLoggerOutput(LoggerOutput):
    """Rows as structures to a logger of ``google.cloud.logging``."""

    def out(self, total: EmissionsData, delta: EmissionsData) -> None:
        self.logger.log_struct(dict(total.known), severity=self.logging_severity)
