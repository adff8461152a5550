//! The operator's settings of the facility.

use crate::intensity::AccountingMethod;
use crate::series::Series;
use crate::standards::{Basis, SiteFacts};
use crate::tariff::{EnergyPrice, Tariff};
use crate::units::{CarbonIntensity, Pue};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The facility that is judged: `facility.region`, `facility.pue`, `carbon.grid_intensity` and `price` of
/// the configuration. What is not stated comes from published data, and is absent where there are none.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Settings {
    /// Where it stands: any name of the zone table.
    pub region: Option<String>,
    /// Its PUE.
    pub pue: Option<StatedPue>,
    /// Intensity of its electricity, gCO2e/kWh; overrides the region's.
    pub grid_intensity: Option<CarbonIntensity>,
    /// By which method published intensities must be made; none takes the preferred one of such places.
    pub intensity_method: Option<AccountingMethod>,
    /// What rules need to know of the site.
    pub facts: SiteFacts,
    /// What a kilowatt-hour costs, at all hours.
    pub price: Option<Price>,
    /// What it costs at a time of use; schedules are priced by it rather than by `price`.
    pub tariff: Option<Tariff>,
}

impl Settings {
    /// These settings with a change, as in `Settings::default().with(|settings| settings.price = None)`.
    #[must_use]
    pub fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    /// The currency of prices, where there are any.
    #[must_use]
    pub fn currency(&self) -> Option<&str> {
        let of_tariff = self.tariff.as_ref().map(|tariff| tariff.currency.as_str());
        of_tariff.or(self.price.as_ref().map(|price| price.currency.as_str()))
    }

    /// What a kilowatt-hour costs at a time, where that is known.
    #[must_use]
    pub fn price_at(&self, time: Timestamp) -> Option<EnergyPrice> {
        match (&self.tariff, &self.price) {
            (Some(tariff), _) => tariff.price_at(time),
            (None, price) => price.as_ref().map(|price| price.per_kwh),
        }
    }

    /// What a kilowatt-hour costs from `from` to `to`, where that is known; hours that a tariff does not price are gaps.
    #[must_use]
    pub fn prices(&self, from: Timestamp, to: Timestamp) -> Option<Series<EnergyPrice>> {
        match (&self.tariff, &self.price) {
            (Some(tariff), _) => tariff.prices(from, to),
            (None, Some(price)) => Series::constant(from, to, price.per_kwh).ok(),
            (None, None) => None,
        }
    }
}

/// A PUE and how it was found.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct StatedPue {
    /// The PUE.
    pub value: Pue,
    /// Measured by meters, published, estimated or assumed.
    pub basis: Basis,
}

impl StatedPue {
    /// A PUE and how it was found.
    #[must_use]
    pub const fn new(value: Pue, basis: Basis) -> Self {
        StatedPue { value, basis }
    }
}

/// What electricity costs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Price {
    /// Price of a kilowatt-hour.
    pub per_kwh: EnergyPrice,
    /// Its currency, as ISO 4217 (`KRW`).
    pub currency: String,
}

impl Price {
    /// A price per kilowatt-hour in a currency by its ISO 4217 code.
    pub fn new(per_kwh: EnergyPrice, currency: impl Into<String>) -> Self {
        Price { per_kwh, currency: currency.into() }
    }
}
