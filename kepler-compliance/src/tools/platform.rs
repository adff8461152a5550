//! Meters of the whole machine in answers.

use super::answer::basis_of;
use crate::standards::Basis;
use crate::units::Energy;
use crate::view::Inventory;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A meter of a whole machine: its BMC, its firmware, or a meter outside. It contains processors, memory and accelerators, so
/// it is not part of any sum here.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct PlatformFigures {
    /// Its node.
    pub node: String,
    /// By what it is asked: `redfish`, `ipmi`, `acpi`, `hwmon`, `prometheus`, `http`.
    pub source: String,
    /// Which BMC or outside meter.
    pub bmc_id: String,
    /// Which chassis of it. Where several nodes show the same chassis of a BMC, that is one.
    pub chassis_id: String,
    /// The kind of figure: `EnvironmentMetrics`, `PowerSupply`, `PowerControl`, …
    pub source_type: String,
    /// Which of the figures.
    pub source_id: String,
    /// The same for people.
    pub source_name: String,
    /// `node`, `part` or `shared` (more than this node); `null` where the source does not say.
    pub scope: Option<String>,
    /// Whether what accelerators draw is contained; `null` where the source does not say.
    pub contains_gpus: Option<bool>,
    /// Energy over the window by its readings' own times, joules; `null` where no time is covered.
    pub energy_joules: Option<f64>,
    /// The time that this energy is of, seconds: less than the window where readings were missing.
    pub covered_seconds: Option<f64>,
    /// Its newest reading, watts; `null` where that is not believed or too old.
    pub power_watts: Option<f64>,
    /// How old its newest believed reading is, seconds.
    pub age_seconds: Option<f64>,
    /// How the figures came about.
    pub basis: Basis,
    /// Why it cannot be read now or is not believed; `null` if it is fine.
    pub fault: Option<String>,
}

/// All meters of the nodes.
pub(super) fn figures(inventory: &Inventory) -> Vec<PlatformFigures> {
    let all = inventory.nodes.iter().flat_map(|node| node.platform.iter().map(move |platform| (node, platform)));
    let figures = all.map(|(node, platform)| {
        let meter = &platform.meter;
        // Go Kepler shows power alone.
        let is_covered = platform.covered.map_or(platform.energy > Energy::ZERO, |covered| !covered.is_zero());
        PlatformFigures {
            node: (*node.name).to_owned(),
            source: (*meter.source).to_owned(),
            bmc_id: (*meter.bmc_id).to_owned(),
            chassis_id: (*meter.chassis_id).to_owned(),
            source_type: (*meter.source_type).to_owned(),
            source_id: (*meter.source_id).to_owned(),
            source_name: (*meter.source_name).to_owned(),
            scope: platform.scope.map(|scope| scope.name().to_owned()),
            contains_gpus: platform.contains_gpus,
            energy_joules: is_covered.then(|| platform.energy.joules()),
            covered_seconds: platform.covered.map(|covered| covered.as_secs_f64()),
            power_watts: platform.power.map(|power| power.watts()),
            age_seconds: platform.age.map(|age| age.as_secs_f64()),
            basis: basis_of(platform.method),
            fault: platform.fault.as_deref().map(str::to_owned),
        }
    });
    figures.collect()
}
