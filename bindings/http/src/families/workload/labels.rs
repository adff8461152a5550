//! The labels of each kind of workload, without state and zone: those of Kepler v0.11.

use crate::encode::Sample;
use crate::families::{Levels, Plan};
use crate::twins::Twins;
use kepler_core::snapshot::{Row, Snapshot};
use kepler_core::workload::{CommandInfo, ContainerInfo, PodInfo, ProcessInfo, UnitInfo, VmInfo};
use std::hash::Hash;

/// A kind of workload: where its rows are and what its labels are, without state and zone.
pub(super) trait Workload: Sized {
    const LEVEL: Levels;
    /// Whether it can be running or terminated.
    const HAS_STATE: bool = true;
    fn rows(snapshot: &Snapshot) -> &[Row<Self>];
    fn twins(plan: &Plan) -> &Twins;
    /// What tells label sets apart.
    fn key(&self) -> impl Hash + Eq + '_;
    fn labels<'a>(&self, sample: Sample<'a>) -> Sample<'a>;
}

impl Workload for ProcessInfo {
    const LEVEL: Levels = Levels::PROCESS;
    fn rows(snapshot: &Snapshot) -> &[Row<Self>] {
        &snapshot.processes
    }
    fn twins(plan: &Plan) -> &Twins {
        &plan.processes
    }
    fn key(&self) -> impl Hash + Eq + '_ {
        (self.pid, &self.comm, &self.exe, self.process_type(), container_id(self), vm_id(self))
    }
    fn labels<'a>(&self, sample: Sample<'a>) -> Sample<'a> {
        sample
            .label_number("pid", self.pid)
            .label("comm", &self.comm)
            .label("exe", &self.exe)
            .label("type", self.process_type())
            .label("container_id", container_id(self))
            .label("vm_id", vm_id(self))
    }
}

impl Workload for ContainerInfo {
    const LEVEL: Levels = Levels::CONTAINER;
    fn rows(snapshot: &Snapshot) -> &[Row<Self>] {
        &snapshot.containers
    }
    fn twins(plan: &Plan) -> &Twins {
        &plan.containers
    }
    fn key(&self) -> impl Hash + Eq + '_ {
        (&self.id, &self.name, self.runtime, pod_id(self))
    }
    fn labels<'a>(&self, sample: Sample<'a>) -> Sample<'a> {
        sample
            .label("container_id", &self.id)
            .label("container_name", &self.name)
            .label("runtime", self.runtime)
            .label("pod_id", pod_id(self))
    }
}

impl Workload for VmInfo {
    const LEVEL: Levels = Levels::VM;
    fn rows(snapshot: &Snapshot) -> &[Row<Self>] {
        &snapshot.vms
    }
    fn twins(plan: &Plan) -> &Twins {
        &plan.vms
    }
    fn key(&self) -> impl Hash + Eq + '_ {
        (&self.id, &self.name, self.hypervisor)
    }
    fn labels<'a>(&self, sample: Sample<'a>) -> Sample<'a> {
        sample.label("vm_id", &self.id).label("vm_name", &self.name).label("hypervisor", self.hypervisor)
    }
}

impl Workload for PodInfo {
    const LEVEL: Levels = Levels::POD;
    fn rows(snapshot: &Snapshot) -> &[Row<Self>] {
        &snapshot.pods
    }
    fn twins(plan: &Plan) -> &Twins {
        &plan.pods
    }
    fn key(&self) -> impl Hash + Eq + '_ {
        (&self.id, &self.name, &self.namespace)
    }
    fn labels<'a>(&self, sample: Sample<'a>) -> Sample<'a> {
        sample.label("pod_id", &self.id).label("pod_name", &self.name).label("pod_namespace", &self.namespace)
    }
}

impl Workload for UnitInfo {
    const LEVEL: Levels = Levels::UNIT;
    fn rows(snapshot: &Snapshot) -> &[Row<Self>] {
        &snapshot.units
    }
    fn twins(plan: &Plan) -> &Twins {
        &plan.units
    }
    fn key(&self) -> impl Hash + Eq + '_ {
        (&self.name, &self.cgroup)
    }
    fn labels<'a>(&self, sample: Sample<'a>) -> Sample<'a> {
        sample.label("unit", &self.name).label("cgroup", &self.cgroup)
    }
}

impl Workload for CommandInfo {
    const LEVEL: Levels = Levels::PROCESS;
    /// All of its processes have ended, and more may come.
    const HAS_STATE: bool = false;
    fn rows(snapshot: &Snapshot) -> &[Row<Self>] {
        &snapshot.commands
    }
    fn twins(plan: &Plan) -> &Twins {
        &plan.commands
    }
    fn key(&self) -> impl Hash + Eq + '_ {
        (&self.comm, command_container(self), command_unit(self))
    }
    fn labels<'a>(&self, sample: Sample<'a>) -> Sample<'a> {
        let (unit, cgroup) = command_unit(self);
        let sample = sample.label("comm", &self.comm).label("container_id", command_container(self));
        sample.label("unit", unit).label("cgroup", cgroup)
    }
}

fn command_container(command: &CommandInfo) -> &str {
    command.container.as_ref().map_or("", |container| &container.id)
}

fn command_unit(command: &CommandInfo) -> (&str, &str) {
    command.unit.as_ref().map_or(("", ""), |unit| (&unit.name, &unit.cgroup))
}

fn container_id(process: &ProcessInfo) -> &str {
    process.container.as_ref().map_or("", |container| &container.id)
}

fn vm_id(process: &ProcessInfo) -> &str {
    process.vm.as_ref().map_or("", |vm| &vm.id)
}

fn pod_id(container: &ContainerInfo) -> &str {
    container.pod.as_ref().map_or("", |pod| &pod.id)
}
