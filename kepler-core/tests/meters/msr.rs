//! The MSR meter on files that hold registers at their offsets.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::indexing_slicing,
    reason = "a test fails by panicking and says when it is skipped"
)]

use kepler_core::availability::{Capability, Remedy, Unavailable};
use kepler_core::host::{Host, Timestamp};
use kepler_core::meter::msr::Msr;
use kepler_core::meter::{EnergyMeter, Method, Reading};
use kepler_core::units::{Energy, ZoneKind};
use std::fs::{self, File};
use std::os::unix::fs::{FileExt, symlink};
use std::path::PathBuf;
use tempfile::TempDir;

const UNIT: u64 = 0x606;
const PACKAGE: u64 = 0x611;
const DRAM: u64 = 0x619;
const CORE: u64 = 0x639;
const UNCORE: u64 = 0x641;
const PSYS: u64 = 0x64D;

/// Power 1/8 W, energy 2^-14 J, time 2^-10 s: the unit register of nearly every Intel since Haswell.
const ESU_14: u64 = 0xA0E03;

struct Machine(TempDir);

impl Machine {
    /// Processors as (package, core), numbered in order.
    fn new(vendor: &str, family: u32, model: u32, flags: &str, processors: &[(u32, u32)]) -> Self {
        let machine = Machine(tempfile::tempdir().unwrap());
        let mut cpuinfo = String::new();
        for (number, (package, core)) in processors.iter().enumerate() {
            cpuinfo += &format!(
                "processor\t: {number}\nvendor_id\t: {vendor}\ncpu family\t: {family}\nmodel\t\t: {model}\n\
                 physical id\t: {package}\ncore id\t\t: {core}\nflags\t\t: fpu {flags}\n\n"
            );
            fs::create_dir_all(machine.device(number).parent().unwrap()).unwrap();
        }
        fs::create_dir_all(machine.0.path().join("proc")).unwrap();
        fs::write(machine.0.path().join("proc/cpuinfo"), cpuinfo).unwrap();
        machine
    }

    fn intel(model: u32) -> Self {
        Machine::new("GenuineIntel", 6, model, "", &[(0, 0)])
    }

    fn device(&self, cpu: usize) -> PathBuf {
        self.0.path().join(format!("cpu/{cpu}/msr"))
    }

    /// Writes registers into the sparse file of a processor. What is not written reads as zero.
    fn set(&self, cpu: usize, registers: &[(u64, u64)]) {
        let file = File::options().create(true).truncate(false).write(true).open(self.device(cpu)).unwrap();
        for (address, value) in registers {
            file.write_all_at(&value.to_le_bytes(), *address).unwrap();
        }
        // All registers up to the last known one exist, in the sense that reading them is no error.
        let length = file.metadata().unwrap().len().max(PSYS + 8);
        file.set_len(length).unwrap();
    }

    fn host(&self) -> Host {
        let root = self.0.path();
        Host::default().with_procfs(root.join("proc")).with_sysfs(root.join("sys")).with_msr(root.join("cpu"))
    }

    fn open(&self) -> Msr {
        Msr::open(&self.host()).unwrap()
    }

    fn unavailable(&self) -> Unavailable {
        Msr::open(&self.host()).unwrap_err()
    }
}

fn kinds(meter: &Msr) -> Vec<(ZoneKind, Option<u32>)> {
    meter.zones().iter().map(|zone| (zone.kind, zone.package)).collect()
}

fn joules(meter: &mut Msr) -> Vec<f64> {
    let mut readings = Vec::new();
    meter.read(Timestamp::now(), &mut readings);
    let joules = |reading| match reading {
        Ok(Reading::Counter(energy)) => Energy::joules(energy),
        other => panic!("{other:?}"),
    };
    readings.into_iter().map(joules).collect()
}

