//! A typical day, hour by hour of local time, repeated.

use super::{
    CurrentIntensity, IntensityError, IntensityFigure, IntensitySeries, IntensitySource, Period, Provenance,
    SeriesBasis, stretch,
};
use crate::series::{Series, Step, local_hours};
use crate::units::CarbonIntensity;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan, Zoned};
use std::time::Duration;

/// A profile that cannot be used.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ProfileError {
    /// Neither one day nor twelve.
    #[error("a profile has one day of 24 hours, or one for each of the 12 months; this has {0} days")]
    Days(usize),
    /// A value that no grid can have.
    #[error("the profile's value {value} at hour {hour} is not an intensity: give a finite figure of zero or more")]
    Value {
        /// Hour of the day, 0 to 23.
        hour: usize,
        /// The value as given.
        value: CarbonIntensity,
    },
}

/// Intensities for each hour of the local day, the same all year or by month.
///
/// Hours are wall-clock hours of the zone: on the day the clocks go forward one hour is missing, on
/// the day they go back one comes twice, as for the people whose habits the profile describes.
#[derive(Clone, Debug)]
pub struct HourlyProfile {
    name: String,
    provenance: Provenance,
    time_zone: TimeZone,
    days: Vec<[CarbonIntensity; 24]>,
}

impl HourlyProfile {
    /// From one day (all year) or twelve (January first) of 24 hours (midnight first).
    ///
    /// # Errors
    /// Another number of days, or a value that is negative or undefined.
    pub fn new(
        name: impl Into<String>,
        provenance: Provenance,
        time_zone: TimeZone,
        days: Vec<[CarbonIntensity; 24]>,
    ) -> Result<Self, ProfileError> {
        if days.len() != 1 && days.len() != 12 {
            return Err(ProfileError::Days(days.len()));
        }
        for (hour, &value) in days.iter().flat_map(|day| day.iter().enumerate()) {
            let grams = value.grams_per_kilowatt_hour();
            if !(grams.is_finite() && grams >= 0.0) {
                return Err(ProfileError::Value { hour, value });
            }
        }
        Ok(HourlyProfile { name: name.into(), provenance, time_zone, days })
    }

    /// The value for a wall-clock time; `days` holds one day or twelve, so the indices exist.
    fn value(&self, local: &Zoned) -> Option<CarbonIntensity> {
        let day = if self.days.len() == 1 { 0 } else { usize::try_from(local.month() - 1).ok()? };
        self.days.get(day)?.get(usize::try_from(local.hour()).ok()?).copied()
    }

    fn series(&self, zone: &str, from: Timestamp, to: Timestamp) -> Result<IntensitySeries, IntensityError> {
        self.check(zone)?;
        let valued =
            |step: Step<Zoned>| self.value(&step.value).map(|value| Step { start: step.start, end: step.end, value });
        let steps = local_hours(from, to, &self.time_zone).filter_map(valued).collect();
        let nothing = || IntensityError::NoData { origin: self.name.clone(), zone: zone.into(), from, to };
        let all = Series::new(steps).map_err(|_| nothing())?;
        Ok(IntensitySeries {
            provenance: self.provenance.clone(),
            basis: SeriesBasis::Profile,
            values: stretch(&self.name, zone, &all, (from, to))?,
        })
    }

    fn check(&self, zone: &str) -> Result<(), IntensityError> {
        if zone == self.provenance.zone {
            return Ok(());
        }
        let known = vec![self.provenance.zone.clone()];
        Err(IntensityError::UnknownZone { origin: self.name.clone(), zone: zone.into(), known })
    }
}

impl IntensitySource for HourlyProfile {
    fn name(&self) -> &str {
        &self.name
    }

    fn current(&self, zone: &str, now: Timestamp) -> Result<CurrentIntensity, IntensityError> {
        let hour = now.checked_add(1.hour()).unwrap_or(now);
        let series = self.series(zone, now, hour)?;
        let step = series.values.steps().first().ok_or_else(|| IntensityError::NoData {
            origin: self.name.clone(),
            zone: zone.into(),
            from: now,
            to: hour,
        })?;
        let period = Period::Interval { start: step.start, end: step.end };
        let figure = IntensityFigure { value: step.value, period, provenance: self.provenance.clone() };
        Ok(CurrentIntensity { figure, age: Duration::ZERO })
    }

    fn history(&self, zone: &str, from: Timestamp, to: Timestamp) -> Result<IntensitySeries, IntensityError> {
        self.series(zone, from, to)
    }

    fn forecast(&self, zone: &str, from: Timestamp, to: Timestamp) -> Result<IntensitySeries, IntensityError> {
        self.series(zone, from, to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::intensity::{AccountingMethod, Boundary, IntensityKind};

    fn profile(zone: &str) -> HourlyProfile {
        let provenance = Provenance {
            zone: "Z".into(),
            method: AccountingMethod::Direct,
            is_method_assumed: false,
            boundary: Boundary::Generation,
            kind: IntensityKind::Average,
            source: "test".into(),
        };
        let day = std::array::from_fn(|hour| CarbonIntensity::from_grams_per_kilowatt_hour(hour as f64));
        HourlyProfile::new("profile", provenance, TimeZone::get(zone).unwrap(), vec![day]).unwrap()
    }

    fn hours(zone: &str, from: &str, to: &str) -> Vec<f64> {
        let series = profile(zone).forecast("Z", from.parse().unwrap(), to.parse().unwrap()).unwrap();
        series.values.steps().iter().map(|step| step.value.grams_per_kilowatt_hour()).collect()
    }

    #[test]
    fn hours_are_those_of_the_local_clock() {
        assert_eq!(hours("Asia/Seoul", "2026-06-01T00:00:00Z", "2026-06-01T02:30:00Z"), [9.0, 10.0, 11.0]);
        assert_eq!(hours("Asia/Kolkata", "2026-06-01T00:00:00Z", "2026-06-01T01:00:00Z"), [5.0, 6.0]);
    }

    #[test]
    fn the_day_the_clocks_go_forward_has_no_two_o_clock() {
        let day = hours("Europe/Berlin", "2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z");
        assert_eq!(day.len(), 23);
        assert!(!day.contains(&2.0));
    }

    #[test]
    fn the_day_the_clocks_go_back_has_two_o_clock_twice() {
        let day = hours("Europe/Berlin", "2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z");
        assert_eq!(day.len(), 25);
        assert_eq!(day.iter().filter(|&&hour| hour == 2.0).count(), 2);
    }

    #[test]
    fn a_profile_of_two_days_is_refused() {
        let p = profile("UTC");
        let days = vec![[CarbonIntensity::default(); 24]; 2];
        assert_eq!(HourlyProfile::new("p", p.provenance, TimeZone::UTC, days).unwrap_err(), ProfileError::Days(2));
    }
}
