//! Units of energy that people choose.

use crate::units::Energy;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A unit of energy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub enum EnergyUnit {
    /// Joule.
    J,
    /// Kilojoule.
    #[serde(rename = "kJ")]
    Kj,
    /// Megajoule.
    #[serde(rename = "MJ")]
    Mj,
    /// Watt-hour.
    Wh,
    /// Kilowatt-hour.
    #[serde(rename = "kWh")]
    Kwh,
}

impl EnergyUnit {
    /// All of them.
    pub const ALL: [EnergyUnit; 5] = [EnergyUnit::J, EnergyUnit::Kj, EnergyUnit::Mj, EnergyUnit::Wh, EnergyUnit::Kwh];

    /// Its symbol.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            EnergyUnit::J => "J",
            EnergyUnit::Kj => "kJ",
            EnergyUnit::Mj => "MJ",
            EnergyUnit::Wh => "Wh",
            EnergyUnit::Kwh => "kWh",
        }
    }

    const fn joules(self) -> f64 {
        match self {
            EnergyUnit::J => 1.0,
            EnergyUnit::Kj => 1e3,
            EnergyUnit::Mj => 1e6,
            EnergyUnit::Wh => 3.6e3,
            EnergyUnit::Kwh => 3.6e6,
        }
    }

    /// The unit of this symbol, whatever its case.
    pub(crate) fn read(text: &str) -> Option<Self> {
        EnergyUnit::ALL.into_iter().find(|unit| unit.name().eq_ignore_ascii_case(text))
    }
}

/// Energy in a unit that was chosen.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct UnitEnergy {
    /// How much.
    pub value: f64,
    /// Of what.
    pub unit: EnergyUnit,
}

impl UnitEnergy {
    /// An energy in a unit.
    #[must_use]
    pub fn new(energy: Energy, unit: EnergyUnit) -> Self {
        UnitEnergy { value: energy.joules() / unit.joules(), unit }
    }
}
