"""Writes the dashboards: `python deploy/grafana/generate.py` after a change here.

They stand below the Helm chart, which cannot read files outside of it; `deploy/grafana/dashboards` is a link to them.
Every expression asks for metrics that Go Kepler v0.11 has as well, but those that are marked `OURS`.
"""

import json
import sys
from pathlib import Path

HERE = Path(__file__).parent
DASHBOARDS = HERE.parent / "helm/kepler/files/dashboards"
SOURCE = {"type": "prometheus", "uid": "${datasource}"}
OURS = "Kepler in Rust only."
NODE = 'node_name=~"$node"'
ZONE = f'{NODE},zone=~"$zone"'
LIVE = f'{ZONE},state="running"'
IN_NAMESPACE = ',pod_namespace=~"$namespace"'
# What Kubernetes calls them.
NAMES = {"pod": "pod_namespace, pod_name", "container": "container_name"}
KWH = 3.6e6


def variable(name: str, label: str, query: str, multi: bool = True, default: str | None = None) -> dict:
    everything = {"text": "All", "value": "$__all"}
    return {
        "name": name, "label": label, "type": "query", "datasource": SOURCE, "query": {"query": query, "refId": name},
        "refresh": 2, "includeAll": multi, "multi": multi, "sort": 1,
        "current": {"text": default, "value": default} if default else everything,
    }  # fmt: skip


def box(name: str, label: str, value: str) -> dict:
    """A number that people write."""
    current = {"text": value, "value": value}
    return {"name": name, "label": label, "type": "textbox", "query": value, "current": current, "options": [current | {"selected": True}]}


DATASOURCE = {"name": "datasource", "label": "Prometheus", "type": "datasource", "query": "prometheus", "current": {}}
NODES = variable("node", "Node", "label_values(kepler_node_cpu_watts, node_name)")
ZONES = variable("zone", "Zone", "label_values(kepler_node_cpu_watts, zone)", multi=False, default="package")
NAMESPACES = variable("namespace", "Namespace", f'label_values({{__name__=~"kepler_pod_cpu_watts|kepler_pod_info",{NODE}}}, pod_namespace)')
# Where exporters are told their region, PUE and price they export them; else what is written here is taken, that of ap-northeast-2.
FACILITY = [
    box("intensity", "Grid, gCO2e/kWh, if not exported", "476"),
    box("pue", "PUE, if not exported", "1.2"),
    box("limit", "Limit, gCO2e/kWh of IT energy", "424"),
    box("price", "Price of a kWh, if not exported", "0.15"),
]
INTENSITY = f"scalar(avg(kepler_grid_intensity_grams_per_kwh{{{NODE}}}) or vector($intensity))"
PUE = f"scalar(avg(kepler_facility_pue{{{NODE}}}) or vector($pue))"
PRICE = f"scalar(avg(kepler_energy_price{{{NODE}}}) or vector($price))"
# Grams of a joule of IT energy, and what it costs.
GRAMS, COST = f"{INTENSITY} * {PUE} / 3.6e6", f"{PRICE} * {PUE} / 3.6e6"


