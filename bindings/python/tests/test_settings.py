"""What is measured with, and what is said about it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from powercap import PowercapTree

import kepler_power

NOBODY = 65534


def test_without_counters_it_estimates_and_says_so_once() -> None:
    program = """
import warnings, kepler_power
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    for _ in range(3):
        with kepler_power.measure(meters=["model"]) as m:
            sum(range(3_000_000))
    with kepler_power.measure(meters=["model", "powercap"]):
        pass
assert len(caught) == 1, [str(warning.message) for warning in caught]
assert caught[0].category is kepler_power.EstimateWarning and caught[0].filename == "<string>", caught[0]
assert m.source.method == "estimated" and m.source.error_ratio >= 0.2 and m.error_ratio >= m.source.error_ratio
assert m.energy.joules > 0 and 0 < m.process.energy.joules <= m.energy.joules
"""
    subprocess.run([sys.executable, "-c", program], check=True)


ESTIMATE = """
import warnings, kepler_power
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    with kepler_power.measure(meters=["model"]) as m:
        sum(range(3_000_000))
print(m.source.error_ratio)
print(*(warning.message for warning in caught if warning.category is UserWarning))
"""


def estimated(calibration: Path) -> tuple[float, str]:
    """The error of an estimate with this calibration, and what was warned about."""
    environment = os.environ | {"KEPLER_CALIBRATION_PATH": str(calibration)}
    done = subprocess.run([sys.executable, "-c", ESTIMATE], check=True, capture_output=True, text=True, env=environment)
    error, warned = done.stdout.split("\n", 1)
    return float(error), warned.strip()


def test_what_was_learned_of_this_machine_puts_its_estimate_right(tmp_path: Path) -> None:
    names = [line.split(": ", 1)[1] for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    if not names:
        pytest.skip("this processor has no name in /proc/cpuinfo")
    learned = {
        "format": "kepler-calibration",
        "version": 1,
        "made": "2026-11-26T00:00:00Z",
        "source": "powercap",
        "processor": names[0],
        "threads": len(names),
        "idle": [{"zone": "package", "watts": 40.0}],
        "load": [{"busy_share": 0.1, "watts": 45.0, "seconds": 30.0}, {"busy_share": 1.0, "watts": 80.0, "seconds": 30.0}],
    }
    path = tmp_path / "calibration.json"
    path.write_text(json.dumps(learned))
    calibrated, warned = estimated(path)
    assert calibrated < 0.3 and warned == ""
    path.write_text(json.dumps(learned | {"threads": 1000}))
    uncalibrated, warned = estimated(path)
    assert uncalibrated > calibrated
    assert f"{path} is not used" in warned and "another machine" in warned and "calibrate this machine again" in warned


def test_without_any_right_it_runs() -> None:
    if os.getuid() != 0:
        pytest.skip("not root: every other test runs without rights already")
    program = "import kepler_power\nwith kepler_power.measure() as m: sum(range(1_000_000))\nprint(m.energy.joules, m.process.ratio)"
    with tempfile.TemporaryDirectory() as directory:
        # The user `nobody` may not look into the environment of these tests.
        os.chmod(directory, 0o755)
        package = Path(kepler_power.__file__).parent
        shutil.copytree(package, Path(directory, "kepler_power"), ignore=shutil.ignore_patterns("__pycache__"))
        command = [python_of_the_user_nobody(), "-W", "ignore", "-c", program]
        done = subprocess.run(command, capture_output=True, text=True, cwd=directory, user=NOBODY, group=NOBODY, extra_groups=[])
    assert done.returncode == 0, done.stderr
    joules, ratio = map(float, done.stdout.split())
    assert joules >= 0 and 0 <= ratio <= 1


def python_of_the_user_nobody() -> str:
    """An interpreter that a user without rights may run."""
    for candidate in (sys.executable, "/usr/bin/python3"):
        try:
            subprocess.run([candidate, "-S", "-c", ""], check=True, user=NOBODY, group=NOBODY, extra_groups=[], cwd="/")
        except (OSError, subprocess.CalledProcessError):
            continue
        return candidate
    pytest.skip("the user nobody may not run any Python here")


def test_bad_arguments_say_what_to_do() -> None:
    with pytest.raises(kepler_power.UnknownNameError, match="nearest") as unknown:
        kepler_power.measure(region="ap-northeast-22")
    assert "ap-northeast-2" in unknown.value.remedy
    with pytest.raises(kepler_power.ConfigurationError, match="at least 1"):
        kepler_power.measure(pue=0.9)
    with pytest.raises(kepler_power.ConfigurationError, match="a figure from 0 to 3000"):
        kepler_power.measure(grid_intensity=float("nan"))
    with pytest.raises(kepler_power.ConfigurationError, match="powercap, msr"):
        kepler_power.measure(meters=["rapl"])
    with pytest.raises(kepler_power.MeterError) as refused:
        kepler_power.measure(meters=["powercap"], host=kepler_power.Host(sysfs="/nonexistent"))
    assert refused.value.remedy and str(refused.value).endswith(refused.value.remedy)
    for error in (unknown.value, refused.value):
        assert isinstance(error, kepler_power.KeplerError)


def test_settings_of_the_process_are_taken_from_the_environment(tree: PowercapTree) -> None:
    program = """
import kepler_power
with kepler_power.measure() as m: pass
assert m.source.name == "powercap", m.source
assert m.co2e.region == "SE" and m.co2e.pue == 1.2, m.co2e
kepler_power.configure(region="FR", pue=1.1)
with kepler_power.measure() as m: pass
assert m.co2e.region == "FR" and m.co2e.pue == 1.1, m.co2e
with kepler_power.measure(grid_intensity=1.0) as m: pass
assert (m.co2e.region, m.co2e.pue, m.co2e.grid_intensity) == ("FR", 1.1, 1.0), m.co2e
with kepler_power.measure(region="DE") as m: pass
assert m.co2e.region == "DE" and m.co2e.pue == 1.0, "another facility"
"""
    environment = {**os.environ, "KEPLER_HOST_SYSFS": str(tree.sysfs), "KEPLER_REGION": "SE", "KEPLER_PUE": "1.2"}
    subprocess.run([sys.executable, "-c", program], check=True, env=environment)
    bad = {**os.environ, "KEPLER_PUE": "much"}
    done = subprocess.run([sys.executable, "-c", "import kepler_power; kepler_power.measure()"], env=bad, capture_output=True, text=True)
    assert "KEPLER_PUE = `much`" in done.stderr


def test_what_to_do_about_a_meter_is_said_in_keyword_arguments(tmp_path: Path) -> None:
    host = kepler_power.Host(sysfs=tmp_path, procfs=tmp_path, msr=tmp_path / "msr")
    for meter in ("powercap", "msr", "perf", "hwmon"):
        with pytest.raises(kepler_power.MeterError) as caught:
            kepler_power.measure(meters=[meter], host=host)
        assert meter in str(caught.value) and "--" not in caught.value.remedy and "sources=" not in caught.value.remedy
    with pytest.raises(kepler_power.MeterError) as caught:
        kepler_power.measure(meters=["powercap"], host=kepler_power.Host(sysfs=tmp_path / "nowhere"))
    assert caught.value.remedy
