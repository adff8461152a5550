//! The Linux powercap tree: RAPL counters as files, on Intel and AMD.
//!
//! Source: kernel `Documentation/power/powercap/powercap.rst`, `drivers/powercap/intel_rapl_common.c`.
//! Requirements: the modules `intel_rapl_common` and `intel_rapl_msr`, and the right to read files of
//! mode 0400 (root or `CAP_DAC_READ_SEARCH`): since kernel 5.10 only root may read `energy_uj`.
//! Limits: the counters change about once a millisecond; virtual machines have none; on AMD there is no
//! zone for the cores (see the `msr` meter).
//! Cost: one `pread` a zone; a read that succeeds allocates nothing.
//!
//! ```
//! use kepler_core::host::{Host, Timestamp};
//! use kepler_core::meter::EnergyMeter;
//! use kepler_core::meter::powercap::Powercap;
//!
//! match Powercap::open(&Host::default()) {
//!     Ok(mut meter) => {
//!         let mut readings = Vec::new();
//!         meter.read(Timestamp::now(), &mut readings);
//!         for (zone, reading) in meter.zones().iter().zip(&readings) {
//!             println!("{} of package {:?}: {reading:?}", zone.kind, zone.package);
//!         }
//!     }
//!     Err(unavailable) => println!("{unavailable}; {:?}", unavailable.remedy),
//! }
//! ```

mod tree;
mod unavailable;

use super::inventory::add_missing_packages;
use super::limits::Limits;
use super::sysfs::{self, Attribute, pread_decimal};
use super::watchdog::{self, Guarded, Probe};
use super::{EnergyMeter, MeterInventory, Method, Quality, ReadError, ReadFault, Reading, SkippedZone, Zone};
use crate::availability::{Remedy, Unavailable};
use crate::host::{Host, Timestamp, Topology};
use crate::units::{Energy, Power, ZoneKind};
use std::io;
use std::path::Path;
use tree::{Entry, ZoneName};
use unavailable::{no_tree, no_zones, remedy};

const SOURCE: &str = "powercap";

/// Raw counts in a round: the energy status registers have 32 bits.
const COUNTS: u64 = 1 << 32;

/// Reads the RAPL zones of the powercap tree.
#[derive(Debug)]
pub struct Powercap {
    zones: Vec<Zone>,
    counters: Vec<Counter>,
    skipped: Vec<SkippedZone>,
}

impl Powercap {
    /// Opens the zones under the host's `class/powercap`.
    ///
    /// A zone is used if its name is known and it can be read now. One that is both in the MSR-driven
    /// and in the memory-mapped tree is used once.
    ///
    /// # Errors
    /// When no zone can be used; why, and what to do.
    pub fn open(host: &Host) -> Result<Self, Unavailable> {
        let class = host.sysfs().join("class/powercap");
        let (topology, limits) = (Topology::read(host), Limits::of(host));
        let entries = tree::entries(&class).map_err(|error| no_tree(&class, &error, &topology))?;
        if entries.is_empty() {
            return Err(no_zones(&class, &topology));
        }
        let mut meter = Powercap { zones: Vec::new(), counters: Vec::new(), skipped: Vec::new() };
        let is_amd = is_amd(&topology);
        let (mut taken, mut missing, mut denied) = (Vec::<ZoneName>::new(), Vec::<ZoneName>::new(), None);
        for entry in &entries {
            let name = match zone_name(entry, &entries) {
                Ok(name) => name,
                Err(reason) => {
                    meter.skip(entry, None, reason, Remedy::None);
                    continue;
                }
            };
            if let Some((reason, remedy)) = duplicate(entry, name, &taken, is_amd) {
                meter.skip(entry, None, reason, remedy);
                continue;
            }
            match open_zone(entry, name, limits.of_kind(name.kind)) {
                Ok((zone, counter)) => {
                    meter.zones.push(zone);
                    meter.counters.push(counter);
                    taken.push(name);
                }
                Err(error) => {
                    let remedy = remedy(&error);
                    if error.source.kind() == io::ErrorKind::PermissionDenied {
                        denied = Some((error.path.clone(), remedy.clone()));
                    }
                    missing.push(name);
                    meter.skip(entry, Some((name, error.reason())), error.to_string(), remedy);
                }
            }
        }
        // What another zone counts as well is not missing: the memory-mapped tree, or on AMD another die.
        let is_counted =
            |name: &ZoneName| taken.iter().any(|other| other == name || (is_amd && other.counts_same(*name)));
        for (skipped, name) in meter.skipped.iter_mut().filter(|skipped| skipped.is_missing).zip(&missing) {
            skipped.is_missing = !is_counted(name);
        }
        if !meter.zones.is_empty() {
            add_missing_packages(SOURCE, &meter.zones, &topology, &mut meter.skipped);
            return Ok(meter);
        }
        // Rights are what an operator can change: name them first, whatever else is wrong.
        Err(match (denied, meter.skipped.into_iter().next()) {
            (Some((path, remedy)), _) => Unavailable::new(SOURCE, format!("no right to read {path}"), remedy),
            (None, Some(first)) => first.unavailable,
            (None, None) => no_zones(&class, &topology),
        })
    }

