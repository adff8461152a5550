"""What the documentation of the deployment tells people to type, and what the dashboards ask for, is there."""

import json
import re
import subprocess

import pytest
import yaml

from chart import CHART, DEPLOY, ROOT, Rendered

PAGES = [DEPLOY / "demo.md", DEPLOY / "README.md", ROOT / "docs/deploy.md"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_path_and_link_of_a_page_exists(page):
    text = page.read_text()
    for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text):
        assert (page.parent / link).exists(), link
    for path in re.findall(r"(?<![\w/.-])(deploy/[\w./-]+[\w])", text):
        assert (ROOT / path).exists() or path.endswith("/NAME.yaml"), path


def test_the_demo_uses_names_and_ports_of_the_profile():
    rendered = Rendered(yaml.safe_load((CHART / "profiles/k3s.yaml").read_text()), namespace="kepler-system")
    text = PAGES[0].read_text()
    there = {(there["kind"].lower(), there["metadata"]["name"]) for there in rendered.objects}
    demo = yaml.safe_load_all((DEPLOY / "demo/workload-test.yaml").read_text())
    there |= {(document["kind"].lower(), document["metadata"]["name"]) for document in demo}
    for kind, name in re.findall(r"\b(daemonset|deployment)/([a-z-]+)", text):
        assert (kind, name) in there
    for kind, name in re.findall(r"--(namespace) ([a-z-]+)", text):
        assert (kind, name) in there or name == "kepler-system", name
    assert {"30080", "30800"} == set(re.findall(r":(30\d\d\d)", text))
    assert rendered.container["image"] in text


def test_the_demo_has_the_workloads_that_the_first_users_have():
    documents = list(yaml.safe_load_all((DEPLOY / "demo/workload-test.yaml").read_text()))
    replicas = {there["metadata"]["name"]: there["spec"]["replicas"] for there in documents if there["kind"] == "Deployment"}
    assert replicas == {"nginx-light": 1, "redis-cache": 1, "stress-cpu": 2}
    assert {there["metadata"].get("namespace", "workload-test") for there in documents} == {"workload-test"}


def test_the_tool_and_the_standard_of_the_demo_are_known(kepler_bin):
    text = PAGES[0].read_text()
    tools = (ROOT / "kepler-compliance/src/tools/registry.rs").read_text()
    for tool in re.findall(r"`((?:list|assess)_\w+)`", text):
        assert tool in tools
    standard = re.search(r'"standard": "(\w+)"', text)[1]
    listed = subprocess.run([kepler_bin, "standards"], capture_output=True, text=True, timeout=30).stdout
    assert standard in listed
    helped = subprocess.run([kepler_bin, "bridge", "--help"], capture_output=True, text=True, timeout=30).stdout
    assert "<URL>" in helped


@pytest.mark.parametrize("path", sorted((CHART / "files/dashboards").glob("*.json")), ids=lambda path: path.name)
def test_dashboards_ask_for_metrics_and_labels_that_are_documented(path):
    dashboard = json.loads(path.read_text())
    documented = "".join((ROOT / "docs" / name).read_text() for name in ("exporter.md", "kubernetes.md"))
    queries = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    assert len(queries) >= 8
    # Not measured here, and shown of Go Kepler's exporters beside ours.
    theirs = re.compile(r"kepler_(\w+_)?gpu_|kepler_platform_")
    for query in queries:
        assert query.count("(") == query.count(")") and query.count("{") == query.count("}")
        for metric in re.findall(r"\bkepler_\w+", query):
            family = re.sub(r"(joules_total|watts|seconds_total|watts_lower|watts_upper)$", "", metric)
            if theirs.match(metric):
                continue
            assert metric in documented or family in documented or "kepler_node_cpu_active_" == family, metric
    places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in dashboard["panels"]]
    assert len(places) == len(set(places))
    rendered = Rendered({"grafana": {"dashboards": {"enabled": True}}})
    assert json.loads(rendered.one("ConfigMap", "kepler-dashboards")["data"][path.name]) == dashboard
