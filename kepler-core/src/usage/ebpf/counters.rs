//! Hardware events: cycles, instructions and misses of the last-level cache, counted on each processor.
//!
//! The program reads the counters at every switch, on the processor itself. Where the processor has fewer
//! counters than are asked for, the kernel takes turns; counts are then scaled up by the share of time.

use super::record::{Cpu, EVENTS, RawReading};
use super::table::Array;
use crate::host::{Host, Topology, parse_processor_list};
use perf_event::events::{Event, Hardware, Software};
use perf_event::{Builder, Counter, ReadFormat};
use std::fs;
use std::io;
use std::os::fd::AsRawFd;

/// Which events are counted at every switch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Counting {
    /// Those of the processor that it has counters for: none in most virtual machines.
    #[default]
    Hardware,
    /// None.
    Nothing,
    /// The kernel's CPU clock (nanoseconds) in place of cycles, to go the way of the counters where the
    /// processor has none.
    SoftwareClock,
}

/// The open counters.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pmus: Vec<Pmu>,
    /// By event, then by processor number.
    events: [Option<Counted>; EVENTS],
}

/// One event on all processors.
#[derive(Debug)]
struct Counted {
    kind: Kind,
    counters: Vec<Option<Counter>>,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Hardware(Hardware),
    Software(Software),
}

/// A hybrid processor has one unit for each type of core.
#[derive(Debug)]
struct Pmu {
    number: u64,
    processors: Vec<u32>,
}

impl Counters {
    /// Opens what can be opened on every processor. An event that one of them lacks is not counted at all:
    /// work there would look like none.
    pub(super) fn open(host: &Host, counting: Counting) -> Self {
        let kinds = match counting {
            Counting::Nothing => return Self::default(),
            Counting::SoftwareClock => [Some(Kind::Software(Software::CPU_CLOCK)), None, None],
            Counting::Hardware => [Hardware::CPU_CYCLES, Hardware::INSTRUCTIONS, Hardware::CACHE_MISSES]
                .map(|event| Some(Kind::Hardware(event))),
        };
        let pmus = pmus(host);
        let processors: Vec<u32> = Topology::read(host).processors.iter().map(|processor| processor.number).collect();
        let open = |kind: Kind| match open_everywhere(kind, &processors, &pmus) {
            Ok(counters) => Some(Counted { kind, counters }),
            Err(error) => {
                tracing::debug!(?kind, %error, "this event is not counted");
                None
            }
        };
        Counters { events: kinds.map(|kind| kind.and_then(open)), pmus }
    }

    /// Which events are counted, a bit each.
    pub(super) fn mask(&self) -> u32 {
        (0..).zip(&self.events).map(|(bit, event)| u32::from(event.is_some()) << bit).sum()
    }

    /// Hands the counters to the program.
    pub(super) fn install(&self, maps: &[Array<u32>; EVENTS]) -> io::Result<()> {
        for (event, map) in self.events.iter().zip(maps) {
            for (processor, counter) in event.iter().flat_map(|event| &event.counters).enumerate() {
                if let Some(counter) = counter {
                    hand_over(map, processor, counter)?;
                }
            }
        }
        Ok(())
    }

    /// Opens the counters of a processor again, which went when it was taken offline. If that fails, the next switch
    /// there will tell again.
    pub(super) fn reopen(&mut self, processor: usize, maps: &[Array<u32>; EVENTS]) {
        for (event, map) in self.events.iter_mut().zip(maps) {
            let Some(event) = event else { continue };
            let Ok(number) = u32::try_from(processor) else { continue };
            let opened = open(event.kind, number, &self.pmus).and_then(|counter| {
                hand_over(map, processor, &counter)?;
                Ok(counter)
            });
            match opened {
                Ok(counter) => {
                    if event.counters.len() <= processor {
                        event.counters.resize_with(processor + 1, || None);
                    }
                    if let Some(slot) = event.counters.get_mut(processor) {
                        *slot = Some(counter);
                    }
                }
                Err(error) => tracing::debug!(processor, %error, "counters cannot be opened again"),
            }
        }
    }

