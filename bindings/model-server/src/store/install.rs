//! Installs a trained pipeline into the directory.

use super::{Store, StoreError};
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// What `trained_by` in the `metadata.json` of a pipeline says that may be replaced.
pub(crate) const TRAINED_BY: &str = "kepler-model-server";
/// Where files are laid out first. It holds pipelines and is none, so that it is never listed.
const STAGE: &str = ".training";

/// A pipeline cannot be kept.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InstallError {
    /// A model of another origin has that name.
    #[error("name: {} is there and was not trained here, so that it is left as it is; give another name", path.display())]
    Foreign {
        /// Its directory.
        path: PathBuf,
    },
    /// The server was given one pipeline.
    #[error("{} is one pipeline; to train others, start the server with the directory that holds pipelines", path.display())]
    OnePipeline {
        /// The directory.
        path: PathBuf,
    },
    /// The system refuses.
    #[error("cannot write {}: {source}; the server needs a writable directory of models to train", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What it says.
        source: io::Error,
    },
    /// It is written and cannot be listed.
    #[error("the models trained cannot be listed: {0}")]
    List(#[from] StoreError),
}

impl InstallError {
    fn at(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| InstallError::Io { path, source }
    }
}

impl Store {
    /// Whether a pipeline of that name may be put here.
    ///
    /// # Errors
    /// Another one is in the way, this is no place for pipelines, or nothing can be written here.
    pub(crate) fn may_install(&self, name: &str) -> Result<(), InstallError> {
        use kepler_core::model::EnergySource;
        if EnergySource::ALL.iter().any(|source| self.directory.join(source.name()).is_dir()) {
            return Err(InstallError::OnePipeline { path: self.directory.clone() });
        }
        // Found out before an hour's work rather than after it.
        let stage = self.directory.join(STAGE);
        // One that was interrupted may have left it.
        remove(&stage)?;
        fs::create_dir(&stage).map_err(InstallError::at(&stage))?;
        remove(&stage)?;
        let path = self.directory.join(name);
        if fs::symlink_metadata(&path).is_err() {
            return Ok(());
        }
        let metadata = crate::listed::bounded(&path.join("metadata.json")).unwrap_or_default();
        let metadata: serde_json::Value = serde_json::from_slice(&metadata).unwrap_or_default();
        match metadata.get("trained_by").and_then(serde_json::Value::as_str) {
            Some(TRAINED_BY) => Ok(()),
            _ => Err(InstallError::Foreign { path }),
        }
    }

    /// Puts a pipeline here, in place of one of that name that was trained here before, and lists the models again.
    /// Readers of the directory see all of it or nothing.
    ///
    /// # Errors
    /// As for [`Store::may_install`]; files cannot be written. What was there is then still there.
    pub(crate) fn install(&self, name: &str, files: &BTreeMap<String, Vec<u8>>) -> Result<(), InstallError> {
        self.may_install(name)?;
        let stage = self.directory.join(STAGE);
        let installed = self.replace(&stage, name, files);
        let removed = remove(&stage);
        installed?;
        removed?;
        Ok(self.reload()?)
    }

    fn replace(&self, stage: &Path, name: &str, files: &BTreeMap<String, Vec<u8>>) -> Result<(), InstallError> {
        let new = stage.join("new");
        for (path, bytes) in files {
            let path = new.join(path);
            let parent = path.parent().unwrap_or(&new);
            fs::create_dir_all(parent).map_err(InstallError::at(parent))?;
            fs::write(&path, bytes).map_err(InstallError::at(&path))?;
        }
        let (place, old) = (self.directory.join(name), stage.join("old"));
        let is_there = fs::symlink_metadata(&place).is_ok();
        if is_there {
            fs::rename(&place, &old).map_err(InstallError::at(&place))?;
        }
        fs::rename(&new, &place).map_err(|source| {
            if is_there {
                // The first error is the one to tell.
                let _ = fs::rename(&old, &place);
            }
            InstallError::Io { path: place, source }
        })
    }
}

fn remove(stage: &Path) -> Result<(), InstallError> {
    match fs::remove_dir_all(stage) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(InstallError::at(stage)(error)),
        _ => Ok(()),
    }
}
