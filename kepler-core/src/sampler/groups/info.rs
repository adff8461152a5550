//! Identity of a group.

use crate::sampler::retired::Identified;
use crate::workload::{ContainerInfo, JobInfo, PodInfo, UnitInfo, VmInfo, Workload, WorkloadKind};
use std::sync::Arc;

/// The description of a group of any kind.
#[derive(Debug)]
pub(in crate::sampler) enum GroupInfo {
    Container(Arc<ContainerInfo>),
    Pod(Arc<PodInfo>),
    Unit(Arc<UnitInfo>),
    Job(Arc<JobInfo>),
    Vm(Arc<VmInfo>),
}

/// What makes two groups the same: the kind, and the [identity](Workload::identity) as text.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    kind: WorkloadKind,
    identity: String,
}

impl Key {
    pub(super) fn container(info: &ContainerInfo) -> Self {
        Key { kind: WorkloadKind::Container, identity: info.id.clone() }
    }
}

impl GroupInfo {
    fn workload(&self) -> &dyn Workload {
        match self {
            GroupInfo::Container(info) => &**info,
            GroupInfo::Pod(info) => &**info,
            GroupInfo::Unit(info) => &**info,
            GroupInfo::Job(info) => &**info,
            GroupInfo::Vm(info) => &**info,
        }
    }

    pub(super) fn key(&self) -> Key {
        Key { kind: self.kind(), identity: self.workload().identity().to_string() }
    }

    /// Takes over the names that Kubernetes gave an earlier one of the same identity.
    pub(super) fn keep_names(&mut self, earlier: &GroupInfo) {
        match (self, earlier) {
            (GroupInfo::Pod(info), GroupInfo::Pod(earlier)) => {
                let cgroup = info.cgroup.clone();
                *info = Arc::new(PodInfo { cgroup, ..PodInfo::clone(earlier) });
            }
            (GroupInfo::Container(info), GroupInfo::Container(earlier)) if earlier.was_looked_up() => {
                let own = Arc::make_mut(info);
                own.name.clone_from(&earlier.name);
                (own.kind, own.resources) = (earlier.kind, earlier.resources);
                own.shown_as.clone_from(&earlier.shown_as);
            }
            _ => {}
        }
    }

    /// The group's cgroup, empty if it has none of its own.
    pub(super) fn cgroup(&self) -> &str {
        match self {
            GroupInfo::Container(info) => &info.cgroup,
            GroupInfo::Pod(info) => &info.cgroup,
            GroupInfo::Unit(info) => &info.cgroup,
            GroupInfo::Job(info) => &info.cgroup,
            GroupInfo::Vm(_) => "",
        }
    }
}

impl Identified for GroupInfo {
    fn kind(&self) -> WorkloadKind {
        self.workload().kind()
    }

    fn is_same(&self, other: &Self) -> bool {
        self.kind() == other.kind() && self.workload().identity() == other.workload().identity()
    }
}
