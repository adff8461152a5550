//! From files to a [`Model`].

#[cfg(feature = "archives")]
use super::archive::Archive;
use super::error::{ModelError, ModelFault};
use super::file::{self, ComponentFile, ModelFile, ScalerFile, WeightsFile};
use super::format::Document;
use super::own;
use super::siblings::Siblings;
use super::trees::Trees;
use super::weights::{Curve, Linear, usable_scale};
use super::{Form, MAX_FEATURES, MOST_CHIPS, Model, ModelComponent, Semantics, Trainer, ceiling};
use crate::units::ZoneKind;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// How many directories above a model its pipeline may be: `<pipeline>/<source>/<output>/<group>/<model>/<file>`.
const PIPELINE_DEPTH: usize = 5;
/// What a zip archive begins with, which no JSON does.
const ARCHIVE_MAGIC: &[u8] = b"PK\x03\x04";

/// For each value of a categorical variable, what it adds to which component.
type CategoryWeights = BTreeMap<String, Vec<(ZoneKind, f64)>>;

/// A categorical variable.
#[derive(Clone, Debug)]
pub(super) struct Category {
    pub(super) variable: String,
    pub(super) weights: CategoryWeights,
}

impl Model {
    /// Reads a weight file, a component map, the directory of one, or (feature `archives`) a zip of either.
    ///
    /// A directory `XgboostFitTrainer_2` holds the map `XgboostFitTrainer_2.json`, the trees it names, and
    /// `scaler.decoded.json`; without the latter the scales are taken from a weight file of the same node type beside the
    /// directory. Semantics are those of the published pipeline that the path leads through, if any; a file in
    /// [our own format](super::format) says them itself.
    ///
    /// # Errors
    /// The file cannot be read, is too large, is no model, or has something no prediction could be trusted with.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, ModelError> {
        let path = path.as_ref();
        let map = if path.is_dir() { map_of(path) } else { path.to_owned() };
        let bytes = file::read(&map)?;
        let model = if bytes.starts_with(ARCHIVE_MAGIC) {
            zipped(&map, &bytes)?
        } else {
            let name = map.file_stem().unwrap_or_default().to_string_lossy();
            let siblings = map.parent().map_or(Siblings::None, Siblings::Directory);
            build(&name, &bytes, siblings).map_err(|error| error.at(&map))?
        };
        if model.trainer == Trainer::Own {
            return Ok(model);
        }
        let directories = map.ancestors().skip(1).take(PIPELINE_DEPTH).filter_map(Path::file_name);
        let semantics = directories
            .map(|name| Semantics::of_pipeline(&name.to_string_lossy()))
            .find(|semantics| *semantics != Semantics::Undeclared);
        Ok(model.with_semantics(semantics.unwrap_or_default()))
    }

    /// Reads a weight file from memory. `name` is its file name without `.json`, which says the trainer of curves
    /// (`LogarithmicRegressionTrainer_0`); where it does not, `model_name` in the file is asked.
    ///
    /// # Errors
    /// As for [`Model::load`]. A component map needs its directory and is refused.
    pub fn from_json(name: &str, json: &[u8]) -> Result<Self, ModelError> {
        build(name, json, Siblings::None).map_err(|error| error.at(Path::new(name)))
    }

    /// Makes a model of a document in [our own format](super::format).
    ///
    /// # Errors
    /// Something in it is not usable, or too much.
    pub fn from_document(document: &Document) -> Result<Self, ModelFault> {
        own::build(document)
    }

    /// Reads a zip archive from memory: that of a model's directory, or of one weight file. `name` is its file name,
    /// by which the file that describes the model is looked for in it.
    ///
    /// # Errors
    /// As for [`Model::load`].
    #[cfg(feature = "archives")]
    pub fn from_zip(name: &str, bytes: &[u8]) -> Result<Self, ModelError> {
        file::check_size(bytes).map_err(|fault| ModelError::new(name, fault))?;
        zipped(Path::new(name), bytes)
    }
}

#[cfg(feature = "archives")]
fn zipped(path: &Path, bytes: &[u8]) -> Result<Model, ModelError> {
    let archive = Archive::read(path, bytes)?;
    let name = archive.main()?;
    let main = path.join(&name);
    let bytes = archive.file(&format!("{name}.json")).unwrap_or_default();
    build(&name, bytes, Siblings::Archive(&archive)).map_err(|error| error.at(&main))
}

#[cfg(not(feature = "archives"))]
fn zipped(path: &Path, _bytes: &[u8]) -> Result<Model, ModelError> {
    Err(ModelError::new(path, ModelFault::ArchivesLeftOut))
}

