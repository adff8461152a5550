"""`kepler calibrate`: what a machine draws is learned once, and gone by afterwards, with a meter and without."""

import http.server
import json
import os
import re
import subprocess
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from known import KnownMachine
from linux import node_busy_seconds
from polling import wait_until
from workloads import spinning

IDLE, PER_CPU = 40, 20
CPUS = os.cpu_count() or 1


def calibrate(binary: Path, sysfs: Path, path: Path, *flags: str) -> subprocess.CompletedProcess:
    command = [binary, "calibrate", f"--host.sysfs={sysfs}", f"--calibration.path={path}", *flags]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


@pytest.fixture
def calibrated(kepler_bin, simulated, tmp_path, figure) -> Path:
    """A calibration of the simulated machine, at rest and with all CPUs busy."""
    path = tmp_path / "calibration.json"
    done = calibrate(kepler_bin, simulated, path, "--duration=8s")
    if done.returncode == 1 and "is not at rest" in done.stderr:
        pytest.skip(f"other work keeps this machine busy: {done.stderr.splitlines()[-1]}")
    assert done.returncode == 0, done.stderr
    figure(done.stdout.replace("\n", "; "))
    return path


def busy_cpus(seconds: float) -> float:
    """How many CPUs are busy in the next seconds, by the kernel's accounts."""
    before, start = node_busy_seconds(), time.monotonic()
    time.sleep(seconds)
    return (node_busy_seconds() - before) / (time.monotonic() - start)


def test_two_loads_tell_idle_and_full_power_and_both_are_used(kepler, calibrated, simulated, tmp_path, figure):
    learned = json.loads(calibrated.read_text())
    rest, work = learned["load"]
    for point in (rest, work):
        assert point["watts"] == pytest.approx(IDLE + PER_CPU * CPUS * point["busy_share"], rel=0.05)
    assert work["busy_share"] > 0.9
    idle = {entry["zone"]: entry["watts"] for entry in learned["idle"]}
    assert idle["package"] == pytest.approx(IDLE, abs=2) and idle["dram"] == pytest.approx(5, abs=0.5)

    with ExitStack() as load:
        for number in range(CPUS):
            load.enter_context(spinning(tmp_path, b"load-%d" % number))
        # With a meter: idle power is known at once, though the machine never rests.
        flags = (f"--host.sysfs={simulated}", f"--calibration.path={calibrated}", "--monitor.interval=500ms")
        server = kepler(*flags)
        scrape = server.scrape_with_power()
        assert scrape.sum("kepler_node_cpu_idle_watts", zone="package") == pytest.approx(idle["package"], abs=0.5)
        assert scrape.select("kepler_power_source_info", source="powercap", method="measured")
        assert "calibrated by powercap" in server.log
        assert not scrape.select("kepler_power_source_error_ratio")
        server.kill()
        # Without: the estimate is put right.
        estimate = kepler("--meter=model", *flags)
        estimate.scrape_with_power()
        busy = busy_cpus(3)
        scrape = estimate.scrape()
    watts, truth = scrape.sum("kepler_node_cpu_watts", zone="package"), IDLE + PER_CPU * busy
    figure(f"estimated {watts:.1f} W, truth {truth:.1f} W, all CPUs busy")
    assert watts == pytest.approx(truth, rel=0.1)
    assert scrape.sum("kepler_power_source_error_ratio", zone="package") == 0.24
    assert scrape.sum("kepler_node_cpu_watts_lower") < watts < scrape.sum("kepler_node_cpu_watts_upper")
    (series,) = scrape.select("kepler_node_cpu_watts", zone="package")
    assert "calibrated by powercap" in series.label("path")


