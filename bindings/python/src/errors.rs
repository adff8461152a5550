//! Errors of the Rust crates as the exceptions of `kepler_power.errors`: a message and a remedy.

use kepler_compliance::tools::ToolError;
use kepler_compliance::view::ViewError;
use kepler_core::printable;
use pyo3::PyErr;

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
pub(crate) fn message_and_remedy(error: &impl std::fmt::Display) -> (String, String) {
    let text = printable::line(&error.to_string()).into_owned();
    match text.split_once("; ") {
        Some((message, remedy)) => (message.to_owned(), remedy.to_owned()),
        None => (text, String::new()),
    }
}

/// A region that no zone has, with the names most like it.
pub(crate) fn unknown_region(error: &kepler_compliance::zones::UnknownZone) -> PyErr {
    let (message, remedy) = message_and_remedy(error);
    UnknownRegionError::new_err((message, remedy, error.nearest.clone()))
}

/// A standard that no rule has, with all codes.
pub(crate) fn unknown_standard(error: &kepler_compliance::standards::UnknownStandard) -> PyErr {
    let (message, remedy) = message_and_remedy(error);
    UnknownStandardError::new_err((message, remedy, error.valid.clone()))
}

/// A tool's error as an exception that lists what would be valid.
pub(crate) fn tool_error(error: ToolError) -> PyErr {
    let text = message_and_remedy(&error);
    match error {
        ToolError::UnknownRegion(error) => unknown_region(&error),
        ToolError::UnknownStandard(error) => unknown_standard(&error),
        ToolError::UnknownWorkload { nearest, .. } => UnknownWorkloadError::new_err((text.0, text.1, nearest)),
        ToolError::View(ViewError::Unavailable { .. }) => SourceError::new_err(text),
        ToolError::View(_) | ToolError::Intensity(_) | ToolError::Schedule(_) => DataError::new_err(text),
        _ => ConfigurationError::new_err(text),
    }
}

/// A source that cannot be asked.
pub(crate) fn unavailable(error: &impl std::fmt::Display) -> PyErr {
    SourceError::new_err(message_and_remedy(error))
}