/// An error of the file itself, or of one that it names.
enum BuildError {
    Here(ModelFault),
    Elsewhere(ModelError),
}

impl BuildError {
    fn at(self, path: &Path) -> ModelError {
        match self {
            BuildError::Here(fault) => ModelError::new(path, fault),
            BuildError::Elsewhere(error) => error,
        }
    }
}

impl From<ModelFault> for BuildError {
    fn from(fault: ModelFault) -> Self {
        BuildError::Here(fault)
    }
}

impl From<ModelError> for BuildError {
    fn from(error: ModelError) -> Self {
        BuildError::Elsewhere(error)
    }
}

/// The component map in a model's directory, named as the directory.
fn map_of(directory: &Path) -> PathBuf {
    let mut name =
        directory.canonicalize().unwrap_or_else(|_| directory.to_owned()).file_name().unwrap_or_default().to_owned();
    name.push(".json");
    directory.join(name)
}

fn build(name: &str, bytes: &[u8], siblings: Siblings<'_>) -> Result<Model, BuildError> {
    file::check_size(bytes)?;
    let file: ModelFile = serde_json::from_slice(bytes).map_err(ModelFault::from)?;
    if file.format.is_some() {
        let document: Document = serde_json::from_slice(bytes).map_err(ModelFault::from)?;
        return Ok(own::build(&document)?);
    }
    let inner_name = file.model_name.as_deref().unwrap_or_default();
    let known = Trainer::split(name).or_else(|| Trainer::split(inner_name));
    let node_type = known.map(|(_, node_type)| node_type);
    let named = || if inner_name.is_empty() { name } else { inner_name };

    if file.components().next().is_none() {
        return Err(if file.learner.is_some() { ModelFault::BareTrees } else { ModelFault::NoComponents }.into());
    }
    let features = features(&file)?;
    let mut components = Vec::new();
    let mut trainer = known.map(|(trainer, _)| trainer);
    let mut scales = None;
    for (zone, component) in file.components() {
        let (form, found) = match component {
            ComponentFile { weights: Some(weights), .. } => weighted(zone, weights, &features, trainer, named())?,
            ComponentFile { model_file: Some(trees), features: Some(names), .. } => {
                if let Siblings::None = siblings {
                    return Err(missing(zone, "the map's directory").into());
                }
                let scales = match &mut scales {
                    Some(scales) => scales,
                    none => none.insert(read_scales(zone, siblings, node_type)?),
                };
                (Form::Trees(tree_form(zone, siblings, trees, names, &features, scales)?), Trainer::Xgboost)
            }
            _ => return Err(missing(zone, "All_Weights, or model_file with features").into()),
        };
        check_trainer(zone, trainer, found)?;
        trainer = trainer.or(Some(found));
        components.push(ModelComponent { zone, form, interval: None });
    }
    Ok(Model {
        trainer: trainer.ok_or(ModelFault::NoComponents)?,
        node_type,
        semantics: Semantics::Undeclared,
        missing_allowed: components.iter().all(|component| matches!(component.form, Form::Trees(_))),
        open_categories: categories(&file)?,
        features,
        components,
        ceiling: ceiling(MOST_CHIPS),
        ranges: Vec::new(),
        inputs: None,
        support: None,
        card: None,
    })
}

fn missing(zone: ZoneKind, what: &str) -> ModelFault {
    ModelFault::Missing { zone, what: what.to_owned() }
}

/// The features of all components, each once.
fn features(file: &ModelFile) -> Result<Vec<String>, ModelFault> {
    let mut features: Vec<String> = Vec::new();
    for (zone, component) in file.components() {
        let trees = component.features.iter().flatten();
        let weights = component.weights.iter().flat_map(|weights| weights.numerical.keys());
        for feature in trees.chain(weights) {
            if !features.contains(feature) {
                features.push(feature.clone());
            }
            if features.len() > MAX_FEATURES {
                let found = features.len() as u64;
                return Err(ModelFault::Limit { what: "features", found, limit: MAX_FEATURES as u64 });
            }
        }
        if features.is_empty() {
            return Err(missing(zone, "features"));
        }
    }
    Ok(features)
}

/// The name must not promise something else: a logistic curve has other parameters than an exponential one.
fn check_trainer(zone: ZoneKind, named: Option<Trainer>, found: Trainer) -> Result<(), ModelFault> {
    let linear = |trainer| matches!(trainer, Trainer::Sgd | Trainer::Linear);
    match named {
        Some(named) if named != found && !(linear(named) && linear(found)) => {
            let found = match found {
                Trainer::Xgboost => "trees",
                Trainer::Sgd | Trainer::Linear => "linear weights",
                Trainer::Logarithmic | Trainer::Logistic | Trainer::Exponential => "curve weights",
                Trainer::Own => "another format",
            };
            Err(ModelFault::TrainerMismatch { trainer: named.name(), zone, found })
        }
        _ => Ok(()),
    }
}

