//! Power and energy sensors of the kernel's hardware monitoring class: the [`Hwmon`] meter.
//!
//! Where RAPL is missing, a chip on the board may measure the processor or the platform. Every chip appears
//! as `<sysfs>/class/hwmon/hwmonN` with the same kinds of files (`Documentation/hwmon/sysfs-interface.rst`),
//! but only the chip's name and the sensor's label say *what* is measured:
//!
//! | chip | sensors | zone |
//! |---|---|---|
//! | `amd_energy`, `zenergy` | `Esocket0`, `Ecore000` (energy) | package, core |
//! | `zenpower` | `SVI2_P_Core`, `SVI2_P_SoC` | core, uncore |
//! | `fam15h_power` | `power1` | package |
//! | `apm_xgene` (eMAG, Altra) | `CPU power`, `IO power` | core, uncore |
//! | `smpro_hwmon` (Altra) | `CORE VRD`, `SoC`, `DIMM VRD1`, `RCA VRD` | core, uncore, dram, uncore |
//! | `power_meter` (ACPI) | `power1` | psys |
//! | `ina…`, `ltc29…`, `scmi_sensors` | rails by label (Jetson: `VDD_IN`, `VDD_CPU_CV`, `VDD_GPU_SOC`, …) | psys, package, dram |
//!
//! Anything else (graphics cards, disks, power supplies, batteries) is left out, and [`Hwmon::skipped`] says
//! why. `k10temp` is among them: its voltages and currents were removed from Linux as unreliable. [`HwmonRules`]
//! adds chips and sensors; one that the operator asks for by name or rule and whose label says nothing
//! counts as the platform, which is never added to other zones.
//!
//! **From each chip** the best kind of sensor is used: energy counters, else power, else voltage × current.
//! Sensors of one chip in the same zone are summed; they are either all counters or all power.
//!
//! **Units and range.** Counters are in µJ and held in 64 bits by the drivers: no modulus. Power is in µW, as the
//! chip averages it. Negative values, registers of all ones (the ACPI meter's 4,294,967,295,000 µW among them) and
//! more power than the zone's plausible maximum are read errors with the reason `invalid_data`.
//!
//! **Privilege.** Most files are world-readable; `amd_energy` has mode 0440 (root or group).
//!
//! **Cost.** One `pread(2)` a sensor, two for a product. No allocation after opening, except for errors. Many chips sit
//! on a slow bus: a reading then takes as long as the driver's transfer over I²C.
//!
//! ```
//! use kepler_core::host::Host;
//! use kepler_core::meter::{EnergyMeter, hwmon::{Hwmon, HwmonRules}};
//!
//! match Hwmon::open(&Host::default(), &HwmonRules::default()) {
//!     Ok(meter) => meter.zones().iter().for_each(|zone| println!("{}: {}", zone.kind, zone.path)),
//!     Err(unavailable) => println!("{unavailable}"),
//! }
//! ```

mod chip;
mod discover;
mod rules;
mod sensor;

pub use rules::{ChipRule, HwmonRules};

use super::{EnergyMeter, Method, ReadError, Reading, Zone};
use crate::availability::{Remedy, Root, Setting, Unavailable};
use crate::host::{Host, Timestamp, Topology};
use crate::units::{Power, ZoneKind};
use discover::{Candidate, Chip};
use sensor::Sensor;
use std::path::PathBuf;

/// The `source` label of this meter.
const SOURCE: &str = "hwmon";

/// Reads the monitoring chips that measure processors, memory or the platform. See the [module](self).
#[derive(Debug)]
pub struct Hwmon {
    zones: Vec<Zone>,
    /// In the order of `zones`: the sensors whose sum is the zone.
    sensors: Vec<Vec<Sensor>>,
    skipped: Vec<Skipped>,
}

/// A chip or sensor that is there and not used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// Its directory or file.
    pub path: PathBuf,
    /// The chip's name, and the sensor's where only one is meant.
    pub name: String,
    /// Why it is not used.
    pub reason: String,
}

impl Hwmon {
    /// Opens every sensor that is known or asked for.
    ///
    /// # Errors
    /// When there is none: what was there instead, and what to do.
    pub fn open(host: &Host, rules: &HwmonRules) -> Result<Self, Unavailable> {
        let class = host.sysfs().join("class/hwmon");
        let chips = discover::chips(&class);
        let packages = Topology::read(host).packages();
        // On a machine with one package, whatever is measured of a package is measured of that one.
        let only_package = match packages.as_slice() {
            [(package, _)] => Some(*package),
            _ => None,
        };
        let mut meter = Hwmon { zones: Vec::new(), sensors: Vec::new(), skipped: Vec::new() };
        for chip in &chips {
            meter.add_chip(chip, rules, only_package);
        }
        if meter.zones.is_empty() {
            return Err(unavailable(&class, &meter.skipped));
        }
        Ok(meter)
    }

    /// What is there and not used, and why.
    #[must_use]
    pub fn skipped(&self) -> &[Skipped] {
        &self.skipped
    }

