"""The names that scripts and callbacks import from CodeCarbon, and what they read of its trackers."""

from __future__ import annotations

import dataclasses
import importlib
import json
import logging
import math
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from powercap import PowercapTree
from test_codecarbon import JOULES_PER_KWH, nothing_stated, offline, rows, simulated  # noqa: F401 - fixtures

import kepler_power
from kepler_power.codecarbon.core.emissions import Emissions
from kepler_power.codecarbon.core.units import EmissionsPerKWh, Energy, Power, Time
from kepler_power.codecarbon.emissions_tracker import TaskEmissionsTracker, track_task_emissions
from kepler_power.codecarbon.external.geography import CloudMetadata, GeoMetadata

ALIAS = Path(__file__).parents[1] / "codecarbon"

# As public scripts write them.
IMPORTS = [
    "from codecarbon import EmissionsTracker, OfflineEmissionsTracker, OutputMethod, track_emissions, __version__",
    "from codecarbon.emissions_tracker import EmissionsTracker, TaskEmissionsTracker, track_emissions, track_task_emissions",
    "from codecarbon.output import BaseOutput, EmissionsData, FileOutput, HTTPOutput, LoggerOutput, GoogleCloudLoggerOutput",
    "from codecarbon.output import PrometheusOutput, LogfireOutput, TaskEmissionsData, OutputMethod",
    "from codecarbon.output_methods.base_output import BaseOutput, OutputMethod",
    "from codecarbon.output_methods.emissions_data import EmissionsData, TaskEmissionsData",
    "from codecarbon.output_methods.file import FileOutput",
    "from codecarbon.output_methods.http import HTTPOutput",
    "from codecarbon.output_methods.logger import LoggerOutput",
    "from codecarbon.output_methods.metrics.prometheus import PrometheusOutput",
    "from codecarbon.output_methods.metrics.logfire import LogfireOutput",
    "from codecarbon.core.units import Energy, Power, Time, EmissionsPerKWh, Water",
    "from codecarbon.core.schemas import EmissionCreate, ExperimentCreate, OrganizationCreate, ProjectCreate, RunCreate",
    "from codecarbon.core.emissions import Emissions",
    "from codecarbon.core.cpu import is_rapl_available, is_powergadget_available, is_psutil_available",
    "from codecarbon.core.gpu import get_gpu_details, is_gpu_details_available",
    "from codecarbon.core.util import backup, count_cpus, count_physical_cpus, detect_cpu_model, is_linux_os, resolve_path",
    "from codecarbon.core.config import get_hierarchical_config",
    "from codecarbon.external.logger import logger, set_logger_format, set_logger_level",
    "from codecarbon.external.hardware import CPU, GPU, MODE_CPU_LOAD",
    "from codecarbon.external.ram import RAM",
    "from codecarbon.external.geography import CloudMetadata, GeoMetadata",
    "from codecarbon.external.scheduler import PeriodicScheduler",
    "from codecarbon.external.task import Task",
    "import codecarbon.core.cpu; codecarbon.core.cpu.is_rapl_available()",
]


