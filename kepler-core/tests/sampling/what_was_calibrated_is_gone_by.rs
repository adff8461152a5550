//! What was learned of a machine before is used from the first interval on. Needs the feature `sim`.
#![allow(clippy::unwrap_used, reason = "a machine that cannot be simulated fails the test")]

use crate::machine::{Machine, PACKAGE, SECOND, Setup, near, package};
use kepler_core::attribution::IdlePolicy;
use kepler_core::calibration::{Calibration, IdlePower, LoadPoint};
use kepler_core::host::Host;
use kepler_core::meter::chain::Source;
use kepler_core::units::{Energy, ZoneKind};
use std::sync::Arc;

fn calibration(idle: &[(Option<u32>, f64)], load: &[(f64, f64)]) -> Option<Arc<Calibration>> {
    let idle_power = |&(package, watts): &(Option<u32>, f64)| IdlePower::new(ZoneKind::Package, package, watts);
    let point = |&(busy_share, watts): &(f64, f64)| LoadPoint::new(busy_share, watts, 60.0);
    let mut calibration = Calibration::of(&Host::default());
    calibration.idle = idle.iter().map(idle_power).collect();
    calibration.load = load.iter().map(point).collect();
    calibration.threads = 2;
    Some(Arc::new(calibration))
}

#[test]
fn idle_power_is_known_at_once_on_a_machine_that_never_rests() {
    let calibration = calibration(&[(None, 40.0)], &[]);
    let mut machine =
        Machine::of(Setup { policy: IdlePolicy::Baseline, calibration: calibration.clone(), ..Setup::default() });
    machine.tick(1.0);
    machine.tree.draw(PACKAGE, Energy::from_joules(75.0)).unwrap();
    machine.processes.work_unseen(180, None).unwrap();
    machine.processes.rest(20).unwrap();
    let snapshot = machine.tick(1.0);
    let zone = package(&snapshot);
    assert!(near(zone.idle_energy.joules(), 40.0) && near(zone.active_energy.joules(), 35.0), "{zone:?}");
    assert_eq!(zone.idle_policy, IdlePolicy::Baseline);
    assert_eq!(machine.sampler.idle_powers(), calibration.unwrap().idle);
}

#[test]
fn each_socket_has_its_own() {
    let calibration = calibration(&[(None, 40.0), (Some(0), 10.0), (Some(1), 30.0)], &[]);
    let setup = Setup {
        policy: IdlePolicy::Baseline,
        second_socket: true,
        calibration: calibration.clone(),
        ..Setup::default()
    };
    let mut machine = Machine::of(setup);
    machine.tick(1.0);
    machine.tree.draw(PACKAGE, Energy::from_joules(50.0)).unwrap();
    machine.tree.draw(SECOND, Energy::from_joules(50.0)).unwrap();
    machine.tick(1.0);
    let known: Vec<_> =
        machine.sampler.idle_powers().into_iter().filter(|idle| idle.zone == ZoneKind::Package).collect();
    assert_eq!(known, calibration.unwrap().idle);
}

#[test]
fn an_estimate_is_put_right_and_knows_its_own_idle_power() {
    let calibration = calibration(&[(None, 40.0)], &[(0.0, 40.0), (0.9, 70.0)]);
    let setup = Setup { policy: IdlePolicy::Baseline, meter: Source::Model, calibration, ..Setup::default() };
    let mut machine = Machine::of(setup);
    machine.tick(1.0);
    machine.processes.work_unseen(180, None).unwrap();
    machine.processes.rest(20).unwrap();
    let snapshot = machine.tick(1.0);
    let zone = package(&snapshot);
    assert!(near(zone.energy.joules(), 70.0) && near(zone.idle_energy.joules(), 40.0), "{zone:?}");
}
