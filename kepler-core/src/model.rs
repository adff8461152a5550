//! Power models: what a machine draws, from what it does, where nothing can be measured.
//!
//! This module reads the models that Kepler's model database publishes, in every JSON format of it, and
//! predicts with them exactly as the libraries do that made them. It also reads [our own format](mod@format), which the
//! crate `kepler-train` makes: such a model knows how far off it may be. Nothing is trained here.
//!
//! # Concepts
//!
//! A [`Model`] describes one or more components of a node (package, core, uncore, dram, or the whole platform) by
//! the same features: sums over the node, per second. Its form is a linear function, a curve of one feature, or boosted trees.
//! A [`Catalogue`] is a directory of models of many machines; it finds the one for a machine, says how different
//! that machine is, and refuses to go too far.
//!
//! What features *mean* depends on who recorded the training rows. [`Model::predict`] takes numbers as
//! the model understands them; [`Model::bind`] connects measured [quantities](Quantity) to a model, or says why they do not fit.
//!
//! # Usage
//!
//! ```
//! use kepler_core::model::{Conversion, Model, Quantity, Semantics};
//! use kepler_core::units::ZoneKind;
//!
//! let json = br#"{"package": {"All_Weights": {"Bias_Weight": 20.0, "Categorical_Variables": {},
//!     "Numerical_Variables": {"bpf_cpu_time_ms": {"scale": 8000.0, "weight": 100.0}}}}}"#;
//! let model = Model::from_json("SGDRegressorTrainer_0", json)?.with_semantics(Semantics::AsNamed);
//! assert_eq!(model.features(), ["bpf_cpu_time_ms"]);
//!
//! let binding = model.bind(&[Quantity::CpuCycles, Quantity::CpuTime], Conversion::Refuse)?;
//! let mut features = Vec::new();
//! binding.apply(&[1.5e9, 4000.0], &mut features);
//! let prediction = model.predict(&features)?;
//! assert_eq!(prediction.power(ZoneKind::Package).map(|power| power.watts()), Some(70.0));
//! assert_eq!(prediction.power(ZoneKind::Dram), None);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Hostile files
//!
//! Files are trusted with nothing. At most [`MAX_FILE_BYTES`] of a regular file are read; only what the format
//! has is stored (memory stays below a small multiple of the file); trees are checked to be trees, no deeper than [`MAX_DEPTH`],
//! before anything walks them; so a prediction takes at most `trees · MAX_DEPTH` steps. Names in a component map must be
//! plain file names beside it. Python pickles are never read.

#[cfg(feature = "archives")]
mod archive;
mod binding;
mod card;
mod catalogue;
mod error;
mod feature;
mod file;
pub mod format;
mod interval;
mod load;
mod machine;
mod own;
mod prediction;
mod siblings;
mod trainer;
mod trees;
mod weights;

pub use binding::{BindError, Binding, Conversion};
pub use card::{Card, Score};
pub use catalogue::{
    Catalogue, EnergySource, Entry, FeatureGroup, MAX_DISTANCE, MAX_ENTRIES, ModelRequest, NoModel, OutputType,
    PassedOver, Selection, SkippedFile,
};
pub use error::{ModelError, ModelFault, PredictError, TreeFault};
pub use feature::{ParseSemanticsError, Quantity, Semantics};
pub use interval::Interval;
pub use machine::{Difference, Machine};
pub use own::{component_name, zone};
pub use prediction::Prediction;
pub use trainer::Trainer;

use crate::units::{PerZone, Power, ZoneKind};
use interval::{Rule, Support};
use own::{Inputs, Own};
use std::num::NonZeroUsize;
use std::thread;
use trees::Trees;
use weights::{Curve, Linear};

/// The largest file that is read, 16 MiB. The largest published one has 0.3 MiB.
pub const MAX_FILE_BYTES: u64 = 16 << 20;
/// The most features a model may have. Published ones have at most eight.
pub const MAX_FEATURES: usize = 32;
/// The most trees of one component. Published ones have 100.
pub const MAX_TREES: usize = 10_000;
/// The most inputs of a model in our own format.
pub const MAX_INPUTS: usize = 64;
/// The deepest tree, in splits from root to leaf. Published ones have 6.
pub const MAX_DEPTH: u32 = 64;

