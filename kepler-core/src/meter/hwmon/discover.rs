//! What a chip offers: its channels, their names, and which attribute files to read.

use super::chip;
use super::rules::ChipRule;
use super::sensor::Sensor;
use crate::meter::ReadError;
use crate::meter::sysfs::{self, Attribute};
use crate::meter::watchdog;
use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// One directory of `class/hwmon`.
#[derive(Clone, Debug)]
pub(super) struct Chip {
    pub(super) directory: PathBuf,
    /// The driver's name for the chip.
    pub(super) name: String,
    /// The same chip by bus and device (`platform_power_meter_0`), as Kepler names channels without a label.
    device_name: Option<String>,
    files: BTreeSet<String>,
}

/// A sensor that could be used, not opened yet.
#[derive(Clone, Debug)]
pub(super) struct Candidate {
    /// What it may be called in a configuration; the first is what it is called here.
    pub(super) names: Vec<String>,
    pub(super) enabled: bool,
    source: Source,
}

#[derive(Clone, Debug)]
enum Source {
    Energy(PathBuf),
    Power(PathBuf),
    VoltageCurrent(PathBuf, PathBuf),
}

impl Candidate {
    /// Opens its files. A sensor may be part of two zones, so a candidate may be opened twice.
    pub(super) fn open(&self) -> Result<Sensor, ReadError> {
        let open = |path: &PathBuf| {
            Attribute::open(path.clone()).map_err(|error| ReadError::new(path.to_string_lossy(), error))
        };
        Ok(match &self.source {
            Source::Energy(path) => Sensor::Energy(open(path)?),
            Source::Power(path) => Sensor::Power(open(path)?),
            Source::VoltageCurrent(voltage, current) => Sensor::VoltageCurrent(open(voltage)?, open(current)?),
        })
    }

    /// The attribute that names it.
    pub(super) fn path(&self) -> &Path {
        match &self.source {
            Source::Energy(path) | Source::Power(path) | Source::VoltageCurrent(path, _) => path,
        }
    }
}

/// All chips of the host, by number, and the directories of those that do not answer.
pub(super) fn chips(class: &Path) -> (Vec<Chip>, Vec<(PathBuf, io::Error)>) {
    let numbered = |entry: fs::DirEntry| -> Option<(u32, PathBuf)> {
        Some((entry.file_name().to_str()?.strip_prefix("hwmon")?.parse().ok()?, entry.path()))
    };
    let mut directories: Vec<(u32, PathBuf)> =
        fs::read_dir(class).into_iter().flatten().flatten().filter_map(numbered).collect();
    directories.sort_unstable_by_key(|(number, _)| *number);
    let (mut chips, mut silent) = (Vec::new(), Vec::new());
    for (_, directory) in directories {
        let path = directory.clone();
        match watchdog::in_time(&directory.join("name"), move || Chip::read(path)) {
            Ok(chip) => chips.extend(chip),
            Err(error) => silent.push((directory, error)),
        }
    }
    (chips, silent)
}

impl Chip {
    /// The chip of a class directory. Its attributes stand there or, for drivers that register by the kernel's older
    /// interface (the ACPI power meter), in the directory of its `device`.
    fn read(class_directory: PathBuf) -> Option<Self> {
        let device = class_directory.join("device");
        let device_name = fs::canonicalize(&device).ok().and_then(|device| {
            let (bus, device) = (device.parent()?.file_name()?.to_str()?, device.file_name()?.to_str()?);
            Some(format!("{}_{}", clean(bus), clean(device)))
        });
        let read = |directory: &Path| {
            let name = sysfs::read_text(&directory.join("name")).ok()?.trim().to_owned();
            let files = sysfs::names(directory).collect();
            Some(Chip { directory: directory.to_owned(), name, device_name: device_name.clone(), files })
        };
        let has_channels = |chip: &Chip| ["energy", "power", "in"].iter().any(|kind| !chip.channels(kind).is_empty());
        match (read(&class_directory), read(&device)) {
            (Some(chip), Some(device)) if !has_channels(&chip) && has_channels(&device) => Some(device),
            (chip, device) => chip.or(device),
        }
    }

    /// The sensors of this chip from the best kind to the worst: counters, then power, then products.
    ///
    /// # Errors
    /// When one of the files that name them does not answer.
    pub(super) fn tiers_in_time(&self, rule: Option<&ChipRule>) -> io::Result<[Vec<Candidate>; 3]> {
        let (chip, rule) = (self.clone(), rule.cloned());
        watchdog::in_time(&self.directory.join("label"), move || chip.tiers(rule.as_ref()))
    }

