//! What the network knows of accelerators: how busy their instances are (MIG), and which containers have them.
//!
//! # What it requires
//!
//! | source | right | what it gives |
//! |---|---|---|
//! | `dcgm` | an address at which NVIDIA's dcgm-exporter serves metrics of this node, with `DCGM_FI_PROF_GR_ENGINE_ACTIVE` among them | how busy each instance is |
//! | `pod-resources` | the kubelet's socket `/var/lib/kubelet/pod-resources/kubelet.sock`, which root may open | which container has which device |
//!
//! # What it costs
//!
//! A request to each every 10 s, on a thread of its own, and only while there are devices. A request ends within 5 s. Where one does
//! not answer, what it said last counts for a minute; then it is not known.
//!
//! ```no_run
//! use kepler_connect::devices::{DcgmExporter, DevicesFollower, PodResources};
//! use kepler_core::device::DeviceDirectory;
//!
//! let directory = DeviceDirectory::new();
//! let dcgm = DcgmExporter::new("http://127.0.0.1:9400/metrics")?;
//! let pod_resources = PodResources::new("/var/lib/kubelet/pod-resources/kubelet.sock");
//! let follower = DevicesFollower::start(Some(dcgm), Some(pod_resources), directory.clone())?;
//! // Given to the sampler as `SamplerOptions::devices.directory`.
//! # drop(follower);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod dcgm;
mod follow;
mod grpc;
mod messages;
mod pod_resources;

pub use dcgm::{DcgmError, DcgmExporter};
pub use follow::DevicesFollower;
pub use grpc::GrpcError;
pub use pod_resources::PodResources;
