//! Where the files of a model lie: in a directory, in an archive, or, for a weight file alone, nowhere else.

#[cfg(feature = "archives")]
use super::archive::Archive;
use super::error::ModelError;
use super::file;
use serde::de::DeserializeOwned;
use std::path::{Path, PathBuf};

/// The other files of a model.
#[derive(Clone, Copy)]
pub(super) enum Siblings<'a> {
    /// There are none.
    None,
    /// In this directory.
    Directory(&'a Path),
    /// In this archive.
    #[cfg(feature = "archives")]
    Archive(&'a Archive),
}

impl<'a> Siblings<'a> {
    /// Reads and parses a file by its plain name; `None` if it is not there.
    pub(super) fn document<T: DeserializeOwned>(self, name: &str) -> Result<Option<T>, ModelError> {
        match self {
            Siblings::None => Ok(None),
            Siblings::Directory(directory) => {
                let path = directory.join(name);
                if path.exists() { file::document(&path).map(Some) } else { Ok(None) }
            }
            #[cfg(feature = "archives")]
            Siblings::Archive(archive) => {
                archive.file(name).map(|bytes| file::parse(&archive.path().join(name), bytes)).transpose()
            }
        }
    }

    /// A file's path, for messages.
    pub(super) fn path(self, name: &str) -> PathBuf {
        match self {
            Siblings::None => PathBuf::from(name),
            Siblings::Directory(directory) => directory.join(name),
            #[cfg(feature = "archives")]
            Siblings::Archive(archive) => archive.path().join(name),
        }
    }

    /// The directory in which the model lies beside others of its feature group.
    pub(super) fn group(self) -> Option<&'a Path> {
        match self {
            Siblings::None => None,
            Siblings::Directory(directory) => directory.parent(),
            #[cfg(feature = "archives")]
            Siblings::Archive(archive) => archive.path().parent(),
        }
    }
}
