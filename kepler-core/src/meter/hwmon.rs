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
//! | `power_meter` of NVIDIA Grace | `Module`, `Grace`, `CPU`, `SysIO Power Socket N` | psys, package, core, uncore |
//! | `ibmpowernv` (POWER9) | `System`, `Chip 0`, `Chip 0 Vdd`, `Chip 0 Vdn`, `Chip 0 Memory` (energy, power) | psys, package, core, uncore, dram |
//! | `macsmc_hwmon` (Apple) | `Total System Power` | psys |
//! | `ina…`, `ltc29…`, `scmi_sensors` | rails by label (Jetson: `VDD_IN`, `VDD_CPU_CV`, `VDD_GPU_SOC`, …) | psys, package, dram |
//!
//! Anything else (graphics cards, disks, power supplies, batteries) is left out, and the [inventory](EnergyMeter::inventory) says
//! why. `k10temp` is among them: its voltages and currents were removed from Linux as unreliable. [`HwmonRules`]
//! adds chips and sensors; one that the operator asks for by name or rule and whose label says nothing
//! counts as the platform, which is never added to other zones.
//!
//! **From each chip** the best kind of sensor is used: energy counters, else power, else voltage × current.
//! Sensors of one chip in the same zone are summed; they are either all counters or all power. Where a chip's documentation says
//! that core and uncore make up the package, their sum is the package. Of several platform sensors that may contain each other the one
//! that shows most counts; what two drivers measure counts once.
//!
//! **Units and range.** Counters are in µJ and held in 64 bits by the drivers: no modulus. Power is in µW, as the
//! chip averages it. Negative values, registers of all ones (the ACPI meter's 4,294,967,295,000 µW among them) and
//! more power than the machine's kind can draw are read errors with the reason `invalid_data`.
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

use super::inventory::add_missing_packages;
use super::limits::Limits;
use super::watchdog::{self, Guarded, Probe};
use super::{EnergyMeter, MeterInventory, Method, Quality, ReadError, Reading, SkippedZone, Zone};
use crate::availability::{Remedy, Root, Setting, Unavailable};
use crate::host::{Host, Timestamp, Topology};
use crate::units::{Power, ZoneKind};
use discover::{Candidate, Chip};
use sensor::Sensor;
use std::path::Path;

/// The `source` label of this meter.
const SOURCE: &str = "hwmon";

/// Reads the monitoring chips that measure processors, memory or the platform. See the [module](self).
#[derive(Debug)]
pub struct Hwmon {
    zones: Vec<Zone>,
    /// In the order of `zones`.
    sensors: Vec<Sensors>,
    skipped: Vec<SkippedZone>,
}

/// The sensors whose sum is one zone.
#[derive(Debug)]
struct Sensors {
    sensors: Vec<Sensor>,
    max_power: Power,
}

/// Sensors that make up one zone, not opened yet.
struct Planned {
    kind: ZoneKind,
    package: Option<u32>,
    chip: String,
    /// The class directory's index: sensors of one chip in the same zone are summed.
    index: usize,
    candidates: Vec<Candidate>,
    is_by_operator: bool,
    /// `None` until it was tried.
    opened: Option<Result<Opened, ReadError>>,
}

/// Sensors, and what they showed first if that made sense.
struct Opened {
    sensors: Vec<Sensor>,
    first: Option<Reading>,
}

impl Hwmon {
    /// Opens every sensor that is known or asked for.
    ///
    /// # Errors
    /// When there is none: what was there instead, and what to do.
    pub fn open(host: &Host, rules: &HwmonRules) -> Result<Self, Unavailable> {
        let class = host.sysfs().join("class/hwmon");
        let topology = Topology::read(host);
        // On a machine with one package, whatever is measured of a package is measured of that one.
        let only_package = match topology.packages().as_slice() {
            [(package, _)] => Some(*package),
            _ => None,
        };
        let mut meter = Hwmon { zones: Vec::new(), sensors: Vec::new(), skipped: Vec::new() };
        let mut planned = Vec::new();
        let (chips, silent) = discover::chips(&class);
        for (directory, error) in silent {
            let unavailable =
                Unavailable::new(SOURCE, format!("{}: {error}", directory.display()), Remedy::CheckKernelLog);
            meter.skipped.push(SkippedZone::unused(unavailable));
        }
        for (index, chip) in chips.iter().enumerate() {
            meter.plan_chip(index, chip, rules, only_package, &mut planned);
        }
        meter.drop_second_drivers(&mut planned);
        add_packages(&mut planned);
        let limits = Limits::of(host);
        for plan in &mut planned {
            plan.open(limits.of_kind(plan.kind));
        }
        meter.choose_platform(&mut planned);
        for plan in planned {
            meter.add_zone(plan, limits);
        }
        if meter.zones.is_empty() {
            return Err(unavailable(&class, &meter.skipped));
        }
        add_missing_packages(SOURCE, &meter.zones, &topology, &mut meter.skipped);
        Ok(meter)
    }

