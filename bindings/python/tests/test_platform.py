"""Meters of the whole machine beside what is measured of its parts."""

from __future__ import annotations

import csv
import json
import os
import pickle
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from powercap import PowercapTree
from wall import Plug, ServiceProcessor, acpi_meter, wait_for

import kepler_power
from kepler_power import runs
from kepler_power.platform import PlatformMeter


@pytest.fixture(autouse=True)
def _none_is_left() -> Iterator[None]:
    yield
    kepler_power.use_meters(platform=[])


@pytest.fixture
def plug() -> Iterator[Plug]:
    with Plug(82.0) as plug:
        yield plug


def energy(figures: kepler_power.Figures) -> float:
    """Joules that the meter of the whole machine showed so far."""
    meter = figures.platform
    return 0.0 if meter is None or meter.energy is None else meter.energy.joules


def test_what_the_socket_showed_stands_beside_the_machine_and_in_no_sum(tree: PowercapTree, plug: Plug, tmp_path: Path) -> None:
    kepler_power.use_meters(platform=[plug.meter(error_ratio=0.02)])
    with kepler_power.measure("train", host=tree.host) as m:
        with m.phase("epoch"):
            tree.draw(package=30)
            wait_for(lambda: energy(m) > 0)
        before = energy(m)
        with m.phase("epoch"):
            wait_for(lambda: energy(m) > before)
    meter = m.platform
    assert meter is not None and meter.energy is not None and meter.power is not None
    assert meter.energy.joules / meter.covered_seconds == pytest.approx(82, abs=0.01)
    assert (meter.power.watts, meter.scope, meter.fault, meter.state) == (82, "node", None, "estimated")
    assert (meter.bmc_id, str(meter.source)) == ("plug", "estimated by http ± 2 %")
    assert meter.source.resolution_seconds == 10.0, "a reading is as old as its interval"
    assert meter.age_seconds is not None and meter.age_seconds < 60
    assert m.energy.joules == pytest.approx(30), "the whole is no part of its parts' sum"
    # Of a phase it is what was read in all of its passes.
    assert 0 < energy(m.phases["epoch"]) <= meter.energy.joules + 1e-6
    figures = json.loads(json.dumps(m.to_dict()))
    assert figures["platform_joules"] == meter.energy.joules and figures["platform"] == [meter.to_dict()]
    assert (figures["platform"][0]["method"], figures["platform"][0]["error_ratio"]) == ("estimated", 0.02)
    m.save(tmp_path / "runs.csv")
    (row,) = csv.DictReader((tmp_path / "runs.csv").open())
    assert float(row["platform_joules"]) == meter.energy.joules and row["platform_method"] == "estimated"
    assert (row["platform_source"], row["platform_error_ratio"], row["platform_fault"]) == ("http", "0.02", "")
    assert [run.energy_joules for run in runs.read([tmp_path / "runs.csv"])] == [pytest.approx(30)]


def test_what_is_not_believed_is_not_known_and_says_why(tree: PowercapTree, plug: Plug) -> None:
    kepler_power.use_meters(platform=[plug.meter()])
    with kepler_power.measure(host=tree.host) as m:
        wait_for(lambda: energy(m) > 0)
        plug.watts = 160_000
        wait_for(lambda: m.platform and m.platform.fault)
    meter = m.platform
    assert meter is not None and (meter.fault, meter.state, meter.power) == ("implausible", "unknown", None)
    assert meter.energy is not None and meter.energy.joules < 82 * 60, "what was believed stays"
    assert (m.to_dict()["platform_watts"], m.to_dict()["platform_fault"]) == (None, "implausible")


def test_without_a_meter_of_the_whole_nothing_is_said_of_it(tree: PowercapTree, tmp_path: Path) -> None:
    with kepler_power.measure(host=tree.host) as m:
        tree.draw(package=1)
    assert m.platform is None and m.platforms == []
    figures = m.to_dict()
    assert figures["platform"] == [] and figures["platform_joules"] is None and figures["platform_fault"] is None
    m.save(tmp_path / "runs.csv")
    (row,) = csv.DictReader((tmp_path / "runs.csv").open())
    assert row["platform_joules"] == row["platform_method"] == ""
    with kepler_power.Monitor(0.05, host=tree.host) as monitor:
        snapshot = monitor.wait(after=0, timeout=30)
    assert snapshot is not None and snapshot.platform is None and snapshot.residual is None


