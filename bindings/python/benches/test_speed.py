"""How fast: `python -m pytest -s bindings/python/benches --benchmark-columns=min,median,mean`.

The peers measure the same simulated powercap tree, where they can be pointed at one: they name `/sys` in their code, so
the names are changed for the run. All write to nothing. CodeCarbon starts a scheduler thread and writes a file by
design; it is given no file to write.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from powercap import PowercapTree
from procfs import make_procfs

import kepler_power


def test_kepler_power_measure_with_four_zones(benchmark: Any, tree: PowercapTree) -> None:
    host = tree.host

    def enter_and_exit() -> None:
        with kepler_power.measure("bench", host=host):
            pass

    benchmark.group = "enter and exit"
    benchmark(enter_and_exit)


def test_kepler_power_measure_with_four_zones_and_all_figures_read(benchmark: Any, tree: PowercapTree) -> None:
    host = tree.host

    def enter_and_exit() -> float:
        with kepler_power.measure("bench", host=host) as m:
            pass
        return m.energy.joules + m.co2e.grams + m.process.energy.joules

    benchmark.group = "enter and exit"
    benchmark(enter_and_exit)


@pytest.mark.filterwarnings("ignore::kepler_power.EstimateWarning")
def test_kepler_power_measure_estimated(benchmark: Any) -> None:
    def enter_and_exit() -> None:
        with kepler_power.measure("bench", meters=["model"]):
            pass

    benchmark.group = "enter and exit"
    benchmark(enter_and_exit)


def test_kepler_power_phase(benchmark: Any, tree: PowercapTree) -> None:
    with kepler_power.measure("bench", host=tree.host) as m:

        def phase() -> None:
            with m.phase("phase"):
                pass

        benchmark.group = "enter and exit"
        benchmark(phase)


def test_pyrapl(benchmark: Any, tree: PowercapTree, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pyRAPL")
    import builtins

    import pyRAPL

    redirect(monkeypatch, builtins, tree)
    pyRAPL.setup(devices=[pyRAPL.Device.PKG, pyRAPL.Device.DRAM], socket_ids=[0])

    class Nothing(pyRAPL.outputs.Output):  # type: ignore[misc, no-any-unimported]
        def add(self, result: Any) -> None:
            pass

    output = Nothing()

    def enter_and_exit() -> None:
        with pyRAPL.Measurement("bench", output):
            pass

    benchmark.group = "enter and exit"
    benchmark(enter_and_exit)


def test_pyjoules(benchmark: Any, tree: PowercapTree, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pyJoules")
    import builtins

    redirect(monkeypatch, builtins, tree)
    from pyJoules.device.rapl_device import RaplDramDomain, RaplPackageDomain
    from pyJoules.energy_meter import EnergyContext
    from pyJoules.handler import EnergyHandler

    class Nothing(EnergyHandler):
        def process(self, trace: Any) -> None:
            pass

    domains = [RaplPackageDomain(0), RaplDramDomain(0)]

    def enter_and_exit() -> None:
        with EnergyContext(handler=Nothing(), domains=domains, start_tag="bench"):
            pass

    benchmark.group = "enter and exit"
    benchmark(enter_and_exit)


def test_codecarbon(benchmark: Any, tree: PowercapTree, monkeypatch: pytest.MonkeyPatch) -> None:
    codecarbon = pytest.importorskip("codecarbon")
    import builtins

    redirect(monkeypatch, builtins, tree)

    def enter_and_exit() -> None:
        with codecarbon.OfflineEmissionsTracker(
            country_iso_code="SWE", save_to_file=False, log_level="critical", allow_multiple_runs=True
        ):
            pass

    benchmark.group = "enter and exit"
    benchmark.pedantic(enter_and_exit, rounds=3)


def redirect(monkeypatch: pytest.MonkeyPatch, builtins: Any, tree: PowercapTree) -> None:
    """Opening or looking for a file of the powercap tree finds the simulated one."""
    import os

    def moved(path: Any) -> Any:
        text = os.fspath(path) if isinstance(path, (str, os.PathLike)) else path
        powercap = isinstance(text, str) and text.startswith(("/sys/class/powercap", "/sys/devices/virtual/powercap"))
        return str(tree.sysfs) + text[len("/sys") :] if powercap else path

    def through(function: Any) -> Any:
        return lambda path, *arguments, **options: function(moved(path), *arguments, **options)

    monkeypatch.setattr(builtins, "open", through(builtins.open))
    monkeypatch.setattr(os, "listdir", through(os.listdir))
    monkeypatch.setattr(os, "access", through(os.access))
    for name in ("exists", "isdir", "isfile"):
        monkeypatch.setattr(os.path, name, through(getattr(os.path, name)))


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory: pytest.TempPathFactory) -> kepler_power.Snapshot:
    root = tmp_path_factory.mktemp("machine")
    procfs = make_procfs(root, 4000)
    host = kepler_power.Host(procfs=procfs, sysfs=PowercapTree(root).sysfs)
    with kepler_power.Monitor(1.0, host=host) as monitor:
        newest = monitor.wait(1, timeout=10)
        assert newest is not None and len(newest.processes()) == 4000
        return newest


def test_four_thousand_processes_to_an_arrow_stream(benchmark: Any, snapshot: kepler_power.Snapshot) -> None:
    benchmark.group = "4,000 processes"
    benchmark(lambda: snapshot.processes().__arrow_c_stream__())


def test_four_thousand_processes_to_pyarrow(benchmark: Any, snapshot: kepler_power.Snapshot) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    benchmark.group = "4,000 processes"
    assert benchmark(lambda: pyarrow.table(snapshot.processes())).num_rows == 4000


def test_four_thousand_processes_to_polars(benchmark: Any, snapshot: kepler_power.Snapshot) -> None:
    polars = pytest.importorskip("polars")
    benchmark.group = "4,000 processes"
    assert benchmark(lambda: polars.DataFrame(snapshot.processes())).height == 4000


def test_four_thousand_processes_to_pandas(benchmark: Any, snapshot: kepler_power.Snapshot) -> None:
    pytest.importorskip("pandas")
    benchmark.group = "4,000 processes"
    assert len(benchmark(lambda: snapshot.processes().to_pandas())) == 4000


@pytest.fixture(scope="module")
def rows() -> Any:
    """A million rows of five features."""
    numpy = pytest.importorskip("numpy")
    return numpy.random.default_rng(1).uniform(0.0, 4000.0, (1_000_000, 5))


def test_floor_of_a_million_predictions_numpy_alone(benchmark: Any, rows: Any) -> None:
    import numpy

    weights = numpy.array([0.01, 0.02, 0.03, 0.04, 0.05])
    benchmark.group = "a million predictions"
    benchmark(lambda: numpy.clip(rows @ weights + 25.0, 0.0, 1000.0))


def test_a_million_predictions_by_trees_of_scikit_learn(benchmark: Any, rows: Any) -> None:
    """As many trees, as deep as PowerRegressor's."""
    ensemble = pytest.importorskip("sklearn.ensemble")
    model = ensemble.HistGradientBoostingRegressor(max_iter=100, max_depth=6, early_stopping=False)
    model.fit(rows[:2000], watts_of(rows[:2000]))
    benchmark.group = "a million predictions"
    benchmark.pedantic(model.predict, (rows,), rounds=1)


