"""GPUs in measurements: with NVIDIA's library replaced by the stand-in of kepler-core's tests."""

from __future__ import annotations

import csv
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from powercap import PowercapTree

import kepler_power
from kepler_power._rest import Rest
from kepler_power.devices import Device, visible
from kepler_power.quantities import Energy
from kepler_power.source import Source

STAND_IN = Path(__file__).parents[3] / "kepler-core/tests/devices/libnvidia-ml.c"
# A process is believed to use a GPU that holds a descriptor of a file which is called so.
HELD = Path("/dev/nvidia-python-test")


def device(number: int, vendor: str = "nvidia", uuid: str = "", instances: tuple[str, ...] = ()) -> Device:
    who = (uuid or f"GPU-{number}0", instances, number, "H200", vendor)
    return Device(who, Source("nvml", "measured", None), (3_000_000, 500_000, 1_000_000, 1_500_000), 10.0, False)


@pytest.mark.parametrize(
    ("stated", "numbers"),
    [
        (None, [0, 1, 2, 7]),
        ("2,0", [2, 0, 7]),
        ("1", [1, 7]),
        ("GPU-1,GPU-20", [1, 2, 7]),
        (" 1 , 2 ", [1, 2, 7]),
        ("MIG-a", [1, 7]),
        ("MIG-GPU-20/3/0", [2, 7]),
        # The first that is none ends the list, and so does one that stands there twice.
        ("0,9,1", [0, 7]),
        ("0,-1,1", [0, 7]),
        ("1,1", [1, 7]),
        ("", [7]),
        ("-1", [7]),
        ("GPU-", [7]),
        ("NoDevFiles", [7]),
    ],
)
def test_devices_are_counted_as_cuda_counts_them(stated: str | None, numbers: list[int]) -> None:
    found = [device(2), device(0), device(1, instances=("MIG-a",)), device(7, "amd", "0000:03:00.0")]
    environment = {} if stated is None else {"CUDA_VISIBLE_DEVICES": stated}
    assert [one.number for one in visible(found, environment)] == numbers


def test_intervals_add_up_and_what_is_unknown_of_one_is_unknown_of_both() -> None:
    sum_, unknown = device(0), device(0)
    sum_.add(device(0))
    assert sum_.energy is not None and sum_.energy.joules == 6.0 and sum_.seconds == 20.0
    unknown.process_energy = None
    sum_.add(unknown)
    assert sum_.process_energy is None and sum_.to_dict()["energy_joules"] == 9.0 and sum_.to_dict()["process_joules"] is None


@pytest.fixture
def gpu(tmp_path: Path) -> Iterator[Path]:
    """A GPU of 300 W whose counter goes on; this process keeps it busy for 60 %, another one for 20 %."""
    compiler = shutil.which(os.environ.get("CC", "cc"))
    try:
        descriptor = os.open(HELD, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError:
        pytest.skip("no right to make a file in /dev")
    if compiler is None:
        os.close(descriptor)
        HELD.unlink()
        pytest.skip("no compiler for the stand-in of NVIDIA's library")
    library = tmp_path / "libnvidia-ml.so.1"
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", library, STAND_IN, "-ldl"], check=True, timeout=60)
    other = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, pass_fds=(descriptor,))
    begun, ended = time.monotonic(), threading.Event()

    def write() -> None:
        new = library.with_suffix(".new")
        new.write_text(
            f"gpu uuid=GPU-test name=H200 bus=0x41 energy={int((time.monotonic() - begun) * 300_000)} limit=700000 util=80\n"
            f"process gpu=0 pid={os.getpid()} sm=60\nprocess gpu=0 pid={other.pid} sm=20\n"
        )
        new.rename(f"{library}.script")

    def count() -> None:
        while not ended.wait(0.05):
            write()

    write()
    thread = threading.Thread(target=count)
    thread.start()
    try:
        yield library
    finally:
        ended.set()
        thread.join()
        other.communicate(b"\n", timeout=10)
        os.close(descriptor)
        HELD.unlink(missing_ok=True)


