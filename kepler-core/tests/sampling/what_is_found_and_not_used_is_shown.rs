//! Every meter says what it found and does not read, and a sum that lacks a part is partial. Needs the feature `sim`.

use crate::driver::Driver;
use crate::machine::near;
use kepler_core::host::{Host, Timestamp};
use kepler_core::meter::chain::{self, ChainOptions, Found, Source};
use kepler_core::sampler::{Sampler, SamplerOptions};
use kepler_core::units::ZoneKind;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::time::Duration;

/// Root passes every file mode, but not a sysctl that no one may read: the kernel says EACCES.
const UNREADABLE_EVEN_BY_ROOT: &str = "/proc/sys/vm/compact_memory";

struct Tree(tempfile::TempDir);

impl Tree {
    /// A machine with two sockets of one processor each, made by `vendor`.
    fn new(vendor: &str) -> Self {
        let tree = Tree(tempfile::tempdir().unwrap());
        let socket = |n| {
            format!("processor\t: {n}\nvendor_id\t: {vendor}\ncpu family\t: 25\nmodel\t: 1\nphysical id\t: {n}\n\n")
        };
        tree.write("proc/cpuinfo", &(0..2).map(socket).collect::<String>());
        tree.write("proc/stat", "cpu 0 0 0 0 0 0 0 0\ncpu0 0 0 0 0 0 0 0 0\ncpu1 0 0 0 0 0 0 0 0\n");
        tree
    }

