use super::*;
use crate::intensity::{Boundary, Period};

fn zones() -> Zones {
    Zones::embedded().unwrap()
}

#[test]
fn every_naming_scheme_leads_to_korea() {
    let zones = zones();
    for name in
        ["KR", "kor", "ap-northeast-2", "asia-northeast3", "koreacentral", "Seoul", "서울", "South Korea", "KPX"]
    {
        assert_eq!(zones.find(name).unwrap().id, "KR", "{name}");
    }
    assert_eq!(zones.find("US_East_1").unwrap().id, "US-MIDA-PJM");
}

#[test]
fn an_unknown_region_is_an_error_with_the_nearest_names() {
    let error = zones().find("ap-northeast-22").unwrap_err();
    assert!(error.nearest.contains(&"ap-northeast-2".to_owned()), "{error}");
    assert!(zones().find("").is_err());
}

#[test]
fn korea_is_the_official_consumption_figure_of_2023() {
    let zones = zones();
    let found = zones.intensity(zones.find("ap-northeast-2").unwrap()).unwrap();
    assert_eq!(found.figure.value.grams_per_kilowatt_hour(), 417.3);
    assert_eq!(found.figure.period, Period::Year(2023));
    let provenance = found.figure.provenance;
    assert_eq!((provenance.method, provenance.boundary), (AccountingMethod::Direct, Boundary::Consumption));
    assert!(provenance.source.starts_with("https://") && found.caveats.is_empty());
}

#[test]
fn google_figures_change_their_method_in_2021() {
    let zones = zones();
    let method = |year| {
        let figures = zones.figures(zones.find("us-central1").unwrap()).iter();
        let figure = figures.clone().find(|f| f.series == "google" && f.figure.period == Period::Year(year));
        figure.unwrap().figure.provenance.method
    };
    assert_eq!((method(2020), method(2021)), (AccountingMethod::Lifecycle, AccountingMethod::Direct));
}

#[test]
fn figures_asked_for_by_method_compare_across_zones() {
    let zones = zones();
    let by = |name| {
        zones
            .intensity_by(zones.find(name).unwrap(), AccountingMethod::Lifecycle, IntensityKind::Average)
            .unwrap()
            .figure
    };
    let comparison = by("KR").compare(&by("FR")).unwrap();
    assert_eq!(comparison.ordering, std::cmp::Ordering::Greater);
    assert!(zones.intensity_by(zones.find("KR").unwrap(), AccountingMethod::Direct, IntensityKind::Marginal).is_none());
}

#[test]
fn a_zone_without_a_figure_borrows_its_countrys_and_says_so() {
    let zones = zones();
    let zone = zones.find("westus3").unwrap();
    assert!(zones.figures(zone).is_empty());
    let found = zones.intensity(zone).unwrap();
    assert_eq!(found.figure.provenance.zone, "US");
    assert!(found.caveats[0].en.contains("United States"), "{:?}", found.caveats);
}

#[test]
fn published_pues_are_the_regions_own_or_the_fleets_with_a_caveat() {
    let zones = zones();
    let (own, caveats) = zones.published_pue("ap-northeast-1", 2026).unwrap();
    assert_eq!((own.pue.ratio(), own.year, caveats.len()), (1.27, 2024, 0));
    let (fleet, caveats) = zones.published_pue("ap-northeast-2", 2026).unwrap();
    assert_eq!((fleet.pue.ratio(), fleet.year), (1.14, 2025));
    assert!(caveats[0].en.contains("ap-northeast-2"));
    assert_eq!(zones.published_pue("asia-northeast3", 2026), None, "Google publishes no fleet figure here");
    assert_eq!(zones.published_pue("KR", 2026), None, "a country has no PUE");
}

#[test]
fn every_figure_names_a_plausible_value_and_a_source() {
    let zones = zones();
    for figure in zones.iter().flat_map(|zone| zones.figures(zone)) {
        let grams = figure.figure.value.grams_per_kilowatt_hour();
        assert!((0.0..=1500.0).contains(&grams), "{figure:?}");
        assert!(figure.figure.provenance.source.starts_with("http"), "{figure:?}");
    }
    assert!(zones.pues.iter().all(|pue| pue.source.starts_with("http") && pue.pue.ratio() < 2.0));
}

#[test]
fn every_time_zone_and_every_region_with_a_pue_is_known() {
    let zones = zones();
    for name in zones.iter().filter_map(|zone| zone.time_zone.as_deref()) {
        assert!(jiff::tz::TimeZone::get(name).is_ok(), "{name}");
    }
    for pue in zones.pues.iter().filter(|pue| pue.region != "global") {
        assert!(zones.find(&pue.region).is_ok(), "{}", pue.region);
    }
}
