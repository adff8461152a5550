//! The powercap meter on trees laid out as real kernels lay them out.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::indexing_slicing,
    reason = "a test fails by panicking and says when it is skipped"
)]

use kepler_core::availability::{Remedy, Root, Unavailable};
use kepler_core::counter::{CounterTracker, EnergyDelta};
use kepler_core::host::{Host, Timestamp};
use kepler_core::meter::powercap::Powercap;
use kepler_core::meter::{EnergyMeter, Reading};
use kepler_core::units::{Energy, Power, ZoneKind};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;
use tempfile::TempDir;

/// 2^32 − 1 counts of 61.035 µJ, and of 15.3 µJ: what Intel machines show.
const RANGE: u64 = 262_143_328_850;
const DRAM_RANGE: u64 = 65_712_999_613;

/// A sysfs and a procfs. Zones are nested below `devices/virtual/powercap` and linked from the class.
struct Tree(TempDir);

impl Tree {
    fn new() -> Self {
        let tree = Tree(tempfile::tempdir().unwrap());
        fs::create_dir_all(tree.0.path().join("sys/class/powercap")).unwrap();
        fs::create_dir_all(tree.0.path().join("proc")).unwrap();
        tree
    }

    fn host(&self) -> Host {
        Host::default().with_sysfs(self.0.path().join("sys")).with_procfs(self.0.path().join("proc"))
    }

    fn cpuinfo(&self, text: &str) {
        fs::write(self.0.path().join("proc/cpuinfo"), text).unwrap();
    }

    /// `devices/virtual/powercap/intel-rapl/intel-rapl:0/intel-rapl:0:1` for `intel-rapl:0:1`.
    fn directory(&self, id: &str) -> PathBuf {
        let mut path = self.0.path().join("sys/devices/virtual/powercap");
        for (at, _) in id.match_indices(':') {
            path.push(&id[..at]);
        }
        path.join(id)
    }

    fn zone(&self, id: &str, name: &str, range: u64, energy: &str) {
        let directory = self.directory(id);
        fs::create_dir_all(&directory).unwrap();
        fs::write(directory.join("name"), format!("{name}\n")).unwrap();
        fs::write(directory.join("max_energy_range_uj"), format!("{range}\n")).unwrap();
        fs::write(directory.join("energy_uj"), energy).unwrap();
        fs::write(directory.join("enabled"), "1\n").unwrap();
        fs::create_dir_all(directory.join("power")).unwrap();
        let class = self.0.path().join("sys/class/powercap");
        let control = id.split(':').next().unwrap();
        // Links that are there already stay: a control type has many zones, a zone is written again.
        let _ = symlink(self.directory(control), class.join(control));
        let _ = symlink(&directory, class.join(id));
        let _ = symlink(&class, directory.join("subsystem"));
    }

    fn write(&self, id: &str, file: &str, text: &str) {
        fs::write(self.directory(id).join(file), text).unwrap();
    }

    fn open(&self) -> Powercap {
        Powercap::open(&self.host()).unwrap()
    }

    fn unavailable(&self) -> Unavailable {
        Powercap::open(&self.host()).unwrap_err()
    }
}

fn kinds(meter: &Powercap) -> Vec<(ZoneKind, Option<u32>)> {
    meter.zones().iter().map(|zone| (zone.kind, zone.package)).collect()
}

/// Microjoules of each zone, or the `reason` label of its error.
fn read(meter: &mut Powercap) -> Vec<Result<u64, &'static str>> {
    let mut readings = vec![Ok(Reading::Power(Power::ZERO))];
    meter.read(Timestamp::now(), &mut readings);
    readings
        .into_iter()
        .map(|reading| match reading {
            Ok(Reading::Counter(energy)) => Ok(energy.microjoules()),
            Ok(Reading::Power(_)) => panic!("powercap has counters"),
            Err(error) => Err(error.reason()),
        })
        .collect()
}

fn client() -> Tree {
    let tree = Tree::new();
    tree.zone("intel-rapl:0", "package-0", RANGE, "1000000\n");
    tree.zone("intel-rapl:0:0", "core", RANGE, "600000\n");
    tree.zone("intel-rapl:0:1", "uncore", RANGE, "50000\n");
    tree.zone("intel-rapl:1", "psys", RANGE, "3000000\n");
    tree
}