def test_a_measurement_has_the_gpu_and_this_processs_part_of_it(gpu: Path, tree: PowercapTree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kepler_power.settings._current", None)
    kepler_power.use_meters(nvml_library=gpu, host=tree.host)
    with kepler_power.measure("train") as m:
        tree.draw(package=10.0)
        time.sleep(3.2)
    (one,) = m.devices
    assert (one.uuid, one.number, one.name, one.source.name, one.source.method) == ("GPU-test", 0, "H200", "nvml", "measured")
    assert one.energy is not None and one.process_energy is not None and one.tree_energy is not None
    assert one.energy.joules == pytest.approx(300 * m.seconds, rel=0.2)
    # All that is active is 80 % of it: 60 % of its time are this process's and 20 % the child's.
    assert one.process_energy.joules == pytest.approx(one.energy.joules * 0.6, rel=0.05)
    assert one.tree_energy.joules == pytest.approx(one.energy.joules * 0.8, rel=0.05)
    assert one.is_uncertain, "three seconds are short for one reading a second"
    assert m.zones["gpu"].is_counted and m.energy.joules == pytest.approx(10.0 + one.energy.joules, rel=1e-6)
    assert m.process.energy.joules > one.process_energy.joules and m.to_dict()["process_gpu_joules"] == one.process_energy.joules
    m.save(tmp_path / "runs.csv")
    (row,) = csv.DictReader((tmp_path / "runs.csv").open())
    assert float(row["gpu_joules"]) == pytest.approx(one.energy.joules)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert m.devices == [] and "gpu" in m.zones, "not this process's, but the machine's"
    with kepler_power.measure("short") as short:
        tree.draw(package=1.0)
    assert short.is_uncertain and short.to_dict()["gpu_joules"] is None, "no second reading, which is not nothing"


def test_files_of_versions_without_devices_go_on_as_they_are(tree: PowercapTree, tmp_path: Path) -> None:
    from kepler_power.runs._save import COLUMNS, OLDER_COLUMNS

    path = tmp_path / "runs.csv"
    path.write_text(",".join(OLDER_COLUMNS) + "\n")
    with kepler_power.measure("old", host=tree.host) as m:
        tree.draw(package=1.0)
    m.save(path)
    (row,) = csv.DictReader(path.open())
    assert row["name"] == "old" and set(row) == set(OLDER_COLUMNS) and len(COLUMNS) == len(OLDER_COLUMNS) + 8
    assert [run.name for run in kepler_power.runs.read([path])] == ["old"]
    assert m.devices == [] and m.to_dict()["gpu_joules"] is None


def test_what_a_device_drew_beyond_rest_goes_to_who_used_it() -> None:
    def machine(seconds: float, zones: float, energy: float, idle: float, used: float) -> Any:
        one = device(0, uuid="GPU-a")
        one.energy, one.idle_energy, one.tree_energy = Energy(round(energy * 1e6)), Energy(round(idle * 1e6)), Energy(round(used * 1e6))
        zone = {"package": SimpleNamespace(name="package", is_counted=True, energy=Energy(round(zones * 1e6)))}
        zone["gpu"] = SimpleNamespace(name="gpu", is_counted=True, energy=one.energy)
        whole = Energy(round((zones + energy) * 1e6))
        power = SimpleNamespace(watts=whole.joules / seconds)
        return SimpleNamespace(seconds=seconds, zones=zone, devices=[one], energy=whole, power=power)

    rest = Rest.__new__(Rest)
    # Ten seconds of 20 W and 50 W, a tenth of a processor busy.
    rest._machine, rest._busy = machine(10.0, 200.0, 500.0, 500.0, 0.0), 1.0
    # Ten seconds more of one processor and 250 W of the device, all this command's.
    busy = machine(10.0, 400.0, 3000.0, 500.0, 2500.0)
    assert rest.part_above(busy, 11.0, 10.0) == pytest.approx(200.0 + 2500.0)
    # Another one used the device: processor time does not make it this command's.
    assert rest.part_above(machine(10.0, 400.0, 3000.0, 500.0, 0.0), 11.0, 10.0) == pytest.approx(200.0)
    # Not seen from here.
    busy.devices = []
    assert rest.part_above(busy, 11.0, 10.0) is None
