//! The metrics of Kepler as energy, and inventory rows built from them.
//!
//! One table names every metric that is read; the exporters' clients and Prometheus' share it.

mod figures;
mod platform;
mod source;

#[cfg(feature = "kepler")]
pub(crate) use figures::DeviceFigures;
pub(crate) use figures::{NodeFigures, WorkloadFigures, is, plus, rows};
#[cfg(feature = "prometheus")]
pub(crate) use platform::PLATFORM_METRICS;
pub(crate) use platform::Platforms;
#[cfg(feature = "kepler")]
pub(crate) use platform::{MOST_PLATFORMS, Shown};
pub(crate) use source::{SOURCE_ERROR, SOURCE_INFO, Sources};

use kepler_compliance::units::ZoneKind;
use kepler_compliance::view::{Owner, Resources, Skipped, Split, TimeRange, WorkloadKind};
use kepler_core::metric_names::{self, WorkloadMetrics};
use kepler_core::workload::{EnergyAnnotation, PodOwner};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

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

const NODE: [Metric; 10] = [
    node(metric_names::NODE_CPU_JOULES_TOTAL, Quantity::Joules, false),
    node(metric_names::NODE_CPU_ACTIVE_JOULES_TOTAL, Quantity::ActiveJoules, false),
    node(metric_names::NODE_CPU_IDLE_JOULES_TOTAL, Quantity::IdleJoules, false),
    node(metric_names::NODE_CPU_UNATTRIBUTED_JOULES_TOTAL, Quantity::UnattributedJoules, false),
    node(metric_names::NODE_CPU_WATTS, Quantity::Watts, false),
    node(metric_names::NODE_GPU_JOULES_TOTAL, Quantity::Joules, true),
    node(metric_names::NODE_GPU_ACTIVE_JOULES_TOTAL, Quantity::ActiveJoules, true),
    node(metric_names::NODE_GPU_IDLE_JOULES_TOTAL, Quantity::IdleJoules, true),
    node(metric_names::NODE_GPU_UNATTRIBUTED_JOULES_TOTAL, Quantity::UnattributedJoules, true),
    node(metric_names::NODE_GPU_WATTS, Quantity::Watts, true),
];

/// The names of Kepler v0.11 and ours beside them (`unit`, `unattributed`).
pub(crate) static METRICS: LazyLock<Vec<Metric>> =
    LazyLock::new(|| NODE.into_iter().chain(WorkloadKind::MEASURED.into_iter().flat_map(of_kind)).collect());

/// The metrics of a kind; none of commands, whose energy is that of what they ran in.
fn of_kind(kind: WorkloadKind) -> impl Iterator<Item = Metric> {
    let names = WorkloadMetrics::of(kind).filter(|_| kind != WorkloadKind::Command);
    let level = Level::Workload(kind);
    names.into_iter().flat_map(move |names| {
        let of = |name, quantity, gpu| Some(Metric { name, level, quantity, gpu });
        let metrics = [
            of(names.cpu_joules_total, Quantity::Joules, false),
            of(names.cpu_watts, Quantity::Watts, false),
            names.cpu_seconds_total.and_then(|name| of(name, Quantity::CpuSeconds, false)),
            of(names.gpu_joules_total, Quantity::Joules, true),
            of(names.gpu_watts, Quantity::Watts, true),
        ];
        metrics.into_iter().flatten()
    })
}

impl Metric {
    /// Whether it is of accelerators.
    #[cfg(feature = "prometheus")]
    pub(crate) const fn is_of_devices(&self) -> bool {
        self.gpu
    }

    /// The identifier of the accelerator that a series is of, where it is of one.
    pub(crate) fn device<'a>(&self, label: impl Fn(&str) -> Option<&'a str>) -> Option<&'a str> {
        label("gpu_uuid").filter(|uuid| self.gpu && !uuid.is_empty())
    }

    /// The part a series is of; none for a zone that is not known.
    pub(crate) fn part<'a>(&self, label: impl Fn(&str) -> Option<&'a str>) -> Option<ZoneKind> {
        if self.gpu {
            return Some(ZoneKind::Gpu);
        }
        if self.quantity == Quantity::CpuSeconds {
            // Time is not split; it is kept in the slot of any one part.
            return Some(ZoneKind::Package);
        }
        label("zone")?.parse().ok()
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

/// What distinguishes the workloads of a node. Names may come later than the workload, so they are no part of
/// it; but a process number alone passes on to others.
pub(crate) type Key = (WorkloadKind, Arc<str>, Arc<str>);

/// The labels by which the workloads of a kind are known.
#[derive(Clone, Copy, Debug)]
pub(crate) struct IdentityLabels {
    pub(crate) uid: &'static str,
    name: Option<&'static str>,
    namespace: Option<&'static str>,
    pod: Option<&'static str>,
}

impl IdentityLabels {
    pub(crate) const fn of(kind: WorkloadKind) -> Self {
        let (uid, name, namespace, pod) = match kind {
            WorkloadKind::Pod => ("pod_id", Some("pod_name"), Some("pod_namespace"), None),
            WorkloadKind::Container => ("container_id", Some("container_name"), None, Some("pod_id")),
            WorkloadKind::Unit => ("cgroup", Some("unit"), None, None),
            WorkloadKind::Job => ("job_id", None, None, None),
            WorkloadKind::Vm => ("vm_id", Some("vm_name"), None, None),
            _ => ("pid", Some("comm"), None, None),
        };
        IdentityLabels { uid, name, namespace, pod }
    }

    /// All of them.
    #[cfg(feature = "prometheus")]
    pub(crate) fn all(self) -> impl Iterator<Item = &'static str> {
        [Some(self.uid), self.name, self.namespace, self.pod].into_iter().flatten()
    }
}