    /// Adds the best kind of usable sensors of one chip.
    fn add_chip(&mut self, chip: &Chip, rules: &HwmonRules, only_package: Option<u32>) {
        let rule = rules.chip(&chip.name);
        let first_new_zone = self.zones.len();
        for tier in chip.tiers(rule) {
            for candidate in tier {
                if let Err(reason) = self.add_sensor(chip, candidate, rules, only_package, first_new_zone) {
                    self.skipped.push(reason);
                }
            }
            if self.zones.len() > first_new_zone {
                return;
            }
        }
    }

    /// Opens a sensor and adds it to its zone, or says why not.
    fn add_sensor(
        &mut self,
        chip: &Chip,
        candidate: Candidate,
        rules: &HwmonRules,
        only_package: Option<u32>,
        first_new_zone: usize,
    ) -> Result<(), Skipped> {
        let name = candidate.names.first().cloned().unwrap_or_default();
        let path = candidate.path().to_owned();
        let skip = |reason: String| Skipped { path: path.clone(), name: format!("{} {name}", chip.name), reason };

        let kind = wanted_kind(chip, &candidate, &name, rules).map_err(|reason| skip(reason.to_owned()))?;
        if !candidate.enabled {
            return Err(skip("its channel is switched off (`_enable` is 0)".to_owned()));
        }
        let sensor = candidate.open().map_err(|error| skip(error.to_string()))?;
        let package = match kind {
            ZoneKind::Psys => None,
            _ => socket_number(&name).or(only_package),
        };
        let same = |zone: &Zone| zone.kind == kind && zone.package == package;
        match self.zones.iter().zip(&mut self.sensors).skip(first_new_zone).find(|(zone, _)| same(zone)) {
            Some((_, sensors)) => sensors.push(sensor),
            None => {
                let mut zone = Zone::new(kind, format!("{} ({} {name})", sensor.path().display(), chip.name));
                zone.package = package;
                self.zones.push(zone);
                self.sensors.push(vec![sensor]);
            }
        }
        Ok(())
    }
}

/// The zone of a sensor, or why it is not used.
fn wanted_kind(chip: &Chip, candidate: &Candidate, name: &str, rules: &HwmonRules) -> Result<ZoneKind, &'static str> {
    let named = rules.names(&candidate.names);
    if !rules.zones.is_empty() && !named {
        return Err("not among the configured zones");
    }
    let by_operator = named || rules.chip(&chip.name).is_some();
    match chip::kind_of(&chip.name, name) {
        Some(kind) => Ok(kind),
        None if by_operator => Ok(chip::kind_of_rail(name).unwrap_or(ZoneKind::Psys)),
        None if chip::is_known(&chip.name) => {
            Err("its label does not say that it measures processors, memory or the platform")
        }
        None => Err("the chip is not known to measure processors, memory or the platform"),
    }
}

/// The socket in `esocket1`, as `amd_energy` counts them.
fn socket_number(name: &str) -> Option<u32> {
    name.strip_prefix("esocket")?.parse().ok()
}

fn unavailable(class: &std::path::Path, skipped: &[Skipped]) -> Unavailable {
    let reason = match skipped {
        [] => format!("no energy, power or current sensor under {}", class.display()),
        [first, ..] => format!(
            "none of the {} sensors under {} is used, the first ({}) because {}",
            skipped.len(),
            class.display(),
            first.name,
            first.reason
        ),
    };
    let remedy = Remedy::any([
        // The board's power monitor, whichever it has.
        Remedy::load(["acpi_power_meter"]),
        Remedy::CorrectSetting { setting: Setting::Sensors },
        Remedy::MountRoot { root: Root::Sysfs },
    ]);
    Unavailable::new(SOURCE, reason, remedy)
}

impl EnergyMeter for Hwmon {
    fn source(&self) -> &'static str {
        SOURCE
    }

    fn method(&self) -> Method {
        Method::Measured
    }

    fn zones(&self) -> &[Zone] {
        &self.zones
    }

    fn read(&mut self, _at: Timestamp, readings: &mut Vec<Result<Reading, ReadError>>) {
        readings.clear();
        readings.extend(self.sensors.iter().zip(&self.zones).map(|(sensors, zone)| sum(sensors, zone.max_power)));
    }
}

/// The sum of a zone's sensors. One that fails fails the zone: a part is not the whole.
fn sum(sensors: &[Sensor], max: Power) -> Result<Reading, ReadError> {
    let mut total: Option<Reading> = None;
    for sensor in sensors {
        let reading = sensor.read(max)?;
        total = Some(match (total, reading) {
            (Some(Reading::Counter(sum)), Reading::Counter(more)) => Reading::Counter(sum + more),
            (Some(Reading::Power(sum)), Reading::Power(more)) => Reading::Power(sum + more),
            // A zone's sensors are of one kind: only the first arrives here.
            (_, reading) => reading,
        });
    }
    Ok(total.unwrap_or(Reading::Power(Power::ZERO)))
}

#[cfg(test)]
mod tests;
