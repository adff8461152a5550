//! The static source: yearly averages from the zone table, or one figure the user states.

use super::{
    CurrentIntensity, IntensityError, IntensityFigure, IntensitySeries, IntensitySource, Period, SeriesBasis, stretch,
};
use crate::series::{Series, span};
use crate::zones::Zones;
use jiff::civil::date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use std::collections::BTreeMap;
use std::time::Duration;

/// Yearly averages, one figure a zone. It always answers and never says *when* to run: its series
/// are flat and say so ([`SeriesBasis::YearlyAverage`]).
#[derive(Clone, Debug)]
pub struct IntensityTable {
    name: String,
    builtin: bool,
    figures: BTreeMap<String, IntensityFigure>,
}

impl IntensityTable {
    /// From figures, one for each zone; a later one replaces an earlier.
    pub fn new(name: impl Into<String>, figures: impl IntoIterator<Item = IntensityFigure>) -> Self {
        let figures = figures.into_iter().map(|figure| (figure.provenance.zone.clone(), figure)).collect();
        IntensityTable { name: name.into(), builtin: false, figures }
    }

    /// The preferred figure of every zone that has one of its own or of its country.
    #[must_use]
    pub fn from_zones(zones: &Zones) -> Self {
        let figure = |zone| {
            let figure = zones.intensity(zone)?.figure;
            Some((zone.id.clone(), figure))
        };
        IntensityTable {
            name: "zone table".to_owned(),
            builtin: true,
            figures: zones.iter().filter_map(figure).collect(),
        }
    }

    fn figure(&self, zone: &str) -> Result<&IntensityFigure, IntensityError> {
        self.figures.get(zone).ok_or_else(|| IntensityError::UnknownZone {
            origin: self.name.clone(),
            zone: zone.into(),
            known: self.figures.keys().cloned().collect(),
        })
    }

    fn flat(&self, zone: &str, from: Timestamp, to: Timestamp) -> Result<IntensitySeries, IntensityError> {
        let figure = self.figure(zone)?;
        let nothing = || IntensityError::NoData { origin: self.name.clone(), zone: zone.into(), from, to };
        let values = Series::constant(from, to, figure.value).map_err(|_| nothing())?;
        Ok(IntensitySeries {
            provenance: figure.provenance.clone(),
            basis: SeriesBasis::YearlyAverage,
            values: stretch(&self.name, zone, &values, (from, to))?,
        })
    }
}

impl IntensitySource for IntensityTable {
    fn name(&self) -> &str {
        &self.name
    }

    fn is_builtin(&self) -> bool {
        self.builtin
    }

    fn current(&self, zone: &str, now: Timestamp) -> Result<CurrentIntensity, IntensityError> {
        let figure = self.figure(zone)?;
        Ok(CurrentIntensity { age: age(figure.period, now), figure: figure.clone() })
    }

    fn history(&self, zone: &str, from: Timestamp, to: Timestamp) -> Result<IntensitySeries, IntensityError> {
        self.flat(zone, from, to)
    }

    fn forecast(&self, zone: &str, from: Timestamp, to: Timestamp) -> Result<IntensitySeries, IntensityError> {
        self.flat(zone, from, to)
    }
}

/// How long before `now` the period ended (years end in UTC), zero while it lasts.
fn age(period: Period, now: Timestamp) -> Duration {
    let year = match period {
        Period::Year(year) | Period::Years { to: year, .. } => year,
        Period::Interval { end, .. } => return span(end, now),
    };
    let next = date(year, 1, 1).checked_add(1.year()).and_then(|day| day.to_zoned(TimeZone::UTC));
    next.map_or(Duration::ZERO, |end| span(end.timestamp(), now))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn korea_now_is_its_official_factor_with_its_age() {
        let table = IntensityTable::from_zones(&Zones::embedded().unwrap());
        let now = table.current("KR", time("2026-01-01T00:00:00Z")).unwrap();
        assert_eq!(now.figure.value.grams_per_kilowatt_hour(), 417.3);
        assert_eq!(now.age.as_secs() / 86_400, 731, "2023 ended two years ago, one of them a leap year");
    }

    #[test]
    fn a_flat_series_says_it_is_a_yearly_average() {
        let table = IntensityTable::from_zones(&Zones::embedded().unwrap());
        let (from, to) = (time("2026-01-01T00:00:00Z"), time("2026-01-02T00:00:00Z"));
        let series = table.forecast("KR", from, to).unwrap();
        assert_eq!((series.basis, series.values.steps().len()), (SeriesBasis::YearlyAverage, 1));
        assert!(matches!(table.forecast("KR", to, from), Err(IntensityError::NoData { .. })));
    }

    #[test]
    fn an_unknown_zone_is_an_error_that_names_the_known_ones() {
        let table = IntensityTable::from_zones(&Zones::embedded().unwrap());
        let error = table.current("Atlantis", Timestamp::UNIX_EPOCH).unwrap_err().to_string();
        assert!(error.contains("Atlantis") && error.contains("KR"), "{error}");
    }
}