def watts_of(rows: Any) -> Any:
    """What there is to learn."""
    return 30.0 + rows.sum(axis=1) / 100.0


@pytest.mark.parametrize("algorithm", ["ols", "trees"])
def test_a_million_predictions(benchmark: Any, rows: Any, algorithm: Any) -> None:
    from kepler_power.models import PowerRegressor

    model = PowerRegressor(algorithm).fit(rows[:2000], watts_of(rows[:2000])).model_
    benchmark.group = "a million predictions"
    assert benchmark(lambda: model.predict(rows, "package")).shape == (1_000_000,)


@pytest.mark.parametrize("name", ["kepler_power", "pyRAPL", "pyJoules.energy_meter", "codecarbon"])
def test_importing(name: str) -> None:
    """The time that an import takes in a new interpreter, by its own clocks: that of the wall also shows what else the machine does."""
    pytest.importorskip(name)
    clocks = "time.perf_counter(), time.process_time()"
    program = f"import time; before = {clocks}; import {name}; print(*(b - a for a, b in zip(before, ({clocks}))))"

    def milliseconds() -> list[float]:
        done = subprocess.run([sys.executable, "-W", "ignore", "-c", program], capture_output=True, check=True, text=True)
        return [float(seconds) * 1e3 for seconds in done.stdout.split()]

    wall, cpu = (sorted(times) for times in zip(*(milliseconds() for _ in range(11))))
    print(f"\nimport {name}: median {wall[5]:.1f} ms, least {wall[0]:.1f} ms of {len(wall)}; CPU time {cpu[5]:.1f} ms")
