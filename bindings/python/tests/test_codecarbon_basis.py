"""How each figure of a row was found: stated, measured, estimated, partial, unknown."""

from __future__ import annotations

import json
import math
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from powercap import PowercapTree
from test_codecarbon import JOULES_PER_KWH, nothing_stated, offline, rows, simulated  # noqa: F401 - fixtures

import kepler_power
from kepler_power.codecarbon import EmissionsData, EmissionsTracker, OfflineEmissionsTracker, _memory, _tracker
from kepler_power.codecarbon._accelerators import Accelerators
from kepler_power.errors import ConfigurationError
from kepler_power.settings import current


@pytest.fixture(autouse=True)
def not_warned_yet() -> Iterator[None]:
    _tracker._warned.clear()
    yield
    _tracker._warned.clear()


def add_pci(tree: PowercapTree, address: str, kind: str, vendor: str, device: str) -> None:
    directory = tree.sysfs / "bus/pci/devices" / address
    directory.mkdir(parents=True)
    for name, value in (("class", kind), ("vendor", vendor), ("device", device)):
        (directory / name).write_text(f"{value}\n")


def test_an_assumed_location_is_not_written_as_a_fact(simulated: PowercapTree) -> None:  # noqa: F811
    with pytest.warns(UserWarning, match="no location is stated"):
        tracker = EmissionsTracker()
    with tracker:
        simulated.draw(package=3.6)
    (row,) = rows()
    unstated = ("country_name", "country_iso_code", "region", "cloud_provider", "cloud_region", "on_cloud")
    assert [row[column] for column in unstated] == [""] * 6
    assert (row["location_basis"], row["grid_zone"]) == ("assumed", "KR")
    intensity = kepler_power.compliance.region("KR").intensity
    assert intensity is not None
    assert float(row["grid_intensity_g_per_kwh"]) == intensity.g_per_kwh
    assert row["grid_intensity_method"] == intensity.method and row["grid_intensity_source"]
    assert (row["pue"], row["pue_basis"]) == ("1.0", "assumed")
    assert row["wue"] == row["water_consumed"] == "", "no WUE is stated, so water is not known"


