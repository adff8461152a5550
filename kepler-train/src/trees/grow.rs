//! One tree from gradients.

use super::bins::{Bins, MAX_BINS};
use super::{Direction, Growth, Loss, TreeSettings};
use crate::random::Random;
use kepler_core::model::format::Tree;

/// Sum of gradients and number of rows of a bin.
#[derive(Clone, Copy, Debug, Default)]
struct Bin {
    sum: f64,
    rows: u32,
}

/// A tree being grown; its arrays are those of the format, with bins for thresholds beside them.
#[derive(Clone, Debug, Default)]
pub(super) struct Grown {
    tree: Tree,
    /// Of a split: the last bin that goes left.
    bins: Vec<u8>,
}

/// A node whose split is still to be found.
struct Open {
    node: usize,
    /// Its rows, as a range of `Grower::order`.
    from: usize,
    to: usize,
    histogram: Vec<Bin>,
    /// What leaves below it may say, so that monotone inputs stay so.
    bounds: (f64, f64),
}

#[derive(Clone, Copy)]
struct Split {
    input: usize,
    bin: usize,
    gain: f64,
    middle: f64,
}

/// Grows trees over the same bins.
pub(super) struct Grower<'a> {
    bins: &'a Bins,
    settings: &'a TreeSettings,
    directions: &'a [Direction],
    /// What leaves are multiplied by.
    rate: f64,
    /// Row numbers, those of a node side by side.
    order: Vec<u32>,
    scratch: Vec<u32>,
    values: Vec<f64>,
    spare: Vec<Vec<Bin>>,
}

impl<'a> Grower<'a> {
    pub(super) fn new(bins: &'a Bins, settings: &'a TreeSettings, directions: &'a [Direction], rate: f64) -> Self {
        let (order, scratch) = (Vec::new(), Vec::with_capacity(bins.rows()));
        Grower { bins, settings, directions, rate, order, scratch, values: Vec::new(), spare: Vec::new() }
    }

    /// Grows one tree over some rows. Gradients say where predictions should go; residuals, how far.
    pub(super) fn grow(
        &mut self,
        rows: Vec<usize>,
        gradients: &[f64],
        residuals: &[f64],
        random: &mut Random,
    ) -> Grown {
        self.order.clear();
        self.order.extend(rows.into_iter().map(|row| row as u32));
        let mut grown = Grown::default();
        grown.push();
        let mut histogram = self.blank();
        self.fill(&mut histogram, 0, self.order.len(), gradients);
        let all = (f64::NEG_INFINITY, f64::INFINITY);
        let mut level = vec![Open { node: 0, from: 0, to: self.order.len(), histogram, bounds: all }];
        for depth in 0..=self.settings.depth {
            let mut next = Vec::new();
            for open in level {
                let split = if depth < self.settings.depth { self.best(&open, random) } else { None };
                match split {
                    Some(split) => self.divide(&mut grown, open, split, (gradients, residuals), &mut next),
                    None => self.close(&mut grown, open, residuals),
                }
            }
            level = next;
        }
        grown
    }

    /// The value of the leaf of a training row.
    pub(super) fn leaf(&self, grown: &Grown, row: usize) -> f32 {
        let mut at = 0;
        loop {
            let left = grown.tree.left.get(at).copied().unwrap_or_default() as usize;
            if left == 0 {
                return grown.tree.condition.get(at).copied().unwrap_or_default();
            }
            let input = grown.tree.input.get(at).copied().unwrap_or_default();
            let code = self.bins.column(input.into()).get(row).copied().unwrap_or_default();
            at = left + usize::from(code > grown.bins.get(at).copied().unwrap_or_default());
        }
    }

    fn blank(&mut self) -> Vec<Bin> {
        let mut histogram = self.spare.pop().unwrap_or_default();
        histogram.clear();
        histogram.resize(self.bins.inputs() * MAX_BINS, Bin::default());
        histogram
    }