    /// The same zones, read so that one that hangs does not hold up the others.
    pub(super) fn guarded(self) -> Box<dyn EnergyMeter> {
        Box::new(Guarded::new(SOURCE, self.zones, self.skipped, self.counters))
    }

    /// Leaves out a zone: for good, or with `missing` as a part that its kind's sum lacks, for that kind of fault.
    fn skip(
        &mut self,
        entry: &Entry,
        missing: Option<(ZoneName, &'static str)>,
        reason: impl std::fmt::Display,
        remedy: Remedy,
    ) {
        let unavailable = Unavailable::new(SOURCE, format!("zone {} is not used: {reason}", entry.id), remedy);
        self.skipped.push(match missing {
            Some((name, fault)) => SkippedZone::missing(name.kind, name.package, unavailable).with_fault(fault),
            None => SkippedZone::unused(unavailable),
        });
    }
}

impl EnergyMeter for Powercap {
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
        readings.extend(self.counters.iter_mut().map(Probe::read));
    }
}

impl Probe for Counter {
    fn read(&mut self) -> Result<Reading, ReadError> {
        self.energy().map(Reading::Counter).map_err(|fault| self.energy.error(fault))
    }

    fn path(&self) -> &Path {
        self.energy.path()
    }
}

/// One zone's `energy_uj`.
#[derive(Debug)]
struct Counter {
    energy: Attribute,
    /// The largest value the counter takes, µJ.
    range: u64,
}

impl Counter {
    /// Opens the counter of the zone in `directory` and reads it once. Also gives its modulus.
    fn open(directory: &Path) -> Result<(Self, Energy), ReadError> {
        let range_path = directory.join("max_energy_range_uj");
        let range = sysfs::open(&range_path)
            .map_err(ReadFault::from)
            .and_then(|file| pread_decimal(&file))
            .and_then(|range| if range == 0 { Err(ReadFault::Invalid("a range of zero")) } else { Ok(range) })
            .map_err(|source| read_error(&range_path, source))?;
        let path = directory.join("energy_uj");
        let energy = Attribute::open(path.clone()).map_err(|source| read_error(&path, source))?;
        let mut counter = Counter { energy, range };
        match counter.energy() {
            Ok(_) => Ok((counter, modulus(range))),
            Err(source) => Err(read_error(&path, source)),
        }
    }

    fn energy(&mut self) -> Result<Energy, ReadFault> {
        match self.energy.read()? {
            microjoules if microjoules <= self.range => Ok(Energy::from_microjoules(microjoules)),
            _ => Err(ReadFault::Invalid("more than max_energy_range_uj")),
        }
    }
}

/// After how much energy a counter with the given `max_energy_range_uj` is back at zero.
///
/// The kernel holds the unit in whole nanojoules and prints `unit · (2^32 − 1)`, rounded down to
/// microjoules (`get_max_energy_counter`): the energy at the last count. The round has one count more.
/// The product of range and 2^32 is below 2^96, hence the wide integers.
fn modulus(range: u64) -> Energy {
    let unit_nanojoules = (u128::from(range) * 1000).div_ceil(u128::from(COUNTS - 1));
    let modulus = unit_nanojoules * u128::from(COUNTS) / 1000;
    Energy::from_microjoules(u64::try_from(modulus).unwrap_or(u64::MAX))
}

