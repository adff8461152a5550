//! Energy counters read straight from model-specific registers, where there is no powercap tree.
//!
//! Source: Intel SDM vol. 3B 15.10 and vol. 4; AMD Processor Programming Reference, family 17h and later;
//! kernel `msr(4)`. Requirements: the `msr` module, read access to `/dev/cpu/*/msr`, `CAP_SYS_RAWIO`.
//! Limits: the counters of a package are read on its first processor, and fail while that one is offline.
//! Cost: one `pread` a zone, which the kernel answers by an interrupt on the processor in question: on AMD
//! that is one for each core.
//!
//! ```
//! use kepler_core::host::Host;
//! use kepler_core::meter::EnergyMeter;
//! use kepler_core::meter::msr::Msr;
//!
//! match Msr::open(&Host::default()) {
//!     Ok(meter) => println!("{} zones", meter.zones().len()),
//!     Err(unavailable) => println!("{unavailable}; {:?}", unavailable.remedy),
//! }
//! ```

mod register;

use super::inventory::add_missing_packages;
use super::sysfs::errno;
use super::watchdog::{self, Guarded, Probe};
use super::{EnergyMeter, MeterInventory, Method, Quality, ReadError, Reading, SkippedZone, Zone};
use crate::availability::{Capability, Remedy, Root, Unavailable};
use crate::host::{Host, Processor, Timestamp, Topology};
use crate::units::{Energy, ZoneKind};
use register::{EnergyUnit, Layout, Register};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

const SOURCE: &str = "msr";

/// Counters are updated about once a millisecond: one that stands at zero for longer does not count.
const UPDATE: Duration = Duration::from_millis(5);

/// Reads the RAPL registers of every package.
#[derive(Debug)]
pub struct Msr {
    zones: Vec<Zone>,
    counters: Vec<Counter>,
    skipped: Vec<SkippedZone>,
}

impl Msr {
    /// Opens the registers of each package's first processor and, on AMD, of each core's first processor.
    ///
    /// A register that cannot be read or that stands at zero is not a zone: neither hypervisors nor
    /// processors that lack a counter always say so with an error.
    ///
    /// # Errors
    /// When the counter of no package can be read: why, and what to do.
    pub fn open(host: &Host) -> Result<Self, Unavailable> {
        let topology = Topology::read(host);
        let Some(layout) = topology.processors.first().and_then(Layout::of) else {
            return Err(unknown_processor(topology.processors.first()));
        };
        let mut meter = Msr { zones: Vec::new(), counters: Vec::new(), skipped: Vec::new() };
        let mut first_fault = None;
        let topology = Arc::new(topology);
        for (package, cpu) in energy_domains(host, &topology, layout) {
            let (path, msr, shared) = (Device::path(host.msr(), cpu), host.msr().to_owned(), Arc::clone(&topology));
            let open = move || Opened::open(&msr, &shared, layout, package, cpu);
            let opened = watchdog::in_time(&path, open).unwrap_or_else(|error| Err(read_error(&path, error)));
            match opened {
                Ok(opened) => meter.add(package, opened),
                Err(error) => {
                    let unavailable = unavailable(&error, &topology);
                    let skipped = SkippedZone::missing(ZoneKind::Package, Some(package), unavailable.clone());
                    meter.skipped.push(skipped.with_fault(error.reason()));
                    first_fault.get_or_insert(unavailable);
                }
            }
        }
        // A package among others is missed and estimated. Without any there is nothing to estimate it from.
        match first_fault {
            Some(fault) if !meter.zones.iter().any(|zone| zone.kind == ZoneKind::Package) => Err(fault),
            _ => {
                add_missing_packages(SOURCE, &meter.zones, &topology, &mut meter.skipped);
                Ok(meter)
            }
        }
    }

    /// The same zones, read so that one that hangs does not hold up the others.
    pub(super) fn guarded(self) -> Box<dyn EnergyMeter> {
        Box::new(Guarded::new(SOURCE, self.zones, self.skipped, self.counters))
    }

