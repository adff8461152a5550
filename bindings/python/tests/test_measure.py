"""Measuring against simulated counters whose truth is known, and on this machine."""

from __future__ import annotations

import asyncio
import gc
import multiprocessing
import os
import subprocess
import sys
import threading
import time

import pytest
from powercap import RANGE, PowercapTree, burn

import kepler_power


def test_measured_joules_are_the_truth(tree: PowercapTree) -> None:
    with kepler_power.measure("train", host=tree.host, region="KR") as m:
        tree.draw(package=4.5, dram=1.25)
        time.sleep(0.05)
    assert m.energy.joules == pytest.approx(5.75, rel=0.01)
    assert m.energy.microjoules == 5_750_000
    assert m.power.watts == pytest.approx(5.75 / m.seconds)
    assert m.co2e.grams == pytest.approx(5.75 / 3.6e6 * m.co2e.grid_intensity)
    assert m.co2e.region == "KR" and m.co2e.basis == "stated"
    assert str(m.source) == "measured by powercap"
    assert m.source.is_measured and not m.is_uncertain


def test_parts_of_the_package_are_shown_and_not_added(tree: PowercapTree) -> None:
    with kepler_power.measure(host=tree.host) as m:
        tree.draw(package=10.0, dram=2.0)
    assert {name: zone.energy.joules for name, zone in m.zones.items()} == {
        "package": 10.0,
        "uncore": 1.0,
        "dram": 2.0,
        "psys": 13.2,
    }
    assert [name for name, zone in m.zones.items() if zone.is_counted] == ["package", "dram"]


def test_a_short_measurement_says_that_it_is_too_short(tree: PowercapTree) -> None:
    def ratio_by_length() -> tuple[float, float]:
        with kepler_power.measure(host=tree.host) as m:
            pass
        assert m.source.resolution_seconds == 0.001
        return m.seconds, m.error_ratio

    # The shortest of many: on a busy machine one may take milliseconds.
    seconds, ratio = min(ratio_by_length() for _ in range(200))
    assert ratio == pytest.approx(0.001 / seconds, rel=0.5)
    assert ratio > 0.5


def test_a_counter_that_wraps_inside_loses_nothing(tree: PowercapTree) -> None:
    tree.start_at(RANGE - 3_000_000)
    with kepler_power.measure(host=tree.host) as m:
        tree.draw(package=5.0)
    assert m.energy.joules == 5.0 and not m.is_uncertain


def test_a_counter_that_was_reset_inside_is_uncertain_and_no_spike(tree: PowercapTree) -> None:
    with kepler_power.measure(host=tree.host) as m:
        tree.start_at(7)
    assert m.is_uncertain and m.energy.joules < 0.001


def test_an_exception_inside_keeps_the_figure(tree: PowercapTree) -> None:
    with pytest.raises(ZeroDivisionError):
        with kepler_power.measure(host=tree.host) as m:
            tree.draw(package=3.0)
            _ = 1 / 0
    assert m.energy.joules == 3.0 and not m.is_running


def test_start_stop_and_laps(tree: PowercapTree) -> None:
    m = kepler_power.measure("steps", host=tree.host)
    with pytest.raises(kepler_power.KeplerError, match="has not been started"):
        _ = m.energy
    m.start()
    with pytest.raises(kepler_power.KeplerError, match="running already"):
        m.start()
    tree.draw(package=1.0)
    assert m.lap().energy.joules == 1.0
    tree.draw(package=2.0)
    assert m.lap("second").energy.joules == 2.0
    tree.draw(package=4.0)
    assert m.energy.joules == 7.0, "while it runs: so far"
    m.stop()
    tree.draw(package=8.0)
    assert m.energy.joules == 7.0
    assert m.stop().energy.joules == 7.0
    assert [(lap.name, lap.energy.joules) for lap in m.laps] == [("steps 1", 1.0), ("second", 2.0)]
    with pytest.raises(kepler_power.KeplerError, match="is not running"):
        m.lap()
    assert m.start().stop().energy.joules == 0.0 and not m.laps


def test_phases_are_nested_and_repeated(tree: PowercapTree) -> None:
    with kepler_power.measure("train", host=tree.host) as m:
        with m.phase("load"):
            tree.draw(package=1.0)
        for _ in range(3):
            with m.phase("epoch"):
                with m.phase("forward"):
                    tree.draw(package=2.0)
                with m.phase("backward"):
                    tree.draw(package=3.0, dram=1.0)
    figures = {path: (total.count, total.energy.joules) for path, total in m.phases.items()}
    assert figures == {
        "load": (1, 1.0),
        "epoch": (3, 18.0),
        "epoch/forward": (3, 6.0),
        "epoch/backward": (3, 12.0),
    }
    assert list(figures) == ["load", "epoch", "epoch/forward", "epoch/backward"]
    assert m.phases["epoch/backward"].zones["dram"].energy.joules == 3.0
    assert m.phases["epoch"].seconds >= m.phases["epoch/forward"].seconds


