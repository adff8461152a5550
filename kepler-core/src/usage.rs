//! What used the processors: the [`UsageSource`] trait.
//!
//! A source knows processes by number and their CPU time, nothing of energy. Who a process is, its
//! name and its container, is worked out elsewhere and only when it is new.

mod activity;
pub mod cgroup;
pub mod clock;
#[cfg(feature = "ebpf")]
pub mod ebpf;
pub mod files;
#[cfg(feature = "perf")]
pub mod perf;

pub use activity::Activity;

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
pub struct Usage {
    /// One entry a process, by rising `pid`.
    pub tasks: Vec<TaskUsage>,
    /// Whether `tasks` holds only the processes that are new, used CPU time or ended since the last
    /// collection: then the others live on as they were. Otherwise who is not in it has ended.
    pub changes_only: bool,
    /// What a source that is told of every switch knows besides: one entry for each of `tasks`, in
    /// the same order. Empty from sources that know only totals.
    pub told: Vec<Told>,
    /// Processes that were listed but could not be read (not counting those that had just exited).
    pub unreadable: u64,
    /// Where and how their CPU time was spent since the last collection, by rising `pid`, those that
    /// ended included. Empty from sources that know only how much it was.
    pub placed: Vec<PlacedWork>,
    /// What processes did that came and went since the last collection, so that no list has them.
    pub passed: Vec<PassedWork>,
    /// Pieces of work since the last collection that the source had no room to remember at all.
    pub lost: u64,
    /// Their CPU time in nanoseconds.
    pub lost_ns: u64,
    /// Pieces of work since the last collection of processes alive that the source had no room to remember
    /// by number: they are in `passed`.
    pub crowded: u64,
}

impl Usage {
    /// Empties it, keeping its memory.
    pub fn clear(&mut self) {
        let Usage { tasks, changes_only, told, unreadable, placed, passed, lost, lost_ns, crowded } = self;
        (*changes_only, *unreadable, *lost, *lost_ns, *crowded) = (false, 0, 0, 0, 0);
        tasks.clear();
        told.clear();
        placed.clear();
        passed.clear();
    }
}

/// What is known of one process from having been told of its every switch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Told {
    /// CPU time since the last collection, in nanoseconds.
    pub used_ns: u64,
    /// Its name, for when it can no longer be looked at.
    pub comm: Comm,
    /// Its cgroup.
    pub cgroup: CgroupId,
    /// Whether it has executed another program or moved to another cgroup: its identity has to be read anew.
    pub has_changed: bool,
    /// Whether it has ended. What it used until then is in the figures.
    pub has_ended: bool,
}

/// A command name as the kernel keeps it: at most 15 bytes, the rest zero.
pub type Comm = [u8; 16];

/// The number of a cgroup: that of its directory's inode, in the hierarchy that accounts for CPU time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CgroupId(pub u64);

/// What processes of one name, in one cgroup, did on one group of like processors between two collections,
/// all of them born and ended in between.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PassedWork {
    /// Their name when they ended.
    pub comm: Comm,
    /// The cgroup they were in when they ended.
    pub cgroup: CgroupId,
    /// Which processors, as in [`PlacedWork::place`].
    pub place: u16,
    /// How many of them ended. A process that used several places is counted once.
    pub processes: u64,
    /// What they did there.
    pub work: Work,
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

/// Which source of CPU time to use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
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
