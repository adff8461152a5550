"""CodeCarbon's interface, and the real CodeCarbon beside it."""

from __future__ import annotations

import asyncio
import csv
import json
import logging
import subprocess
import sys
import time
import uuid
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from powercap import PowercapTree

import kepler_power
from kepler_power import _native, codecarbon
from kepler_power.codecarbon import (
    BaseOutput,
    EmissionsData,
    EmissionsTracker,
    IgnoredParameterWarning,
    OfflineEmissionsTracker,
    OutputMethod,
    TaskEmissionsData,
    track_emissions,
)
from kepler_power.codecarbon.external.logger import logger as codecarbon_logger
from kepler_power.errors import ConfigurationError, UnknownRegionError

JOULES_PER_KWH = 3.6e6


@pytest.fixture(autouse=True)
def nothing_stated(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """No facility, no configuration of CodeCarbon's, files in a place of the test's own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("KEPLER_REGION", raising=False)
    _native.set_facility(None)
    yield
    _native.set_facility(None)


@pytest.fixture
def simulated(tree: PowercapTree) -> Iterator[PowercapTree]:
    """The process's meters are those of a machine whose truth is known."""
    kepler_power.use_meters(host=tree.host)
    yield tree
    kepler_power.use_meters(host=kepler_power.Host())


def offline(**parameters: Any) -> OfflineEmissionsTracker:
    return OfflineEmissionsTracker(country_iso_code="FRA", force_carbon_intensity_g_co2e_kwh=100.0, **parameters)


def rows(path: str = "emissions.csv") -> list[dict[str, str]]:
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def test_what_the_counters_say_is_in_the_row_in_the_units_of_its_columns(simulated: PowercapTree) -> None:
    tracker = offline(pue=1.5, wue=2.0, project_name="train")
    with tracker:
        simulated.draw(package=7.2, dram=3.6)
        time.sleep(0.05)
    (row,) = rows()
    assert float(row["cpu_energy"]) == pytest.approx(7.2 * 1.5 / JOULES_PER_KWH)
    assert float(row["ram_energy"]) == pytest.approx(3.6 * 1.5 / JOULES_PER_KWH)
    assert float(row["energy_consumed"]) == pytest.approx(10.8 * 1.5 / JOULES_PER_KWH)
    kg = 10.8 * 1.5 / JOULES_PER_KWH * 0.1
    assert float(row["emissions"]) == pytest.approx(kg) == tracker.final_emissions
    assert float(row["emissions_rate"]) == pytest.approx(kg / float(row["duration"]))
    assert float(row["water_consumed"]) == pytest.approx(10.8 * 1.5 / JOULES_PER_KWH * 2)
    assert float(row["cpu_power"]) == pytest.approx(7.2 * 1.5 / float(row["duration"]), rel=1e-6)
    assert (row["country_name"], row["country_iso_code"], row["on_cloud"]) == ("France", "FRA", "N")
    assert (row["project_name"], row["tracking_mode"], row["pue"], row["wue"]) == ("train", "machine", "1.5", "2.0")
    assert tracker.final_emissions_data is not None and tracker.final_emissions_data.run_id == row["run_id"]
    # Not known is empty, not zero; that there is no graphics processor is known.
    assert row["longitude"] == "" and (row["gpu_count"], row["gpu_energy"]) == ("0", "0.0")


def test_the_process_gets_its_share(simulated: PowercapTree) -> None:
    with offline(tracking_mode="process", save_to_file=False) as process:
        simulated.draw(package=10.0)
        time.sleep(0.3)
    assert process.final_emissions_data is not None
    assert 0 <= process.final_emissions_data.cpu_energy * JOULES_PER_KWH < 5


def test_tasks_are_kept_apart_and_have_a_file_of_their_own(simulated: PowercapTree) -> None:
    tracker = offline(experiment_name="sweep")
    tracker.start_task("load")
    simulated.draw(package=1.0)
    load = tracker.stop_task("load")
    simulated.draw(package=10.0)
    tracker.start_task("train")
    simulated.draw(package=3.0)
    train = tracker.stop_task()
    total = tracker.stop()
    assert load is not None and load.cpu_energy * JOULES_PER_KWH == pytest.approx(1.0)
    assert train is not None and train.cpu_energy * JOULES_PER_KWH == pytest.approx(3.0)
    assert total == pytest.approx(14 / JOULES_PER_KWH * 0.1)
    tasks = rows(f"emissions_sweep_{tracker.run_id}.csv")
    assert [task["task_name"] for task in tasks] == ["load", "train"]
    assert next(iter(tasks[0])) == "task_name" and "longitude" not in tasks[0]
    assert tracker.stop_task("nothing") is None


def test_flush_appends_a_row_or_replaces_it(simulated: PowercapTree) -> None:
    for write, expected in (("append", 2), ("update", 1)):
        with offline(on_csv_write=write, output_file=f"{write}.csv") as tracker:
            simulated.draw(package=1.0)
            so_far = tracker.flush()
            simulated.draw(package=1.0)
        found = rows(f"{write}.csv")
        assert len(found) == expected
        assert so_far is not None and tracker.final_emissions == pytest.approx(2 * so_far)
        assert float(found[-1]["emissions"]) == pytest.approx(tracker.final_emissions)


def test_a_file_with_other_columns_is_kept_and_a_new_one_begun(simulated: PowercapTree) -> None:
    Path("emissions.csv").write_text("a,b\n1,2\n")
    with offline():
        pass
    assert len(rows()) == 1 and Path("emissions.csv.bak").read_text() == "a,b\n1,2\n"
    with offline():
        pass
    assert len(rows()) == 2


def test_a_function_is_tracked_also_when_it_raises_or_waits(simulated: PowercapTree) -> None:
    @track_emissions(offline=True, country_iso_code="DEU")
    def fails(text: str) -> None:
        """Its documentation."""
        simulated.draw(package=0.5)
        raise ValueError(text)

    with pytest.raises(ValueError, match="why"):
        fails("why")
    assert (fails.__name__, fails.__doc__) == ("fails", "Its documentation.")

    @track_emissions(offline=True, country_iso_code="DEU")
    async def waits() -> int:
        await asyncio.sleep(0.05)
        return 7

    assert asyncio.run(waits()) == 7
    first, second = rows()
    assert float(first["cpu_energy"]) * JOULES_PER_KWH == pytest.approx(0.5)
    assert float(second["duration"]) >= 0.05

    with pytest.warns(UserWarning, match="no location is stated"):

        @track_emissions
        def bare() -> str:
            return "done"

        assert bare() == "done"
    assert rows()[2]["location_basis"] == "assumed"


def test_the_location_is_the_configured_one_and_no_service_is_asked(simulated: PowercapTree) -> None:
    kepler_power.configure("us-east-1")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tracker = EmissionsTracker(save_to_file=False)
    with tracker:
        simulated.draw(package=3.6)
    data = tracker.final_emissions_data
    assert data is not None
    assert (data.country_iso_code, data.cloud_provider, data.cloud_region, data.on_cloud) == ("USA", "aws", "us-east-1", "Y")
    intensity = kepler_power.facility().grid_intensity
    assert intensity is not None and tracker.final_emissions == pytest.approx(intensity / 1000 * 1e-6)


def test_offline_locations_are_countries_their_parts_and_cloud_regions() -> None:
    def location(**parameters: str) -> tuple[str, str, Any]:
        with OfflineEmissionsTracker(save_to_file=False, **parameters) as tracker:
            pass
        data = tracker.final_emissions_data
        assert data is not None
        return data.country_iso_code, data.cloud_provider, data.region

    assert location(country_iso_code="KOR") == ("KOR", "", None)
    assert location(country_2letter_iso_code="SE") == ("SWE", "", None)
    assert location(country_iso_code="USA", region="virginia") == ("USA", "", "virginia")
    assert location(cloud_provider="gcp", cloud_region="europe-west1")[:2] == ("BEL", "gcp")


def test_parameters_without_effect_are_named_and_unknown_ones_refused() -> None:
    with pytest.warns(IgnoredParameterWarning) as caught:
        offline(api_key="k", gpu_ids=[0], force_cpu_power=100, allow_multiple_runs=False, rapl_include_dram=True, api_endpoint=None)
    named = [str(warning.message).split()[0] for warning in caught]
    assert sorted(named) == ["allow_multiple_runs", "api_key", "force_cpu_power", "gpu_ids"]
    assert all(warning.filename == __file__ or "test_codecarbon" in warning.filename for warning in caught)
    with pytest.raises(TypeError, match="projct_name"):
        offline(projct_name="x")


@pytest.mark.parametrize(
    ("parameters", "named"),
    [
        ({"pue": 0.9}, "pue"),
        ({"tracking_mode": "cluster"}, "cluster"),
        ({"output_dir": "/nowhere"}, "/nowhere"),
        ({"on_csv_write": "merge"}, "merge"),
        ({"force_carbon_intensity_g_co2e_kwh": "much"}, "much"),
        ({"force_carbon_intensity_g_co2e_kwh": 1e308}, "3000"),
        ({"pue": 1e308}, "pue"),
        ({"output_methods": ["carrier pigeon"]}, "carrier pigeon"),
        ({"log_level": "loud"}, "loud"),
        ({"api_call_interval": "often"}, "api_call_interval"),
        ({"emissions_endpoint": "file:///etc/passwd"}, "emissions_endpoint"),
        ({"prometheus_url": "ftp://host", "save_to_prometheus": True}, "prometheus_url"),
    ],
)
def test_values_that_make_no_sense_are_refused_by_name(parameters: dict[str, Any], named: str) -> None:
    with pytest.raises(ConfigurationError, match=named):
        OfflineEmissionsTracker(**{"country_iso_code": "FRA", **parameters})


def test_an_offline_tracker_needs_a_location_that_exists() -> None:
    with pytest.raises(ConfigurationError, match="country_iso_code"):
        OfflineEmissionsTracker()
    with pytest.raises(UnknownRegionError, match="XYZ"):
        OfflineEmissionsTracker(country_iso_code="XYZ")


def test_configuration_is_read_from_codecarbons_files_and_environment(monkeypatch: pytest.MonkeyPatch, simulated: PowercapTree) -> None:
    Path(".codecarbon.config").write_text("[codecarbon]\nproject_name = from file\nsave_to_api = false\npue = 1.2\n")
    monkeypatch.setenv("CODECARBON_EXPERIMENT_ID", "from environment")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with offline(project_name="given"):
            pass
        with offline():
            pass
    first, second = rows()
    assert (first["project_name"], second["project_name"], second["experiment_id"]) == ("given", "from file", "from environment")
    assert second["pue"] == "1.2"


def test_handlers_and_loggers_get_rows_and_their_errors_end_no_run(
    simulated: PowercapTree, caplog: pytest.LogCaptureFixture
) -> None:
    class Handler(BaseOutput):
        def __init__(self) -> None:
            self.rows: list[tuple[EmissionsData, EmissionsData]] = []
            self.tasks: list[TaskEmissionsData] = []

        def out(self, total: EmissionsData, delta: EmissionsData) -> None:
            self.rows.append((total, delta))

        def task_out(self, data: list[TaskEmissionsData], experiment_name: str) -> None:
            self.tasks = data

    class Broken(BaseOutput):
        def out(self, total: EmissionsData, delta: EmissionsData) -> None:
            raise OSError("disk full")

    handler = Handler()
    logger = logging.getLogger("mine")
    codecarbon_logger.addHandler(caplog.handler)
    with caplog.at_level(logging.INFO), offline(
        output_methods=[OutputMethod.LOGGER], logging_logger=logger, output_handlers=[Broken(), handler]
    ) as tracker:
        tracker.start_task("one")
        simulated.draw(package=1.0)
        tracker.stop_task()
        tracker.flush()
        simulated.draw(package=0.5)
    (_, first), (total, delta) = handler.rows
    assert first.cpu_energy * JOULES_PER_KWH == pytest.approx(1.0)
    assert delta.cpu_energy * JOULES_PER_KWH == pytest.approx(0.5)
    assert total.cpu_energy * JOULES_PER_KWH == pytest.approx(1.5)
    assert [task.task_name for task in handler.tasks] == ["one"]
    logged = [json.loads(record.message) for record in caplog.records if record.name == "mine"]
    assert len(logged) == 2 and logged[0]["country_iso_code"] == "FRA"
    assert any("disk full" in str(record.exc_info) for record in caplog.records)
    codecarbon_logger.removeHandler(caplog.handler)
    assert not Path("emissions.csv").exists()


def test_stopping_twice_gives_the_same_figure_and_starting_again_is_a_new_run(simulated: PowercapTree) -> None:
    tracker = offline(save_to_file=False)
    assert tracker.stop() is None and tracker.flush() is None
    tracker.start()
    tracker.start()
    simulated.draw(package=1.0)
    assert tracker.stop() == tracker.stop() == tracker.final_emissions
    tracker.start()
    simulated.draw(package=10.0)
    assert tracker.stop() == pytest.approx(10 / JOULES_PER_KWH * 0.1)


def test_this_machine_is_described() -> None:
    with offline(save_to_file=False) as tracker:
        time.sleep(0.2)
    data = tracker.final_emissions_data
    assert data is not None and data.energy_consumed > 0
    assert data.cpu_count >= 1 and data.ram_total_size > 0.1 and data.os.startswith("Linux")
    assert 0 < data.ram_utilization_percent < 100 and 0 < data.ram_used_gb < data.ram_total_size
    assert 0 <= data.cpu_utilization_percent <= 100
    assert uuid.UUID(data.run_id) and data.codecarbon_version.startswith("kepler-power ")
    assert list(data.values) == list(vars(data)) and json.loads(data.toJSON())["os"] == data.os


# Run in a process of its own: the real package sets up logging, threads and a lock for the whole of its process.
BESIDE = """
import sys, time
{imports}
tracker = OfflineEmissionsTracker(country_iso_code="DEU", output_file=sys.argv[1], log_level="error", {more})
tracker.start()
tracker.start_task("burn")
end = time.monotonic() + 3
while time.monotonic() < end:
    sum(range(10_000))
tracker.stop_task()
print(tracker.stop())
"""


def test_the_real_codecarbon_writes_the_same_columns_and_figures_of_the_same_kind(tmp_path: Path) -> None:
    pytest.importorskip("codecarbon", reason="codecarbon is not installed")

    def begin(imports: str, file: str, more: str = "") -> subprocess.Popen[str]:
        script = tmp_path / f"{file}.py"
        script.write_text(BESIDE.format(imports=imports, more=more))
        pipe = subprocess.PIPE
        return subprocess.Popen([sys.executable, str(script), file], stdout=pipe, stderr=pipe, text=True)

    def end(run: subprocess.Popen[str], file: str) -> dict[str, str]:
        output, errors = run.communicate(timeout=300)
        assert run.returncode == 0, errors
        (row,) = rows(file)
        assert float(output.split()[-1]) == pytest.approx(float(row["emissions"]))
        return row

    # At the same time: what they say need only be of one order of magnitude.
    our_run = begin("from kepler_power.codecarbon import OfflineEmissionsTracker", "ours.csv")
    their_run = begin("from codecarbon import OfflineEmissionsTracker", "theirs.csv", "allow_multiple_runs=True")
    ours, theirs = end(our_run, "ours.csv"), end(their_run, "theirs.csv")
    assert list(ours)[: len(theirs)] == list(theirs), "CodeCarbon's columns first, in order"
    assert list(ours)[len(theirs)] == "cpu_energy_method"
    for column in ("country_name", "country_iso_code", "os", "python_version", "cpu_count", "tracking_mode", "on_cloud"):
        assert ours[column] == theirs[column], column
    assert float(ours["ram_total_size"]) == pytest.approx(float(theirs["ram_total_size"]), rel=0.01)
    # Both work for the same time, with more or less around it; what they say it took must be of one order of magnitude, by model
    # or by meter.
    assert 1 / 3 < float(ours["duration"]) / float(theirs["duration"]) < 3
    for column in ("energy_consumed", "emissions", "cpu_power"):
        ratio = float(ours[column]) / float(theirs[column])
        assert 0.02 < ratio < 50, f"{column}: {ours[column]} and {theirs[column]}"
    for row in (ours, theirs):
        parts = sum(float(row[f"{part}_energy"] or 0) for part in ("cpu", "gpu", "ram"))
        assert parts == pytest.approx(float(row["energy_consumed"]), rel=1e-6)
    tasks = {path.name: path for path in tmp_path.glob("emissions_base_*.csv")}
    headers = {path.read_text().splitlines()[0] for path in tasks.values()}
    assert len(tasks) == 2
    known = list(TaskEmissionsData.__dataclass_fields__)
    for header in headers:
        columns = header.split(",")
        assert columns == [name for name in known if name in columns], "the order of tasks' columns"


def test_everything_public_is_exported() -> None:
    assert set(codecarbon.__all__) >= {"EmissionsTracker", "OfflineEmissionsTracker", "track_emissions", "OutputMethod"}