fn weighted(
    zone: ZoneKind,
    weights: &WeightsFile,
    features: &[String],
    trainer: Option<Trainer>,
    name: &str,
) -> Result<(Form, Trainer), ModelFault> {
    let Some(parameters) = &weights.curve else {
        return Ok((Form::Linear(Linear::new(zone, weights, features)?), Trainer::Linear));
    };
    let trainer = trainer.ok_or_else(|| ModelFault::UnknownTrainer(name.chars().take(80).collect()))?;
    if !weights.categorical.is_empty() {
        return Err(ModelFault::Unsupported { zone, what: "a curve with categorical variables".to_owned() });
    }
    Ok((Form::Curve(Curve::new(zone, trainer, weights, parameters, features)?), trainer))
}

fn tree_form(
    zone: ZoneKind,
    siblings: Siblings<'_>,
    trees: &str,
    names: &[String],
    features: &[String],
    scales: &BTreeMap<String, f64>,
) -> Result<Trees, BuildError> {
    // Whatever the map says, nothing outside its directory is opened.
    if Path::new(trees).file_name().is_none_or(|name| name != trees) {
        return Err(ModelFault::FileName { zone, file: trees.chars().take(80).collect() }.into());
    }
    // A name may come twice, so the count of distinct features does not bound this one.
    if names.len() > MAX_FEATURES {
        let found = names.len() as u64;
        return Err(ModelFault::Limit { what: "features of trees", found, limit: MAX_FEATURES as u64 }.into());
    }
    let inputs = names.iter().map(|name| {
        let scale = scales.get(name).ok_or_else(|| missing(zone, &format!("scale of {name}")))?;
        let input = features.iter().position(|feature| feature == name).ok_or_else(|| missing(zone, name))?;
        Ok((input, usable_scale(zone, name, *scale)?))
    });
    let inputs = inputs.collect::<Result<Vec<_>, ModelFault>>()?;
    Ok(Trees::read(siblings, trees, zone, names, inputs)?)
}

/// What features of trees are divided by: from the decoded scaler, else from a weight file of the same node type,
/// which was made with the same scaler.
fn read_scales(
    zone: ZoneKind,
    siblings: Siblings<'_>,
    node_type: Option<u32>,
) -> Result<BTreeMap<String, f64>, BuildError> {
    const SCALER: &str = "scaler.decoded.json";
    if let Some(scaler) = siblings.document::<ScalerFile>(SCALER)? {
        if scaler.kind != "MaxAbsScaler" || scaler.features.len() != scaler.scale.len() {
            let what = format!("scaler `{}` of {} features", scaler.kind, scaler.features.len());
            return Err(ModelError::new(siblings.path(SCALER), ModelFault::Unsupported { zone, what }).into());
        }
        return Ok(scaler.features.into_iter().zip(scaler.scale).collect());
    }
    let beside = siblings.group().zip(node_type);
    let sibling = beside.and_then(|(group, node_type)| {
        let names = Trainer::ALL.into_iter().map(|trainer| format!("{}_{node_type}.json", trainer.name()));
        names.map(|name| group.join(name)).find(|path| path.is_file())
    });
    let sibling = sibling.ok_or_else(|| missing(zone, "scaler.decoded.json, or a weight file beside the directory"))?;
    let file: ModelFile = file::document(&sibling)?;
    let weights = file.components().filter_map(|(_, component)| component.weights.as_ref());
    let variables = weights.flat_map(|weights| &weights.numerical);
    Ok(variables.map(|(name, variable)| (name.clone(), variable.scale)).collect())
}

/// Categorical variables of all components, by variable.
fn categories(file: &ModelFile) -> Result<Vec<Category>, ModelFault> {
    let mut categories: BTreeMap<&str, CategoryWeights> = BTreeMap::new();
    for (zone, component) in file.components() {
        for (variable, values) in component.weights.iter().flat_map(|weights| &weights.categorical) {
            for (value, category) in values {
                if !category.weight.is_finite() {
                    let what = format!("weight of {variable} = {value}");
                    return Err(ModelFault::Number { zone, what, value: category.weight });
                }
                let of_variable = categories.entry(variable).or_default();
                of_variable.entry(value.clone()).or_default().push((zone, category.weight));
            }
        }
    }
    let named = categories.into_iter().map(|(variable, weights)| Category { variable: variable.to_owned(), weights });
    Ok(named.collect())
}
