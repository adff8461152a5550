"""Values as people and tools write them: null, absent, numbers where Kubernetes wants texts, names of every legal form."""

import copy
import json
import re
import shutil

import kubernetes_validate
import pytest
import yaml

from chart import CHART, EVERYTHING, Rendered, merged

OWN = yaml.safe_load((CHART / "values.yaml").read_text())
SCHEMA = json.loads((CHART / "values.schema.json").read_text())
# All parts, with the chart's own values as far as they can stay.
PARTS = {
    **{name: {"enabled": True} for name in ("nodePort", "serviceMonitor", "podMonitor", "networkPolicy", "hub", "modelServer")},
    "grafana": {"dashboards": {"enabled": True}},
    "rbac": {"prometheus": {"create": True}},
    "scc": {"create": True},
}


def paths(values=OWN, schema=SCHEMA, path=()):
    """Each value's path, what is there, and whether it is a section: a map whose keys are the chart's."""
    for key, value in values.items():
        described = schema.get("properties", {}).get(key, {})
        section = isinstance(value, dict) and "properties" in described
        if path or key != "config":
            yield (*path, key), value, section
            if section:
                yield from paths(value, described, (*path, key))


SECTIONS = [path for path, _, section in paths() if section]
SINGLE = [path for path, value, _ in paths() if not isinstance(value, (dict, list))]
FREE = [path for path, value, section in paths() if isinstance(value, (dict, list)) and not section]


def at(path, value):
    for key in reversed(path):
        value = {key: value}
    return value


def there(values, path):
    for key in path:
        values = values.get(key, {})
    return values


def valid(rendered, version="1.36"):
    for made in rendered.objects:
        if made["kind"] not in ("ServiceMonitor", "PodMonitor", "SecurityContextConstraints"):
            kubernetes_validate.validate(made, version, strict=True)
    return rendered


def test_the_templates_see_the_values_that_the_chart_has():
    """Otherwise: `python deploy/kustomize/generate.py`."""
    assert (CHART / "files/values.yaml").read_text() == (CHART / "values.yaml").read_text()


def test_the_maps_that_the_templates_take_for_free_ones_are_those_of_the_schema():
    template = (CHART / "templates/_values.tpl").read_text()
    listed = re.search(r"\$free := list ((?:\"\w+\" ?)+)", template)[1].replace('"', "").split()
    assert set(listed) == {path[-1] for path in FREE if isinstance(there(OWN, path), dict) and there(OWN, path)}
    # By their last name only: no section and no single value may have it.
    assert not set(listed) & {path[-1] for path in SECTIONS + SINGLE}


def test_a_single_value_that_is_null_is_the_charts_own():
    assert len(SINGLE) > 70
    nulls = merged(*(at(path, None) for path in SINGLE if not there(PARTS, path)))
    assert Rendered(merged(nulls, PARTS)).objects == Rendered(PARTS).objects


@pytest.mark.parametrize("path", SECTIONS, ids=".".join)
def test_a_section_with_nothing_but_comments_below_it_is_the_charts_own(path):
    """`daemonset:` with all lines commented out is null, and so takes the chart's own values away."""
    without = copy.deepcopy(PARTS)
    there(without, path[:-1]).pop(path[-1], None)
    assert Rendered(merged(without, at(path, None))).objects == Rendered(without).objects


def test_a_list_or_a_free_map_that_is_null_is_taken_away():
    rendered = valid(Rendered(merged(PARTS, *(at(path, None) for path in FREE))))
    gone = {"tolerations", "nodeSelector", "affinity"}
    assert gone.isdisjoint(rendered.agent) and gone <= set(Rendered(PARTS).agent)
    assert {"resources", "livenessProbe", "startupProbe", "readinessProbe"}.isdisjoint(rendered.container)
    assert "updateStrategy" not in rendered.one("DaemonSet")["spec"]
    assert rendered.one("NetworkPolicy", "kepler-network-policy")["spec"]["ingress"] == []
    # The other way round: what is set beside them stays.
    valid(Rendered(merged(EVERYTHING, *(at(path, None) for path in FREE))))


