//! Containment of workloads in a snapshot.

use super::{Containment, WorkloadKind};
use kepler_core::snapshot::{AnyRow, Snapshot};
use kepler_core::workload::{Identity, Parents};
use std::cell::OnceCell;
use std::collections::HashMap;
use std::sync::Arc;

/// Answers for the rows of one snapshot. What takes a look at all rows is found at the first question for it.
pub(super) struct Nesting<'a> {
    snapshot: &'a Snapshot,
    /// Cgroup -> id of the container that has it.
    containers: OnceCell<HashMap<&'a str, &'a str>>,
    /// Id of a virtual machine -> what contains its process.
    machines: OnceCell<HashMap<&'a str, Containment>>,
}

impl<'a> Nesting<'a> {
    pub(super) fn of(snapshot: &'a Snapshot) -> Self {
        Nesting { snapshot, containers: OnceCell::new(), machines: OnceCell::new() }
    }

    /// The nearest workload that contains a row.
    pub(super) fn containment(&self, row: &AnyRow<'a>) -> Containment {
        let parents = row.parents();
        match row.kind() {
            WorkloadKind::Process => match parents.vm {
                Some(vm) => within(WorkloadKind::Vm, &vm.id),
                None => around(&parents),
            },
            WorkloadKind::Vm => match row.identity() {
                Identity::Text(id) => self.machines().get(id).cloned().unwrap_or(Containment::Outermost),
                _ => Containment::Outermost,
            },
            WorkloadKind::Container => match (parents.pod, parents.job) {
                (Some(pod), _) => within(WorkloadKind::Pod, &pod.id),
                (None, Some(job)) => within(WorkloadKind::Job, &job.cgroup),
                (None, None) => self.nested(row),
            },
            WorkloadKind::Pod => self.nested(row),
            WorkloadKind::Job => match (parents.container, parents.pod) {
                (Some(container), _) => within(WorkloadKind::Container, &container.id),
                (None, Some(pod)) => within(WorkloadKind::Pod, &pod.id),
                (None, None) => Containment::Outermost,
            },
            _ => around(&parents),
        }
    }

    /// The container in whose cgroup a container or pod has its own: clusters in containers.
    fn nested(&self, row: &AnyRow<'a>) -> Containment {
        let cgroup = match row.identity() {
            Identity::Text(id) if row.kind() == WorkloadKind::Pod => {
                self.snapshot.pods.iter().find(|pod| pod.info.id == id).map(|pod| pod.info.cgroup.as_str())
            }
            Identity::Text(id) => self
                .snapshot
                .containers
                .iter()
                .find(|container| container.info.id == id)
                .map(|container| container.info.cgroup.as_str()),
            _ => None,
        };
        let mut path = cgroup.unwrap_or_default();
        while let Some((outer, _)) = path.rsplit_once('/') {
            path = outer;
            if let Some(id) = self.containers().get(path) {
                return within(WorkloadKind::Container, id);
            }
        }
        Containment::Outermost
    }

    fn containers(&self) -> &HashMap<&'a str, &'a str> {
        self.containers.get_or_init(|| {
            let known = self.snapshot.containers.iter().filter(|row| !row.info.cgroup.is_empty());
            known.map(|row| (row.info.cgroup.as_str(), row.info.id.as_str())).collect()
        })
    }

    fn machines(&self) -> &HashMap<&'a str, Containment> {
        self.machines.get_or_init(|| {
            let of = |row: AnyRow<'a>| {
                let parents = row.parents();
                Some((parents.vm?.id.as_str(), around(&parents)))
            };
            self.snapshot.rows(WorkloadKind::Process).filter_map(of).collect()
        })
    }
}

/// The nearest of those that a process runs in.
fn around(parents: &Parents<'_>) -> Containment {
    match (parents.container, parents.job, parents.unit) {
        // A job within the container is nearer than the container.
        (_, Some(job), _) if job.container.is_some() => within(WorkloadKind::Job, &job.cgroup),
        (Some(container), ..) => within(WorkloadKind::Container, &container.id),
        (None, Some(job), _) => within(WorkloadKind::Job, &job.cgroup),
        (None, None, Some(unit)) => within(WorkloadKind::Unit, &unit.cgroup),
        (None, None, None) => Containment::Outermost,
    }
}

fn within(kind: WorkloadKind, uid: &str) -> Containment {
    Containment::Within { kind, uid: Arc::from(uid) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kepler_core::host::Timestamp;
    use kepler_core::snapshot::{Row, State};
    use kepler_core::workload::{ContainerInfo, JobInfo, ProcessInfo};

    /// What contains each row of a snapshot, by kind.
    fn containments(snapshot: &Snapshot) -> Vec<(WorkloadKind, Containment)> {
        let nesting = Nesting::of(snapshot);
        let mut found = Vec::new();
        snapshot.for_each(|row| found.push((row.kind(), nesting.containment(&row))));
        found
    }

    #[test]
    fn a_job_in_a_container_and_a_container_in_a_job_count_once() {
        let outside = Arc::new(ContainerInfo::new("outer", "docker"));
        let mut job = JobInfo::new("1", "slurm", "/docker/outer/slurm/job_1");
        job.container = Some(Arc::clone(&outside));
        let job = Arc::new(job);
        let mut process = ProcessInfo::new(7, 1, "solver");
        (process.container, process.job) = (Some(Arc::clone(&outside)), Some(Arc::clone(&job)));
        let around = Arc::new(JobInfo::new("2", "slurm", "/slurm/job_2"));
        let mut inside = ContainerInfo::new("inner", "docker");
        inside.job = Some(Arc::clone(&around));

        let mut snapshot = Snapshot::empty(Timestamp::now());
        snapshot.containers = vec![Row::new(outside, State::Running), Row::new(inside, State::Running)];
        snapshot.jobs = vec![Row::new(job, State::Running), Row::new(around, State::Running)];
        snapshot.processes = vec![Row::new(process, State::Running)];
        let within = |kind, uid: &str| Containment::Within { kind, uid: uid.into() };
        let found = containments(&snapshot);
        let of = |kind| found.iter().filter(|own| own.0 == kind).map(|own| own.1.clone()).collect::<Vec<_>>();
        assert_eq!(of(WorkloadKind::Job), [within(WorkloadKind::Container, "outer"), Containment::Outermost]);
        assert_eq!(of(WorkloadKind::Container), [Containment::Outermost, within(WorkloadKind::Job, "/slurm/job_2")]);
        assert_eq!(of(WorkloadKind::Process), [within(WorkloadKind::Job, "/docker/outer/slurm/job_1")]);
    }
}
