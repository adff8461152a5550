//! Training requests as the reference's client writes them. Unknown keys are skipped: versions differ.

use super::prometheus::Queries;
use crate::request::{Spec, source};
use kepler_core::model::{EnergySource, OutputType, Semantics, Trainer};
use serde::Deserialize;

/// The longest name of a pipeline.
const MAX_NAME: usize = 64;

/// `POST /train`.
#[derive(Deserialize)]
pub(super) struct TrainRequest {
    name: String,
    #[serde(default)]
    energy_source: Option<String>,
    #[serde(default)]
    trainer: Option<Attributes>,
    prom_response: Queries,
    /// What the features mean. Ours.
    #[serde(default)]
    semantics: Option<String>,
    /// The machine that was recorded. Ours.
    #[serde(default)]
    machine_spec: Option<Spec>,
    /// Its number. Ours.
    #[serde(default)]
    node_type: u32,
}

/// How to train.
#[derive(Default, Deserialize)]
struct Attributes {
    #[serde(default)]
    abs_trainers: Option<Vec<String>>,
    #[serde(default)]
    dyn_trainers: Option<Vec<String>>,
    #[serde(default)]
    idle_prom_response: Option<Queries>,
    #[serde(default)]
    isolator: Option<String>,
}

/// How idle power is separated from dynamic power.
#[derive(Debug)]
pub(super) enum Isolator {
    /// The least power of any interval.
    Least,
    /// Nothing is taken off.
    Nothing,
    /// The median power while idle.
    Profile(Queries),
}

/// A request understood.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) name: String,
    pub(super) source: EnergySource,
    pub(super) trainers: Vec<(OutputType, Trainer)>,
    pub(super) isolator: Isolator,
    pub(super) queries: Queries,
    pub(super) semantics: Semantics,
    pub(super) machine: Option<Spec>,
    pub(super) node_type: u32,
    /// Trainers asked for that are not ours, each with the reason.
    pub(super) left_out: Vec<String>,
}

/// Trainers of the reference whose models are pickles or trees, which no exporter reads as weights.
const WITHOUT_WEIGHTS: [&str; 5] = [
    "GradientBoostingRegressorTrainer",
    "KNeighborsRegressorTrainer",
    "PolynomialRegressionTrainer",
    "SVRRegressorTrainer",
    "XgboostFitTrainer",
];

impl TrainRequest {
    /// What is to be done.
    ///
    /// # Errors
    /// A text for the caller.
    pub(super) fn plan(self) -> Result<Plan, String> {
        check_name(&self.name)?;
        let Attributes { abs_trainers, dyn_trainers, idle_prom_response, isolator } = self.trainer.unwrap_or_default();
        let mut left_out = Vec::new();
        let mut trainers = Vec::new();
        for (key, output, asked) in
            [("abs_trainers", OutputType::AbsPower, abs_trainers), ("dyn_trainers", OutputType::DynPower, dyn_trainers)]
        {
            let asked = asked.unwrap_or_else(|| vec![Trainer::Sgd.name().to_owned()]);
            for name in asked {
                match named(&name) {
                    Ok(trainer) if trainers.contains(&(output, trainer)) => {}
                    Ok(trainer) => trainers.push((output, trainer)),
                    Err(reason) if WITHOUT_WEIGHTS.contains(&name.as_str()) => {
                        left_out.push(format!("{} {reason}", output.name()));
                    }
                    Err(reason) => return Err(format!("trainer.{key}: {reason}")),
                }
            }
        }
        if trainers.is_empty() {
            let reasons = if left_out.is_empty() { String::new() } else { format!(" ({})", left_out.join("; ")) };
            return Err(format!(
                "trainer: no trainer is asked for that is here{reasons}; give {} in abs_trainers or dyn_trainers",
                known().collect::<Vec<_>>().join(", ")
            ));
        }
        let isolator = match isolator.as_deref() {
            None | Some("MinIdleIsolator") => Isolator::Least,
            Some("NoneIsolator") => Isolator::Nothing,
            Some("ProfileBackgroundIsolator") => Isolator::Profile(idle_prom_response.ok_or(
                "trainer.isolator: ProfileBackgroundIsolator takes idle power from trainer.idle_prom_response, which \
                 is missing; give the queries of an idle time, or MinIdleIsolator",
            )?),
            Some(other) => {
                return Err(format!(
                    "trainer.isolator: `{}` is not here; give MinIdleIsolator, ProfileBackgroundIsolator or NoneIsolator",
                    shortened(other)
                ));
            }
        };
        let semantics = match self.semantics {
            Some(name) => name.parse().map_err(|error| format!("semantics: {error}"))?,
            None => Semantics::of_pipeline(&self.name),
        };
        Ok(Plan {
            source: source(self.energy_source.as_deref()).map_err(|error| format!("energy_{error}"))?,
            name: self.name,
            trainers,
            isolator,
            queries: self.prom_response,
            semantics,
            machine: self.machine_spec,
            node_type: self.node_type,
            left_out,
        })
    }
}

/// It becomes the name of a directory.
fn check_name(name: &str) -> Result<(), String> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    if name.is_empty() || name.len() > MAX_NAME || name.starts_with('.') || !name.bytes().all(is_plain) {
        return Err(format!(
            "name: `{}` is no name of a pipeline; give 1 to {MAX_NAME} letters, digits, `-`, `_` and `.`, no `.` first",
            shortened(name)
        ));
    }
    Ok(())
}

fn known() -> impl Iterator<Item = &'static str> {
    Trainer::ALL.into_iter().filter(|trainer| *trainer != Trainer::Xgboost).map(Trainer::name)
}

fn named(name: &str) -> Result<Trainer, String> {
    let found = Trainer::ALL.into_iter().find(|trainer| *trainer != Trainer::Xgboost && trainer.name() == name);
    found.ok_or_else(|| match WITHOUT_WEIGHTS.contains(&name) {
        true => format!("{name}: its models have no weights; `kepler train` makes trees, in a file of its own"),
        false => format!("unknown trainer `{}`; known are {}", shortened(name), known().collect::<Vec<_>>().join(", ")),
    })
}

fn shortened(text: &str) -> String {
    text.chars().take(80).collect()
}
