//! What used the processors: the [`UsageSource`] trait.
//!
//! A source knows processes by number and their CPU time, nothing of energy. Who a process is, its
//! name and its container, is worked out elsewhere and only when it is new.

mod activity;
pub mod cgroup;
pub mod clock;
pub mod files;

pub use activity::Activity;

use crate::host::{Host, Timestamp};
use std::io;

/// Reports the CPU time of processes.
pub trait UsageSource: Send {
    /// Short fixed name: `clock`, `procfs`, …
    fn name(&self) -> &'static str;

    /// Clears `usage` and fills it with every process alive at about `at`.
    ///
    /// # Errors
    /// When no process can be listed at all; single processes that cannot be read are counted in
    /// [`Usage::unreadable`] instead.
    fn collect(&mut self, at: Timestamp, usage: &mut Usage) -> io::Result<()>;
}

/// The processes alive now.
#[derive(Debug, Default)]
pub struct Usage {
    /// One entry a process, by rising `pid`.
    pub tasks: Vec<TaskUsage>,
    /// Processes that were listed but could not be read (not counting those that had just exited).
    pub unreadable: u64,
    /// Where and how their CPU time was spent since the last collection, by rising `pid`. Empty from
    /// sources that know only how much it was.
    pub placed: Vec<PlacedWork>,
}

/// What one process did on one group of like processors since the last collection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlacedWork {
    /// Process number.
    pub pid: u32,
    /// Which processors: an index into the host's places (package and core type).
    pub place: u16,
    /// What it did there.
    pub work: Work,
}

/// An amount of work on processors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Work {
    /// Time on a processor, in nanoseconds.
    pub time_ns: u64,
    /// Processor cycles; `None` where nobody counts them.
    pub cycles: Option<u64>,
    /// Instructions retired; `None` where nobody counts them.
    pub instructions: Option<u64>,
    /// Misses of the last-level cache; `None` where nobody counts them.
    pub cache_misses: Option<u64>,
}

/// The CPU time of one process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TaskUsage {
    /// Process number.
    pub pid: u32,
    /// Changes when the number may have passed to another process, who then has to be identified
    /// anew. The same tag twice is the same process.
    pub tag: u64,
    /// CPU time since the process started, of all its threads, in nanoseconds.
    pub cpu_time_ns: u64,
}

/// Opens the cheapest source that works on this host: process clocks, else `stat` files.
///
/// # Errors
/// When the procfs cannot be opened at all.
pub fn open(host: &Host) -> io::Result<Box<dyn UsageSource>> {
    match clock::CpuClocks::open(host) {
        Ok(clocks) => Ok(Box::new(clocks)),
        Err(refusal) => {
            tracing::debug!(%refusal, "process clocks cannot be used; reading stat files");
            Ok(Box::new(files::StatFiles::open(host)?))
        }
    }
}
