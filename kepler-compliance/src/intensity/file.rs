//! Intensities from a file: CSV or JSON of our own, of Electricity Maps, WattTime, the Carbon Aware SDK and
//! the Carbon Intensity API of Great Britain.

mod error;
mod json;
mod row;
mod steps;
mod table;

pub use error::IntensityFileError;

use super::validity::Validity;
use super::{
    AccountingMethod, Boundary, CurrentIntensity, IntensityError, IntensityFigure, IntensityKind, IntensitySeries,
    IntensitySource, Period, Provenance, SeriesBasis, stretch,
};
use crate::series::{Series, span};
use crate::units::CarbonIntensity;
use crate::zones::Zones;
use jiff::Timestamp;
use json::JsonFault;
use row::{Part, Row, Stated};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};
use table::TableFault;

/// What the caller says of a file's figures. What the file says itself is believed instead.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct FileOptions {
    /// Zone of rows that name none: any name of the zone table.
    pub zone: Option<String>,
    /// Direct or lifecycle; of a file that has both, which is taken. Where neither this nor the file says it, figures
    /// are taken for direct ones, and say that this is assumed.
    pub method: Option<AccountingMethod>,
    /// Generation or consumption.
    pub boundary: Boundary,
    /// Average or marginal.
    pub kind: IntensityKind,
    /// Whether the figures were observed or forecast.
    pub basis: SeriesBasis,
    /// How long after its last value the series still speaks for now; see [`FileSource`].
    pub validity: Option<Duration>,
}

impl Default for FileOptions {
    /// Averages, forecast, of unstated method and boundary: what such files mostly hold.
    fn default() -> Self {
        FileOptions {
            zone: None,
            method: None,
            boundary: Boundary::Unstated,
            kind: IntensityKind::Average,
            basis: SeriesBasis::Forecast,
            validity: None,
        }
    }
}

/// Intensities over time for one or several zones from a file, which is read again when it changes.
///
/// | form | shape |
/// |---|---|
/// | CSV | header `zone,start,end,g_per_kwh`; `zone` and `end` may be missing, the last may be `kg_per_kwh`, `lb_per_mwh`, …, or a column `unit` say it |
/// | JSON | `[{"zone"?, "start", "end"?, "g_per_kwh"}, …]` |
/// | Carbon Aware SDK | `{"Emissions": [{"Location", "Time", "Rating", "Duration"?}]}`, a list of such, or forecasts with `forecastData` |
/// | Electricity Maps | the CSV of its data portal, or an answer of its API: `{"zone", "history" \| "forecast" \| "data": [{"datetime", "carbonIntensity"}]}` |
/// | WattTime | an answer of its API: `{"data": [{"point_time", "value"}], "meta": {"units", …}}` |
/// | Carbon Intensity (GB) | an answer of its API: `{"data": [{"from", "to", "intensity": {"actual", "forecast"}}]}` |
///
/// Zones go by any name of the zone table. Times are RFC 3339; one without an offset is UTC. Rows may be in any
/// order; two of one time must be equal. A row without an end holds until the next, unless that comes later than
/// usual in the file: then the time between is a gap, as is a row without a value.
///
/// # Validity
/// The newest value speaks for now while its step lasts and as long again, 2 hours at most;
/// [`FileOptions::validity`] says otherwise. After that [`current`](IntensitySource::current) and
/// [`forecast`](IntensitySource::forecast) are [`IntensityError::Stale`]. A last row without an end is valid for
/// 2 hours at most in all.
///
/// ```
/// use kepler_compliance::intensity::{FileOptions, FileSource, IntensityError, IntensitySource};
/// use kepler_compliance::zones::Zones;
/// use std::path::Path;
///
/// let text = "zone,start,end,g_per_kwh\nSeoul,2026-11-28T09:00+09:00,2026-11-28T10:00+09:00,412\n";
/// let source = FileSource::parse(Path::new("grid.csv"), text, &Zones::embedded()?, &FileOptions::default())?;
///
/// let now = source.current("KR", "2026-11-28T00:30:00Z".parse()?)?;
/// assert_eq!(now.figure.value.grams_per_kilowatt_hour(), 412.0);
/// let later = source.current("KR", "2027-11-28T00:30:00Z".parse()?);
/// assert!(matches!(later, Err(IntensityError::Stale { .. })));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct FileSource {
    name: String,
    validity: Validity,
    content: Mutex<Arc<Content>>,
    /// How to read it again; none for text from memory.
    file: Option<WatchedFile>,
}

