//! Sums of rising broken lines: more activity never lowers power, and beyond what was seen each line is level or, for CPU
//! time and cycles, goes on as steeply as over the upper half of its range.
//!
//! Each line is a sum of steps between knots; non-negative least squares says how high each step is, a small ridge shares
//! what two inputs that go together explain between them.

use crate::linear;
use kepler_core::model::format::{Additive, Line};

/// Knots by quantiles of the rows, and as many more at equal distances.
const KNOTS: usize = 12;
/// Of the squared steps, per row.
const RIDGE: f64 = 1e-3;
/// A line that goes on does so up to this many times the greatest value seen.
const ONWARD: f64 = 4.0;

/// Fits. `inputs`: flat rows of `width` numbers; `onward`: inputs whose lines go on beyond the greatest value seen.
pub(crate) fn fit(inputs: &[f64], width: usize, target: &[f64], onward: &[usize]) -> Additive {
    let knots: Vec<Vec<f64>> = (0..width).map(|input| knots(inputs, width, input)).collect();
    let steps: Vec<(usize, f64, f64)> = knots
        .iter()
        .enumerate()
        .flat_map(|(input, knots)| {
            knots.windows(2).filter_map(move |pair| match pair {
                [a, b] => Some((input, *a, *b)),
                _ => None,
            })
        })
        .collect();
    let of_row = |row: &[f64]| {
        let height = |&(input, a, b): &(usize, f64, f64)| {
            ((row.get(input).copied().unwrap_or_default() - a) / (b - a)).clamp(0.0, 1.0)
        };
        steps.iter().map(height).collect::<Vec<f64>>()
    };
    let design: Vec<f64> = inputs.chunks_exact(width.max(1)).flat_map(of_row).collect();
    let (bias, heights) = linear::rising_steps(&design, steps.len(), target, RIDGE);
    let mut lines: Vec<Line> = knots.iter().enumerate().map(|(input, _)| Line { input, knots: Vec::new() }).collect();
    for (&(input, a, b), height) in steps.iter().zip(heights) {
        let Some(line) = lines.get_mut(input) else { continue };
        if line.knots.is_empty() {
            line.knots.push([a, 0.0]);
        }
        let below = line.knots.last().map_or(0.0, |[_, watts]| *watts);
        line.knots.push([b, below + height]);
    }
    for line in lines.iter_mut().filter(|line| onward.contains(&line.input)) {
        go_on(&mut line.knots);
    }
    lines.retain(|line| line.knots.last().is_some_and(|[_, watts]| *watts > 0.0));
    Additive { bias, lines }
}

/// Where the line of an input may bend: rising, at most one a value.
fn knots(inputs: &[f64], width: usize, input: usize) -> Vec<f64> {
    let mut values: Vec<f64> = inputs.iter().skip(input).step_by(width.max(1)).copied().collect();
    values.sort_by(f64::total_cmp);
    let (Some(&first), Some(&last)) = (values.first(), values.last()) else { return Vec::new() };
    let quantile = |part: usize| values.get(part * (values.len() - 1) / KNOTS).copied();
    let even = |part: usize| Some(first + (last - first) * part as f64 / KNOTS as f64);
    let mut knots: Vec<f64> = (0..=KNOTS).filter_map(quantile).chain((1..KNOTS).filter_map(even)).collect();
    knots.sort_by(f64::total_cmp);
    let least = (last - first) * 1e-3;
    knots.dedup_by(|next, kept| *next - *kept <= least);
    knots
}

/// As steep as from the middle of the range to its end.
fn go_on(knots: &mut Vec<[f64; 2]>) {
    let (Some(&[first, _]), Some(&[last, top])) = (knots.first(), knots.last()) else { return };
    let middle = f64::midpoint(first, last);
    let Some(&[at, watts]) = knots.iter().rfind(|[at, _]| *at <= middle) else { return };
    let beyond = (ONWARD - 1.0) * last;
    if last > at && beyond > 0.0 {
        knots.push([last + beyond, top + (top - watts) / (last - at) * beyond]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_rise_bend_and_go_on_where_they_should() {
        let rows: Vec<f64> = (0..400).flat_map(|n| [f64::from(n % 100), f64::from(n % 7)]).collect();
        let watts = |row: &[f64]| 30.0 + 20.0 * (1.0 + row[0]).ln() - 3.0 * row[1];
        let target: Vec<f64> = rows.chunks_exact(2).map(watts).collect();
        let model = fit(&rows, 2, &target, &[0]);
        assert_eq!(model.lines.len(), 1, "power cannot fall with the second input: {model:?}");
        let knots = &model.lines[0].knots;
        assert!(knots.is_sorted_by(|a, b| a[0] < b[0] && a[1] <= b[1]), "{knots:?}");
        assert!(knots.last().is_some_and(|[at, _]| *at > 200.0), "{knots:?}");
        let half =
            |part: &[[f64; 2]]| part.last().map_or(0.0, |last| last[1]) - part.first().map_or(0.0, |first| first[1]);
        let middle = knots.iter().position(|[at, _]| *at >= 50.0).unwrap();
        assert!(
            half(&knots[..=middle]) > 2.0 * half(&knots[middle..knots.len() - 1]),
            "concave as its rows: {knots:?}"
        );
    }
}
