"""Rules that linters of manifests know, on everything that is deployed."""

import pytest
import yaml

from chart import DEPLOY, Rendered, containers, profiles

PROFILES = pytest.mark.parametrize("values", profiles().values(), ids=profiles())
CAPABILITIES = {"DAC_READ_SEARCH", "SYS_PTRACE", "BPF", "PERFMON"}


def demo():
    return [document for document in yaml.safe_load_all((DEPLOY / "demo/workload-test.yaml").read_text()) if document]


def problems(objects, allow=()):
    """What a linter would say. `allow` names rules that do not hold."""
    for workload, pod, container in containers(objects):
        name = f"{workload['kind']} {workload['metadata']['name']}"
        security, resources = container.get("securityContext", {}), container.get("resources", {})
        image = container["image"].rpartition("/")[2]
        rules = {
            "image-tag": ("@" in image or ":" in image) and not image.endswith(":latest"),
            "requests": {"cpu", "memory"} <= set(resources.get("requests", {})),
            "memory-limit": "memory" in resources.get("limits", {}),
            "probes": "livenessProbe" in container and "readinessProbe" in container,
            "read-only-root": security.get("readOnlyRootFilesystem") is True,
            "not-privileged": not security.get("privileged"),
            "no-escalation": security.get("allowPrivilegeEscalation") is False,
            "drop-all": security.get("capabilities", {}).get("drop") == ["ALL"],
            "few-capabilities": set(security.get("capabilities", {}).get("add", [])) <= CAPABILITIES,
            "no-capabilities": not security.get("capabilities", {}).get("add"),
            "seccomp": security.get("seccompProfile") == {"type": "RuntimeDefault"},
            "apparmor": security.get("appArmorProfile", {}).get("type") != "Unconfined",
            "non-root": security.get("runAsNonRoot") is True and security.get("runAsUser", 0) > 0,
            "no-host-pid": not pod.get("hostPID"),
            "no-host-network": not pod.get("hostNetwork") and not pod.get("hostIPC"),
            "no-host-ports": not any("hostPort" in port for port in container.get("ports", [])),
            "no-host-paths": not any("hostPath" in volume for volume in pod.get("volumes", [])),
            "no-default-account": pod.get("serviceAccountName", "default") != "default" or pod.get("automountServiceAccountToken") is False,
            "no-secrets-in-env": not any(
                word in variable["name"].upper() and "value" in variable
                for variable in container.get("env", [])
                for word in ("PASSWORD", "SECRET", "TOKEN")
            ),
            "host-paths-read-only": all(
                mount.get("readOnly")
                for mount in container.get("volumeMounts", [])
                for volume in pod["volumes"]
                if volume["name"] == mount["name"] and "hostPath" in volume
            ),
        }
        yield from (f"{name}: {rule}" for rule, holds in rules.items() if not holds and rule not in allow)


AGENT = ("non-root", "no-host-pid", "no-host-paths", "no-capabilities", "apparmor")


@pytest.mark.parametrize(
    "profile, allow",
    [
        ("default", AGENT),
        ("openshift", AGENT),
        ("privileged", (*AGENT, "not-privileged", "no-escalation", "drop-all", "seccomp")),
        ("restricted", ("no-host-paths",)),
        ("autopilot", ("no-host-paths",)),
    ],
)
def test_a_profile_of_the_agent_asks_for_this_and_no_more(profile, allow):
    rendered = Rendered(profiles()[profile])
    assert list(problems(rendered.all("DaemonSet"), allow)) == []


def test_autopilot_mounts_nothing_of_the_host_but_logs():
    paths = [volume["hostPath"]["path"] for volume in Rendered(profiles()["autopilot"]).agent["volumes"] if "hostPath" in volume]
    assert paths == ["/var/log/pods", "/var/log/containers"]


@PROFILES
def test_what_needs_no_privilege_has_none(values):
    assert list(problems(Rendered(values).all("Deployment"))) == []


