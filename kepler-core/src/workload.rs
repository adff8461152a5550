//! Workloads: identities of processes, containers, pods, VMs, systemd units and batch jobs.
//!
//! A new process is read ([`process`]) and classified by its cgroup path ([`cgroup`]), and for virtual
//! machines by its executable, command line and open files ([`vm`]); containers get a name where the
//! host has one ([`names`]). All of it is done once an identity; strings are shared from then on.
//!
//! Each kind has a struct of its own, and all of them are a [`Workload`]: kind, identity, name, what it belongs
//! to, and a table of what is known of it, from which frontends make labels, fields and columns.
//!
//! ```
//! use kepler_core::workload::{ProcessInfo, Value, Workload, WorkloadKind};
//!
//! let process = ProcessInfo::new(42, 8765, "nginx");
//! assert_eq!((process.kind(), process.identity().to_string()), (WorkloadKind::Process, "42/8765".to_owned()));
//! let comm = process.attributes().find(|(attribute, _)| attribute.name == "comm");
//! assert_eq!(comm.map(|(_, value)| value), Some(Value::Text("nginx")));
//! ```

mod attribute;
pub mod cgroup;
mod kind;
mod kubernetes;
pub mod names;
pub mod process;
mod rows;
mod unit;
pub mod vm;

pub use attribute::{Attribute, Attributes, Identity, Parents, Value, Workload};
pub use kind::{UnknownWorkloadKind, WorkloadKind};
pub use kubernetes::{ContainerKind, ENERGY_PREFIX, EnergyAnnotation, PodOwner, ResourceAmounts};

use std::sync::Arc;

/// A process, identified by number and start time: numbers are reused, the pair is not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct ProcessInfo {
    /// Process number on the host.
    pub pid: u32,
    /// Start time after boot, in clock ticks (field 22 of `/proc/PID/stat`).
    pub start_ticks: u64,
    /// Command name, at most 15 bytes; bytes that are not UTF-8 are replaced.
    pub comm: String,
    /// Path of the executable; empty for kernel threads and where the kernel does not show it.
    pub exe: String,
    /// The container it runs in, if any.
    pub container: Option<Arc<ContainerInfo>>,
    /// The virtual machine it *is*, if any.
    pub vm: Option<Arc<VmInfo>>,
    /// The systemd unit or slice it runs in, unless it is in a container or a job.
    pub unit: Option<Arc<UnitInfo>>,
    /// The batch job it runs in, if any, inside or outside of a container.
    pub job: Option<Arc<JobInfo>>,
}

impl ProcessInfo {
    /// A process that is in no container, unit or job.
    #[must_use]
    pub fn new(pid: u32, start_ticks: u64, comm: impl Into<String>) -> Self {
        ProcessInfo { pid, start_ticks, comm: comm.into(), ..ProcessInfo::default() }
    }

    /// `container`, `vm` or `regular`, the `type` label.
    #[must_use]
    pub fn process_type(&self) -> &'static str {
        if self.container.is_some() {
            "container"
        } else if self.vm.is_some() {
            "vm"
        } else {
            "regular"
        }
    }
}

/// A container.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct ContainerInfo {
    /// The runtime's identifier: 64 hexadecimal digits mostly; a name for LXC and nspawn.
    pub id: String,
    /// Its name where the host has it, else empty.
    pub name: String,
    /// `docker`, `containerd`, `crio`, `podman`, `nerdctl`, `kubernetes` (in a pod, by whatever
    /// runtime), `lxc`, `nspawn`, `nomad`, `ecs`, `isulad`, `balena`, `kata`, `garden`, `mesos`, `libvirt-lxc`, or `unknown`.
    pub runtime: &'static str,
    /// The pod it belongs to, if any.
    pub pod: Option<Arc<PodInfo>>,
    /// The batch job it was started by, if any; its energy is also the job's.
    pub job: Option<Arc<JobInfo>>,
    /// Its cgroup, as `/proc/PID/cgroup` gives it.
    pub cgroup: String,
    /// What it is in its pod, where Kubernetes was asked.
    pub kind: Option<ContainerKind>,
    /// The name in labels of metrics, where it was shown before Kubernetes told [`name`](Self::name): a series keeps its
    /// labels until it ends.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub shown_as: Option<String>,
    /// What it asked Kubernetes for, where that was asked.
    pub resources: ResourceAmounts,
}

impl ContainerInfo {
    /// A container of which no name, pod or cgroup is known.
    #[must_use]
    pub fn new(id: impl Into<String>, runtime: &'static str) -> Self {
        ContainerInfo { id: id.into(), runtime, ..ContainerInfo::default() }
    }

    /// Whether Kubernetes was asked about it.
    pub(crate) fn was_looked_up(&self) -> bool {
        self.kind.is_some() || self.shown_as.is_some()
    }

    /// Its name as labels of metrics have it.
    #[must_use]
    pub fn name_in_labels(&self) -> &str {
        self.shown_as.as_ref().unwrap_or(&self.name)
    }
}

