//! What an operator states about the facility.

use crate::standards::Basis;
use crate::tariff::EnergyPrice;
use crate::units::{CarbonIntensity, Pue};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The facility that is judged: `facility.region`, `facility.pue`, `carbon.grid_intensity` and `price` of
/// the configuration. What is not stated comes from published data, and is absent where there are none.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Where it stands: any name of the zone table.
    pub region: Option<String>,
    /// Its PUE.
    pub pue: Option<StatedPue>,
    /// Intensity of its electricity, gCO2e/kWh; overrides the region's.
    pub grid_intensity: Option<CarbonIntensity>,
    /// What a kilowatt-hour costs.
    pub price: Option<Price>,
}

/// A PUE and how it was found.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StatedPue {
    /// The PUE.
    pub value: Pue,
    /// Measured by meters, published, estimated or assumed.
    pub basis: Basis,
}

/// What electricity costs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Price {
    /// Price of a kilowatt-hour.
    pub per_kwh: EnergyPrice,
    /// Its currency, as ISO 4217 (`KRW`).
    pub currency: String,
}