def test_a_configuration_that_is_null_has_the_hosts_folders_and_the_port():
    for config in (None, {"web": None, "host": None}, {"web": {"listenAddresses": None}, "host": {"sysfs": None, "procfs": None}}):
        rendered = Rendered({"config": config})
        assert rendered.config["host"] == {"sysfs": "/host/sys", "procfs": "/host/proc"}
        assert rendered.config["web"]["listenAddresses"] == [":28282"] and rendered.container["ports"][0]["containerPort"] == 28282


def test_go_keplers_image_is_run_where_a_tag_or_a_digest_was_chosen():
    image = {"repository": "quay.io/sustainable_computing_io/kepler"}
    assert Rendered({"image": image}).container["image"] == Rendered().container["image"]
    assert Rendered({"image": {**image, "tag": "v1"}}).container["image"] == f"{image['repository']}:v1"
    digest = "sha256:" + "0" * 64
    assert Rendered({"image": {**image, "digest": digest}}).container["image"] == f"{image['repository']}@{digest}"
    mirror = "registry.example/quay/sustainable_computing_io/kepler"
    assert Rendered({"image": {"repository": mirror}}).container["image"].startswith(f"{mirror}:")


def test_numbers_and_booleans_are_texts_where_kubernetes_takes_texts_only():
    odd = {"a": 1, "b": True, "c": 1.5, "d": 20260801, "e": "on", "f": "0x10", "g": ""}
    texts = {"a": "1", "b": "true", "c": "1.5", "d": "20260801", "e": "on", "f": "0x10", "g": ""}
    environment = [{"name": "A", "value": 1}, {"name": "B", "value": False}, {"name": "C", "value": ""}, {"name": "D"}]
    tolerations = [{"key": "gpu", "operator": "Equal", "value": True, "effect": "NoSchedule"}]
    place = {"nodeSelector": odd, "tolerations": tolerations, "podLabels": odd, "podAnnotations": odd}
    values = {
        "labels": odd,
        "annotations": odd,
        "daemonset": place,
        "extraEnv": environment,
        "service": {"annotations": odd, "port": "28282"},
        "serviceAccount": {"annotations": odd},
        "serviceMonitor": {"labels": odd, "annotations": odd},
        "podMonitor": {"labels": odd, "annotations": odd},
        "grafana": {"dashboards": {"labels": odd, "annotations": odd}},
        "hub": {**place, "extraEnv": environment, "service": {"annotations": odd}},
        "modelServer": {"nodeSelector": odd, "tolerations": tolerations, "service": {"annotations": odd}},
    }
    rendered = valid(Rendered(merged(PARTS, values)))
    for made in rendered.objects:
        parts = [made["metadata"]] + ([made["spec"]["template"]["metadata"]] if "template" in made.get("spec", {}) else [])
        for metadata in parts:
            assert texts.items() <= metadata["labels"].items() and texts.items() <= metadata["annotations"].items()
            assert all(type(value) is str for key in ("labels", "annotations") for value in metadata[key].values())
    assert rendered.container["env"][-4:] == [{"name": "A", "value": "1"}, {"name": "B", "value": "false"}, {"name": "C", "value": ""}, {"name": "D"}]
    assert rendered.agent["tolerations"] == [{**tolerations[0], "value": "true"}]
    assert rendered.one("Service")["spec"]["ports"][0]["port"] == 28282


def described(path):
    schema = SCHEMA
    for key in path:
        schema = schema["properties"][key]
    return schema


# Texts that are free, in a chart with all parts that name something.
TEXTS = [path for path in SINGLE if described(path).get("type") == "string" and "pattern" not in described(path) and "enum" not in described(path)]
NAMING = {
    **PARTS,
    "tls": {"enabled": True, "secretName": "x", "clientCAKey": "ca.crt"},
    "kubernetesAuth": {"enabled": True},
    "image": {"tag": "v1"},
    "namespace": {"create": True},
}


def with_texts(text):
    """What the chart makes where each free text is this one; without the agent's own files, in which it is quoted once more."""
    rendered = Rendered(merged(NAMING, *(at(path, text) for path in TEXTS)))
    for made in rendered.objects:
        if made["kind"] == "ConfigMap":
            made["data"] = sorted(made["data"])
        if "template" in made.get("spec", {}):
            annotations = made["spec"]["template"]["metadata"].get("annotations", {})
            made["spec"]["template"]["metadata"]["annotations"] = {key: value for key, value in annotations.items() if "checksum" not in key}
    return rendered.objects


