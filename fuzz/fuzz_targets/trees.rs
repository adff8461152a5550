#![no_main]

#[path = "../../kepler-core/tests/hostile/targets.rs"]
mod targets;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| targets::trees(bytes));
