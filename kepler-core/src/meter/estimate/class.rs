//! Which generation a processor belongs to, and what one of its virtual CPUs draws.
//!
//! The figures are in `data/cpu_classes.csv`; `data/README.md` says where they come from. The numbers
//! by which generations are distinguished are those of the kernel's `arch/x86/include/asm/intel-family.h`,
//! AMD's processor programming references and Arm's `MIDR_EL1` part numbers (`arch/arm64/include/asm/cputype.h`).

use crate::host::{Host, Processor, Topology};
use crate::units::Power;
use std::fs;

/// One row a generation: restated from Cloud Carbon Footprint.
const TABLE: &str = include_str!("../../../data/cpu_classes.csv");

/// The generic class: none was recognised.
const GENERIC: &str = "generic";

/// One standard deviation of the estimate for a recognised generation: what 68 % of the errors stay below, relative
/// to the estimate, on machines that took no part in training.
///
/// Without the feature `models` power is taken to rise in a straight line with utilisation.
/// The test `the_stated_error_covers_measured_machines` repeats the comparison; all measured machines are Intel's.
const ERROR_KNOWN: f64 = if cfg!(feature = "models") { 0.29 } else { 0.55 };

/// The same for an unrecognised processor, one that borrows another's figures, or one of another maker. The spread of the full-load
/// figures between generations (standard deviation over mean: 0.49) comes on top of the error within one.
const ERROR_UNKNOWN: f64 = if cfg!(feature = "models") { 0.6 } else { 0.75 };

/// The nominal frequency that the figures are taken to be of, GHz: the middle of the servers that they derive from.
const REFERENCE_GHZ: f64 = 2.5;

/// Generations of Intel's servers from the oldest to the newest that measured machines are of. Their published figures
/// differ by half, the measured machines, at equal frequency, by little.
const MEASURED: [&str; 6] = ["Haswell", "Broadwell", "Skylake", "Cascade Lake", "Ice Lake", "Sapphire Rapids"];

/// The power of one virtual CPU (hardware thread) of a processor generation.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct CpuClass {
    /// Generation, as the source of the figures names it (`EPYC 3rd Gen`, `Cascade Lake`), or `generic`.
    pub name: String,
    /// Drawn by one idle virtual CPU, in its share of the whole processor.
    pub idle: Power,
    /// Drawn by one fully used virtual CPU.
    pub full: Power,
    /// Expected error of the power relative to the estimate, one standard deviation; larger for the generic class, for
    /// desktops, for makers other than Intel, and for generations that borrow the figures of another. Found by comparison with measured machines and
    /// from the spread between generations.
    pub error_ratio: f64,
}

impl CpuClass {
    /// The class of the host's processor: by family and model, else by part number (Arm), else by
    /// words in the model name, else the generic class.
    #[must_use]
    pub fn of(host: &Host, topology: &Topology) -> Self {
        let Some(processor) = topology.processors.first() else { return Self::generic() };
        let mut class = by_family(processor)
            .or_else(|| by_part(&processor.vendor_id, &arm_part(host)?))
            .or_else(|| by_name(&processor.model_name))
            .and_then(Self::named)
            .unwrap_or_else(Self::generic);
        if let Some(frequency) = nominal_ghz(&processor.model_name) {
            class = class.at(frequency);
        }
        // The figures are those of servers: desktops and laptops of the same generation borrow them. And they were
        // compared with nothing measured but of this maker.
        let is_measured = processor.vendor_id == "GenuineIntel";
        if !is_measured || ["Ryzen", "Core(TM)"].iter().any(|word| processor.model_name.contains(word)) {
            class.error_ratio = ERROR_UNKNOWN;
        }
        class
    }

    /// The power of which the frequency raises what work costs: with voltage it would be 3, without 1.
    const FREQUENCY_EXPONENT: i32 = 2;

    /// The same generation at another nominal frequency, as the model names of Intel's processors tell it
    /// (`@ 2.50GHz`). Published figures are of middling parts; one of 3.8 GHz draws far more when it works, and no more at rest.
    #[must_use]
    pub fn at(mut self, ghz: f64) -> Self {
        // No server differs by more; a name can say anything.
        self.full = self.full * (ghz / REFERENCE_GHZ).clamp(0.5, 2.0).powi(Self::FREQUENCY_EXPONENT);
        self.idle = Power::from_watts(self.idle.watts().min(self.full.watts()));
        self
    }

