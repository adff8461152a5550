//! How a source that reports only changes, exits and short-lived processes is accounted for. Needs the feature `sim`.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use crate::machine::{Machine, PACKAGE, Setup, joules, near, package, process};
use kepler_core::host::Timestamp;
use kepler_core::snapshot::{Row, Snapshot, State};
use kepler_core::units::Energy;
use kepler_core::usage::{CgroupId, Comm, DomainWork, ShortLivedWork, TaskReport, TaskUsage, Usage, UsageSource, Work};
use kepler_core::workload::CommandInfo;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::sync::{Arc, Mutex};

const TICK_NS: u64 = 10_000_000;

/// A source that reports each entry of its script once.
#[derive(Clone, Default)]
struct Scripted(Arc<Mutex<Vec<(TaskUsage, TaskReport)>>>, Arc<Mutex<Vec<ShortLivedWork>>>);

impl UsageSource for Scripted {
    fn name(&self) -> &'static str {
        "scripted"
    }

    fn collect(&mut self, _at: Timestamp, usage: &mut Usage) -> io::Result<()> {
        usage.clear();
        usage.changes_only = true;
        for (task, report) in self.0.lock().unwrap().drain(..) {
            usage.tasks.push(task);
            usage.reports.push(report);
            usage.by_domain.push(DomainWork::new(task.pid, 0, work(report.used_ns)));
        }
        usage.short_lived.append(&mut self.1.lock().unwrap());
        Ok(())
    }
}

fn work(time_ns: u64) -> Work {
    Work::of_time(time_ns)
}

fn comm(name: &str) -> Comm {
    let mut comm = Comm::default();
    comm[..name.len()].copy_from_slice(name.as_bytes());
    comm
}

struct Node {
    machine: Machine,
    script: Scripted,
    totals: std::collections::BTreeMap<u32, u64>,
}

impl Node {
    fn new() -> Self {
        let script = Scripted::default();
        let setup = Setup { usage_source: Some(Box::new(script.clone())), ..Setup::default() };
        let mut node = Node { machine: Machine::of(setup), script, totals: Default::default() };
        node.machine.tick(1.0);
        node
    }

    /// A process works for some ticks, and may end after that.
    fn works(&mut self, pid: u32, name: &str, ticks: u64, has_ended: bool) {
        self.machine.processes.work_unseen(ticks, None).unwrap();
        let total = self.totals.entry(pid).or_default();
        *total += ticks * TICK_NS;
        let task = TaskUsage::new(pid, 1, *total);
        let mut report = TaskReport::new(ticks * TICK_NS, comm(name), CgroupId(0));
        report.has_ended = has_ended;
        self.script.0.lock().unwrap().push((task, report));
    }

    /// Processes come and go, and work for some ticks.
    fn passes(&mut self, name: &str, ticks: u64, cgroup: Option<&str>) {
        self.machine.processes.work_unseen(ticks, cgroup).unwrap();
        let directory = cgroup.map(|cgroup| {
            let host = self.machine.processes.host(self.machine.tree.sysfs());
            CgroupId(std::fs::metadata(host.cgroup().join(&cgroup[1..])).unwrap().ino())
        });
        let entry = ShortLivedWork::new(comm(name), directory.unwrap_or_default(), 0, 1, work(ticks * TICK_NS));
        self.script.1.lock().unwrap().push(entry);
    }

    /// A second goes by, in which the package draws `joules` and no other process works.
    fn tick(&mut self, joules: f64, idle_ticks: u64) -> Arc<Snapshot> {
        self.machine.tree.draw(PACKAGE, Energy::from_joules(joules)).unwrap();
        self.machine.processes.rest(idle_ticks).unwrap();
        self.machine.tick(1.0)
    }
}

fn command<'a>(snapshot: &'a Snapshot, name: &str) -> Option<&'a Row<CommandInfo>> {
    snapshot.commands.iter().find(|row| row.info.comm == name)
}

#[test]
fn who_is_not_told_of_lives_on_and_costs_nothing() {
    let mut node = Node::new();
    node.machine.spawn(7, b"sleeper", "/");
    node.machine.spawn(9, b"worker", "/");
    node.works(7, "sleeper", 50, false);
    node.works(9, "worker", 50, false);
    let snapshot = node.tick(100.0, 100);
    assert!(near(joules(process(&snapshot, 7, State::Running)), 25.0), "{:?}", snapshot.processes);
    node.works(9, "worker", 100, false);
    let snapshot = node.tick(100.0, 100);
    let sleeper = process(&snapshot, 7, State::Running).unwrap();
    assert!(near(joules(Some(sleeper)), 25.0) && sleeper.power.iter().all(|(_, power)| power.watts() == 0.0));
    assert!(near(joules(process(&snapshot, 9, State::Running)), 75.0));
}

