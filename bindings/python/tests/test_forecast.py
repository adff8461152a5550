"""What a run will have used, from its first passes."""

from __future__ import annotations

import random

import pytest
from powercap import PowercapTree

import kepler_power
from kepler_power._statistics import Passes, mean_of, t_quantile


def test_passes_to_come_use_what_passes_used(tree: PowercapTree) -> None:
    with kepler_power.measure("train", host=tree.host, grid_intensity=360) as m:
        tree.draw(package=5.0)
        for joules in (30.0, 10.0, 11.0, 9.0, 10.0):
            with m.phase("epoch"):
                tree.draw(package=joules)
        forecast = m.forecast(epochs=10)
    assert forecast.energy.joules == pytest.approx(75 + 5 * 10), "the first, that warms up, does not count for those to come"
    assert forecast.energy_interval is not None
    low, high = (bound.joules for bound in forecast.energy_interval)
    assert 75 <= low < 125 < high < 145
    assert (forecast.done, forecast.total, forecast.method) == (5, 10, "measured")
    assert forecast.co2e.grams == pytest.approx(125 / 3.6e6 * 360 * forecast.co2e.pue)
    assert forecast.seconds_interval is not None and forecast.seconds >= m.phases["epoch"].seconds
    assert "after 5 of 10 epochs" in str(forecast) and "90 %" in str(forecast)
    wider = m.forecast(epochs=10, level=0.99).energy_interval
    assert wider is not None and wider[1].joules > high


def test_the_interval_holds_what_is_used_as_often_as_it_says() -> None:
    """As the formula: of runs whose passes differ by chance, nine of ten are inside."""
    chance, inside = random.Random(7), 0
    for _ in range(400):
        passes = Passes()
        for _ in range(6):
            passes.add(chance.gauss(100, 10), 1.0)
        mean, variance, known = passes.rate(0)
        assert variance is not None and known == 5
        truth = sum(chance.gauss(100, 10) for _ in range(20))
        half = t_quantile(0.95, known - 1) * (variance * (20 + 400 / known)) ** 0.5
        inside += abs(truth - 20 * mean) <= half
    assert 340 <= inside <= 385


def test_one_pass_says_nothing_of_the_spread_and_none_nothing_at_all(tree: PowercapTree) -> None:
    with kepler_power.measure("train", host=tree.host) as m:
        with pytest.raises(kepler_power.DataError, match="neither a phase `epochs` nor laps"):
            m.forecast(epochs=3)
        with m.phase("epoch"):
            with pytest.raises(kepler_power.DataError, match="no pass"):
                m.forecast(epochs=3)
            tree.draw(package=4.0)
        forecast = m.forecast(epochs=3)
        assert forecast.energy.joules == 12.0 and forecast.energy_interval is None and "unknown" in str(forecast)
        with m.phase("epoch"):
            tree.draw(package=6.0)
        assert m.forecast(epochs=2).energy_interval is not None, "nothing is to come"
        with pytest.raises(kepler_power.DataError, match="more than 1"):
            m.forecast(epochs=1)
        with pytest.raises(kepler_power.ConfigurationError, match="one unit"):
            m.forecast(epochs=2, steps=3)
        with pytest.raises(kepler_power.DataError, match="level"):
            m.forecast(epochs=2, level=1.0)


def test_phases_are_found_where_they_are_nested_and_laps_where_there_are_no_phases(tree: PowercapTree) -> None:
    with kepler_power.measure("train", host=tree.host) as m:
        with m.phase("fit"):
            for _ in range(2):
                with m.phase("step"):
                    tree.draw(package=1.0)
        assert m.forecast(steps=10).energy.joules == 10.0
    with kepler_power.measure("train", host=tree.host) as m:
        for _ in range(2):
            tree.draw(package=3.0)
            m.lap()
        assert m.forecast(laps=10).energy.joules == 30.0


def test_an_estimate_is_as_uncertain_at_the_end_as_at_the_start() -> None:
    with kepler_power.measure("train", meters=["model"]) as m:
        for _ in range(6):
            with m.phase("epoch"):
                sum(range(200_000))
        forecast = m.forecast(epochs=1000)
    assert forecast.method == "estimated" and forecast.energy_interval is not None
    width = forecast.energy_interval[1].joules - forecast.energy.joules
    assert width > forecast.energy.joules * 0.5, "the model is off by half, in one direction for all passes"


def test_means_and_quantiles_are_those_of_the_tables() -> None:
    assert t_quantile(0.975, 1) == pytest.approx(12.7062, abs=1e-3) and t_quantile(0.975, 2) == pytest.approx(4.30265, abs=1e-4)
    assert t_quantile(0.95, 5) == pytest.approx(2.01505, abs=1e-4) and t_quantile(0.975, 10) == pytest.approx(2.22814, abs=1e-4)
    assert t_quantile(0.975, 300) == pytest.approx(1.96790, abs=1e-3) and t_quantile(0.975, 10**6) == pytest.approx(1.95996, abs=1e-3)
    mean = mean_of([1.0, 2.0, 3.0])
    assert mean.value == 2.0 and mean.deviation == 1.0 and mean.half_width == pytest.approx(4.30265 / 3**0.5, abs=1e-4)
    assert mean_of([1.0]).half_width is None
    passes = Passes()
    for value in (1.0, 2.0, 3.0):
        passes.add(value, value)
    assert passes.rate(0) == (pytest.approx(2.0), pytest.approx(1.0), 3)
