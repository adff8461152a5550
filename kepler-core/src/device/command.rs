//! Accelerators that only their vendor's tool knows: a command whose JSON output names them and their power.
//!
//! It is off unless asked for, since it runs a program. The tool is run every five seconds, with a deadline; power is integrated in between.
//! Which processes used the devices is not known, so their energy stays unattributed.
//!
//! ```
//! use kepler_core::device::command::CommandOptions;
//!
//! // Any tool: where its answer has the list of devices, and in each of them the identifier and the power.
//! let options = CommandOptions::new("/opt/npu/bin/npu-tool", ["status", "--json"], "other", "/devices", "/uuid", "/power/now");
//! // Those of Rebellions and Furiosa are known.
//! assert_eq!(CommandOptions::rebellions().arguments, ["--json"]);
//! # let _ = options;
//! ```
//!
//! Places are JSON pointers (RFC 6901). A power may be a number, or a text with its unit: `53.00 W`, `47120 mW`.

mod run;

use super::background::{Background, Pace, SlowMeter};
use super::integral::PowerIntegral;
use super::{Device, DeviceReading};
use crate::availability::{Remedy, Unavailable};
use crate::host::Timestamp;
use crate::meter::{ReadError, ReadFault, Reading};
use crate::units::Power;
use serde_json::Value;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// The `source` label of this meter.
const SOURCE: &str = "command";

/// A tool, and where its answer says what.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CommandOptions {
    /// The program; one without a slash is looked for in `PATH`.
    pub program: PathBuf,
    /// Its arguments, as they are: no shell reads them.
    pub arguments: Vec<String>,
    /// `rebellions`, `furiosa`, …
    pub vendor: &'static str,
    /// Where the list of devices is. Empty for the answer itself.
    pub devices: String,
    /// In a device: what identifies it.
    pub uuid: String,
    /// In a device: its power.
    pub power: String,
    /// The unit of a power that names none.
    pub unit: PowerUnit,
    /// In a device: the product's name.
    pub name: Option<String>,
    /// In a device: its PCI address.
    pub pci_address: Option<String>,
    /// In a device: the percentage of time in which it was busy.
    pub utilisation: Option<String>,
    /// In a device: what names the card that it is a part of, where the power is that of the card. A card counts once.
    pub card: Option<String>,
    /// How often the tool is run.
    pub period: Duration,
    /// How long it may take.
    pub timeout: Duration,
}

/// A unit of power.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "tools print nothing else")]
pub enum PowerUnit {
    /// W.
    #[default]
    Watts,
    /// mW.
    Milliwatts,
    /// µW.
    Microwatts,
}

impl CommandOptions {
    /// A tool, and the places of what is needed.
    #[must_use]
    pub fn new<Argument: Into<String>>(
        program: impl Into<PathBuf>,
        arguments: impl IntoIterator<Item = Argument>,
        vendor: &'static str,
        devices: &str,
        uuid: &str,
        power: &str,
    ) -> Self {
        CommandOptions {
            program: program.into(),
            arguments: arguments.into_iter().map(Into::into).collect(),
            vendor,
            devices: devices.to_owned(),
            uuid: uuid.to_owned(),
            power: power.to_owned(),
            unit: PowerUnit::Watts,
            name: None,
            pci_address: None,
            utilisation: None,
            card: None,
            period: Duration::from_secs(5),
            timeout: Duration::from_secs(5),
        }
    }

    /// `rbln-stat --json` of Rebellions. Several devices may be dies of one card, whose power each of them shows.
    #[must_use]
    pub fn rebellions() -> Self {
        let options = CommandOptions::new("rbln-stat", ["--json"], "rebellions", "/devices", "/uuid", "/card_power");
        options.with(|options| {
            options.name = Some("/name".to_owned());
            options.pci_address = Some("/pci/bus_id".to_owned());
            options.utilisation = Some("/util".to_owned());
            options.card = Some("/sid".to_owned());
        })
    }

