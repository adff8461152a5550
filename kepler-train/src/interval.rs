//! Split-conformal prediction intervals, wider the farther a row is from those trained with.
//!
//! Rows are held out block by block; their errors, each divided by how far the row was from the rest, are sorted by what was
//! predicted, and in each of up to `BINS` classes of it the quantiles are taken that cover the confidence asked for,
//! half of the misses on either side. Exchangeable rows are then covered with at least that probability. Blocks of a recording
//! are not quite exchangeable; `docs/accuracy.md` says what was found.
//!
//! ```
//! # use kepler_core::model::Semantics;
//! # use kepler_core::units::ZoneKind;
//! # use kepler_train::Dataset;
//! # let busy: Vec<f64> = (0..200).map(|row| f64::from(row * 37 % 100) * 10.0).collect();
//! # let watts = busy.iter().map(|busy| 20.0 + busy / 25.0).collect();
//! # let data = Dataset::new(vec!["bpf_cpu_time_ms".to_owned()], busy, vec![(ZoneKind::Package, watts)], Semantics::AsNamed)?;
//! use kepler_core::model::Model;
//! use kepler_train::Algorithm;
//! use kepler_train::interval::fit;
//!
//! // `data`: 200 rows of a package.
//! let (document, _) = fit(&Algorithm::Ols.recipe(), &data, 0.9)?;
//! let model = Model::from_document(&document)?;
//! let prediction = model.predict(&[500.0])?;
//! let interval = model.interval(&[500.0], &prediction, ZoneKind::Package).expect("it was calibrated");
//! assert!(interval.lower <= interval.upper);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use crate::inputs;
use crate::recipe::deviations;
use crate::validate::folds::{Fold, blocks};
use crate::{Dataset, Recipe, TrainError};
use kepler_core::model::format::{Document, IntervalKnots, Support};
use kepler_core::model::{Model, component_name};

/// The confidence of intervals where nothing else is asked for.
pub const CONFIDENCE: f64 = 0.9;

/// Blocks that errors are learned from: the more, the closer are models without one of them to the model of all rows.
const FOLDS: usize = 10;
/// The fewest rows that have intervals.
const ROWS: usize = 5 * crate::MIN_ROWS;
/// The most classes of predicted power, and the fewest rows of one.
const BINS: usize = 8;
const ROWS_OF_BIN: usize = 60;
/// The most rows that stand for all when distances are taken, and how many rows each must stand for: were most rows
/// landmarks, nearly all would be at distance 0, and everything else would seem far away.
const LANDMARKS: usize = 96;
const ROWS_OF_LANDMARK: usize = 8;
/// The share of training rows that counts as near.
const NEAR: f64 = 0.95;

/// A held-out row with the widening that its distance asks for.
#[derive(Clone, Copy, Debug)]
struct Miss {
    predicted: f64,
    error: f64,
}

/// Makes a model of all rows, with intervals from rows held out block by block.
///
/// # Errors
/// As for [`Recipe::fit`]; a confidence outside 0 … 1; fewer than 50 rows.
pub fn fit(recipe: &Recipe, data: &Dataset, confidence: f64) -> Result<(Document, usize), TrainError> {
    fit_with(recipe, data, confidence, &blocks(data.len(), FOLDS.min(data.len() / crate::MIN_ROWS)))
}

/// The same with the folds that are to stand for what the model will meet: machines, say.
///
/// # Errors
/// As for [`fit`].
pub fn fit_with(
    recipe: &Recipe,
    data: &Dataset,
    confidence: f64,
    folds: &[Fold],
) -> Result<(Document, usize), TrainError> {
    if !(confidence > 0.0 && confidence < 1.0) {
        let remedy = "give more than 0, less than 1";
        return Err(TrainError::Setting { what: "confidence", value: confidence.to_string(), remedy });
    }
    if data.len() < ROWS {
        return Err(TrainError::TooFew { found: data.len(), needed: ROWS });
    }
    let mut misses: Vec<Vec<Miss>> = vec![Vec::new(); data.targets().len()];
    for fold in folds {
        hold_out(recipe, data, fold, &mut misses)?;
    }
    let mut document = recipe.fit(data)?;
    document.support = Some(support(&document, data));
    let held = misses.first().map_or(0, Vec::len);
    for ((zone, _), misses) in data.targets().iter().zip(misses) {
        if let Some(component) = document.components.get_mut(component_name(*zone)) {
            component.interval = Some(IntervalKnots { confidence, knots: knots(misses, confidence) });
        }
    }
    Model::from_document(&document)?;
    Ok((document, held))
}

fn hold_out(recipe: &Recipe, data: &Dataset, fold: &Fold, misses: &mut [Vec<Miss>]) -> Result<(), TrainError> {
    let rest: Vec<usize> = (0..data.len()).filter(|row| fold.binary_search(row).is_err()).collect();
    let training = data.subset(&rest);
    let mut document = recipe.fit(&training)?;
    document.support = Some(support(&document, &training));
    for component in document.components.values_mut() {
        // Only to be asked for the widening.
        component.interval = Some(IntervalKnots { confidence: CONFIDENCE, knots: vec![[0.0, 0.0, 0.0]] });
    }
    let model = Model::from_document(&document)?;
    for &row in fold {
        let Some(features) = data.rows().get(row * data.width()..(row + 1) * data.width()) else { continue };
        let prediction = model.predict(features)?;
        let per = recipe.per.as_ref().and_then(|per| data.features().iter().position(|feature| feature == per));
        let units = per.and_then(|index| features.get(index)).copied().unwrap_or(1.0);
        for ((zone, target), misses) in data.targets().iter().zip(&mut *misses) {
            let widening = model.interval(features, &prediction, *zone).map_or(1.0, |interval| interval.widening);
            let (Some(power), Some(measured)) = (prediction.power(*zone), target.get(row)) else { continue };
            let error = (measured - power.watts()) / units / widening;
            misses.push(Miss { predicted: power.watts() / units, error });
        }
    }
    Ok(())
}

