//! How the node's processors spent their time: `/proc/stat`.

mod counters;
mod reader;

pub use reader::CpuTimesReader;

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
<<<<<<< HEAD
mod tests;
=======
mod tests {
    use super::*;

    const STAT: &[u8] =
        b"cpu  100 20 30 4000 50 6 7 80 9 0\ncpu0 1 1 1 1 1 1 1 1 0 0\ncpu1 1 1 1 1 1 1 1 1 0 0\nintr 1\n";

    #[test]
    fn columns_are_sorted_into_busy_idle_iowait_and_steal() {
        let times = parse(STAT, 10_000_000).unwrap();
        assert_eq!(times.processors, 2);
        assert_eq!(times.busy, Duration::from_millis(1630));
        assert_eq!(times.idle, Duration::from_secs(40));
        assert_eq!(times.iowait, Duration::from_millis(500));
        assert_eq!(times.steal, Duration::from_millis(800));
    }

    #[test]
    fn steal_is_neither_busy_nor_idle() {
        let earlier = CpuTimes { processors: 2, ..CpuTimes::default() };
        let later = CpuTimes { steal: Duration::from_secs(1), idle: Duration::from_millis(500), ..earlier };
        let (mut busy, at) = (BusyTime::default(), Timestamp::now());
        assert_eq!(busy.advance(earlier, at), None);
        let window = busy.advance(later, at.advanced(Duration::from_secs(1))).unwrap();
        assert_eq!(window.busy, Duration::from_millis(500));
    }

    #[test]
    fn a_thousand_processors_up_for_years_are_still_told_idle_from_busy() {
        let years = Duration::from_secs(1024 * 3 * 365 * 86_400);
        let earlier = CpuTimes { processors: 1024, idle: years, ..CpuTimes::default() };
        let later = CpuTimes { idle: years + Duration::from_secs(1000), ..earlier };
        let (mut busy, at) = (BusyTime::default(), Timestamp::now());
        busy.advance(earlier, at);
        let window = busy.advance(later, at.advanced(Duration::from_secs(1))).unwrap();
        assert_eq!(window.busy, Duration::from_secs(24));
    }

    #[test]
    fn an_idle_machine_read_every_millisecond_is_idle() {
        let (mut busy, at) = (BusyTime::default(), Timestamp::now());
        let mut sum = Duration::ZERO;
        for millisecond in 0..=1000 {
            let idle = Duration::from_millis(2 * millisecond / 10 * 10);
            let times = CpuTimes { processors: 2, idle, ..CpuTimes::default() };
            let window = busy.advance(times, at.advanced(Duration::from_millis(millisecond)));
            sum += window.map_or(Duration::ZERO, |window| window.busy);
        }
        assert!(sum <= Duration::from_millis(20), "{sum:?}");
    }

    /// Reads this text as a `/proc/stat`.
    fn reader_of(text: &str) -> (tempfile::TempDir, CpuTimesReader) {
        let root = tempfile::tempdir().unwrap();
        std::fs::write(root.path().join("stat"), text).unwrap();
        let mut reader = CpuTimesReader::open(&Host::default().with_procfs(root.path())).unwrap();
        reader.read().unwrap();
        (root, reader)
    }

    #[test]
    fn each_place_has_the_times_of_its_own_processors() {
        let root = tempfile::tempdir().unwrap();
        let cpuinfo = "processor\t: 0\nphysical id\t: 0\n\nprocessor\t: 1\nphysical id\t: 1\n";
        std::fs::write(root.path().join("cpuinfo"), cpuinfo).unwrap();
        let domains = CpuDomains::read(&Host::default().with_procfs(root.path()).with_sysfs("/nonexistent"));
        let lines = "cpu  100 0 0 400\ncpu0 100 0 20 0 0 0 0 7\ncpu1 0 0 0 400 3\ncpu9 1 1 1 1\nintr 1\n";
        let (_root, reader) = reader_of(lines);
        let mut times = vec![CpuTimes::default(); 7];
        reader.by_domain(&domains, &mut times);
        let ticks = |ticks: u64| Duration::from_millis(ticks * 10);
        let first = CpuTimes { processors: 1, busy: ticks(120), steal: ticks(7), ..CpuTimes::default() };
        let second = CpuTimes { processors: 1, idle: ticks(400), iowait: ticks(3), ..CpuTimes::default() };
        assert_eq!(times, [first, second]);
    }

    #[test]
    fn software_interrupts_are_told_by_kind_or_not_at_all() {
        let (_root, reader) = reader_of("cpu  1 1 1 1\nsoftirq 900 1 2 33 44 55 6 7 8 9 10\n");
        let expected = SoftInterrupts { block: 55, network_receive: 44, network_transmit: 33 };
        assert_eq!(reader.soft_interrupts(), Some(expected));
        for text in ["cpu  1 1 1 1\nintr 1\n", "cpu  1 1 1 1\nsoftirq 900 1 2 33 44\n", "cpu  1 1 1 1\nsoftirq x"] {
            assert_eq!(reader_of(text).1.soft_interrupts(), None, "{text}");
        }
    }

    #[test]
    fn this_machine_tells_all_of_it() {
        let mut reader = CpuTimesReader::open(&Host::default()).unwrap();
        let node = reader.read().unwrap();
        let mut times = Vec::new();
        reader.by_domain(&CpuDomains::read(&Host::default()), &mut times);
        let busy: Duration = times.iter().map(|domain| domain.busy).sum();
        // Each line is rounded to ticks by itself.
        assert!(busy.abs_diff(node.busy) < Duration::from_millis(10) * 10 * node.processors, "{busy:?} {node:?}");
        assert!(reader.soft_interrupts().is_some());
    }

    #[test]
    fn garbage_is_an_error_not_a_zero() {
        assert!(parse(b"", 1).is_none());
        assert!(parse(b"cpu  1 2 x 4\n", 1).is_none());
        assert!(parse(b"cpu  1 2\n", 1).is_none());
    }

    #[test]
    fn this_machine_has_processors_and_has_been_busy() {
        let mut reader = CpuTimesReader::open(&Host::default()).unwrap();
        let times = reader.read().unwrap();
        assert!(times.processors >= 1 && times.busy > Duration::ZERO);
    }

    #[test]
    fn a_missing_stat_names_the_path_and_the_remedy() {
        let host = Host::default().with_procfs("/nonexistent");
        let message = CpuTimesReader::open(&host).unwrap_err().to_string();
        assert!(message.contains("/nonexistent/stat") && message.contains("mount procfs"), "{message}");
    }
}
>>>>>>> main
