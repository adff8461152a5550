"""Every expression of the dashboards, and of Kepler's own, asked of a real Prometheus: it returns data, or is listed with the reason."""

import json
import re
import shutil
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from linux import free_port
from nvidia import gpu
from polling import wait_until
from workloads import cgroup, running, spinning

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "deploy/grafana"))

import generate

# Dashboards of the repositories kepler (2026-08) and kepler-operator (2026-04), Apache-2.0: their expressions.
PUBLISHED = json.loads((Path(__file__).parent / "data/kepler-dashboards.json").read_text())

# What this machine does not have, by the metrics that tell of it; the first that fits is named.
REASONS = {
    r"kepler_platform_|ipmi_|kepler_node_platform_": "no BMC that tells of the platform",
    r"kepler_vm_": "no virtual machine here",
    r"owner_name|kepler_kubernetes_": "no Kubernetes here",
    r"kepler_command_": "short-lived processes are seen by eBPF alone",
    r"kepler_node_cpu_watts_(lower|upper)|kepler_power_source_error_ratio|kepler_estimate_warnings": "nothing is estimated here",
    r"kepler_read_errors|kepler_zone_events": "no fault so far",
    r"node_rapl_|node_exporter_": "of node_exporter",
    r"scaph_": "of Scaphandre",
    r"node_dram\b": "no metric of any release",
    r"kepler_node_\$?\{?\w+\}?_watts|kepler_node_energy_zone": "names of a version before 0.10 that was not released",
    r"kepler_node_(core|uncore)_joules": "no such zone here",
}
# The same where the stand-in of a GPU cannot be made.
WITHOUT_GPU = {r"kepler_\w*gpu_": "no GPU here"}
# The same where no cgroups can be made.
WITHOUT_CGROUPS = {
    r"kepler_pod_|pod_name|pod_namespace": "no pod here",
    r"kepler_container_": "no container here",
    r"kepler_job_": "no batch job here",
    r"kepler_unit_": "no systemd here",
}
# The names of Go Kepler v0.11 and its main of 2026-08, as docs/exporter.md's table and `kepler --compat=kepler` have them.
GO = re.compile(
    r"kepler_(build_info|node_cpu_info|node_cpu_usage_ratio|platform_watts|node_gpu_(idle_|active_)?(joules_total|watts)"
    r"|node_cpu_(active_|idle_)?(joules_total|watts)|(process|container|pod)_gpu_(joules_total|watts)"
    r"|(process|container|pod|vm)_cpu_(joules_total|watts)|(process|container)_cpu_seconds_total)"
)

# Which the dashboards have another figure for where they are not there.
REPLACED = {"kepler_grid_intensity_grams_per_kwh", "kepler_facility_pue", "kepler_energy_price", "kepler_pod_info", "kepler_container_info"}

# A pod with a container, a unit and a job, as their cgroups are called, where cgroups can be made.
CGROUPS = {
    b"in-pod": f"kubepods/besteffort/pod6d1b1e9e-0000-4000-8000-0123456789ab/{'ab' * 32}",
    b"in-unit": "system.slice/e2e-grafana.service",
    b"in-job": "slurm/uid_1000/job_4711",
}

# There once both forms have been scraped twice.
RATE = 'rate(kepler_process_cpu_joules_total{comm="burner",job="power-monitor"}[20s]) > 0'

CONFIGURATION = """
global: {{ scrape_interval: 1s }}
scrape_configs:
  - {{ job_name: kepler, static_configs: [{{ targets: ["{ours}"] }}] }}
  - {{ job_name: dev, static_configs: [{{ targets: ["{ours}"] }}] }}
  - {{ job_name: kepler-latest, static_configs: [{{ targets: ["{go}"] }}] }}
  - {{ job_name: power-monitor, static_configs: [{{ targets: ["{go}"] }}] }}
  # As Kepler's dashboard of accuracy has an older version beside the newest.
  - job_name: old
    static_configs: [{{ targets: ["{ours}"] }}]
    metric_relabel_configs:
      - {{ source_labels: [__name__], regex: "(kepler_.*)", target_label: __name__, replacement: "old_$1" }}
"""


