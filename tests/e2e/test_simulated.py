"""Hosts with RAPL where there is none: known truth, and counters that fail in every way."""

import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import pytest

from exposition import MICROJOULE, Scrape
from linux import node_busy_seconds, process_seconds
from powercap import RANGE, PowercapTree
from server import Kepler
from workloads import spinning

JOULES = "kepler_node_cpu_joules_total"
PROCESS_JOULES = "kepler_process_cpu_joules_total"
PACKAGE, DRAM = "intel-rapl:0", "intel-rapl:0:0"
NOBODY = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")


@pytest.fixture
def tree(tmp_path) -> PowercapTree:
    """One package and its memory."""
    tree = PowercapTree(tmp_path)
    tree.add_zone(PACKAGE, "package-0", 1_000_000)
    tree.add_zone(DRAM, "dram", 5_000_000)
    return tree


@pytest.fixture
def serve(kepler):
    """Starts the program on a tree, reading it five times a second."""
    return lambda tree: kepler("--monitor.interval=200ms", f"--host.sysfs={tree.sysfs}")


def test_node_and_process_have_the_energy_of_a_known_machine(kepler, simulated, tmp_path, figure):
    server = kepler("--monitor.interval=500ms", f"--host.sysfs={simulated}")
    # The idle power is learned from spread in utilisation: first the machine as it is, then the load.
    seen, since = node_busy_seconds(), time.monotonic()
    server.scrape_when(lambda scrape: scrape.sum(JOULES, zone="package") > 3 * 40, "three seconds")
    rest = (node_busy_seconds() - seen) / (time.monotonic() - since)
    with spinning(tmp_path) as process:
        labels = {"pid": str(process.pid), "zone": "package"}
        server.scrape_when(lambda scrape: scrape.select(PROCESS_JOULES, **labels), "the process")
        before, start = server.scrape_beside(lambda: Usage.now(process.pid))
        time.sleep(10)
        after, end = server.scrape_beside(lambda: Usage.now(process.pid))

    def watts(name: str, **labels: str) -> float:
        return (after.sum(name, **labels) - before.sum(name, **labels)) / (after.tick() - before.tick())

    elapsed = end.time - start.time
    busy, used = (end.busy - start.busy) / elapsed, (end.process - start.process) / elapsed
    node, active = watts(JOULES, zone="package"), watts("kepler_node_cpu_active_joules_total", zone="package")
    per_second = watts(PROCESS_JOULES, **labels) / used
    figure(f"node {node:.2f} W, truth {40 + 20 * busy:.2f} W; active {active:.2f} W, truth {20 * busy:.2f} W")
    figure(f"the process {per_second:.2f} J per CPU second, truth 20")
    # Both ends are up to 0.2 s apart from the kernel's accounts, and what else runs may begin or end just then.
    assert node == pytest.approx(40 + 20 * busy, rel=0.05)
    assert per_second == pytest.approx(active / busy, rel=0.1), "its share of the active energy"
    # A machine that was busy all along shows no spread, and its idle power cannot be learned.
    if rest < 0.3:
        assert per_second == pytest.approx(20, rel=0.25)
    assert after.select("kepler_power_source_info", source="powercap", method="measured", zone="package")


class Usage(NamedTuple):
    """CPU time of the node and of one process, by the kernel's accounts."""

    time: float
    busy: float
    process: float

    @classmethod
    def now(cls, pid: int) -> "Usage":
        return cls(time.monotonic(), node_busy_seconds(), process_seconds(pid))


def test_energy_is_counted_to_the_microjoule_through_a_wrap(serve, tree):
    tree.set(PACKAGE, RANGE - 10_000_000)
    server = serve(tree)
    tree.set(PACKAGE, 5_000_000)
    # One unit more than the range, which is rounded down to microjoules.
    drawn = 10 + 5 + 61e-6
    scrape = wait_for_joules(server, drawn, zone="package")
    assert scrape.sum("kepler_zone_events_total", zone="package", kind="wrap") == 1


