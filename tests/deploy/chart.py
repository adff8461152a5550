"""The chart, rendered by a real Helm, as objects."""

import copy
from pathlib import Path
from typing import Any, Iterator

import yaml
from helm_python import Chart

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
CHART = DEPLOY / "helm/kepler"
VALUES = Path(__file__).parent / "values"

Object = dict[str, Any]


class Rendered:
    """What an installation makes of some values."""

    def __init__(self, values: Object | None = None, name: str = "kepler", namespace: str = "kepler", chart: Path = CHART):
        with Chart.load(chart) as loaded:
            texts = loaded.render(values or {}, name=name, namespace=namespace)
        self.notes = next((text for path, text in texts.items() if path.endswith("NOTES.txt")), "")
        self.objects: list[Object] = []
        for path, text in sorted(texts.items()):
            if not path.endswith("NOTES.txt"):
                self.objects += [document for document in yaml.safe_load_all(text) if document]

    @property
    def warnings(self) -> list[str]:
        _, _, listed = self.notes.partition("To be known:")
        return [line.strip()[2:] for line in listed.splitlines() if line.strip()]

    def all(self, kind: str) -> list[Object]:
        return [there for there in self.objects if there["kind"] == kind]

    def one(self, kind: str, name: str = "kepler") -> Object:
        found = [there for there in self.all(kind) if there["metadata"]["name"] == name]
        assert len(found) == 1, f"{len(found)} of {kind} {name}"
        return found[0]

    @property
    def agent(self) -> Object:
        """The pod's specification of the node agent."""
        return self.all("DaemonSet")[0]["spec"]["template"]["spec"]

    @property
    def container(self) -> Object:
        return self.agent["containers"][0]

    @property
    def config(self) -> Object:
        """The node agent's configuration file."""
        return yaml.safe_load(self.config_text)

    @property
    def config_text(self) -> str:
        return next(there for there in self.all("ConfigMap") if "config.yaml" in there["data"])["data"]["config.yaml"]


def containers(objects: list[Object]) -> Iterator[tuple[Object, Object, Object]]:
    """Each workload, its pod's specification and its container."""
    for there in objects:
        if there["kind"] in ("DaemonSet", "Deployment", "StatefulSet", "Job"):
            pod = there["spec"]["template"]["spec"]
            for container in pod.get("initContainers", []) + pod["containers"]:
                yield there, pod, container


def merged(*parts: Object) -> Object:
    """Values over values, as several `--values` are."""
    result: Object = {}
    for part in parts:
        for key, value in part.items():
            inner = result.get(key)
            result[key] = merged(inner, value) if isinstance(inner, dict) and isinstance(value, dict) else copy.deepcopy(value)
    return result


EVERYTHING: Object = {
    "imagePullSecrets": [{"name": "registry"}],
    "image": {"repository": "registry.example:5000/kepler", "digest": "sha256:" + "a" * 64},
    "rbac": {"nodesProxy": True, "prometheus": {"create": True}},
    "scc": {"create": True},
    "service": {"clusterIP": "None", "annotations": {"a": "b"}},
    "nodePort": {"enabled": True},
    "daemonset": {
        "priorityClassName": "system-node-critical",
        "podLabels": {"team": "green"},
        "podAnnotations": {"note": "x"},
        "affinity": {"nodeAffinity": {}},
        "nvidia": True,
        "runtimeClassName": "nvidia",
        "hostLogs": True,
        "kubeletCertificate": "/var/lib/kubelet/pki/kubelet.crt",
        "nodeSelector": {"disk": "ssd"},
    },
    "extraArgs": ["--log.level=debug", "--metrics=node", "--metrics=pod"],
    "extraEnv": [{"name": "KEPLER_REGION", "value": "eu-north-1"}],
    "extraEnvFrom": [{"configMapRef": {"name": "more"}}],
    "extraVolumes": [{"name": "state", "hostPath": {"path": "/var/lib/kepler"}}],
    "extraVolumeMounts": [{"name": "state", "mountPath": "/var/lib/kepler"}],
    "tls": {"enabled": True, "secretName": "kepler-tls", "webConfig": {"tls_server_config": {"min_version": "TLS13"}}},
    "redfish": {"secretName": "bmc"},
    "serviceMonitor": {"enabled": True, "labels": {"release": "prometheus"}, "tlsConfig": {"insecureSkipVerify": True}},
    "podMonitor": {"enabled": True},
    "networkPolicy": {"enabled": True},
    "grafana": {"dashboards": {"enabled": True, "namespace": "monitoring"}},
    "labels": {"cost-centre": "42"},
    "annotations": {"owner": "someone@example.org"},
    "hub": {
        "enabled": True,
        "source": "prometheus=https://prometheus.monitoring:9090",
        "sourceCASecret": "prometheus-ca",
        "region": "ap-northeast-2",
        "standards": {"files": {"mine.json": '{"rules": []}'}},
        "allowedHosts": ["carbon.example.org"],
        "allowedOrigins": ["https://ops.example.org"],
        "tokenSecret": {"name": "mcp-token"},
        "tls": {"secretName": "hub-tls"},
        "extraArgs": ["--pue=1.2"],
        "nodeSelector": {"disk": "ssd"},
    },
    "modelServer": {"enabled": True, "train": False, "volume": {"persistentVolumeClaim": {"claimName": "models"}}},
}


def profiles() -> dict[str, Object]:
    """Values by name: none, each file of `profiles`, and all that can be set at once."""
    files = {path.stem: yaml.safe_load(path.read_text()) for path in sorted((CHART / "profiles").glob("*.yaml"))}
    return {"default": {}, **files, "everything": EVERYTHING}
