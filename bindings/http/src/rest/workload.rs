//! Workloads as they are shown: one struct a kind.

use kepler_core::workload::{ContainerInfo, PodInfo, ProcessInfo, UnitInfo, VmInfo};
use schemars::JsonSchema;
use serde::Serialize;

/// A kind of workload, as it is shown.
pub(super) trait Workload {
    type Shown<'a>: Serialize
    where
        Self: 'a;
    fn name(&self) -> &str;
    fn pod(&self) -> Option<&PodInfo>;
    fn container(&self) -> Option<&ContainerInfo>;
    fn show(&self) -> Self::Shown<'_>;
}

/// A process.
#[derive(Serialize, JsonSchema)]
pub(super) struct Process<'a> {
    /// Process number on the host.
    pid: u32,
    /// Start after boot, in clock ticks; tells processes of one number apart.
    start_ticks: u64,
    /// Command name.
    comm: &'a str,
    /// Path of the executable; empty for kernel threads.
    exe: &'a str,
    /// Id of the container it runs in.
    #[serde(skip_serializing_if = "Option::is_none")]
    container_id: Option<&'a str>,
    /// Name of that container.
    #[serde(skip_serializing_if = "Option::is_none")]
    container_name: Option<&'a str>,
    /// UID of the pod it runs in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pod_id: Option<&'a str>,
    /// Id of the virtual machine that it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    vm_id: Option<&'a str>,
    /// The systemd unit it runs in.
    #[serde(skip_serializing_if = "Option::is_none")]
    unit: Option<&'a str>,
}

/// A container.
#[derive(Serialize, JsonSchema)]
pub(super) struct Container<'a> {
    /// The runtime's identifier.
    id: &'a str,
    /// Its name; empty where the host does not tell.
    name: &'a str,
    /// `docker`, `containerd`, `crio`, `podman`, …
    runtime: &'static str,
    /// Its cgroup.
    cgroup: &'a str,
    /// UID of its pod.
    #[serde(skip_serializing_if = "Option::is_none")]
    pod_id: Option<&'a str>,
    /// Name of its pod.
    #[serde(skip_serializing_if = "Option::is_none")]
    pod_name: Option<&'a str>,
    /// Namespace of its pod.
    #[serde(skip_serializing_if = "Option::is_none")]
    pod_namespace: Option<&'a str>,
}

/// A Kubernetes pod.
#[derive(Serialize, JsonSchema)]
pub(super) struct Pod<'a> {
    /// Its UID.
    id: &'a str,
    /// Its name; empty until Kubernetes tells.
    name: &'a str,
    /// Its namespace; empty until Kubernetes tells.
    namespace: &'a str,
    /// Its cgroup.
    cgroup: &'a str,
}

/// A virtual machine.
#[derive(Serialize, JsonSchema)]
pub(super) struct Vm<'a> {
    /// Its UUID, else its name.
    id: &'a str,
    /// Its name; empty if it has none.
    name: &'a str,
    /// `kvm`, `cloud-hypervisor`, `firecracker`, …
    hypervisor: &'static str,
}

/// A systemd unit or slice.
#[derive(Serialize, JsonSchema)]
pub(super) struct Unit<'a> {
    /// Its name.
    name: &'a str,
    /// Its cgroup.
    cgroup: &'a str,
}

/// A text that may be empty for not known.
fn told(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}

impl Workload for ProcessInfo {
    type Shown<'a> = Process<'a>;

    fn name(&self) -> &str {
        &self.comm
    }

    fn pod(&self) -> Option<&PodInfo> {
        self.container.as_ref()?.pod.as_deref()
    }

    fn container(&self) -> Option<&ContainerInfo> {
        self.container.as_deref()
    }

    fn show(&self) -> Process<'_> {
        Process {
            pid: self.pid,
            start_ticks: self.start_ticks,
            comm: &self.comm,
            exe: &self.exe,
            container_id: self.container().map(|container| &*container.id),
            container_name: self.container().and_then(|container| told(&container.name)),
            pod_id: self.pod().map(|pod| &*pod.id),
            vm_id: self.vm.as_ref().map(|vm| &*vm.id),
            unit: self.unit.as_ref().map(|unit| &*unit.name),
        }
    }
}

impl Workload for ContainerInfo {
    type Shown<'a> = Container<'a>;

    fn name(&self) -> &str {
        told(&self.name).unwrap_or(&self.id)
    }

    fn pod(&self) -> Option<&PodInfo> {
        self.pod.as_deref()
    }

    fn container(&self) -> Option<&ContainerInfo> {
        Some(self)
    }

    fn show(&self) -> Container<'_> {
        Container {
            id: &self.id,
            name: &self.name,
            runtime: self.runtime,
            cgroup: &self.cgroup,
            pod_id: self.pod().map(|pod| &*pod.id),
            pod_name: self.pod().and_then(|pod| told(&pod.name)),
            pod_namespace: self.pod().and_then(|pod| told(&pod.namespace)),
        }
    }
}

impl Workload for PodInfo {
    type Shown<'a> = Pod<'a>;

    fn name(&self) -> &str {
        told(&self.name).unwrap_or(&self.id)
    }

    fn pod(&self) -> Option<&PodInfo> {
        Some(self)
    }

    fn container(&self) -> Option<&ContainerInfo> {
        None
    }

    fn show(&self) -> Pod<'_> {
        Pod { id: &self.id, name: &self.name, namespace: &self.namespace, cgroup: &self.cgroup }
    }
}

impl Workload for VmInfo {
    type Shown<'a> = Vm<'a>;

    fn name(&self) -> &str {
        told(&self.name).unwrap_or(&self.id)
    }

    fn pod(&self) -> Option<&PodInfo> {
        None
    }

    fn container(&self) -> Option<&ContainerInfo> {
        None
    }

    fn show(&self) -> Vm<'_> {
        Vm { id: &self.id, name: &self.name, hypervisor: self.hypervisor }
    }
}

impl Workload for UnitInfo {
    type Shown<'a> = Unit<'a>;

    fn name(&self) -> &str {
        &self.name
    }

    fn pod(&self) -> Option<&PodInfo> {
        None
    }

    fn container(&self) -> Option<&ContainerInfo> {
        None
    }

    fn show(&self) -> Unit<'_> {
        Unit { name: &self.name, cgroup: &self.cgroup }
    }
}
