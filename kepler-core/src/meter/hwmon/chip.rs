//! What is known about monitoring chips: which of their sensors measure which zone.
//!
//! A chip that is not in the table (graphics cards, disks, power supplies, batteries, fans) does not
//! measure processors, memory or the platform as far as anyone knows, and is left out.

use crate::units::ZoneKind;

/// Sensors of a chip: a part of the sensor's name (`""` for any sensor, labelled or not), and its zone.
type Sensors = &'static [(&'static str, ZoneKind)];

/// Chips whose sensors have fixed names. Sources: the drivers and their pages under
/// `Documentation/hwmon`; `zenergy` and `zenpower` are out-of-tree drivers with those of their own.
const CHIPS: [(&str, Sensors); 8] = [
    // RAPL of AMD family 17h and 19h, accumulated in 64 bits by the driver; in Linux 5.8 to 5.12, later out of tree.
    ("amd_energy", &[("esocket", ZoneKind::Package), ("ecore", ZoneKind::Core)]),
    ("zenergy", &[("esocket", ZoneKind::Package), ("ecore", ZoneKind::Core)]),
    // Telemetry of the voltage regulators of AMD Zen, one rail for the cores, one for the rest of the package.
    ("zenpower", &[("svi2_p_core", ZoneKind::Core), ("svi2_p_soc", ZoneKind::Uncore)]),
    // The processor's own average, `power1_input`.
    ("fam15h_power", &[("", ZoneKind::Package)]),
    // APM X-Gene and Ampere eMAG, Altra: `CPU power` is the processor modules, `IO power` the SoC around them.
    ("apm_xgene", &[("cpu_power", ZoneKind::Core), ("io_power", ZoneKind::Uncore)]),
    // Ampere Altra through its management processor: core, SoC, memory and PCIe (RCA) regulators.
    (
        "smpro_hwmon",
        &[("core_vrd", ZoneKind::Core), ("soc", ZoneKind::Uncore), ("dimm", ZoneKind::Dram), ("rca", ZoneKind::Uncore)],
    ),
    // The ACPI power meter: the whole platform, as the firmware defines it (ACPI 6.5, 10.4). NVIDIA Grace has four for each
    // socket, distinguished by `power1_oem_info`: the module with all on it, the Grace socket, and of that the CPU rail
    // and the SoC rail (Grace Performance Tuning Guide, "Power Telemetry").
    (
        "power_meter",
        &[
            ("module_power", ZoneKind::Psys),
            ("grace_power", ZoneKind::Package),
            ("cpu_power", ZoneKind::Core),
            ("sysio_power", ZoneKind::Uncore),
            ("", ZoneKind::Psys),
        ],
    ),
    // Apple's system management controller, key `PSTR`.
    ("macsmc_hwmon", &[("total_system_power", ZoneKind::Psys)]),
];

/// Chips that monitor supply rails. What a rail feeds, only its label (from the device tree or the
/// firmware) says: see [`kind_of_rail`].
const RAIL_CHIPS: [&str; 15] = [
    "ina209",
    "ina219",
    "ina220",
    "ina226",
    "ina230",
    "ina231",
    "ina233",
    "ina237",
    "ina238",
    "ina260",
    "ina3221",
    "ltc2945",
    "ltc2947",
    "ltc2992",
    "scmi_sensors",
];

/// The on-chip controllers of IBM POWER9 without a hypervisor of IBM's.
const POWER9: &str = "ibmpowernv";

/// The zone that a sensor called `name` (lower case, `_` between words) of a chip measures, if known.
pub(super) fn kind_of(chip: &str, name: &str) -> Option<ZoneKind> {
    if RAIL_CHIPS.contains(&chip) {
        return kind_of_rail(name);
    }
    if chip == POWER9 {
        return kind_of_power9(name);
    }
    let (_, sensors) = CHIPS.iter().find(|(known, _)| *known == chip)?;
    sensors.iter().find(|(part, _)| name.contains(part)).map(|(_, kind)| *kind)
}

/// The zone of a POWER9's sensor. The firmware's labels (skiboot `hw/occ-sensor.c`) are `System` and, a processor,
/// `Chip 8` with `Vdd` (cores and their caches), `Vdn` (the rest of the chip) and `Memory`, all with power and energy. Its `GPU`,
/// `Fan`, `IO`, `Storage` and `APSS 3` are none of the zones here.
fn kind_of_power9(name: &str) -> Option<ZoneKind> {
    if name == "system" {
        return Some(ZoneKind::Psys);
    }
    let (number, part) = name.strip_prefix("chip_").map(|rest| rest.split_once('_').unwrap_or((rest, "")))?;
    number.parse::<u32>().ok()?;
    match part {
        "" => Some(ZoneKind::Package),
        "vdd" => Some(ZoneKind::Core),
        "vdn" => Some(ZoneKind::Uncore),
        "memory" => Some(ZoneKind::Dram),
        _ => None,
    }
}