#[test]
fn a_client_shows_its_package_core_uncore_and_psys() {
    let machine = Machine::intel(0x9E);
    machine.set(0, &[(UNIT, ESU_14), (PACKAGE, 3 << 14), (CORE, 2 << 14), (UNCORE, 1 << 13), (PSYS, 9 << 14)]);
    let mut meter = machine.open();
    let package = Some(0);
    assert_eq!(
        kinds(&meter),
        [
            (ZoneKind::Package, package),
            (ZoneKind::Core, package),
            (ZoneKind::Uncore, package),
            (ZoneKind::Psys, package)
        ]
    );
    assert_eq!(joules(&mut meter), [3.0, 2.0, 0.5, 9.0]);
    assert_eq!((meter.source(), meter.method()), ("msr", Method::Measured));
    assert!(meter.zones().iter().all(|zone| zone.modulus == Some(Energy::from_joules(262_144.0))));
    // The counter of the memory stands at zero: there is none.
    assert!(meter.inventory().skipped[0].unavailable.reason.contains("0x619"), "{:?}", meter.inventory().skipped);

    machine.set(0, &[(PACKAGE, 4 << 14)]);
    assert_eq!(joules(&mut meter)[0], 4.0);
}

#[test]
fn both_sockets_of_a_xeon_are_read_with_the_memory_in_its_own_unit() {
    let machine = Machine::new("GenuineIntel", 6, 0x55, "", &[(0, 0), (1, 0), (0, 1), (1, 1)]);
    machine.set(0, &[(UNIT, ESU_14), (PACKAGE, 1 << 14), (DRAM, 1 << 16)]);
    machine.set(1, &[(UNIT, ESU_14), (PACKAGE, 2 << 14), (DRAM, 2 << 16)]);
    let mut meter = machine.open();
    assert_eq!(
        kinds(&meter),
        [
            (ZoneKind::Package, Some(0)),
            (ZoneKind::Dram, Some(0)),
            (ZoneKind::Package, Some(1)),
            (ZoneKind::Dram, Some(1))
        ]
    );
    assert_eq!(joules(&mut meter), [1.0, 1.0, 2.0, 2.0]);
    assert_eq!(meter.zones()[1].modulus, Some(Energy::from_joules(65_536.0)));
}

#[test]
fn each_die_of_an_intel_package_is_read() {
    let machine = Machine::new("GenuineIntel", 6, 0x55, "", &[(0, 0), (0, 1)]);
    for cpu in 0..2usize {
        let topology = machine.0.path().join(format!("sys/devices/system/cpu/cpu{cpu}/topology"));
        fs::create_dir_all(&topology).unwrap();
        fs::write(topology.join("die_id"), format!("{cpu}\n")).unwrap();
        machine.set(cpu, &[(UNIT, ESU_14), (PACKAGE, (cpu as u64 + 1) << 14)]);
    }
    let mut meter = machine.open();
    assert_eq!(kinds(&meter), [(ZoneKind::Package, Some(0)), (ZoneKind::Package, Some(0))]);
    assert_eq!(joules(&mut meter), [1.0, 2.0]);
}

#[test]
fn sapphire_rapids_counts_memory_by_the_unit_register_and_the_platform_in_joules() {
    let machine = Machine::intel(0x8F);
    machine.set(0, &[(UNIT, ESU_14), (PACKAGE, 1 << 14), (DRAM, 1 << 14), (PSYS, 5)]);
    assert_eq!(joules(&mut machine.open()), [1.0, 1.0, 5.0]);
}

#[test]
fn only_the_lower_half_of_a_register_counts() {
    let machine = Machine::intel(0x9E);
    machine.set(0, &[(UNIT, ESU_14), (PACKAGE, 0xDEAD_BEEF_0000_0000 | 1 << 14)]);
    assert_eq!(joules(&mut machine.open()), [1.0]);
}

/// AMD's three registers have consecutive numbers. In the driver each is 8 bytes of its own; in a plain
/// file they overlap, a byte apart. These ten bytes make all three plausible: the unit register's bits
/// 12:8 are 16, the core counts `counts << 8 | 16`, the package `counts`.
fn amd_registers(counts: u32) -> [u8; 10] {
    let [a, b, c, d] = counts.to_le_bytes();
    [0x03, 0x10, a, b, c, d, 0, 0, 0, 0]
}

#[test]
fn an_amd_has_a_zone_for_the_package_and_one_for_each_core_not_thread() {
    // Two threads a core.
    let machine = Machine::new("AuthenticAMD", 0x19, 0x11, "", &[(0, 0), (0, 1), (0, 0), (0, 1)]);
    for (cpu, counts) in [(0, 1 << 20), (1, 1 << 12)] {
        let file = File::create(machine.device(cpu)).unwrap();
        file.write_all_at(&amd_registers(counts), 0xC001_0299).unwrap();
    }
    let mut meter = machine.open();
    assert_eq!(kinds(&meter), [(ZoneKind::Package, Some(0)), (ZoneKind::Core, Some(0)), (ZoneKind::Core, Some(0))]);
    let core = |counts: u32| f64::from(counts << 8 | 0x10) / 65_536.0;
    for (found, expected) in joules(&mut meter).into_iter().zip([16.0, core(1 << 20), core(1 << 12)]) {
        assert!((0.0..1e-6).contains(&(expected - found)), "{found} {expected}");
    }
    assert_eq!(meter.zones()[0].modulus, Some(Energy::from_joules(65_536.0)));
}

