//! Ratios of a whole site, ISO/IEC 30134: PUE (part 2), REF (3), ERF (6), CUE (8), WUE (9).
//!
//! All are defined over a year. They are a facility's, not a workload's: a workload inherits a PUE
//! as a factor and cannot have one of its own.

use crate::units::{CarbonIntensity, CarbonMass, Energy, InvalidPue, Pue};
use serde::{Deserialize, Serialize};

/// A ratio that its inputs do not give.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SiteError {
    /// The energy to divide by is zero.
    #[error("{metric} needs energy to divide by, and it is zero: measure a period in which the site ran")]
    NoEnergy {
        /// The ratio asked for.
        metric: &'static str,
    },
    /// A part that is larger than the whole.
    #[error("{metric}: {part} is more than the total of {whole}; both must be of one site and one period")]
    PartExceedsWhole {
        /// The ratio asked for.
        metric: &'static str,
        /// The part.
        part: Energy,
        /// The whole.
        whole: Energy,
    },
    /// Facility energy below IT energy.
    #[error("facility energy below IT energy: {0}")]
    Pue(#[from] InvalidPue),
    /// A negative or undefined amount of water or carbon.
    #[error("{metric} of {value}: give a finite amount of zero or more")]
    Amount {
        /// The ratio asked for.
        metric: &'static str,
        /// The amount as given.
        value: f64,
    },
}

/// PUE from metered energies: facility over IT, of the same site and period (ISO/IEC 30134-2).
///
/// # Errors
/// No IT energy, or less facility than IT energy.
pub fn measured_pue(facility: Energy, it: Energy) -> Result<Pue, SiteError> {
    if it == Energy::ZERO {
        return Err(SiteError::NoEnergy { metric: "PUE" });
    }
    Ok(Pue::new(facility.joules() / it.joules())?)
}

fn fraction(metric: &'static str, part: Energy, whole: Energy) -> Result<f64, SiteError> {
    if whole == Energy::ZERO {
        return Err(SiteError::NoEnergy { metric });
    }
    if part > whole {
        return Err(SiteError::PartExceedsWhole { metric, part, whole });
    }
    Ok(part.joules() / whole.joules())
}

/// Renewable energy factor: renewable over total facility energy, 0 to 1 (ISO/IEC 30134-3).
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Ref(f64);

impl Ref {
    /// From energies of one year.
    ///
    /// # Errors
    /// No energy at all, or more renewable than total energy.
    pub fn new(renewable: Energy, total: Energy) -> Result<Self, SiteError> {
        fraction("REF", renewable, total).map(Ref)
    }

    /// The share, 0 to 1.
    #[must_use]
    pub const fn share(self) -> f64 {
        self.0
    }
}

/// Energy reuse factor: energy reused outside the site over total energy, 0 to 1 (ISO/IEC 30134-6).
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Erf(f64);

impl Erf {
    /// From energies of one year.
    ///
    /// # Errors
    /// No energy at all, or more reused than total energy.
    pub fn new(reused: Energy, total: Energy) -> Result<Self, SiteError> {
        fraction("ERF", reused, total).map(Erf)
    }

    /// The share, 0 to 1.
    #[must_use]
    pub const fn share(self) -> f64 {
        self.0
    }
}

/// A volume of water in litres.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Water(f64);

impl Water {
    /// From litres.
    #[must_use]
    pub const fn from_litres(litres: f64) -> Self {
        Water(litres)
    }

    /// In litres.
    #[must_use]
    pub const fn litres(self) -> f64 {
        self.0
    }
}

/// Water usage effectiveness: litres of water per kilowatt-hour of IT energy (ISO/IEC 30134-9).
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Wue(f64);

impl Wue {
    /// From water and IT energy of one year.
    ///
    /// # Errors
    /// No IT energy, or a negative or undefined volume.
    pub fn new(water: Water, it: Energy) -> Result<Self, SiteError> {
        per_kilowatt_hour("WUE", water.litres(), it).map(Wue)
    }

    /// In litres per kilowatt-hour.
    #[must_use]
    pub const fn litres_per_kilowatt_hour(self) -> f64 {
        self.0
    }
}

/// Carbon usage effectiveness: emissions per kilowatt-hour of IT energy (ISO/IEC 30134-8).
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Cue(CarbonIntensity);

impl Cue {
    /// From emissions and IT energy of one year.
    ///
    /// # Errors
    /// No IT energy, or negative or undefined emissions.
    pub fn new(mass: CarbonMass, it: Energy) -> Result<Self, SiteError> {
        per_kilowatt_hour("CUE", mass.grams(), it).map(|g| Cue(CarbonIntensity::from_grams_per_kilowatt_hour(g)))
    }

    /// As an intensity of IT energy; the standard states it in kilograms per kilowatt-hour.
    #[must_use]
    pub const fn intensity(self) -> CarbonIntensity {
        self.0
    }
}

fn per_kilowatt_hour(metric: &'static str, value: f64, it: Energy) -> Result<f64, SiteError> {
    if it == Energy::ZERO {
        return Err(SiteError::NoEnergy { metric });
    }
    if !(value.is_finite() && value >= 0.0) {
        return Err(SiteError::Amount { metric, value });
    }
    Ok(value / it.kilowatt_hours())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kwh(value: f64) -> Energy {
        Energy::from_kilowatt_hours(value)
    }

    #[test]
    fn a_pue_is_a_quotient_of_two_meters_not_of_a_power_with_itself() {
        assert_eq!(measured_pue(kwh(1203.0), kwh(1000.0)).unwrap().ratio(), 1.203);
        assert!(matches!(measured_pue(kwh(9.0), kwh(10.0)), Err(SiteError::Pue(_))));
        assert!(matches!(measured_pue(kwh(9.0), Energy::ZERO), Err(SiteError::NoEnergy { metric: "PUE" })));
    }

    #[test]
    fn shares_stay_between_nothing_and_everything() {
        assert_eq!(Ref::new(kwh(25.0), kwh(100.0)).unwrap().share(), 0.25);
        assert_eq!(Erf::new(kwh(10.0), kwh(100.0)).unwrap().share(), 0.1);
        assert!(matches!(Ref::new(kwh(101.0), kwh(100.0)), Err(SiteError::PartExceedsWhole { .. })));
    }

    #[test]
    fn water_and_carbon_are_counted_per_kilowatt_hour_of_it_energy() {
        assert_eq!(Wue::new(Water::from_litres(40.0), kwh(100.0)).unwrap().litres_per_kilowatt_hour(), 0.4);
        let cue = Cue::new(CarbonMass::from_grams(51_000.0), kwh(100.0)).unwrap();
        assert!((cue.intensity().grams_per_kilowatt_hour() - 510.0).abs() < 1e-9);
        assert!(matches!(Wue::new(Water::from_litres(-1.0), kwh(1.0)), Err(SiteError::Amount { .. })));
    }
}
