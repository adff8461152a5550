//! Inventories: nodes and workloads with their energy.

use super::{DeviceEnergy, EnergySplit, PlatformEnergy, PowerSplit, TimeRange, WorkloadDeviceEnergy};
use crate::units::{Energy, PerZone, Power, ZoneKind};
use kepler_core::meter::Method;
use kepler_core::snapshot::{AnyRow, EstimateCorrection, Snapshot};
use kepler_core::workload::{PodOwner, ResourceAmounts, WorkloadKind};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::ops::Add;
use std::sync::Arc;
use std::time::Duration;

/// What every node and workload used in a range.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Inventory {
    /// The state that was seen. Two inventories with the same text, of the same view, rest on the same
    /// readings: a snapshot's sequence number, the time of a poll, a row number.
    pub moment: String,
    /// The time asked for.
    pub asked: TimeRange,
    /// The time the figures cover, from the earliest to the latest reading of any node; within `asked`
    /// but for the spacing of the readings. Its length is what energy is divided by to get mean power.
    pub covered: TimeRange,
    /// Share of the asked time and of the expected nodes that the figures stand for, 0 to 1:
    /// the sum of the nodes' covered times over (nodes expected · time asked).
    pub coverage: f64,
    /// The nodes that answered, by name.
    pub nodes: Vec<NodeEnergy>,
    /// The workloads: running ones and those that ended within the range. One row a workload and node,
    /// in no particular order. Kinds overlap.
    pub workloads: Vec<WorkloadEnergy>,
    /// What had to be left out, and why.
    pub skipped: Vec<Skipped>,
}

impl Inventory {
    /// An inventory without nodes and workloads, for a view to fill. `coverage` is from 0 to 1.
    pub fn new(moment: impl Into<String>, asked: TimeRange, covered: TimeRange, coverage: f64) -> Self {
        let moment = moment.into();
        Inventory { moment, asked, covered, coverage, nodes: Vec::new(), workloads: Vec::new(), skipped: Vec::new() }
    }

    /// How the energy of all its nodes came to be; `None` without nodes.
    pub(crate) fn method(&self) -> Option<Method> {
        Method::of_sum(self.nodes.iter().map(|node| (joules(node.energy().total()), node.method())))
    }
}

/// A node's energy in the range.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct NodeEnergy {
    /// Its name, the `node_name` label.
    pub name: Arc<str>,
    /// The time its figures cover.
    pub covered: TimeRange,
    /// Each zone that delivered; `None` for those without a source.
    pub zones: PerZone<Option<NodeZoneEnergy>>,
    /// Logical processors online, where known.
    pub processors: Option<u32>,
    /// Its accelerators, where the source tells them apart. Together they have the energy of the zone
    /// [`ZoneKind::Gpu`], or, where the source tells them apart for a part of the range only, less.
    pub devices: Vec<DeviceEnergy>,
    /// Meters of the whole machine. Each contains the zones and accelerators, so none is part of a sum.
    pub platform: Vec<PlatformEnergy>,
    /// By what its estimate is corrected now, where the source says.
    pub correction: Option<EstimateCorrection>,
}

impl NodeEnergy {
    /// A node of which no zone is known yet.
    pub fn new(name: impl Into<Arc<str>>, covered: TimeRange) -> Self {
        NodeEnergy {
            name: name.into(),
            covered,
            zones: PerZone::default(),
            processors: None,
            devices: Vec::new(),
            platform: Vec::new(),
            correction: None,
        }
    }
}

/// One zone of a node over the range; sockets are summed.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct NodeZoneEnergy {
    /// All of it: active and idle.
    pub energy: Energy,
    /// The part caused by work; `None` where the source does not tell it apart.
    pub active: Option<Energy>,
    /// The part that an idle machine draws all the same; `None` where the source does not tell it apart.
    pub idle: Option<Energy>,
    /// The part of `active` that no workload explains; `None` where the source does not say (Go Kepler).
    pub unattributed: Option<Energy>,
    /// Power now: the mean over the source's last interval.
    pub power: Option<Power>,
    /// Measured, or estimated with its expected error. Go Kepler, which does not say, measures.
    pub method: Method,
    /// The meter: `powercap`, `model`, …; empty where the source does not say.
    pub source: Arc<str>,
}

