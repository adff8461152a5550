//! The three curves of one input, by Levenberg and Marquardt's method.

use crate::TrainError;
use kepler_core::model::format::{Curve, Shape};
use levenberg_marquardt::{LeastSquaresProblem, LevenbergMarquardt};
use nalgebra::storage::Owned;
use nalgebra::{Dyn, Matrix, OMatrix, OVector, U4, VecStorage, Vector4};

/// Residuals of a curve, with four parameters; curves of three have no use for the last.
struct Problem<'a> {
    shape: Shape,
    x: &'a [f64],
    y: &'a [f64],
    /// What each residual is multiplied by.
    weights: Option<&'a [f64]>,
    parameters: Vector4<f64>,
}

/// Value and derivatives by the parameters.
fn value(shape: Shape, p: &Vector4<f64>, x: f64) -> (f64, [f64; 4]) {
    let [a, b, c, d] = (*p).into();
    match shape {
        Shape::Logarithmic => {
            // Outside its domain the curve is steep and low, so that the search comes back.
            let inner = (b * x + 1.0).max(1e-9);
            (a * inner.ln() + c, [inner.ln(), a * x / inner, 1.0, 0.0])
        }
        Shape::Logistic => {
            let share = 1.0 / (1.0 + (-c * (x - b)).exp());
            let slope = a * share * (1.0 - share);
            (a * share + d, [share, -c * slope, (x - b) * slope, 1.0])
        }
        Shape::Exponential => {
            let grown = (b * x).clamp(-700.0, 700.0).exp();
            (a * grown + c, [grown, a * x * grown, 1.0, 0.0])
        }
    }
}

impl Problem<'_> {
    fn weights(&self) -> impl Iterator<Item = f64> {
        self.weights.unwrap_or_default().iter().copied().chain(std::iter::repeat(1.0))
    }
}

impl LeastSquaresProblem<f64, Dyn, U4> for Problem<'_> {
    type ParameterStorage = Owned<f64, U4>;
    type ResidualStorage = VecStorage<f64, Dyn, nalgebra::U1>;
    type JacobianStorage = VecStorage<f64, Dyn, U4>;

    fn set_params(&mut self, parameters: &OVector<f64, U4>) {
        self.parameters.copy_from(parameters);
    }

    fn params(&self) -> OVector<f64, U4> {
        self.parameters
    }

    fn residuals(&self) -> Option<Matrix<f64, Dyn, nalgebra::U1, Self::ResidualStorage>> {
        let residual = |((&x, y), weight): ((&f64, &f64), f64)| (value(self.shape, &self.parameters, x).0 - y) * weight;
        let residuals = self.x.iter().zip(self.y).zip(self.weights()).map(residual);
        let residuals = OVector::<f64, Dyn>::from_iterator(self.x.len(), residuals);
        residuals.iter().all(|residual| residual.is_finite()).then_some(residuals)
    }

    fn jacobian(&self) -> Option<Matrix<f64, Dyn, U4, Self::JacobianStorage>> {
        let slope = |(&x, weight): (&f64, f64)| value(self.shape, &self.parameters, x).1.map(|slope| slope * weight);
        let slopes = self.x.iter().zip(self.weights()).flat_map(slope);
        let jacobian = OMatrix::<f64, Dyn, U4>::from_row_iterator(self.x.len(), slopes);
        jacobian.iter().all(|slope| slope.is_finite()).then_some(jacobian)
    }
}

/// Fits a curve of one input, from several starts; the best end is taken.
pub(crate) fn fit(column: &[f64], input: usize, target: &[f64], shape: Shape) -> Result<Curve, TrainError> {
    fit_weighted(column, input, target, None, shape).map(|(curve, _)| curve)
}

/// The same, each residual multiplied by its weight; with half the sum of squares that is left.
pub(crate) fn fit_weighted(
    column: &[f64],
    input: usize,
    target: &[f64],
    weights: Option<&[f64]>,
    shape: Shape,
) -> Result<(Curve, f64), TrainError> {
    let scale = column.iter().fold(0.0_f64, |most, value| most.max(value.abs()));
    let scale = if scale > 0.0 { scale } else { 1.0 };
    let x: Vec<f64> = column.iter().map(|value| value / scale).collect();
    let (low, high) =
        target.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), &watts| (low.min(watts), high.max(watts)));
    let span = (high - low).max(1e-6);
    let starts = match shape {
        Shape::Logarithmic => vec![[span / 2.0, 10.0, low, 0.0], [span, 1.0, low, 0.0], [span / 5.0, 100.0, low, 0.0]],
        Shape::Logistic => vec![[2.0 * span, 0.0, 5.0, low - span], [span, 0.5, 10.0, low], [span, 0.2, 20.0, low]],
        Shape::Exponential => {
            vec![[span, 0.5, low - span, 0.0], [-span, -3.0, high, 0.0], [span / 10.0, 2.0, low, 0.0]]
        }
    };
    let ends = starts.into_iter().filter_map(|start| {
        let problem = Problem { shape, x: &x, y: target, weights, parameters: start.into() };
        let (end, report) = LevenbergMarquardt::new().with_patience(200).minimize(problem);
        let sound = report.objective_function.is_finite() && end.parameters.iter().all(|value| value.is_finite());
        sound.then_some((report.objective_function, end.parameters))
    });
    let (left, best) = ends.min_by(|(a, _), (b, _)| a.total_cmp(b)).ok_or_else(|| TrainError::NoFit {
        algorithm: "curve",
        why: "no start led anywhere; the rows do not look like this curve".to_owned(),
    })?;
    let count = if shape == Shape::Logistic { 4 } else { 3 };
    Ok((Curve { shape, input, scale, weights: best.iter().take(count).copied().collect() }, left))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_curve_finds_what_made_the_rows() {
        for (shape, truth) in [
            (Shape::Logarithmic, [40.0, 20.0, 30.0, 0.0]),
            (Shape::Logistic, [100.0, 0.4, 9.0, 25.0]),
            (Shape::Exponential, [-80.0, -3.0, 120.0, 0.0]),
        ] {
            let x: Vec<f64> = (0..=100).map(|n| f64::from(n) * 320.0).collect();
            let y: Vec<f64> = x.iter().map(|x| value(shape, &truth.into(), x / 32_000.0).0).collect();
            let curve = fit(&x, 0, &y, shape).unwrap();
            assert_eq!(curve.scale, 32_000.0);
            let mut parameters = [0.0; 4];
            parameters[..curve.weights.len()].copy_from_slice(&curve.weights);
            for (x, y) in x.iter().zip(&y) {
                let predicted = value(shape, &parameters.into(), x / 32_000.0).0;
                assert!((predicted - y).abs() < 0.05, "{shape:?}: {predicted} for {y}: {curve:?}");
            }
        }
    }

    #[test]
    fn a_constant_is_fitted_by_all() {
        for shape in [Shape::Logarithmic, Shape::Logistic, Shape::Exponential] {
            let curve = fit(&[0.0; 20], 0, &[50.0; 20], shape).unwrap();
            let mut parameters = [0.0; 4];
            parameters[..curve.weights.len()].copy_from_slice(&curve.weights);
            assert!((value(shape, &parameters.into(), 0.0).0 - 50.0).abs() < 1e-3, "{curve:?}");
        }
    }
}
