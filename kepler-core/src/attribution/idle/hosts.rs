//! Machines that are busy from the start, simulated and measured: what a steady process on them is charged.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test whose rows cannot be read fails; its figures are the result"
)]

use super::{Baseline, IdleEstimate, IdleKnowledge};
use crate::units::{Energy, Power};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

const TICK: Duration = Duration::from_secs(5);
/// Ten minutes.
const TICKS: u64 = 120;

/// A value from −1 to 1 that cannot be predicted from the step, the same every time.
fn random(step: u64, seed: u64) -> f64 {
    let mixed = (step + 1 + seed * 1_000_003).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    (mixed >> 40) as f64 / f64::from(1 << 23) - 1.0
}

/// A machine: what it draws by utilisation and by how long it has been running (0 … 1), and at rest then; its frequency.
struct Host {
    watts: fn(f64) -> f64,
    idle: f64,
    /// How much its power rises by warming up over the ten minutes, as a share.
    drift: f64,
    ghz: Option<fn(f64) -> f64>,
    noise: f64,
    /// Clock ticks a second, of all processors.
    processors: f64,
}

impl Host {
    const STRAIGHT: Host =
        Host { watts: |u| 40.0 + 40.0 * u, idle: 40.0, drift: 0.0, ghz: None, noise: 0.01, processors: 2.0 };

    /// What a process that is busy for a third of all processors' time is charged in ten minutes at 70 to 100 % load, relative to
    /// the truth, and how idle power is known in the end.
    fn charged(&self, seed: u64) -> (f64, Baseline) {
        let mut baseline = Baseline::new(None).of_processors(true);
        let (mut charged, mut truth) = (0.0, 0.0);
        for step in 0..TICKS {
            // As the kernel's clock tells it.
            let ticks = self.processors * 100.0 * TICK.as_secs_f64();
            let busy = ((0.85 + 0.15 * random(step, seed)) * ticks).round() / ticks;
            let warm = 1.0 + self.drift * step as f64 / TICKS as f64;
            let watts = (self.watts)(busy) * warm;
            let read = Power::from_watts(watts * (1.0 + self.noise * random(step, seed + 77)));
            baseline.observe_at(busy, self.ghz.map(|ghz| ghz(busy)), read, TICK);
            let split = baseline.split(read * TICK, busy, TICK);
            charged += split.active.joules() / busy / 3.0;
            truth += (watts - self.idle * warm) * TICK.as_secs_f64() / busy / 3.0;
        }
        (charged / truth - 1.0, baseline)
    }
}

#[test]
fn a_process_is_charged_within_a_tenth_of_the_truth_after_ten_minutes() {
    // Frequency falls from 3.5 GHz as more is busy, and voltage with it.
    let ghz = |u: f64| 3.5 - 0.7 * u;
    let hosts = [
        ("straight, idle 50 % of full", Host::STRAIGHT),
        (
            "straight, 128 processors, idle 20 %",
            Host { watts: |u| 60.0 + 240.0 * u, idle: 60.0, processors: 128.0, ..Host::STRAIGHT },
        ),
        ("warming up by 4 %", Host { drift: 0.04, ..Host::STRAIGHT }),
        (
            "straight, noise 2 %, idle 35 %",
            Host { watts: |u| 35.0 + 65.0 * u, idle: 35.0, noise: 0.02, ..Host::STRAIGHT },
        ),
        (
            "falling frequency, power by f^2.3",
            Host {
                watts: |u| 40.0 + 100.0 * u * ((3.5 - 0.7 * u) / 2.8).powf(2.3),
                ghz: Some(ghz),
                noise: 0.005,
                ..Host::STRAIGHT
            },
        ),
        (
            "measured machines' curve",
            Host {
                watts: |u| 300.0 * (0.240 * (33.9 * u).ln_1p() + 0.137),
                idle: 41.0,
                processors: 96.0,
                ..Host::STRAIGHT
            },
        ),
    ];
    for (name, host) in hosts {
        for seed in 0..4 {
            let (off, baseline) = host.charged(seed);
            println!("{name}, {seed}: {:+.1} %, {:?} {:?}", 100.0 * off, baseline.knowledge(), baseline.estimate());
            assert!(off.abs() < 0.1, "{name}, {seed}: {off:+.3}, {baseline:?}");
        }
    }
}

