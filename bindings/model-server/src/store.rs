//! The models there are: found once, read when first wanted.

#[cfg(feature = "train")]
mod install;

use crate::choice::{Choice, NoChoice, Wanted};
#[cfg(feature = "train")]
pub(crate) use install::{InstallError, TRAINED_BY};
use kepler_core::model::{Catalogue, Entry, Model, ModelError};
use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};

/// Choices that are remembered. An exporter asks the same few things for ever.
const MOST_CHOICES: usize = 64;
/// The largest table of published errors that is read.
const MAX_TABLE_BYTES: u64 = 16 << 20;

/// A directory of models, ready to answer from. Shared between threads.
#[derive(Debug)]
pub struct Store {
    directory: PathBuf,
    /// Whether there may be none yet.
    may_be_empty: bool,
    listed: RwLock<Arc<Vec<Listed>>>,
    choices: Mutex<VecDeque<(Wanted, Arc<Choice>)>>,
}

/// A model that is there.
#[derive(Debug)]
pub(crate) struct Listed {
    pub(crate) entry: Entry,
    /// What its publisher says of it: `mae`, `mape`, …
    pub(crate) figures: BTreeMap<String, f64>,
    model: OnceLock<Result<Arc<Model>, String>>,
}

impl Listed {
    /// The model, read at the first call.
    pub(crate) fn model(&self) -> Result<&Arc<Model>, &str> {
        let read = || self.entry.load().map(Arc::new).map_err(|error| error.to_string());
        self.model.get_or_init(read).as_ref().map_err(String::as_str)
    }

    /// Its file name without `.json` or `.zip`.
    pub(crate) fn name(&self) -> String {
        format!("{}_{}", self.entry.trainer.name(), self.entry.node_type)
    }
}

/// A directory cannot be served from.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// It cannot be listed.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// There is nothing in it.
    #[error(
        "no models in {}: {skipped} files were not recognised; expected is \
         PIPELINE/rapl-sysfs|acpi/AbsPower|DynPower/GROUP/TRAINER_NODETYPE.json, as in Kepler's model database",
        directory.display()
    )]
    Empty {
        /// The directory.
        directory: PathBuf,
        /// What is there instead.
        skipped: usize,
    },
}

impl Store {
    /// Lists the models of a pipeline's directory, or of a directory of pipelines.
    ///
    /// # Errors
    /// It cannot be read, or holds no model.
    pub fn open(directory: impl Into<PathBuf>) -> Result<Self, StoreError> {
        Self::open_as(directory.into(), false)
    }

    /// The same for a directory that models are trained into: it may be empty.
    ///
    /// # Errors
    /// It cannot be read.
    #[cfg(feature = "train")]
    pub fn open_to_train(directory: impl Into<PathBuf>) -> Result<Self, StoreError> {
        Self::open_as(directory.into(), true)
    }

    fn open_as(directory: PathBuf, may_be_empty: bool) -> Result<Self, StoreError> {
        let listed = list(&directory, may_be_empty)?;
        Ok(Store { directory, may_be_empty, listed: RwLock::new(Arc::new(listed)), choices: Mutex::default() })
    }

    /// Lists the directory again, for models that came or went.
    ///
    /// # Errors
    /// As [`Store::open`]; what was known is then kept.
    pub fn reload(&self) -> Result<(), StoreError> {
        let listed = Arc::new(list(&self.directory, self.may_be_empty)?);
        *self.listed.write().unwrap_or_else(PoisonError::into_inner) = listed;
        self.choices.lock().unwrap_or_else(PoisonError::into_inner).clear();
        Ok(())
    }

    /// How many models there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.listed().len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(crate) fn listed(&self) -> Arc<Vec<Listed>> {
        Arc::clone(&self.listed.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The model to answer with, remembered for the next time.
    pub(crate) fn choose(&self, wanted: &Wanted) -> Result<Arc<Choice>, NoChoice> {
        let mut choices = self.choices.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, choice)) = choices.iter().find(|(known, _)| known == wanted) {
            return Ok(Arc::clone(choice));
        }
        // Choosing reads files: others must not wait for it.
        drop(choices);
        let listed = self.listed();
        let choice = Arc::new(Choice::of(listed.iter(), wanted)?);
        choices = self.choices.lock().unwrap_or_else(PoisonError::into_inner);
        // Of models that were listed again meanwhile it may not be the best any more.
        if !Arc::ptr_eq(&listed, &self.listed()) {
            return Ok(choice);
        }
        if choices.len() >= MOST_CHOICES {
            choices.pop_front();
        }
        choices.push_back((wanted.clone(), Arc::clone(&choice)));
        Ok(choice)
    }
}

