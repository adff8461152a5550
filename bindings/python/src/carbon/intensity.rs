//! Grid intensities that the caller gives: a file, a series, a typical day.

use super::data::Data;
use crate::errors::{ConfigurationError, DataError, told, unknown_region};
use jiff::tz::TimeZone;
use kepler_compliance::intensity::{
    Boundary, FileSource, HourlyProfile, IntensitySource, IntensityKind, AccountingMethod, Provenance, SeriesBasis,
};
use kepler_compliance::units::CarbonIntensity;
use pyo3::prelude::*;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What an `intensity` argument is.
#[derive(FromPyObject)]
pub(super) enum Given {
    /// CSV, JSON, or the Carbon Aware SDK's JSON.
    File(PathBuf),
    /// A name, (start, end, gCO2e/kWh) in RFC 3339, and what they rest on.
    Rows(String, Vec<(String, Option<String>, f64)>, String),
    /// 24 hours of a typical day, or of twelve, in the region's time; gCO2e/kWh.
    Profile(Vec<f64>),
}

/// What is not known of a caller's figures: they are taken for direct averages, which such figures mostly are.
fn provenance(zone: &str, source: &str) -> Provenance {
    Provenance {
        zone: zone.to_owned(),
        method: AccountingMethod::Direct,
        boundary: Boundary::Unstated,
        kind: IntensityKind::Average,
        source: source.to_owned(),
    }
}

impl Given {
    /// A source that speaks for the region's zone.
    pub(super) fn source(self, data: &Data, region: &str) -> PyResult<Arc<dyn IntensitySource>> {
        let zone = data.zones.find(region).map_err(|error| unknown_region(&error))?;
        let wrong = |error: &dyn std::fmt::Display| DataError::new_err(told(&error));
        Ok(match self {
            Given::File(path) => {
                let provenance = provenance(&zone.id, &path.display().to_string());
                Arc::new(FileSource::open(&path, provenance, SeriesBasis::Forecast).map_err(|error| wrong(&error))?)
            }
            Given::Rows(name, rows, basis) => {
                let row = |(start, end, grams): (String, Option<String>, f64)| -> Value {
                    json!({ "zone": zone.id, "start": start, "end": end, "g_per_kwh": grams })
                };
                let text = Value::from_iter(rows.into_iter().map(row)).to_string();
                let (path, provenance) = (Path::new(&name), provenance(&zone.id, &name));
                let source = FileSource::parse(path, &text, provenance, series_basis(&basis)?);
                Arc::new(source.map_err(|error| wrong(&error))?)
            }
            Given::Profile(hours) => {
                let grams = CarbonIntensity::from_grams_per_kilowatt_hour;
                let days: Vec<[CarbonIntensity; 24]> =
                    hours.as_chunks().0.iter().map(|day: &[f64; 24]| day.map(grams)).collect();
                if hours.len() % 24 != 0 {
                    let message = format!("a typical day of {} values", hours.len());
                    return Err(DataError::new_err((message, "give 24 hours of one day, or of one for each month")));
                }
                let time_zone = zone.time_zone.as_deref().and_then(|name| TimeZone::get(name).ok());
                let (time_zone, provenance) =
                    (time_zone.unwrap_or(TimeZone::UTC), provenance(&zone.id, "given profile"));
                let profile = HourlyProfile::new("given profile", provenance, time_zone, days);
                Arc::new(profile.map_err(|error| wrong(&error))?)
            }
        })
    }
}

fn series_basis(name: &str) -> PyResult<SeriesBasis> {
    serde_json::from_value(Value::from(name)).map_err(|_| {
        let message = format!("`{name}` is no basis of intensities");
        ConfigurationError::new_err((message, "give observed, forecast, profile or yearly_average"))
    })
}
