//! Simulated hosts with known truth, for tests, demonstrations and benchmarks (feature `sim`).
//!
//! [`PowercapTree`] is a sysfs with RAPL zones laid out as the kernel lays them out, whose counters
//! wrap, reset and vanish on command, or follow the machine's real CPU use through a power model
//! ([`PowercapTree::drive`]). [`ProcessTree`] is a procfs with cgroups whose processes are born, work
//! and die on command. Both are plain files: what reads them is the code that reads a real machine.
//!
//! ```
//! use kepler_core::host::Timestamp;
//! use kepler_core::meter::powercap::Powercap;
//! use kepler_core::meter::{EnergyMeter, Reading};
//! use kepler_core::sim::PowercapTree;
//! use kepler_core::units::Energy;
//!
//! let root = tempfile::tempdir()?;
//! let mut tree = PowercapTree::create(root.path())?;
//! tree.add_zone("intel-rapl:0", "package-0", Energy::ZERO)?;
//! let mut meter = Powercap::open(&tree.host())?;
//! tree.draw("intel-rapl:0", Energy::from_joules(5.0))?;
//! let mut readings = Vec::new();
//! meter.read(Timestamp::now(), &mut readings);
//! assert!(matches!(readings[0], Ok(Reading::Counter(energy)) if energy == Energy::from_joules(5.0)));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod powercap;
mod processes;

pub use powercap::{Driver, FollowedTree, PowerModel, PowercapTree};
pub use processes::ProcessTree;
