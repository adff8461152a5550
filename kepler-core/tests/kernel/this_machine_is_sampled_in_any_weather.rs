//! Sampling this very machine while it does its worst.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use kepler_core::host::Host;
use kepler_core::meter::fake::Fake;
use kepler_core::sampler::{Sampler, SamplerOptions};
use kepler_core::snapshot::Snapshot;
use kepler_core::units::{Energy, ZoneKind};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

struct Children(Vec<Child>);

impl Children {
    fn start(count: usize, program: &str, arguments: &[&str]) -> Self {
        let start =
            || Command::new(program).args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).spawn().unwrap();
        Children((0..count).map(|_| start()).collect())
    }
}

impl Drop for Children {
    fn drop(&mut self) {
        for child in &mut self.0 {
            let _ = child.kill();
        }
        for child in &mut self.0 {
            let _ = child.wait();
        }
    }
}

fn sampler() -> Sampler {
    Sampler::with_meter(&Host::default(), Box::new(Fake::default()), &SamplerOptions::default()).unwrap()
}

fn assert_balanced(before: &Snapshot, snapshot: &Snapshot) {
    for (kind, zone) in snapshot.node.zones() {
        let processes: Energy = snapshot.processes.iter().map(|row| row.energy[kind]).sum();
        let parts = processes + zone.short_lived_energy + zone.unattributed_energy + zone.unlisted_energy;
        assert_eq!(zone.active_energy, parts, "{kind}");
        assert_eq!(zone.energy, zone.active_energy + zone.idle_energy, "{kind}");
        let earlier = before.node.zones[kind].as_ref().unwrap();
        assert!(zone.energy >= earlier.energy && zone.unattributed_energy >= earlier.unattributed_energy, "{kind}");
        assert!(zone.active_energy >= earlier.active_energy && zone.idle_energy >= earlier.idle_energy, "{kind}");
    }
    for row in &snapshot.processes {
        let same = |other: &&_| std::sync::Arc::ptr_eq(&row.info, &(*other as &kepler_core::snapshot::Row<_>).info);
        if let Some(earlier) = before.processes.iter().find(same) {
            assert!(row.energy[ZoneKind::Package] >= earlier.energy[ZoneKind::Package], "{:?}", row.info);
        }
    }
}

fn faults(snapshot: &Snapshot) -> u64 {
    snapshot.faults.iter().filter(|fault| fault.reason != "permission_denied").map(|fault| fault.count).sum()
}

#[test]
fn a_storm_of_forks_unbalances_nothing_and_is_no_fault() {
    let mut sampler = sampler();
    let mut before = sampler.tick();
    // Forks of a shell end at once: thousands a second, most of which no tick ever sees.
    let storm = Children::start(4, "sh", &["-c", "while :; do (:); done"]);
    for _ in 0..60 {
        std::thread::sleep(Duration::from_millis(30));
        let snapshot = sampler.tick();
        assert_balanced(&before, &snapshot);
        before = snapshot;
    }
    assert_eq!(faults(&before), 0, "{:?}", before.faults);
    assert!(storm.0.iter().all(|shell| before.processes.iter().any(|row| row.info.pid == shell.id())));
}

#[test]
fn processes_cost_no_descriptors() {
    let mut sampler = sampler();
    sampler.tick();
    let descriptors = || std::fs::read_dir("/proc/self/fd").unwrap().count();
    let before = descriptors();
    let sleepers = Children::start(150, "sleep", &["60"]);
    let snapshot = sampler.tick();
    assert!(sleepers.0.iter().all(|sleeper| snapshot.processes.iter().any(|row| row.info.pid == sleeper.id())));
    // Cgroups have one each, and other tests of this program may open some.
    assert!(descriptors() < before + 50, "{before} descriptors have become {}", descriptors());
}