/// What a file holds.
#[derive(Debug, Default)]
struct Content {
    /// By the zone's id.
    zones: BTreeMap<String, ZoneSeries>,
    /// Names that were left out, and why.
    skipped: Vec<String>,
}

#[derive(Debug)]
struct ZoneSeries {
    provenance: Provenance,
    basis: SeriesBasis,
    values: Series<CarbonIntensity>,
    /// Whether the last step's end is a guess.
    open_ended: bool,
}

#[derive(Debug)]
struct WatchedFile {
    path: PathBuf,
    options: FileOptions,
    zones: Zones,
    seen: Mutex<FileState>,
}

/// The file as it was when last looked at.
#[derive(Debug, Default, PartialEq)]
struct FileState {
    modified: Option<SystemTime>,
    length: u64,
    /// Why the newest state could not be read; the one before serves until it is stale.
    fault: Option<String>,
}

impl FileState {
    fn of(path: &Path) -> Self {
        let metadata = std::fs::metadata(path).ok();
        let modified = metadata.as_ref().and_then(|metadata| metadata.modified().ok());
        FileState { modified, length: metadata.map_or(0, |metadata| metadata.len()), fault: None }
    }
}

impl FileSource {
    /// Reads a file.
    ///
    /// # Errors
    /// The file cannot be read, has none of the forms, no values, impossible ones, or is for no known zone.
    pub fn open(path: &Path, zones: &Zones, options: &FileOptions) -> Result<Self, IntensityFileError> {
        let seen = FileState::of(path);
        let mut source = Self::parse(path, &read(path)?, zones, options)?;
        source.file = Some(WatchedFile {
            path: path.to_path_buf(),
            options: options.clone(),
            zones: zones.clone(),
            seen: Mutex::new(seen),
        });
        Ok(source)
    }

    /// The same from text that is already in memory; `path` only names it.
    ///
    /// # Errors
    /// As [`open`](Self::open), without the reading.
    pub fn parse(path: &Path, text: &str, zones: &Zones, options: &FileOptions) -> Result<Self, IntensityFileError> {
        Ok(FileSource {
            name: path.display().to_string(),
            validity: Validity(options.validity),
            content: Mutex::new(Arc::new(content(path, text, zones, options)?)),
            file: None,
        })
    }

    /// The zones that the file has data for.
    #[must_use]
    pub fn zones(&self) -> Vec<String> {
        self.content().zones.keys().cloned().collect()
    }

    /// Names of zones in the file that were left out, and why.
    #[must_use]
    pub fn skipped(&self) -> Vec<String> {
        self.content().skipped.clone()
    }

    /// The newest content that can be read.
    fn content(&self) -> Arc<Content> {
        let mut content = self.content.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(file) = &self.file {
            let mut seen = file.seen.lock().unwrap_or_else(PoisonError::into_inner);
            let now = FileState::of(&file.path);
            if (now.modified, now.length) != (seen.modified, seen.length) {
                let read =
                    read(&file.path).and_then(|text| self::content(&file.path, &text, &file.zones, &file.options));
                let fault = match read {
                    Ok(read) => {
                        *content = Arc::new(read);
                        None
                    }
                    Err(error) => Some(error.to_string()),
                };
                *seen = FileState { fault, ..now };
            }
        }
        Arc::clone(&content)
    }

    /// Why the newest state of the file is not used, for an error.
    fn fault(&self) -> Option<String> {
        let seen = self.file.as_ref()?.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.fault.clone()
    }

    fn unknown(&self, zone: &str, content: &Content) -> IntensityError {
        let mut origin = self.name.clone();
        if !content.skipped.is_empty() {
            origin = format!("{origin} (without {})", content.skipped.join("; "));
        }
        IntensityError::UnknownZone { origin, zone: zone.into(), known: content.zones.keys().cloned().collect() }
    }

