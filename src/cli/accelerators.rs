//! From the configuration to what the network knows of accelerators. Nothing here stops the program: without it there are
//! figures, with less in them.

use super::config::Config;
use kepler_connect::devices::{DcgmExporter, DevicesFollower, PodResources};
use kepler_core::device::DeviceDirectory;
use std::os::unix::fs::FileTypeExt as _;
use std::path::PathBuf;

/// Where kubelets and distributions of Kubernetes have the socket, below the host's root.
const SOCKETS: [&str; 3] = [
    "var/lib/kubelet/pod-resources/kubelet.sock",
    "var/lib/k0s/kubelet/pod-resources/kubelet.sock",
    "var/snap/microk8s/common/var/lib/kubelet/pod-resources/kubelet.sock",
];

/// A directory that is kept up to date as long as this lives.
pub(super) struct Accelerators {
    pub(super) directory: DeviceDirectory,
    _follower: DevicesFollower,
}

impl Accelerators {
    /// Starts the clients that are configured, if any.
    pub(super) fn start(config: &Config) -> Option<Self> {
        if !config.gpus {
            return None;
        }
        let (dcgm, pod_resources) = (dcgm(config), pod_resources(config));
        if dcgm.is_none() && pod_resources.is_none() {
            return None;
        }
        let directory = DeviceDirectory::new();
        match DevicesFollower::start(dcgm, pod_resources, directory.clone()) {
            Ok(follower) => Some(Accelerators { directory, _follower: follower }),
            Err(error) => {
                tracing::error!("nothing is asked about GPUs: no thread can be started: {error}");
                None
            }
        }
    }
}

/// The exporter that is configured.
pub(super) fn dcgm(config: &Config) -> Option<DcgmExporter> {
    let endpoint = config.dcgm_endpoint.as_ref()?;
    match DcgmExporter::new(endpoint) {
        Ok(exporter) => Some(exporter),
        Err(error) => {
            tracing::error!("dcgm-exporter is not asked: {error}");
            None
        }
    }
}

/// The kubelet's socket: as configured; else as it is found, where Kubernetes is asked at all.
pub(super) fn pod_resources(config: &Config) -> Option<PodResources> {
    if let Some(socket) = &config.pod_resources {
        return Some(PodResources::new(socket));
    }
    if !config.kube.enabled {
        return None;
    }
    let candidates: Vec<PathBuf> = SOCKETS.iter().map(|path| config.root.join(path)).collect();
    let is_socket = |path: &&PathBuf| path.metadata().is_ok_and(|file| file.file_type().is_socket());
    // Where there is none, the first says what is missing.
    let found = candidates.iter().find(is_socket).or(candidates.first())?;
    Some(PodResources::new(found))
}
