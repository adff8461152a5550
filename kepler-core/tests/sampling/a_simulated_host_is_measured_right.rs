//! How right the whole chain is on a machine whose truth is known: real processes, real clocks, real
//! cgroups; simulated counters that follow the real CPU use by P = 40 W + 20 W per busy CPU.
#![allow(clippy::unwrap_used, reason = "a machine that cannot be simulated fails the test")]

use kepler_core::attribution::IdlePolicy;
use kepler_core::host::{CpuTimesReader, Host, Timestamp};
use kepler_core::meter::chain::Source;
use kepler_core::sampler::{Sampler, SamplerOptions};
use kepler_core::sim::{FollowedTree, PowerModel, PowercapTree};
use kepler_core::snapshot::{NodeZone, Row, Snapshot};
use kepler_core::units::{Energy, Power, ZoneKind};
use kepler_core::workload::ProcessInfo;
use rustix::process::{Pid, Signal, kill_process};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

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

impl Load {
    /// Works for so long, and rests again.
    fn work_for(&self, duration: Duration) {
        self.signal(Signal::CONT);
        std::thread::sleep(duration);
        self.signal(Signal::STOP);
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.0), signal).unwrap();
    }
}

/// The counters follow the CPU use of the whole machine, whatever causes it, and a tick sees the very reading from which
/// they were made: what else runs is part of the truth.
#[test]
fn node_within_one_percent_and_a_steady_process_within_five() {
    measure_a_steady_process();
}

/// As the test before, on a machine that has no rest.
#[test]
fn a_steady_process_is_charged_right_beside_others_that_take_all_processors() {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let _foreign: Vec<Load> = (0..=processors).map(|_| Load::steady()).collect();
    measure_a_steady_process();
}

fn measure_a_steady_process() {
    let root = tempfile::tempdir().unwrap();
    let mut tree = PowercapTree::create(root.path()).unwrap();
    tree.add_zone("intel-rapl:0", "package-0", Energy::from_joules(1000.0)).unwrap();
    let mut followed = tree.follow(&[("intel-rapl:0", MODEL)]).unwrap();
    let mut sampler = sampler(&followed.host());
    let mut tick = |followed: &mut FollowedTree| {
        let at = Timestamp::now();
        followed.advance(at).unwrap();
        sampler.tick_at(at)
    };

    // Close to its end, so that the counter wraps during the test.
    followed.advance(Timestamp::now()).unwrap();
    followed.tree().reset("intel-rapl:0", Energy::from_joules(262_000.0)).unwrap();
    // Learn: the load changes, until the idle power is known, and a little longer.
    let first = tick(&mut followed);
    let (began, busy_before) = followed.truth();
    let changing = Load::steady();
    let mut learned = 0;
    for round in 0..60u32 {
        let busy = Duration::from_millis(u64::from(round % 6) * 20);
        changing.work_for(busy);
        std::thread::sleep(Duration::from_millis(100) - busy);
        learned += u32::from(zone(&tick(&mut followed)).idle_policy == IdlePolicy::Baseline);
        if learned > 12 {
            break;
        }
    }
    drop(changing);
    // Measure: one process works steadily.
    let load = Load::steady();
    std::thread::sleep(Duration::from_millis(300));
    let before = tick(&mut followed);
    let (from, busy_from) = followed.truth();
    let mut stolen = CpuTimesReader::open(&Host::default()).unwrap();
    let stolen_before = stolen.read().unwrap().steal;
    let mut policies = vec![];
    for _ in 0..10 {
        std::thread::sleep(Duration::from_millis(200));
        policies.push(zone(&tick(&mut followed)).idle_policy);
    }
    let after = tick(&mut followed);
    let (ended, busy_after) = followed.truth();
    let stolen = stolen.read().unwrap().steal - stolen_before;

    let truth = MODEL.energy(ended - began, busy_after - busy_before).joules();
    let measured = (zone(&after).energy - zone(&first).energy).joules();
    println!("node: {measured:.2} J measured, {truth:.2} J true");
    assert!((measured / truth - 1.0).abs() < 0.01, "{measured} J of {truth} J");
    assert_eq!(zone(&after).events.wraps, 1, "the wrap was part of the test");

    // Where the machine showed its idle power, a CPU second costs what it does; where it had no rest, all energy is divided
    // by what processors could have done.
    let all = MODEL.energy(ended - from, busy_after - busy_from).joules();
    let by_ratio = all / ((ended - from).as_secs_f64() * f64::from(after.node.processors));
    let ratios = policies.iter().filter(|policy| **policy != IdlePolicy::Baseline).count();
    let (least, most) = match ratios {
        0 => (20.0, 20.0),
        10 => (by_ratio, by_ratio),
        _ => (by_ratio.min(20.0), by_ratio.max(20.0)),
    };
    // What a hypervisor steals is in the clocks of processes and not in the busy time: all of them get so much less. A tick
    // that comes late to read the clocks divides too little among them, and says of the next that it is unattributed.
    let busy = (busy_after - busy_from).as_secs_f64();
    let part = |of: fn(&NodeZone) -> Energy| (of(zone(&after)) - of(zone(&before))).joules();
    let attributed = 1.0 - part(|zone| zone.unattributed_energy) / part(|zone| zone.active_energy);
    let least = least * attributed * busy / (busy + stolen.as_secs_f64());
    let (from, to) = (row(&before, load.0.id()), row(&after, load.0.id()));
    let seconds = (to.cpu_time - from.cpu_time).as_secs_f64();
    let joules = (to.energy[ZoneKind::Package] - from.energy[ZoneKind::Package]).joules() / seconds;
    println!(
        "process: {joules:.3} J per CPU second over {seconds:.2} s, {least:.3} to {most:.3} true; {ratios} of 10 by ratio"
    );
    assert!(joules > least * 0.95 && joules < most * 1.05, "{joules} J per CPU second, {least} to {most} true");
}