def panel(kind: str, title: str, *targets: tuple[str, str], unit: str = "watt", width: int = 12, height: int = 8, note: str = "", **more) -> dict:
    """A panel of expressions with their legends."""
    instant = kind in ("stat", "table", "bargauge", "gauge")
    defaults = {"unit": unit, "noValue": "unknown"}
    if kind == "timeseries":
        custom = {"fillOpacity": 40 if more.get("stack") else 8, "lineWidth": 1, "showPoints": "never"}
        if more.get("stack"):
            custom["stacking"] = {"mode": "normal", "group": "A"}
        defaults |= {"custom": custom, "min": 0}
    defaults |= more.get("defaults", {})
    made = {
        "type": kind, "title": title, "datasource": SOURCE, "gridPos": {"w": width, "h": height},
        "fieldConfig": {"defaults": defaults, "overrides": more.get("overrides", [])},
        "targets": [
            {"refId": chr(ord("A") + index), "expr": expression, "legendFormat": legend, "datasource": SOURCE, "editorMode": "code"}
            | ({"instant": True, "range": False} if instant else {"range": True})
            | ({"format": "table"} if kind == "table" else {})
            for index, (expression, legend) in enumerate(targets)
        ],
    }  # fmt: skip
    if note:
        made["description"] = note
    if kind == "timeseries":
        made["options"] = {"legend": {"displayMode": "table", "placement": "right", "calcs": ["mean", "max"]}, "tooltip": {"mode": "multi", "sort": "desc"}}
    if kind == "bargauge":
        made["options"] = {"orientation": "horizontal", "displayMode": "basic", "reduceOptions": {"calcs": ["lastNotNull"]}}
    if kind == "table":
        made["transformations"] = [{"id": "organize", "options": {"excludeByName": {"Time": True, "Value": True, "__name__": True, "job": True}}}]
    return made


def series(title: str, *targets: tuple[str, str], **more) -> dict:
    return panel("timeseries", title, *targets, **more)


def stat(title: str, expression: str, unit: str = "watt", **more) -> dict:
    return panel("stat", title, (expression, ""), unit=unit, width=more.pop("width", 4), height=4, **more)


def bars(title: str, *targets: tuple[str, str], unit: str = "kwatth", **more) -> dict:
    return panel("bargauge", title, *targets, unit=unit, height=more.pop("height", 9), **more)


def band(lower: str, upper: str) -> list[dict]:
    """Fills between two lines."""
    hide = {"id": "custom.lineStyle", "value": {"fill": "dash", "dash": [4, 4]}}
    return [
        {"matcher": {"id": "byName", "options": upper}, "properties": [hide, {"id": "custom.fillBelowTo", "value": lower}]},
        {"matcher": {"id": "byName", "options": lower}, "properties": [hide, {"id": "custom.fillOpacity", "value": 0}]},
    ]


def kwh(metric: str, by: str, labels: str, most: int = 15) -> str:
    return f"topk({most}, sum by ({by}) (increase({metric}{{{labels}}}[$__range]))) / {KWH:g}"


def named(level: str, metric: str, labels: str, window: str = "", namespace: str = "") -> str:
    """Values of pods or containers by the names that Kubernetes tells beside them, which may come after their series began; by those in their labels where it tells none."""
    own, names = f"{level}_id", NAMES[level]

    def values(by: str, of: str) -> str:
        shown = f"kepler_{level}_{metric}{{{of}}}"
        return f"sum by ({by}) ({f'increase({shown}[{window}])' if window else shown})"

    info = f"kepler_{level}_info{{{NODE}{namespace}}}"
    told = f"max by ({own}, {names}) ({f'last_over_time({info}[{window}])' if window else info})"
    return f"{values(own, labels)} * on ({own}) group_left ({names}) {told} or on ({own}) {values(f'{own}, {names}', labels + namespace)}"


def used(level: str, by: str, labels: str, namespace: str = "", most: int = 15) -> str:
    """Joules in the time shown."""
    return f"topk({most}, sum by ({by}) ({named(level, 'cpu_joules_total', labels, '$__range', namespace)}))"


WHERE_FROM = panel(
    "table", "Where figures come from",
    (f"max by (node_name, zone, source, method) (kepler_power_source_info{{{NODE}}})", ""),
    unit="none", note=f"measured, partial or estimated. {OURS}",
)  # fmt: skip
INTERVAL = series(
    "Power and its 90 % interval",
    (f"sum by (node_name) (kepler_node_cpu_watts{{{ZONE}}})", "{{node_name}}"),
    (f"sum(kepler_node_cpu_watts_lower{{{ZONE}}})", "lower"),
    (f"sum(kepler_node_cpu_watts_upper{{{ZONE}}})", "upper"),
    overrides=band("lower", "upper"), note=f"Of estimates; where power is measured there is no interval. {OURS}",
)  # fmt: skip
UNATTRIBUTED = f"sum by (node_name) (rate(kepler_node_cpu_unattributed_joules_total{{{ZONE}}}[$__rate_interval]))"


