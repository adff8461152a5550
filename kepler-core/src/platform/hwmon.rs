//! What the firmware and the power supplies say to the kernel: the ACPI power meter, and supplies on a bus of the machine.
//!
//! | requires | the module `acpi_power_meter`, or a driver of the supplies (`pmbus` and others); the files are readable by all |
//! |---|---|
//! | units | microwatts; joules by the moment of each reading |
//! | limits | 32 power supplies; a sum of supplies is shown only if all of them were read |
//! | cost | one to a few files a round, a round every 5 s, on a thread of its own: some firmware takes long |
//!
//! Where there is an ACPI power meter, that is used: it is the whole platform, as the firmware defines it (ACPI 6.5, 10.4). Else
//! the supplies' input power is summed. Output power is not the machine's: it lacks the losses. Voltage regulators speak
//! PMBus as well and have sensors of the same names, so a supply is known by its driver.

use super::{PlatformError, PlatformMeter, PlatformReading, PlatformScope, PlatformSource};
use crate::availability::Remedy;
use crate::host::{Host, Timestamp};
use crate::meter::sysfs::read_text;
use crate::units::Power;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Power supplies at most.
const MOST: usize = 32;
/// Channels of a chip that are looked at.
const CHANNELS: u32 = 8;

/// Drivers of power supplies, by the name of their chips (`drivers/hwmon/pmbus`, Linux 6.12). What else speaks PMBus are voltage
/// regulators and converters on the board.
const SUPPLIES: [&str; 17] = [
    "acbel_fsg032",
    "cffps",
    "cffps1",
    "cffps2",
    "crps",
    "crps185",
    "dps1900",
    "dps460",
    "dps650ab",
    "dps800",
    "dps920ab",
    "ibm-cffps",
    "ipsps1",
    "pfe1100",
    "pfe3000",
    "yh5151e",
    "ym2151e",
];

/// Reads the ACPI power meter, or the power supplies.
#[derive(Debug)]
pub struct PlatformHwmon {
    class: PathBuf,
    contains_gpus: bool,
}

/// A power sensor of a chip.
struct Sensor {
    chip: String,
    value: PathBuf,
    /// Half the time that it is the mean of.
    age: Duration,
}

impl PlatformHwmon {
    /// Reads this host's. `contains_gpus` says whether its figures contain what accelerators draw.
    #[must_use]
    pub fn new(host: &Host, contains_gpus: bool) -> Self {
        PlatformHwmon { class: host.sysfs().join("class/hwmon"), contains_gpus }
    }

    /// The directories of chips, in the order of their numbers, with their names.
    fn chips(&self) -> Vec<(PathBuf, String)> {
        let numbered = |entry: fs::DirEntry| -> Option<(u32, PathBuf)> {
            Some((entry.file_name().to_str()?.strip_prefix("hwmon")?.parse().ok()?, entry.path()))
        };
        let mut all: Vec<_> = fs::read_dir(&self.class).into_iter().flatten().flatten().filter_map(numbered).collect();
        all.sort_unstable();
        let named = |(_, directory): (u32, PathBuf)| {
            // Drivers that register by the kernel's older interface keep their files at the device.
            let places = [directory.clone(), directory.join("device")];
            let with_name =
                |place: &PathBuf| Some((place.clone(), read_text(&place.join("name")).ok()?.trim().to_owned()));
            let mut found = places.iter().filter_map(with_name).collect::<Vec<_>>();
            let has_power = |place: &Path| power_files(place, 1).is_some();
            let best = found.iter().position(|(place, _)| has_power(place)).unwrap_or(0);
            (best < found.len()).then(|| found.swap_remove(best))
        };
        all.into_iter().filter_map(named).collect()
    }

    fn acpi(&self, chips: &[(PathBuf, String)]) -> Result<Vec<(PlatformMeter, PlatformReading)>, PlatformError> {
        let sensors: Vec<Sensor> = chips
            .iter()
            .filter(|(_, name)| name == "power_meter")
            .filter_map(|(place, _)| acpi_sensor(place))
            .collect();
        let is_one = sensors.len() == 1;
        let read = |sensor: &Sensor| {
            let meter = PlatformMeter::new("acpi", "", "").with(|meter| {
                meter.source_type = "PowerMeter".into();
                meter.source_id = sensor.chip.as_str().into();
                meter.source_name = "ACPI power meter".into();
                meter.path = sensor.value.to_string_lossy().into();
                meter.contains_gpus = self.contains_gpus;
                // Of several it is not known whether one is all of the machine.
                meter.scope = if is_one { PlatformScope::Node } else { PlatformScope::Part };
            });
            Ok((meter, sensor.read("acpi")?))
        };
        sensors.iter().map(read).collect()
    }

