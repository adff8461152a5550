"""What of the values has no effect is said after the installation."""

import pytest
import yaml

from chart import EVERYTHING, VALUES, Rendered, profiles


def test_the_values_of_the_chart_itself_are_not_warned_of():
    assert Rendered().warnings == []


@pytest.mark.parametrize(
    "values, said",
    [
        ({"config": {"model": {"enabled": True}}}, "config.model.enabled"),
        ({"config": {"dev": {"fake-cpu-meter": {"enabled": True}}}}, "made up"),
        ({"config": {"cpu": {"preferredMeters": ["fake"]}}}, "made up"),
        ({"config": {"monitor": {"staleness": "500ms"}}}, "config.monitor.staleness"),
        ({"config": {"debug": {"pprof": {"enabled": True}}}}, "pprof"),
        ({"config": {"monitor": {"intervall": "5s"}}}, "`config.monitor.intervall` is no setting"),
        ({"config": {"monitoring": {"a": {"b": 1}}}}, "`config.monitoring` is no setting"),
        ({"config": {"log": "debug"}}, None),
        ({"kubeRBACProxy": {"enabled": True}}, "`kubeRBACProxy` is no value"),
        ({"daemonset": {"hostNetwork": True}}, "`daemonset.hostNetwork` is no value"),
        ({"redfish": {"enabled": True, "name": "bmc"}}, "`redfish.name` is no value"),
        ({"modelServer": {"enabled": True, "imageRepository": "x"}}, "`modelServer.imageRepository` is no value"),
        ({"extraEnvVars": {"ENABLE_GPU": "true"}, "tolerations": []}, "whose values `kepler migrate` reads"),
        ({"resources": {"limits": {"cpu": "100m"}}}, "`resources` is no value of this chart, and has no effect: it is `daemonset.resources`."),
        # As users of Go Kepler's older charts have them (values found in use, 2026).
        ({"volumes": [{"name": "bpf", "hostPath": {"path": "/sys/fs/bpf"}}]}, "`volumes` is no value of this chart, and has no effect: it is `extraVolumes`."),
        ({"serviceMonitor": {"enabled": True, "selector": {"release": "x"}}}, "`serviceMonitor.selector` is no value"),
        ({"serviceAccount": {"annotation": {}}}, "`serviceAccount.annotation` is no value"),
        ({"config": {"experimental": {"gpu": {"enabled": True}}}}, "only with `daemonset.nvidia: true`"),
        ({"image": {"repository": "quay.io/sustainable_computing_io/kepler"}}, "Go Kepler's image"),
        ({"rbac": {"nodesProxy": True}}, "run commands in every container"),
        ({"daemonset": {"securityContext": {"privileged": True}}}, "needed for the MSR driver only"),
        ({"hub": {"enabled": True, "source": "endpoints=other/kepler"}}, "needs a Role"),
        ({"hub": {"enabled": True, "source": "prometheus=http://p:9090"}}, "hub.tokenSecret"),
        (profiles()["restricted"], "reads no energy counters"),
        (profiles()["autopilot"], "not divided among its pods"),
    ],
)
def test_what_has_no_effect_or_another_one_is_said(values, said):
    if said is None:
        with pytest.raises(Exception, match="log"):
            Rendered(values)
        return
    assert any(said in line for line in Rendered(values).warnings), Rendered(values).notes


def test_what_the_first_users_have_in_their_values_is_taken_and_warned_of():
    rendered = Rendered({"config": {"rapl": {"zones": []}, "dev": {"fake-cpu-meter": {"enabled": False}}, "model": {"enabled": True}}})
    assert [line.partition(" ")[0] for line in rendered.warnings] == ["`config.model.enabled`"]
    assert rendered.config["model"] == {"enabled": True}


def test_a_hub_with_everything_set_is_not_warned_of():
    assert not any("hub" in line for line in Rendered(EVERYTHING).warnings)


MONITOR = yaml.safe_load((VALUES / "powermonitor.yaml").read_text())


@pytest.mark.parametrize("given", [MONITOR, MONITOR["spec"]], ids=["the resource", "its spec"])
def test_a_powermonitor_of_the_operator_is_taken(given):
    rendered = Rendered({"powerMonitor": given})
    config = rendered.config
    assert (config["log"]["level"], config["monitor"]["interval"], config["monitor"]["maxTerminated"]) == ("debug", "10s", 250)
    assert config["exporter"]["prometheus"] == {"enabled": True, "metricsLevel": ["node", "pod", "vm"]}
    assert rendered.agent["nodeSelector"] == {"kubernetes.io/os": "linux", "power": "yes"}
    assert rendered.agent["tolerations"] == [{"key": "gpu", "operator": "Exists"}]
    assert {"name": "secret-0", "mountPath": "/etc/kepler-redfish", "readOnly": True} in rendered.container["volumeMounts"]
    assert {"name": "secret-0", "secret": {"secretName": "redfish"}} in rendered.agent["volumes"]
    said = "\n".join(rendered.warnings)
    for word in ("security.mode: rbac", "allowedSANames", "additionalConfigMaps", "staleness"):
        assert word in said
    assert len(rendered.warnings) == 4


def test_fields_that_no_operator_has_are_warned_of():
    rendered = Rendered({"powerMonitor": {"kepler": {"config": {"loglevel": "debug"}, "deployment": {"replicas": 1}}}})
    assert ["config.loglevel" in rendered.warnings[0], "deployment.replicas" in rendered.warnings[1]] == [True, True]


def test_allowed_names_hold_for_certificates_of_clients():
    tls = {"enabled": True, "secretName": "x", "clientCAKey": "ca.crt"}
    rendered = Rendered({"powerMonitor": MONITOR, "tls": tls})
    web = yaml.safe_load(rendered.one("ConfigMap")["data"]["web-config.yaml"])["tls_server_config"]
    assert web["client_allowed_sans"] == ["prometheus.monitoring.svc"]
    assert not any("allowedSANames" in line or "rbac" in line for line in rendered.warnings)
