//! What the metrics of Kepler mean, and rows of an inventory made of them.
//!
//! One table names every metric that is read; the exporters' clients and Prometheus' share it.

use jiff::Timestamp;
use kepler_compliance::units::{Energy, PerZone, Power, ZoneKind};
use kepler_compliance::view::{
    EnergySplit, NodeEnergy, NodeZoneEnergy, Skipped, Split, TimeRange, Usage, WorkloadEnergy, WorkloadId, WorkloadKind,
};
use kepler_core::meter::Method;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// A part of the machine: the place of a figure in a [`Split`].
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
    node("kepler_node_cpu_joules_total", Quantity::Joules, false),
    node("kepler_node_cpu_active_joules_total", Quantity::ActiveJoules, false),
    node("kepler_node_cpu_idle_joules_total", Quantity::IdleJoules, false),
    node("kepler_node_cpu_unattributed_joules_total", Quantity::UnattributedJoules, false),
    node("kepler_node_cpu_watts", Quantity::Watts, false),
    node("kepler_node_gpu_joules_total", Quantity::Joules, true),
    node("kepler_node_gpu_active_joules_total", Quantity::ActiveJoules, true),
    node("kepler_node_gpu_idle_joules_total", Quantity::IdleJoules, true),
    node("kepler_node_gpu_watts", Quantity::Watts, true),
    of(WorkloadKind::Pod, "kepler_pod_cpu_joules_total", Quantity::Joules, false),
    of(WorkloadKind::Pod, "kepler_pod_cpu_watts", Quantity::Watts, false),
    of(WorkloadKind::Pod, "kepler_pod_gpu_joules_total", Quantity::Joules, true),
    of(WorkloadKind::Pod, "kepler_pod_gpu_watts", Quantity::Watts, true),
    of(WorkloadKind::Container, "kepler_container_cpu_joules_total", Quantity::Joules, false),
    of(WorkloadKind::Container, "kepler_container_cpu_watts", Quantity::Watts, false),
    of(WorkloadKind::Container, "kepler_container_cpu_seconds_total", Quantity::CpuSeconds, false),
    of(WorkloadKind::Container, "kepler_container_gpu_joules_total", Quantity::Joules, true),
    of(WorkloadKind::Container, "kepler_container_gpu_watts", Quantity::Watts, true),
    of(WorkloadKind::Unit, "kepler_unit_cpu_joules_total", Quantity::Joules, false),
    of(WorkloadKind::Unit, "kepler_unit_cpu_watts", Quantity::Watts, false),
    of(WorkloadKind::Unit, "kepler_unit_cpu_seconds_total", Quantity::CpuSeconds, false),
    of(WorkloadKind::Vm, "kepler_vm_cpu_joules_total", Quantity::Joules, false),
    of(WorkloadKind::Vm, "kepler_vm_cpu_watts", Quantity::Watts, false),
    of(WorkloadKind::Process, "kepler_process_cpu_joules_total", Quantity::Joules, false),
    of(WorkloadKind::Process, "kepler_process_cpu_watts", Quantity::Watts, false),
    of(WorkloadKind::Process, "kepler_process_cpu_seconds_total", Quantity::CpuSeconds, false),
    of(WorkloadKind::Process, "kepler_process_gpu_joules_total", Quantity::Joules, true),
    of(WorkloadKind::Process, "kepler_process_gpu_watts", Quantity::Watts, true),
];

impl Metric {
    /// The part a series is of; none for a zone that is not known.
    pub(crate) fn part<'a>(&self, label: impl Fn(&str) -> Option<&'a str>) -> Option<Part> {
        if self.gpu {
            return Some(Part::Gpu);
        }
        if self.quantity == Quantity::CpuSeconds {
            // Time is not split; any one part will do as its place.
            return Some(Part::Zone(ZoneKind::Package));
        }
        label("zone")?.parse().ok().map(Part::Zone)
    }
}

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

/// The place of a part.
pub(crate) fn place<T>(split: &mut Split<T>, part: Part) -> &mut Option<T> {
    match part {
        Part::Zone(zone) => &mut split.zones[zone],
        Part::Gpu => &mut split.gpu,
    }
}

/// Adds to a part that may not be known yet.
pub(crate) fn add(split: &mut Split<f64>, part: Part, value: f64) {
    let place = place(split, part);
    *place = Some(place.unwrap_or(0.0) + value);
}

/// Where a zone's figures come from.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Source {
    pub(crate) name: Arc<str>,
    pub(crate) method: Method,
}

/// Origins of a node's zones, from `kepler_power_source_info` and `kepler_power_source_error_ratio`.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Sources(PerZone<Option<Source>>);