fn list(directory: &Path, may_be_empty: bool) -> Result<Vec<Listed>, StoreError> {
    let catalogue = Catalogue::open(directory)?;
    let mut tables: BTreeMap<PathBuf, Table> = BTreeMap::new();
    let listed: Vec<Listed> = catalogue
        .entries()
        .iter()
        .map(|entry| {
            let figures = figures(entry, &mut tables);
            Listed { entry: entry.clone(), figures, model: OnceLock::new() }
        })
        .collect();
    if listed.is_empty() && !may_be_empty {
        return Err(StoreError::Empty { directory: directory.to_owned(), skipped: catalogue.skipped().len() });
    }
    Ok(listed)
}

/// Published figures by feature group and model name.
type Table = BTreeMap<(String, String), BTreeMap<String, f64>>;

/// What a model's publisher says of it: in `metadata.json` of its directory, else in the pipeline's
/// `<source>_<output>_model_metadata.csv`.
fn figures(entry: &Entry, tables: &mut BTreeMap<PathBuf, Table>) -> BTreeMap<String, f64> {
    let own = entry.path.join("metadata.json");
    if let Some(text) = bounded(&own) {
        let Ok(document) = serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(&text) else {
            tracing::warn!(path = %own.display(), "not JSON: its figures are not known");
            return BTreeMap::new();
        };
        return document.into_iter().filter_map(|(name, value)| Some((name, value.as_f64()?))).collect();
    }
    // <pipeline>/<source>/<output>/<group>/<model>
    let Some(pipeline) = entry.path.ancestors().nth(4) else { return BTreeMap::new() };
    let path = pipeline.join(format!("{}_{}_model_metadata.csv", entry.source.name(), entry.output.name()));
    let table =
        tables.entry(path).or_insert_with_key(|path| bounded(path).map(|text| table(&text)).unwrap_or_default());
    let name = format!("{}_{}", entry.trainer.name(), entry.node_type);
    table.get(&(entry.group.name().to_owned(), name)).cloned().unwrap_or_default()
}

fn bounded(path: &Path) -> Option<Vec<u8>> {
    if !path.is_file() {
        return None;
    }
    let mut bytes = Vec::new();
    File::open(path).and_then(|file| file.take(MAX_TABLE_BYTES).read_to_end(&mut bytes)).ok()?;
    Some(bytes)
}

/// Every number of every row. A row that is none is left out: it is but an ornament of a model.
fn table(text: &[u8]) -> Table {
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(text);
    let Ok(heads) = reader.headers().cloned() else { return Table::new() };
    let rows = reader.into_records().filter_map(|row| {
        let row = row.ok()?;
        let cell = |wanted: &str| heads.iter().position(|head| head == wanted).and_then(|place| row.get(place));
        let key = (cell("feature_group")?.to_owned(), cell("model_name")?.to_owned());
        let numbers = heads.iter().zip(row.iter()).filter_map(|(head, cell)| {
            let number: f64 = cell.parse().ok()?;
            number.is_finite().then(|| (head.to_owned(), number))
        });
        Some((key, numbers.collect()))
    });
    rows.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_figures_are_found_by_group_and_name() {
        let text = b",model_name,features,mae,feature_group\n0,SGDRegressorTrainer_1,\"['a', 'b']\",4.85,Basic\n1,broken\n2,SGDRegressorTrainer_10,[],9.0,Basic\n";
        let table = table(text);
        let mae =
            |name: &str| table.get(&("Basic".to_owned(), name.to_owned())).and_then(|row| row.get("mae")).copied();
        assert_eq!(mae("SGDRegressorTrainer_1"), Some(4.85));
        assert_eq!(mae("SGDRegressorTrainer_10"), Some(9.0));
        assert_eq!(mae("broken"), None);
    }
}