    fn supplies(&self, chips: &[(PathBuf, String)]) -> Result<Vec<(PlatformMeter, PlatformReading)>, PlatformError> {
        let supplies: Vec<_> = chips.iter().filter(|(_, name)| SUPPLIES.contains(&name.as_str())).take(MOST).collect();
        let partial = |what: String| Err(PlatformError::new("hwmon", "partial", what, Remedy::None));
        let (mut names, mut sum, mut age) = (Vec::new(), Power::ZERO, Duration::ZERO);
        for (place, name) in &supplies {
            let shown = place.display();
            let Some(sensor) = input_sensor(place, name) else {
                return partial(format!("the power supply {name} ({shown}) does not show its input power"));
            };
            match sensor.read("hwmon") {
                Ok(reading) => {
                    sum += reading.power;
                    age = age.max(reading.age);
                }
                Err(error) if supplies.len() > 1 => {
                    return partial(format!("one of {} power supplies is not read: {error}", supplies.len()));
                }
                Err(error) => return Err(error),
            }
            names.push(sensor.chip);
        }
        let Some((first, _)) = supplies.first() else { return Ok(Vec::new()) };
        let meter = PlatformMeter::new("hwmon", "", "").with(|meter| {
            meter.source_type = "PowerSupply".into();
            meter.source_id = names.join("+").into();
            meter.source_name = match names.len() {
                1 => "Input power of the power supply".into(),
                _ => "Input power of all power supplies".into(),
            };
            meter.path = first.parent().unwrap_or(first).to_string_lossy().into();
            meter.contains_gpus = self.contains_gpus;
        });
        Ok(vec![(meter, PlatformReading::new(sum, Timestamp::now()).aged(age))])
    }
}

impl PlatformSource for PlatformHwmon {
    fn source(&self) -> &'static str {
        "hwmon"
    }

    fn read(&mut self) -> Result<Vec<(PlatformMeter, PlatformReading)>, PlatformError> {
        let chips = self.chips();
        let acpi = self.acpi(&chips)?;
        if !acpi.is_empty() {
            return Ok(acpi);
        }
        let supplies = self.supplies(&chips)?;
        if !supplies.is_empty() {
            return Ok(supplies);
        }
        let what = format!("there is neither an ACPI power meter nor a power supply in {}", self.class.display());
        Err(PlatformError::new("hwmon", "not_found", what, Remedy::load(["acpi_power_meter"])))
    }
}

/// The file of a channel's value, the driver's own average first: that is what the ACPI power meter has.
fn power_files(place: &Path, channel: u32) -> Option<PathBuf> {
    let names = [format!("power{channel}_average"), format!("power{channel}_input")];
    names.into_iter().map(|name| place.join(name)).find(|path| path.exists())
}

/// The power of an ACPI meter that measures the machine: no battery's, and none of a module or socket (NVIDIA Grace).
fn acpi_sensor(place: &Path) -> Option<Sensor> {
    let text =
        |name: &str| read_text(&place.join(name)).map(|text| text.trim().to_ascii_lowercase()).unwrap_or_default();
    let info = text("power1_oem_info");
    let is_part = ["module", "grace", "cpu", "sysio", "socket"].iter().any(|part| info.contains(part));
    if text("power1_is_battery") == "1" || is_part {
        return None;
    }
    let interval = text("power1_average_interval").parse().unwrap_or(0_u64);
    let device = fs::canonicalize(place.join("device")).or_else(|_| fs::canonicalize(place)).ok();
    let chip = device.as_deref().and_then(Path::file_name).and_then(|name| name.to_str()).unwrap_or("power_meter");
    Some(Sensor {
        chip: chip.to_owned(),
        value: power_files(place, 1)?,
        age: Duration::from_millis(interval.min(600_000)) / 2,
    })
}

/// The input power of a supply: the sensor with the label `pin`.
fn input_sensor(place: &Path, name: &str) -> Option<Sensor> {
    let is_input = |channel: &u32| {
        let label = read_text(&place.join(format!("power{channel}_label")));
        label.is_ok_and(|label| matches!(label.trim(), "pin" | "pin1"))
    };
    let channel = (1..=CHANNELS).find(is_input)?;
    let device = fs::canonicalize(place.join("device")).ok();
    let device = device.as_deref().and_then(Path::file_name).and_then(|name| name.to_str()).unwrap_or("");
    let chip = if device.is_empty() { name.to_owned() } else { format!("{name}@{device}") };
    Some(Sensor { chip, value: place.join(format!("power{channel}_input")), age: Duration::ZERO })
}

