//! Meters of the whole machine: summed up by their readings' own times, never added to zones, less their parts.

use crate::machine::{DRAM, Machine, PACKAGE, Setup};
use crate::rig::faults;
use kepler_core::host::Timestamp;
use kepler_core::meter::Method;
use kepler_core::meter::chain::Source;
use kepler_core::platform::{PlatformBoard, PlatformMeter, PlatformReading, PlatformScope};
use kepler_core::snapshot::Snapshot;
use kepler_core::units::{Energy, Power, ZoneKind};
use std::sync::Arc;
use std::time::Duration;

fn machine() -> (Machine, PlatformBoard) {
    let platform = PlatformBoard::default();
    (Machine::of(Setup { platform: Some(platform.clone()), ..Setup::default() }), platform)
}

fn meter() -> PlatformMeter {
    PlatformMeter::new("redfish", "bmc-1", "1")
}

fn reading(watts: f64, received: Timestamp, age: u64) -> PlatformReading {
    PlatformReading::new(Power::from_watts(watts), received).aged(Duration::from_secs(age))
}

/// Ten seconds go by, in which package and memory draw 40 W and 10 W.
fn ten_seconds(machine: &mut Machine) -> Arc<Snapshot> {
    machine.tree.draw(PACKAGE, Energy::from_joules(400.0)).unwrap();
    machine.tree.draw(DRAM, Energy::from_joules(100.0)).unwrap();
    machine.tick(10.0)
}

#[test]
fn what_is_left_of_the_whole_is_that_of_the_readings_own_time() {
    let (mut machine, board) = machine();
    machine.tick(1.0);
    for _ in 0..3 {
        ten_seconds(&mut machine);
    }
    // Twenty seconds ago and five seconds ago: 15 s between ticks, in which the parts drew 50 W.
    board.report(&meter(), reading(200.0, machine.at, 20));
    board.report(&meter(), reading(200.0, machine.at, 5));
    let snapshot = ten_seconds(&mut machine);
    let (row, rest) = (&snapshot.platform[0], snapshot.platform_residual.as_ref().unwrap());
    assert_eq!((row.energy, row.covered), (Energy::from_joules(3000.0), Duration::from_secs(15)));
    assert_eq!(row.age, Some(Duration::from_secs(15)));
    assert_eq!(rest.energy.microjoules().abs_diff(Energy::from_joules(2250.0).microjoules()) / 10, 0);
    assert!((rest.watts.unwrap() - 150.0).abs() < 1e-3, "{rest:?}");
    // It stands beside the zones: nothing of it is in them.
    assert_eq!(snapshot.node.zones[ZoneKind::Package].as_ref().unwrap().energy, Energy::from_joules(1600.0));
    assert!(snapshot.node.zones[ZoneKind::Psys].is_none());
}

#[test]
fn the_error_of_a_small_rest_is_that_of_both_terms_beside_what_is_left() {
    let (mut machine, board) = machine();
    machine.tick(1.0);
    let meter = meter().with(|meter| meter.method = Method::Estimated { error_ratio: 0.1 });
    let mut error = |watts: f64| {
        let mut rest = None;
        for _ in 0..3 {
            board.report(&meter, reading(watts, machine.at, 0));
            rest = ten_seconds(&mut machine).platform_residual.clone();
        }
        match rest.unwrap().method {
            Method::Estimated { error_ratio } => error_ratio,
            other => panic!("{other:?}"),
        }
    };
    // The parts draw 50 W, measured: 10 % of 200 W are 13 % of 150 W, and 10 % of 60 W more than half of 10 W.
    assert!((error(200.0) - 20.0 / 150.0).abs() < 1e-3);
    assert!((error(60.0) - 6.0 / 10.0).abs() < 1e-3);
    assert_eq!(error(50.0), 100.0, "of nothing it has no bounds");
}

#[test]
fn of_estimated_parts_the_rest_has_their_error_too() {
    let board = PlatformBoard::default();
    let setup = Setup { platform: Some(board.clone()), meter: Source::Model, ..Setup::default() };
    let mut machine = Machine::of(setup);
    machine.tick(1.0);
    let estimated = meter().with(|meter| meter.method = Method::Estimated { error_ratio: 0.1 });
    let mut shown = None;
    for _ in 0..4 {
        machine.processes.work_unseen(1000, None).unwrap();
        machine.processes.rest(1000).unwrap();
        board.report(&estimated, reading(300.0, machine.at, 0));
        shown = Some(machine.tick(10.0));
    }
    let snapshot = shown.unwrap();
    let package = snapshot.node.zones[ZoneKind::Package].as_ref().unwrap();
    let rest = snapshot.platform_residual.as_ref().unwrap();
    let parts = 300.0 - rest.watts.unwrap();
    let expected = (300.0_f64 * 0.1).hypot(parts * package.method.error_ratio().unwrap()) / rest.watts.unwrap();
    let error = rest.method.error_ratio().unwrap();
    assert!((error / expected - 1.0).abs() < 0.02, "{error}, expected {expected}");
}

