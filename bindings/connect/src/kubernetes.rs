//! Pods of this node: names, owners, resources, from the kubelet, the API server or the kubelet's log directories.
//!
//! # What it requires
//!
//! | source | right | what it gives |
//! |---|---|---|
//! | `kubelet` | `nodes/pods` get (kubelets from 1.33 on), or `nodes/proxy` get, which gives far more | all pods with one request, nothing asked of the API server |
//! | `apiserver` | `pods` list, watch | the same by a watch |
//! | `files` | the host's `/var/log/pods` and `/var/log/containers`, read-only | names only |
//!
//! The sources are tried in order; why one is not in use is in the directory's [status](kepler_core::directory::DirectoryStatus).
//! Nothing stops because of a source: the last answer is kept, and pods without a name are counted.
//!
//! # What it costs
//!
//! A list every [`Options::interval`], and when the sampler sees a pod or container that is not listed: at most three in a
//! second, on a thread of its own. Answers are read as they arrive; environments, arguments and annotations are skipped.
//!
//! ```no_run
//! use kepler_connect::kubernetes::{Access, Options, Refresher, SERVICE_ACCOUNT};
//! use kepler_core::directory::Directory;
//!
//! let access = Access::in_cluster(SERVICE_ACCOUNT.as_ref(), |name| std::env::var(name).ok())?;
//! let directory = Directory::new();
//! let refresher = Refresher::start(Options::new("node-a", access), directory.clone())?;
//! refresher.wait_for_first(std::time::Duration::from_secs(2));
//! println!("{} pods", directory.pods().len());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod access;
mod apiserver;
mod asking;
mod certificates;
mod cluster;
#[cfg(feature = "kepler")]
mod exporters;
mod failure;
mod files;
mod kubelet;
mod kubelet_process;
mod node_addresses;
#[cfg(feature = "kepler")]
mod nodes;
mod owner;
#[cfg(feature = "kepler")]
mod owners;
mod pace;
mod pods;
mod quantity;
mod refresh;
mod resources;
mod review;
mod source;

pub use access::{Access, AccessError, BearerToken, Kubeconfig, Pem, SERVICE_ACCOUNT};
pub use cluster::{ClusterFollower, follow_cluster};
#[cfg(feature = "kepler")]
pub use exporters::{Exporters, ExportersFollower};
pub use kubelet_process::KUBELET_CERTIFICATES;
#[cfg(feature = "kepler")]
pub use nodes::{NodesFollower, follow_nodes, nodes};
#[cfg(feature = "kepler")]
pub use owners::{OwnersFollower, follow_owners};
pub use pods::LabelFilter;
pub use review::{Review, Reviewer};

use apiserver::{ApiServer, SILENCE};
use asking::Sources;
use files::Files;
use kepler_core::availability::Unavailable;
use kepler_core::directory::{Directory, PodEntry};
use kubelet::Kubelet;
use refresh::{Kept, Refreshing};
use source::PodSource;
use std::io::{self, Read};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::Thread;
use std::time::Duration;

/// Which source is asked first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Mode {
    /// The kubelet of this node.
    #[default]
    Kubelet,
    /// The API server, by a watch.
    ApiServer,
    /// The kubelet's log directories alone.
    Files,
}

/// How pods are found.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Options {
    /// Which source is asked first; the others stand behind it.
    pub mode: Mode,
    /// The name of this node in the cluster.
    pub node: String,
    /// How the cluster is reached; without it only the log directories are read.
    pub access: Option<Access>,
    /// The kubelet's address, `host` or `host:port`, if it is not found by itself.
    pub kubelet_address: Option<String>,
    /// The kubelet's own certificates, as far as they are visible: `/var/lib/kubelet/pki/kubelet.crt`.
    pub kubelet_certificates: Vec<PathBuf>,
    /// Whether it is also looked for in the file system that the kubelet's process sees, where none of these will do, and the
    /// port in its arguments and configuration, where nothing listens: for an agent that has the host's processes in
    /// [`procfs`](Self::procfs).
    pub kubelet_process: bool,
    /// Whether the kubelet's certificate is not looked at.
    pub kubelet_insecure: bool,
    /// The host's `/var/log`, as far as it is visible.
    pub logs: PathBuf,
    /// The host's procfs.
    pub procfs: PathBuf,
    /// Which labels of pods are kept.
    pub labels: LabelFilter,
    /// Between two lists, if nothing unknown appears; 15 s.
    pub interval: Duration,
    /// A watch that says nothing for so long, not even that nothing has happened, is begun again; 150 s.
    pub watch_silence: Duration,
}

