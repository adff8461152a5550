//! Grid intensities that the caller gives: a provider, a file, a series, a typical day.

use super::data::Data;
use crate::errors::{ConfigurationError, DataError, message_and_remedy, unknown_region};
use jiff::tz::TimeZone;
use kepler_compliance::intensity::{
    AccountingMethod, Boundary, FileOptions, FileSource, HourlyProfile, IntensityKind, IntensitySource, Provenance,
    SeriesBasis,
};
use kepler_compliance::units::CarbonIntensity;
use kepler_connect::intensity::{ElectricityMaps, ProviderOptions, UkCarbonIntensity, WattTime};
use pyo3::prelude::*;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

/// What an `intensity` argument is.
#[derive(FromPyObject)]
pub(super) enum IntensityArgument {
    /// A provider's name, else a file: CSV or JSON.
    Named(PathBuf),
    /// A name, (start, end, gCO2e/kWh) in RFC 3339, and what they rest on.
    Rows(String, Vec<(String, Option<String>, f64)>, String),
    /// 24 hours of a typical day, or of twelve, in the region's time; gCO2e/kWh.
    Profile(Vec<f64>),
}

/// A provider is asked once in a while only, so it lives as long as the process.
static PROVIDERS: [OnceLock<Arc<dyn IntensitySource>>; 3] = [const { OnceLock::new() }; 3];

/// What is not known of a caller's figures: they are taken for direct averages, which such figures mostly are.
fn provenance(zone: &str, source: &str) -> Provenance {
    Provenance::new(zone, AccountingMethod::Direct, Boundary::Unstated, IntensityKind::Average, source)
}

impl IntensityArgument {
    /// A source that speaks for the region's zone.
    pub(super) fn source(self, data: &Data, region: &str) -> PyResult<Arc<dyn IntensitySource>> {
        let zone = data.zones.find(region).map_err(|error| unknown_region(&error))?;
        let wrong = |error: &dyn std::fmt::Display| DataError::new_err(message_and_remedy(&error));
        let mut options = FileOptions::default();
        options.zone = Some(zone.id.clone());
        Ok(match self {
            IntensityArgument::Named(path) => match provider(&path)? {
                Some(provider) => provider,
                None => Arc::new(FileSource::open(&path, &data.zones, &options).map_err(|error| wrong(&error))?),
            },
            IntensityArgument::Rows(name, rows, basis) => {
                let row = |(start, end, grams): (String, Option<String>, f64)| -> Value {
                    json!({ "zone": zone.id, "start": start, "end": end, "g_per_kwh": grams })
                };
                let text = Value::from_iter(rows.into_iter().map(row)).to_string();
                options.basis = series_basis(&basis)?;
                let source = FileSource::parse(Path::new(&name), &text, &data.zones, &options);
                Arc::new(source.map_err(|error| wrong(&error))?)
            }
            IntensityArgument::Profile(hours) => {
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

/// The provider of that name; its secret comes from the environment.
fn provider(name: &Path) -> PyResult<Option<Arc<dyn IntensitySource>>> {
    let options = ProviderOptions::default;
    let (slot, made) = match name.to_str() {
        Some("electricity-maps") => {
            (&PROVIDERS[0], ElectricityMaps::from_env(options()).map(|source| Arc::new(source) as _))
        }
        Some("watttime") => (&PROVIDERS[1], WattTime::from_env(options()).map(|source| Arc::new(source) as _)),
        Some("uk") => (&PROVIDERS[2], UkCarbonIntensity::new(options()).map(|source| Arc::new(source) as _)),
        _ => return Ok(None),
    };
    if let Some(known) = slot.get() {
        return Ok(Some(Arc::clone(known)));
    }
    let made = made.map_err(|error| ConfigurationError::new_err(message_and_remedy(&error)))?;
    Ok(Some(Arc::clone(slot.get_or_init(|| made))))
}

fn series_basis(name: &str) -> PyResult<SeriesBasis> {
    serde_json::from_value(Value::from(name)).map_err(|_| {
        let message = format!("there is no basis of intensities `{name}`");
        ConfigurationError::new_err((message, "give observed, forecast, profile or yearly_average"))
    })
}
