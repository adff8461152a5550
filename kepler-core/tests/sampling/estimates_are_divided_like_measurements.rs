//! Where power is only estimated: what of it goes to whom. Needs the feature `sim`.
#![allow(clippy::unwrap_used, reason = "a machine that cannot be simulated fails the test")]

use crate::machine::{Machine, Setup, joules, near, package, process};
use kepler_core::attribution::IdlePolicy;
use kepler_core::meter::chain::Source;
use kepler_core::meter::estimate::Estimate;
use kepler_core::snapshot::{Snapshot, State};
use kepler_core::units::{Energy, ZoneKind};
use std::sync::Arc;

/// Two processors: the model says what they draw.
fn machine(policy: IdlePolicy) -> (Machine, Estimate) {
    let machine = Machine::of(Setup { policy, meter: Source::Model, ..Setup::default() });
    let meter = Estimate::open(&machine.processes.host(machine.tree.sysfs()));
    (machine, meter)
}

/// One second in which two processes work 0.9 s and 0.3 s, 0.2 s are unattributed, and `sleepers` do nothing.
fn second(policy: IdlePolicy, sleepers: u32) -> (Arc<Snapshot>, Estimate) {
    let (mut machine, meter) = machine(policy);
    (10..12 + sleepers).for_each(|pid| machine.spawn(pid, b"worker", "/"));
    machine.tick(1.0);
    machine.processes.work(10, 90, None).unwrap();
    machine.processes.work(11, 30, None).unwrap();
    machine.processes.work_unseen(20, None).unwrap();
    machine.processes.rest(60).unwrap();
    (machine.tick(1.0), meter)
}

fn of(snapshot: &Snapshot, pid: u32) -> f64 {
    joules(process(snapshot, pid, State::Running))
}

#[test]
fn the_dynamic_part_goes_by_usage_and_idle_energy_to_no_process() {
    let (snapshot, meter) = second(IdlePolicy::Baseline, 0);
    // Two processors, busy for 1.4 of their 2 s.
    let idle = meter.power(0.0).watts();
    let dynamic = 2.0 * (meter.power(0.7).watts() - idle) / 1.4;
    let zone = package(&snapshot);
    assert_eq!((zone.source, zone.method.name()), ("model", "estimated"));
    assert!(near(zone.idle_energy.joules(), 2.0 * idle), "{}", zone.idle_energy);
    assert!(near(zone.active_energy.joules(), 1.4 * dynamic), "{}", zone.active_energy);
    assert!(near(of(&snapshot, 10), 0.9 * dynamic) && near(of(&snapshot, 11), 0.3 * dynamic));
    assert!(near(zone.unattributed_energy.joules(), 0.2 * dynamic));
}

#[test]
fn idle_is_separated_from_active_by_the_policy() {
    let (snapshot, meter) = second(IdlePolicy::Ratio, 0);
    let whole = 2.0 * meter.power(0.7).watts();
    assert!(near(package(&snapshot).energy.joules(), whole));
    assert!(near(package(&snapshot).active_energy.joules(), 0.7 * whole));
    assert!(near(of(&snapshot, 10), 0.45 * whole));
}

#[test]
fn a_process_more_adds_nothing_to_the_node_and_gets_no_constant_of_the_model() {
    let (few, _) = second(IdlePolicy::Baseline, 0);
    let (many, _) = second(IdlePolicy::Baseline, 40);
    assert_eq!(package(&few).energy, package(&many).energy);
    assert_eq!(of(&few, 10), of(&many, 10));
    assert!((12..52).all(|pid| of(&many, pid) == 0.0));
}

#[test]
fn processes_and_the_unattributed_rest_add_up_to_the_node_exactly() {
    for policy in [IdlePolicy::Baseline, IdlePolicy::Ratio] {
        let (snapshot, _) = second(policy, 5);
        let zone = package(&snapshot);
        let processes: Energy = snapshot.processes.iter().map(|row| row.energy[ZoneKind::Package]).sum();
        assert_eq!(zone.energy, zone.idle_energy + zone.unattributed_energy + processes);
    }
}
