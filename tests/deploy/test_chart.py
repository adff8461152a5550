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
    for there in Rendered(values | {"kubeVersion": version}).objects:
        if there["kind"] not in EXTENSIONS:
            kubernetes_validate.validate(there, version, strict=True)


def test_the_default_profile_is_not_confined_by_apparmor_in_clusters_old_and_new():
    annotation = {"container.apparmor.security.beta.kubernetes.io/kepler": "unconfined"}
    for version, field, has_annotation in [("1.29", None, True), ("1.30", {"type": "Unconfined"}, False), ("", {"type": "Unconfined"}, False)]:
        rendered = Rendered({"kubeVersion": version})
        annotations = rendered.one("DaemonSet")["spec"]["template"]["metadata"]["annotations"]
        assert rendered.container["securityContext"].get("appArmorProfile") == field
        assert (annotation.items() <= annotations.items()) == has_annotation
    for values in ({"profile": "restricted"}, {"profile": "privileged"}, {"daemonset": {"securityContext": {"privileged": True}}}):
        text = str(Rendered(values | {"kubeVersion": "1.29"}).one("DaemonSet")) + str(Rendered(values).one("DaemonSet"))
        assert "pparmor" not in text and "appArmor" not in text


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
        ({"hub": {"enabled": True, "source": "endpoints=../kepler"}}, "source"),
        ({"hub": {"replicas": 3}}, "replicas"),
        ({"hub": {"sources": "x"}}, "sources"),
        ({"hub": {"name": "Carbon"}}, "name"),
        ({"modelServer": {"namespace": {"name": "models.example"}}}, "name"),
        ({"service": {"port": "http"}}, "port"),
        ({"service": {"targetPort": "metrics"}}, "targetPort"),
        ({"kubeVersion": "latest"}, "kubeVersion"),
        ({"networkPolicy": {"egress": "none"}}, "egress"),
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
    with pytest.raises(helm_python.HelmError, match="tls.enabled"):
        Rendered({"kubernetesAuth": {"enabled": True}})
    with pytest.raises(helm_python.HelmError, match="hub.tls.secretName"):
        Rendered({"hub": {"enabled": True, "kubernetesAuth": True}})
    with pytest.raises(helm_python.HelmError, match="one token"):
        Rendered({"hub": {"enabled": True, "kubernetesAuth": True, "tls": {"secretName": "y"}, "tokenSecret": {"name": "z"}}})
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


def test_an_agent_of_gpus_has_the_library_and_the_kubelets_socket_of_allocations():
    rendered = Rendered({"daemonset": {"nvidia": True, "runtimeClassName": "nvidia"}})
    spec, container = rendered.agent, rendered.container
    assert spec["runtimeClassName"] == "nvidia"
    environment = {entry["name"]: entry.get("value") for entry in container["env"]}
    assert (environment["NVIDIA_VISIBLE_DEVICES"], environment["NVIDIA_DRIVER_CAPABILITIES"]) == ("all", "utility")

    def socket(rendered):
        mounts = [mount for mount in rendered.container["volumeMounts"] if mount["name"] == "pod-resources"]
        volumes = [volume["hostPath"]["path"] for volume in rendered.agent["volumes"] if volume["name"] == "pod-resources"]
        assert all(mount["readOnly"] for mount in mounts)
        return [mount["mountPath"] for mount in mounts], volumes

    assert socket(rendered) == (["/var/lib/kubelet/pod-resources"], ["/var/lib/kubelet/pod-resources"])
    # K0s has it elsewhere; the program finds it where the chart mounts it.
    k0s = Rendered({"daemonset": {"podResources": "/var/lib/k0s/kubelet/pod-resources"}})
    assert socket(k0s) == (["/var/lib/kubelet/pod-resources"], ["/var/lib/k0s/kubelet/pod-resources"])
    assert socket(Rendered({})) == ([], []) and "runtimeClassName" not in Rendered({}).agent


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


