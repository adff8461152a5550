//! Algorithms by name, with default settings.

use crate::trees::{Growth, Loss, TreeSettings};
use crate::{Combine, Inputs, Learner, LinearMethod, Recipe};
use kepler_core::model::format::Shape;
use std::fmt;
use std::str::FromStr;

/// An algorithm by its name on the command line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Algorithm {
    /// Boosted and randomised trees, which fade into rising broken lines where no rows were.
    #[default]
    Ensemble,
    /// Boosted trees, a polynomial and the six nearest rows, weighted by how well they do together: for few rows in no order of time.
    Stack,
    /// The rising broken lines alone.
    Lines,
    /// Boosted trees: 100 of depth 6.
    Trees,
    /// Ordinary least squares.
    Ols,
    /// Least squares without negative coefficients.
    Nnls,
    /// Ridge regression.
    Ridge,
    /// A logarithmic curve of one feature.
    Logarithmic,
    /// A logistic curve of one feature.
    Logistic,
    /// An exponential curve of one feature.
    Exponential,
    /// The mean of the six nearest rows.
    Neighbours,
}

impl Algorithm {
    /// All, the default first.
    pub const ALL: [Algorithm; 11] = [
        Algorithm::Ensemble,
        Algorithm::Stack,
        Algorithm::Lines,
        Algorithm::Trees,
        Algorithm::Ols,
        Algorithm::Nnls,
        Algorithm::Ridge,
        Algorithm::Logarithmic,
        Algorithm::Logistic,
        Algorithm::Exponential,
        Algorithm::Neighbours,
    ];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Algorithm::Ensemble => "ensemble",
            Algorithm::Stack => "stack",
            Algorithm::Lines => "lines",
            Algorithm::Trees => "trees",
            Algorithm::Ols => "ols",
            Algorithm::Nnls => "nnls",
            Algorithm::Ridge => "ridge",
            Algorithm::Logarithmic => "logarithmic",
            Algorithm::Logistic => "logistic",
            Algorithm::Exponential => "exponential",
            Algorithm::Neighbours => "knn",
        }
    }

    /// The recipe, with seed 0.
    #[must_use]
    pub fn recipe(self) -> Recipe {
        let one = |learner| Recipe::of(self.name(), learner);
        let curve = |shape| one(Learner::Curve { shape, feature: None });
        match self {
            Algorithm::Ensemble => ensemble(),
            Algorithm::Stack => stack(),
            Algorithm::Lines => one(Learner::Additive),
            Algorithm::Trees => one(Learner::Trees(TreeSettings::default(), 1)),
            Algorithm::Ols => one(Learner::Linear(LinearMethod::Ordinary)),
            Algorithm::Nnls => one(Learner::Linear(LinearMethod::NonNegative)),
            Algorithm::Ridge => one(Learner::Linear(LinearMethod::Ridge(1e-3))),
            Algorithm::Logarithmic => curve(Shape::Logarithmic),
            Algorithm::Logistic => curve(Shape::Logistic),
            Algorithm::Exponential => curve(Shape::Exponential),
            Algorithm::Neighbours => one(Learner::Neighbours(6)),
        }
    }
}

/// Settings were compared on the blocked folds of one machine's package power (`docs/accuracy.md` says which, and what else was tried).
fn boosted(models: usize) -> Vec<Learner> {
    let bagged = TreeSettings { depth: 6, rate: 0.07, leaf: 5, rows: 0.6, ..TreeSettings::default() };
    let mean = TreeSettings { trees: 120, loss: Loss::Squared, ..bagged.clone() };
    let median = TreeSettings { trees: 150, loss: Loss::Absolute, ..bagged };
    vec![Learner::Trees(mean, models), Learner::Trees(median, models)]
}

/// Far from the rows what activity implies; near them boosted trees, which jump between measured rows, beside randomised ones, whose mean
/// changes gradually.
fn ensemble() -> Recipe {
    let randomised = TreeSettings { trees: 50, depth: 10, growth: Growth::Randomised, ..TreeSettings::default() };
    let mut learners = vec![Learner::Additive];
    learners.extend(boosted(1));
    // Half of the mean. The depth bounds the file of a model of very many rows.
    let randomised = Learner::Trees(randomised, 1);
    learners.extend([randomised.clone(), randomised]);
    Recipe { learners, combine: Combine::Faded, ..Recipe::of("ensemble", Learner::Neighbours(1)) }
}

/// Boosted trees beside what is smooth and what remembers. Products of two features serve all of them.
fn stack() -> Recipe {
    let mut learners = boosted(3);
    learners.extend([Learner::Linear(LinearMethod::Ridge(1e-6)), Learner::Neighbours(6)]);
    Recipe { learners, combine: Combine::Stacked, ..Recipe::of("stack", Learner::Neighbours(1)) }
        .with_inputs(Inputs::Polynomial(2))
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Algorithm {
    type Err = UnknownAlgorithm;

    fn from_str(name: &str) -> Result<Self, UnknownAlgorithm> {
        let known = Algorithm::ALL.into_iter().find(|algorithm| algorithm.name() == name);
        known.ok_or_else(|| UnknownAlgorithm { name: name.chars().take(80).collect() })
    }
}

/// A name that no algorithm has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown algorithm `{name}`; known are {}", Algorithm::ALL.map(Algorithm::name).join(", "))]
pub struct UnknownAlgorithm {
    name: String,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Dataset;
    use kepler_core::model::{Model, Semantics};
    use kepler_core::units::ZoneKind;

    #[test]
    fn every_algorithm_makes_a_model_that_its_file_makes_again() {
        let rows: Vec<f64> = (0..240).flat_map(|n| [f64::from(n % 80) * 50.0, f64::from(n % 7) * 1e8]).collect();
        let target = rows.chunks_exact(2).map(|row| 30.0 + row[0] / 50.0 + row[1] / 1e8).collect();
        let features = vec!["bpf_cpu_time_ms".to_owned(), "cpu_cycles".to_owned()];
        let data = Dataset::new(features, rows, vec![(ZoneKind::Package, target)], Semantics::AsNamed).unwrap();
        for algorithm in Algorithm::ALL {
            assert_eq!(algorithm.name().parse(), Ok(algorithm));
            let document = algorithm.recipe().fit(&data).unwrap();
            assert_eq!(algorithm.recipe().fit(&data).unwrap(), document, "{algorithm}: not reproducible");
            let json = serde_json::to_vec(&document).unwrap();
            let read = Model::from_json("model", &json).unwrap();
            let made = Model::from_document(&document).unwrap();
            for row in data.rows().chunks_exact(2) {
                let power = |model: &Model| model.predict(row).unwrap().power(ZoneKind::Package).unwrap().watts();
                assert_eq!(power(&read).to_bits(), power(&made).to_bits(), "{algorithm}");
                assert!((power(&made) - 30.0 - row[0] / 50.0 - row[1] / 1e8).abs() < 25.0, "{algorithm}");
            }
        }
        assert!("xgboost".parse::<Algorithm>().unwrap_err().to_string().contains("ensemble, stack, lines"));
    }
}
