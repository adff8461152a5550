//! Machines, and how different two of them are.

mod processor;

use crate::host::file::{self, FileLimits};
use crate::host::{Host, Topology};
use processor::ProcessorName;
use std::fmt::Write;
use std::fs;

/// The longest `meminfo` that is read.
const LONGEST: FileLimits = FileLimits::bytes(1 << 20);

/// Sizes that differ by less are the same machine described by different tools: the kernel keeps some memory to
/// itself, clocks are rounded.
const TOLERANCE: f64 = 0.1;

// What each difference counts. The scale is a doubling of the CPUs, which counts 1, since it doubles what a machine
// can draw. The others are judgement, not measurement: what a doubling of this is worth in doublings of CPUs.
const CPUS: f64 = 1.0;
const CHIPS: f64 = 0.5;
const MEMORY: f64 = 0.1;
const FREQUENCY: f64 = 0.5;
/// For a size that one side does not know.
const UNKNOWN: f64 = 0.25;

/// What is known of a machine, to find the model of the most similar one. Every field but the processor may be unknown.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Machine {
    /// Processor in the model database's spelling: `intel_xeon_platinum_8259cl`. See [`Machine::with_processor`].
    pub processor: String,
    /// Physical cores of all sockets.
    pub cores: Option<u32>,
    /// Logical CPUs of all sockets. Never compared with another machine's cores.
    pub threads: Option<u32>,
    /// Sockets.
    pub chips: Option<u32>,
    /// Main memory, GiB.
    pub memory_gib: Option<f64>,
    /// Highest (turbo) frequency where the database's publisher read it from the kernel, nominal frequency where it comes
    /// from SPECpower, MHz.
    pub frequency_mhz: Option<f64>,
}

/// How different two machines are, and in what.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Difference {
    /// 0 for the same machine; 1 is as much as twice as many CPUs.
    pub distance: f64,
    /// What differs, in words; `the same machine type` for none.
    pub reason: String,
}

impl Machine {
    /// A machine of which only the processor's marketing name is known, in any spelling:
    /// `Intel(R) Xeon(R) CPU E5-2686 v4 @ 2.30GHz` becomes `intel_xeon_e5_2686v4`.
    #[must_use]
    pub fn with_processor(name: &str) -> Self {
        Machine { processor: processor::normalise(name), ..Machine::default() }
    }

    /// The host, as far as the kernel reports it. In a virtual machine this is the virtual one.
    #[must_use]
    pub fn of(host: &Host) -> Self {
        let topology = Topology::read(host);
        let mut cores: Vec<(u32, u32)> =
            topology.processors.iter().map(|processor| (processor.physical_id, processor.core_id)).collect();
        cores.sort_unstable();
        cores.dedup();
        let name = topology.processors.first().map_or("", |processor| processor.model_name.as_str());
        let count = |length: usize| u32::try_from(length).ok().filter(|&count| count > 0);
        Machine {
            cores: count(cores.len()),
            threads: count(topology.processors.len()),
            chips: count(topology.packages().len()),
            memory_gib: memory(host),
            frequency_mhz: frequency(host),
            ..Machine::with_processor(name)
        }
    }

    /// How far `other` is from this machine.
    #[must_use]
    pub fn difference(&self, other: &Machine) -> Difference {
        let mut difference = Difference { distance: 0.0, reason: String::new() };
        let (own, others) = (ProcessorName::parse(&self.processor), ProcessorName::parse(&other.processor));
        let (distance, relation) = own.difference(&others);
        if distance > 0.0 {
            difference.add(distance, format_args!("{relation} ({} for {})", other.processor, self.processor));
        }
        // Threads with threads or cores with cores: a published count of 96 may be either.
        let (what, own_cpus, other_cpus) = match (self.threads, other.threads) {
            (Some(own), Some(others)) => ("threads", Some(own), Some(others)),
            _ => ("cores", self.cores, other.cores),
        };
        difference.compare(what, CPUS, own_cpus.map(f64::from), other_cpus.map(f64::from));
        difference.compare("sockets", CHIPS, self.chips.map(f64::from), other.chips.map(f64::from));
        difference.compare("GiB", MEMORY, self.memory_gib, other.memory_gib);
        difference.compare("MHz", FREQUENCY, self.frequency_mhz, other.frequency_mhz);
        if difference.reason.is_empty() {
            difference.reason.push_str("the same machine type");
        }
        difference
    }
}