    fn stale(&self, zone: &str, series: &ZoneSeries, end: Timestamp, now: Timestamp) -> IntensityError {
        let last = series.values.steps().iter().rfind(|step| step.end <= end);
        IntensityError::Stale {
            origin: self.origin(),
            zone: zone.into(),
            ended: end,
            age: span(end, now),
            validity: last.map_or(Duration::ZERO, |step| self.validity.after(step.length(), series.open_ended)),
        }
    }

    /// The file, and what is wrong with it since it was read.
    fn origin(&self) -> String {
        match self.fault() {
            Some(fault) => format!("{} (not read again: {fault})", self.name),
            None => self.name.clone(),
        }
    }

    fn nothing(&self, zone: &str, from: Timestamp, to: Timestamp) -> IntensityError {
        IntensityError::NoData { origin: self.name.clone(), zone: zone.into(), from, to }
    }
}

fn read(path: &Path) -> Result<String, IntensityFileError> {
    crate::file::read_text(path).map_err(|source| IntensityFileError::Read { path: path.to_path_buf(), source })
}

impl IntensitySource for FileSource {
    fn name(&self) -> &str {
        &self.name
    }

    fn current(&self, zone: &str, now: Timestamp) -> Result<CurrentIntensity, IntensityError> {
        let content = self.content();
        let series = content.zones.get(zone).ok_or_else(|| self.unknown(zone, &content))?;
        let steps = series.values.steps();
        let newest = steps.partition_point(|step| step.start <= now).checked_sub(1).and_then(|last| steps.get(last));
        let step = newest.ok_or_else(|| match series.values.start() {
            Some(start) => IntensityError::NotYet { origin: self.name.clone(), zone: zone.into(), start },
            None => self.nothing(zone, now, now),
        })?;
        let open = series.open_ended && Some(step.end) == series.values.end();
        let age = span(step.end, now);
        if age > self.validity.after(step.length(), open) {
            return Err(self.stale(zone, series, step.end, now));
        }
        let period = Period::Interval { start: step.start, end: step.end };
        let figure = IntensityFigure { value: step.value, period, provenance: series.provenance.clone() };
        Ok(CurrentIntensity { figure, age })
    }

    fn history(&self, zone: &str, from: Timestamp, to: Timestamp) -> Result<IntensitySeries, IntensityError> {
        let content = self.content();
        let series = content.zones.get(zone).ok_or_else(|| self.unknown(zone, &content))?;
        let values = stretch(&self.name, zone, &series.values, (from, to))?;
        Ok(IntensitySeries { provenance: series.provenance.clone(), basis: series.basis, values })
    }

    fn forecast(&self, zone: &str, from: Timestamp, to: Timestamp) -> Result<IntensitySeries, IntensityError> {
        let content = self.content();
        let series = content.zones.get(zone).ok_or_else(|| self.unknown(zone, &content))?;
        if let Some(end) = series.values.end().filter(|end| *end <= from) {
            let (zone, age) = (zone.to_owned(), span(end, from));
            return Err(IntensityError::Ended { origin: self.origin(), zone, ended: end, age });
        }
        self.history(zone, from, to)
    }
}

/// Reads all of a text.
fn content(path: &Path, text: &str, zones: &Zones, options: &FileOptions) -> Result<Content, IntensityFileError> {
    let mut content = Content::default();
    let mut named: Vec<(String, ZoneSeries)> = Vec::new();
    for part in parts(path, text, options.method.unwrap_or(ASSUMED))? {
        let Part { zone, foreign_zone, stated, rows } = part;
        for (name, rows) in by_zone(rows, zone.as_deref().or(options.zone.as_deref())) {
            let name = name.ok_or_else(|| IntensityFileError::Row {
                path: path.to_path_buf(),
                row: rows.first().map_or(0, |row| row.number),
                field: "zone",
                reason: "it is missing".to_owned(),
            })?;
            let own = options.zone.as_deref().filter(|_| foreign_zone);
            let found = zones.find(&name).or_else(|unknown| own.and_then(|own| zones.find(own).ok()).ok_or(unknown));
            match found {
                Ok(zone) => {
                    let series = series(path, &name, rows, &stated, options)?;
                    named.push((
                        name,
                        ZoneSeries { provenance: Provenance { zone: zone.id.clone(), ..series.provenance }, ..series },
                    ));
                }
                Err(unknown) => content.skipped.push(unknown.to_string()),
            }
        }
    }
    for (name, series) in named {
        let id = series.provenance.zone.clone();
        match content.zones.get(&id) {
            Some(first) if first.values == series.values => {}
            Some(_) => content.skipped.push(format!("`{name}`, which is in {id} like a name before it and differs")),
            None => {
                content.zones.insert(id, series);
            }
        }
    }
    match content.zones.is_empty() {
        false => Ok(content),
        true if content.skipped.is_empty() => Err(IntensityFileError::Empty { path: path.to_path_buf() }),
        true => Err(IntensityFileError::NoKnownZone { path: path.to_path_buf(), reasons: content.skipped }),
    }
}

