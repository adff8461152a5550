//! Training on arrays, by `kepler-train`.

use crate::errors::{ConfigurationError, ModelError, message_and_remedy};
use kepler_core::model::{Semantics, zone};
use kepler_train::{Algorithm, Dataset, Learner, Recipe, TrainError, interval};
use numpy::{PyReadonlyArray1, PyReadonlyArray2};
use pyo3::prelude::*;
use serde::Deserialize;

/// The settings of an estimator, as JSON; the names are those of its parameters. What is left out is the algorithm's own.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RecipeArgument {
    algorithm: String,
    rising: Vec<String>,
    per: Option<String>,
    n_estimators: Option<usize>,
    max_depth: Option<u32>,
    learning_rate: Option<f64>,
    min_samples_leaf: Option<usize>,
    random_state: u64,
}

impl RecipeArgument {
    fn recipe(self) -> PyResult<Recipe> {
        let named = self.algorithm.parse::<Algorithm>();
        let algorithm = named.map_err(|error| ConfigurationError::new_err(message_and_remedy(&error)))?;
        let mut recipe = algorithm.recipe();
        (recipe.rising, recipe.per, recipe.seed) = (self.rising, self.per, self.random_state);
        for learner in &mut recipe.learners {
            if let Learner::Trees(settings, _) = learner {
                settings.trees = self.n_estimators.unwrap_or(settings.trees);
                settings.depth = self.max_depth.unwrap_or(settings.depth);
                settings.rate = self.learning_rate.unwrap_or(settings.rate);
                settings.leaf = self.min_samples_leaf.unwrap_or(settings.leaf);
            }
        }
        Ok(recipe)
    }
}

/// Learns a component's power from rows; the model as text of our own format. Releases the GIL.
#[pyfunction]
#[allow(clippy::too_many_arguments, reason = "one for each thing that Python names")]
fn train_model(
    py: Python<'_>,
    features: Vec<String>,
    rows: PyReadonlyArray2<'_, f64>,
    watts: PyReadonlyArray1<'_, f64>,
    component: &str,
    semantics: &str,
    recipe: &str,
    confidence: Option<f64>,
) -> PyResult<String> {
    let argument: RecipeArgument = serde_json::from_str(recipe)
        .map_err(|error| ConfigurationError::new_err((format!("a parameter does not fit: {error}"), "")))?;
    let recipe = argument.recipe()?;
    let semantics: Semantics =
        semantics.parse().map_err(|error| ConfigurationError::new_err(message_and_remedy(&error)))?;
    let zone = zone(component).ok_or_else(|| {
        let message = format!("there is no component `{component}`");
        ConfigurationError::new_err((message, "give package, core, uncore, dram or platform"))
    })?;
    let (rows, watts) = (rows.as_array().iter().copied().collect(), watts.as_array().to_vec());
    let learned = py.detach(|| -> Result<_, TrainError> {
        let data = Dataset::new(features, rows, vec![(zone, watts)], semantics)?;
        match confidence {
            Some(confidence) => Ok(interval::fit(&recipe, &data, confidence)?.0),
            None => recipe.fit(&data),
        }
    });
    let document = learned.map_err(|error| match error {
        TrainError::Setting { .. } => ConfigurationError::new_err(message_and_remedy(&error)),
        other => ModelError::new_err(message_and_remedy(&other)),
    })?;
    serde_json::to_string(&document).map_err(|error| ModelError::new_err((error.to_string(), "")))
}

pub(super) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(train_model, module)?)
}
