"""Outputs over HTTP, to a Pushgateway and to Logfire, and while a run goes on."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import ModuleType
from typing import Any

import pytest
from powercap import PowercapTree
from test_codecarbon import JOULES_PER_KWH, nothing_stated, offline, simulated  # noqa: F401 - fixtures

from kepler_power.codecarbon import BaseOutput, EmissionsData
from kepler_power.codecarbon.output import HTTPOutput, LoggerOutput, PrometheusOutput
from kepler_power.errors import MissingDependencyError


class Server:
    """Answers everything with a status, and remembers it."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, str, str, Any]] = []
        self.status = 201
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
                outer.requests.append((self.command, self.path, body, self.headers))
                self.send_response(outer.status)
                self.end_headers()

            do_POST = do_PUT = do_DELETE = answer

            def log_message(self, *arguments: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.server.shutdown()
    server.server.server_close()


def test_rows_are_posted_as_json_with_null_for_what_is_not_known(simulated: PowercapTree, server: Server) -> None:  # noqa: F811
    with offline(emissions_endpoint=f"{server.url}/rows", save_to_file=False):
        simulated.draw(package=3.6)
    ((method, path, body, headers),) = server.requests
    row = json.loads(body, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    assert (method, path, headers["Content-Type"]) == ("POST", "/rows", "application/json")
    assert row["cpu_energy"] == pytest.approx(3.6 / JOULES_PER_KWH) and row["water_consumed"] is None
    assert row["user"] and row["cpu_energy_method"] == "measured"


def test_an_endpoint_that_fails_ends_no_run(simulated: PowercapTree, server: Server) -> None:  # noqa: F811
    server.status = 500
    with offline(emissions_endpoint=server.url, save_to_file=False) as tracker:
        simulated.draw(package=3.6)
    assert tracker.final_emissions is not None


def test_a_pushgateway_gets_what_is_new_and_is_cleaned_up(
    simulated: PowercapTree, server: Server, monkeypatch: pytest.MonkeyPatch  # noqa: F811
) -> None:
    monkeypatch.setenv("PROMETHEUS_USERNAME", "me")
    monkeypatch.setenv("PROMETHEUS_PASSWORD", "secret")
    name = 'a "b"\n\\c'
    with offline(save_to_prometheus=True, prometheus_url=server.url, save_to_file=False, project_name=name) as tracker:
        simulated.draw(package=3.6)
        tracker.flush()
        simulated.draw(package=7.2)
    first, second, last = server.requests
    assert [request[:2] for request in server.requests] == [
        ("PUT", "/metrics/job/codecarbon"),
        ("PUT", "/metrics/job/codecarbon"),
        ("DELETE", "/metrics/job/codecarbon"),
    ]
    assert first[3]["Authorization"] == "Basic bWU6c2VjcmV0"
    values = {line.split("{")[0]: float(line.rsplit(" ", 1)[1]) for line in second[2].splitlines() if line[0] != "#"}
    assert values["codecarbon_cpu_energy"] == pytest.approx(7.2 / JOULES_PER_KWH)
    assert values["codecarbon_energy_total"] == pytest.approx(10.8 / JOULES_PER_KWH)
    assert r'project_name="a \"b\"\n\\c",energy_method="measured"' in second[2]
    assert second[2].endswith("\n") and "nan" not in second[2]
    assert PrometheusOutput("gateway:9091").prometheus_url == "http://gateway:9091"


def test_figures_that_are_not_known_are_not_pushed(server: Server) -> None:
    unknown = {name: float("nan") for name in EmissionsData.__dataclass_fields__ if name.endswith(("energy", "power", "consumed"))}
    data = EmissionsData(**{**dict.fromkeys(list(EmissionsData.__dataclass_fields__)[:31], 0.0), **unknown, "project_name": "p"})  # type: ignore[arg-type]
    PrometheusOutput(server.url).out(data, data)
    text = server.requests[0][2]
    assert "cpu_energy" not in text and "energy_total" not in text and "codecarbon_duration" in text


def test_live_outputs_are_called_while_a_run_goes_on(simulated: PowercapTree) -> None:  # noqa: F811
    class Live(BaseOutput):
        def __init__(self) -> None:
            self.deltas: list[float] = []
            self.called = threading.Event()

        def live_out(self, total: EmissionsData, delta: EmissionsData) -> None:
            self.deltas.append(delta.cpu_energy * JOULES_PER_KWH)
            self.called.set()

        def out(self, total: EmissionsData, delta: EmissionsData) -> None:
            self.deltas.append(delta.cpu_energy * JOULES_PER_KWH)

    live, never = Live(), Live()
    with offline(output_handlers=[live], measure_power_secs=0.01, api_call_interval=2, save_to_file=False):
        simulated.draw(package=2.0)
        assert live.called.wait(10)
        simulated.draw(package=3.0)
    assert len(live.deltas) >= 2 and sum(live.deltas) == pytest.approx(5.0)
    count = len(live.deltas)
    time.sleep(0.1)
    assert len(live.deltas) == count, "none after the end"
    with offline(output_handlers=[never], measure_power_secs=0.01, api_call_interval=-1, save_to_file=False):
        time.sleep(0.1)
    assert len(never.deltas) == 1


def test_logfire_gets_metrics_by_its_own_package(simulated: PowercapTree, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    monkeypatch.setitem(sys.modules, "logfire", None)
    with pytest.raises(MissingDependencyError, match="pip install logfire"):
        offline(save_to_logfire=True)
    seen: dict[str, list[float]] = {}

    class Metric:
        def __init__(self, name: str, unit: str) -> None:
            self.add = self.set = seen.setdefault(name, []).append

    logfire: Any = ModuleType("logfire")
    logfire.configure, logfire.metric_counter, logfire.metric_gauge = (lambda: None), Metric, Metric
    monkeypatch.setitem(sys.modules, "logfire", logfire)
    with offline(output_methods="logfire"):
        simulated.draw(package=3.6)
    assert seen["codecarbon_energy_consumed"] == pytest.approx([3.6 / JOULES_PER_KWH])


def test_a_handler_is_a_logger_with_its_severity_or_a_cloud_logger(simulated: PowercapTree) -> None:  # noqa: F811
    from kepler_power.codecarbon.output import GoogleCloudLoggerOutput

    class Cloud:
        def __init__(self) -> None:
            self.rows: list[tuple[dict[str, Any], Any]] = []

        def log_struct(self, row: dict[str, Any], severity: Any) -> None:
            self.rows.append((row, severity))

    cloud = Cloud()
    with offline(save_to_logger=True, save_to_file=False, logging_logger=GoogleCloudLoggerOutput(cloud, "INFO")):
        simulated.draw(package=1.0)
    ((row, severity),) = cloud.rows
    assert severity == "INFO" and row["country_iso_code"] == "FRA" and row["water_consumed"] is None
    assert issubclass(GoogleCloudLoggerOutput, LoggerOutput) and HTTPOutput("https://host/x").endpoint_url == "https://host/x"