/// Twice the largest power limit the zone admits, if above `default`: limits are not enforced at once.
fn max_power(directory: &Path, default: Power) -> Power {
    (0..)
        .map_while(|number| sysfs::open(&directory.join(format!("constraint_{number}_max_power_uw"))).ok())
        .filter_map(|file| pread_decimal(&file).ok())
        .map(|microwatts| Power::from_microwatts(microwatts) * 2.0)
        // Some firmware leaves all bits of the field set (0x7fff eighths of a watt: 4095.875 W). What is
        // so far above anything built is no limit, and would only make the tracker credulous.
        .filter(|power| power.watts() <= default.watts() * 4.0)
        .fold(default, |largest, power| if power.watts() > largest.watts() { power } else { largest })
}

/// Why a zone is left out: its counter, or what it counts, is another one's.
fn duplicate(entry: &Entry, name: ZoneName, taken: &[ZoneName], is_amd: bool) -> Option<(&'static str, Remedy)> {
    if is_amd && name.kind == ZoneKind::Core {
        // intel_rapl_msr.c reads MSR 0xC001029A, which AMD has per core, on one core only.
        Some(("on AMD it counts a single core of the package", Remedy::select(["msr"])))
    } else if is_amd && name.kind == ZoneKind::Package && taken.iter().any(|other| other.counts_same(name)) {
        // Linux 6.9 to 6.11 makes a zone of each core die, and all read the package's register.
        Some(("on AMD the zones of all dies show the same counter, that of the package", Remedy::None))
    } else if entry.is_memory_mapped() && taken.contains(&name) {
        Some(("the MSR-driven tree has the same counter", Remedy::None))
    } else {
        None
    }
}

/// Opens a zone, unless it does not answer.
fn open_zone(entry: &Entry, name: ZoneName, most: Power) -> Result<(Zone, Counter), ReadError> {
    let directory = entry.path.clone();
    let open = move || {
        let (counter, modulus) = Counter::open(&directory)?;
        let mut zone = Zone::new(name.kind, counter.energy.path().to_string_lossy());
        zone.package = name.package;
        zone.modulus = Some(modulus);
        zone.max_power = max_power(&directory, most);
        Ok((zone, counter))
    };
    let counter = entry.path.join("energy_uj");
    watchdog::in_time(&counter, open).unwrap_or_else(|error| Err(read_error(&counter, error)))
}

/// The kind and the package of a zone, from its own name and its parent's.
fn zone_name(entry: &Entry, entries: &[Entry]) -> Result<ZoneName, String> {
    let read = |entry: &Entry| {
        let path = entry.path.join("name");
        let name = watchdog::in_time(&path.clone(), move || sysfs::read_text(&path));
        let name = name.flatten().map_err(|error| format!("its name cannot be read: {error}"))?;
        ZoneName::parse(name.trim_end()).ok_or_else(|| format!("its name `{}` is unknown", name.trim_end()))
    };
    let name = read(entry)?;
    let parent = entry.parent().and_then(|id| entries.iter().find(|other| other.id == id));
    Ok(parent.and_then(|parent| read(parent).ok()).map_or(name, |parent| name.within(parent)))
}

fn is_amd(topology: &Topology) -> bool {
    topology.processors.first().is_some_and(|cpu| matches!(cpu.vendor_id.as_str(), "AuthenticAMD" | "HygonGenuine"))
}

fn read_error(path: &Path, fault: impl Into<ReadFault>) -> ReadError {
    ReadError::new(path.to_string_lossy(), fault)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_round_of_a_61_microjoule_unit_is_one_unit_above_the_range() {
        // 2^-14 J, which the kernel holds as 61035 nJ: 262143328850 µJ is what nearly all Intel shows.
        assert_eq!(modulus(262_143_328_850).microjoules(), 262_143_328_850 + 61);
    }

    proptest! {
        #[test]
        fn any_unit_the_kernel_can_hold_is_recovered_from_its_range(unit_nanojoules in 1u64..4_000_000_000) {
            let range = unit_nanojoules * (COUNTS - 1) / 1000;
            prop_assert_eq!(u128::from(modulus(range).microjoules()), u128::from(unit_nanojoules) * u128::from(COUNTS) / 1000);
        }
    }
}