    fn tiers(&self, rule: Option<&ChipRule>) -> [Vec<Candidate>; 3] {
        let energy = self.channels("energy").into_iter().filter_map(|n| self.single("energy", n, Source::Energy));
        let power = self.channels("power").into_iter().filter_map(|n| self.single("power", n, Source::Power));
        let product = self.channels("in").into_iter().filter_map(|n| self.product(n, rule));
        [energy.collect(), power.collect(), product.collect()]
    }

    fn single(&self, kind: &str, channel: u32, source: fn(PathBuf) -> Source) -> Option<Candidate> {
        let path = self.value(kind, channel)?;
        let names = self.names(self.label(kind, channel), kind, channel);
        Some(Candidate { names, enabled: self.enabled(kind, channel), source: source(path) })
    }

    /// The power of a voltage channel with its current: by equal labels, else by the operator's rule,
    /// else as the chip's driver numbers them.
    fn product(&self, channel: u32, rule: Option<&ChipRule>) -> Option<Candidate> {
        let voltage = self.value("in", channel)?;
        let label = self.label("in", channel);
        let same_label = || {
            let label = label.as_ref()?;
            self.channels("curr").into_iter().find(|n| self.label("curr", *n).as_ref() == Some(label))
        };
        let number = same_label().or_else(|| match rule {
            Some(rule) => rule.current_of(channel),
            None => chip::current_of(&self.name, channel),
        })?;
        let current = self.value("curr", number)?;
        let enabled = self.enabled("in", channel) && self.enabled("curr", number);
        let names = self.names(label.or_else(|| self.label("curr", number)), "power", channel);
        Some(Candidate { names, enabled, source: Source::VoltageCurrent(voltage, current) })
    }

    /// The numbers of the channels of a kind that have a value.
    fn channels(&self, kind: &str) -> BTreeSet<u32> {
        let number = |file: &String| {
            let (channel, attribute) = file.strip_prefix(kind)?.split_once('_')?;
            matches!(attribute, "input" | "average").then(|| channel.parse().ok())?
        };
        self.files.iter().filter_map(number).collect()
    }

    /// The file of a channel's value: `_input` where there is one, for some drivers sleep through the whole
    /// averaging interval when `_average` is read (fam15h_power: up to a second).
    fn value(&self, kind: &str, channel: u32) -> Option<PathBuf> {
        ["input", "average"]
            .into_iter()
            .map(|attribute| format!("{kind}{channel}_{attribute}"))
            .find(|file| self.files.contains(file))
            .map(|file| self.directory.join(file))
    }

    /// What a channel is called: by its label, or by what the firmware says of an ACPI power meter.
    fn label(&self, kind: &str, channel: u32) -> Option<String> {
        ["label", "oem_info"].iter().find_map(|attribute| {
            let text = sysfs::read_text(&self.directory.join(format!("{kind}{channel}_{attribute}"))).ok()?;
            Some(clean(&text)).filter(|label| !label.is_empty())
        })
    }

    fn names(&self, label: Option<String>, kind: &str, channel: u32) -> Vec<String> {
        match label {
            Some(label) => vec![label],
            None => [Some(clean(&self.name)), self.device_name.clone()]
                .into_iter()
                .flatten()
                .map(|chip| format!("{chip}_{kind}{channel}"))
                .collect(),
        }
    }

    /// Whether a channel is switched on: it is, unless its `_enable` says 0. A meter of a battery shows what flows into it.
    fn enabled(&self, kind: &str, channel: u32) -> bool {
        let says = |attribute: &str, text: &str| {
            let path = self.directory.join(format!("{kind}{channel}_{attribute}"));
            sysfs::read_text(&path).is_ok_and(|found| found.trim() == text)
        };
        !says("enable", "0") && !says("is_battery", "1")
    }
}

/// A name as it can stand in a configuration: lower case, `_` for everything but letters, digits and `:`.
fn clean(name: &str) -> String {
    let kept = |c: char| if c.is_ascii_alphanumeric() || c == ':' { c.to_ascii_lowercase() } else { '_' };
    name.trim().chars().map(kept).collect::<String>().trim_matches('_').to_owned()
}
