//! Models in our [own format](super::format): proven sound once, then evaluated without allocating.

use super::error::ModelFault;
use super::format::{self, Additive, Function, Line, Neighbours, Shape};
use super::interval::{Rule, Support, distance_squared};
use super::trees::Trees;
use super::{BLOCK, Form, MAX_FEATURES, MAX_INPUTS, MAX_TREES, MOST_CHIPS, Model, ModelComponent, Trainer, ceiling};
use crate::units::ZoneKind;

/// The most terms of a component.
const MAX_TERMS: usize = 32;
/// The most neighbours asked for.
const MAX_NEIGHBOURS: usize = 32;
/// The most knots of a broken line.
const MAX_KNOTS: usize = 256;
/// Powers of a feature in an input lie between plus and minus this.
const MAX_POWER: i32 = 8;

/// The inputs of a model: how they are made of its features.
#[derive(Clone, Debug)]
pub(super) struct Inputs(Vec<Vec<(usize, i32)>>);

/// One row of inputs.
pub(super) type InputRow = [f64; MAX_INPUTS];

impl Inputs {
    fn new(document: &format::Document) -> Result<Self, ModelFault> {
        let features = document.features.len();
        let given = if document.inputs.is_empty() {
            (0..features).map(|index| vec![(index, 1)]).collect()
        } else {
            document.inputs.clone()
        };
        limit("inputs", given.len(), MAX_INPUTS)?;
        for factors in &given {
            let sound = factors.iter().all(|&(index, power)| index < features && power.abs() <= MAX_POWER);
            if !sound || factors.is_empty() || factors.len() > MAX_FEATURES {
                return Err(ModelFault::Malformed(
                    "inputs: a factor names no feature, or its power is absurd".to_owned(),
                ));
            }
        }
        Ok(Inputs(given))
    }

    fn len(&self) -> usize {
        self.0.len()
    }

    /// Computes the inputs.
    pub(super) fn of(&self, features: &[f64]) -> InputRow {
        let mut row = [0.0; MAX_INPUTS];
        for (slot, factors) in row.iter_mut().zip(&self.0) {
            *slot = format::input(factors, features);
        }
        row
    }
}

/// A component of such a model.
#[derive(Clone, Debug)]
pub(super) struct Own {
    inputs: Inputs,
    per: Option<usize>,
    terms: Vec<(f64, Term)>,
    /// Terms that fade with the distance from what was seen.
    faded: Option<(Support, Vec<(f64, Term)>)>,
}

#[derive(Clone, Debug)]
enum Term {
    Linear { bias: f64, coefficients: Vec<f64> },
    Curve { shape: Shape, input: usize, scale: f64, weights: [f64; 4] },
    Trees(Trees),
    Neighbours(Neighbours),
    Additive(Additive),
}

/// The weighted sum of terms.
fn sum(terms: &[(f64, Term)], inputs: &[f64]) -> f64 {
    terms.iter().fold(0.0, |sum, (weight, term)| sum + weight * term.raw(inputs))
}

impl Own {
    fn new(
        zone: ZoneKind,
        given: &format::Component,
        inputs: &Inputs,
        features: usize,
        support: Option<&Support>,
    ) -> Result<Self, ModelFault> {
        let flat = given.terms.iter().flat_map(|term| match &term.function {
            Function::Faded(terms) => terms.as_slice(),
            _ => std::slice::from_ref(term),
        });
        limit("terms", flat.count(), MAX_TERMS)?;
        if given.terms.is_empty() || given.per.is_some_and(|index| index >= features) {
            return Err(ModelFault::Malformed(format!("{zone}: no terms, or `per` names no feature")));
        }
        let (mut terms, mut faded) = (Vec::new(), Vec::new());
        for term in &given.terms {
            if !term.weight.is_finite() {
                return Err(ModelFault::Number { zone, what: "weight of a term".to_owned(), value: term.weight });
            }
            let Function::Faded(inner) = &term.function else {
                terms.push((term.weight, Term::new(zone, &term.function, inputs.len())?));
                continue;
            };
            for inner in inner {
                let weight = term.weight * inner.weight;
                if !weight.is_finite() {
                    return Err(ModelFault::Number { zone, what: "weight of a term".to_owned(), value: weight });
                }
                faded.push((weight, Term::new(zone, &inner.function, inputs.len())?));
            }
        }
        let faded = match (faded.is_empty(), support) {
            (true, _) => None,
            (false, Some(support)) => Some((support.clone(), faded)),
            (false, None) => {
                return Err(ModelFault::Malformed(format!(
                    "{zone}: terms fade with the distance, and there is no support"
                )));
            }
        };
        Ok(Own { inputs: inputs.clone(), per: given.per, terms, faded })
    }