#[test]
fn a_rest_never_falls_and_what_the_parts_say_beyond_the_whole_is_made_up_for() {
    let (mut machine, board) = machine();
    machine.tick(1.0);
    let mut rests = Vec::new();
    for watts in [100.0, 100.0, 20.0, 20.0, 20.0, 180.0, 180.0, 180.0] {
        board.report(&meter(), reading(watts, machine.at, 0));
        let snapshot = ten_seconds(&mut machine);
        rests.push(snapshot.platform_residual.clone().unwrap());
    }
    assert!(rests.windows(2).all(|pair| pair[0].energy <= pair[1].energy));
    assert_eq!(rests[4].fault, Some("below_parts"));
    assert!(rests[4].watts.unwrap() < 0.0 && rests[4].deficit > Energy::ZERO);
    let last = rests.last().unwrap();
    // Trapezoids of ten seconds each, less the parts' 500 J.
    let whole = [100.0, 60.0, 20.0, 20.0, 100.0, 180.0, 180.0].map(|watts| watts * 10.0).iter().sum::<f64>();
    assert!((last.energy.joules() - (whole - 7.0 * 500.0)).abs() < 1e-3, "{last:?}");
    assert_eq!((last.deficit, last.fault), (Energy::ZERO, None));
}

#[test]
fn what_is_not_believed_is_counted_by_reason_and_shows_no_power() {
    let (mut machine, board) = machine();
    machine.tick(1.0);
    board.report(&meter(), reading(250.0, machine.at, 0));
    assert_eq!(ten_seconds(&mut machine).platform[0].power, Some(Power::from_watts(250.0)));
    for (watts, age, reason) in
        [(160_000.0, 0, "implausible"), (4_294_967_295.0, 0, "implausible"), (300.0, 3600, "stale")]
    {
        board.report(&meter(), reading(watts, machine.at, age));
        let snapshot = ten_seconds(&mut machine);
        let row = &snapshot.platform[0];
        assert_eq!((row.power, row.fault, row.energy), (None, Some(reason), Energy::ZERO));
    }
    board.fail(&meter(), "timeout");
    let snapshot = ten_seconds(&mut machine);
    assert_eq!(snapshot.platform[0].power, Some(Power::from_watts(250.0)), "one failure does not age a figure");
    assert_eq!(["implausible", "stale", "timeout"].map(|reason| faults(&snapshot, "redfish", reason)), [2, 1, 1]);
    for _ in 0..12 {
        ten_seconds(&mut machine);
    }
    let snapshot = machine.tick(1.0);
    assert_eq!(snapshot.platform[0].power, None, "it is two minutes old");
}

#[test]
fn a_frozen_meter_is_found_by_the_load_that_goes_up_and_down_under_it() {
    let (mut machine, board) = machine();
    machine.tick(1.0);
    let mut last = machine.tick(1.0);
    for second in 0..60 {
        let busy = if second < 20 { 0 } else { 2000 };
        machine.processes.work_unseen(busy, None).unwrap();
        machine.processes.rest(2000 - busy).unwrap();
        board.report(&meter(), reading(250.0, machine.at, 0));
        last = ten_seconds(&mut machine);
    }
    assert_eq!(last.platform[0].fault, Some("frozen"));
    let energy = last.platform[0].energy;
    board.report(&meter(), reading(251.0, machine.at, 0));
    machine.tick(10.0);
    board.report(&meter(), reading(251.0, machine.at, 0));
    let after = machine.tick(10.0);
    assert_eq!((after.platform[0].fault, after.platform[0].energy), (None, energy + Energy::from_joules(2510.0)));
}

#[test]
fn of_an_enclosure_that_several_nodes_share_nothing_is_left_for_this_one() {
    let (mut machine, board) = machine();
    machine.tick(1.0);
    let shared = meter().with(|meter| meter.scope = PlatformScope::Shared);
    for _ in 0..3 {
        board.report(&shared, reading(2000.0, machine.at, 0));
        ten_seconds(&mut machine);
    }
    let snapshot = machine.tick(1.0);
    assert_eq!((snapshot.platform.len(), snapshot.platform_residual.is_none()), (1, true));
}

#[test]
fn of_several_meters_of_the_node_the_rest_is_that_of_one_and_no_time_counts_twice() {
    let (mut machine, board) = machine();
    machine.tick(1.0);
    let acpi = PlatformMeter::new("acpi", "", "");
    for _ in 0..4 {
        board.report(&acpi, reading(150.0, machine.at, 0));
        ten_seconds(&mut machine);
    }
    let rest = |snapshot: &Snapshot| snapshot.platform_residual.clone().unwrap();
    board.report(&acpi, reading(150.0, machine.at, 0));
    let before = rest(&ten_seconds(&mut machine));
    assert_eq!((before.meter.source, before.covered), ("acpi", Duration::from_secs(40)));
    // A BMC is asked from now on; its first two readings lie in a time that is counted already.
    board.report(&meter(), reading(250.0, machine.at, 35));
    board.report(&meter(), reading(250.0, machine.at, 15));
    board.report(&meter(), reading(250.0, machine.at, 5));
    board.report(&acpi, reading(150.0, machine.at, 0));
    let after = rest(&ten_seconds(&mut machine));
    assert_eq!((after.meter.source, after.covered), ("redfish", Duration::from_secs(40)));
    board.report(&meter(), reading(250.0, machine.at, 0));
    let after = rest(&ten_seconds(&mut machine));
    assert_eq!(after.covered, Duration::from_secs(55));
    assert!((after.energy - before.energy).joules() > 200.0 * 14.0);
}