#[test]
fn who_ended_is_charged_to_the_end_and_then_terminated() {
    let mut node = Node::new();
    node.machine.spawn(7, b"worker", "/");
    node.works(7, "worker", 50, false);
    node.tick(100.0, 150);
    node.machine.processes.exit(7).unwrap();
    node.works(7, "worker", 100, true);
    let snapshot = node.tick(100.0, 100);
    assert!(process(&snapshot, 7, State::Running).is_none());
    let row = process(&snapshot, 7, State::Terminated).unwrap();
    assert!(near(joules(Some(row)), 75.0) && row.cpu_time.as_millis() == 1500, "{row:?}");
}

#[test]
fn passers_by_are_charged_by_name_and_to_their_container_once() {
    let mut node = Node::new();
    let cgroup = format!("/docker/{}", "a1".repeat(32));
    node.machine.spawn(7, b"sh", &cgroup);
    node.works(7, "sh", 10, false);
    node.tick(20.0, 190);
    for round in 1..=3u32 {
        node.passes("true", 80, Some(&cgroup));
        node.passes("make", 20, None);
        let snapshot = node.tick(100.0, 100);
        let row = command(&snapshot, "true").unwrap();
        assert!(near(joules(Some(row)), 40.0 * f64::from(round)), "{row:?}");
        assert_eq!(row.info.container.as_ref().unwrap().id, "a1".repeat(32));
        assert!(near(joules(command(&snapshot, "make")), 10.0 * f64::from(round)));
        // The cgroup's accounting shows the same work, and it is not charged a second time.
        assert!(near(joules(snapshot.containers.first()), 1.0 + 40.0 * f64::from(round)), "{:?}", snapshot.containers);
        let short_lived = package(&snapshot).short_lived_energy.joules();
        assert!(near(short_lived, 50.0 * f64::from(round)), "{short_lived}");
    }
}

#[test]
fn a_process_that_ended_before_it_could_be_identified_is_charged_by_name() {
    let mut node = Node::new();
    // There is no such process any more when its turn comes.
    node.works(7, "flash", 60, false);
    let snapshot = node.tick(100.0, 140);
    assert!(snapshot.processes.is_empty());
    assert!(near(joules(command(&snapshot, "flash")), 30.0), "{:?}", snapshot.commands);
}

#[test]
fn sums_are_bounded_and_what_has_no_name_is_still_booked() {
    let mut node = Node::new();
    for number in 0..1500 {
        node.passes(&format!("c{number}"), 1, None);
    }
    let snapshot = node.tick(200.0, 0);
    assert_eq!(snapshot.commands.len(), 1000);
    assert!(package(&snapshot).short_lived_energy.joules() >= package(&snapshot).active_energy.joules() / 2.0);
    let named: Energy = snapshot.commands.iter().map(|row| row.energy[kepler_core::units::ZoneKind::Package]).sum();
    assert!(named < package(&snapshot).short_lived_energy);
}

#[test]
fn many_names_are_distinguished_when_others_have_gone() {
    let mut node = Node::new();
    let cgroup = format!("/docker/{}", "a1".repeat(32));
    node.machine.spawn(7, b"sh", &cgroup);
    for number in 0..400 {
        node.passes(&format!("early{number}"), 1, None);
    }
    node.tick(100.0, 0);
    let mut reported = Vec::new();
    for second in 1..=700u32 {
        // The same name in a container and outside is two sums; domains in the table move when the early ones go.
        node.passes("true", 10, Some(&cgroup));
        node.passes("true", 30, None);
        let snapshot = node.tick(40.0, 60);
        reported = snapshot
            .commands
            .iter()
            .map(|row| (row.info.comm.clone(), row.info.container.is_some(), joules(Some(row))))
            .collect();
        if !reported.iter().any(|(name, ..)| name.starts_with("early")) {
            assert!(second > 1);
            break;
        }
    }
    reported.sort_by(|one, other| one.2.total_cmp(&other.2));
    let [(_, true, inside), (_, false, outside)] = reported.as_slice() else { panic!("{reported:?}") };
    assert!((outside / inside - 3.0).abs() < 0.01, "{reported:?}");
}
