//! Whole ticks on simulated machines whose truth is known.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "what tests share fails as tests do, and a skipped one says why"
)]

mod a_driver_that_hangs_holds_nothing_up;
mod a_simulated_host_is_measured_right;
mod a_stopwatch_tells_what_was_spent;
mod accelerators;
mod accelerators_are_charged_to_their_users;
mod accelerators_are_given_to_containers;
mod an_estimate_is_corrected_by_a_meter_of_the_machine;
mod cpu_time_counters_may_fall;
mod driver;
mod energy_goes_to_those_who_ran_there;
mod estimates_are_divided_like_measurements;
mod faults_are_counted_and_the_rest_goes_on;
mod groups_within_groups_are_charged_once;
mod idle_power_is_learned_on_a_busy_machine;
mod jobs_are_charged_within_and_around_containers;
mod lines;
mod machine;
mod meters_outside_stand_for_zones;
mod pods_are_named_by_the_directory;
mod rig;
mod seen;
mod short_lived_work_is_charged_by_name;
mod the_platform_is_charged_where_asked_for;
mod the_platform_stands_beside_its_parts;
mod virtual_machines_are_named_by_their_manager;
mod what_is_found_and_not_used_is_shown;
mod what_was_calibrated_is_gone_by;
mod work_is_weighed_by_what_it_costs;
mod workloads_are_charged_for_what_they_used;
mod zones_are_lost_and_come_back;