def run(program: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """A program for which `codecarbon` is the distribution beside this package, wherever the real one is installed too."""
    paths = os.pathsep.join([str(ALIAS), str(Path(kepler_power.__file__).parents[1])])
    variables = {**os.environ, "PYTHONPATH": paths, **environment}
    return subprocess.run([sys.executable, "-W", "ignore", "-c", program], capture_output=True, text=True, env=variables)


def test_everything_that_scripts_import_is_there_under_both_names() -> None:
    done = run("\n".join(IMPORTS))
    assert done.returncode == 0, done.stderr
    done = run("\n".join(IMPORTS).replace("codecarbon", "kepler_power.codecarbon").replace("import kepler_power.codecarbon", "import kepler_power.codecarbon"))
    assert done.returncode == 0, done.stderr


def test_the_alias_is_the_same_modules_and_is_found_as_a_package_is() -> None:
    program = """
import importlib.util, pickle
assert importlib.util.find_spec("codecarbon") is not None
assert importlib.util.find_spec("codecarbon.output") is not None
assert importlib.util.find_spec("codecarbon.nonsense") is None
import codecarbon, codecarbon.output
import kepler_power.codecarbon.output as served
assert codecarbon.output is served and served.__spec__.name == "kepler_power.codecarbon.output"
assert codecarbon.EmissionsTracker is served.__class__ or codecarbon.EmissionsTracker.__module__.startswith("kepler_power.")
assert pickle.loads(pickle.dumps(codecarbon.output.EmissionsData)) is served.EmissionsData
importlib.reload(served)
assert tuple(map(int, codecarbon.__version__.split("+")[0].split("."))) >= (3, 3, 0)
try:
    import codecarbon.nonsense
except ModuleNotFoundError as error:
    assert "codecarbon.nonsense" in str(error)
else:
    raise SystemExit("found nonsense")
"""
    done = run(program)
    assert done.returncode == 0, done.stderr


def test_the_second_distribution_has_the_version_of_the_first() -> None:
    text = (ALIAS / "pyproject.toml").read_text()
    assert re.findall(r'^version = "(.+)"$', text, flags=re.MULTILINE) == [kepler_power.__version__]
    assert f"kepler-power=={kepler_power.__version__}" in text


def test_hugging_faces_callback_finds_and_drives_the_tracker(tmp_path: Path) -> None:
    pytest.importorskip("transformers", reason="transformers is not installed")
    program = f"""
import types
from transformers.utils import is_torch_available
from transformers.integrations import integration_utils
integration_utils.torch = types.SimpleNamespace(version=types.SimpleNamespace(hip=None))
assert integration_utils.is_codecarbon_available()
callback = integration_utils.CodeCarbonCallback()
state = types.SimpleNamespace(is_local_process_zero=True)
arguments = types.SimpleNamespace(output_dir={str(tmp_path)!r})
callback.on_init_end(arguments, state, None)
callback.on_train_begin(arguments, state, None)
sum(range(1_000_000))
callback.on_train_end(arguments, state, None)
assert type(callback.tracker).__module__ == "kepler_power.codecarbon._tracker"
# As the model cards of sentence-transformers ask.
data = callback.tracker._prepare_emissions_data()
assert float(data.energy_consumed) > 0 and data.on_cloud != "Y" and data.cpu_model
"""
    done = run(program)
    assert done.returncode == 0, done.stderr
    assert len(rows(str(tmp_path / "emissions.csv"))) == 1


def test_a_lightning_like_callback_has_a_task_a_phase(simulated: PowercapTree) -> None:  # noqa: F811
    class Callback:
        def __init__(self) -> None:
            self.tracker = offline(tracking_mode="process", experiment_name="trial", log_level="error")

        def begin(self, phase: str) -> None:
            self.tracker.start_task(phase)

        def end(self, phase: str) -> float:
            data = self.tracker.stop_task(phase)
            assert data is not None
            return data.energy_consumed

    callback = Callback()
    for phase in ("fit", "test"):
        callback.begin(phase)
        simulated.draw(package=1.0)
        assert callback.end(phase) >= 0
    callback.tracker.stop()
    assert [row["task_name"] for row in rows(f"emissions_trial_{callback.tracker.run_id}.csv")] == ["fit", "test"]


def test_what_scripts_read_of_trackers_is_there_while_they_run_and_after(simulated: PowercapTree) -> None:  # noqa: F811
    tracker = offline()
    # Model cards of sentence-transformers ask it before anything else, also where nothing was trained.
    assert tracker._total_energy.kWh == 0.0 and tracker._start_time is None
    tracker.start()
    assert isinstance(tracker._start_time, float)
    tracker.start_task("load")
    simulated.draw(package=3.6, dram=3.6)
    tracker.stop_task()
    tracker._measure_power_and_energy()
    assert tracker._total_energy.kWh == pytest.approx(7.2 / JOULES_PER_KWH)
    assert tracker._prepare_emissions_data(delta=True).energy_consumed == pytest.approx(7.2 / JOULES_PER_KWH)
    tracker.flush()
    assert tracker._prepare_emissions_data(True).energy_consumed == 0.0
    tracker.stop()
    assert tracker._total_cpu_energy.kWh == tracker._total_ram_energy.kWh == pytest.approx(3.6 / JOULES_PER_KWH)
    assert tracker._total_gpu_energy.kWh == 0.0 and tracker._cpu_power.W > 0
    assert tracker._prepare_emissions_data() is tracker.final_emissions_data
    assert tracker._total_emissions == tracker.final_emissions
    (task,) = tracker._tasks.values()
    assert task.task_name == "load" and task.emissions_data is not None and not task.is_active
    hardware = tracker.get_detected_hardware()
    assert hardware["cpu_count"] >= hardware["cpu_physical_count"] >= 1 and hardware["ram_total_size"] > 0.1
    assert (hardware["gpu_count"], hardware["gpu_model"], hardware["gpu_ids"]) == (0, None, None)
    assert [type(part).__name__ for part in tracker._hardware] == ["RAM", "CPU"]
    tracker.service_shutdown(15, None)
    assert tracker._start_time is not None


def test_packages_that_import_codecarbon_find_what_they_call(simulated: PowercapTree, tmp_path: Path) -> None:  # noqa: F811
    """The calls of mteb 2.26 and optimum-benchmark 0.6, argument by argument."""
    kept = logging.getLogger("mteb")
    tracker = kepler_power.codecarbon.EmissionsTracker(
        save_to_file=False, save_to_api=False, logging_logger=kept, allow_multiple_runs=False
    )
    with tracker:
        simulated.draw(package=1.0)
    assert (tracker.final_emissions or 0.0) > 0
    tracker = kepler_power.codecarbon.OfflineEmissionsTracker(
        log_level="warning",
        tracking_mode="machine",
        gpu_ids=None,
        allow_multiple_runs=True,
        output_file="codecarbon.csv",
        measure_power_secs=1,
        country_iso_code="USA",
        output_dir=str(tmp_path),
    )
    tracker.start_task(task_name="forward")
    simulated.draw(package=1.0)
    data = tracker.stop_task()
    assert data is not None and data.energy_consumed > 0
    # lamarr-energy-tracker 0.1.4, pytest-codecarbon 1.0.0
    assert (tracker._output_dir, tracker._output_file, tracker._measure_power_secs) == (str(tmp_path), "codecarbon.csv", 1.0)
    assert (tracker._country_iso_code, tracker._save_to_file, tracker._save_to_api) == ("USA", True, False)
    tracker._project_name = "test_a"
    assert tracker._prepare_emissions_data().project_name == tracker._project_name == "test_a"
    with pytest.raises(AttributeError, match="_no_such"):
        tracker._no_such  # noqa: B018
    assert json.loads(json.dumps(dataclasses.asdict(data)))["cpu_energy"] > 0


def test_tasks_are_context_managers_and_decorators(simulated: PowercapTree) -> None:  # noqa: F811
    tracker = offline()
    with TaskEmissionsTracker("search", tracker=tracker):
        simulated.draw(package=1.0)

    @track_task_emissions(tracker=tracker, task_name="work")
    def work() -> int:
        simulated.draw(package=2.0)
        return 1

    assert work() + work() == 2
    tracker.stop()
    energies = [task.emissions_data.cpu_energy * JOULES_PER_KWH for task in tracker._tasks.values() if task.emissions_data]
    assert energies == pytest.approx([1.0, 2.0, 2.0])


def test_quantities_convert_as_their_names_say() -> None:
    assert Energy.from_ujoules(3.6e12).kWh == pytest.approx(1.0) and Energy.from_millijoules(3.6e9).kWh == pytest.approx(1.0)
    assert Energy.from_power_and_time(power=Power.from_watts(500), time=Time.from_seconds(7200)) == Energy(1.0)
    assert Power.from_energies_and_delay(Energy(3), Energy(1), Time(3600)).W == 2000.0
    assert Power.from_energy_delta_and_delay(Energy(1), Time(0)).kW == 0.0
    assert float(Energy(1) + Energy(2) * 2 - Energy(4) / 2) == 3.0 and Energy(1) < Energy(2)
    assert EmissionsPerKWh.from_lbs_per_mWh(1000).kgs_per_kWh == pytest.approx(0.45359237)
    assert EmissionsPerKWh.from_g_per_kWh(500).kgs_per_kWh == 0.5


def test_emissions_of_locations_are_those_of_the_table() -> None:
    france = kepler_power.compliance.region("FR").intensity
    assert france is not None
    emissions = Emissions()
    place = GeoMetadata("FRA")
    assert emissions.get_country_emissions(Energy(2.0), place) == pytest.approx(2 * france.g_per_kwh / 1000)
    assert emissions.get_private_infra_emissions(Energy(2.0), place) == emissions.get_country_emissions(Energy(2.0), place)
    cloud = CloudMetadata("aws", "us-east-1")
    assert emissions.get_cloud_country_iso_code(cloud) == "USA" and emissions.get_cloud_emissions(Energy(1.0), cloud) > 0
    assert Emissions(force_carbon_intensity_g_co2e_kwh=100).get_country_emissions(Energy(1.0), place) == pytest.approx(0.1)
    assert CloudMetadata.from_utils().is_on_private_infra


def test_the_logger_is_configured_by_the_name_that_scripts_use(simulated: PowercapTree) -> None:  # noqa: F811
    logger = logging.getLogger("codecarbon")
    before = list(logger.handlers)
    offline(logger_preamble="mine", log_level="error", save_to_file=False)
    assert logger.level == logging.ERROR and "[mine]" in str(getattr(logger.handlers[-1].formatter, "_fmt", ""))
    while logger.hasHandlers():
        logger.removeHandler(logger.handlers[0])
    logger.handlers, logger.level = before, logging.NOTSET
    assert math.isfinite(importlib.import_module("kepler_power.codecarbon.external.ram").RAM().total_power().W)
