//! Names from Kubernetes: looked up once, kept from then on, and waited for before anything is shown.
//!
//! | what the directory says | the pod | a container in it |
//! |---|---|---|
//! | it is listed | named for good | named for good |
//! | the pod is listed, the container is not | | not shown: the pod's sandbox, or too new to be listed |
//! | the pod is listed, not yet who of its containers runs | | shown without after [`HOLD`] |
//! | the pod is not listed | shown without a name after [`HOLD`] | shown with it |
//!
//! What was shown without a name is named once it is listed after all, but for the labels of its series: they stay until it
//! ends. What is not shown is charged all the same, itself and its pod. Where a pod was named by a source that knows names only, the
//! rest is added once a better one lists it: no series of energy changes by that.

use super::{Group, GroupIndex, GroupInfo, Groups};
use crate::directory::{Directory, PodDirectory, PodEntry};
use crate::host::Timestamp;
use crate::workload::{ContainerInfo, ContainerKind, PodInfo};
use std::sync::Arc;
use std::time::Duration;

/// What is not listed yet is not shown for so long.
const HOLD: Duration = Duration::from_secs(2);

/// A list that was asked for so long after something began to run would have it: the kubelet lists a container's
/// identifier up to 0.3 s after its cgroup appears (1.36, measured).
const LISTED_AFTER: Duration = Duration::from_secs(1);

/// How far the name of a group is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Naming {
    /// It has all the names that it will get.
    #[default]
    Settled,
    /// In a pod, not listed yet, not shown.
    Held,
    /// In a listed pod, of which other containers are listed: not shown.
    Unlisted,
    /// Waited for in vain: shown without a name.
    Unnamed,
    /// Listed.
    Named,
}

/// The names that groups have and wait for.
#[derive(Debug, Default)]
pub(super) struct Names {
    pub(super) directory: Option<Directory>,
    /// What was looked into last.
    seen: Arc<PodDirectory>,
    /// Whether any group may change without a newer list.
    waiting: bool,
}

impl Names {
    pub(super) fn new(directory: Option<Directory>) -> Self {
        Names { directory, ..Names::default() }
    }
}

impl Group {
    /// Whether the group has a row of its own.
    pub(super) fn is_shown(&self) -> bool {
        !matches!(self.naming, Naming::Held | Naming::Unlisted)
    }

    /// Whether a name may still come for it.
    pub(super) fn awaits_name(&self, at: Timestamp) -> bool {
        !self.is_shown() && self.since.is_none_or(|since| at.boottime_since(&since) < HOLD)
    }

    /// Adds to a pod of which only the names were known what else there is to know of it. Whether there was anything.
    fn complete(&mut self, entry: &PodEntry) -> bool {
        let GroupInfo::Pod(info) = &self.info else { return false };
        let knew_names_only = info.owner.is_none() && info.qos_class.is_empty() && info.labels.is_empty();
        let is_same = info.name == entry.name && info.namespace == entry.namespace;
        // Every pod has a class, which only sources that know all of it tell.
        if !knew_names_only || !is_same || entry.qos_class.is_empty() {
            return false;
        }
        self.info = GroupInfo::Pod(Arc::new(named(info, entry)));
        true
    }
}

impl Groups {
    /// What a new group has to wait for.
    pub(super) fn naming_of(&self, info: &GroupInfo) -> Naming {
        if self.naming.directory.is_none() {
            return Naming::Settled;
        }
        match info {
            // Taken back from among the ended ones, with its name.
            GroupInfo::Pod(pod) if !pod.name.is_empty() => Naming::Named,
            GroupInfo::Container(container) if container.kind.is_some() => Naming::Named,
            GroupInfo::Pod(pod) if pod.shown_unnamed => Naming::Unnamed,
            GroupInfo::Container(container) if container.shown_as.is_some() => Naming::Unnamed,
            GroupInfo::Pod(_) => Naming::Held,
            GroupInfo::Container(container) if container.pod.is_some() => Naming::Held,
            _ => Naming::Settled,
        }
    }

    /// A group has appeared that waits for its name.
    pub(super) fn await_name(&mut self, naming: Naming) {
        self.naming.waiting |= matches!(naming, Naming::Held | Naming::Unnamed);
    }

