"""Runs of many processes: shares that add up, machines that count once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest
from powercap import PowercapTree

import kepler_power
from kepler_power import distributed, runs
from kepler_power.distributed import Launcher, Record, _rank, report
from kepler_power.distributed._launcher import Node, ancestry

PROGRAM = Path(sys.executable).with_name("kepler-power")


@pytest.fixture(autouse=True)
def no_launcher(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in list(os.environ):
        if name.startswith(("SLURM", "PMI", "OMPI", "MV2", "TORCHELASTIC")) or name in ("RANK", "WORLD_SIZE", "KEPLER_JOB_ID"):
            monkeypatch.delenv(name)
    # What a process without a launcher says of its job is for its children, not for the next test.
    monkeypatch.setenv("KEPLER_JOB_ID", "none")
    monkeypatch.delenv("KEPLER_JOB_ID")
    yield


def a_record(**others: Any) -> Record:
    fields: dict[str, Any] = {
        **{"job": "j", "name": "train", "launcher": "torchrun", "rank": 0, "world_size": 1, "node": "n1", "host": "one"},
        **{"ancestry": ("10:1",), "state": "ended", "started_at": 1000.0, "seconds": 10.0, "machine_joules": 100.0},
        **{"share_joules": 40.0, "own_joules": 30.0, "cpu_seconds": 5.0, "method": "measured", "source": "powercap"},
        **{"error_ratio": None, "is_uncertain": False, "co2e_grams": 4.0, "grid_intensity": 360.0, "region": "SE"},
        **{"region_basis": "stated", "pue": 1.0, "tasks": {}},
    }
    return Record(**{**fields, **others})


def written(directory: Path, *records: Record) -> distributed.Report:
    for record in records:
        record.write(directory)
    return report(directory)


def test_ranks_of_two_nodes_add_up_and_each_machine_counts_once(tmp_path: Path) -> None:
    found = written(
        tmp_path,
        *(a_record(rank=n, world_size=4, ancestry=(f"{n}:1",), share_joules=10.0 * (n + 1), co2e_grams=n + 1.0) for n in (0, 1)),
        *(a_record(rank=n, world_size=4, ancestry=(f"{n}:1",), node="n2", host="two", machine_joules=300.0) for n in (2, 3)),
    )
    assert found.energy.joules == 10 + 20 + 40 + 40 and found.machine_joules == 100 + 300 and found.co2e_grams == 1 + 2 + 4 + 4
    assert [(node.host, node.ranks, node.share_joules) for node in found.nodes] == [("one", 2, 30.0), ("two", 2, 80.0)]
    assert (found.method, found.is_partial, found.missing_ranks, found.seconds) == ("measured", False, [], 10.0)
    assert "4 ranks on 2 nodes" in str(found) and "of the machine's 100 J" in str(found)


def test_a_launcher_that_is_measured_beside_its_ranks_does_not_count_them_again(tmp_path: Path) -> None:
    found = written(
        tmp_path,
        a_record(rank=None, ancestry=("1:1",), share_joules=95.0, own_joules=5.0, co2e_grams=9.5),
        a_record(rank=0, world_size=2, ancestry=("2:1", "1:1"), share_joules=50.0),
        a_record(rank=1, world_size=2, ancestry=("3:1", "9:9", "1:1"), share_joules=40.0),
        # The same numbers on another machine are another process.
        a_record(rank=1, world_size=2, ancestry=("1:1",), node="n2", share_joules=7.0, own_joules=1.0),
    )
    assert found.energy.joules == 5 + 50 + 40 + 7
    assert found.co2e_grams == pytest.approx(0.5 + 4 + 4 + 4)


def test_ranks_that_overlap_in_part_do_not_count_a_machine_twice(tmp_path: Path) -> None:
    found = written(
        tmp_path,
        a_record(ancestry=("1:1",)),
        a_record(ancestry=("2:1",), started_at=1005.0),
        a_record(ancestry=("3:1",), started_at=1006.0, seconds=2.0, machine_joules=20.0),
        a_record(ancestry=("4:1",), started_at=1100.0, machine_joules=70.0),
    )
    assert found.machine_joules == pytest.approx(100 + 50 + 70) and found.nodes[0].is_apportioned and "about" in str(found)


def test_what_is_missing_makes_the_sum_partial_and_is_named(tmp_path: Path) -> None:
    (tmp_path / "cut.kepler-rank.json").write_text('{"version": 1, "job"')
    found = written(
        tmp_path,
        a_record(rank=0, world_size=4, ancestry=("1:1",)),
        a_record(rank=2, world_size=4, ancestry=("2:1",), state="running", error_ratio=0.5, method="estimated"),
    )
    assert found.missing_ranks == [1, 3] and found.unended == ["rank 2"] and len(found.problems) == 1
    assert found.is_partial and found.method == "partial" and "at least 80 J" in str(found) and "2 of 4 ranks are missing (1, 3)" in str(found)
    assert found.error_ratio == pytest.approx(0.25)
    (run,) = runs.read([tmp_path])
    assert (run.energy_joules, run.method, run.scope) == (80.0, "partial", "job") and "missing" in run.note


def test_an_elastic_restart_counts_both_attempts(tmp_path: Path) -> None:
    found = written(tmp_path, a_record(ancestry=("1:1",), state="failed"), a_record(ancestry=("2:1",), started_at=1020.0))
    assert found.energy.joules == 80.0 and not found.is_partial


@pytest.mark.parametrize(
    "field, value",
    [("seconds", "x"), ("share_joules", -1), ("share_joules", float("nan")), ("rank", 1.5), ("state", "gone"), ("tasks", {"a": [1]}), ("ancestry", None), ("job", 3)],
)
def test_a_file_with_a_bad_figure_is_a_problem_and_the_rest_is_added(field: str, value: Any, tmp_path: Path) -> None:
    good = a_record()
    document = {"version": 1, **good._asdict(), field: value}
    (tmp_path / "bad.kepler-rank.json").write_text(json.dumps(document))
    found = written(tmp_path, good)
    assert found.energy.joules == 40.0 and len(found.problems) == 1 and "bad.kepler-rank.json" in found.problems[0]


def test_several_jobs_in_one_directory_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(kepler_power.DataError, match="no rank wrote"):
        report(tmp_path)
    with pytest.raises(kepler_power.DataError, match="No such file"):
        report(tmp_path / "no")
    a_record(job="b", started_at=2.0).write(tmp_path)
    a_record(job="a/../../x", started_at=1.0).write(tmp_path)
    assert len(list(tmp_path.iterdir())) == 2, "a job's name is no path"
    with pytest.raises(kepler_power.UnknownNameError, match="2 jobs") as error:
        report(tmp_path)
    assert error.value.valid == ("a/../../x", "b") and report(tmp_path, "b").energy.joules == 40.0
    assert [one.job for one in distributed.reports(tmp_path)] == ["a/../../x", "b"]


TORCHRUN = {"RANK": "3", "WORLD_SIZE": "4", "LOCAL_RANK": "1", "TORCHELASTIC_RUN_ID": "none", "MASTER_ADDR": "node1", "MASTER_PORT": "29500"}
SLURM = {"SLURM_JOB_ID": "77", "SLURM_PROCID": "0", "SLURM_NTASKS": "2", "SLURM_STEP_ID": "0"}
LAUNCHERS = {
    "torchrun": (TORCHRUN, ("torchrun", "torchrun-node1-29500", 3, 4)),
    "torchrun with an id": ({**TORCHRUN, "TORCHELASTIC_RUN_ID": "exp7"}, ("torchrun", "torchrun-exp7", 3, 4)),
    "torchrun under Slurm": ({**SLURM, **TORCHRUN}, ("torchrun", "slurm-77", 3, 4)),
    "Slurm": (SLURM, ("Slurm", "slurm-77", 0, 2)),
    "Open MPI 4": (
        {"OMPI_COMM_WORLD_RANK": "1", "OMPI_COMM_WORLD_SIZE": "2", "OMPI_MCA_ess_base_jobid": "123"},
        ("Open MPI", "mpi-123", 1, 2),
    ),
    "Open MPI 5": (
        {"OMPI_COMM_WORLD_RANK": "1", "OMPI_COMM_WORLD_SIZE": "2", "PMIX_NAMESPACE": "prterun-h-5@1", "PMIX_RANK": "1"},
        ("Open MPI", "mpi-prterun-h-5@1", 1, 2),
    ),
    "MPICH": ({"PMI_RANK": "0", "PMI_SIZE": "8", "PBS_JOBID": "9.srv"}, ("MPI", "mpi-9.srv", 0, 8)),
    "stated": ({**TORCHRUN, "KEPLER_JOB_ID": "mine"}, ("torchrun", "mine", 3, 4)),
    "nonsense": ({"RANK": "first", "KEPLER_JOB_ID": "mine"}, ("none", "mine", None, None)),
}


@pytest.mark.parametrize("launcher", LAUNCHERS)
def test_launchers_say_job_and_rank(launcher: str) -> None:
    environment, expected = LAUNCHERS[launcher]
    assert Launcher.found(dict(environment)) == expected


def test_without_a_launcher_a_job_begins_which_children_belong_to() -> None:
    environment: dict[str, str] = {}
    first = Launcher.found(environment)
    assert first.name == "none" and first.rank is None and Launcher.found(environment).job == first.job != Launcher.found({}).job


def test_the_node_is_the_kernel_and_a_process_knows_its_ancestors() -> None:
    assert Node.here().id == Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    own, parent, *_ = ancestry()
    assert own.startswith(f"{os.getpid()}:") and parent.startswith(f"{os.getppid()}:")


RANK = """
import sys, kepler_power
from kepler_power import distributed
with distributed.rank("train", directory=sys.argv[1], region="SE") as m:
    sum(n * n for n in range(400_000))
    if len(sys.argv) > 2:
        print("ready", flush=True)
        sys.stdin.readline()
