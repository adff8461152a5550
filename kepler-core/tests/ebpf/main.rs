//! What the BPF program tells, against what the kernel says of each process when it has ended.
//!
//! CPU time is compared with CPU time, so a busy machine changes nothing. Where the kernel does not let us
//! load the program, each test says so and passes.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test fails by panicking"
)]

mod listener;
mod worker;

use kepler_core::usage::ebpf::{Counting, EbpfOptions};
use listener::{Listener, assert_most, is, is_near};
use std::time::Duration;

/// Has processes come and go unseen, each with this number of threads that work 20 ms.
///
/// Most of them have to be right, not all. Some virtual machines hide their agents' switches from tracing, and a process
/// may lose a slice to that. And a process goes on a little after its parent may have it: an interrupt in those few
/// microseconds is charged to it, but is not in its `rusage` any more.
fn come_and_go(name: &str, threads: u32) {
    let Some(mut listener) = Listener::open() else { return };
    let mut off = Vec::new();
    for round in 0..10 {
        let name = format!("{name}-{round}");
        let truth = listener.start(&name, &format!("burn {threads} 20")).end();
        (listener.passed, listener.passed_ns, listener.used_ns) = (0, 0, 0);
        listener.collect(&name, 0);
        assert_eq!(listener.passed, 1);
        let reported = listener.all();
        // A slice that was counted twice would be more than that.
        assert!(reported <= truth * 105 / 100 + Duration::from_micros(30), "reported {reported:?}, true {truth:?}");
        if !is_near(reported, truth, 5) {
            off.push((reported, truth));
        }
    }
    eprintln!("{} of 10 were reported wrong: {off:?}", off.len());
    assert!(off.len() <= 4, "reported and true: {off:?}");
}

#[test]
fn a_process_of_20_ms_that_came_and_went_unseen_is_reported_by_name() {
    come_and_go("kburn-one", 1);
}

#[test]
fn all_threads_are_counted_also_those_that_ended_before_the_others() {
    come_and_go("kburn-four", 4);
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
    assert!(seen > 5, "seen {seen} times only");
    assert_most(listener.all(), truth, 95);
}

#[test]
fn a_pinned_spinner_is_counted_at_every_collection_and_in_its_own_domain() {
    let options =
        EbpfOptions::default().with(|options| options.domains = Some((0..1024).map(|cpu| cpu % 64).collect()));
    let Some(mut listener) = Listener::with(&options) else { return };
    let mut worker = listener.start("kspin", "spin 0");
    let pid = worker.child.id();
    worker.wait_for("spinning");
    listener.collect("kspin", pid);
    let mut before = worker::clock_of(pid);
    let mut far_off = Vec::new();
    for _ in 0..10 {
        std::thread::sleep(Duration::from_millis(200));
        listener.used_ns = 0;
        listener.collect("kspin", pid);
        let now = worker::clock_of(pid);
        // The slice under way is known up to the kernel's last tick, at both ends. We may be held up between the two
        // looks; what one is short of, the next one has.
        let reported = Duration::from_nanos(listener.used_ns);
        if reported.abs_diff(now - before) >= Duration::from_millis(25) {
            far_off.push((reported, now - before));
        }
        let placed = listener.by_domain(pid);
        let elsewhere: u64 = placed.iter().filter(|work| work.domain != 0).map(|work| work.work.time_ns).sum();
        assert!(elsewhere < 1_000_000, "{placed:?}");
        before = now;
    }
    assert!(far_off.len() <= 5, "reported, true: {far_off:?}");
    worker.go();
    let truth = worker.end();
    listener.collect("kspin", pid);
    let (task, report) = listener.find(pid).unwrap();
    assert!(report.has_ended);
    assert_most(Duration::from_nanos(task.cpu_time_ns), truth, 95);
}

#[test]
fn ten_thousand_processes_a_second_add_up() {
    let Some(mut listener) = Listener::open() else { return };
    let seconds: u32 = std::env::var("KEPLER_TEST_STORM_SECONDS").map_or(3, |seconds| seconds.parse().unwrap());
    let mut worker = listener.start("kstorm", &format!("storm {seconds}"));
    for _ in 0..seconds {
        std::thread::sleep(Duration::from_secs(1));
        listener.collect("kstorm", 0);
    }
    let children: u64 = worker.wait_for("children").parse().unwrap();
    let truth = worker.end();
    listener.collect("kstorm", 0);
    eprintln!("{children} children in {seconds} s, reported {:?}, true {truth:?}", listener.all());
    assert_eq!((listener.lost, listener.overflowed), (0, 0));
    // The storm itself is reported by number, those of its children that were seen at a collection as well.
    assert!(listener.passed <= children && listener.passed + 3 * u64::from(seconds) >= children, "{}", listener.passed);
    // `rusage` has a child's time up to where its parent reaps it. On another processor the child still runs for about
    // a microsecond then, up to its last switch, and that is counted here; more where an interrupt comes in between.
    let reported = listener.all();
    let after_reaping = Duration::from_micros(2 * children);
    assert!(
        reported >= truth * 95 / 100 && reported <= truth * 105 / 100 + after_reaping,
        "reported {reported:?}, true {truth:?}"
    );
}