    /// Gives names to pods and containers that are listed by now. Whether any group has got one: then those that
    /// describe themselves by it have to be described again.
    pub(in crate::sampler) fn resolve(&mut self, at: Timestamp) -> bool {
        let Some(directory) = self.naming.directory.take() else { return false };
        let pods = directory.load();
        let is_newer = !Arc::ptr_eq(&pods, &self.naming.seen);
        let mut has_named = false;
        if is_newer || self.naming.waiting {
            self.naming.seen = Arc::clone(&pods);
            let mut round = Round { pods: &pods, at, asks: false, waiting: false, unresolved: 0, has_named: false };
            for position in 0..self.slots.len() {
                self.name_pod(position, &mut round);
            }
            for position in 0..self.slots.len() {
                self.name_container(position, &mut round);
            }
            if round.has_named {
                for position in 0..self.slots.len() {
                    self.rename_around_job(position);
                }
            }
            directory.set_unresolved_pods(round.unresolved);
            if round.asks {
                directory.ask();
            }
            (self.naming.waiting, has_named) = (round.waiting, round.has_named);
        }
        drop(pods);
        self.naming.directory = Some(directory);
        has_named
    }

    fn name_pod(&mut self, position: usize, round: &mut Round<'_>) {
        let Some(Some(group)) = self.slots.get_mut(position) else { return };
        let GroupInfo::Pod(info) = &group.info else { return };
        let since = *group.since.get_or_insert(round.at);
        let Some(entry) = round.pods.pod(&info.id) else {
            if group.naming != Naming::Named {
                round.unresolved += 1;
                group.naming = round.wait(since, group.naming);
                if group.naming == Naming::Unnamed && !info.shown_unnamed {
                    group.info = GroupInfo::Pod(Arc::new(PodInfo { shown_unnamed: true, ..PodInfo::clone(info) }));
                    round.has_named = true;
                }
            }
            return;
        };
        if group.naming == Naming::Named {
            // Limits may be changed in place, and annotations at any time; the rest stays as it was first seen.
            let is_resized = info.resources != entry.resources && !entry.resources.is_empty();
            if is_resized || info.annotations != entry.annotations {
                let resources = if is_resized { entry.resources } else { info.resources };
                let annotations = entry.annotations.clone();
                group.info = GroupInfo::Pod(Arc::new(PodInfo { resources, annotations, ..PodInfo::clone(info) }));
            }
            round.has_named |= group.complete(entry);
            return;
        }
        group.info = GroupInfo::Pod(Arc::new(named(info, entry)));
        group.naming = Naming::Named;
        round.has_named = true;
    }

    fn name_container(&mut self, position: usize, round: &mut Round<'_>) {
        let Some(Some(group)) = self.slots.get(position) else { return };
        let GroupInfo::Container(info) = &group.info else { return };
        let Some(pod) = info.pod.as_ref().filter(|_| group.naming != Naming::Settled) else { return };
        let around = self.pod_around(group);
        let (pod_info, pod_is_shown) = match around {
            Some((pod, is_shown)) => (Arc::clone(pod), is_shown),
            None => (Arc::clone(pod), true),
        };
        let (naming, is_nested) = (group.naming, group.is_nested);
        let mut next = Arc::clone(info);
        let entry = round.pods.pod(&pod_info.id).or_else(|| round.pods.pod_of_container(&info.id));
        let listed = entry.and_then(|entry| entry.container(&info.id));
        let since = group.since.unwrap_or(round.at);
        let named = match (naming, entry, listed) {
            (Naming::Named, _, listed) => {
                if let Some(listed) = listed.filter(|listed| listed.resources != info.resources) {
                    Arc::make_mut(&mut next).resources = listed.resources;
                }
                // What names alone tell of is taken for a regular one.
                if let Some(listed) = listed
                    .filter(|listed| info.kind == Some(ContainerKind::Regular) && listed.kind != ContainerKind::Regular)
                {
                    Arc::make_mut(&mut next).kind = Some(listed.kind);
                }
                Naming::Named
            }
            (_, _, Some(listed)) => {
                let own = Arc::make_mut(&mut next);
                own.name.clone_from(&listed.name);
                (own.kind, own.resources) = (Some(listed.kind), listed.resources);
                Naming::Named
            }
            // A container that a container of the pod runs: Kubernetes knows nothing of it.
            _ if is_nested => {
                if pod_is_shown {
                    Naming::Unnamed
                } else {
                    Naming::Held
                }
            }
            (_, Some(entry), None) if entry.lists_containers => {
                round.wait(since, naming);
                Naming::Unlisted
            }
            (Naming::Unlisted, None, _) => Naming::Unlisted,
            _ => round.wait(since, naming),
        };
        if !Arc::ptr_eq(next.pod.as_ref().unwrap_or(&pod_info), &pod_info) {
            Arc::make_mut(&mut next).pod = Some(pod_info);
        }
        let Some(Some(group)) = self.slots.get_mut(position) else { return };
        group.since = Some(since);
        if named == Naming::Unnamed && !is_nested && next.shown_as.is_none() {
            let own = Arc::make_mut(&mut next);
            own.shown_as = Some(own.name.clone());
        }
        let GroupInfo::Container(info) = &mut group.info else { return };
        round.has_named |= !Arc::ptr_eq(info, &next);
        *info = next;
        group.naming = named;
    }

