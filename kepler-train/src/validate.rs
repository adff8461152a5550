//! Evaluating a recipe on held-out rows.
//!
//! ```
//! # use kepler_core::model::Semantics;
//! # use kepler_core::units::ZoneKind;
//! # use kepler_train::Dataset;
//! # let busy: Vec<f64> = (0..200).map(|row| f64::from(row * 37 % 100) * 10.0).collect();
//! # let watts = busy.iter().map(|busy| 20.0 + busy / 25.0).collect();
//! # let data = Dataset::new(vec!["bpf_cpu_time_ms".to_owned()], busy, vec![(ZoneKind::Package, watts)], Semantics::AsNamed)?;
//! use kepler_train::Algorithm;
//! use kepler_train::validate::{Validation, blocks, cross_validate, score};
//!
//! // `data`: 200 rows of a package.
//! let folds = blocks(data.len(), 5);
//! let held_out = cross_validate(&Algorithm::Ols.recipe(), &data, ZoneKind::Package, &folds, Validation::default())?;
//! assert!(score("package", "blocked 5-fold", &held_out).mae < 1e-6, "the rows lie on a line");
//! # Ok::<(), kepler_train::TrainError>(())
//! ```

pub(crate) mod folds;

pub use folds::{Fold, behaviour, blocks, by_group};

use crate::{Dataset, Recipe, TrainError, interval};
use kepler_core::model::{Model, Score, component_name};
use kepler_core::units::ZoneKind;
use std::num::NonZeroUsize;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// A row that was held out, and what was predicted for it.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct HeldOut {
    /// Number of the row in the dataset.
    pub row: usize,
    /// Number of the fold.
    pub fold: usize,
    /// What was measured, W.
    pub measured: f64,
    /// What was predicted, W.
    pub predicted: f64,
    /// Interval around it, W, if asked for.
    pub interval: Option<(f64, f64)>,
}

/// How to validate.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct Validation<'a> {
    /// Whether intervals are calibrated in each fold, on training rows alone; takes sixteen times as long.
    pub intervals: bool,
    /// The groups, one a row, that intervals are to cover when they are not seen; without, [`behaviour`] makes some.
    pub groups: Option<&'a [usize]>,
    /// How many folds are worked on at a time. The result does not depend on it.
    pub threads: NonZeroUsize,
    /// Called with the number of folds done and the number of all folds.
    pub progress: &'a (dyn Fn(usize, usize) + Sync),
}

impl Validation<'_> {
    /// This validation with a change, as in `Validation::default().with(|how| how.intervals = true)`.
    #[must_use]
    pub fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }
}

impl Default for Validation<'_> {
    fn default() -> Self {
        let threads = thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
        Validation { intervals: false, groups: None, threads, progress: &|_, _| {} }
    }
}

/// Predicts every row of every fold by a model of the other rows, for one component.
///
/// # Errors
/// As for [`Recipe::fit`], of any fold.
pub fn cross_validate(
    recipe: &Recipe,
    data: &Dataset,
    zone: ZoneKind,
    folds: &[Fold],
    how: Validation<'_>,
) -> Result<Vec<HeldOut>, TrainError> {
    let target = target(data, zone)?;
    let (next, done) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let results = Mutex::new(Vec::new());
    let work = || {
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let Some(fold) = folds.get(number) else { return };
            let held = hold_out(recipe, data, zone, target, (fold, number), how);
            if let Ok(mut results) = results.lock() {
                results.push((number, held));
            }
            (how.progress)(done.fetch_add(1, Ordering::Relaxed) + 1, folds.len());
        }
    };
    thread::scope(|scope| {
        for _ in 1..how.threads.get().min(folds.len()) {
            scope.spawn(work);
        }
        work();
    });
    let mut results = results.into_inner().unwrap_or_default();
    results.sort_by_key(|(number, _)| *number);
    let mut all = Vec::new();
    for (_, held) in results {
        all.extend(held?);
    }
    Ok(all)
}

fn hold_out(
    recipe: &Recipe,
    data: &Dataset,
    zone: ZoneKind,
    target: &[f64],
    (fold, number): (&Fold, usize),
    how: Validation<'_>,
) -> Result<Vec<HeldOut>, TrainError> {
    let mut held_out = vec![false; data.len()];
    for &row in fold {
        if let Some(slot) = held_out.get_mut(row) {
            *slot = true;
        }
    }
    let rest: Vec<usize> = (0..data.len()).filter(|&row| held_out.get(row) == Some(&false)).collect();
    let training = data.subset(&rest).only(zone);
    if training.len() < crate::MIN_ROWS {
        return Err(TrainError::TooFew { found: training.len(), needed: crate::MIN_ROWS });
    }
    // Too few rows are left for one: the error alone is told.
    let document = if how.intervals && training.len() >= interval::ROWS {
        let groups: Vec<usize> = match how.groups {
            Some(groups) => rest.iter().filter_map(|&row| groups.get(row).copied()).collect(),
            None => behaviour(&training),
        };
        interval::fit_with(recipe, &training, interval::CONFIDENCE, &groups)?.0
    } else {
        recipe.fit(&training)?
    };
    let model = Model::from_document(&document)?;
    predict(&model, data, zone, target, fold, number)
}

