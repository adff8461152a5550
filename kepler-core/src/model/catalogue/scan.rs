//! Listing directories. The depth is fixed, so links cannot make it go round.

use super::{EnergySource, Entry, FeatureGroup, MAX_ENTRIES, OutputType, SkippedFile};
use crate::model::file;
use crate::model::{Machine, ModelError, ModelFault, Semantics, Trainer};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// A scan in progress.
pub(super) struct Scan {
    pub(super) entries: Vec<Entry>,
    pub(super) skipped: Vec<SkippedFile>,
    /// Directory entries that may still be looked at.
    left: usize,
}

/// What a pipeline says of itself.
struct Pipeline {
    name: String,
    semantics: Semantics,
    machines: BTreeMap<u32, Machine>,
}

impl Scan {
    pub(super) fn new() -> Self {
        Scan { entries: Vec::new(), skipped: Vec::new(), left: MAX_ENTRIES }
    }

    /// Everything in a directory, by name.
    pub(super) fn list(&mut self, directory: &Path) -> Result<Vec<PathBuf>, ModelError> {
        let failed = |error: std::io::Error| ModelError::new(directory, error.into());
        let mut paths = Vec::new();
        for entry in fs::read_dir(directory).map_err(failed)? {
            self.left = self.left.checked_sub(1).ok_or_else(|| {
                let limit = MAX_ENTRIES as u64;
                ModelError::new(directory, ModelFault::Limit { what: "directory entries", found: limit + 1, limit })
            })?;
            paths.push(entry.map_err(failed)?.path());
        }
        paths.sort_unstable();
        Ok(paths)
    }

    /// All models of a pipeline.
    pub(super) fn pipeline(&mut self, directory: &Path) -> Result<(), ModelError> {
        let pipeline = Pipeline::read(directory)?;
        for source in EnergySource::ALL {
            for output in OutputType::ALL {
                let directory = directory.join(source.name()).join(output.name());
                if !directory.is_dir() {
                    continue;
                }
                for path in self.list(&directory)? {
                    match FeatureGroup::ALL
                        .into_iter()
                        .find(|group| path.file_name().is_some_and(|name| name == group.name()))
                    {
                        Some(group) => self.group(&pipeline, source, output, group, &path)?,
                        None => self.skip(path, "not a feature group that this library knows"),
                    }
                }
            }
        }
        Ok(())
    }

    fn group(
        &mut self,
        pipeline: &Pipeline,
        source: EnergySource,
        output: OutputType,
        group: FeatureGroup,
        directory: &Path,
    ) -> Result<(), ModelError> {
        for path in self.list(directory)? {
            let name = match (path.extension().and_then(|extension| extension.to_str()), path.is_dir()) {
                (_, true) => path.file_name(),
                (Some("json"), false) => path.file_stem(),
                #[cfg(feature = "archives")]
                (Some("zip"), false) => path.file_stem(),
                #[cfg(not(feature = "archives"))]
                (Some("zip"), false) => {
                    self.skip(path, "an archive; unpack it, or build with the `archives` feature");
                    continue;
                }
                _ => {
                    self.skip(path, "neither JSON nor a directory");
                    continue;
                }
            };
            let Some((trainer, node_type)) = name.and_then(|name| Trainer::split(name.to_str()?)) else {
                self.skip(path, "not named <Trainer>_<node type> after a trainer whose models are JSON");
                continue;
            };
            let machine = pipeline.machines.get(&node_type).cloned();
            let (semantics, pipeline) = (pipeline.semantics, pipeline.name.clone());
            self.entries.push(Entry { path, pipeline, source, output, group, trainer, node_type, semantics, machine });
        }
        Ok(())
    }

    fn skip(&mut self, path: PathBuf, reason: &'static str) {
        self.skipped.push(SkippedFile { path, reason });
    }
}

impl Pipeline {
    fn read(directory: &Path) -> Result<Self, ModelError> {
        let metadata = directory.join("metadata.json");
        let said = if metadata.is_file() { file::document(&metadata)? } else { Metadata::default() };
        let name =
            said.name.unwrap_or_else(|| directory.file_name().unwrap_or_default().to_string_lossy().into_owned());
        let semantics = said.semantics.unwrap_or_else(|| Semantics::of_pipeline(&name));
        let index = directory.join("node_type_index.json");
        let mut machines = BTreeMap::new();
        if index.is_file() {
            for (node_type, NodeType { attrs }) in file::document::<BTreeMap<u32, NodeType>>(&index)? {
                machines.insert(node_type, attrs.machine(semantics));
            }
        }
        Ok(Pipeline { name, semantics, machines })
    }
}

#[derive(Default, Deserialize)]
struct Metadata {
    name: Option<String>,
    /// Pipelines trained here say what their features mean.
    semantics: Option<Semantics>,
}

#[derive(Deserialize)]
struct NodeType {
    attrs: Attributes,
}

/// What the index says of a machine. Numbers are written as integers or floats; unknown ones are missing or −1.
#[derive(Deserialize)]
struct Attributes {
    processor: String,
    cores: Option<f64>,
    chips: Option<f64>,
    memory: Option<f64>,
    frequency: Option<f64>,
    threads_per_core: Option<f64>,
}

impl Attributes {
    fn machine(self, semantics: Semantics) -> Machine {
        // A cast saturates, and no machine has more.
        let count = |number: Option<f64>| number.filter(|number| *number >= 1.0).map(|number| number as u32);
        let cpus = count(self.cores);
        // `cores` are physical where SPECpower results say them, and logical where the publisher asked a
        // kernel: an m5.metal of 48 cores has 96.
        let (cores, threads) = match (semantics, count(self.threads_per_core)) {
            (Semantics::SpecPower, None) => (cpus, None),
            (Semantics::SpecPower, Some(per_core)) => (cpus, cpus.map(|cores| cores.saturating_mul(per_core))),
            (_, None) => (None, cpus),
            (_, Some(per_core)) => (cpus.map(|threads| threads / per_core), cpus),
        };
        Machine {
            cores,
            threads,
            chips: count(self.chips),
            memory_gib: self.memory,
            frequency_mhz: self.frequency,
            ..Machine::with_processor(&self.processor)
        }
    }
}
