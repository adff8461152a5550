//! Where the training rows lay: what widens intervals and fades learners.

use crate::Dataset;
use crate::inputs::{Factors, deviations};
use kepler_core::model::format::Support;

/// The most rows that stand for all when distances are taken, and how many rows each must stand for: were most rows
/// landmarks, nearly all would be at distance 0, and everything else would seem far away.
const LANDMARKS: usize = 96;
const ROWS_OF_LANDMARK: usize = 8;
/// Below this share of the greatest value, differences are nothing.
const FLOOR: f64 = 0.02;
/// Reach is this many times the distance within which nearly all training rows lie of those that stand for them.
const REACH: f64 = 1.5;
/// What a reach of distance beyond that adds to an interval.
const GROWTH: f64 = 0.5;
/// The share of training rows that counts as near.
const NEAR: f64 = 0.95;

/// Rows that stand for all: each the farthest from those before it, beginning with the first row.
pub(crate) fn of(inputs: &Factors, per: bool, data: &Dataset) -> Support {
    let factors =
        if inputs.is_empty() { (0..data.width()).map(|index| vec![(index, 1)]).collect() } else { inputs.clone() };
    let width = factors.len();
    let mut design: Vec<f64> = crate::inputs::design(data, &factors);
    let greatest =
        |input: usize| design.iter().skip(input).step_by(width).fold(0.0_f64, |most, value| most.max(value.abs()));
    let floors: Vec<f64> = (0..width).map(|input| (FLOOR * greatest(input)).max(f64::MIN_POSITIVE)).collect();
    for row in design.chunks_exact_mut(width) {
        for (value, floor) in row.iter_mut().zip(&floors) {
            *value = (value.abs() / floor).ln_1p();
        }
    }
    let mut scales = deviations(&design, width);
    // Quotients wander where little happens: what products and features say is distance enough.
    for (scale, factors) in scales.iter_mut().zip(&factors) {
        let quotient = factors.len() > 1 && factors.iter().map(|(_, power)| power).sum::<i32>() == 0;
        if quotient && !per {
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
    Support { scales, floors, rows, reach: REACH * reach, growth: GROWTH }
}
