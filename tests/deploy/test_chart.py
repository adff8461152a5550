"""The chart is well-formed for every profile, by Helm's own judgement and Kubernetes' schemas."""

import json

import helm_python
import kubernetes_validate
import pytest
import yaml

from chart import CHART, EVERYTHING, Rendered, merged, profiles

# The oldest that the chart names, the oldest that has `nodes/pods`, and the newest that there is a schema of.
VERSIONS = ["1.25", "1.33", "1.36", "1.37"]
# Kinds of extensions: no schema of Kubernetes describes them.
EXTENSIONS = {"ServiceMonitor", "PodMonitor", "SecurityContextConstraints"}

PROFILES = pytest.mark.parametrize("values", profiles().values(), ids=profiles())


@PROFILES
def test_helm_finds_nothing_to_say_about_the_chart(values):
    found = helm_python.lint(str(CHART), values, strict=True)
    messages = [message["error"] for message in found["messages"]]
    assert found["errors"] == [] and [text for text in messages if text != "icon is recommended"] == []


@PROFILES
@pytest.mark.parametrize("version", VERSIONS)
def test_every_object_is_valid_for_kubernetes(values, version):
    for there in Rendered(values).objects:
        if there["kind"] not in EXTENSIONS:
            kubernetes_validate.validate(there, version, strict=True)


@PROFILES
def test_no_two_objects_have_one_name_and_each_says_its_namespace(values):
    rendered = Rendered(values)
    names = [(there["kind"], there["metadata"].get("namespace"), there["metadata"]["name"]) for there in rendered.objects]
    assert len(names) == len(set(names))
    cluster_wide = {"Namespace", "ClusterRole", "ClusterRoleBinding", "SecurityContextConstraints"}
    for kind, namespace, name in names:
        assert (namespace is None) == (kind in cluster_wide), (kind, name)


@PROFILES
def test_each_selector_finds_the_pods_of_its_own_workload_only(values):
    rendered = Rendered(values)
    workloads = rendered.all("DaemonSet") + rendered.all("Deployment")
    labels = {there["metadata"]["name"]: there["spec"]["template"]["metadata"]["labels"] for there in workloads}
    selectors = {there["metadata"]["name"]: there["spec"]["selector"]["matchLabels"] for there in workloads}
    services = {there["metadata"]["name"]: there["spec"]["selector"] for there in rendered.all("Service")}

    def found(selector):
        return [name for name, there in labels.items() if selector.items() <= there.items()]

    for name, selector in selectors.items():
        assert found(selector) == [name]
    for name, selector in services.items():
        assert len(found(selector)) == 1, name


@PROFILES
def test_each_service_reaches_a_port_that_a_container_names(values):
    rendered = Rendered(values)
    for service in rendered.all("Service"):
        for workload in rendered.all("DaemonSet") + rendered.all("Deployment"):
            template = workload["spec"]["template"]
            if service["spec"]["selector"].items() <= template["metadata"]["labels"].items():
                ports = [port["name"] for container in template["spec"]["containers"] for port in container["ports"]]
                assert {port["targetPort"] for port in service["spec"]["ports"]} <= set(ports)


@PROFILES
def test_each_probe_and_each_mount_names_something_that_is_there(values):
    rendered = Rendered(values)
    for workload in rendered.all("DaemonSet") + rendered.all("Deployment"):
        pod = workload["spec"]["template"]["spec"]
        volumes = [volume["name"] for volume in pod["volumes"]]
        assert len(volumes) == len(set(volumes))
        for container in pod["containers"]:
            ports = [port["name"] for port in container["ports"]]
            for kind in ("startupProbe", "livenessProbe", "readinessProbe"):
                probe = container[kind]
                assert (probe.get("httpGet") or probe["tcpSocket"])["port"] in ports
            mounts = [mount["name"] for mount in container["volumeMounts"]]
            assert sorted(mounts) == sorted(volumes)
            paths = [mount["mountPath"] for mount in container["volumeMounts"]]
            assert len(paths) == len(set(paths))


@pytest.mark.parametrize(
    "values, said",
    [
        ({"profile": "root"}, "profile"),
        ({"service": {"port": 0}}, "port"),
        ({"image": {"tag": 1.25}}, "tag"),
        ({"extraArgs": "--log.level=debug"}, "extraArgs"),
        ({"hub": {"enabled": True, "source": "http://prometheus:9090"}}, "source"),
        ({"hub": {"replicas": 3}}, "replicas"),
        ({"hub": {"sources": "x"}}, "sources"),
        ({"tls": {"secret": "x"}}, "secret"),
        ({"config": {"kube": {"podInformer": {"mode": "watch"}}}}, "mode"),
        ({"config": []}, "config"),
    ],
)
def test_a_value_of_the_wrong_form_is_refused_by_name(values, said):
    with pytest.raises(helm_python.HelmError, match=said):
        with helm_python.Chart.load(CHART) as chart:
            chart.validate_schema(chart.merge_values(values))
            raise AssertionError("accepted")


