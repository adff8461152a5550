"""Whose energy it was: this process, its children, forks, threads."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from typing import Callable

import pytest
from powercap import PowercapTree, burn

import kepler_power

_WORK = "import time\nend = time.process_time() + 0.3\nwhile time.process_time() < end: pass\n"


def test_this_process_is_distinguished_from_the_machine(tree: PowercapTree) -> None:
    with kepler_power.measure(host=tree.host) as m:
        burn(0.2)
        tree.draw(package=10.0)
    expected = 10.0 * m.process.cpu_seconds / (m.seconds * (os.cpu_count() or 1))
    assert 0.2 <= m.process.cpu_seconds < 0.35
    assert m.process.energy.joules == pytest.approx(expected, rel=0.01)
    assert 0 < m.process.ratio < 1
    assert m.process.power.watts == pytest.approx(m.process.energy.joules / m.seconds)
    assert m.process.co2e.grams == pytest.approx(m.co2e.grams * m.process.ratio)


def test_children_count_while_they_live_and_when_they_have_ended(tree: PowercapTree) -> None:
    with kepler_power.measure(host=tree.host) as m:
        subprocess.run([sys.executable, "-c", _WORK], check=True)
        child = subprocess.Popen([sys.executable, "-c", _WORK + "print(1, flush=True)\ninput()"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert child.stdout is not None and child.stdout.readline()
    child.communicate(b"\n")
    assert m.tree.cpu_seconds - m.process.cpu_seconds > 0.6
    assert m.process.cpu_seconds < 0.3


def test_what_children_did_before_does_not_count(tree: PowercapTree) -> None:
    subprocess.run([sys.executable, "-c", _WORK], check=True)
    child = subprocess.Popen([sys.executable, "-c", _WORK + "print(1, flush=True)\ninput()"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert child.stdout is not None and child.stdout.readline()
    with kepler_power.measure(host=tree.host) as m:
        child.communicate(b"\n")
    assert m.tree.cpu_seconds - m.process.cpu_seconds < 0.2


def _square(n: int) -> int:
    burn(0.05)
    return n * n


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_a_pool_of_workers_is_counted(tree: PowercapTree, method: str) -> None:
    with kepler_power.measure(host=tree.host) as m:
        with multiprocessing.get_context(method).Pool(2) as pool:
            assert sum(pool.map(_square, range(8))) == 140
            assert m.tree.cpu_seconds - m.process.cpu_seconds > 0.35
        pool.join()


def test_forking_inside_goes_on_in_parent_and_child(tree: PowercapTree) -> None:
    read, write = os.pipe()
    with kepler_power.measure(host=tree.host) as m:
        tree.draw(package=1.0)
        burn(0.3)
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                tree.draw(package=2.0)
                burn(0.1)
                m.stop()
                os.write(write, f"{m.energy.joules} {m.process.cpu_seconds}".encode())
                status = 0
            finally:
                os._exit(status)
        assert os.waitpid(pid, 0)[1] == 0
    joules, cpu_seconds = map(float, os.read(read, 100).split())
    assert joules == 3.0
    assert cpu_seconds == pytest.approx(0.1, abs=0.15), "CPU time counts from the fork"
    assert m.energy.joules == 3.0 and m.tree.cpu_seconds > 0.35


def test_forking_while_threads_read_does_not_hang(tree: PowercapTree) -> None:
    stop = threading.Event()

    def read() -> None:
        while not stop.is_set():
            with kepler_power.measure(host=tree.host):
                pass

    threads = [threading.Thread(target=read) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(50):
            pid = os.fork()
            if pid == 0:
                with kepler_power.measure(host=tree.host) as m:
                    pass
                # The counters of this tree never move, so an estimate may have taken over.
                os._exit(0 if m.energy.joules >= 0 else 1)
            deadline = time.monotonic() + 20
            while (ended := os.waitpid(pid, os.WNOHANG)) == (0, 0):
                assert time.monotonic() < deadline, "the child hangs"
                time.sleep(0.001)
            assert ended[1] == 0
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def test_threads_measure_at_the_same_time(tree: PowercapTree) -> None:
    found: list[float] = []

    def work() -> None:
        for _ in range(300):
            with kepler_power.measure(host=tree.host) as m:
                pass
            found.append(m.energy.joules)

    run_in_threads(work)
    # Above 0 where it took so long that a counter which never moves was no longer believed.
    assert len(found) == 1200 and min(found) == 0.0


@pytest.fixture
def hasty_threads() -> Iterator[None]:
    """They take turns as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("hasty_threads")
def test_threads_that_share_a_phase_or_a_function_lose_no_figure(tree: PowercapTree) -> None:
    measurement = kepler_power.measure(host=tree.host)

    @kepler_power.measured(host=tree.host)
    def call() -> None:
        with measurement.phase("shared"):
            pass

    def work() -> None:
        for _ in range(300):
            call()

    with measurement:
        run_in_threads(work)
    found, phase = kepler_power.results(call), measurement.phases["shared"]
    assert found.calls == phase.count == 1200
    assert found.seconds > phase.seconds > 0


def run_in_threads(work: Callable[[], None]) -> None:
    """In four of them."""
    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_counters_that_go_round_are_read_during_long_measurements_only(tree: PowercapTree) -> None:
    program = f"""
import kepler_power, os, time
def keepers():
    return [open(f"/proc/self/task/{{task}}/comm").read().strip() for task in os.listdir("/proc/self/task")].count("kepler-keep-up")
with kepler_power.measure(meters=["model"]):
    assert keepers() == 0, "an estimate does not go round"
host = kepler_power.Host(sysfs={str(tree.sysfs)!r})
with kepler_power.measure(host=host), kepler_power.measure(host=host):
    # A thread gives itself its name, once it runs.
    deadline = time.monotonic() + 20
    while not keepers() and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(0.1)
    assert keepers() == 1, "one thread a machine, not one a measurement"
"""
    subprocess.run([sys.executable, "-W", "ignore", "-c", program], check=True)
