use super::*;
use proptest::prelude::*;

fn watts(w: f64) -> Power {
    Power::from_watts(w)
}

const INTERVAL: Duration = Duration::from_secs(3);

#[test]
fn a_linear_machine_shows_its_idle_power_without_ever_being_idle() {
    let mut baseline = Baseline::new(None);
    for step in 0..30 {
        let utilisation = 0.3 + 0.02 * f64::from(step % 15);
        baseline.observe(utilisation, watts(40.0 + 40.0 * utilisation), INTERVAL);
    }
    let idle = baseline.idle_power().unwrap().watts();
    assert!((idle - 40.0).abs() < 0.1, "{idle}");
}

#[test]
fn a_steady_load_teaches_nothing_and_the_ratio_is_used() {
    let mut baseline = Baseline::new(None);
    for _ in 0..100 {
        baseline.observe(0.5, watts(60.0), INTERVAL);
    }
    assert_eq!(baseline.idle_power(), None);
    let energy = Energy::from_joules(60.0);
    assert_eq!(baseline.split(energy, 0.5, Duration::from_secs(1)), IdleSplit::by_ratio(energy, 0.5));
}

#[test]
fn idle_power_does_not_vanish_at_full_load() {
    let mut baseline = Baseline::new(None);
    for step in 0..=20 {
        let utilisation = f64::from(step) / 20.0;
        baseline.observe(utilisation, watts(40.0 + 40.0 * utilisation), INTERVAL);
    }
    let split = baseline.split(Energy::from_joules(80.0), 1.0, Duration::from_secs(1));
    assert!((split.idle.joules() - 40.0).abs() < 0.1, "{split:?}");
}

#[test]
fn boosts_above_the_line_do_not_lift_it() {
    let mut baseline = Baseline::new(None);
    for step in 0..200 {
        let utilisation = f64::from(step % 21) / 20.0;
        let boost = if step % 4 == 0 { 15.0 } else { 0.0 };
        baseline.observe(utilisation, watts(40.0 + 40.0 * utilisation + boost * utilisation), INTERVAL);
    }
    let idle = baseline.idle_power().unwrap().watts();
    assert!((idle - 40.0).abs() < 1.0, "{idle}");
}

#[test]
fn a_curve_that_rises_steeply_from_idle_is_not_overestimated() {
    // Power of many servers: concave in utilisation.
    let mut baseline = Baseline::new(None);
    for step in 1..=40 {
        let utilisation = f64::from(step) / 40.0;
        baseline.observe(utilisation, watts(40.0 + 60.0 * utilisation.sqrt()), INTERVAL);
    }
    let idle = baseline.idle_power().unwrap().watts();
    assert!((30.0..=50.0).contains(&idle), "{idle}");
}

#[test]
fn an_idle_machine_shows_its_idle_power_in_six_intervals() {
    let mut baseline = Baseline::new(None);
    for second in 0..6 {
        assert_eq!(baseline.idle_power(), None);
        baseline.observe(0.01, watts(40.0 + f64::from(second) / 10.0), INTERVAL);
    }
    assert!((baseline.idle_power().unwrap().watts() - 40.0).abs() < 0.2);
}

#[test]
fn the_first_quiet_moment_after_a_long_steady_load_is_enough() {
    let mut baseline = Baseline::new(None);
    for _ in 0..10_000 {
        baseline.observe(0.5, watts(60.0), INTERVAL);
    }
    baseline.observe(0.01, watts(40.4), INTERVAL);
    let idle = baseline.idle_power().unwrap().watts();
    assert!((idle - 40.0).abs() < 0.5, "{idle}");
}

#[test]
fn a_narrow_band_far_from_idle_is_not_extended_to_zero() {
    let mut baseline = Baseline::new(None);
    for step in 0..100 {
        // Between 50 % and 66 % power happens to follow something else.
        baseline.observe(0.5 + 0.01 * f64::from(step % 17), watts(60.0 - 0.1 * f64::from(step % 17)), INTERVAL);
    }
    assert_eq!(baseline.idle_power(), None);
}

#[test]
fn a_machine_that_comes_to_idle_lower_is_followed_within_days_and_higher_within_a_week() {
    let mut baseline = Baseline::new(None);
    let mut run = |idle: f64, days: u32| {
        for hour in 0..days * 24 {
            let utilisation = f64::from(hour % 24) / 24.0;
            baseline.observe(utilisation, watts(idle + 40.0 * utilisation), Duration::from_secs(3600));
        }
        baseline.idle_power().unwrap().watts()
    };
    assert!((run(60.0, 7) - 60.0).abs() < 0.5);
    assert!(run(40.0, 2) <= 44.0);
    assert!((run(40.0, 8) - 40.0).abs() < 0.5);
    assert!((run(60.0, 8) - 60.0).abs() < 0.5);
}

#[test]
fn what_was_learned_outlives_its_points_but_not_evidence_against_it() {
    let mut baseline = Baseline::new(None);
    for step in 0..=20 {
        baseline.observe(f64::from(step) / 20.0, watts(40.0 + 2.0 * f64::from(step)), INTERVAL);
    }
    for _ in 0..20 * 24 {
        baseline.observe(0.9, watts(76.0), Duration::from_secs(3600));
    }
    assert!((baseline.idle_power().unwrap().watts() - 40.0).abs() < 0.1);
    for _ in 0..3 {
        baseline.observe(0.9, watts(30.0), Duration::from_secs(3600));
    }
    assert!(baseline.idle_power().unwrap().watts() <= 30.0);
}

