//! Measure energy, attribute it to who used it, publish it as an immutable picture.
#![cfg_attr(not(test), forbid(unsafe_code))]

pub mod attribution;
pub mod counter;
pub mod host;
pub mod meter;
#[cfg(feature = "models")]
pub mod model;
pub mod monitor;
pub mod sampler;
#[cfg(feature = "sim")]
pub mod sim;
pub mod snapshot;
pub mod units;
pub mod usage;
pub mod workload;
