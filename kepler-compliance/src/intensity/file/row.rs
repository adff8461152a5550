//! Rows with times and values, converted to common units.

use crate::intensity::{AccountingMethod, Boundary, HIGHEST_INTENSITY, IntensityKind, SeriesBasis};
use crate::numbers::figure;
use crate::units::CarbonIntensity;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use std::time::Duration;

/// Rows of one origin.
#[derive(Debug, Default)]
pub(super) struct Part {
    /// The zone of rows that name none.
    pub(super) zone: Option<String>,
    /// Whether the zone is a name of the provider's own, which the caller may know better.
    pub(super) foreign_zone: bool,
    pub(super) stated: Stated,
    pub(super) rows: Vec<Row>,
}

/// What a form says of its figures; the rest is the caller's.
#[derive(Clone, Debug, Default)]
pub(super) struct Stated {
    pub(super) method: Option<AccountingMethod>,
    pub(super) boundary: Option<Boundary>,
    pub(super) kind: Option<IntensityKind>,
    pub(super) basis: Option<SeriesBasis>,
    pub(super) source: Option<String>,
    /// Whether it states the unit; if so, low values are accepted.
    pub(super) unit: bool,
}

/// One row, checked.
#[derive(Clone, Debug)]
pub(super) struct Row {
    /// From 1, without the header.
    pub(super) number: usize,
    pub(super) zone: Option<String>,
    pub(super) start: Timestamp,
    /// None where it holds until the next row.
    pub(super) end: Option<Timestamp>,
    /// None where the figure is not known.
    pub(super) value: Option<CarbonIntensity>,
    /// Whether the row itself says its unit.
    pub(super) unit: bool,
}

