//! Linear models: least squares, plain, ridge and non-negative.
//!
//! Inputs are scaled to a standard deviation of 1 before anything is solved: counters of 10¹⁰ beside
//! milliseconds would leave no digits.

#![allow(clippy::indexing_slicing, reason = "matrices and vectors have the width they are made with here")]

use crate::TrainError;
use kepler_core::model::format::Linear;
use nalgebra::{DMatrix, DVector};

/// How coefficients are found.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum LinearMethod {
    /// Least squares; where inputs depend on each other, the smallest solution.
    Ordinary,
    /// Least squares with no coefficient below zero (Lawson and Hanson): no activity lowers power. The bias is free of it.
    NonNegative,
    /// Least squares plus this multiple of the squared coefficients of the scaled inputs, per row.
    Ridge(f64),
}

/// Mean and standard deviation of each input; a deviation of 0 (a constant) leaves the input out.
struct Scale(Vec<(f64, f64)>);

impl Scale {
    fn of(inputs: &[f64], width: usize) -> Self {
        let rows = (inputs.len() / width.max(1)).max(1) as f64;
        let column = |input| inputs.iter().skip(input).step_by(width.max(1));
        let of_column = |input| {
            let mean = column(input).sum::<f64>() / rows;
            let deviation = (column(input).map(|value| (value - mean).powi(2)).sum::<f64>() / rows).sqrt();
            // What differs by rounding only is a constant.
            if deviation > 1e-12 * mean.abs() && deviation.is_finite() { (mean, deviation) } else { (mean, 0.0) }
        };
        Scale((0..width).map(of_column).collect())
    }

    fn matrix(&self, inputs: &[f64]) -> DMatrix<f64> {
        let scaled = inputs.chunks_exact(self.0.len().max(1)).flat_map(|row| {
            let pairs = row.iter().zip(&self.0);
            pairs.map(|(value, (mean, deviation))| if *deviation > 0.0 { (value - mean) / deviation } else { 0.0 })
        });
        DMatrix::from_row_iterator(inputs.len() / self.0.len().max(1), self.0.len(), scaled)
    }

    /// Back to the inputs as they are.
    fn unscaled(&self, coefficients: &[f64], middle: f64) -> Linear {
        let pairs = || coefficients.iter().zip(&self.0);
        let unscaled = |(c, (_, deviation)): (&f64, &(f64, f64))| if *deviation > 0.0 { c / deviation } else { 0.0 };
        let coefficients: Vec<f64> = pairs().map(unscaled).collect();
        let bias = coefficients.iter().zip(&self.0).fold(middle, |bias, (c, (mean, _))| bias - c * mean);
        Linear { bias, coefficients }
    }
}

/// Fits. `inputs`: flat rows of `width` numbers.
pub(crate) fn fit(inputs: &[f64], width: usize, target: &[f64], method: LinearMethod) -> Result<Linear, TrainError> {
    let scale = Scale::of(inputs, width);
    let matrix = scale.matrix(inputs);
    let middle = target.iter().sum::<f64>() / target.len().max(1) as f64;
    let centred = DVector::from_iterator(target.len(), target.iter().map(|watts| watts - middle));
    let coefficients = match method {
        LinearMethod::Ordinary => {
            let svd = matrix.svd(true, true);
            let least = 1e-9 * svd.singular_values.iter().copied().fold(0.0, f64::max);
            svd.solve(&centred, least).map_err(|why| TrainError::NoFit { algorithm: "ols", why: why.to_owned() })?
        }
        LinearMethod::Ridge(strength) => {
            if !(strength >= 0.0 && strength.is_finite()) {
                let (what, value) = ("strength of the ridge", strength.to_string());
                return Err(TrainError::Setting { what, value, remedy: "give 0 or more" });
            }
            let mut normal = matrix.tr_mul(&matrix);
            for index in 0..width {
                normal[(index, index)] += strength * target.len() as f64 + 1e-9;
            }
            let solved = normal.cholesky().map(|cholesky| cholesky.solve(&matrix.tr_mul(&centred)));
            solved.ok_or_else(|| TrainError::NoFit {
                algorithm: "ridge",
                why: "the inputs depend on each other; give a larger strength".to_owned(),
            })?
        }
        LinearMethod::NonNegative => non_negative(&matrix, &centred, 1e-9),
    };
    Ok(scale.unscaled(coefficients.as_slice(), middle))
}