    fn add(&mut self, package: u32, opened: Opened) {
        for (kind, counter) in opened.counters {
            let mut zone = Zone::new(kind, Arc::clone(&counter.name));
            zone.package = Some(package);
            zone.modulus = Some(counter.unit.modulus());
            self.zones.push(zone);
            self.counters.push(counter);
        }
        for (kind, is_missing, error) in opened.refused {
            self.skip(kind, is_missing.then_some(package), &error);
        }
    }

    /// Leaves a register out; with `package`, as a part that its kind's sum lacks.
    fn skip(&mut self, kind: ZoneKind, package: Option<u32>, error: &ReadError) {
        let unavailable = Unavailable::new(SOURCE, format!("the register is not used: {error}"), Remedy::None);
        self.skipped.push(match package {
            Some(package) => SkippedZone::missing(kind, Some(package), unavailable).with_fault(error.reason()),
            None => SkippedZone::unused(unavailable),
        });
    }
}

impl EnergyMeter for Msr {
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
        self.energy().map(Reading::Counter)
    }

    fn path(&self) -> &Path {
        &self.device.path
    }
}

/// What a package counts.
struct Opened {
    counters: Vec<(ZoneKind, Counter)>,
    /// Registers that are not used, and whether the sum of their kind lacks them.
    refused: Vec<(ZoneKind, bool, ReadError)>,
}

impl Opened {
    /// Opens what a package counts, and what its cores count; an error if the package's own counter cannot be read.
    fn open(msr: &Path, topology: &Topology, layout: Layout, package: u32, cpu: u32) -> Result<Self, ReadError> {
        let device = Device::open(msr, cpu)?;
        let unit = device
            .read(layout.unit_register())
            .map_err(|error| ReadError::new(device.name(layout.unit_register()), error))?;
        let mut opened = Opened { counters: Vec::new(), refused: Vec::new() };
        for &register in layout.package_registers() {
            match Counter::open(&device, register, layout.unit(register.kind, unit)) {
                Ok(counter) => opened.counters.push((register.kind, counter)),
                Err(error) if register.kind == ZoneKind::Package => return Err(error),
                // Not every processor has every counter: it is missing only where another package has it.
                Err(error) => opened.refused.push((register.kind, false, error)),
            }
        }
        let Some(register) = layout.core_register() else { return Ok(opened) };
        for cpu in first_processor_of_each_core(topology, package) {
            let counter = Device::open(msr, cpu)
                .and_then(|device| Counter::open(&device, register, layout.unit(register.kind, unit)));
            match counter {
                Ok(counter) => opened.counters.push((register.kind, counter)),
                Err(error) => opened.refused.push((register.kind, true, error)),
            }
        }
        Ok(opened)
    }
}

/// The registers of one processor: `<msr>/<cpu>/msr`. The offset in the file is the register's number.
#[derive(Debug)]
struct Device {
    path: PathBuf,
    file: File,
}

impl Device {
    fn open(msr: &Path, cpu: u32) -> Result<Arc<Self>, ReadError> {
        let path = Self::path(msr, cpu);
        // A named pipe in its place would wait for a writer.
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
        match rustix::fs::open(&path, flags, Mode::empty()) {
            Ok(file) => Ok(Arc::new(Device { path, file: file.into() })),
            Err(error) => Err(read_error(&path, error.into())),
        }
    }

    fn path(msr: &Path, cpu: u32) -> PathBuf {
        msr.join(cpu.to_string()).join("msr")
    }

    fn read(&self, address: u64) -> io::Result<u64> {
        let mut bytes = [0; 8];
        self.file.read_exact_at(&mut bytes, address)?;
        Ok(u64::from_le_bytes(bytes))
    }

    fn name(&self, address: u64) -> String {
        format!("{} register {address:#x}", self.path.display())
    }
}

/// One register that counts energy.
#[derive(Debug)]
struct Counter {
    device: Arc<Device>,
    name: Arc<str>,
    address: u64,
    unit: EnergyUnit,
}

