"""An API server as far as Helm asks one before it changes anything: kinds, one namespace, the release that is installed."""

import base64
import gzip
import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

from helm_python import Config

from chart import Object

NAME, NAMESPACE = "kepler", "kepler"
CLUSTER_WIDE = ("Namespace", "ClusterRole", "ClusterRoleBinding", "SecurityContextConstraints")
KINDS = {
    "v1": ("Namespace", "Secret", "ConfigMap", "Service", "ServiceAccount"),
    "apps/v1": ("DaemonSet", "Deployment"),
    "rbac.authorization.k8s.io/v1": ("Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding"),
    "networking.k8s.io/v1": ("NetworkPolicy",),
    "monitoring.coreos.com/v1": ("ServiceMonitor", "PodMonitor"),
    "security.openshift.io/v1": ("SecurityContextConstraints",),
}


def plural(kind: str) -> str:
    name = kind.lower()
    return name if name.endswith("constraints") else name[:-1] + "ies" if name.endswith("y") else name + "s"


def kinds() -> Object:
    """What there is (discovery), and that fields are checked by the server (OpenAPI)."""
    answers: Object = {"/version": {"major": "1", "minor": "36", "gitVersion": "v1.36.0"}, "/api": {"kind": "APIVersions", "versions": ["v1"]}}
    groups, documents = [], {}
    for version, names in KINDS.items():
        group, _, number = version.rpartition("/")
        path = f"apis/{version}" if group else f"api/{version}"
        resources = [{"name": plural(kind), "kind": kind, "namespaced": kind not in CLUSTER_WIDE, "verbs": ["get", "list"]} for kind in names]
        answers[f"/{path}"] = {"kind": "APIResourceList", "groupVersion": version, "resources": resources}
        if group:
            served = {"groupVersion": version, "version": number}
            groups.append({"name": group, "versions": [served], "preferredVersion": served})
        parameters = [{"name": "fieldValidation", "in": "query", "schema": {"type": "string"}}]
        patches = {
            f"/{path}/{plural(kind)}/{{name}}": {
                "patch": {"parameters": parameters, "responses": {}, "x-kubernetes-group-version-kind": {"group": group, "version": number, "kind": kind}}
            }
            for kind in names
        }
        documents[path] = {"serverRelativeURL": f"/openapi/v3/{path}"}
        answers[f"/openapi/v3/{path}"] = {"openapi": "3.0.0", "info": {"title": path, "version": "1"}, "paths": patches}
    answers["/apis"] = {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}
    answers["/openapi/v3"] = {"paths": documents}
    return answers


def stored(values: Object, given: Object) -> Object:
    """The Secret in which Helm keeps a release of a chart with these `values`, installed with those `given`."""
    day = "2026-01-01T00:00:00Z"
    chart = {"metadata": {"apiVersion": "v2", "name": "kepler", "version": "0.11.4", "appVersion": "v0.11.4"}, "values": values, "templates": [], "files": []}
    info = {"status": "deployed", "first_deployed": day, "last_deployed": day}
    release = {"name": NAME, "namespace": NAMESPACE, "version": 1, "info": info, "config": given, "manifest": "", "chart": chart}
    text = base64.b64encode(gzip.compress(json.dumps(release).encode()))
    metadata = {"name": f"sh.helm.release.v1.{NAME}.v1", "namespace": NAMESPACE, "labels": {"name": NAME, "owner": "helm", "status": "deployed", "version": "1"}}
    return {"metadata": metadata, "type": "helm.sh/release.v1", "data": {"release": base64.b64encode(text).decode()}}


@contextmanager
def cluster(release: Object | None = None, annotations: Object | None = None) -> Iterator[Config]:
    """Helm beside a cluster that has the namespace, with these annotations."""
    namespace = {"kind": "Namespace", "apiVersion": "v1", "metadata": {"name": NAMESPACE, "annotations": annotations or {}}}
    secrets = f"/api/v1/namespaces/{NAMESPACE}/secrets"
    found = [release] if release else []
    answers = {**kinds(), f"/api/v1/namespaces/{NAMESPACE}": namespace}
    answers |= {secrets: {"kind": "SecretList", "apiVersion": "v1", "metadata": {}, "items": found}}
    answers |= {f"{secrets}/{secret['metadata']['name']}": secret for secret in found}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = answers.get(self.path.partition("?")[0])
            body = json.dumps(found or {"kind": "Status", "status": "Failure", "reason": "NotFound", "code": 404}).encode()
            self.send_response(200 if found else 404)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    named = {"name": "x", "cluster": {"server": f"http://127.0.0.1:{server.server_port}"}}
    kubeconfig = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [named],
        "users": [{"name": "x", "user": {}}],
        "contexts": [{"name": "x", "context": {"cluster": "x", "user": "x"}}],
        "current-context": "x",
    }
    try:
        with Config(namespace=NAMESPACE, kubeconfig_content=json.dumps(kubeconfig)) as config:
            yield config
    finally:
        server.shutdown()
        server.server_close()
