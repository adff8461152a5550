"""Which outputs a tracker has."""

from __future__ import annotations

import logging
from typing import Any, cast

from ..errors import ConfigurationError
from ._parameters import Parameters
from .external.logger import logger
from .output_methods.base_output import BaseOutput, OutputMethod
from .output_methods.file import FileOutput
from .output_methods.http import HTTPOutput
from .output_methods.logger import LoggerOutput

# The older way to choose a method, and whether it is chosen without a word.
_FLAGS = {
    OutputMethod.CSV: ("save_to_file", True),
    OutputMethod.LOGGER: ("save_to_logger", False),
    OutputMethod.PROMETHEUS: ("save_to_prometheus", False),
    OutputMethod.LOGFIRE: ("save_to_logfire", False),
}
_GATEWAY = "http://localhost:9091"


def outputs(parameters: Parameters) -> list[BaseOutput]:
    """All that a tracker writes to: handlers first, then methods in the order in which they are named."""
    found: list[BaseOutput] = list(parameters.get("output_handlers", []))
    for method in _methods(parameters):
        output = _output(method, parameters)
        if output is not None:
            found.append(output)
    endpoint = parameters.get("emissions_endpoint")
    if endpoint:
        found.append(HTTPOutput(str(endpoint)))
    return found


def _methods(parameters: Parameters) -> list[OutputMethod]:
    named: Any = parameters.get("output_methods")
    if named is None:
        return [method for method, (flag, default) in _FLAGS.items() if parameters.flag(flag, default)]
    if isinstance(named, str):
        named = [part.strip() for part in named.split(",") if part.strip()]
    try:
        return [OutputMethod(name) for name in named]
    except ValueError as error:
        raise ConfigurationError(f"output_methods: {error}", "give csv, logger, prometheus or logfire") from error


def _output(method: OutputMethod, parameters: Parameters) -> BaseOutput | None:
    if method is OutputMethod.CSV:
        name, directory = parameters.text("output_file", "emissions.csv"), parameters.text("output_dir", ".")
        return FileOutput(name, directory, parameters.text("on_csv_write", "append"))
    if method is OutputMethod.LOGGER:
        to = parameters.get("logging_logger") or logger
        # A plain logger, or an object that handles rows as LoggerOutput does.
        return LoggerOutput(to) if isinstance(to, logging.Logger) else cast("BaseOutput", to)
    if method is OutputMethod.PROMETHEUS:
        from .output_methods.metrics.prometheus import PrometheusOutput

        return PrometheusOutput(parameters.text("prometheus_url", _GATEWAY))
    if method is OutputMethod.LOGFIRE:
        from .output_methods.metrics.logfire import LogfireOutput

        return LogfireOutput()
    logger.warning("output method %s is not served here: csv, logger, prometheus and logfire are", method.value)
    return None
