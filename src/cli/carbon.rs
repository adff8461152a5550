//! The data of assessments: regions, rules, and the source of grid intensities.

use super::config::{Config, IntensityChoice, Value};
use super::exit::Failure;
use kepler_compliance::intensity::{FileOptions, FileSource, IntensitySource, IntensityTable};
use kepler_compliance::standards::Standards;
use kepler_compliance::tools::DEFAULT_REGION;
use kepler_compliance::zones::Zones;
use kepler_connect::http::Secret;
use kepler_connect::intensity::{ElectricityMaps, ProviderOptions, UkCarbonIntensity, WattTime};
use kepler_core::host::file::{self as files, FileLimits};
use kepler_core::printable;
use std::path::Path;
use std::sync::Arc;

/// The zone table.
pub(super) fn zones() -> Result<Zones, Failure> {
    Zones::embedded().map_err(|error| Failure::Data(error.to_string()))
}

/// The built-in rules, with the operator's own.
///
/// # Errors
/// A file of the operator's is no valid file of standards.
pub(super) fn standards(config: &Config) -> Result<Standards, Failure> {
    let standards = Standards::embedded().map_err(|error| Failure::Data(error.to_string()))?;
    match &config.standards_dir {
        Some(directory) => standards.with_directory(directory).map_err(|error| Failure::Data(error.to_string())),
        None => Ok(standards),
    }
}

/// Where grid intensities come from: a file, a provider, or the zone table.
///
/// # Errors
/// The file is no series of intensities, or a provider cannot be asked without a secret that is not given.
pub(super) fn intensity(config: &Config, zones: &Zones) -> Result<Arc<dyn IntensitySource>, Failure> {
    let settings = &config.intensity;
    let Some(choice) = &settings.source else { return Ok(Arc::new(IntensityTable::from_zones(zones))) };
    let unusable = |error: &dyn std::fmt::Display| Failure::Data(error.to_string());
    let mut options = ProviderOptions::default();
    options.base_url.clone_from(&settings.url);
    options.valid_for = settings.validity.unwrap_or(options.valid_for);
    Ok(match choice {
        IntensityChoice::File(path) => {
            let mut options = FileOptions::default();
            options.zone = Some(config.facility.region.clone().unwrap_or_else(|| DEFAULT_REGION.to_owned()));
            options.method = config.facility.intensity_method;
            options.validity = settings.validity;
            let source = FileSource::open(path, zones, &options).map_err(|error| match path.exists() {
                true => unusable(&error),
                false => unusable(&format!("{error}; what is no file is one of electricity-maps, watttime and uk")),
            })?;
            for reason in source.skipped() {
                tracing::warn!("{}: left out: {reason}", path.display());
            }
            Arc::new(source)
        }
        IntensityChoice::ElectricityMaps => {
            let token = match &settings.token_file {
                Some(file) => Secret::new(&secret_line(file)?),
                None => Secret::from_env(ElectricityMaps::TOKEN_VARIABLE)
                    .ok_or_else(|| missing(&format!("set {}", ElectricityMaps::TOKEN_VARIABLE)))?,
            };
            let mut source = ElectricityMaps::new(token, options).map_err(|error| unusable(&error))?;
            for (zone, key) in &settings.regions {
                let zone = zones.find(zone).map_err(|error| unusable(&error))?;
                source = source.zone(zone.id.clone(), key.clone());
            }
            Arc::new(match config.facility.intensity_method {
                Some(method) => source.with_method(method),
                None => source,
            })
        }
        IntensityChoice::WattTime => {
            let [user, password] = WattTime::LOGIN_VARIABLES;
            let (name, password) = match &settings.token_file {
                Some(file) => {
                    let line = secret_line(file)?;
                    let (name, password) = line.split_once(':').ok_or_else(|| {
                        Failure::Config(vec![file.problem("the file must hold USER:PASSWORD in one line")])
                    })?;
                    (name.to_owned(), Secret::new(password))
                }
                None => match (std::env::var(user), Secret::from_env(password)) {
                    (Ok(name), Some(secret)) => (name, secret),
                    _ => return Err(missing(&format!("set {user} and {password}"))),
                },
            };
            let mut source = WattTime::new(&name, password, options).map_err(|error| unusable(&error))?;
            for (zone, region) in &settings.regions {
                let zone = zones.find(zone).map_err(|error| unusable(&error))?;
                source = source.region(zone.id.clone(), region.clone());
            }
            Arc::new(source)
        }
        IntensityChoice::Uk => Arc::new(UkCarbonIntensity::new(options).map_err(|error| unusable(&error))?),
    })
}

fn missing(variables: &str) -> Failure {
    Failure::Data(format!(
        "the provider of grid intensities asks for an account: {variables}, or --intensity.token-file"
    ))
}

/// The first line of a file that holds a secret.
fn secret_line(file: &Value) -> Result<String, Failure> {
    let text = files::read_text(Path::new(&file.text), FileLimits::bytes(LONGEST_SECRET))
        .map_err(|error| Failure::Config(vec![file.problem(error)]))?;
    match text.lines().next().map(str::trim).filter(|line| !line.is_empty()) {
        Some(line) => Ok(line.to_owned()),
        None => {
            let name = printable::line(&file.text);
            Err(Failure::Config(vec![file.problem(format_args!("`{name}` is empty"))]))
        }
    }
}

/// Tokens and passwords are short.
const LONGEST_SECRET: u64 = 4096;
