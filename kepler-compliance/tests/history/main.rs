//! The embedded history, through its public interface and through the file itself.

mod answers;
mod bounds;
mod conservation;
mod faults;
mod kill;
mod snapshots;

use kepler_compliance::history::{History, HistoryOptions};
use rusqlite::Connection;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// A history in a directory of its own.
struct Place {
    directory: TempDir,
}

impl Place {
    fn new() -> Self {
        Place { directory: tempfile::tempdir().unwrap() }
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("energy.db")
    }

    fn open(&self) -> History {
        self.open_with(HistoryOptions::default())
    }

    fn open_with(&self, options: HistoryOptions) -> History {
        History::open(self.path(), options).unwrap()
    }

    /// One number out of the file.
    fn number(&self, sql: &str) -> i64 {
        number(&self.path(), sql)
    }
}

fn number(path: &Path, sql: &str) -> i64 {
    Connection::open(path).unwrap().query_row(sql, [], |row| row.get::<_, Option<i64>>(0)).unwrap().unwrap_or(0)
}