def test_the_demo_follows_the_same_rules():
    assert list(problems(demo())) == []


def test_names_of_pods_are_mounted_unless_that_is_refused():
    """A kubelet's certificate of its own, and a host whose root cannot be seen: pods are named all the same."""
    for values in ({}, {"profile": "restricted"}, {"profile": "privileged"}):
        volumes = {volume["hostPath"]["path"]: volume["hostPath"] for volume in Rendered(values).agent["volumes"] if "hostPath" in volume}
        # A type would keep the pod from starting on a node without that folder.
        assert volumes["/var/log/pods"] == {"path": "/var/log/pods"} and volumes["/var/log/containers"] == {"path": "/var/log/containers"}
    assert "/var/log/pods" not in str(Rendered({"daemonset": {"hostLogs": False}}).agent)


def test_a_rule_that_is_broken_is_found():
    values = {"daemonset": {"securityContext": {"privileged": True}}, "image": {"tag": "latest"}}
    found = list(problems(Rendered(values).objects, AGENT))
    assert {text.rpartition(" ")[2] for text in found} >= {"image-tag", "not-privileged", "drop-all", "read-only-root"}


def test_the_default_profile_has_four_capabilities():
    assert set(Rendered().container["securityContext"]["capabilities"]["add"]) == CAPABILITIES


def rules_of(values):
    role = Rendered(values).one("ClusterRole")
    return {(resource, verb) for rule in role["rules"] for resource in rule["resources"] for verb in rule["verbs"]}


def test_the_agent_may_read_the_list_of_pods_only():
    assert rules_of({}) == {("nodes/pods", "get")}
    assert rules_of({"rbac": {"nodesProxy": True}}) == {("nodes/pods", "get"), ("nodes/proxy", "get")}
    watches = {("nodes/pods", "get"), *(("pods", verb) for verb in ("get", "list", "watch"))}
    assert rules_of({"config": {"kube": {"podInformer": {"mode": "apiserver"}}}}) == watches


@PROFILES
def test_no_role_has_wildcards_or_writes(values):
    rendered = Rendered(values)
    for role in rendered.all("ClusterRole") + rendered.all("Role"):
        for rule in role["rules"]:
            assert "*" not in rule["resources"] + rule["verbs"] + rule["apiGroups"]
            assert set(rule["verbs"]) <= {"get", "list", "watch"} and "secrets" not in rule["resources"]


@PROFILES
def test_only_who_asks_the_api_server_has_a_token(values):
    for deployment in Rendered(values).all("Deployment"):
        pod = deployment["spec"]["template"]["spec"]
        asks = any(argument.startswith("--source=endpoints=") for argument in pod["containers"][0]["args"])
        assert pod["automountServiceAccountToken"] is asks


@pytest.mark.parametrize("profile", ["default", "privileged", "restricted"])
def test_the_constraints_of_openshift_allow_what_the_profile_asks_for(profile):
    rendered = Rendered({"profile": profile, "scc": {"create": True}})
    scc, security, pod = rendered.one("SecurityContextConstraints"), rendered.container["securityContext"], rendered.agent
    assert scc["allowPrivilegedContainer"] == bool(security.get("privileged"))
    assert scc["allowHostPID"] == pod["hostPID"]
    assert scc["allowedCapabilities"] == security.get("capabilities", {}).get("add", [])
    assert scc["users"] == ["system:serviceaccount:kepler:kepler"]
    kinds = {kind for volume in pod["volumes"] for kind in volume if kind != "name"}
    assert kinds <= set(scc["volumes"])


@PROFILES
def test_namespaces_say_what_their_pods_need(values):
    rendered = Rendered(values)
    for namespace in rendered.all("Namespace"):
        level = namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"]
        theirs = [there for there in rendered.objects if there["metadata"].get("namespace") == namespace["metadata"]["name"]]
        if level == "restricted":
            assert list(problems(theirs, ("probes",))) == []
        else:
            assert any(there["kind"] == "DaemonSet" for there in theirs)
