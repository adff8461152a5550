//! Typed quantities: energy, power, carbon. Each constructor and accessor names its unit.
//!
//! Only the operators that make physical sense exist: [`Power`]` * `[`Duration`] is an [`Energy`],
//! [`Power`]` * `[`CarbonIntensity`] is a [`CarbonRate`]. A formula that mixes units does not
//! compile, and a rate is never mistaken for an intensity.
//!
//! ```
//! use kepler_core::units::{CarbonIntensity, Power};
//! use std::time::Duration;
//!
//! let power = Power::from_watts(57.5);
//! let grid = CarbonIntensity::from_grams_per_kilowatt_hour(424.0);
//! let hour = Duration::from_secs(3600);
//!
//! assert!(((power * hour) * grid).grams() - 24.38 < 1e-9);
//! assert!((power * grid).grams_per_hour() - 24.38 < 1e-9);
//! ```
//!
//! ```compile_fail
//! use kepler_core::units::{CarbonIntensity, Power};
//! let wrong = Power::from_watts(1.0) + CarbonIntensity::from_grams_per_kilowatt_hour(1.0);
//! ```

mod carbon;
mod zone;

pub use carbon::{CarbonIntensity, CarbonMass, CarbonRate, InvalidPue, Pue};
pub use zone::{PerZone, UnknownZoneKind, ZoneKind};

use std::fmt::{self, Write as _};
use std::iter::Sum;
use std::ops::{Add, AddAssign, Div, Mul, Sub};
use std::time::Duration;

/// Microjoules in a kilowatt-hour.
const MICROJOULES_PER_KILOWATT_HOUR: f64 = 3.6e12;

/// An amount of energy, held in whole microjoules (1 µJ … 18.4 TJ).
///
/// Integer, because totals must be conserved exactly: a float ledger drifts. Arithmetic saturates
/// at both ends instead of wrapping, so no sum of counters can run backwards.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(transparent))]
pub struct Energy(u64);

impl Energy {
    /// No energy.
    pub const ZERO: Energy = Energy(0);
    /// The largest representable energy.
    pub const MAX: Energy = Energy(u64::MAX);

    /// From microjoules, the unit of Linux powercap counters.
    #[must_use]
    pub const fn from_microjoules(microjoules: u64) -> Self {
        Energy(microjoules)
    }

    /// From joules, rounded to the nearest microjoule. Negative and NaN become zero.
    #[must_use]
    pub fn from_joules(joules: f64) -> Self {
        Energy((joules * 1e6).round() as u64)
    }

    /// From kilowatt-hours, rounded to the nearest microjoule. Negative and NaN become zero.
    #[must_use]
    pub fn from_kilowatt_hours(kilowatt_hours: f64) -> Self {
        Energy((kilowatt_hours * MICROJOULES_PER_KILOWATT_HOUR).round() as u64)
    }

    /// In microjoules.
    #[must_use]
    pub const fn microjoules(self) -> u64 {
        self.0
    }

    /// In joules.
    #[must_use]
    pub fn joules(self) -> f64 {
        self.0 as f64 / 1e6
    }

    /// In kilowatt-hours.
    #[must_use]
    pub fn kilowatt_hours(self) -> f64 {
        self.0 as f64 / MICROJOULES_PER_KILOWATT_HOUR
    }

    /// `self - other`, or zero where `other` is larger.
    #[must_use]
    pub const fn saturating_sub(self, other: Energy) -> Energy {
        Energy(self.0.saturating_sub(other.0))
    }

    /// `self - other`, or `None` where `other` is larger.
    #[must_use]
    pub const fn checked_sub(self, other: Energy) -> Option<Energy> {
        match self.0.checked_sub(other.0) {
            Some(rest) => Some(Energy(rest)),
            None => None,
        }
    }

    /// Mean power over `elapsed`; zero watts for an empty interval.
    #[must_use]
    pub fn over(self, elapsed: Duration) -> Power {
        if elapsed.is_zero() { Power::ZERO } else { Power(self.joules() / elapsed.as_secs_f64()) }
    }
}

impl Add for Energy {
    type Output = Energy;
    fn add(self, other: Energy) -> Energy {
        Energy(self.0.saturating_add(other.0))
    }
}

impl AddAssign for Energy {
    fn add_assign(&mut self, other: Energy) {
        *self = *self + other;
    }
}

impl Sub for Energy {
    type Output = Energy;
    /// Saturates at zero; use [`Energy::checked_sub`] where a negative result is an error.
    fn sub(self, other: Energy) -> Energy {
        self.saturating_sub(other)
    }
}

impl Sum for Energy {
    fn sum<I: Iterator<Item = Energy>>(iter: I) -> Energy {
        iter.fold(Energy::ZERO, Add::add)
    }
}

/// Mean power over an interval; [`Energy::over`] is the same without the operator.
impl Div<Duration> for Energy {
    type Output = Power;
    fn div(self, elapsed: Duration) -> Power {
        self.over(elapsed)
    }
}

impl fmt::Display for Energy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        quantity(f, self.joules(), " J")
    }
}

/// Power in watts (joules per second).
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(transparent))]
pub struct Power(f64);

impl Power {
    /// No power.
    pub const ZERO: Power = Power(0.0);

    /// From watts.
    #[must_use]
    pub const fn from_watts(watts: f64) -> Self {
        Power(watts)
    }

