"""MLflow, Weights & Biases (offline) and Ray."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest

import kepler_power
from kepler_power import distributed
from kepler_power.live import Progress

MOMENT = Progress("train", 12.2, 40.0, 500.0, 1.0, None, "measured")


def measured() -> kepler_power.Measurement:
    with kepler_power.measure("train", region="SE") as m:
        sum(n * n for n in range(300_000))
    return m


def test_mlflow_has_metrics_and_tags(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("mlflow")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    import mlflow

    from kepler_power.integrations import mlflow as ours

    # A store that is there already gets no experiment of its own.
    mlflow.set_tracking_uri(f"file://{tmp_path / 'runs'}")
    with pytest.raises(kepler_power.ConfigurationError, match="no run of MLflow is active"):
        ours.log(measured())
    with mlflow.start_run() as run:
        m = measured()
        ours.log(m, step=3)
        ours.watch()(MOMENT)
    found = mlflow.get_run(run.info.run_id).data
    assert found.metrics["energy/joules"] == pytest.approx(m.energy.joules) and found.metrics["energy/watts_now"] == 40.0
    assert found.tags["energy.method"] == m.source.method and found.tags["energy.region"] == "SE"
    (point,) = mlflow.MlflowClient().get_metric_history(run.info.run_id, "energy/joules")
    assert point.step == 3


def test_wandb_has_the_figures_in_the_summary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wandb = pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.chdir(tmp_path)
    from kepler_power.integrations import metrics
    from kepler_power.integrations import wandb as ours

    with pytest.raises(kepler_power.ConfigurationError, match="no run of Weights"):
        ours.log(measured())
    run = wandb.init(project="energy", dir=str(tmp_path))
    m = measured()
    run.log({"loss": 1.0, **metrics(m)}, step=4)
    ours.log(m)
    assert run.summary["energy/joules"] == pytest.approx(m.energy.joules) and run.config["energy.method"] == m.source.method
    run.finish()
    assert list(tmp_path.rglob("*.wandb"))


def work(number: int) -> int:
    return sum(n * n for n in range(100_000 + number))


def test_tasks_and_actors_of_ray_are_added_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ray = pytest.importorskip("ray")
    # A job that an earlier test began in this process would go on in the workers.
    monkeypatch.delenv("KEPLER_JOB_ID", raising=False)
    from kepler_power.integrations.ray import remote

    # Workers import this file by name.
    environment = {"env_vars": {"PYTHONPATH": str(Path(__file__).parent)}}
    ray.init(num_cpus=2, include_dashboard=False, configure_logging=False, log_to_driver=False, runtime_env=environment)
    try:
        with distributed.collect(directory=tmp_path) as job:
            task, other = remote(job, work), remote(job, work, num_cpus=1)
            assert ray.get([task.remote(n) for n in range(4)]) == [work(n) for n in range(4)]
            assert ray.get(other.remote(9)) == work(9)
        assert job.report().tasks()["work"][0] == 5 and job.report().energy.joules > 0

        @ray.remote
        def rank(directory: str) -> str:
            with distributed.rank("rank", directory=directory):
                work(1)
            return distributed.Launcher.found({}).name

        ranks = tmp_path / "ranks"
        assert set(ray.get([rank.remote(str(ranks)) for _ in range(2)])) == {"Ray"}
        (report,) = distributed.reports(ranks)
        assert report.job.startswith("ray-") and report.launcher == "Ray" and not report.is_partial
    finally:
        ray.shutdown()
    json.dumps(report.to_dict())


def test_a_flow_of_prefect_says_in_its_log_what_it_used(caplog: pytest.LogCaptureFixture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path))
    pytest.importorskip("prefect")
    from prefect import flow, task
    from prefect.testing.utilities import prefect_test_harness

    from kepler_power.integrations.workflow import measured_task

    @task
    @measured_task
    def train(n: int) -> int:
        return work(n)

    @flow
    def pipeline() -> int:
        return train(3)

    with prefect_test_harness():
        # Prefect's loggers hand nothing on.
        tasks = logging.getLogger("prefect.task_runs")
        tasks.addHandler(caplog.handler)
        try:
            assert pipeline() == work(3)
        finally:
            tasks.removeHandler(caplog.handler)
    assert "energy of" in caplog.text and "train" in caplog.text
