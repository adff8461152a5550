//! Whether the power of the whole machine is shown.

use super::super::config::Config;
use super::super::platform;
use super::super::remedies;
use kepler_connect::redfish::{self, FoundChassis};
use kepler_core::host::Timestamp;
use kepler_core::platform::{PlatformBoard, PlatformMeter, PlatformReading};
use serde::Serialize;
use std::fmt;

/// What asking the service processor came to.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Platform {
    source: &'static str,
    /// Its name in the file of BMCs, and where it stands there.
    #[serde(skip_serializing_if = "Option::is_none")]
    bmc: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    origin: Option<String>,
    chassis: Vec<Chassis>,
    /// Why there is no power, and what would change that.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// What is wrong with other entries of the file.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    problems: Vec<String>,
}

/// A chassis with the figure that is read of it.
#[derive(Clone, Debug, Serialize)]
struct Chassis {
    chassis_id: String,
    /// `node`, `part` or `shared`.
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    power_watts: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    age_seconds: Option<f64>,
    /// Why it shows none, or is not believed.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

impl Chassis {
    fn of(meter: &PlatformMeter, reading: PlatformReading) -> Self {
        // Believed or not by the rules that a running program has.
        let board = PlatformBoard::default();
        board.report(meter, reading);
        let age = Timestamp::now().since(&reading.received) + reading.age;
        let PlatformMeter { chassis_id, scope, source_type, source_id, path, .. } = meter;
        Chassis {
            chassis_id: chassis_id.to_string(),
            scope: Some(scope.name()),
            source_type: Some(source_type.to_string()),
            source_id: Some(source_id.to_string()),
            path: Some(path.to_string()),
            power_watts: Some(reading.power.watts()),
            age_seconds: Some(age.as_secs_f64()),
            reason: board.fault(meter).map(|fault| format!("this figure is {fault} and adds no energy")),
        }
    }
}

impl Platform {
    /// Asks all meters that are configured once.
    pub(super) fn ask_all(config: &Config) -> Vec<Self> {
        let others = platform::sources(config).into_iter().map(Platform::read);
        Platform::ask(config).into_iter().chain(others).collect()
    }

    /// Reads a meter of the machine itself, or one outside.
    fn read(found: platform::Found) -> Self {
        let platform::Found { mut source, name, .. } = found;
        let mut shown = Platform {
            source: source.source(),
            bmc: Some(source.id().to_owned()).filter(|id| !id.is_empty()),
            origin: Some(name).filter(|name| name != source.source()),
            chassis: Vec::new(),
            reason: None,
            problems: Vec::new(),
        };
        match source.read() {
            Ok(readings) => {
                shown.chassis = readings.into_iter().map(|(meter, reading)| Chassis::of(&meter, reading)).collect();
            }
            Err(error) => {
                let remedy = &error.unavailable.remedy;
                let rest = if remedy.is_none() { String::new() } else { format!("; {}", remedies::text(remedy)) };
                shown.reason = Some(error.unavailable.reason + &rest);
            }
        }
        shown
    }

    /// Asks the service processor once, if it is to be read at all.
    fn ask(config: &Config) -> Option<Self> {
        if !config.platform.redfish.enabled {
            return None;
        }
        let platform::ChosenBmc { bmc, problems } = platform::bmc(config);
        let mut found =
            Platform { source: "redfish", bmc: None, origin: None, chassis: Vec::new(), reason: None, problems };
        let bmc = match bmc {
            Ok(bmc) => bmc,
            Err(why) => return Some(Platform { reason: Some(why), ..found }),
        };
        match redfish::probe(&bmc) {
            Ok((chassis, without)) => {
                found.chassis = chassis
                    .into_iter()
                    .map(|FoundChassis { meter, reading, .. }| Chassis::of(&meter, reading))
                    .collect();
                found.chassis.extend(without.into_iter().map(|(chassis_id, why)| Chassis {
                    chassis_id,
                    scope: None,
                    source_type: None,
                    source_id: None,
                    path: None,
                    power_watts: None,
                    age_seconds: None,
                    reason: Some(why),
                }));
            }
            Err(error) => found.reason = Some(error.to_string()),
        }
        (found.bmc, found.origin) = (Some(bmc.id), Some(bmc.origin));
        Some(found)
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of_bmc = self
            .bmc
            .as_ref()
            .map(|id| match self.source {
                "redfish" => format!("BMC {id}"),
                _ => id.clone(),
            })
            .unwrap_or_default();
        let origin = self.origin.as_ref().map(|origin| format!(" ({origin})")).unwrap_or_default();
        match &self.reason {
            Some(reason) => writeln!(f, "  {:<9} not usable: {of_bmc}{origin} {reason}", self.source)?,
            None => writeln!(f, "  {:<9} usable: {of_bmc}{origin}", self.source)?,
        }
        for chassis in &self.chassis {
            let id = &chassis.chassis_id;
            if let (Some(watts), Some(age)) = (chassis.power_watts, chassis.age_seconds) {
                let text = |text: &Option<String>| text.clone().unwrap_or_default();
                let (kind, source) = (text(&chassis.source_type), text(&chassis.source_id));
                let scope = chassis.scope.unwrap_or_default();
                let of = if id.is_empty() { String::new() } else { format!("chassis {id} ") };
                writeln!(f, "            {of}({scope}): {watts:.1} W, {age:.0} s old, by {kind} {source}")?;
                writeln!(f, "            {}", text(&chassis.path))?;
            } else {
                writeln!(f, "            chassis {id}: not read")?;
            }
            if let Some(reason) = &chassis.reason {
                writeln!(f, "            {reason}")?;
            }
        }
        for problem in &self.problems {
            writeln!(f, "            elsewhere in the file: {problem}")?;
        }
        Ok(())
    }
}
