//! What is read from the kernel of the machine that runs the tests, and recorded answers of others.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "what tests share fails as tests do, and a skipped one says why"
)]

mod cgroup_cpu_time_is_read_from_the_kernel;
mod cgroup_placements_match_the_fixtures;
#[cfg(feature = "perf")]
mod cgroups_are_counted_by_the_kernel;
mod this_machine_is_sampled_in_any_weather;
