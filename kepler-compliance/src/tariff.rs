//! Electricity prices by time of use.
//!
//! A [`Tariff`] is data: calendars that sort the hours of a day into classes, rates for the classes,
//! later changes of them, discounts; each with the days it holds. Times are wall-clock times of the
//! tariff's zone. What a tariff's data do not say (KEPCO's winter hours since 2023, which no text of its own was found to state; weekends) has no
//! price, and a schedule then carries none for it.
//!
//! ```
//! use kepler_compliance::tariff::{LoadClass, Tariff};
//! use std::path::Path;
//!
//! let tariff = Tariff::named("KEPCO_INDUSTRIAL_B", Path::new("KEPCO_INDUSTRIAL_B"))?;
//! let tuesday_evening = "2026-05-12T19:00:00+09:00".parse()?;
//! assert_eq!(tariff.class_at(tuesday_evening).map(|(class, _)| class), Some(LoadClass::Peak));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod format;

pub use format::{Calendar, Change, Day, Discount, HourRanges, Hours, LoadClass, Rates, Tariff, TariffError, Validity};

use crate::series::{Series, Step, local_hours};
use crate::units::Energy;
use jiff::civil::{Date, Weekday};
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::ops::{Add, Mul, Sub};
use std::path::Path;

/// A price per kilowatt-hour, in a tariff's currency.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct EnergyPrice(f64);

impl EnergyPrice {
    /// From currency units per kilowatt-hour. May be negative: markets have such hours.
    #[must_use]
    pub const fn per_kilowatt_hour(price: f64) -> Self {
        EnergyPrice(price)
    }

    /// In currency units per kilowatt-hour.
    #[must_use]
    pub const fn value(self) -> f64 {
        self.0
    }
}

/// An amount of money, in a tariff's currency.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Cost(f64);

impl Cost {
    /// From currency units.
    #[must_use]
    pub const fn new(amount: f64) -> Self {
        Cost(amount)
    }

    /// In currency units.
    #[must_use]
    pub const fn amount(self) -> f64 {
        self.0
    }
}

impl Mul<EnergyPrice> for Energy {
    type Output = Cost;
    fn mul(self, price: EnergyPrice) -> Cost {
        Cost(self.kilowatt_hours() * price.0)
    }
}

impl Add for Cost {
    type Output = Cost;
    fn add(self, other: Cost) -> Cost {
        Cost(self.0 + other.0)
    }
}

impl Sub for Cost {
    type Output = Cost;
    fn sub(self, other: Cost) -> Cost {
        Cost(self.0 - other.0)
    }
}

const EMBEDDED: [&str; 2] = [
    include_str!("../data/tariffs/kepco_industrial_b.json"),
    include_str!("../data/tariffs/kepco_industrial_a2_hva_1.json"),
];

impl Tariff {
    /// The tariffs that ship with the library.
    ///
    /// # Errors
    /// The embedded data do not fit their schema; a test sees to it that they do.
    pub fn embedded() -> Result<Vec<Tariff>, TariffError> {
        EMBEDDED.into_iter().map(Tariff::from_json).collect()
    }

    /// A built-in tariff by its code in any letter case, else the one in the file.
    ///
    /// # Errors
    /// There is no such code and the file cannot be read or is no tariff; the error lists the codes.
    pub fn named(code: &str, file: &Path) -> Result<Tariff, TariffError> {
        let built_in = Tariff::embedded()?;
        let wanted = code.trim().replace('-', "_");
        if let Some(tariff) = built_in.iter().find(|tariff| tariff.code.eq_ignore_ascii_case(&wanted)) {
            return Ok(tariff.clone());
        }
        let text = crate::file::read_text(file).map_err(|source| TariffError::Unknown {
            name: code.to_owned(),
            source,
            valid: built_in.into_iter().map(|tariff| tariff.code).collect(),
        })?;
        Tariff::from_json(&text).map_err(|error| TariffError::File { path: file.to_owned(), error: Box::new(error) })
    }

    /// The class of the hour and the season it lies in; none where the data do not say.
    #[must_use]
    pub fn class_at(&self, time: Timestamp) -> Option<(LoadClass, &str)> {
        self.class_of(&time.to_zoned(self.zone()?))
    }

