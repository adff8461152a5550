//! The table of attributes of each kind of workload: one row a kind. Frontends make labels, fields and
//! columns from it.

use super::attribute::{Attribute, Attributes, Identity, Parents, Value, Workload};
use super::{
    CommandInfo, ContainerInfo, ContainerKind, JobInfo, PodInfo, PodOwner, ProcessInfo, ResourceAmounts, UnitInfo,
    VmInfo, WorkloadKind,
};

const PROCESS: &[Attribute; 11] = &[
    Attribute::number("pid", Some("pid"), "Process number on the host."),
    Attribute::number("start_ticks", None, "Start after boot in clock ticks; with the number, the identity."),
    Attribute::text("comm", Some("comm"), "Command name."),
    Attribute::text("exe", Some("exe"), "Path of the executable; absent for kernel threads."),
    Attribute::text("kind", Some("type"), "`regular`, `container` or `vm`."),
    Attribute::text("container_id", Some("container_id"), "Id of the container it runs in."),
    Attribute::text("container_name", None, "Name of that container."),
    Attribute::text("pod_id", None, "UID of the pod it runs in."),
    Attribute::text("vm_id", Some("vm_id"), "Id of the virtual machine that it is."),
    Attribute::text("unit", None, "The systemd unit it runs in."),
    Attribute::text("job_id", None, "Id of the batch job it runs in."),
];

const CONTAINER: &[Attribute; 9] = &[
    Attribute::text("id", Some("container_id"), "The runtime's identifier."),
    Attribute::text("name", Some("container_name"), "Its name, where the host has it."),
    Attribute::text("runtime", Some("runtime"), "`docker`, `containerd`, `crio`, `podman`, …"),
    Attribute::text("pod_id", Some("pod_id"), "UID of its pod."),
    Attribute::text("pod_name", None, "Name of its pod."),
    Attribute::text("pod_namespace", None, "Namespace of its pod."),
    Attribute::text(
        "container_kind",
        None,
        "`regular`, `init`, `sidecar` or `ephemeral`; absent until Kubernetes is asked.",
    ),
    Attribute::text("job_id", None, "Id of the batch job that started it."),
    Attribute::text("cgroup", None, "Its cgroup."),
];

const POD: &[Attribute; 7] = &[
    Attribute::text("id", Some("pod_id"), "Its UID."),
    Attribute::text("name", Some("pod_name"), "Its name; absent until Kubernetes is asked."),
    Attribute::text("namespace", Some("pod_namespace"), "Its namespace; absent until Kubernetes is asked."),
    Attribute::text("owner_kind", None, "Kind of its controller: `Deployment`, `StatefulSet`, `DaemonSet`, `Job`, …"),
    Attribute::text("owner_name", None, "Name of its controller."),
    Attribute::text("qos_class", None, "`Guaranteed`, `Burstable` or `BestEffort`; absent until Kubernetes is asked."),
    Attribute::text("cgroup", None, "Its cgroup."),
];

const VM: &[Attribute; 7] = &[
    Attribute::text("id", Some("vm_id"), "Its UUID, else its name."),
    Attribute::text("name", Some("vm_name"), "Its name, if it has one."),
    Attribute::text("hypervisor", Some("hypervisor"), "`kvm`, `cloud-hypervisor`, `firecracker`, …"),
    Attribute::text("manager", None, "`libvirt`, `openstack`, `kubevirt` or `proxmox`, where that is known."),
    Attribute::text("domain", None, "What its manager calls it: libvirt's domain, Proxmox's number."),
    Attribute::text("project", None, "The OpenStack project or Kubernetes namespace that it belongs to."),
    Attribute::text("flavor", None, "The OpenStack flavor that it is of."),
];

const UNIT: &[Attribute; 2] =
    &[Attribute::text("name", Some("unit"), "Its name."), Attribute::text("cgroup", Some("cgroup"), "Its cgroup.")];

const JOB: &[Attribute; 4] = &[
    Attribute::text("id", Some("job_id"), "The scheduler's identifier."),
    Attribute::text("scheduler", Some("scheduler"), "`slurm`, `htcondor`."),
    Attribute::text("cgroup", Some("cgroup"), "Its cgroup: parts of a job under several daemons have one each."),
    Attribute::text("container_id", None, "Id of the container it runs in."),
];

const COMMAND: &[Attribute; 5] = &[
    Attribute::text("comm", Some("comm"), "Command name."),
    Attribute::text("container_id", Some("container_id"), "Id of the container they ran in."),
    Attribute::text("unit", Some("unit"), "The systemd unit they ran in."),
    Attribute::text("cgroup", Some("cgroup"), "The cgroup of that unit."),
    Attribute::text("job_id", Some("job_id"), "Id of the batch job they ran in."),
];

