//! CPU time of processes: the [`UsageSource`] trait.
//!
//! A source knows processes by number and their CPU time, nothing of energy. Who a process is, its
//! name and its container, is worked out elsewhere and only when it is new.
//!
//! ```
//! use kepler_core::host::{Host, Timestamp};
//! use kepler_core::usage::{self, Usage};
//!
//! let mut source = usage::open(&Host::default())?;
//! let mut usage = Usage::default();
//! source.collect(Timestamp::now(), &mut usage)?;
//! let own = usage.tasks.iter().find(|task| task.pid == std::process::id()).expect("this process lives");
//! println!("{} ns of CPU time by {}", own.cpu_time_ns, source.name());
//! # Ok::<(), std::io::Error>(())
//! ```

pub mod cgroup;
pub mod clock;
#[cfg(feature = "ebpf")]
pub mod ebpf;
pub mod files;
#[cfg(feature = "perf")]
pub mod perf;

pub use crate::activity::Activity;

use crate::availability::{Remedy, Unavailable};
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

/// The processes alive now, or what changed about them.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Usage {
    /// One entry a process, by rising `pid`.
    pub tasks: Vec<TaskUsage>,
    /// Whether `tasks` holds only the processes that started, used CPU time or exited since the last
    /// collection; all others are unchanged. Otherwise a process that is missing from it has exited.
    pub changes_only: bool,
    /// What event-driven sources know besides: one entry for each of `tasks`, in the same order. Empty
    /// from sources that know only totals.
    pub reports: Vec<TaskReport>,
    /// Processes that were listed but could not be read (not counting those that had just exited).
    pub unreadable: u64,
    /// On which processors their CPU time was spent since the last collection, by rising `pid`, exited
    /// processes included. Empty from sources that know only totals.
    pub by_domain: Vec<DomainWork>,
    /// Work of processes that started and exited between two collections, so that no list has them.
    pub short_lived: Vec<ShortLivedWork>,
    /// Slices of work since the last collection for which the source had no room at all.
    pub lost: u64,
    /// Their CPU time in nanoseconds.
    pub lost_ns: u64,
    /// Slices of work of live processes since the last collection that did not fit into the table of processes:
    /// they are in `short_lived`.
    pub overflowed: u64,
}

impl Usage {
    /// Empties it, keeping its memory.
    pub fn clear(&mut self) {
        let Usage { tasks, changes_only, reports, unreadable, by_domain, short_lived, lost, lost_ns, overflowed } =
            self;
        (*changes_only, *unreadable, *lost, *lost_ns, *overflowed) = (false, 0, 0, 0, 0);
        tasks.clear();
        reports.clear();
        by_domain.clear();
        short_lived.clear();
    }
}

/// What an event-driven source knows of one process since the last collection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TaskReport {
    /// CPU time since the last collection, in nanoseconds.
    pub used_ns: u64,
    /// Its command name, for when the process can no longer be read.
    pub comm: Comm,
    /// Its cgroup.
    pub cgroup: CgroupId,
    /// Whether it has executed another program or moved to another cgroup: its identity has to be read again.
    pub has_changed: bool,
    /// Whether it has exited. What it used until then is in the figures.
    pub has_ended: bool,
}

impl TaskReport {
    /// What a live process used that has not changed.
    #[must_use]
    pub const fn new(used_ns: u64, comm: Comm, cgroup: CgroupId) -> Self {
        TaskReport { used_ns, comm, cgroup, has_changed: false, has_ended: false }
    }
}

/// A command name as the kernel keeps it: at most 15 bytes, the rest zero.
pub type Comm = [u8; 16];

/// The number of a cgroup: that of its directory's inode, in the hierarchy that accounts for CPU time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_structs, reason = "a number")]
pub struct CgroupId(pub u64);

/// What processes of one name, in one cgroup, did in one CPU domain between two collections, all of them
/// started and exited in between.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ShortLivedWork {
    /// Their command name when they exited.
    pub comm: Comm,
    /// The cgroup they were in when they exited.
    pub cgroup: CgroupId,
    /// Which processors, as in [`DomainWork::domain`].
    pub domain: u16,
    /// How many of them exited. A process that ran in several domains is counted once.
    pub processes: u64,
    /// What they did there.
    pub work: Work,
}

impl ShortLivedWork {
    /// The work of `processes` in one domain.
    #[must_use]
    pub const fn new(comm: Comm, cgroup: CgroupId, domain: u16, processes: u64, work: Work) -> Self {
        ShortLivedWork { comm, cgroup, domain, processes, work }
    }
}

