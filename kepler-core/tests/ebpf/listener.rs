//! A source that sums up what it is reported, and what is near enough.

use crate::worker;
use kepler_core::host::{Host, Timestamp};
use kepler_core::usage::ebpf::{Ebpf, EbpfOptions};
use kepler_core::usage::{DomainWork, TaskReport, TaskUsage, Usage, UsageSource};
use std::fs::File;
use std::time::Duration;

/// A source that sums up what it is reported.
pub(crate) struct Listener {
    pub(crate) _alone: File,
    pub(crate) source: Ebpf,
    pub(crate) usage: Usage,
    pub(crate) directory: tempfile::TempDir,
    /// By name, of processes that were never listed.
    pub(crate) passed_ns: u64,
    pub(crate) passed: u64,
    /// By number.
    pub(crate) used_ns: u64,
    pub(crate) lost: u64,
    pub(crate) lost_ns: u64,
    pub(crate) overflowed: u64,
}

/// One test at a time on this machine: together they would fill it, what they wait for would come late, and each is reported of
/// the others' processes as well, which have the same names in another run of these tests. Held while the file is open.
pub(crate) fn alone() -> File {
    let file = File::open(std::env::temp_dir()).unwrap();
    file.lock().unwrap();
    file
}

impl Listener {
    pub(crate) fn open() -> Option<Self> {
        Self::with(&EbpfOptions::default())
    }

    pub(crate) fn with(options: &EbpfOptions) -> Option<Self> {
        let alone = alone();
        let source = match Ebpf::open(&Host::default(), options) {
            Ok(source) => source,
            Err(unavailable) => {
                // A program that is faulty is no reason to skip.
                assert!(!unavailable.reason.contains("does not load"), "{unavailable}");
                eprintln!("SKIPPED: {unavailable}");
                return None;
            }
        };
        let directory = tempfile::tempdir().unwrap();
        let mut listener = Listener {
            _alone: alone,
            source,
            usage: Usage::default(),
            directory,
            passed_ns: 0,
            passed: 0,
            used_ns: 0,
            lost: 0,
            lost_ns: 0,
            overflowed: 0,
        };
        listener.collect("", 0);
        Some(listener)
    }

    pub(crate) fn start(&self, name: &str, task: &str) -> worker::Worker {
        worker::start(self.directory.path(), name, task)
    }

    /// Collects once, and adds up what is of this name or number.
    pub(crate) fn collect(&mut self, name: &str, pid: u32) {
        self.source.collect(Timestamp::now(), &mut self.usage).unwrap();
        for work in self.usage.short_lived.iter().filter(|work| is(&work.comm, name)) {
            self.passed_ns += work.work.time_ns;
            self.passed += work.processes;
        }
        let named = self.usage.reports.iter().zip(&self.usage.tasks);
        self.used_ns += named
            .filter(|(report, task)| task.pid == pid || (pid == 0 && is(&report.comm, name)))
            .map(|(report, _)| report.used_ns)
            .sum::<u64>();
        self.lost += self.usage.lost;
        self.lost_ns += self.usage.lost_ns;
        self.overflowed += self.usage.overflowed;
    }

    /// Collects until a process is reported so.
    pub(crate) fn collect_until(&mut self, pid: u32, what: &str, is_so: impl Fn(&TaskReport) -> bool) {
        for _ in 0..3000 {
            self.collect("", 0);
            if self.find(pid).is_some_and(|(_, report)| is_so(&report)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("{pid} is not reported as {what}: {:?}", self.find(pid));
    }

    pub(crate) fn all(&self) -> Duration {
        Duration::from_nanos(self.used_ns + self.passed_ns)
    }

    pub(crate) fn find(&self, pid: u32) -> Option<(TaskUsage, TaskReport)> {
        let position = self.usage.tasks.iter().rposition(|task| task.pid == pid)?;
        Some((self.usage.tasks[position], self.usage.reports[position]))
    }

    pub(crate) fn by_domain(&self, pid: u32) -> Vec<DomainWork> {
        self.usage.by_domain.iter().filter(|work| work.pid == pid).copied().collect()
    }
}

pub(crate) fn is(comm: &[u8; 16], name: &str) -> bool {
    !name.is_empty() && comm.starts_with(name.as_bytes()) && comm[name.len()] == 0
}

/// The kernel rounds `rusage` to microseconds, and stops counting a little before the last switch.
pub(crate) fn is_near(reported: Duration, truth: Duration, permille: u32) -> bool {
    reported.abs_diff(truth) <= truth * permille / 1000 + Duration::from_micros(30)
}

/// Never more than was used. Some virtual machines hide their agents' switches from tracing, so that a slice may be missing.
pub(crate) fn assert_most(reported: Duration, truth: Duration, percent: u32) {
    let most = truth * 1005 / 1000 + Duration::from_micros(30);
    assert!(reported <= most && reported >= truth * percent / 100, "reported {reported:?}, true {truth:?}");
}
