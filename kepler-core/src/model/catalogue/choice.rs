//! Choosing the model for a machine.

use super::{Catalogue, EnergySource, Entry, MAX_DISTANCE, OutputType};
use crate::model::{BindError, Conversion, Difference, Machine, Model, ModelError, Quantity, Trainer};
use std::cmp::Reverse;
use std::path::PathBuf;

/// What a model is wanted for.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct ModelRequest<'a> {
    /// RAPL components or the platform.
    pub source: EnergySource,
    /// With or without idle power.
    pub output: OutputType,
    /// The machine.
    pub machine: &'a Machine,
    /// What is measured on it.
    pub given: &'a [Quantity],
    /// What may be made of that.
    pub conversion: Conversion,
}

impl<'a> ModelRequest<'a> {
    /// A model for `machine`, of these quantities as they are.
    #[must_use]
    pub const fn new(source: EnergySource, output: OutputType, machine: &'a Machine, given: &'a [Quantity]) -> Self {
        ModelRequest { source, output, machine, given, conversion: Conversion::Refuse }
    }
}

/// The model [chosen](Catalogue::best_for) for a machine.
#[derive(Debug)]
#[non_exhaustive]
pub struct Selection {
    /// The model.
    pub model: Model,
    /// Where it is from.
    pub entry: Entry,
    /// How far its machine is from the one asked for: 0 for the same type, at most [`MAX_DISTANCE`]. Widen the
    /// interval by it.
    pub distance: f64,
    /// What differs.
    pub reason: String,
    /// Better-ranked models that cannot be used, and why.
    pub passed_over: Vec<(PathBuf, PassedOver)>,
}

/// No model of a catalogue is for a machine.
#[derive(Debug, thiserror::Error)]
#[error("no model for this machine: {}", explain(self))]
#[non_exhaustive]
pub struct NoModel {
    /// The nearest that is too far, and how far.
    pub nearest: Option<(PathBuf, Difference)>,
    /// Those near enough that cannot be used, and why.
    pub passed_over: Vec<(PathBuf, PassedOver)>,
}

fn explain(error: &NoModel) -> String {
    match (error.passed_over.first(), &error.nearest) {
        (Some((path, reason)), _) => {
            format!(
                "{} near enough cannot be used, the first being {}: {reason}",
                error.passed_over.len(),
                path.display()
            )
        }
        (None, Some((path, difference))) => {
            format!(
                "the nearest, {}, is {:.2} away ({}), the limit is {MAX_DISTANCE}; use the generic class",
                path.display(),
                difference.distance,
                difference.reason
            )
        }
        (None, None) => "the catalogue has none of this source and output; use the generic class".to_owned(),
    }
}

/// Why a model near enough was not taken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PassedOver {
    /// It cannot be read.
    #[error(transparent)]
    Load(#[from] ModelError),
    /// It wants what is not measured.
    #[error(transparent)]
    Bind(#[from] BindError),
}

impl Catalogue {
    /// The model to use for a machine: of the most similar machine first; for the same machine the one with most
    /// features that are measured; then in the order of [`Trainer::ALL`]. Models that cannot be bound or read are passed
    /// over, each with its reason.
    ///
    /// # Errors
    /// There is none within [`MAX_DISTANCE`]. The generic class of the processor is then the better guess.
    pub fn best_for(&self, request: &ModelRequest<'_>) -> Result<Selection, NoModel> {
        let wanted = |entry: &&Entry| entry.source == request.source && entry.output == request.output;
        let candidates = self.entries.iter().filter(wanted).filter_map(|entry| {
            let difference = request.machine.difference(entry.machine.as_ref()?);
            Some((entry, difference))
        });
        let mut candidates: Vec<_> = candidates.collect();
        candidates.sort_by(|(a, a_difference), (b, b_difference)| {
            let by_distance = a_difference.distance.total_cmp(&b_difference.distance);
            by_distance.then_with(|| rank(a).cmp(&rank(b))).then_with(|| a.path.cmp(&b.path))
        });
        let mut passed_over = Vec::new();
        for (entry, difference) in candidates {
            if difference.distance > MAX_DISTANCE {
                let nearest = Some((entry.path.clone(), difference));
                return Err(NoModel { nearest, passed_over });
            }
            match load_for(entry, request) {
                Ok(model) => {
                    return Ok(Selection {
                        model,
                        entry: entry.clone(),
                        distance: difference.distance,
                        reason: difference.reason,
                        passed_over,
                    });
                }
                Err(reason) => passed_over.push((entry.path.clone(), reason)),
            }
        }
        Err(NoModel { nearest: None, passed_over })
    }
}

/// Smaller is better, at the same distance: more features, then the trainer.
fn rank(entry: &Entry) -> (Reverse<usize>, Trainer) {
    (Reverse(entry.group.features().len()), entry.trainer)
}

/// Reads a model if what the caller measures fits it.
fn load_for(entry: &Entry, request: &ModelRequest<'_>) -> Result<Model, PassedOver> {
    let model = entry.load()?;
    model.bind(request.given, request.conversion)?;
    Ok(model)
}
