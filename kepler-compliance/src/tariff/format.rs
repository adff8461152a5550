//! The data of a tariff.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// A tariff whose energy price depends on the time of use.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Tariff {
    /// Its code.
    pub code: String,
    /// English name.
    pub name: String,
    /// Name in the language of the place.
    #[serde(default)]
    pub name_local: Option<String>,
    /// IANA time zone of its hours.
    pub time_zone: String,
    /// ISO 4217 code.
    pub currency: String,
    /// What a reader should know.
    #[serde(default)]
    pub note: String,
    /// Season -> its months, 1 to 12.
    pub seasons: BTreeMap<String, Vec<i8>>,
    /// Days that count as [`Day::Holiday`] whatever their weekday.
    #[serde(default)]
    pub holidays: Vec<Date>,
    /// Classes of the hours, by time.
    pub calendars: Vec<Calendar>,
    /// Prices of the classes, by time.
    #[serde(default)]
    pub rates: Vec<Rates>,
    /// Changes on top of rates set before them.
    #[serde(default)]
    pub changes: Vec<Change>,
    /// Discounts at certain hours; several multiply.
    #[serde(default)]
    pub discounts: Vec<Discount>,
}

/// First and last day on which something holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Validity {
    /// First day; none means since ever.
    #[serde(default)]
    pub valid_from: Option<Date>,
    /// Last day; none means until further notice.
    #[serde(default)]
    pub valid_to: Option<Date>,
}

impl Validity {
    /// Whether it holds on a day.
    #[must_use]
    pub fn holds(&self, date: Date) -> bool {
        self.valid_from.is_none_or(|from| from <= date) && self.valid_to.is_none_or(|to| date <= to)
    }
}

/// Load class of an hour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "the classes of the tariff")]
pub enum LoadClass {
    /// Off-peak (경부하).
    Light,
    /// Between (중간부하).
    Mid,
    /// Peak (최대부하).
    Peak,
}

/// A day of the week, or a holiday.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "the names of the week say it all")]
#[expect(clippy::exhaustive_enums, reason = "the days of a tariff")]
pub enum Day {
    Mon,
    Tue,
    Wed,
    Thu,
    Fri,
    Sat,
    Sun,
    Holiday,
}

/// The classes of the hours while it holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Calendar {
    /// When it holds.
    #[serde(flatten)]
    pub validity: Validity,
    /// Who states it.
    pub source: String,
    /// What a reader should know.
    #[serde(default)]
    pub note: String,
    /// Classes by season and day; what is not listed is not known.
    pub hours: Vec<Hours>,
}

/// The classes of a day's hours; every hour is in exactly one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Hours {
    /// In which seasons.
    pub seasons: Vec<String>,
    /// On which days.
    pub days: Vec<Day>,
    /// Off-peak hours.
    pub light: HourRanges,
    /// Hours between.
    pub mid: HourRanges,
    /// Peak hours.
    pub peak: HourRanges,
}

impl Hours {
    /// The class of an hour, 0 to 23.
    #[must_use]
    pub fn class(&self, hour: i8) -> Option<LoadClass> {
        let classes = [(LoadClass::Light, &self.light), (LoadClass::Mid, &self.mid), (LoadClass::Peak, &self.peak)];
        classes.into_iter().find(|(_, ranges)| ranges.contain(hour)).map(|(class, _)| class)
    }
}

/// Prices per kilowatt-hour while they hold.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Rates {
    /// When they hold.
    #[serde(flatten)]
    pub validity: Validity,
    /// Who states them.
    pub source: String,
    /// LoadClass -> season -> price.
    pub per_kwh: BTreeMap<LoadClass, BTreeMap<String, f64>>,
}

/// A change of a class's price.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Change {
    /// From this day on.
    pub valid_from: Date,
    /// Of this class.
    pub class: LoadClass,
    /// In these seasons.
    pub seasons: Vec<String>,
    /// By this much per kilowatt-hour.
    pub add: f64,
    /// Who states it.
    pub source: String,
}

/// A discount at certain hours.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Discount {
    /// When it holds.
    #[serde(flatten)]
    pub validity: Validity,
    /// In these months, 1 to 12.
    pub months: Vec<i8>,
    /// On these days.
    pub days: Vec<Day>,
    /// At these hours.
    pub hours: HourRanges,
    /// The price is multiplied by this.
    pub factor: f64,
    /// Who states it.
    pub source: String,
}

/// Ranges of whole hours, `"22-08"`: from 22:00 over midnight to 08:00.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<String>", into = "Vec<String>")]
pub struct HourRanges(Vec<(i8, i8)>);

impl HourRanges {
    /// Whether an hour, 0 to 23, lies in one of them.
    #[must_use]
    pub fn contain(&self, hour: i8) -> bool {
        let inside = |&(from, to): &(i8, i8)| match from < to {
            true => (from..to).contains(&hour),
            false => hour >= from || hour < to,
        };
        self.0.iter().any(inside)
    }
}

