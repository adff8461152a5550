//! The compiled part of the Python package `kepler_power`, importable as `kepler_power._native`.
//!
//! One file an area; each registers its classes and functions under flat names, which `python/kepler_power/`
//! re-exports where users find them. `python/kepler_power/_native.pyi` has their types. Exceptions are those of
//! `kepler_power.errors`, see `src/errors.rs`. Whatever reads meters or computes for long releases the GIL.
#![forbid(unsafe_code)]

mod carbon;
mod errors;
mod fork;
mod host;
mod measure;
mod models;
mod monitor;
mod platform;
mod remedies;

use pyo3::prelude::*;

#[pymodule]
fn _native(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    fork::register(module)?;
    measure::register(module)?;
    monitor::register(module)?;
    platform::register(module)?;
    carbon::register(module)?;
    models::register(module)
}
