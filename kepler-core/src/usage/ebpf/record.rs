//! The records that the program writes: the structures of `bpf/kepler.bpf.c`, field by field.
#![allow(unsafe_code, reason = "marks types as plain bytes, which no compiler can check")]

use super::table::Plain;
use crate::usage::{Comm, Work};

/// Number of hardware events: cycles, instructions, misses of the last-level cache.
pub(super) const EVENTS: usize = 3;
/// The largest number of CPU domains, `MOST_DOMAINS`.
pub(super) const MOST_DOMAINS: usize = 64;
/// The process executed another program.
pub(super) const EXECUTED: u64 = 1;

/// `struct work`
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct RawWork {
    pub(super) time_ns: u64,
    pub(super) events: [u64; EVENTS],
}

/// `struct task_key`
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct TaskKey {
    pub(super) pid: u32,
    pub(super) domain: u32,
}

/// `struct task`
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Task {
    pub(super) work: RawWork,
    /// Birth, in nanoseconds on the boot clock.
    pub(super) start: u64,
    pub(super) cgroup: u64,
    pub(super) comm: Comm,
    pub(super) flags: u64,
}

/// `struct ended_key`
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct EndedKey {
    pub(super) pid: u32,
    pub(super) domain: u32,
    pub(super) start: u64,
}

/// `struct group_key`
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct GroupKey {
    pub(super) comm: Comm,
    pub(super) cgroup: u64,
    pub(super) domain: u64,
}

/// `struct group`
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Group {
    pub(super) work: RawWork,
    pub(super) processes: u64,
}

/// `struct dying`
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Dying {
    pub(super) start: u64,
    pub(super) cgroup: u64,
    pub(super) comm: Comm,
    pub(super) thread: u64,
}

/// `struct reading`
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct RawReading {
    pub(super) count: u64,
    pub(super) enabled: u64,
    pub(super) running: u64,
}

/// `struct cpu`
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Cpu {
    pub(super) recorded: u64,
    pub(super) running: u64,
    pub(super) task: u64,
    pub(super) sum: u64,
    pub(super) idle: u64,
    pub(super) readings: [RawReading; EVENTS],
    pub(super) overflowed: u64,
    pub(super) lost: u64,
    pub(super) lost_ns: u64,
    pub(super) unreported: u64,
    pub(super) unread: u64,
    pub(super) domain: u64,
    pub(super) begun: u64,
}

/// `struct control`
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Control {
    pub(super) epoch: u64,
    pub(super) known_before: u64,
}

// SAFETY: `repr(C)` structures of integers; each field stands at a multiple of its size, and each size is
// a multiple of eight, so there is no padding.
unsafe impl Plain for TaskKey {}
// SAFETY: as above.
unsafe impl Plain for Task {}
// SAFETY: as above.
unsafe impl Plain for EndedKey {}
// SAFETY: as above.
unsafe impl Plain for GroupKey {}
// SAFETY: as above.
unsafe impl Plain for Group {}
// SAFETY: as above.
unsafe impl Plain for Dying {}
// SAFETY: as above.
unsafe impl Plain for Cpu {}
// SAFETY: as above.
unsafe impl Plain for Control {}

impl Cpu {
    /// Whether no switch was being recorded while this was read.
    pub(super) fn is_settled(&self) -> bool {
        self.recorded == self.begun
    }

    /// Process and thread that run, `None` when idle.
    pub(super) fn running(&self) -> Option<(u32, u32)> {
        let (process, thread) = ((self.running >> 32) as u32, self.running as u32);
        (process != 0).then_some((process, thread))
    }
}

impl RawWork {
    /// The same, with `None` for what is not counted. `counted` has a bit an event.
    pub(super) fn counted(&self, counted: u32) -> Work {
        let [cycles, instructions, cache_misses] = self.events;
        let event = |bit: u32, count: u64| (counted & (1 << bit) != 0).then_some(count);
        Work {
            time_ns: self.time_ns,
            cycles: event(0, cycles),
            instructions: event(1, instructions),
            cache_misses: event(2, cache_misses),
        }
    }

    pub(super) fn plus(mut self, other: RawWork) -> RawWork {
        self.time_ns += other.time_ns;
        for (event, more) in self.events.iter_mut().zip(other.events) {
            *event += more;
        }
        self
    }

    /// The difference, never below zero.
    pub(super) fn minus(mut self, other: RawWork) -> RawWork {
        self.time_ns = self.time_ns.saturating_sub(other.time_ns);
        for (event, less) in self.events.iter_mut().zip(other.events) {
            *event = event.saturating_sub(less);
        }
        self
    }
}
