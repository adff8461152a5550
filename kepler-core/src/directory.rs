//! What the network knows of workloads: an immutable directory that others write and the sampler reads.
//!
//! A pod's name, namespace, owner and resources are known to Kubernetes, not to the kernel. A client of Kubernetes puts
//! the answer here as a [`PodDirectory`]; the sampler looks into it when it identifies a pod or container. It never
//! waits: a pod that is not listed yet is [asked for](Directory::is_asked), and its figures are held back for two seconds
//! at most, so that its labels do not change while it runs.
//!
//! ```
//! use kepler_core::directory::{ContainerEntry, Directory, PodDirectory, PodEntry};
//! use kepler_core::host::Timestamp;
//! use kepler_core::workload::ContainerKind;
//!
//! let directory = Directory::new();
//! let mut pod = PodEntry::new("0c5e0c5e-0c5e-0c5e-0c5e-0c5e0c5e0c5e", "web-0", "shop");
//! pod.lists_containers = true;
//! pod.containers.push(ContainerEntry::new("nginx", ContainerKind::Regular, ["4f".repeat(32)]));
//! directory.publish(PodDirectory::new("kubelet", Timestamp::now(), vec![pod]));
//!
//! let pods = directory.pods();
//! let pod = pods.pod("0c5e0c5e-0c5e-0c5e-0c5e-0c5e0c5e0c5e").ok_or("not listed")?;
//! assert_eq!((&*pod.name, pod.container(&"4f".repeat(32)).map(|c| &*c.name)), ("web-0", Some("nginx")));
//! # Ok::<(), &str>(())
//! ```

mod cluster;
mod pods;

pub use cluster::{ClusterFacts, NamespaceEntry};
pub use pods::{ContainerEntry, PodDirectory, PodEntry};

use crate::availability::Unavailable;
use crate::host::Timestamp;
use crate::snapshot::Fault;
use arc_swap::{ArcSwap, ArcSwapOption};
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::Thread;

/// Where the newest [`PodDirectory`] is found, and where a newer one is asked for. Clones are the same directory.
#[derive(Clone, Default)]
pub struct Directory(Arc<Shared>);

struct Shared {
    pods: ArcSwap<PodDirectory>,
    cluster: ArcSwap<ClusterFacts>,
    asked: AtomicBool,
    refresher: ArcSwapOption<Thread>,
    unresolved_pods: AtomicU64,
    state: Mutex<State>,
}

impl Default for Shared {
    fn default() -> Self {
        Shared {
            pods: ArcSwap::from_pointee(PodDirectory::default()),
            cluster: ArcSwap::from_pointee(ClusterFacts::default()),
            asked: AtomicBool::new(false),
            refresher: ArcSwapOption::empty(),
            unresolved_pods: AtomicU64::new(0),
            state: Mutex::default(),
        }
    }
}

/// What only those who refresh and those who report look at; the sampler never does.
#[derive(Default)]
struct State {
    faults: Vec<Fault>,
    unavailable: Vec<Unavailable>,
    refreshes: u64,
}

/// How a directory fares.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct DirectoryStatus {
    /// The source of what is known now; `None` before the first answer.
    pub source: Option<&'static str>,
    /// When that was asked for, or a watch has told the last.
    pub read_at: Option<Timestamp>,
    /// How many pods it lists.
    pub pods: usize,
    /// Pods that run here and that it does not list.
    pub unresolved_pods: u64,
    /// Answers taken over so far.
    pub refreshes: u64,
    /// How often a source failed so far, by kind of fault.
    pub faults: Vec<Fault>,
    /// Why sources before the one in use are not in use.
    pub unavailable: Vec<Unavailable>,
}

impl Directory {
    /// An empty directory.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// What is known now.
    #[must_use]
    pub fn pods(&self) -> Arc<PodDirectory> {
        self.0.pods.load_full()
    }

    /// The same without counting a reader.
    pub(crate) fn load(&self) -> arc_swap::Guard<Arc<PodDirectory>> {
        self.0.pods.load()
    }

    /// Replaces what is known.
    pub fn publish(&self, pods: PodDirectory) {
        self.0.pods.store(Arc::new(pods));
        self.lock().refreshes += 1;
    }

    /// What is known of the cluster around the pods.
    #[must_use]
    pub fn cluster(&self) -> Arc<ClusterFacts> {
        self.0.cluster.load_full()
    }

    /// Replaces what is known of the cluster around the pods.
    pub fn set_cluster(&self, facts: ClusterFacts) {
        self.0.cluster.store(Arc::new(facts));
    }

    /// The thread that refreshes: it is unparked when something unknown is seen.
    pub fn attend(&self, refresher: Thread) {
        self.0.refresher.store(Some(Arc::new(refresher)));
    }

    /// Something runs here that is not listed: a newer list is wanted. Never blocks.
    pub fn ask(&self) {
        if !self.0.asked.swap(true, Ordering::AcqRel)
            && let Some(refresher) = &*self.0.refresher.load()
        {
            refresher.unpark();
        }
    }

    /// Whether a newer list was asked for since this was asked last.
    #[must_use]
    pub fn is_asked(&self) -> bool {
        self.0.asked.swap(false, Ordering::AcqRel)
    }

    /// How many pods that run here are not listed.
    pub(crate) fn set_unresolved_pods(&self, count: u64) {
        self.0.unresolved_pods.store(count, Ordering::Relaxed);
    }

    /// Counts a failure of a source.
    pub fn failed(&self, source: &'static str, reason: &'static str) {
        let mut state = self.lock();
        match state.faults.iter_mut().find(|fault| (fault.source, fault.reason) == (source, reason)) {
            Some(fault) => fault.count += 1,
            None => state.faults.push(Fault::new(source, reason, 1)),
        }
    }

    /// Says why sources are not in use, instead of what was said before.
    pub fn set_unavailable(&self, unavailable: Vec<Unavailable>) {
        self.lock().unavailable = unavailable;
    }

    /// How it fares.
    #[must_use]
    pub fn status(&self) -> DirectoryStatus {
        let pods = self.pods();
        let state = self.lock();
        DirectoryStatus {
            source: pods.source(),
            read_at: pods.as_of(),
            pods: pods.len(),
            unresolved_pods: self.0.unresolved_pods.load(Ordering::Relaxed),
            refreshes: state.refreshes,
            faults: state.faults.clone(),
            unavailable: state.unavailable.clone(),
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Directory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Directory").field("pods", &self.load().len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn asking_wakes_the_refresher_once_and_is_taken_once() {
        let directory = Directory::new();
        directory.ask();
        assert!(directory.is_asked() && !directory.is_asked());
        let (clone, (send, receive)) = (directory.clone(), std::sync::mpsc::channel());
        let refresher = std::thread::spawn(move || {
            clone.attend(std::thread::current());
            send.send(()).unwrap();
            while !clone.is_asked() {
                std::thread::park_timeout(Duration::from_secs(20));
            }
        });
        receive.recv().unwrap();
        directory.ask();
        refresher.join().unwrap();
    }

    #[test]
    fn faults_add_up_by_source_and_reason() {
        let directory = Directory::new();
        for reason in ["unauthorized", "unreachable", "unauthorized"] {
            directory.failed("kubelet", reason);
        }
        let faults = [Fault::new("kubelet", "unauthorized", 2), Fault::new("kubelet", "unreachable", 1)];
        let status = directory.status();
        assert_eq!((status.faults.as_slice(), status.source, status.read_at), (&faults[..], None, None));
    }
}