/// Sockets of the largest common server, for the ceiling of a machine of unknown size.
const MOST_CHIPS: u32 = 8;
/// Rows of a batch that are evaluated at once, component after component.
const BLOCK: usize = 1024;

/// A power model, ready to predict. Cheap to share (`Send + Sync`), independent of its file.
#[derive(Clone, Debug)]
pub struct Model {
    trainer: Trainer,
    node_type: Option<u32>,
    semantics: Semantics,
    features: Vec<String>,
    components: Vec<ModelComponent>,
    ceiling: PerZone<f64>,
    /// Categorical variables whose value has not been chosen.
    open_categories: Vec<load::Category>,
    /// Whether all components cope with missing features.
    missing_allowed: bool,
    /// Least and greatest value of each feature in training. Empty where the format does not say.
    ranges: Vec<(f64, f64)>,
    /// Of our own format only.
    inputs: Option<Inputs>,
    support: Option<Support>,
    card: Option<Box<Card>>,
}

/// One component of a [`Model`].
#[derive(Clone, Debug)]
pub struct ModelComponent {
    zone: ZoneKind,
    form: Form,
    interval: Option<Rule>,
}

#[derive(Clone, Debug)]
enum Form {
    Linear(Linear),
    Curve(Curve),
    Trees(Trees),
    Own(Box<Own>),
}

impl ModelComponent {
    /// Which component; `platform` is [`ZoneKind::Psys`].
    #[must_use]
    pub const fn zone(&self) -> ZoneKind {
        self.zone
    }

    /// What the formula gives, in watts: neither clipped nor reconciled with other components, perhaps negative,
    /// infinite or NaN. As the library that made the model: linear models and curves in 64 bits, trees in 32.
    ///
    /// `features` are those of [`Model::features`]; one that is not there counts as 0 in a linear model and as NaN elsewhere.
    #[must_use]
    pub fn raw(&self, features: &[f64]) -> f64 {
        match &self.form {
            Form::Linear(linear) => linear.raw(features),
            Form::Curve(curve) => curve.raw(features),
            Form::Trees(trees) => trees.raw(features),
            Form::Own(own) => own.raw(features),
        }
    }

    fn raw_batch(&self, rows: &[f64], width: usize, results: &mut [f64]) {
        match &self.form {
            Form::Trees(trees) => trees.raw_batch(rows, width, results),
            Form::Own(own) => own.raw_batch(rows, width, results),
            Form::Linear(_) | Form::Curve(_) => {
                for (result, row) in results.iter_mut().zip(rows.chunks_exact(width)) {
                    *result = self.raw(row);
                }
            }
        }
    }
}

impl Model {
    /// The algorithm that made it.
    #[must_use]
    pub const fn trainer(&self) -> Trainer {
        self.trainer
    }

    /// The machine it is for: a number of the pipeline's `node_type_index.json`, from the file's name.
    #[must_use]
    pub const fn node_type(&self) -> Option<u32> {
        self.node_type
    }

    /// What it describes, at least one component.
    #[must_use]
    pub fn components(&self) -> &[ModelComponent] {
        &self.components
    }

    /// What it wants to know, in the order in which [`Model::predict`] takes it.
    #[must_use]
    pub fn features(&self) -> &[String] {
        &self.features
    }

    /// What its features mean.
    #[must_use]
    pub const fn semantics(&self) -> Semantics {
        self.semantics
    }

    /// Declares what its features mean, where the file's path does not say.
    #[must_use]
    pub fn with_semantics(mut self, semantics: Semantics) -> Self {
        self.semantics = semantics;
        self
    }

