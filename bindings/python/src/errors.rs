//! Errors of the Rust crates as the exceptions of `kepler_power.errors`: a message and a remedy.

/// The classes, imported when one is first raised.
mod classes {
    pyo3::import_exception!(kepler_power.errors, ConfigurationError);
    pyo3::import_exception!(kepler_power.errors, DataError);
    pyo3::import_exception!(kepler_power.errors, MeterError);
    pyo3::import_exception!(kepler_power.errors, ModelError);
    pyo3::import_exception!(kepler_power.errors, MonitorError);
    pyo3::import_exception!(kepler_power.errors, SourceError);
    pyo3::import_exception!(kepler_power.errors, UnknownNameError);
    pyo3::import_exception!(kepler_power.errors, UnknownRegionError);
    pyo3::import_exception!(kepler_power.errors, UnknownStandardError);
    pyo3::import_exception!(kepler_power.errors, UnknownWorkloadError);
}

pub(crate) use classes::*;

/// Splits `what is wrong; what to do`, as this project writes its messages, into the two arguments of a
/// `KeplerError`.
pub(crate) fn told(error: &impl std::fmt::Display) -> (String, String) {
    let text = error.to_string();
    match text.split_once("; ") {
        Some((message, remedy)) => (message.to_owned(), remedy.to_owned()),
        None => (text, String::new()),
    }
}

/// A region that no zone has, with the names most like it.
pub(crate) fn unknown_region(error: &kepler_compliance::zones::UnknownZone) -> pyo3::PyErr {
    let (message, remedy) = told(error);
    UnknownRegionError::new_err((message, remedy, error.nearest.clone()))
}

/// A standard that no rule has, with all codes.
pub(crate) fn unknown_standard(error: &kepler_compliance::standards::UnknownStandard) -> pyo3::PyErr {
    let (message, remedy) = told(error);
    UnknownStandardError::new_err((message, remedy, error.valid.clone()))
}
