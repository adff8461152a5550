//! Our own model format: what our trainer writes and [`Model::load`](super::Model::load) reads, as types.
//!
//! One JSON object, `"format": "kepler-power-model"`, with a version. It says what its features mean, over which range
//! they were seen, how the power is computed, how far off that may be, and carries a [`Card`]. Keys a reader does
//! not know are skipped; what would change a prediction raises the version.
//!
//! # How power is computed
//!
//! *Features* are what a caller gives. *Inputs* are products of powers of features (`cpu_instructions · cpu_cycles⁻¹`);
//! where there are none listed, the features themselves. A component is the weighted sum of its *terms*, each a function of the inputs,
//! multiplied by the feature it is `per`, if any: a model of watts per hardware thread then serves machines of any size.
//!
//! ```
//! use kepler_core::model::Model;
//! use kepler_core::model::format::{Component, Document, Feature, Linear, Term};
//! use std::collections::BTreeMap;
//!
//! let linear = Linear { bias: 20.0, coefficients: vec![0.01] };
//! let package = Component { terms: vec![Term::linear(1.0, linear)], ..Component::default() };
//! let document = Document {
//!     features: vec![Feature { name: "bpf_cpu_time_ms".into(), lower: 0.0, upper: 4000.0 }],
//!     components: BTreeMap::from([("package".to_owned(), package)]),
//!     ..Document::default()
//! };
//! let model = Model::from_document(&document)?;
//! assert_eq!(model.predict(&[1000.0])?.power(kepler_core::units::ZoneKind::Package).unwrap().watts(), 30.0);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use super::{Card, Semantics};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What `format` says in every file.
pub const FORMAT: &str = "kepler-power-model";
/// The version this reads and writes.
pub const VERSION: u32 = 1;

/// A whole model file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "version 1 of the file format")]
pub struct Document {
    /// [`FORMAT`].
    pub format: String,
    /// [`VERSION`].
    pub version: u32,
    /// What the features mean.
    pub semantics: Semantics,
    /// What a caller gives, in this order.
    pub features: Vec<Feature>,
    /// Inputs of the terms: each a product of features (by index) to whole powers. Empty: the features themselves.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub inputs: Vec<Vec<(usize, i32)>>,
    /// By component: `package`, `core`, `uncore`, `dram`, `platform`.
    pub components: BTreeMap<String, Component>,
    /// Where the training rows lay, to know how far a row is from them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub support: Option<Support>,
    /// What it was trained with and how well it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub card: Option<Card>,
}

impl Default for Document {
    fn default() -> Self {
        Document {
            format: FORMAT.to_owned(),
            version: VERSION,
            semantics: Semantics::AsNamed,
            features: Vec::new(),
            inputs: Vec::new(),
            components: BTreeMap::new(),
            support: None,
            card: None,
        }
    }
}

/// One input: the product of features to whole powers. What is divided by zero is zero: where nothing runs, nothing runs at
/// any rate. NaN where a feature is not there.
#[must_use]
pub fn input(factors: &[(usize, i32)], features: &[f64]) -> f64 {
    factors.iter().fold(1.0, |product, &(index, power)| {
        let value = features.get(index).copied().unwrap_or(f64::NAN);
        match power {
            1 => product * value,
            power if power < 0 && value == 0.0 => 0.0,
            power => product * value.powi(power),
        }
    })
}

/// A feature, and the range over which it was seen in training.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "version 1 of the file format")]
pub struct Feature {
    /// The name, as in [`Model::features`](super::Model::features).
    pub name: String,
    /// The least value seen.
    pub lower: f64,
    /// The greatest value seen.
    pub upper: f64,
}

/// One component.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "version 1 of the file format")]
pub struct Component {
    /// Index of the feature that the sum of terms is multiplied by, such as `threads`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per: Option<usize>,
    /// What is summed up. At least one.
    pub terms: Vec<Term>,
    /// How far off it may be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval: Option<IntervalKnots>,
}

/// A weighted function of the inputs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "version 1 of the file format")]
pub struct Term {
    /// What it is multiplied by.
    pub weight: f64,
    /// The function.
    #[serde(flatten)]
    pub function: Function,
}

impl Term {
    /// A linear function.
    #[must_use]
    pub const fn linear(weight: f64, linear: Linear) -> Self {
        Term { weight, function: Function::Linear(linear) }
    }

    /// Boosted trees.
    #[must_use]
    pub const fn trees(weight: f64, trees: Trees) -> Self {
        Term { weight, function: Function::Trees(trees) }
    }
}

