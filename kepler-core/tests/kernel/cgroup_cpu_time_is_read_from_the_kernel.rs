//! Against the cgroups of the machine that runs the tests. Needs root and, for each test, the
//! hierarchy it names; otherwise it says why it did nothing.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::indexing_slicing,
    reason = "clippy exempts test functions, but not what they share; a skipped test says why"
)]

use kepler_core::usage::cgroup::CgroupCpu;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::thread::sleep;
use std::time::{Duration, Instant};

const ROOT: &str = "/sys/fs/cgroup";

/// A new cgroup, removed at the end together with the processes started in it.
struct Cgroup {
    directory: PathBuf,
    path: String,
    children: Vec<Child>,
}

impl Cgroup {
    /// Below the first of `hierarchies` that there is and that may be written.
    fn new(hierarchies: &[&str], marker: &str, name: &str) -> Option<Self> {
        let path = format!("/kepler-test-{name}-{}", std::process::id());
        let Some(hierarchy) =
            hierarchies.iter().map(|hierarchy| Path::new(ROOT).join(hierarchy)).find(|at| at.join(marker).exists())
        else {
            println!("skipped: no {hierarchies:?} with {marker} below {ROOT}");
            return None;
        };
        let directory = hierarchy.join(path.trim_start_matches('/'));
        match fs::create_dir(&directory) {
            Ok(()) => Some(Cgroup { directory, path, children: Vec::new() }),
            Err(error) => {
                println!("skipped: cannot make {}: {error}", directory.display());
                None
            }
        }
    }

    /// Starts a process that joins the cgroup and then runs `script`.
    fn run(&mut self, script: &str) {
        let join = format!("echo $$ > '{}/cgroup.procs' && {script}", self.directory.display());
        self.children.push(Command::new("sh").args(["-c", &join]).spawn().unwrap());
    }

    /// A removed cgroup may be busy for a moment after its last process.
    fn remove(&mut self) {
        for child in &mut self.children {
            child.kill().ok();
            child.wait().ok();
        }
        for _ in 0..100 {
            match fs::remove_dir(&self.directory) {
                Err(error) if error.kind() == ErrorKind::ResourceBusy => sleep(Duration::from_millis(10)),
                _ => break,
            }
        }
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        self.remove();
    }
}

fn counts_a_busy_child_and_ends_with_not_found(mut cgroup: Cgroup) {
    let mut cpu = CgroupCpu::open(Path::new(ROOT), &cgroup.path).unwrap();
    assert_eq!(cpu.read().unwrap(), 0);
    let start = Instant::now();
    cgroup.run("while :; do :; done");
    while cpu.read().unwrap() < 50_000_000 {
        assert!(start.elapsed() < Duration::from_secs(30), "a busy child used {} ns", cpu.read().unwrap());
        sleep(Duration::from_millis(5));
    }
    let used = cpu.read().unwrap();
    assert!(
        Duration::from_nanos(used) <= start.elapsed() + Duration::from_millis(20),
        "{used} ns is more than one CPU"
    );
    cgroup.remove();
    assert_eq!(cpu.read().unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(CgroupCpu::open(Path::new(ROOT), &cgroup.path).unwrap_err().kind(), ErrorKind::NotFound);
}

#[test]
fn version_1_counts_a_busy_child_and_ends_with_the_cgroup() {
    let hierarchies = ["cpuacct", "cpu,cpuacct"];
    if let Some(cgroup) = Cgroup::new(&hierarchies, "cpuacct.usage", "v1") {
        counts_a_busy_child_and_ends_with_not_found(cgroup);
    }
}

#[test]
fn version_2_counts_a_busy_child_and_ends_with_the_cgroup() {
    if let Some(cgroup) = Cgroup::new(&["unified", ""], "cgroup.controllers", "v2") {
        counts_a_busy_child_and_ends_with_not_found(cgroup);
    }
}

#[test]
fn processes_that_have_ended_are_still_counted() {
    let Some(mut cgroup) = Cgroup::new(&["cpuacct", "cpu,cpuacct", "unified", ""], "cgroup.procs", "short") else {
        return;
    };
    let mut cpu = CgroupCpu::open(Path::new(ROOT), &cgroup.path).unwrap();
    cgroup.run("for i in 1 2 3 4 5 6 7 8 9 10; do /bin/true; done");
    assert!(cgroup.children[0].wait().unwrap().success());
    assert!(cpu.read().unwrap() > 1_000_000, "twelve processes took {} ns", cpu.read().unwrap());
}