def test_firmware_is_read_and_one_reading_is_a_power_but_no_energy(tree: PowercapTree) -> None:
    acpi_meter(tree.sysfs, 251)
    kepler_power.use_meters(platform=["hwmon"], host=tree.host)
    try:
        with kepler_power.measure() as m:
            wait_for(lambda: m.platform)
            meter = m.platform
    finally:
        kepler_power.use_meters(host=kepler_power.Host())
    assert meter is not None and meter.power is not None
    assert (meter.source.name, meter.source_type, meter.power.watts, meter.state) == ("acpi", "PowerMeter", 251, "measured")
    assert meter.source.resolution_seconds == 1.0
    assert meter.energy is None and meter.covered_seconds == 0


def test_the_environment_names_the_machines_own_meters(tree: PowercapTree) -> None:
    acpi_meter(tree.sysfs, 251)
    program = """
import time, kepler_power
with kepler_power.measure(meters=["powercap"]) as m:
    end = time.monotonic() + 60
    while m.platform is None and time.monotonic() < end:
        time.sleep(0.02)
print(m.platform.power.watts, m.platform.source.name)
"""
    environment = os.environ | {"KEPLER_EXPERIMENTAL_PLATFORM_HWMON_ENABLED": "true", "KEPLER_HOST_SYSFS": str(tree.sysfs)}
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True, env=environment, timeout=120)
    assert done.stdout.split() == ["251.0", "acpi"]


def test_a_bmc_is_asked_by_sessions_of_which_none_is_left_at_the_end() -> None:
    program = """
import sys, time, kepler_power
kepler_power.use_meters(platform=[kepler_power.Bmc(sys.argv[1], "monitor", "secret")])
with kepler_power.measure(meters=["model"]) as m:
    end = time.monotonic() + 60
    while m.platform is None and time.monotonic() < end:
        time.sleep(0.02)
print(m.platform.power.watts, m.platform.source.name, m.platform.source_type, m.platform.chassis_id)
"""
    with ServiceProcessor() as bmc:
        done = subprocess.run([sys.executable, "-W", "ignore", "-c", program, bmc.url], check=True, capture_output=True, text=True, timeout=120)
        assert done.stdout.split() == ["250.0", "redfish", "PowerControl", "1"]
        assert bmc.begun >= 2 and bmc.sessions == set()
    with ServiceProcessor() as bmc, pytest.raises(kepler_power.MeterError, match="check user and password"):
        kepler_power.use_meters(platform=[kepler_power.Bmc(bmc.url, "monitor", "wrong")])


def test_a_command_has_it_in_its_report(tree: PowercapTree, tmp_path: Path) -> None:
    acpi_meter(tree.sysfs, 251)
    environment = os.environ | {"KEPLER_EXPERIMENTAL_PLATFORM_HWMON_ENABLED": "true", "KEPLER_HOST_SYSFS": str(tree.sysfs)}

    def report(format: str) -> str:
        command = [sys.executable, "-m", "kepler_power", "measure", f"--format={format}", f"--output={tmp_path}/run", "--", "sleep", "1"]
        subprocess.run(command, check=True, env=environment, timeout=120)
        return (tmp_path / "run").read_text()

    (meter,) = json.loads(report("json"))["measurements"][0]["runs"][0]["platform"]
    assert (meter["source"], meter["power_watts"], meter["energy_joules"], meter["fault"]) == ("acpi", 251, None, None)
    (row,) = csv.DictReader(report("csv").splitlines())
    assert (row["platform_source"], row["platform_watts"], row["platform_joules"]) == ("acpi", "251.0", "")


