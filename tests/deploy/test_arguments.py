"""What the manifests give to the program, judged by the program."""

import json
import os
import re
import subprocess

import pytest
import yaml

from chart import CHART, DEPLOY, ROOT, VALUES, Rendered, containers, profiles

ALL = {**profiles(), "go-kepler": yaml.safe_load((VALUES / "go-kepler.yaml").read_text())}
PROFILES = pytest.mark.parametrize("values", ALL.values(), ids=ALL)


def run(binary, *arguments):
    # Variables KEPLER_… are settings.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("KEPLER_")}
    return subprocess.run([binary, *arguments], capture_output=True, text=True, timeout=60, env=environment)


@PROFILES
def test_every_argument_of_every_container_is_known_to_the_program(values, kepler_bin):
    for _, _, container in containers(Rendered(values).objects):
        assert container["command"] == ["/usr/bin/kepler"]
        # Arguments are read in order: the help comes only where those before it are right.
        answer = run(kepler_bin, *container["args"], "--help")
        assert answer.returncode == 0 and "Usage: kepler" in answer.stdout, (container["args"], answer.stderr)


def test_an_argument_that_is_unknown_would_be_noticed(kepler_bin):
    for wrong in (["--no-such-flag"], ["serve", "--sauce=local"], ["model-server", "/models", "--wob.listen-address=:1"]):
        assert run(kepler_bin, *wrong, "--help").returncode == 2


@PROFILES
def test_the_configuration_file_is_one_that_the_program_takes(values, kepler_bin, tmp_path):
    rendered = Rendered(values)
    file = tmp_path / "config.yaml"
    file.write_text(rendered.config_text)
    # The flags of the manifest, without the files that only a pod has; the host's folders are checked as well.
    folders = ["--host.sysfs=/sys", "--host.procfs=/proc"]
    arguments = [text for text in rendered.container["args"] if "config" not in text and "NODE_NAME" not in text]
    answer = run(kepler_bin, "doctor", "--json", f"--config.file={file}", "--web.config-file=", *folders, *arguments)
    assert answer.returncode in (0, 1), answer.stderr
    assert "unknown" not in answer.stderr
    assert json.loads(answer.stdout)


def test_a_configuration_with_a_mistake_would_be_noticed(kepler_bin, tmp_path):
    file = tmp_path / "config.yaml"
    file.write_text(Rendered({"config": {"monitor": {"interval": "5 parsecs"}}}).config_text)
    answer = run(kepler_bin, "doctor", f"--config.file={file}", "--host.sysfs=/sys", "--host.procfs=/proc")
    assert answer.returncode == 2 and "monitor.interval" in answer.stderr


def test_the_chart_knows_the_settings_that_the_program_knows(kepler_bin, tmp_path):
    listed = (CHART / "files/config-keys.txt").read_text().split()
    assert listed == sorted(set(listed))
    file = tmp_path / "config.yaml"
    for key in listed:
        nested = "null"
        for name in reversed(key.split(".")):
            nested = f"{{ {name}: {nested} }}"
        file.write_text(nested + "\n")
        answer = run(kepler_bin, "config", "check", file)
        assert "unknown" not in answer.stderr + answer.stdout, key


def test_no_setting_is_missing_in_the_chart():
    """A missing one is warned of as unknown in the notes, and works all the same: no reason to hold up who adds a setting."""
    table = (ROOT / "src/cli/config/settings/table.rs").read_text()
    listed = (CHART / "files/config-keys.txt").read_text().split()
    if missing := set(re.findall(r'\bkey\(\s*"([\w.-]+)"', table)) - set(listed):
        pytest.skip(f"add to deploy/helm/kepler/files/config-keys.txt: {' '.join(sorted(missing))}")


def test_the_whole_configuration_of_go_kepler_arrives(kepler_bin, tmp_path):
    """`kepler migrate` of its values and the chart's file agree in what is set."""
    values = VALUES / "go-kepler.yaml"
    migrated = yaml.safe_load(run(kepler_bin, "migrate", values).stdout)
    config = Rendered(yaml.safe_load(values.read_text())).config

    def holds(part, whole, path=""):
        for key, value in part.items():
            if isinstance(value, dict):
                holds(value, whole[key], f"{path}{key}.")
            else:
                assert str(whole[key]) == str(value), path + key

    holds(migrated, config)


@pytest.mark.parametrize("path", sorted((DEPLOY / "kustomize").rglob("*.yaml")), ids=lambda path: str(path.relative_to(DEPLOY)))
def test_arguments_in_kustomize_files_are_known(path, kepler_bin):
    documents = [document for document in yaml.safe_load_all(path.read_text()) if document and "kind" in document]
    for _, _, container in containers(documents):
        assert run(kepler_bin, *container["args"], "--help").returncode == 0