def test_ports_with_and_without_certificates_are_there_at_once():
    rendered = Rendered(merged(EVERYTHING, {"tls": {"plain": {"enabled": True}}}))
    ports = {port["name"]: port["containerPort"] for port in rendered.container["ports"]}
    assert ports["https"] != ports["http"] == 28283 and rendered.config["web"]["plainListenAddresses"] == [":28283"]
    for scheme, node_port in (("http", 30080), ("https", 30443)):
        (port,) = rendered.one("Service", f"kepler-{scheme}")["spec"]["ports"]
        assert (port["targetPort"], port["nodePort"]) == (scheme, node_port)
    assert {"kepler-http", "kepler-https"} <= set(rendered.config["web"]["allowedHosts"])
    assert [port["name"] for port in rendered.one("Service", "kepler")["spec"]["ports"]] == ["https", "http"]
    probes = {rendered.container[kind]["httpGet"]["port"] for kind in ("startupProbe", "livenessProbe", "readinessProbe")}
    assert probes == {"https"}


AUTHENTICATED = {"tls": {"enabled": True, "secretName": "x"}, "kubernetesAuth": {"enabled": True}, "hub": {"enabled": True}}


def test_who_asks_the_agents_shows_a_token_that_is_for_them_alone():
    rendered = Rendered(AUTHENTICATED)
    assert rendered.config["web"]["kubernetesAudience"] == "kepler.kepler.svc"
    delegator = rendered.one("ClusterRoleBinding", "kepler-auth-delegator")
    assert (delegator["roleRef"]["name"], delegator["subjects"][0]["name"]) == ("system:auth-delegator", "kepler")
    reader = rendered.one("ClusterRole", "kepler-metrics-reader")["rules"]
    assert reader == [{"nonResourceURLs": ["/metrics"], "verbs": ["get"]}]
    (subject,) = rendered.one("ClusterRoleBinding", "carbon-mcp-server-metrics-reader")["subjects"]
    assert (subject["name"], subject["namespace"]) == ("carbon-mcp-server", "carbon-mcp")
    pod = rendered.one("Deployment", "carbon-mcp-server")["spec"]["template"]["spec"]
    (token,) = [volume["projected"]["sources"][0] for volume in pod["volumes"] if volume["name"] == "agent-token"]
    assert token == {"serviceAccountToken": {"audience": "kepler.kepler.svc", "expirationSeconds": 3600, "path": "token"}}
    assert "--source.token-file=/var/run/secrets/kepler/token" in pod["containers"][0]["args"]
    # Nothing of it where it is not asked for.
    plain = Rendered({"hub": {"enabled": True}})
    assert "auth-delegator" not in str(plain.objects) and "agent-token" not in str(plain.objects)
    assert "kubernetesAudience" not in plain.config["web"]


def test_a_monitor_has_the_token_and_the_certificates_that_the_agents_ask_for():
    rbac = {"kepler": {"deployment": {"security": {"mode": "rbac"}}}}
    tls = {"enabled": True, "secretName": "x"}
    for asked in ({"kubernetesAuth": {"enabled": True}}, {"powerMonitor": rbac}):
        rendered = Rendered({**asked, "tls": tls, "serviceMonitor": {"enabled": True}})
        assert rendered.config["web"]["kubernetesAudience"] == "kepler.kepler.svc"
        assert rendered.one("ClusterRoleBinding", "kepler-auth-delegator")
        (endpoint,) = rendered.one("ServiceMonitor", "kepler")["spec"]["endpoints"]
        assert endpoint["bearerTokenFile"] == "/var/run/secrets/kepler/token"
        ca = {"secret": {"name": "x", "key": "ca.crt"}}
        assert (endpoint["scheme"], endpoint["tlsConfig"]) == ("https", {"serverName": "kepler.kepler.svc", "ca": ca})
    secret = {"enabled": True, "tokenSecret": {"name": "scraper"}, "tlsConfig": {"insecureSkipVerify": True}}
    rendered = Rendered({"powerMonitor": rbac, "tls": tls, "podMonitor": secret})
    (endpoint,) = rendered.one("PodMonitor", "kepler")["spec"]["podMetricsEndpoints"]
    assert endpoint["authorization"] == {"type": "Bearer", "credentials": {"name": "scraper", "key": "token"}}
    assert endpoint["tlsConfig"] == {"insecureSkipVerify": True} and "bearerTokenFile" not in endpoint
    # Without certificates a token would be read on the way: nothing of it, and a warning.
    plain = Rendered({"powerMonitor": rbac, "serviceMonitor": {"enabled": True}})
    assert "kubernetesAudience" not in plain.config["web"] and "bearerTokenFile" not in str(plain.objects)