def test_values_that_exclude_each_other_are_refused_with_the_remedy():
    with pytest.raises(helm_python.HelmError, match="daemonset.hostPID: false"):
        Rendered({"daemonset": {"hostUsers": False}})
    with pytest.raises(helm_python.HelmError, match="tls.secretName"):
        Rendered({"tls": {"enabled": True}})
    assert Rendered({"daemonset": {"hostUsers": False, "hostPID": False}}).agent["hostUsers"] is False


def test_every_value_is_described_by_the_schema():
    schema = json.loads((CHART / "values.schema.json").read_text())
    values = yaml.safe_load((CHART / "values.yaml").read_text())

    def missing(values, schema, path):
        properties = schema.get("properties")
        if properties is None or not isinstance(values, dict) or path == "config":
            return []
        gone = [f"{path}.{key}" for key in values if key not in properties]
        return gone + [
            text for key in values if key in properties for text in missing(values[key], properties[key], f"{path}.{key}".strip("."))
        ]

    assert missing(values, schema, "") == []


def test_what_is_added_comes_after_what_the_chart_sets():
    container = Rendered(EVERYTHING).container
    assert container["args"][-3:] == EVERYTHING["extraArgs"]
    assert container["env"][-1] == EVERYTHING["extraEnv"][0] and container["envFrom"] == EVERYTHING["extraEnvFrom"]
    assert container["volumeMounts"][-1]["name"] == "state"
    assert {"name": "NVIDIA_VISIBLE_DEVICES", "value": "all"} in container["env"]


def test_certificates_reach_the_port_the_probes_the_monitors_and_the_configuration():
    rendered = Rendered(EVERYTHING)
    container = rendered.container
    assert container["ports"][0]["name"] == "https" and rendered.config["web"]["configFile"] == "/etc/kepler/web-config.yaml"
    assert {container[kind]["httpGet"]["scheme"] for kind in ("startupProbe", "livenessProbe", "readinessProbe")} == {"HTTPS"}
    assert rendered.one("Service", "kepler-https")["spec"]["ports"][0]["nodePort"] == 30443
    endpoint = rendered.one("ServiceMonitor")["spec"]["endpoints"][0]
    assert (endpoint["scheme"], endpoint["port"]) == ("https", "https")
    web = yaml.safe_load(rendered.one("ConfigMap")["data"]["web-config.yaml"])["tls_server_config"]
    assert web == {"cert_file": "/etc/kepler-tls/tls.crt", "key_file": "/etc/kepler-tls/tls.key", "min_version": "TLS13"}


def test_where_clients_need_certificates_the_probes_need_none():
    container = Rendered({"tls": {"enabled": True, "secretName": "x", "clientCAKey": "ca.crt"}}).container
    assert container["readinessProbe"]["tcpSocket"] == {"port": "https"} and "httpGet" not in container["livenessProbe"]


def test_the_port_is_the_one_that_the_configuration_listens_at():
    rendered = Rendered({"config": {"web": {"listenAddresses": ["[::]:9102"]}}})
    assert rendered.container["ports"][0]["containerPort"] == 9102


def test_the_names_of_services_may_be_asked_by():
    rendered = Rendered({**profiles()["k3s"], "config": {"web": {"allowedHosts": ["metrics.example.org"]}}})
    hosts = rendered.config["web"]["allowedHosts"]
    assert hosts[0] == "metrics.example.org"
    assert {"kepler", "kepler.kepler-system.svc", "kepler-http.kepler-system.svc.cluster.local"} <= set(hosts)
    hub = rendered.one("Deployment", "carbon-mcp-server")["spec"]["template"]["spec"]["containers"][0]
    assert "--web.allowed-host=carbon-mcp-server.carbon-mcp.svc" in hub["args"]


def test_the_hub_of_a_network_policy_reaches_its_source():
    policy = Rendered(EVERYTHING).one("NetworkPolicy", "carbon-mcp-server-network-policy")
    ports = [port["port"] for rule in policy["spec"]["egress"] for port in rule["ports"]]
    assert 9090 in ports and 28282 in ports and 53 in ports
    values = merged(EVERYTHING, {"hub": {"source": "kepler=https://10.0.0.1,http://[fd00::2]:9000"}})
    policy = Rendered(values).one("NetworkPolicy", "carbon-mcp-server-network-policy")
    assert {443, 9000} <= {port["port"] for rule in policy["spec"]["egress"] for port in rule["ports"]}


def test_a_change_of_the_configuration_starts_the_agents_again():
    def checksum(values):
        return Rendered(values).one("DaemonSet")["spec"]["template"]["metadata"]["annotations"]["checksum/config"]

    assert checksum({}) == checksum({}) != checksum({"config": {"monitor": {"interval": "9s"}}})
