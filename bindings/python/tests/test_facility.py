"""Where this process is said to run."""

from __future__ import annotations

import datetime
import pickle
from collections.abc import Iterator

import pytest

import kepler_power
from kepler_power import Facility, _native
from kepler_power.errors import ConfigurationError, UnknownRegionError


@pytest.fixture(autouse=True)
def nothing_stated(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("REGION", "PUE", "PUE_BASIS", "GRID_INTENSITY", "PRICE", "CURRENCY", "FACT"):
        monkeypatch.delenv(f"KEPLER_{name}", raising=False)
    _native.set_facility(None)
    yield
    _native.set_facility(None)


def test_without_a_word_a_region_is_assumed_and_that_is_said() -> None:
    assumed = kepler_power.facility()
    assert (assumed.region, assumed.is_stated) == ("ap-northeast-2", False)
    assert any("No region is configured" in caveat for caveat in assumed.caveats)
    assert "assumed" in repr(assumed)


def test_configured_figures_hold_for_the_process() -> None:
    stated = kepler_power.configure(
        "europe-west1", pue=1.2, pue_basis="measured", grid_intensity=100.0, price=0.2, currency="eur"
    )
    assert kepler_power.facility() == stated
    assert (stated.grid_intensity, stated.pue) == (100.0, 1.2)
    assert stated.effective_intensity == pytest.approx(120.0)
    assert (stated.price, stated.currency, stated.country, stated.pue_basis) == (0.2, "EUR", "BE", "measured")
    # 1 kWh of IT energy.
    assert stated.co2e_grams(3.6e6) == pytest.approx(120.0)


def test_published_figures_come_with_their_source_and_year() -> None:
    published = Facility("ap-northeast-2")
    assert published.grid_intensity == 417.3 and published.grid_year == 2023
    assert published.grid_source and published.pue_source and published.pue_basis == "published"
    assert published.is_stated


def test_without_a_pue_emissions_are_those_of_it_energy() -> None:
    korea = Facility("KR")
    assert korea.pue is None and korea.effective_intensity is None
    assert korea.co2e_grams(3.6e6) == pytest.approx(417.3)
    assert any("PUE" in caveat for caveat in korea.caveats)


def test_the_environment_decides_where_nothing_is_configured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEPLER_REGION", "us-east-1")
    monkeypatch.setenv("KEPLER_PUE", "1.3")
    assert (kepler_power.facility().region, kepler_power.facility().pue) == ("us-east-1", 1.3)


def test_a_wrong_environment_variable_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEPLER_PUE", "high")
    with pytest.raises(ConfigurationError, match="KEPLER_PUE = `high`"):
        kepler_power.facility()


def test_an_unknown_region_is_an_error_that_lists_the_nearest() -> None:
    with pytest.raises(UnknownRegionError, match="atlantis") as caught:
        kepler_power.configure("atlantis")
    assert caught.value.valid and caught.value.valid[0] in caught.value.remedy
    assert pickle.loads(pickle.dumps(caught.value)).valid == caught.value.valid
    assert isinstance(caught.value, LookupError)


@pytest.mark.parametrize(
    ("stated", "named"),
    [
        ({"pue": 0.5}, "PUE 0.5"),
        ({"grid_intensity": -1.0}, "intensity"),
        ({"price": float("nan")}, "price"),
        ({"currency": "euro"}, "EURO"),
        ({"pue_basis": "felt"}, "felt"),
    ],
)
def test_figures_that_cannot_be_are_refused_by_name(stated: dict[str, object], named: str) -> None:
    with pytest.raises(ConfigurationError, match=named):
        Facility(**stated)  # type: ignore[arg-type]


def test_a_facility_is_a_value() -> None:
    stated = Facility("seoul", pue=1.4, price=120.0)
    assert pickle.loads(pickle.dumps(stated)) == stated != Facility("seoul")
    assert stated.to_dict()["zone"] == "KR" and stated.to_dict()["price"] == 120.0


def test_facts_of_the_site_are_stated_by_name_and_decide_whether_a_rule_applies() -> None:
    stated = {"connection_kw": 299, "operation_start": datetime.date(2026, 9, 1), "cool_climate": True}
    site = kepler_power.Facility("DE", pue=1.1, facts=stated)
    assert site.facts == {"connection_kw": 299.0, "operation_start": "2026-09-01", "cool_climate": True}
    assert pickle.loads(pickle.dumps(site)) == site
    assert kepler_power.Facility("DE").facts == {}


@pytest.mark.parametrize(
    ("facts", "named"),
    [({"climate": "cool"}, "cool_climate"), ({"connection_kw": -1}, "connection_kw"), ({"cool_climate": "perhaps"}, "yes or no")],
)
def test_a_fact_that_cannot_be_is_an_error_that_names_what_can(facts: dict[str, object], named: str) -> None:
    with pytest.raises(ConfigurationError, match=named):
        kepler_power.Facility("DE", facts=facts)


def test_facts_of_the_environment_are_read_as_the_server_reads_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEPLER_FACT", "connection_kw=450, water_stress=no")
    assert kepler_power.Facility.from_environment().facts == {"connection_kw": 450.0, "water_stress": False}
    monkeypatch.setenv("KEPLER_FACT", "connection_kw")
    with pytest.raises(ConfigurationError, match="NAME=VALUE"):
        kepler_power.Facility.from_environment()