    /// `furiosa-smi info --format json` of Furiosa.
    #[must_use]
    pub fn furiosa() -> Self {
        let arguments = ["info", "--format", "json"];
        CommandOptions::new("furiosa-smi", arguments, "furiosa", "", "/device_uuid", "/power").with(|options| {
            options.name = Some("/arch".to_owned());
            options.pci_address = Some("/pci_bdf".to_owned());
        })
    }

    /// These options with a change.
    #[must_use]
    pub fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }
}

/// Opens the meter of a tool, on a thread of its own.
///
/// # Errors
/// The tool cannot be run, does not end in time, or its answer has no device.
pub fn open(options: &CommandOptions) -> Result<Background, Unavailable> {
    let options = options.clone();
    let pace = Pace::default().with(|pace| {
        pace.period = options.period;
        // The tool has its own deadline. What is longer than that is a tool that cannot be ended.
        pace.patience = options.timeout + Duration::from_secs(2);
    });
    Background::start(SOURCE, pace, move || Meter::open(&options))
}

struct Meter {
    options: CommandOptions,
    path: Arc<str>,
    devices: Vec<Device>,
    /// In the order of `devices`.
    integrals: Vec<PowerIntegral>,
    /// What the tool said last, in the same order; or why nothing.
    found: Result<Vec<Found>, &'static str>,
}

/// What a tool says of a device.
#[derive(Clone, Debug, PartialEq)]
struct Found {
    uuid: String,
    name: Option<String>,
    pci_address: Option<String>,
    power: Option<Power>,
    utilisation: Option<f64>,
}

impl Meter {
    fn open(options: &CommandOptions) -> Result<Self, Unavailable> {
        let path: Arc<str> = options.program.to_string_lossy().into();
        let refused = |reason: &str, remedy| Unavailable::new(SOURCE, format!("{path}: {reason}"), remedy);
        let found = look(options).map_err(|reason| refused(reason, Remedy::None))?;
        if found.is_empty() {
            return Err(refused("it names no device", Remedy::None));
        }
        let mut meter = Meter {
            options: options.clone(),
            path: Arc::clone(&path),
            devices: Vec::new(),
            integrals: Vec::new(),
            found: Ok(Vec::new()),
        };
        meter.take(found);
        Ok(meter)
    }

    /// Takes what the tool said. Whether the devices have changed.
    fn take(&mut self, found: Vec<Found>) -> bool {
        let is_same = found.iter().map(|found| &*found.uuid).eq(self.devices.iter().map(|device| &*device.uuid));
        if !is_same {
            let before: Vec<(Device, PowerIntegral)> = self.devices.drain(..).zip(self.integrals.drain(..)).collect();
            for (index, found) in found.iter().enumerate() {
                let same = before.iter().find(|(device, _)| *device.uuid == *found.uuid);
                self.integrals.push(same.map(|(_, integral)| integral.clone()).unwrap_or_default());
                let name = found.name.clone().unwrap_or_else(|| self.options.vendor.to_owned());
                self.devices.push(Device::new(found.uuid.clone(), self.options.vendor, name).with(|device| {
                    device.index = index as u32;
                    device.pci_address = found.pci_address.as_deref().map(Arc::from);
                    device.path = format!("{} ({}), integrated", self.path, found.uuid).into();
                }));
            }
        }
        self.found = Ok(found);
        !is_same
    }
}

impl SlowMeter for Meter {
    fn devices(&self) -> &[Device] {
        &self.devices
    }

    fn begin(&mut self, _at: Timestamp) -> bool {
        match look(&self.options) {
            Ok(found) => self.take(found),
            Err(reason) => {
                self.found = Err(reason);
                false
            }
        }
    }