/// Reads the text by its form.
fn parts(path: &Path, text: &str, method: AccountingMethod) -> Result<Vec<Part>, IntensityFileError> {
    let form = |reason| IntensityFileError::Form { path: path.to_path_buf(), reason };
    let at_row =
        |row, (field, reason): row::Fault| IntensityFileError::Row { path: path.to_path_buf(), row, field, reason };
    let text = crate::file::without_byte_order_mark(text).trim_start();
    if text.is_empty() {
        return Err(IntensityFileError::Empty { path: path.to_path_buf() });
    }
    if text.starts_with(['[', '{']) {
        return json::read(text).map_err(|fault| match fault {
            JsonFault::Form(reason) => form(reason),
            JsonFault::Row(row, fault) => at_row(row, fault),
        });
    }
    table::read(text, method).map(|part| vec![part]).map_err(|fault| match fault {
        TableFault::Form(reason) => form(reason),
        TableFault::Row(row, fault) => at_row(row, fault),
    })
}

/// Rows by the zone they name, in order of first mention; those that name none by `default`.
fn by_zone(rows: Vec<Row>, default: Option<&str>) -> Vec<(Option<String>, Vec<Row>)> {
    let mut zones: Vec<(Option<String>, Vec<Row>)> = Vec::new();
    for row in rows {
        let name = row.zone.clone().or_else(|| default.map(str::to_owned));
        match zones.iter_mut().find(|(known, _)| *known == name) {
            Some((_, rows)) => rows.push(row),
            None => zones.push((name, vec![row])),
        }
    }
    zones
}

/// The series of one zone, which its provenance does not name yet.
fn series(
    path: &Path,
    name: &str,
    rows: Vec<Row>,
    stated: &Stated,
    options: &FileOptions,
) -> Result<ZoneSeries, IntensityFileError> {
    let unit_is_said = stated.unit || rows.iter().any(|row| row.unit);
    let made = steps::close(rows, options.validity.unwrap_or(Validity::LONGEST));
    let (values, open_ended) = made.map_err(|overlap| IntensityFileError::Overlap {
        path: path.to_path_buf(),
        zone: name.to_owned(),
        rows: overlap.rows,
        at: overlap.at,
    })?;
    let grams = values.steps().iter().map(|step| step.value.grams_per_kilowatt_hour());
    let highest = grams.fold(0.0, f64::max);
    if !unit_is_said && highest > 0.0 && highest < LOWEST_PLAUSIBLE {
        return Err(IntensityFileError::Unit { path: path.to_path_buf(), zone: name.to_owned(), highest });
    }
    let from = |said: &str| format!("{said} ({})", path.display());
    let method = stated.method.or(options.method);
    let provenance = Provenance {
        zone: String::new(),
        method: method.unwrap_or(ASSUMED),
        is_method_assumed: method.is_none(),
        boundary: stated.boundary.unwrap_or(options.boundary),
        kind: stated.kind.unwrap_or(options.kind),
        source: stated.source.as_deref().map_or_else(|| path.display().to_string(), from),
    };
    Ok(ZoneSeries { provenance, basis: stated.basis.unwrap_or(options.basis), values, open_ended })
}

/// The method of figures that do not state it: what is published of hours mostly counts emissions at the stack.
const ASSUMED: AccountingMethod = AccountingMethod::Direct;

/// A series that is never above this many g/kWh is more likely one in kg/kWh.
const LOWEST_PLAUSIBLE: f64 = 2.0;

#[cfg(test)]
mod tests;