impl TryFrom<Vec<String>> for HourRanges {
    type Error = String;
    fn try_from(texts: Vec<String>) -> Result<Self, String> {
        let read = |text: String| {
            let hours = text.split_once('-').and_then(|(from, to)| Some((from.parse().ok()?, to.parse().ok()?)));
            let valid = hours.filter(|(from, to)| (0..24).contains(from) && (0..=24).contains(to) && from != to);
            valid.ok_or(format!("`{text}` is no range of whole hours, such as 22-08"))
        };
        texts.into_iter().map(read).collect::<Result<_, _>>().map(HourRanges)
    }
}

impl From<HourRanges> for Vec<String> {
    fn from(ranges: HourRanges) -> Self {
        ranges.0.into_iter().map(|(from, to)| format!("{from:02}-{to:02}")).collect()
    }
}

/// A tariff that cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TariffError {
    /// No built-in tariff has the name, and no file of that name can be read.
    #[error("`{name}` is no built-in tariff ({}), and no file: {source}", valid.join(", "))]
    Unknown {
        /// The name asked for.
        name: String,
        /// Why it is no file.
        source: std::io::Error,
        /// The codes of the built-in tariffs.
        valid: Vec<String>,
    },
    /// The JSON does not fit.
    #[error("tariff: {}{}", place(field), kepler_core::printable::names_only(&source.to_string()))]
    Json {
        /// Where, as in `calendars[0].hours[1].light`.
        field: String,
        /// What is wrong there.
        source: serde_json::Error,
    },
    /// A file that was named as a tariff.
    #[error("{}: {error}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        error: Box<TariffError>,
    },
    /// A time zone that IANA does not know.
    #[error("tariff {code}: `time_zone`: `{time_zone}` is no IANA time zone, such as `Asia/Seoul`")]
    TimeZone {
        /// The tariff.
        code: String,
        /// The zone as given.
        time_zone: String,
    },
    /// A season without months.
    #[error("tariff {code}: `seasons` has no `{season}`, which {field} names; it has: {}", known.join(", "))]
    Season {
        /// The tariff.
        code: String,
        /// The season.
        season: String,
        /// What names it.
        field: &'static str,
        /// The seasons that there are.
        known: Vec<String>,
    },
    /// An hour without a class or with several.
    #[error("tariff {code}: `hours`: {hour}:00 is in {count} classes, it must be in exactly one of light, mid, peak")]
    Hour {
        /// The tariff.
        code: String,
        /// The hour.
        hour: i8,
        /// In how many classes it is.
        count: usize,
    },
}

/// The path of a field before a message; of the whole there is none.
fn place(field: &str) -> String {
    if field == "." { String::new() } else { format!("`{field}`: ") }
}

impl Tariff {
    /// Reads a tariff.
    ///
    /// # Errors
    /// Not this form, an unknown time zone or season, an hour without exactly one class.
    pub fn from_json(text: &str) -> Result<Tariff, TariffError> {
        let reader = &mut serde_json::Deserializer::from_str(crate::file::without_byte_order_mark(text));
        let tariff: Tariff = serde_path_to_error::deserialize(reader).map_err(|error| {
            let field = error.path().to_string();
            TariffError::Json { field, source: error.into_inner() }
        })?;
        if TimeZone::get(&tariff.time_zone).is_err() {
            return Err(TariffError::TimeZone { code: tariff.code, time_zone: tariff.time_zone });
        }
        let unknown = tariff.named_seasons().find(|(_, season)| !tariff.seasons.contains_key(*season));
        if let Some((field, season)) = unknown {
            let (season, known) = (season.clone(), tariff.seasons.keys().cloned().collect());
            return Err(TariffError::Season { code: tariff.code, season, field, known });
        }
        for hours in tariff.calendars.iter().flat_map(|calendar| &calendar.hours) {
            for hour in 0..24 {
                let count = [&hours.light, &hours.mid, &hours.peak].iter().filter(|own| own.contain(hour)).count();
                if count != 1 {
                    return Err(TariffError::Hour { code: tariff.code, hour, count });
                }
            }
        }
        Ok(tariff)
    }

    /// Every mention of a season, and where it stands.
    fn named_seasons(&self) -> impl Iterator<Item = (&'static str, &String)> {
        let hours = self.calendars.iter().flat_map(|calendar| &calendar.hours).flat_map(|hours| &hours.seasons);
        let rates = self.rates.iter().flat_map(|rates| rates.per_kwh.values()).flat_map(BTreeMap::keys);
        let changes = self.changes.iter().flat_map(|change| &change.seasons);
        let of = |field| move |season| (field, season);
        hours.map(of("`calendars`")).chain(rates.map(of("`rates`"))).chain(changes.map(of("`changes`")))
    }
}
