//! Reading `/proc/stat`.

use super::counters::{FIELDS, Lines, Ticks};
use super::{CpuTimes, CpuTimesError, SoftInterrupts};
use crate::host::{CpuDomains, Host, parse_decimal};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

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
    ticks_per_second: u64,
    lines: Lines,
}

/// The file has a line of some hundred bytes a processor and a number an interrupt; what is longer than this is none.
const LONGEST: usize = 64 << 20;

impl CpuTimesReader {
    /// Opens the host's `stat`.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn open(host: &Host) -> Result<Self, CpuTimesError> {
        Self::open_below(host.procfs())
    }

    pub(super) fn open_below(procfs: &Path) -> Result<Self, CpuTimesError> {
        let path = procfs.join("stat");
        let file = File::open(&path).map_err(|source| CpuTimesError::Read { path: path.clone(), source })?;
        let ticks_per_second = rustix::param::clock_ticks_per_second().max(1);
        Ok(CpuTimesReader {
            path,
            file,
            buffer: vec![0; 8192],
            filled: 0,
            lines: Lines::new(ticks_per_second),
            ticks_per_second,
        })
    }

    /// The times now.
    ///
    /// # Errors
    /// When the file cannot be read or is no `/proc/stat`.
    pub fn read(&mut self) -> Result<CpuTimes, CpuTimesError> {
        self.filled = 0;
        self.filled = self.fill().map_err(|source| CpuTimesError::Read { path: self.path.clone(), source })?;
        self.parse().ok_or_else(|| CpuTimesError::Malformed { path: self.path.clone() })
    }

    fn fill(&mut self) -> io::Result<usize> {
        let mut filled = 0;
        loop {
            // The file holds a line a processor and is longer on large machines: grow until it fits.
            if filled == self.buffer.len() {
                if filled >= LONGEST {
                    return Err(io::ErrorKind::InvalidData.into());
                }
                self.buffer.resize(filled * 2, 0);
            }
            let rest = self.buffer.get_mut(filled..).unwrap_or_default();
            match self.file.read_at(rest, filled as u64) {
                Ok(0) => return Ok(filled),
                Ok(n) => filled += n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
            // The last line, once it is whole: asking for more would be one system call more.
            let text = self.buffer.get(..filled).unwrap_or_default();
            if text.last() == Some(&b'\n') && last_line(text).starts_with(SOFT_INTERRUPTS) {
                return Ok(filled);
            }
        }
    }

    fn parse(&mut self) -> Option<CpuTimes> {
        let text = self.buffer.get(..self.filled).unwrap_or_default();
        let mut lines = text.split(|&byte| byte == b'\n');
        let node = parse_fields(lines.next()?.strip_prefix(b"cpu ")?)?;
        self.lines.begin();
        for line in lines.map_while(|line| line.strip_prefix(b"cpu")) {
            if let Some((number, fields)) = parse_processor(line) {
                self.lines.record(number, fields);
            }
        }
        self.lines.end(node);
        let processors = u32::try_from(self.lines.online()).unwrap_or(u32::MAX).max(1);
        let mut times = CpuTimes { processors, interruptions: self.lines.interruptions(), ..CpuTimes::default() };
        add(&mut times, self.lines.total(), self.ticks_per_second);
        Some(times)
    }

    /// The same by domain, as the last reading showed it: one entry a domain in `times`, which is cleared. A processor
    /// that has no domain is left out.
    pub fn by_domain(&self, domains: &CpuDomains, times: &mut Vec<CpuTimes>) {
        times.clear();
        times.resize(domains.len(), CpuTimes::default());
        for (number, processor, is_online) in self.lines.iter() {
            if let Some(sum) = domains.of(number).and_then(|domain| times.get_mut(usize::from(domain))) {
                // One that is off line keeps its past in the sum, which must not fall.
                add(sum, processor.total(), self.ticks_per_second);
                sum.processors += u32::from(is_online);
                sum.interruptions += processor.interruptions();
            }
        }
    }

    /// How often a field of any processor has fallen since the reader was opened. A field that falls has not advanced.
    #[must_use]
    pub fn decreases(&self) -> u64 {
        self.lines.decreases()
    }

    /// The software interrupts that the last reading showed; `None` where the kernel does not count them.
    #[must_use]
    pub fn soft_interrupts(&self) -> Option<SoftInterrupts> {
        let text = self.buffer.get(..self.filled).unwrap_or_default();
        let line = last_line(text).strip_prefix(SOFT_INTERRUPTS)?;
        let mut numbers = line.split(|&byte| byte == b' ').filter(|word| !word.is_empty());
        // total HI TIMER NET_TX NET_RX BLOCK … (`include/linux/interrupt.h`)
        let network_transmit = parse_decimal(numbers.nth(3)?)?;
        let network_receive = parse_decimal(numbers.next()?)?;
        let block = parse_decimal(numbers.next()?)?;
        Some(SoftInterrupts { block, network_receive, network_transmit })
    }
}

