"""Trackers and pools, with those libraries that are installed; the heavy ones are in tests_integrations/."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
from powercap import PowercapTree

import kepler_power
from kepler_power import distributed
from kepler_power.integrations import metrics, tags
from kepler_power.integrations.workflow import measured_task


def test_metrics_are_plain_numbers_and_tags_say_what_they_rest_on(tree: PowercapTree) -> None:
    with kepler_power.measure("train", host=tree.host, region="SE") as m:
        tree.draw(package=3.0)
        so_far = metrics(m, "so_far_")
    found = metrics(m)
    assert found["energy/joules"] == so_far["so_far_joules"] == 3.0 and found["energy/watts"] > 0 and found["energy/co2e_grams"] > 0
    assert set(found) <= {f"energy/{name}" for name in ("joules", "watts", "process_joules", "seconds", "co2e_grams", "error_ratio")}
    assert tags(m)["energy.method"] == "measured" and tags(m)["energy.region"] == "SE" and tags(m)["energy.region_basis"] == "stated"


def test_a_task_says_in_its_log_what_it_used(caplog: pytest.LogCaptureFixture) -> None:
    @measured_task
    def train(n: int) -> int:
        return sum(range(n))

    @measured_task("by name", region="SE")
    def other() -> None:
        pass

    with caplog.at_level(logging.INFO):
        assert train(1000) == 499500
        other()
    assert "train" in caplog.text and "by name" in caplog.text and "gCO2e" in caplog.text
    assert train.__name__ == "train" and kepler_power.results(train).calls == 1


def test_tensorboard_reads_what_a_writer_wrote(tree: PowercapTree, tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.summary.writer.event_file_writer import EventFileWriter

    from kepler_power.integrations import tensorboard
    from kepler_power.live import Progress

    class Writer:
        """As torch.utils.tensorboard.SummaryWriter, which needs PyTorch."""

        def __init__(self) -> None:
            self.file = EventFileWriter(str(tmp_path))

        def add_scalar(self, tag: str, scalar_value: Any, global_step: Any = None, /) -> None:
            value = Summary.Value(tag=tag, simple_value=scalar_value)
            self.file.add_event(Event(step=global_step, summary=Summary(value=[value])))

    writer = Writer()
    with kepler_power.measure("train", host=tree.host) as m:
        tree.draw(package=3.0)
    tensorboard.log(writer, m, step=7)
    tensorboard.watch(writer)(Progress("train", 12.2, 40.0, 500.0, 1.0, None, "measured"))
    writer.file.close()
    events = EventAccumulator(str(tmp_path)).Reload()
    (point,) = events.Scalars("energy/joules")
    assert (point.step, point.value) == (7, 3.0)
    assert [(one.step, one.value) for one in events.Scalars("energy/watts_now")] == [(12, 40.0)]


def work(number: int) -> int:
    return sum(n * n for n in range(100_000 + number))


def test_workers_of_joblib_are_added_up() -> None:
    joblib = pytest.importorskip("joblib")
    with distributed.collect() as job:
        found = joblib.Parallel(n_jobs=2)(joblib.delayed(job.task(work))(n) for n in range(4))
    assert found == [work(n) for n in range(4)]
    assert job.report().tasks()["work"][0] == 4 and job.report().energy.joules > 0


def test_tasks_of_dask_are_added_up() -> None:
    pytest.importorskip("distributed", reason="dask.distributed is not installed")
    dask: Any = pytest.importorskip("dask")
    client_of: Any = pytest.importorskip("distributed").Client
    with distributed.collect() as job:
        with client_of(n_workers=2, threads_per_worker=1, processes=False, dashboard_address=None) as client:
            task = job.task(work)
            assert client.gather(client.map(task, range(4))) == [work(n) for n in range(4)]
            assert dask.compute(dask.delayed(task)(9))[0] == work(9)
    assert job.report().tasks()["work"][0] == 5 and len(job.report().records) == 1