def test_a_phase_keeps_its_figure_when_it_raises_and_the_next_is_no_part_of_it(tree: PowercapTree) -> None:
    with kepler_power.measure(host=tree.host) as m:
        with pytest.raises(ValueError):
            with m.phase("first"):
                tree.draw(package=1.0)
                raise ValueError
        with m.phase("second"):
            pass
    assert m.phases["first"].energy.joules == 1.0
    assert list(m.phases) == ["first", "second"]


def test_phases_of_another_measurement_or_thread_do_not_mix(tree: PowercapTree) -> None:
    outer, inner = kepler_power.measure("outer", host=tree.host), kepler_power.measure("inner", host=tree.host)
    with outer, inner, outer.phase("a"), inner.phase("b"), outer.phase("c"):
        thread = threading.Thread(target=lambda: outer.phase("d").__enter__().__exit__(None, None, None))
        thread.start()
        thread.join()
    assert set(outer.phases) == {"a", "a/c", "d"} and set(inner.phases) == {"b"}


def test_tasks_have_phases_of_their_own(tree: PowercapTree) -> None:
    async def job(m: kepler_power.Measurement, name: str) -> None:
        async with m.phase(name):
            await asyncio.sleep(0.01)
            async with m.phase("inside"):
                await asyncio.sleep(0.01)

    async def run() -> kepler_power.Measurement:
        async with kepler_power.measure(host=tree.host) as m:
            await asyncio.gather(job(m, "a"), job(m, "b"))
        return m

    assert set(asyncio.run(run()).phases) == {"a", "b", "a/inside", "b/inside"}


def test_this_process_is_told_from_the_machine(tree: PowercapTree) -> None:
    with kepler_power.measure(host=tree.host) as m:
        burn(0.2)
        tree.draw(package=10.0)
    expected = 10.0 * m.process.cpu_seconds / (m.seconds * (os.cpu_count() or 1))
    assert m.process.cpu_seconds == pytest.approx(0.2, rel=0.2)
    assert m.process.energy.joules == pytest.approx(expected, rel=0.01)
    assert 0 < m.process.ratio < 1
    assert m.process.power.watts == pytest.approx(m.process.energy.joules / m.seconds)
    assert m.process.co2e.grams == pytest.approx(m.co2e.grams * m.process.ratio)


_WORK = "import time\nend = time.process_time() + 0.3\nwhile time.process_time() < end: pass\n"


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
    assert cpu_seconds == pytest.approx(0.1, abs=0.08), "CPU time counts from the fork"
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
                os._exit(0 if m.energy.joules == 0 else 1)
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

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [0.0] * 1200


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


@kepler_power.measured
def plain(n: int) -> int:
    """Adds up."""
    return sum(range(n))


def test_a_decorated_function_keeps_its_face_and_tells_what_it_cost(tree: PowercapTree) -> None:
    assert plain(4) == 6 and plain.__name__ == "plain" and plain.__doc__ == "Adds up."
    found = kepler_power.results(plain)
    assert found.calls == 1 and found.last is not None and found.last.name == "plain"

    seen: list[float] = []

    @kepler_power.measured("named", host=tree.host, on_result=lambda m: seen.append(m.energy.joules))
    def draw(joules: float) -> None:
        tree.draw(package=joules)
        if joules > 2:
            raise ValueError(joules)

    draw(1.0)
    with pytest.raises(ValueError):
        draw(3.0)
    assert seen == [1.0, 3.0]
    total = kepler_power.results(draw)
    assert (total.calls, total.energy.joules) == (2, 4.0)
    with pytest.raises(kepler_power.KeplerError, match="is not measured"):
        kepler_power.results(burn)


def test_coroutines_and_generators_are_measured_to_their_end(tree: PowercapTree) -> None:
    @kepler_power.measured(host=tree.host)
    async def coroutine() -> str:
        tree.draw(package=1.0)
        await asyncio.sleep(0)
        tree.draw(package=1.0)
        return "done"

    @kepler_power.measured(host=tree.host)
    def generator():  # type: ignore[no-untyped-def]
        tree.draw(package=3.0)
        yield 1
        tree.draw(package=3.0)
        return "end"

    @kepler_power.measured(host=tree.host)
    async def stream():  # type: ignore[no-untyped-def]
        yield 1
        tree.draw(package=5.0)
        yield 2

    async def consume() -> list[int]:
        return [item async for item in stream()]

    assert asyncio.run(coroutine()) == "done"
    assert kepler_power.results(coroutine).energy.joules == 2.0
    assert list(generator()) == [1]
    assert kepler_power.results(generator).energy.joules == 6.0
    assert asyncio.run(consume()) == [1, 2]
    assert kepler_power.results(stream).energy.joules == 5.0