pub(crate) const SOURCE_INFO: &str = "kepler_power_source_info";
pub(crate) const SOURCE_ERROR: &str = "kepler_power_source_error_ratio";

impl Sources {
    /// Takes a series of either metric, in any order.
    pub(crate) fn take<'a>(&mut self, metric: &str, label: impl Fn(&str) -> Option<&'a str>, value: f64) {
        let Some(zone) = label("zone").and_then(|zone| zone.parse::<ZoneKind>().ok()) else { return };
        let name: Arc<str> = label("source").unwrap_or_default().into();
        let known = self.0[zone].as_ref().filter(|source| source.name == name).map(|source| source.method);
        let method = match (metric, known) {
            (SOURCE_ERROR, _) => Method::Estimated { error_ratio: value },
            // The error may have come before; until it comes it is not known.
            (_, Some(method @ Method::Estimated { .. })) => method,
            _ if label("method") == Some("estimated") => Method::Estimated { error_ratio: f64::NAN },
            _ => Method::Measured,
        };
        self.0[zone] = Some(Source { name, method });
    }

    fn of(&self, part: Part) -> Source {
        let known = match part {
            Part::Zone(zone) => self.0[zone].clone(),
            Part::Gpu => None,
        };
        // Go Kepler does not say, and measures.
        known.map_or_else(|| Source { name: Arc::default(), method: Method::Measured }, settled)
    }

    /// Of all zones: estimated if one is, with the largest error.
    pub(crate) fn method(&self) -> Method {
        self.0
            .iter()
            .filter_map(|(_, source)| source.clone())
            .fold(Method::Measured, |worst, source| worse(worst, settled(source).method))
    }
}

/// An estimate of which nobody says how good it is may be wrong by all of it.
fn settled(source: Source) -> Source {
    match source.method {
        Method::Estimated { error_ratio } if !error_ratio.is_finite() => {
            Source { method: Method::Estimated { error_ratio: 1.0 }, ..source }
        }
        _ => source,
    }
}

/// The less certain of two.
pub(crate) fn worse(a: Method, b: Method) -> Method {
    match (a, b) {
        (Method::Estimated { error_ratio: x }, Method::Estimated { error_ratio: y }) => {
            Method::Estimated { error_ratio: x.max(y) }
        }
        (Method::Measured, other) | (other, Method::Measured) => other,
    }
}

/// A node's figures over a range, in joules and watts.
#[derive(Clone, Debug, Default)]
pub(crate) struct NodeFigures {
    pub(crate) joules: Split<f64>,
    pub(crate) active: Split<f64>,
    pub(crate) idle: Split<f64>,
    pub(crate) unattributed: Split<f64>,
    pub(crate) watts: Split<f64>,
    pub(crate) sources: Sources,
    pub(crate) processors: Option<u32>,
}

impl NodeFigures {
    pub(crate) fn add(&mut self, quantity: Quantity, part: Part, value: f64) {
        let split = match quantity {
            Quantity::Joules => &mut self.joules,
            Quantity::ActiveJoules => &mut self.active,
            Quantity::IdleJoules => &mut self.idle,
            Quantity::UnattributedJoules => &mut self.unattributed,
            Quantity::Watts => &mut self.watts,
            Quantity::CpuSeconds => return,
        };
        add(split, part, value);
    }

    /// All energy of a part: active and idle where both are told, for the total of Go Kepler is the raw
    /// register, which wraps, and these two are not.
    fn total(&mut self, part: Part) -> Option<f64> {
        match (*place(&mut self.active, part), *place(&mut self.idle, part)) {
            (Some(active), Some(idle)) => Some(active + idle),
            _ => *place(&mut self.joules, part),
        }
    }

    /// The energy by part.
    pub(crate) fn energy(&mut self) -> EnergySplit {
        let zones = PerZone::from_fn(|zone| self.total(Part::Zone(zone)).map(Energy::from_joules));
        Split { zones, gpu: self.total(Part::Gpu).map(Energy::from_joules) }
    }

    pub(crate) fn into_node(mut self, name: Arc<str>, covered: TimeRange) -> NodeEnergy {
        let mut zone = |part| {
            let energy = Energy::from_joules(self.total(part)?);
            let joules = |split: &mut Split<f64>| place(split, part).map(Energy::from_joules);
            let source = self.sources.of(part);
            Some(NodeZoneEnergy {
                energy,
                active: joules(&mut self.active),
                idle: joules(&mut self.idle),
                unattributed: joules(&mut self.unattributed),
                power: place(&mut self.watts, part).map(Power::from_watts),
                method: source.method,
                source: source.name,
            })
        };
        let zones = PerZone::from_fn(|kind| zone(Part::Zone(kind)));
        let gpu = zone(Part::Gpu);
        NodeEnergy { name, covered, zones, gpu, processors: self.processors }
    }
}

