"""Rows to Pydantic Logfire."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ....errors import MissingDependencyError
from ..base_output import BaseOutput

if TYPE_CHECKING:
    from ..emissions_data import EmissionsData

_COUNTERS = {"duration": "s", "emissions": "kg", "energy_consumed": "kWh"}
_GAUGES = {
    "emissions_rate": "kg/s",
    "cpu_power": "W",
    "gpu_power": "W",
    "ram_power": "W",
    "cpu_energy": "kWh",
    "gpu_energy": "kWh",
    "ram_energy": "kWh",
}


class LogfireOutput(BaseOutput):
    """Metrics ``codecarbon_<column>`` by the package ``logfire``, which must be installed. What is not known is not sent."""

    def __init__(self) -> None:
        try:
            logfire: Any = import_module("logfire")
        except ImportError as error:
            raise MissingDependencyError("logfire is not installed", "install it with `pip install logfire`") from error
        logfire.configure()
        self._counters = {name: logfire.metric_counter(f"codecarbon_{name}", unit=unit) for name, unit in _COUNTERS.items()}
        self._gauges = {name: logfire.metric_gauge(f"codecarbon_{name}", unit=unit) for name, unit in _GAUGES.items()}

    def out(self, total: EmissionsData, delta: EmissionsData) -> None:
        known = delta.known
        for name, counter in self._counters.items():
            if known[name] is not None:
                counter.add(known[name])
        for name, gauge in self._gauges.items():
            if known[name] is not None:
                gauge.set(known[name])

    def live_out(self, total: EmissionsData, delta: EmissionsData) -> None:
        self.out(total, delta)