    /// The energy price at a time: the rate of its class, with the changes since and the discounts
    /// then. None where class or rate is not known.
    #[must_use]
    pub fn price_at(&self, time: Timestamp) -> Option<EnergyPrice> {
        self.price_of(&time.to_zoned(self.zone()?))
    }

    /// The prices from `from` to `to`, hour by hour; unknown hours are gaps.
    #[must_use]
    pub fn prices(&self, from: Timestamp, to: Timestamp) -> Option<Series<EnergyPrice>> {
        let priced = |step: Step<Zoned>| {
            self.price_of(&step.value).map(|value| Step { start: step.start, end: step.end, value })
        };
        Series::new(local_hours(from, to, &self.zone()?).filter_map(priced).collect()).ok()
    }

    fn zone(&self) -> Option<TimeZone> {
        TimeZone::get(&self.time_zone).ok()
    }

    fn season(&self, month: i8) -> Option<&str> {
        let holds = |months: &Vec<i8>| months.contains(&month);
        self.seasons.iter().find(|(_, months)| holds(months)).map(|(name, _)| name.as_str())
    }

    fn day(&self, date: Date) -> Day {
        if self.holidays.contains(&date) {
            return Day::Holiday;
        }
        match date.weekday() {
            Weekday::Monday => Day::Mon,
            Weekday::Tuesday => Day::Tue,
            Weekday::Wednesday => Day::Wed,
            Weekday::Thursday => Day::Thu,
            Weekday::Friday => Day::Fri,
            Weekday::Saturday => Day::Sat,
            Weekday::Sunday => Day::Sun,
        }
    }

    fn class_of(&self, local: &Zoned) -> Option<(LoadClass, &str)> {
        let season = self.season(local.month())?;
        let day = self.day(local.date());
        let calendar = self.calendars.iter().find(|calendar| calendar.validity.holds(local.date()))?;
        let fits = |hours: &&Hours| hours.seasons.iter().any(|own| own == season) && hours.days.contains(&day);
        let class = calendar.hours.iter().find(fits)?.class(local.hour())?;
        Some((class, season))
    }

