//! Requests as exporters write them. Unknown keys are skipped: versions differ.

use crate::choice::{Kind, Wanted};
use crate::filter::Filter;
use kepler_core::model::{EnergySource, Machine, OutputType, Semantics, Trainer};
use serde::Deserialize;

/// The node type that stands for any.
const ANY_NODE_TYPE: i64 = -1;

/// `POST /model`.
#[derive(Debug, Deserialize)]
pub(crate) struct ModelRequest {
    #[serde(default)]
    weight: bool,
    #[serde(flatten)]
    selection: Selection,
}

/// The estimator's request.
#[derive(Debug, Deserialize)]
pub(crate) struct PowerRequest {
    /// One row a process, container or node; `null` is a feature that is not known.
    #[serde(default)]
    pub(crate) values: Vec<Vec<Option<f64>>>,
    #[serde(default)]
    system_features: Option<Vec<String>>,
    #[serde(default)]
    system_values: Option<Vec<String>>,
    /// `lines`: answers end with a line break, and more requests follow on the same connection. Ours.
    #[serde(default)]
    pub(crate) framing: Option<String>,
    #[serde(flatten)]
    selection: Selection,
}

/// What both ask of a model.
#[derive(Debug, Deserialize)]
struct Selection {
    /// The names of what the caller measures. Go writes an empty list as `null`.
    #[serde(default)]
    metrics: Option<Vec<String>>,
    output_type: String,
    #[serde(default)]
    source: Option<String>,
    #[serde(default)]
    node_type: Option<i64>,
    #[serde(default)]
    loose_node_type: Option<bool>,
    #[serde(default)]
    trainer_name: Option<String>,
    #[serde(default)]
    filter: Option<String>,
    #[serde(default)]
    pipeline_name: Option<String>,
    #[serde(default, alias = "spec")]
    machine_spec: Option<Spec>,
    /// What the caller's metrics mean; without it, what the model's do. Ours.
    #[serde(default)]
    semantics: Option<String>,
}

/// A machine as exporters describe it. What is not known is missing, empty, 0 or −1.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct Spec {
    #[serde(default)]
    processor: Option<String>,
    #[serde(default)]
    cores: Option<f64>,
    #[serde(default)]
    chips: Option<f64>,
    #[serde(default)]
    memory: Option<f64>,
    #[serde(default)]
    frequency: Option<f64>,
    #[serde(default)]
    threads_per_core: Option<f64>,
}

impl Spec {
    /// As `node_type_index.json` holds it.
    #[cfg(feature = "train")]
    pub(crate) fn attributes(&self) -> serde_json::Value {
        serde_json::json!({
            "processor": self.processor.as_deref().unwrap_or_default(),
            "cores": self.cores,
            "chips": self.chips,
            "memory": self.memory,
            "frequency": self.frequency,
            "threads_per_core": self.threads_per_core.filter(|&each| each > 0.0),
        })
    }

    /// `cores` are logical CPUs: both the exporter and the estimator ask the kernel for them.
    fn machine(&self) -> Machine {
        let sane = |number: Option<f64>| number.filter(|number| number.is_finite() && *number > 0.0);
        // The cast saturates, and no machine has more.
        let count = |number: Option<f64>| sane(number).map(|number| number as u32).filter(|&count| count > 0);
        let threads = count(self.cores);
        let mut machine = Machine::with_processor(self.processor.as_deref().unwrap_or_default());
        machine.threads = threads;
        machine.cores = threads.zip(count(self.threads_per_core)).map(|(threads, each)| (threads / each).max(1));
        machine.chips = count(self.chips);
        machine.memory_gib = sane(self.memory);
        machine.frequency_mhz = sane(self.frequency);
        machine
    }
}

impl ModelRequest {
    /// What is wanted, and whether the caller takes more keys in weights than components.
    ///
    /// # Errors
    /// A text for the caller.
    pub(crate) fn wanted(&self) -> Result<(Wanted, bool), String> {
        // Exporters that know of machine_spec read the answer into named fields. Those before read every key as a
        // component, and take the weights for linear ones unless they asked for a trainer.
        let is_new = self.selection.machine_spec.is_some();
        let kind = match self.weight {
            true => Kind::Weights { linear_only: !is_new },
            false => Kind::Archive,
        };
        Ok((self.selection.wanted(kind, None)?, is_new))
    }
}

impl PowerRequest {
    /// What is wanted. `machine` is the caller's, unless it says otherwise.
    ///
    /// # Errors
    /// A text for the caller.
    pub(crate) fn wanted(&self, machine: Option<&Machine>) -> Result<Wanted, String> {
        let mut wanted = self.selection.wanted(Kind::Predict, machine)?;
        let names = self.system_features.as_deref().unwrap_or_default();
        let values = self.system_values.as_deref().unwrap_or_default();
        if names.len() != values.len() {
            return Err(format!("{} system_features with {} system_values", names.len(), values.len()));
        }
        wanted.categories = names.iter().cloned().zip(values.iter().cloned()).collect();
        Ok(wanted)
    }
}

impl Selection {
    fn wanted(&self, kind: Kind, machine: Option<&Machine>) -> Result<Wanted, String> {
        let given =
            |text: &Option<String>| text.as_deref().map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned);
        let trainer = match given(&self.trainer_name) {
            Some(name) => Some(
                Trainer::ALL
                    .into_iter()
                    .find(|trainer| trainer.name() == name)
                    .ok_or_else(|| format!("trainer_name: there are no models of `{name}` in JSON"))?,
            ),
            None => None,
        };
        let semantics = match given(&self.semantics) {
            Some(name) => Some(name.parse::<Semantics>().map_err(|error| format!("semantics: {error}"))?),
            None => None,
        };
        let spec = self.machine_spec.as_ref().map(Spec::machine);
        Ok(Wanted {
            metrics: self.metrics.clone().unwrap_or_default(),
            output: output(&self.output_type)?,
            source: source(self.source.as_deref())?,
            node_type: self.node_type.filter(|&number| number != ANY_NODE_TYPE),
            loose: self.loose_node_type.unwrap_or(true),
            trainer,
            filter: Filter::parse(self.filter.as_deref().unwrap_or_default())?,
            pipeline: given(&self.pipeline_name),
            machine: spec.or_else(|| machine.cloned()),
            semantics,
            categories: Vec::new(),
            kind,
        })
    }
}

/// The output type of that name.
pub(crate) fn output(name: &str) -> Result<OutputType, String> {
    OutputType::ALL
        .into_iter()
        .find(|output| output.name() == name)
        .ok_or_else(|| format!("output_type: `{name}` is neither AbsPower nor DynPower"))
}

/// The energy source of that name; exporters say `rapl`, `rapl-sysfs`, `intel_rapl` and more.
pub(crate) fn source(name: Option<&str>) -> Result<EnergySource, String> {
    match name.unwrap_or_default() {
        "" => Ok(EnergySource::RaplSysfs),
        name if name.contains("rapl") => Ok(EnergySource::RaplSysfs),
        "acpi" => Ok(EnergySource::Acpi),
        name => Err(format!("source: `{name}` is neither rapl-sysfs nor acpi")),
    }
}
