//! The metrics of rules, with units and names.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a rule looks at. The unit is part of the meaning; see [`Metric::unit`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Metric {
    /// Effective carbon intensity, `CI * PUE`.
    CarbonIntensity,
    /// Yearly PUE.
    Pue,
    /// PUE by design at a quarter of the IT load.
    #[serde(rename = "design_pue_25_percent_load")]
    DesignPue25PercentLoad,
    /// Emissions per hour.
    EmissionsPerHour,
    /// Emissions per month of 730 hours.
    EmissionsPerMonth,
    /// Primary energy per year, by the jurisdiction's conversion.
    AnnualEnergyToe,
    /// Fuel per year.
    AnnualFuelToe,
    /// Electricity per year.
    AnnualEnergyMwh,
    /// Energy per year as crude oil.
    AnnualCrudeOilKl,
    /// Emissions per year, purchased electricity included.
    #[serde(rename = "annual_tco2e")]
    AnnualTco2e,
    /// Power agreed with the supplier.
    ContractPowerMw,
    /// Power of the grid connection.
    ConnectionKw,
    /// Rated power of the installed IT.
    InstalledItKw,
    /// Water usage effectiveness.
    WueLitresPerKwh,
    /// Energy reuse factor.
    ErfPercent,
    /// Renewable energy factor.
    RefPercent,
    /// Electricity from renewable sources.
    RenewablePercent,
    /// Energy without carbon, nuclear included.
    CarbonFreePercent,
    /// A country's reduction of greenhouse gases against 2018.
    #[serde(rename = "ghg_reduction_vs_2018_percent")]
    GhgReductionVs2018Percent,
}

impl Metric {
    /// Its unit; empty for a pure ratio.
    #[must_use]
    pub const fn unit(self) -> &'static str {
        match self {
            Metric::CarbonIntensity => "gCO2e/kWh",
            Metric::Pue | Metric::DesignPue25PercentLoad => "",
            Metric::EmissionsPerHour => "gCO2e/h",
            Metric::EmissionsPerMonth => "kgCO2e/month",
            Metric::AnnualEnergyToe | Metric::AnnualFuelToe => "toe/year",
            Metric::AnnualEnergyMwh => "MWh/year",
            Metric::AnnualCrudeOilKl => "kL crude oil/year",
            Metric::AnnualTco2e => "tCO2e/year",
            Metric::ContractPowerMw => "MW",
            Metric::ConnectionKw | Metric::InstalledItKw => "kW",
            Metric::WueLitresPerKwh => "L/kWh",
            Metric::ErfPercent
            | Metric::RefPercent
            | Metric::RenewablePercent
            | Metric::CarbonFreePercent
            | Metric::GhgReductionVs2018Percent => "%",
        }
    }

    /// Whether it is a PUE.
    pub(crate) const fn is_pue(self) -> bool {
        matches!(self, Metric::Pue | Metric::DesignPue25PercentLoad)
    }

    /// Whether a value can be: finite, not negative, a PUE at least 1, a share at most 100 %.
    #[must_use]
    pub fn admits(self, value: f64) -> bool {
        let least = if self.is_pue() { 1.0 } else { 0.0 };
        let most = if self.unit() == "%" { 100.0 } else { f64::MAX };
        (least..=most).contains(&value)
    }
}
