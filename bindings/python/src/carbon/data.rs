//! The embedded data: zones, standards, and the table of yearly intensities.

use crate::errors::{ConfigurationError, DataError, message_and_remedy, unknown_region, unknown_standard};
use kepler_compliance::intensity::IntensityTable;
use kepler_compliance::standards::{Rule, Standards};
use kepler_compliance::zones::{GridZone, PublishedPue, TableFigure, Zones};
use pyo3::prelude::*;
use serde::Serialize;
use std::path::Path;
use std::sync::{Arc, OnceLock};

/// What every answer rests on. Read when first needed: it takes longer than the import may.
pub(super) struct Data {
    pub(super) zones: Zones,
    pub(super) standards: Standards,
    pub(super) table: Arc<IntensityTable>,
}

pub(super) fn data() -> PyResult<&'static Data> {
    static DATA: OnceLock<Result<Data, String>> = OnceLock::new();
    let read = || {
        let zones = Zones::embedded().map_err(|error| error.to_string())?;
        let standards = Standards::embedded().map_err(|error| error.to_string())?;
        let table = Arc::new(IntensityTable::from_zones(&zones));
        Ok(Data { zones, standards, table })
    };
    DATA.get_or_init(read).as_ref().map_err(|error| DataError::new_err((error.clone(), "")))
}

/// The rules, with those of a directory.
pub(super) fn standards(directory: Option<&Path>) -> PyResult<Standards> {
    let rules = data()?.standards.clone();
    match directory {
        None => Ok(rules),
        Some(directory) => {
            rules.with_directory(directory).map_err(|error| ConfigurationError::new_err(message_and_remedy(&error)))
        }
    }
}

/// Any answer as JSON text.
pub(super) fn json(answer: &impl Serialize) -> PyResult<String> {
    serde_json::to_string(answer)
        .map_err(|error| DataError::new_err((format!("cannot be written as JSON: {error}"), "")))
}

/// A zone with what is published of it.
#[derive(Serialize)]
struct ShownZone<'a> {
    #[serde(flatten)]
    zone: &'a GridZone,
    /// The figure that speaks for the zone, its country's included.
    intensity: Option<kepler_compliance::intensity::IntensityFigure>,
    figures: &'a [TableFigure],
    caveats: Vec<String>,
}

fn shown<'a>(zones: &'a Zones, zone: &'a GridZone) -> ShownZone<'a> {
    let found = zones.intensity(zone);
    let caveats = found.iter().flat_map(|found| &found.caveats).map(|text| text.en.clone()).collect();
    ShownZone { zone, intensity: found.map(|found| found.figure), figures: zones.figures(zone), caveats }
}

/// All zones, as JSON.
#[pyfunction]
fn zones_json() -> PyResult<String> {
    let zones = &data()?.zones;
    json(&zones.iter().map(|zone| shown(zones, zone)).collect::<Vec<_>>())
}

/// One zone by any of its names, and the PUE published for that name up to `year`, as JSON.
#[pyfunction]
fn zone_json(name: &str, year: i16) -> PyResult<String> {
    #[derive(Serialize)]
    struct Answer<'a> {
        zone: ShownZone<'a>,
        pue: Option<PublishedPue>,
        pue_caveats: Vec<String>,
    }
    let zones = &data()?.zones;
    let zone = shown(zones, zones.find(name).map_err(|error| unknown_region(&error))?);
    let (pue, caveats) = zones.published_pue(name, year).map_or((None, Vec::new()), |(pue, texts)| (Some(pue), texts));
    json(&Answer { zone, pue, pue_caveats: caveats.into_iter().map(|text| text.en).collect() })
}

/// All rules, or all versions of one, as JSON.
#[pyfunction]
#[pyo3(signature = (code, directory))]
fn standards_json(code: Option<&str>, directory: Option<std::path::PathBuf>) -> PyResult<String> {
    let standards = standards(directory.as_deref())?;
    match code {
        Some(code) => json(&standards.versions(code).map_err(|error| unknown_standard(&error))?),
        None => json(&standards.iter().collect::<Vec<&Rule>>()),
    }
}

pub(super) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(zones_json, module)?)?;
    module.add_function(wrap_pyfunction!(zone_json, module)?)?;
    module.add_function(wrap_pyfunction!(standards_json, module)?)
}
