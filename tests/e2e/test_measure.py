"""`kepler measure`: figures of a machine whose truth is known, and a command that does not notice that it is measured."""

import csv
import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from linux import TICKS, node_busy_seconds
from polling import wait_until
from powercap import PowercapTree
from workloads import cgroup, running

CPUS = os.cpu_count()
# Without what names the program to the tests, which the program would warn of.
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("KEPLER_")}
# Works for 2 s of CPU time, and says how much that was with all it took to start.
WORK = "import time\nwhile time.process_time() < 2: pass\nprint(time.process_time())"
# The same, and how long the machine's CPUs had been busy when it began and ended.
SEE = f"""
import sys, time
sys.path.insert(0, {str(Path(__file__).parent)!r})
from linux import node_busy_seconds
first = node_busy_seconds()
while time.process_time() < 2: pass
last = node_busy_seconds()
print(time.process_time(), first, last)
"""
# Says which signals it got, and ends when it got the last one.
LISTEN = """
import os, signal, sys, time
def got(number, frame):
    # One write: a second signal can interrupt a print between its text and its line's end.
    os.write(1, f"{signal.Signals(number).name}\\n".encode())
    if number == signal.SIGTERM: sys.exit(7)
for name in sys.argv[1:] + ["SIGTERM"]: signal.signal(getattr(signal, name), got)
print("ready", flush=True)
while True: time.sleep(0.02)
"""


@pytest.fixture
def measure(kepler_bin):
    """Runs `kepler measure` and gives the process that has ended."""

    def run(*arguments, **options) -> subprocess.CompletedProcess:
        command = [kepler_bin, "measure", "--region=SE", "--pue=1.2", *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, timeout=120, env=ENVIRONMENT, **options)

    return run


@pytest.fixture
def report(measure):
    """The same, for the report as JSON."""

    def run(*arguments, **options) -> dict:
        done = measure("--format=json", *arguments, **options)
        try:
            return json.loads(done.stderr)
        except ValueError:
            raise AssertionError(done) from None

    return run


def first_run(report: dict) -> dict:
    return report["measurements"][0]["runs"][0]


@pytest.mark.parametrize("follow", ["cgroup", "clocks"])
def test_a_command_of_known_cpu_time_has_its_part_of_a_known_machine(measure, simulated, tmp_path, figure, follow):
    if follow == "cgroup":
        require_cgroup(measure)
    output = tmp_path / "report.json"
    begun = node_busy_seconds()
    done = measure(
        f"--host.sysfs={simulated}", f"--follow={follow}", "-o", output, "--", sys.executable, "-c", SEE
    )
    ended = node_busy_seconds()
    used, first, last = map(float, done.stdout.split())
    run = first_run(json.loads(output.read_text()))
    elapsed, machine = run["duration_seconds"], run["machine"]["energy_joules"]
    # 40 W and 20 W a busy CPU of the package, 5 W and 2 W of the memory. CPUs were busy for at least what the command saw
    # and at most what was seen around it; the counters move each 20 ms.
    least, most = (45 * elapsed + 22 * busy for busy in (last - first, ended - begun))
    own = machine * run["cpu_seconds"] / (CPUS * elapsed)
    figure(f"CPU {run['cpu_seconds']:.3f} s of {used:.3f} s; machine {machine:.1f} J of {least:.1f} to {most:.1f} J; "
           f"command {run['energy_joules']:.1f} J of {own:.1f} J")
    assert used - 0.01 < run["cpu_seconds"] < used * 1.05 + 0.05
    assert least * 0.95 < machine < most * 1.05
    assert run["energy_joules"] == pytest.approx(own, rel=0.01)
    assert (run["state"], run["method"], run["source"]) == ("known", "measured", "powercap")
    grams = run["energy_joules"] / 3.6e6 * 1.2
    assert run["emissions_gCO2eq"] == pytest.approx(grams * 35.82, rel=0.01)