#[test]
fn what_finds_no_room_is_counted_to_the_nanosecond() {
    let options = EbpfOptions::default().with(|options| {
        (options.processes, options.ended, options.commands) = (8, 4, 2);
    });
    let Some(mut listener) = Listener::with(&options) else { return };
    // All of this machine's work, since room is short for all of it.
    let mut reported = 0;
    let node = || {
        let text = std::fs::read_to_string("/proc/stat").unwrap();
        let fields: Vec<u64> =
            text.lines().next().unwrap().split_whitespace().skip(1).map(|n| n.parse().unwrap()).collect();
        Duration::from_millis((fields[0] + fields[1] + fields[2]) * 10)
    };
    // Each end is between two looks at what the kernel says of the node.
    let earliest = node();
    listener.collect("", 0);
    let latest = node();
    (listener.lost, listener.lost_ns, listener.overflowed) = (0, 0, 0);
    let workers: Vec<_> = (0..4).map(|number| listener.start(&format!("kfull-{number}"), "burn 1 300")).collect();
    let storm = listener.start("kfull-storm", "storm 2");
    let mut least = Duration::ZERO;
    for _ in 0..20 {
        std::thread::sleep(Duration::from_millis(100));
        least = node() - latest;
        listener.collect("", 0);
        reported += listener.usage.reports.iter().map(|report| report.used_ns).sum::<u64>();
        reported += listener.usage.short_lived.iter().map(|passed| passed.work.time_ns).sum::<u64>();
    }
    let most = node() - earliest;
    for worker in workers {
        worker.end();
    }
    storm.end();
    assert!(listener.lost > 0 && listener.lost_ns > 0 && listener.overflowed > 0);
    let all = Duration::from_nanos(reported + listener.lost_ns);
    eprintln!(
        "reported {reported} ns, lost {} ns in {} pieces, the node {least:?} to {most:?}",
        listener.lost_ns, listener.lost
    );
    // The node's figure comes in ticks, and has interrupts in it.
    assert!(all > least * 9 / 10 && all < most * 11 / 10, "{all:?}, {least:?} to {most:?}");
}

/// Threads that end at the same time on several processors, in the middle of collections: the last switch of a process
/// must be known for what it is, and none may be taken for a process that lives.
#[test]
fn processes_whose_threads_end_together_end_once() {
    let Some(mut listener) = Listener::open() else { return };
    let mut alive = std::collections::BTreeMap::new();
    let mut watch = |listener: &mut Listener| {
        listener.collect("kcrowd", 0);
        for (task, report) in listener.usage.tasks.iter().zip(&listener.usage.reports) {
            if report.has_ended {
                alive.remove(&task.pid);
            } else if is(&report.comm, "kcrowd") {
                alive.insert(task.pid, task.tag);
            }
        }
        alive.clone()
    };
    let mut ended = Vec::new();
    for _ in 0..15 {
        let mut worker = listener.start("kcrowd", "crowd 4 200");
        worker.wait_for("ending");
        // Fewer collections than there are between two lists of all processes, which would mend it.
        for _ in 0..10 {
            watch(&mut listener);
            std::thread::sleep(Duration::from_millis(4));
        }
        worker.child.wait().unwrap();
        ended.push(worker.child.id());
    }
    // The last one may still be on its last steps.
    std::thread::sleep(Duration::from_millis(500));
    let left = watch(&mut listener);
    let stale: Vec<_> = ended.iter().filter(|pid| left.contains_key(pid)).collect();
    assert!(stale.is_empty(), "reported as alive after their end: {stale:?}");
    let exiting = listener.source.exiting().unwrap();
    assert!(!ended.iter().any(|pid| exiting.contains(pid)), "left in the kernel's table: {exiting:?}");
}

