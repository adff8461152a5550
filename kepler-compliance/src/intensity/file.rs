//! Intensities from a file: CSV, our JSON, or the Carbon Aware SDK's JSON.

use super::{
    CurrentIntensity, IntensityError, IntensityFigure, IntensitySeries, IntensitySource, Period, Provenance,
    SeriesBasis, stretch,
};
use crate::series::{Series, SeriesError, Step, span};
use crate::units::CarbonIntensity;
use jiff::{Timestamp, tz::TimeZone};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Intensities over time for one or several zones, read once from a file.
///
/// | form | shape |
/// |---|---|
/// | CSV | header `zone,start,end,g_per_kwh`; `end` may be empty or missing: it holds until the next start |
/// | JSON | `[{"zone", "start", "end"?, "g_per_kwh"}, …]` |
/// | Carbon Aware SDK | `{"Emissions": [{"Location", "Time", "Rating", "Duration"?}]}`, `Duration` as `hh:mm:ss` |
///
/// Times are RFC 3339 with an offset; a time without one is taken as UTC, as the Carbon Aware SDK
/// does. A last row without an end holds as long as the one before it. The forms do not say by what
/// method the figures were made, so the caller does.
#[derive(Clone, Debug)]
pub struct FileSource {
    name: String,
    /// The caller's provenance, its zone replaced by each row's.
    provenance: Provenance,
    basis: SeriesBasis,
    zones: BTreeMap<String, Series<CarbonIntensity>>,
}

/// A file that cannot be used as a series of intensities.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FileError {
    /// It cannot be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// It is not of one of the three forms.
    #[error(
        "{path}: {reason}; expected CSV with `zone,start,end,g_per_kwh`, the same as JSON, or the Carbon Aware SDK's `Emissions`"
    )]
    Form {
        /// The file.
        path: PathBuf,
        /// What is wrong, with the line where known.
        reason: String,
    },
    /// A row holds an impossible value.
    #[error("{path}: row {row}: {field}: {reason}")]
    Row {
        /// The file.
        path: PathBuf,
        /// Which row, from 1, without the header.
        row: usize,
        /// Which field.
        field: &'static str,
        /// What is wrong.
        reason: String,
    },
    /// The rows of a zone do not form a series.
    #[error("{path}: zone `{zone}`: {source}")]
    Series {
        /// The file.
        path: PathBuf,
        /// The zone.
        zone: String,
        /// Why not.
        source: SeriesError,
    },
}

/// A row of any of the forms.
#[derive(Debug, Deserialize)]
struct Row {
    #[serde(alias = "Location", alias = "location")]
    zone: String,
    #[serde(alias = "Time", alias = "time")]
    start: String,
    #[serde(default)]
    end: Option<String>,
    #[serde(alias = "Rating", alias = "rating")]
    g_per_kwh: f64,
    #[serde(default, alias = "Duration", alias = "duration")]
    lasts: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Emissions {
    #[serde(rename = "Emissions", alias = "emissions")]
    rows: Vec<Row>,
}

impl FileSource {
    /// Reads a file. `provenance` states method, boundary, kind and source of all its figures (its
    /// zone is replaced by each row's); `basis` whether they were observed or forecast.
    ///
    /// # Errors
    /// The file cannot be read, has none of the three forms, or holds impossible values.
    pub fn open(path: &Path, provenance: Provenance, basis: SeriesBasis) -> Result<Self, FileError> {
        let text =
            std::fs::read_to_string(path).map_err(|source| FileError::Read { path: path.to_path_buf(), source })?;
        Self::parse(path, &text, provenance, basis)
    }

    /// The same from text that is already in memory; `path` only names it.
    ///
    /// # Errors
    /// As [`open`](Self::open), without the reading.
    pub fn parse(path: &Path, text: &str, provenance: Provenance, basis: SeriesBasis) -> Result<Self, FileError> {
        let form = |reason: String| FileError::Form { path: path.to_path_buf(), reason };
        let start = text.trim_start_matches('\u{feff}').trim_start();
        let rows: Vec<Row> = if start.starts_with('[') {
            serde_json::from_str(start).map_err(|error| form(error.to_string()))?
        } else if start.starts_with('{') {
            serde_json::from_str::<Emissions>(start).map_err(|error| form(error.to_string()))?.rows
        } else {
            let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(start.as_bytes());
            reader.deserialize().collect::<Result<_, _>>().map_err(|error| form(error.to_string()))?
        };
        let mut zones: BTreeMap<String, Vec<Open>> = BTreeMap::new();
        for (index, row) in rows.into_iter().enumerate() {
            let open = read_row(&row).map_err(|(field, reason)| FileError::Row {
                path: path.to_path_buf(),
                row: index + 1,
                field,
                reason,
            })?;
            zones.entry(row.zone).or_default().push(open);
        }
        let close = |(zone, rows): (String, Vec<Open>)| match Series::new(close(rows)) {
            Ok(series) => Ok((zone, series)),
            Err(source) => Err(FileError::Series { path: path.to_path_buf(), zone, source }),
        };
        let zones = zones.into_iter().map(close).collect::<Result<_, _>>()?;
        Ok(FileSource { name: path.display().to_string(), provenance, basis, zones })
    }