#[test]
fn a_client_has_package_core_uncore_and_psys_apart() {
    let tree = client();
    let mut meter = tree.open();
    assert_eq!(
        kinds(&meter),
        [(ZoneKind::Package, Some(0)), (ZoneKind::Core, Some(0)), (ZoneKind::Uncore, Some(0)), (ZoneKind::Psys, None)]
    );
    assert_eq!(read(&mut meter), [Ok(1_000_000), Ok(600_000), Ok(50_000), Ok(3_000_000)]);
    assert_eq!(meter.source(), "powercap");
    assert!(meter.inventory().skipped.is_empty(), "{:?}", meter.inventory().skipped);
    tree.write("intel-rapl:0", "energy_uj", "1000061\n");
    assert_eq!(read(&mut meter)[0], Ok(1_000_061));
}

#[test]
fn each_socket_of_a_xeon_has_its_own_package_and_dram() {
    let tree = Tree::new();
    for socket in 0..2 {
        tree.zone(&format!("intel-rapl:{socket}"), &format!("package-{socket}"), RANGE, "5\n");
        tree.zone(&format!("intel-rapl:{socket}:0"), "dram", DRAM_RANGE, "7\n");
    }
    let meter = tree.open();
    assert_eq!(
        kinds(&meter),
        [
            (ZoneKind::Package, Some(0)),
            (ZoneKind::Dram, Some(0)),
            (ZoneKind::Package, Some(1)),
            (ZoneKind::Dram, Some(1))
        ]
    );
    let moduli: Vec<_> = meter.zones().iter().map(|zone| zone.modulus.unwrap().microjoules()).collect();
    assert_eq!(moduli, [RANGE + 61, DRAM_RANGE + 15, RANGE + 61, DRAM_RANGE + 15]);
}

#[test]
fn a_tree_without_the_flat_links_is_found_by_its_nesting() {
    let tree = client();
    let class = tree.0.path().join("sys/class/powercap");
    fs::remove_dir_all(&class).unwrap();
    fs::create_dir_all(&class).unwrap();
    fs::rename(tree.0.path().join("sys/devices/virtual/powercap/intel-rapl"), class.join("intel-rapl")).unwrap();
    assert_eq!(tree.open().zones().len(), 4);
}

#[test]
fn the_core_zone_of_an_amd_counts_one_core_and_is_not_believed() {
    let tree = Tree::new();
    tree.cpuinfo("processor\t: 0\nvendor_id\t: AuthenticAMD\ncpu family\t: 25\nphysical id\t: 0\n");
    tree.zone("intel-rapl:0", "package-0", 65_532_610_987, "5\n");
    tree.zone("intel-rapl:0:0", "core", 65_532_610_987, "1\n");
    let meter = tree.open();
    assert_eq!(kinds(&meter), [(ZoneKind::Package, Some(0))]);
    assert!(
        meter.inventory().skipped[0].unavailable.to_string().contains("single core"),
        "{:?}",
        meter.inventory().skipped
    );
}

#[test]
fn dies_of_one_package_are_zones_of_that_package() {
    let tree = Tree::new();
    tree.zone("intel-rapl:0", "package-0-die-0", RANGE, "5\n");
    tree.zone("intel-rapl:1", "package-0-die-1", RANGE, "6\n");
    tree.zone("intel-rapl:1:0", "dram", RANGE, "7\n");
    assert_eq!(
        kinds(&tree.open()),
        [(ZoneKind::Package, Some(0)), (ZoneKind::Package, Some(0)), (ZoneKind::Dram, Some(0))]
    );
}