#[test]
fn where_the_shape_cannot_be_known_the_stated_error_covers_it() {
    let hosts = [
        ("square root", Host { watts: |u| 40.0 + 60.0 * u.sqrt(), ..Host::STRAIGHT }),
        ("power of 0.75", Host { watts: |u| 30.0 + 90.0 * u.powf(0.75), idle: 30.0, ..Host::STRAIGHT }),
        (
            "falling frequency, known, power by f^2.7",
            Host {
                watts: |u| 40.0 + 100.0 * u * ((3.5 - 0.7 * u) / 2.8).powf(2.7),
                ghz: Some(|u| 3.5 - 0.7 * u),
                ..Host::STRAIGHT
            },
        ),
        (
            "falling frequency, unknown",
            Host { watts: |u| 40.0 + 100.0 * u * ((3.5 - 0.7 * u) / 2.8).powf(2.3), ..Host::STRAIGHT },
        ),
    ];
    for (name, host) in hosts {
        let (off, baseline) = host.charged(1);
        println!("{name}: {:+.1} %, {:?} {:?}", 100.0 * off, baseline.knowledge(), baseline.estimate());
        match baseline.estimate() {
            Some(idle) => {
                let error = (idle.power.watts() - host.idle).abs();
                assert!(error < 2.0 * idle.error.watts(), "{name}: {idle:?}");
            }
            // Idle is charged as energy × (1 − utilisation), and it is said that nothing is known.
            None => assert_eq!(baseline.knowledge(), IdleKnowledge::Flat, "{name}"),
        }
    }
}

#[test]
fn what_is_known_is_said() {
    let mut baseline = Baseline::new(None).of_processors(true);
    assert_eq!(baseline.knowledge().name(), "few_readings");
    let mut observe = |share: f64, watts: f64| {
        baseline.observe(share, Power::from_watts(watts), TICK);
        baseline.knowledge()
    };
    let mut last = IdleKnowledge::Few;
    for _ in 0..20 {
        last = observe(0.9, 90.0);
    }
    assert_eq!(last, IdleKnowledge::Steady);
    for step in 0..100 {
        let share = 0.85 + 0.15 * random(step, 3);
        last = observe(share, 90.0 + 10.0 * share);
    }
    assert_eq!(last, IdleKnowledge::Flat);
    for _ in 0..10 {
        last = observe(0.0, 15.0);
    }
    assert_eq!(last, IdleKnowledge::AtRest);
    assert_eq!(Baseline::new(None).with_learned(Some(IdleEstimate::default())).knowledge(), IdleKnowledge::Calibrated);
    assert_eq!(Baseline::new(Some(Power::from_watts(9.0))).knowledge(), IdleKnowledge::Given);
}

/// Busy share and watts of each row of the measured machines, if this checkout has them.
fn measured() -> Option<BTreeMap<String, Vec<(f64, f64)>>> {
    let folder = std::env::var_os("KEPLER_SHARED_DATA")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data"), std::path::PathBuf::from);
    let Ok(text) = std::fs::read_to_string(folder.join("models/ec2/ec2_rows.csv")) else {
        println!("SKIPPED: no measured rows in {}; set KEPLER_SHARED_DATA", folder.display());
        return None;
    };
    let mut lines = text.lines();
    let header: Vec<&str> = lines.next().unwrap().split(',').collect();
    let column = |name: &str| header.iter().position(|column| *column == name).unwrap();
    let [machine, cores, time, watts] = ["instance", "cores", "bpf_cpu_time_ms", "package_power"].map(column);
    let mut machines: BTreeMap<String, Vec<(f64, f64)>> = BTreeMap::new();
    for line in lines {
        let cells: Vec<&str> = line.split(',').collect();
        let number = |index: usize| cells[index].parse::<f64>();
        let (Ok(cores), Ok(ms), Ok(watts)) = (number(cores), number(time), number(watts)) else { continue };
        if watts > 0.0 {
            // The exporter that recorded them counted about one CPU that was not there.
            let share = ((ms / 1000.0 - 1.0) / cores).clamp(0.0, 1.0);
            machines.entry(cells[machine].to_owned()).or_default().push((share, watts));
        }
    }
    Some(machines)
}