/// The last line of the file begins so.
const SOFT_INTERRUPTS: &[u8] = b"softirq ";

/// The last line, without its newline.
fn last_line(text: &[u8]) -> &[u8] {
    let text = text.strip_suffix(b"\n").unwrap_or(text);
    text.rsplit(|&byte| byte == b'\n').next().unwrap_or_default()
}

/// Adds up ticks, field by field.
fn add(sum: &mut CpuTimes, total: &Ticks, ticks_per_second: u64) {
    let [user, nice, system, idle, iowait, irq, softirq, steal] = total.map(|ticks| duration(ticks, ticks_per_second));
    for busy in [user, nice, system, irq, softirq] {
        sum.busy = sum.busy.saturating_add(busy);
    }
    sum.idle = sum.idle.saturating_add(idle);
    sum.iowait = sum.iowait.saturating_add(iowait);
    sum.steal = sum.steal.saturating_add(steal);
}

fn duration(ticks: u64, ticks_per_second: u64) -> Duration {
    let rest = (ticks % ticks_per_second) * (1_000_000_000 / ticks_per_second);
    Duration::new(ticks / ticks_per_second, u32::try_from(rest).unwrap_or(0))
}

/// What follows `cpu` on the line of one processor: its number, and the fields.
fn parse_processor(line: &[u8]) -> Option<(u32, Ticks)> {
    let end = line.iter().position(|&byte| byte == b' ')?;
    let (number, fields) = line.split_at(end);
    let number = u32::try_from(parse_decimal(number)?).ok()?;
    Some((number, parse_fields(fields)?))
}

