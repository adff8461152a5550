"""The command `kepler-power`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from powercap import PowercapTree

PROGRAM = Path(sys.executable).with_name("kepler-power")
WORK = "import time\nend = time.process_time() + 0.2\nwhile time.process_time() < end: pass\n"


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(PROGRAM), *arguments], capture_output=True, text=True, env={**os.environ, **environment}
    )


def test_a_command_is_measured_and_its_output_and_status_are_its_own(tree: PowercapTree) -> None:
    work = WORK + f"open({str(tree.sysfs / 'class/powercap/intel-rapl:0/energy_uj')!r}, 'r+').write('6234567\\n')\nprint('out')\nraise SystemExit(3)"
    done = run("measure", "--json", "--region=SE", "--", sys.executable, "-c", work, KEPLER_HOST_SYSFS=str(tree.sysfs))
    assert (done.returncode, done.stdout) == (3, "out\n")
    figures = json.loads(done.stderr)
    assert figures["energy_joules"] == 5.0 and figures["exit_status"] == 3 and figures["region"] == "SE"
    assert figures["tree_cpu_seconds"] - figures["process_cpu_seconds"] > 0.2


def test_the_commands_share_comes_first_and_the_wrapper_is_not_in_it(tree: PowercapTree) -> None:
    work = WORK + f"open({str(tree.sysfs / 'class/powercap/intel-rapl:0/energy_uj')!r}, 'r+').write('6234567\\n')"
    arguments = ("measure", "--json", "--region=SE", "--", sys.executable, "-c", work)
    figures = json.loads(run(*arguments, KEPLER_HOST_SYSFS=str(tree.sysfs)).stderr)
    assert list(figures)[:3] == ["command", "exit_status", "command_joules"]
    assert 0 < figures["command_joules"] < figures["tree_joules"] <= figures["energy_joules"]
    assert figures["command_joules"] == pytest.approx(figures["tree_joules"] - figures["process_joules"])
    assert figures["command_cpu_seconds"] == pytest.approx(figures["tree_cpu_seconds"] - figures["process_cpu_seconds"])


def test_people_read_the_share_then_the_machine_then_what_it_rests_on(tmp_path: Path) -> None:
    output = tmp_path / "energy.txt"
    done = run("measure", "--name=nothing", f"--output={output}", "--", "true", KEPLER_REGION="")
    assert done.returncode == 0 and done.stdout == ""
    share, machine, basis = output.read_text().splitlines()
    assert share.startswith("nothing: ") and "gCO2e" in share and "CPU s" in share
    assert machine.startswith("whole machine: ") and " by " in machine
    assert "region ap-northeast-2 (assumed: give --region)" in basis and "(assumed)" in basis
    done = run("measure", "--region=SE", "--pue=1.2", "--", "true")
    assert "region SE; PUE 1.2 (assumed)" in done.stderr
    done = run("measure", "--grid-intensity=100", "--", "true", KEPLER_REGION="")
    assert "100 gCO2e/kWh: stated intensity" in done.stderr and "ap-northeast-2" not in done.stderr


def test_what_cannot_be_run_is_said_as_a_shell_says_it() -> None:
    done = run("measure", "--", "/no/such/command")
    assert done.returncode == 127 and "no command `/no/such/command`" in done.stderr
    assert run("measure", "--", "/").returncode == 126
    assert run("measure").returncode == 2
    done = run("measure", "--region=nowhere-1", "--", "true")
    assert done.returncode == 2 and "nearest" in done.stderr
    assert run("measure", "--", "sh", "-c", "kill -9 $$").returncode == 137
    assert run("--version").stdout.startswith("kepler-power ")