    /// The sum of terms, before it is multiplied by what it is per.
    pub(super) fn rate(&self, inputs: &[f64]) -> f64 {
        let faded = self.faded.as_ref().map_or(0.0, |(support, terms)| support.nearness(inputs) * sum(terms, inputs));
        sum(&self.terms, inputs) + faded
    }

    pub(super) fn raw(&self, features: &[f64]) -> f64 {
        let inputs = self.inputs.of(features);
        self.rate(inputs.get(..self.inputs.len()).unwrap_or_default()) * self.factor(features)
    }

    /// What the sum of terms is multiplied by.
    pub(super) fn factor(&self, features: &[f64]) -> f64 {
        self.per.map_or(1.0, |index| features.get(index).copied().unwrap_or(f64::NAN))
    }

    /// Of at most [`BLOCK`] rows.
    pub(super) fn raw_batch(&self, rows: &[f64], width: usize, results: &mut [f64]) {
        let inputs = self.inputs.len();
        let mut block = Vec::with_capacity(results.len() * inputs);
        for row in rows.chunks_exact(width) {
            block.extend_from_slice(self.inputs.of(row).get(..inputs).unwrap_or_default());
        }
        let mut part = [0.0; BLOCK];
        let part = part.get_mut(..results.len()).unwrap_or_default();
        results.fill(0.0);
        let mut add = |terms: &[(f64, Term)], results: &mut [f64]| {
            for (weight, term) in terms {
                match term {
                    Term::Trees(trees) => trees.raw_batch(&block, inputs, part),
                    other => {
                        for (slot, inputs) in part.iter_mut().zip(block.chunks_exact(inputs)) {
                            *slot = other.raw(inputs);
                        }
                    }
                }
                for (result, part) in results.iter_mut().zip(&*part) {
                    *result += weight * part;
                }
            }
        };
        add(&self.terms, results);
        if let Some((support, terms)) = &self.faded {
            let mut faded = [0.0; BLOCK];
            let faded = faded.get_mut(..results.len()).unwrap_or_default();
            add(terms, faded);
            for ((result, faded), inputs) in results.iter_mut().zip(&*faded).zip(block.chunks_exact(inputs)) {
                *result += support.nearness(inputs) * faded;
            }
        }
        for (result, row) in results.iter_mut().zip(rows.chunks_exact(width)) {
            *result *= self.factor(row);
        }
    }
}