def test_a_reset_makes_no_spike(serve, tree):
    tree.set(PACKAGE, 100_000_000_000)
    server = serve(tree)
    tree.set(PACKAGE, 2_000_000)
    event = {"zone": "package", "kind": "reset"}
    scrape = server.scrape_when(lambda scrape: scrape.sum("kepler_zone_events_total", **event) == 1, "the reset")
    assert scrape.sum(JOULES, zone="package") <= 2 + MICROJOULE


@pytest.mark.parametrize(
    "content",
    ["", "garbage", "-5", "18446744073709551616", str(RANGE + 1), "12 34"],
    ids=["empty", "text", "negative", "65 bits", "out of range", "two numbers"],
)
def test_a_zone_that_shows_garbage_is_counted_and_harms_no_other(serve, tree, content):
    server = serve(tree)
    tree.set(DRAM, content)
    server.scrape_when(lambda scrape: read_errors(scrape) >= 2, "the faults")
    tree.set(PACKAGE, 3_000_000)
    wait_for_joules(server, 2, zone="package")
    tree.set(DRAM, 12_000_000)
    wait_for_joules(server, 7, zone="dram")


def test_a_package_that_vanishes_gives_way_to_the_estimate(serve, tree):
    server = serve(tree)
    tree.set(PACKAGE, 9_000_000)
    before = wait_for_joules(server, 8, zone="package")
    assert before.select("kepler_power_source_info", source="powercap", method="measured", zone="package")
    tree.remove(DRAM)
    tree.remove(PACKAGE)

    estimated = {"source": "model", "zone": "package"}
    scrape = server.scrape_when(lambda scrape: scrape.select("kepler_power_source_info", **estimated), "the estimate")
    (series,) = scrape.select("kepler_power_source_info", zone="package")
    assert series.label("method") == "estimated"
    assert scrape.sum("kepler_read_errors_total", source="powercap") >= 3
    assert scrape.sum(JOULES, zone="package") >= before.sum(JOULES, zone="package")
    later = server.scrape_after(scrape.tick())
    assert later.sum(JOULES, zone="package") > scrape.sum(JOULES, zone="package"), "energy goes on"
    assert "the energy source changes" in server.log


def test_an_ordinary_user_gets_estimates_and_learns_what_restores_the_rest(kepler, kepler_bin):
    if os.geteuid() != 0:
        pytest.skip("only root can become another user")
    # Pytest's own folders are closed to others.
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        binary = Path(shutil.copy(kepler_bin, folder))
        tree = PowercapTree(Path(folder))
        tree.add_zone(PACKAGE, "package-0", 1_000_000)
        # As kernels since 5.10 have it.
        tree.counter(PACKAGE).chmod(0o400)
        server = kepler(f"--host.sysfs={tree.sysfs}", "--monitor.interval=200ms", prefix=NOBODY, binary=binary)
        scrape = server.scrape_with_power()
        assert scrape.select("kepler_power_source_info", source="model", method="estimated", zone="package")
        assert scrape.select("kepler_process_cpu_watts", zone="package"), "other users' processes are still charged"
        assert "CAP_DAC_READ_SEARCH" in server.log, "for energy"
        assert "CAP_SYS_PTRACE" in server.log, "for names of executables"
        doctor = subprocess.run(
            [*NOBODY, str(binary), "doctor", f"--host.sysfs={tree.sysfs}"], capture_output=True, text=True, timeout=10
        )
    assert doctor.returncode == 1
    assert "CAP_DAC_READ_SEARCH" in doctor.stdout


def wait_for_joules(server: Kepler, joules: float, zone: str) -> Scrape:
    """The first scrape in which a zone has drawn exactly this much."""

    def is_drawn(scrape: Scrape) -> bool:
        return abs(scrape.sum(JOULES, zone=zone) - joules) <= MICROJOULE

    return server.scrape_when(is_drawn, f"{joules} J in {zone}")


def read_errors(scrape: Scrape) -> float:
    return sum(scrape.select("kepler_read_errors_total", source="powercap", reason="invalid_data").values())
