"""Rows to a Prometheus Pushgateway, by its HTTP interface."""

from __future__ import annotations

import base64
import os
from typing import TYPE_CHECKING
from urllib.parse import quote
from urllib.request import Request, urlopen

from ..base_output import BaseOutput
from ..http import require_http

if TYPE_CHECKING:
    from ..emissions_data import EmissionsData

_TIMEOUT_SECONDS = 10

# Metric (CodeCarbon's names) and column. Unlike the columns they are of the time since the last push.
_GAUGES = {
    "codecarbon_duration": ("duration", "Time since the last row, seconds"),
    "codecarbon_emissions": ("emissions", "Emissions since the last row, kg of CO2e"),
    "codecarbon_emissions_rate": ("emissions_rate", "Emissions, kg of CO2e per second"),
    "codecarbon_cpu_power": ("cpu_power", "Mean power of processors, W"),
    "codecarbon_gpu_power": ("gpu_power", "Mean power of graphics processors, W"),
    "codecarbon_ram_power": ("ram_power", "Mean power of memory, W"),
    "codecarbon_cpu_energy": ("cpu_energy", "Energy of processors since the last row, kWh"),
    "codecarbon_gpu_energy": ("gpu_energy", "Energy of graphics processors since the last row, kWh"),
    "codecarbon_ram_energy": ("ram_energy", "Energy of memory since the last row, kWh"),
    "codecarbon_energy_consumed": ("energy_consumed", "Energy since the last row, kWh"),
}


class PrometheusOutput(BaseOutput):
    """Metrics of a run in a Pushgateway, removed from it when the run ends. What is not known is not sent.

    ``PROMETHEUS_USERNAME`` and ``PROMETHEUS_PASSWORD`` of the environment are used where they are set.

    :param prometheus_url: of the gateway; without a scheme it is taken for http.
    :param job_name: the job they are grouped under.
    """

    def __init__(self, prometheus_url: str, job_name: str = "codecarbon") -> None:
        url = prometheus_url if "://" in prometheus_url else f"http://{prometheus_url}"
        self.prometheus_url = require_http(url, "prometheus_url").rstrip("/")
        self.job_name = job_name
        self._consumed_kwh = 0.0

    def out(self, total: EmissionsData, delta: EmissionsData) -> None:
        self._consumed_kwh += delta.energy_consumed
        self._request("PUT", self._text(delta).encode())

    def live_out(self, total: EmissionsData, delta: EmissionsData) -> None:
        self.out(total, delta)

    def exit(self) -> None:
        self._request("DELETE", None)

    def _text(self, delta: EmissionsData) -> str:
        labels = f'{{project_name="{_escaped(delta.project_name)}",energy_method="{delta.energy_method}"}}'
        lines: list[str] = []
        for metric, (column, text) in _GAUGES.items():
            value = delta.known[column]
            if value is not None:
                lines += [f"# HELP {metric} {text}", f"# TYPE {metric} gauge", f"{metric}{labels} {value!r}"]
        total = "codecarbon_energy_total"
        if self._consumed_kwh == self._consumed_kwh:
            lines += [f"# HELP {total} Energy since the run began, kWh", f"# TYPE {total} counter"]
            lines.append(f"{total}{labels} {self._consumed_kwh!r}")
        return "\n".join(lines) + "\n"

    def _request(self, method: str, body: bytes | None) -> None:
        headers = {"Content-Type": "text/plain; version=0.0.4; charset=utf-8"}
        user, password = os.environ.get("PROMETHEUS_USERNAME"), os.environ.get("PROMETHEUS_PASSWORD")
        if user is not None and password is not None:
            headers["Authorization"] = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
        url = f"{self.prometheus_url}/metrics/job/{quote(self.job_name, safe='')}"
        with urlopen(Request(url, body, headers, method=method), timeout=_TIMEOUT_SECONDS):
            pass


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
