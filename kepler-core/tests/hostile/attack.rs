//! Runs a function over damaged files, and holds it to what it may take.

use crate::counting::cost;
use crate::mutate::Mutator;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

/// Bytes at a time for each byte of a file, and what is needed for the smallest.
const BYTES: usize = 64;
const LEAST_BYTES: usize = 64 * 1024;
/// Allocations for each byte of a file. Work between two of them is bounded by what was stored.
const ALLOCATIONS: usize = 12;
const LEAST_ALLOCATIONS: usize = 4000;
/// Nothing that ends takes so long: a file that this is true of is one that reading does not end for.
const ENDLESS: Duration = Duration::from_mins(2);

/// Runs a target over one file. `factor`: how many times it is read, or how much larger it may become.
pub(crate) fn bounded(name: &str, bytes: &[u8], factor: usize, target: fn(&[u8])) {
    let (allocations, most) = cost(|| target(bytes));
    let start = || String::from_utf8_lossy(&bytes[..bytes.len().min(600)]).into_owned();
    let (length, size) = (bytes.len(), bytes.len() * factor);
    assert!(most <= LEAST_BYTES + BYTES * size, "{name}: {most} bytes at a time for {length}: {}", start());
    let limit = LEAST_ALLOCATIONS + ALLOCATIONS * size;
    assert!(allocations <= limit, "{name}: {allocations} allocations for {length} bytes: {}", start());
}

/// Runs a target over a number of mutations of these files, in a thread that is watched.
pub(crate) fn attack(name: &'static str, target: fn(&[u8]), files: Vec<Vec<u8>>, cases: u64, factor: usize) {
    let number = |name: &str, default: u64| std::env::var(name).ok().map_or(default, |text| text.parse().unwrap());
    let (cases, seed) = (number("KEPLER_HOSTILE_CASES", cases), number("KEPLER_HOSTILE_SEED", 1));
    let (tell, reported) = channel();
    let worker = thread::spawn(move || {
        for case in 0..cases {
            let bytes = Mutator::new(seed.wrapping_mul(1_000_003).wrapping_add(case)).damaged(&files);
            tell.send(case).unwrap();
            bounded(name, &bytes, factor, target);
        }
    });
    let mut last = 0;
    loop {
        match reported.recv_timeout(ENDLESS) {
            Ok(case) => last = case,
            // It is done, or has failed and said why.
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => panic!("{name}: reading case {last} of seed {seed} does not end"),
        }
    }
    assert!(worker.join().is_ok(), "{name}: the last case was {last} of seed {seed}");
}