#[test]
fn measured_machines_at_high_load_are_charged_within_a_quarter() {
    let Some(machines) = measured() else { return };
    for (name, rows) in machines {
        let mut at_rest: Vec<f64> = rows.iter().filter(|row| row.0 < 0.02).map(|row| row.1).collect();
        at_rest.sort_by(f64::total_cmp);
        let idle = at_rest[at_rest.len() / 2];
        let busy: Vec<(f64, f64)> = rows.into_iter().filter(|row| row.0 > 0.7).collect();
        let (off, baseline) = charged_by_rows(&busy, idle);
        println!(
            "{name}: {:+.1} %, {:?} {:?}, at rest {idle:.0} W",
            100.0 * off,
            baseline.knowledge(),
            baseline.estimate()
        );
        assert!(off.abs() < 0.25, "{name}: {off}");
    }
}

#[test]
fn measured_machines_at_middle_loads_are_charged_within_a_quarter_and_straight_ones_as_before() {
    for (low, high) in [(0.1, 1.0), (0.1, 0.6), (0.2, 0.8), (0.3, 1.0), (0.3, 0.7)] {
        let mut offs = Vec::new();
        for (name, rows) in measured().unwrap_or_default() {
            let mut at_rest: Vec<f64> = rows.iter().filter(|row| row.0 < 0.02).map(|row| row.1).collect();
            at_rest.sort_by(f64::total_cmp);
            let idle = at_rest[at_rest.len() / 2];
            let busy: Vec<(f64, f64)> = rows.into_iter().filter(|row| (low..=high).contains(&row.0)).collect();
            let (off, baseline) = charged_by_rows(&busy, idle);
            let error = baseline.estimate().map(|idle| idle.error.watts());
            println!("{low} to {high}, {name}: {:+.1} %, {:?}, {error:?} W", 100.0 * off, baseline.knowledge());
            offs.push(off.abs());
        }
        if !offs.is_empty() {
            let mean = offs.iter().sum::<f64>() / offs.len() as f64;
            println!("{low} to {high}: {:.1} % in the mean", 100.0 * mean);
            assert!(mean < 0.25, "{low} to {high}: {offs:?}");
        }
        for noise in [0.01, 0.02] {
            let straight = |step: u64| {
                let share = low + (high - low) * (random(step, 11) + 1.0) / 2.0;
                (share, (40.0 + 80.0 * share) * (1.0 + noise * random(step, 12)))
            };
            let (off, baseline) = charged_by_rows(&(0..200).map(straight).collect::<Vec<_>>(), 40.0);
            println!(
                "{low} to {high}, straight, noise {noise}: {:+.1} %, {baseline_estimate:?}",
                100.0 * off,
                baseline_estimate = baseline.estimate()
            );
            assert!(off.abs() < 0.1, "{low} to {high}, {noise}: {off}");
        }
    }
}

#[test]
fn two_levels_of_load_tell_no_curve() {
    let mut baseline = Baseline::new(None).of_processors(true);
    // A little work, then one of two processors busy besides; a tick lies between.
    let levels = |step: u64| {
        if step < 8 {
            0.05
        } else if step == 8 {
            0.27
        } else {
            0.53
        }
    };
    for step in 0..60 {
        let share = levels(step) + 0.01 * random(step, 21);
        baseline.observe(share, Power::from_watts((40.0 + 40.0 * share) * (1.0 + 0.01 * random(step, 22))), TICK);
    }
    let idle = baseline.estimate().unwrap().power.watts();
    assert!((idle - 40.0).abs() < 2.0, "{idle}");
}

/// How much more than the truth is charged of rows that are seen in no order, and what was learned.
fn charged_by_rows(rows: &[(f64, f64)], idle: f64) -> (f64, Baseline) {
    let mut baseline = Baseline::new(None).of_processors(true);
    let (mut charged, mut truth) = (0.0, 0.0);
    for step in 0..200 {
        let (share, watts) = rows[((random(step, 5) + 1.0) / 2.0 * rows.len() as f64) as usize % rows.len()];
        baseline.observe(share, Power::from_watts(watts), TICK);
        let split = baseline.split(Energy::from_joules(watts), share, Duration::from_secs(1));
        charged += split.active.joules() / share;
        truth += (watts - idle) / share;
    }
    (charged / truth - 1.0, baseline)
}