/// What one process did in one CPU domain since the last collection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DomainWork {
    /// Process number.
    pub pid: u32,
    /// Which processors: an index into [`CpuDomains`](crate::host::CpuDomains) (package and core type).
    pub domain: u16,
    /// What it did there.
    pub work: Work,
}

impl DomainWork {
    /// The work of a process in a domain.
    #[must_use]
    pub const fn new(pid: u32, domain: u16, work: Work) -> Self {
        DomainWork { pid, domain, work }
    }
}

/// An amount of work on processors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Work {
    /// Time on a processor, in nanoseconds.
    pub time_ns: u64,
    /// Processor cycles; `None` where they are not counted.
    pub cycles: Option<u64>,
    /// Instructions retired; `None` where they are not counted.
    pub instructions: Option<u64>,
    /// Misses of the last-level cache; `None` where they are not counted.
    pub cache_misses: Option<u64>,
}

impl Work {
    /// CPU time, with no events counted.
    #[must_use]
    pub const fn of_time(time_ns: u64) -> Self {
        Work { time_ns, cycles: None, instructions: None, cache_misses: None }
    }
}

/// The CPU time of one process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TaskUsage {
    /// Process number.
    pub pid: u32,
    /// Changes when the number may have been reused by another process, whose identity then has to be
    /// read. The same tag twice is the same process.
    pub tag: u64,
    /// CPU time since the process started, of all its threads, in nanoseconds.
    pub cpu_time_ns: u64,
}

impl TaskUsage {
    /// The CPU time of a process.
    #[must_use]
    pub const fn new(pid: u32, tag: u64, cpu_time_ns: u64) -> Self {
        TaskUsage { pid, tag, cpu_time_ns }
    }
}

/// Which source of CPU time to use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum UsageChoice {
    /// The best that works: eBPF, else process clocks, else `stat` files.
    #[default]
    Auto,
    /// The scheduler's own account, through a BPF program. Nothing else will do at the start; should it fail
    /// later, the others take over.
    Ebpf,
    /// Process clocks.
    Clock,
    /// `stat` files.
    Procfs,
}

/// Why there is no source of CPU time.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UsageError {
    /// The one asked for cannot be used.
    #[error(transparent)]
    Refused(#[from] Unavailable),
    /// Processes cannot be listed at all.
    #[error(transparent)]
    Processes(#[from] io::Error),
}

/// A source, and why a better one is not in use.
pub(crate) struct Chosen {
    pub(crate) source: Box<dyn UsageSource>,
    pub(crate) unavailable: Option<Unavailable>,
}

/// Opens the source that is asked for.
pub(crate) fn choose(host: &Host, choice: UsageChoice) -> Result<Chosen, UsageError> {
    let used = |source| Ok(Chosen { source, unavailable: None });
    match choice {
        UsageChoice::Auto => match open_ebpf(host) {
            Ok(source) => used(source),
            Err(unavailable) => {
                tracing::debug!(%unavailable, "eBPF cannot be used");
                Ok(Chosen { source: open(host)?, unavailable: Some(unavailable) })
            }
        },
        UsageChoice::Ebpf => used(open_ebpf(host)?),
        UsageChoice::Clock => match clock::CpuClocks::open(host) {
            Ok(clocks) => used(Box::new(clocks)),
            Err(error) if error.kind() == io::ErrorKind::Unsupported => {
                Err(Unavailable::new("clock", error.to_string(), Remedy::SelectUsageSource).into())
            }
            Err(error) => Err(error.into()),
        },
        UsageChoice::Procfs => used(Box::new(files::StatFiles::open(host)?)),
    }
}

#[cfg(feature = "ebpf")]
fn open_ebpf(host: &Host) -> Result<Box<dyn UsageSource>, Unavailable> {
    Ok(Box::new(ebpf::Ebpf::open(host, &ebpf::EbpfOptions::default())?))
}

#[cfg(not(feature = "ebpf"))]
fn open_ebpf(_host: &Host) -> Result<Box<dyn UsageSource>, Unavailable> {
    Err(Unavailable::new("ebpf", "it was left out of this build", Remedy::RebuildWithFeature { feature: "ebpf" }))
}

/// Opens the cheapest source that works on any host: process clocks, else `stat` files.
///
/// # Errors
/// When the procfs cannot be opened at all.
pub fn open(host: &Host) -> io::Result<Box<dyn UsageSource>> {
    match clock::CpuClocks::open(host) {
        Ok(clocks) => Ok(Box::new(clocks)),
        Err(unavailable) => {
            tracing::debug!(%unavailable, "process clocks cannot be used; reading stat files");
            Ok(Box::new(files::StatFiles::open(host)?))
        }
    }
}
