//! Who used the energy: identities of processes, containers, pods, VMs and systemd units.
//!
//! A new process is read ([`process`]) and classified by its cgroup path ([`cgroup`]), and for virtual
//! machines by its executable, command line and open files ([`vm`]); containers get a name where the
//! host tells one ([`names`]). All of it is done once an identity; strings are shared from then on.

pub mod cgroup;
pub mod names;
pub mod process;
mod unit;
pub mod vm;

use std::sync::Arc;

/// A process, identified by number and start time: numbers are reused, the pair is not.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct ProcessInfo {
    /// Process number on the host.
    pub pid: u32,
    /// Start time after boot, in clock ticks (field 22 of `/proc/PID/stat`).
    pub start_ticks: u64,
    /// Command name, at most 15 bytes; bytes that are not UTF-8 are replaced.
    pub comm: String,
    /// Path of the executable; empty for kernel threads and where the kernel refuses to tell.
    pub exe: String,
    /// The container it runs in, if any.
    pub container: Option<Arc<ContainerInfo>>,
    /// The virtual machine it *is*, if any.
    pub vm: Option<Arc<VmInfo>>,
    /// The systemd unit or slice it runs in, unless it is in a container.
    pub unit: Option<Arc<UnitInfo>>,
}

impl ProcessInfo {
    /// `container`, `vm` or `regular`, the `type` label.
    #[must_use]
    pub fn kind(&self) -> &'static str {
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
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct ContainerInfo {
    /// The runtime's identifier: 64 hexadecimal digits mostly; a name for LXC and nspawn.
    pub id: String,
    /// Its name, where the host tells; else empty.
    pub name: String,
    /// `docker`, `containerd`, `crio`, `podman`, `nerdctl`, `kubernetes` (in a pod, by whatever
    /// runtime), `lxc`, `nspawn`, `nomad`, `ecs`, or `unknown`.
    pub runtime: &'static str,
    /// The pod it belongs to, if any.
    pub pod: Option<Arc<PodInfo>>,
    /// Its cgroup, as `/proc/PID/cgroup` gives it.
    pub cgroup: String,
}

/// A Kubernetes pod.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct PodInfo {
    /// The pod's UID, with dashes, or the config hash of a static pod.
    pub id: String,
    /// Its name; empty until Kubernetes is asked.
    pub name: String,
    /// Its namespace; empty until Kubernetes is asked.
    pub namespace: String,
    /// Its cgroup; empty if the runtime gave it none of its own.
    pub cgroup: String,
}

/// A virtual machine: one process of a virtual machine monitor.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct VmInfo {
    /// Its UUID where the command line gives one, else its name, else `pid-<pid>-<start>`.
    pub id: String,
    /// Its name; empty if none was given.
    pub name: String,
    /// `kvm`, `cloud-hypervisor`, `firecracker`, `crosvm`, `virtualbox`, `vmware`, `xen`, …
    pub hypervisor: &'static str,
}

/// Processes of one name in one container or unit that came and went between two looks. They are known
/// only as a sum: it has no number and no start.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct CommandInfo {
    /// Command name when they ended, at most 15 bytes; bytes that are not UTF-8 are replaced.
    pub comm: String,
    /// The container they ran in, if any.
    pub container: Option<Arc<ContainerInfo>>,
    /// The systemd unit or slice they ran in, unless it was in a container.
    pub unit: Option<Arc<UnitInfo>>,
}

/// A systemd unit or slice.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct UnitInfo {
    /// The unit's name, unescaped: `sshd.service`, `session-3.scope`, `user.slice`.
    pub name: String,
    /// Its cgroup, which tells equal names of different users apart.
    pub cgroup: String,
}
