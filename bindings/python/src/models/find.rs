//! Directories of published models, and the one for a machine.

use super::PowerModel;
use crate::errors::{ConfigurationError, DataError, ModelError, message_and_remedy};
use kepler_core::host::Host;
use kepler_core::model::{
    Catalogue, Conversion, EnergySource, Entry, Machine, ModelRequest, OutputType, Quantity, Semantics,
};
use pyo3::prelude::*;
use std::path::PathBuf;

/// Path, pipeline, source, output, group, trainer, node type, processor.
type Row = (PathBuf, String, &'static str, &'static str, &'static str, &'static str, u32, Option<String>);

fn row(entry: &Entry) -> Row {
    (
        entry.path.clone(),
        entry.pipeline.clone(),
        entry.source.name(),
        entry.output.name(),
        entry.group.name(),
        entry.trainer.name(),
        entry.node_type,
        entry.machine.as_ref().map(|machine| machine.processor.clone()),
    )
}

fn open(directory: PathBuf) -> PyResult<Catalogue> {
    Catalogue::open(directory).map_err(|error| ModelError::new_err(message_and_remedy(&error)))
}

/// What is not a model, and why.
type SkippedRow = (PathBuf, &'static str);

/// Every model of a directory of published models, and what was not recognised with its reason.
#[pyfunction]
fn list_models(directory: PathBuf) -> PyResult<(Vec<Row>, Vec<SkippedRow>)> {
    let catalogue = open(directory)?;
    let skipped = catalogue.skipped().iter().map(|skipped| (skipped.path.clone(), skipped.reason)).collect();
    Ok((catalogue.entries().iter().map(row).collect(), skipped))
}

/// Processor, cores, threads, sockets, GiB, MHz.
type GivenMachine = (String, Option<u32>, Option<u32>, Option<u32>, Option<f64>, Option<f64>);

/// The model for a machine (this one where none is given), its entry, the distance and what differs.
#[pyfunction]
#[pyo3(signature = (directory, source, output, measured, convert, machine))]
fn find_model(
    py: Python<'_>,
    directory: PathBuf,
    source: &str,
    output: &str,
    measured: Vec<String>,
    convert: bool,
    machine: Option<GivenMachine>,
) -> PyResult<(PowerModel, Row, f64, String)> {
    let unknown = |what: &str, given: &str, valid: &str| {
        ConfigurationError::new_err((format!("there is no {what} `{given}`"), format!("give {valid}")))
    };
    let sources = [EnergySource::RaplSysfs, EnergySource::Acpi];
    let asked = source;
    let source = sources.into_iter().find(|known| known.name() == source);
    let source = source.ok_or_else(|| unknown("source", asked, "rapl-sysfs or acpi"))?;
    let outputs = [OutputType::AbsPower, OutputType::DynPower];
    let kind = outputs.into_iter().find(|known| known.name() == output);
    let kind = kind.ok_or_else(|| unknown("output", output, "AbsPower or DynPower"))?;
    let quantity = |name: &String| match Semantics::AsNamed.quantity(name) {
        Quantity::Undeclared => Err(unknown("quantity", name, "features of Kepler's models, such as bpf_cpu_time_ms")),
        known => Ok(known),
    };
    let given = measured.iter().map(quantity).collect::<PyResult<Vec<_>>>()?;
    let machine = match machine {
        Some((processor, cores, threads, chips, memory_gib, frequency_mhz)) => {
            let mut machine = Machine::with_processor(&processor);
            (machine.cores, machine.threads, machine.chips) = (cores, threads, chips);
            (machine.memory_gib, machine.frequency_mhz) = (memory_gib, frequency_mhz);
            machine
        }
        None => Machine::of(&Host::default()),
    };
    let conversion = match machine.threads.filter(|_| convert) {
        Some(threads) => Conversion::Allow { threads },
        None => Conversion::Refuse,
    };
    let catalogue = open(directory)?;
    let mut request = ModelRequest::new(source, kind, &machine, &given);
    request.conversion = conversion;
    let found =
        py.detach(|| catalogue.best_for(&request)).map_err(|error| DataError::new_err(message_and_remedy(&error)))?;
    Ok((PowerModel::new(found.model), row(&found.entry), found.distance, found.reason))
}

pub(super) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(list_models, module)?)?;
    module.add_function(wrap_pyfunction!(find_model, module)?)
}