    /// A job within a container or pod describes that as it is named by now.
    fn rename_around_job(&mut self, position: usize) {
        let Some(Some(group)) = self.slots.get(position) else { return };
        let GroupInfo::Job(info) = &group.info else { return };
        let Some(around) = group.within.and_then(|within| self.info(within)) else { return };
        let mut next = Arc::clone(info);
        match around {
            GroupInfo::Container(container) if info.container.as_ref().is_some_and(|own| own.id == container.id) => {
                Arc::make_mut(&mut next).container = Some(Arc::clone(container));
            }
            GroupInfo::Pod(pod) if info.pod.as_ref().is_some_and(|own| own.id == pod.id) => {
                Arc::make_mut(&mut next).pod = Some(Arc::clone(pod));
            }
            _ => return,
        }
        if let Some(Some(group)) = self.slots.get_mut(position) {
            group.info = GroupInfo::Job(next);
        }
    }

    /// The pod around a container, and whether it is shown.
    fn pod_around(&self, container: &Group) -> Option<(&Arc<PodInfo>, bool)> {
        let group = self.get(container.within?)?;
        match &group.info {
            GroupInfo::Pod(pod) => Some((pod, group.is_shown())),
            _ => None,
        }
    }

    /// The container of an identifier, as it is described now.
    pub(in crate::sampler) fn described(&self, container: &ContainerInfo) -> Option<&Arc<ContainerInfo>> {
        let &index = self.by_key.get(&super::Key::container(container))?;
        match self.info(index)? {
            GroupInfo::Container(info) => Some(info),
            _ => None,
        }
    }

    /// Whether a container stands directly in its pod.
    pub(super) fn is_directly_in_pod(&self, within: Option<GroupIndex>, pod: &PodInfo) -> bool {
        let around = within.and_then(|within| self.info(within));
        !matches!(around, Some(GroupInfo::Container(outer)) if outer.pod.as_ref().is_some_and(|own| own.id == pod.id))
    }
}

/// One look into the directory.
struct Round<'a> {
    pods: &'a PodDirectory,
    at: Timestamp,
    /// Whether a newer list may know more.
    asks: bool,
    /// Whether anything may change without a newer list.
    waiting: bool,
    unresolved: u64,
    has_named: bool,
}

impl Round<'_> {
    /// What becomes of something that is not listed.
    fn wait(&mut self, since: Timestamp, naming: Naming) -> Naming {
        let is_settled = self.pods.read_at().is_some_and(|read_at| read_at.boottime >= since.boottime + LISTED_AFTER);
        self.asks |= !is_settled;
        self.waiting |= !is_settled;
        let is_held = matches!(naming, Naming::Held | Naming::Unlisted) && self.at.boottime_since(&since) < HOLD;
        self.waiting |= is_held;
        if is_held { Naming::Held } else { Naming::Unnamed }
    }
}

fn named(info: &PodInfo, entry: &PodEntry) -> PodInfo {
    PodInfo {
        name: entry.name.clone(),
        namespace: entry.namespace.clone(),
        owner: entry.owner.clone(),
        qos_class: entry.qos_class.clone(),
        labels: entry.labels.clone(),
        resources: entry.resources,
        annotations: entry.annotations.clone(),
        ..info.clone()
    }
}
