//! RAPL through the kernel's `power` PMU (`perf_event_open`): the [`Perf`] meter.
//!
//! Where powercap is closed to a process (its files belong to root since CVE-2020-8694), the same
//! counters can be had with `CAP_PERFMON` alone. The kernel offers them as dynamic PMUs:
//!
//! | PMU, event | zone | where |
//! |---|---|---|
//! | `power/energy-pkg` | package | Intel, AMD |
//! | `power/energy-cores` | core | Intel clients, old Xeons |
//! | `power/energy-ram` | dram | Intel servers |
//! | `power/energy-gpu` | uncore | Intel clients |
//! | `power/energy-psys` | psys | Intel, where the firmware reports it |
//! | `power_core/energy-core` | core | AMD, one counter a core; newer kernels |
//!
//! One counter is opened on each processor of the PMU's `cpumask`. All counters of one kind on one
//! package (the dies of a multi-die package, the cores of an AMD one) form one zone, their sum.
//!
//! **Unit and exactness.** The kernel counts in 64 bits of `scale` joules (2⁻³² J for RAPL) since the
//! meter was opened; the zone reports whole microjoules. Raw counts are summed as integers and
//! converted once, in double precision: conversion, product and rounding are each monotonic, so a
//! zone never runs backwards, and the error stays below 1 µJ up to 2 GJ (300 W for 77 days) and below
//! four parts in 10¹⁶ beyond. There is no modulus.
//!
//! **How often to read.** The registers have 32 bits and the PMU takes the difference of two readings
//! as a *signed* 32-bit number (`arch/x86/events/rapl.c`, `rapl_event_update`): more than 2³¹ units
//! between two updates would count backwards. The kernel's own timer updates the counters as often as
//! 200 W need; a package that draws more must be read by us within 2³¹ units: with AMD's 2⁻¹⁶ J at
//! 500 W every 65 s, at 1500 W every 21 s; with Intel's 2⁻¹⁴ J four times as long.
//!
//! **Privilege.** A counter that watches a whole processor needs `CAP_PERFMON` (`CAP_SYS_ADMIN` before
//! Linux 5.8) or `kernel.perf_event_paranoid` ≤ 0 (`perf_allow_cpu` in `include/linux/perf_event.h`).
//! Container engines block `perf_event_open` with seccomp unless a capability lifts that.
//!
//! **Cost.** One `read(2)` a counter, which the kernel answers on the package's own processor (an
//! inter-processor interrupt). No allocation after opening.
//!
//! **Tests.** Virtual machines have no power PMU. The tests therefore describe, in a temporary sysfs, a PMU of
//! type `PERF_TYPE_SOFTWARE` whose event is the CPU clock, scaled from nanoseconds to joules as if a
//! processor drew one watt: the real system call, a real counter that really rises.
//!
//! ```
//! use kepler_core::host::Host;
//! use kepler_core::meter::{EnergyMeter, perf::Perf};
//!
//! match Perf::open(&Host::default()) {
//!     Ok(meter) => meter.zones().iter().for_each(|zone| println!("{}: {}", zone.kind, zone.path)),
//!     Err(unavailable) => println!("{unavailable}"),
//! }
//! ```

use super::inventory::add_missing_packages;
use super::{EnergyMeter, MeterInventory, Method, Quality, ReadError, ReadFault, Reading, SkippedZone, Zone};
use crate::availability::{Remedy, Root, Unavailable};
use crate::host::perf_events::{self, Paranoia};
use crate::host::{Host, Timestamp, Topology, parse_processor_list};
use crate::units::{Energy, ZoneKind};
use perf_event::events::{Dynamic, Raw};
use perf_event::{Builder, Counter};
use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;

/// The `source` label of this meter.
const SOURCE: &str = "perf";

/// PMU, event, zone.
const EVENTS: [(&str, &str, ZoneKind); 6] = [
    ("power", "energy-pkg", ZoneKind::Package),
    ("power", "energy-cores", ZoneKind::Core),
    ("power_core", "energy-core", ZoneKind::Core),
    ("power", "energy-gpu", ZoneKind::Uncore),
    ("power", "energy-ram", ZoneKind::Dram),
    ("power", "energy-psys", ZoneKind::Psys),
];

