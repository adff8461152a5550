//! What is read from the kernel of the machine that runs the tests, and recorded answers of others.

mod cgroup_cpu_time_is_read_from_the_kernel;
mod cgroup_placements_match_the_fixtures;
#[cfg(feature = "perf")]
mod cgroups_are_counted_by_the_kernel;
mod this_machine_is_sampled_in_any_weather;