/// What a term computes from the inputs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Function {
    /// `bias + Σ coefficient · input`.
    Linear(Linear),
    /// A curve of one input.
    Curve(Curve),
    /// Boosted trees.
    Trees(Trees),
    /// The mean of the nearest training rows.
    Neighbours(Neighbours),
    /// A sum of broken lines.
    Additive(Additive),
    /// Functions whose sum counts less the farther a row is from those trained with ([`Document::support`]): `e^(−3·(d − 1))` of it
    /// at a distance of d > 1 reaches.
    Faded(Vec<Term>),
}

/// `bias + Σ line(input)`, in watts: each a broken line of one input, constant before its first and after its last knot.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "version 1 of the file format")]
pub struct Additive {
    /// What the sum starts with.
    pub bias: f64,
    /// The lines.
    pub lines: Vec<Line>,
}

/// A broken line of one input.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "version 1 of the file format")]
pub struct Line {
    /// Index of the input.
    pub input: usize,
    /// `[input, watts]` of each knot, inputs rising.
    pub knots: Vec<[f64; 2]>,
}

/// `bias + Σ coefficient · input`, in watts.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "version 1 of the file format")]
pub struct Linear {
    /// At all inputs zero.
    pub bias: f64,
    /// One an input.
    pub coefficients: Vec<f64>,
}

/// A curve of `x = input / scale`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "version 1 of the file format")]
pub struct Curve {
    /// Which one.
    pub shape: Shape,
    /// Index of the input.
    pub input: usize,
    /// What it is divided by, positive.
    pub scale: f64,
    /// Its parameters, in the order of the formula.
    pub weights: Vec<f64>,
}

/// Which curve.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(clippy::exhaustive_enums, reason = "version 1 of the file format")]
pub enum Shape {
    /// `a·ln(b·x + 1) + c`.
    Logarithmic,
    /// `A / (1 + e^(−k·(x − x0))) + offset`, parameters `A, x0, k, offset`.
    Logistic,
    /// `a·e^(b·x) + c`.
    Exponential,
}

/// `base + Σ leaf`, in 32 bits, over the first [`MAX_FEATURES`](super::MAX_FEATURES) inputs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "version 1 of the file format")]
pub struct Trees {
    /// What the sum starts with.
    pub base: f32,
    /// The trees.
    pub trees: Vec<Tree>,
}

/// A tree in parallel arrays, one entry a node, the root first.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "version 1 of the file format")]
pub struct Tree {
    /// Left child, the right one follows it; 0 for a leaf.
    pub left: Vec<u32>,
    /// The input a split looks at: left if it is less than the condition. 0 for a leaf.
    pub input: Vec<u8>,
    /// The threshold of a split, the value of a leaf.
    pub condition: Vec<f32>,
}

/// The mean of the targets of the nearest rows, weighted by the inverse of their distance.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "version 1 of the file format")]
pub struct Neighbours {
    /// How many are asked, at least 1.
    pub count: usize,
    /// What each input is divided by before distances are taken; 0 leaves it out.
    pub scales: Vec<f64>,
    /// Inputs of the rows, one row after the other, in 32 bits.
    pub rows: Vec<f32>,
    /// Watts of the rows.
    pub targets: Vec<f32>,
}

/// A prediction interval, from residuals of rows that were not trained with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "version 1 of the file format")]
pub struct IntervalKnots {
    /// Share of rows it is meant to cover, 0 … 1.
    pub confidence: f64,
    /// By predicted value, rising (watts; with `per`, watts of one of it): `[predicted, below, above]`. Between two the figures are interpolated, outside them constant.
    pub knots: Vec<[f64; 3]>,
    /// What is added to either margin far from the rows trained with, where nothing is left of [`Function::Faded`].
    #[serde(default, skip_serializing_if = "is_zero")]
    pub far: f64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "what serde asks for")]
fn is_zero(value: &f64) -> bool {
    *value == 0.0
}

/// Where the training rows lay.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "version 1 of the file format")]
pub struct Support {
    /// What each input is divided by before distances are taken; 0 leaves it out.
    pub scales: Vec<f64>,
    /// If given, one an input: distances are taken between `ln(1 + |input| / floor)`, so that half as much is as far as twice as much.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub floors: Vec<f64>,
    /// Inputs of rows that stand for all, one row after the other; with `floors`, their logarithms.
    pub rows: Vec<f32>,
    /// The distance within which rows are as good as seen.
    pub reach: f64,
    /// By how much an interval widens a `reach` of distance beyond that: 1 doubles it.
    pub growth: f64,
}