/// A Kubernetes pod.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct PodInfo {
    /// The pod's UID, with dashes, or the config hash of a static pod.
    pub id: String,
    /// Its name; empty until Kubernetes is asked.
    pub name: String,
    /// Its namespace; empty until Kubernetes is asked.
    pub namespace: String,
    /// Its cgroup; empty if the runtime gave it none of its own.
    pub cgroup: String,
    /// Its controller, where Kubernetes was asked and it has one.
    pub owner: Option<PodOwner>,
    /// `Guaranteed`, `Burstable` or `BestEffort`; empty until Kubernetes is asked.
    pub qos_class: String,
    /// Those of its labels that were asked for, by name.
    pub labels: Vec<(String, String)>,
    /// What it asked Kubernetes for, where that was asked.
    pub resources: ResourceAmounts,
    /// How its energy is to be judged and shown, where it says so.
    pub annotations: Vec<EnergyAnnotation>,
    /// Whether labels of metrics leave out name and namespace: it was shown before Kubernetes told them, and a series keeps
    /// its labels until it ends.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub shown_unnamed: bool,
}

impl PodInfo {
    /// A pod of which only the UID is known.
    #[must_use]
    pub fn new(id: impl Into<String>) -> Self {
        PodInfo { id: id.into(), ..PodInfo::default() }
    }

    /// Name and namespace as labels of metrics have them.
    #[must_use]
    pub fn names_in_labels(&self) -> (&str, &str) {
        if self.shown_unnamed { ("", "") } else { (&self.name, &self.namespace) }
    }
}

/// A virtual machine: one process of a virtual machine monitor.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct VmInfo {
    /// Its UUID where the command line gives one, else its name, else `pid-<pid>-<start>`.
    pub id: String,
    /// Its name; empty if none was given.
    pub name: String,
    /// `kvm`, `cloud-hypervisor`, `firecracker`, `crosvm`, `virtualbox`, `vmware`, `xen`, …
    pub hypervisor: &'static str,
    /// What runs it, where that is known: `libvirt`, `openstack`, `kubevirt`, `proxmox`; else empty.
    pub manager: &'static str,
    /// What its manager calls it: libvirt's domain (`instance-0000001a` in OpenStack), Proxmox's number; else empty.
    pub domain: String,
    /// The OpenStack project or Kubernetes namespace that it belongs to; else empty.
    pub project: String,
    /// The OpenStack flavor that it is of; else empty.
    pub flavor: String,
    /// Its address for vsock in the host's kernel, if it has one.
    pub cid: Option<u32>,
}

impl VmInfo {
    /// A virtual machine; `name` may be empty.
    #[must_use]
    pub fn new(id: impl Into<String>, name: impl Into<String>, hypervisor: &'static str) -> Self {
        VmInfo { id: id.into(), name: name.into(), hypervisor, ..VmInfo::default() }
    }
}

/// A systemd unit or slice.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct UnitInfo {
    /// The unit's name, unescaped: `sshd.service`, `session-3.scope`, `user.slice`.
    pub name: String,
    /// Its cgroup, which distinguishes units of different users that have equal names.
    pub cgroup: String,
}

impl UnitInfo {
    /// The unit of a cgroup.
    #[must_use]
    pub fn new(name: impl Into<String>, cgroup: impl Into<String>) -> Self {
        UnitInfo { name: name.into(), cgroup: cgroup.into() }
    }
}

/// A job of a batch scheduler, as far as it runs on this node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct JobInfo {
    /// The scheduler's identifier: `4711`; of Slurm from 26.05 on its SLUID; of HTCondor the slot, as the cgroup has no
    /// number of the job.
    pub id: String,
    /// `slurm`, `htcondor`, `pbs`, `torque`, `lsf` or `oar`.
    pub scheduler: &'static str,
    /// Its cgroup, which distinguishes the parts of a job under several daemons of one host: each is a workload of its own.
    pub cgroup: String,
    /// The container that it runs in, with the scheduler's daemon; its energy is contained in that one's.
    pub container: Option<Arc<ContainerInfo>>,
    /// The pod that it runs in outside of any container of it.
    pub pod: Option<Arc<PodInfo>>,
}

impl JobInfo {
    /// The job of a cgroup.
    #[must_use]
    pub fn new(id: impl Into<String>, scheduler: &'static str, cgroup: impl Into<String>) -> Self {
        JobInfo { id: id.into(), scheduler, cgroup: cgroup.into(), container: None, pod: None }
    }
}

/// Processes of one command name in one container, job or unit that are known only as a sum: it has no process
/// number and no start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct CommandInfo {
    /// Command name when they ended, at most 15 bytes; bytes that are not UTF-8 are replaced.
    pub comm: String,
    /// The container they ran in, if any.
    pub container: Option<Arc<ContainerInfo>>,
    /// The systemd unit or slice they ran in, unless it was in a container or a job.
    pub unit: Option<Arc<UnitInfo>>,
    /// The batch job they ran in, if any.
    pub job: Option<Arc<JobInfo>>,
}

impl CommandInfo {
    /// A command that runs in no container, unit or job.
    #[must_use]
    pub fn new(comm: impl Into<String>) -> Self {
        CommandInfo { comm: comm.into(), ..CommandInfo::default() }
    }
}
