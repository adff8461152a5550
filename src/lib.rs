//! Kepler in Rust: energy and carbon of processes, containers, pods, VMs, jobs and units.
//!
//! This crate is the front door. It re-exports the parts, each of which can also be depended on by itself:
//!
//! | module | feature | what it is |
//! |---|---|---|
//! | [`core`] | always | measure energy, attribute it to processes, containers, pods, virtual machines, jobs and systemd units, publish it as an immutable snapshot |
//! | `compliance` | `compliance` | energy into carbon and verdicts: standards, regions, schedules, advice |
//! | `connect` | `connect` | clients of Kepler exporters, Prometheus, grid intensity and Kubernetes |
//! | `http` | `http` | the Prometheus exporter and its server |
//! | `mcp` | `mcp` | the Model Context Protocol server that offers the tools of `compliance` to AI assistants |
//! | `train` | `train` | power models from recorded rows |
//! | `model_server` | `model-server` | the wire formats of Kepler's Model Server |
//!
//! Features of those crates have the same names here: `archives`, `calibration`, `commands`, `drm`, `ebpf`, `ipmi`, `models`, `names`, `nvml`, `perf`, `serde` and
//! `sim` of `core`; `history` of `compliance`; `rest`, `docs`, `tls` and `zstd` of `http`; `parquet` of `train`.
//!
//! The program `kepler` is built from the same parts with the feature `cli`, its subcommand `top` with the feature `top`; both are on by default. A tool that embeds the
//! library turns it off:
//!
//! ```toml
//! kepler-rs = { version = "0.1", default-features = false, features = ["ebpf", "perf"] }
//! ```
//!
//! # Example
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

#[cfg(feature = "compliance")]
pub use kepler_compliance as compliance;
#[cfg(feature = "connect")]
pub use kepler_connect as connect;
pub use kepler_core as core;
#[cfg(feature = "http")]
pub use kepler_http as http;
#[cfg(feature = "mcp")]
pub use kepler_mcp as mcp;
#[cfg(feature = "model-server")]
pub use kepler_model_server as model_server;
#[cfg(feature = "train")]
pub use kepler_train as train;