    /// What was counted on a processor since its last switch.
    pub(super) fn advance(&mut self, processor: usize, cpu: &Cpu) -> [u64; EVENTS] {
        let mut counts = [0; EVENTS];
        for ((count, event), last) in counts.iter_mut().zip(&mut self.events).zip(&cpu.readings) {
            let counter = event.as_mut().and_then(|event| event.counters.get_mut(processor)?.as_mut());
            let Some(Ok(now)) = counter.map(Counter::read_count_and_time) else { continue };
            let now = RawReading { count: now.count, enabled: now.time_enabled, running: now.time_running };
            *count = scaled(now, *last);
        }
        counts
    }
}

/// The difference of two readings, scaled up where the counter had to be shared.
fn scaled(now: RawReading, last: RawReading) -> u64 {
    let since = |now: u64, last: u64| now.saturating_sub(last);
    let (count, enabled, running) =
        (since(now.count, last.count), since(now.enabled, last.enabled), since(now.running, last.running));
    if running == 0 || running >= enabled {
        return count;
    }
    u64::try_from(u128::from(count) * u128::from(enabled) / u128::from(running)).unwrap_or(u64::MAX)
}

fn hand_over(map: &Array<u32>, processor: usize, counter: &Counter) -> io::Result<()> {
    let processor = u32::try_from(processor).map_err(io::Error::other)?;
    map.write(processor, &counter.as_raw_fd().cast_unsigned())
}

fn open_everywhere(kind: Kind, processors: &[u32], pmus: &[Pmu]) -> io::Result<Vec<Option<Counter>>> {
    let mut counters = Vec::new();
    for &processor in processors {
        let position = processor as usize;
        if counters.len() <= position {
            counters.resize_with(position + 1, || None);
        }
        let counter = open(kind, processor, pmus)?;
        if let Some(slot) = counters.get_mut(position) {
            *slot = Some(counter);
        }
    }
    Ok(counters)
}

fn open(kind: Kind, processor: u32, pmus: &[Pmu]) -> io::Result<Counter> {
    match kind {
        Kind::Software(event) => build(event, processor, 0),
        Kind::Hardware(event) => {
            // `PERF_PMU_TYPE_SHIFT`: which of several units counts it stands in the upper half (Linux 5.13).
            let pmu = pmus.iter().find(|pmu| pmu.processors.contains(&processor)).map_or(0, |pmu| pmu.number << 32);
            build(event, processor, pmu)
        }
    }
}

fn build(event: impl Event, processor: u32, pmu: u64) -> io::Result<Counter> {
    let mut builder = Builder::new(event);
    builder.any_pid().one_cpu(processor as usize).include_kernel().include_hv().enabled(true);
    builder.read_format(ReadFormat::TOTAL_TIME_ENABLED | ReadFormat::TOTAL_TIME_RUNNING);
    builder.attrs_mut().config |= pmu;
    builder.build()
}

fn pmus(host: &Host) -> Vec<Pmu> {
    let devices = host.sysfs().join("bus/event_source/devices");
    let read = |name: &str| {
        let text = |file: &str| fs::read_to_string(devices.join(name).join(file)).ok();
        let number = text("type")?.trim().parse().ok()?;
        Some(Pmu { number, processors: parse_processor_list(text("cpus")?.trim())? })
    };
    ["cpu_core", "cpu_atom", "cpu_lowpower"].into_iter().filter_map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_scaled_by_the_share_of_time_that_the_counter_ran() {
        let reading = |count, enabled, running| RawReading { count, enabled, running };
        assert_eq!(scaled(reading(110, 200, 150), reading(10, 100, 100)), 200);
        assert_eq!(scaled(reading(110, 200, 200), reading(10, 100, 100)), 100);
        assert_eq!(scaled(reading(10, 200, 100), reading(10, 100, 100)), 0);
    }

    #[test]
    fn the_units_of_a_hybrid_processor_are_distinguished() {
        let root = tempfile::tempdir().unwrap();
        for (name, number, cpus) in [("cpu_core", "4", "0-3"), ("cpu_atom", "10", "4-5")] {
            let unit = root.path().join("bus/event_source/devices").join(name);
            fs::create_dir_all(&unit).unwrap();
            fs::write(unit.join("type"), format!("{number}\n")).unwrap();
            fs::write(unit.join("cpus"), format!("{cpus}\n")).unwrap();
        }
        let pmus = pmus(&Host::default().with_sysfs(root.path()));
        let found: Vec<_> = pmus.iter().map(|pmu| (pmu.number, pmu.processors.as_slice())).collect();
        assert_eq!(found, [(4, &[0, 1, 2, 3][..]), (10, &[4, 5][..])]);
    }
}
