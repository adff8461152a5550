//! Carbon and compliance: the facility, the formulas, the tables, the eight tools.
//!
//! What is asked and answered crosses to Python as JSON text, in the shape of the tools' schemas; the
//! classes of `kepler_power.compliance`, generated from the same schemas, take it from there.

mod current;
mod data;
mod facility;
mod formulas;
mod intensity;
mod source;
mod tools;

pub(crate) use source::{Live, Observation};

use pyo3::prelude::*;

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    facility::register(module)?;
    current::register(module)?;
    formulas::register(module)?;
    data::register(module)?;
    source::register(module)?;
    tools::register(module)
}