/// A workload's figures over a range.
#[derive(Clone, Debug)]
pub(crate) struct WorkloadFigures {
    pub(crate) identity: Identity,
    pub(crate) running: bool,
    pub(crate) joules: Split<f64>,
    /// Of what runs; empty where not known.
    pub(crate) watts: Split<f64>,
    pub(crate) cpu_seconds: Option<f64>,
}

impl WorkloadFigures {
    pub(crate) fn new(identity: Identity) -> Self {
        let (joules, watts) = (Split::default(), Split::default());
        WorkloadFigures { identity, running: false, joules, watts, cpu_seconds: None }
    }

    pub(crate) fn add(&mut self, quantity: Quantity, part: Part, value: f64) {
        match quantity {
            Quantity::Joules => add(&mut self.joules, part, value),
            Quantity::Watts => add(&mut self.watts, part, value),
            Quantity::CpuSeconds => *self.cpu_seconds.get_or_insert_default() += value,
            Quantity::ActiveJoules | Quantity::IdleJoules | Quantity::UnattributedJoules => {}
        }
    }

    pub(crate) fn usage(&self) -> Usage {
        Usage { energy: self.joules.map(Energy::from_joules), cpu_time: self.cpu_seconds.and_then(seconds) }
    }
}

/// Rows of workloads that ran on `node`.
pub(crate) fn rows(node: &NodeEnergy, method: Method, figures: Vec<WorkloadFigures>) -> Vec<WorkloadEnergy> {
    let pods = figures.iter().filter(|row| row.identity.kind == WorkloadKind::Pod);
    let namespaces: HashMap<Arc<str>, Option<Arc<str>>> =
        pods.map(|row| (row.identity.uid.clone(), row.identity.namespace.clone())).collect();
    let row = |row: WorkloadFigures| {
        let Usage { mut energy, cpu_time } = row.usage();
        for (zone, part) in energy.zones.iter_mut() {
            // It was charged nothing in a zone that its node has.
            *part = part.or(node.zones[zone].as_ref().map(|_| Energy::ZERO));
        }
        let of_pod = row.identity.pod.as_ref().and_then(|pod| namespaces.get(pod).cloned().flatten());
        let known = row.running && row.watts != Split::default();
        WorkloadEnergy {
            id: WorkloadId {
                kind: row.identity.kind,
                namespace: row.identity.namespace.or(of_pod),
                name: row.identity.name,
                uid: row.identity.uid,
                node: node.name.clone(),
            },
            owner: None,
            running: row.running,
            energy,
            power: known.then(|| row.watts.map(Power::from_watts)),
            cpu_time,
            method,
            resources: None,
        }
    };
    figures.into_iter().map(row).collect()
}

/// Whether `id` names the workload `identity` of `node`.
pub(crate) fn is(id: &WorkloadId, identity: &Identity, node: &str) -> bool {
    id.kind == identity.kind
        && id.uid == identity.uid
        && *id.node == *node
        && (id.kind != WorkloadKind::Process || id.name == identity.name)
}

/// Part by part, and time; a part known on one side only is that side's.
pub(crate) fn plus(a: &Usage, b: &Usage) -> Usage {
    let cpu_time = match (a.cpu_time, b.cpu_time) {
        (Some(a), Some(b)) => Some(a.saturating_add(b)),
        (a, b) => a.or(b),
    };
    Usage { energy: a.energy.plus(&b.energy), cpu_time }
}

pub(crate) fn seconds(seconds: f64) -> Option<Duration> {
    Duration::try_from_secs_f64(seconds).ok()
}

/// From the earliest start to the latest end.
pub(crate) fn hull(ranges: impl IntoIterator<Item = TimeRange>) -> Option<TimeRange> {
    ranges.into_iter().reduce(|a, b| TimeRange { start: a.start.min(b.start), end: a.end.max(b.end) })
}

/// What two ranges share; none if that is nothing.
pub(crate) fn overlap(a: TimeRange, b: TimeRange) -> Option<TimeRange> {
    let (start, end): (Timestamp, Timestamp) = (a.start.max(b.start), a.end.min(b.end));
    (start < end).then_some(TimeRange { start, end })
}

pub(crate) fn skipped(what: impl Into<String>, reason: impl Into<String>) -> Skipped {
    Skipped { what: what.into(), reason: reason.into() }
}