impl Term {
    fn new(zone: ZoneKind, function: &Function, inputs: usize) -> Result<Self, ModelFault> {
        let bad = |what: &str| ModelFault::Malformed(format!("{zone}: {what}"));
        match function {
            Function::Linear(linear) => {
                let numbers = linear.coefficients.iter().chain([&linear.bias]);
                if linear.coefficients.len() != inputs || !numbers.copied().all(f64::is_finite) {
                    return Err(bad("not one finite coefficient an input"));
                }
                Ok(Term::Linear { bias: linear.bias, coefficients: linear.coefficients.clone() })
            }
            Function::Curve(curve) => {
                let expected = if curve.shape == Shape::Logistic { 4 } else { 3 };
                if curve.weights.len() != expected {
                    return Err(ModelFault::CurveWeights { zone, expected, found: curve.weights.len() });
                }
                let sound =
                    curve.weights.iter().copied().all(f64::is_finite) && curve.scale > 0.0 && curve.scale.is_finite();
                if curve.input >= inputs || !sound {
                    return Err(bad("a curve's input, scale or weights are not usable"));
                }
                let mut weights = [0.0; 4];
                for (slot, weight) in weights.iter_mut().zip(&curve.weights) {
                    *slot = *weight;
                }
                Ok(Term::Curve { shape: curve.shape, input: curve.input, scale: curve.scale, weights })
            }
            Function::Faded(_) => Err(bad("faded terms cannot be faded again")),
            Function::Additive(given) => {
                let sound = |line: &Line| {
                    line.input < inputs
                        && (1..=MAX_KNOTS).contains(&line.knots.len())
                        && line.knots.iter().flatten().all(|value| value.is_finite())
                        && line.knots.is_sorted_by(|[a, _], [b, _]| a < b)
                };
                limit("broken lines", given.lines.len(), MAX_INPUTS)?;
                if !given.bias.is_finite() || !given.lines.iter().all(sound) {
                    return Err(bad("a broken line's input or knots are not usable"));
                }
                Ok(Term::Additive(given.clone()))
            }
            Function::Trees(given) => {
                limit("trees", given.trees.len(), MAX_TREES)?;
                if !given.base.is_finite() {
                    return Err(bad("the base of the trees is not finite"));
                }
                Trees::own(zone, given, inputs.min(MAX_FEATURES)).map(Term::Trees)
            }
            Function::Neighbours(given) => {
                let rows = given.targets.len();
                let sound = (1..=MAX_NEIGHBOURS).contains(&given.count)
                    && rows > 0
                    && given.scales.len() == inputs
                    && given.rows.len() == rows * inputs
                    && given.scales.iter().all(|scale| (0.0..=f64::MAX).contains(scale))
                    && given.rows.iter().chain(&given.targets).all(|value| value.is_finite());
                sound.then(|| Term::Neighbours(given.clone())).ok_or_else(|| bad("neighbours are not usable"))
            }
        }
    }

    fn raw(&self, inputs: &[f64]) -> f64 {
        match self {
            Term::Linear { bias, coefficients } => {
                coefficients.iter().zip(inputs).fold(*bias, |sum, (coefficient, input)| sum + coefficient * input)
            }
            Term::Curve { shape, input, scale, weights: [a, b, c, d] } => {
                let x = inputs.get(*input).copied().unwrap_or(f64::NAN) / scale;
                match shape {
                    Shape::Logarithmic => a * (b * x + 1.0).ln() + c,
                    Shape::Logistic => a / (1.0 + (-c * (x - b)).exp()) + d,
                    Shape::Exponential => a * (b * x).exp() + c,
                }
            }
            Term::Trees(trees) => trees.raw(inputs),
            Term::Neighbours(neighbours) => nearest_mean(neighbours, inputs),
            Term::Additive(Additive { bias, lines }) => lines.iter().fold(*bias, |sum, line| {
                sum + on_line(&line.knots, inputs.get(line.input).copied().unwrap_or(f64::NAN))
            }),
        }
    }
}

/// A broken line, constant outside of its knots.
fn on_line(knots: &[[f64; 2]], x: f64) -> f64 {
    if x.is_nan() {
        return x;
    }
    let after = knots.partition_point(|[at, _]| *at <= x);
    let left = after.checked_sub(1).and_then(|before| knots.get(before)).or(knots.first());
    match (left, knots.get(after)) {
        (Some([a, y]), Some([b, z])) if b > a => y + (x - a) / (b - a) * (z - y),
        (Some([_, y]), _) => *y,
        (None, _) => f64::NAN,
    }
}