def overview() -> list[dict]:
    return [
        stat("Power now", f"sum(kepler_node_cpu_watts{{{ZONE}}})"),
        stat("Caused by work", f"sum(kepler_node_cpu_active_watts{{{ZONE}}})"),
        stat("Idle", f"sum(kepler_node_cpu_idle_watts{{{ZONE}}})"),
        stat("Energy in the time shown", f"sum(increase(kepler_node_cpu_joules_total{{{ZONE}}}[$__range])) / {KWH:g}", "kwatth"),
        stat("Nodes", f"count(count by (node_name) (kepler_node_cpu_watts{{{NODE}}}))", "none"),
        stat("Estimated zones", f'count(kepler_power_source_info{{{NODE},method!="measured"}}) or vector(0)', "none", note=OURS),
        series("Power by node", (f"sum by (node_name) (kepler_node_cpu_watts{{{ZONE}}})", "{{node_name}}"), stack=True),
        series(
            "Where it goes",
            (f"sum(kepler_node_cpu_idle_watts{{{ZONE}}})", "idle"),
            (f"sum(kepler_node_cpu_active_watts{{{ZONE}}})", "active"),
            stack=True,
        ),
        series("Power by namespace", (f"sum by (pod_namespace) ({named('pod', 'cpu_watts', LIVE)})", "{{pod_namespace}}"), stack=True),
        series("Commands with most power", (f"topk(10, sum by (comm) (kepler_process_cpu_watts{{{LIVE}}}))", "{{comm}}"), stack=True),
        bars("Energy of pods in the time shown", (f"{used('pod', 'pod_namespace, pod_name', ZONE)} / {KWH:g}", "{{pod_namespace}}/{{pod_name}}")),
        WHERE_FROM | {"gridPos": {"w": 12, "h": 9}},
    ]  # fmt: skip


def node() -> list[dict]:
    return [
        series("Power by zone", (f"sum by (node_name, zone) (kepler_node_cpu_watts{{{NODE}}})", "{{node_name}} {{zone}}"), note="Zones overlap: core and uncore are parts of package, psys contains all. Do not add them."),
        series(
            "Idle and active",
            (f"sum by (node_name) (kepler_node_cpu_idle_watts{{{ZONE}}})", "{{node_name}} idle"),
            (f"sum by (node_name) (kepler_node_cpu_active_watts{{{ZONE}}})", "{{node_name}} active"),
            stack=True,
        ),
        INTERVAL,
        series("Active power that no workload explains", (UNATTRIBUTED, "{{node_name}}"), note=OURS),
        series("Busy share of processors", (f"kepler_node_cpu_usage_ratio{{{NODE}}}", "{{node_name}}"), unit="percentunit"),
        bars("Energy by zone in the time shown", (f"sum by (node_name, zone) (increase(kepler_node_cpu_joules_total{{{NODE}}}[$__range])) / {KWH:g}", "{{node_name}} {{zone}}"), height=8),
        panel("table", "Processors", ("count by (instance, model_name, vendor_id) (kepler_node_cpu_info)", ""), unit="none"),
        series("Counters that wrapped, were reset, or read too late", (f"sum by (node_name, zone, kind) (increase(kepler_zone_events_total{{{NODE}}}[$__rate_interval]))", "{{node_name}} {{zone}} {{kind}}"), unit="none", note=OURS),
    ]  # fmt: skip


