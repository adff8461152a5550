//! Errors of a history. Each message names the file and the remedy.

use std::io;
use std::path::{Path, PathBuf};

/// Why a history cannot be opened, written or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HistoryError {
    /// Another writer has it open.
    #[error(
        "the history {} is being written by {holder}; stop that one, give this one another file, or open it to read only",
        path.display()
    )]
    Locked {
        /// The history.
        path: PathBuf,
        /// Who holds it, as it signed the lock file: its process number and name.
        holder: String,
    },
    /// The lock file beside it cannot be used.
    #[error("cannot lock {}: {source}; the directory must exist and be writable", path.display())]
    Lock {
        /// The lock file.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// What stands where the lock file should be is no such file. It was left as it is.
    #[error("{} is not the lock of a history ({found}); it is left as it is: move it away, or give the history another path", path.display())]
    ForeignLock {
        /// The lock file.
        path: PathBuf,
        /// What it is instead.
        found: String,
    },
    /// There is no such file, and a reader creates none.
    #[error("there is no history at {}; its writer creates it: start that first, or correct the path", path.display())]
    Missing {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// The file is something else. It was left as it is.
    #[error("{} is not a history of this program ({found}); it is left as it is: give another path, or move it away", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What it is instead.
        found: String,
    },
    /// The file was written by a newer release. It was left as it is.
    #[error("the history {} has schema {found}, this release knows {known}; use the newer release, or another file", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its schema version.
        found: i64,
        /// The newest version known here.
        known: i64,
    },
    /// The file is damaged. It was left as it is.
    #[error(
        "the history {} is damaged: {detail}; it is left as it is: move it away to start a new one, `sqlite3 FILE .recover` saves what can be read",
        path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What SQLite found.
        detail: String,
    },
    /// No space is left for it. Nothing is lost yet: the next record that fits holds this one's energy too.
    #[error("no space is left for the history {}: free some, or lower its size limit; measuring goes on", path.display())]
    Full {
        /// The file.
        path: PathBuf,
    },
    /// Anything else that SQLite reports.
    #[error("cannot {doing} the history {}: {source}", path.display())]
    Sqlite {
        /// The file.
        path: PathBuf,
        /// `open`, `write` or `read`.
        doing: &'static str,
        /// What SQLite said.
        source: rusqlite::Error,
    },
}

impl HistoryError {
    /// Sorts what SQLite said.
    pub(super) fn of(path: &Path, doing: &'static str, source: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode;
        let path = path.to_owned();
        match source.sqlite_error_code() {
            Some(ErrorCode::DatabaseCorrupt) => HistoryError::Damaged { path, detail: source.to_string() },
            Some(ErrorCode::NotADatabase) => HistoryError::Foreign { path, found: "no SQLite file".into() },
            Some(ErrorCode::DiskFull) => HistoryError::Full { path },
            _ => HistoryError::Sqlite { path, doing, source },
        }
    }
}
