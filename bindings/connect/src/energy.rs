//! The metrics of Kepler as energy, and inventory rows built from them.
//!
//! One table names every metric that is read; the exporters' clients and Prometheus' share it.

mod figures;
mod source;

pub(crate) use figures::{NodeFigures, WorkloadFigures, is, plus, rows};
pub(crate) use source::{SOURCE_ERROR, SOURCE_INFO, Sources};

use kepler_compliance::units::ZoneKind;
use kepler_compliance::view::{Skipped, Split, TimeRange, WorkloadKind};
use kepler_core::metric_names;
use std::sync::Arc;
use std::time::Duration;

/// A part of the machine: the slot of a figure in a [`Split`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Part {
    Zone(ZoneKind),
    Gpu,
}

/// Whose figure it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Level {
    Node,
    Workload(WorkloadKind),
}

/// What a figure counts. All but `Watts` are counters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Quantity {
    Joules,
    ActiveJoules,
    IdleJoules,
    UnattributedJoules,
    CpuSeconds,
    Watts,
}

/// A metric that is read.
#[derive(Debug)]
pub(crate) struct Metric {
    pub(crate) name: &'static str,
    pub(crate) level: Level,
    pub(crate) quantity: Quantity,
    gpu: bool,
}

const fn node(name: &'static str, quantity: Quantity, gpu: bool) -> Metric {
    Metric { name, level: Level::Node, quantity, gpu }
}

const fn of(kind: WorkloadKind, name: &'static str, quantity: Quantity, gpu: bool) -> Metric {
    Metric { name, level: Level::Workload(kind), quantity, gpu }
}

/// The names of Kepler v0.11 and ours beside them (`unit`, `unattributed`).
pub(crate) const METRICS: &[Metric] = &[
    node(metric_names::NODE_CPU_JOULES_TOTAL, Quantity::Joules, false),
    node(metric_names::NODE_CPU_ACTIVE_JOULES_TOTAL, Quantity::ActiveJoules, false),
    node(metric_names::NODE_CPU_IDLE_JOULES_TOTAL, Quantity::IdleJoules, false),
    node(metric_names::NODE_CPU_UNATTRIBUTED_JOULES_TOTAL, Quantity::UnattributedJoules, false),
    node(metric_names::NODE_CPU_WATTS, Quantity::Watts, false),
    node(metric_names::NODE_GPU_JOULES_TOTAL, Quantity::Joules, true),
    node(metric_names::NODE_GPU_ACTIVE_JOULES_TOTAL, Quantity::ActiveJoules, true),
    node(metric_names::NODE_GPU_IDLE_JOULES_TOTAL, Quantity::IdleJoules, true),
    node(metric_names::NODE_GPU_WATTS, Quantity::Watts, true),
    of(WorkloadKind::Pod, metric_names::POD_CPU_JOULES_TOTAL, Quantity::Joules, false),
    of(WorkloadKind::Pod, metric_names::POD_CPU_WATTS, Quantity::Watts, false),
    of(WorkloadKind::Pod, metric_names::POD_GPU_JOULES_TOTAL, Quantity::Joules, true),
    of(WorkloadKind::Pod, metric_names::POD_GPU_WATTS, Quantity::Watts, true),
    of(WorkloadKind::Container, metric_names::CONTAINER_CPU_JOULES_TOTAL, Quantity::Joules, false),
    of(WorkloadKind::Container, metric_names::CONTAINER_CPU_WATTS, Quantity::Watts, false),
    of(WorkloadKind::Container, metric_names::CONTAINER_CPU_SECONDS_TOTAL, Quantity::CpuSeconds, false),
    of(WorkloadKind::Container, metric_names::CONTAINER_GPU_JOULES_TOTAL, Quantity::Joules, true),
    of(WorkloadKind::Container, metric_names::CONTAINER_GPU_WATTS, Quantity::Watts, true),
    of(WorkloadKind::Unit, metric_names::UNIT_CPU_JOULES_TOTAL, Quantity::Joules, false),
    of(WorkloadKind::Unit, metric_names::UNIT_CPU_WATTS, Quantity::Watts, false),
    of(WorkloadKind::Unit, metric_names::UNIT_CPU_SECONDS_TOTAL, Quantity::CpuSeconds, false),
    of(WorkloadKind::Job, metric_names::JOB_CPU_JOULES_TOTAL, Quantity::Joules, false),
    of(WorkloadKind::Job, metric_names::JOB_CPU_WATTS, Quantity::Watts, false),
    of(WorkloadKind::Job, metric_names::JOB_CPU_SECONDS_TOTAL, Quantity::CpuSeconds, false),
    of(WorkloadKind::Vm, metric_names::VM_CPU_JOULES_TOTAL, Quantity::Joules, false),
    of(WorkloadKind::Vm, metric_names::VM_CPU_WATTS, Quantity::Watts, false),
    of(WorkloadKind::Process, metric_names::PROCESS_CPU_JOULES_TOTAL, Quantity::Joules, false),
    of(WorkloadKind::Process, metric_names::PROCESS_CPU_WATTS, Quantity::Watts, false),
    of(WorkloadKind::Process, metric_names::PROCESS_CPU_SECONDS_TOTAL, Quantity::CpuSeconds, false),
    of(WorkloadKind::Process, metric_names::PROCESS_GPU_JOULES_TOTAL, Quantity::Joules, true),
    of(WorkloadKind::Process, metric_names::PROCESS_GPU_WATTS, Quantity::Watts, true),
];