"""


def start(directory: Path, rank: int, size: int, *more: str) -> subprocess.Popen[str]:
    environment = {**os.environ, **TORCHRUN, "RANK": str(rank), "WORLD_SIZE": str(size)}
    command = [sys.executable, "-W", "ignore", "-c", RANK, str(directory), *more]
    return subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def test_processes_that_run_at_once_share_the_machine(tmp_path: Path) -> None:
    with start(tmp_path, 0, 3) as first, start(tmp_path, 1, 3) as second, start(tmp_path, 2, 3, "wait") as third:
        assert first.wait(60) == second.wait(60) == 0
        assert third.stdout is not None and third.stdout.readline() == "ready\n"
        third.kill()
    found = report(tmp_path)
    assert found.unended == ["rank 2"] and found.missing_ranks == [] and len(found.nodes) == 1 and found.is_partial
    assert all(record.co2e_grams is not None and record.region == "SE" for record in found.records)
    first_two = [record for record in found.records if record.state == "ended"]
    assert len(first_two) == 2 and all((record.share_joules or 0) > 0 for record in first_two)
    assert found.machine_joules is not None and found.energy.joules <= found.machine_joules
    done = subprocess.run([str(PROGRAM), "job", str(tmp_path), "--format=json"], capture_output=True, text=True)
    assert json.loads(done.stdout)["unended"] == ["rank 2"]
    assert "3 ranks" in subprocess.run([str(PROGRAM), "job", str(tmp_path)], capture_output=True, text=True).stdout
    assert subprocess.run([str(PROGRAM), "job", str(tmp_path / "no")], capture_output=True).returncode == 2


def test_a_rank_that_is_killed_keeps_what_it_last_wrote(tree: PowercapTree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_rank, "EVERY", 0.01)
    directory, ended = tmp_path / "energy", threading.Event()
    context = distributed.rank("train", directory=directory, host=tree.host)
    with context:
        tree.draw(package=9.0)
        for _ in range(3000):
            if report(directory).records[0].machine_joules == 9.0:
                break
            ended.wait(0.01)
        (record,) = report(directory).records
        assert (record.state, record.machine_joules) == ("running", 9.0)
    assert report(directory).records[0].state == "ended"


def test_an_error_in_a_rank_is_said_and_its_energy_counts(tree: PowercapTree, tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), distributed.rank("train", directory=tmp_path / "energy", host=tree.host):
        tree.draw(package=2.0)
        raise ZeroDivisionError
    (record,) = report(tmp_path / "energy").records
    assert (record.state, record.machine_joules) == ("failed", 2.0)
    with pytest.raises(kepler_power.DataError, match="cannot be made"):
        distributed.rank("train", directory="/proc/no/such").__enter__()


def work(number: int) -> int:
    return sum(n * n for n in range(100_000 + number))


def fail(number: int) -> int:
    raise ValueError(number)


@pytest.mark.parametrize("pool", [ThreadPoolExecutor, ProcessPoolExecutor])
def test_tasks_of_a_pool_are_added_up_wherever_they_run(pool: Any) -> None:
    options = {} if pool is ThreadPoolExecutor else {"mp_context": get_context("spawn")}
    with distributed.collect() as job:
        with pool(2, **options) as workers:
            assert list(workers.map(job.task(work), range(6))) == [work(n) for n in range(6)]
            failed = workers.submit(job.task(fail, "broken"), 1)
            with pytest.raises(ValueError):
                failed.result()
        so_far = job.report()
    found = job.report()
    assert so_far.energy <= found.energy and not job.directory.exists(), "the figures outlive the temporary directory"
    tasks = found.tasks()
    assert tasks["work"][0] == 6 and tasks["broken"][0] == 1
    assert sum(joules for _, joules in tasks.values()) == pytest.approx(found.energy.joules, abs=1e-5)
    assert 0 < found.energy.joules <= job.machine.energy.joules * 1.2
    assert "work: 6 calls" in str(found) and found.machine_joules is None


def test_threads_at_once_do_not_count_the_time_of_their_process_twice(tree: PowercapTree) -> None:
    kepler_power.use_meters(host=tree.host)
    try:
        barrier = threading.Barrier(2, timeout=60)

        def both(number: int) -> None:
            barrier.wait()
            work(number)
            barrier.wait()
            if number == 0:
                tree.draw(package=5.0)
            barrier.wait()

        with distributed.collect() as job, ThreadPoolExecutor(2) as workers:
            list(workers.map(job.task(both), range(2)))
        record = job.report().records[0]
        assert (record.share_joules or 0) <= 5.0 and job.machine.energy.joules == 5.0
    finally:
        kepler_power.use_meters(host=kepler_power.Host())


def test_a_job_without_tasks_says_so() -> None:
    with distributed.collect() as job:
        pass
    with pytest.raises(kepler_power.DataError):
        job.report()