#[test]
fn a_number_that_passes_on_is_another_process() {
    let Some(mut listener) = Listener::open() else { return };
    for _ in 0..20 {
        let mut first = listener.start("kfirst", "held 20");
        first.wait_for("ready");
        listener.collect("kfirst", 0);
        let pid = first.child.id();
        let (before, _) = listener.find(pid).unwrap();
        let used = first.end();
        // The kernel gives out the number after the last one.
        if std::fs::write("/proc/sys/kernel/ns_last_pid", (pid - 1).to_string()).is_err() {
            eprintln!("SKIPPED: numbers of processes cannot be chosen here");
            return;
        }
        let mut second = listener.start("ksecond", "held 30");
        second.wait_for("ready");
        if second.child.id() != pid {
            continue; // Another process took the number first.
        }
        (listener.passed_ns, listener.used_ns) = (0, 0);
        listener.collect("kfirst", 0);
        let position = listener.usage.tasks.iter().position(|task| task.pid == pid).unwrap();
        assert!(listener.usage.reports[position].has_ended && listener.usage.tasks[position].tag == before.tag);
        // What it did is reported by name: by number, it would be taken for the other one's.
        assert_most(Duration::from_nanos(listener.passed_ns), used, 50);
        let (after, report) = listener.find(pid).unwrap();
        assert!(after.tag != before.tag && !report.has_ended);
        let truth = second.end();
        listener.collect("ksecond", pid);
        let (last, report) = listener.find(pid).unwrap();
        assert!(report.has_ended && last.tag == after.tag);
        assert_most(Duration::from_nanos(last.cpu_time_ns), truth, 50);
        return;
    }
    eprintln!("SKIPPED: another process always took the number first");
}