    /// From microwatts, the unit of Linux hwmon `powerN_input` and powercap constraints.
    #[must_use]
    pub fn from_microwatts(microwatts: u64) -> Self {
        Power(microwatts as f64 / 1e6)
    }

    /// In watts.
    #[must_use]
    pub const fn watts(self) -> f64 {
        self.0
    }
}

impl Add for Power {
    type Output = Power;
    fn add(self, other: Power) -> Power {
        Power(self.0 + other.0)
    }
}

impl AddAssign for Power {
    fn add_assign(&mut self, other: Power) {
        self.0 += other.0;
    }
}

impl Sub for Power {
    type Output = Power;
    fn sub(self, other: Power) -> Power {
        Power(self.0 - other.0)
    }
}

impl Sum for Power {
    fn sum<I: Iterator<Item = Power>>(iter: I) -> Power {
        iter.fold(Power::ZERO, Add::add)
    }
}

/// A dimensionless factor: a share, a utilisation, a growth.
impl Mul<f64> for Power {
    type Output = Power;
    fn mul(self, factor: f64) -> Power {
        Power(self.0 * factor)
    }
}

impl Mul<Duration> for Power {
    type Output = Energy;
    /// Negative power gives zero energy: energy never runs backwards.
    fn mul(self, elapsed: Duration) -> Energy {
        Energy::from_joules(self.0 * elapsed.as_secs_f64())
    }
}

impl fmt::Display for Power {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        quantity(f, self.0, " W")
    }
}

/// Writes a value with its unit: the precision is the value's, the width is that of both.
fn quantity(f: &mut fmt::Formatter<'_>, value: f64, unit: &str) -> fmt::Result {
    if f.width().is_none() {
        return match f.precision() {
            Some(precision) => write!(f, "{value:.precision$}{unit}"),
            None => write!(f, "{value}{unit}"),
        };
    }
    let text = match f.precision() {
        Some(precision) => format!("{value:.precision$}{unit}"),
        None => format!("{value}{unit}"),
    };
    // `pad` would take the precision for a number of characters.
    let fill = f.fill();
    let missing = f.width().unwrap_or(0).saturating_sub(text.chars().count());
    let before = match f.align() {
        Some(fmt::Alignment::Left) => 0,
        Some(fmt::Alignment::Center) => missing / 2,
        // As numbers, quantities stand on the right.
        Some(fmt::Alignment::Right) | None => missing,
    };
    (0..before).try_for_each(|_| f.write_char(fill))?;
    f.write_str(&text)?;
    (before..missing).try_for_each(|_| f.write_char(fill))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_kilowatt_hour_is_three_point_six_megajoules() {
        assert_eq!(Energy::from_kilowatt_hours(1.0), Energy::from_joules(3.6e6));
        assert_eq!(Energy::from_joules(3.6e6).kilowatt_hours(), 1.0);
    }

    #[test]
    fn an_empty_interval_has_no_power() {
        assert_eq!(Energy::from_joules(5.0).over(Duration::ZERO), Power::ZERO);
    }

    #[test]
    fn negative_or_undefined_joules_are_no_energy() {
        assert_eq!(Energy::from_joules(-1.0), Energy::ZERO);
        assert_eq!(Energy::from_joules(f64::NAN), Energy::ZERO);
        assert_eq!(Power::from_watts(-3.0) * Duration::from_secs(1), Energy::ZERO);
    }

    #[test]
    fn every_quantity_is_shown_with_the_precision_and_the_width_asked_for() {
        let energy = Energy::from_microjoules(12_345_678);
        assert_eq!(format!("{energy}"), "12.345678 J");
        assert_eq!(format!("{energy:.1}|{energy:>10.1}|{energy:<10.1}|"), "12.3 J|    12.3 J|12.3 J    |");
        assert_eq!(
            format!("{:*^9.1}|{:12}|", Power::from_watts(4.0), Power::from_watts(-0.5)),
            "**4.0 W**|      -0.5 W|"
        );
        let intensity = CarbonIntensity::from_grams_per_kilowatt_hour(424.05);
        assert_eq!(format!("{intensity:>16.0}|"), "   424 gCO2e/kWh|");
        assert_eq!(
            format!("{:.2}|{:9.1}|", CarbonMass::from_grams(2.866), CarbonMass::from_grams(2.866)),
            "2.87 gCO2e|2.9 gCO2e|"
        );
        assert_eq!(format!("{:.0}", CarbonRate::from_grams_per_hour(19.9)), "20 gCO2e/h");
        assert_eq!(format!("{:>6.2}|{}", Pue::ONE, Pue::ONE), "  1.00|1");
        assert_eq!(format!("{energy:3}"), "12.345678 J", "what does not fit is not cut");
    }

    proptest! {
        #[test]
        fn power_times_time_returns_the_energy(uj in 0u64..1_000_000_000_000, ms in 1u64..1_000_000) {
            let t = Duration::from_millis(ms);
            let back = (Energy::from_microjoules(uj) / t) * t;
            prop_assert!(back.microjoules().abs_diff(uj) <= 1 + uj / 1_000_000_000_000);
        }

        #[test]
        fn energy_never_wraps(a: u64, b: u64) {
            let (a, b) = (Energy::from_microjoules(a), Energy::from_microjoules(b));
            prop_assert!(a + b >= a.max(b));
            prop_assert!(a - b <= a);
        }
    }
}
