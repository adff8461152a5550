"""The Kustomize base and overlays are what the chart makes."""

import shutil
import subprocess
import sys

import pytest
import yaml

from chart import DEPLOY

sys.path.insert(0, str(DEPLOY / "kustomize"))
import generate  # noqa: E402

KUBECTL = shutil.which("kubectl")


def build(folder):
    answer = subprocess.run([KUBECTL, "kustomize", folder], capture_output=True, text=True, timeout=60)
    assert answer.returncode == 0, answer.stderr
    return {(there["kind"], there["metadata"]["name"]): there for there in yaml.safe_load_all(answer.stdout)}


def test_every_file_is_as_it_would_be_written_now():
    """Otherwise: `python deploy/kustomize/generate.py`."""
    there = {str(path.relative_to(DEPLOY / "kustomize")): path.read_text() for path in (DEPLOY / "kustomize").rglob("*.yaml")}
    assert there == generate.files()


@pytest.mark.skipif(KUBECTL is None, reason="no kubectl on this machine")
@pytest.mark.parametrize("profile", generate.profiles())
def test_an_overlay_builds_what_the_chart_makes_of_the_profile(profile):
    built, made = build(DEPLOY / f"kustomize/overlays/{profile}"), generate.render(generate.values_of(profile))
    if ("Namespace", generate.NAMESPACE) not in made:
        built.pop(("Namespace", generate.NAMESPACE), None)
    assert built == made


@pytest.mark.skipif(KUBECTL is None, reason="no kubectl on this machine")
def test_the_base_is_the_chart_without_values_and_a_namespace():
    built = build(DEPLOY / "kustomize/base")
    assert built.pop(("Namespace", "kepler"))["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "privileged"
    assert built == generate.render({"namespace": {"create": False}})


@pytest.mark.parametrize("profile", generate.profiles())
def test_every_patch_names_an_object_of_the_base(profile):
    base = generate.render({"namespace": {"create": False}})
    overlay = yaml.safe_load((DEPLOY / f"kustomize/overlays/{profile}/kustomization.yaml").read_text())
    for patch in overlay["patches"]:
        if target := patch.get("target"):
            assert (target["kind"], target["name"]) in base