def test_a_stated_intensity_says_nothing_of_the_location(simulated: PowercapTree) -> None:  # noqa: F811
    kepler_power.configure(grid_intensity=100.0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with EmissionsTracker():
            simulated.draw(package=3.6)
        with kepler_power.measure() as measurement:
            pass
    (row,) = rows()
    assert (row["country_iso_code"], row["on_cloud"], row["location_basis"]) == ("", "", "unknown")
    assert (row["grid_zone"], row["grid_intensity_method"], row["grid_intensity_g_per_kwh"]) == ("", "stated", "100.0")
    assert measurement.co2e.region is None and measurement.co2e.basis == "stated"
    assert measurement.co2e.pue_basis == "assumed" and measurement.to_dict()["pue_basis"] == "assumed"


def test_a_stated_country_or_cloud_is_written(simulated: PowercapTree) -> None:  # noqa: F811
    kepler_power.configure("SE", pue=1.2, pue_basis="measured")
    with EmissionsTracker(pue=1.2, wue=0.5):
        pass
    with OfflineEmissionsTracker(cloud_provider="gcp", cloud_region="europe-west1"):
        pass
    sweden, belgium = rows()
    assert (sweden["country_iso_code"], sweden["on_cloud"], sweden["location_basis"]) == ("SWE", "", "stated")
    assert (sweden["pue_basis"], sweden["wue"]) == ("stated", "0.5")
    assert (belgium["country_iso_code"], belgium["on_cloud"], belgium["cloud_region"]) == ("BEL", "Y", "europe-west1")


def test_one_method_is_taken_for_all_figures_and_each_row_names_it(simulated: PowercapTree) -> None:  # noqa: F811
    kepler_power.configure("FR", intensity_method="lifecycle")
    with EmissionsTracker():
        pass
    with OfflineEmissionsTracker(country_iso_code="SWE"):
        pass
    with kepler_power.measure(host=simulated.host) as measurement:
        pass
    kepler_power.configure("FR", intensity_method="direct")
    with OfflineEmissionsTracker(country_iso_code="FRA"):
        pass
    france, sweden, direct = rows()
    assert [row["grid_intensity_method"] for row in (france, sweden, direct)] == ["lifecycle", "lifecycle", "direct"]
    assert float(france["grid_intensity_g_per_kwh"]) == measurement.co2e.grid_intensity
    assert measurement.co2e.grid_method == measurement.to_dict()["grid_intensity_method"] == "lifecycle"
    assert float(direct["grid_intensity_g_per_kwh"]) < float(france["grid_intensity_g_per_kwh"])


@pytest.mark.parametrize(
    ("parameters", "named"),
    [
        ({"cloud_provider": "gcp", "cloud_region": "us-east-1"}, "one of aws"),
        ({"cloud_provider": "aws", "cloud_region": "koreacentral"}, "one of azure"),
        ({"cloud_provider": "aws", "cloud_region": "FRA"}, "not a cloud region"),
        ({"cloud_region": "Paris"}, "not a cloud region"),
        ({"cloud_provider": "ibm", "cloud_region": "us-east-1"}, "one of aws, and cloud_provider is `ibm`"),
        ({"cloud_provider": "aws"}, "without cloud_region"),
        ({"cloud_provider": "aws", "cloud_region": "us-east-1", "country_iso_code": "FRA"}, "is in US, not in France"),
        ({"country_iso_code": "FRA", "country_2letter_iso_code": "SE"}, "two countries"),
    ],
)
def test_a_location_that_contradicts_itself_is_an_error(parameters: dict[str, Any], named: str) -> None:
    with pytest.raises(ConfigurationError, match=named):
        OfflineEmissionsTracker(**parameters)


def test_a_location_said_twice_the_same_way_is_not_a_contradiction() -> None:
    parameters = {"cloud_provider": "AWS", "cloud_region": "us-east-1", "country_iso_code": "USA"}
    with OfflineEmissionsTracker(save_to_file=False, **parameters) as tracker:
        pass
    assert tracker.final_emissions_data is not None and tracker.final_emissions_data.cloud_provider == "aws"
    with OfflineEmissionsTracker(save_to_file=False, cloud_region="us-east-1") as tracker:
        pass
    assert tracker.final_emissions_data is not None and tracker.final_emissions_data.cloud_provider == "aws"


def test_memory_with_a_counter_is_measured(simulated: PowercapTree) -> None:  # noqa: F811
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with offline():
            simulated.draw(package=2.0, dram=1.0)
    (row,) = rows()
    methods = [row[f"{part}_method"] for part in ("cpu_energy", "ram_energy", "gpu_energy", "energy")]
    assert methods == ["measured", "measured", "absent", "measured"]
    assert float(row["energy_error_ratio"]) == 0.0


def test_memory_without_a_counter_is_estimated_named_so_and_warned_of_once(simulated: PowercapTree) -> None:  # noqa: F811
    simulated.remove("intel-rapl:0:1")
    host = kepler_power.Host(sysfs=simulated.sysfs, procfs="/proc")
    kepler_power.use_meters(host=host)
    with pytest.warns(kepler_power.EstimateWarning, match="memory has no energy counter") as caught:
        for _ in range(2):
            with offline():
                simulated.draw(package=2.0)
    assert len(caught) == 1 and caught[0].filename == __file__
    row = rows()[0]
    methods = [row[f"{part}_method"] for part in ("cpu_energy", "ram_energy", "energy")]
    assert methods == ["measured", "estimated", "partial"]
    watts = _memory.watts(float(row["ram_total_size"]), None)
    assert float(row["ram_power"]) == pytest.approx(watts, rel=1e-6)
    share = float(row["ram_energy"]) / float(row["energy_consumed"])
    assert float(row["energy_error_ratio"]) == pytest.approx(share * _memory.ERROR_RATIO)


def test_memory_that_a_platform_meter_includes_is_not_added_again(simulated: PowercapTree) -> None:  # noqa: F811
    simulated.remove("intel-rapl:0", "intel-rapl:0:0", "intel-rapl:0:1")
    kepler_power.use_meters(["powercap"], host=kepler_power.Host(sysfs=simulated.sysfs, procfs="/proc"))
    try:
        with offline(tracking_mode="machine"):
            simulated.draw(package=10.0)
    finally:
        current().meters = None
    (row,) = rows()
    assert (row["ram_energy"], row["ram_energy_method"]) == ("", "included")
    assert float(row["energy_consumed"]) == float(row["cpu_energy"]) == pytest.approx(11.0 / JOULES_PER_KWH)
    assert row["energy_method"] == "measured"


def test_a_graphics_processor_that_is_not_measured_is_unknown_and_warned_of_once(simulated: PowercapTree) -> None:  # noqa: F811
    add_pci(simulated, "0000:17:00.0", "0x030200", "0x10de", "0x2330")
    add_pci(simulated, "0000:65:00.0", "0x030200", "0x10de", "0x2330")
    with pytest.warns(kepler_power.PartialFigureWarning, match="2 x NVIDIA 10de:2330") as caught:
        for _ in range(2):
            with offline() as tracker:
                simulated.draw(package=2.0)
    assert len(caught) == 1
    row = rows()[0]
    assert (row["gpu_count"], row["gpu_model"]) == ("2", "2 x NVIDIA 10de:2330")
    assert row["gpu_energy"] == row["gpu_power"] == row["gpu_utilization_percent"] == ""
    assert (row["gpu_energy_method"], row["energy_method"]) == ("unknown", "partial")
    data = tracker.final_emissions_data
    assert data is not None and math.isnan(data.gpu_energy)
    assert json.loads(data.toJSON())["gpu_energy"] is None
    assert "<td>gpu_energy</td><td></td>" in data._repr_html_()
    assert "gpu_energy_method='unknown'" in repr(data)
    assert f"{1000 * data.gpu_energy} {data.gpu_power:.0f} W" == "nan nan W", "what scripts print does not fail"


def test_displays_that_do_not_compute_are_no_graphics_processors(simulated: PowercapTree) -> None:  # noqa: F811
    add_pci(simulated, "0000:00:02.0", "0x030000", "0x8086", "0x9a60")  # Intel's processor graphics: in the package's energy
    add_pci(simulated, "0000:03:00.0", "0x030000", "0x1a03", "0x2000")  # ASPEED, a BMC's display
    add_pci(simulated, "0000:00:01.0", "0x030000", "0x1af4", "0x1050")  # virtio-gpu
    add_pci(simulated, "0000:04:00.0", "0x020000", "0x10de", "0x1021")  # NVIDIA's network adapter
    assert Accelerators.of(simulated.sysfs).are_absent
    add_pci(simulated, "0000:05:00.0", "0x120000", "0x1da3", "0x1020")  # Gaudi
    add_pci(simulated, "0000:06:00.0", "0x038000", "0x1002", "0x740f")  # Instinct MI210
    assert Accelerators.of(simulated.sysfs).description == "1 x PCI 1da3:1020, 1 x AMD 1002:740f"
    assert Accelerators.of(simulated.sysfs / "nowhere").names is None


@pytest.mark.parametrize(
    ("gib", "modules", "machine", "least", "most"),
    [(24.0, None, "x86_64", 1.4, 10.2), (16.0, 2, "x86_64", 0.9, 10.0), (8.0, 1, "aarch64", 0.4, 3.4), (1024.0, 16, "x86_64", 59.0, 432.0)],
)
def test_estimated_memory_power_lies_between_the_published_figures(
    gib: float, modules: int | None, machine: str, least: float, most: float
) -> None:
    assert least < _memory.watts(gib, modules, machine) < most
    assert math.isnan(_memory.watts(float("nan"), None))


def test_an_update_replaces_only_the_row_of_the_same_run(simulated: PowercapTree) -> None:  # noqa: F811
    tracker = offline(on_csv_write="update")
    emissions = []
    for joules in (1.0, 2.0):
        tracker.start()
        tracker.start_task("task")
        simulated.draw(package=joules)
        tracker.flush()
        tracker.flush()
        tracker.stop_task()
        emissions.append(tracker.stop())
    found = rows()
    assert [float(row["emissions"]) for row in found] == pytest.approx(emissions)
    assert len({row["run_id"] for row in found}) == 2
    assert len(list(Path().glob("emissions_base_*.csv"))) == 2, "tasks of each run in a file of its own"
    tracker.run_id = "trial-7"
    assert len(tracker._tasks) == 1


def test_a_run_id_that_was_set_is_written(simulated: PowercapTree) -> None:  # noqa: F811
    tracker = offline()
    tracker.run_id = "trial-7"
    with tracker:
        pass
    assert rows()[0]["run_id"] == "trial-7"


def test_a_forked_child_does_not_replace_its_parents_row(simulated: PowercapTree) -> None:  # noqa: F811
    import os

    tracker = offline(on_csv_write="update")
    tracker.start()
    tracker.flush()
    child = os.fork()
    if child == 0:
        try:
            tracker.stop()
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    tracker.stop()
    assert len({row["run_id"] for row in rows()}) == len(rows()) == 2


def test_runs_that_write_at_once_lose_no_row(simulated: PowercapTree) -> None:  # noqa: F811
    from concurrent.futures import ThreadPoolExecutor

    def run(_: int) -> None:
        with offline(on_csv_write="update") as tracker:
            for _ in range(3):
                tracker.flush()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(run, range(24)))
    assert len(rows()) == 24
    assert [path.name for path in Path().iterdir() if path.name.startswith(".")] == []


def test_a_row_that_was_cut_off_does_not_spoil_the_next(simulated: PowercapTree) -> None:  # noqa: F811
    with offline():
        pass
    text = Path("emissions.csv").read_text()
    Path("emissions.csv").write_text(text + text.splitlines()[1][:40])
    with offline():
        pass
    assert rows()[2]["energy_method"] == "measured"


def test_rows_of_tests_and_older_scripts_can_be_made_without_the_new_columns() -> None:
    required = {name: 0.0 for name in EmissionsData.__dataclass_fields__ if name in _REQUIRED}
    data = EmissionsData(**required)  # type: ignore[arg-type]
    later = EmissionsData(**{**required, "duration": 2.0, "emissions": 1.0})  # type: ignore[arg-type]
    later.compute_delta_emission(data)
    assert later.emissions_rate == 0.5 and data.energy_method == "unknown"


_REQUIRED = (
    "timestamp project_name run_id experiment_id duration emissions emissions_rate cpu_power gpu_power ram_power cpu_energy gpu_energy "
    "ram_energy energy_consumed water_consumed country_name country_iso_code region cloud_provider cloud_region os python_version "
    "codecarbon_version cpu_count cpu_model gpu_count gpu_model longitude latitude ram_total_size tracking_mode"
).split()
