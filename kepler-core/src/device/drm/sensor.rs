//! The hwmon sensors of a card: Intel's energy counters, and what other drivers show.
//!
//! `i915` and `xe` show the energy of the whole card as `energy1_input` and that of its package, which is a part of the card, as
//! `energy2_input`; `i915` also has a chip for each tile. They are never added up: the card counts, else the package. The register below
//! has 32 bits; the driver extends it to 64 as long as it is read every four minutes.

use crate::device::integral::PowerIntegral;
use crate::host::{Timestamp, parse_decimal};
use crate::meter::{ReadError, ReadFault};
use crate::units::{Energy, Power};
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

/// More is no power of a card: a register of which all bits are set, in mW or W.
const MOST_WATTS: f64 = 5000.0;

/// Where a card's energy is read.
#[derive(Debug)]
pub(super) enum Sensor {
    /// A counter, in µJ.
    Energy(PathBuf),
    /// Power, in µW.
    Power(PathBuf, PowerIntegral),
}

impl Sensor {
    /// The best sensor of a device, whose chip is called as its driver.
    pub(super) fn find(device: &Path, driver: &str) -> Option<Self> {
        let chips = chips(device, driver);
        let energy = |chip: &PathBuf, label: Option<&str>| {
            let labelled = (1..=4).find(|number| text(&chip.join(format!("energy{number}_label"))).as_deref() == label);
            labelled.map(|number| chip.join(format!("energy{number}_input"))).filter(|path| path.exists())
        };
        let counter = |label| chips.iter().find_map(|chip| energy(chip, label));
        if let Some(path) = counter(Some("card")).or_else(|| counter(None)).or_else(|| counter(Some("pkg"))) {
            return Some(Sensor::Energy(path));
        }
        power(&chips).map(|path| Sensor::Power(path, PowerIntegral::default()))
    }

    pub(super) fn path(&self) -> &Path {
        match self {
            Sensor::Energy(path) | Sensor::Power(path, _) => path,
        }
    }

    pub(super) fn read(&mut self, at: Timestamp) -> Result<Energy, ReadFault> {
        match self {
            Sensor::Energy(path) => Ok(Energy::from_microjoules(number(path)?)),
            Sensor::Power(path, integral) => {
                let power = watts(path)?;
                integral.add(power, at);
                Ok(integral.total())
            }
        }
    }
}

/// The chips of a device that are called as its driver: not those of its tiles, nor of its network ports.
pub(super) fn chips(device: &Path, driver: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(device.join("hwmon")).into_iter().flatten().flatten();
    let mut chips: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    chips.retain(|chip| text(&chip.join("name")).is_some_and(|name| name == driver));
    chips.sort_unstable();
    chips
}

/// The power sensor of some chips: an average where there is one.
pub(super) fn power(chips: &[PathBuf]) -> Option<PathBuf> {
    let names = ["power1_average", "power1_input"];
    names.iter().find_map(|name| chips.iter().map(|chip| chip.join(name)).find(|path| number(path).is_ok()))
}

/// Power, from a file in µW.
pub(super) fn watts(path: &Path) -> Result<Power, ReadFault> {
    let power = Power::from_microwatts(number(path)?);
    if power.watts() > MOST_WATTS { Err(ReadFault::Invalid("more power than a card can draw")) } else { Ok(power) }
}

/// A small file of an attribute, without its line's end.
pub(super) fn text(path: &Path) -> Option<String> {
    let mut text = String::new();
    File::open(path).ok()?.take(4096).read_to_string(&mut text).ok()?;
    Some(text.trim_end().to_owned())
}

pub(super) fn number(path: &Path) -> Result<u64, ReadFault> {
    let mut bytes = Vec::new();
    File::open(path).and_then(|file| file.take(64).read_to_end(&mut bytes))?;
    parse_decimal(bytes.trim_ascii()).ok_or(ReadFault::Invalid("not an unsigned number of 64 bits"))
}

/// The error of a file, by its path.
pub(super) fn error(path: &Path, fault: ReadFault) -> ReadError {
    ReadError::new(path.to_string_lossy(), fault)
}

/// The bytes of a binary attribute.
pub(super) fn bytes(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(64 << 10).read_to_end(&mut bytes)?;
    Ok(bytes)
}
