//! The embedded history, through its public interface and through the file itself.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test fails by panicking, and the child process of one talks on its output"
)]

mod answers;
mod bounds;
mod conservation;
mod devices;
mod faults;
mod fleet;
mod kill;
mod platform;
mod report;
mod snapshots;

use kepler_compliance::history::{History, HistoryOptions};
use rusqlite::Connection;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// A history in a directory of its own.
struct TempHistory {
    directory: TempDir,
}

impl TempHistory {
    fn new() -> Self {
        TempHistory { directory: tempfile::tempdir().unwrap() }
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

#[test]
fn the_documentation_shows_the_tables_as_they_are() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let documentation = std::fs::read_to_string(root.join("../docs/history-tables.md")).unwrap();
    let tables = std::fs::read_to_string(root.join("src/history/schema.sql")).unwrap();
    assert!(documentation.contains(&tables), "docs/history-tables.md does not show src/history/schema.sql");
    assert!(documentation.contains(&number_of("application_id")) && documentation.contains("kpLR"));
}

fn number_of(pragma: &str) -> String {
    let temp = TempHistory::new();
    drop(temp.open());
    temp.number(&format!("PRAGMA {pragma}")).to_string()
}