    /// The most that is believed of a component; more is clipped to it. Eight times what
    /// [`ZoneKind::plausible_maximum`] grants one socket, until [`Model::with_chips`] says how many there are.
    #[must_use]
    pub fn ceiling(&self, zone: ZoneKind) -> Power {
        Power::from_watts(self.ceiling[zone])
    }

    /// Sets the ceilings for a machine with this many sockets.
    #[must_use]
    pub fn with_chips(mut self, chips: u32) -> Self {
        self.ceiling = ceiling(chips);
        self
    }

    /// What it was trained with and how well it did. Only our own format has one.
    #[must_use]
    pub fn card(&self) -> Option<&Card> {
        self.card.as_deref()
    }

    /// The least and greatest value of each feature in training, where the format says it.
    pub fn ranges(&self) -> impl Iterator<Item = (&str, f64, f64)> {
        let named = self.features.iter().zip(&self.ranges);
        named.map(|(feature, &(lower, upper))| (feature.as_str(), lower, upper))
    }

    /// How many features lie outside the range they were trained with.
    #[must_use]
    pub fn outside(&self, features: &[f64]) -> usize {
        let pairs = features.iter().zip(&self.ranges);
        pairs.filter(|(value, (lower, upper))| !(*lower..=*upper).contains(value)).count()
    }

    /// Whether [`Model::interval`] has an answer for a component.
    #[must_use]
    pub fn knows_interval(&self, zone: ZoneKind) -> bool {
        self.components.iter().any(|component| component.zone == zone && component.interval.is_some())
    }

    /// Where the true power of a component lies, given what was [predicted](Model::predict) for these features.
    /// Wider the farther the features are from those it was trained with. `None` where the model does not know.
    #[must_use]
    pub fn interval(&self, features: &[f64], prediction: &Prediction, zone: ZoneKind) -> Option<Interval> {
        let component = self.components.iter().find(|component| component.zone == zone)?;
        let (rule, power) = (component.interval.as_ref()?, prediction.power(zone)?.watts());
        let (widening, nearness) = match (&self.inputs, &self.support) {
            (Some(inputs), Some(support)) => {
                let inputs = inputs.of(features);
                (support.widening(&inputs), support.nearness(&inputs))
            }
            _ => (1.0, 1.0),
        };
        let factor = match &component.form {
            Form::Own(own) => own.factor(features),
            _ => 1.0,
        };
        let (below, above) = rule.margins(if factor == 0.0 { power } else { power / factor });
        let far = rule.far * (1.0 - nearness);
        Some(Interval {
            lower: Power::from_watts((power - (below * widening + far) * factor).max(0.0)),
            upper: Power::from_watts(power + (above * widening + far) * factor),
            confidence: rule.confidence,
            widening,
        })
    }

    /// Connects what a caller measures to the features, by meaning.
    ///
    /// # Errors
    /// A feature is not among `given`, has another meaning there, or its meaning is not declared.
    pub fn bind(&self, given: &[Quantity], conversion: Conversion) -> Result<Binding, BindError> {
        let wanted = self.features.iter().map(|feature| (feature.as_str(), self.semantics.quantity(feature)));
        Binding::new(wanted, given, conversion)
    }

    /// The categorical variables that still need [`Model::choose_category`], such as `cpu_architecture`.
    pub fn open_categories(&self) -> impl Iterator<Item = &str> {
        self.open_categories.iter().map(|category| category.variable.as_str())
    }

    /// Sets a categorical variable to the machine's value, once and for all predictions.
    ///
    /// # Errors
    /// The model has no such variable, or it is chosen already, or has no such value.
    pub fn choose_category(&mut self, variable: &str, value: &str) -> Result<(), ModelFault> {
        let unknown = || ModelFault::UnknownCategory { variable: variable.to_owned(), value: value.to_owned() };
        let index =
            self.open_categories.iter().position(|category| category.variable == variable).ok_or_else(unknown)?;
        let weights = self.open_categories.get(index).and_then(|category| category.weights.get(value));
        for &(zone, weight) in weights.ok_or_else(unknown)? {
            for component in &mut self.components {
                if let (true, Form::Linear(linear)) = (component.zone == zone, &mut component.form) {
                    linear.bias += weight;
                }
            }
        }
        self.open_categories.remove(index);
        Ok(())
    }

