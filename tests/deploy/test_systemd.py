"""The units, judged by systemd and by the program."""

import os
import re
import shutil
import subprocess

import pytest

from chart import DEPLOY, ROOT

UNITS = [DEPLOY / "systemd/kepler.service", DEPLOY / "aws/node/kepler-node.service"]


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd on this machine")
@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_systemd_finds_nothing_wrong_but_a_program_that_is_not_installed(unit):
    done = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True, timeout=60)
    said = [line for line in (done.stdout + done.stderr).splitlines() if unit.name in line]
    assert [line for line in said if "is not executable: No such file" not in line] == []


def test_the_unit_grants_what_the_documentation_says():
    unit = UNITS[0].read_text()
    documented = (ROOT / "docs/permissions.md").read_text()
    line = re.search("^AmbientCapabilities=.*$", unit, re.MULTILINE)[0]
    assert line in documented and line.replace("Ambient", "") .replace("Capabilities", "CapabilityBoundingSet") in unit


def test_the_command_and_the_variables_of_the_unit_are_known_to_the_program(kepler_bin, tmp_path):
    command = re.search("^ExecStart=/usr/bin/kepler (.*)$", UNITS[0].read_text(), re.MULTILINE)[1].split()
    arguments = [word for word in command if not word.startswith("$")]
    names = re.findall(r"^#(\w+)=(.*)$", (DEPLOY / "systemd/kepler.default").read_text(), re.MULTILINE)
    variables = dict(names)
    assert len(variables) >= 3
    variables["KEPLER_CONFIG_FILE"] = str(tmp_path / "config.yaml")
    (tmp_path / "config.yaml").write_text("log: { level: info }\n")
    answer = subprocess.run([kepler_bin, *arguments, "--help"], capture_output=True, text=True, timeout=30)
    assert answer.returncode == 0
    environment = {"PATH": os.environ["PATH"], **variables}
    answer = subprocess.run([kepler_bin, "doctor"], capture_output=True, text=True, timeout=60, env=environment)
    assert answer.returncode in (0, 1) and "unknown" not in answer.stderr, answer.stderr
