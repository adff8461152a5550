//! Model files as they are on disk: bounded reading, and the shape of their JSON.
//!
//! Every document has a fixed shape; what is not asked for is skipped, never stored. Memory is therefore
//! bounded by a small multiple of [`MAX_FILE_BYTES`], and nesting by the JSON reader's limit of 128.

use super::MAX_FILE_BYTES;
use super::error::{ModelError, ModelFault};
use crate::host::file::{self, FileFault, FileLimits};
use crate::units::ZoneKind;
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use std::collections::BTreeMap;
use std::path::Path;

/// Reads at most [`MAX_FILE_BYTES`] of a regular file.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, ModelError> {
    file::read(path, FileLimits::bytes(MAX_FILE_BYTES)).map_err(|error| {
        let fault = match error.reason() {
            FileFault::NotAFile(_) => ModelFault::NotAFile,
            FileFault::TooLarge(limit) => ModelFault::Limit { what: "bytes", found: limit + 1, limit: *limit },
            _ => error.into_io().into(),
        };
        ModelError::new(path, fault)
    })
}

/// Refuses more than [`MAX_FILE_BYTES`].
pub(super) fn check_size(bytes: &[u8]) -> Result<(), ModelFault> {
    let found = bytes.len() as u64;
    if found > MAX_FILE_BYTES {
        return Err(ModelFault::Limit { what: "bytes", found, limit: MAX_FILE_BYTES });
    }
    Ok(())
}

/// Reads and parses a file.
pub(super) fn document<T: DeserializeOwned>(path: &Path) -> Result<T, ModelError> {
    parse(path, &read(path)?)
}

/// Parses a file that has been read.
pub(super) fn parse<T: DeserializeOwned>(path: &Path, bytes: &[u8]) -> Result<T, ModelError> {
    serde_json::from_slice(bytes).map_err(|error| ModelError::new(path, error.into()))
}

/// A weight file or a component map: which one, its components say.
#[derive(Deserialize)]
pub(super) struct ModelFile {
    /// Present in our own format.
    pub(super) format: Option<IgnoredAny>,
    pub(super) model_name: Option<String>,
    package: Option<ComponentFile>,
    core: Option<ComponentFile>,
    uncore: Option<ComponentFile>,
    dram: Option<ComponentFile>,
    platform: Option<ComponentFile>,
    /// Present in what XGBoost wrote itself.
    pub(super) learner: Option<IgnoredAny>,
}

impl ModelFile {
    /// The components that are there.
    pub(super) fn components(&self) -> impl Iterator<Item = (ZoneKind, &ComponentFile)> {
        let all = [
            (ZoneKind::Package, &self.package),
            (ZoneKind::Core, &self.core),
            (ZoneKind::Uncore, &self.uncore),
            (ZoneKind::Dram, &self.dram),
            (ZoneKind::Psys, &self.platform),
        ];
        all.into_iter().filter_map(|(zone, component)| Some((zone, component.as_ref()?)))
    }
}

/// One component of a [`ModelFile`].
#[derive(Deserialize)]
pub(super) struct ComponentFile {
    #[serde(rename = "All_Weights")]
    pub(super) weights: Option<WeightsFile>,
    pub(super) model_file: Option<String>,
    pub(super) features: Option<Vec<String>>,
}

/// The weights of one component.
#[derive(Deserialize)]
pub(super) struct WeightsFile {
    #[serde(rename = "Bias_Weight")]
    pub(super) bias: Option<f64>,
    /// Variable, then value, then weight.
    #[serde(rename = "Categorical_Variables", default)]
    pub(super) categorical: BTreeMap<String, BTreeMap<String, CategoryFile>>,
    #[serde(rename = "Numerical_Variables", default)]
    pub(super) numerical: BTreeMap<String, VariableFile>,
    #[serde(rename = "CurveFit_Weights")]
    pub(super) curve: Option<Vec<f64>>,
}

/// The weight of one value of a categorical variable.
#[derive(Deserialize)]
pub(super) struct CategoryFile {
    pub(super) weight: f64,
}

/// A numerical variable. `mean` and `variance`, where present, are placeholders and not read.
#[derive(Deserialize)]
pub(super) struct VariableFile {
    pub(super) scale: f64,
    pub(super) weight: Option<f64>,
}

/// `scaler.decoded.json`: what each feature is divided by.
#[derive(Deserialize)]
pub(super) struct ScalerFile {
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) features: Vec<String>,
    pub(super) scale: Vec<f64>,
}