/// The bias and the heights, none below zero, of steps whose sum is closest to a target; `design` says which share of each step a row has.
pub(crate) fn rising_steps(design: &[f64], width: usize, target: &[f64], ridge: f64) -> (f64, Vec<f64>) {
    let count = target.len().max(1) as f64;
    let middle = target.iter().sum::<f64>() / count;
    let means: Vec<f64> =
        (0..width).map(|step| design.iter().skip(step).step_by(width.max(1)).sum::<f64>() / count).collect();
    let centred =
        design.chunks_exact(width.max(1)).flat_map(|row| row.iter().zip(&means).map(|(share, mean)| share - mean));
    let matrix = DMatrix::from_row_iterator(design.len() / width.max(1), width, centred);
    let watts = DVector::from_iterator(target.len(), target.iter().map(|watts| watts - middle));
    let heights = non_negative(&matrix, &watts, ridge * count);
    let bias = heights.iter().zip(&means).fold(middle, |bias, (height, mean)| bias - height * mean);
    (bias, heights.as_slice().to_vec())
}

/// Lawson and Hanson's active set, with a ridge. The inputs are centred, so the bias takes no part.
fn non_negative(matrix: &DMatrix<f64>, target: &DVector<f64>, ridge: f64) -> DVector<f64> {
    let width = matrix.ncols();
    let (mut normal, image) = (matrix.tr_mul(matrix), matrix.tr_mul(target));
    for input in 0..width {
        normal[(input, input)] += ridge;
    }
    let mut solution = DVector::zeros(width);
    let mut active: Vec<usize> = Vec::new();
    // Each round adds one input; the bound is for rounding errors that would make it add and remove without end.
    for _ in 0..3 * width.max(1) {
        let gradient = &image - &normal * &solution;
        let least = 1e-9 * image.amax();
        let passive = (0..width).filter(|input| !active.contains(input) && gradient[*input] > least);
        let Some(steepest) = passive.max_by(|a, b| gradient[*a].total_cmp(&gradient[*b])) else { break };
        active.push(steepest);
        loop {
            let part = DMatrix::from_fn(active.len(), active.len(), |row, column| {
                let (row, column) = (active.get(row), active.get(column));
                row.zip(column).map_or(0.0, |(&row, &column)| normal[(row, column)])
            });
            let right = DVector::from_iterator(active.len(), active.iter().map(|&input| image[input]));
            let Some(tried) = part.cholesky().map(|cholesky| cholesky.solve(&right)) else { return solution };
            if tried.iter().all(|&value| value > 0.0) {
                solution.fill(0.0);
                for (&input, &value) in active.iter().zip(tried.iter()) {
                    solution[input] = value;
                }
                break;
            }
            // As far towards it as none falls below zero; who gets there leaves.
            let steps = active.iter().zip(tried.iter()).filter(|(_, tried)| **tried <= 0.0);
            let step = steps
                .map(|(&input, &tried)| solution[input] / (solution[input] - tried).max(f64::MIN_POSITIVE))
                .fold(1.0, f64::min);
            for (&input, &tried) in active.iter().zip(tried.iter()) {
                solution[input] += step * (tried - solution[input]);
            }
            active.retain(|&input| solution[input] > 1e-12);
            for input in 0..width {
                if !active.contains(&input) {
                    solution[input] = 0.0;
                }
            }
            if active.is_empty() {
                break;
            }
        }
    }
    solution
}

