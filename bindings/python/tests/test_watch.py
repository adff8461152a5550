"""Watching this machine's processes, with simulated counters."""

from __future__ import annotations

import asyncio
import csv
import os
import sys
import threading
import time
from pathlib import Path

import pytest
from powercap import PowercapTree, burn

import kepler_power
from kepler_power import watch
from kepler_power.watch import Process


@pytest.fixture
def monitor(tree: PowercapTree):  # type: ignore[no-untyped-def]
    with kepler_power.Monitor(0.05, host=tree.host, idle="ratio") as running:
        yield running


def test_processes_share_what_the_machine_drew(tree: PowercapTree, monitor: kepler_power.Monitor) -> None:
    burn(0.1)
    tree.draw(package=10.0, dram=2.0)
    # The one after the next: the next may have been under way.
    latest = monitor.wait(monitor.snapshot().sequence + 1, timeout=30)
    assert latest is not None
    zone = latest.node().zones["package"]
    assert zone.energy.joules == 10.0 and zone.energy == zone.active_energy + zone.idle_energy
    assert str(zone.source) == "measured by powercap" and zone.path.endswith("energy_uj")
    mine = next(process for process in latest.processes() if process.pid == os.getpid())
    assert 0 < mine.joules["package"] <= zone.active_energy.joules and mine.state == "running"
    assert mine.cpu_seconds > 0.1 and mine.kind in ("regular", "container")
    # To the microjoule: what is not idle is a workload's or unattributed.
    listed = sum(round(process.joules["package"] * 1e6) for process in latest.processes())
    assert listed + zone.unattributed_energy.microjoules <= zone.active_energy.microjoules


def test_a_power_is_not_known_before_there_was_an_interval(tree: PowercapTree, tmp_path: Path) -> None:
    with kepler_power.Monitor(3600, host=tree.host) as monitor:
        first = monitor.snapshot()
    assert first.sequence == 1 and first.interval_seconds == 0
    table = first.processes()
    assert table[0].watts == {} and table[0].joules["package"] == 0
    assert first.node().zones["package"].power is None
    assert table.to_dicts()[0]["package_watts"] is None
    table.write_csv(tmp_path / "first.csv")
    with (tmp_path / "first.csv").open(newline="") as file:
        assert next(csv.DictReader(file))["package_watts"] == ""
    assert "<td></td>" in table._repr_html_()
    pyarrow = pytest.importorskip("pyarrow")
    assert pyarrow.table(table)["package_watts"].null_count == len(table)
    pytest.importorskip("pandas")
    assert table.to_pandas()["package_watts"].isna().all()


def test_snapshots_are_iterated_as_they_come(monitor: kepler_power.Monitor) -> None:
    sequences = []
    for snapshot in monitor:
        sequences.append(snapshot.sequence)
        if len(sequences) == 4:
            break
    assert sequences == sorted(set(sequences))
    assert monitor.wait(10**9, timeout=0.05) is None


def test_iteration_ends_when_the_monitor_is_stopped(tree: PowercapTree) -> None:
    monitor = kepler_power.Monitor(3600, host=tree.host).start()
    threading.Timer(0.2, monitor.stop).start()
    assert len(list(monitor)) <= 2
    with pytest.raises(kepler_power.MonitorError, match="not running"):
        monitor.snapshot()
    monitor.stop()


def test_async_iteration_lets_the_loop_go_on(monitor: kepler_power.Monitor) -> None:
    async def run() -> tuple[int, int]:
        turns = 0

        async def turn() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0.005)

        other = asyncio.ensure_future(turn())
        seen = 0
        async for _ in monitor:
            seen += 1
            if seen == 3:
                break
        other.cancel()
        return seen, turns

    seen, turns = asyncio.run(run())
    assert seen == 3 and turns > 3


def test_a_callback_gets_every_snapshot(tree: PowercapTree) -> None:
    seen: list[int] = []
    done = threading.Event()

    def take(snapshot: kepler_power.Snapshot) -> None:
        seen.append(snapshot.sequence)
        if len(seen) == 3:
            done.set()

    with kepler_power.Monitor(0.05, host=tree.host, on_snapshot=take):
        assert done.wait(10)
    assert seen[:3] == [1, 2, 3]


def test_other_threads_run_while_it_waits(monitor: kepler_power.Monitor) -> None:
    counted = 0
    stop = threading.Event()

    def count() -> None:
        nonlocal counted
        while not stop.is_set():
            counted += 1

    thread = threading.Thread(target=count)
    thread.start()
    assert monitor.wait(10**9, timeout=0.2) is None
    stop.set()
    thread.join()
    assert counted > 10_000


def test_a_forked_child_has_to_start_its_own(monitor: kepler_power.Monitor) -> None:
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            try:
                monitor.snapshot()
            except kepler_power.MonitorError as error:
                assert "Monitor in the child" in error.remedy
                with kepler_power.Monitor(0.05) as own:
                    status = 0 if len(own.processes()) > 0 else 2
            monitor.stop()
        finally:
            os._exit(status)
    assert os.waitpid(pid, 0)[1] == 0
    assert monitor.snapshot().sequence > 0


def test_rows_are_typed_tuples_and_dictionaries(monitor: kepler_power.Monitor) -> None:
    monitor.wait(1, timeout=10)
    table = monitor.processes()
    assert len(table) > 0 and isinstance(table[0], Process) and isinstance(table[:2], list)
    assert table.columns[:3] == ["timestamp", "pid", "start_ticks"] and "dram_watts" in table.columns
    row = next(row for row in table.to_dicts() if row["pid"] == os.getpid())
    assert row["timestamp"] == pytest.approx(time.time(), abs=60) and row["package_joules"] >= 0
    levels = {
        watch.Process: table,
        watch.Container: monitor.containers(),
        watch.Pod: monitor.pods(),
        watch.Vm: monitor.vms(),
        watch.Unit: monitor.units(),
        watch.Job: monitor.jobs(),
        watch.Command: monitor.commands(),
    }
    for row_type, level in levels.items():
        assert "cpu_seconds" in level.columns and isinstance(list(level), list)
        who = level.columns[1 : level.columns.index("state")]
        fields = list(row_type._fields)
        assert who == fields[: fields.index("state")], "tuples are made by position"
    assert "<table>" in table._repr_html_() and "rows" in repr(table) and "processes" in repr(monitor.snapshot())


