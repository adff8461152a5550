//! Hardware counters of the processors: cycles, instructions, cache misses.
//!
//! One counter an event is opened on every processor, for all that runs on it ([`NodeCounters`]). Their sums are
//! what work is a part of when energy is divided by cycles or cache misses, and features of power models. The same
//! can be counted for what runs in one cgroup ([`CgroupCounters`]).
//!
//! | event | kernel's name | exactly |
//! |---|---|---|
//! | cycles | `PERF_COUNT_HW_CPU_CYCLES` | while not halted, kernel and guests included; idle tasks count while they run, not while they sleep |
//! | instructions | `PERF_COUNT_HW_INSTRUCTIONS` | retired |
//! | cache misses | `PERF_COUNT_HW_CACHE_MISSES` | of the last-level cache as the kernel maps it: loads and stores on most, loads alone on some |
//!
//! **Multiplexing.** A processor has few counters. Where others use them, the kernel counts us only part of the time;
//! what was counted in an interval is scaled by enabled over running time *of that interval*. An event
//! that did not run at all in it is not known, which is not zero.
//!
//! **Privilege.** `CAP_PERFMON` (`CAP_SYS_ADMIN` before Linux 5.8) or `kernel.perf_event_paranoid` ≤ 0, as for the
//! perf meter. Virtual machines mostly have no PMU: then opening is refused.
//!
//! **Cost.** Three descriptors a processor, and one `read(2)` with an inter-processor interrupt for each of them a
//! tick. No allocation after opening.
//!
//! ```
//! use kepler_core::host::{CpuDomains, Host};
//! use kepler_core::usage::perf::NodeCounters;
//!
//! let host = Host::default();
//! match NodeCounters::open(&host, &CpuDomains::read(&host)) {
//!     Ok(mut counters) => println!("cycles since: {:?}", counters.read().iter().map(|work| work.cycles).collect::<Vec<_>>()),
//!     Err(unavailable) => println!("{unavailable}; {:?}", unavailable.remedy),
//! }
//! ```

mod cgroup;

pub use cgroup::CgroupCounters;

use super::Work;
use crate::availability::{Remedy, Root, Unavailable};
use crate::host::perf_events::{self, Paranoia};
use crate::host::{CpuDomain, CpuDomains, Host};
use perf_event::events::Hardware;
use perf_event::{Builder, CountAndTime, Counter};
use rustix::io::Errno;
use std::fs;
use std::io;

/// The name it goes by in an [`Unavailable`].
const SOURCE: &str = "counters";

/// Counts on all processors.
#[derive(Debug)]
pub struct NodeCounters {
    processors: Vec<Processor>,
    sums: Vec<Work>,
}

/// The counters of one processor; `None` for an event that it does not have.
#[derive(Debug)]
struct Processor {
    domain: u16,
    cycles: Option<Scaled>,
    instructions: Option<Scaled>,
    cache_misses: Option<Scaled>,
}

/// A counter, and where it stood.
#[derive(Debug)]
struct Scaled {
    counter: Counter,
    last: Option<CountAndTime>,
}

impl NodeCounters {
    /// Opens the counters of every processor of these domains.
    ///
    /// # Errors
    /// When not a single event can be counted, or not on every processor: what is missing, and what to do.
    pub fn open(host: &Host, domains: &CpuDomains) -> Result<Self, Unavailable> {
        let mut processors = Vec::new();
        for (domain, index) in domains.iter().zip(0u16..) {
            let pmu = pmu_type(host, domain);
            for &number in &domain.processors {
                let counters = Processor::open(index, |event| {
                    let mut builder = event_on(number, event, pmu);
                    builder.any_pid();
                    Scaled::open(builder)
                });
                processors.push(counters.map_err(|error| refused(number, &error, Paranoia::of(host)))?);
            }
        }
        if processors.is_empty() {
            let remedy = Remedy::MountRoot { root: Root::Procfs };
            return Err(Unavailable::new(SOURCE, "the host does not say which processors it has", remedy));
        }
        Ok(NodeCounters { processors, sums: vec![Work::default(); domains.len()] })
    }

    /// What was counted since the last reading, by domain. Their times are zero: these are counts only. `None` is what
    /// is not known of every processor of the domain, as at the first reading.
    pub fn read(&mut self) -> &[Work] {
        self.sums.fill(NOTHING);
        for processor in &mut self.processors {
            if let Some(sum) = self.sums.get_mut(usize::from(processor.domain)) {
                processor.add_to(sum);
            }
        }
        &self.sums
    }
}

