use super::*;
use kepler_core::meter::Method;
use kepler_core::snapshot::{NodeZone, Row, State};
use kepler_core::units::ZoneKind;
use kepler_core::workload::ProcessInfo;
use proptest::prelude::*;
use std::collections::BTreeMap;

const STEP: Duration = Duration::from_secs(5);

/// Events of a machine and of its observer.
#[derive(Clone, Debug)]
enum Event {
    /// A process (by its place among all) uses energy and CPU time: microjoules, microseconds.
    Work(usize, u64, u64),
    /// A new process begins, under the number of one that ended where there is one.
    Begin,
    /// A process ends. It is listed once more.
    End(usize),
    /// The machine sleeps, or is not looked at.
    Gap,
    /// The sampler starts again: its counters begin at zero, the kernel's CPU times go on.
    Restart,
    /// A snapshot is read, and committed or not.
    Look(bool),
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let event = prop_oneof![
        4 => (0..6usize, 0..1_000_000u64, 0..1_000_000u64).prop_map(|(who, energy, time)| Event::Work(who, energy, time)),
        1 => Just(Event::Begin),
        1 => (0..6usize).prop_map(Event::End),
        1 => Just(Event::Gap),
        1 => Just(Event::Restart),
        3 => prop::bool::weighted(0.8).prop_map(Event::Look),
    ];
    prop::collection::vec(event, 1..80)
}

struct Process {
    pid: u32,
    start: u64,
    energy: u64,
    cpu_time: Duration,
    state: State,
}

/// A machine with the truth of what was used on it.
struct Machine {
    at: Timestamp,
    sequence: u64,
    node: u64,
    processes: Vec<Process>,
    free: Vec<u32>,
    starts: u64,
}

impl Machine {
    fn new() -> Self {
        let boot = Duration::from_secs(1_000_000);
        let wall = std::time::SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        let at = Timestamp { monotonic: boot, boottime: boot, wall };
        let mut machine = Machine { at, sequence: 1, node: 0, processes: Vec::new(), free: Vec::new(), starts: 0 };
        machine.begin();
        machine
    }

    fn begin(&mut self) {
        self.starts += 1;
        let pid = self.free.pop().unwrap_or(self.starts as u32);
        let (start, state) = (self.starts, State::Running);
        self.processes.push(Process { pid, start, energy: 0, cpu_time: Duration::ZERO, state });
    }

    fn running(&mut self, who: usize) -> Option<&mut Process> {
        let running: Vec<&mut Process> =
            self.processes.iter_mut().filter(|process| process.state == State::Running).collect();
        let count = running.len().max(1);
        running.into_iter().nth(who % count)
    }

    fn pass(&mut self, time: Duration) {
        self.at = self.at.advanced(time);
    }

    fn snapshot(&self) -> Snapshot {
        let mut snapshot = Snapshot::empty(self.at);
        (snapshot.sequence, snapshot.interval, snapshot.node.processors) = (self.sequence, STEP, 8);
        let mut zone = NodeZone::new("package-0", "fake", Method::Measured);
        zone.energy = Energy::from_microjoules(self.node);
        zone.active_energy = zone.energy;
        snapshot.node.zones[ZoneKind::Package] = Some(zone);
        snapshot.processes = self
            .processes
            .iter()
            .map(|process| {
                let mut row = Row::new(ProcessInfo::new(process.pid, process.start, "work"), process.state);
                row.energy[ZoneKind::Package] = Energy::from_microjoules(process.energy);
                row.cpu_time = process.cpu_time;
                row
            })
            .collect();
        snapshot
    }
}

/// Microjoules by identity, and of the node.
#[derive(Debug, Default, PartialEq)]
struct Sums {
    energy: BTreeMap<String, u64>,
    cpu_time: BTreeMap<String, Duration>,
    node: u64,
}

impl Sums {
    /// Moves all of `other` in.
    fn add(&mut self, other: &mut Sums) {
        let Sums { energy, cpu_time, node } = std::mem::take(other);
        self.node += node;
        for (uid, energy) in energy.into_iter().filter(|(_, energy)| *energy > 0) {
            *self.energy.entry(uid).or_default() += energy;
        }
        for (uid, time) in cpu_time.into_iter().filter(|(_, time)| !time.is_zero()) {
            *self.cpu_time.entry(uid).or_default() += time;
        }
    }
}

