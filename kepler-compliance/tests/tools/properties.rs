//! What holds whatever the figures are.

use super::fixture::{Row, World, settings};
use kepler_compliance::tools::{
    AssessRequest, ImpactRequest, RegionalRequest, ToolRequest, assess_workload_compliance,
    compare_optimization_impact, get_regional_comparison,
};
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_saving_exceeds_what_is_emitted(
        joules in 0.0..1e5f64, idle in 0.0..1e5f64, cores in 0.0..64.0f64, grid in 0.0..2000.0f64, pue in 1.0..3.0f64,
        steps in prop::collection::vec(0.0..16.0f64, 1..60),
    ) {
        let mut world = World { settings: settings(grid, pue), ..World::new() };
        world.view.nodes = vec![("node-1", joules + idle, 0.0, idle)];
        world.view.rows = vec![Row::pod("app", joules, 0.0).requesting(cores)];
        world.view.steps = steps
            .iter()
            .map(|cores| {
                let cpu_time = std::time::Duration::from_secs_f64(5.0 * cores);
                kepler_compliance::view::StepUsage::new(super::fixture::split(1.0, 0.0), Some(cpu_time))
            })
            .collect();
        let answer = assess_workload_compliance(&world.context(), &AssessRequest::new("app")).unwrap();
        let emitted = answer.projected_monthly.unwrap().emissions_kg.unwrap();
        for own in &answer.optimizations {
            prop_assert!((0.0..=100.0).contains(&own.estimated_reduction_percent), "{own:?}");
            prop_assert!(own.estimated_savings.kg_co2eq.unwrap() <= emitted * (1.0 + 1e-12), "{own:?}");
            prop_assert!(own.reduction_range_percent[0] <= own.estimated_reduction_percent);
            prop_assert!(own.reduction_range_percent[1] >= own.estimated_reduction_percent);
        }
        let impact = compare_optimization_impact(&world.context(), &ImpactRequest::new("app")).unwrap();
        prop_assert!((0.0..=100.0).contains(&impact.total_reduction_percent));
        prop_assert!(impact.total_savings_kg.unwrap() <= emitted * (1.0 + 1e-12));
    }

    #[test]
    fn more_energy_never_emits_less(a in 0.0..1e6f64, b in 0.0..1e6f64, grid in 0.0..2000.0f64, pue in 1.0..3.0f64) {
        let mut world = World { settings: settings(grid, pue), ..World::new() };
        world.view.rows = vec![Row::pod("less", a.min(b), 0.0), Row::pod("more", a.max(b), 0.0)];
        let grams = |name: &str| {
            let answer = assess_workload_compliance(&world.context(), &AssessRequest::new(name)).unwrap();
            (answer.emissions_per_hour.unwrap(), answer.projected_monthly.unwrap().emissions_kg.unwrap())
        };
        let (less, more) = (grams("less"), grams("more"));
        prop_assert!(less.0 <= more.0 && less.1 <= more.1);
    }

    #[test]
    fn a_region_that_is_better_seen_from_here_is_worse_seen_from_there(
        pair in prop::sample::subsequence(vec!["ap-northeast-2", "ap-northeast-1", "eu-north-1", "us-east-1", "ap-south-1", "eu-central-1"], 2),
    ) {
        let mut world = World::new();
        world.settings = kepler_compliance::tools::Settings::default();
        let seen = |from: &str, to: &str| {
            let request = RegionalRequest::default().with(|asked| {
                asked.scope.region = Some(from.into());
                asked.regions = vec![to.into()];
            });
            let answer = get_regional_comparison(&world.context(), &request).unwrap();
            let rank = |name: &str| answer.regions.iter().find(|own| own.region == name).map(|own| own.rank);
            (rank(from), rank(to))
        };
        let ((here, there), (back, forth)) = (seen(pair[0], pair[1]), seen(pair[1], pair[0]));
        // Where one cannot be compared with the other, neither direction ranks it.
        prop_assert_eq!(here.cmp(&there), forth.cmp(&back));
    }
}
