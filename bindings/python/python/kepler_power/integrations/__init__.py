"""Energy in the tools that people train, track and test with. Each module imports its tool when it is imported itself, and nothing else does.

| module | what it has |
|---|---|
| `huggingface`, `lightning`, `keras` | ``EnergyCallback`` for the trainer |
| `mlflow`, `wandb`, `tensorboard` | ``log`` for a measurement that has ended; ``watch`` for watts while it runs (not wandb) |
| `ray` | ``remote`` for tasks of a :func:`kepler_power.distributed.collect` |
| `workflow` | ``measured_task`` for tasks of Airflow and Prefect |
| `pytest_plugin` | ``pytest --energy`` |

For any other tool :func:`metrics` gives plain numbers by name.
"""

from __future__ import annotations

from ._metrics import metrics, tags

__all__ = ["metrics", "tags"]