impl Metric {
    /// The part a series is of; none for a zone that is not known.
    pub(crate) fn part<'a>(&self, label: impl Fn(&str) -> Option<&'a str>) -> Option<Part> {
        if self.gpu {
            return Some(Part::Gpu);
        }
        if self.quantity == Quantity::CpuSeconds {
            // Time is not split; it is kept in the slot of any one part.
            return Some(Part::Zone(ZoneKind::Package));
        }
        label("zone")?.parse().ok().map(Part::Zone)
    }
}

/// The longest time between two readings of an exporter by its defaults (Go Kepler's): by so much its counters may lag
/// behind the time they are asked at.
pub(crate) const EXPORTER_INTERVAL: Duration = Duration::from_secs(5);

/// Who a workload is on its node.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Identity {
    pub(crate) kind: WorkloadKind,
    pub(crate) uid: Arc<str>,
    pub(crate) name: Arc<str>,
    /// Of a pod.
    pub(crate) namespace: Option<Arc<str>>,
    /// Of a container in a pod.
    pub(crate) pod: Option<Arc<str>>,
}

/// What tells workloads of a node apart. Names may come later than the workload, so they are no part of
/// it; but a process number alone passes on to others.
pub(crate) type Key = (WorkloadKind, Arc<str>, Arc<str>);

/// The labels that say who a workload of `kind` is.
#[cfg(feature = "prometheus")]
pub(crate) fn identity_labels(kind: WorkloadKind) -> &'static [&'static str] {
    match kind {
        WorkloadKind::Pod => &["pod_id", "pod_name", "pod_namespace"],
        WorkloadKind::Container => &["container_id", "container_name", "pod_id"],
        WorkloadKind::Unit => &["unit", "cgroup"],
        WorkloadKind::Job => &["job_id"],
        WorkloadKind::Vm => &["vm_id", "vm_name"],
        _ => &["pid", "comm"],
    }
}

impl Identity {
    /// From the labels of a series; none where what identifies it is missing.
    pub(crate) fn read<'a>(kind: WorkloadKind, label: impl Fn(&str) -> Option<&'a str>) -> Option<Self> {
        let text = |name| label(name).filter(|text| !text.is_empty()).map(Arc::<str>::from);
        let (uid, name) = match kind {
            WorkloadKind::Pod => (text("pod_id"), text("pod_name")),
            WorkloadKind::Container => (text("container_id"), text("container_name")),
            WorkloadKind::Unit => (text("cgroup"), text("unit")),
            WorkloadKind::Job => (text("job_id"), None),
            WorkloadKind::Vm => (text("vm_id"), text("vm_name")),
            _ => (text("pid"), text("comm")),
        };
        let uid = uid.or_else(|| name.clone())?;
        Some(Identity {
            kind,
            name: name.unwrap_or_else(|| uid.clone()),
            uid,
            namespace: (kind == WorkloadKind::Pod).then(|| text("pod_namespace")).flatten(),
            pod: (kind == WorkloadKind::Container).then(|| text("pod_id")).flatten(),
        })
    }

    pub(crate) fn key(&self) -> Key {
        let of_process = self.kind == WorkloadKind::Process;
        (self.kind, self.uid.clone(), if of_process { self.name.clone() } else { Arc::default() })
    }
}

/// The slot of a part.
pub(crate) fn slot<T>(split: &mut Split<T>, part: Part) -> &mut Option<T> {
    match part {
        Part::Zone(zone) => &mut split.zones[zone],
        Part::Gpu => &mut split.gpu,
    }
}

/// Adds to a part that may not be known yet.
pub(crate) fn add(split: &mut Split<f64>, part: Part, value: f64) {
    let slot = slot(split, part);
    *slot = Some(slot.unwrap_or(0.0) + value);
}

/// From the earliest start to the latest end.
pub(crate) fn hull(ranges: impl IntoIterator<Item = TimeRange>) -> Option<TimeRange> {
    ranges.into_iter().reduce(|a, b| TimeRange { start: a.start.min(b.start), end: a.end.max(b.end) })
}

pub(crate) fn skipped(what: impl Into<String>, reason: impl Into<String>) -> Skipped {
    Skipped::new(what, reason)
}
