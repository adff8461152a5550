use super::*;
use crate::units::Energy;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

struct Tree(tempfile::TempDir);

impl Tree {
    /// A machine with some packages and no chip.
    fn new(packages: u32) -> Self {
        let tree = Tree(tempfile::tempdir().unwrap());
        let cpuinfo: String = (0..packages).map(|n| format!("processor\t: {n}\nphysical id\t: {n}\n\n")).collect();
        fs::write(tree.0.path().join("cpuinfo"), cpuinfo).unwrap();
        tree
    }

    fn chip(&self, number: u32, name: &str, files: &[(&str, &str)]) -> &Self {
        let directory = self.directory(number);
        fs::create_dir_all(&directory).unwrap();
        for (file, text) in files.iter().chain(&[("name", name)]) {
            fs::write(directory.join(file), format!("{text}\n")).unwrap();
        }
        self
    }

    fn directory(&self, number: u32) -> PathBuf {
        self.path().join(format!("class/hwmon/hwmon{number}"))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn open(&self, rules: &HwmonRules) -> Result<Hwmon, Unavailable> {
        Hwmon::open(&Host::default().with_sysfs(self.path()).with_procfs(self.path()), rules)
    }

    fn meter(&self) -> Hwmon {
        self.open(&HwmonRules::default()).unwrap()
    }
}

fn read(meter: &mut Hwmon) -> Vec<Result<Reading, ReadError>> {
    let mut readings = Vec::new();
    meter.read(Timestamp::now(), &mut readings);
    readings
}

fn zones(meter: &Hwmon) -> Vec<(ZoneKind, Option<u32>)> {
    meter.zones().iter().map(|zone| (zone.kind, zone.package)).collect()
}

fn watts(reading: &Result<Reading, ReadError>) -> f64 {
    match reading {
        Ok(Reading::Power(power)) => power.watts(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn amd_energy_counts_sockets_and_cores_in_microjoules() {
    let tree = Tree::new(2);
    tree.chip(
        3,
        "amd_energy",
        &[
            ("energy1_label", "Ecore000"),
            ("energy1_input", "1000"),
            ("energy2_label", "Ecore001"),
            ("energy2_input", "500"),
            ("energy3_label", "Esocket0"),
            ("energy3_input", "8589934592000"),
            ("energy4_label", "Esocket1"),
            ("energy4_input", "7"),
        ],
    );
    let mut meter = tree.meter();
    let expected = [(ZoneKind::Core, None), (ZoneKind::Package, Some(0)), (ZoneKind::Package, Some(1))];
    assert_eq!(zones(&meter), expected);
    assert!(meter.zones().iter().all(|zone| zone.modulus.is_none()));
    let counters: Vec<Reading> = read(&mut meter).into_iter().map(Result::unwrap).collect();
    let counter = |uj| Reading::Counter(Energy::from_microjoules(uj));
    assert_eq!(counters, [counter(1500), counter(8_589_934_592_000), counter(7)]);
}

#[test]
fn the_acpi_meter_is_the_platform_and_its_unknown_is_an_error() {
    let tree = Tree::new(1);
    tree.chip(0, "power_meter", &[("power1_average", "183000000"), ("power1_average_interval", "1000")]);
    let mut meter = tree.meter();
    assert_eq!(zones(&meter), [(ZoneKind::Psys, None)]);
    assert_eq!(watts(&read(&mut meter)[0]), 183.0);

    for unbelievable in ["4294967295000", "4294967295", "-5", "", "x", "99000000000"] {
        fs::write(tree.directory(0).join("power1_average"), format!("{unbelievable}\n")).unwrap();
        let error = read(&mut meter).pop().unwrap().unwrap_err();
        assert_eq!(error.reason(), "invalid_data", "{unbelievable}");
        assert!(error.path.ends_with("power1_average"), "{error}");
    }
    // It is believed again as soon as it makes sense.
    fs::write(tree.directory(0).join("power1_average"), "200000000\n").unwrap();
    assert_eq!(watts(&read(&mut meter)[0]), 200.0);
}

#[test]
fn a_counter_of_all_ones_is_not_energy() {
    let tree = Tree::new(1);
    tree.chip(0, "amd_energy", &[("energy1_label", "Esocket0"), ("energy1_input", "4294967295")]);
    let error = read(&mut tree.meter()).pop().unwrap().unwrap_err();
    assert_eq!(error.reason(), "invalid_data");
}

#[test]
fn jetson_rails_are_the_product_of_voltage_and_current() {
    let tree = Tree::new(1);
    tree.chip(
        1,
        "ina3221",
        &[
            ("in1_label", "VDD_IN"),
            ("in1_input", "5000"),
            ("curr1_input", "1200"),
            ("in2_label", "VDD_CPU_GPU_CV"),
            ("in2_input", "4800"),
            ("curr2_input", "500"),
            ("in3_label", "VDD_SOC"),
            ("in3_input", "4800"),
            ("curr3_input", "250"),
            // Shunt voltages share numbers with no current; channel 4 is the driver's summed current.
            ("in4_input", "2"),
            ("curr4_input", "9999"),
        ],
    );
    let mut meter = tree.meter();
    assert_eq!(zones(&meter), [(ZoneKind::Psys, None), (ZoneKind::Package, Some(0))]);
    let readings = read(&mut meter);
    assert!((watts(&readings[0]) - 6.0).abs() < 1e-9);
    assert!((watts(&readings[1]) - 3.6).abs() < 1e-9, "the two rails of the package together");
}

#[test]
fn a_failing_sensor_fails_its_zone_and_no_other() {
    let tree = Tree::new(1);
    tree.chip(
        0,
        "smpro_hwmon",
        &[
            ("power1_label", "power1 CORE VRD"),
            ("power1_input", "60000000"),
            ("power2_label", "power2 SoC"),
            ("power2_input", "20000000"),
            ("power3_label", "power3 DIMM VRD1"),
            ("power3_input", "-1"),
            ("power4_label", "power4 DIMM VRD2"),
            ("power4_input", "9000000"),
            ("power5_label", "power5 RCA VRD"),
            ("power5_input", "5000000"),
        ],
    );
    let mut meter = tree.meter();
    let package = Some(0);
    // Core, SoC and PCIe regulators make up the package.
    let kinds = [ZoneKind::Core, ZoneKind::Uncore, ZoneKind::Dram, ZoneKind::Package];
    assert_eq!(zones(&meter), kinds.map(|kind| (kind, package)));
    let readings = read(&mut meter);
    assert_eq!((watts(&readings[0]), watts(&readings[1])), (60.0, 25.0));
    assert!(readings[2].as_ref().unwrap_err().path.ends_with("power3_input"));
}

#[test]
fn devices_that_are_no_processors_are_skipped_with_a_reason() {
    let tree = Tree::new(1);
    tree.chip(0, "amdgpu", &[("power1_label", "PPT"), ("power1_average", "30000000")])
        .chip(1, "BAT0", &[("in0_input", "12000"), ("curr0_input", "1000")])
        .chip(2, "nvme", &[("temp1_input", "40000")])
        .chip(3, "zenpower", &[("power1_label", "SVI2_P_Core"), ("power1_input", "42000000")]);
    let meter = tree.meter();
    assert_eq!(zones(&meter), [(ZoneKind::Core, Some(0))]);
    let skipped: Vec<&str> = meter.inventory().skipped.iter().map(|one| one.unavailable.reason.as_str()).collect();
    assert_eq!(skipped.len(), 2, "and nothing of a chip without power: {skipped:?}");
    assert!(skipped[0].starts_with("amdgpu ppt") && skipped[1].starts_with("BAT0 bat0_power0"), "{skipped:?}");
    assert!(skipped.iter().all(|reason| reason.contains("not known")));
}

#[test]
fn without_a_usable_sensor_the_reason_says_what_was_there() {
    let tree = Tree::new(1);
    let unavailable = tree.open(&HwmonRules::default()).unwrap_err();
    assert!(
        unavailable.reason.contains("class/hwmon") && unavailable.to_string().contains("acpi_power_meter"),
        "{unavailable}"
    );
    tree.chip(0, "amdgpu", &[("power1_label", "PPT"), ("power1_average", "30000000")]);
    let unavailable = tree.open(&HwmonRules::default()).unwrap_err();
    assert!(unavailable.reason.contains("amdgpu ppt"), "{unavailable}");
}

#[test]
fn a_configured_zone_selects_and_admits_sensors() {
    let tree = Tree::new(1);
    tree.chip(0, "power_meter", &[("power1_average", "100000000")])
        .chip(1, "newchip", &[("power1_label", "CPU Power"), ("power1_input", "50000000")])
        .chip(2, "other", &[("power1_input", "70000000")]);
    let rules = HwmonRules { zones: vec!["cpu_power".into(), "OTHER_power1".into()], ..HwmonRules::default() };
    let meter = tree.open(&rules).unwrap();
    assert_eq!(zones(&meter), [(ZoneKind::Package, Some(0)), (ZoneKind::Psys, None)]);
    assert!(meter.inventory().skipped[0].unavailable.reason.ends_with("not among the configured zones"));
}

#[test]
fn a_channel_without_a_label_can_be_named_by_its_device() {
    let tree = Tree::new(1);
    tree.chip(0, "monitor", &[("power1_input", "50000000")]);
    let device = tree.path().join("devices/platform/soc:pmic-0");
    fs::create_dir_all(&device).unwrap();
    std::os::unix::fs::symlink(&device, tree.directory(0).join("device")).unwrap();
    let rules = HwmonRules { zones: vec!["platform_soc:pmic_0_power1".into()], ..HwmonRules::default() };
    assert_eq!(zones(&tree.open(&rules).unwrap()), [(ZoneKind::Psys, None)]);
}

#[test]
fn chip_rules_pair_voltages_with_currents() {
    let tree = Tree::new(1);
    let files = [
        ("in1_input", "1000"),
        ("in2_input", "2000"),
        ("in3_input", "3000"),
        ("curr1_input", "100"),
        ("curr2_input", "200"),
        ("curr3_input", "300"),
    ];
    tree.chip(0, "MyChip", &files);
    let total = |rule: ChipRule| {
        let rules = HwmonRules { chip_rules: vec![rule], ..HwmonRules::default() };
        let mut meter = tree.open(&rules).unwrap();
        assert_eq!(zones(&meter), [(ZoneKind::Psys, None)]);
        (watts(&read(&mut meter)[0]) * 1e6).round()
    };
    let rule = ChipRule { name: "mychip".into(), ..ChipRule::default() };
    let pairings = BTreeMap::from([(2, 1)]);
    assert_eq!(total(ChipRule { pairings: pairings.clone(), ..rule.clone() }), 2000.0 * 100.0);
    // The same index wins over pairings, less what is left out.
    let same = ChipRule { pairings, skip_voltages: vec![1], skip_currents: vec![3], use_same_index: true, ..rule };
    assert_eq!(total(same), 2000.0 * 200.0);
}

#[test]
fn equal_labels_go_together_before_equal_numbers() {
    let tree = Tree::new(1);
    tree.chip(
        0,
        "ltc2992",
        &[
            ("in1_input", "1000"),
            ("in1_label", "VDD_IN"),
            ("curr1_input", "7"),
            ("curr2_input", "2000"),
            ("curr2_label", "VDD_IN"),
        ],
    );
    assert_eq!(watts(&read(&mut tree.meter())[0]), 2.0);
}

#[test]
fn a_channel_switched_off_is_skipped() {
    let tree = Tree::new(1);
    tree.chip(0, "power_meter", &[("power1_average", "100000000"), ("power1_enable", "0")]);
    let unavailable = tree.open(&HwmonRules::default()).unwrap_err();
    assert!(unavailable.reason.contains("switched off"), "{unavailable}");
}

#[cfg(feature = "serde")]
#[test]
fn rules_are_read_with_the_keys_of_kepler() {
    let text = r#"{"zones": ["cpu_power"], "chipRules": [{"name": "x", "pairings": {"2": 1}, "skipVoltages": [0],
        "skipCurrents": [3], "useSameIndex": true}]}"#;
    let rules: HwmonRules = serde_json::from_str(text).unwrap();
    assert_eq!(rules.chip_rules[0].pairings, BTreeMap::from([(2, 1)]));
    assert!(rules.chip_rules[0].use_same_index);
    assert!(serde_json::from_str::<HwmonRules>(r#"{"chiprules": []}"#).is_err(), "unknown keys are named, not ignored");
}

impl Tree {
    /// A chip of a driver that registers by the kernel's older interface: the class directory holds links only.
    fn device(&self, number: u32, name: &str, files: &[(&str, &str)]) -> &Self {
        let device = self.path().join(format!("devices/ACPI000D:{number:02}"));
        fs::create_dir_all(&device).unwrap();
        for (file, text) in files.iter().chain(&[("name", name)]) {
            fs::write(device.join(file), format!("{text}\n")).unwrap();
        }
        fs::create_dir_all(self.directory(number)).unwrap();
        std::os::unix::fs::symlink(&device, self.directory(number).join("device")).unwrap();
        self
    }
}

#[test]
fn the_acpi_power_meter_is_found_in_its_device_directory() {
    let tree = Tree::new(1);
    tree.device(2, "power_meter", &[("power1_average", "231000000"), ("power1_is_battery", "0")]);
    let mut meter = tree.meter();
    assert_eq!(zones(&meter), [(ZoneKind::Psys, None)]);
    assert_eq!(watts(&read(&mut meter)[0]), 231.0);
}

/// Two Grace sockets: each module contains its socket, and that its CPU and SoC rails.
#[test]
fn the_nested_meters_of_a_grace_are_not_added_to_each_other() {
    let tree = Tree::new(2);
    let mut number = 0;
    for socket in 0..2 {
        for (name, watts) in [("Module", 310), ("Grace", 105), ("CPU", 48), ("SysIO", 13)] {
            let (power, info) = (format!("{watts}000000"), format!("{name} Power Socket {socket}"));
            tree.device(number, "power_meter", &[("power1_average", &power), ("power1_oem_info", &info)]);
            number += 1;
        }
    }
    let mut meter = tree.meter();
    let readings = read(&mut meter);
    let sum = |kind| {
        let zones = meter.zones().iter().zip(&readings).filter(|(zone, _)| zone.kind == kind);
        zones.map(|(_, reading)| watts(reading)).sum::<f64>()
    };
    assert_eq!((sum(ZoneKind::Psys), sum(ZoneKind::Package), sum(ZoneKind::Core)), (620.0, 210.0, 96.0));
    assert!(zones(&meter).contains(&(ZoneKind::Package, Some(1))));
}

#[test]
fn of_platform_meters_that_may_contain_each_other_the_outermost_counts() {
    let tree = Tree::new(1);
    tree.device(0, "power_meter", &[("power1_average", "200000000")]);
    tree.device(1, "power_meter", &[("power1_average", "450000000")]);
    let mut meter = tree.meter();
    assert_eq!(zones(&meter), [(ZoneKind::Psys, None)]);
    assert_eq!(watts(&read(&mut meter)[0]), 450.0);
    assert!(meter.inventory().skipped[0].unavailable.reason.contains("may contain it"));
}

#[test]
fn a_package_is_the_sum_of_the_parts_that_make_it_up() {
    let tree = Tree::new(1);
    let xgene = [
        ("power1_label", "CPU power"),
        ("power1_input", "152000000"),
        ("power2_label", "IO power"),
        ("power2_input", "31000000"),
    ];
    tree.chip(0, "apm_xgene", &xgene);
    let mut meter = tree.meter();
    let readings = read(&mut meter);
    let package = zones(&meter).iter().position(|(kind, _)| *kind == ZoneKind::Package).unwrap();
    assert_eq!(watts(&readings[package]), 183.0);
}

/// Labels as the firmware of a POWER9 with two processors gives them, which it numbers 0 and 8 as the kernel's topology does.
#[test]
fn a_power9_counts_the_system_its_chips_and_their_rails() {
    let tree = Tree::new(0);
    let mut cpuinfo = String::new();
    for (processor, package) in [(0, 0), (1, 8)] {
        cpuinfo += &format!(
            "processor\t: {processor}\ncpu\t\t: POWER9, altivec supported\nrevision\t: 2.2 (pvr 004e 1202)\n\n"
        );
        let topology = tree.path().join(format!("devices/system/cpu/cpu{processor}/topology"));
        fs::create_dir_all(&topology).unwrap();
        fs::write(topology.join("physical_package_id"), format!("{package}\n")).unwrap();
    }
    cpuinfo += "timebase\t: 512000000\nplatform\t: PowerNV\nmodel\t\t: 9006-22P\nmachine\t\t: PowerNV 9006-22P\n";
    fs::write(tree.path().join("cpuinfo"), cpuinfo).unwrap();
    let mut files = Vec::new();
    let labels = [
        "System",
        "Fan",
        "APSS 3 ",
        "Chip 0 ",
        "Chip 0 Vdd",
        "Chip 0 Vdn",
        "Chip 0 Memory",
        "Chip 0 GPU",
        "Chip 8 ",
        "Chip 8 Vdd",
    ];
    for (number, label) in (1u64..).zip(labels) {
        for (kind, scale) in [("power", 1_000_000), ("energy", 9_000_000)] {
            files.push((format!("{kind}{number}_label"), label.to_owned()));
            files.push((format!("{kind}{number}_input"), (number * scale).to_string()));
        }
    }
    files.push(("temp1_label".into(), "Chip 0 Core 4-7".into()));
    let files: Vec<(&str, &str)> = files.iter().map(|(file, text)| (file.as_str(), text.as_str())).collect();
    tree.chip(0, "ibmpowernv", &files);
    let mut meter = tree.meter();
    let readings = read(&mut meter);
    let counted = |kind, package| {
        let at = zones(&meter).iter().position(|zone| *zone == (kind, package)).unwrap();
        readings[at].as_ref().unwrap().clone()
    };
    let joules = |number: u64| Reading::Counter(Energy::from_microjoules(number * 9_000_000));
    assert_eq!(counted(ZoneKind::Psys, None), joules(1));
    assert_eq!(counted(ZoneKind::Package, Some(0)), joules(4));
    assert_eq!(counted(ZoneKind::Core, Some(0)), joules(5));
    assert_eq!(counted(ZoneKind::Uncore, Some(0)), joules(6));
    assert_eq!(counted(ZoneKind::Dram, Some(0)), joules(7));
    assert_eq!(counted(ZoneKind::Package, Some(8)), joules(9));
    assert_eq!(counted(ZoneKind::Core, Some(8)), joules(10));
    assert_eq!(meter.zones().len(), 7, "{:?}", meter.zones());
    // Memory of the second processor is not shown: the sum of dram is not whole.
    let missing: Vec<_> = meter.inventory().skipped.iter().filter(|one| one.is_missing).collect();
    assert_eq!(
        missing.iter().map(|one| (one.kind, one.package)).collect::<Vec<_>>(),
        [(Some(ZoneKind::Dram), Some(8))]
    );
}
