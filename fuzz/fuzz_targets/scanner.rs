#![no_main]

#[path = "../../bindings/model-server/src/scanner.rs"]
mod scanner;

use scanner::{Progress, Scanner};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    // What arrives in pieces ends where it would have ended in one.
    let mut pieces = Scanner::default();
    let mut found = Progress::Partial;
    for length in 1..=bytes.len() {
        found = pieces.advance(&bytes[..length]);
        if found != Progress::Partial {
            break;
        }
    }
    assert_eq!(Scanner::default().advance(bytes), found);
});
