//! What the BPF program tells, against what the kernel says of each process when it has ended.
//!
//! CPU time is compared with CPU time, so a busy machine changes nothing. Where the kernel does not let us
//! load the program, each test says so and passes.
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "a test fails by panicking")]

mod worker;

use kepler_core::host::{Host, Timestamp};
use kepler_core::usage::ebpf::{Counting, Ebpf, EbpfOptions};
use kepler_core::usage::{PlacedWork, TaskUsage, Told, Usage, UsageSource};
use std::time::Duration;

/// A source that sums up what it is told.
struct Listener {
    source: Ebpf,
    usage: Usage,
    directory: tempfile::TempDir,
    /// By name, of processes that nobody saw.
    passed_ns: u64,
    passed: u64,
    /// By number.
    used_ns: u64,
    lost: u64,
    lost_ns: u64,
    crowded: u64,
}

impl Listener {
    fn open() -> Option<Self> {
        Self::with(&EbpfOptions::default())
    }

    fn with(options: &EbpfOptions) -> Option<Self> {
        let source = match Ebpf::open(&Host::default(), options) {
            Ok(source) => source,
            Err(refusal) => {
                eprintln!("SKIPPED: {refusal}");
                return None;
            }
        };
        let directory = tempfile::tempdir().unwrap();
        let mut listener = Listener {
            source,
            usage: Usage::default(),
            directory,
            passed_ns: 0,
            passed: 0,
            used_ns: 0,
            lost: 0,
            lost_ns: 0,
            crowded: 0,
        };
        listener.collect("", 0);
        Some(listener)
    }

    fn start(&self, name: &str, task: &str) -> worker::Worker {
        worker::start(self.directory.path(), name, task)
    }

    /// Collects once, and adds up what is of this name or number.
    fn collect(&mut self, name: &str, pid: u32) {
        self.source.collect(Timestamp::now(), &mut self.usage).unwrap();
        for passed in self.usage.passed.iter().filter(|passed| is(&passed.comm, name)) {
            self.passed_ns += passed.work.time_ns;
            self.passed += passed.processes;
        }
        let named = self.usage.told.iter().zip(&self.usage.tasks);
        self.used_ns += named
            .filter(|(told, task)| task.pid == pid || (pid == 0 && is(&told.comm, name)))
            .map(|(told, _)| told.used_ns)
            .sum::<u64>();
        self.lost += self.usage.lost;
        self.lost_ns += self.usage.lost_ns;
        self.crowded += self.usage.crowded;
    }

    fn all(&self) -> Duration {
        Duration::from_nanos(self.used_ns + self.passed_ns)
    }

    fn find(&self, pid: u32) -> Option<(TaskUsage, Told)> {
        let position = self.usage.tasks.iter().rposition(|task| task.pid == pid)?;
        Some((self.usage.tasks[position], self.usage.told[position]))
    }

    fn placed(&self, pid: u32) -> Vec<PlacedWork> {
        self.usage.placed.iter().filter(|placed| placed.pid == pid).copied().collect()
    }
}

fn is(comm: &[u8; 16], name: &str) -> bool {
    !name.is_empty() && comm.starts_with(name.as_bytes()) && comm[name.len()] == 0
}

/// The kernel rounds `rusage` to microseconds, and stops counting a little before the last switch.
fn assert_near(told: Duration, truth: Duration, permille: u32) {
    let off = told.abs_diff(truth);
    assert!(off <= truth * permille / 1000 + Duration::from_micros(30), "told {told:?}, true {truth:?}");
}

#[test]
fn a_process_of_20_ms_that_came_and_went_unseen_is_told_by_name() {
    let Some(mut listener) = Listener::open() else { return };
    for round in 0..10 {
        let name = format!("kburn-one-{round}");
        let truth = listener.start(&name, "burn 1 20").end();
        (listener.passed, listener.passed_ns, listener.used_ns) = (0, 0, 0);
        listener.collect(&name, 0);
        assert_eq!((listener.passed, listener.used_ns), (1, 0));
        assert_near(listener.all(), truth, 5);
    }
}

#[test]
fn all_threads_are_counted_also_those_that_ended_before_the_others() {
    let Some(mut listener) = Listener::open() else { return };
    for round in 0..5 {
        let name = format!("kburn-four-{round}");
        let truth = listener.start(&name, "burn 4 20").end();
        (listener.passed, listener.passed_ns, listener.used_ns) = (0, 0, 0);
        listener.collect(&name, 0);
        assert_eq!(listener.passed, 1);
        assert_near(listener.all(), truth, 5);
    }
}

#[test]
fn sixteen_threads_seen_again_and_again_add_up() {
    let Some(mut listener) = Listener::open() else { return };
    let mut worker = listener.start("kburn-16", "burn 16 60");
    let pid = worker.child.id();
    let mut ended = false;
    let mut seen = 0;
    while !ended {
        std::thread::sleep(Duration::from_millis(7));
        ended = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap().contains(") Z ");
        listener.collect("kburn-16", pid);
        seen += u32::from(listener.find(pid).is_some());
    }
    worker.go();
    let truth = worker.end();
    listener.collect("kburn-16", pid);
    assert!(seen > 20, "seen {seen} times only");
    assert_near(listener.all(), truth, 5);
}

#[test]
fn a_pinned_spinner_is_counted_at_every_collection_and_on_its_own_place() {
    let options = EbpfOptions { places: Some((0..1024).map(|cpu| cpu % 64).collect()), ..EbpfOptions::default() };
    let Some(mut listener) = Listener::with(&options) else { return };
    let mut worker = listener.start("kspin", "spin 0");
    let pid = worker.child.id();
    worker.wait_for("spinning");
    listener.collect("kspin", pid);
    let mut before = worker::clock_of(pid);
    for _ in 0..10 {
        std::thread::sleep(Duration::from_millis(200));
        listener.used_ns = 0;
        listener.collect("kspin", pid);
        let now = worker::clock_of(pid);
        // The slice under way is known up to the kernel's last tick, at both ends.
        let off = Duration::from_nanos(listener.used_ns).abs_diff(now - before);
        assert!(off < Duration::from_millis(25), "told {:?}, true {:?}", listener.used_ns, now - before);
        let placed = listener.placed(pid);
        let elsewhere: u64 = placed.iter().filter(|work| work.place != 0).map(|work| work.work.time_ns).sum();
        assert!(elsewhere < 1_000_000, "{placed:?}");
        before = now;
    }
    worker.go();
    let truth = worker.end();
    listener.collect("kspin", pid);
    let (task, told) = listener.find(pid).unwrap();
    assert!(told.has_ended);
    assert_near(Duration::from_nanos(task.cpu_time_ns), truth, 5);
}
