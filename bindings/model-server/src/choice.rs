//! Choice of the model for a request.

use crate::filter::Filter;
use crate::listed::Listed;
use kepler_core::model::{EnergySource, Machine, Model, OutputType, Semantics, Trainer};
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

/// Reasons that an answer lists.
const MOST_REASONS: usize = 5;

/// What a request asks for.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Wanted {
    /// What the caller measures, in its order.
    pub(crate) metrics: Vec<String>,
    pub(crate) output: OutputType,
    pub(crate) source: EnergySource,
    /// Compared as a number: 1 is not 10.
    pub(crate) node_type: Option<i64>,
    /// Whether another machine's model will do.
    pub(crate) loose: bool,
    pub(crate) trainer: Option<Trainer>,
    pub(crate) filter: Filter,
    pub(crate) pipeline: Option<String>,
    pub(crate) machine: Option<Machine>,
    /// What the metrics mean, if the caller says so.
    pub(crate) semantics: Option<Semantics>,
    /// Categorical variables with their values.
    pub(crate) categories: Vec<(String, String)>,
    pub(crate) kind: Kind,
}

/// What the answer will be made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Published weights.
    Weights {
        /// Curves would be taken for linear weights.
        linear_only: bool,
    },
    /// The model's files.
    Archive,
    /// A prediction.
    Predict,
}

/// The model chosen, ready to predict.
#[derive(Debug)]
pub(crate) struct Choice {
    pub(crate) model: Arc<Model>,
    pub(crate) name: String,
    pub(crate) path: PathBuf,
    pub(crate) mae: Option<f64>,
    pub(crate) machine: Option<Machine>,
    /// For each of the model's features, its index in the caller's metrics.
    pub(crate) columns: Vec<usize>,
    /// How far the model's machine is from the caller's; `None` where either is not known.
    pub(crate) distance: Option<f64>,
    /// What differs.
    pub(crate) reason: String,
    /// The caller's logical CPUs over those of the model's machine, at most 1: its share of the idle power.
    pub(crate) core_ratio: Option<f64>,
}

/// No model suits a request.
#[derive(Debug, PartialEq, Eq)]
pub struct NoChoice {
    /// Models of that source and output.
    candidates: usize,
    /// Those that come closest, each with what is against it.
    reasons: Vec<(String, String)>,
}

impl fmt::Display for NoChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.candidates == 0 {
            return f.write_str("cannot find model: there is none of this source, output type, pipeline and trainer");
        }
        write!(f, "cannot find model: none of {} suits", self.candidates)?;
        for (name, reason) in self.reasons.iter().take(MOST_REASONS) {
            write!(f, "; {name}: {reason}")?;
        }
        if self.reasons.len() > MOST_REASONS { write!(f, "; …") } else { Ok(()) }
    }
}

impl std::error::Error for NoChoice {}

impl Choice {
    pub(crate) fn of<'a>(listed: impl IntoIterator<Item = &'a Listed>, wanted: &Wanted) -> Result<Self, NoChoice> {
        let is_candidate = |listed: &&Listed| {
            let entry = &listed.entry;
            entry.source == wanted.source
                && entry.output == wanted.output
                && wanted.trainer.is_none_or(|trainer| entry.trainer == trainer)
                && wanted.pipeline.as_ref().is_none_or(|pipeline| entry.pipeline == *pipeline)
        };
        let mut candidates: Vec<Candidate<'_>> =
            listed.into_iter().filter(is_candidate).map(|listed| Candidate::new(listed, wanted)).collect();
        candidates.sort_by(Candidate::compare);
        let mut none = NoChoice { candidates: candidates.len(), reasons: Vec::new() };
        for candidate in candidates {
            match candidate.check(wanted) {
                Ok(choice) => return Ok(choice),
                Err(reason) => none.reasons.push((candidate.listed.name(), reason)),
            }
        }
        Err(none)
    }
}

struct Candidate<'a> {
    listed: &'a Listed,
    /// Whether it is of another node type than was asked for.
    is_other_type: bool,
    difference: Option<(f64, String)>,
}

impl<'a> Candidate<'a> {
    fn new(listed: &'a Listed, wanted: &Wanted) -> Self {
        let entry = &listed.entry;
        // Who describes its machine is served by that: exporters send 1 for every machine.
        let is_other_type = wanted.machine.is_none()
            && wanted.node_type.is_some_and(|node_type| node_type != i64::from(entry.node_type));
        let difference = wanted.machine.as_ref().zip(entry.machine.as_ref()).map(|(own, other)| {
            let difference = own.difference(other);
            (difference.distance, difference.reason)
        });
        Candidate { listed, is_other_type, difference }
    }

