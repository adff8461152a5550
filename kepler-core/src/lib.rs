//! Measure energy, attribute it to workloads, publish it as immutable snapshots.
//!
//! # Overview
//!
//! A processor's energy counters tell what the whole of it drew; they do not tell who caused that. This
//! crate reads them, or the next best thing where there are none, sees which processes used the
//! processors meanwhile, and divides the energy among processes, containers, pods, virtual machines and
//! systemd units. It needs no async runtime, no network and no database: a [`Sampler`](sampler::Sampler)
//! does one tick when asked to, a [`Monitor`](monitor::Monitor) does it on a thread.
//!
//! ```text
//! meter ──readings──▶ counter ──energy──┐
//!                                       ├─▶ sampler (attribution) ─▶ snapshot
//! usage ──CPU time──▶ workload ─────────┘
//! ```
//!
//! # Concepts
//!
//! - **Zone** ([`ZoneKind`](units::ZoneKind)): a part of the machine whose energy is read separately: package,
//!   core, uncore, dram, psys. They overlap (a package contains its cores), so they are never added up.
//! - **Device** ([`device`]): a GPU or another accelerator. Its meter tells who used it; the sum of all is the zone `gpu`.
//! - **Meter** ([`meter`]): reads zones. A [chain](meter::chain) takes the best that works here and ends in
//!   an estimate, so there is always a figure, which says whether it was
//!   [measured or estimated](meter::Method) and how far off it may be.
//! - **Counter** ([`counter`]): turns raw readings into energy; knows a wrap from a reset.
//! - **Idle and active** ([`attribution::idle`]): what the machine draws for being on, and what work
//!   causes. Only the latter is attributed.
//! - **Account** ([`attribution::ledger`]): what a workload has been charged since the start. Energy is
//!   held in whole microjoules, and for each zone, at every tick, exactly
//!   `measured = idle + unattributed + short-lived + unlisted + Σ processes`, see
//!   [`NodeZone`](snapshot::NodeZone).
//! - **Workload** ([`workload`]): who that is. A process is its number *and* its start time. Groups keep
//!   accounts of their own, which do not shrink when a process ends.
//! - **Directory** ([`directory`]): what Kubernetes knows of pods, as an immutable list that others write.
//! - **Snapshot** ([`snapshot`]): all of it at one moment, shared by `Arc`, read without locks.
//! - **Host** ([`host`]): where procfs, sysfs and cgroups are. A test tree and a real machine are one case.
//!
//! # Usage
//!
//! Who used how much while some work was done:
//!
//! ```
//! use kepler_core::host::Host;
//! use kepler_core::sampler::Sampler;
//! use kepler_core::units::ZoneKind;
//!
//! let mut sampler = Sampler::new(&Host::default(), Default::default())?;
//! let before = sampler.tick();
//! let sum: u64 = std::hint::black_box((0..40_000_000u64).map(|n| n ^ 0x55).sum());
//! let after = sampler.tick();
//!
//! let zone = after.node.zones[ZoneKind::Package].as_ref().ok_or("no package")?;
//! println!("{} ({} by {}), {sum}", zone.energy, zone.method.name(), zone.source);
//! for process in after.processes.iter().filter(|row| row.power[ZoneKind::Package].watts() > 1.0) {
//!     println!("{:>8} {:<16} {}", process.info.pid, process.info.comm, process.power[ZoneKind::Package]);
//! }
//! assert_eq!(after.sequence, before.sequence + 1);
//! assert_eq!(zone.energy, zone.active_energy + zone.idle_energy);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Warnings
//!
//! - Counters of energy are readable by root only (kernel 5.10 and later: they leak secrets of other
//!   processes). Without the right, the chain falls back to an estimate; [`Sampler::unavailable`](sampler::Sampler::unavailable)
//!   says what is missing. Other users' executables and containers' names need `CAP_SYS_PTRACE`.
//! - Energy is divided by CPU time. Two processes that use the same time are charged the same, whatever
//!   their instructions cost.
//! - Processes that start and end between two ticks are known only through their container's or unit's
//!   accounting; what is not accounted for is shown as unattributed, never spread over the others.
//! - Until the idle power is learned, idle and active are separated by utilisation, see
//!   [`NodeZone::idle_policy`](snapshot::NodeZone::idle_policy).
//! - Linux only.
//!
//! # Features
//!
//! None is on by default, and all only add.
//!
//! | feature | adds |
//! |---|---|
//! | `serde` | serialisation of quantities and snapshots |
//! | `schemars` | JSON Schemas of names that arguments and answers use |
//! | `commands` | the meter of accelerators that only their vendors' tools know |
//! | `drm` | the meter of AMD, Intel and other accelerators that the kernel's own drivers show ([`device`]) |
//! | `nvml` | the meter of NVIDIA's accelerators, by their driver's library |
//! | `calibration` | the file that a calibration run writes ([`calibration`]) |
//! | `ebpf` | CPU time as the scheduler reports it, short-lived processes by name ([`usage::ebpf`]) |
//! | `perf` | the meter of the perf `power` PMU |
//! | `names` | names of containers and virtual machines from the own files of Docker, Podman and libvirt |
//! | `models` | published power models ([`model`](../kepler_core/model/index.html)) |
//! | `archives` | the same from zip archives |
//! | `ipmi` | the power of the whole machine from its BMC, by `/dev/ipmi0` |
//! | `sim` | simulated hosts whose truth is known (`sim`), for tests and demonstrations |
#![cfg_attr(not(any(test, feature = "ebpf", feature = "ipmi", feature = "nvml")), forbid(unsafe_code))]
#![cfg_attr(all(not(test), any(feature = "ebpf", feature = "ipmi", feature = "nvml")), deny(unsafe_code))]

mod activity;
pub mod attribution;
pub mod availability;
pub mod calibration;
pub mod counter;
pub mod device;
pub mod directory;
pub mod guests;
pub mod host;
mod measure;
pub mod meter;
pub mod metric_names;
#[cfg(feature = "models")]
pub mod model;
pub mod monitor;
pub mod platform;
pub mod printable;
pub mod sampler;
#[cfg(feature = "sim")]
pub mod sim;
pub mod snapshot;
pub mod stopwatch;
pub mod units;
pub mod usage;
pub mod workload;

pub use availability::Unavailable;
pub use measure::{Measured, measure};

/// The README's example, compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