def test_every_form_of_a_table_says_how_its_figures_were_found(tmp_path: Path) -> None:
    with kepler_power.Monitor(3600, meters=["model"]) as estimated:
        table, text = estimated.processes(), repr(estimated.snapshot())
    assert "(estimated)" in text
    assert {row["package_method"] for row in table.to_dicts()} == {"estimated"}
    table.write_csv(tmp_path / "table.csv")
    with (tmp_path / "table.csv").open(newline="") as file:
        assert next(csv.DictReader(file))["package_method"] == "estimated"
    assert "package_method" in table._repr_html_() and "<td>estimated</td>" in table._repr_html_()
    assert table[0].joules.keys() == {"package"}
    polars = pytest.importorskip("polars")
    assert polars.DataFrame(table)["package_method"].unique().to_list() == ["estimated"]
    pytest.importorskip("pandas")
    assert set(table.to_pandas()["package_method"]) == {"estimated"}


def test_arrow_consumers_take_the_table_as_it_is(monitor: kepler_power.Monitor) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    monitor.wait(1, timeout=10)
    table = monitor.processes()
    arrow = pyarrow.table(table)
    assert arrow.num_rows == len(table) and arrow.column_names == table.columns
    assert str(arrow.schema.field("timestamp").type) == "timestamp[us, tz=UTC]"
    assert str(arrow.schema.field("pid").type) == "uint64" and not arrow.schema.field("pid").nullable
    assert pyarrow.schema(table) == arrow.schema
    assert arrow.column("pid").to_pylist() == [process.pid for process in table]
    assert arrow.column("exe").to_pylist() == [process.exe for process in table]
    assert table.to_arrow().equals(arrow)


def test_a_stream_that_is_not_read_is_released(monitor: kepler_power.Monitor) -> None:
    table = monitor.processes()
    for _ in range(1000):
        table.__arrow_c_stream__()
        table.__arrow_c_schema__()


def test_polars_and_pandas_get_the_same_columns(monitor: kepler_power.Monitor) -> None:
    polars, pandas = pytest.importorskip("polars"), pytest.importorskip("pandas")
    monitor.wait(1, timeout=10)
    table = monitor.processes()
    frame, other = table.to_polars(), table.to_pandas()
    assert isinstance(frame, polars.DataFrame) and isinstance(other, pandas.DataFrame)
    assert frame.columns == list(other.columns) == table.columns
    assert frame["package_joules"].to_list() == other["package_joules"].to_list()
    assert frame["comm"].to_list() == other["comm"].to_list()
    assert str(other["timestamp"].dtype) == "datetime64[us, UTC]"
    assert other["timestamp"][0].timestamp() == pytest.approx(frame["timestamp"][0].timestamp())


def test_csv_is_written_and_appended(monitor: kepler_power.Monitor, tmp_path: Path) -> None:
    path = tmp_path / "processes.csv"
    monitor.wait(1, timeout=10)
    table = monitor.processes()
    table.write_csv(path, append=True)
    table.write_csv(path, append=True)
    with path.open(newline="") as file:
        rows = list(csv.reader(file))
    assert rows[0] == table.columns and len(rows) == 2 * len(table) + 1
    assert [row[1] for row in rows[1 : len(table) + 1]] == [str(process.pid) for process in table]
    assert rows[1][0].endswith("Z")
    table.write_csv(str(path))
    assert len(path.read_text().splitlines()) >= len(table) + 1
    with pytest.raises(kepler_power.DataError, match="directory that exists"):
        table.write_csv(tmp_path / "missing/processes.csv")


def test_parquet_is_written_by_the_library_that_is_installed(
    monitor: kepler_power.Monitor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    pytest.importorskip("polars")
    table = monitor.processes()
    pids = [process.pid for process in table]
    table.write_parquet(tmp_path / "arrow.parquet")
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "pyarrow.parquet", None)
        table.write_parquet(str(tmp_path / "polars.parquet"))
        patch.setitem(sys.modules, "polars", None)
        with pytest.raises(kepler_power.MissingDependencyError, match="pip install"):
            table.write_parquet(tmp_path / "nothing.parquet")
    for name in ("arrow.parquet", "polars.parquet"):
        assert parquet.read_table(tmp_path / name).column("pid").to_pylist() == pids


def test_a_missing_package_is_named(monitor: kepler_power.Monitor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "polars", None)
    with pytest.raises(kepler_power.MissingDependencyError, match=r"pip install 'kepler-power\[polars\]'"):
        monitor.processes().to_polars()


def test_bad_arguments_say_what_to_do() -> None:
    with pytest.raises(kepler_power.ConfigurationError, match="0.001 to 86,400"):
        kepler_power.Monitor(0)
    with pytest.raises(kepler_power.ConfigurationError, match="baseline or ratio"):
        kepler_power.Monitor(idle="none")
    with pytest.raises(kepler_power.MeterError, match=r"Host\(procfs="):
        kepler_power.Monitor(host=kepler_power.Host(procfs="/nonexistent")).start()
    monitor = kepler_power.Monitor()
    with pytest.raises(kepler_power.MonitorError, match="call start"):
        monitor.snapshot()