    fn path(&self, path: &str) -> PathBuf {
        self.0.path().join(path)
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn deny(&self, path: &str) {
        fs::remove_file(self.path(path)).ok();
        symlink(UNREADABLE_EVEN_BY_ROOT, self.path(path)).unwrap();
    }

    fn chip(&self, number: u32, name: &str, files: &[(&str, &str)]) {
        for (file, text) in files.iter().chain(&[("name", name)]) {
            self.write(&format!("sys/class/hwmon/hwmon{number}/{file}"), &format!("{text}\n"));
        }
    }

    fn host(&self) -> Host {
        let root = self.0.path();
        Host::default().with_sysfs(root.join("sys")).with_procfs(root.join("proc")).with_msr(root.join("msr"))
    }

    fn found(&self, source: Source) -> Found {
        chain::probe(&self.host(), &ChainOptions::default().with_sources(vec![source]))[0].outcome.clone().unwrap()
    }

    fn sampler(&self, source: Source) -> Sampler {
        let chain = ChainOptions::default().with_sources(vec![source, Source::Model]);
        Sampler::new(&self.host(), SamplerOptions::default().with(|options| options.chain = chain)).unwrap()
    }
}

/// Whether a file can be denied here.
fn can_deny() -> bool {
    let denied = fs::read(UNREADABLE_EVEN_BY_ROOT);
    denied.is_err_and(|error| error.kind() == std::io::ErrorKind::PermissionDenied)
}

/// Every directory of a zone or chip is read, or named among what is not.
fn assert_nothing_is_left_out(tree: &Tree, found: &Found, folder: &str, prefix: &str) {
    for entry in fs::read_dir(tree.path(folder)).unwrap().flatten() {
        let name = entry.file_name().into_string().unwrap();
        if !name.starts_with(prefix) {
            continue;
        }
        let is_read = found.zones.iter().any(|zone| zone.path.contains(&format!("{name}/")));
        let reason = |text: &str| text.contains(&format!("{name} ")) || text.contains(&format!("{name}/"));
        let is_skipped = found.skipped.iter().any(|one| reason(&one.unavailable.reason));
        assert!(is_read || is_skipped, "{name} is neither in {:?} nor in {:?}", found.zones, found.skipped);
    }
}

#[test]
fn of_powercap_every_zone_is_used_or_named() {
    let tree = Tree::new("AuthenticAMD");
    let zone = |id: &str, name: &str, energy: &str| {
        for (file, text) in [("name", name), ("max_energy_range_uj", "65532610987"), ("energy_uj", energy)] {
            tree.write(&format!("sys/class/powercap/{id}/{file}"), &format!("{text}\n"));
        }
    };
    zone("intel-rapl:0", "package-0-die-0", "5000000");
    zone("intel-rapl:1", "package-0-die-1", "5000000");
    zone("intel-rapl:2", "package-1-die-0", "garbage");
    zone("intel-rapl:3", "core", "7");
    zone("intel-rapl:4", "npu", "7");
    zone("intel-rapl-mmio:0", "package-0-die-0", "5000000");
    zone("intel-rapl:5", "dram", "7");
    fs::remove_file(tree.path("sys/class/powercap/intel-rapl:5/name")).unwrap();
    let found = tree.found(Source::Powercap);
    assert_nothing_is_left_out(&tree, &found, "sys/class/powercap", "intel-rapl");
    assert_eq!((found.zones.len(), found.method.name()), (1, "partial"));
}

#[test]
fn of_hwmon_every_chip_is_used_or_named_and_a_socket_that_is_denied_makes_it_partial() {
    let tree = Tree::new("AuthenticAMD");
    tree.chip(0, "amd_energy", &[("energy1_label", "Esocket0"), ("energy1_input", "1000000")]);
    tree.chip(1, "amd_energy", &[("energy1_label", "Esocket1"), ("energy1_input", "1000000")]);
    tree.chip(2, "amdgpu", &[("power1_label", "PPT"), ("power1_average", "30000000")]);
    tree.chip(3, "power_meter", &[("power1_average", "300000000")]);
    tree.chip(4, "macsmc_hwmon", &[("power1_label", "Total System Power"), ("power1_input", "31000000")]);
    if !can_deny() {
        println!("SKIPPED: {UNREADABLE_EVEN_BY_ROOT} does not refuse to be read here");
        return;
    }
    tree.deny("sys/class/hwmon/hwmon1/energy1_input");
    let found = tree.found(Source::Hwmon);
    assert_nothing_is_left_out(&tree, &found, "sys/class/hwmon", "hwmon");
    assert_eq!(found.method.name(), "partial");

    let mut sampler = tree.sampler(Source::Hwmon);
    let mut at = Timestamp::now();
    let mut last = None;
    for second in 1..=5u64 {
        tree.write("sys/class/hwmon/hwmon0/energy1_input", &format!("{}\n", 1_000_000 + second * 40_000_000));
        let busy = second * 50;
        tree.write("proc/stat", &format!("cpu0 {busy} 0 0 {busy} 0 0 0 0\ncpu1 {busy} 0 0 {busy} 0 0 0 0\n"));
        at = at.advanced(Duration::from_secs(1));
        last = Some(sampler.tick_at(at));
    }
    let zone = last.unwrap().node.zones[ZoneKind::Package].clone().unwrap();
    assert_eq!((zone.source, zone.method.name()), ("hwmon", "partial"));
    assert!(near(zone.power.unwrap().total.watts(), 80.0), "{:?}", zone.power);
}

#[test]
fn the_total_system_power_of_an_apple_is_the_platform() {
    let tree = Tree::new("0x61");
    tree.chip(
        0,
        "macsmc_hwmon",
        &[
            ("power1_label", "Total System Power"),
            ("power1_input", "31000000"),
            ("power2_label", "Heatpipe Power"),
            ("power2_input", "12000000"),
            ("power3_label", "AC Input Power"),
            ("power3_input", "33000000"),
        ],
    );
    let found = tree.found(Source::Hwmon);
    let kinds: Vec<ZoneKind> = found.zones.iter().map(|zone| zone.kind).collect();
    assert_eq!(kinds, [ZoneKind::Psys]);
    assert!(found.zones[0].path.contains("total_system_power"), "{}", found.zones[0].path);
    assert_eq!(found.skipped.len(), 2, "{:?}", found.skipped);
}

#[test]
fn a_package_that_a_model_estimates_is_not_below_its_measured_core() {
    let tree = Tree::new("AuthenticAMD");
    tree.chip(0, "zenpower", &[("power1_label", "SVI2_P_Core"), ("power1_input", "900000000")]);
    let mut sampler = tree.sampler(Source::Hwmon);
    let mut at = Timestamp::now();
    let mut last = None;
    for second in 1..=5u64 {
        let busy = second * 50;
        let node = format!("cpu {0} 0 0 {0} 0 0 0 0\n", busy * 2);
        tree.write("proc/stat", &format!("{node}cpu0 {busy} 0 0 {busy} 0 0 0 0\ncpu1 {busy} 0 0 {busy} 0 0 0 0\n"));
        at = at.advanced(Duration::from_secs(1));
        last = Some(sampler.tick_at(at));
    }
    let node = &last.unwrap().node;
    let watts = |kind: ZoneKind| node.zones[kind].as_ref().unwrap().power.unwrap().total.watts();
    let method = |kind: ZoneKind| node.zones[kind].as_ref().unwrap().method.name();
    assert_eq!((method(ZoneKind::Core), method(ZoneKind::Package)), ("measured", "estimated"));
    assert_eq!(watts(ZoneKind::Core), 900.0);
    assert!(watts(ZoneKind::Package) >= 900.0, "{} W", watts(ZoneKind::Package));
    let joules = |kind: ZoneKind| node.zones[kind].as_ref().unwrap().energy.joules();
    assert!(joules(ZoneKind::Package) >= joules(ZoneKind::Core) * 0.99, "{} J", joules(ZoneKind::Package));
}

/// The driver is bound again under the same number: what was open fails with ENODEV for ever, a new file is there.
#[test]
fn a_sensor_whose_driver_is_bound_again_is_opened_again() {
    let tree = Tree::new("GenuineIntel");
    let Some(driver) = Driver::mount(&tree.path("driver"), "200000000\n") else { return };
    tree.chip(0, "power_meter", &[]);
    let attribute = tree.path("sys/class/hwmon/hwmon0/power1_average");
    symlink(driver.attribute(), &attribute).unwrap();
    let mut sampler = tree.sampler(Source::Hwmon);
    let mut at = Timestamp::now();
    let mut watts = |count: usize| {
        let mut last = None;
        for _ in 0..count {
            at = at.advanced(Duration::from_secs(1));
            let snapshot = sampler.tick_at(at);
            last = snapshot.node.zones[ZoneKind::Psys].as_ref().and_then(|zone| zone.power);
        }
        last.map(|power| power.total.watts())
    };
    assert_eq!(watts(3), Some(200.0));
    driver.fail(19);
    assert_eq!(watts(3), None, "no power, and not zero");
    fs::remove_file(&attribute).unwrap();
    fs::write(&attribute, "250000000\n").unwrap();
    assert_eq!(watts(9), Some(250.0));
}

#[cfg(feature = "perf")]
mod perf {
    use super::*;

