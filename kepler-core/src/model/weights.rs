//! Linear models and curve fits, from the published weight format.

use super::error::ModelFault;
use super::file::WeightsFile;
use super::trainer::Trainer;
use crate::units::ZoneKind;

/// `bias + Σ weight · x / scale`.
#[derive(Clone, Debug)]
pub(super) struct Linear {
    pub(super) bias: f64,
    /// `weight / scale`, in the order of the model's features.
    coefficients: Vec<f64>,
}

impl Linear {
    pub(super) fn new(zone: ZoneKind, weights: &WeightsFile, features: &[String]) -> Result<Self, ModelFault> {
        let bias = weights.bias.ok_or_else(|| ModelFault::Missing { zone, what: "Bias_Weight".to_owned() })?;
        let coefficients = features.iter().map(|feature| {
            let Some(variable) = weights.numerical.get(feature) else { return Ok(0.0) };
            let scale = usable_scale(zone, feature, variable.scale)?;
            let weight = variable
                .weight
                .ok_or_else(|| ModelFault::Missing { zone, what: format!("Numerical_Variables.{feature}.weight") })?;
            finite(zone, || format!("weight / scale of {feature}"), weight / scale)
        });
        Ok(Linear {
            bias: finite(zone, || "Bias_Weight".to_owned(), bias)?,
            coefficients: coefficients.collect::<Result<_, _>>()?,
        })
    }

    pub(super) fn raw(&self, features: &[f64]) -> f64 {
        self.coefficients.iter().zip(features).fold(self.bias, |sum, (coefficient, x)| sum + coefficient * x)
    }
}

/// A function of one feature.
#[derive(Clone, Debug)]
pub(super) struct Curve {
    shape: Shape,
    /// Index of the main feature among the model's.
    feature: usize,
    scale: f64,
}

#[derive(Clone, Copy, Debug)]
enum Shape {
    Logarithmic([f64; 3]),
    Logistic([f64; 4]),
    Exponential([f64; 3]),
}

impl Curve {
    pub(super) fn new(
        zone: ZoneKind,
        trainer: Trainer,
        weights: &WeightsFile,
        parameters: &[f64],
        features: &[String],
    ) -> Result<Self, ModelFault> {
        for (index, &parameter) in parameters.iter().enumerate() {
            finite(zone, || format!("CurveFit_Weights[{index}]"), parameter)?;
        }
        let wrong = |expected| ModelFault::CurveWeights { zone, expected, found: parameters.len() };
        let shape = match trainer {
            Trainer::Logarithmic => Shape::Logarithmic(parameters.try_into().map_err(|_| wrong(3))?),
            Trainer::Logistic => Shape::Logistic(parameters.try_into().map_err(|_| wrong(4))?),
            Trainer::Exponential => Shape::Exponential(parameters.try_into().map_err(|_| wrong(3))?),
            Trainer::Xgboost | Trainer::Sgd | Trainer::Linear | Trainer::Own => {
                return Err(ModelFault::TrainerMismatch { trainer: trainer.name(), zone, found: "curve weights" });
            }
        };
        // Golden predictions show which feature a curve is of; groups with both kinds (Basic) use the counters, as
        // their fitted parameters agree with those of CounterOnly.
        let candidates = match zone {
            ZoneKind::Dram => ["cache_miss", "bpf_page_cache_hit"],
            _ => ["cpu_instructions", "bpf_cpu_time_ms"],
        };
        let main = candidates.into_iter().find_map(|name| {
            let feature = features.iter().position(|feature| feature == name)?;
            Some((name, feature, weights.numerical.get(name)?.scale))
        });
        let (name, feature, scale) = main
            .ok_or_else(|| ModelFault::Missing { zone, what: format!("main feature ({})", candidates.join(" or ")) })?;
        Ok(Curve { shape, feature, scale: usable_scale(zone, name, scale)? })
    }

    /// In 64 bits throughout: real files have `1.8e6 · e^(1.7e-4 · x) − 1.8e6`, of which 32 bits leave nothing.
    pub(super) fn raw(&self, features: &[f64]) -> f64 {
        let x = features.get(self.feature).copied().unwrap_or(f64::NAN) / self.scale;
        match self.shape {
            Shape::Logarithmic([a, b, c]) => a * (b * x + 1.0).ln() + c,
            Shape::Logistic([height, middle, slope, offset]) => height / (1.0 + (-slope * (x - middle)).exp()) + offset,
            Shape::Exponential([a, b, c]) => a * (b * x).exp() + c,
        }
    }
}

/// What features are divided by: a largest absolute value, so positive.
pub(super) fn usable_scale(zone: ZoneKind, feature: &str, scale: f64) -> Result<f64, ModelFault> {
    if scale.is_finite() && scale > 0.0 {
        Ok(scale)
    } else {
        Err(ModelFault::Number { zone, what: format!("scale of {feature}"), value: scale })
    }
}

fn finite(zone: ZoneKind, what: impl FnOnce() -> String, value: f64) -> Result<f64, ModelFault> {
    if value.is_finite() { Ok(value) } else { Err(ModelFault::Number { zone, what: what(), value }) }
}