impl NodeZoneEnergy {
    /// A zone of which only the whole energy is known.
    pub fn new(energy: Energy, method: Method, source: impl Into<Arc<str>>) -> Self {
        let source = source.into();
        NodeZoneEnergy { energy, active: None, idle: None, unattributed: None, power: None, method, source }
    }
}

/// A workload's energy in the range.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct WorkloadEnergy {
    /// Who it is.
    pub id: WorkloadId,
    /// The controller of a pod, where the source knows it.
    pub owner: Option<Owner>,
    /// Whether it still runs.
    pub running: bool,
    /// Active energy used in the range; a part is `None` only if its node has no such zone.
    pub energy: EnergySplit,
    /// Power now, the mean over the source's last interval; `None` if terminated, or read only once.
    pub power: Option<PowerSplit>,
    /// CPU time used in the range, where known.
    pub cpu_time: Option<Duration>,
    /// How the figures of its node came to be.
    pub method: Method,
    /// What it asked the scheduler for, where known.
    pub resources: Option<Resources>,
    /// Which workload's energy holds this one's, so that sums over kinds count nothing twice.
    pub containment: Containment,
    /// What it used of each accelerator, where the source tells them apart, as in [`NodeEnergy::devices`].
    pub devices: Vec<WorkloadDeviceEnergy>,
}

impl WorkloadEnergy {
    /// A running workload of which only the energy is known.
    #[must_use]
    pub fn new(id: WorkloadId, energy: EnergySplit, method: Method) -> Self {
        WorkloadEnergy {
            id,
            owner: None,
            running: true,
            energy,
            power: None,
            cpu_time: None,
            method,
            resources: None,
            containment: Containment::Unknown,
            devices: Vec::new(),
        }
    }
}

/// Which workload of the same node contains another one: a pod its containers, a unit its processes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Containment {
    /// None: rows of all kinds that are outermost can be added up.
    Outermost,
    /// This one, the nearest.
    Within {
        /// What it is.
        kind: WorkloadKind,
        /// Its [`WorkloadId::uid`].
        uid: Arc<str>,
    },
    /// The source does not say.
    #[default]
    Unknown,
}

/// Who a workload is.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub struct WorkloadId {
    /// What it is: one of [`WorkloadKind::MEASURED`], but no [`Command`](WorkloadKind::Command).
    pub kind: WorkloadKind,
    /// The namespace of a pod, and of a container in a pod where known; `None` for everything else.
    pub namespace: Option<Arc<str>>,
    /// Its name; where it has none, its `uid`. A process's is its `comm`.
    pub name: Arc<str>,
    /// What tells it from others of the same name on its node: pod UID, container id, a unit's or job's cgroup, VM id,
    /// `pid` or `pid/start` of a process.
    pub uid: Arc<str>,
    /// The node it runs on, one of [`Inventory::nodes`].
    pub node: Arc<str>,
}

impl WorkloadId {
    /// A workload without a namespace.
    pub fn new(
        kind: WorkloadKind,
        name: impl Into<Arc<str>>,
        uid: impl Into<Arc<str>>,
        node: impl Into<Arc<str>>,
    ) -> Self {
        WorkloadId { kind, namespace: None, name: name.into(), uid: uid.into(), node: node.into() }
    }
}

/// Who controls a pod.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Owner {
    /// Deployment, stateful set, daemon set or job, or another controller; a replica set's deployment, not the set itself.
    pub kind: WorkloadKind,
    /// Its name.
    pub name: Arc<str>,
    /// Its kind as Kubernetes writes it, where that says more: `CronJob`, `ReplicaSet`, `Rollout`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub controller: Option<Arc<str>>,
}

