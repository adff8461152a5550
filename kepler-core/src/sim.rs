//! Simulated hosts with known truth, for tests, demonstrations and benchmarks (feature `sim`).
//!
//! [`PowercapTree`] is a sysfs with RAPL zones laid out as the kernel lays them out, whose counters
//! wrap, reset and vanish on command, or follow the machine's real CPU use through a power model
//! ([`PowercapTree::drive`]). [`ProcessTree`] is a procfs with cgroups whose processes are born, work
//! and die on command. Both are plain files: what reads them is the code that reads a real machine.

mod powercap;
mod processes;

pub use powercap::{Driver, PowerModel, PowercapTree};
pub use processes::ProcessTree;