/// Predicts all rows by a model that was made of others.
///
/// # Errors
/// The component is not in the dataset, or the model has other features.
pub fn evaluate(model: &Model, data: &Dataset, zone: ZoneKind) -> Result<Vec<HeldOut>, TrainError> {
    let rows: Vec<usize> = (0..data.len()).collect();
    predict(model, data, zone, target(data, zone)?, &rows, 0)
}

fn predict(
    model: &Model,
    data: &Dataset,
    zone: ZoneKind,
    target: &[f64],
    rows: &[usize],
    fold: usize,
) -> Result<Vec<HeldOut>, TrainError> {
    let mut all = Vec::with_capacity(rows.len());
    for &row in rows {
        let features = data.rows().get(row * data.width()..(row + 1) * data.width()).unwrap_or_default();
        let prediction = model.predict(features)?;
        let interval = model.interval(features, &prediction, zone);
        all.push(HeldOut {
            row,
            fold,
            measured: target.get(row).copied().unwrap_or(f64::NAN),
            predicted: prediction.power(zone).map_or(f64::NAN, |power| power.watts()),
            interval: interval.map(|interval| (interval.lower.watts(), interval.upper.watts())),
        });
    }
    Ok(all)
}

fn target(data: &Dataset, zone: ZoneKind) -> Result<&[f64], TrainError> {
    let found = data.targets().iter().find(|(kind, _)| *kind == zone);
    found.map(|(_, target)| target.as_slice()).ok_or_else(|| {
        let there = data.targets().iter().map(|(zone, _)| component_name(*zone)).collect::<Vec<_>>().join(", ");
        TrainError::NoColumn { column: component_name(zone).to_owned(), there }
    })
}

/// What held-out rows say of a recipe. The mean absolute error is the mean of the folds' means.
#[must_use]
pub fn score(component: &str, validation: &str, held: &[HeldOut]) -> Score {
    let count = held.len().max(1) as f64;
    let mean = |of: &dyn Fn(&HeldOut) -> f64| held.iter().map(of).sum::<f64>() / count;
    let folds = held.iter().map(|held| held.fold + 1).max().unwrap_or_default();
    let mut by_fold = vec![(0.0, 0.0); folds];
    for held in held {
        if let Some((sum, count)) = by_fold.get_mut(held.fold) {
            *sum += (held.predicted - held.measured).abs();
            *count += 1.0;
        }
    }
    let means: Vec<f64> = by_fold.iter().filter(|(_, count)| *count > 0.0).map(|(sum, count)| sum / count).collect();
    let middle = mean(&|held| held.measured);
    let spread: f64 = held.iter().map(|held| (held.measured - middle).powi(2)).sum();
    let left: f64 = held.iter().map(|held| (held.measured - held.predicted).powi(2)).sum();
    let positive: Vec<f64> = held
        .iter()
        .filter(|held| held.measured > 0.0)
        .map(|held| ((held.predicted - held.measured) / held.measured).abs())
        .collect();
    let known: Vec<(f64, f64, f64)> =
        held.iter().filter_map(|held| held.interval.map(|(lower, upper)| (lower, upper, held.measured))).collect();
    let inside = known.iter().filter(|(lower, upper, measured)| (lower..=upper).contains(&measured)).count();
    let share = |of: f64| (!known.is_empty()).then(|| of / known.len() as f64);
    Score {
        component: component.to_owned(),
        validation: validation.to_owned(),
        rows: held.len() as u64,
        mae: means.iter().sum::<f64>() / means.len().max(1) as f64,
        mape: 100.0 * positive.iter().sum::<f64>() / positive.len().max(1) as f64,
        r2: if spread > 0.0 { 1.0 - left / spread } else { 0.0 },
        bias: mean(&|held| held.predicted - held.measured),
        coverage: share(inside as f64),
        width: share(known.iter().map(|(lower, upper, _)| upper - lower).sum()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_are_those_of_the_textbook() {
        let held = |fold, measured, predicted, interval| HeldOut { row: 0, fold, measured, predicted, interval };
        let held = [
            held(0, 10.0, 12.0, Some((9.0, 13.0))),
            held(0, 20.0, 20.0, None),
            held(1, 40.0, 36.0, Some((35.0, 39.0))),
        ];
        let score = score("package", "blocked", &held);
        assert_eq!(score.mae, (1.0 + 4.0) / 2.0);
        assert!((score.mape - 10.0).abs() < 1e-12);
        assert!((score.bias + 2.0 / 3.0).abs() < 1e-12);
        assert_eq!((score.coverage, score.width), (Some(0.5), Some(4.0)));
        assert!((score.r2 - (1.0 - 20.0 / 466.666_666_666_666_7)).abs() < 1e-12);
    }
}