def test_a_monitor_tells_the_whole_and_what_is_left_of_it(tree: PowercapTree, plug: Plug) -> None:
    kepler_power.use_meters(platform=[plug.meter(error_ratio=0.1)])
    with kepler_power.Monitor(0.1, host=tree.host) as monitor:

        def is_known() -> bool:
            # Half of what the socket shows, in the mean of a machine that is not busy.
            tree.draw(package=0.82)
            rest = monitor.snapshot().residual
            return rest is not None and rest.energy is not None and rest.watts is not None and rest.watts < 82

        wait_for(is_known)
        whole, rest = monitor.snapshot().platform, monitor.snapshot().residual
    assert rest is not None and rest.energy is not None and whole is not None and whole.energy is not None
    assert whole.power is not None and whole.power.watts == 82 and whole.bmc_id == "plug"
    assert (rest.source.name, rest.source.method, rest.fault) == ("http", "estimated", None)
    assert rest.source.error_ratio is not None and rest.source.error_ratio > 0.1, "that of the difference"
    assert 0 < rest.energy.joules < whole.energy.joules and rest.covered_seconds > 0


def test_a_forked_child_asks_by_itself(tree: PowercapTree, plug: Plug) -> None:
    kepler_power.use_meters(platform=[plug.meter()])
    with kepler_power.measure(host=tree.host) as m:
        wait_for(lambda: energy(m) > 0)
        child = os.fork()
        if child == 0:
            try:
                wait_for(lambda: energy(m) > 0)
                os._exit(0 if m.platform.energy.joules / m.platform.covered_seconds == pytest.approx(82, abs=0.01) else 1)  # type: ignore[union-attr]
            finally:
                os._exit(2)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        before = energy(m)
        wait_for(lambda: energy(m) > before)


@pytest.mark.parametrize(
    ("meter", "error", "said"),
    [
        ("felt", kepler_power.ConfigurationError, "name hwmon or ipmi"),
        (kepler_power.ExternalMeter("plug"), kepler_power.ConfigurationError, "give url= and field="),
        (kepler_power.ExternalMeter("plug", url="http://127.0.0.1:1/", field="apower"), kepler_power.ConfigurationError, "begin it with a slash"),
        (kepler_power.ExternalMeter("plug", url="127.0.0.1:1", field="/w"), kepler_power.ConfigurationError, "http://HOST"),
        (kepler_power.ExternalMeter("plug", url="http://127.0.0.1:1/", field="/w"), kepler_power.MeterError, "cannot be reached"),
        (kepler_power.Bmc("http://127.0.0.1:1", username="monitor"), kepler_power.ConfigurationError, "give both"),
        (kepler_power.Bmc("http://127.0.0.1:1", interval=0.1), kepler_power.ConfigurationError, "1 to 600 seconds"),
        (kepler_power.Bmc("http://127.0.0.1:1", ca_file="/nonexistent.pem"), kepler_power.ConfigurationError, "PEM"),
        (kepler_power.Bmc("http://127.0.0.1:1", "monitor", "hunter2"), kepler_power.MeterError, "cannot be reached"),
    ],
)
def test_a_meter_that_cannot_be_asked_is_refused_at_once_and_nothing_changes(
    tree: PowercapTree, meter: PlatformMeter, error: type[kepler_power.KeplerError], said: str
) -> None:
    with pytest.raises(error) as refused:
        kepler_power.use_meters(platform=[meter])
    assert said in str(refused.value) and "hunter2" not in f"{refused.value} {meter!r}"
    with kepler_power.measure(host=tree.host) as m:
        tree.draw(package=1)
    assert m.platform is None


def test_a_machine_without_a_meter_of_its_own_says_what_would_help(tree: PowercapTree) -> None:
    with pytest.raises(kepler_power.MeterError) as refused:
        kepler_power.use_meters(platform=["hwmon"], host=tree.host)
    assert "acpi_power_meter" in refused.value.remedy


def test_meters_are_values(plug: Plug) -> None:
    meter = plug.meter()
    assert pickle.loads(pickle.dumps(meter)) == meter and len({meter, plug.meter()}) == 1