impl Owner {
    /// A controller.
    pub fn new(kind: WorkloadKind, name: impl Into<Arc<str>>) -> Self {
        Owner { kind, name: name.into(), controller: None }
    }

    /// The controller that Kubernetes names; none without a kind and a name. A cron job's pods are those of one job under
    /// its name; a replica set by itself, or a controller of a kind that Kubernetes does not have, is
    /// [another one](WorkloadKind::Controller).
    #[must_use]
    pub fn of(owner: &PodOwner) -> Option<Self> {
        if owner.kind.is_empty() || owner.name.is_empty() {
            return None;
        }
        let (kind, says_all) = match owner.kind.as_str() {
            "Deployment" => (WorkloadKind::Deployment, true),
            "StatefulSet" => (WorkloadKind::StatefulSet, true),
            "DaemonSet" => (WorkloadKind::DaemonSet, true),
            "Job" => (WorkloadKind::Job, true),
            "CronJob" => (WorkloadKind::Job, false),
            _ => (WorkloadKind::Controller, false),
        };
        let controller = (!says_all).then(|| owner.kind.as_str().into());
        Some(Owner { kind, name: owner.name.as_str().into(), controller })
    }
}

/// What a workload asked for and may use at most, summed over its containers; `None` is not set or not known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Resources {
    /// Requested processors, in cores (0.5 = `500m`).
    pub cpu_request_cores: Option<f64>,
    /// Limit of processors, in cores.
    pub cpu_limit_cores: Option<f64>,
    /// Requested memory, bytes.
    pub memory_request_bytes: Option<u64>,
    /// Limit of memory, bytes.
    pub memory_limit_bytes: Option<u64>,
}

impl Resources {
    /// What Kubernetes knows; `None` if that is nothing.
    #[must_use]
    pub fn of(amounts: ResourceAmounts) -> Option<Self> {
        #[expect(clippy::cast_precision_loss, reason = "no node has 2^53 thousandths of a processor")]
        let cores = |millicores: u64| millicores as f64 / 1000.0;
        (!amounts.is_empty()).then(|| Resources {
            cpu_request_cores: amounts.cpu_request_millicores.map(cores),
            cpu_limit_cores: amounts.cpu_limit_millicores.map(cores),
            memory_request_bytes: amounts.memory_request_bytes,
            memory_limit_bytes: amounts.memory_limit_bytes,
        })
    }

    /// Notes an amount: of `cpu` in cores or of `memory` in bytes, requested or as a limit. Other resources are not kept.
    pub fn note(&mut self, resource: &str, is_limit: bool, amount: f64) {
        if !amount.is_finite() || amount < 0.0 {
            return;
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "not negative; beyond the largest it is that"
        )]
        let bytes = amount as u64;
        match (resource, is_limit) {
            ("cpu", false) => self.cpu_request_cores = Some(amount),
            ("cpu", true) => self.cpu_limit_cores = Some(amount),
            ("memory", false) => self.memory_request_bytes = Some(bytes),
            ("memory", true) => self.memory_limit_bytes = Some(bytes),
            _ => {}
        }
    }
}

/// Something that is not among the figures.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct Skipped {
    /// What: a node, an endpoint, a workload.
    pub what: String,
    /// Why, and what would help. Never holds a secret.
    pub reason: String,
}

impl Skipped {
    /// `what` is missing, for this reason.
    pub fn new(what: impl Into<String>, reason: impl Into<String>) -> Self {
        Skipped { what: what.into(), reason: reason.into() }
    }
}

impl NodeEnergy {
    /// Its energy by part.
    #[must_use]
    pub fn energy(&self) -> EnergySplit {
        self.split(|zone| Some(zone.energy))
    }

