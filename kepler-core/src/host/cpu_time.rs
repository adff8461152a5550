//! How the node's processors spent their time: `/proc/stat`.

use super::{CpuDomains, Host, Timestamp};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::time::Duration;

/// Cumulative CPU time of the whole node since boot, summed over its processors.
///
/// Source: the `cpu` line of `/proc/stat` (`proc_stat(5)`), in ticks of 1/`USER_HZ` s (10 ms on
/// every mainstream kernel). Time stolen by a hypervisor is neither busy nor idle: it is not ours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
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
}

/// Software interrupts of the whole node since boot: the `softirq` line of `/proc/stat` (Linux 2.6.31),
/// how often each handler ran, summed over processors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SoftInterrupts {
    /// Block devices (`BLOCK`).
    pub block: u64,
    /// Network receive (`NET_RX`).
    pub network_receive: u64,
    /// Network transmit (`NET_TX`).
    pub network_transmit: u64,
}

/// Follows the busy CPU time from reading to reading: `processors · elapsed − idle − iowait − steal`, which
/// keeps what tick-based accounting of busy time loses.
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

impl BusyTime {
    /// Takes the next reading; the window since the one before, or `None` for the first.
    pub fn advance(&mut self, times: CpuTimes, at: Timestamp) -> Option<BusyWindow> {
        let (earlier, then) = self.last.replace((times, at))?;
        let elapsed = at.since(&then);
        let capacity = nanoseconds(elapsed * times.processors.max(1));
        let raw = if earlier.processors == times.processors {
            capacity - (not_busy(&times) - not_busy(&earlier)) + self.carry
        } else {
            // Idle time of CPUs that were not there all along says nothing about the rest: take what was
            // counted as busy. The window counts as if the new number had been online throughout.
            nanoseconds(times.busy) - nanoseconds(earlier.busy)
        };
        let busy = raw.clamp(0, capacity);
        let limit = nanoseconds(LONGEST_CARRY * times.processors.max(1));
        self.carry = (raw - busy).clamp(-limit, limit);
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
    #[error("cannot read {}: {source}; mount procfs there or pass its place with --host.procfs", path.display())]
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

/// Reads [`CpuTimes`] again and again through one open file and one buffer.
///
/// Not through the `procfs` crate, whose parser allocates a vector a processor: this is read on
/// every tick, and a tick allocates nothing.
#[derive(Debug)]
pub struct CpuTimesReader {
    path: PathBuf,
    file: File,
    buffer: Vec<u8>,
    /// How much of the buffer the last reading filled.
    filled: usize,
    nanoseconds_per_tick: u64,
}

impl CpuTimesReader {
    /// Opens the host's `stat`.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn open(host: &Host) -> Result<Self, CpuTimesError> {
        let path = host.procfs().join("stat");
        let file = File::open(&path).map_err(|source| CpuTimesError::Read { path: path.clone(), source })?;
        let ticks = rustix::param::clock_ticks_per_second().max(1);
        Ok(CpuTimesReader { path, file, buffer: vec![0; 8192], filled: 0, nanoseconds_per_tick: 1_000_000_000 / ticks })
    }

    /// The times now.
    ///
    /// # Errors
    /// When the file cannot be read or is no `/proc/stat`.
    pub fn read(&mut self) -> Result<CpuTimes, CpuTimesError> {
        let mut filled = 0;
        self.filled = 0;
        loop {
            // The file holds a line a processor and is longer on large machines: grow until it fits.
            if filled == self.buffer.len() {
                self.buffer.resize(filled * 2, 0);
            }
            let rest = self.buffer.get_mut(filled..).unwrap_or_default();
            match self.file.read_at(rest, filled as u64) {
                Ok(0) => break,
                Ok(n) => filled += n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(source) => return Err(CpuTimesError::Read { path: self.path.clone(), source }),
            }
            // The last line, once it is whole: asking for more would be one system call more.
            let text = self.buffer.get(..filled).unwrap_or_default();
            if text.last() == Some(&b'\n') && last_line(text).starts_with(SOFT_INTERRUPTS) {
                break;
            }
        }
        self.filled = filled;
        parse(self.text(), self.nanoseconds_per_tick)
            .ok_or_else(|| CpuTimesError::Malformed { path: self.path.clone() })
    }

    /// The same by domain, as the last reading showed it: one entry a domain in `times`, which is cleared. A processor
    /// that has no domain is left out.
    pub fn by_domain(&self, domains: &CpuDomains, times: &mut Vec<CpuTimes>) {
        times.clear();
        times.resize(domains.len(), CpuTimes::default());
        let lines = self.text().split(|&byte| byte == b'\n').skip(1);
        for line in lines.map_while(|line| line.strip_prefix(b"cpu")) {
            let Some(end) = line.iter().position(|&byte| byte == b' ') else { continue };
            let (number, columns) = line.split_at(end);
            let number = super::parse_decimal(number).and_then(|number| u32::try_from(number).ok());
            let Some(domain) = number.and_then(|number| domains.of(number)) else { continue };
            let Some(more) = parse_columns(columns, self.nanoseconds_per_tick) else { continue };
            if let Some(sum) = times.get_mut(usize::from(domain)) {
                sum.processors += 1;
                sum.busy += more.busy;
                sum.idle += more.idle;
                sum.iowait += more.iowait;
                sum.steal += more.steal;
            }
        }
    }

    /// The software interrupts that the last reading showed; `None` where the kernel does not tell.
    #[must_use]
    pub fn soft_interrupts(&self) -> Option<SoftInterrupts> {
        let line = last_line(self.text()).strip_prefix(SOFT_INTERRUPTS)?;
        let mut numbers = line.split(|&byte| byte == b' ').filter(|word| !word.is_empty());
        // total HI TIMER NET_TX NET_RX BLOCK … (`include/linux/interrupt.h`)
        let network_transmit = super::parse_decimal(numbers.nth(3)?)?;
        let network_receive = super::parse_decimal(numbers.next()?)?;
        let block = super::parse_decimal(numbers.next()?)?;
        Some(SoftInterrupts { block, network_receive, network_transmit })
    }

    fn text(&self) -> &[u8] {
        self.buffer.get(..self.filled).unwrap_or_default()
    }
}

/// The last line of the file begins so.
const SOFT_INTERRUPTS: &[u8] = b"softirq ";

/// The last line, without its newline.
fn last_line(text: &[u8]) -> &[u8] {
    let text = text.strip_suffix(b"\n").unwrap_or(text);
    text.rsplit(|&byte| byte == b'\n').next().unwrap_or_default()
}

fn parse(text: &[u8], nanoseconds_per_tick: u64) -> Option<CpuTimes> {
    let mut lines = text.split(|&b| b == b'\n');
    let times = parse_columns(lines.next()?.strip_prefix(b"cpu ")?, nanoseconds_per_tick)?;
    let processors = lines
        .take_while(|line| line.starts_with(b"cpu"))
        .filter(|line| line.get(3).is_some_and(u8::is_ascii_digit))
        .count();
    Some(CpuTimes { processors: u32::try_from(processors).unwrap_or(u32::MAX).max(1), ..times })
}

/// The numbers of a `cpu` line, without its name and without the number of processors.
fn parse_columns(line: &[u8], nanoseconds_per_tick: u64) -> Option<CpuTimes> {
    let mut columns = [0u64; 8];
    let mut count = 0;
    let words = line.split(|&b| b == b' ').filter(|word| !word.is_empty());
    for (column, word) in columns.iter_mut().zip(words) {
        *column = super::parse_decimal(word)?;
        count += 1;
    }
    if count < 4 {
        return None;
    }
    let [user, nice, system, idle, iowait, irq, softirq, steal] =
        columns.map(|ticks| Duration::from_nanos(ticks.saturating_mul(nanoseconds_per_tick)));
    Some(CpuTimes { processors: 0, busy: user + nice + system + irq + softirq, idle, iowait, steal })
}

#[cfg(test)]
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
        assert!(message.contains("/nonexistent/stat") && message.contains("--host.procfs"), "{message}");
    }
}