/// The margins by predicted power.
fn knots(mut misses: Vec<Miss>, confidence: f64) -> Vec<[f64; 3]> {
    misses.sort_by(|a, b| a.predicted.total_cmp(&b.predicted));
    let bins = (misses.len() / ROWS_OF_BIN).clamp(1, BINS);
    let mut classes: Vec<(f64, Vec<f64>)> = Vec::new();
    for rows in blocks(misses.len(), bins) {
        let of: Vec<Miss> = rows.iter().filter_map(|&row| misses.get(row)).copied().collect();
        let Some(middle) = of.get(of.len() / 2).map(|miss| miss.predicted) else { continue };
        let errors = of.iter().map(|miss| miss.error);
        match classes.last_mut() {
            // Many rows predicted alike are one class.
            Some((last, known)) if *last >= middle => known.extend(errors),
            _ => classes.push((middle, errors.collect())),
        }
    }
    let knot = |(middle, errors): (f64, Vec<f64>)| {
        let below = conformal(errors.iter().map(|error| -error).collect(), confidence);
        [middle, below, conformal(errors, confidence)]
    };
    let knots: Vec<[f64; 3]> = classes.into_iter().map(knot).collect();
    if knots.is_empty() { vec![[0.0, 0.0, 0.0]] } else { knots }
}

/// The margin that errors on one side stay below, but for half of the misses: with n errors the ⌈(n+1)·(1 − α/2)⌉-th.
fn conformal(mut errors: Vec<f64>, confidence: f64) -> f64 {
    errors.sort_by(f64::total_cmp);
    let rank = ((errors.len() + 1) as f64 * f64::midpoint(1.0, confidence)).ceil() as usize;
    let index = rank.saturating_sub(1).min(errors.len().saturating_sub(1));
    errors.get(index).copied().unwrap_or_default().max(0.0)
}

/// Rows that stand for all: each the farthest from those before it, beginning with the first row.
fn support(document: &Document, data: &Dataset) -> Support {
    let factors = if document.inputs.is_empty() {
        (0..data.width()).map(|index| vec![(index, 1)]).collect()
    } else {
        document.inputs.clone()
    };
    let width = factors.len();
    let design: Vec<f64> = inputs::design(data, &factors);
    let mut scales = deviations(&design, width);
    // Quotients wander where little happens: what products and features say is distance enough.
    for (scale, factors) in scales.iter_mut().zip(&factors) {
        let quotient = factors.len() > 1 && factors.iter().map(|(_, power)| power).sum::<i32>() == 0;
        if quotient && document.components.values().all(|component| component.per.is_none()) {
            *scale = 0.0;
        }
    }
    let row = |number: usize| design.get(number * width..(number + 1) * width).unwrap_or_default();
    let distance = |a: usize, b: usize| {
        let pairs = row(a).iter().zip(row(b)).zip(&scales).filter(|(_, scale)| **scale > 0.0);
        pairs.map(|((a, b), scale)| ((a - b) / scale).powi(2)).sum::<f64>()
    };
    let mut nearest: Vec<f64> = (0..data.len()).map(|number| distance(number, 0)).collect();
    let mut chosen = vec![0];
    while chosen.len() < LANDMARKS.min(data.len() / ROWS_OF_LANDMARK) {
        let farthest = (0..nearest.len())
            .max_by(|&a, &b| nearest.get(a).unwrap_or(&0.0).total_cmp(nearest.get(b).unwrap_or(&0.0)));
        let Some(farthest) = farthest.filter(|&row| nearest.get(row).is_some_and(|&far| far > 0.0)) else { break };
        chosen.push(farthest);
        for (number, near) in nearest.iter_mut().enumerate() {
            *near = near.min(distance(number, farthest));
        }
    }
    let mut distances: Vec<f64> = nearest.iter().map(|distance| distance.sqrt()).collect();
    let reach = crate::trees::quantile(&mut distances, NEAR).max(1e-3);
    let rows = chosen.iter().flat_map(|&number| row(number)).map(|value| *value as f32).collect();
    Support { scales, rows, reach: 2.0 * reach, growth: 0.5 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn margins_cover_their_share_of_the_errors_they_were_made_of() {
        let errors: Vec<f64> = (0..999).map(|n| f64::from(n) - 499.0).collect();
        assert_eq!(conformal(errors.clone(), 0.9), 450.0);
        // All are predicted alike, so all are one class.
        let misses = errors.iter().map(|&error| Miss { predicted: 1.0, error }).collect();
        assert_eq!(knots(misses, 0.9), [[1.0, 450.0, 450.0]]);
    }

    #[test]
    fn few_errors_give_the_largest_of_them() {
        assert_eq!(conformal(vec![3.0, 1.0, 2.0], 0.9), 3.0);
        assert_eq!(conformal(vec![-3.0], 0.9), 0.0);
        assert_eq!(conformal(vec![], 0.9), 0.0);
    }
}