def test_methods_are_measured() -> None:
    class Model:
        @kepler_power.measured
        def fit(self) -> Model:
            return self

        @staticmethod
        @kepler_power.measured
        def load() -> int:
            return 1

    model = Model()
    assert model.fit() is model and Model.load() == 1
    assert kepler_power.results(Model.fit).calls == 1 and kepler_power.results(model.fit).calls == 1
    with pytest.raises(kepler_power.KeplerError, match="below @staticmethod"):
        kepler_power.measured(staticmethod(plain))  # type: ignore[call-overload]


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
assert m.source.method == "estimated" and m.source.error_ratio >= 0.3 and m.error_ratio >= m.source.error_ratio
assert m.energy.joules > 0 and 0 < m.process.energy.joules <= m.energy.joules
"""
    subprocess.run([sys.executable, "-c", program], check=True)


def test_without_any_right_it_runs(tmp_path: object) -> None:
    if os.getuid() != 0:
        pytest.skip("not root: every other test runs without rights already")
    program = "import os; os.setgid(65534); os.setuid(65534)\nimport kepler_power\nwith kepler_power.measure() as m: sum(range(1_000_000))\nprint(m.energy.joules)"
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", program], capture_output=True, text=True, cwd="/")
    if "Permission denied" in done.stderr or "No module named" in done.stderr:
        pytest.skip("nobody may not read where this environment is")
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) >= 0


def test_bad_arguments_say_what_to_do() -> None:
    with pytest.raises(kepler_power.UnknownNameError, match="nearest") as unknown:
        kepler_power.measure(region="ap-northeast-22")
    assert "ap-northeast-2" in unknown.value.remedy
    with pytest.raises(kepler_power.ConfigurationError, match="at least 1"):
        kepler_power.measure(pue=0.9)
    with pytest.raises(kepler_power.ConfigurationError, match="finite figure"):
        kepler_power.measure(grid_intensity=float("nan"))
    with pytest.raises(kepler_power.ConfigurationError, match="powercap, msr"):
        kepler_power.measure(meters=["rapl"])
    with pytest.raises(kepler_power.MeterError) as refused:
        kepler_power.measure(meters=["powercap"], host=kepler_power.Host(sysfs="/nonexistent"))
    assert refused.value.remedy and str(refused.value).endswith(refused.value.remedy)
    for error in (unknown.value, refused.value):
        assert isinstance(error, kepler_power.KeplerError)


def test_carbon_is_energy_by_pue_by_intensity(tree: PowercapTree) -> None:
    with kepler_power.measure(host=tree.host, pue=1.5, grid_intensity=400) as m:
        tree.draw(package=36.0)
    assert m.co2e.grams == pytest.approx(36 / 3.6e6 * 1.5 * 400)
    assert m.co2e.basis == "stated" and m.co2e.grid_intensity == 400 and m.co2e.pue == 1.5
    with kepler_power.measure(host=tree.host) as m:
        pass
    assert m.co2e.basis == "assumed" and m.co2e.region == "ap-northeast-2"


def test_everything_is_told_as_plain_values_text_and_html(tree: PowercapTree) -> None:
    import json

    with kepler_power.measure("<train>", host=tree.host) as m:
        with m.phase("a<b"):
            tree.draw(package=1.5)
        m.lap()
    figures = json.loads(json.dumps(m.to_dict()))
    assert figures["energy_joules"] == 1.5 and figures["phases"]["a<b"]["count"] == 1 and len(figures["laps"]) == 1
    assert "1.5 J" in str(m) and "measured by powercap" in repr(m)
    html = m._repr_html_()
    assert "&lt;train&gt;" in html and "a&lt;b" in html and "<train>" not in html and "assumed" in html
    assert "not started" in repr(kepler_power.measure()) and kepler_power.measure()._repr_html_()


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


def test_a_hundred_thousand_measurements_leave_nothing_behind(tree: PowercapTree) -> None:
    import tracemalloc

    def rounds(n: int) -> None:
        for _ in range(n):
            with kepler_power.measure("leak", host=tree.host) as m:
                with m.phase("phase"):
                    pass
            _ = m.energy, m.process, m.co2e

    def resident() -> int:
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    rounds(1_000)
    gc.collect()
    tracemalloc.start()
    rounds(200)
    traced = tracemalloc.get_traced_memory()[0]
    rounds(1_000)
    gc.collect()
    grown = tracemalloc.get_traced_memory()[0] - traced
    tracemalloc.stop()
    assert grown < 10_000, f"{grown} bytes of Python objects in 1,000 measurements"
    before, host = resident(), tree.host
    for _ in range(100_000):
        with kepler_power.measure("leak", host=host):
            pass
    rounds(1_000)
    gc.collect()
    assert resident() - before < 2_000_000, f"{resident() - before} bytes in 100,000 measurements"
