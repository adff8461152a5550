//! One hwmon sensor: kept-open files, units, and values that are never believed.
//!
//! Units are those of `Documentation/hwmon/sysfs-interface.rst`: `energyN_input` µJ, `powerN_input` and
//! `powerN_average` µW, `inN_input` mV, `currN_input` mA (so that mV · mA is µW).

use crate::host::parse_decimal;
use crate::meter::{ReadError, Reading};
use crate::units::{Energy, Power};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// A register of all ones, which is what an absent or sleeping device answers.
const ALL_ONES: u64 = 0xFFFF_FFFF;

/// The ACPI power meter's "unknown": all ones in milliwatts (ACPI 6.5, 10.4.1), in the unit of hwmon.
const ACPI_UNKNOWN: u64 = ALL_ONES * 1000;

/// One attribute file of a sensor, kept open: reading is one `pread(2)`.
#[derive(Debug)]
pub(super) struct Attribute {
    path: PathBuf,
    file: File,
}

/// How one sensor tells power or energy.
#[derive(Debug)]
pub(super) enum Sensor {
    /// A cumulative counter.
    Energy(Attribute),
    /// Power at this moment.
    Power(Attribute),
    /// Power as the product of two channels.
    VoltageCurrent(Attribute, Attribute),
}

impl Attribute {
    pub(super) fn open(path: PathBuf) -> Result<Self, ReadError> {
        match File::open(&path) {
            Ok(file) => Ok(Attribute { path, file }),
            Err(source) => Err(ReadError { path: path.display().to_string(), source }),
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    fn read(&self) -> Result<u64, ReadError> {
        // The longest number of 64 bits has 20 digits.
        let mut buffer = [0; 32];
        let length = self.file.read_at(&mut buffer, 0).map_err(|source| self.error(source))?;
        let text = buffer.get(..length).unwrap_or_default().trim_ascii();
        parse_decimal(text).ok_or_else(|| self.invalid("not a positive number"))
    }

    fn error(&self, source: io::Error) -> ReadError {
        ReadError { path: self.path.display().to_string(), source }
    }

    fn invalid(&self, what: &'static str) -> ReadError {
        self.error(io::Error::new(io::ErrorKind::InvalidData, what))
    }

    /// Microwatts as power, if they can be true.
    fn power(&self, microwatts: u64, max: Power) -> Result<Power, ReadError> {
        let power = Power::from_microwatts(microwatts);
        if matches!(microwatts, ALL_ONES | ACPI_UNKNOWN) {
            Err(self.invalid("the value that stands for unknown"))
        } else if power > max {
            Err(self.invalid("more power than is possible"))
        } else {
            Ok(power)
        }
    }
}

impl Sensor {
    /// The attribute that names the sensor.
    pub(super) fn path(&self) -> &Path {
        match self {
            Sensor::Energy(attribute) | Sensor::Power(attribute) | Sensor::VoltageCurrent(attribute, _) => {
                attribute.path()
            }
        }
    }

    /// Reads the sensor. What says "unknown", is negative, or exceeds `max` is an error of the kind
    /// [`io::ErrorKind::InvalidData`].
    pub(super) fn read(&self, max: Power) -> Result<Reading, ReadError> {
        match self {
            Sensor::Energy(energy) => match energy.read()? {
                ALL_ONES | u64::MAX => Err(energy.invalid("the value that stands for unknown")),
                microjoules => Ok(Reading::Counter(Energy::from_microjoules(microjoules))),
            },
            Sensor::Power(power) => Ok(Reading::Power(power.power(power.read()?, max)?)),
            Sensor::VoltageCurrent(voltage, current) => {
                let product = voltage.read()?.saturating_mul(current.read()?);
                Ok(Reading::Power(voltage.power(product, max)?))
            }
        }
    }
}
