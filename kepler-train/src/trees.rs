//! Regression trees on histograms, boosted or randomised, with monotone constraints and quantile loss.
//!
//! Our own, because no crate has all of it (see `docs/models.md`): what boosting needs here is small and is below.
//! The method is that of LightGBM and of scikit-learn's `HistGradientBoosting`: inputs are put into at
//! most 256 bins once; a tree is grown level by level from histograms of gradients by bin, the histogram of the larger child
//! being the difference between its parent's and its sibling's. Everything is sequential and in a fixed order, so the same rows and
//! seed give the same bits.

mod bins;
mod grow;

use crate::TrainError;
use crate::random::Random;
use bins::Bins;
use grow::Grower;
use kepler_core::model::{MAX_FEATURES, format};

/// What is minimised.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Loss {
    /// The square of the error: predicts the mean.
    Squared,
    /// The absolute error: predicts the median.
    Absolute,
    /// The pinball loss of a quantile, 0 … 1: predicts that quantile.
    Quantile(f64),
}

/// What trees are to each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Growth {
    /// Each is split where it is best and corrects those before it.
    #[default]
    Boosted,
    /// All learn the same and their mean is taken; each split is at the best of thresholds drawn between the least and the
    /// greatest value there, one an input (extremely randomised trees: Geurts, Ernst, Wehenkel 2006).
    Randomised,
}

/// How trees are grown.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct TreeSettings {
    /// How many.
    pub trees: usize,
    /// Splits from root to leaf at most, 1 … 16.
    pub depth: u32,
    /// By how much each boosted tree is believed, 0 … 1.
    pub rate: f64,
    /// The fewest rows of a leaf.
    pub leaf: usize,
    /// Added to the number of rows of a leaf when its value is taken: shrinks small leaves.
    pub shrink: f64,
    /// Share of rows, drawn again for each tree.
    pub rows: f64,
    /// Share of inputs, drawn again for each split.
    pub inputs: f64,
    /// What trees are to each other.
    pub growth: Growth,
    /// What is minimised.
    pub loss: Loss,
}

impl Default for TreeSettings {
    fn default() -> Self {
        TreeSettings {
            trees: 100,
            depth: 6,
            rate: 0.1,
            leaf: 5,
            shrink: 0.0,
            rows: 1.0,
            inputs: 1.0,
            growth: Growth::Boosted,
            loss: Loss::Squared,
        }
    }
}

impl TreeSettings {
    fn check(&self) -> Result<(), TrainError> {
        let share = |value: f64| value > 0.0 && value <= 1.0;
        let bad = |what, value: String, remedy| Err(TrainError::Setting { what, value, remedy });
        if self.trees == 0 || self.trees > kepler_core::model::MAX_TREES {
            return bad("number of trees", self.trees.to_string(), "give 1 to 10000");
        }
        if self.depth == 0 || self.depth > 16 {
            return bad("depth", self.depth.to_string(), "give 1 to 16");
        }
        if !share(self.rate) {
            return bad("learning rate", self.rate.to_string(), "give more than 0, at most 1");
        }
        if !share(self.rows) || !share(self.inputs) {
            return bad(
                "share of rows or inputs",
                format!("{} / {}", self.rows, self.inputs),
                "give more than 0, at most 1",
            );
        }
        if !(self.shrink >= 0.0 && self.shrink.is_finite()) {
            return bad("shrinkage", self.shrink.to_string(), "give 0 or more");
        }
        match self.loss {
            Loss::Quantile(quantile) if !(quantile > 0.0 && quantile < 1.0) => {
                bad("quantile", quantile.to_string(), "give more than 0, less than 1")
            }
            _ => Ok(()),
        }
    }
}

/// Which way power must go when an input rises.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Direction {
    /// Any.
    #[default]
    Any,
    /// Never down.
    Rising,
}

/// Grows trees. `inputs`: flat rows of `width` numbers.
pub(crate) fn fit(
    inputs: &[f64],
    width: usize,
    target: &[f64],
    directions: &[Direction],
    settings: &TreeSettings,
    seed: u64,
) -> Result<format::Trees, TrainError> {
    settings.check()?;
    let used = width.min(MAX_FEATURES);
    let bins = Bins::of(inputs, width, used);
    let mut random = Random::new(seed);
    let count = target.len();
    let base = settings.loss.constant(&mut target.to_vec()) as f32;
    let mut predicted = vec![f64::from(base); count];
    let mut gradients = vec![0.0; count];
    let mut residuals = vec![0.0; count];
    let drawn = ((settings.rows * count as f64).round() as usize).clamp(1, count);
    let rate = match settings.growth {
        Growth::Boosted => settings.rate,
        Growth::Randomised => 1.0 / settings.trees as f64,
    };
    let mut grower = Grower::new(&bins, settings, directions, rate);
    let mut trees = Vec::with_capacity(settings.trees);
    for _ in 0..settings.trees {
        for (((gradient, residual), target), predicted) in
            gradients.iter_mut().zip(&mut residuals).zip(target).zip(&predicted)
        {
            *residual = target - predicted;
            *gradient = settings.loss.step(*residual);
        }
        let rows = if drawn == count { (0..count).collect() } else { random.choose(drawn, count) };
        let tree = grower.grow(rows, &gradients, &residuals, &mut random);
        if settings.growth == Growth::Boosted {
            for (row, predicted) in predicted.iter_mut().enumerate() {
                *predicted += f64::from(grower.leaf(&tree, row));
            }
        }
        trees.push(tree.into_tree());
    }
    Ok(format::Trees { base, trees })
}

impl Loss {
    /// The constant that minimises it.
    fn constant(self, values: &mut [f64]) -> f64 {
        match self {
            Loss::Squared => values.iter().sum::<f64>() / values.len().max(1) as f64,
            Loss::Absolute => quantile(values, 0.5),
            Loss::Quantile(share) => quantile(values, share),
        }
    }

    /// Where a prediction should go.
    fn step(self, residual: f64) -> f64 {
        match self {
            Loss::Squared => residual,
            Loss::Absolute if residual == 0.0 => 0.0,
            Loss::Absolute => residual.signum(),
            Loss::Quantile(share) => {
                if residual >= 0.0 {
                    share
                } else {
                    share - 1.0
                }
            }
        }
    }
}

/// A quantile, interpolated between the two nearest values. Reorders `values`. 0 of none.
pub(crate) fn quantile(values: &mut [f64], share: f64) -> f64 {
    let Some(last) = values.len().checked_sub(1) else { return 0.0 };
    let index = share.clamp(0.0, 1.0) * last as f64;
    let below = (index.floor() as usize).min(last);
    let (_, &mut low, above) = values.select_nth_unstable_by(below, f64::total_cmp);
    let high = above.iter().copied().fold(f64::INFINITY, f64::min);
    if high.is_finite() { low + (index - below as f64) * (high - low) } else { low }
}

#[cfg(test)]
mod tests;
