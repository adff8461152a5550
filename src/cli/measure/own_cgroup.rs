//! A cgroup of the command's own: it accounts for all that runs in it, also for what outlives its parent or lives for a
//! millisecond.
//!
//! This program moves into it before it starts the command, which inherits it, and takes its own CPU time off again. Moving
//! takes milliseconds, so it is done outside of what is measured.

use kepler_core::host::Host;
use kepler_core::usage::cgroup::CgroupCpu;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

const PREFIX: &str = "kepler-measure-";

/// A cgroup that this program is in, until it is dropped.
pub(super) struct OwnCgroup {
    parent: PathBuf,
    directory: PathBuf,
    cpu: CgroupCpu,
}

impl OwnCgroup {
    /// Makes one below the cgroup that this program is in, and moves there.
    ///
    /// # Errors
    /// There is no version 2 hierarchy, or this user may not.
    pub(super) fn enter() -> io::Result<Self> {
        let host = Host::default();
        let lines = fs::read_to_string(host.procfs().join("self/cgroup"))?;
        let path = lines.lines().find_map(|line| line.strip_prefix("0::"));
        let path = path.ok_or_else(|| io::Error::other("there is no cgroup of version 2"))?;
        let hierarchies = [host.cgroup().join("unified"), host.cgroup().to_path_buf()];
        let parents = hierarchies.iter().map(|root| root.join(path.trim_start_matches('/')));
        let parent = parents.into_iter().find(|parent| parent.join("cgroup.procs").is_file());
        let parent = parent.ok_or_else(|| io::Error::other("the cgroup of version 2 is not mounted"))?;
        sweep(&parent);
        let name = format!("{PREFIX}{}", std::process::id());
        let directory = parent.join(&name);
        fs::create_dir(&directory)?;
        let enter = || {
            let cpu = CgroupCpu::open(host.cgroup(), &format!("{}/{name}", path.trim_end_matches('/')))?;
            move_to(&directory, "0")?;
            Ok(cpu)
        };
        match enter() {
            Ok(cpu) => Ok(OwnCgroup { parent, directory, cpu }),
            Err(error) => {
                let _left = fs::remove_dir(&directory);
                Err(error)
            }
        }
    }

    /// The CPU time of all that ran in it, this program included.
    pub(super) fn cpu_time(&mut self) -> Option<Duration> {
        self.cpu.read().ok().map(Duration::from_nanos)
    }

    /// How many processes are in it beside this one.
    pub(super) fn others(&self) -> usize {
        processes(&self.directory).len()
    }
}

impl Drop for OwnCgroup {
    /// Moves out again, with all that still runs in it.
    fn drop(&mut self) {
        let mut moved = move_to(&self.parent, "0");
        for _ in 0..10 {
            for process in processes(&self.directory) {
                // It may have ended just now.
                let _gone = move_to(&self.parent, &process);
            }
            moved = fs::remove_dir(&self.directory);
            if moved.is_ok() {
                return;
            }
        }
        tracing::debug!(?moved, directory = %self.directory.display(), "the cgroup of the command stays");
    }
}

fn move_to(directory: &Path, process: &str) -> io::Result<()> {
    fs::write(directory.join("cgroup.procs"), process)
}

/// The processes in a cgroup, without this one.
fn processes(directory: &Path) -> Vec<String> {
    let own = std::process::id().to_string();
    let text = fs::read_to_string(directory.join("cgroup.procs")).unwrap_or_default();
    text.lines().filter(|line| *line != own).map(str::to_owned).collect()
}

/// Whether a process is in the cgroup that this program has made for a command and is in itself.
pub(super) fn holds(procfs: &Path, pid: u32) -> bool {
    let of = |process: &str| {
        let lines = fs::read_to_string(procfs.join(process).join("cgroup")).ok()?;
        lines.lines().find_map(|line| Some(line.strip_prefix("0::")?.to_owned()))
    };
    let Some(own) = of("self").filter(|path| path.rsplit('/').next().is_some_and(|name| name.starts_with(PREFIX)))
    else {
        return false;
    };
    of(&pid.to_string()).is_some_and(|path| is_within(&path, &own))
}

/// Whether a path is that of a cgroup or of one below it.
pub(super) fn is_within(path: &str, cgroup: &str) -> bool {
    path.strip_prefix(cgroup).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Removes what a measurement left that was killed. The kernel keeps those that are in use.
fn sweep(parent: &Path) {
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().starts_with(PREFIX) {
            let _used = fs::remove_dir(entry.path());
        }
    }
}
