"""Hugging Face's own callback, with the import name ``codecarbon`` from the distribution beside this package.

In an environment that has both wheels and ``transformers``; PyTorch is not needed, the trainer is a stand-in.
"""

from __future__ import annotations

import csv
import importlib.metadata
from pathlib import Path
from types import SimpleNamespace

import pytest
from transformers.integrations import integration_utils
from transformers.integrations.integration_utils import CodeCarbonCallback
from transformers.trainer_callback import TrainerControl, TrainerState


class Trainer:
    """Calls a callback as ``transformers.Trainer`` does."""

    def __init__(self, callback: CodeCarbonCallback, output_dir: Path, is_first: bool = True) -> None:
        self.callback = callback
        self.args = SimpleNamespace(output_dir=str(output_dir))
        self.state = TrainerState(is_local_process_zero=is_first, is_world_process_zero=is_first)
        self.control = TrainerControl()
        callback.on_init_end(self.args, self.state, self.control)

    def train(self) -> None:
        self.callback.on_train_begin(self.args, self.state, self.control, model=None)
        for _ in range(3):
            self.callback.on_step_begin(self.args, self.state, self.control)
            sum(n * n for n in range(200_000))
            self.callback.on_step_end(self.args, self.state, self.control)
        self.callback.on_train_end(self.args, self.state, self.control)


@pytest.fixture(autouse=True)
def without_pytorch(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Whether PyTorch is built for ROCm is all that the callback asks of it."""
    if not hasattr(integration_utils, "torch"):
        monkeypatch.setattr(integration_utils, "torch", SimpleNamespace(version=SimpleNamespace(hip=None)), raising=False)
    monkeypatch.chdir(tmp_path)


def rows(directory: Path) -> list[dict[str, str]]:
    with (directory / "emissions.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_the_import_name_comes_from_the_distribution_beside_this_package() -> None:
    import codecarbon

    providers = importlib.metadata.packages_distributions()["codecarbon"]
    assert providers == ["kepler-power-codecarbon"]
    assert codecarbon.EmissionsTracker.__module__.startswith("kepler_power.codecarbon")
    assert integration_utils.is_codecarbon_available()
    assert "codecarbon" in integration_utils.get_available_reporting_integrations()


def test_a_training_writes_one_row_with_what_it_used(tmp_path: Path) -> None:
    Trainer(CodeCarbonCallback(), tmp_path).train()
    (row,) = rows(tmp_path)
    assert float(row["duration"]) > 0
    assert float(row["energy_consumed"]) > 0
    assert float(row["emissions"]) > 0


def test_a_second_training_of_one_trainer_and_a_second_trainer_add_rows(tmp_path: Path) -> None:
    trainer = Trainer(CodeCarbonCallback(), tmp_path)
    trainer.train()
    Trainer(CodeCarbonCallback(), tmp_path).train()
    assert len({row["run_id"] for row in rows(tmp_path)}) == 2


def test_other_processes_of_a_distributed_training_write_nothing(tmp_path: Path) -> None:
    Trainer(CodeCarbonCallback(), tmp_path, is_first=False).train()
    assert not (tmp_path / "emissions.csv").exists()
