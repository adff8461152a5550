//! Power models: load, predict on arrays, find one for a machine.

mod find;
mod train;

use crate::errors::{ConfigurationError, ModelError, message_and_remedy};
use kepler_core::model::{Model, PredictError, Semantics, component_name};
use kepler_core::units::{Power, ZoneKind};
use numpy::{PyReadonlyArray2, PyReadwriteArray2};
use pyo3::prelude::*;
use std::num::NonZeroUsize;
use std::path::PathBuf;

/// Rows of which the predictions are kept at once: as many as fit a processor's cache.
const BLOCK: usize = 16_384;

/// A model, ready to predict.
#[pyclass(frozen, module = "kepler_power._native")]
pub(crate) struct PowerModel {
    model: Model,
}

impl PowerModel {
    pub(crate) const fn new(model: Model) -> Self {
        PowerModel { model }
    }

    fn zones(&self, components: &[usize]) -> PyResult<Vec<ZoneKind>> {
        let zone = |&index: &usize| self.model.components().get(index).map(|component| component.zone());
        components
            .iter()
            .map(zone)
            .collect::<Option<_>>()
            .ok_or_else(|| ModelError::new_err(("the model has no such component".to_owned(), "see Model.components")))
    }

    /// Predictions of all rows, a number for each of `zones`. An error names the row, from 0.
    fn fill(
        &self,
        rows: &[f64],
        zones: &[ZoneKind],
        threads: NonZeroUsize,
        out: &mut [f64],
    ) -> Result<(), PredictError> {
        let width = self.model.features().len();
        let mut predictions = Vec::new();
        let blocks = rows.chunks(BLOCK * width).zip(out.chunks_mut(BLOCK * zones.len().max(1)));
        for (block, (rows, out)) in blocks.enumerate() {
            self.model.predict_batch(rows, threads, &mut predictions).map_err(|error| match error {
                PredictError::NotFinite { row, feature } => {
                    PredictError::NotFinite { row: row + block * BLOCK, feature }
                }
                other => other,
            })?;
            for (cells, prediction) in out.chunks_exact_mut(zones.len().max(1)).zip(&predictions) {
                for (cell, &zone) in cells.iter_mut().zip(zones) {
                    *cell = prediction.power(zone).map_or(f64::NAN, Power::watts);
                }
            }
        }
        Ok(())
    }

    fn prediction_error(&self, error: &PredictError) -> PyErr {
        match error {
            PredictError::NotFinite { row, feature } => {
                let name = self.model.features().get(*feature).map_or("", String::as_str);
                let message = format!("row {row}: `{name}` is missing or not finite");
                ModelError::new_err((message, "leave the row out, or use a model of trees, which take what is missing"))
            }
            PredictError::Category(variable) => {
                let message = format!("the value of `{variable}` is not chosen");
                ModelError::new_err((message, "see Model.with_category"))
            }
            other => ModelError::new_err(message_and_remedy(other)),
        }
    }
}

#[pymethods]
impl PowerModel {
    /// Reads a file, or the directory of an unpacked model.
    #[staticmethod]
    fn load(py: Python<'_>, path: PathBuf) -> PyResult<Self> {
        let model = py.detach(|| Model::load(path)).map_err(|error| ModelError::new_err(message_and_remedy(&error)))?;
        Ok(PowerModel { model })
    }

    /// Reads a document from memory; the name says the trainer of published curves.
    #[staticmethod]
    fn from_json(name: &str, text: &str) -> PyResult<Self> {
        let model =
            Model::from_json(name, text.as_bytes()).map_err(|error| ModelError::new_err(message_and_remedy(&error)))?;
        Ok(PowerModel { model })
    }

