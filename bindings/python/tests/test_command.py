"""The command `kepler-power`."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from powercap import PowercapTree

from kepler_power.runs import read

PROGRAM = Path(sys.executable).with_name("kepler-power")
WORK = "import time\nend = time.process_time() + 0.2\nwhile time.process_time() < end: pass\n"


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(PROGRAM), *arguments], capture_output=True, text=True, env={**os.environ, **environment}
    )


def test_a_command_is_measured_and_its_output_and_status_are_its_own(tree: PowercapTree) -> None:
    work = WORK + f"open({str(tree.sysfs / 'class/powercap/intel-rapl:0/energy_uj')!r}, 'r+').write('6234567\\n')\nprint('out')\nraise SystemExit(3)"
    arguments = ("measure", "--format=json", "--region=SE", "--", sys.executable, "-c", work)
    done = run(*arguments, KEPLER_HOST_SYSFS=str(tree.sysfs))
    assert (done.returncode, done.stdout) == (3, "out\n")
    report = json.loads(done.stderr)
    (figures,) = report["measurements"][0]["runs"]
    assert figures["machine"]["energy_joules"] == 5.0 and figures["exit_status"] == 3 and report["site"]["region"] == "SE"
    assert 0.2 < figures["cpu_seconds"] and 0 < figures["energy_joules"] <= 5.0
    assert figures["share"] == pytest.approx(figures["energy_joules"] / 5.0)
    assert (figures["state"], figures["method"], figures["error_ratio"]) == ("known", "measured", None)


def test_the_report_has_the_words_and_the_layout_of_kepler_measure(tmp_path: Path) -> None:
    output = tmp_path / "energy.txt"
    done = run("measure", "--name=nothing", f"--output={output}", "--", "sleep", "0.1", KEPLER_REGION="")
    assert done.returncode == 0 and done.stdout == "" and done.stderr == ""
    lines = output.read_text().splitlines()
    assert lines[0] == "nothing"
    names = [line[:10].strip() for line in lines if line and not line.startswith((" ", "+", "Note"))]
    assert names == ["nothing", "energy", "power", "duration", "machine", "carbon", "method", "followed b", "grid"]
    assert any("ap-northeast-2 is assumed" in line for line in lines)
    table = tmp_path / "energy.csv"
    run("measure", f"--output={table}", "--", "sleep", "0.1", KEPLER_REGION="")
    (row,) = csv.DictReader(table.read_text().splitlines())
    assert (row["region"], row["region_basis"]) == ("ap-northeast-2", "assumed")
    assert all(len(figure.lstrip("0.")) <= 10 for name, figure in row.items() if name.endswith(("_joules", "_watts", "share")))
    (kept,) = read([table])
    assert (kept.region, kept.region_basis) == ("ap-northeast-2", "assumed")
    done = run("measure", "--region=SE", "--pue=1.2", "--", "sleep", "0.1")
    assert "PUE 1.2 (assumed)" in done.stderr
    done = run("measure", "--grid-intensity=100", "--", "sleep", "0.1", KEPLER_REGION="")
    assert "stated intensity: 100 gCO2e/kWh" in done.stderr and "ap-northeast-2" not in done.stderr


def test_what_is_over_before_the_counters_move_is_unknown_and_not_zero(tree: PowercapTree, tmp_path: Path) -> None:
    output = tmp_path / "energy.csv"
    done = run("measure", "-o", str(output), "--", "true", KEPLER_HOST_SYSFS=str(tree.sysfs))
    assert done.returncode == 0
    (row,) = csv.DictReader(output.read_text().splitlines())
    assert (row["state"], row["energy_joules"], row["machine_energy_joules"]) == ("unresolved", "", "")
    done = run("measure", "--", "true", KEPLER_HOST_SYSFS=str(tree.sysfs))
    assert "unknown: not resolvable" in done.stderr


def work(turns: int) -> tuple[str, ...]:
    return ("sh", "-c", f"i=0; while [ $i -lt {turns} ]; do i=$((i+1)); done")


def test_several_runs_have_mean_deviation_and_interval_and_one_has_no_deviation() -> None:
    done = run("measure", "--format=json", "--region=SE", "-r", "3", "--warmup=1", "--", *work(50_000))
    measured = json.loads(done.stderr)["measurements"][0]
    cpu = [each["cpu_seconds"] for each in measured["runs"]]
    found = measured["summary"]["cpu_seconds"]
    assert len(cpu) == found["runs"] == 3 and found["mean"] == pytest.approx(sum(cpu) / 3)
    # Student's t of two degrees of freedom: 4.3027.
    half = 4.302653 * found["standard_deviation"] / 3**0.5
    assert found["interval_95"] == pytest.approx([found["mean"] - half, found["mean"] + half])
    once = json.loads(run("measure", "--format=json", "--region=SE", "--", *work(50_000)).stderr)["measurements"][0]
    assert once["summary"]["cpu_seconds"]["standard_deviation"] is None
    text = run("measure", "--region=SE", "-r", "2", "--", *work(50_000)).stderr
    assert ": 2 runs\n" in text and "mean ± deviation" in text


def test_two_commands_take_turns_and_the_one_that_works_more_uses_more(tmp_path: Path) -> None:
    order = tmp_path / "order"
    first, second = (f"echo {name} >> {order}; {work(turns)[2]}" for name, turns in (("a", 20_000), ("b", 200_000)))
    arguments = ("--format=json", "--region=SE", "-r", "4", "--", "sh", "-c", first, "--vs", "sh", "-c", second)
    report = json.loads(run("measure", *arguments).stderr)
    assert order.read_text().split() == ["a", "b", "b", "a", "a", "b", "b", "a"]
    comparison = report["comparison"]
    assert comparison["figure"] == "energy_joules" and comparison["energy_joules"]["mean"] > 0
    assert comparison["verdict"] == "more" and comparison["energy_joules"]["p_value"] < 0.05
    assert run("measure", "--", "true", "--vs").returncode == 2


def test_a_run_that_fails_ends_the_series_unless_told_otherwise(tmp_path: Path) -> None:
    count = tmp_path / "count"
    command = ("--", "sh", "-c", f"echo >> {count}; exit 4")
    assert run("measure", "-r", "3", *command).returncode == 4 and len(count.read_text()) == 1
    assert run("measure", "-r", "3", "--ignore-failure", *command).returncode == 4 and len(count.read_text()) == 4


def test_a_baseline_is_the_machine_before_and_ends_by_a_signal(tree: PowercapTree) -> None:
    counter = tree.sysfs / "class/powercap/intel-rapl:0/energy_uj"
    ended, late = threading.Event(), 0.0

    def draw() -> None:
        """40 W, whatever runs. `late` is by how many seconds the counter was at most."""
        nonlocal late
        start, first = time.monotonic(), int(counter.read_text())
        last = start
        with counter.open("r+") as file:
            while not ended.wait(0.005):
                now = time.monotonic()
                file.seek(0)
                file.write(f"{first + int((now - start) * 40e6)}\n")
                file.flush()
                late, last = max(late, time.monotonic() - last), now

    drawing = threading.Thread(target=draw)
    drawing.start()
    try:
        arguments = ("measure", "--format=json", "--region=SE", "--baseline=1s", "--", *work(100_000))
        report = json.loads(run(*arguments, KEPLER_HOST_SYSFS=str(tree.sysfs)).stderr)
    finally:
        ended.set()
        drawing.join()
    assert report["baseline"]["power_watts"] == pytest.approx(40, rel=0.05 + late) and report["baseline"]["duration_seconds"] >= 1
    (figures,) = report["measurements"][0]["runs"]
    machine = figures["machine"]
    assert machine["above_baseline_joules"] == pytest.approx(machine["energy_joules"] - report["baseline"]["power_watts"] * figures["duration_seconds"])
    assert abs(machine["above_baseline_joules"]) < 0.1 * machine["energy_joules"] + 40 * late * (1 + figures["duration_seconds"])
    with subprocess.Popen([str(PROGRAM), "measure", "--baseline=1h", "--", "true"], stderr=subprocess.PIPE, text=True) as process:
        time.sleep(1)
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=20)
    assert process.returncode in (1, -signal.SIGTERM) and ("interrupted" in err or process.returncode < 0)
    assert run("measure", "--baseline=soon", "--", "true").returncode == 2


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_signals_are_passed_on(name: str) -> None:
    listen = f"trap 'echo {name}; exit 7' {name[3:]}; echo ready; while :; do sleep 0.05; done"
    command = [str(PROGRAM), "measure", "--", "sh", "-c", listen]
    number = getattr(signal, name)
    # A job in the background begins with SIGINT ignored, and a shell cannot trap what was ignored at its start.
    def heard() -> None:
        signal.signal(number, signal.SIG_DFL)

    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=heard, start_new_session=True
    ) as process:
        try:
            assert process.stdout is not None and process.stdout.readline() == "ready\n"
            process.send_signal(number)
            out, err = process.communicate(timeout=20)
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            raise
    assert (out, process.returncode) == (f"{name}\n", 7) and "exit status 7" in err


def test_what_cannot_be_run_is_said_as_a_shell_says_it() -> None:
    done = run("measure", "--", "/no/such/command")
    assert done.returncode == 127 and "no command `/no/such/command`" in done.stderr
    assert run("measure", "--", "/").returncode == 126
    assert run("measure").returncode == 2
    done = run("measure", "--region=nowhere-1", "--", "true")
    assert done.returncode == 2 and "nearest" in done.stderr
    assert run("measure", "--", "sh", "-c", "kill -9 $$").returncode == 137
    assert run("--version").stdout.startswith("kepler-power ")