#[test]
fn a_memory_mapped_duplicate_is_dropped_and_a_lone_one_is_used() {
    let tree = client();
    tree.zone("intel-rapl-mmio:0", "package-0", RANGE, "1000000\n");
    tree.zone("intel-rapl-mmio:0:0", "dram", RANGE, "77\n");
    let mut meter = tree.open();
    let packages = kinds(&meter).iter().filter(|(kind, _)| *kind == ZoneKind::Package).count();
    assert_eq!(packages, 1);
    assert_eq!(kinds(&meter).last(), Some(&(ZoneKind::Dram, Some(0))));
    assert_eq!(read(&mut meter).last(), Some(&Ok(77)));
    assert!(
        meter.inventory().skipped[0].unavailable.reason.contains("intel-rapl-mmio:0 "),
        "{:?}",
        meter.inventory().skipped
    );

    // When the MSR-driven zone cannot be used, the memory-mapped one is no duplicate any more.
    tree.write("intel-rapl:0", "max_energy_range_uj", "garbage\n");
    let meter = tree.open();
    assert!(meter.zones().iter().any(|zone| zone.path.contains("intel-rapl-mmio:0/energy_uj")));
}

#[test]
fn an_unknown_name_is_listed_and_harms_no_one() {
    let tree = client();
    tree.zone("intel-rapl:0:2", "npu", RANGE, "5\n");
    let meter = tree.open();
    assert_eq!(meter.zones().len(), 4);
    assert!(
        meter.inventory().skipped[0].unavailable.reason.contains("`npu` is unknown"),
        "{:?}",
        meter.inventory().skipped
    );
}

#[test]
fn a_zone_without_a_usable_range_is_refused_and_the_others_stay() {
    for garbage in ["", "\n", "0\n", "-1\n", "12x\n", "99999999999999999999\n"] {
        let tree = client();
        tree.write("intel-rapl:0:0", "max_energy_range_uj", garbage);
        let meter = tree.open();
        assert_eq!(meter.zones().len(), 3, "{garbage:?}");
        assert!(
            meter.inventory().skipped[0].unavailable.reason.contains("max_energy_range_uj"),
            "{:?}",
            meter.inventory().skipped
        );
    }
    let tree = client();
    fs::remove_file(tree.directory("intel-rapl:0:0").join("max_energy_range_uj")).unwrap();
    assert_eq!(tree.open().zones().len(), 3);
}

#[test]
fn a_counter_of_garbage_is_an_error_of_its_zone_only() {
    let tree = client();
    let mut meter = tree.open();
    for garbage in ["", "\n", "-1\n", "1.5\n", "NaN\n", " 1\n", "99999999999999999999\n", "262143328851\n"] {
        tree.write("intel-rapl:0", "energy_uj", garbage);
        let readings = read(&mut meter);
        assert_eq!(readings[0], Err("invalid_data"), "{garbage:?}");
        assert_eq!(readings[1..], [Ok(600_000), Ok(50_000), Ok(3_000_000)]);
    }
    tree.write("intel-rapl:0", "energy_uj", "262143328850\n");
    assert_eq!(read(&mut meter)[0], Ok(RANGE));
}

#[test]
fn a_limit_of_the_zone_raises_its_plausible_power_unless_it_is_garbage() {
    let most = |limits: &[&str]| {
        let tree = client();
        for (number, limit) in limits.iter().enumerate() {
            tree.write("intel-rapl:0", &format!("constraint_{number}_max_power_uw"), limit);
        }
        tree.open().zones()[0].max_power.watts()
    };
    let default = most(&[]);
    assert_eq!(most(&["125000000\n", "250000000\n"]), default);
    assert_eq!(most(&["0\n", "1000000000\n"]), 2000.0);
    assert_eq!(most(&["4095875000\n", "-5\n", "\n"]), default);
}

/// Root passes every file mode, but not a sysctl that no one may read: the kernel says EACCES.
const UNREADABLE_EVEN_BY_ROOT: &str = "/proc/sys/vm/compact_memory";

fn deny(tree: &Tree, id: &str) -> bool {
    let denied = |path| fs::read(path).is_err_and(|e| e.kind() == std::io::ErrorKind::PermissionDenied);
    if !denied(UNREADABLE_EVEN_BY_ROOT) {
        eprintln!("skipped: {UNREADABLE_EVEN_BY_ROOT} does not refuse to be read here");
        return false;
    }
    let energy = tree.directory(id).join("energy_uj");
    fs::remove_file(&energy).unwrap();
    symlink(UNREADABLE_EVEN_BY_ROOT, &energy).unwrap();
    true
}

