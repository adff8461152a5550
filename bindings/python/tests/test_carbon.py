"""The formulas, against the worked examples that the Rust crates are tested with."""

from __future__ import annotations

import datetime as dt

import pytest

from kepler_power import carbon
from kepler_power.errors import ConfigurationError, KeplerError

NOON = dt.datetime(2026, 5, 1, 12, tzinfo=dt.timezone.utc)
HOUR = dt.timedelta(hours=1)


def test_57_5_watts_for_an_hour_at_424_emit_24_38_grams() -> None:
    assert carbon.emissions(0.0575, 424.0) == pytest.approx(24.38)
    assert carbon.emission_rate(57.5, 424.0) == pytest.approx(24.38)


def test_a_pue_of_1_203_makes_424_into_510() -> None:
    assert carbon.effective_intensity(424.0, 1.203) == pytest.approx(510.072)
    assert carbon.emissions(1.0, 424.0, pue=1.203) == pytest.approx(510.072)


def test_each_hour_emits_with_its_own_intensity_and_a_gap_is_not_zero() -> None:
    energy = [(NOON, NOON + 2 * HOUR, 2.0), (NOON + 2 * HOUR, NOON + 4 * HOUR, 2.0)]
    grid = [(NOON + n * HOUR, NOON + (n + 1) * HOUR, grams) for n, grams in enumerate((100.0, 300.0, 500.0))]
    sum_ = carbon.emissions_over(energy, grid, pue=1.5)
    assert sum_.grams == pytest.approx(1350.0)
    assert (sum_.covered_kwh, sum_.uncovered_kwh) == (3.0, 1.0)
    assert sum_.mean_intensity == pytest.approx(300.0)


def test_a_reservation_carries_its_share_of_the_making() -> None:
    years = dt.timedelta(days=4 * 365)
    share = carbon.embodied(
        1_200_000.0, time_reserved=HOUR, expected_life=years, resources_reserved=4, total_resources=64
    )
    assert share == pytest.approx(1_200_000.0 / (4 * 8760) / 16)
    assert carbon.sci(30.0, 10.0, count=1000, unit="request") == pytest.approx(0.04)


def test_ratios_of_a_site_follow_iso_30134() -> None:
    assert carbon.pue(1203.0, 1000.0) == pytest.approx(1.203)
    assert carbon.renewable_energy_factor(25.0, 100.0) == 0.25
    assert carbon.energy_reuse_factor(10.0, 100.0) == pytest.approx(0.1)
    assert carbon.water_usage_effectiveness(40.0, 100.0) == pytest.approx(0.4)
    assert carbon.carbon_usage_effectiveness(51_000.0, 100.0) == pytest.approx(510.0)


def test_contracts_cover_what_they_cover_and_the_rest_is_residual() -> None:
    sun = carbon.Contract("sun", 20.0, share=0.5)
    wind = carbon.Contract("wind", 10.0, kwh=30.0)
    bought = carbon.market_based(100.0, 500.0, [sun, wind])
    assert (bought.contracted_kwh, bought.residual_kwh, bought.surplus_kwh) == (80.0, 20.0, 0.0)
    assert bought.grams == pytest.approx(50 * 20 + 30 * 10 + 20 * 500)


@pytest.mark.parametrize(
    ("impossible", "named"),
    [
        (lambda: carbon.emissions(-1.0, 424.0), "energy_kwh"),
        (lambda: carbon.emissions(1.0, float("nan")), "grid_intensity"),
        (lambda: carbon.emissions(1.0, 424.0, pue=0.9), "PUE"),
        (lambda: carbon.pue(9.0, 10.0), "PUE"),
        (lambda: carbon.sci(1.0, count=0, unit="request"), "request"),
        (lambda: carbon.embodied(1.0, time_reserved=-1.0, expected_life=1.0), "time_reserved"),
        (lambda: carbon.renewable_energy_factor(101.0, 100.0), "REF"),
        (lambda: carbon.market_based(1.0, 1.0, [carbon.Contract("both", 1.0, share=0.5, kwh=1.0)]), "both"),
        (lambda: carbon.emissions_over([(NOON, NOON, 1.0)], []), "must end after it starts"),
    ],
)
def test_a_figure_that_cannot_be_is_an_error_that_names_it(impossible: object, named: str) -> None:
    assert callable(impossible)
    with pytest.raises(ConfigurationError, match=named) as caught:
        impossible()
    assert isinstance(caught.value, ValueError) and isinstance(caught.value, KeplerError)
