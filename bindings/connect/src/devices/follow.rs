//! The thread that keeps the directory of devices up to date.

use super::dcgm::{DcgmError, DcgmExporter};
use super::grpc::GrpcError;
use super::pod_resources::PodResources;
use crate::http::HttpError;
use kepler_core::availability::{Remedy, Setting, Unavailable};
use kepler_core::device::DeviceDirectory;
use kepler_core::host::Timestamp;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, Thread};
use std::time::Duration;

/// Between two questions.
const PERIOD: Duration = Duration::from_secs(10);

/// The sources, by name.
const DCGM: &str = "dcgm";
const POD_RESOURCES: &str = "pod-resources";

/// Asks what is known of devices, as long as it lives.
#[derive(Debug)]
pub struct DevicesFollower {
    stop: Arc<AtomicBool>,
    thread: Thread,
}

impl DevicesFollower {
    /// Begins to ask, on a thread of its own, while the sampler has devices.
    ///
    /// # Errors
    /// No thread can be started.
    pub fn start(
        dcgm: Option<DcgmExporter>,
        pod_resources: Option<PodResources>,
        directory: DeviceDirectory,
    ) -> io::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let following = Following { dcgm, pod_resources, directory };
        let stopped = Arc::clone(&stop);
        let thread = thread::Builder::new().name("kepler-gpu-names".into()).spawn(move || {
            while !stopped.load(Ordering::Acquire) {
                if following.directory.is_wanted() {
                    following.ask();
                }
                thread::park_timeout(if following.directory.is_wanted() { PERIOD } else { PERIOD / 10 });
            }
        })?;
        Ok(DevicesFollower { stop, thread: thread.thread().clone() })
    }
}

impl Drop for DevicesFollower {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        self.thread.unpark();
    }
}

struct Following {
    dcgm: Option<DcgmExporter>,
    pod_resources: Option<PodResources>,
    directory: DeviceDirectory,
}

impl Following {
    /// Asks each source once.
    fn ask(&self) {
        let at = Timestamp::now();
        if let Some(dcgm) = &self.dcgm {
            let answer = dcgm.activities().map_err(|error| error.unavailable());
            self.note(DCGM, answer.map(|activities| self.directory.publish_activity(at, activities)));
        }
        if let Some(pod_resources) = &self.pod_resources {
            let answer = pod_resources.list().map_err(|error| error.unavailable(pod_resources.socket()));
            self.note(POD_RESOURCES, answer.map(|list| self.directory.publish_allocations(at, list)));
        }
    }

    /// Says once what has changed.
    fn note(&self, source: &'static str, answer: Result<(), Unavailable>) {
        let before = self.directory.unavailable().into_iter().find(|other| other.source_name == source);
        match (&answer, before) {
            (Err(unavailable), before) if before.as_ref() != Some(unavailable) => tracing::warn!("{unavailable}"),
            (Ok(()), Some(_)) => tracing::info!("{source} answers"),
            _ => {}
        }
        self.directory.set_unavailable(source, answer.err());
    }
}

impl DcgmError {
    /// The same as what is not available, and what would help.
    #[must_use]
    pub fn unavailable(&self) -> Unavailable {
        let remedy = match self {
            DcgmError::Http(HttpError::TimedOut { .. }) => Remedy::Wait,
            _ => Remedy::CorrectSetting { setting: Setting::DcgmEndpoint },
        };
        Unavailable::new(DCGM, self.to_string(), remedy)
    }
}

impl GrpcError {
    /// The same as what is not available, and what would help. `socket` is the kubelet's.
    #[must_use]
    pub fn unavailable(&self, socket: &Path) -> Unavailable {
        let remedy = match self {
            GrpcError::Unreachable { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => {
                Remedy::MakeReadable { path: socket.to_owned() }
            }
            GrpcError::Unreachable { source, .. } if source.kind() == io::ErrorKind::NotFound => {
                let directory = socket.parent().unwrap_or(socket);
                Remedy::MountHostPath { path: directory.to_owned() }
            }
            _ => Remedy::Wait,
        };
        Unavailable::new(POD_RESOURCES, self.to_string(), remedy)
    }
}