#[test]
fn one_zone_without_permission_is_listed_with_the_remedy() {
    let tree = client();
    if deny(&tree, "intel-rapl:0:0") {
        let meter = tree.open();
        assert_eq!(meter.zones().len(), 3);
        assert!(meter.inventory().skipped[0].unavailable.remedy.is_permission(), "{:?}", meter.inventory().skipped);
    }
}

#[test]
fn without_permission_for_any_zone_the_remedy_says_how_to_get_it() {
    let tree = Tree::new();
    tree.zone("intel-rapl:0", "package-0", RANGE, "5\n");
    tree.zone("intel-rapl:0:0", "npu", RANGE, "5\n");
    if deny(&tree, "intel-rapl:0") {
        let unavailable = tree.unavailable();
        assert!(unavailable.reason.contains("no right to read"), "{unavailable}");
        assert!(
            matches!(&unavailable.remedy, Remedy::MakeReadable { path } if path.ends_with("energy_uj")),
            "{unavailable}"
        );
    }
}

#[test]
fn a_directory_in_place_of_a_counter_is_no_zone() {
    let tree = client();
    let energy = tree.directory("intel-rapl:0").join("energy_uj");
    fs::remove_file(&energy).unwrap();
    fs::create_dir(&energy).unwrap();
    assert_eq!(tree.open().zones().len(), 3);
}

#[test]
fn a_zone_that_vanishes_fails_every_read_and_is_found_when_it_is_back() {
    let tree = client();
    let energy = tree.directory("intel-rapl:0").join("energy_uj");
    // On an ordinary file system an open file outlives its name. This file of a process dies with it, as
    // a sysfs attribute dies with its device.
    let mut child = Command::new("sleep").arg("60").spawn().unwrap();
    fs::remove_file(&energy).unwrap();
    symlink(format!("/proc/{}/oom_score", child.id()), &energy).unwrap();
    let mut meter = tree.open();
    assert!(read(&mut meter)[0].is_ok());

    child.kill().unwrap();
    child.wait().unwrap();
    for _ in 0..12 {
        let readings = read(&mut meter);
        assert!(readings[0].is_err());
        assert_eq!(readings[1], Ok(600_000));
    }

    fs::remove_file(&energy).unwrap();
    fs::write(&energy, "42\n").unwrap();
    let found = (0..5).map(|_| read(&mut meter)[0]).find(Result::is_ok);
    assert_eq!(found, Some(Ok(42)));
    assert_eq!(read(&mut meter)[0], Ok(42));
}

#[test]
fn each_reason_for_no_zones_has_its_own_remedy() {
    let tree = Tree::new();
    assert!(tree.unavailable().to_string().contains("intel_rapl_common, then intel_rapl_msr"));
    tree.cpuinfo("processor\t: 0\nvendor_id\t: GenuineIntel\nflags\t\t: fpu hypervisor\n");
    assert!(tree.unavailable().remedy == Remedy::MeasureOnHost);

    fs::remove_dir(tree.0.path().join("sys/class/powercap")).unwrap();
    assert!(tree.unavailable().remedy == Remedy::MeasureOnHost);
    tree.cpuinfo("processor\t: 0\nvendor_id\t: GenuineIntel\nflags\t\t: fpu\n");
    let unavailable = tree.unavailable();
    assert!(
        unavailable.to_string().contains("CONFIG_INTEL_RAPL")
            && unavailable.to_string().contains("mount the host's sysfs"),
        "{unavailable}"
    );

    fs::write(tree.0.path().join("sys/class/powercap"), "").unwrap();
    assert!(tree.unavailable().remedy == Remedy::MountRoot { root: Root::Sysfs });
}