    /// A PMU that counts one watt on each processor of its mask, by the kernel's own CPU clock.
    fn pmu(tree: &Tree, cpumask: &str) {
        for (file, text) in [
            ("type", "1\n"),
            ("cpumask", cpumask),
            ("format/event", "config:0-7\n"),
            ("events/energy-pkg", "event=0x00\n"),
            ("events/energy-pkg.scale", "1e-9\n"),
            ("events/energy-pkg.unit", "Joules\n"),
        ] {
            tree.write(&format!("sys/bus/event_source/devices/power/{file}"), text);
        }
    }

    fn is_allowed(tree: &Tree) -> bool {
        let options = ChainOptions::default().with_sources(vec![Source::Perf]);
        match &chain::probe(&tree.host(), &options)[0].outcome {
            Err(unavailable) if unavailable.remedy.is_permission() => {
                println!("SKIPPED: {unavailable}");
                false
            }
            _ => true,
        }
    }

    fn package_of(tree: &Tree, number: u32, package: &str) {
        tree.write(&format!("sys/devices/system/cpu/cpu{number}/topology/physical_package_id"), package);
    }

    #[test]
    fn a_socket_on_which_the_event_cannot_be_opened_makes_it_partial() {
        let tree = Tree::new("GenuineIntel");
        // A processor that no kernel has.
        pmu(&tree, "0,8000\n");
        let text = "processor\t: 0\nvendor_id\t: GenuineIntel\n\nprocessor\t: 8000\nphysical id\t: 1\n\n";
        tree.write("proc/cpuinfo", text);
        if !is_allowed(&tree) {
            return;
        }
        let found = tree.found(Source::Perf);
        assert_eq!((found.zones.len(), found.method.name()), (1, "partial"));
        let skipped = &found.skipped[0];
        assert_eq!((skipped.package, skipped.is_missing), (Some(1), true));
        assert!(skipped.unavailable.reason.contains("energy-pkg"), "{}", skipped.unavailable);
        let mut sampler = tree.sampler(Source::Perf);
        let mut watts = 0.0;
        for _ in 0..3 {
            // Long beside the time between reading the counter and the clock.
            std::thread::sleep(Duration::from_millis(100));
            let zone = sampler.tick().node.zones[ZoneKind::Package].clone().unwrap();
            assert_eq!((zone.source, zone.method.name()), ("perf", "partial"));
            watts = zone.power.map_or(0.0, |power| power.total.watts());
        }
        assert!((1.5..2.5).contains(&watts), "{watts} W: one socket of one watt, and one like it");
    }

    #[test]
    fn a_socket_without_a_processor_in_the_mask_makes_it_partial() {
        let tree = Tree::new("GenuineIntel");
        pmu(&tree, "0\n");
        if is_allowed(&tree) {
            let found = tree.found(Source::Perf);
            assert_eq!((found.zones.len(), found.method.name()), (1, "partial"), "{:?}", found.skipped);
        }
    }

    /// Linux 6.9 to 6.11 put a processor of each die into the mask, and on AMD all of them count the package.
    #[test]
    fn the_dies_of_an_amd_package_count_once_and_those_of_an_intel_are_summed() {
        if fs::read_to_string("/sys/devices/system/cpu/online").unwrap().trim() == "0" {
            println!("SKIPPED: this machine has one processor");
            return;
        }
        for (vendor, expected) in [("AuthenticAMD", 1.0), ("HygonGenuine", 1.0), ("GenuineIntel", 2.0)] {
            let tree = Tree::new(vendor);
            pmu(&tree, "0-1\n");
            package_of(&tree, 0, "0\n");
            package_of(&tree, 1, "0\n");
            if !is_allowed(&tree) {
                return;
            }
            assert_eq!(tree.found(Source::Perf).method.name(), "measured", "{vendor}");
            let mut sampler = tree.sampler(Source::Perf);
            sampler.tick();
            std::thread::sleep(Duration::from_millis(200));
            let zone = sampler.tick().node.zones[ZoneKind::Package].clone().unwrap();
            let watts = zone.power.unwrap().total.watts();
            assert!((watts / expected - 1.0).abs() < 0.25, "{vendor}: {watts} W of {expected}");
        }
    }
}

#[test]
fn without_any_meter_each_source_says_what_it_lacks() {
    let tree = Tree::new("GenuineIntel");
    let probes = chain::probe(&tree.host(), &ChainOptions::default());
    for unavailable in probes.into_iter().filter_map(|probe| probe.outcome.err()) {
        assert!(!unavailable.reason.is_empty() && !unavailable.remedy.is_none(), "{unavailable}");
    }
}
