//! One hwmon sensor: kept-open files, units, and values that are never believed.
//!
//! Units are those of `Documentation/hwmon/sysfs-interface.rst`: `energyN_input` µJ, `powerN_input` and
//! `powerN_average` µW, `inN_input` mV, `currN_input` mA (so that mV · mA is µW).

use crate::meter::sysfs::Attribute;
use crate::meter::{ReadError, ReadFault, Reading};
use crate::units::{Energy, Power};
use std::path::Path;

/// A register of all ones, which is what an absent or sleeping device answers.
const ALL_ONES: u64 = 0xFFFF_FFFF;

/// The ACPI power meter's "unknown": all ones in milliwatts (ACPI 6.5, 10.4.1), in the unit of hwmon.
const ACPI_UNKNOWN: u64 = ALL_ONES * 1000;

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

fn invalid(attribute: &Attribute, what: &'static str) -> ReadError {
    attribute.error(ReadFault::Invalid(what))
}

fn read(attribute: &mut Attribute) -> Result<u64, ReadError> {
    attribute.read().map_err(|fault| attribute.error(fault))
}

/// Microwatts as power, if they can be true.
fn power(attribute: &Attribute, microwatts: u64, max: Power) -> Result<Power, ReadError> {
    let power = Power::from_microwatts(microwatts);
    if matches!(microwatts, ALL_ONES | ACPI_UNKNOWN) {
        Err(invalid(attribute, "the value that stands for unknown"))
    } else if power > max {
        Err(invalid(attribute, "more power than is possible"))
    } else {
        Ok(power)
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
    /// [`std::io::ErrorKind::InvalidData`].
    pub(super) fn read(&mut self, max: Power) -> Result<Reading, ReadError> {
        match self {
            Sensor::Energy(energy) => match read(energy)? {
                ALL_ONES | u64::MAX => Err(invalid(energy, "the value that stands for unknown")),
                microjoules => Ok(Reading::Counter(Energy::from_microjoules(microjoules))),
            },
            Sensor::Power(attribute) => {
                let microwatts = read(attribute)?;
                Ok(Reading::Power(power(attribute, microwatts, max)?))
            }
            Sensor::VoltageCurrent(voltage, current) => {
                let product = read(voltage)?.saturating_mul(read(current)?);
                Ok(Reading::Power(power(voltage, product, max)?))
            }
        }
    }
}