    /// The better one first: its machine, then its features, then its trainer.
    fn compare(&self, other: &Self) -> std::cmp::Ordering {
        let distance =
            |candidate: &Self| candidate.difference.as_ref().map_or(f64::INFINITY, |(distance, _)| *distance);
        let features = |candidate: &Self| candidate.listed.entry.group.features().len();
        self.is_other_type
            .cmp(&other.is_other_type)
            .then_with(|| distance(self).total_cmp(&distance(other)))
            .then_with(|| features(other).cmp(&features(self)))
            .then_with(|| self.listed.entry.trainer.cmp(&other.listed.entry.trainer))
            .then_with(|| self.listed.entry.path.cmp(&other.listed.entry.path))
    }

    /// The choice that this would be, or what is against it.
    fn check(&self, wanted: &Wanted) -> Result<Choice, String> {
        let entry = &self.listed.entry;
        if !wanted.loose {
            self.is_close(wanted)?;
        }
        if let Kind::Weights { linear_only } = wanted.kind {
            is_weights(entry.trainer, &entry.path, linear_only && wanted.trainer.is_none())?;
        }
        // By the group's name first, which spares reading the model.
        let lacks = |feature: &&&str| !wanted.metrics.iter().any(|metric| metric == **feature);
        if let Some(feature) = entry.group.features().iter().find(lacks) {
            return Err(format!("`{feature}` is not among the metrics"));
        }
        let model = self.listed.model().map_err(str::to_owned)?;
        if let Some(semantics) = wanted.semantics {
            for feature in model.features() {
                let (own, given) = (model.semantics().quantity(feature), semantics.quantity(feature));
                if own != given {
                    return Err(format!("its `{feature}` is {own}; given is {given}"));
                }
            }
        }
        if let Some(reason) = wanted.filter.refuse(&self.listed.figures, model.features()) {
            return Err(reason);
        }
        let columns = model.features().iter().map(|feature| {
            let index = wanted.metrics.iter().position(|metric| metric == feature);
            index.ok_or_else(|| format!("`{feature}` is not among the metrics"))
        });
        let columns = columns.collect::<Result<_, _>>()?;
        if let Kind::Weights { .. } = wanted.kind {
            is_sound_at_rest(model)?;
        }
        let threads = |machine: Option<&Machine>| machine.and_then(|machine| machine.threads).map(f64::from);
        let share = threads(wanted.machine.as_ref()).zip(threads(entry.machine.as_ref()));
        let (distance, reason) = self.difference.clone().map_or_else(
            || (None, "the caller's or the model's machine is not known".to_owned()),
            |(distance, reason)| (Some(distance), reason),
        );
        Ok(Choice {
            model: with_categories(model, &wanted.categories)?,
            name: self.listed.name(),
            path: entry.path.clone(),
            mae: self.listed.figures.get("mae").copied(),
            machine: entry.machine.clone(),
            columns,
            distance,
            reason,
            core_ratio: share.map(|(own, theirs)| (own / theirs).min(1.0)),
        })
    }

    fn is_close(&self, wanted: &Wanted) -> Result<(), String> {
        use kepler_core::model::MAX_DISTANCE;
        match &self.difference {
            _ if self.is_other_type => Err(format!("its node type is {}", self.listed.entry.node_type)),
            Some((distance, reason)) if *distance > MAX_DISTANCE => {
                Err(format!("its machine is {distance:.2} away ({reason}), the limit is {MAX_DISTANCE}"))
            }
            None if wanted.machine.is_some() => Err("its machine is not known".to_owned()),
            _ => Ok(()),
        }
    }
}

/// Whether exporters can read it as weights.
fn is_weights(trainer: Trainer, path: &std::path::Path, linear_only: bool) -> Result<(), String> {
    let is_json = path.extension().is_some_and(|extension| extension == "json");
    match trainer {
        Trainer::Sgd | Trainer::Linear if is_json => Ok(()),
        Trainer::Logarithmic | Trainer::Logistic | Trainer::Exponential if is_json => {
            if linear_only {
                return Err("it is a curve, which an exporter without trainer_name takes for linear weights".to_owned());
            }
            Ok(())
        }
        _ => Err("it has no weights".to_owned()),
    }
}

/// Exporters cast watts to unsigned integers, which makes enormous ones of negative ones.
pub(crate) fn is_sound_at_rest(model: &Model) -> Result<(), String> {
    let zeros = vec![0.0; model.features().len()];
    for component in model.components() {
        let watts = component.raw(&zeros);
        if watts.is_nan() || watts < 0.0 {
            return Err(format!(
                "its {} is {watts:.1} W without activity, which exporters cast to an unsigned number",
                component.zone()
            ));
        }
    }
    Ok(())
}

fn with_categories(model: &Arc<Model>, categories: &[(String, String)]) -> Result<Arc<Model>, String> {
    let open: Vec<String> = model.open_categories().map(str::to_owned).collect();
    if open.is_empty() {
        return Ok(Arc::clone(model));
    }
    let mut chosen = Model::clone(model);
    for (variable, value) in categories.iter().filter(|(variable, _)| open.contains(variable)) {
        chosen.choose_category(variable, value).map_err(|error| error.to_string())?;
    }
    Ok(Arc::new(chosen))
}
