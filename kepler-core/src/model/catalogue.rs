//! Directories of models: what there is, and which model is nearest to a machine.
//!
//! ```text
//! <pipeline>/metadata.json  node_type_index.json
//! <pipeline>/<rapl-sysfs|acpi>/<AbsPower|DynPower>/<feature group>/<Trainer>_<node type>.json
//! <pipeline>/<rapl-sysfs|acpi>/<AbsPower|DynPower>/<feature group>/<Trainer>_<node type>/…
//! <pipeline>/…/<Trainer>_<node type>.zip
//! ```

mod choice;
mod kind;
mod scan;

pub use choice::{ModelRequest, NoModel, PassedOver, Selection};
pub use kind::{EnergySource, FeatureGroup, OutputType};

use super::{Machine, Model, ModelError, Semantics, Trainer};
use scan::Scan;
use std::path::{Path, PathBuf};

/// The most directory entries that are looked at. The whole published database has about 6,000.
pub const MAX_ENTRIES: usize = 65_536;

/// The largest [distance](super::Difference::distance) at which a machine's model is used for another. Beyond it, the
/// generic figures of a processor class ([`CpuClass`](crate::meter::estimate::CpuClass)) promise no less.
pub const MAX_DISTANCE: f64 = 1.0;

/// A model of a [`Catalogue`], not read yet.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Entry {
    /// The file, or the directory of a component map.
    pub path: PathBuf,
    /// Name of its pipeline.
    pub pipeline: String,
    /// What the power was measured with.
    pub source: EnergySource,
    /// Which power it gives.
    pub output: OutputType,
    /// Its features.
    pub group: FeatureGroup,
    /// What made it.
    pub trainer: Trainer,
    /// Number of the machine in the pipeline's index.
    pub node_type: u32,
    /// What its features mean.
    pub semantics: Semantics,
    /// The machine it was trained on, if the index knows it.
    pub machine: Option<Machine>,
}

impl Entry {
    /// Reads it, with the semantics of its pipeline and ceilings of its machine.
    ///
    /// # Errors
    /// As for [`Model::load`].
    pub fn load(&self) -> Result<Model, ModelError> {
        let model = Model::load(&self.path)?.with_semantics(self.semantics);
        let chips = self.machine.as_ref().and_then(|machine| machine.chips);
        Ok(match chips {
            Some(chips) => model.with_chips(chips),
            None => model,
        })
    }
}

/// Something in a catalogue's directory that is no model of it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SkippedFile {
    /// What.
    pub path: PathBuf,
    /// Why.
    pub reason: &'static str,
}

/// The models under a directory.
#[derive(Clone, Debug, Default)]
pub struct Catalogue {
    entries: Vec<Entry>,
    skipped: Vec<SkippedFile>,
}

impl Catalogue {
    /// Lists a pipeline's directory, or a directory of pipelines. Models themselves are not read.
    ///
    /// # Errors
    /// The directory or a pipeline's index cannot be read, or there are more than [`MAX_ENTRIES`] directory entries.
    pub fn open(directory: impl AsRef<Path>) -> Result<Self, ModelError> {
        let directory = directory.as_ref();
        let mut scan = Scan::new();
        let is_pipeline = |path: &Path| EnergySource::ALL.iter().any(|source| path.join(source.name()).is_dir());
        if is_pipeline(directory) {
            scan.pipeline(directory)?;
        } else {
            for path in scan.list(directory)?.into_iter().filter(|path| is_pipeline(path)) {
                scan.pipeline(&path)?;
            }
        }
        Ok(Catalogue { entries: scan.entries, skipped: scan.skipped })
    }

    /// Every model, by path.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// What was not recognised, and why.
    #[must_use]
    pub fn skipped(&self) -> &[SkippedFile] {
        &self.skipped
    }
}

#[cfg(test)]
mod tests;