/// Plays events; returns what was truly used since the first look up to the last commit, and what a differ said.
fn play(events: &[Event]) -> (Sums, Sums) {
    let (mut machine, mut differ) = (Machine::new(), Differ::<()>::default());
    // What no snapshot has shown yet, and what none that was committed has.
    let (mut unseen, mut pending) = (Sums::default(), Sums::default());
    let (mut truth, mut reported) = (Sums::default(), Sums::default());
    for event in events.iter().chain([&Event::Look(true)]) {
        match *event {
            Event::Work(who, energy, time) => {
                let is_followed = differ.committed().is_some();
                let Some(process) = machine.running(who) else { continue };
                process.energy += energy;
                process.cpu_time += Duration::from_micros(time);
                let uid = format!("{}/{}", process.pid, process.start);
                machine.node += energy;
                if is_followed {
                    *unseen.energy.entry(uid.clone()).or_default() += energy;
                    *unseen.cpu_time.entry(uid).or_default() += Duration::from_micros(time);
                    unseen.node += energy;
                }
            }
            Event::Begin => machine.begin(),
            Event::End(who) => {
                if let Some(process) = machine.running(who) {
                    process.state = State::Terminated;
                }
            }
            Event::Gap => machine.pass(Duration::from_secs(3600)),
            Event::Restart => {
                (machine.sequence, machine.node) = (0, 0);
                // The sampler that ended took what it had not shown with it, and so did those that ended unseen.
                (unseen.energy, unseen.node) = (BTreeMap::new(), 0);
                for process in machine.processes.iter().filter(|process| process.state == State::Terminated) {
                    unseen.cpu_time.remove(&format!("{}/{}", process.pid, process.start));
                }
                machine.processes.retain(|process| process.state == State::Running);
                machine.processes.iter_mut().for_each(|process| process.energy = 0);
            }
            Event::Look(commit) => {
                machine.pass(STEP);
                machine.sequence += 1;
                let snapshot = machine.snapshot();
                let order = differ.order(&snapshot);
                let zones = differ.zones_used(&snapshot, order);
                let mut read = Sums::default();
                differ.read(&snapshot, order, |change| {
                    let uid = change.uid.to_owned();
                    read.energy.insert(uid.clone(), change.used.energy[ZoneKind::Package].microjoules());
                    read.cpu_time.insert(uid, change.used.cpu_time);
                });
                pending.add(&mut unseen);
                // One that ended is listed once.
                let ended = |process: &Process| process.state == State::Terminated;
                machine
                    .free
                    .extend(machine.processes.iter().filter(|process| ended(process)).map(|process| process.pid));
                machine.processes.retain(|process| !ended(process));
                if !commit {
                    continue;
                }
                read.node = zones[ZoneKind::Package].map_or(0, |zone| zone.energy.microjoules());
                reported.add(&mut read);
                differ.commit(&snapshot);
                truth.add(&mut pending);
            }
        }
    }
    (truth, reported)
}

proptest! {
    #[test]
    fn whatever_is_used_is_reported_once_through_restarts_gaps_reused_numbers_and_failed_commits(events in events()) {
        let (truth, reported) = play(&events);
        prop_assert_eq!(truth, reported);
    }
}

#[test]
fn the_same_snapshot_again_is_nothing_and_one_of_the_same_number_at_another_time_is_a_restart() {
    let mut machine = Machine::new();
    let mut differ = Differ::<()>::default();
    let first = machine.snapshot();
    assert_eq!(differ.order(&first), Order::First);
    differ.read(&first, Order::First, |change| assert!(change.used.is_zero()));
    differ.commit(&first);
    assert_eq!(differ.order(&first), Order::Same);
    machine.pass(STEP);
    assert_eq!(differ.order(&machine.snapshot()), Order::Restarted);
    machine.sequence += 1;
    assert_eq!(differ.order(&machine.snapshot()), Order::Next);
}

#[test]
fn use_after_a_restart_is_known_since_the_new_samplers_first_reading_only() {
    let mut machine = Machine::new();
    let mut differ = Differ::<()>::default();
    machine.sequence = 100;
    let before = machine.snapshot();
    differ.read(&before, Order::First, |_| {});
    differ.commit(&before);
    machine.sequence = 3;
    machine.pass(Duration::from_secs(60));
    let after = machine.snapshot();
    assert_eq!(differ.order(&after), Order::Restarted);
    assert_eq!(differ.known_for(&after, Order::Restarted), STEP * 2);
}

#[test]
fn cpu_time_of_before_we_looked_is_none_of_ours() {
    let mut machine = Machine::new();
    let mut differ = Differ::<()>::default();
    let first = machine.snapshot();
    differ.read(&first, Order::First, |_| {});
    differ.commit(&first);
    machine.begin();
    machine.processes[1].cpu_time = Duration::from_secs(86_400);
    machine.pass(STEP);
    machine.sequence += 1;
    let second = machine.snapshot();
    differ.read(&second, Order::Next, |change| assert_eq!(change.used.cpu_time, Duration::ZERO));
}
