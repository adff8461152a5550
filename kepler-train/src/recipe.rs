//! A recipe for a model: learners, inputs, settings.

mod stack;

use crate::inputs::{self, Factors, Inputs, deviations};
use crate::linear::{self, LinearMethod};
use crate::random::Random;
use crate::trees::{self, TreeSettings};
use crate::{Dataset, TrainError, additive, curve, support};
use kepler_core::model::format::{Component, Document, Feature, Function, Linear, Neighbours, Shape, Term};
use kepler_core::model::{Card, Model, component_name};

/// Features that power goes on rising with beyond what was seen: there is work to be done by more processors.
const GO_ON: [&str; 2] = ["bpf_cpu_time_ms", "cpu_cycles"];

/// One algorithm with its settings.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Learner {
    /// A linear function of the inputs.
    Linear(LinearMethod),
    /// A sum of rising broken lines, one an input.
    Additive,
    /// A curve of one feature.
    Curve {
        /// Which curve.
        shape: Shape,
        /// The feature; without one, the first that the published curves are of, else the first.
        feature: Option<String>,
    },
    /// The mean of this many nearest rows.
    Neighbours(usize),
    /// Boosted trees: the mean of this many models with different seeds.
    Trees(TreeSettings, usize),
}

/// How several learners make one model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Combine {
    /// The mean of all.
    #[default]
    Mean,
    /// The sum: each learns what those before it left.
    Chain,
    /// The sum with weights that are not negative, found on rows that the learners were not given, a fifth at a time, drawn
    /// at random: for rows in no order. Of rows that follow each other in time, neighbours would give the answer away.
    Stacked,
    /// Near the rows the mean of the others, far from them the first.
    Faded,
}

/// Everything that, with rows, determines a model to the last bit.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Recipe {
    /// What it is called on cards.
    pub name: String,
    /// What learns. At least one.
    pub learners: Vec<Learner>,
    /// How they are combined.
    pub combine: Combine,
    /// What they learn from.
    pub inputs: Inputs,
    /// Features with which power never falls (boosted trees only).
    pub rising: Vec<String>,
    /// The feature that power is learned per unit of, such as `threads`: a model then serves machines of any size.
    pub per: Option<String>,
    /// How far the others take the place of the first near the rows ([`Combine::Faded`]), 0 … 1. [`crate::interval::fit`] finds it on groups that were held out.
    pub faded: f64,
    /// Seed of the random number generator.
    pub seed: u64,
}

impl Recipe {
    /// One learner, plain inputs, seed 0.
    #[must_use]
    pub fn of(name: &str, learner: Learner) -> Self {
        Recipe {
            name: name.to_owned(),
            learners: vec![learner],
            combine: Combine::Mean,
            inputs: Inputs::Plain,
            rising: Vec::new(),
            per: None,
            faded: 1.0,
            seed: 0,
        }
    }

    /// This recipe with a change, as in `recipe.with(|recipe| recipe.seed = 7)`.
    #[must_use]
    pub fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    /// The same with other inputs.
    #[must_use]
    pub fn with_inputs(mut self, inputs: Inputs) -> Self {
        self.inputs = inputs;
        self
    }

    /// Makes a model of all rows, without interval and with a card that has no scores yet.
    ///
    /// # Errors
    /// A setting makes no sense, a feature is not there, an algorithm finds no solution.
    pub fn fit(&self, data: &Dataset) -> Result<Document, TrainError> {
        let index = |name: &String| {
            let there = || data.features().join(", ");
            let found = data.features().iter().position(|feature| feature == name);
            found.ok_or_else(|| TrainError::NoColumn { column: name.clone(), there: there() })
        };
        let per = self.per.as_ref().map(index).transpose()?;
        for feature in &self.rising {
            index(feature)?;
        }
        let factors = self.inputs.factors(data.width(), per)?;
        if factors.is_empty() || self.learners.is_empty() {
            let remedy = "give a feature besides the one power is per, and an algorithm";
            return Err(TrainError::Setting { what: "number of inputs or learners", value: "0".to_owned(), remedy });
        }
        let design = inputs::design(data, &factors);
        let mut document = Document {
            semantics: data.semantics(),
            features: ranges(data),
            inputs: if self.inputs == Inputs::Plain && per.is_none() { Vec::new() } else { factors.clone() },
            card: Some(self.card(data)),
            ..Document::default()
        };
        document.support = (self.combine == Combine::Faded).then(|| support::of(&document.inputs, per.is_some(), data));
        for (zone, target) in data.targets() {
            let units =
                per.map(|per| data.rows().iter().skip(per).step_by(data.width()).copied().collect::<Vec<f64>>());
            let rates: Vec<f64> = match &units {
                Some(units) => target.iter().zip(units).map(|(watts, units)| watts / units).collect(),
                None => target.clone(),
            };
            if let Some(row) = rates.iter().position(|rate| !rate.is_finite()) {
                let column = self.per.clone().unwrap_or_default();
                return Err(TrainError::NotANumber { row: row + 1, column, text: "0".to_owned() });
            }
            let terms = self.terms(data, &factors, &design, rates)?;
            let component = Component { per, terms, interval: None };
            document.components.insert(component_name(*zone).to_owned(), component);
        }
        Model::from_document(&document)?;
        Ok(document)
    }