/// The mean of the nearest targets, weighted by inverse distance. A row met exactly speaks alone.
fn nearest_mean(given: &Neighbours, inputs: &[f64]) -> f64 {
    let mut nearest = [(f64::INFINITY, 0.0); MAX_NEIGHBOURS];
    let nearest = nearest.get_mut(..given.count).unwrap_or_default();
    for (row, target) in given.rows.chunks_exact(inputs.len().max(1)).zip(&given.targets) {
        let distance = distance_squared(row, inputs, &given.scales);
        let index = nearest.partition_point(|(known, _)| *known <= distance);
        let Some(tail) = nearest.get_mut(index..).filter(|tail| !tail.is_empty()) else { continue };
        tail.rotate_right(1);
        if let Some(first) = tail.first_mut() {
            *first = (distance, f64::from(*target));
        }
    }
    let known = || nearest.iter().filter(|(distance, _)| distance.is_finite());
    let exact = known().filter(|(distance, _)| *distance == 0.0);
    let (count, sum) = exact.fold((0.0, 0.0), |(count, sum), (_, target)| (count + 1.0, sum + target));
    if count > 0.0 {
        return sum / count;
    }
    let (weights, sum) = known().fold((0.0, 0.0), |(weights, sum), (distance, target)| {
        let weight = 1.0 / distance.sqrt();
        (weights + weight, sum + weight * target)
    });
    sum / weights
}

fn limit(what: &'static str, found: usize, limit: usize) -> Result<(), ModelFault> {
    if found > limit {
        return Err(ModelFault::Limit { what, found: found as u64, limit: limit as u64 });
    }
    Ok(())
}

/// Makes a model of a document, or says what is wrong with it.
pub(super) fn build(document: &format::Document) -> Result<Model, ModelFault> {
    if document.format != format::FORMAT || document.version != format::VERSION {
        let found = format!("{} {}", document.format.chars().take(80).collect::<String>(), document.version);
        return Err(ModelFault::Version { found });
    }
    limit("features", document.features.len(), MAX_FEATURES)?;
    if document.features.is_empty() {
        return Err(ModelFault::Malformed("no features".to_owned()));
    }
    for feature in &document.features {
        if !(feature.lower.is_finite() && feature.upper.is_finite() && feature.lower <= feature.upper) {
            return Err(ModelFault::Malformed(format!("the range of feature `{}` is not usable", feature.name)));
        }
    }
    let inputs = Inputs::new(document)?;
    let support = document.support.as_ref().map(|given| Support::new(given, inputs.len())).transpose()?;
    let mut components = Vec::new();
    for (name, given) in &document.components {
        let zone = zone(name).ok_or_else(|| ModelFault::Malformed(format!("unknown component `{name}`")))?;
        let form = Form::Own(Box::new(Own::new(zone, given, &inputs, document.features.len(), support.as_ref())?));
        let interval = given.interval.as_ref().map(Rule::new).transpose()?;
        components.push(ModelComponent { zone, form, interval });
    }
    if components.is_empty() {
        return Err(ModelFault::NoComponents);
    }
    Ok(Model {
        trainer: Trainer::Own,
        node_type: None,
        semantics: document.semantics,
        features: document.features.iter().map(|feature| feature.name.clone()).collect(),
        ranges: document.features.iter().map(|feature| (feature.lower, feature.upper)).collect(),
        support,
        inputs: Some(inputs),
        card: document.card.clone().map(Box::new),
        components,
        ceiling: ceiling(MOST_CHIPS),
        open_categories: Vec::new(),
        missing_allowed: false,
    })
}

/// The component of that name in model files.
#[must_use]
pub fn zone(name: &str) -> Option<ZoneKind> {
    ZoneKind::METERED.into_iter().find(|&zone| component_name(zone) == name)
}

/// The name of a component in model files.
#[must_use]
pub const fn component_name(zone: ZoneKind) -> &'static str {
    match zone {
        ZoneKind::Psys => "platform",
        zone => zone.name(),
    }
}