@pytest.fixture(scope="module")
def plain():
    assert len(TEXTS) > 25
    made = with_texts("plain-text")
    assert str(made).count("plain-text") > 60
    return made


def replaced(part, old, new):
    if isinstance(part, dict):
        return {replaced(key, old, new): replaced(value, old, new) for key, value in part.items()}
    if isinstance(part, list):
        return [replaced(item, old, new) for item in part]
    return part.replace(old, new) if isinstance(part, str) else part


@pytest.mark.parametrize("text", ["on", "1e3", "0x10", "null", "012", "2026-08-01", "a: b", "it's \"q\"", "- x", "#c", "{a}", "*x", "%", "{{ Values }}", "é", "a\\b"])
def test_a_text_arrives_as_it_is_whatever_yaml_would_read_in_it(text, plain):
    assert sorted(map(str, with_texts(text))) == sorted(str(replaced(made, "plain-text", text)) for made in plain)


LABEL = re.compile(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?")
LABEL_VALUE = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")


@pytest.mark.parametrize(
    "release, values",
    [
        ("kepler.v1.green", {}),
        ("a" * 53, {}),
        ("k" + "1" * 52, {"nameOverride": "e" * 63}),
        ("kepler", {"fullnameOverride": "x" * 62 + "y"}),
        ("kepler", {"fullnameOverride": "x" * 60 + "-y-z"}),
        ("kepler", {"hub": {"name": "h" * 63}, "modelServer": {"name": "m" * 63}}),
        ("on", {"nameOverride": "null"}),
        ("e1", {"nameOverride": "1e3", "namespace": {"create": True, "name": "0x1"}}),
    ],
    ids=str,
)
def test_names_are_legal_whatever_the_release_and_its_parts_are_called(release, values):
    rendered = valid(Rendered(merged(PARTS, {"tls": {"enabled": True, "secretName": "x", "plain": {"enabled": True}}}, values), name=release))
    names = [(made["kind"], made["metadata"].get("namespace"), made["metadata"]["name"]) for made in rendered.objects]
    assert len(set(names)) == len(names)
    for made in rendered.objects:
        if made["kind"] == "Service":
            assert LABEL.fullmatch(made["metadata"]["name"])
        for value in made["metadata"]["labels"].values():
            assert LABEL_VALUE.fullmatch(value), value
    for workload in rendered.all("DaemonSet") + rendered.all("Deployment"):
        selector, labels = workload["spec"]["selector"]["matchLabels"], workload["spec"]["template"]["metadata"]["labels"]
        assert selector.items() <= labels.items()
    # The agents answer to each name that a Service has.
    hosts = rendered.config["web"]["allowedHosts"]
    (selector,) = [made["spec"]["selector"]["matchLabels"] for made in rendered.all("DaemonSet")]
    agents = [made["metadata"]["name"] for made in rendered.all("Service") if made["spec"]["selector"] == selector]
    assert len(agents) == 3 and set(agents) <= set(hosts)


@pytest.mark.parametrize(
    "values, ports",
    [
        ({}, [28282]),
        ({"config": {"web": {"listenAddresses": [":9102"]}}}, [9102]),
        ({"tls": {"enabled": True, "secretName": "x", "plain": {"enabled": True}}}, [28282, 28283]),
    ],
    ids=str,
)
def test_the_network_policy_opens_the_ports_that_the_agents_have(values, ports):
    rendered = Rendered(merged(values, {"networkPolicy": {"enabled": True}}))
    (rule,) = rendered.one("NetworkPolicy", "kepler-network-policy")["spec"]["ingress"]
    assert rule == {"ports": [{"protocol": "TCP", "port": port} for port in ports]}
    assert {port["containerPort"] for port in rendered.container["ports"]} == set(ports)
    assert not any("networkPolicy" in line for line in rendered.warnings)


@pytest.mark.parametrize(
    "ingress, opened",
    [
        ([], False),
        ([{"ports": [{"port": 28282}]}], False),
        ([{"ports": [{"port": 9102}]}], True),
        ([{"ports": [{"port": "http"}]}], True),
        ([{"ports": [{"protocol": "TCP"}]}], True),
        ([{"ports": [{"port": 9000, "endPort": 9200}]}], True),
        ([{"ports": [{"port": 9000, "endPort": 9100}]}], False),
        ([{"from": [{"podSelector": {}}]}], True),
    ],
    ids=str,
)
def test_a_network_policy_of_ones_own_is_taken_as_it_is_and_warned_of_where_it_keeps_the_port_closed(ingress, opened):
    values = {"config": {"web": {"listenAddresses": [":9102"]}}, "networkPolicy": {"enabled": True, "ingress": ingress}}
    rendered = valid(Rendered(values))
    assert rendered.one("NetworkPolicy", "kepler-network-policy")["spec"]["ingress"] == ingress
    assert any("does not open the agents' port 9102" in line for line in rendered.warnings) != opened


def test_egress_that_is_no_list_has_no_effect_and_is_warned_of():
    rendered = valid(Rendered({"networkPolicy": {"enabled": True, "egress": {}}}))
    assert rendered.objects == Rendered({"networkPolicy": {"enabled": True}}).objects and rendered.warnings == []
    wrong = valid(Rendered({"networkPolicy": {"enabled": True, "egress": {"ports": [{"port": 53}]}}}))
    assert wrong.objects == rendered.objects and any("networkPolicy.egress" in line for line in wrong.warnings)


def test_security_context_constraints_allow_what_the_pod_asks_for():
    context = {"capabilities": {"drop": ["ALL"], "add": ["SYS_RAWIO"]}, "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True}
    volumes = [{"name": "state", "persistentVolumeClaim": {"claimName": "x"}}, {"name": "more", "csi": {"driver": "y"}}]
    for security, privileged, escalates, added, seccomp in (
        ({}, False, False, ["DAC_READ_SEARCH", "SYS_PTRACE", "BPF", "PERFMON"], "runtime/default"),
        (context, False, False, ["SYS_RAWIO"], "*"),
        ({"privileged": True}, True, True, [], "*"),
    ):
        rendered = Rendered({"scc": {"create": True}, "daemonset": {"securityContext": security}, "extraVolumes": volumes})
        made = rendered.one("SecurityContextConstraints")
        assert (made["allowPrivilegedContainer"], made["allowPrivilegeEscalation"]) == (privileged, escalates)
        assert (made["allowedCapabilities"], made["seccompProfiles"]) == (added, [seccomp])
        kinds = {key for volume in rendered.agent["volumes"] for key in volume if key != "name"}
        assert kinds <= set(made["volumes"]) and {"persistentVolumeClaim", "csi"} <= kinds


def test_a_service_monitor_in_another_namespace_looks_for_the_agents_in_theirs():
    made = Rendered({"serviceMonitor": {"enabled": True, "namespace": "monitoring"}}).one("ServiceMonitor")
    assert made["metadata"]["namespace"] == "monitoring" and made["spec"]["namespaceSelector"] == {"matchNames": ["kepler"]}
    own = Rendered({"serviceMonitor": {"enabled": True}}).one("ServiceMonitor")
    assert own["metadata"]["namespace"] == "kepler" and "namespaceSelector" not in own["spec"]


def test_a_namespace_that_agents_share_with_other_parts_allows_what_the_agents_need():
    parts = {name: {"enabled": True, "namespace": {"name": "shared"}} for name in ("hub", "modelServer")}
    made = Rendered({**parts, "namespace": {"create": True, "name": "shared"}}).one("Namespace", "shared")
    own = Rendered({"namespace": {"create": True, "name": "shared"}}).one("Namespace", "shared")
    assert made == own and made["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "privileged"


def test_a_chart_that_has_this_one_as_a_part_gets_the_same_objects(tmp_path):
    """Its values stand under `kepler` there, with `global` and often `enabled` beside; what is null in them stays the chart's own."""
    folder = tmp_path / "stack"
    shutil.copytree(CHART, folder / "charts/kepler")
    dependency = {"name": "kepler", "version": "0.1.0", "repository": "", "condition": "kepler.enabled"}
    (folder / "Chart.yaml").write_text(yaml.safe_dump({"apiVersion": "v2", "name": "stack", "version": "0.1.0", "dependencies": [dependency]}))
    for values in ({}, PARTS, {"labels": {"team": "a"}, "image": None, "service": {"type": None}, "daemonset": None}):
        (folder / "values.yaml").write_text(yaml.safe_dump({"global": {"registry": "x"}, "kepler": {"enabled": True, **values}}))
        assert Rendered(chart=folder).objects == Rendered(values).objects