    /// The same zones, read so that one that hangs does not hold up the others.
    pub(super) fn guarded(self) -> Box<dyn EnergyMeter> {
        Box::new(Guarded::new(SOURCE, self.zones, self.skipped, self.sensors))
    }

    /// Plans zones of the best kind of usable sensors of one chip.
    fn plan_chip(
        &mut self,
        index: usize,
        chip: &Chip,
        rules: &HwmonRules,
        only_package: Option<u32>,
        planned: &mut Vec<Planned>,
    ) {
        let rule = rules.chip(&chip.name);
        let before = planned.len();
        let tiers = match chip.tiers_in_time(rule) {
            Ok(tiers) => tiers,
            Err(error) => {
                let reason = format!("{} ({}): {error}", chip.name, chip.directory.display());
                self.skipped.push(SkippedZone::unused(Unavailable::new(SOURCE, reason, Remedy::CheckKernelLog)));
                return;
            }
        };
        for tier in tiers {
            for candidate in tier {
                let name = candidate.names.first().cloned().unwrap_or_default();
                let kind = match wanted_kind(chip, &candidate, &name, rules) {
                    Ok(_) if !candidate.enabled => {
                        self.skip(&chip.name, &candidate, "its channel is switched off, or is a battery's");
                        continue;
                    }
                    Ok(kind) => kind,
                    Err(reason) => {
                        self.skip(&chip.name, &candidate, reason);
                        continue;
                    }
                };
                let package = match kind {
                    ZoneKind::Psys => None,
                    _ => chip::socket_number(&name).or(only_package),
                };
                let is_by_operator = rules.names(&candidate.names) || rule.is_some();
                let same = |plan: &&mut Planned| plan.index == index && plan.kind == kind && plan.package == package;
                match planned.iter_mut().find(same) {
                    Some(plan) => plan.candidates.push(candidate),
                    None => planned.push(Planned {
                        kind,
                        package,
                        chip: chip.name.clone(),
                        index,
                        candidates: vec![candidate],
                        is_by_operator,
                        opened: None,
                    }),
                }
            }
            if planned.len() > before {
                return;
            }
        }
    }

    /// What two drivers measure is the same: the first counts, unless both were asked for.
    fn drop_second_drivers(&mut self, planned: &mut Vec<Planned>) {
        let mut kept: Vec<Planned> = Vec::new();
        for plan in planned.drain(..) {
            let other = kept.iter().find(|other| other.kind == plan.kind && other.chip != plan.chip);
            match other.filter(|_| plan.kind != ZoneKind::Psys && !plan.is_by_operator) {
                Some(other) => {
                    let reason = format!("{} measures the same", other.chip);
                    plan.candidates.iter().for_each(|candidate| self.skip(&plan.chip, candidate, &reason));
                }
                None => kept.push(plan),
            }
        }
        *planned = kept;
    }

    /// Of several platform sensors the outermost counts: which contains which is not known, so that is the one that
    /// shows most. The modules of a machine do not contain each other, and are taken together.
    fn choose_platform(&mut self, planned: &mut Vec<Planned>) {
        let can_be_read = |plan: &Planned| matches!(plan.opened, Some(Ok(_)));
        let is_choice = |plan: &Planned| plan.kind == ZoneKind::Psys && !plan.is_by_operator && can_be_read(plan);
        let is_module = |plan: &Planned| {
            plan.candidates
                .iter()
                .flat_map(|candidate| candidate.names.first())
                .all(|name| chip::is_one_of_several(name))
        };
        let watts = |plan: &Planned| match &plan.opened {
            Some(Ok(Opened { first: Some(Reading::Power(power)), .. })) => power.watts(),
            _ => 0.0,
        };
        let modules: f64 = planned.iter().filter(|plan| is_choice(plan) && is_module(plan)).map(watts).sum();
        let others = planned.iter().enumerate().filter(|(_, plan)| is_choice(plan) && !is_module(plan));
        let others: Vec<(usize, f64)> = others.map(|(index, plan)| (index, watts(plan))).collect();
        let largest = others.iter().copied().reduce(|a, b| if b.1 > a.1 { b } else { a });
        let has_modules = planned.iter().any(|plan| is_choice(plan) && is_module(plan));
        let chosen = largest.filter(|(_, watts)| !has_modules || *watts > modules).map(|(index, _)| index);
        let mut index = 0;
        planned.retain(|plan| {
            let is_kept = !is_choice(plan) || if is_module(plan) { chosen.is_none() } else { chosen == Some(index) };
            if !is_kept {
                let reason = "another sensor shows more and may contain it; name it in the settings to have it counted";
                plan.candidates.iter().for_each(|candidate| self.skip(&plan.chip, candidate, reason));
            }
            index += 1;
            is_kept
        });
    }