/// Reads RAPL energy through the kernel's power PMU. See the [module](self) for units, privileges and limits.
#[derive(Debug)]
pub struct Perf {
    zones: Vec<Zone>,
    /// In the order of `zones`.
    counters: Vec<Counters>,
    skipped: Vec<SkippedZone>,
}

/// The counters whose sum is one zone.
#[derive(Debug)]
struct Counters {
    counters: Vec<Counter>,
    joules_per_count: f64,
}

impl Perf {
    /// Opens every energy event of the host's power PMUs.
    ///
    /// An event that the kernel lists but refuses leaves its zone out; the others are used.
    ///
    /// # Errors
    /// When there is no power PMU, or none of its events can be opened: what is missing, and what to do.
    pub fn open(host: &Host) -> Result<Self, Unavailable> {
        let devices = host.sysfs().join("bus/event_source/devices");
        let topology = Topology::read(host);
        let paranoia = Paranoia::of(host);
        let mut meter = Perf { zones: Vec::new(), counters: Vec::new(), skipped: Vec::new() };
        let mut first_fault = None;
        for (pmu, event, kind) in EVENTS {
            let pmu = devices.join(pmu);
            if !pmu.join("events").join(event).exists() {
                continue;
            }
            if let Err(error) = meter.open_event(&pmu, event, kind, &topology, paranoia) {
                meter.skipped.push(SkippedZone::unused(refused(&pmu, event, &error, paranoia)));
                first_fault.get_or_insert((pmu, event, error));
            }
        }
        match (meter.zones.is_empty(), first_fault) {
            (false, _) => {
                add_missing_packages(SOURCE, &meter.zones, &topology, &mut meter.skipped);
                Ok(meter)
            }
            (true, None) => Err(no_pmu(&devices, topology.virtualised)),
            (true, Some((pmu, event, error))) => Err(refused(&pmu, event, &error, paranoia)),
        }
    }

    /// Opens one event on every processor of its PMU's mask, and adds a zone a package. A package on which it
    /// cannot be opened is a missing part, unless there is none on which it can.
    fn open_event(
        &mut self,
        pmu: &Path,
        event: &str,
        kind: ZoneKind,
        topology: &Topology,
        paranoia: Paranoia,
    ) -> io::Result<()> {
        let mut dynamic = Dynamic::builder(pmu)?;
        dynamic.event(event)?;
        let unit = dynamic.unit()?;
        if unit.as_deref().is_some_and(|unit| unit != "Joules") {
            return Err(invalid("its unit is not Joules"));
        }
        let joules_per_count = dynamic
            .scale()?
            .filter(|scale| scale.is_finite() && *scale > 0.0)
            .ok_or_else(|| invalid("it has no positive scale"))?;
        // The event itself is checked before any counter is opened on it.
        let dynamic = dynamic.build()?;
        let mask = fs::read_to_string(pmu.join("cpumask"))?;
        let processors = parse_processor_list(mask.trim()).ok_or_else(|| invalid("its cpumask is no list"))?;

        let mut opened: Vec<(Option<u32>, io::Result<Vec<Counter>>)> = Vec::new();
        let is_amd = is_amd(topology);
        for processor in processors {
            let package = topology.processors.iter().find(|p| p.number == processor).map(|p| p.physical_id);
            let known = opened.iter_mut().find(|(known, _)| *known == package);
            // On AMD the mask of Linux 6.9 to 6.11 has a processor of each die, and all count the package.
            if is_amd && kind == ZoneKind::Package && matches!(&known, Some((_, Ok(_)))) {
                continue;
            }
            let counter = open_counter(dynamic, processor);
            match (known, counter) {
                (Some((_, Ok(counters))), Ok(counter)) => counters.push(counter),
                (Some((_, counters)), Ok(counter)) if is_amd => *counters = Ok(vec![counter]),
                (Some((_, counters)), Err(error)) => *counters = Err(error),
                (Some(_), Ok(_)) => {}
                (None, counter) => opened.push((package, counter.map(|counter| vec![counter]))),
            }
        }
        if opened.iter().all(|(_, counters)| counters.is_err()) {
            return Err(opened
                .into_iter()
                .find_map(|(_, counters)| counters.err())
                .unwrap_or_else(|| invalid("its cpumask is empty")));
        }
        for (package, counters) in opened {
            let counters = match counters {
                Ok(counters) => counters,
                Err(error) => {
                    let skipped = SkippedZone::missing(kind, package, refused(pmu, event, &error, paranoia));
                    self.skipped.push(skipped.with_fault(super::reason(&error)));
                    continue;
                }
            };
            let mut zone = Zone::new(kind, pmu.join("events").join(event).display().to_string());
            zone.package = package;
            self.zones.push(zone);
            self.counters.push(Counters { counters, joules_per_count });
        }
        Ok(())
    }
}

