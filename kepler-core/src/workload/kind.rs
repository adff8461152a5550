//! The kinds of workload.
//!
//! A new kind is added here, gets a struct that is a [`Workload`](super::Workload) and a list in
//! [`Snapshot`](crate::snapshot::Snapshot), and is found by a classifier. Frontends go through
//! [`WorkloadKind::MEASURED`] and through what a [`Workload`](super::Workload) tells of itself.

use std::fmt;
use std::str::FromStr;

/// A kind of workload, in the order in which a name that several share is resolved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "lowercase"))]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema), schemars(description = "A kind of workload."))]
#[non_exhaustive]
pub enum WorkloadKind {
    /// A Kubernetes pod.
    Pod,
    /// A Kubernetes deployment: the sum of its pods.
    Deployment,
    /// A Kubernetes stateful set: the sum of its pods.
    StatefulSet,
    /// A Kubernetes daemon set: the sum of its pods.
    DaemonSet,
    /// A job of a batch scheduler (Slurm, HTCondor); in Kubernetes the sum of a job's pods.
    Job,
    /// What controls pods and is none of these: a bare replica set, an Argo Rollout, a CloneSet; the sum of its pods.
    Controller,
    /// A container.
    Container,
    /// A systemd unit or slice.
    Unit,
    /// A virtual machine.
    Vm,
    /// A process.
    Process,
    /// Processes of one command name that are not listed one by one.
    Command,
}

impl WorkloadKind {
    /// All kinds, in the order in which a shared name is resolved.
    ///
    /// ```
    /// use kepler_core::workload::WorkloadKind;
    ///
    /// assert_eq!("pod".parse(), Ok(WorkloadKind::Pod));
    /// assert_eq!(WorkloadKind::Process.plural(), "processes");
    /// assert!("gpu".parse::<WorkloadKind>().unwrap_err().to_string().contains("container"));
    /// assert!(WorkloadKind::ALL.starts_with(&[WorkloadKind::Pod]));
    /// ```
    pub const ALL: [WorkloadKind; 11] = [
        WorkloadKind::Pod,
        WorkloadKind::Deployment,
        WorkloadKind::StatefulSet,
        WorkloadKind::DaemonSet,
        WorkloadKind::Job,
        WorkloadKind::Controller,
        WorkloadKind::Container,
        WorkloadKind::Unit,
        WorkloadKind::Vm,
        WorkloadKind::Process,
        WorkloadKind::Command,
    ];

    /// The kinds that a snapshot has rows of. The others are sums that need to know what Kubernetes knows.
    pub const MEASURED: [WorkloadKind; 7] = [
        WorkloadKind::Process,
        WorkloadKind::Container,
        WorkloadKind::Pod,
        WorkloadKind::Vm,
        WorkloadKind::Unit,
        WorkloadKind::Job,
        WorkloadKind::Command,
    ];

    /// Its name in arguments, answers and metric names: lower case, no spaces.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            WorkloadKind::Pod => "pod",
            WorkloadKind::Deployment => "deployment",
            WorkloadKind::StatefulSet => "statefulset",
            WorkloadKind::DaemonSet => "daemonset",
            WorkloadKind::Job => "job",
            WorkloadKind::Controller => "controller",
            WorkloadKind::Container => "container",
            WorkloadKind::Unit => "unit",
            WorkloadKind::Vm => "vm",
            WorkloadKind::Process => "process",
            WorkloadKind::Command => "command",
        }
    }

    /// The name of a list of them: `pods`, `processes`.
    #[must_use]
    pub const fn plural(self) -> &'static str {
        match self {
            WorkloadKind::Pod => "pods",
            WorkloadKind::Deployment => "deployments",
            WorkloadKind::StatefulSet => "statefulsets",
            WorkloadKind::DaemonSet => "daemonsets",
            WorkloadKind::Job => "jobs",
            WorkloadKind::Controller => "controllers",
            WorkloadKind::Container => "containers",
            WorkloadKind::Unit => "units",
            WorkloadKind::Vm => "vms",
            WorkloadKind::Process => "processes",
            WorkloadKind::Command => "commands",
        }
    }

    /// Whether a Kubernetes namespace selects among workloads of this kind. A batch scheduler's jobs have none.
    #[must_use]
    pub const fn is_namespaced(self) -> bool {
        matches!(self, WorkloadKind::Pod) || self.is_controller()
    }

    /// Whether it can be the controller of pods, and its energy the sum of theirs.
    #[must_use]
    pub const fn is_controller(self) -> bool {
        matches!(
            self,
            WorkloadKind::Deployment
                | WorkloadKind::StatefulSet
                | WorkloadKind::DaemonSet
                | WorkloadKind::Job
                | WorkloadKind::Controller
        )
    }
}

impl fmt::Display for WorkloadKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// No kind of workload has this name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "there is no kind of workload `{0}`; there are pod, deployment, statefulset, daemonset, job, controller, container, unit, vm, \
     process and command"
)]
#[non_exhaustive]
pub struct UnknownWorkloadKind(pub String);

impl FromStr for WorkloadKind {
    type Err = UnknownWorkloadKind;

    /// Reads a [name](WorkloadKind::name), upper or lower case.
    fn from_str(name: &str) -> Result<Self, UnknownWorkloadKind> {
        let found = WorkloadKind::ALL.into_iter().find(|kind| kind.name().eq_ignore_ascii_case(name));
        found.ok_or_else(|| UnknownWorkloadKind(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_reads_back_from_its_name_and_the_error_lists_them_all() {
        let error = "socket".parse::<WorkloadKind>().unwrap_err().to_string();
        for kind in WorkloadKind::ALL {
            assert_eq!(kind.name().to_uppercase().parse(), Ok(kind));
            assert!(error.contains(kind.name()), "{kind}: {error}");
            assert!(kind.plural().starts_with(kind.name()), "{kind}");
        }
        assert!(error.contains("`socket`"));
    }

    #[test]
    fn measured_kinds_are_kinds_and_no_controllers_but_jobs() {
        for kind in WorkloadKind::MEASURED {
            assert!(WorkloadKind::ALL.contains(&kind));
            assert_eq!(kind.is_controller(), kind == WorkloadKind::Job);
        }
        assert_eq!(format!("{:>6}|", WorkloadKind::Vm), "    vm|");
    }
}