impl Identity {
    /// From the labels of a series; none where what identifies it is missing.
    pub(crate) fn read<'a>(kind: WorkloadKind, label: impl Fn(&str) -> Option<&'a str>) -> Option<Self> {
        let text = |name| label(name).filter(|text| !text.is_empty()).map(Arc::<str>::from);
        let labels = IdentityLabels::of(kind);
        let name = labels.name.and_then(text);
        let uid = text(labels.uid).or_else(|| name.clone())?;
        Some(Identity {
            kind,
            name: name.unwrap_or_else(|| uid.clone()),
            uid,
            namespace: labels.namespace.and_then(text),
            pod: labels.pod.and_then(text),
        })
    }

    /// Whether it has a name beside its identifier. A container without one is shown by the beginning of it.
    pub(crate) fn is_named(&self) -> bool {
        match self.kind {
            WorkloadKind::Container => !self.uid.starts_with(&*self.name),
            _ => self.name != self.uid,
        }
    }

    /// Takes the name over that another series of the same workload has.
    pub(crate) fn take_name(&mut self, other: Identity) {
        self.name = other.name;
        self.namespace = other.namespace.or_else(|| self.namespace.take());
    }

    pub(crate) fn key(&self) -> Key {
        let of_process = self.kind == WorkloadKind::Process;
        (self.kind, self.uid.clone(), if of_process { self.name.clone() } else { Arc::default() })
    }
}

/// The pod of a series of `kepler_pod_info`, and its controller.
pub(crate) fn owner_of_pod<'a>(label: impl Fn(&str) -> Option<&'a str>) -> Option<(&'a str, Owner)> {
    let owner = PodOwner::new(label("owner_kind")?, label("owner_name")?);
    Some((label("pod_id")?, Owner::of(&owner)?))
}

/// The pod of a series of `kepler_pod_annotation_info`, and what that says.
pub(crate) fn annotation_of_pod<'a>(label: impl Fn(&str) -> Option<&'a str>) -> Option<(&'a str, EnergyAnnotation)> {
    let is_label = label("written_as") == Some("label");
    Some((label("pod_id")?, EnergyAnnotation::new(label("annotation")?, label("value")?, is_label)))
}

/// Labels of a pod that are kept: a cluster's policy asks for a few.
const MOST_LABELS: usize = 64;

/// A pod's own labels, `label_app` as `app`, in its series of `kepler_pod_info`; by name.
pub(crate) fn labels_of_pod<'a>(series: impl Iterator<Item = (&'a str, &'a str)>) -> Vec<(String, String)> {
    let own = |(name, value): (&str, &str)| Some((name.strip_prefix("label_")?.to_owned(), value.to_owned()));
    let mut labels: Vec<_> = series.filter_map(own).collect();
    labels.sort_unstable();
    labels.truncate(MOST_LABELS);
    labels
}

/// What a series says of the requests or limits of a pod or container: whose, of what, and whether it is a limit.
pub(crate) struct ResourceSeries {
    pub(crate) kind: WorkloadKind,
    is_limit: bool,
}

/// The series of requests and limits, by name.
pub(crate) const RESOURCES: [(&str, ResourceSeries); 4] = [
    (metric_names::POD_RESOURCE_REQUESTS, ResourceSeries { kind: WorkloadKind::Pod, is_limit: false }),
    (metric_names::POD_RESOURCE_LIMITS, ResourceSeries { kind: WorkloadKind::Pod, is_limit: true }),
    (metric_names::CONTAINER_RESOURCE_REQUESTS, ResourceSeries { kind: WorkloadKind::Container, is_limit: false }),
    (metric_names::CONTAINER_RESOURCE_LIMITS, ResourceSeries { kind: WorkloadKind::Container, is_limit: true }),
];

impl ResourceSeries {
    /// The identifier of whom a sample is about.
    pub(crate) fn uid<'a>(&self, label: impl Fn(&str) -> Option<&'a str>) -> Option<&'a str> {
        label(if self.kind == WorkloadKind::Pod { "pod_id" } else { "container_id" }).filter(|uid| !uid.is_empty())
    }

    /// Takes a sample over.
    pub(crate) fn note<'a>(&self, to: &mut Resources, label: impl Fn(&str) -> Option<&'a str>, value: f64) {
        to.note(label("resource").unwrap_or_default(), self.is_limit, value);
    }
}

/// The slot of a part.
pub(crate) fn slot<T>(split: &mut Split<T>, part: ZoneKind) -> &mut Option<T> {
    &mut split.zones[part]
}

/// Adds to a part that may not be known yet.
pub(crate) fn add(split: &mut Split<f64>, part: ZoneKind, value: f64) {
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