/// Weights, none below zero, by which columns sum up closest to a target: least squares by coordinate descent.
pub(crate) fn positive_weights(columns: &[Vec<f64>], target: &[f64]) -> Vec<f64> {
    let product = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let normal: Vec<Vec<f64>> = columns.iter().map(|a| columns.iter().map(|b| product(a, b)).collect()).collect();
    let image: Vec<f64> = columns.iter().map(|column| product(column, target)).collect();
    let mut weights = vec![1.0 / columns.len().max(1) as f64; columns.len()];
    for _ in 0..2000 {
        for index in 0..weights.len() {
            let own = normal[index][index];
            let others = product(&normal[index], &weights) - own * weights[index];
            weights[index] = if own > 0.0 { ((image[index] - others) / own).max(0.0) } else { 0.0 };
        }
    }
    // All predicted nothing: any weights do.
    if weights.iter().all(|&weight| weight == 0.0) {
        weights.fill(1.0 / columns.len().max(1) as f64);
    }
    weights
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    #[test]
    fn weights_are_those_of_the_columns_that_make_the_target_and_none_is_negative() {
        let columns = [vec![1.0, 2.0, 3.0, 5.0], vec![4.0, 1.0, 2.0, 2.0], vec![0.0; 4]];
        let target: Vec<f64> = columns[0].iter().zip(&columns[1]).map(|(a, b)| 0.7 * a + 0.2 * b).collect();
        let weights = positive_weights(&columns, &target);
        assert!((weights[0] - 0.7).abs() < 1e-9 && (weights[1] - 0.2).abs() < 1e-9 && weights[2] == 0.0, "{weights:?}");
        let less: Vec<f64> = columns[0].iter().zip(&columns[1]).map(|(a, b)| a - 0.5 * b).collect();
        assert_eq!(positive_weights(&columns, &less)[1], 0.0);
        assert_eq!(positive_weights(&[vec![0.0; 4], vec![0.0; 4]], &target), [0.5, 0.5]);
    }

    /// 30 + 2·a − 1e-9·b, b of the size of counters; a third input is constant.
    fn rows() -> (Vec<f64>, Vec<f64>) {
        let mut random = Random::new(3);
        let mut rows = Vec::new();
        let mut target = Vec::new();
        for _ in 0..300 {
            let (a, b) = (random.below(1000) as f64 / 10.0, random.below(1000) as f64 * 5e7);
            rows.extend([a, b, 7.0]);
            target.push(30.0 + 2.0 * a - 1e-9 * b);
        }
        (rows, target)
    }

    #[test]
    fn least_squares_finds_what_made_the_rows() {
        let (rows, target) = rows();
        for (method, tolerance) in [(LinearMethod::Ordinary, 1e-9), (LinearMethod::Ridge(0.0), 1e-6)] {
            let linear = fit(&rows, 3, &target, method).unwrap();
            assert!((linear.coefficients[0] - 2.0).abs() < tolerance * 2.0, "{method:?} {linear:?}");
            assert!((linear.coefficients[1] + 1e-9).abs() < tolerance * 1e-9, "{method:?} {linear:?}");
            assert_eq!(linear.coefficients[2], 0.0);
            assert!((linear.bias - 30.0).abs() < 30.0 * tolerance.max(1e-6), "{method:?} {linear:?}");
        }
    }

    #[test]
    fn non_negative_coefficients_are_so_and_the_rest_does_its_best() {
        let (rows, target) = rows();
        let linear = fit(&rows, 3, &target, LinearMethod::NonNegative).unwrap();
        assert_eq!(linear.coefficients[1], 0.0);
        assert!((linear.coefficients[0] - 2.0).abs() < 0.3, "{linear:?}");
    }

    #[test]
    fn a_ridge_shrinks() {
        let (rows, target) = rows();
        let plain = fit(&rows, 3, &target, LinearMethod::Ridge(0.0)).unwrap();
        let shrunk = fit(&rows, 3, &target, LinearMethod::Ridge(1.0)).unwrap();
        assert!(shrunk.coefficients[0] < plain.coefficients[0] * 0.6);
        assert!(fit(&rows, 3, &target, LinearMethod::Ridge(-1.0)).is_err());
    }

    #[test]
    fn inputs_that_depend_on_each_other_share_what_they_do() {
        let rows: Vec<f64> = (0..20).flat_map(|n| [f64::from(n), f64::from(n)]).collect();
        let target: Vec<f64> = (0..20).map(|n| 5.0 + 4.0 * f64::from(n)).collect();
        let linear = fit(&rows, 2, &target, LinearMethod::Ordinary).unwrap();
        assert!((linear.coefficients[0] - 2.0).abs() < 1e-9 && (linear.coefficients[1] - 2.0).abs() < 1e-9);
    }
}
