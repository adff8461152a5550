//! A machine without counters whose service processor says once a minute what all of it draws: what its estimate says then.
#![allow(clippy::unwrap_used, reason = "a machine that cannot be simulated fails the test")]

use crate::machine::{Machine, Setup, package};
use kepler_core::calibration::{Calibration, KeptCorrection};
use kepler_core::meter::chain::Source;
use kepler_core::platform::{PlatformBoard, PlatformMeter, PlatformReading};
use kepler_core::snapshot::NodeZone;
use kepler_core::units::Power;
use std::sync::Arc;

/// Ticks of ten seconds, and clock ticks of both processors in each.
const TICK: f64 = 10.0;
const CAPACITY: u64 = 2000;
/// What the estimate is off by.
const FACTOR: f64 = 2.0;

fn machine(calibration: Option<Arc<Calibration>>) -> (Machine, PlatformBoard) {
    resumed(calibration, None)
}

/// The same, started again with what was kept.
fn resumed(calibration: Option<Arc<Calibration>>, kept_correction: Option<KeptCorrection>) -> (Machine, PlatformBoard) {
    let board = PlatformBoard::default();
    let platform = Some(board.clone());
    let setup = Setup { meter: Source::Model, platform, calibration, kept_correction, ..Setup::default() };
    let mut machine = Machine::of(setup);
    machine.spawn(10, b"worker", "/");
    machine.tick(1.0);
    (machine, board)
}

/// Minutes at loads that are held for some of them; the meter shows a moment of each of what the machine really drew.
fn minutes(
    machine: &mut Machine,
    board: &PlatformBoard,
    count: u64,
    hold: u64,
    raw: impl Fn(&NodeZone) -> f64,
) -> NodeZone {
    let meter = PlatformMeter::new("redfish", "bmc", "1");
    for minute in 0..count {
        let busy = CAPACITY * (10 + minute / hold * 37 % 90) / 100;
        for tick in 0..6 {
            machine.processes.work(10, busy, None).unwrap();
            machine.processes.rest(CAPACITY - busy).unwrap();
            let snapshot = machine.tick(TICK);
            if tick == 4 {
                let truth = FACTOR * raw(package(&snapshot));
                let power = Power::from_watts(90.0 + 1.25 * truth + minute as f64 % 3.0);
                board.report(&meter, PlatformReading::new(power, machine.at));
            }
        }
    }
    package(&machine.tick(TICK)).clone()
}

/// What the estimate would say without a correction.
fn uncorrected(zone: &NodeZone) -> f64 {
    let factor = zone.correction.as_ref().map_or(1.0, |correction| correction.scale.factor);
    zone.power.map_or(1.0, |power| power.total.watts()) / factor
}

#[test]
fn once_a_minute_is_enough_to_find_what_it_is_off_by() {
    let (mut machine, board) = machine(None);
    let before = minutes(&mut machine, &board, 5, 10, uncorrected);
    assert_eq!(before.correction, None);
    let after = minutes(&mut machine, &board, 120, 10, uncorrected);
    let correction = after.correction.clone().unwrap();
    assert_eq!(&*correction.source, "redfish");
    assert!((correction.scale.factor / FACTOR - 1.0).abs() < 0.2, "{correction:?}");
    let error = after.method.error_ratio().unwrap();
    assert!(error < before.method.error_ratio().unwrap() && error >= 0.24, "{error}");
    // Idle is corrected with it, so that work is charged no more than it causes.
    let idle = |zone: &NodeZone| zone.power.unwrap().idle.watts();
    let risen = idle(&after) / idle(&before) / correction.scale.factor;
    assert!((risen - 1.0).abs() < 0.05, "{risen}");
}

#[test]
fn what_was_calibrated_is_left_as_it_is() {
    use kepler_core::calibration::LoadPoint;
    let mut calibration = Calibration::default();
    calibration.threads = 2;
    calibration.load = vec![LoadPoint::new(0.1, 20.0, 30.0), LoadPoint::new(1.0, 50.0, 30.0)];
    let (mut machine, board) = machine(Some(Arc::new(calibration)));
    let zone = minutes(&mut machine, &board, 120, 10, uncorrected);
    assert_eq!(zone.correction, None);
    assert!((0.24..0.38).contains(&zone.method.error_ratio().unwrap()));
    assert!(zone.power.unwrap().total.watts() < 55.0, "{zone:?}");
}

#[test]
fn a_meter_that_misses_how_the_load_changes_corrects_nothing() {
    let (mut machine, board) = machine(None);
    let zone = minutes(&mut machine, &board, 60, 1, uncorrected);
    assert_eq!(zone.correction, None);
}

/// What two hours taught, as a file has it; and the factor.
fn kept() -> (KeptCorrection, f64) {
    let (mut machine, board) = machine(None);
    minutes(&mut machine, &board, 120, 10, uncorrected);
    let snapshot = machine.tick(TICK);
    let factor = package(&snapshot).correction.as_ref().unwrap().scale.factor;
    let text = serde_json::to_string(snapshot.kept_correction.as_deref().unwrap()).unwrap();
    let mut kept: KeptCorrection = serde_json::from_str(&text).unwrap();
    // The simulated clock has run ahead of the host's.
    kept.newest -= 2 * 3600 + 600;
    (kept, factor)
}

#[test]
fn what_was_learned_outlives_the_program() {
    let (kept, factor) = kept();
    // What was kept holds from the first tick on.
    let (mut machine, board) = resumed(None, Some(kept));
    let snapshot = machine.tick(TICK);
    let correction = package(&snapshot).correction.clone().unwrap();
    assert_eq!(&*correction.source, "redfish");
    assert!((correction.scale.factor / factor - 1.0).abs() < 0.01, "{correction:?} {factor}");
    assert!(package(&snapshot).method.error_ratio().unwrap() < 0.29);
    // And is learned on from.
    let after = minutes(&mut machine, &board, 5, 10, uncorrected);
    assert!((after.correction.unwrap().scale.factor / FACTOR - 1.0).abs() < 0.2);
}

#[test]
fn another_meter_begins_elsewhere_and_the_old_factor_stays_until_it_knows() {
    let (mut machine, board) = resumed(None, Some(kept().0));
    let other = PlatformMeter::new("ipmi", "", "");
    for minute in 0..3 {
        machine.processes.work(10, CAPACITY / 2, None).unwrap();
        machine.processes.rest(CAPACITY / 2).unwrap();
        machine.tick(TICK);
        board.report(&other, PlatformReading::new(Power::from_watts(200.0 + f64::from(minute)), machine.at));
    }
    let snapshot = machine.tick(TICK);
    assert_eq!(&*package(&snapshot).correction.as_ref().unwrap().source, "redfish");
    let kept = snapshot.kept_correction.as_ref().unwrap();
    assert_eq!((kept.source.as_str(), kept.live.scale()), ("ipmi", None));
}

#[test]
fn another_estimate_is_not_corrected_by_what_was_learned_of_the_last() {
    let mut kept = kept().0;
    kept.estimate = "another model".to_owned();
    let (mut machine, _board) = resumed(None, Some(kept));
    assert_eq!(package(&machine.tick(TICK)).correction, None);
}
