"""`helm upgrade` in place of Go Kepler's release, done by Helm up to where it would change the cluster."""

import pytest
import yaml
from helm_python import Chart

from chart import CHART, VALUES, Rendered, merged
from helm_cluster import NAME, NAMESPACE, cluster, stored
from test_values import PARTS, valid

# Its chart's own values have no tag.
GO = merged(yaml.safe_load((VALUES / "go-kepler.yaml").read_text()), {"image": {"tag": ""}})


class Upgraded(Rendered):
    """What an upgrade that reuses the values of Go Kepler's chart makes."""

    def __init__(self, given, values=None):
        with cluster(stored(GO, given)) as helm:
            release = helm.upgrade(str(CHART), NAME, values or {}, namespace=NAMESPACE, reuse_values=True, dry_run="client")
        self.notes = release["notes"]
        self.objects = [document for document in yaml.safe_load_all(release["manifest"]) if document]


def test_what_the_api_server_lets_no_upgrade_change_stays():
    rendered = valid(Upgraded({}))
    selector = {"app.kubernetes.io/name": "kepler", "app.kubernetes.io/instance": "kepler"}
    assert rendered.one("DaemonSet")["spec"]["selector"] == {"matchLabels": selector}
    assert rendered.one("Service")["spec"]["selector"] == selector and "clusterIP" not in rendered.one("Service")["spec"]
    assert rendered.one("ClusterRoleBinding")["roleRef"] == {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "kepler"}
    named = {(made["kind"], made["metadata"]["name"]) for made in rendered.objects}
    assert named == {(made["kind"], made["metadata"]["name"]) for made in Rendered().objects}


def test_what_the_reused_values_lack_is_this_charts_own():
    rendered = Upgraded({"serviceMonitor": {"enabled": True}})
    assert rendered.container["image"] == Rendered().container["image"]
    assert any("Go Kepler's image" in line and rendered.container["image"] in line for line in rendered.warnings)
    assert rendered.one("ServiceMonitor") and rendered.agent["tolerations"] == Rendered().agent["tolerations"]
    # What Go Kepler's chart has by itself is reused: its probe, its privileged container.
    assert rendered.container["securityContext"]["privileged"] is True
    assert any("daemonset.securityContext" in line for line in rendered.warnings)


def test_new_values_are_taken_as_well():
    rendered, own = valid(Upgraded({}, PARTS)), Rendered(merged(PARTS, {"hub": {"resources": None}}))
    # A list or a free map that a section lacks may have been taken away.
    hub = [made for made in own.objects if made["metadata"]["name"] == "carbon-mcp-server"]
    assert len(hub) > 5 and all(made in rendered.objects for made in hub)


@pytest.mark.parametrize("owner, is_kept", [("kepler", True), ("other", False), (None, False)])
def test_a_namespace_that_the_release_owns_is_not_deleted_by_the_upgrade(owner, is_kept):
    """Go Kepler's chart makes it with `namespace.create`; what a release had and has no more, Helm deletes."""
    annotations = {"meta.helm.sh/release-name": owner} if owner else {}
    with cluster(annotations=annotations) as helm, Chart.load(CHART) as chart:
        texts = helm.render(chart, {"namespace": {"create": True}}, name=NAME, namespace=NAMESPACE)
    made = [document["metadata"]["name"] for document in yaml.safe_load_all(texts["kepler/templates/namespace.yaml"]) if document]
    assert made == ([NAMESPACE] if is_kept else [])


def test_a_namespace_is_made_where_no_cluster_is_asked():
    """`helm template` and Argo CD, which would delete the namespace that Go Kepler's chart had made."""
    assert Rendered({"namespace": {"create": True}}).one("Namespace")["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "privileged"
    assert Rendered().all("Namespace") == []
