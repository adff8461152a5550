//! Regions that cannot be compared in full.

use super::fixture::{World, settings};
use kepler_compliance::intensity::AccountingMethod;
use kepler_compliance::text::Lang;
use kepler_compliance::tools::{RegionalRequest, RegionalResponse, Settings, ToolRequest, get_regional_comparison};

fn compare(world: &World, change: impl FnOnce(&mut RegionalRequest)) -> RegionalResponse {
    get_regional_comparison(&world.context(), &RegionalRequest::default().with(change)).unwrap()
}

fn said(answer: &RegionalResponse, text: &str) -> bool {
    answer.caveats.iter().any(|caveat| caveat.contains(text))
}

#[test]
fn without_a_pue_regions_are_ranked_by_their_grids_and_the_answer_says_so() {
    let settings = without_pue();
    let world = World { settings, ..World::new() };
    let answer = compare(&world, |asked| asked.regions = vec!["FR".into(), "PL".into(), "eu-north-1".into()]);
    assert_eq!(answer.compared, 4, "{:?}", answer.skipped);
    assert!(answer.regions.windows(2).all(|pair| pair[0].grid_intensity <= pair[1].grid_intensity), "{answer:?}");
    let france = answer.regions.iter().find(|own| own.region == "FR").unwrap();
    assert_eq!((france.pue, france.effective_intensity), (None, None));
    assert!(france.savings_percent.unwrap() > 50.0);
    assert!(said(&answer, "ranked by grid intensity alone"), "{:?}", answer.caveats);
    assert!(answer.advice.migrate && answer.advice.text.contains("per kWh of electricity"), "{:?}", answer.advice);
}

#[test]
fn what_is_skipped_is_bounded_by_the_limit_and_summarised_with_its_reason() {
    let world = World { settings: settings(424.0, 1.2), ..World::new() };
    let answer = compare(&world, |asked| {
        asked.scope.region = Some("KR".into());
        asked.limit = 3;
    });
    assert!(answer.skipped.len() <= 3 && answer.skipped_total >= answer.skipped.len());
    if answer.skipped_total > 0 {
        assert!(said(&answer, "Not compared: "), "{:?}", answer.caveats);
    }
    assert!(answer.skipped.iter().all(|skip| !skip.reason.contains("PUE")), "{:?}", answer.skipped);
}

#[test]
fn a_region_in_the_same_grid_has_the_same_figure() {
    let world = World { settings: settings(424.0, 1.2), ..World::new() };
    let answer = compare(&world, |asked| asked.regions = vec!["asia-northeast3".into(), "KR".into()]);
    for region in &answer.regions {
        assert_eq!(region.grid_intensity, 424.0, "{region:?}");
    }
}

#[test]
fn a_figure_of_a_larger_area_or_of_several_years_says_so_whatever_is_known_of_the_pue() {
    let regions = vec!["Québec".into(), "us-east-1".into(), "Kosovo".into()];
    for settings in [settings(424.0, 1.2), without_pue()] {
        let settings = settings.with(|settings| settings.intensity_method = Some(AccountingMethod::Lifecycle));
        let world = World { settings, ..World::new() };
        let answer = compare(&world, |asked| asked.regions.clone_from(&regions));
        for (region, zone, of) in [("Québec", "CA-QC", "CA"), ("us-east-1", "US-MIDA-PJM", "US")] {
            let found = answer.regions.iter().find(|own| own.region == region).unwrap();
            assert_eq!((found.zone.as_str(), found.grid_zone.as_str()), (zone, of));
            assert!(found.caveats.iter().any(|caveat| caveat.contains("this is the mean of")), "{found:?}");
            assert!(!found.caveats.iter().any(|caveat| caveat.contains("state your own")), "{found:?}");
        }
        let kosovo = answer.regions.iter().find(|own| own.region == "Kosovo").unwrap();
        assert_eq!((kosovo.grid_year, kosovo.grid_zone.as_str()), (Some(2023), "XK"));
    }
}

#[test]
fn a_country_is_compared_with_countries_to_which_work_can_move() {
    let world = World { settings: settings(424.0, 1.2), ..World::new() };
    let answer = compare(&world, |asked| {
        asked.scope.region = Some("KR".into());
        asked.limit = 1000;
    });
    let names: Vec<&str> = answer.regions.iter().map(|region| region.region.as_str()).collect();
    // Lesotho and Bhutan live on water power, and no cloud provider has a region there.
    assert!(["FR", "DE", "KR", "SG"].iter().all(|country| names.contains(country)), "{names:?}");
    assert!(!names.contains(&"LS") && !names.contains(&"BT"), "{names:?}");
    assert!(answer.advice.to.is_some_and(|to| names.contains(&to.as_str())));
}

#[test]
fn a_korean_comparison_is_korean_throughout() {
    let hangul = |text: &str| text.chars().any(|c| ('가'..='힣').contains(&c));
    for settings in [settings(424.0, 1.6), without_pue()] {
        let world = World { settings, ..World::new() };
        let answer = compare(&world, |asked| asked.scope.lang = Some(Lang::Ko));
        let rows = answer.regions.iter().flat_map(|row| &row.caveats);
        let reasons = answer.skipped.iter().map(|skip| &skip.reason);
        for text in answer.caveats.iter().chain(rows).chain(reasons).chain([&answer.advice.text]) {
            assert!(hangul(text), "{text}");
        }
        let zones = answer.regions.iter().map(|row| &row.zone_name);
        assert!(zones.clone().all(|name| hangul(name)), "{:?}", zones.collect::<Vec<_>>());
        assert_eq!(answer.current.unwrap().grid_source, "설정에 명시됨");
    }
}

/// A facility in Korea at 424 g/kWh that states no PUE.
fn without_pue() -> Settings {
    settings(424.0, 1.0).with(|settings| (settings.pue, settings.region) = (None, Some("KR".into())))
}
