//! Kepler in Rust.

pub use kepler_core as core;