def test_what_is_learned_of_a_known_machine_is_right_and_used(kepler, kepler_bin, tmp_path, figure):
    path = tmp_path / "calibration.json"
    with KnownMachine(tmp_path) as machine:
        flags = (*machine.flags, f"--calibration.path={path}", "--monitor.interval=300ms")
        command = [kepler_bin, "calibrate", "--duration=4s", *flags]
        with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            for line in process.stderr:
                # This machine's load is not the known one's.
                machine.busy = 2.0 if "with all CPUs busy" in line else 0.1
            print(process.stdout.read())
        assert process.returncode == 0
        learned = json.loads(path.read_text())
        assert learned["source"] == "powercap" and learned["threads"] == 2 and learned["processor"] == "Known"
        for point in learned["load"]:
            assert point["watts"] == pytest.approx(machine.power(point["busy_share"]), rel=0.02 + machine.off(4))
        (idle,) = learned["idle"]
        figure(f"idle power learned {idle['watts']:.2f} W, truth 40 W; means may be {machine.off(4):.1%} off")
        assert idle["watts"] == pytest.approx(40, abs=1 + 80 * machine.off(4))

        # With a meter: idle power is known at once, though the machine never rests.
        machine.busy = 2.0
        server = kepler(*flags)
        scrape = server.scrape_with_power()
        assert scrape.select("kepler_power_source_info", source="powercap", method="measured")
        assert scrape.sum("kepler_node_cpu_idle_watts", zone="package") == pytest.approx(idle["watts"], abs=0.5)
        assert "calibrated by powercap" in server.log
        assert not scrape.select("kepler_power_source_error_ratio")
        server.kill()
        # Without: the estimate is put right, and says what it is.
        for busy, tolerance in ((2.0, 0.1), (0.0, 0.2), (1.0, 0.3)):
            machine.busy, truth = busy, machine.power(busy / 2)
            estimate = kepler("--meter=model", *flags)
            watts_of = lambda scrape: sum(scrape.select("kepler_node_cpu_watts", zone="package").values())
            # An interval in which this thread had no turn shows too little.
            scrape = estimate.scrape_when(lambda scrape: watts_of(scrape) == pytest.approx(truth, rel=tolerance), f"about {truth} W")
            watts = watts_of(scrape)
            figure(f"estimated {watts:.1f} W, truth {truth:.1f} W, {busy} CPUs busy")
            assert scrape.sum("kepler_power_source_error_ratio", zone="package") == 0.24
            assert scrape.sum("kepler_node_cpu_watts_lower") < watts < scrape.sum("kepler_node_cpu_watts_upper")
            (series,) = scrape.select("kepler_node_cpu_watts", zone="package")
            assert "calibrated by powercap" in series.label("path")
            estimate.kill()


class WallMeter:
    """A plug before a known machine: 60 W, and 1.3 W for each watt of its package, as the mean of about a second."""

    CONSTANT, SLOPE = 60, 1.3

    def __init__(self, machine: KnownMachine):
        self._machine, self._shown = machine, {}
        meter = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200)
                self.end_headers()
                self.wfile.write(json.dumps(meter._shown).encode())

            def log_message(self, *_):
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._server.serve_forever), threading.Thread(target=self._run)]

    def __enter__(self) -> "WallMeter":
        [thread.start() for thread in self._threads]
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._server.shutdown()
        [thread.join() for thread in self._threads]
        self._server.server_close()

    def _run(self) -> None:
        moment, joules = self._machine.drawn()
        while not self._stop.wait(1):
            now, drawn = self._machine.drawn()
            # What was really drawn in that time, however late this is.
            power = (drawn - joules) / (now - moment)
            self._shown = {"watts": round(self.CONSTANT + self.SLOPE * power, 1), "time": time.time() - (time.monotonic() - now)}
            moment, joules = now, drawn

    def file(self, folder: Path) -> Path:
        meters = folder / "meters.yaml"
        url = f"http://127.0.0.1:{self._server.server_port}/"
        meters.write_text(f"meters:\n  plug:\n    url: {url}\n    field: /watts\n    timeField: /time\n    interval: 1s\n")
        return meters


