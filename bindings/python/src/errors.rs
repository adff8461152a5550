//! Errors of the Rust crates as the exceptions of `kepler_power.errors`: a message and a remedy.
#![allow(dead_code, unused_imports, reason = "the areas that raise them are being written")]

/// The classes, imported when one is first raised.
mod classes {
    pyo3::import_exception!(kepler_power.errors, ConfigurationError);
    pyo3::import_exception!(kepler_power.errors, DataError);
    pyo3::import_exception!(kepler_power.errors, MeterError);
    pyo3::import_exception!(kepler_power.errors, ModelError);
    pyo3::import_exception!(kepler_power.errors, MonitorError);
    pyo3::import_exception!(kepler_power.errors, UnknownNameError);
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