def workloads() -> list[dict]:
    live, controller = named("pod", "cpu_watts", LIVE, namespace=IN_NAMESPACE), f"max by (pod_id, owner_kind, owner_name) (kepler_pod_info{{{NODE}{IN_NAMESPACE}}})"
    return [
        series("Power by namespace", (f"sum by (pod_namespace) ({live})", "{{pod_namespace}}"), stack=True),
        bars("Energy by namespace in the time shown", (f"{used('pod', 'pod_namespace', ZONE, IN_NAMESPACE)} / {KWH:g}", "{{pod_namespace}}"), height=8),
        series("Pods with most power", (f"topk(10, sum by (pod_namespace, pod_name) ({live}))", "{{pod_namespace}}/{{pod_name}}")),
        bars("Energy of pods in the time shown", (f"{used('pod', 'pod_namespace, pod_name', ZONE, IN_NAMESPACE)} / {KWH:g}", "{{pod_namespace}}/{{pod_name}}"), height=8),
        series("Power by controller", (f"topk(10, sum by (owner_kind, owner_name) (sum by (pod_id) (kepler_pod_cpu_watts{{{LIVE}}}) * on (pod_id) group_left (owner_kind, owner_name) {controller}))", "{{owner_kind}} {{owner_name}}"), note=f"With --kube.enable. {OURS}"),
        series("Containers with most power", (f"topk(10, {named('container', 'cpu_watts', LIVE)})", "{{container_name}} {{container_id}}")),
        bars("Energy of containers in the time shown", (f"{used('container', 'container_name', ZONE)} / {KWH:g}", "{{container_name}}")),
        series("Virtual machines", (f"topk(10, sum by (vm_name, vm_id) (kepler_vm_cpu_watts{{{LIVE}}}))", "{{vm_name}} {{vm_id}}"), height=9),
    ]  # fmt: skip


def process() -> list[dict]:
    return [
        series("Processes with most power", (f"topk(15, sum by (comm, pid, node_name) (kepler_process_cpu_watts{{{LIVE}}}))", "{{comm}} {{pid}}")),
        series("Power by command", (f"topk(15, sum by (comm) (kepler_process_cpu_watts{{{LIVE}}}))", "{{comm}}"), stack=True),
        bars("Energy by command in the time shown", (kwh("kepler_process_cpu_joules_total", "comm", ZONE), "{{comm}}")),
        series("CPU time by command", (f"topk(15, sum by (comm) (rate(kepler_process_cpu_seconds_total{{{NODE}}}[$__rate_interval])))", "{{comm}}"), unit="none", height=9),
        series("Short-lived processes by command", (f"topk(15, sum by (comm) (rate(kepler_command_cpu_joules_total{{{ZONE}}}[$__rate_interval])))", "{{comm}}"), note=f"They start and end between two readings; seen by eBPF alone. {OURS}"),
        series("Systemd units with most power", (f"topk(15, sum by (unit, cgroup) (kepler_unit_cpu_watts{{{LIVE}}}))", "{{unit}}"), note=OURS),
        bars("Energy of systemd units in the time shown", (kwh("kepler_unit_cpu_joules_total", "unit", ZONE), "{{unit}}"), note=OURS),
        series("Batch jobs with most power", (f"topk(15, sum by (scheduler, job_id) (kepler_job_cpu_watts{{{LIVE}}}))", "{{scheduler}} {{job_id}}"), height=9, note=OURS),
    ]  # fmt: skip


