//! The stopwatch against simulated counters whose truth is known.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use kepler_core::counter;
use kepler_core::host::Timestamp;
use kepler_core::meter::chain::ChainOptions;
use kepler_core::sim::PowercapTree;
use kepler_core::stopwatch::Stopwatch;
use kepler_core::units::{Energy, ZoneKind};
use std::time::Duration;

const PACKAGE: &str = "intel-rapl:0";

struct Machine {
    _root: tempfile::TempDir,
    tree: PowercapTree,
    stopwatch: Stopwatch,
    now: Timestamp,
}

impl Machine {
    fn new(start: f64) -> Self {
        let root = tempfile::tempdir().unwrap();
        let mut tree = PowercapTree::create(root.path()).unwrap();
        tree.add_zone(PACKAGE, "package-0", Energy::from_joules(start)).unwrap();
        tree.add_zone("intel-rapl:0:0", "core", Energy::from_joules(1.0)).unwrap();
        tree.add_zone("intel-rapl:0:1", "dram", Energy::from_joules(1.0)).unwrap();
        tree.add_zone("intel-rapl:1", "psys", Energy::from_joules(1.0)).unwrap();
        let stopwatch = Stopwatch::open(&tree.host(), ChainOptions::default()).unwrap();
        Machine { _root: root, tree, stopwatch, now: Timestamp::now() }
    }

    fn draw(&mut self, entry: &str, joules: f64) {
        self.tree.draw(entry, Energy::from_joules(joules)).unwrap();
    }

    fn pass(&mut self, seconds: f64) {
        self.now = self.now.advanced(Duration::from_secs_f64(seconds));
    }
}

#[test]
fn package_and_memory_make_the_machine_and_what_overlaps_is_not_added() {
    let mut machine = Machine::new(1000.0);
    let start = machine.stopwatch.mark_at(machine.now);
    for (entry, joules) in
        [(PACKAGE, 100.0), ("intel-rapl:0:0", 70.0), ("intel-rapl:0:1", 20.0), ("intel-rapl:1", 150.0)]
    {
        machine.draw(entry, joules);
    }
    machine.pass(2.0);
    let spent = start.until(&machine.stopwatch.mark_at(machine.now));
    assert_eq!(spent.machine().unwrap().energy, Energy::from_joules(120.0));
    assert_eq!(spent.power().unwrap().watts(), 60.0);
    let zone = spent.zones[ZoneKind::Psys].unwrap();
    assert_eq!((zone.energy, zone.source, zone.is_uncertain), (Energy::from_joules(150.0), "powercap", false));
    assert!(spent.zones[ZoneKind::Uncore].is_none());
}

#[test]
fn someone_who_used_half_of_all_processors_gets_half() {
    let mut machine = Machine::new(1.0);
    let start = machine.stopwatch.mark_at(machine.now);
    machine.draw(PACKAGE, 100.0);
    machine.pass(10.0);
    let spent = start.until(&machine.stopwatch.mark_at(machine.now));
    let half = Duration::from_secs(5) * spent.processors;
    assert_eq!(spent.part_of_machine(half), Some(Energy::from_joules(50.0)));
    assert_eq!(spent.part_of_machine(half * 100), Some(Energy::from_joules(100.0)), "never more than there was");
}

#[test]
fn a_wrap_loses_nothing_and_a_reset_says_so() {
    let mut machine = Machine::new(262_100.0);
    let start = machine.stopwatch.mark_at(machine.now);
    machine.draw(PACKAGE, 100.0);
    machine.pass(1.0);
    let wrapped = machine.stopwatch.mark_at(machine.now);
    let zone = start.until(&wrapped).zones[ZoneKind::Package].unwrap();
    assert_eq!((zone.energy, zone.is_uncertain), (Energy::from_joules(100.0), false));

    machine.draw(PACKAGE, 5000.0);
    machine.pass(10.0);
    machine.stopwatch.keep_up_at(machine.now);
    machine.tree.reset(PACKAGE, Energy::from_joules(3.0)).unwrap();
    machine.pass(1.0);
    let reset = machine.stopwatch.mark_at(machine.now);
    let zone = wrapped.until(&reset).zones[ZoneKind::Package].unwrap();
    assert_eq!((zone.energy, zone.is_uncertain), (Energy::from_joules(5003.0), true));
}

#[test]
fn counters_that_go_round_twice_are_followed_if_they_are_read_in_between() {
    let mut machine = Machine::new(1.0);
    let gap = machine.stopwatch.longest_gap().unwrap();
    assert!(
        gap < counter::longest_gap(Energy::from_joules(262_144.0), kepler_core::units::Power::from_watts(1500.0))
            .unwrap()
    );
    let start = machine.stopwatch.mark_at(machine.now);
    // More than two rounds of 262 kJ.
    let times = (600.0 / gap.as_secs_f64()).ceil();
    for _ in 0..times as u32 {
        machine.draw(PACKAGE, 1000.0 * gap.as_secs_f64());
        machine.pass(gap.as_secs_f64());
        machine.stopwatch.keep_up_at(machine.now);
    }
    let zone = start.until(&machine.stopwatch.mark_at(machine.now)).zones[ZoneKind::Package].unwrap();
    let drawn = 1000.0 * gap.as_secs_f64() * times;
    assert!((zone.energy.joules() - drawn).abs() < 0.01 && !zone.is_uncertain, "{zone:?} for {drawn} J");
}

#[test]
fn a_zone_that_cannot_be_read_for_a_moment_is_whole_again_and_says_so() {
    let mut machine = Machine::new(1.0);
    let start = machine.stopwatch.mark_at(machine.now);
    let file = machine.tree.zone(PACKAGE).unwrap().join("energy_uj");
    std::fs::write(&file, "nonsense\n").unwrap();
    machine.pass(1.0);
    let blind = machine.stopwatch.mark_at(machine.now);
    assert!(start.until(&blind).zones[ZoneKind::Package].unwrap().is_uncertain);
    machine.draw(PACKAGE, 50.0);
    machine.pass(1.0);
    let zone = start.until(&machine.stopwatch.mark_at(machine.now)).zones[ZoneKind::Package].unwrap();
    assert_eq!(zone.energy, Energy::from_joules(50.0));
}
