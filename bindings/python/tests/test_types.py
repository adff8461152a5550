"""mypy and pyright find nothing, in the package, in its examples and in what uses it."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[1]
EXAMPLES = sorted(str(path) for path in (PROJECT / "examples").glob("*.py"))
USE = '''
from typing import Optional

import kepler_power
from kepler_power import distributed, runs
from kepler_power.live import Progress
from typing_extensions import assert_type

with kepler_power.measure("train", region="SE") as m:
    with m.phase("epoch"):
        pass
assert_type(m.energy.joules, float)
assert_type(m.energy.microjoules, int)
assert_type(m.co2e.grams, float)
assert_type(m.process.power, kepler_power.Power)
assert_type(m.phases["epoch"].count, int)
assert_type(m.forecast(epochs=3).energy, kepler_power.Energy)
assert_type(m.curve[0][1], float)


def show(progress: Progress) -> None:
    assert_type(progress.watts, float)


with kepler_power.measure("train", progress=show), distributed.collect() as job:
    assert_type(job.task(str.upper)("a"), str)
    assert_type(job.report().energy.joules, float)
assert_type(runs.read(["runs.csv"])[0].energy_joules, Optional[float])
with distributed.rank(directory="energy") as m:
    pass


@kepler_power.measured
def work(n: int) -> str:
    return str(n)


@kepler_power.measured("named", region="SE")
async def later(n: int) -> str:
    return str(n)


assert_type(work(1), str)
assert_type(kepler_power.results(work).calls, int)
with kepler_power.Monitor(interval=0.5) as monitor:
    for snapshot in monitor:
        assert_type(snapshot.processes()[0].pid, int)
        assert_type(snapshot.containers()[0].joules["package"], float)
        break
'''


@pytest.fixture
def user(tmp_path: Path) -> Path:
    path = tmp_path / "use.py"
    path.write_text(USE)
    return path


def check(*command: str) -> None:
    done = subprocess.run([sys.executable, "-m", *command], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.skipif(importlib.util.find_spec("mypy") is None, reason="mypy is not installed")
def test_mypy_strict_finds_nothing(user: Path) -> None:
    check("mypy", f"--config-file={PROJECT / 'pyproject.toml'}", str(PROJECT / "python/kepler_power"), *EXAMPLES, str(user))


@pytest.mark.skipif(importlib.util.find_spec("pyright") is None, reason="pyright is not installed")
def test_pyright_strict_finds_nothing(user: Path) -> None:
    check("pyright", f"--project={PROJECT}", f"--pythonpath={sys.executable}")
    for example in EXAMPLES:
        shutil.copy(example, user.parent)
    (user.parent / "pyrightconfig.json").write_text('{"typeCheckingMode": "strict", "reportPrivateImportUsage": false, "include": ["*.py"]}')
    check("pyright", f"--project={user.parent}", f"--pythonpath={sys.executable}")