# Twelve loads are held, which takes most of two minutes.
@pytest.mark.timeout(400)
def test_what_a_busy_machine_draws_as_a_whole_is_learned_from_a_plug_and_shown_without_it(kepler, kepler_bin, tmp_path, figure):
    # CPUs that others keep busy.
    others = 1.5
    path = tmp_path / "calibration.json"
    with KnownMachine(tmp_path) as machine, WallMeter(machine) as plug:
        flags = (*machine.flags, f"--calibration.path={path}", "--monitor.interval=300ms")
        meter = f"--experimental.platform.external.config-file={plug.file(tmp_path)}"
        machine.busy = others
        command = [kepler_bin, "calibrate", "--reference=platform", "--duration=3s", meter, *flags]
        with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            said = []
            for line in process.stderr:
                said.append(line)
                # This machine's load is not the known one's: there others go on beside the load that is made.
                if found := re.search(r"with (\d+) % of its CPUs busy", line):
                    machine.busy = min(2.0, others + 2 * int(found.group(1)) / 100)
            out = process.stdout.read()
        assert process.returncode == 0, "".join(said)
        learned = json.loads(path.read_text())["platform"]
        figure(out.replace("\n", "; "))
        # Between the least and the most that was seen it is right.
        for busy in (others, (others + 2) / 2, 2):
            package = machine.power(busy / 2)
            wall = learned["constant"] + learned["package"] * package
            assert wall == pytest.approx(plug.CONSTANT + plug.SLOPE * package, rel=0.03), learned
        # The plug is gone: the estimate goes on by the second, with its error.
        machine.busy = 2.0
        server = kepler(*flags)
        wait_until(lambda: server.scrape().select("kepler_platform_watts", source="calibration"), "the estimate")
        truth = plug.CONSTANT + plug.SLOPE * machine.power(1)
        wait_until(lambda: server.scrape().sum("kepler_platform_watts", source="calibration") == pytest.approx(truth, rel=0.05), "the truth")
        assert 0 < server.scrape().sum("kepler_platform_error_ratio", source="calibration") < 0.2
        assert server.scrape().select("kepler_platform_info", source="calibration", method="estimated", scope="node")