class Asked:
    """A Prometheus that scrapes both forms of the exporter."""

    def __init__(self, url: str, variables: dict[str, str], reasons: dict[str, str]):
        self.url, self.variables, self.reasons = url, variables, reasons

    def rows(self, expression: str) -> int:
        for name, value in self.variables.items():
            expression = expression.replace(f"${{{name}}}", value)
            expression = re.sub(rf"\${name}\b", value, expression)
        query = urllib.parse.urlencode({"query": expression})
        try:
            with urllib.request.urlopen(f"{self.url}/api/v1/query?{query}", timeout=20) as answer:
                return len(json.load(answer)["data"]["result"])
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{expression}: {error.read().decode()}") from error

    def reason(self, expression: str) -> str | None:
        return next((reason for names, reason in self.reasons.items() if re.search(names, expression)), None)

    def sort(self, expressions: list[str]) -> tuple[list[str], dict[str, str], list[str]]:
        """Those that return data, those that do not with the reason, those without either."""
        full, empty, wrong = [], {}, []
        for expression in expressions:
            reason = self.reason(expression)
            if self.rows(expression):
                full.append(expression)
            elif reason:
                empty[expression] = reason
            else:
                wrong.append(expression)
        return full, empty, wrong


@pytest.fixture(scope="module")
def asked(kepler_bin: Path, tmp_path_factory) -> Iterator[Asked]:
    if shutil.which("prometheus") is None:
        pytest.skip("the Debian package prometheus is not installed")
    folder = tmp_path_factory.mktemp("grafana")
    with ExitStack() as stack:
        nvidia = stack.enter_context(gpu(folder))
        descriptors = {"pass_fds": (nvidia.descriptor,)} if nvidia else {}
        burner = stack.enter_context(spinning(folder, b"burner", **descriptors))
        users, has_cgroups = [burner], True
        for name, path in CGROUPS.items():
            enter = stack.enter_context(cgroup(path))
            process = stack.enter_context(spinning(folder, name, **descriptors))
            users.append(process)
            if enter:
                enter(process.pid)
            has_cgroups &= enter is not None
        ports = [free_port() for _ in range(3)]
        ours, go, prometheus = (f"127.0.0.1:{port}" for port in ports)
        meter = ["--meter=fake"]
        if nvidia:
            nvidia.lines = [f"process gpu=0 pid={user.pid} sm=20" for user in users]
            meter += ["--experimental.gpu.enabled=true", f"--experimental.gpu.nvml-library={nvidia.library}", "--experimental.gpu.idle-power=50"]
        for address, flags in ((ours, ["serve", "--metrics.compat=kepler-0.7", "--region=SE", "--pue=1.1", "--price=0.2", "--currency=EUR"]), (go, ["--compat=kepler"])):
            log = stack.enter_context((folder / f"{address}.log").open("wb"))
            command = [str(kepler_bin), *flags, *meter, f"--web.listen-address={address}", "--monitor.interval=1s"]
            stack.enter_context(running(command, stdout=log, stderr=log))
        configuration = folder / "prometheus.yml"
        configuration.write_text(CONFIGURATION.format(ours=ours, go=go))
        command = ["prometheus", f"--config.file={configuration}", f"--storage.tsdb.path={folder / 'tsdb'}", f"--web.listen-address={prometheus}"]
        log = stack.enter_context((folder / "prometheus.log").open("wb"))
        stack.enter_context(running(command, stdout=log, stderr=log))
        variables = {
            "__rate_interval": "20s", "__range_s": "30", "__range": "30s", "node": ".*", "zone": "package", "namespace": ".*", "pod": ".*",
            "instance": ".*", "container": ".*", "vm": ".*", "job": "kepler", "process": str(burner.pid), "zone_name": "package", "zones": "package", "nodename": ".*", "pid": str(burner.pid),
            "intensity": "476", "pue": "1.2", "limit": "424", "price": "0.15",
        }  # fmt: skip
        reasons = REASONS | ({} if has_cgroups else WITHOUT_CGROUPS) | ({} if nvidia else WITHOUT_GPU)
        asking = Asked(f"http://{prometheus}", variables, reasons)

        def started() -> bool:
            try:
                with urllib.request.urlopen(f"{asking.url}/-/ready", timeout=5) as answer:
                    return answer.status == 200
            except (urllib.error.URLError, ConnectionError):
                return False

        def scraped() -> bool:
            return bool(asking.rows(RATE)) and asking.rows("count_over_time(up[1h]) > 8") >= 5

        wait_until(started, "Prometheus", seconds=30)
        wait_until(scraped, "scrapes of both", seconds=60)
        yield asking