    fn read(&mut self, index: usize, at: Timestamp) -> Result<DeviceReading, ReadError> {
        let error = |reason| ReadError::new(Arc::clone(&self.path), ReadFault::Invalid(reason));
        let found = match &self.found {
            Ok(found) => found.get(index).ok_or_else(|| error("it does not name the device"))?,
            Err(reason) => return Err(error(reason)),
        };
        let power = found.power.ok_or_else(|| error("the device's power is no number with a unit of power"))?;
        let integral = self.integrals.get_mut(index).ok_or_else(|| error("it does not name the device"))?;
        integral.add(power, at);
        let reading = DeviceReading::new(at, Reading::Counter(integral.total()));
        Ok(reading.with_utilisation(found.utilisation))
    }
}

/// Runs the tool and finds the devices in its answer.
fn look(options: &CommandOptions) -> Result<Vec<Found>, &'static str> {
    let answer = run::run(&options.program, &options.arguments, options.timeout)?;
    let answer: Value = serde_json::from_slice(&answer).map_err(|_| "its answer is not JSON")?;
    let devices = answer.pointer(&options.devices).and_then(Value::as_array);
    let devices = devices.ok_or("its answer has no list of devices at the place that is set")?;
    let mut cards: Vec<&Value> = Vec::new();
    let mut found: Vec<Found> = Vec::new();
    for device in devices {
        let card = options.card.as_ref().and_then(|place| device.pointer(place));
        // An empty one names none.
        if let Some(card) = card.filter(|card| card.as_str() != Some("")) {
            if cards.contains(&card) {
                continue;
            }
            cards.push(card);
        }
        let text = |place: &Option<String>| place.as_ref().and_then(|place| words(device.pointer(place)?));
        let uuid = device.pointer(&options.uuid).and_then(words).ok_or("a device has nothing that identifies it")?;
        if found.iter().any(|other| other.uuid == uuid) {
            return Err("two devices have the same identifier");
        }
        let percent = options.utilisation.as_ref().and_then(|place| number(device.pointer(place)?));
        found.push(Found {
            uuid,
            name: text(&options.name),
            pci_address: text(&options.pci_address),
            power: device.pointer(&options.power).and_then(|value| power(value, options.unit)),
            utilisation: percent.map(|(percent, _)| percent / 100.0).filter(|share| (0.0..=1.0).contains(share)),
        });
    }
    Ok(found)
}

/// A text, or a number as a text.
fn words(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// A number, with what follows it.
fn number(value: &Value) -> Option<(f64, &str)> {
    match value {
        Value::Number(number) => Some((number.as_f64()?, "")),
        Value::String(text) => {
            let text = text.trim();
            let end =
                text.find(|character: char| !character.is_ascii_digit() && character != '.').unwrap_or(text.len());
            let (digits, unit) = text.split_at_checked(end)?;
            Some((digits.parse().ok()?, unit.trim()))
        }
        _ => None,
    }
}

fn power(value: &Value, unit: PowerUnit) -> Option<Power> {
    let (number, words) = number(value)?;
    let unit = match words {
        "" => unit,
        "W" => PowerUnit::Watts,
        "mW" => PowerUnit::Milliwatts,
        "uW" | "µW" => PowerUnit::Microwatts,
        _ => return None,
    };
    let watts = match unit {
        PowerUnit::Watts => number,
        PowerUnit::Milliwatts => number / 1e3,
        PowerUnit::Microwatts => number / 1e6,
    };
    (0.0..=Device::PLAUSIBLE_MAXIMUM.watts()).contains(&watts).then(|| Power::from_watts(watts))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_power_has_the_unit_that_it_names() {
        let watts = |value: Value| power(&value, PowerUnit::Milliwatts).map(Power::watts);
        assert_eq!(watts(json!("53.00 W")), Some(53.0));
        assert_eq!(watts(json!("47120mW")), Some(47.12));
        assert_eq!(watts(json!(47_120)), Some(47.12));
        assert_eq!(watts(json!("47120")), Some(47.12));
        for wrong in
            [json!("N/A"), json!("-5 W"), json!("5 J"), json!(-1), json!(null), json!("9999 W"), json!("1.2.3 W")]
        {
            assert_eq!(watts(wrong.clone()), None, "{wrong}");
        }
    }
}
