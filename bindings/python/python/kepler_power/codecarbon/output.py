"""Outputs by the names that scripts import from ``codecarbon.output``."""

from __future__ import annotations

from .output_methods.base_output import BaseOutput, OutputMethod
from .output_methods.emissions_data import EmissionsData, TaskEmissionsData
from .output_methods.file import FileOutput
from .output_methods.http import HTTPOutput
from .output_methods.logger import GoogleCloudLoggerOutput, LoggerOutput
from .output_methods.metrics.logfire import LogfireOutput
from .output_methods.metrics.prometheus import PrometheusOutput

__all__ = [
    "BaseOutput",
    "EmissionsData",
    "FileOutput",
    "GoogleCloudLoggerOutput",
    "HTTPOutput",
    "LogfireOutput",
    "LoggerOutput",
    "OutputMethod",
    "PrometheusOutput",
    "TaskEmissionsData",
]
