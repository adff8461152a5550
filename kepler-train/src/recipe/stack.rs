//! Learners weighted by how well they do together (Breiman's stacked regressions, 1996).

use super::{Recipe, ranges};
use crate::inputs::{self, Factors};
use crate::random::Random;
use crate::{Dataset, TrainError, linear, validate};
use kepler_core::model::Model;
use kepler_core::model::format::{Component, Document, Function, Term};

/// Parts of the rows that weights of stacked learners are found on.
const STACK_FOLDS: usize = 5;

impl Recipe {
    /// Learners weighted by how well they do together on rows that they were not given.
    pub(super) fn stacked(
        &self,
        data: &Dataset,
        factors: &Factors,
        design: &[f64],
        target: &[f64],
    ) -> Result<Vec<Term>, TrainError> {
        let count = self.learners.len();
        let mut held: Vec<Vec<f64>> = vec![vec![0.0; target.len()]; count];
        let mut order: Vec<usize> = (0..target.len()).collect();
        Random::new(self.seed).shuffle(&mut order);
        for block in validate::blocks(target.len(), STACK_FOLDS) {
            let (Some(&first), size) = (block.first(), block.len()) else { continue };
            let fold: Vec<usize> = order.iter().skip(first).take(size).copied().collect();
            // In the order of the rows, so that nothing depends on how they were drawn but which they are.
            let mut rest: Vec<usize> =
                order.iter().take(first).chain(order.iter().skip(first + size)).copied().collect();
            rest.sort_unstable();
            let part = data.subset(&rest);
            let part_design = inputs::design(&part, factors);
            let part_target: Vec<f64> = rest.iter().filter_map(|&row| target.get(row).copied()).collect();
            let mut seeds = Random::new(self.seed);
            for (learner, held) in self.learners.iter().zip(&mut held) {
                let functions = self.learn(learner, &part, factors, &part_design, &part_target, &mut seeds)?;
                let component = component(&part, factors, share(functions, 1.0))?;
                for &row in &fold {
                    let features = data.rows().get(row * data.width()..(row + 1) * data.width()).unwrap_or_default();
                    if let Some(slot) = held.get_mut(row) {
                        *slot = component.raw(features);
                    }
                }
            }
        }
        let weights = linear::positive_weights(&held, target);
        let mut seeds = Random::new(self.seed);
        let mut terms = Vec::new();
        for (learner, weight) in self.learners.iter().zip(weights) {
            let functions = self.learn(learner, data, factors, design, target, &mut seeds)?;
            if weight > 0.0 {
                terms.extend(share(functions, weight));
            }
        }
        Ok(terms)
    }
}

/// The mean of functions, by a weight.
fn share(functions: Vec<Function>, weight: f64) -> Vec<Term> {
    let weight = weight / functions.len().max(1) as f64;
    functions.into_iter().map(|function| Term { weight, function }).collect()
}

/// Terms as something that predicts.
fn component(
    data: &Dataset,
    factors: &Factors,
    terms: Vec<Term>,
) -> Result<kepler_core::model::ModelComponent, TrainError> {
    let document = Document {
        features: ranges(data),
        inputs: factors.clone(),
        components: [("package".to_owned(), Component { terms, ..Component::default() })].into(),
        ..Document::default()
    };
    let component = Model::from_document(&document)?.components().first().cloned();
    component.ok_or_else(|| TrainError::NoFit { algorithm: "stack", why: "a learner made nothing".to_owned() })
}