def test_namespaces_are_read_only_where_their_annotations_count():
    for values, name in (
        ({"config": {"kube": {"annotations": "cluster"}}}, "kepler"),
        ({"hub": {"enabled": True, "annotations": "cluster"}}, "carbon-mcp-server"),
    ):
        rules = Rendered(values).one("ClusterRole", name)["rules"]
        assert {"apiGroups": [""], "resources": ["namespaces"], "verbs": ["list"]} in rules
    assert "namespaces" not in str([role["rules"] for role in Rendered({"hub": {"enabled": True}}).all("ClusterRole")])
    hub = Rendered({"hub": {"enabled": True, "annotations": "cluster"}}).one("Deployment", "carbon-mcp-server")
    assert "--kube.annotations=cluster" in hub["spec"]["template"]["spec"]["containers"][0]["args"]


def test_the_hub_asks_for_tokens_of_its_own_audience():
    rendered = Rendered({"hub": {"enabled": True, "kubernetesAuth": True, "source": "prometheus=http://p:9090", "tls": {"secretName": "y"}}})
    pod = rendered.one("Deployment", "carbon-mcp-server")["spec"]["template"]["spec"]
    assert "--web.kubernetes-audience=carbon-mcp-server.carbon-mcp.svc" in pod["containers"][0]["args"]
    assert pod["automountServiceAccountToken"] is True
    assert rendered.one("ClusterRoleBinding", "carbon-mcp-server-auth-delegator")


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


def test_the_hub_finds_the_agents_by_their_service_and_may_do_nothing_else():
    rendered = Rendered({"hub": {"enabled": True}})
    pod = rendered.one("Deployment", "carbon-mcp-server")["spec"]["template"]["spec"]
    assert pod["containers"][0]["args"][:2] == ["hub", "--source=endpoints=kepler/kepler"]
    assert pod["automountServiceAccountToken"] is True and "hostPath" not in str(pod)
    role = rendered.one("Role", "carbon-mcp-server")
    assert role["metadata"]["namespace"] == "kepler"
    assert role["rules"] == [{"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": ["list", "watch"]}]
    assert rendered.one("ClusterRole", "carbon-mcp-server")["rules"] == [
        {"apiGroups": [""], "resources": ["nodes"], "verbs": ["list"]},
        {"apiGroups": ["apps"], "resources": ["replicasets"], "verbs": ["get"]},
        {"apiGroups": ["batch"], "resources": ["jobs"], "verbs": ["get"]},
    ]
    (subject,) = rendered.one("RoleBinding", "carbon-mcp-server")["subjects"]
    assert subject == {"kind": "ServiceAccount", "name": "carbon-mcp-server", "namespace": "carbon-mcp"}
    # With a Prometheus it asks no API server.
    asking = Rendered(EVERYTHING)
    assert asking.one("Deployment", "carbon-mcp-server")["spec"]["template"]["spec"]["automountServiceAccountToken"] is False
    assert not [item for item in asking.objects if item["kind"] == "Role" and item["metadata"]["name"] == "carbon-mcp-server"]


def test_a_change_of_the_configuration_starts_the_agents_again():
    def checksum(values):
        return Rendered(values).one("DaemonSet")["spec"]["template"]["metadata"]["annotations"]["checksum/config"]

    assert checksum({}) == checksum({}) != checksum({"config": {"monitor": {"interval": "9s"}}})
