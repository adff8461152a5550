//! What an operator may say about sensors: the same keys as Kepler's `experimental.hwmon`.

use std::collections::BTreeMap;

/// Which sensors to use, and how voltages and currents belong together.
///
/// The keys are those of Kepler's configuration (`experimental.hwmon.zones`, `.chipRules`) and mean the
/// same. The default leaves everything to what is known about each chip.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(default, rename_all = "camelCase", deny_unknown_fields)
)]
#[non_exhaustive]
pub struct HwmonRules {
    /// Names of the sensors to use; empty for all that are known. A sensor's name is its label in lower
    /// case with `_` for everything but letters, digits and `:` (`CPU power` is `cpu_power`), or without a
    /// label its chip and channel (`power_meter_power1`). A sensor named here is used even if its chip is unknown.
    pub zones: Vec<String>,
    /// Pairing rules by chip; they go before the built-in ones.
    pub chip_rules: Vec<ChipRule>,
}

/// How the voltages of one chip pair with its currents. A chip with a rule is used even if it is unknown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(default, rename_all = "camelCase", deny_unknown_fields)
)]
#[non_exhaustive]
pub struct ChipRule {
    /// The chip's `name` file; case does not matter.
    pub name: String,
    /// Which `currN` goes with which `inN`: voltage channel to current channel.
    pub pairings: BTreeMap<u32, u32>,
    /// Voltage channels to leave out (shunt voltages, auxiliary inputs). Matters with `use_same_index`.
    pub skip_voltages: Vec<u32>,
    /// Current channels to leave out (per-phase currents). Matters with `use_same_index`.
    pub skip_currents: Vec<u32>,
    /// `inN` goes with `currN`; `pairings` is then ignored.
    pub use_same_index: bool,
}

impl HwmonRules {
    /// The rule for a chip, if there is one.
    pub(super) fn chip(&self, name: &str) -> Option<&ChipRule> {
        self.chip_rules.iter().find(|rule| rule.name.trim().eq_ignore_ascii_case(name))
    }

    /// Whether the operator named one of these names.
    pub(super) fn names(&self, names: &[String]) -> bool {
        self.zones.iter().any(|zone| names.iter().any(|name| zone.trim().eq_ignore_ascii_case(name)))
    }
}

impl ChipRule {
    /// The current channel that belongs to a voltage channel.
    pub(super) fn current_of(&self, voltage: u32) -> Option<u32> {
        if self.use_same_index {
            let skipped = self.skip_voltages.contains(&voltage) || self.skip_currents.contains(&voltage);
            (!skipped).then_some(voltage)
        } else {
            self.pairings.get(&voltage).copied()
        }
    }
}
