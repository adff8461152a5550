//! Kepler in Rust: who used how much energy, and how much carbon that was.
//!
//! This crate is the front door. It re-exports the parts, each of which can be depended on alone:
//!
//! - [`core`]: measure energy, attribute it to processes, containers, pods, virtual machines and
//!   systemd units, publish it as an immutable snapshot.
//! - `compliance` (features `cli` and `mcp`): energy into carbon and verdicts; standards, regions, schedules, advice.
//! - `http` (feature `cli`): the Prometheus exporter and its server.
//! - `mcp` (feature `mcp`): the Model Context Protocol server that offers the tools of `compliance` to
//!   AI assistants.
//!
//! The program `kepler` is built from the same parts with the feature `cli`, which is on by default;
//! a tool that embeds the library turns it off.
//!
//! ```no_run
//! use kepler::core::{host::Host, monitor::Monitor, sampler::Sampler};
//! use std::time::Duration;
//!
//! let sampler = Sampler::new(&Host::default(), Default::default())?;
//! let monitor = Monitor::start(sampler, Duration::from_secs(3))?;
//! if let Some(snapshot) = monitor.feed().latest() {
//!     for (zone, node) in snapshot.node.zones() {
//!         println!("{zone}: {} so far, {}", node.energy, node.method.name());
//!     }
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#[cfg(feature = "mcp")]
pub use kepler_compliance as compliance;
pub use kepler_core as core;
#[cfg(feature = "cli")]
pub use kepler_http as http;
#[cfg(feature = "mcp")]
pub use kepler_mcp as mcp;
