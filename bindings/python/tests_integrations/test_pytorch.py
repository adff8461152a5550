"""Hugging Face's Trainer, Lightning and torchrun, on the CPU."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", exc_type=ImportError)

from kepler_power import distributed  # noqa: E402


class Rows(torch.utils.data.Dataset):  # type: ignore[misc, name-defined]
    def __len__(self) -> int:
        return 64

    def __getitem__(self, index: int) -> dict[str, Any]:
        x = torch.full((8,), float(index % 7))
        return {"x": x, "labels": x.sum()}


class Model(torch.nn.Module):  # type: ignore[misc, name-defined]
    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(8, 1)

    def forward(self, x: Any, labels: Any = None) -> dict[str, Any]:
        found = self.layer(x).squeeze(-1)
        return {"loss": torch.nn.functional.mse_loss(found, labels), "logits": found}


def trainer(output: Path, callbacks: list[Any], **others: Any) -> Any:
    from transformers import Trainer, TrainingArguments

    arguments = TrainingArguments(
        output_dir=str(output), num_train_epochs=3, logging_steps=4, report_to=[], use_cpu=True, save_strategy="no", disable_tqdm=True, **others
    )
    return Trainer(model=Model(), args=arguments, train_dataset=Rows(), eval_dataset=Rows(), callbacks=callbacks)


def test_every_log_of_the_trainer_has_the_energy(tmp_path: Path) -> None:
    pytest.importorskip("transformers")
    from kepler_power.integrations.huggingface import EnergyCallback

    energy = EnergyCallback(region="SE")
    one = trainer(tmp_path, [energy], eval_strategy="epoch")
    one.train()
    logs = one.state.log_history
    joules = [log["energy_joules"] for log in logs]
    assert len(logs) > 6 and joules == sorted(joules) and all(log["energy_watts"] > 0 for log in logs if "loss" in log)
    m = energy.measurement
    assert m.phases["epoch"].count == 3 and not m.is_running and m.energy.joules >= joules[-1] > 0
    assert m.forecast(epochs=10).energy.joules > m.energy.joules


def test_reporters_that_come_after_see_the_energy(tmp_path: Path) -> None:
    from transformers import TrainerCallback

    from kepler_power.integrations.huggingface import EnergyCallback

    seen: list[dict[str, Any]] = []

    class Reporter(TrainerCallback):  # type: ignore[misc]
        def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **rest: Any) -> None:
            seen.append(dict(logs))

    one = trainer(tmp_path, [Reporter()])
    EnergyCallback().add_to(one)
    one.train()
    assert seen and all("energy_joules" in logs for logs in seen)


@pytest.mark.parametrize("package", ["lightning.pytorch", "pytorch_lightning"])
def test_lightning_has_the_energy_of_every_epoch(package: str, tmp_path: Path) -> None:
    """Each in a program of its own: the callback goes by the one that was imported."""
    pytest.importorskip(package.partition(".")[0])
    program = f"""
import torch, warnings, csv, glob
warnings.simplefilter("ignore")
import {package} as lightning
from {package}.loggers import CSVLogger
from kepler_power.integrations.lightning import EnergyCallback

class Model(lightning.LightningModule):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(8, 1)
    def training_step(self, batch, index):
        return self.layer(batch[0]).pow(2).mean()
    validation_step = test_step = training_step
    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.01)

rows = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(torch.randn(64, 8)), batch_size=8)
energy = EnergyCallback(region="SE")
assert isinstance(energy, lightning.Callback)
options = dict(max_epochs=3, accelerator="cpu", enable_progress_bar=False, enable_model_summary=False, enable_checkpointing=False)
trainer = lightning.Trainer(callbacks=[energy], logger=CSVLogger({str(tmp_path)!r}), log_every_n_steps=1, **options)
trainer.fit(Model(), rows, rows)
m = energy.measurement
assert m.phases["epoch"].count == 3 and m.phases["epoch/validation"].count == 3, dict(m.phases)
assert not m.is_running and trainer.callback_metrics["energy_joules"] > 0
(path,) = glob.glob({str(tmp_path)!r} + "/**/metrics.csv", recursive=True)
rows_of_epochs = [row for row in csv.DictReader(open(path)) if row.get("energy_joules")]
assert len(rows_of_epochs) == 3, rows_of_epochs
trainer.test(Model(), rows, verbose=False)
assert energy.measurement is not m and not energy.measurement.is_running

class Broken(Model):
    def training_step(self, batch, index):
        raise ZeroDivisionError
try:
    trainer.fit(Broken(), rows)
except ZeroDivisionError:
    pass
assert not energy.measurement.is_running
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


def test_ranks_of_torchrun_write_their_shares(tmp_path: Path) -> None:
    script, energy = tmp_path / "train.py", tmp_path / "energy"
    script.write_text(
        "import sys, warnings\nwarnings.simplefilter('ignore')\nfrom kepler_power import distributed\n"
        "with distributed.rank('train', directory=sys.argv[1]):\n    sum(n * n for n in range(500_000))\n"
    )
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", str(script), str(energy)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    report = distributed.report(energy)
    assert report.launcher == "torchrun" and report.world_size == 2 and report.missing_ranks == [] and not report.is_partial
    assert len(report.nodes) == 1 and report.machine_joules is not None and 0 < report.energy.joules <= report.machine_joules