@pytest.mark.parametrize("follow", ["cgroup", "clocks"])
def test_daemons_and_short_lived_children_are_counted_and_the_wrapper_is_not(measure, report, tmp_path, figure, follow):
    if follow == "cgroup":
        require_cgroup(measure)
    spin = f"{sys.executable} -c 'import time\nwhile time.process_time() < 0.4: pass'"
    # A child whose parent has gone, which says what it used when it ends.
    daemon = tmp_path / "daemon.sh"
    daemon.write_text(f"{spin}\ntimes > {tmp_path}/new\nmv {tmp_path}/new {tmp_path}/daemon\n")
    # Two hundred that live for a millisecond, and one that this shell waits for.
    script = f"""(setsid sh {daemon} &); for i in $(seq 100); do true | true; done; {spin}
        while [ ! -e {tmp_path}/daemon ]; do sleep 0.05; done; times > {tmp_path}/shell"""
    run = first_run(report(f"--follow={follow}", "--", "sh", "-c", script))
    used = sum(seconds_said(tmp_path / name) for name in ("shell", "daemon"))
    figure(f"CPU {run['cpu_seconds']:.3f} s of {used:.3f} s")
    # The shell tells whole ticks of each of those it waited for.
    assert used > 0.7 and run["cpu_seconds"] == pytest.approx(used, rel=0.05, abs=0.1)
    # To start it takes a millisecond, more where something else has the machine just then.
    assert any(first_run(report(f"--follow={follow}", "--", "sleep", "0.5"))["cpu_seconds"] < 0.02 for _ in range(3))


def seconds_said(path: Path) -> float:
    """What the shell's `times` wrote: CPU time of itself and of the children that it waited for."""
    return sum(60 * int(minutes) + float(seconds) for minutes, seconds in re.findall(r"(\d+)m([\d.]+)s", path.read_text()))


def test_what_still_runs_is_said_and_nothing_is_left_behind(measure, report):
    require_cgroup(measure)
    before = own_cgroups()
    found = report("--", "sh", "-c", "sleep 20 > /dev/null 2>&1 & exit 0")
    assert first_run(found)["left_running"] == 1
    assert any("still ran" in caveat for caveat in found["caveats"])
    assert own_cgroups() <= before


def own_cgroups() -> set[Path]:
    return set(Path("/sys/fs/cgroup").glob("**/kepler-measure-*"))


def require_cgroup(measure) -> None:
    if measure("--follow=cgroup", "--", "true").returncode != 0:
        pytest.skip("this user may not make cgroups here")


@pytest.mark.parametrize(
    ("command", "status"),
    [
        (["true"], 0),
        (["sh", "-c", "exit 3"], 3),
        (["sh", "-c", "kill -9 $$"], 137),
        (["no-such-command"], 127),
        (["/"], 126),
    ],
)
def test_the_exit_status_is_that_of_the_command(measure, command, status):
    done = measure("--", *command)
    assert (done.returncode, done.stdout) == (status, "")


def test_input_passes_through_and_output_is_the_commands_alone(measure, tmp_path):
    done = measure("-o", tmp_path / "report.txt", "--", "cat", input="as it is\n")
    assert (done.returncode, done.stdout, done.stderr) == (0, "as it is\n", "")
    assert "energy" in (tmp_path / "report.txt").read_text()


def test_a_reader_that_leaves_early_is_the_commands_affair(kepler_bin):
    script = f"{kepler_bin} measure -- yes | head -1; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=60)
    assert done.stdout == "y\n141\n"
    assert "ended by signal 13" in done.stderr


@pytest.fixture
def listening(kepler_bin, tmp_path):
    """Starts a measured command that tells its signals, in a group of its own."""
    report, started = tmp_path / "report.json", []

    def start(*signals: str) -> subprocess.Popen:
        command = [kepler_bin, "measure", "-o", report, "--", sys.executable, "-c", LISTEN, *signals]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, process_group=0)
        started.append(process)
        assert process.stdout.readline() == "ready\n"
        return process

    yield start
    for process in started:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@pytest.mark.parametrize("name", ["SIGINT", "SIGHUP", "SIGQUIT", "SIGUSR1"])
def test_a_signal_to_the_wrapper_alone_reaches_the_command(listening, name):
    process = listening(name)
    process.send_signal(getattr(signal, name))
    assert process.stdout.readline() == f"{name}\n"
    process.terminate()
    assert process.stdout.read() == "SIGTERM\n"
    assert process.wait(timeout=10) == 7


def test_a_signal_to_the_whole_group_reaches_the_command_and_the_report_comes_all_the_same(listening, tmp_path):
    process = listening("SIGINT")
    os.killpg(process.pid, signal.SIGINT)
    assert process.stdout.readline() == "SIGINT\n"
    process.terminate()
    assert process.wait(timeout=10) == 7
    assert first_run(json.loads((tmp_path / "report.json").read_text()))["exit_status"] == 7


def test_stop_and_continue_hold_both(listening):
    process = listening()
    child = int(Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text())
    state = lambda pid: Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    process.send_signal(signal.SIGTSTP)
    wait_until(lambda: state(process.pid) == state(child) == "T", "both to stop")
    process.send_signal(signal.SIGCONT)
    wait_until(lambda: "T" not in state(process.pid) + state(child), "both to go on")
    process.terminate()
    assert process.wait(timeout=10) == 7