    /// The zones that the file has data for.
    pub fn zones(&self) -> impl Iterator<Item = &str> {
        self.zones.keys().map(String::as_str)
    }

    fn provenance(&self, zone: &str) -> Provenance {
        Provenance { zone: zone.into(), ..self.provenance.clone() }
    }

    fn all(&self, zone: &str) -> Result<&Series<CarbonIntensity>, IntensityError> {
        self.zones.get(zone).ok_or_else(|| IntensityError::UnknownZone {
            origin: self.name.clone(),
            zone: zone.into(),
            known: self.zones.keys().cloned().collect(),
        })
    }
}

impl IntensitySource for FileSource {
    fn name(&self) -> &str {
        &self.name
    }

    fn current(&self, zone: &str, now: Timestamp) -> Result<CurrentIntensity, IntensityError> {
        let steps = self.all(zone)?.steps();
        let newest = steps.partition_point(|step| step.start <= now).checked_sub(1).and_then(|last| steps.get(last));
        let step = newest.ok_or_else(|| IntensityError::NoData {
            origin: self.name.clone(),
            zone: zone.into(),
            from: now,
            to: now,
        })?;
        let period = Period::Interval { start: step.start, end: step.end };
        let figure = IntensityFigure { value: step.value, period, provenance: self.provenance(zone) };
        Ok(CurrentIntensity { figure, age: span(step.end, now) })
    }

    fn history(&self, zone: &str, from: Timestamp, to: Timestamp) -> Result<IntensitySeries, IntensityError> {
        let values = stretch(&self.name, zone, self.all(zone)?, (from, to))?;
        Ok(IntensitySeries { provenance: self.provenance(zone), basis: self.basis, values })
    }

    fn forecast(&self, zone: &str, from: Timestamp, to: Timestamp) -> Result<IntensitySeries, IntensityError> {
        self.history(zone, from, to)
    }
}

/// A row whose end may not be known yet.
struct Open {
    start: Timestamp,
    end: Option<Timestamp>,
    value: CarbonIntensity,
}

/// Checks a row; the error names the field.
fn read_row(row: &Row) -> Result<Open, (&'static str, String)> {
    let start = timestamp(&row.start).map_err(|reason| ("start", reason))?;
    let end = match (row.end.as_deref().filter(|end| !end.is_empty()), row.lasts.as_deref()) {
        (Some(end), _) => Some(timestamp(end).map_err(|reason| ("end", reason))?),
        (None, Some(lasts)) if !lasts.is_empty() => {
            let lasts = clock_duration(lasts).ok_or_else(|| ("Duration", format!("`{lasts}` is not hh:mm:ss")))?;
            // The Carbon Aware SDK's sample data write an unknown duration as 00:00:00.
            if lasts.is_zero() { None } else { start.checked_add(lasts).ok() }
        }
        _ => None,
    };
    if !(row.g_per_kwh.is_finite() && row.g_per_kwh >= 0.0) {
        return Err(("g_per_kwh", format!("{} is not an intensity: give a figure of zero or more", row.g_per_kwh)));
    }
    Ok(Open { start, end, value: CarbonIntensity::from_grams_per_kilowatt_hour(row.g_per_kwh) })
}

/// Gives every row an end: its own, the next start, or as long as the row before.
fn close(mut rows: Vec<Open>) -> Vec<Step<CarbonIntensity>> {
    rows.sort_by_key(|row| row.start);
    let starts: Vec<_> = rows.iter().skip(1).map(|row| Some(row.start)).chain([None]).collect();
    let mut length = Duration::from_secs(3600);
    let finish = |(row, next): (Open, Option<Timestamp>)| {
        let end = row.end.or(next).or_else(|| row.start.checked_add(length).ok()).unwrap_or(row.start);
        length = span(row.start, end);
        Step { start: row.start, end, value: row.value }
    };
    rows.into_iter().zip(starts).map(finish).collect()
}

/// An instant: RFC 3339, or without an offset as UTC.
fn timestamp(text: &str) -> Result<Timestamp, String> {
    text.parse::<Timestamp>().or_else(|error| {
        let civil = text.parse::<jiff::civil::DateTime>().map_err(|_| error.to_string())?;
        civil.to_zoned(TimeZone::UTC).map(|zoned| zoned.timestamp()).map_err(|error| error.to_string())
    })
}

/// `hh:mm:ss`, or .NET's `d.hh:mm:ss`.
fn clock_duration(text: &str) -> Option<Duration> {
    let (days, clock) = text.split_once('.').filter(|(_, clock)| clock.contains(':')).unwrap_or(("0", text));
    let mut parts = clock.split(':');
    let (hours, minutes, seconds) = (parts.next()?, parts.next()?, parts.next()?);
    let number = |text: &str| text.parse::<u32>().ok().map(u64::from);
    let seconds = seconds.split_once('.').map_or(seconds, |(whole, _)| whole);
    let clock = number(hours)? * 3600 + number(minutes)? * 60 + number(seconds)?;
    parts.next().is_none().then_some(Duration::from_secs(number(days)? * 86_400 + clock))
}

#[cfg(test)]
mod tests;