    fn fill(&self, histogram: &mut [Bin], from: usize, to: usize, gradients: &[f64]) {
        let rows = self.order.get(from..to).unwrap_or_default();
        for (input, bins) in histogram.chunks_exact_mut(MAX_BINS).enumerate() {
            let column = self.bins.column(input);
            for &row in rows {
                let (Some(code), Some(gradient)) = (column.get(row as usize), gradients.get(row as usize)) else {
                    continue;
                };
                if let Some(bin) = bins.get_mut(usize::from(*code)) {
                    bin.sum += gradient;
                    bin.rows += 1;
                }
            }
        }
    }

    fn value(&self, sum: f64, rows: u32, bounds: (f64, f64)) -> f64 {
        (sum / (f64::from(rows) + self.settings.shrink)).clamp(bounds.0, bounds.1)
    }

    fn best(&self, open: &Open, random: &mut Random) -> Option<Split> {
        let count = self.bins.inputs();
        let drawn = ((self.settings.inputs * count as f64).ceil() as usize).clamp(1, count);
        let inputs = if drawn == count { (0..count).collect() } else { random.choose(drawn, count) };
        let rows = (open.to - open.from) as u32;
        let least = self.settings.leaf.max(1) as u32;
        if rows < 2 * least {
            return None;
        }
        let mut best: Option<Split> = None;
        for input in inputs {
            let bins = open.histogram.get(input * MAX_BINS..(input + 1) * MAX_BINS)?;
            let last = self.bins.thresholds.get(input)?.len();
            let direction = self.directions.get(input).copied().unwrap_or_default();
            let total: f64 = bins.iter().map(|bin| bin.sum).sum();
            let parent = score(total, rows, self.settings.shrink);
            let only = match self.settings.growth {
                Growth::Boosted => None,
                Growth::Randomised => Some(self.drawn(input, bins, random)),
            };
            let (mut sum, mut below) = (0.0, 0);
            for (index, bin) in bins.iter().take(last).enumerate() {
                sum += bin.sum;
                below += bin.rows;
                if only.map_or(bin.rows == 0, |only| only != index) || below < least {
                    continue;
                }
                if rows - below < least {
                    break;
                }
                let gain = score(sum, below, self.settings.shrink)
                    + score(total - sum, rows - below, self.settings.shrink)
                    - parent;
                if gain <= best.map_or(1e-12, |best| best.gain) {
                    continue;
                }
                let left = self.value(sum, below, open.bounds);
                let right = self.value(total - sum, rows - below, open.bounds);
                let allowed = match direction {
                    Direction::Any => true,
                    Direction::Rising => left <= right,
                };
                if allowed {
                    best = Some(Split { input, bin: index, gain, middle: (left + right) / 2.0 });
                }
            }
        }
        best
    }

    /// The bin below a threshold drawn between the least and the greatest value of an input.
    fn drawn(&self, input: usize, bins: &[Bin], random: &mut Random) -> usize {
        let cuts = self.bins.thresholds.get(input).map_or(&[][..], Vec::as_slice);
        let filled = |bin: &Bin| bin.rows > 0;
        let first = bins.iter().position(filled).unwrap_or_default();
        let last = bins.iter().rposition(filled).unwrap_or_default().saturating_sub(1).max(first);
        let (Some(low), Some(high)) = (cuts.get(first), cuts.get(last)) else { return first };
        let at = low + (high - low) * random.unit() as f32;
        cuts.partition_point(|cut| *cut <= at).saturating_sub(1).clamp(first, last)
    }