def carbon() -> list[dict]:
    node, pods, namespaces = f"kepler_node_cpu_joules_total{{{ZONE}}}", used("pod", "pod_namespace, pod_name", ZONE, IN_NAMESPACE), used("pod", "pod_namespace", ZONE, IN_NAMESPACE)
    steps = {"mode": "absolute", "steps": [{"color": "green", "value": None}, {"color": "red", "value": 1}]}
    verdict = {"thresholds": steps, "mappings": [{"type": "range", "options": {"from": 0, "to": 1, "result": {"text": "kept", "color": "green"}}}, {"type": "range", "options": {"from": 1.0000001, "to": 1e9, "result": {"text": "exceeded", "color": "red"}}}]}
    return [
        stat("Emissions now, an hour", f"sum(kepler_node_cpu_watts{{{ZONE}}}) * 3600 * {GRAMS}", "massg"),
        stat("Emissions in the time shown", f"sum(increase({node}[$__range])) * {GRAMS}", "massg"),
        stat("A month at this rate", f"sum(increase({node}[$__range])) / $__range_s * 2629800 * {GRAMS}", "massg"),
        stat("Cost in the time shown", f"sum(increase({node}[$__range])) * {COST}", "none"),
        stat("Grid times PUE, gCO2e/kWh", f"vector({INTENSITY} * {PUE})", "none"),
        stat("The limit", f"vector({INTENSITY} * {PUE} / $limit)", "none", defaults=verdict, note="Grid intensity times PUE against the limit: one kWh of IT energy. The tools judge single workloads, see /api/v1 and kepler assess."),
        series("Emissions by node, an hour", (f"sum by (node_name) (kepler_node_cpu_watts{{{ZONE}}}) * 3600 * {GRAMS}", "{{node_name}}"), unit="massg", stack=True),
        series("Emissions by namespace, an hour", (f"sum by (pod_namespace) ({named('pod', 'cpu_watts', LIVE, namespace=IN_NAMESPACE)}) * 3600 * {GRAMS}", "{{pod_namespace}}"), unit="massg", stack=True),
        bars("Emissions of namespaces in the time shown", (f"{namespaces} * {GRAMS}", "{{pod_namespace}}"), unit="massg"),
        bars("Emissions of pods in the time shown", (f"{pods} * {GRAMS}", "{{pod_namespace}}/{{pod_name}}"), unit="massg"),
        bars("Emissions of commands in the time shown", (f"topk(15, sum by (comm) (increase(kepler_process_cpu_joules_total{{{ZONE}}}[$__range]))) * {GRAMS}", "{{comm}}"), unit="massg"),
        bars("Cost of namespaces in the time shown", (f"{namespaces} * {COST}", "{{pod_namespace}}"), unit="none"),
    ]  # fmt: skip


def gpu() -> list[dict]:
    live = f'{NODE},state="running"'
    return [
        series("GPUs", (f"sum by (node_name, gpu, gpu_name) (kepler_node_gpu_watts{{{NODE}}})", "{{node_name}} {{gpu}} {{gpu_name}}")),
        series(
            "GPUs, idle and active",
            (f"sum(kepler_node_gpu_idle_watts{{{NODE}}})", "idle"),
            (f"sum(kepler_node_gpu_active_watts{{{NODE}}})", "active"),
            stack=True,
        ),
        series("Processes on GPUs", (f"topk(15, sum by (comm, pid) (kepler_process_gpu_watts{{{live}}}))", "{{comm}} {{pid}}")),
        series("Containers on GPUs", (f"topk(15, {named('container', 'gpu_watts', live)})", "{{container_name}} {{container_id}}")),
        series("Pods on GPUs", (f"topk(15, sum by (pod_namespace, pod_name) ({named('pod', 'gpu_watts', live)}))", "{{pod_namespace}}/{{pod_name}}")),
        bars("Energy of GPUs in the time shown", (f"sum by (node_name, gpu) (increase(kepler_node_gpu_joules_total{{{NODE}}}[$__range])) / {KWH:g}", "{{node_name}} {{gpu}}"), height=8),
        series("Platform, as its BMC measures it", (f"kepler_platform_watts{{{NODE}}}", "{{node_name}} {{bmc_id}} {{chassis_id}} {{source_type}} {{source_id}}")),
        series("Platform, beside package, memory and GPUs", (f"kepler_platform_residual_watts{{{NODE}}}", "{{node_name}}"), note=f"Fans, disks, network, losses of power supplies. {OURS}"),
        series("Platform: age of the newest reading", (f"kepler_platform_reading_age_seconds{{{NODE}}}", "{{node_name}} {{bmc_id}} {{source_type}} {{source_id}}"), unit="s", note=OURS),
    ]  # fmt: skip