/// Chips whose core and uncore sensors make up the package together, as their documentation says: two rails feed an AMD
/// package, the modules and the SoC around them are an X-Gene (`Documentation/hwmon/xgene-hwmon.rst`), core, SoC and
/// PCIe regulators an Altra (`smpro-hwmon.rst`), CPU and SoC rail a Grace socket.
pub(super) fn is_partitioned(chip: &str) -> bool {
    matches!(chip, "zenpower" | "apm_xgene" | "smpro_hwmon" | "power_meter")
}

/// The socket that a sensor's name tells: `esocket1` of `amd_energy`, `grace_power_socket_1`, `chip_8_vdd` of a POWER9.
pub(super) fn socket_number(name: &str) -> Option<u32> {
    let number = match name.rsplit_once("socket") {
        Some((_, number)) => number.trim_start_matches('_'),
        None => name.strip_prefix("chip_")?.split('_').next()?,
    };
    number.parse().ok()
}

/// Whether a platform sensor is known to measure one of several parts that do not overlap.
pub(super) fn is_one_of_several(name: &str) -> bool {
    name.starts_with("module_power") && socket_number(name).is_some()
}

/// Whether anything is known about a chip.
pub(super) fn is_known(chip: &str) -> bool {
    chip == POWER9 || RAIL_CHIPS.contains(&chip) || CHIPS.iter().any(|(known, _)| *known == chip)
}

/// The zone that a supply rail feeds, by the words of its label.
///
/// Rails of the processors, the graphics and other accelerators on the same chip are parts of one
/// package (NVIDIA Jetson: `VDD_CPU_CV`, `VDD_GPU_SOC`, `VDD_CPU_GPU_CV`) and are summed; the input of the
/// module or board (`VDD_IN`, `POM_5V_IN`, …) is the platform.
pub(super) fn kind_of_rail(name: &str) -> Option<ZoneKind> {
    let words: Vec<&str> = name.split(|c: char| !c.is_ascii_alphanumeric()).collect();
    let any = |wanted: &[&str]| words.iter().any(|word| wanted.contains(word));
    let starts = |wanted: &[&str]| words.iter().any(|word| wanted.iter().any(|start| word.starts_with(start)));
    if any(&["shunt", "sum", "rsvd", "nc"]) {
        None
    } else if any(&["in", "total", "system", "platform", "board", "psys"]) {
        Some(ZoneKind::Psys)
    } else if starts(&["ddr", "dram", "dimm", "vddq", "vddrq", "mem"]) {
        Some(ZoneKind::Dram)
    } else if starts(&["core"]) {
        Some(ZoneKind::Core)
    } else if starts(&["package", "pkg", "socket", "ppt", "cpu", "gpu", "soc"]) || any(&["cv"]) {
        Some(ZoneKind::Package)
    } else {
        None
    }
}

/// The current channel that belongs to a voltage channel, where the chip's driver numbers them in its own way.
pub(super) fn current_of(chip: &str, voltage: u32) -> Option<u32> {
    match (chip, voltage) {
        // in4 … in7 are shunt voltages and their sum (Documentation/hwmon/ina3221.rst).
        ("ina3221", 4..) => None,
        _ => Some(voltage),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jetson_rails_are_distinguished() {
        for (label, kind) in [
            ("vdd_in", Some(ZoneKind::Psys)),
            ("pom_5v_in", Some(ZoneKind::Psys)),
            ("vdd_cpu_cv", Some(ZoneKind::Package)),
            ("vdd_gpu_soc", Some(ZoneKind::Package)),
            ("vdd_cpu_gpu_cv", Some(ZoneKind::Package)),
            ("vdd_sys_ddr", Some(ZoneKind::Dram)),
            ("vddrq", Some(ZoneKind::Dram)),
            ("cv", Some(ZoneKind::Package)),
            ("vdd_4v0_wifi", None),
            ("vin_sys_5v0", None),
            ("sum_of_shunt_voltages", None),
        ] {
            assert_eq!(kind_of("ina3221", label), kind, "{label}");
        }
    }

    #[test]
    fn chips_with_fixed_names_are_read_by_the_table() {
        assert_eq!(kind_of("amd_energy", "esocket1"), Some(ZoneKind::Package));
        assert_eq!(kind_of("amd_energy", "ecore017"), Some(ZoneKind::Core));
        assert_eq!(kind_of("apm_xgene", "io_power"), Some(ZoneKind::Uncore));
        assert_eq!(kind_of("smpro_hwmon", "power4_dimm_vrd2"), Some(ZoneKind::Dram));
        assert_eq!(kind_of("power_meter", "power_meter_power1"), Some(ZoneKind::Psys));
        assert_eq!(kind_of("amdgpu", "ppt"), None);
        assert!(!is_known("nvme") && is_known("zenpower"));
    }
}