#[test]
fn a_counter_at_zero_under_a_hypervisor_is_refused_not_believed() {
    let machine = Machine::new("GenuineIntel", 6, 0x8F, "hypervisor", &[(0, 0)]);
    machine.set(0, &[]);
    let unavailable = machine.unavailable();
    assert!(unavailable.reason.contains("0x611") && unavailable.reason.contains("stands at zero"), "{unavailable}");
    assert!(unavailable.remedy == Remedy::MeasureOnHost, "{unavailable}");
}

#[test]
fn a_package_without_a_counter_is_missing_and_the_others_are_read() {
    let machine = Machine::new("GenuineIntel", 6, 0x55, "", &[(0, 0), (1, 0)]);
    machine.set(0, &[(UNIT, ESU_14), (PACKAGE, 1 << 14)]);
    machine.set(1, &[(UNIT, ESU_14)]);
    let meter = machine.open();
    let missing: Vec<_> = meter.inventory().skipped.iter().filter(|one| one.is_missing).collect();
    assert_eq!((missing.len(), missing[0].package), (1, Some(1)));
    assert!(missing[0].unavailable.reason.contains("cpu/1/msr"), "{missing:?}");
}

#[test]
fn an_error_of_the_register_is_distinguished_for_machines_and_guests() {
    for (flags, expected) in
        [("", Remedy::select(["powercap", "hwmon", "model"])), ("hypervisor", Remedy::MeasureOnHost)]
    {
        let machine = Machine::new("GenuineIntel", 6, 0x9E, flags, &[(0, 0)]);
        // Nothing is mapped at address 0x606: the kernel says EIO, as it does for a register that faults.
        symlink("/proc/self/mem", machine.device(0)).unwrap();
        let unavailable = machine.unavailable();
        assert!(unavailable.reason.contains("os error 5") && unavailable.remedy == expected, "{unavailable}");
    }
}

#[test]
fn without_the_driver_or_the_right_the_remedy_is_exact() {
    let machine = Machine::intel(0x9E);
    assert!(machine.unavailable().to_string().contains("load the kernel module msr"));

    // Root passes every file mode, but not a sysctl that no one may read.
    let unreadable = "/proc/sys/vm/compact_memory";
    if !fs::read(unreadable).is_err_and(|error| error.kind() == std::io::ErrorKind::PermissionDenied) {
        eprintln!("skipped: {unreadable} does not refuse to be read here");
        return;
    }
    symlink(unreadable, machine.device(0)).unwrap();
    let unavailable = machine.unavailable();
    assert!(unavailable.remedy == Remedy::grant([Capability::DacReadSearch, Capability::SysRawio]), "{unavailable}");
}

#[test]
fn a_processor_without_energy_registers_is_named() {
    let unavailable = Machine::new("AuthenticAMD", 0x15, 2, "", &[(0, 0)]).unavailable();
    assert!(unavailable.reason.contains("AuthenticAMD") && unavailable.reason.contains("21"), "{unavailable}");
    assert!(Machine::new("", 6, 0, "", &[]).unavailable().reason.contains("no processor"));
}

#[test]
fn a_register_that_fails_later_is_an_error_of_its_zone() {
    let machine = Machine::intel(0x9E);
    machine.set(0, &[(UNIT, ESU_14), (PACKAGE, 1 << 14), (PSYS, 1 << 14)]);
    let mut meter = machine.open();
    File::options().write(true).open(machine.device(0)).unwrap().set_len(PACKAGE + 8).unwrap();
    let mut readings = Vec::new();
    meter.read(Timestamp::now(), &mut readings);
    assert!(readings[0].is_ok());
    let error = readings[1].as_ref().unwrap_err();
    assert!(error.path.contains("0x64d"), "{error}");
    assert_eq!(error.reason(), "invalid_data");
}