#[test]
fn wraps_read_through_powercap_lose_nothing() {
    // The register as the hardware has it, and energy_uj as the kernel computes it from a unit of 61035 nJ.
    const UNIT_NANOJOULES: u64 = 61_035;
    let tree = client();
    let mut meter = tree.open();
    let zone = meter.zones()[0].clone();
    let mut tracker = CounterTracker::new(zone.modulus, zone.max_power);
    let mut at = Timestamp::now();
    let (mut counts, start) = (4_000_000_000u64, 4_000_000_000u64);
    let (mut found, mut wraps) = (Energy::ZERO, 0);
    let mut readings = Vec::new();
    for _ in 0..400 {
        let register = counts % (1 << 32);
        tree.write("intel-rapl:0", "energy_uj", &format!("{}\n", register * UNIT_NANOJOULES / 1000));
        meter.read(at, &mut readings);
        let delta = tracker.update(*readings[0].as_ref().unwrap(), at);
        found += delta.energy();
        wraps += u64::from(matches!(delta, EnergyDelta::Wrapped(_)));
        assert!(!matches!(delta, EnergyDelta::Reset { .. } | EnergyDelta::Ambiguous { .. }), "{delta:?}");
        counts += 65_537_011; // about 4 kJ in 10 s: 400 W
        at = at.advanced(Duration::from_secs(10));
    }
    let truth = (counts - 65_537_011 - start) * UNIT_NANOJOULES / 1000;
    assert_eq!(wraps, 7);
    // Files hold whole microjoules: the round's fraction of one is lost at each wrap, no more.
    assert!(found.microjoules().abs_diff(truth) <= wraps + 1, "{found:?} {truth}");
}

/// Linux 6.9 to 6.11 on an EPYC with eight core dies: a zone of each, all with the package's counter.
#[test]
fn the_dies_of_an_amd_package_show_its_counter_and_one_of_them_counts() {
    for vendor in ["AuthenticAMD", "HygonGenuine"] {
        let tree = Tree::new();
        tree.cpuinfo(&format!("processor\t: 0\nvendor_id\t: {vendor}\nphysical id\t: 0\n"));
        for die in 0..8 {
            tree.zone(&format!("intel-rapl:{die}"), &format!("package-0-die-{die}"), 65_532_610_987, "300000000\n");
        }
        assert_eq!(kinds(&tree.open()), [(ZoneKind::Package, Some(0))], "{vendor}");
        tree.write("intel-rapl:0", "max_energy_range_uj", "0\n");
        let meter = tree.open();
        assert_eq!(kinds(&meter), [(ZoneKind::Package, Some(0))], "another die shows the same");
        assert!(meter.inventory().skipped.iter().all(|one| !one.is_missing));
    }
}

#[test]
fn a_socket_without_a_zone_is_missing_and_said_to_be() {
    let tree = Tree::new();
    tree.cpuinfo("processor\t: 0\nphysical id\t: 0\n\nprocessor\t: 1\nphysical id\t: 1\n");
    tree.zone("intel-rapl:0", "package-0", RANGE, "5\n");
    let missing = |meter: &Powercap| -> Vec<_> {
        meter.inventory().skipped.iter().filter(|one| one.is_missing).map(|one| (one.kind, one.package)).collect()
    };
    assert_eq!(missing(&tree.open()), [(Some(ZoneKind::Package), Some(1))], "its zone never appeared");
    tree.zone("intel-rapl:1", "package-1", RANGE, "garbage\n");
    assert_eq!(missing(&tree.open()), [(Some(ZoneKind::Package), Some(1))], "its counter cannot be read");
    // Whose first page is not there: an error of the driver's, EIO, which no mount and no other module will mend.
    let counter = tree.directory("intel-rapl:1").join("energy_uj");
    fs::remove_file(&counter).unwrap();
    symlink("/proc/self/mem", &counter).unwrap();
    let meter = tree.open();
    assert_eq!(missing(&meter), [(Some(ZoneKind::Package), Some(1))], "its driver fails");
    assert!(meter.inventory().skipped[0].unavailable.remedy == Remedy::CheckKernelLog, "{:?}", meter.inventory());
    fs::remove_file(&counter).unwrap();
    tree.write("intel-rapl:1", "energy_uj", "7\n");
    assert_eq!(missing(&tree.open()), []);
}

#[test]
fn a_pipe_in_place_of_a_counter_holds_nothing_up() {
    let tree = client();
    let counter = tree.directory("intel-rapl:0:0").join("energy_uj");
    fs::remove_file(&counter).unwrap();
    assert!(Command::new("mkfifo").arg(&counter).status().unwrap().success());
    let meter = tree.open();
    assert_eq!(meter.zones().len(), 3);
    assert!(meter.inventory().skipped[0].unavailable.reason.contains("not a regular file"));
}