    /// One figure of every zone, by part. The total is of the [counted](Self::counted) zones.
    pub fn split<T: Copy + Add<Output = T>>(&self, figure: impl Fn(&NodeZoneEnergy) -> Option<T>) -> super::Split<T> {
        let zones = PerZone::from_fn(|zone| self.zones[zone].as_ref().and_then(&figure));
        super::Split::new(zones).counting(&self.counted())
    }

    /// The zones whose sum is the machine: none of them contains another, and a platform that is measured stands for
    /// processors and memory that are but estimated.
    #[must_use]
    pub fn counted(&self) -> PerZone<bool> {
        counted(&self.zones)
    }

    /// How the total came to be: the method of the sum of the [counted](Self::counted) zones ([`Method::of_sum`]).
    #[must_use]
    pub fn method(&self) -> Method {
        self.method_of(&self.energy())
    }

    /// How a part of its energy came to be, such as a workload's: likewise, by what that has in each zone.
    #[must_use]
    pub fn method_of(&self, energy: &EnergySplit) -> Method {
        let counted = self.counted();
        let zones = self.zones.iter().filter(|(zone, _)| counted[*zone]);
        let parts = zones.filter_map(|(kind, zone)| Some((joules(energy.zones[kind]), zone.as_ref()?.method)));
        Method::of_sum(parts).unwrap_or(Method::Measured)
    }
}

/// What is not known weighs nothing.
pub(crate) fn joules(energy: Option<Energy>) -> f64 {
    energy.map_or(0.0, Energy::joules)
}

/// The zones whose sum is the machine, of a node with these.
pub(crate) fn counted(zones: &PerZone<Option<NodeZoneEnergy>>) -> PerZone<bool> {
    let is_estimated = |kind: ZoneKind| {
        zones[kind].as_ref().is_some_and(|zone| {
            // A platform counter that does not move, as hypervisors show one, measures nothing.
            let is_nothing = kind == ZoneKind::Psys && zone.energy == Energy::ZERO;
            is_nothing || matches!(zone.method, Method::Estimated { .. })
        })
    };
    ZoneKind::addable_unless_estimated(|kind| zones[kind].is_some(), is_estimated)
}

/// Shows every workload of a snapshot that an inventory lists, with the namespace it is found by.
///
/// Commands are left out: they take over what ended processes used, which was theirs when it was used.
pub(crate) fn for_each_listed<'a>(snapshot: &'a Snapshot, mut visit: impl FnMut(AnyRow<'a>, Option<&'a str>)) {
    snapshot.for_each(|row| {
        let namespace = match row.kind() {
            WorkloadKind::Command => return,
            WorkloadKind::Process => None,
            _ => row.namespace(),
        };
        visit(row, namespace);
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;

    #[test]
    fn what_is_estimated_makes_uncertain_what_has_a_part_in_it_only() {
        let (estimated, whole) = (|error_ratio| Method::Estimated { error_ratio }, Timestamp::UNIX_EPOCH);
        let mut node = NodeEnergy::new("a", TimeRange { start: whole, end: whole });
        let zone = |joules, method| Some(NodeZoneEnergy::new(Energy::from_joules(joules), method, "test"));
        node.zones[ZoneKind::Package] = zone(100.0, estimated(0.6));
        node.zones[ZoneKind::Gpu] = zone(300.0, Method::Measured);
        assert_eq!(node.method(), estimated(0.15));
        let of = |package: f64, gpu: f64| {
            let mut energy = EnergySplit::default();
            energy.zones[ZoneKind::Package] = Some(Energy::from_joules(package));
            energy.zones[ZoneKind::Gpu] = Some(Energy::from_joules(gpu));
            node.method_of(&energy)
        };
        assert_eq!(of(10.0, 0.0), estimated(0.6));
        assert_eq!(of(10.0, 30.0), estimated(0.15));
        assert_eq!(of(0.0, 30.0), Method::Measured);
    }
}
