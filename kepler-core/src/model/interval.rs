//! How far off a prediction may be.

use super::MAX_INPUTS;
use super::error::ModelFault;
use super::format;
use crate::units::Power;

/// Where the true power lies, with the confidence that the model states.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Interval {
    /// Lower end, not below zero.
    pub lower: Power,
    /// Upper end.
    pub upper: Power,
    /// Share of cases it is meant to cover, 0 … 1.
    pub confidence: f64,
    /// How many times as wide it is as for a row amid the training data. 1 there.
    pub widening: f64,
}

impl Interval {
    /// The same about `power`, for a machine that is [`distance`](super::Difference::distance) away from the
    /// model's: as many times wider as the other machine is different, 1 + distance.
    #[must_use]
    pub fn for_distance(self, power: Power, distance: f64) -> Self {
        let factor = 1.0 + distance.max(0.0);
        let below = (power.watts() - self.lower.watts()) * factor;
        let above = (self.upper.watts() - power.watts()) * factor;
        Interval {
            lower: Power::from_watts((power.watts() - below).max(0.0)),
            upper: Power::from_watts(power.watts() + above),
            widening: self.widening * factor,
            ..self
        }
    }
}

/// The rule of one component.
#[derive(Clone, Debug)]
pub(super) struct Rule {
    pub(super) confidence: f64,
    knots: Vec<[f64; 3]>,
    /// What is added to either margin far from the rows trained with.
    pub(super) far: f64,
}

impl Rule {
    pub(super) fn new(given: &format::IntervalKnots) -> Result<Self, ModelFault> {
        let sound = given.confidence > 0.0
            && given.confidence < 1.0
            && !given.knots.is_empty()
            && (0.0..=f64::MAX).contains(&given.far)
            && given.knots.iter().all(|[at, below, above]| {
                at.is_finite() && (0.0..=f64::MAX).contains(below) && (0.0..=f64::MAX).contains(above)
            })
            && given.knots.is_sorted_by(|[a, ..], [b, ..]| a < b);
        if !sound {
            return Err(ModelFault::Malformed("interval: confidence or knots are not usable".to_owned()));
        }
        Ok(Rule { confidence: given.confidence, knots: given.knots.clone(), far: given.far })
    }

    /// How far below and above a prediction the truth may lie.
    pub(super) fn margins(&self, predicted: f64) -> (f64, f64) {
        let after = self.knots.partition_point(|[at, ..]| *at <= predicted);
        let right = self.knots.get(after).or(self.knots.last());
        let left = after.checked_sub(1).and_then(|before| self.knots.get(before)).or(right);
        let (Some(&[a, below_a, above_a]), Some(&[b, below_b, above_b])) = (left, right) else { return (0.0, 0.0) };
        let share = if b > a { ((predicted - a) / (b - a)).clamp(0.0, 1.0) } else { 0.0 };
        (below_a + share * (below_b - below_a), above_a + share * (above_b - above_a))
    }
}

/// How steeply that fades which holds near the rows trained with, per reach.
const FADING: f64 = 3.0;

/// Where the training rows lay.
#[derive(Clone, Debug)]
pub(super) struct Support {
    scales: Vec<f64>,
    floors: Vec<f64>,
    rows: Vec<f32>,
    reach: f64,
    growth: f64,
}

impl Support {
    pub(super) fn new(given: &format::Support, inputs: usize) -> Result<Self, ModelFault> {
        let sound = given.scales.len() == inputs
            && given.rows.len().is_multiple_of(inputs)
            && !given.rows.is_empty()
            && given.rows.iter().all(|value| value.is_finite())
            && given.scales.iter().all(|scale| (0.0..=f64::MAX).contains(scale))
            && (given.floors.is_empty() || given.floors.len() == inputs)
            && given.floors.iter().all(|floor| *floor > 0.0 && floor.is_finite())
            && given.reach > 0.0
            && given.reach.is_finite()
            && (0.0..=f64::MAX).contains(&given.growth);
        if !sound {
            return Err(ModelFault::Malformed(
                "support: scales, floors, rows, reach or growth are not usable".to_owned(),
            ));
        }
        let (scales, floors, rows) = (given.scales.clone(), given.floors.clone(), given.rows.clone());
        Ok(Support { scales, floors, rows, reach: given.reach, growth: given.growth })
    }

    /// How many times wider an interval becomes for these inputs.
    pub(super) fn widening(&self, inputs: &[f64]) -> f64 {
        1.0 + self.growth * self.beyond(inputs)
    }

    /// How much of what fades with the distance is left: all within reach.
    pub(super) fn nearness(&self, inputs: &[f64]) -> f64 {
        (-FADING * self.beyond(inputs)).exp()
    }

    /// How many reaches these inputs are beyond reach.
    fn beyond(&self, inputs: &[f64]) -> f64 {
        let mut logarithms = [0.0; MAX_INPUTS];
        let inputs = if self.floors.is_empty() {
            inputs
        } else {
            for ((slot, input), floor) in logarithms.iter_mut().zip(inputs).zip(&self.floors) {
                *slot = (input.abs() / floor).ln_1p();
            }
            logarithms.get(..self.floors.len()).unwrap_or_default()
        };
        let nearest = self
            .rows
            .chunks_exact(self.scales.len().max(1))
            .map(|row| distance_squared(row, inputs, &self.scales))
            .fold(f64::INFINITY, f64::min);
        (nearest.sqrt() / self.reach - 1.0).max(0.0)
    }
}

/// Squared distance of two rows of inputs, each divided by its scale; a scale of 0 leaves an input out.
pub(super) fn distance_squared(row: &[f32], inputs: &[f64], scales: &[f64]) -> f64 {
    let pairs = row.iter().zip(inputs).zip(scales).filter(|(_, scale)| **scale > 0.0);
    pairs.map(|((a, b), scale)| ((f64::from(*a) - b) / scale).powi(2)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn margins_are_interpolated_between_knots_and_constant_outside() {
        let rule = Rule::new(&format::IntervalKnots {
            confidence: 0.9,
            knots: vec![[10.0, 1.0, 2.0], [20.0, 3.0, 2.0]],
            far: 0.0,
        });
        let rule = rule.unwrap();
        assert_eq!(rule.margins(0.0), (1.0, 2.0));
        assert_eq!(rule.margins(15.0), (2.0, 2.0));
        assert_eq!(rule.margins(20.0), (3.0, 2.0));
        assert_eq!(rule.margins(1e6), (3.0, 2.0));
    }

    #[test]
    fn knots_out_of_order_or_negative_are_refused() {
        for knots in [vec![], vec![[1.0, 1.0, 1.0], [1.0, 1.0, 1.0]], vec![[1.0, -1.0, 1.0]]] {
            assert!(Rule::new(&format::IntervalKnots { confidence: 0.9, knots, far: 0.0 }).is_err());
        }
    }

    #[test]
    fn another_machine_widens_both_sides() {
        let watts = Power::from_watts;
        let near = Interval { lower: watts(90.0), upper: watts(120.0), confidence: 0.9, widening: 1.0 };
        let far = near.for_distance(watts(100.0), 1.0);
        assert_eq!((far.lower, far.upper, far.widening), (watts(80.0), watts(140.0), 2.0));
    }
}
