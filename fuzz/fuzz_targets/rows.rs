//! Any bytes as the rows of a CSV.
#![no_main]

use kepler_train::Table;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(table) = Table::from_csv("rows", bytes) {
        for name in table.names() {
            let _ = table.numbers(name);
        }
    }
});
