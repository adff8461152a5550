"""Measuring against simulated counters whose truth is known."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import threading
import time

import pytest
from powercap import RANGE, PowercapTree

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


def test_carbon_is_energy_by_pue_by_intensity(tree: PowercapTree) -> None:
    with kepler_power.measure(host=tree.host, pue=1.5, grid_intensity=400) as m:
        tree.draw(package=36.0)
    assert m.co2e.grams == pytest.approx(36 / 3.6e6 * 1.5 * 400)
    assert m.co2e.basis == "stated" and m.co2e.grid_intensity == 400 and m.co2e.pue == 1.5
    with kepler_power.measure(host=tree.host) as m:
        pass
    assert m.co2e.basis == "assumed" and m.co2e.region == "ap-northeast-2"


def test_everything_is_reported_as_plain_values_text_and_html(tree: PowercapTree) -> None:
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


def test_many_measurements_leave_nothing_behind(tree: PowercapTree) -> None:
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
    for _ in range(10_000):
        with kepler_power.measure("leak", host=host):
            pass
    rounds(1_000)
    gc.collect()
    assert resident() - before < 1_000_000, f"{resident() - before} bytes in 10,000 measurements"
