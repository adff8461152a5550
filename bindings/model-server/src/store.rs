//! A directory of models to answer from.

#[cfg(feature = "train")]
mod install;

use crate::choice::{Choice, NoChoice, Wanted};
use crate::listed::Listed;
#[cfg(feature = "train")]
pub(crate) use install::{InstallError, TRAINED_BY};
use kepler_core::model::{Catalogue, ModelError};
use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

/// Choices that are remembered. An exporter asks the same few things for ever.
const MOST_CHOICES: usize = 64;

/// A directory of models, ready to answer from. Shared between threads.
#[derive(Debug)]
pub struct Store {
    directory: PathBuf,
    /// Whether there may be none yet.
    may_be_empty: bool,
    listed: RwLock<Arc<Vec<Listed>>>,
    choices: Mutex<VecDeque<(Wanted, Arc<Choice>)>>,
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
    let listed = Listed::all(catalogue.entries());
    if listed.is_empty() && !may_be_empty {
        return Err(StoreError::Empty { directory: directory.to_owned(), skipped: catalogue.skipped().len() });
    }
    Ok(listed)
}
