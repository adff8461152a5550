//! The six worked examples.

use super::fixture::{Row, World, near, settings};
use kepler_compliance::standards::Status;
use kepler_compliance::tools::{
    AssessRequest, AssessResponse, RegionalRequest, SummaryRequest, ToolRequest, assess_workload_compliance,
    get_cluster_carbon_summary, get_regional_comparison,
};

fn assess(world: &World, name: &str) -> AssessResponse {
    assess_workload_compliance(&world.context(), &AssessRequest::new(name)).unwrap()
}

#[test]
fn example_1_a_pod_of_5_per_cent_draws_6_76_watts_and_one_of_65_draws_87_88() {
    let world = World::new();
    let summary = get_cluster_carbon_summary(&world.context(), &SummaryRequest::default()).unwrap();
    assert!(near(summary.power_watts, 135.2, 1e-9), "{:?}", summary.power_watts);
    assert!(near(summary.it_energy_kwh, 676.0 / 3.6e6, 1e-12));
    for (name, cpu, memory, total, joules) in [("small", 4.52, 2.24, 6.76, 33.8), ("large", 58.76, 29.12, 87.88, 439.4)]
    {
        let answer = assess(&world, name);
        assert!(near(answer.power_watts.cpu, cpu, 1e-9) && near(answer.power_watts.memory, memory, 1e-9));
        assert!(near(answer.power_watts.total, total, 1e-9) && near(answer.energy_joules, joules, 1e-9));
        assert_eq!(answer.power_watts.gpu, None, "there is none, which is not 0 W");
    }
}

#[test]
fn example_2_a_budget_of_20_g_per_hour_parts_the_pods() {
    let world = World::new();
    for (name, grams, status) in [("small", 2.87, Status::Compliant), ("large", 37.26, Status::NonCompliant)] {
        let request = AssessRequest::new(name).with(|asked| asked.standard = Some("TEAM_BUDGET".into()));
        let answer = assess_workload_compliance(&world.context(), &request).unwrap();
        assert!(near(answer.emissions_per_hour, grams, 0.005), "{:?}", answer.emissions_per_hour);
        assert_eq!((answer.statuses.carbon_status, answer.statuses.status), (status, status));
        assert_eq!(answer.target_carbon_intensity, None, "a budget is no intensity");
    }
}

#[test]
fn example_3_grid_424_at_pue_1_203_is_20_3_per_cent_over_and_the_pue_passes() {
    let world = World { settings: settings(424.0, 1.203), ..World::new() };
    let answer = assess(&world, "small");
    assert!(near(answer.current_carbon_intensity, 510.1, 0.05));
    assert_eq!(answer.target_carbon_intensity, Some(424.0));
    assert!(near(answer.gap_percent, 20.3, 0.05));
    assert_eq!((answer.statuses.carbon_status, answer.statuses.pue_status), (Status::NonCompliant, Status::Compliant));
    assert_eq!(answer.statuses.status, Status::NonCompliant);
    assert_eq!(answer.target_pue, Some(1.4));
}

#[test]
fn example_4_pue_1_6_is_14_3_per_cent_over_1_4() {
    let world = World { settings: settings(100.0, 1.6), ..World::new() };
    let answer = assess(&world, "small");
    assert!(near(answer.pue_gap_percent, 14.3, 0.05));
    assert_eq!((answer.statuses.carbon_status, answer.statuses.pue_status), (Status::Compliant, Status::NonCompliant));
    assert_eq!(answer.statuses.status, Status::NonCompliant);
}

#[test]
fn example_5_57_5_watts_emit_24_38_g_an_hour() {
    let mut world = World::new();
    world.view.rows = vec![Row::pod("app", 57.5 * 5.0, 0.0)];
    let answer = assess(&world, "app");
    assert!(near(answer.emissions_per_hour, 24.38, 1e-9));
    let month = answer.projected_monthly.unwrap();
    assert!((month.energy_kwh - 41.975).abs() < 1e-9, "57.5 W for 730 h");
    assert!(near(month.emissions_kg, 17.7974, 1e-9), "kilograms, not grams");
    assert!(near(month.cost, 4197.5, 1e-6));
}

#[test]
fn example_6_migrating_to_a_grid_of_50_g_at_equal_pue_emits_88_2_per_cent_less() {
    // A grid of 424 g against one of the table's, scaled so that the ratio is that of the example.
    let world = World { settings: settings(424.0, 1.2), ..World::new() };
    let request = RegionalRequest::default().with(|asked| {
        asked.regions = vec!["FR".into()];
        asked.workload = Some("large".into());
        asked.limit = 5;
    });
    let grams = |answer: &kepler_compliance::tools::RegionalResponse| {
        answer.regions.iter().find(|region| region.region == "FR").unwrap().grid_intensity
    };
    let there = grams(&get_regional_comparison(&world.context(), &request).unwrap());
    let world = World { settings: settings(there * 424.0 / 50.0, 1.2), ..world };
    let answer = get_regional_comparison(&world.context(), &request).unwrap();
    let france = answer.regions.iter().find(|region| region.region == "FR").unwrap();
    assert!(near(france.savings_percent, 88.2, 0.01), "{france:?}");
    assert_eq!(france.pue, Some(1.2), "no PUE is published for a country: the own one is assumed");
    assert!(answer.advice.migrate && answer.advice.to.as_deref() == Some("FR"));
}