/// A field and what is wrong with it.
pub(super) type Fault = (&'static str, String);

/// How a row says when it ends.
#[derive(Clone, Copy, Debug, Default)]
pub(super) enum End<'a> {
    /// It does not.
    #[default]
    Open,
    /// At a time.
    At(&'a str),
    /// After `hh:mm:ss`, or .NET's `d.hh:mm:ss`.
    Lasts(&'a str),
    /// After minutes.
    Minutes(f64),
}

impl Row {
    /// Checks times and value; `amount` is in units of `grams` g/kWh.
    pub(super) fn new(
        number: usize,
        zone: Option<&str>,
        start: &str,
        end: End<'_>,
        amount: Option<f64>,
        grams: f64,
    ) -> Result<Self, Fault> {
        let start = timestamp(start).map_err(|reason| ("start", reason))?;
        let lasts = match end {
            End::Open | End::At(_) => None,
            End::Lasts(text) => {
                Some(clock_duration(text).ok_or_else(|| ("duration", "it is not hh:mm:ss".to_owned()))?)
            }
            End::Minutes(minutes) => Some(
                Duration::try_from_secs_f64(minutes * 60.0)
                    .map_err(|_| ("duration", "it is no number of minutes".to_owned()))?,
            ),
        };
        let end = match end {
            End::At(text) => Some(timestamp(text).map_err(|reason| ("end", reason))?),
            // The Carbon Aware SDK's sample data write an unknown duration as 00:00:00.
            _ => lasts.filter(|lasts| !lasts.is_zero()).and_then(|lasts| start.checked_add(lasts).ok()),
        };
        if end.is_some_and(|end| end <= start) {
            return Err(("end", "it is not after the start".to_owned()));
        }
        let value = amount.map(|amount| intensity(amount * grams)).transpose()?;
        let zone = zone.map(str::trim).filter(|zone| !zone.is_empty()).map(str::to_owned);
        Ok(Row { number, zone, start, end, value, unit: false })
    }
}

fn intensity(grams: f64) -> Result<CarbonIntensity, Fault> {
    if !grams.is_finite() || grams < 0.0 {
        return Err(("g_per_kwh", format!("{} g/kWh is no intensity: give a figure of zero or more", figure(grams))));
    }
    if grams > HIGHEST_INTENSITY {
        let grams = figure(grams);
        let reason = format!("{grams} g/kWh is more than any grid emits ({HIGHEST_INTENSITY}): is it another unit?");
        return Err(("g_per_kwh", reason));
    }
    Ok(CarbonIntensity::from_grams_per_kilowatt_hour(grams))
}

/// An instant: RFC 3339, with a time zone in brackets, or without an offset as UTC.
fn timestamp(text: &str) -> Result<Timestamp, String> {
    let text = text.trim();
    let instant = text.parse::<Timestamp>().ok();
    let zoned = || text.parse::<Zoned>().ok().map(|zoned| zoned.timestamp());
    let civil = || text.parse::<DateTime>().ok()?.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp());
    let found = instant.or_else(zoned).or_else(civil);
    found.ok_or_else(|| "it is no time: write 2026-11-28T09:00:00Z or 2026-11-28T18:00:00+09:00".to_owned())
}

/// `hh:mm:ss`, `hh:mm`, or .NET's `d.hh:mm:ss`.
fn clock_duration(text: &str) -> Option<Duration> {
    let text = text.trim();
    let (days, clock) = text.split_once('.').filter(|(_, clock)| clock.contains(':')).unwrap_or(("0", text));
    let mut parts = clock.split(':');
    let (hours, minutes, seconds) = (parts.next()?, parts.next()?, parts.next().unwrap_or("0"));
    let number = |text: &str| text.parse::<u32>().ok().map(u64::from);
    let seconds = seconds.split_once('.').map_or(seconds, |(whole, _)| whole);
    let clock = number(hours)? * 3600 + number(minutes)? * 60 + number(seconds)?;
    parts.next().is_none().then_some(Duration::from_secs(number(days)? * 86_400 + clock))
}

/// How many g/kWh a unit is, as columns and providers name it: `g_per_kwh`, `gCO₂eq/kWh`, `lbs_co2_per_mwh`.
pub(super) fn grams_per_kilowatt_hour(unit: &str) -> Option<f64> {
    let mut unit = unit.to_lowercase().replace('₂', "2");
    for gas in ["co2eq", "co2e", "co2"] {
        unit = unit.replace(gas, "");
    }
    let unit: String = unit.replace("per", "/").chars().filter(|letter| !" _.()[]-".contains(*letter)).collect();
    Some(match unit.as_str() {
        "g/kwh" | "kg/mwh" => 1.0,
        "kg/kwh" | "t/mwh" | "tonne/mwh" | "tonnes/mwh" => 1000.0,
        "g/mwh" => 0.001,
        "lb/mwh" | "lbs/mwh" => CarbonIntensity::from_pounds_per_megawatt_hour(1.0).grams_per_kilowatt_hour(),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_dotnet_writes_them() {
        assert_eq!(clock_duration("1.02:00:30"), Some(Duration::from_secs(93_630)));
        assert_eq!(clock_duration("00:05:00.0000000"), Some(Duration::from_secs(300)));
        assert_eq!(clock_duration("01:00"), Some(Duration::from_secs(3600)));
        assert_eq!(clock_duration("5 min"), None);
    }

    #[test]
    fn units_are_known_by_the_names_that_providers_give_them() {
        for name in ["g_per_kwh", "gCO₂eq/kWh", "gCO2/kWh", "gCO2e per kWh", "kg_per_mwh"] {
            assert_eq!(grams_per_kilowatt_hour(name), Some(1.0), "{name}");
        }
        assert_eq!(grams_per_kilowatt_hour("tCO2eq/MWh"), Some(1000.0));
        assert_eq!(grams_per_kilowatt_hour("g_per_mwh"), Some(0.001));
        assert!((grams_per_kilowatt_hour("lbs_co2_per_mwh").unwrap() - 0.453_592_37).abs() < 1e-12);
        assert_eq!(grams_per_kilowatt_hour("EUR/MWh"), None);
    }

    #[test]
    fn times_carry_their_offset_or_are_utc() {
        let utc = |text: &str| timestamp(text).unwrap().to_string();
        assert_eq!(utc("2026-01-01T09:00:00+09:00"), "2026-01-01T00:00:00Z");
        assert_eq!(utc("2026-01-01 00:00:00"), "2026-01-01T00:00:00Z");
        assert_eq!(utc("2026-01-01"), "2026-01-01T00:00:00Z");
        // Both 02:30 of the night when the clocks go back.
        assert_eq!(utc("2026-10-25T02:30:00+02:00[Europe/Berlin]"), "2026-10-25T00:30:00Z");
        assert_eq!(utc("2026-10-25T02:30:00+01:00[Europe/Berlin]"), "2026-10-25T01:30:00Z");
        for text in ["", "yesterday", "1700000000", "2026-02-30T00:00Z"] {
            assert!(timestamp(text).is_err(), "{text}");
        }
    }
}