    /// What scales the trained curve, W: the full-load power, and for all measured generations the (geometric) mean of
    /// their published figures, at the frequency of this class. Where nothing was measured the published figure is all there is.
    #[must_use]
    pub fn scale_watts(&self) -> f64 {
        let measured: Vec<Self> =
            rows().map(|(class, _)| class).filter(|class| MEASURED.contains(&&*class.name)).collect();
        let Some(own) = measured.iter().find(|class| class.name == self.name) else { return self.full.watts() };
        let mean = measured.iter().map(|class| class.full.watts().ln()).sum::<f64>() / measured.len() as f64;
        mean.exp() * self.full.watts() / own.full.watts()
    }

    /// The same at the middle frequency, W: what is drawn at rest goes by that.
    #[must_use]
    pub fn rest_watts(&self) -> f64 {
        let base = if self.name == GENERIC { Some(Self::generic()) } else { Self::named(&self.name) };
        base.map_or(self.scale_watts(), |class| class.scale_watts())
    }

    /// The class of that name, if there is one.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        rows().find(|(class, _)| class.name == name).map(|(class, _)| class)
    }

    /// How many times wider than for a recognised generation its error is.
    pub(super) fn widening(&self) -> f64 {
        (self.error_ratio / ERROR_KNOWN).max(1.0)
    }

    /// The mean of all generations that have figures of their own.
    #[must_use]
    pub fn generic() -> Self {
        let own = || rows().filter(|(_, borrowed)| !borrowed).map(|(class, _)| class);
        let share = 1.0 / own().count().max(1) as f64;
        CpuClass {
            name: GENERIC.to_owned(),
            idle: own().map(|class| class.idle * share).sum(),
            full: own().map(|class| class.full * share).sum(),
            error_ratio: ERROR_UNKNOWN,
        }
    }
}

/// Every class of the table, and whether it borrows its figures.
fn rows() -> impl Iterator<Item = (CpuClass, bool)> {
    TABLE.lines().skip(1).filter_map(parse_row)
}

fn parse_row(line: &str) -> Option<(CpuClass, bool)> {
    let mut columns = line.split(',');
    let name = columns.next()?.to_owned();
    let idle = Power::from_watts(columns.next()?.parse().ok()?);
    let full = Power::from_watts(columns.next()?.parse().ok()?);
    let borrowed = !columns.next()?.is_empty();
    let error_ratio = if borrowed { ERROR_UNKNOWN } else { ERROR_KNOWN };
    Some((CpuClass { name, idle, full, error_ratio }, borrowed))
}

fn by_family(processor: &Processor) -> Option<&'static str> {
    let (family, model) = (processor.family?, processor.model?);
    match (processor.vendor_id.as_str(), family) {
        ("GenuineIntel", 6) => intel(model, &processor.model_name),
        // Zen and Zen+, Zen 2, then Zen 3 and Zen 4 under one family, Zen 5.
        ("AuthenticAMD", 23) => Some(if model < 0x30 { "EPYC 1st Gen" } else { "EPYC 2nd Gen" }),
        ("AuthenticAMD", 25) => Some(match model {
            0x10..=0x1f | 0x60..=0x7f | 0xa0..=0xaf => "EPYC 4th Gen",
            _ => "EPYC 3rd Gen",
        }),
        ("AuthenticAMD", 26) => Some("EPYC 5th Gen"),
        // Hygon's Dhyana is a licensed Zen.
        ("HygonGenuine", 24) => Some("EPYC 1st Gen"),
        _ => None,
    }
}

fn intel(model: u32, name: &str) -> Option<&'static str> {
    Some(match model {
        42 | 45 => "Sandy Bridge",
        58 | 62 => "Ivy Bridge",
        60 | 63 | 69 | 70 => "Haswell",
        61 | 71 | 79 | 86 => "Broadwell",
        // Two server generations share this number; the second digit of the name is the generation.
        85 if by_name(name) == Some("Cascade Lake") || scalable_generation(name) == Some('2') => "Cascade Lake",
        85 => "Skylake",
        78 | 94 | 142 | 158 => "Coffee Lake",
        106 | 108 => "Ice Lake",
        143 => "Sapphire Rapids",
        207 => "Emerald Rapids",
        173 | 174 => "Granite Rapids",
        _ => return None,
    })
}

/// The second digit of a Xeon Scalable number: `2` in `Intel(R) Xeon(R) Platinum 8259CL CPU @ 2.50GHz`.
fn scalable_generation(name: &str) -> Option<char> {
    name.split_whitespace()
        .find(|word| word.chars().take_while(char::is_ascii_digit).count() == 4)
        .and_then(|number| number.chars().nth(1))
}

/// `2.5` of `Intel(R) Xeon(R) Platinum 8259CL CPU @ 2.50GHz`.
fn nominal_ghz(name: &str) -> Option<f64> {
    let (_, after) = name.rsplit_once('@')?;
    after.trim().strip_suffix("GHz")?.trim().parse().ok().filter(|ghz: &f64| ghz.is_finite() && *ghz > 0.0)
}