impl WorkloadKind {
    /// What is known of every workload of this kind; of none that is not [measured](WorkloadKind::MEASURED).
    #[must_use]
    pub const fn attributes(self) -> &'static [Attribute] {
        match self {
            WorkloadKind::Process => PROCESS,
            WorkloadKind::Container => CONTAINER,
            WorkloadKind::Pod => POD,
            WorkloadKind::Vm => VM,
            WorkloadKind::Unit => UNIT,
            WorkloadKind::Job => JOB,
            WorkloadKind::Command => COMMAND,
            WorkloadKind::Deployment
            | WorkloadKind::StatefulSet
            | WorkloadKind::DaemonSet
            | WorkloadKind::Controller => &[],
        }
    }
}

impl Workload for ProcessInfo {
    fn kind(&self) -> WorkloadKind {
        WorkloadKind::Process
    }

    fn identity(&self) -> Identity<'_> {
        Identity::Process { pid: self.pid, start_ticks: self.start_ticks }
    }

    fn name(&self) -> &str {
        &self.comm
    }

    fn parents(&self) -> Parents<'_> {
        let container = self.container.as_deref();
        Parents {
            container,
            pod: container.and_then(|container| container.pod.as_deref()),
            unit: self.unit.as_deref(),
            vm: self.vm.as_deref(),
            job: self.job.as_deref(),
        }
    }

    fn attributes(&self) -> Attributes<'_> {
        let Parents { container, pod, unit, vm, job } = self.parents();
        let values = [
            Value::Number(self.pid.into()),
            Value::Number(self.start_ticks),
            Value::Text(&self.comm),
            Value::known(&self.exe),
            Value::Text(self.process_type()),
            container.map(|container| &*container.id).into(),
            container.map(|container| &*container.name).into(),
            pod.map(|pod| &*pod.id).into(),
            vm.map(|vm| &*vm.id).into(),
            unit.map(|unit| &*unit.name).into(),
            job.map(|job| &*job.id).into(),
        ];
        Attributes::new(PROCESS, values)
    }
}

impl Workload for ContainerInfo {
    fn kind(&self) -> WorkloadKind {
        WorkloadKind::Container
    }

    fn identity(&self) -> Identity<'_> {
        Identity::Text(&self.id)
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn parents(&self) -> Parents<'_> {
        Parents { pod: self.pod.as_deref(), job: self.job.as_deref(), ..Parents::default() }
    }

    fn resources(&self) -> ResourceAmounts {
        self.resources
    }

    fn attributes(&self) -> Attributes<'_> {
        let Parents { pod, job, .. } = self.parents();
        let values = [
            Value::Text(&self.id),
            Value::known(&self.name),
            Value::Text(self.runtime),
            pod.map(|pod| &*pod.id).into(),
            pod.map(|pod| &*pod.name).into(),
            pod.map(|pod| &*pod.namespace).into(),
            self.kind.map(ContainerKind::name).into(),
            job.map(|job| &*job.id).into(),
            Value::known(&self.cgroup),
        ];
        Attributes::new(CONTAINER, values).named_in_labels(self.name_in_labels(), "")
    }
}

impl Workload for PodInfo {
    fn kind(&self) -> WorkloadKind {
        WorkloadKind::Pod
    }

    fn identity(&self) -> Identity<'_> {
        Identity::Text(&self.id)
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn namespace(&self) -> Option<&str> {
        (!self.namespace.is_empty()).then_some(&*self.namespace)
    }

    fn attributes(&self) -> Attributes<'_> {
        let owner = self.owner.as_ref();
        let values = [
            Value::known(&self.id),
            Value::known(&self.name),
            Value::known(&self.namespace),
            owner.map(|owner| &*owner.kind).into(),
            owner.map(|owner| &*owner.name).into(),
            Value::known(&self.qos_class),
            Value::known(&self.cgroup),
        ];
        let (name, namespace) = self.names_in_labels();
        Attributes::new(POD, values).named_in_labels(name, namespace)
    }

    fn owner(&self) -> Option<&PodOwner> {
        self.owner.as_ref()
    }

    fn resources(&self) -> ResourceAmounts {
        self.resources
    }
}

impl Workload for VmInfo {
    fn kind(&self) -> WorkloadKind {
        WorkloadKind::Vm
    }

    fn identity(&self) -> Identity<'_> {
        Identity::Text(&self.id)
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn attributes(&self) -> Attributes<'_> {
        let values = [
            Value::Text(&self.id),
            Value::known(&self.name),
            Value::Text(self.hypervisor),
            Value::known(self.manager),
            Value::known(&self.domain),
            Value::known(&self.project),
            Value::known(&self.flavor),
        ];
        Attributes::new(VM, values)
    }
}

