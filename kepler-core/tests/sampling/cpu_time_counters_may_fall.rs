//! A machine whose `/proc/stat` goes wrong is neither busy nor idle by that. Needs the feature `sim`.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use crate::machine::{Machine, PACKAGE, joules, near, package, process};
use kepler_core::snapshot::{Snapshot, State};
use kepler_core::units::Energy;
use std::fs;
use std::sync::Arc;

/// A second in which process 7 works for half of it on processor 0, the package draws 100 J, and `/proc/stat` says this.
fn second(machine: &mut Machine, stat: &str) -> Arc<Snapshot> {
    machine.processes.work(7, 50, None).unwrap();
    machine.tree.draw(PACKAGE, Energy::from_joules(100.0)).unwrap();
    fs::write(machine.processes.procfs().join("stat"), stat).unwrap();
    machine.tick(1.0)
}

fn fallen(snapshot: &Snapshot) -> u64 {
    let faults = snapshot.faults.iter().filter(|fault| (fault.source, fault.reason) == ("cpu", "counter_decreased"));
    faults.map(|fault| fault.count).sum()
}

#[test]
fn idle_steal_and_iowait_that_fall_make_no_load_and_are_counted() {
    let mut machine = Machine::new();
    machine.spawn(7, b"worker", "/");
    // User, idle, iowait and steal of each processor; the second one goes off line and comes back with less.
    let seconds = [
        ("cpu0 1000 0 0 900000 500 0 0 70000\ncpu1 10 0 0 900000 500 0 0 70000\n", 0),
        ("cpu0 1050 0 0 900050 500 0 0 70000\ncpu1 10 0 0 900100 500 0 0 70000\n", 0),
        ("cpu0 1100 0 0 900100 500 0 0 20000\n", 1),
        ("cpu0 1150 0 0 900150 499 0 0 10\n", 3),
        ("cpu0 1200 0 0 900200 499 0 0 10\ncpu1 10 0 0 40 0 0 0 0\n", 7),
        ("cpu0 1250 0 0 40 500 0 0 5\ncpu1 10 0 0 140 0 0 0 0\n", 9),
    ];
    for (second_number, (lines, decreases)) in seconds.into_iter().enumerate() {
        let snapshot = second(&mut machine, &format!("cpu  1 2 3 4\n{lines}intr 0\nsoftirq 0\n"));
        if second_number == 0 {
            continue;
        }
        let processors = f64::from(snapshot.node.processors);
        assert!(near(snapshot.node.usage_ratio, 0.5 / processors), "{lines}: {}", snapshot.node.usage_ratio);
        assert_eq!(fallen(&snapshot), decreases, "{lines}");
        assert_eq!(package(&snapshot).unattributed_energy, Energy::ZERO, "{lines}");
    }
    let snapshot = second(&mut machine, "cpu  1 2 3 4\ncpu0 1300 0 0 90 500\ncpu1 10 0 0 240\nintr 0\n");
    let worker = process(&snapshot, 7, State::Running);
    assert!(near(joules(worker), package(&snapshot).active_energy.joules()), "{worker:?}");
}
