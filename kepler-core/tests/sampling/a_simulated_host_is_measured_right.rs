//! How right the whole chain is on a machine whose truth is known: real processes, real clocks, real
//! cgroups; simulated counters that follow the real CPU use by P = 40 W + 20 W per busy CPU.
#![allow(clippy::unwrap_used, reason = "a machine that cannot be simulated fails the test")]

use kepler_core::attribution::IdlePolicy;
use kepler_core::host::Host;
use kepler_core::meter::chain::Source;
use kepler_core::sampler::{Sampler, SamplerOptions};
use kepler_core::sim::{PowerModel, PowercapTree};
use kepler_core::snapshot::{NodeZone, Row, Snapshot};
use kepler_core::units::{Energy, Power, ZoneKind};
use kepler_core::workload::ProcessInfo;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const MODEL: PowerModel = PowerModel { idle: Power::from_watts(40.0), per_cpu: Power::from_watts(20.0) };

fn sampler(host: &Host) -> Sampler {
    let options = SamplerOptions::default().with(|options| options.chain.sources = vec![Source::Powercap]);
    Sampler::new(host, options).unwrap()
}

fn zone(snapshot: &Snapshot) -> &NodeZone {
    snapshot.node.zones[ZoneKind::Package].as_ref().unwrap()
}

fn row(snapshot: &Snapshot, pid: u32) -> &Row<ProcessInfo> {
    snapshot.processes.iter().find(|row| row.info.pid == pid).unwrap()
}

/// A process that keeps one CPU busy for a share of the time.
struct Load(Child);

impl Load {
    fn steady() -> Self {
        Load(Command::new("sh").args(["-c", "while :; do :; done"]).stdout(Stdio::null()).spawn().unwrap())
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn spin(duration: Duration) {
    let start = Instant::now();
    while start.elapsed() < duration {
        std::hint::black_box(start);
    }
}

/// One test, not several: the machine's CPU use is shared by everything that runs on it.
#[test]
fn node_within_one_percent_and_a_steady_process_within_five() {
    let root = tempfile::tempdir().unwrap();
    let mut tree = PowercapTree::create(root.path()).unwrap();
    // Close to its end, so that the counter wraps during the test.
    tree.add_zone("intel-rapl:0", "package-0", Energy::from_joules(262_000.0)).unwrap();
    let driver = tree.drive(&[("intel-rapl:0", MODEL)], Duration::from_millis(5)).unwrap();
    let mut sampler = sampler(&driver.host());

    // Learn: the load changes, until the idle power is known, and a little longer.
    let (began, busy_before) = driver.truth();
    let first = sampler.tick();
    let mut rounds_left = 150u32;
    let mut learned = 0;
    while learned < 24 && rounds_left > 0 {
        rounds_left -= 1;
        let busy = Duration::from_millis(u64::from(rounds_left % 6) * 80);
        spin(busy);
        std::thread::sleep(Duration::from_millis(400) - busy);
        learned += u32::from(zone(&sampler.tick()).idle_policy == IdlePolicy::Baseline);
    }
    // Measure: one process works steadily.
    let load = Load::steady();
    std::thread::sleep(Duration::from_millis(300));
    let before = sampler.tick();
    for _ in 0..10 {
        std::thread::sleep(Duration::from_millis(500));
        sampler.tick();
    }
    let after = sampler.tick();
    let (ended, busy_after) = driver.truth();

    let truth = MODEL.energy(ended - began, busy_after - busy_before).joules();
    let measured = (zone(&after).energy - zone(&first).energy).joules();
    println!("node: {measured:.2} J measured, {truth:.2} J true");
    assert!((measured / truth - 1.0).abs() < 0.01, "{measured} J of {truth} J");
    assert_eq!(zone(&after).events.wraps, 1, "the wrap was part of the test");

    if zone(&before).idle_policy != IdlePolicy::Baseline {
        println!("process: NOT CHECKED. This machine was too busy with other work for a minute to show its idle power");
        return;
    }
    let (from, to) = (row(&before, load.0.id()), row(&after, load.0.id()));
    let seconds = (to.cpu_time - from.cpu_time).as_secs_f64();
    let joules = (to.energy[ZoneKind::Package] - from.energy[ZoneKind::Package]).joules();
    println!("process: {:.2} J per CPU second over {seconds:.2} s", joules / seconds);
    assert!((joules / seconds / 20.0 - 1.0).abs() < 0.05, "{} J per CPU second", joules / seconds);
}