impl Workload for UnitInfo {
    fn kind(&self) -> WorkloadKind {
        WorkloadKind::Unit
    }

    fn identity(&self) -> Identity<'_> {
        Identity::Text(&self.cgroup)
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn attributes(&self) -> Attributes<'_> {
        Attributes::new(UNIT, [Value::Text(&self.name), Value::Text(&self.cgroup)])
    }
}

impl Workload for JobInfo {
    fn kind(&self) -> WorkloadKind {
        WorkloadKind::Job
    }

    fn identity(&self) -> Identity<'_> {
        Identity::Text(&self.cgroup)
    }

    fn name(&self) -> &str {
        &self.id
    }

    fn parents(&self) -> Parents<'_> {
        let container = self.container.as_deref();
        let pod = container.and_then(|container| container.pod.as_deref()).or(self.pod.as_deref());
        Parents { container, pod, ..Parents::default() }
    }

    fn attributes(&self) -> Attributes<'_> {
        let container = self.container.as_deref().map(|container| &*container.id);
        let values = [Value::Text(&self.id), Value::Text(self.scheduler), Value::known(&self.cgroup), container.into()];
        Attributes::new(JOB, values)
    }
}

impl Workload for CommandInfo {
    fn kind(&self) -> WorkloadKind {
        WorkloadKind::Command
    }

    fn identity(&self) -> Identity<'_> {
        let Parents { container, unit, job, .. } = self.parents();
        let within = container.map(|container| &container.id).or(job.map(|job| &job.cgroup));
        let within = within.or(unit.map(|unit| &unit.cgroup)).map_or("", |within| within);
        Identity::Command { comm: &self.comm, within }
    }

    fn name(&self) -> &str {
        &self.comm
    }

    fn parents(&self) -> Parents<'_> {
        let container = self.container.as_deref();
        Parents {
            container,
            pod: container.and_then(|container| container.pod.as_deref()),
            unit: self.unit.as_deref(),
            job: self.job.as_deref(),
            vm: None,
        }
    }

    fn attributes(&self) -> Attributes<'_> {
        let Parents { container, unit, job, .. } = self.parents();
        let values = [
            Value::Text(&self.comm),
            container.map(|container| &*container.id).into(),
            unit.map(|unit| &*unit.name).into(),
            unit.map(|unit| &*unit.cgroup).into(),
            job.map(|job| &*job.id).into(),
        ];
        Attributes::new(COMMAND, values)
    }
}

#[cfg(test)]
mod tests {
    use super::super::attribute::MOST;
    use super::*;
    use std::sync::Arc;

    #[test]
    fn every_measured_kind_has_a_row_of_different_names() {
        for kind in WorkloadKind::MEASURED {
            let table = kind.attributes();
            assert!(!table.is_empty() && table.len() <= MOST, "{kind}");
            let mut names: Vec<_> = table.iter().map(|attribute| attribute.name).collect();
            names.sort_unstable();
            names.dedup();
            assert_eq!(names.len(), table.len(), "{kind}");
            assert!(table.iter().all(|attribute| attribute.about.ends_with(['.', '…'])), "{kind}");
        }
    }

    #[test]
    fn what_is_not_known_is_absent_and_what_surrounds_a_process_is_its_parents() {
        let pod = Arc::new(PodInfo::new("0c5e-11"));
        let mut container = ContainerInfo::new("f00d", "containerd");
        container.pod = Some(pod);
        let mut process = ProcessInfo::new(20, 9, "nginx");
        process.container = Some(Arc::new(container));
        let value = |wanted| process.attributes().find(|(known, _)| known.name == wanted).map(|(_, value)| value);
        assert_eq!(value("pod_id"), Some(Value::Text("0c5e-11")));
        assert_eq!((value("exe"), value("container_name")), (Some(Value::Absent), Some(Value::Absent)));
        assert_eq!(value("kind"), Some(Value::Text("container")));
        let labels: Vec<_> = process.attributes().labels().map(|(label, _)| label).collect();
        assert_eq!(labels, ["pid", "comm", "exe", "type", "container_id", "vm_id"], "those of Kepler v0.11");
        assert!(process.parents().pod.is_some_and(|pod| pod.identity() == Identity::Text("0c5e-11")));
    }

    #[test]
    fn a_command_is_distinguished_by_where_it_ran() {
        let mut inside = CommandInfo::new("cc1");
        inside.job = Some(Arc::new(JobInfo::new("4711", "slurm", "/slurm/uid_1000/job_4711")));
        assert_eq!(inside.identity().to_string(), "cc1@/slurm/uid_1000/job_4711");
        assert_ne!(inside.identity(), CommandInfo::new("cc1").identity());
    }
}