fn by_part(implementer: &str, part: &str) -> Option<&'static str> {
    match (implementer, part) {
        // Graviton2, Ampere Altra.
        ("0x41", "0xd0c") => Some("Neoverse N1"),
        // Graviton3.
        ("0x41", "0xd40") => Some("Neoverse V1"),
        // Graviton4, NVIDIA Grace.
        ("0x41", "0xd4f") => Some("Neoverse V2"),
        _ => None,
    }
}

/// The first `CPU part` of `/proc/cpuinfo`, which only Arm kernels write.
fn arm_part(host: &Host) -> Option<String> {
    let text = fs::read(host.procfs().join("cpuinfo")).ok()?;
    String::from_utf8_lossy(&text).lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        (key.trim() == "CPU part").then(|| value.trim().to_owned())
    })
}

/// What hypervisors call the processors they imitate (QEMU's `-cpu` models), and names of marketing.
fn by_name(name: &str) -> Option<&'static str> {
    const WORDS: [(&str, &str); 16] = [
        ("sandybridge", "Sandy Bridge"),
        ("ivybridge", "Ivy Bridge"),
        ("haswell", "Haswell"),
        ("broadwell", "Broadwell"),
        ("cascadelake", "Cascade Lake"),
        ("skylake", "Skylake"),
        ("icelake", "Ice Lake"),
        ("sapphirerapids", "Sapphire Rapids"),
        ("emeraldrapids", "Emerald Rapids"),
        ("graniterapids", "Granite Rapids"),
        ("rome", "EPYC 2nd Gen"),
        ("milan", "EPYC 3rd Gen"),
        ("genoa", "EPYC 4th Gen"),
        ("turin", "EPYC 5th Gen"),
        ("neoverse-n1", "Neoverse N1"),
        ("neoverse-v1", "Neoverse V1"),
    ];
    let name = name.to_lowercase().replace(' ', "");
    WORDS.into_iter().find(|(word, _)| name.contains(word)).map(|(_, class)| class)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn x86(vendor_id: &str, family: u32, model: u32, model_name: &str) -> String {
        let processor = Processor {
            vendor_id: vendor_id.to_owned(),
            family: Some(family),
            model: Some(model),
            model_name: model_name.to_owned(),
            ..Processor::default()
        };
        let topology = Topology { processors: vec![processor], virtualised: false };
        CpuClass::of(&Host::default().with_procfs("/nonexistent"), &topology).name
    }

    #[test]
    fn every_row_of_the_table_is_whole_and_plausible() {
        assert_eq!(rows().count(), TABLE.lines().count() - 1);
        for (class, _) in rows() {
            assert!(class.idle > Power::ZERO && class.full > class.idle, "{class:?}");
            // No hardware thread of a server draws ten watts: this is what the EPYC 5th Gen outlier nearly does.
            assert!(class.full.watts() < 8.7, "{class:?}");
        }
    }

    #[test]
    fn borrowed_figures_are_those_of_the_generation_named() {
        for line in TABLE.lines().skip(1) {
            let (class, borrowed) = parse_row(line).unwrap();
            if borrowed {
                let lender = CpuClass::named(line.split(',').nth(3).unwrap()).unwrap();
                assert_eq!((class.idle, class.full), (lender.idle, lender.full), "{line}");
                assert!(class.error_ratio > lender.error_ratio);
            }
        }
    }

    #[test]
    fn generations_are_recognised_by_family_and_model() {
        for (vendor, family, model, name, class) in [
            ("AuthenticAMD", 23, 0x01, "AMD EPYC 7551P", "EPYC 1st Gen"),
            ("AuthenticAMD", 23, 0x31, "AMD EPYC 7R32", "EPYC 2nd Gen"),
            ("AuthenticAMD", 25, 0x01, "AMD EPYC", "EPYC 3rd Gen"),
            ("AuthenticAMD", 25, 0x11, "AMD EPYC 9R14", "EPYC 4th Gen"),
            ("AuthenticAMD", 25, 0xa0, "AMD EPYC 9754", "EPYC 4th Gen"),
            ("AuthenticAMD", 26, 0x02, "AMD EPYC 9965", "EPYC 5th Gen"),
            ("HygonGenuine", 24, 0x00, "Hygon C86 7185", "EPYC 1st Gen"),
            ("GenuineIntel", 6, 79, "Intel(R) Xeon(R) CPU E5-2686 v4 @ 2.30GHz", "Broadwell"),
            ("GenuineIntel", 6, 85, "Intel(R) Xeon(R) Platinum 8175M CPU @ 2.50GHz", "Skylake"),
            ("GenuineIntel", 6, 85, "Intel(R) Xeon(R) Platinum 8259CL CPU @ 2.50GHz", "Cascade Lake"),
            ("GenuineIntel", 6, 85, "Intel Xeon Processor (Cascadelake)", "Cascade Lake"),
            ("GenuineIntel", 6, 106, "Intel(R) Xeon(R) Platinum 8375C CPU @ 2.90GHz", "Ice Lake"),
            ("GenuineIntel", 6, 143, "Intel(R) Xeon(R) Platinum 8488C", "Sapphire Rapids"),
            ("GenuineIntel", 6, 9999, "something new", "generic"),
            ("CentaurHauls", 7, 27, "ZHAOXIN", "generic"),
        ] {
            assert_eq!(x86(vendor, family, model, name), class, "{vendor} {family} {model} {name}");
        }
    }

    #[test]
    fn an_imitated_processor_is_recognised_by_its_name() {
        assert_eq!(x86("unknown", 0, 0, "AMD EPYC-Milan Processor"), "EPYC 3rd Gen");
    }

    #[test]
    fn a_desktop_borrows_the_figures_of_servers_with_a_wider_error() {
        let of = |name: &str| {
            let processor = Processor {
                vendor_id: "GenuineIntel".to_owned(),
                family: Some(6),
                model: Some(158),
                model_name: name.to_owned(),
                ..Processor::default()
            };
            CpuClass::of(&Host::default(), &Topology { processors: vec![processor], virtualised: false })
        };
        assert_eq!(of("Intel(R) Core(TM) i7-8700").name, "Coffee Lake");
        assert!(of("Intel(R) Core(TM) i7-8700").error_ratio > of("Intel(R) Xeon(R) E-2278G").error_ratio);
    }

    #[test]
    fn unmeasured_processors_of_a_maker_have_the_wider_error() {
        let class = |vendor_id: &str, model| {
            let vendor_id = vendor_id.to_owned();
            let processor = Processor {
                vendor_id,
                family: Some(if model == 1 { 25 } else { 6 }),
                model: Some(model),
                ..Processor::default()
            };
            CpuClass::of(&Host::default(), &Topology { processors: vec![processor], virtualised: false })
        };
        assert_eq!(class("AuthenticAMD", 1).error_ratio, ERROR_UNKNOWN);
        assert_eq!(class("GenuineIntel", 79).error_ratio, ERROR_KNOWN);
    }

    #[test]
    fn a_nominal_frequency_scales_the_figures_and_nonsense_does_not() {
        assert_eq!(nominal_ghz("Intel(R) Xeon(R) Platinum 8252C CPU @ 3.80GHz"), Some(3.8));
        assert_eq!(nominal_ghz("Intel(R) Xeon(R) Platinum 8488C"), None);
        assert_eq!((nominal_ghz("a @ 0GHz"), nominal_ghz("b @ NaNGHz"), nominal_ghz("@")), (None, None, None));
        let class = CpuClass::named("Cascade Lake").unwrap();
        let full = |ghz| class.clone().at(ghz).full.watts() / class.full.watts();
        assert!((full(3.8) - 2.3104).abs() < 1e-9, "{}", full(3.8));
        assert_eq!((full(1e9), full(1e-9)), (4.0, 0.25));
    }

    #[test]
    fn arm_servers_are_recognised_by_part_number() {
        let procfs = tempfile::tempdir().unwrap();
        let cpuinfo = "processor\t: 0\nBogoMIPS\t: 243.75\nCPU implementer\t: 0x41\nCPU architecture: 8\nCPU variant\t: 0x3\nCPU part\t: 0xd0c\n";
        fs::write(procfs.path().join("cpuinfo"), cpuinfo).unwrap();
        let host = Host::default().with_procfs(procfs.path()).with_sysfs("/nonexistent");
        let class = CpuClass::of(&host, &Topology::read(&host));
        assert_eq!((class.name.as_str(), class.error_ratio), ("Neoverse N1", ERROR_UNKNOWN));
    }

    #[test]
    fn the_generic_class_is_the_mean_and_its_spread_is_in_the_error() {
        let own: Vec<f64> = rows().filter(|(_, borrowed)| !borrowed).map(|(class, _)| class.full.watts()).collect();
        let mean = own.iter().sum::<f64>() / own.len() as f64;
        assert!((CpuClass::generic().full.watts() - mean).abs() < 1e-9);
        let deviation = (own.iter().map(|w| (w - mean).powi(2)).sum::<f64>() / own.len() as f64).sqrt();
        let spread = deviation / mean;
        assert!((spread - 0.49).abs() < 0.02, "spread {spread}");
    }
}
