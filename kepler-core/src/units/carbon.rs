//! Carbon: how much a kilowatt-hour, a watt or a joule emits.

use super::{Energy, Power, quantity};
use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign, Mul, Sub};
use std::time::Duration;

/// Emissions per unit of energy, in grams of CO2 equivalent per kilowatt-hour.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(transparent))]
pub struct CarbonIntensity(f64);

impl CarbonIntensity {
    /// From gCO2e/kWh.
    #[must_use]
    pub const fn from_grams_per_kilowatt_hour(grams: f64) -> Self {
        CarbonIntensity(grams)
    }

    /// From pounds of CO2 per megawatt-hour, the unit of WattTime (1 lb = 453.59237 g).
    #[must_use]
    pub fn from_pounds_per_megawatt_hour(pounds: f64) -> Self {
        CarbonIntensity(pounds * 0.453_592_37)
    }

    /// In gCO2e/kWh.
    #[must_use]
    pub const fn grams_per_kilowatt_hour(self) -> f64 {
        self.0
    }
}

/// A mass of CO2 equivalent, in grams.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(transparent))]
pub struct CarbonMass(f64);

impl CarbonMass {
    /// No emissions.
    pub const ZERO: CarbonMass = CarbonMass(0.0);

    /// From grams.
    #[must_use]
    pub const fn from_grams(grams: f64) -> Self {
        CarbonMass(grams)
    }

    /// In grams.
    #[must_use]
    pub const fn grams(self) -> f64 {
        self.0
    }

    /// In kilograms.
    #[must_use]
    pub fn kilograms(self) -> f64 {
        self.0 / 1e3
    }

    /// In (metric) tonnes.
    #[must_use]
    pub fn tonnes(self) -> f64 {
        self.0 / 1e6
    }
}

/// Emissions per unit of time, in grams of CO2 equivalent per hour.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(transparent))]
pub struct CarbonRate(f64);

impl CarbonRate {
    /// From gCO2e/h.
    #[must_use]
    pub const fn from_grams_per_hour(grams: f64) -> Self {
        CarbonRate(grams)
    }

    /// In gCO2e/h.
    #[must_use]
    pub const fn grams_per_hour(self) -> f64 {
        self.0
    }
}

/// Power usage effectiveness: facility energy over IT energy (ISO/IEC 30134-2), at least 1.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(try_from = "f64", into = "f64"))]
pub struct Pue(f64);

/// A PUE below 1 or above [`Pue::HIGHEST`], or not a number.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[error(
    "PUE {0:?} is not possible: it is facility energy over IT energy, so at least 1 (1.0 means no overhead), and at most {highest}",
    highest = Pue::HIGHEST
)]
#[non_exhaustive]
pub struct InvalidPue(pub f64);

impl Pue {
    /// No overhead: facility energy equals IT energy.
    pub const ONE: Pue = Pue(1.0);

    /// More than any facility has, whose overhead is a hundred times what it is for.
    pub const HIGHEST: f64 = 100.0;

    /// A PUE from its ratio.
    ///
    /// # Errors
    /// Below 1, above [`Pue::HIGHEST`] or not a number.
    pub fn new(ratio: f64) -> Result<Self, InvalidPue> {
        if (1.0..=Pue::HIGHEST).contains(&ratio) { Ok(Pue(ratio)) } else { Err(InvalidPue(ratio)) }
    }

    /// The ratio, 1 or more.
    #[must_use]
    pub const fn ratio(self) -> f64 {
        self.0
    }
}

impl TryFrom<f64> for Pue {
    type Error = InvalidPue;
    fn try_from(ratio: f64) -> Result<Self, InvalidPue> {
        Pue::new(ratio)
    }
}

impl From<Pue> for f64 {
    fn from(pue: Pue) -> f64 {
        pue.ratio()
    }
}

impl Mul<CarbonIntensity> for Energy {
    type Output = CarbonMass;
    fn mul(self, intensity: CarbonIntensity) -> CarbonMass {
        CarbonMass(self.kilowatt_hours() * intensity.0)
    }
}

impl Mul<CarbonIntensity> for Power {
    type Output = CarbonRate;
    fn mul(self, intensity: CarbonIntensity) -> CarbonRate {
        CarbonRate(self.watts() / 1e3 * intensity.0)
    }
}

impl Mul<Duration> for CarbonRate {
    type Output = CarbonMass;
    fn mul(self, elapsed: Duration) -> CarbonMass {
        CarbonMass(self.0 * elapsed.as_secs_f64() / 3600.0)
    }
}

/// Energy at the facility for this IT energy.
impl Mul<Pue> for Energy {
    type Output = Energy;
    fn mul(self, pue: Pue) -> Energy {
        Energy::from_joules(self.joules() * pue.0)
    }
}

/// Power at the facility for this IT power.
impl Mul<Pue> for Power {
    type Output = Power;
    fn mul(self, pue: Pue) -> Power {
        self * pue.0
    }
}

/// Effective intensity: emissions per kilowatt-hour of *IT* energy.
impl Mul<Pue> for CarbonIntensity {
    type Output = CarbonIntensity;
    fn mul(self, pue: Pue) -> CarbonIntensity {
        CarbonIntensity(self.0 * pue.0)
    }
}

impl Add for CarbonMass {
    type Output = CarbonMass;
    fn add(self, other: CarbonMass) -> CarbonMass {
        CarbonMass(self.0 + other.0)
    }
}

impl AddAssign for CarbonMass {
    fn add_assign(&mut self, other: CarbonMass) {
        self.0 += other.0;
    }
}

impl Sub for CarbonMass {
    type Output = CarbonMass;
    fn sub(self, other: CarbonMass) -> CarbonMass {
        CarbonMass(self.0 - other.0)
    }
}

impl Sum for CarbonMass {
    fn sum<I: Iterator<Item = CarbonMass>>(iter: I) -> CarbonMass {
        iter.fold(CarbonMass::ZERO, Add::add)
    }
}

impl fmt::Display for CarbonIntensity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        quantity(f, self.0, " gCO2e/kWh")
    }
}

impl fmt::Display for CarbonMass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        quantity(f, self.0, " gCO2e")
    }
}

impl fmt::Display for CarbonRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        quantity(f, self.0, " gCO2e/h")
    }
}

impl fmt::Display for Pue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        quantity(f, self.0, "")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pod_of_6_76_watts_emits_2_87_grams_an_hour_at_424() {
        let grid = CarbonIntensity::from_grams_per_kilowatt_hour(424.0);
        let rate = Power::from_watts(6.76) * Pue::ONE * grid;
        assert!((rate.grams_per_hour() - 2.866).abs() < 0.001, "{rate}");
        let hour = Duration::from_secs(3600);
        assert!(((rate * hour).grams() - rate.grams_per_hour()).abs() < 1e-12);
    }

    #[test]
    fn a_pue_below_one_is_refused_by_name() {
        assert_eq!(Pue::new(0.9), Err(InvalidPue(0.9)));
        assert!(Pue::new(1e308).is_err() && Pue::new(f64::NAN).is_err() && Pue::new(Pue::HIGHEST).is_ok());
        assert!(Pue::new(f64::NAN).is_err());
        assert!(InvalidPue(0.9).to_string().contains("at least 1") && InvalidPue(1e308).to_string().len() < 200);
    }

    #[test]
    fn watttime_pounds_become_grams() {
        let ci = CarbonIntensity::from_pounds_per_megawatt_hour(1000.0);
        assert!((ci.grams_per_kilowatt_hour() - 453.592_37).abs() < 1e-9);
    }
}
