//! What allocates nothing, or within limits. The allocator of this program counts for each thread.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "what tests share fails as tests do, and a skipped one says why"
)]

#[cfg(feature = "archives")]
#[path = "../hostile/attack.rs"]
mod attack;
#[path = "../counting/mod.rs"]
mod counting;
#[cfg(feature = "archives")]
#[path = "../hostile/mutate.rs"]
mod mutate;
#[cfg(feature = "archives")]
#[path = "../hostile/targets.rs"]
mod targets;

mod a_steady_tick_allocates_nothing;
#[cfg(feature = "archives")]
mod hostile_models;
mod meters_read_without_allocating;
#[cfg(feature = "models")]
mod models_predict_without_allocating;
mod sensors_read_without_allocating;
#[cfg(feature = "sim")]
mod zones_that_fail_for_ever_cost_no_memory;