def expressions_of(name: str) -> list[str]:
    panels = generate.dashboard(name)["panels"]
    return list(dict.fromkeys(target["expr"] for panel in panels for target in panel["targets"]))


def test_the_dashboards_are_those_that_the_generator_writes():
    assert {path.name for path in generate.DASHBOARDS.glob("*.json")} == {path.name for path in generate.files()}
    for path, text in generate.files().items():
        assert path.read_text() == text, f"run deploy/grafana/generate.py: {path}"
    assert (ROOT / "deploy/grafana/dashboards").resolve() == generate.DASHBOARDS.resolve()


@pytest.mark.parametrize("name", generate.ALL)
def test_every_expression_returns_data_or_has_a_reason(asked, name, figure):
    expressions = expressions_of(name)
    full, empty, wrong = asked.sort(expressions)
    figure(f"{len(full)} of {len(expressions)} return data; {sorted(set(empty.values()))}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("name", generate.ALL)
def test_what_is_not_marked_as_ours_asks_for_go_keplers_metrics_only(name):
    for panel in generate.dashboard(name)["panels"]:
        if generate.OURS not in panel.get("description", ""):
            for target in panel["targets"]:
                for metric in re.findall(r"\bkepler_\w+", target["expr"]):
                    assert GO.fullmatch(metric) or metric in REPLACED, f"{panel['title']}: {metric}"


def test_what_is_not_marked_as_ours_returns_data_of_go_keplers_form_too(asked):
    for name in generate.ALL:
        for panel in generate.dashboard(name)["panels"]:
            for target in panel["targets"]:
                if generate.OURS in panel.get("description", ""):
                    continue
                # The same of one job's series alone.
                of_go = re.sub(r"(kepler_\w+)\{", r'\1{job="kepler-latest",', target["expr"])
                assert asked.rows(of_go) or asked.reason(of_go), f"{panel['title']}: {of_go}"


def test_carbon_is_reckoned_with_what_exporters_say_of_their_place_else_with_the_boxes(asked):
    def value(expression: str) -> float:
        query = urllib.parse.urlencode({"query": expression.replace("$intensity", "476").replace("$pue", "1.2").replace("$price", "0.15")})
        with urllib.request.urlopen(f"{asked.url}/api/v1/query?{query}", timeout=20) as answer:
            return float(json.load(answer)["data"]["result"][1])

    exported = {name: expression.replace("$node", ".*") for name, expression in vars(generate).items() if name in ("INTENSITY", "PUE", "PRICE")}
    assert value(exported["INTENSITY"]) < 100, "Sweden's"
    assert (value(exported["PUE"]), value(exported["PRICE"])) == (1.1, 0.2)
    elsewhere = {name: expression.replace('=~".*"', '="elsewhere"') for name, expression in exported.items()}
    assert [value(elsewhere[name]) for name in ("INTENSITY", "PUE", "PRICE")] == [476, 1.2, 0.15]


def test_keplers_own_dashboards_keep_working(asked, figure):
    expressions = [expression for file in PUBLISHED for expression in file["expressions"]]
    full, empty, wrong = asked.sort(expressions)
    for reason in sorted(set(empty.values())):
        figure(f"{sum(other == reason for other in empty.values())} without data: {reason}")
    figure(f"{len(full)} of {len(expressions)} return data")
    assert not wrong, "\n".join(wrong)
    assert len(full) >= 50


def test_the_dashboard_of_gpus_has_data_wherever_it_asks_for_a_gpu(asked):
    if WITHOUT_GPU.keys() <= asked.reasons.keys():
        pytest.skip("no compiler for the stand-in of NVIDIA's library, or no right to make a file in /dev")
    asks = [expression for expression in expressions_of("gpu-platform") if "_gpu_" in expression]
    assert len(asks) >= 7
    empty = [expression for expression in asks if not asked.rows(expression) and "kepler_platform_" not in expression]
    assert not empty, "\n".join(empty)


# Of each kind one that Kubernetes named late, one that it named at once, and one of Go Kepler, which tells no names beside.
NAMED = """
evaluation_interval: 1m
tests:
  - interval: 1m
    input_series:
      - { series: 'kepler_container_cpu_watts{node_name="a",zone="package",state="running",container_id="0123456789abcdef",container_name="0123456789ab"}', values: "4x30" }
      - { series: 'kepler_container_info{node_name="a",container_id="0123456789abcdef",container_name="nginx",container_kind="regular"}', values: "_x5 1x25" }
      - { series: 'kepler_container_cpu_watts{node_name="a",zone="package",state="running",container_id="1111",container_name="redis"}', values: "2x30" }
      - { series: 'kepler_container_info{node_name="a",container_id="1111",container_name="redis",container_kind="regular"}', values: "1x30" }
      - { series: 'kepler_container_cpu_watts{node_name="b",zone="package",state="running",container_id="2222",container_name="go"}', values: "1x30" }
      - { series: 'kepler_pod_cpu_joules_total{node_name="a",zone="package",state="running",pod_id="late"}', values: "0+60x10 _x20" }
      - { series: 'kepler_pod_cpu_joules_total{node_name="a",zone="package",state="running",pod_id="late",pod_namespace="shop",pod_name="web-0"}', values: "_x11 0+60x19" }
      - { series: 'kepler_pod_info{node_name="a",pod_id="late",pod_namespace="shop",pod_name="web-0",owner_name=""}', values: "_x5 1x5" }
      - { series: 'kepler_pod_info{node_name="a",pod_id="late",pod_namespace="shop",pod_name="web-0",owner_name="web"}', values: "_x9 1x20" }
      - { series: 'kepler_pod_cpu_joules_total{node_name="a",zone="package",state="running",pod_id="other",pod_namespace="cache",pod_name="redis-0"}', values: "0+60x30" }
      - { series: 'kepler_pod_info{node_name="a",pod_id="other",pod_namespace="cache",pod_name="redis-0",owner_name="redis"}', values: "1x30" }
      - { series: 'kepler_pod_cpu_joules_total{node_name="b",zone="package",state="running",pod_id="go",pod_namespace="shop",pod_name="go-0"}', values: "0+60x30" }
    promql_expr_test:
      - expr: '%(containers)s'
        eval_time: 3m
        exp_samples: [{ labels: '{container_id="0123456789abcdef",container_name="0123456789ab"}', value: 4 }, { labels: '{container_id="1111",container_name="redis"}', value: 2 }, { labels: '{container_id="2222",container_name="go"}', value: 1 }]
      - expr: '%(containers)s'
        eval_time: 20m
        exp_samples: [{ labels: '{container_id="0123456789abcdef",container_name="nginx"}', value: 4 }, { labels: '{container_id="1111",container_name="redis"}', value: 2 }, { labels: '{container_id="2222",container_name="go"}', value: 1 }]
      - expr: 'round(%(pods)s / 60)'
        eval_time: 20m
        exp_samples: [{ labels: '{pod_namespace="shop",pod_name="web-0"}', value: 20 }, { labels: '{pod_namespace="shop",pod_name="go-0"}', value: 20 }]
"""


def test_what_kubernetes_names_late_is_shown_by_its_name_and_counted_once(tmp_path):
    if shutil.which("promtool") is None:
        pytest.skip("the Debian package prometheus is not installed")

    def asked(expression: str) -> str:
        for name, value in {"$node": ".*", "$zone": "package", "$namespace": "shop", "$__range": "20m"}.items():
            expression = expression.replace(name, value)
        return expression

    containers = asked(generate.named("container", "cpu_watts", generate.LIVE))
    pods = asked(generate.used("pod", "pod_namespace, pod_name", generate.ZONE, generate.IN_NAMESPACE))
    test = tmp_path / "test.yaml"
    test.write_text(NAMED % {"containers": containers, "pods": pods})
    done = subprocess.run(["promtool", "test", "rules", str(test)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


def test_rules_and_alerts_are_valid_and_fire_when_they_should():
    if shutil.which("promtool") is None:
        pytest.skip("the Debian package prometheus is not installed")
    folder = ROOT / "deploy/prometheus"
    for command in (["check", "rules", "kepler-rules.yaml"], ["test", "rules", "kepler-rules.test.yaml"]):
        done = subprocess.run(["promtool", *command], cwd=folder, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stdout + done.stderr