def test_ctrl_c_at_a_terminal_reaches_the_command_once(kepler_bin, tmp_path):
    program = tmp_path / "listen.py"
    program.write_text(LISTEN)
    seen = tmp_path / "seen"
    pid, terminal = pty.fork()
    if pid == 0:
        shell = f"{kepler_bin} measure -- {sys.executable} {program} SIGINT > {seen}"
        os.execvp("sh", ["sh", "-c", f"exec {shell}"])
    wait_until(lambda: seen.exists() and "ready" in seen.read_text(), "the command")
    os.write(terminal, b"\x03")
    wait_until(lambda: "SIGINT" in seen.read_text(), "the signal")
    time.sleep(0.5)
    os.kill(pid, signal.SIGTERM)
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 7
    assert seen.read_text().split() == ["ready", "SIGINT", "SIGTERM"]


def test_what_is_over_before_the_counters_move_is_unknown_and_not_zero(measure, tmp_path):
    tree = PowercapTree(tmp_path)
    tree.add_zone("intel-rapl:0", "package-0", 1_000_000)
    arguments = (f"--host.sysfs={tree.sysfs}", "--", "true")
    run = first_run(json.loads(measure("--format=json", *arguments).stderr))
    assert (run["state"], run["energy_joules"], run["machine"]["energy_joules"]) == ("unresolved", None, None)
    text = measure(*arguments).stderr
    assert "unknown: not resolvable" in text and "not zero" in text
    (row,) = csv.DictReader(measure("--format=csv", *arguments).stderr.splitlines())
    assert (row["state"], row["energy_joules"], row["cost"]) == ("unresolved", "", "")


def test_one_run_has_no_deviation_and_several_have_that_of_their_runs(report):
    one = report("--", "sleep", "0.05")["measurements"][0]["summary"]["duration_seconds"]
    assert one["standard_deviation"] is None and one["interval_95"] is None
    found = report("-r", "5", "-w", "1", "--", "sleep", "0.05")["measurements"][0]
    seconds = [run["duration_seconds"] for run in found["runs"]]
    summary = found["summary"]["duration_seconds"]
    mean = sum(seconds) / 5
    deviation = (sum((value - mean) ** 2 for value in seconds) / 4) ** 0.5
    assert summary["runs"] == 5
    assert summary["mean"] == pytest.approx(mean) and summary["standard_deviation"] == pytest.approx(deviation)
    # Student's t of 4 degrees of freedom.
    assert summary["interval_95"][1] - mean == pytest.approx(2.776445 * deviation / 5**0.5, rel=1e-4)


def test_two_commands_take_turns_and_the_one_that_works_more_uses_more(measure, report, tmp_path):
    log = tmp_path / "log"
    spin = "import sys, time\nopen(sys.argv[2], 'a').write(sys.argv[1][2])\nwhile time.process_time() < float(sys.argv[1]): pass"
    command = lambda seconds: [sys.executable, "-c", spin, seconds, str(log)]
    found = report("-r", "4", "--", *command("0.20"), "--vs", *command("0.60"))
    assert log.read_text() == "26622662"
    comparison = found["comparison"]
    assert comparison["verdict"] == "more" and comparison["energy_joules"]["p_value"] < 0.05
    low, high = comparison["energy_joules"]["interval_95"]
    assert low < comparison["energy_joules"]["mean"] < high
    korean = measure("--lang=ko", "-r", "1", "--", "true", "--vs", "true").stderr
    assert "비교할 수 없습니다" in korean


def test_a_run_that_fails_ends_the_series_unless_told_otherwise(measure):
    done = measure("-r", "3", "--", "sh", "-c", "exit 4")
    assert done.returncode == 4 and "--ignore-failure" in done.stderr
    done = measure("-r", "3", "-i", "--", "sh", "-c", "exit 4")
    assert done.returncode == 4 and ": 3 runs" in done.stderr