    fn terms(
        &self,
        data: &Dataset,
        factors: &Factors,
        design: &[f64],
        target: Vec<f64>,
    ) -> Result<Vec<Term>, TrainError> {
        if self.combine == Combine::Stacked {
            return self.stacked(data, factors, design, &target);
        }
        let mut seeds = Random::new(self.seed);
        let mut left = target;
        let mut terms: Vec<Term> = Vec::new();
        let share = match self.combine {
            Combine::Mean => 1.0 / self.learners.len() as f64,
            Combine::Faded => 1.0 / (self.learners.len() - 1).max(1) as f64,
            Combine::Chain | Combine::Stacked => 1.0,
        };
        for (number, learner) in self.learners.iter().enumerate() {
            let functions = self.learn(learner, data, factors, design, &left, &mut seeds)?;
            let first = self.combine == Combine::Faded && number == 0;
            let weight = if first { 1.0 } else { share } / functions.len().max(1) as f64;
            let new: Vec<Term> = functions.into_iter().map(|function| Term { weight, function }).collect();
            if self.combine == Combine::Chain && number + 1 < self.learners.len() {
                let document = Document {
                    features: ranges(data),
                    inputs: factors.clone(),
                    components: [("package".to_owned(), Component { terms: new.clone(), ..Component::default() })]
                        .into(),
                    ..Document::default()
                };
                let model = Model::from_document(&document)?;
                let component = model.components().first();
                for (left, row) in left.iter_mut().zip(data.rows().chunks_exact(data.width())) {
                    *left -= component.map_or(0.0, |component| component.raw(row));
                }
            }
            terms.extend(new);
        }
        if self.combine == Combine::Faded {
            let mut others = terms.split_off(1);
            // In place of the first, not beside it.
            others.extend(terms.iter().map(|term| Term { weight: -term.weight, function: term.function.clone() }));
            if self.faded > 0.0 && others.len() > 1 {
                terms.push(Term { weight: self.faded, function: Function::Faded(others) });
            }
        }
        Ok(terms)
    }

    fn learn(
        &self,
        learner: &Learner,
        data: &Dataset,
        factors: &Factors,
        design: &[f64],
        target: &[f64],
        seeds: &mut Random,
    ) -> Result<Vec<Function>, TrainError> {
        let width = factors.len();
        match learner {
            Learner::Linear(method) => Ok(vec![Function::Linear(linear::fit(design, width, target, *method)?)]),
            Learner::Additive => {
                let goes_on = |factors: &Vec<(usize, i32)>| matches!(factors.first(), Some((feature, 1)) if data.features().get(*feature).is_some_and(|name| GO_ON.contains(&name.as_str())));
                let onward: Vec<usize> = (0..width).filter(|input| factors.get(*input).is_some_and(goes_on)).collect();
                Ok(vec![Function::Additive(additive::fit(design, width, target, &onward))])
            }
            Learner::Curve { shape, feature } => {
                let input = main_input(data, factors, feature.as_deref())?;
                let column: Vec<f64> = design.iter().skip(input).step_by(width).copied().collect();
                Ok(vec![Function::Curve(curve::fit(&column, input, target, *shape)?)])
            }
            Learner::Neighbours(count) => {
                if *count == 0 || *count > 32 {
                    let remedy = "give 1 to 32";
                    return Err(TrainError::Setting { what: "number of neighbours", value: count.to_string(), remedy });
                }
                let narrow = |values: &[f64]| values.iter().map(|value| *value as f32).collect();
                let scales = deviations(design, width);
                let (count, rows, targets) = (*count, narrow(design), narrow(target));
                Ok(vec![Function::Neighbours(Neighbours { count, scales, rows, targets })])
            }
            Learner::Trees(settings, bags) => {
                let directions = inputs::directions(factors, data, &self.rising);
                let one =
                    |_| trees::fit(design, width, target, &directions, settings, seeds.next()).map(Function::Trees);
                (0..*bags.max(&1)).map(one).collect()
            }
        }
    }

    fn card(&self, data: &Dataset) -> Card {
        Card {
            trainer: self.name.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            seed: self.seed,
            rows: data.len() as u64,
            rows_sha256: data.sha256(),
            ..Card::default()
        }
    }
}

/// Least and greatest value of each feature.
fn ranges(data: &Dataset) -> Vec<Feature> {
    let column = |index| data.rows().iter().skip(index).step_by(data.width()).copied();
    let range = |(index, name): (usize, &String)| Feature {
        name: name.clone(),
        lower: column(index).fold(f64::INFINITY, f64::min),
        upper: column(index).fold(f64::NEG_INFINITY, f64::max),
    };
    data.features().iter().enumerate().map(range).collect()
}

/// The input that a curve is of: one that is a feature alone.
fn main_input(data: &Dataset, factors: &Factors, feature: Option<&str>) -> Result<usize, TrainError> {
    let names = feature.map_or(vec!["cpu_instructions", "bpf_cpu_time_ms"], |feature| vec![feature]);
    let input_of = |name: &str| {
        let index = data.features().iter().position(|feature| feature == name)?;
        factors.iter().position(|factors| matches!(factors.first(), Some(&(first, 1)) if first == index))
    };
    let found = names.iter().find_map(|name| input_of(name));
    match (found, feature) {
        (Some(input), _) => Ok(input),
        (None, Some(feature)) => {
            Err(TrainError::NoColumn { column: feature.to_owned(), there: data.features().join(", ") })
        }
        (None, None) => Ok(0),
    }
}

/// The mean of all terms, for an export that has one linear function. `None` if a term is of another kind.
pub(crate) fn linear_sum(terms: &[Term]) -> Option<Linear> {
    terms.iter().try_fold(Linear::default(), |mut sum, term| match &term.function {
        Function::Linear(linear) => {
            sum.bias += term.weight * linear.bias;
            sum.coefficients.resize(linear.coefficients.len().max(sum.coefficients.len()), 0.0);
            for (slot, coefficient) in sum.coefficients.iter_mut().zip(&linear.coefficients) {
                *slot += term.weight * coefficient;
            }
            Some(sum)
        }
        _ => None,
    })
}
