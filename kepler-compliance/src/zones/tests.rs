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
fn names_as_people_write_them_find_their_zone() {
    let zones = zones();
    for (name, id) in [
        ("SE3", "SE-SE3"),
        ("SE-SE1", "SE-SE1"),
        ("NO2", "NO-NO2"),
        ("DK1", "DK-DK1"),
        ("Québec", "CA-QC"),
        ("Que\u{301}bec", "CA-QC"),
        ("부산", "KR"),
        ("\u{1107}\u{116e}\u{1109}\u{1161}\u{11ab}", "KR"),
        ("경기도", "KR"),
        ("KR-26", "KR"),
        ("미국", "US"),
        ("United States of America", "US"),
        ("UK", "GB"),
        ("Kosovo", "XK"),
        ("XKX", "XK"),
        ("Côte d'Ivoire", "CI"),
        ("Czech Republic", "CZ"),
        ("Türkiye", "TR"),
        ("us-gov-west-1", "US-NW-BPAT"),
        ("us-gov-east-1", "US-MIDA-PJM"),
        ("ap-southeast-5", "MY-WM"),
        ("cn-north-1", "CN-BJ"),
        ("ap-seoul-1", "KR"),
        ("East US", "US-MIDA-PJM"),
        ("Korea Central", "KR"),
        ("US Gov Virginia", "US-MIDA-PJM"),
        ("us-south", "US-TEX-ERCO"),
        ("cn-hangzhou", "CN-ZJ"),
        ("kr-central-2", "KR"),
        ("fsn1", "DE"),
        ("US-CA", "US-CA"),
        ("Colorado", "US-CO"),
        ("British Columbia", "CA-BC"),
        ("IT-NORTH", "IT-NO"),
        ("DE-LU", "DE"),
        ("us-east1", "US-CAR-SC"),
    ] {
        assert_eq!(zones.find(name).map(|zone| zone.id.as_str()), Ok(id), "{name}");
    }
}

#[test]
fn availability_zones_are_their_regions_and_other_endings_are_not() {
    let zones = zones();
    for (name, region) in [
        ("us-east-1a", "us-east-1"),
        ("ap-northeast-2c", "ap-northeast-2"),
        ("apne2-az1", "ap-northeast-2"),
        ("us-gov-west-1b", "us-gov-west-1"),
        ("asia-northeast3-a", "asia-northeast3"),
        ("us-central1-f", "us-central1"),
        ("koreacentral-1", "koreacentral"),
        ("eastus-az2", "eastus"),
        ("Uocm:AP-SEOUL-1-AD-1", "ap-seoul-1"),
        ("fr-par-2", "fr-par"),
        ("cn-beijing-h", "cn-beijing"),
    ] {
        let found = zones.resolve(name).unwrap();
        assert_eq!((found.name, found.provider().is_some()), (region, true), "{name}");
    }
    for name in ["us-east-9", "us-east-9a", "KRa", "KR-9", "Seoula", "eastus-4", "us-east-1aa"] {
        assert!(zones.find(name).is_err(), "{name}");
    }
}

#[test]
fn every_country_of_iso_3166_has_two_codes_and_a_korean_name() {
    let zones = zones();
    let countries: Vec<_> = zones.iter().filter(|zone| zone.parent.is_none()).collect();
    assert_eq!(countries.len(), 249 + 1, "and Kosovo");
    for zone in countries {
        assert_eq!(zone.id.len(), 2, "{}", zone.id);
        let names = |scheme| zone.aliases.get(&scheme).into_iter().flatten();
        assert!(names(Scheme::Iso).any(|code| code.len() == 3), "{}", zone.id);
        let korean = |name: &String| name.chars().any(|letter| ('가'..='힣').contains(&letter));
        assert!(zone.name_local.iter().chain(names(Scheme::Name)).any(korean), "{}", zone.id);
    }
}

#[test]
fn zones_have_a_name_in_both_languages_a_part_by_its_country() {
    let zones = zones();
    for (id, en, ko) in [
        ("KR", "South Korea", "대한민국"),
        ("FR", "France", "프랑스"),
        ("SE-SE3", "Sweden, SE3 (Stockholm)", "스웨덴, SE3 (Stockholm)"),
    ] {
        assert_eq!(zones.name(zones.find(id).unwrap()), Text::new(en, ko), "{id}");
    }
    let nameless: Vec<_> = zones.iter().filter(|zone| zones.name(zone).ko.is_empty()).collect();
    assert!(nameless.is_empty(), "{nameless:?}");
}

#[test]
fn a_name_of_megabytes_is_refused_at_once_and_not_repeated() {
    let error = zones().find(&"가".repeat(2_000_000)).unwrap_err();
    assert!(error.nearest.is_empty() && error.to_string().len() < 1000);
    assert!(zones().find(&"x".repeat(101)).is_err());
}

#[test]
fn countries_are_given_by_one_method_and_regions_by_that_of_regions() {
    let zones = zones();
    let of = |name: &str| zones.intensity_of(&zones.resolve(name).unwrap(), None).unwrap().figure;
    let (france, sweden) = (of("FRA"), of("SE"));
    assert_eq!(
        (france.provenance.method, sweden.provenance.method),
        (AccountingMethod::Lifecycle, AccountingMethod::Lifecycle)
    );
    assert!(france.value > sweden.value, "as Our World in Data ranks them");
    assert_eq!(of("europe-west9").provenance.method, AccountingMethod::Direct);
    assert_eq!(of("eu-north-1").provenance.method, AccountingMethod::Direct);
    assert_eq!(of("asia-northeast3").value, of("KR").value, "one grid, one figure");
    let ireland = zones.intensity_of(&zones.resolve("eu-west-1").unwrap(), None).unwrap();
    assert!(ireland.caveats[0].en.contains("lifecycle"), "{:?}", ireland.caveats);
    assert!(zones.intensity_of(&zones.resolve("eu-west-1").unwrap(), Some(AccountingMethod::Direct)).is_none());
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
    assert!(zones.pues.iter().all(|(_, pue)| pue.source.starts_with("http") && pue.pue.ratio() < 2.0));
}

#[test]
fn every_time_zone_and_every_region_with_a_pue_is_known() {
    let zones = zones();
    for name in zones.iter().filter_map(|zone| zone.time_zone.as_deref()) {
        assert!(jiff::tz::TimeZone::get(name).is_ok(), "{name}");
    }
    for (_, pue) in zones.pues.iter().filter(|(_, pue)| pue.region != "global") {
        assert!(zones.find(&pue.region).is_ok(), "{}", pue.region);
    }
}