impl EnergyMeter for Perf {
    fn source(&self) -> &'static str {
        SOURCE
    }

    fn quality(&self) -> Quality {
        Quality::of(Method::Measured)
    }

    fn inventory(&self) -> MeterInventory<'_> {
        MeterInventory::of(&self.zones).with_skipped(&self.skipped)
    }

    fn read(&mut self, _at: Timestamp, readings: &mut Vec<Result<Reading, ReadError>>) {
        readings.clear();
        readings.extend(self.counters.iter_mut().zip(&self.zones).map(|(counters, zone)| {
            counters.read().map(Reading::Counter).map_err(|fault| ReadError::new(Arc::clone(&zone.path), fault))
        }));
    }
}

impl Counters {
    /// The energy since opening, all counters together.
    fn read(&mut self) -> Result<Energy, ReadFault> {
        let mut count = 0u64;
        for counter in &mut self.counters {
            let more = counter.read()?;
            count = count.checked_add(more).ok_or(ReadFault::Invalid("the counters overflow 64 bits"))?;
        }
        Ok(energy(count, self.joules_per_count))
    }
}

/// Opens and starts a counter of an event on a processor.
fn open_counter(event: Dynamic, processor: u32) -> io::Result<Counter> {
    // RAPL can exclude nothing (`PERF_PMU_CAP_NO_EXCLUDE`): a filter would be refused with EINVAL.
    let mut counter = Builder::new(Raw::new(0))
        .event(event)
        .any_pid()
        .one_cpu(processor as usize)
        .include_kernel()
        .include_hv()
        .build()?;
    counter.enable()?;
    Ok(counter)
}

/// Counts as energy.
fn energy(count: u64, joules_per_count: f64) -> Energy {
    Energy::from_joules(count as f64 * joules_per_count)
}

/// AMD and Hygon count energy per package, whatever the kernel makes of their dies.
fn is_amd(topology: &Topology) -> bool {
    topology.processors.first().is_some_and(|cpu| matches!(cpu.vendor_id.as_str(), "AuthenticAMD" | "HygonGenuine"))
}

fn invalid(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

fn no_pmu(devices: &Path, virtualised: bool) -> Unavailable {
    let reason = format!("no power PMU with an energy event under {}", devices.display());
    let remedy = if virtualised {
        Remedy::MeasureOnHost
    } else {
        // `intel_rapl_perf` before Linux 5.8; it serves AMD too.
        let option = Remedy::EnableKernelOption { option: "CONFIG_PERF_EVENTS_INTEL_RAPL" };
        Remedy::any([Remedy::load(["rapl"]), Remedy::MountRoot { root: Root::Sysfs }, option])
    };
    Unavailable::new(SOURCE, reason, remedy)
}

fn refused(pmu: &Path, event: &str, error: &io::Error, paranoia: Paranoia) -> Unavailable {
    let reason = format!("cannot open {event} of {}: {}", pmu.display(), paranoia.describe(error));
    // Else this kernel does not offer the event on this processor, or the sysfs is not this kernel's.
    let remedy = perf_events::remedy(error, paranoia).unwrap_or_else(|| Remedy::select(["powercap", "msr"]));
    Unavailable::new(SOURCE, reason, remedy)
}

#[cfg(test)]
mod tests;