@pytest.mark.timeout(300)
def test_a_machine_that_others_keep_wholly_busy_is_refused_with_what_to_do(kepler_bin, tmp_path):
    path = tmp_path / "calibration.json"
    with KnownMachine(tmp_path) as machine, WallMeter(machine) as plug:
        machine.busy = 2.0
        meter = f"--experimental.platform.external.config-file={plug.file(tmp_path)}"
        command = [kepler_bin, "calibrate", "--reference=platform", "--duration=1s", meter, *machine.flags, f"--calibration.path={path}"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 2 and "cannot calibrate by http plug" in done.stderr, done.stderr
    assert "100 % busy when they should have been at rest" in done.stderr and "--observe=2h" in done.stderr
    assert not path.exists()


def test_a_machine_that_is_not_at_rest_is_said_to_be_so(kepler_bin, tmp_path):
    with KnownMachine(tmp_path) as machine:
        machine.busy = 1.6
        command = [kepler_bin, "calibrate", "--duration=2s", *machine.flags, f"--calibration.path={tmp_path / 'c.json'}"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    assert done.returncode == 1 and "80 % busy" in done.stderr and "--observe" in done.stderr
    assert not (tmp_path / "c.json").exists()


def test_watching_a_machine_as_it_is_needs_no_rest(kepler_bin, simulated, tmp_path):
    path = tmp_path / "state/calibration.json"
    with spinning(tmp_path):
        done = calibrate(kepler_bin, simulated, path, "--observe=4s", "--monitor.interval=300ms")
    assert done.returncode == 0, done.stderr
    points = json.loads(path.read_text())["load"]
    seconds = sum(point["seconds"] for point in points)
    assert seconds >= 3.5
    # The counters may be late at the end of an interval, and make up for it in the next.
    watts, truth = (
        sum(of(point) * point["seconds"] for point in points) / seconds
        for of in (lambda point: point["watts"], lambda point: IDLE + PER_CPU * CPUS * point["busy_share"])
    )
    assert watts == pytest.approx(truth, rel=0.05)
    for point in points:
        if point["seconds"] > 1:
            assert point["watts"] == pytest.approx(IDLE + PER_CPU * CPUS * point["busy_share"], rel=0.25)


def test_without_a_meter_nothing_is_written_and_the_remedy_said(kepler_bin, tmp_path):
    empty, path = tmp_path / "sys", tmp_path / "calibration.json"
    empty.mkdir()
    for flags in ([], ["--meter=model"], ["--meter=fake"]):
        done = calibrate(kepler_bin, empty, path, "--duration=1s", *flags)
        assert done.returncode == 3 and "no meter can be read here" in done.stderr and "remedy: " in done.stderr
        assert not path.exists()


def test_a_place_that_cannot_be_written_is_said_before_anything_is_measured(kepler_bin, simulated, tmp_path):
    (tmp_path / "file").write_text("")
    done = calibrate(kepler_bin, simulated, tmp_path / "file/calibration.json")
    assert done.returncode == 2 and "--calibration.path" in done.stderr and "measuring" not in done.stderr


@pytest.mark.parametrize(
    ("spoil", "expected"),
    [
        (lambda learned: "{", "calibrate this machine again"),
        (lambda learned: json.dumps(learned | {"threads": 1000}), "another machine"),
        (lambda learned: json.dumps(learned | {"version": 2}), "not kepler-calibration 1"),
        (lambda learned: json.dumps(learned | {"idle": [{"zone": "package", "watts": -3}]}), "an idle power is -3"),
        (lambda learned: None, "there is no such file; calibrate this machine first"),
    ],
    ids=["truncated", "machine", "version", "figure", "missing"],
)
def test_what_cannot_be_used_is_said_and_measuring_goes_on(
    kepler, kepler_bin, simulated, tmp_path, spoil: Callable[[dict], str | None], expected
):
    path = tmp_path / "calibration.json"
    done = calibrate(kepler_bin, simulated, path, "--observe=1s", "--monitor.interval=200ms")
    assert done.returncode == 0, done.stderr
    text = spoil(json.loads(path.read_text()))
    path.unlink() if text is None else path.write_text(text)
    server = kepler(f"--host.sysfs={simulated}", f"--calibration.path={path}", "--monitor.interval=200ms")
    assert server.scrape_with_power().select("kepler_power_source_info", source="powercap")
    assert expected in server.log and str(path) in server.log


def dmi(sysfs: Path, product: str) -> Path:
    folder = sysfs / "class/dmi/id"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "sys_vendor").write_text("Dell Inc.\n")
    (folder / "product_name").write_text(f"{product}\n")
    return sysfs


def test_a_machine_of_the_same_make_and_model_takes_over_what_was_learned(kepler_bin, simulated, tmp_path):
    own, given, taken = (tmp_path / name for name in ("own.json", "given.json", "taken.json"))
    dmi(simulated, "PowerEdge R640")
    alike, unlike = dmi(tmp_path / "alike", "PowerEdge R640"), dmi(tmp_path / "unlike", "PowerEdge R740")
    none = calibrate(kepler_bin, simulated, own, f"--export={given}")
    assert none.returncode != 0 and "there is no such file; calibrate this machine first" in none.stderr
    assert calibrate(kepler_bin, simulated, own, "--observe=1s", "--monitor.interval=200ms").returncode == 0
    assert "measured_on" not in json.loads(own.read_text())
    exported = calibrate(kepler_bin, simulated, own, f"--export={given}")
    assert exported.returncode == 0 and "Dell Inc. PowerEdge R640" in exported.stdout, exported.stderr
    assert json.loads(given.read_text())["measured_on"] == os.uname().nodename

    refused = calibrate(kepler_bin, unlike, taken, f"--import={given}")
    assert refused.returncode != 0 and "PowerEdge R640" in refused.stderr and "PowerEdge R740" in refused.stderr
    assert not taken.exists()
    imported = calibrate(kepler_bin, alike, taken, f"--import={given}")
    assert imported.returncode == 0 and os.uname().nodename in imported.stdout, imported.stderr
    doctor = [kepler_bin, "doctor", "--json", f"--host.sysfs={alike}", f"--calibration.path={taken}"]
    report = json.loads(subprocess.run(doctor, capture_output=True, text=True, timeout=60).stdout)
    assert f"on {os.uname().nodename}, a machine alike" in report["calibration"]
    model = next(source for source in report["sources"] if source["source"] == "model")
    assert 0.25 < model["error_ratio"] < 0.41