impl Sensor {
    fn read(&self, source: &'static str) -> Result<PlatformReading, PlatformError> {
        let shown = self.value.display();
        let text = read_text(&self.value).map_err(|error| {
            let (fault, remedy) = match error.kind() {
                std::io::ErrorKind::PermissionDenied => {
                    ("permission_denied", Remedy::MakeReadable { path: self.value.clone() })
                }
                std::io::ErrorKind::TimedOut => ("timeout", Remedy::CheckKernelLog),
                _ => ("io", Remedy::CheckKernelLog),
            };
            PlatformError::new(source, fault, format!("{shown} cannot be read: {error}"), remedy)
        })?;
        let microwatts: f64 = text.trim().parse::<i64>().map(|value| value as f64).map_err(|_| {
            PlatformError::new(source, "invalid_data", format!("{shown} holds no number"), Remedy::CheckKernelLog)
        })?;
        Ok(PlatformReading::new(Power::from_watts(microwatts / 1e6), Timestamp::now()).aged(self.age))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::PlatformBoard;

    struct Tree(tempfile::TempDir);

    impl Tree {
        fn new() -> Self {
            Tree(tempfile::tempdir().unwrap())
        }

        fn chip(&self, number: u32, files: &[(&str, &str)]) -> PathBuf {
            let place = self.0.path().join(format!("class/hwmon/hwmon{number}"));
            for (name, text) in files {
                let path = place.join(name);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, format!("{text}\n")).unwrap();
            }
            place
        }

        fn read(&self) -> Result<Vec<(PlatformMeter, PlatformReading)>, PlatformError> {
            let host = Host::default().with_sysfs(self.0.path());
            PlatformHwmon::new(&host, true).read()
        }
    }

    #[test]
    fn an_acpi_power_meter_is_the_machine_with_the_age_of_its_mean() {
        let tree = Tree::new();
        tree.chip(0, &[("name", "coretemp"), ("temp1_input", "40000")]);
        let files = [
            ("device/name", "power_meter"),
            ("device/power1_average", "283000000"),
            ("device/power1_average_interval", "4000"),
            ("device/power1_is_battery", "0"),
            ("device/power1_oem_info", ""),
        ];
        tree.chip(1, &files);
        let readings = tree.read().unwrap();
        let (meter, reading) = &readings[0];
        assert_eq!((meter.source, &*meter.source_type, meter.scope), ("acpi", "PowerMeter", PlatformScope::Node));
        assert!((reading.power.watts() - 283.0).abs() < 1e-6);
        assert_eq!((reading.age, readings.len()), (Duration::from_secs(2), 1));
    }

    #[test]
    fn meters_of_batteries_and_modules_are_not_the_machine_and_of_several_each_is_a_part() {
        let tree = Tree::new();
        tree.chip(0, &[("name", "power_meter"), ("power1_average", "5000000"), ("power1_is_battery", "1")]);
        let grace =
            [("name", "power_meter"), ("power1_average", "90000000"), ("power1_oem_info", "Grace Power Socket 0")];
        tree.chip(1, &grace);
        assert_eq!(tree.read().unwrap_err().fault, "not_found");
        for number in [2, 3] {
            tree.chip(number, &[("name", "power_meter"), ("power1_average", "90000000")]);
        }
        let scopes: Vec<_> = tree.read().unwrap().iter().map(|(meter, _)| meter.scope).collect();
        assert_eq!(scopes, [PlatformScope::Part; 2]);
    }

    const SUPPLY: [(&str, &str); 5] = [
        ("name", "dps920ab"),
        ("power1_label", "pin"),
        ("power1_input", "121500000"),
        ("power2_label", "pout1"),
        ("power2_input", "112000000"),
    ];

    #[test]
    fn the_input_power_of_all_supplies_is_summed_and_regulators_are_none() {
        let tree = Tree::new();
        tree.chip(0, &SUPPLY);
        tree.chip(1, &SUPPLY);
        tree.chip(2, &[("name", "xdpe12284"), ("power1_label", "pin1"), ("power1_input", "60000000")]);
        let readings = tree.read().unwrap();
        let (meter, reading) = &readings[0];
        assert_eq!((meter.source, &*meter.source_id), ("hwmon", "dps920ab+dps920ab"));
        assert!((reading.power.watts() - 243.0).abs() < 1e-6, "{reading:?}");
    }

    #[test]
    fn a_supply_that_is_not_read_makes_the_sum_partial_and_one_on_standby_does_not() {
        let tree = Tree::new();
        tree.chip(0, &SUPPLY);
        let second = tree.chip(1, &SUPPLY);
        fs::write(second.join("power1_input"), "0\n").unwrap();
        assert!((tree.read().unwrap()[0].1.power.watts() - 121.5).abs() < 1e-6);
        fs::write(second.join("power1_input"), "\n").unwrap();
        let error = tree.read().unwrap_err();
        assert!(error.fault == "partial" && error.to_string().contains("one of 2 power supplies"), "{error}");
        fs::write(second.join("power1_label"), "pout1\n").unwrap();
        assert!(tree.read().unwrap_err().to_string().contains("does not show its input power"));
    }

    #[test]
    fn what_is_absurd_is_refused_by_the_board_as_of_any_meter() {
        let tree = Tree::new();
        tree.chip(0, &[("name", "power_meter"), ("power1_average", "4294967295000000")]);
        let readings = tree.read().unwrap();
        let board = PlatformBoard::default();
        board.report(&readings[0].0, readings[0].1);
        assert_eq!(board.fault(&readings[0].0), Some("implausible"));
    }
}
