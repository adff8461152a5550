//! Counters of one cgroup, by real system calls. Needs the feature `perf`, and root for a cgroup of its own.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use kepler_core::host::{CpuDomains, Host};
use kepler_core::usage::perf::CgroupCounters;
use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command};
use std::time::Duration;

/// A cgroup in the hierarchy that can be counted, removed at the end.
struct Cgroup(PathBuf, String);

impl Cgroup {
    /// A cgroup of this name, below one of our own.
    fn new(name: &str) -> Option<Self> {
        let name = format!("kepler-counted-{}-{name}", std::process::id());
        ["perf_event", "unified", ""].iter().find_map(|hierarchy| {
            let root = Host::default().cgroup().join(hierarchy);
            let is_one = root.join("cgroup.procs").exists();
            let directory = root.join(&name);
            (is_one && fs::create_dir_all(&directory).is_ok()).then(|| Cgroup(directory, format!("/{name}")))
        })
    }

    /// A process that works in it without end, on one processor if one is named.
    fn spin(&self, processor: Option<u32>) -> Child {
        let pin =
            processor.map(|processor| format!("taskset -p -c {processor} $$ > /dev/null && ")).unwrap_or_default();
        let script = format!("echo $$ > {}/cgroup.procs && {pin}while :; do :; done", self.0.display());
        Command::new("sh").args(["-c", &script]).spawn().unwrap()
    }

    fn remove(self) {
        for _ in 0..100 {
            if fs::remove_dir(&self.0).is_ok() {
                // Those that were made around it.
                let above = self.0.ancestors().skip(1);
                let ours = above.take_while(|path| path.to_string_lossy().contains("kepler-counted-"));
                return ours.for_each(|path| drop(fs::remove_dir(path)));
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

/// CPU time of a process, in nanoseconds.
fn cpu_ns(pid: u32) -> u64 {
    let schedstat = fs::read_to_string(format!("/proc/{pid}/schedstat")).unwrap();
    schedstat.split_whitespace().next().unwrap().parse().unwrap()
}

#[test]
fn time_in_a_cgroup_is_that_of_what_runs_in_it_and_nothing_else() {
    let Some(cgroup) = Cgroup::new("plain") else { return println!("skipped: no cgroup can be made here") };
    let domains = CpuDomains::read(&Host::default());
    let mut counters = match CgroupCounters::open(&Host::default(), &cgroup.1, &domains) {
        Ok(counters) => counters,
        Err(error) => {
            cgroup.remove();
            return println!("skipped: perf events are refused here: {error}");
        }
    };
    let time = |counters: &mut CgroupCounters| counters.read().iter().map(|domain| domain.time_ns).sum::<u64>();
    time(&mut counters);
    // Work outside of it does not count.
    std::hint::black_box((0..20_000_000u64).fold(0, |sum, n| std::hint::black_box(sum ^ n)));
    let outside = time(&mut counters);

    let mut child = cgroup.spin(None);
    std::thread::sleep(Duration::from_millis(200));
    // Each end is between two looks at what the child has used.
    let earliest = cpu_ns(child.id());
    time(&mut counters);
    let latest = cpu_ns(child.id());
    std::thread::sleep(Duration::from_secs(1));
    let least = cpu_ns(child.id()) - latest;
    let counted = time(&mut counters);
    let most = cpu_ns(child.id()) - earliest;
    child.kill().unwrap();
    child.wait().unwrap();
    cgroup.remove();

    assert_eq!(outside, 0);
    // What the kernel says of a process that runs is as old as its last tick.
    let tick = 10_000_000;
    println!("counted {counted} ns, used {least} to {most} ns");
    assert!(
        counted + tick > least * 95 / 100 && counted < most * 105 / 100 + tick,
        "counted {counted} ns, used {least} to {most} ns"
    );
}

/// Real processes and a real cgroup on what looks like two sockets, which draw 100 J and 10 J a second.
#[cfg(feature = "sim")]
#[test]
fn a_container_is_charged_for_its_socket_though_no_source_reports_where_processes_ran() {
    use kepler_core::attribution::IdlePolicy;
    use kepler_core::meter::chain::Source;
    use kepler_core::sampler::{Sampler, SamplerOptions};
    use kepler_core::sim::PowercapTree;
    use kepler_core::units::{Energy, ZoneKind};
    use kepler_core::usage::UsageChoice;

    let id = "c0".repeat(32);
    let Some(cgroup) = Cgroup::new(&format!("sockets/docker/{id}")) else {
        return println!("skipped: no cgroup can be made here");
    };
    let root = tempfile::tempdir().unwrap();
    let mut tree = PowercapTree::create(root.path()).unwrap();
    tree.add_zone("intel-rapl:0", "package-0", Energy::from_joules(1000.0)).unwrap();
    tree.add_zone("intel-rapl:1", "package-1", Energy::from_joules(1000.0)).unwrap();
    let host = tree.host();
    let online = CpuDomains::read(&Host::default()).iter().map(|domain| domain.processors.len()).sum::<usize>();
    for processor in 0..online {
        let topology = tree.sysfs().join(format!("devices/system/cpu/cpu{processor}/topology"));
        fs::create_dir_all(&topology).unwrap();
        fs::write(topology.join("physical_package_id"), u8::from(processor == 1).to_string()).unwrap();
    }
    let can_count = CgroupCounters::open(&host, &cgroup.1, &CpuDomains::read(&host)).is_ok();
    if online < 2 || !can_count {
        cgroup.remove();
        return println!("skipped: one processor, or perf events are refused here");
    }
    let options = SamplerOptions::default().with(|options| {
        options.chain.sources = vec![Source::Powercap];
        (options.policy, options.usage) = (IdlePolicy::Ratio, UsageChoice::Clock);
    });
    let mut sampler = Sampler::new(&host, options).unwrap();
    let mut child = cgroup.spin(Some(1));
    std::thread::sleep(Duration::from_millis(300));
    let mut joules = Vec::new();
    let mut used = Vec::new();
    for _ in 0..4 {
        let snapshot = sampler.tick();
        used.push(cpu_ns(child.id()) as f64 / 1e9);
        let container = snapshot.containers.iter().find(|row| row.info.id == id);
        joules.push(container.map_or(0.0, |row| row.energy[ZoneKind::Package].joules()));
        std::thread::sleep(Duration::from_secs(1));
        tree.draw("intel-rapl:0", Energy::from_joules(100.0)).unwrap();
        tree.draw("intel-rapl:1", Energy::from_joules(10.0)).unwrap();
    }
    child.kill().unwrap();
    child.wait().unwrap();
    cgroup.remove();
    // The first interval has no counts yet to go by; after it each second on that socket costs 10 J.
    let (joules, used) = (joules[3] - joules[1], used[3] - used[1]);
    println!("{joules:.2} J for {used:.3} s on a socket that draws 10 W");
    assert!((joules - 10.0 * used).abs() < 1.0 + 2.0 * used, "{joules} J for {used} s");
}
