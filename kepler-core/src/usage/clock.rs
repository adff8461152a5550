//! CPU time from each process's own clock: no file opened, all threads counted, in nanoseconds.
//!
//! Linux gives every process a CPU clock whose number is made of its PID (`clock_getcpuclockid(3)`);
//! reading it costs 0.6 µs, where opening and parsing `/proc/PID/stat` costs 7 to 14 µs and counts
//! in ticks of 10 ms. Anyone may read it. The processes are listed by reading the `/proc` directory
//! itself; the inode numbers that come with the names tell when a PID may have been reused.
//!
//! ```
//! use kepler_core::host::{Host, Timestamp};
//! use kepler_core::usage::clock::CpuClocks;
//! use kepler_core::usage::{Usage, UsageSource};
//!
//! let mut usage = Usage::default();
//! CpuClocks::open(&Host::default())?.collect(Timestamp::now(), &mut usage)?;
//! assert!(usage.tasks.iter().any(|task| task.pid == std::process::id() && task.cpu_time_ns > 0));
//! # Ok::<(), std::io::Error>(())
//! ```

use super::{TaskUsage, Usage, UsageSource};
use crate::host::{Host, Timestamp};
use nix::sys::time::TimeValLike;
use nix::time::{ClockId, clock_gettime};
use rustix::fs::{Mode, OFlags, RawDir, SeekFrom};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::path::Path;

/// Reads processes' CPU clocks. Needs a procfs of our own PID namespace.
#[derive(Debug)]
pub struct CpuClocks {
    processes: ProcessList,
}

impl CpuClocks {
    /// Opens the host's procfs.
    ///
    /// # Errors
    /// [`io::ErrorKind::Unsupported`] when it is no procfs, or one of another PID namespace, where
    /// the numbers in it are not those that the clocks go by. Any other error of opening it.
    pub fn open(host: &Host) -> io::Result<Self> {
        let processes = ProcessList::open(host)?;
        if is_our_pid_namespace(host)? {
            Ok(CpuClocks { processes })
        } else {
            Err(io::Error::new(
                io::ErrorKind::Unsupported,
                format!("{} is not a procfs of this PID namespace", host.procfs().display()),
            ))
        }
    }
}

impl UsageSource for CpuClocks {
    fn name(&self) -> &'static str {
        "clock"
    }

    fn collect(&mut self, _at: Timestamp, usage: &mut Usage) -> io::Result<()> {
        usage.clear();
        self.processes.for_each(|pid, tag| match clock_gettime(process_clock(pid)) {
            Ok(time) => {
                let cpu_time_ns = u64::try_from(time.num_nanoseconds()).unwrap_or(0);
                usage.tasks.push(TaskUsage { pid, tag, cpu_time_ns });
            }
            // It exited after it was listed.
            Err(nix::errno::Errno::EINVAL | nix::errno::Errno::ESRCH) => {}
            Err(_) => usage.unreadable += 1,
        })?;
        sort(&mut usage.tasks);
        Ok(())
    }
}

/// The kernel's number for a process's CPU clock: `CPUCLOCK_SCHED` of the whole thread group.
fn process_clock(pid: u32) -> ClockId {
    ClockId::from_raw((!(pid as i32) << 3) | 2)
}

/// procfs lists by rising PID; a directory of plain files need not.
pub(super) fn sort(tasks: &mut [TaskUsage]) {
    if !tasks.is_sorted_by_key(|task| task.pid) {
        tasks.sort_unstable_by_key(|task| task.pid);
    }
}

/// The numeric entries of a procfs, with their inode numbers.
#[derive(Debug)]
pub(super) struct ProcessList {
    directory: OwnedFd,
    buffer: Vec<MaybeUninit<u8>>,
}

impl ProcessList {
    pub(super) fn open(host: &Host) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let directory = rustix::fs::open(host.procfs(), flags, Mode::empty())?;
        Ok(ProcessList { directory, buffer: vec![MaybeUninit::uninit(); 32 * 1024] })
    }

    pub(super) fn directory(&self) -> &OwnedFd {
        &self.directory
    }

    /// Calls `each` with PID and inode number of every process.
    pub(super) fn for_each(&mut self, mut each: impl FnMut(u32, u64)) -> io::Result<()> {
        rustix::fs::seek(&self.directory, SeekFrom::Start(0))?;
        let mut entries = RawDir::new(&self.directory, &mut self.buffer);
        while let Some(entry) = entries.next() {
            let entry = entry?;
            let pid = crate::host::parse_decimal(entry.file_name().to_bytes()).and_then(|pid| u32::try_from(pid).ok());
            if let Some(pid) = pid {
                each(pid, entry.ino());
            }
        }
        Ok(())
    }
}

/// Whether this is a procfs of the kernel, not a directory that looks like one.
pub(super) fn is_procfs(path: &Path) -> io::Result<bool> {
    const PROC_SUPER_MAGIC: u64 = 0x9fa0;
    Ok(rustix::fs::statfs(path)?.f_type as u64 == PROC_SUPER_MAGIC)
}

/// Whether PIDs in this procfs are PIDs to us.
fn is_our_pid_namespace(host: &Host) -> io::Result<bool> {
    if !is_procfs(host.procfs())? {
        return Ok(false);
    }
    // `NSpid` lists our PID in every namespace from the procfs's own inwards (Linux 4.1, proc_pid_status(5)).
    // More than one number: we live in an inner namespace. No `self` at all: we are not in it.
    let status = match std::fs::read(host.procfs().join("self/status")) {
        Ok(status) => status,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error),
    };
    let status = String::from_utf8_lossy(&status);
    let numbers =
        status.lines().find_map(|line| line.strip_prefix("NSpid:")).map(|rest| rest.split_whitespace().count());
    Ok(numbers == Some(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    fn collect(source: &mut CpuClocks) -> Usage {
        let mut usage = Usage::default();
        source.collect(Timestamp::now(), &mut usage).unwrap();
        usage
    }

    #[test]
    fn we_are_listed_and_our_time_rises_with_our_work() {
        let mut source = CpuClocks::open(&Host::default()).unwrap();
        let me = std::process::id();
        let find = |usage: &Usage| usage.tasks.iter().find(|task| task.pid == me).copied().unwrap();
        let before = find(&collect(&mut source));
        // By CPU time: on a busy machine a wall clock says nothing of our work.
        let worked = || clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID).unwrap().num_milliseconds();
        let start = worked();
        while worked() < start + 20 {
            std::hint::black_box(start);
        }
        let after = find(&collect(&mut source));
        assert_eq!(before.tag, after.tag);
        assert!(after.cpu_time_ns > before.cpu_time_ns + 10_000_000, "{before:?} {after:?}");
    }

    #[test]
    fn tasks_come_by_rising_pid_and_a_dead_one_is_gone() {
        let mut source = CpuClocks::open(&Host::default()).unwrap();
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        let usage = collect(&mut source);
        assert!(usage.tasks.is_sorted_by_key(|task| task.pid));
        assert!(usage.tasks.iter().any(|task| task.pid == child.id()));
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(!collect(&mut source).tasks.iter().any(|task| task.pid == child.id()));
    }

    #[test]
    fn a_directory_that_is_no_procfs_is_refused() {
        let tree = tempfile::tempdir().unwrap();
        let host = Host::default().with_procfs(tree.path());
        assert_eq!(CpuClocks::open(&host).unwrap_err().kind(), io::ErrorKind::Unsupported);
    }
}
