//! The eight tools, called by name with JSON.

use super::current::current;
use super::data::{data, json, standards};
use super::facility::Facility;
use super::intensity::IntensityArgument;
use super::source::{Meters, Observation, Origin};
use crate::errors::{ConfigurationError, message_and_remedy, tool_error};
use jiff::Timestamp;
use kepler_compliance::intensity::IntensitySource;
use kepler_compliance::tools::CallError;
use kepler_compliance::tools::registry::{Tool, WINDOW_ARGUMENT, find, tools};
use kepler_compliance::tools::{DEFAULT_REGION, Length, Toolbox};
use kepler_compliance::view::{EnergyView, NoView};
use pyo3::prelude::*;
use serde_json::{Map, Value, json as value};
use std::path::PathBuf;
use std::sync::Arc;

/// Schemas of all tools, as JSON: what the Python functions and classes are generated from.
#[pyfunction]
fn tool_schemas() -> PyResult<String> {
    let schema = |tool: &Tool| {
        value!({
            "name": tool.name,
            "title": tool.title,
            "description": tool.description(),
            "input": tool.input_schema,
            "output": tool.output_schema,
        })
    };
    json(&tools().iter().map(schema).collect::<Vec<_>>())
}

/// `source=`.
#[derive(FromPyObject)]
enum SourceArgument {
    Observation(Py<Observation>),
    Text(String),
}

/// The tool's answer as JSON. Releases the GIL while it observes and computes.
#[pyfunction]
#[pyo3(signature = (name, arguments, source, facility, intensity, standards_dir, now, meters))]
#[allow(clippy::too_many_arguments, reason = "one for each thing a question can state; Python names them")]
fn call_tool(
    py: Python<'_>,
    name: &str,
    arguments: &str,
    source: SourceArgument,
    facility: Option<Py<Facility>>,
    intensity: Option<IntensityArgument>,
    standards_dir: Option<PathBuf>,
    now: Option<&str>,
    meters: Meters,
) -> PyResult<String> {
    let tool = find(name).map_err(|error| ConfigurationError::new_err(message_and_remedy(&error)))?;
    let mut arguments: Map<String, Value> = serde_json::from_str(arguments).map_err(|error| {
        ConfigurationError::new_err((format!("the arguments of {name} are not a JSON object: {error}"), ""))
    })?;
    let data = data()?;
    let facility = facility.map_or_else(|| current(py), Ok)?;
    let settings = facility.get().settings().clone();
    let region = arguments.get("region").and_then(Value::as_str).or(settings.region.as_deref());
    let intensity: Arc<dyn IntensitySource> = match intensity {
        Some(given) => given.source(data, region.unwrap_or(DEFAULT_REGION), settings.intensity_method)?,
        None => data.table.clone(),
    };
    let standards = standards(standards_dir.as_deref())?;
    let now: Option<Timestamp> =
        now.map(str::parse).transpose().map_err(|error| ConfigurationError::new_err(message_and_remedy(&error)))?;

    // What must be measured for is measured last: a wrong argument is reported at once, not minutes later.
    let observed = match source {
        SourceArgument::Observation(observation) => Some(observation),
        SourceArgument::Text(text) => {
            let origin = Origin::parse(&text)?;
            let window = length(&arguments)?;
            let is_needed = tool.needs_energy(Value::Object(arguments.clone())).map_err(call_error)?;
            is_needed.then(|| Py::new(py, origin.observe(py, window, meters)?)).transpose()?
        }
    };
    let observation = observed.as_ref().map(Py::get);
    if let Some(observation) = observation {
        usual_window(&mut arguments, observation);
    }
    let taken = observation.and_then(|observation| observation.taken);
    let view: Arc<dyn EnergyView> =
        observation.map_or_else(|| Arc::new(NoView) as _, |observation| observation.view.clone());
    let mut toolbox = Toolbox::new(view, standards, data.zones.clone(), intensity);
    toolbox.settings = settings;
    let answer = py.detach(|| {
        let context = toolbox.context(taken.unwrap_or_else(Timestamp::now));
        let context = now.map_or(context, |now| context.at(now));
        tool.call(&context, Value::Object(arguments))
    });
    let mut answer = answer.map_err(call_error)?;
    let caveat = observation.and_then(|observation| observation.caveat.clone());
    if let (Some(caveat), Some(Value::Array(caveats))) = (caveat, answer.get_mut("caveats")) {
        caveats.insert(0, Value::String(caveat));
    }
    json(&answer)
}

/// The window asked for, which a source that must be waited for is observed for.
fn length(arguments: &Map<String, Value>) -> PyResult<Option<Length>> {
    let asked = arguments.get(WINDOW_ARGUMENT).and_then(Value::as_str);
    asked.map(|text| text.parse().map_err(|error| ConfigurationError::new_err(message_and_remedy(&error)))).transpose()
}

/// Where no window is asked for, that which was observed.
fn usual_window(arguments: &mut Map<String, Value>, observation: &Observation) {
    let seconds = observation.window.as_secs().max(1);
    arguments.entry(WINDOW_ARGUMENT).or_insert_with(|| Value::String(format!("{seconds}s")));
}

fn call_error(error: CallError) -> PyErr {
    match error {
        CallError::Tool(error) => tool_error(error),
        other => ConfigurationError::new_err(message_and_remedy(&other)),
    }
}

pub(super) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(tool_schemas, module)?)?;
    module.add_function(wrap_pyfunction!(call_tool, module)?)
}
