//! Grid intensities that the caller gives: a provider, a file, a series, a typical day.

use super::data::Data;
use crate::errors::{ConfigurationError, DataError, message_and_remedy, unknown_region};
use jiff::tz::TimeZone;
use kepler_compliance::intensity::{
    AccountingMethod, Boundary, FileOptions, FileSource, HourlyProfile, IntensityKind, IntensitySource, Provenance,
    SeriesBasis,
};
use kepler_compliance::units::CarbonIntensity;
use kepler_connect::http::Secret;
use kepler_connect::intensity::{ElectricityMaps, ProviderOptions, UkCarbonIntensity, WattTime};
use pyo3::prelude::*;
use serde_json::{Value, json};
use std::env;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// What an `intensity` argument is.
#[derive(FromPyObject)]
pub(super) enum IntensityArgument {
    /// A provider with all that it is asked by.
    Provider(ProviderArgument),
    /// A provider's name, else a file: CSV or JSON.
    Named(PathBuf),
    /// A name, (start, end, gCO2e/kWh) in RFC 3339, and what they rest on.
    Rows(String, Vec<(String, Option<String>, f64)>, String),
    /// 24 hours of a typical day, or of twelve, in the region's time; gCO2e/kWh.
    Profile(Vec<f64>),
}

/// `kepler_power.compliance.IntensityProvider`, attribute by attribute.
#[derive(Clone, PartialEq, FromPyObject)]
pub(super) struct ProviderArgument {
    name: String,
    url: Option<String>,
    token: Option<String>,
    user: Option<String>,
    password: Option<String>,
    regions: Vec<(String, String)>,
    method: Option<String>,
}

impl ProviderArgument {
    /// One by its name alone: what it is asked by stands in the environment.
    fn named(name: &str) -> PyResult<Self> {
        let text = |name: &str| env::var(name).ok().filter(|text| !text.trim().is_empty());
        let pair = |text: &str| {
            let wrong = || format!("environment variable KEPLER_INTENSITY_REGION: `{text}` is not ZONE=REGION");
            let (zone, region) = text
                .split_once('=')
                .ok_or_else(|| ConfigurationError::new_err((wrong(), "write it as us-east-1=PJM_DC")))?;
            Ok((zone.trim().to_owned(), region.trim().to_owned()))
        };
        let regions = text("KEPLER_INTENSITY_REGION");
        let regions: PyResult<Vec<_>> = regions.iter().flat_map(|text| text.split(',')).map(pair).collect();
        Ok(ProviderArgument {
            name: name.to_owned(),
            url: text("KEPLER_INTENSITY_URL"),
            token: None,
            user: None,
            password: None,
            regions: regions?,
            method: text("KEPLER_INTENSITY_METHOD"),
        })
    }
}

/// Providers are asked once in a while only, so they live as long as the process; the oldest goes.
static PROVIDERS: Mutex<Vec<(ProviderArgument, Arc<dyn IntensitySource>)>> = Mutex::new(Vec::new());
const PROVIDERS_KEPT: usize = 16;

/// What is not known of a caller's figures: they are taken for averages, and for direct ones unless a method is stated.
fn provenance(zone: &str, source: &str, method: Option<AccountingMethod>) -> Provenance {
    let by = |method| Provenance::new(zone, method, Boundary::Unstated, IntensityKind::Average, source);
    method.map_or_else(|| by(AccountingMethod::Direct).with_assumed_method(), by)
}

impl IntensityArgument {
    /// A source that speaks for the region's zone; `method` is that of figures that do not say it.
    pub(super) fn source(
        self,
        data: &Data,
        region: &str,
        method: Option<AccountingMethod>,
    ) -> PyResult<Arc<dyn IntensitySource>> {
        let zone = data.zones.find(region).map_err(|error| unknown_region(&error))?;
        let wrong = |error: &dyn std::fmt::Display| DataError::new_err(message_and_remedy(&error));
        let mut options = FileOptions::default();
        options.zone = Some(zone.id.clone());
        options.method = method;
        Ok(match self {
            IntensityArgument::Provider(given) => provider(data, given)?,
            IntensityArgument::Named(path) => match path.to_str().filter(|name| NAMES.contains(name)) {
                Some(name) => provider(data, ProviderArgument::named(name)?)?,
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
                    (time_zone.unwrap_or(TimeZone::UTC), provenance(&zone.id, "given profile", method));
                let profile = HourlyProfile::new("given profile", provenance, time_zone, days);
                Arc::new(profile.map_err(|error| wrong(&error))?)
            }
        })
    }
}

const NAMES: [&str; 3] = ["electricity-maps", "watttime", "uk"];

/// The provider asked so, made where it is not known yet.
fn provider(data: &Data, asked: ProviderArgument) -> PyResult<Arc<dyn IntensitySource>> {
    let mut known = PROVIDERS.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, source)) = known.iter().find(|(other, _)| *other == asked) {
        return Ok(Arc::clone(source));
    }
    let source = make(data, &asked)?;
    if known.len() >= PROVIDERS_KEPT {
        known.remove(0);
    }
    known.push((asked, Arc::clone(&source)));
    Ok(source)
}

fn make(data: &Data, asked: &ProviderArgument) -> PyResult<Arc<dyn IntensitySource>> {
    let wrong = |error: &dyn std::fmt::Display| ConfigurationError::new_err(message_and_remedy(&error));
    let mut options = ProviderOptions::default();
    options.base_url.clone_from(&asked.url);
    Ok(match asked.name.as_str() {
        "electricity-maps" => {
            let made = match &asked.token {
                Some(token) => ElectricityMaps::new(Secret::new(token), options),
                None => ElectricityMaps::from_env(options),
            };
            let mut source = made.map_err(|error| wrong(&error))?;
            for (zone, key) in &asked.regions {
                let zone = data.zones.find(zone).map_err(|error| unknown_region(&error))?;
                source = source.zone(zone.id.clone(), key.clone());
            }
            Arc::new(match asked.method.as_deref().map(super::facility::method).transpose()? {
                Some(method) => source.with_method(method),
                None => source,
            })
        }
        "watttime" => {
            let made = match (&asked.user, &asked.password) {
                (Some(user), Some(password)) => WattTime::new(user, Secret::new(password), options),
                (None, None) => WattTime::from_env(options),
                _ => {
                    let message = "WattTime asks for a user and a password, and one of them is missing";
                    return Err(ConfigurationError::new_err((message, "give user= and password=, or neither")));
                }
            };
            let mut source = made.map_err(|error| wrong(&error))?;
            for (zone, region) in &asked.regions {
                let zone = data.zones.find(zone).map_err(|error| unknown_region(&error))?;
                source = source.region(zone.id.clone(), region.clone());
            }
            Arc::new(source)
        }
        "uk" => Arc::new(UkCarbonIntensity::new(options).map_err(|error| wrong(&error))?),
        name => {
            let message = format!("there is no provider of intensities `{name}`");
            return Err(ConfigurationError::new_err((message, "give electricity-maps, watttime or uk")));
        }
    })
}

fn series_basis(name: &str) -> PyResult<SeriesBasis> {
    serde_json::from_value(Value::from(name)).map_err(|_| {
        let message = format!("there is no basis of intensities `{name}`");
        ConfigurationError::new_err((message, "give observed, forecast, profile or yearly_average"))
    })
}