/// The first fields of a line: four at least, those that an old kernel does not have are zero.
fn parse_fields(line: &[u8]) -> Option<Ticks> {
    let mut fields = [0; FIELDS];
    let mut count = 0;
    let words = line.split(|&b| b == b' ').filter(|word| !word.is_empty());
    for (field, word) in fields.iter_mut().zip(words) {
        *field = parse_decimal(word)?;
        count += 1;
    }
    (count >= 4).then_some(fields)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A host whose `stat` can be written again and again.
    pub(in crate::host::cpu_time) struct Stat {
        root: tempfile::TempDir,
        reader: CpuTimesReader,
    }

    impl Stat {
        pub(in crate::host::cpu_time) fn of(text: &str) -> Self {
            let root = tempfile::tempdir().unwrap();
            std::fs::write(root.path().join("stat"), text).unwrap();
            let reader = CpuTimesReader::open(&Host::default().with_procfs(root.path())).unwrap();
            Stat { root, reader }
        }

        pub(in crate::host::cpu_time) fn read(&mut self, text: &str) -> CpuTimes {
            std::fs::write(self.root.path().join("stat"), text).unwrap();
            self.reader.read().unwrap()
        }

        pub(in crate::host::cpu_time) fn decreases(&self) -> u64 {
            self.reader.decreases()
        }
    }

    fn ticks(ticks: u64) -> Duration {
        Duration::from_millis(ticks * 10)
    }

    #[test]
    fn fields_are_sorted_into_busy_idle_iowait_and_steal() {
        let text =
            "cpu  101 20 30 4001 50 6 7 80 10 0\ncpu0 100 20 30 4000 50 6 7 80 9 0\ncpu1 1 0 0 1 0 0 0 0 1 0\nintr 1\n";
        let times = Stat::of(text).read(text);
        assert_eq!((times.processors, times.busy, times.idle), (2, ticks(164), ticks(4001)));
        assert_eq!((times.iowait, times.steal, times.interruptions), (ticks(50), ticks(80), 0));
    }

    #[test]
    fn a_host_without_lines_of_single_processors_has_the_nodes_own() {
        let times = Stat::of("cpu  100 0 0 400\nintr 1\n").read("cpu  100 0 0 400\nintr 1\n");
        assert_eq!((times.processors, times.busy, times.idle), (1, ticks(100), ticks(400)));
    }

    #[test]
    fn each_domain_has_the_times_of_its_own_processors() {
        let root = tempfile::tempdir().unwrap();
        let cpuinfo = "processor\t: 0\nphysical id\t: 0\n\nprocessor\t: 1\nphysical id\t: 1\n";
        std::fs::write(root.path().join("cpuinfo"), cpuinfo).unwrap();
        let domains = CpuDomains::read(&Host::default().with_procfs(root.path()).with_sysfs("/nonexistent"));
        let lines = "cpu  100 0 0 400\ncpu0 100 0 20 0 0 0 0 7\ncpu1 0 0 0 400 3\ncpu9 1 1 1 1\nintr 1\n";
        let mut stat = Stat::of(lines);
        stat.read(lines);
        let mut times = vec![CpuTimes::default(); 7];
        stat.reader.by_domain(&domains, &mut times);
        let first = CpuTimes { processors: 1, busy: ticks(120), steal: ticks(7), ..CpuTimes::default() };
        let second = CpuTimes { processors: 1, idle: ticks(400), iowait: ticks(3), ..CpuTimes::default() };
        assert_eq!(times, [first, second]);
    }

    #[test]
    fn software_interrupts_are_counted_by_kind_or_not_at_all() {
        let read = |text: &str| {
            let mut stat = Stat::of(text);
            stat.read(text);
            stat.reader.soft_interrupts()
        };
        let expected = SoftInterrupts { block: 55, network_receive: 44, network_transmit: 33 };
        assert_eq!(read("cpu  1 1 1 1\nsoftirq 900 1 2 33 44 55 6 7 8 9 10\n"), Some(expected));
        for text in ["cpu  1 1 1 1\nintr 1\n", "cpu  1 1 1 1\nsoftirq 900 1 2 33 44\n", "cpu  1 1 1 1\nsoftirq x"] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn this_machine_is_read_whole() {
        let mut reader = CpuTimesReader::open(&Host::default()).unwrap();
        let node = reader.read().unwrap();
        let mut times = Vec::new();
        reader.by_domain(&CpuDomains::read(&Host::default()), &mut times);
        let busy: Duration = times.iter().map(|domain| domain.busy).sum();
        // Each line is rounded to ticks by itself.
        assert!(busy.abs_diff(node.busy) < Duration::from_millis(10) * 10 * node.processors, "{busy:?} {node:?}");
        assert!(node.busy > Duration::ZERO && node.processors >= 1 && reader.soft_interrupts().is_some());
    }

    #[test]
    fn garbage_is_an_error_not_a_zero() {
        for text in ["", "cpu  1 2 x 4\n", "cpu  1 2\n", "cpu0 1 2 3 4\n"] {
            let mut stat = Stat::of(text);
            assert!(matches!(stat.reader.read(), Err(CpuTimesError::Malformed { .. })), "{text}");
        }
    }

    #[test]
    fn a_missing_stat_names_the_path() {
        let host = Host::default().with_procfs("/nonexistent");
        let message = CpuTimesReader::open(&host).unwrap_err().to_string();
        assert!(message.contains("/nonexistent/stat"), "{message}");
    }
}
