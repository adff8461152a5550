//! The pods of a node at one moment, found by UID and by container identifier.

use crate::host::Timestamp;
use crate::workload::{ContainerKind, EnergyAnnotation, PodOwner, ResourceAmounts};
use std::collections::HashMap;

/// What Kubernetes knows of the pods of this node.
#[derive(Clone, Debug, Default)]
pub struct PodDirectory {
    source: Option<&'static str>,
    read_at: Option<Timestamp>,
    known_at: Option<Timestamp>,
    pods: Vec<PodEntry>,
    by_uid: HashMap<Box<str>, usize>,
    by_container: HashMap<Box<str>, usize>,
}

/// One pod.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PodEntry {
    /// Its UID as its cgroup has it.
    pub uid: String,
    /// Other UIDs that it is found by: a static pod has one of its own and one of its mirror.
    pub other_uids: Vec<String>,
    /// Its name.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
    /// Its controller, a replica set's deployment where that is known.
    pub owner: Option<PodOwner>,
    /// `Guaranteed`, `Burstable`, `BestEffort`; empty where it is not known.
    pub qos_class: String,
    /// Those of its labels that were asked for, by name.
    pub labels: Vec<(String, String)>,
    /// What it asked for, overhead included.
    pub resources: ResourceAmounts,
    /// How its energy is to be judged and shown, where it says so.
    pub annotations: Vec<EnergyAnnotation>,
    /// Its containers, running and ended.
    pub containers: Vec<ContainerEntry>,
    /// Whether it is said which containers have started, be it none. A pod that has just been bound, or a static pod of an
    /// old kubelet, has no statuses, and nothing tells its sandbox from its containers.
    pub lists_containers: bool,
}

/// One container of a pod.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ContainerEntry {
    /// Its name in the pod.
    pub name: String,
    /// What it is in the pod.
    pub kind: ContainerKind,
    /// Its identifiers in the runtime, that of its last run included; none before it has started.
    pub ids: Vec<String>,
    /// What it asked for.
    pub resources: ResourceAmounts,
}

impl ContainerEntry {
    /// A container that asked for nothing.
    #[must_use]
    pub fn new(name: impl Into<String>, kind: ContainerKind, ids: impl IntoIterator<Item = String>) -> Self {
        let ids = ids.into_iter().collect();
        ContainerEntry { name: name.into(), kind, ids, resources: ResourceAmounts::default() }
    }
}

impl PodEntry {
    /// A pod of which no more is known.
    #[must_use]
    pub fn new(uid: impl Into<String>, name: impl Into<String>, namespace: impl Into<String>) -> Self {
        PodEntry { uid: uid.into(), name: name.into(), namespace: namespace.into(), ..PodEntry::default() }
    }

    /// The container with this identifier.
    #[must_use]
    pub fn container(&self, id: &str) -> Option<&ContainerEntry> {
        self.containers.iter().find(|container| container.ids.iter().any(|own| own == id))
    }
}

impl PodDirectory {
    /// The pods that `source` lists, when asked at `read_at`. Of several with one UID the first is kept.
    #[must_use]
    pub fn new(source: &'static str, read_at: Timestamp, pods: Vec<PodEntry>) -> Self {
        let mut directory =
            PodDirectory { source: Some(source), read_at: Some(read_at), pods, ..PodDirectory::default() };
        let (by_uid, by_container) = (&mut directory.by_uid, &mut directory.by_container);
        for (index, pod) in directory.pods.iter().enumerate().filter(|(_, pod)| !pod.uid.is_empty()) {
            by_uid.entry(pod.uid.as_str().into()).or_insert(index);
        }
        for (index, pod) in directory.pods.iter().enumerate() {
            // Another pod's own UID comes first.
            for uid in pod.other_uids.iter().filter(|uid| !uid.is_empty()) {
                by_uid.entry(uid.as_str().into()).or_insert(index);
            }
            for id in pod.containers.iter().flat_map(|container| &container.ids) {
                by_container.entry(id.as_str().into()).or_insert(index);
            }
        }
        directory
    }

    /// The same, of which a source has told the last by `at`: its age counts from there.
    #[must_use]
    pub fn known_at(mut self, at: Timestamp) -> Self {
        self.known_at = Some(at);
        self
    }

    /// The pod with this UID.
    #[must_use]
    pub fn pod(&self, uid: &str) -> Option<&PodEntry> {
        self.pods.get(*self.by_uid.get(uid)?)
    }

    /// The pod that has a container with this identifier.
    #[must_use]
    pub fn pod_of_container(&self, id: &str) -> Option<&PodEntry> {
        self.pods.get(*self.by_container.get(id)?)
    }

    /// All pods, in the order of the list.
    pub fn iter(&self) -> impl Iterator<Item = &PodEntry> {
        self.pods.iter()
    }

    /// How many pods there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.pods.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.pods.is_empty()
    }

    /// Who said so; `None` before the first answer.
    #[must_use]
    pub fn source(&self) -> Option<&'static str> {
        self.source
    }

    /// When that was asked for; `None` before the first answer.
    #[must_use]
    pub fn read_at(&self) -> Option<Timestamp> {
        self.read_at
    }

    /// As of when it is said; `None` before the first answer.
    #[must_use]
    pub fn as_of(&self) -> Option<Timestamp> {
        self.known_at.or(self.read_at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pod_is_found_by_each_of_its_uids_and_containers_and_the_first_of_equal_ones_wins() {
        let mut first = PodEntry::new("a", "first", "one");
        first.other_uids = vec!["b".into(), "mirror".into()];
        first.containers.push(ContainerEntry::new("web", ContainerKind::Regular, ["new".into(), "old".into()]));
        let second = PodEntry::new("b", "second", "two");
        let again = PodEntry::new("a", "again", "three");
        let directory = PodDirectory::new("files", Timestamp::now(), vec![first, second, again, PodEntry::default()]);
        let name = |uid| directory.pod(uid).map(|pod| &*pod.name);
        assert_eq!((name("a"), name("b"), name("mirror")), (Some("first"), Some("second"), Some("first")));
        assert_eq!((name(""), name("c"), directory.len()), (None, None, 4));
        let pod = directory.pod_of_container("old").unwrap();
        assert_eq!(pod.container("old").map(|container| &*container.name), Some("web"));
        assert!(pod.container("other").is_none());
    }
}