impl Difference {
    fn add(&mut self, distance: f64, reason: std::fmt::Arguments<'_>) {
        self.distance += distance;
        let separator = if self.reason.is_empty() { "" } else { "; " };
        // Writing to a string cannot fail.
        let _ = write!(self.reason, "{separator}{reason}");
    }

    fn compare(&mut self, what: &str, weight: f64, own: Option<f64>, other: Option<f64>) {
        let sane = |size: Option<f64>| size.filter(|size| size.is_finite() && *size > 0.0);
        match (sane(own), sane(other)) {
            (Some(own), Some(other)) => {
                let doublings = (other / own).log2().abs();
                if doublings > TOLERANCE.ln_1p() / std::f64::consts::LN_2 {
                    self.add(weight * doublings, format_args!("{other} {what} for {own}"));
                }
            }
            _ => self.add(weight * UNKNOWN, format_args!("unknown {what}")),
        }
    }
}

/// Main memory by `/proc/meminfo`, whose one line is read here: the `procfs` crate refuses a file that lacks any of some
/// twenty fields, as those of sandboxes do (gVisor has no `Slab`).
fn memory(host: &Host) -> Option<f64> {
    let text = file::read_text(&host.procfs().join("meminfo"), LONGEST).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kibibytes: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes / f64::from(1 << 20))
}

/// The highest frequency of the first processor, where cpufreq says it.
fn frequency(host: &Host) -> Option<f64> {
    let path = host.sysfs().join("devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq");
    let kilohertz: f64 = fs::read_to_string(path).ok()?.trim().parse().ok()?;
    Some(kilohertz / 1000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn m5() -> Machine {
        Machine {
            cores: Some(48),
            threads: Some(96),
            chips: Some(2),
            memory_gib: Some(377.0),
            frequency_mhz: Some(3500.0),
            ..Machine::with_processor("Intel(R) Xeon(R) Platinum 8259CL CPU @ 2.50GHz")
        }
    }

    #[test]
    fn a_machine_is_no_different_from_itself_told_otherwise() {
        let reported = Machine { memory_gib: Some(384.0), frequency_mhz: Some(3504.0), ..m5() };
        assert_eq!(
            m5().difference(&reported),
            Difference { distance: 0.0, reason: "the same machine type".to_owned() }
        );
    }

    #[test]
    fn cores_are_never_compared_with_threads() {
        // 96 cores reported as such are twice the machine of 96 threads.
        let physical = Machine { cores: Some(96), threads: None, ..m5() };
        assert_eq!(m5().difference(&physical).distance, 1.0);
        let half = Machine { cores: Some(48), threads: None, ..m5() };
        assert_eq!(m5().difference(&half).distance, 0.0);
        let neither = Machine { cores: None, threads: Some(96), ..m5() };
        let only_cores = Machine { threads: None, ..m5() };
        assert!(only_cores.difference(&neither).reason.contains("unknown cores"));
    }

    #[test]
    fn each_difference_is_named_and_counts() {
        let other = Machine { chips: Some(1), memory_gib: Some(188.5), frequency_mhz: Some(1750.0), ..m5() };
        let difference = m5().difference(&other);
        assert!((difference.distance - (CHIPS + MEMORY + FREQUENCY)).abs() < 1e-12, "{difference:?}");
        assert_eq!(difference.reason, "1 sockets for 2; 188.5 GiB for 377; 1750 MHz for 3500");
    }

    #[test]
    fn difference_is_mutual() {
        let other = Machine { threads: Some(72), ..Machine::with_processor("Intel Xeon E5-2686 v4") };
        assert!((m5().difference(&other).distance - other.difference(&m5()).distance).abs() < 1e-12);
    }

    #[test]
    fn nothing_known_is_no_match_of_anything() {
        assert!(Machine::default().difference(&Machine::default()).distance > 1.0);
        let absurd = Machine { memory_gib: Some(f64::NAN), frequency_mhz: Some(-1.0), ..m5() };
        assert!(m5().difference(&absurd).distance.is_finite());
    }

    #[test]
    fn this_host_is_described() {
        let machine = Machine::of(&Host::default());
        assert!(machine.threads >= machine.cores && machine.threads.is_some(), "{machine:?}");
        assert!(machine.memory_gib.is_some_and(|memory| memory > 0.1), "{machine:?}");
    }
}
