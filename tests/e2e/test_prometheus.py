"""A real Prometheus scrapes, and its queries give power per process."""

import json
import os
import shutil
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from contextlib import ExitStack
from datetime import datetime

import pytest

from linux import free_port, node_busy_seconds, process_seconds
from polling import wait_until
from workloads import running, spinning

SCRAPES = 15

CONFIGURATION = """
global: {{ scrape_interval: 1s }}
scrape_configs:
  - job_name: kepler
    static_configs: [{{ targets: ["{address}"] }}]
"""


class Prometheus:
    def __init__(self, address: str):
        self.url = f"http://{address}"

    def is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/-/ready", timeout=5) as answer:
                return answer.status == 200
        except (urllib.error.URLError, ConnectionError):
            return False

    def query(self, expression: str) -> list[tuple[dict[str, str], float]]:
        """The instant vector that a query gives, in its order."""
        query = urllib.parse.urlencode({"query": expression})
        with urllib.request.urlopen(f"{self.url}/api/v1/query?{query}", timeout=10) as answer:
            result = json.load(answer)["data"]["result"]
        return [(row["metric"], float(row["value"][1])) for row in result]

    def value(self, expression: str) -> float | None:
        """The value of a query that gives one row, or `None` where it gives none."""
        rows = self.query(expression)
        assert len(rows) <= 1, rows
        return rows[0][1] if rows else None


@pytest.fixture
def prometheus(tmp_path):
    """Starts a Prometheus that scrapes an address, and gives it with its log."""
    if shutil.which("prometheus") is None:
        pytest.skip("the Debian package prometheus is not installed")
    with ExitStack() as stack:

        def start(target: str, *flags: str):
            address = f"127.0.0.1:{free_port()}"
            configuration = tmp_path / "prometheus.yml"
            configuration.write_text(CONFIGURATION.format(address=target))
            log = tmp_path / "prometheus.log"
            command = [
                "prometheus",
                f"--config.file={configuration}",
                f"--storage.tsdb.path={tmp_path / 'tsdb'}",
                f"--web.listen-address={address}",
                *flags,
            ]
            file = stack.enter_context(log.open("wb"))
            stack.enter_context(running(command, stdout=file, stderr=subprocess.STDOUT))
            server = Prometheus(address)
            wait_until(server.is_ready, "Prometheus", seconds=30)
            return server, log

        yield start


def test_prometheus_scrapes_it_and_finds_power_per_process(kepler, prometheus, tmp_path, figure):
    server = kepler("--monitor.interval=1s")
    database, log = prometheus(server.address)
    with ExitStack() as stack:
        # One a CPU, so that there is no larger load, unless the machine has much else to do.
        loads = [stack.enter_context(spinning(tmp_path, name=b"e2e-top")) for _ in range(os.cpu_count() or 1)]
        used, busy = cpu_seconds(loads), node_busy_seconds()
        scraped = f'count_over_time(up{{job="kepler"}}[1m]) >= {SCRAPES}'
        wait_until(lambda: database.value(scraped), f"{SCRAPES} scrapes", seconds=60, step=0.5)
        share = (cpu_seconds(loads) - used) / (node_busy_seconds() - busy)

        def powers() -> dict[str, float]:
            top = database.query('topk(5, sum by (comm) (kepler_process_cpu_watts{zone="package"}))')
            return {labels["comm"]: watts for labels, watts in top}

        if share > 0.6:
            # In this moment or the next: something else may have been busier in one of them.
            wait_until(lambda: next(iter(powers()), None) == "e2e-top", "the largest load to be the first")
        shown = wait_until(lambda: (found := powers()).get("e2e-top") and found, "its power")
        # Of the same moment, and so of the same readings.
        ratio = database.value(
            'sum(rate(kepler_node_cpu_joules_total{zone="package"}[10s])) / sum(avg_over_time(kepler_node_cpu_watts{zone="package"}[10s]))'
        )

    assert database.value('avg_over_time(up{job="kepler"}[1m])') > 0.9, "the scrapes succeeded"
    assert database.value("scrape_samples_scraped") == database.value("scrape_samples_post_metric_relabeling") > 20
    figure(", ".join(f"{comm} {watts:.2f} W" for comm, watts in shown.items()))
    figure(f"e2e-top used {share:.0%} of the CPU time; energy by watts {ratio:.3f}")
    assert ratio == pytest.approx(1, rel=0.2)
    log_lines = log.read_text().lower().splitlines()
    complaints = [line for line in log_lines if "level=warn" in line or "level=error" in line]
    assert not complaints


