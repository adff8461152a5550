"""Writes the Kustomize base and overlays from the Helm chart: `python deploy/kustomize/generate.py` after a change of the chart.
Before that it copies the chart's values to where its templates can read them.

The base is what the chart makes without values. An overlay is what it makes with the file of values of that name below
`deploy/helm/kepler/profiles`: patches where an object is in the base, whole objects where it is not.
Needs `tests/deploy/requirements.txt`.
"""

import sys
from pathlib import Path

import jsonpatch
import yaml
from helm_python import Chart

HERE = Path(__file__).parent
CHART = HERE.parent / "helm/kepler"
RELEASE, NAMESPACE = "kepler", "kepler"
HEAD = "# Written by deploy/kustomize/generate.py from deploy/helm/kepler{}. Do not edit: edit the chart.\n"
# What Helm says of itself.
HELMS = ("helm.sh/chart", "app.kubernetes.io/managed-by")


def render(values: dict) -> dict[tuple[str, str], dict]:
    """The objects that the chart makes, by kind and name."""
    with Chart.load(CHART) as chart:
        texts = chart.render(values, name=RELEASE, namespace=NAMESPACE)
    objects = {}
    for path, text in texts.items():
        if path.endswith("NOTES.txt"):
            continue
        for document in yaml.safe_load_all(text):
            if document:
                for label in HELMS:
                    document["metadata"].get("labels", {}).pop(label, None)
                objects[document["kind"], document["metadata"]["name"]] = document
    return dict(sorted(objects.items(), key=lambda item: (item[0][0] != "Namespace", item[0])))


class _Indented(yaml.SafeDumper):
    """Lists are indented below their key, as people write them; long texts keep their lines."""

    def increase_indent(self, flow=False, indentless=False):
        return super().increase_indent(flow, False)


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.Node:
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if "\n" in value else None)


_Indented.add_representer(str, _text)


def dump(*documents: dict) -> str:
    # The last line of a literal text at the end has no newline of its own.
    texts = [yaml.dump(document, Dumper=_Indented, sort_keys=False, width=1000).rstrip("\n") + "\n" for document in documents]
    return "---\n".join(texts)


def base() -> dict[str, str]:
    objects = render({"namespace": {"create": False}})
    namespace = {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": NAMESPACE, "labels": {"pod-security.kubernetes.io/enforce": "privileged"}},
    }
    customization = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": ["namespace.yaml", "kepler.yaml"],
    }
    head = HEAD.format("")
    return {
        "base/kustomization.yaml": head + dump(customization),
        "base/namespace.yaml": head + dump(namespace),
        "base/kepler.yaml": head + dump(*objects.values()),
    }


def overlay(name: str, values: dict) -> dict[str, str]:
    ours, theirs = render({"namespace": {"create": False}}), render(values)
    head = HEAD.format(f" and its profiles/{name}.yaml")
    patches = []
    for key, there in theirs.items():
        if key in ours and (steps := list(jsonpatch.make_patch(ours[key], there))):
            target = {"kind": key[0], "name": key[1]}
            if isinstance(steps[-1].get("value"), str):
                # Kustomize takes the newline off the end of a patch, and so off a text that stands there.
                steps.append({"op": "test", "path": "/kind", "value": key[0]})
            patches.append({"target": target, "patch": dump(steps)})
    missing = [key for key in ours if key not in theirs]
    for kind, title in missing:
        gone = {"apiVersion": ours[kind, title]["apiVersion"], "kind": kind, "metadata": {"name": title}, "$patch": "delete"}
        patches.append({"patch": dump(gone)})
    if any(key[0] == "Namespace" for key in theirs):
        # The agent's namespace is another one then.
        gone = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}, "$patch": "delete"}
        if theirs["DaemonSet", "kepler"]["metadata"]["namespace"] != NAMESPACE:
            patches.append({"patch": dump(gone)})
    more = [there for key, there in theirs.items() if key not in ours]
    customization = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": ["../../base"] + (["more.yaml"] if more else []),
        "patches": patches,
    }
    files = {f"overlays/{name}/kustomization.yaml": head + dump(customization)}
    if more:
        files[f"overlays/{name}/more.yaml"] = head + dump(*more)
    return files


def profiles() -> list[str]:
    return sorted(path.stem for path in (CHART / "profiles").glob("*.yaml"))


def values_of(profile: str) -> dict:
    return yaml.safe_load((CHART / f"profiles/{profile}.yaml").read_text())


def files() -> dict[str, str]:
    """All files, by their path below this folder."""
    written = base()
    for profile in profiles():
        written |= overlay(profile, values_of(profile))
    return written


if __name__ == "__main__":
    (CHART / "files/values.yaml").write_text((CHART / "values.yaml").read_text())
    for path, text in files().items():
        (HERE / path).parent.mkdir(parents=True, exist_ok=True)
        (HERE / path).write_text(text)
    print(f"{len(files())} files", file=sys.stderr)
