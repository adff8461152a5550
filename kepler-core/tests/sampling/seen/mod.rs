//! A machine of two processors whose work a scripted source tells, with its place and its counters.
#![allow(clippy::unwrap_used, reason = "a machine that cannot be simulated fails the test")]

use crate::machine::{Machine, Setup};
use kepler_core::host::Timestamp;
use kepler_core::snapshot::Snapshot;
use kepler_core::units::Energy;
use kepler_core::usage::{DomainWork, TaskUsage, Usage, UsageSource, Work};
use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex};

const TICK_NS: u64 = 10_000_000;

/// A usage source with given answers.
#[derive(Clone, Default)]
struct Scripted(Arc<Mutex<Script>>);

#[derive(Default)]
pub(crate) struct Script {
    pub(crate) totals: BTreeMap<u32, u64>,
    pub(crate) by_domain: Vec<DomainWork>,
}

impl UsageSource for Scripted {
    fn name(&self) -> &'static str {
        "scripted"
    }

    fn collect(&mut self, _at: Timestamp, usage: &mut Usage) -> io::Result<()> {
        let mut script = self.0.lock().unwrap();
        usage.clear();
        usage.tasks.extend(script.totals.iter().map(|(&pid, &cpu_time_ns)| TaskUsage::new(pid, 1, cpu_time_ns)));
        usage.by_domain.append(&mut script.by_domain);
        usage.by_domain.sort_by_key(|work| (work.pid, work.domain));
        Ok(())
    }
}

/// Two processors, each in a domain of its own, and what a source sees of them.
pub(crate) struct Seen {
    pub(crate) machine: Machine,
    pub(crate) script: Arc<Mutex<Script>>,
}

impl Seen {
    pub(crate) fn new(setup: Setup) -> Self {
        let source = Scripted::default();
        let script = Arc::clone(&source.0);
        Seen { machine: Machine::of(Setup { usage_source: Some(Box::new(source)), ..setup }), script }
    }

    pub(crate) fn two_sockets(setup: Setup) -> Self {
        Self::new(Setup { second_socket: true, packages: Some([0, 1]), ..setup })
    }

    pub(crate) fn spawn(&mut self, pid: u32, cgroup: &str) {
        self.machine.spawn(pid, b"worker", cgroup);
        self.script.lock().unwrap().totals.insert(pid, 0);
    }

    /// A process works on a processor, which is also the domain.
    pub(crate) fn work(
        &mut self,
        pid: u32,
        processor: u16,
        ticks: u64,
        cgroup: Option<&str>,
        count: impl FnOnce(&mut Work),
    ) {
        self.machine.processes.work_on(processor.into(), pid, ticks, cgroup).unwrap();
        let mut work = Work::of_time(ticks * TICK_NS);
        count(&mut work);
        let mut script = self.script.lock().unwrap();
        *script.totals.get_mut(&pid).unwrap() += work.time_ns;
        script.by_domain.push(DomainWork::new(pid, processor, work));
    }

    pub(crate) fn idle(&mut self, processor: usize, ticks: u64) {
        self.machine.processes.rest_on(processor, ticks).unwrap();
    }

    pub(crate) fn draw(&mut self, zones: &[(&str, f64)]) {
        for (zone, joules) in zones {
            self.machine.tree.draw(zone, Energy::from_joules(*joules)).unwrap();
        }
    }

    pub(crate) fn exit(&mut self, pid: u32) {
        self.machine.processes.exit(pid).unwrap();
        self.script.lock().unwrap().totals.remove(&pid);
    }

    pub(crate) fn tick(&mut self) -> Arc<Snapshot> {
        self.machine.tick(1.0)
    }
}