    fn divide(
        &mut self,
        grown: &mut Grown,
        open: Open,
        split: Split,
        (gradients, residuals): (&[f64], &[f64]),
        next: &mut Vec<Open>,
    ) {
        let Open { node, from, to, mut histogram, bounds } = open;
        // A stable partition: rows stay in order, so sums are taken in the same order on every machine.
        self.scratch.clear();
        let column = self.bins.column(split.input);
        let mut end = from;
        for index in from..to {
            let Some(&row) = self.order.get(index) else { continue };
            if column.get(row as usize).is_some_and(|&code| usize::from(code) <= split.bin) {
                if let Some(slot) = self.order.get_mut(end) {
                    *slot = row;
                }
                end += 1;
            } else {
                self.scratch.push(row);
            }
        }
        for (slot, row) in self.order.iter_mut().skip(end).zip(&self.scratch) {
            *slot = *row;
        }
        let left = grown.push();
        grown.push();
        let threshold = self.bins.thresholds.get(split.input).and_then(|cuts| cuts.get(split.bin)).copied();
        grown.split(node, left, split, threshold.unwrap_or_default());

        let left_is_smaller = end - from <= to - end;
        let (small_from, small_to) = if left_is_smaller { (from, end) } else { (end, to) };
        let mut small = self.blank();
        self.fill(&mut small, small_from, small_to, gradients);
        for (large, small) in histogram.iter_mut().zip(&small) {
            large.sum -= small.sum;
            large.rows -= small.rows;
        }
        let (left_histogram, right_histogram) = if left_is_smaller { (small, histogram) } else { (histogram, small) };
        let direction = self.directions.get(split.input).copied().unwrap_or_default();
        // Gradients of other losses are only signs; leaves say quantiles of residuals, and so must their bounds.
        let middle = if self.settings.loss == Loss::Squared || direction == Direction::Any {
            split.middle
        } else {
            let middle = (self.leaf_value(from, end, residuals) + self.leaf_value(end, to, residuals)) / 2.0;
            middle.clamp(bounds.0, bounds.1)
        };
        let (left_bounds, right_bounds) = match direction {
            Direction::Any => (bounds, bounds),
            Direction::Rising => ((bounds.0, middle), (middle, bounds.1)),
        };
        next.push(Open { node: left, from, to: end, histogram: left_histogram, bounds: left_bounds });
        next.push(Open { node: left + 1, from: end, to, histogram: right_histogram, bounds: right_bounds });
    }

    fn close(&mut self, grown: &mut Grown, open: Open, residuals: &[f64]) {
        let value = self.leaf_value(open.from, open.to, residuals).clamp(open.bounds.0, open.bounds.1);
        grown.close(open.node, (value * self.rate) as f32);
        self.spare.push(open.histogram);
    }

    /// What a leaf of these rows would say.
    fn leaf_value(&mut self, from: usize, to: usize, residuals: &[f64]) -> f64 {
        let rows = self.order.get(from..to).unwrap_or_default();
        let residual = |row: &u32| residuals.get(*row as usize).copied().unwrap_or_default();
        if self.settings.loss == Loss::Squared {
            return rows.iter().map(residual).sum::<f64>() / (rows.len() as f64 + self.settings.shrink);
        }
        self.values.clear();
        self.values.extend(rows.iter().map(residual));
        self.settings.loss.constant(&mut self.values)
    }
}

fn score(sum: f64, rows: u32, shrink: f64) -> f64 {
    sum * sum / (f64::from(rows) + shrink)
}

impl Grown {
    pub(super) fn into_tree(self) -> Tree {
        self.tree
    }

    /// Appends a leaf of value 0.
    fn push(&mut self) -> usize {
        self.tree.left.push(0);
        self.tree.input.push(0);
        self.tree.condition.push(0.0);
        self.bins.push(0);
        self.bins.len() - 1
    }

    fn split(&mut self, node: usize, left: usize, split: Split, threshold: f32) {
        if let Some(slot) = self.tree.left.get_mut(node) {
            *slot = left as u32;
        }
        if let Some(slot) = self.tree.input.get_mut(node) {
            *slot = split.input as u8;
        }
        if let Some(slot) = self.tree.condition.get_mut(node) {
            *slot = threshold;
        }
        if let Some(slot) = self.bins.get_mut(node) {
            *slot = split.bin as u8;
        }
    }

    fn close(&mut self, node: usize, value: f32) {
        if let Some(slot) = self.tree.condition.get_mut(node) {
            *slot = value;
        }
    }
}
