"""The chart takes the place of Go Kepler's: values, names, labels, ports and mounts of its chart of 2026."""

import pytest
import yaml

from chart import VALUES, Rendered, merged

GO = yaml.safe_load((VALUES / "go-kepler.yaml").read_text())


def leaves(values, path=""):
    for key, value in values.items():
        if isinstance(value, dict) and value:
            yield from leaves(value, f"{path}.{key}")
        else:
            yield f"{path}.{key}".lstrip("."), value


def test_its_own_values_give_its_objects():
    rendered = Rendered(GO)
    assert {(there["kind"], there["metadata"]["name"]) for there in rendered.objects} == {
        (kind, "kepler") for kind in ("ClusterRole", "ClusterRoleBinding", "ConfigMap", "DaemonSet", "Service", "ServiceAccount")
    }
    assert rendered.container["image"] == "quay.io/sustainable_computing_io/kepler:v0.11.3"
    assert rendered.container["securityContext"] == {"privileged": True, "runAsNonRoot": False}
    assert rendered.container["livenessProbe"]["httpGet"] == {"path": "/metrics", "port": "http"}
    assert rendered.agent["hostPID"] is True


def test_names_labels_ports_mounts_and_arguments_are_its():
    rendered = Rendered(GO)
    container = rendered.container
    assert container["name"] == "kepler" and container["command"] == ["/usr/bin/kepler"]
    assert container["args"] == ["--config.file=/etc/kepler/config.yaml", "--kube.enable", "--kube.node-name=$(NODE_NAME)"]
    assert container["ports"] == [{"name": "http", "containerPort": 28282, "protocol": "TCP"}]
    mounts = {mount["mountPath"]: mount for mount in container["volumeMounts"]}
    ours = {"/var/log/pods", "/var/log/containers"}
    assert set(mounts) == {"/host/sys", "/host/proc", "/etc/kepler"} | ours and all(mount["readOnly"] for mount in mounts.values())
    node_name = {"apiVersion": "v1", "fieldPath": "spec.nodeName"}
    assert {"name": "NODE_NAME", "valueFrom": {"fieldRef": node_name}} in container["env"]
    selector = rendered.one("DaemonSet")["spec"]["selector"]["matchLabels"]
    assert selector == {"app.kubernetes.io/name": "kepler", "app.kubernetes.io/instance": "kepler"}
    assert rendered.one("Service")["spec"]["ports"] == [{"name": "http", "port": 28282, "targetPort": "http", "protocol": "TCP"}]
    for there in rendered.objects:
        assert there["metadata"]["labels"]["app.kubernetes.io/part-of"] == "kepler"


def test_all_that_its_configuration_says_is_in_the_file():
    there = dict(leaves(Rendered(GO).config))
    for key, value in leaves(GO["config"]):
        assert there[key] == value, key


# What each value does, by an object's path and what stands there.
EFFECTS = {
    "image.pullPolicy": ("Always", lambda r: r.container["imagePullPolicy"] == "Always"),
    "image.tag": ("v9", lambda r: r.container["image"].endswith(":v9")),
    "nameOverride": ("meter", lambda r: r.one("DaemonSet", "kepler-meter")["metadata"]["labels"]["app.kubernetes.io/name"] == "meter"),
    "fullnameOverride": ("watts", lambda r: r.one("DaemonSet", "watts") and r.one("Service", "watts") and r.one("ClusterRole", "watts")),
    "serviceAccount.create": (False, lambda r: not r.all("ServiceAccount") and r.agent["serviceAccountName"] == "kepler"),
    "serviceAccount.name": ("meter", lambda r: r.one("ServiceAccount", "meter") and r.agent["serviceAccountName"] == "meter"),
    "rbac.create": (False, lambda r: not r.all("ClusterRole") and not r.all("ClusterRoleBinding")),
    "service.type": ("NodePort", lambda r: r.one("Service")["spec"]["type"] == "NodePort"),
    "service.port": (80, lambda r: r.one("Service")["spec"]["ports"][0]["port"] == 80),
    "service.targetPort": (28282, lambda r: r.one("Service")["spec"]["ports"][0]["targetPort"] == 28282),
    "daemonset.hostPID": (False, lambda r: r.agent["hostPID"] is False),
    "daemonset.tolerations": ([{"operator": "Exists"}], lambda r: r.agent["tolerations"] == [{"operator": "Exists"}]),
    "daemonset.nodeSelector": ({"a": "b"}, lambda r: r.agent["nodeSelector"]["a"] == "b"),
    "daemonset.affinity": ({"podAffinity": {}}, lambda r: "podAffinity" in r.agent["affinity"]),
    "daemonset.securityContext": ({"privileged": True}, lambda r: r.container["securityContext"] == {"privileged": True}),
    "daemonset.resources": ({"limits": {"cpu": "1"}}, lambda r: r.container["resources"]["limits"]["cpu"] == "1"),
    "daemonset.livenessProbe": ({"periodSeconds": 7}, lambda r: r.container["livenessProbe"]["periodSeconds"] == 7),
    "daemonset.startupProbe": ({"periodSeconds": 7}, lambda r: r.container["startupProbe"]["periodSeconds"] == 7),
    "daemonset.readinessProbe": ({"periodSeconds": 7}, lambda r: r.container["readinessProbe"]["periodSeconds"] == 7),
    "config.log.level": ("debug", lambda r: r.config["log"]["level"] == "debug"),
    "serviceMonitor.enabled": (True, lambda r: r.one("ServiceMonitor")["spec"]["endpoints"][0]["path"] == "/metrics"),
    "networkPolicy.enabled": (True, lambda r: r.one("NetworkPolicy", "kepler-network-policy")["spec"]["policyTypes"]),
    "labels": ({"a": "b"}, lambda r: r.one("DaemonSet")["spec"]["template"]["metadata"]["labels"]["a"] == "b"),
    "annotations": ({"a": "b"}, lambda r: r.one("Service")["metadata"]["annotations"]["a"] == "b"),
}


@pytest.mark.parametrize("path", EFFECTS)
def test_each_value_does_what_it_did(path):
    value, holds = EFFECTS[path]
    values = value
    for key in reversed(path.split(".")):
        values = {key: values}
    assert holds(Rendered(values))


def test_a_namespace_of_its_own_is_made_and_used():
    rendered = Rendered({"namespace": {"create": True, "name": "power"}}, namespace="elsewhere")
    assert rendered.one("Namespace", "power") and rendered.one("DaemonSet")["metadata"]["namespace"] == "power"
    assert rendered.one("ClusterRoleBinding")["subjects"][0]["namespace"] == "power"


def test_the_network_policy_lets_names_be_asked_for_although_its_values_allow_no_egress():
    policy = Rendered(merged(GO, {"networkPolicy": {"enabled": True}})).one("NetworkPolicy", "kepler-network-policy")
    assert 10250 in [port["port"] for rule in policy["spec"]["egress"] for port in rule["ports"]]
    closed = {"networkPolicy": {"enabled": True, "kubernetesEgress": False}}
    assert Rendered(closed).one("NetworkPolicy", "kepler-network-policy")["spec"]["egress"] == []


def test_a_release_of_another_name_is_named_as_there():
    rendered = Rendered(name="energy", namespace="energy")
    assert rendered.one("DaemonSet", "energy-kepler") and rendered.one("ServiceAccount", "kepler")