    #[getter]
    fn trainer(&self) -> &'static str {
        self.model.trainer().name()
    }

    #[getter]
    fn node_type(&self) -> Option<u32> {
        self.model.node_type()
    }

    #[getter]
    fn semantics(&self) -> &'static str {
        self.model.semantics().name()
    }

    #[getter]
    fn features(&self) -> Vec<&str> {
        self.model.features().iter().map(String::as_str).collect()
    }

    #[getter]
    fn components(&self) -> Vec<&'static str> {
        self.model.components().iter().map(|component| component_name(component.zone())).collect()
    }

    #[getter]
    fn open_categories(&self) -> Vec<&str> {
        self.model.open_categories().collect()
    }

    /// What it was trained with and how well it did, as JSON.
    #[getter]
    fn card(&self) -> PyResult<Option<String>> {
        let json = self.model.card().map(serde_json::to_string).transpose();
        json.map_err(|error| ModelError::new_err((error.to_string(), "")))
    }

    /// Least and greatest value of each feature in training.
    #[getter]
    fn ranges(&self) -> Vec<(&str, f64, f64)> {
        self.model.ranges().collect()
    }

    /// The most watts that are believed of a component.
    fn ceiling(&self, component: usize) -> PyResult<f64> {
        let zones = self.zones(&[component])?;
        Ok(zones.first().map_or(0.0, |&zone| self.model.ceiling(zone).watts()))
    }

    fn with_category(&self, variable: &str, value: &str) -> PyResult<Self> {
        let mut model = self.model.clone();
        model.choose_category(variable, value).map_err(|fault| ModelError::new_err(message_and_remedy(&fault)))?;
        Ok(PowerModel { model })
    }

    fn with_chips(&self, chips: u32) -> Self {
        PowerModel { model: self.model.clone().with_chips(chips) }
    }

    fn with_semantics(&self, semantics: &str) -> PyResult<Self> {
        let semantics: Semantics =
            semantics.parse().map_err(|error| ConfigurationError::new_err(message_and_remedy(&error)))?;
        Ok(PowerModel { model: self.model.clone().with_semantics(semantics) })
    }

    /// Predicts `rows` into `out`, one column for each of `components` (by index). Neither array is copied.
    fn predict_into(
        &self,
        py: Python<'_>,
        rows: PyReadonlyArray2<'_, f64>,
        mut out: PyReadwriteArray2<'_, f64>,
        components: Vec<usize>,
        threads: Option<usize>,
    ) -> PyResult<()> {
        let zones = self.zones(&components)?;
        let (given, wanted) = (rows.as_array().dim(), out.as_array().dim());
        if given.1 != self.model.features().len() || wanted != (given.0, zones.len()) {
            let message = format!("rows of shape {given:?} into {wanted:?}");
            return Err(ModelError::new_err((message, "give a column for each feature, and one for each component")));
        }
        let (Ok(rows), Ok(out)) = (rows.as_slice(), out.as_slice_mut()) else {
            return Err(ModelError::new_err((
                "the arrays are not contiguous".to_owned(),
                "use numpy.ascontiguousarray",
            )));
        };
        let threads = threads.and_then(NonZeroUsize::new).map_or_else(std::thread::available_parallelism, Ok);
        let threads = threads.unwrap_or(NonZeroUsize::MIN);
        py.detach(|| self.fill(rows, &zones, threads, out)).map_err(|error| self.prediction_error(&error))
    }

    /// The same for lists, where there is no numpy.
    fn predict_rows(&self, py: Python<'_>, rows: Vec<Vec<f64>>, components: Vec<usize>) -> PyResult<Vec<Vec<f64>>> {
        let zones = self.zones(&components)?;
        let width = self.model.features().len();
        if let Some((index, row)) = rows.iter().enumerate().find(|(_, row)| row.len() != width) {
            let message = format!("row {index} has {} numbers for {width} features", row.len());
            return Err(ModelError::new_err((message, "give one for each of Model.features, in their order")));
        }
        let flat: Vec<f64> = rows.concat();
        let mut out = vec![0.0; rows.len() * zones.len()];
        py.detach(|| self.fill(&flat, &zones, NonZeroUsize::MIN, &mut out))
            .map_err(|error| self.prediction_error(&error))?;
        Ok(out.chunks_exact(zones.len().max(1)).map(<[f64]>::to_vec).collect())
    }

    /// Lower and upper end of the interval of a component for each row, NaN where the model knows none; and its
    /// confidence.
    fn interval_into(
        &self,
        py: Python<'_>,
        rows: PyReadonlyArray2<'_, f64>,
        mut out: PyReadwriteArray2<'_, f64>,
        component: usize,
    ) -> PyResult<Option<f64>> {
        let zones = self.zones(&[component])?;
        let width = self.model.features().len();
        let (given, wanted) = (rows.as_array().dim(), out.as_array().dim());
        let (Ok(rows), Ok(out)) = (rows.as_slice(), out.as_slice_mut()) else {
            return Err(ModelError::new_err((
                "the arrays are not contiguous".to_owned(),
                "use numpy.ascontiguousarray",
            )));
        };
        if given.1 != width || wanted != (given.0, 2) {
            let message = format!("rows of shape {given:?} into {wanted:?}");
            return Err(ModelError::new_err((message, "give a column for each feature, and two for the interval")));
        }
        let mut work = || {
            let mut confidence = None;
            for (number, (row, ends)) in rows.chunks_exact(width).zip(out.chunks_exact_mut(2)).enumerate() {
                let prediction = self.model.predict(row).map_err(|error| match error {
                    PredictError::NotFinite { feature, .. } => PredictError::NotFinite { row: number, feature },
                    other => other,
                })?;
                let interval = zones.first().and_then(|&zone| self.model.interval(row, &prediction, zone));
                confidence = interval.map(|interval| interval.confidence).or(confidence);
                let found = interval.map_or([f64::NAN; 2], |found| [found.lower.watts(), found.upper.watts()]);
                ends.copy_from_slice(&found);
            }
            Ok(confidence)
        };
        py.detach(&mut work).map_err(|error: PredictError| self.prediction_error(&error))
    }
}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<PowerModel>()?;
    find::register(module)?;
    train::register(module)
}
