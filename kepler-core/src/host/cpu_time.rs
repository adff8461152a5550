//! How the node's processors spent their time: `/proc/stat`.

mod counters;
mod reader;
mod shared;

pub use reader::CpuTimesReader;
pub(crate) use shared::{SharedCpuTimes, SharedReading};

use super::Timestamp;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

/// Cumulative CPU time, summed over processors. It never falls.
///
/// Source: the `cpuN` lines of `/proc/stat` (`proc_stat(5)`), in ticks of 1/`USER_HZ` s (10 ms on
/// every mainstream kernel). Time stolen by a hypervisor is neither busy nor idle: it is not ours. The kernel's own
/// fields fall now and then (idle when a processor goes off line, iowait, steal): one that falls has not advanced here,
/// and is counted in [`interruptions`](CpuTimes::interruptions).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct CpuTimes {
    /// Processors online.
    pub processors: u32,
    /// Executing anything: user, nice, system, interrupts (guests are within user time).
    pub busy: Duration,
    /// Idle with nothing to wait for.
    pub idle: Duration,
    /// Idle with input or output outstanding.
    pub iowait: Duration,
    /// Taken by the hypervisor for someone else.
    pub steal: Duration,
    /// How often a field has fallen or a processor has come back since the reader was opened. In a window in which this
    /// rises, `idle`, `iowait` and `steal` say nothing.
    #[cfg_attr(feature = "serde", serde(default))]
    pub interruptions: u64,
}

/// Software interrupts of the whole node since boot: the `softirq` line of `/proc/stat` (Linux 2.6.31),
/// how often each handler ran, summed over processors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SoftInterrupts {
    /// Block devices (`BLOCK`).
    pub block: u64,
    /// Network receive (`NET_RX`).
    pub network_receive: u64,
    /// Network transmit (`NET_TX`).
    pub network_transmit: u64,
}

/// Follows the busy CPU time from reading to reading.
///
/// It is `processors · elapsed − idle − iowait − steal` where these can be relied on: idle time is measured, while busy
/// time is counted by the tick on most kernels, which misses work that is shorter (`TICK_CPU_ACCOUNTING`). It is what
/// was counted as busy wherever the others cannot be relied on: one of them fell, a processor came or went, they
/// advanced by more than the window holds, or all fields together by less than half of it (a kernel that does not count
/// idle time; a virtual machine that is not shown what was stolen from it). So no fault of idle, iowait or steal makes a
/// processor look busy, or idle.
///
/// The kernel counts in ticks of 10 ms, so a short window of an idle machine looks busy until the
/// tick arrives, and then less than idle. What a window cannot hold is carried into the next: however
/// often it is read, the sum over time is right (without, reading every 4 ms triples it).
#[derive(Clone, Copy, Debug, Default)]
pub struct BusyTime {
    last: Option<(CpuTimes, Timestamp)>,
    /// Nanoseconds.
    carry: i128,
}

/// Busy CPU time in a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BusyWindow {
    /// Length of the window.
    pub elapsed: Duration,
    /// CPU time in use, summed over processors: 0 … `processors · elapsed`.
    pub busy: Duration,
}

/// More than this per processor is no rounding to ticks, and is not carried on.
const LONGEST_CARRY: Duration = Duration::from_millis(20);

/// In a shorter window ticks are too coarse to tell whether all time was counted.
const SHORTEST_CHECKED: Duration = Duration::from_millis(100);

impl BusyTime {
    /// Takes the next reading; the window since the one before, or `None` for the first.
    pub fn advance(&mut self, times: CpuTimes, at: Timestamp) -> Option<BusyWindow> {
        let (earlier, then) = self.last.replace((times, at))?;
        let elapsed = at.since(&then);
        let processors = i128::from(times.processors.max(1));
        let capacity = nanoseconds(elapsed) * processors;
        let tolerance = nanoseconds(LONGEST_CARRY) * processors;
        let counted = nanoseconds(times.busy) - nanoseconds(earlier.busy);
        let rest = not_busy(&times) - not_busy(&earlier);
        let is_whole = earlier.processors == times.processors && earlier.interruptions == times.interruptions;
        let is_plausible = (0..=capacity + tolerance).contains(&rest);
        let is_counted = elapsed < SHORTEST_CHECKED || (counted + rest) * 2 >= capacity;
        let raw = self.carry + if is_whole && is_plausible && is_counted { capacity - rest } else { counted };
        let busy = raw.clamp(0, capacity);
        self.carry = (raw - busy).clamp(-tolerance, tolerance);
        Some(BusyWindow { elapsed, busy: Duration::from_nanos(u64::try_from(busy).unwrap_or(u64::MAX)) })
    }
}

/// Time that the processors spent on nothing, or that was not theirs.
fn not_busy(times: &CpuTimes) -> i128 {
    nanoseconds(times.idle) + nanoseconds(times.iowait) + nanoseconds(times.steal)
}

/// In 128 bits: a thousand processors collect the 292 years that 64 bits hold in four months.
fn nanoseconds(duration: Duration) -> i128 {
    duration.as_nanos().cast_signed()
}

/// `/proc/stat` could not be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CpuTimesError {
    /// It could not be read.
    #[error("cannot read {}: {source}; mount procfs there", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// It has no usable `cpu` line.
    #[error("{} has no `cpu` line with at least four numbers; is it a procfs?", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
    },
}

#[cfg(test)]
mod tests;