def health() -> list[dict]:
    return [
        panel("table", "Exporters", ('count by (instance, job, version, arch, revision) (kepler_build_info)', ""), unit="none"),
        series("Answers", ("up and on (instance, job) kepler_build_info", "{{instance}}"), unit="none", defaults={"max": 1}),
        series("CPU of the exporters", ("rate(process_cpu_seconds_total[$__rate_interval]) and on (instance, job) kepler_build_info", "{{instance}}"), unit="percentunit"),
        series("Memory of the exporters", ("process_resident_memory_bytes and on (instance, job) kepler_build_info", "{{instance}}"), unit="bytes"),
        series("Open files", ("process_open_fds and on (instance, job) kepler_build_info", "{{instance}}"), unit="none"),
        series("Time of a measurement", (f"kepler_exporter_collect_seconds{{{NODE}}}", "{{node_name}}"), unit="s", note=OURS),
        series("Age of the last success, by source", (f"time() - kepler_last_success_timestamp_seconds{{{NODE}}}", "{{node_name}} {{source}}"), unit="s", note=OURS),
        series("What could not be read", (f"sum by (node_name, source, reason) (increase(kepler_read_errors_total{{{NODE}}}[$__rate_interval]))", "{{node_name}} {{source}} {{reason}}"), unit="none", note=OURS),
        WHERE_FROM,
        series("Expected error of estimates", (f"kepler_power_source_error_ratio{{{NODE}}}", "{{node_name}} {{zone}} {{source}}"), unit="percentunit", note=f"One standard deviation. {OURS}"),
        series("Estimates outside of what was trained with", (f"sum by (node_name, reason) (increase(kepler_estimate_warnings_total{{{NODE}}}[$__rate_interval]))", "{{node_name}} {{reason}}"), unit="none", note=OURS),
        series("Pods that Kubernetes was asked for", (f"kepler_kubernetes_pods{{{NODE}}}", "{{node_name}}"), (f"kepler_kubernetes_unresolved_pods{{{NODE}}}", "{{node_name}} without a name"), unit="none", note=f"With --kube.enable. {OURS}"),
    ]  # fmt: skip


ALL = {
    "overview": ("Kepler: overview", overview, [NODES, ZONES]),
    "node": ("Kepler: nodes", node, [NODES, ZONES]),
    "workloads": ("Kepler: namespaces and workloads", workloads, [NODES, ZONES, NAMESPACES]),
    "processes": ("Kepler: processes and units", process, [NODES, ZONES]),
    "carbon": ("Kepler: carbon and cost", carbon, [NODES, ZONES, NAMESPACES, *FACILITY]),
    "gpu-platform": ("Kepler: GPUs and platform", gpu, [NODES]),
    "health": ("Kepler: health of the exporters", health, [NODES]),
}


def placed(panels: list[dict]) -> list[dict]:
    """Panels from left to right, row by row."""
    x = y = height = 0
    for number, made in enumerate(panels, 1):
        place = made["gridPos"]
        if x + place["w"] > 24:
            x, y, height = 0, y + height, 0
        panels[number - 1] = {"id": number} | made | {"gridPos": place | {"x": x, "y": y}}
        x, height = x + place["w"], max(height, place["h"])
    return panels


def dashboard(name: str) -> dict:
    title, panels, variables = ALL[name]
    links = [{"type": "dashboards", "title": "Kepler", "tags": ["kepler"], "asDropdown": True, "includeVars": True, "keepTime": True}]
    return {
        "uid": f"kepler-{name}", "title": title, "tags": ["kepler", "energy"], "schemaVersion": 39, "version": 1,
        "editable": True, "timezone": "browser", "refresh": "30s", "time": {"from": "now-1h", "to": "now"}, "links": links,
        "templating": {"list": [DATASOURCE, *variables]}, "panels": placed(panels()),
    }  # fmt: skip


def files() -> dict[Path, str]:
    return {DASHBOARDS / f"kepler-{name}.json": json.dumps(dashboard(name), indent=1) + "\n" for name in ALL}


if __name__ == "__main__":
    for path, text in files().items():
        path.write_text(text)
    print(f"{len(ALL)} dashboards", file=sys.stderr)