#[test]
fn what_was_learned_before_is_used_at_once_and_follows_what_is_seen() {
    let mut baseline = Baseline::new(None).with_learned(Some(IdleEstimate::new(watts(40.0), watts(0.0))));
    assert_eq!(baseline.idle_power(), Some(watts(40.0)));
    baseline.observe(0.9, watts(76.0), INTERVAL);
    assert_eq!(baseline.idle_power(), Some(watts(40.0)));
    for _ in 0..3 {
        baseline.observe(0.9, watts(35.0), INTERVAL);
    }
    assert_eq!(baseline.idle_power(), Some(watts(35.0)));
    for _ in 0..6 {
        baseline.observe(0.01, watts(30.0), INTERVAL);
    }
    assert!((baseline.idle_power().unwrap().watts() - 30.0).abs() < 0.5);
}

#[test]
fn what_the_meter_knows_is_not_learned_again() {
    let mut baseline = Baseline::new(Some(watts(7.0)));
    baseline.observe(0.0, watts(50.0), INTERVAL);
    assert_eq!(baseline.idle_power(), Some(watts(7.0)));
}

/// A value between −1 and 1 that cannot be predicted from the step, the same every time.
fn noise(step: u32) -> f64 {
    let mixed = step.wrapping_mul(2_654_435_761) ^ (step.wrapping_mul(40_503) << 7);
    f64::from(mixed.wrapping_mul(2_246_822_519) >> 8) / f64::from(1 << 23) - 1.0
}

#[test]
fn a_machine_busy_from_the_start_is_learned_from_how_its_power_varies() {
    let mut baseline = Baseline::new(None);
    for step in 0..120 {
        let utilisation = 0.85 + 0.15 * noise(step);
        baseline.observe(utilisation, watts(40.0 + 80.0 * utilisation + 2.0 * noise(step + 7000)), INTERVAL);
    }
    let idle = baseline.estimate().expect("two minutes of work that varies");
    assert!((idle.power.watts() - 40.0).abs() < 2.0 * idle.error.watts(), "{idle:?}");
    let split = baseline.split(Energy::from_joules(108.0), 0.85, Duration::from_secs(1));
    assert!((split.active.joules() / 68.0 - 1.0).abs() < 0.1, "{split:?}");
}

#[test]
fn noise_at_a_steady_load_is_no_slope() {
    for level in [0.5, 0.9, 0.97] {
        let mut baseline = Baseline::new(None);
        for step in 0..500 {
            let (utilisation, power) = (level + 0.03 * noise(step), 100.0 + 5.0 * noise(step + 9000));
            baseline.observe(utilisation, watts(power), INTERVAL);
            assert_eq!(baseline.estimate(), None, "{level}, step {step}");
        }
    }
}

#[test]
fn the_further_from_rest_the_less_idle_power_is_known() {
    let learned = |low: f64| {
        let mut baseline = Baseline::new(None);
        for step in 0..300 {
            let utilisation = low + (1.0 - low) * f64::midpoint(1.0, noise(step));
            baseline.observe(utilisation, watts(40.0 + 80.0 * utilisation + noise(step + 5000)), INTERVAL);
        }
        baseline.estimate().unwrap().error.watts()
    };
    let errors = [learned(0.0), learned(0.4), learned(0.7)];
    assert!(errors.is_sorted(), "{errors:?}");
}

#[test]
fn energy_that_is_read_late_does_not_bend_what_is_learned() {
    // A machine under other load: readings come late, so that one interval lacks what the next has too much.
    let mut baseline = Baseline::new(None);
    for step in 0..400 {
        let utilisation = f64::midpoint(1.0, noise(step));
        let late = match step % 20 {
            7 => -0.5,
            8 => 0.5,
            _ => 0.0,
        };
        let power = 40.0 + 80.0 * utilisation;
        baseline.observe(utilisation, watts(power * (1.0 + late)), INTERVAL);
    }
    let idle = baseline.idle_power().unwrap().watts();
    assert!((idle - 40.0).abs() < 2.0, "{idle}");
}

proptest! {
    #[test]
    fn active_and_idle_add_up_whatever_was_seen(
        seen in prop::collection::vec((-0.5f64..1.5, -10.0f64..500.0), 0..=POINTS),
        uj in any::<u64>(), utilisation in -0.5f64..1.5, ms in 0u64..100_000,
    ) {
        let mut baseline = Baseline::new(None);
        let mut most = 0.0f64;
        for (utilisation, power) in seen {
            baseline.observe(utilisation, watts(power), INTERVAL);
            most = most.max(power);
        }
        let energy = Energy::from_microjoules(uj);
        let split = baseline.split(energy, utilisation, Duration::from_millis(ms));
        prop_assert_eq!(split.active.microjoules().checked_add(split.idle.microjoules()), Some(uj));
        if let Some(idle) = baseline.idle_power() {
            prop_assert!(idle.watts() >= 0.0 && idle.watts() <= most);
        }
    }
}