def test_a_report_over_prometheus_has_prometheus_figures(kepler, kepler_bin, prometheus, tmp_path):
    server = kepler("--monitor.interval=1s", "--meter=fake")
    database, _ = prometheus(server.address)
    with spinning(tmp_path, name=b"e2e-report"):
        scraped = 'count_over_time(kepler_process_cpu_joules_total{comm="e2e-report",zone="package"}[1m]) >= 12'
        wait_until(lambda: database.query(scraped), "scrapes", seconds=60, step=0.5)

        def report(*arguments: str) -> str:
            command = [
                kepler_bin, "report", f"--source=prometheus={database.url}", "--from=1m", "--region=KR", "--pue=1.5",
                "--price=100", *arguments,
            ]  # fmt: skip
            done = subprocess.run(command, capture_output=True, text=True, timeout=60)
            assert done.returncode == 0, done.stderr
            return done.stdout

        found = json.loads(report("--by=process", "--format=json"))
        window = f"[1m] @ {datetime.fromisoformat(found['to']).timestamp()}"
        node = database.value(f'sum(max_over_time(kepler_node_cpu_joules_total{{zone=~"package|dram"}}{window}) - min_over_time(kepler_node_cpu_joules_total{{zone=~"package|dram"}}{window}))')
        own = database.value(f'sum(max_over_time(kepler_process_cpu_joules_total{{comm="e2e-report",zone=~"package|dram"}}{window}) - min_over_time(kepler_process_cpu_joules_total{{comm="e2e-report",zone=~"package|dram"}}{window}))')
    assert found["source"].startswith("prometheus http://127.0.0.1:")
    assert 0.1 < found["coverage"] <= 1 and found["steps"]
    row = next(row for row in found["rows"] if row["name"] == "e2e-report")
    # One scrape more or less at the edges.
    assert row["energy_joules"] == pytest.approx(own, rel=0.25)
    assert found["total"]["energy_joules"] >= node * 0.75
    assert row["cost"] == pytest.approx(row["energy_joules"] / 3.6e6 * 1.5 * 100, rel=1e-6)
    page = tmp_path / "report.html"
    report("-o", str(page))
    assert "e2e-report" in page.read_text() and "<svg" in page.read_text()


# What a Prometheus that prefers protocol buffers sends.
PROTOBUF = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited,*/*;q=0.1"


def test_prometheus_scrapes_protocol_buffers_and_finds_the_same_series(kepler, prometheus):
    server = kepler("--monitor.interval=1s")
    request = urllib.request.Request(f"http://{server.address}/metrics", headers={"Accept": PROTOBUF})
    with urllib.request.urlopen(request, timeout=10) as answer:
        assert answer.headers["Content-Type"].startswith("application/vnd.google.protobuf;")
    # Histograms of the newer kind are transported in this format only, so that Prometheus then asks for it first.
    database, log = prometheus(server.address, "--enable-feature=native-histograms")
    scraped = 'count_over_time(up{job="kepler"}[1m]) >= 3'
    wait_until(lambda: database.value(scraped), "3 scrapes", seconds=60, step=0.5)
    assert database.value('max_over_time(up{job="kepler"}[1m])') == 1, "scrapes succeed"
    assert database.value("scrape_samples_scraped") > 20
    zones = database.query("kepler_node_cpu_joules_total")
    assert any(labels["zone"] == "package" and value > 0 for labels, value in zones), zones
    assert database.value('count(kepler_process_cpu_watts{comm="kepler",state="running"})') >= 1
    complaints = [line for line in log.read_text().splitlines() if "level=warn" in line or "level=error" in line]
    assert not [line for line in complaints if "experimental" not in line.lower()], complaints


def test_tools_answer_from_prometheus(kepler, prometheus, tmp_path):
    measuring = kepler("--monitor.interval=200ms", "--kube.node-name=far-away")
    database, _ = prometheus(measuring.address)
    answering = kepler(f"--source=prometheus={database.url}", "--monitor.interval=200ms")
    asked = json.dumps({"workload_name": "e2e-spin", "window": "10s", "region": "KR"}).encode()
    request = urllib.request.Request(f"http://{answering.address}/tools/assess_workload_compliance", asked)

    def verdict() -> dict | None:
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                found = json.load(answer)
        except urllib.error.HTTPError:
            return None  # The workload is not known yet.
        return found if found["energy_joules"] else None

    with spinning(tmp_path):
        answer = wait_until(verdict, "a verdict", seconds=60, step=0.5)
    sources = {item["source"] for item in answer["inputs"] if item["name"] in ("energy", "power")}
    assert sources == {f"prometheus {database.url}/"}
    assert answer["kind"] == "process" and answer["power_watts"]["total"] > 0


def cpu_seconds(processes: list[subprocess.Popen]) -> float:
    return sum(process_seconds(process.pid) for process in processes)
