//! The published weight format, for exporters and model servers that know no other.

use crate::TrainError;
use crate::recipe::linear_sum;
use kepler_core::model::format::{Component, Document, Function, Shape};
use serde_json::{Map, Value, json};

/// A document in the published weight format, and the name its file must have (without `.json`): only it says which curve
/// weights belong to.
///
/// # Errors
/// The model is not one linear function or one curve of its features: trees, neighbours, products and what is per a
/// feature have no place in that format.
pub fn published_weights(document: &Document, node_type: u32) -> Result<(String, Value), TrainError> {
    let plain = document.inputs.iter().enumerate().all(|(index, factors)| factors.as_slice() == [(index, 1)]);
    if !plain {
        return Err(TrainError::Export("its inputs are products; train it with plain inputs".to_owned()));
    }
    let mut trainer = None;
    let mut components = Map::new();
    for (name, component) in &document.components {
        let (by, weights) = weights(document, name, component)?;
        if trainer.is_some_and(|trainer| trainer != by) {
            return Err(TrainError::Export("its components are of different kinds".to_owned()));
        }
        trainer = Some(by);
        components.insert(name.clone(), json!({ "All_Weights": weights }));
    }
    let name = format!("{}_{node_type}", trainer.unwrap_or("LinearRegressionTrainer"));
    components.insert("model_name".to_owned(), json!(name));
    Ok((name, Value::Object(components)))
}

fn weights(document: &Document, name: &str, component: &Component) -> Result<(&'static str, Value), TrainError> {
    if component.per.is_some() {
        return Err(TrainError::Export("its power is per a feature".to_owned()));
    }
    let scale = |index: usize| {
        let range = document.features.get(index).map_or(1.0, |feature| feature.lower.abs().max(feature.upper.abs()));
        if range > 0.0 { range } else { 1.0 }
    };
    if let Some(linear) = linear_sum(&component.terms) {
        let variables = document.features.iter().zip(&linear.coefficients).enumerate();
        let variables: Map<String, Value> = variables
            .map(|(index, (feature, coefficient))| {
                (feature.name.clone(), json!({ "scale": scale(index), "weight": coefficient * scale(index) }))
            })
            .collect();
        let all = json!({ "Bias_Weight": linear.bias, "Categorical_Variables": {}, "Numerical_Variables": variables });
        return Ok(("SGDRegressorTrainer", all));
    }
    let [term] = component.terms.as_slice() else {
        return Err(TrainError::Export("it has several terms".to_owned()));
    };
    let Function::Curve(curve) = &term.function else {
        return Err(TrainError::Export("only linear models and curves can".to_owned()));
    };
    let feature = document.features.get(curve.input).map_or("", |feature| feature.name.as_str());
    // What readers of that format take for the curve's feature, whatever the file says.
    let candidates = match name {
        "dram" => ["cache_miss", "bpf_page_cache_hit"],
        _ => ["cpu_instructions", "bpf_cpu_time_ms"],
    };
    let expected = candidates.into_iter().find(|name| document.features.iter().any(|feature| feature.name == *name));
    if expected != Some(feature) {
        return Err(TrainError::Export(format!("its curve is of `{feature}`, which readers would not guess")));
    }
    let variables: Map<String, Value> = document
        .features
        .iter()
        .enumerate()
        .map(|(index, feature)| {
            let scale = if index == curve.input { curve.scale } else { scale(index) };
            (feature.name.clone(), json!({ "scale": scale }))
        })
        .collect();
    let trainer = match curve.shape {
        Shape::Logarithmic => "LogarithmicRegressionTrainer",
        Shape::Logistic => "LogisticRegressionTrainer",
        Shape::Exponential => "ExponentialRegressionTrainer",
    };
    let all = json!({
        "Categorical_Variables": {}, "Numerical_Variables": variables, "CurveFit_Weights": curve.weights,
    });
    Ok((trainer, all))
}