impl Options {
    /// The kubelet first, at wherever it is found.
    #[must_use]
    pub fn new(node: impl Into<String>, access: impl Into<Option<Access>>) -> Self {
        Options {
            mode: Mode::Kubelet,
            node: node.into(),
            access: access.into(),
            kubelet_address: None,
            kubelet_certificates: vec!["/var/lib/kubelet/pki/kubelet.crt".into()],
            kubelet_process: true,
            kubelet_insecure: false,
            logs: "/var/log".into(),
            procfs: "/proc".into(),
            labels: LabelFilter::default(),
            interval: Duration::from_secs(15),
            watch_silence: SILENCE,
        }
    }

    fn kubelet(&self, access: &Access) -> Box<dyn PodSource> {
        Box::new(Kubelet {
            access: access.clone(),
            node: self.node.clone(),
            address: self.kubelet_address.clone(),
            certificates: self.kubelet_certificates.clone(),
            looks_for_process: self.kubelet_process,
            of_process: Vec::new(),
            port: kubelet::PORT,
            insecure: self.kubelet_insecure,
            procfs: self.procfs.clone(),
            labels: self.labels.clone(),
            client: None,
        })
    }

    fn api_server(&self, access: &Access) -> ApiServer {
        let silence = self.watch_silence;
        ApiServer { access: access.clone(), node: self.node.clone(), labels: self.labels.clone(), silence }
    }

    /// All sources in order. A watch is none of them.
    fn sources(&self) -> Vec<Box<dyn PodSource>> {
        let files: Box<dyn PodSource> = Box::new(Files { logs: self.logs.clone() });
        match (&self.access, self.mode) {
            (None, _) | (_, Mode::Files) => vec![files],
            (Some(access), Mode::Kubelet) if access.server.is_some() => {
                vec![self.kubelet(access), Box::new(self.api_server(access)), files]
            }
            (Some(access), Mode::Kubelet | Mode::ApiServer) => vec![self.kubelet(access), files],
        }
    }

    /// Asks each source once, and says how many pods it lists, or why it does not.
    #[must_use]
    pub fn probe(&self) -> Vec<(&'static str, Result<usize, Unavailable>)> {
        let mut sources = self.sources();
        if let (Some(access), Mode::ApiServer) = (&self.access, self.mode) {
            sources.insert(0, Box::new(self.api_server(access)));
        }
        let ask = |mut source: Box<dyn PodSource>| {
            let name = source.name();
            (name, source.list().map(|pods| pods.len()).map_err(|failure| failure.unavailable(name)))
        };
        sources.into_iter().map(ask).collect()
    }
}

/// Keeps a [`Directory`] up to date, on a thread of its own, until it is dropped.
#[derive(Debug)]
pub struct Refresher {
    stop: Arc<AtomicBool>,
    thread: Thread,
    first: Mutex<Receiver<()>>,
}

impl Refresher {
    /// Starts asking. Whether a source answers shows in the directory's status.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(options: Options, directory: Directory) -> io::Result<Self> {
        let (stop, (done, first)) = (Arc::new(AtomicBool::new(false)), channel());
        let watched = match (&options.access, options.mode) {
            (Some(access), Mode::ApiServer) => Some(options.api_server(access)),
            _ => None,
        };
        let (tell, news) = channel();
        let refreshing = Refreshing {
            directory,
            sources: Sources::new(options.sources())?,
            interval: options.interval.max(Duration::from_secs(1)),
            news: watched.is_some().then_some(news),
            stop: Arc::clone(&stop),
            first: Some(done),
            kept: Kept::default(),
            said: Mutex::default(),
        };
        let thread = std::thread::Builder::new().name("kepler-pods".into()).spawn(move || refreshing.run())?;
        let thread = thread.thread().clone();
        if let Some(server) = watched {
            let (listener, stop) = (thread.clone(), Arc::clone(&stop));
            let follow = move || {
                let hear = |news| {
                    let heard = tell.send(news).is_ok();
                    listener.unpark();
                    heard
                };
                apiserver::follow(&server, hear, &stop);
            };
            std::thread::Builder::new().name("kepler-watch".into()).spawn(follow)?;
        }
        Ok(Refresher { stop, thread, first: Mutex::new(first) })
    }

    /// Waits until the sources have been asked once, but not longer than `patience`. Whether they have been.
    pub fn wait_for_first(&self, patience: Duration) -> bool {
        self.first.lock().unwrap_or_else(PoisonError::into_inner).recv_timeout(patience).is_ok()
    }
}

impl Drop for Refresher {
    /// A request under way ends by itself, within its time limit.
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        self.thread.unpark();
    }
}

/// Reads a `PodList` in JSON, as the kubelet and the API server write it.
///
/// # Errors
/// When it is none, or not whole.
pub fn read_pods(from: impl Read, labels: &LabelFilter) -> Result<Vec<PodEntry>, serde_json::Error> {
    pods::read_list(from, labels).map(|list| list.pods)
}