impl Counter {
    /// The counter, if it can be read and counts.
    fn open(device: &Arc<Device>, register: Register, unit: EnergyUnit) -> Result<Self, ReadError> {
        let name = device.name(register.address).into();
        let counter = Counter { device: Arc::clone(device), name, address: register.address, unit };
        if counter.energy()? == Energy::ZERO {
            thread::sleep(UPDATE);
            if counter.energy()? == Energy::ZERO {
                let source = io::Error::new(io::ErrorKind::Unsupported, "the counter stands at zero");
                return Err(counter.error(source));
            }
        }
        Ok(counter)
    }

    fn energy(&self) -> Result<Energy, ReadError> {
        self.device.read(self.address).map(|register| self.unit.energy(register)).map_err(|error| self.error(error))
    }

    fn error(&self, error: io::Error) -> ReadError {
        ReadError::new(Arc::clone(&self.name), error)
    }
}

/// Where package registers are to be read: each package with one of its processors.
///
/// Intel has them per die, which differs from the package on Cascade Lake-AP only; AMD has them per
/// package (`arch/x86/events/rapl.c`, "RAPL Package energy counter scope").
fn energy_domains(host: &Host, topology: &Topology, layout: Layout) -> Vec<(u32, u32)> {
    if layout == Layout::Amd {
        return topology.packages();
    }
    let die = |cpu: u32| -> u32 {
        let path = host.sysfs().join(format!("devices/system/cpu/cpu{cpu}/topology/die_id"));
        fs::read_to_string(path).ok().and_then(|die| die.trim().parse().ok()).unwrap_or_default()
    };
    let mut domains: Vec<(u32, u32, u32)> =
        topology.processors.iter().map(|cpu| (cpu.physical_id, die(cpu.number), cpu.number)).collect();
    domains.sort_unstable();
    domains.dedup_by_key(|(package, die, _)| (*package, *die));
    domains.into_iter().map(|(package, _, cpu)| (package, cpu)).collect()
}

/// One processor a core: its threads share the register.
fn first_processor_of_each_core(topology: &Topology, package: u32) -> Vec<u32> {
    let on_package = topology.processors.iter().filter(|processor| processor.physical_id == package);
    let mut cores: Vec<(u32, u32)> = on_package.map(|processor| (processor.core_id, processor.number)).collect();
    cores.sort_unstable();
    cores.dedup_by_key(|(core, _)| *core);
    cores.into_iter().map(|(_, cpu)| cpu).collect()
}

fn read_error(path: &Path, source: io::Error) -> ReadError {
    ReadError::new(path.to_string_lossy(), source)
}

fn unknown_processor(processor: Option<&Processor>) -> Unavailable {
    let reason = match processor {
        None => "procfs shows no processor".to_owned(),
        Some(processor) => format!(
            "no energy registers are known of vendor `{}`, family {:?}, model {:?}",
            processor.vendor_id, processor.family, processor.model
        ),
    };
    // Intel since Sandy Bridge, AMD since family 17h and Hygon have them; the procfs may be that of a container's sandbox.
    let remedy = Remedy::any([Remedy::MountRoot { root: Root::Procfs }, Remedy::select(["hwmon", "model"])]);
    Unavailable::new(SOURCE, reason, remedy)
}

/// Why the registers as a whole cannot be used.
fn unavailable(error: &ReadError, topology: &Topology) -> Unavailable {
    let remedy = match error.source.kind() {
        io::ErrorKind::NotFound => Remedy::any([Remedy::load(["msr"]), Remedy::MountRoot { root: Root::Msr }]),
        // A mode says EACCES. The driver itself says EPERM (`msr_open`): a capability is missing in the first user
        // namespace, or the kernel is locked down.
        io::ErrorKind::PermissionDenied if errno(&error.source) == Some(Errno::PERM) => {
            Remedy::any([Remedy::grant([Capability::SysRawio]), Remedy::select(["powercap"]), Remedy::LiftLockdown])
        }
        io::ErrorKind::PermissionDenied => Remedy::grant([Capability::DacReadSearch, Capability::SysRawio]),
        _ if topology.virtualised => Remedy::MeasureOnHost,
        _ => Remedy::select(["powercap", "hwmon", "model"]),
    };
    Unavailable::new(SOURCE, error.to_string(), remedy)
}
