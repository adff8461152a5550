//! What must withstand any bytes: rows to learn from. `fuzz/` and `hostile_tables.rs` run the same.
#![allow(dead_code, reason = "each fuzz target runs one")]

use kepler_train::Table;
use std::fs;

/// Rows of a CSV.
pub(crate) fn csv(bytes: &[u8]) {
    if let Ok(table) = Table::from_csv("rows", bytes) {
        exercise(&table);
    }
}

/// A Parquet file.
pub(crate) fn parquet(bytes: &[u8]) {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let path = folder.path().join("rows.parquet");
    fs::write(&path, bytes).expect("a file in it");
    if let Ok(table) = Table::open(&path) {
        exercise(&table);
    }
}

fn exercise(table: &Table) {
    for name in table.names() {
        if let Ok(numbers) = table.numbers(name) {
            assert_eq!(numbers.len(), table.rows());
            assert!(numbers.iter().all(|number| number.is_finite()));
        }
        let _ = table.groups(name);
    }
}
