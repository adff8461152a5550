//! A machine that is busy from the start, in simulated time: what its work is charged, and what is said meanwhile.
#![allow(clippy::unwrap_used, reason = "a machine that cannot be simulated fails the test")]

use crate::machine::{Machine, PACKAGE, joules, package, process};
use kepler_core::attribution::IdlePolicy;
use kepler_core::sampler::Retention;
use kepler_core::snapshot::State;
use kepler_core::units::Energy;

const IDLE_WATTS: f64 = 40.0;
const WATTS_PER_BUSY_CPU: f64 = 20.0;
/// Seconds of a tick, and clock ticks of both processors in it.
const TICK: f64 = 5.0;
const CAPACITY: u64 = 1000;
/// Clock ticks that the process under test works in each.
const STEADY: u64 = 300;

/// A number from 0 to 1 that cannot be predicted from the step, the same every time.
fn random(step: u64) -> f64 {
    let mixed = (step + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    (mixed >> 40) as f64 / f64::from(1 << 24)
}

/// One tick at this load (of both processors, 0 … 1); the energy is off by `noise`.
fn work(machine: &mut Machine, load: f64, noise: f64) {
    let busy = (load * CAPACITY as f64) as u64;
    machine.processes.work(10, STEADY, None).unwrap();
    machine.processes.work(11, busy.saturating_sub(STEADY), None).unwrap();
    machine.processes.rest(CAPACITY - busy.max(STEADY)).unwrap();
    let watts = IDLE_WATTS + WATTS_PER_BUSY_CPU * busy.max(STEADY) as f64 / 100.0 / TICK;
    machine.tree.draw(PACKAGE, Energy::from_joules(watts * TICK * (1.0 + noise))).unwrap();
}

fn machine() -> Machine {
    let mut machine = Machine::with(IdlePolicy::Baseline, Retention::default());
    machine.spawn(10, b"steady", "/");
    machine.spawn(11, b"others", "/");
    machine.tick(TICK);
    machine
}

#[test]
fn a_process_on_a_machine_busy_from_the_start_is_charged_right_after_ten_minutes() {
    let mut machine = machine();
    let (mut charged, mut truth) = (0.0, 0.0);
    for step in 0..120 {
        work(&mut machine, 0.7 + 0.3 * random(step), 0.02 * (random(step + 1000) - 0.5));
        let snapshot = machine.tick(TICK);
        let zone = package(&snapshot);
        match zone.idle_estimate {
            // Meanwhile it says that nothing is known.
            None => {
                assert_eq!(zone.idle_policy, IdlePolicy::Ratio, "step {step}");
                assert!(matches!(zone.idle_knowledge.name(), "few_readings" | "steady_load"), "step {step}");
            }
            Some(idle) => {
                assert_eq!(zone.idle_policy, IdlePolicy::Baseline);
                assert_eq!(zone.idle_knowledge.name(), "extrapolated");
                let off = (idle.power.watts() - IDLE_WATTS).abs();
                assert!(off < 3.0 * idle.error.watts(), "step {step}: {idle:?}");
            }
        }
        charged = joules(process(&snapshot, 10, State::Running));
        truth += STEADY as f64 / 100.0 * WATTS_PER_BUSY_CPU;
    }
    assert!((charged / truth - 1.0).abs() < 0.1, "{charged} J for {truth} J");
}

#[test]
fn what_is_learned_on_a_busy_machine_is_mended_when_it_comes_to_rest() {
    let mut machine = machine();
    for step in 0..60 {
        work(&mut machine, 0.7 + 0.3 * random(step), 0.02 * (random(step + 1000) - 0.5));
        machine.tick(TICK);
    }
    let far = package(&machine.tick(TICK)).idle_estimate.unwrap();
    for _ in 0..8 {
        machine.processes.rest(CAPACITY).unwrap();
        machine.tree.draw(PACKAGE, Energy::from_joules(IDLE_WATTS * TICK)).unwrap();
        machine.tick(TICK);
    }
    machine.processes.rest(CAPACITY).unwrap();
    machine.tree.draw(PACKAGE, Energy::from_joules(IDLE_WATTS * TICK)).unwrap();
    let rested = package(&machine.tick(TICK)).idle_estimate.unwrap();
    assert!(rested.error.watts() < far.error.watts(), "{far:?}, {rested:?}");
    assert!((rested.power.watts() - IDLE_WATTS).abs() < 1.0, "{rested:?}");
}