/// Nothing was done, and all of it counted.
const NOTHING: Work = Work { time_ns: 0, cycles: Some(0), instructions: Some(0), cache_misses: Some(0) };

impl Processor {
    /// Opens what can be counted; an error if that is nothing.
    fn open(domain: u16, open: impl Fn(Hardware) -> io::Result<Scaled>) -> io::Result<Self> {
        let cycles = open(Hardware::CPU_CYCLES);
        let instructions = open(Hardware::INSTRUCTIONS);
        let cache_misses = open(Hardware::CACHE_MISSES);
        match (cycles, instructions, cache_misses) {
            (Err(error), Err(_), Err(_)) => Err(error),
            (cycles, instructions, cache_misses) => {
                let (cycles, instructions, cache_misses) = (cycles.ok(), instructions.ok(), cache_misses.ok());
                Ok(Processor { domain, cycles, instructions, cache_misses })
            }
        }
    }

    /// Adds what was counted since the last time; what is not known makes the sum unknown.
    fn add_to(&mut self, sum: &mut Work) {
        let Processor { cycles, instructions, cache_misses, .. } = self;
        for (sum, counter) in
            [(&mut sum.cycles, cycles), (&mut sum.instructions, instructions), (&mut sum.cache_misses, cache_misses)]
        {
            let count = counter.as_mut().and_then(Scaled::advance);
            *sum = sum.zip(count).map(|(sum, count)| sum.saturating_add(count));
        }
    }
}

/// A counter of one event on a processor.
fn event_on<'a>(processor: u32, event: Hardware, pmu: u32) -> Builder<'a> {
    let mut builder = Builder::new(event);
    // On a hybrid the upper half says which of its PMUs is meant (`PERF_PMU_TYPE_SHIFT`, Linux 5.13).
    builder.attrs_mut().config |= u64::from(pmu) << 32;
    builder.one_cpu(processor as usize).include_kernel();
    builder
}

/// The number of the PMU of a hybrid's core type; zero where there is but one.
fn pmu_type(host: &Host, domain: &CpuDomain) -> u32 {
    let Some(core_type) = &domain.core_type else { return 0 };
    let file = host.sysfs().join("devices").join(format!("cpu_{core_type}")).join("type");
    fs::read_to_string(file).ok().and_then(|text| text.trim().parse().ok()).unwrap_or(0)
}

impl Scaled {
    fn open(builder: Builder<'_>) -> io::Result<Self> {
        let mut counter = builder.build()?;
        counter.enable()?;
        Ok(Scaled { counter, last: None })
    }

    /// What was counted since the last call; `None` if that is not known.
    fn advance(&mut self) -> Option<u64> {
        let now = self.counter.read_count_and_time().ok();
        let before = std::mem::replace(&mut self.last, now);
        before.zip(now).and_then(|(before, now)| scaled(&before, &now))
    }
}

/// What would have been counted if the counter had run all the time between two readings.
fn scaled(before: &CountAndTime, now: &CountAndTime) -> Option<u64> {
    let count = now.count.checked_sub(before.count)?;
    let enabled = now.time_enabled.checked_sub(before.time_enabled)?;
    let running = now.time_running.checked_sub(before.time_running)?;
    match running {
        // A processor that was off all the time did nothing.
        0 if enabled == 0 => Some(0),
        0 => None,
        running if running >= enabled => Some(count),
        running => u64::try_from(u128::from(count) * u128::from(enabled) / u128::from(running)).ok(),
    }
}

fn refused(processor: u32, error: &io::Error, paranoia: Paranoia) -> Unavailable {
    let fault = paranoia.describe(error);
    let reason = format!("cannot count cycles, instructions or cache misses on processor {processor}: {fault}");
    let remedy = perf_events::remedy(error, paranoia).unwrap_or(match Errno::from_io_error(error) {
        // Most virtual machines show no counters unless configured to (QEMU: `-cpu host,pmu=on`).
        Some(Errno::NOENT | Errno::OPNOTSUPP | Errno::NODEV | Errno::INVAL) => Remedy::PassCountersToGuest,
        _ => Remedy::None,
    });
    Unavailable::new(SOURCE, reason, remedy)
}

#[cfg(test)]
mod tests;