def test_a_process_is_watched_until_it_ends(kepler_bin, tmp_path):
    go = tmp_path / "go"
    # Rests until it is told to work for half a second.
    spin = f"import os, time\nwhile not os.path.exists({str(go)!r}): time.sleep(0.02)\nend = time.process_time() + 0.5\nwhile time.process_time() < end: pass"
    with running([sys.executable, "-c", spin]) as process:
        command = [kepler_bin, "measure", "--format=json", f"--pid={process.pid}", "--for=60s"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as watching:
            wait_until(lambda: "anon_inode:[pidfd]" in descriptors(watching.pid), "the watching")
            # From there it opens its meters.
            time.sleep(1.5)
            go.touch()
            process.wait(timeout=60)
            output, _ = watching.communicate(timeout=60)
    found = json.loads(output)
    assert watching.returncode == 0
    assert first_run(found)["cpu_seconds"] == pytest.approx(0.5, abs=0.15)
    assert found["measurements"][0]["kind"] == "process"


def descriptors(pid: int) -> list[str]:
    """What a process has open."""
    found = []
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # It is closed by now.
            found.append(os.readlink(entry))
    return found


def seconds_of(pid: int) -> float:
    """CPU time of a process and of the children that it has waited for (proc_pid_stat(5))."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / TICKS


@pytest.mark.parametrize(
    ("flag", "path", "name", "kind"),
    [
        ("--unit=e2e-measured", "system.slice/e2e-measured.service", "e2e-measured.service", "unit"),
        (f"--container={'cd' * 6}", f"kubepods/besteffort/pod6d1b1e9e-0000-4000-8000-0123456789cd/{'cd' * 32}", None, "container"),
    ],
)
def test_a_unit_or_a_container_that_runs_is_measured_with_all_it_starts(measure, simulated, flag, path, name, kind, figure):
    # The cgroups are this machine's.
    (Path(simulated) / "fs").mkdir(exist_ok=True)
    if not (cgroups := Path(simulated) / "fs/cgroup").exists():
        cgroups.symlink_to("/sys/fs/cgroup")
    with cgroup(path) as enter:
        if enter is None:
            pytest.skip("no cgroup can be made")
        # Joins first, then works in children that are over in milliseconds.
        work = "read -r go; while :; do (i=0; while [ $i -lt 2000 ]; do i=$((i+1)); done); done"
        process = subprocess.Popen(["sh", "-c", work], stdin=subprocess.PIPE, start_new_session=True)
        try:
            enter(process.pid)
            process.stdin.write(b"go\n")
            process.stdin.flush()
            before, begun = seconds_of(process.pid), time.monotonic()
            done = measure("--format=json", flag, "--for=2s", f"--host.sysfs={simulated}")
            used, around = seconds_of(process.pid) - before, time.monotonic() - begun
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    # Nothing else writes to standard output here.
    found = json.loads(done.stdout)
    measured, run = found["measurements"][0], first_run(found)
    assert measured["kind"] == kind and (name is None or measured["name"] == name)
    elapsed = run["duration_seconds"]
    assert found["followed_by"] == "cgroup" and 2 <= elapsed <= around
    # In the time before and after the run it had one CPU at most.
    least = used - (around - elapsed)
    figure(f"CPU {run['cpu_seconds']:.2f} s of {least:.2f} to {used:.2f} s; {run['energy_joules']:.1f} J")
    assert least - 0.1 < run["cpu_seconds"] < used + 0.1
    assert run["energy_joules"] == pytest.approx(run["machine"]["energy_joules"] * run["cpu_seconds"] / (CPUS * elapsed), rel=0.05)


def test_what_is_not_there_is_said(measure):
    done = measure("--pid=4194304", "--for=1s")
    assert done.returncode == 1 and "there is no process 4194304" in done.stderr
    assert measure("--unit=no-such-unit", "--for=1s").returncode == 1
    done = measure("make", "-j2")
    assert done.returncode == 2 and "put `--` before the command" in done.stderr
    assert measure("--region=nowhere-1", "--", "true").returncode == 2
    assert measure("-o", "/no/such/folder/report", "--", "touch", "/tmp/ran").returncode == 1


def test_a_baseline_is_the_machine_before(report, simulated, figure):
    found = report("--baseline=3s", f"--host.sysfs={simulated}", "--", sys.executable, "-c", WORK)
    baseline, run = found["baseline"], first_run(found)
    assert baseline["power_watts"] == pytest.approx(45 + 22 * baseline["busy_processors"], rel=0.03)
    if run["above_baseline_joules"] is None:
        pytest.skip("other load left no room")
    machine, seconds = run["machine"], run["duration_seconds"]
    above = machine["energy_joules"] - baseline["power_watts"] * seconds
    assert machine["above_baseline_joules"] == pytest.approx(above, rel=1e-3)
    # 22 W more for each busy CPU: as much for its own, however busy the machine was besides. What is above is the difference
    # of two large figures, each read to some 20 ms, and its part of it grows as other load takes from the difference.
    truth = 22 * run["cpu_seconds"]
    slack = 0.02 * machine["energy_joules"] * truth / above
    figure(f"above the baseline {run['above_baseline_joules']:.1f} J, truth {truth:.1f} J; the machine {above:.1f} J of {machine['energy_joules']:.1f} J")
    assert run["above_baseline_joules"] == pytest.approx(truth, abs=slack)
