//! The list of models: found once, loaded on first use.

use kepler_core::host::file::{self, FileLimits};
use kepler_core::model::{Entry, Model};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

/// The largest table of published errors that is read.
const MAX_TABLE_BYTES: u64 = 16 << 20;

/// A model that is there.
#[derive(Debug)]
pub(crate) struct Listed {
    pub(crate) entry: Entry,
    /// What its publisher says of it: `mae`, `mape`, …
    pub(crate) figures: BTreeMap<String, f64>,
    model: OnceLock<Result<Arc<Model>, String>>,
}

impl Listed {
    /// The models of a catalogue, with what their publishers say of them.
    pub(crate) fn all(entries: &[Entry]) -> Vec<Self> {
        let mut tables: BTreeMap<PathBuf, Table> = BTreeMap::new();
        let listed = entries.iter().map(|entry| {
            let figures = figures(entry, &mut tables);
            Listed { entry: entry.clone(), figures, model: OnceLock::new() }
        });
        listed.collect()
    }

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

/// A file of a size that such files have; none where there is none.
pub(crate) fn bounded(path: &Path) -> Option<Vec<u8>> {
    file::read(path, FileLimits::bytes(MAX_TABLE_BYTES)).ok()
}

/// Every number of every row. A row that is none is left out: it is but an ornament of a model.
fn table(text: &[u8]) -> Table {
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(text);
    let Ok(heads) = reader.headers().cloned() else { return Table::new() };
    let rows = reader.into_records().filter_map(|row| {
        let row = row.ok()?;
        let cell = |wanted: &str| heads.iter().position(|head| head == wanted).and_then(|index| row.get(index));
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
