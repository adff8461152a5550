//! How clean a region's electricity is.

use crate::errors::UnknownNameError;
use kepler_compliance::tools::DEFAULT_REGION;
use kepler_compliance::zones::Zones;
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use std::sync::OnceLock;

/// The embedded table, read once.
pub(crate) fn zones() -> PyResult<&'static Zones> {
    static ZONES: OnceLock<Zones> = OnceLock::new();
    if let Some(zones) = ZONES.get() {
        return Ok(zones);
    }
    let read = Zones::embedded().map_err(|error| PyRuntimeError::new_err(error.to_string()))?;
    Ok(ZONES.get_or_init(|| read))
}

/// gCO2e/kWh or none where nobody published it, zone id, zone name, period, publisher.
type Grid = (Option<f64>, String, String, String, String);

/// The yearly intensity of a region's grid; of the default region without a name.
#[pyfunction]
#[pyo3(signature = (region=None))]
fn grid_intensity(py: Python<'_>, region: Option<&str>) -> PyResult<Grid> {
    let name = region.unwrap_or(DEFAULT_REGION);
    let zones = py.detach(zones)?;
    let zone = zones.find(name).map_err(|error| {
        UnknownNameError::new_err((
            format!("unknown region `{name}`"),
            format!(
                "nearest: {}; valid are AWS, GCP and Azure regions, ISO 3166 codes, grid zones and cities",
                error.nearest.join(", ")
            ),
        ))
    })?;
    let found = zones.intensity(zone);
    let (value, period, source) = found.map_or((None, String::new(), String::new()), |found| {
        let figure = found.figure;
        (Some(figure.value.grams_per_kilowatt_hour()), figure.period.to_string(), figure.provenance.source)
    });
    Ok((value, zone.id.clone(), zone.name.clone(), period, source))
}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("DEFAULT_REGION", DEFAULT_REGION)?;
    module.add_function(wrap_pyfunction!(grid_intensity, module)?)
}