    fn price_of(&self, local: &Zoned) -> Option<EnergyPrice> {
        let (class, season) = self.class_of(local)?;
        let (date, day) = (local.date(), self.day(local.date()));
        let rates = self.rates.iter().find(|rates| rates.validity.holds(date))?;
        let base = rates.per_kwh.get(&class)?.get(season)?;
        // A change counts on top of rates that were set before it.
        let since = |change: &&Change| {
            change.valid_from <= date && rates.validity.valid_from.is_none_or(|set| set < change.valid_from)
        };
        let concerns = |change: &&Change| change.class == class && change.seasons.iter().any(|own| own == season);
        let changes: f64 = self.changes.iter().filter(since).filter(concerns).map(|change| change.add).sum();
        let applies = |discount: &&Discount| {
            discount.validity.holds(date)
                && discount.months.contains(&local.month())
                && discount.days.contains(&day)
                && discount.hours.contain(local.hour())
        };
        let factor: f64 = self.discounts.iter().filter(applies).map(|discount| discount.factor).product();
        Some(EnergyPrice((base + changes) * factor))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tariff(code: &str) -> Tariff {
        Tariff::embedded().unwrap().into_iter().find(|tariff| tariff.code == code).unwrap()
    }

    fn at(text: &str) -> Timestamp {
        format!("{text}:00+09:00").parse().unwrap()
    }

    #[test]
    fn the_change_of_16_april_2026_moves_the_peak_into_the_evening() {
        let b = tariff("KEPCO_INDUSTRIAL_B");
        let class = |text: &str| b.class_at(at(text)).map(|(class, _)| class);
        for (hour, before, after) in [
            ("11:30", LoadClass::Peak, LoadClass::Mid),
            ("13:00", LoadClass::Peak, LoadClass::Mid),
            ("15:00", LoadClass::Peak, LoadClass::Peak),
            ("18:30", LoadClass::Mid, LoadClass::Peak),
            ("21:00", LoadClass::Mid, LoadClass::Mid),
            ("22:00", LoadClass::Light, LoadClass::Light),
            ("07:59", LoadClass::Light, LoadClass::Light),
        ] {
            assert_eq!(class(&format!("2026-04-15T{hour}")), Some(before), "Wednesday {hour}");
            assert_eq!(class(&format!("2026-04-16T{hour}")), Some(after), "Thursday {hour}");
        }
    }

    #[test]
    fn hours_that_no_source_states_have_no_class() {
        let b = tariff("KEPCO_INDUSTRIAL_B");
        assert_eq!(b.class_at(at("2026-12-01T10:00")), None, "winter since 2023");
        assert_eq!(b.class_at(at("2026-05-02T10:00")), None, "a Saturday");
        assert_eq!(b.class_at(at("2022-12-01T10:00")), Some((LoadClass::Peak, "winter")));
    }

    #[test]
    fn rates_hold_for_their_days_and_prices_leave_gaps() {
        let a = tariff("KEPCO_INDUSTRIAL_A2_HVA_1");
        let price = |text: &str| a.price_at(at(text)).map(EnergyPrice::value);
        assert_eq!(price("2025-07-01T14:00"), Some(155.0));
        assert_eq!(price("2025-07-01T23:00"), Some(95.7));
        assert_eq!(price("2026-06-01T14:00"), None, "rates after the change are not known");
        let friday_to_monday = a.prices(at("2025-07-04T22:00"), at("2025-07-07T02:00")).unwrap();
        assert_eq!(friday_to_monday.steps().len(), 2 + 2, "nothing on Saturday and Sunday");
    }

    #[test]
    fn a_users_rates_take_the_stated_change_and_the_weekend_discount() {
        let mut b = tariff("KEPCO_INDUSTRIAL_B");
        let a = tariff("KEPCO_INDUSTRIAL_A2_HVA_1");
        b.rates = a.rates;
        b.rates[0].validity.valid_to = None;
        b.calendars[2].hours[0].days.extend([Day::Sat, Day::Holiday]);
        b.holidays.push(jiff::civil::date(2026, 5, 5));
        let price = |text: &str| b.price_at(at(text)).unwrap().value();
        assert!((price("2026-04-15T23:00") - 95.7).abs() < 1e-9);
        assert!((price("2026-04-16T23:00") - (95.7 + 5.1)).abs() < 1e-9);
        assert!((price("2026-05-04T16:00") - (119.7 - 13.2)).abs() < 1e-9);
        assert!((price("2026-05-02T11:00") - 100.5 / 2.0).abs() < 1e-9, "Saturday noon at half price");
        assert!((price("2026-05-05T13:00") - 100.5 / 2.0).abs() < 1e-9, "a holiday");
    }

    #[test]
    fn a_kilowatt_hour_at_a_price_costs_it() {
        assert_eq!(Energy::from_kilowatt_hours(2.0) * EnergyPrice::per_kilowatt_hour(95.7), Cost::new(191.4));
    }

    #[test]
    fn an_error_in_a_file_names_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("mine.json");
        for (text, part) in [("root:*:1", "line 1"), (&EMBEDDED[0].replace("Asia/Seoul", "Asia/Soul"), "Asia/Soul")] {
            std::fs::write(&file, text).unwrap();
            let error = Tariff::named("mine.json", &file).unwrap_err().to_string();
            assert!(error.contains("mine.json") && error.contains(part) && !error.contains("root"), "{error}");
        }
    }

    #[test]
    fn a_tariff_with_an_hour_in_two_classes_or_none_is_refused() {
        let bad = EMBEDDED[0].replace(r#""peak": ["15-21"]"#, r#""peak": ["15-22"]"#);
        assert!(Tariff::from_json(&bad).unwrap_err().to_string().contains("21"), "two");
        let bad = EMBEDDED[0].replace(r#""peak": ["15-21"]"#, r#""peak": ["16-21"]"#);
        assert!(Tariff::from_json(&bad).unwrap_err().to_string().contains("15"), "none");
        assert!(Tariff::from_json(&EMBEDDED[0].replace("Asia/Seoul", "Asia/Soul")).is_err());
        for (text, part) in [
            (
                EMBEDDED[0].replace(r#""22-08""#, r#""22-26""#),
                "`calendars[1].hours[0].light`: `…` is no range of whole",
            ),
            (EMBEDDED[0].replace(r#""summer": ["#, r#""sommer": ["#), "`seasons` has no `summer`, which `calendars`"),
            (EMBEDDED[0].replace(r#""currency": "KRW","#, ""), "missing field `currency`"),
        ] {
            let error = Tariff::from_json(&text).unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        }
    }
}
