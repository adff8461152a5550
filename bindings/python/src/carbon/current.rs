//! The facility of this process, which emissions and answers rest on where no other is given.

use super::facility::Facility;
use pyo3::prelude::*;
use std::sync::{Mutex, PoisonError};

/// As configured, else as the environment states once it is asked for.
static CURRENT: Mutex<Option<Py<Facility>>> = Mutex::new(None);

/// The facility that emissions of measurements and answers of tools rest on where none is given.
pub(super) fn current(py: Python<'_>) -> PyResult<Py<Facility>> {
    let known =
        || CURRENT.lock().unwrap_or_else(PoisonError::into_inner).as_ref().map(|facility| facility.clone_ref(py));
    if let Some(facility) = known() {
        return Ok(facility);
    }
    // Made without the lock: it may raise, and run Python code.
    let facility = Py::new(py, Facility::from_environment()?)?;
    replace(Some(facility.clone_ref(py)));
    Ok(facility)
}

fn replace(facility: Option<Py<Facility>>) {
    // What was there is dropped after the lock is gone: that may run Python code.
    let _before = std::mem::replace(&mut *CURRENT.lock().unwrap_or_else(PoisonError::into_inner), facility);
}

/// The facility that this process works in, and that everything rests on where no other is given.
#[pyfunction]
fn facility(py: Python<'_>) -> PyResult<Py<Facility>> {
    current(py)
}

/// Makes a facility the one of this process; ``None``: the one that the environment states.
#[pyfunction]
fn set_facility(facility: Option<Py<Facility>>) {
    replace(facility);
}

pub(super) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(facility, module)?)?;
    module.add_function(wrap_pyfunction!(set_facility, module)?)
}