#[test]
fn a_move_to_another_cgroup_and_another_program_are_reported() {
    let Some(mut listener) = Listener::open() else { return };
    let accounting = std::path::Path::new("/sys/fs/cgroup/cpuacct");
    let root = if accounting.is_dir() { accounting } else { std::path::Path::new("/sys/fs/cgroup") };
    let cgroup = root.join(format!("kepler-test-{}", std::process::id()));
    if std::fs::create_dir(&cgroup).is_err() {
        eprintln!("SKIPPED: no cgroup can be made in {}", root.display());
        return;
    }
    let mut worker = listener.start("kmove", "held 20");
    worker.wait_for("ready");
    listener.collect("kmove", 0);
    let pid = worker.child.id();
    let (_, before) = listener.find(pid).unwrap();
    std::fs::write(cgroup.join("cgroup.procs"), pid.to_string()).unwrap();
    worker.go();
    std::thread::sleep(Duration::from_millis(10));
    listener.collect("kmove", 0);
    let after = listener.find(pid).map(|(_, report)| report);
    worker.end();
    let number = std::os::unix::fs::MetadataExt::ino(&std::fs::metadata(&cgroup).unwrap());
    listener.collect("kmove", 0);
    let last = listener.find(pid).map(|(_, report)| report).unwrap();
    std::fs::remove_dir(&cgroup).unwrap();
    let moved = after.filter(|report| report.has_changed || report.has_ended).unwrap_or(last);
    assert!(moved.cgroup.0 == number && before.cgroup.0 != number, "{before:?} {moved:?} {number}");

    let mut shell = std::process::Command::new("sh")
        .args(["-c", "read _; exec sleep 60"])
        .stdin(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    listener.collect_until(shell.id(), "a shell", |report| is(&report.comm, "sh"));
    drop(shell.stdin.take());
    listener.collect_until(shell.id(), "another program", |report| report.has_changed && is(&report.comm, "sleep"));
    shell.kill().unwrap();
    shell.wait().unwrap();
}

#[test]
fn counters_go_the_same_way_as_time() {
    let options = EbpfOptions::default().with(|options| options.counting = Counting::SoftwareClock);
    let Some(mut listener) = Listener::with(&options) else { return };
    let mut worker = listener.start("kcount", "spin 0");
    let pid = worker.child.id();
    worker.wait_for("spinning");
    listener.collect("kcount", pid);
    let (mut time, mut cycles) = (0, 0);
    for _ in 0..10 {
        std::thread::sleep(Duration::from_millis(50));
        listener.collect("kcount", pid);
        for placed in listener.by_domain(pid) {
            time += placed.work.time_ns;
            cycles += placed.work.cycles.unwrap();
            assert_eq!((placed.work.instructions, placed.work.cache_misses), (None, None));
        }
    }
    worker.go();
    worker.end();
    // The clock also runs while a hypervisor has the processor, and in interrupts.
    assert!(time > 10_000_000 && cycles > time * 8 / 10 && cycles < time * 2, "{time} {cycles}");
}

#[test]
fn without_counters_nothing_is_said_to_be_counted() {
    let options = EbpfOptions::default().with(|options| options.counting = Counting::Nothing);
    let Some(mut listener) = Listener::with(&options) else { return };
    std::thread::sleep(Duration::from_millis(50));
    worker::burn(Duration::from_millis(20));
    listener.collect("", 0);
    assert!(!listener.usage.by_domain.is_empty());
    assert!(listener.usage.by_domain.iter().all(|work| work.work.cycles.is_none()));
}

/// Processor 1, taken off line until this is dropped.
struct Offline(&'static str);

impl Offline {
    fn take() -> Option<Self> {
        let file = "/sys/devices/system/cpu/cpu1/online";
        match std::fs::write(file, "0") {
            Ok(()) => Some(Offline(file)),
            Err(error) => {
                eprintln!("SKIPPED: {file}: {error}");
                None
            }
        }
    }
}

impl Drop for Offline {
    fn drop(&mut self) {
        let _ = std::fs::write(self.0, "1");
    }
}

#[test]
fn a_processor_may_go_away_and_come_back() {
    let options =
        EbpfOptions::default().with(|options| options.domains = Some((0..1024).map(|cpu| cpu % 64).collect()));
    let Some(mut listener) = Listener::with(&options) else { return };
    let Some(offline) = Offline::take() else { return };
    listener.collect("", 0);
    // As everywhere here, a slice may be hidden now and then, never one too many.
    let (mut reported, mut truth) = (Duration::ZERO, Duration::ZERO);
    for round in 0..5 {
        let name = format!("kaway-{round}");
        truth += listener.start(&name, "burn 2 20").end();
        (listener.passed_ns, listener.used_ns) = (0, 0);
        listener.collect(&name, 0);
        reported += listener.all();
    }
    assert_most(reported, truth, 75);
    drop(offline);
    let mut worker = listener.start("kback", "spin 1");
    let pid = worker.child.id();
    worker.wait_for("spinning");
    (listener.passed_ns, listener.used_ns) = (0, 0);
    let mut there = 0;
    for _ in 0..200 {
        std::thread::sleep(Duration::from_millis(100));
        listener.collect("kback", pid);
        let placed = listener.by_domain(pid);
        there += placed.iter().filter(|work| work.domain == 1).map(|work| work.work.time_ns).sum::<u64>();
        if there > 50_000_000 {
            break;
        }
    }
    assert!(there > 50_000_000, "{there} ns on processor 1");
    worker.go();
    let truth = worker.end();
    listener.collect("kback", pid);
    assert_most(listener.all(), truth, 90);
}

#[test]
fn sampling_goes_on_without_the_privileges_it_began_with() {
    let Some(listener) = Listener::open() else { return };
    let mut worker = listener.start("kdemote", "demote");
    let ticks: Vec<Vec<String>> =
        (0..4).map(|_| worker.wait_for("tick").split(' ').map(str::to_owned).collect()).collect();
    worker.end();
    assert_eq!((ticks[0][0].as_str(), ticks[1][0].as_str()), ("ebpf", "ebpf"), "{ticks:?}");
    // Where the kernel lets unprivileged processes use tables that are open already, nothing is lost.
    let restricted = std::fs::read_to_string("/proc/sys/kernel/unprivileged_bpf_disabled").unwrap().trim() != "0";
    if ticks[3][0] == "ebpf" {
        eprintln!("tables can be read without privileges here (restricted: {restricted})");
    } else {
        assert_eq!((ticks[2][0].as_str(), ticks[3][0].as_str()), ("clock", "clock"), "{ticks:?}");
        assert_eq!(ticks[3][2], "1", "{ticks:?}");
    }
    let times: Vec<u64> = ticks.iter().map(|tick| tick[1].parse().unwrap()).collect();
    assert!(times[2] >= times[1] + 20_000_000 && times[3] >= times[2], "{times:?}");
}

#[test]
fn the_kernels_tables_take_no_more_than_is_stated() {
    let Some(_listener) = Listener::open() else { return };
    let mut locked = 0;
    for entry in std::fs::read_dir("/proc/self/fdinfo").unwrap() {
        let text = std::fs::read_to_string(entry.unwrap().path()).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("memlock:"));
        if text.contains("map_type:") {
            locked += line.map_or(0, |bytes| bytes.trim().parse::<u64>().unwrap());
        }
    }
    eprintln!("{locked} bytes in the kernel, of all sources of these tests");
    assert!(locked > 0);
}