    /// Predicts one moment. Allocates nothing.
    ///
    /// `features`: as many as [`Model::features`], in that order, as the model's [`Semantics`] understand
    /// them. NaN is a missing feature, which only trees take.
    ///
    /// # Errors
    /// Wrong number of features, one that is missing or infinite, or an open category.
    pub fn predict(&self, features: &[f64]) -> Result<Prediction, PredictError> {
        if features.len() != self.features.len() {
            return Err(PredictError::Length { expected: self.features.len(), found: features.len() });
        }
        self.check(features)?;
        let mut prediction = Prediction::nothing();
        for component in &self.components {
            prediction.set(component.zone, component.raw(features), self.ceiling[component.zone]);
        }
        prediction.reconcile();
        Ok(prediction)
    }

    /// Predicts many moments: `rows` are vectors of [`Model::predict`], one after the other. Replaces what is in
    /// `predictions` by one prediction a row. Uses the given number of threads, the calling one included.
    ///
    /// # Errors
    /// As for [`Model::predict`], for the first bad row; `predictions` is then empty.
    pub fn predict_batch(
        &self,
        rows: &[f64],
        threads: NonZeroUsize,
        predictions: &mut Vec<Prediction>,
    ) -> Result<(), PredictError> {
        predictions.clear();
        let width = self.features.len();
        if width == 0 || !rows.len().is_multiple_of(width) {
            return Err(PredictError::Length { expected: width, found: rows.len() });
        }
        self.check(rows)?;
        let count = rows.len() / width;
        predictions.resize(count, Prediction::nothing());
        // Not below a block a thread: starting one costs as much as some hundred predictions.
        let share = count.div_ceil(threads.get()).max(BLOCK);
        thread::scope(|scope| {
            let mut shares = rows.chunks(share * width).zip(predictions.chunks_mut(share));
            let own = shares.next();
            for (rows, predictions) in shares {
                scope.spawn(|| self.predict_rows(rows, predictions));
            }
            if let Some((rows, predictions)) = own {
                self.predict_rows(rows, predictions);
            }
        });
        Ok(())
    }

    fn predict_rows(&self, rows: &[f64], predictions: &mut [Prediction]) {
        let width = self.features.len();
        let mut raw = [0.0; BLOCK];
        for (rows, predictions) in rows.chunks(BLOCK * width).zip(predictions.chunks_mut(BLOCK)) {
            let raw = raw.get_mut(..predictions.len()).unwrap_or_default();
            for component in &self.components {
                component.raw_batch(rows, width, raw);
                let ceiling = self.ceiling[component.zone];
                for (prediction, &raw) in predictions.iter_mut().zip(&*raw) {
                    prediction.set(component.zone, raw, ceiling);
                }
            }
            predictions.iter_mut().for_each(Prediction::reconcile);
        }
    }

    /// Whether rows can be predicted: all numbers finite, or missing where that is allowed.
    fn check(&self, rows: &[f64]) -> Result<(), PredictError> {
        let usable = |x: f64| x.is_finite() || (self.missing_allowed && x.is_nan());
        if let Some(index) = rows.iter().position(|&x| !usable(x)) {
            let width = self.features.len().max(1);
            return Err(PredictError::NotFinite { row: index / width, feature: index % width });
        }
        match self.open_categories.first() {
            Some(category) => Err(PredictError::Category(category.variable.clone())),
            None => Ok(()),
        }
    }
}

/// What is believed of a machine with this many sockets. Its platform draws no more for having more.
fn ceiling(chips: u32) -> PerZone<f64> {
    PerZone::from_fn(|zone| {
        let sockets = if zone == ZoneKind::Psys { 1 } else { chips.max(1) };
        zone.plausible_maximum().watts() * f64::from(sockets)
    })
}

#[cfg(test)]
mod tests;