    /// Opens the sensors of a zone. One that cannot be opened leaves the zone out: a part is not the whole.
    fn add_zone(&mut self, plan: Planned, limits: Limits) {
        let Some(opened) = plan.opened else { return };
        match opened {
            Ok(Opened { sensors, .. }) => {
                let Some(first) = sensors.first() else { return };
                let names = plan.candidates.iter().filter_map(|candidate| candidate.names.first().map(String::as_str));
                let names = names.collect::<Vec<_>>().join(" + ");
                let mut zone = Zone::new(plan.kind, format!("{} ({} {names})", first.path().display(), plan.chip));
                (zone.package, zone.max_power) = (plan.package, limits.of_kind(plan.kind));
                self.sensors.push(Sensors { sensors, max_power: zone.max_power });
                self.zones.push(zone);
            }
            Err(error) => {
                let remedy = match error.source.kind() {
                    std::io::ErrorKind::PermissionDenied => Remedy::MakeReadable { path: (*error.path).into() },
                    _ => Remedy::CheckKernelLog,
                };
                let unavailable = Unavailable::new(SOURCE, format!("{}: {error}", plan.chip), remedy);
                let skipped = SkippedZone::missing(plan.kind, plan.package, unavailable);
                self.skipped.push(skipped.with_fault(error.reason()));
            }
        }
    }

    fn skip(&mut self, chip: &str, candidate: &Candidate, reason: &str) {
        let name = candidate.names.first().map(String::as_str).unwrap_or_default();
        let reason = format!("{chip} {name} ({}): {reason}", candidate.path().display());
        let remedy = Remedy::CorrectSetting { setting: Setting::Sensors };
        self.skipped.push(SkippedZone::unused(Unavailable::new(SOURCE, reason, remedy)));
    }
}

impl Planned {
    /// Opens the sensors and reads them once, so that one that does not answer is known from the start. What they show
    /// need not make sense yet.
    fn open(&mut self, max: Power) {
        let candidates = self.candidates.clone();
        let open = move || -> Result<_, ReadError> {
            let mut sensors = candidates.iter().map(Candidate::open).collect::<Result<Vec<_>, _>>()?;
            let first = sum(&mut sensors, max).ok();
            Ok(Opened { sensors, first })
        };
        let Some(path) = self.candidates.first().map(Candidate::path) else { return };
        let opened = watchdog::in_time(path, open);
        let silent = |error| Err(ReadError::new(path.to_string_lossy(), error));
        self.opened = Some(opened.unwrap_or_else(silent));
    }
}

/// Adds packages that are not measured as such but by the parts that make them up.
fn add_packages(planned: &mut Vec<Planned>) {
    if planned.iter().any(|plan| plan.kind == ZoneKind::Package) {
        return;
    }
    let mut packages: Vec<Planned> = Vec::new();
    for plan in planned.iter().filter(|plan| chip::is_partitioned(&plan.chip)) {
        if !matches!(plan.kind, ZoneKind::Core | ZoneKind::Uncore) {
            continue;
        }
        let same = |package: &&mut Planned| {
            // The sensors of one socket: of one chip, or by the socket that they name.
            let names_socket = plan.package.is_some() && plan.package == package.package;
            package.chip == plan.chip && (package.index == plan.index || names_socket)
        };
        match packages.iter_mut().find(same) {
            Some(package) => package.candidates.extend(plan.candidates.iter().cloned()),
            None => packages.push(Planned {
                kind: ZoneKind::Package,
                package: plan.package,
                chip: plan.chip.clone(),
                index: plan.index,
                candidates: plan.candidates.clone(),
                is_by_operator: plan.is_by_operator,
                opened: None,
            }),
        }
    }
    // Cores alone are not the package.
    let has_uncore = |package: &Planned| {
        planned.iter().any(|plan| {
            plan.kind == ZoneKind::Uncore
                && plan.chip == package.chip
                && (plan.index == package.index || (plan.package.is_some() && plan.package == package.package))
        })
    };
    packages.retain(has_uncore);
    planned.extend(packages);
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

fn unavailable(class: &Path, skipped: &[SkippedZone]) -> Unavailable {
    let reason = match skipped {
        [] => format!("no energy, power or current sensor under {}", class.display()),
        [first, ..] => {
            let (count, reason) = (skipped.len(), &first.unavailable.reason);
            format!("none of the {count} sensors under {} is used; the first: {reason}", class.display())
        }
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

    fn quality(&self) -> Quality {
        Quality::of(Method::Measured)
    }

    fn inventory(&self) -> MeterInventory<'_> {
        MeterInventory::of(&self.zones).with_skipped(&self.skipped)
    }

    fn read(&mut self, _at: Timestamp, readings: &mut Vec<Result<Reading, ReadError>>) {
        readings.clear();
        readings.extend(self.sensors.iter_mut().map(Probe::read));
    }
}

impl Probe for Sensors {
    fn read(&mut self) -> Result<Reading, ReadError> {
        sum(&mut self.sensors, self.max_power)
    }

    fn path(&self) -> &Path {
        self.sensors.first().map_or(Path::new(""), Sensor::path)
    }
}

/// The sum of a zone's sensors. One that fails fails the zone: a part is not the whole.
fn sum(sensors: &mut [Sensor], max: Power) -> Result<Reading, ReadError> {
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
