use super::*;
use crate::series::Step;
use crate::units::{Power, Pue};
use jiff::tz::TimeZone;
use proptest::prelude::*;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn g(grams: f64) -> CarbonIntensity {
    CarbonIntensity::from_grams_per_kilowatt_hour(grams)
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Steps of (length in s, g/kWh or a gap), from the epoch on.
fn grid(steps: &[(i64, Option<u32>)]) -> Series<CarbonIntensity> {
    let mut time = 0;
    let mut known = Vec::new();
    for &(length, value) in steps {
        if let Some(value) = value {
            known.push(Step { start: at(time), end: at(time + length), value: g(value.into()) });
        }
        time += length;
    }
    Series::new(known).unwrap()
}

fn kilowatt(duration: u64) -> Job {
    Job::constant(seconds(duration), Power::from_watts(1000.0)).unwrap()
}

#[test]
fn the_best_window_may_end_at_an_edge_instead_of_starting_at_one() {
    let grid = grid(&[(100, Some(400)), (50, Some(100)), (100, Some(500))]);
    let plan = plan(&PlanRequest::new(&kilowatt(80), at(0), at(250), &grid)).unwrap();
    assert_eq!((plan.best.start(), plan.best.end()), (at(70), at(150)));
}

#[test]
fn deadline_and_earliest_start_are_kept() {
    let grid = grid(&[(100, Some(1)), (100, Some(3)), (100, Some(2)), (100, Some(1))]);
    let job = kilowatt(50);
    let request = PlanRequest { earliest: at(120), ..PlanRequest::new(&job, at(0), at(310), &grid) };
    let plan = plan(&request).unwrap();
    assert_eq!(plan.best.start(), at(260), "ten seconds of the last hour fit before the deadline");
    assert!(plan.saving.unwrap().carbon.grams() < 0.0, "now would be cleaner, and the plan says so");
}

#[test]
fn a_horizon_shorter_than_the_job_is_refused() {
    let grid = grid(&[(1000, Some(1))]);
    let error = plan(&PlanRequest::new(&kilowatt(101), at(0), at(100), &grid)).unwrap_err();
    assert!(matches!(error, ScheduleError::HorizonTooShort { .. }), "{error}");
    let past = plan(&PlanRequest::new(&kilowatt(1), at(100), at(50), &grid)).unwrap_err();
    assert!(matches!(past, ScheduleError::HorizonTooShort { horizon: Duration::ZERO, .. }));
}

#[test]
fn nothing_is_placed_over_a_gap() {
    let grid = grid(&[(60, Some(900)), (60, None), (60, Some(900)), (10, Some(1))]);
    let best = plan(&PlanRequest::new(&kilowatt(70), at(0), at(190), &grid)).unwrap().best;
    assert_eq!(best.start(), at(120));
    let error = plan(&PlanRequest::new(&kilowatt(71), at(0), at(190), &grid)).unwrap_err();
    assert!(error.to_string().contains("1 min 10 s without interruption"), "{error}");
    let apart = kilowatt(131).interruptible().unwrap();
    let error = plan(&PlanRequest::new(&apart, at(0), at(191), &grid)).unwrap_err();
    assert!(error.to_string().contains("only 2 min 10 s between"), "{error}");
}

#[test]
fn a_job_without_power_gets_the_cleanest_window_and_no_division_by_zero() {
    let grid = grid(&[(100, Some(400)), (100, Some(100)), (100, Some(0))]);
    let job = Job::constant(seconds(100), Power::ZERO).unwrap();
    let plan = plan(&PlanRequest::new(&job, at(0), at(300), &grid)).unwrap();
    assert_eq!((plan.best.start(), plan.best.carbon), (at(200), CarbonMass::ZERO));
    assert_eq!(plan.saving.unwrap().percent, Some(100.0));
    let from_zero = super::plan(&PlanRequest::new(&job, at(200), at(300), &grid)).unwrap();
    assert_eq!(from_zero.saving.unwrap().percent, None);
}

#[test]
fn impossible_jobs_are_refused() {
    let phase = |s, w| Phase { duration: seconds(s), power: Power::from_watts(w) };
    assert_eq!(Job::phases(vec![]), Err(JobError::NoDuration));
    assert_eq!(Job::phases(vec![phase(0, 1.0)]), Err(JobError::NoDuration));
    assert!(matches!(Job::constant(seconds(1), Power::from_watts(-1.0)), Err(JobError::Power(_))));
    let two = Job::phases(vec![phase(1, 1.0), phase(1, 2.0)]).unwrap();
    assert_eq!(two.interruptible(), Err(JobError::InterruptiblePhases));
}

#[test]
fn the_schedule_depends_on_region_duration_and_power_profile() {
    let grid = grid(&[(100, Some(300)), (100, Some(100)), (100, Some(200)), (100, Some(150))]);
    let start = |job: &Job| plan(&PlanRequest::new(job, at(0), at(400), &grid)).unwrap().best.start();
    assert_eq!(start(&kilowatt(100)), at(100));
    assert_eq!(start(&kilowatt(300)), at(100));
    let phase = |w| Phase { duration: seconds(100), power: Power::from_watts(w) };
    assert_eq!(start(&Job::phases(vec![phase(1.0), phase(1000.0)]).unwrap()), at(0), "the heavy half at 100 g");
}

#[test]
fn pue_counts_in_emissions_and_in_cost() {
    let grid = grid(&[(3600, Some(424))]);
    let prices = Series::constant(at(0), at(3600), EnergyPrice::per_kilowatt_hour(100.0)).unwrap();
    let job = kilowatt(3600).at_pue(Pue::new(1.5).unwrap());
    let request = PlanRequest { prices: Some(&prices), ..PlanRequest::new(&job, at(0), at(3600), &grid) };
    let best = plan(&request).unwrap().best;
    assert!((best.carbon.grams() - 636.0).abs() < 1e-9 && (best.cost.unwrap().amount() - 150.0).abs() < 1e-9);
}

#[test]
fn the_ranking_lists_windows_that_do_not_overlap() {
    let grid = grid(&[(100, Some(300)), (100, Some(100)), (100, Some(200)), (100, Some(100))]);
    let plan = plan(&PlanRequest::new(&kilowatt(100), at(0), at(400), &grid)).unwrap();
    let starts: Vec<_> = plan.ranking.iter().map(|one| one.start().as_second()).collect();
    assert_eq!(starts, [100, 300, 200], "of equals the earlier first");
}

#[test]
fn cheap_and_clean_hours_make_a_front() {
    let grid = grid(&[(100, Some(100)), (100, Some(200)), (100, Some(300))]);
    let price = |value| EnergyPrice::per_kilowatt_hour(value);
    let prices = Series::regular(at(0), seconds(100), [price(30.0), price(40.0), price(10.0)]).unwrap();
    for job in [kilowatt(100), kilowatt(100).interruptible().unwrap()] {
        let request = PlanRequest { prices: Some(&prices), ..PlanRequest::new(&job, at(0), at(300), &grid) };
        let starts: Vec<_> = plan(&request).unwrap().pareto.iter().map(|one| one.start().as_second()).collect();
        assert_eq!(starts, [0, 200], "the middle is beaten in both");
    }
}

#[test]
fn wall_clock_times_follow_the_zone_through_changes_of_the_clocks() {
    let berlin = TimeZone::get("Europe/Berlin").unwrap();
    let instant = |text| local_instant(text, &berlin).unwrap().to_string();
    assert_eq!(instant("2026-06-01T06:00"), "2026-06-01T04:00:00Z");
    assert_eq!(instant("2026-06-01T06:00+09:00"), "2026-05-31T21:00:00Z");
    assert_eq!(instant("2026-03-29T02:30"), "2026-03-29T01:30:00Z", "skipped: the hour after");
    assert_eq!(instant("2026-10-25T02:30"), "2026-10-25T00:30:00Z", "twice: the first");
    assert!(local_instant("tomorrow", &berlin).is_err());
}

/// Weight · intensity of a start by adding up second for second; none where a second is unknown.
fn brute(grid: &Series<CarbonIntensity>, phases: &[(u64, u32)], start: i64) -> Option<f64> {
    let mut second = start;
    let mut sum = 0.0;
    for &(length, watts) in phases {
        for _ in 0..length {
            sum += grid.at(at(second))?.grams_per_kilowatt_hour() * f64::from(watts) / 3.6e6;
            second += 1;
        }
    }
    Some(sum)
}

fn steps() -> impl Strategy<Value = Vec<(i64, Option<u32>)>> {
    prop::collection::vec((1i64..30, prop::option::weighted(0.9, 0u32..1000)), 1..25)
}

proptest! {
    #[test]
    fn a_contiguous_plan_is_as_clean_as_the_best_of_all_starts(
        steps in steps(),
        phases in prop::collection::vec((1u64..20, 1u32..2000), 1..4),
        earliest in 0i64..50,
        window in 1i64..500,
    ) {
        let grid = grid(&steps);
        let phase = |&(s, w): &(u64, u32)| Phase { duration: seconds(s), power: Power::from_watts(w.into()) };
        let job = Job::phases(phases.iter().map(phase).collect()).unwrap();
        let length = job.duration().as_secs() as i64;
        let deadline = earliest + window;
        let best = (earliest..=deadline - length).filter_map(|start| brute(&grid, &phases, start)).min_by(f64::total_cmp);
        let request = PlanRequest { earliest: at(earliest), ..PlanRequest::new(&job, at(0), at(deadline), &grid) };
        match (plan(&request), best) {
            (Ok(plan), Some(best)) => {
                let carbon = plan.best.carbon.grams();
                prop_assert!((carbon - best).abs() <= 1e-9 * (1.0 + best), "{carbon} {best}");
                prop_assert!(plan.best.start() >= at(earliest) && plan.best.end() <= at(deadline));
            }
            (Err(_), None) => {}
            (plan, best) => prop_assert!(false, "{plan:?} {best:?}"),
        }
    }

    #[test]
    fn an_interruptible_plan_takes_exactly_the_cheapest_seconds(steps in steps(), length in 1u64..200, window in 1i64..500) {
        let grid = grid(&steps);
        let job = kilowatt(length).interruptible().unwrap();
        let mut each: Vec<f64> = (0..window).filter_map(|s| grid.at(at(s))).map(|ci| ci.grams_per_kilowatt_hour()).collect();
        each.sort_by(f64::total_cmp);
        let request = PlanRequest::new(&job, at(0), at(window), &grid);
        match plan(&request) {
            Ok(plan) => {
                let best = each.iter().take(length as usize).sum::<f64>() / 3600.0;
                prop_assert!((plan.best.carbon.grams() - best).abs() <= 1e-9 * (1.0 + best));
                let taken: Duration = plan.best.slots.iter().map(|slot| span(slot.start, slot.end)).sum();
                prop_assert_eq!(taken, seconds(length));
                prop_assert!(plan.best.slots.windows(2).all(|two| two[0].end < two[1].start));
            }
            Err(_) => prop_assert!(each.len() < length as usize),
        }
    }

    #[test]
    fn pausing_never_emits_more_and_no_saving_exceeds_the_emission(steps in steps(), length in 1u64..100) {
        let grid = grid(&steps);
        let job = kilowatt(length);
        if let Ok(whole) = plan(&PlanRequest::new(&job, at(0), at(700), &grid)) {
            let job = job.interruptible().unwrap();
            let pieces = plan(&PlanRequest::new(&job, at(0), at(700), &grid)).unwrap();
            prop_assert!(pieces.best.carbon.grams() <= whole.best.carbon.grams() * (1.0 + 1e-9) + 1e-12);
            if let (Some(now), Some(saving)) = (whole.now, whole.saving) {
                prop_assert!(saving.carbon <= now.carbon && saving.percent.is_none_or(|percent| percent <= 100.0));
                prop_assert!(saving.carbon.grams() >= -1e-9);
            }
        }
    }

    #[test]
    fn no_member_of_the_front_is_beaten_in_both(steps in steps(), length in 1u64..60, prices in prop::collection::vec(1u32..200, 20)) {
        let grid = grid(&steps);
        let prices = Series::regular(at(0), seconds(23), prices.into_iter().map(|p| EnergyPrice::per_kilowatt_hour(p.into()))).unwrap();
        for job in [kilowatt(length), kilowatt(length).interruptible().unwrap()] {
            let request = PlanRequest { prices: Some(&prices), ..PlanRequest::new(&job, at(0), at(460), &grid) };
            let Ok(plan) = plan(&request) else { continue };
            for two in plan.pareto.windows(2) {
                prop_assert!(two[0].carbon <= two[1].carbon && two[0].cost.unwrap() > two[1].cost.unwrap());
            }
            if let (Some(first), Some(_)) = (plan.pareto.first(), plan.best.cost) {
                prop_assert!((first.carbon.grams() - plan.best.carbon.grams()).abs() <= 1e-6 * (1.0 + first.carbon.grams()));
            }
        }
    }
}
