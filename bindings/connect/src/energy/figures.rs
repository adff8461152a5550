//! Sums over a range, and inventory rows built from them.

use super::{Identity, Quantity, Sources, add, slot};
use kepler_compliance::units::{Energy, PerZone, Power, ZoneKind};
use kepler_compliance::view::{
    Containment, EnergySplit, NodeEnergy, NodeZoneEnergy, Owner, Resources, Split, StepUsage, TimeRange,
    WorkloadEnergy, WorkloadId, WorkloadKind,
};
use kepler_core::meter::Method;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

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
    pub(crate) fn add(&mut self, quantity: Quantity, part: ZoneKind, value: f64) {
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

    /// All energy of a part: active plus idle where both are reported, since the total of Go Kepler is the raw
    /// register, which wraps, and these two are not.
    fn total(&mut self, part: ZoneKind) -> Option<f64> {
        match (*slot(&mut self.active, part), *slot(&mut self.idle, part)) {
            (Some(active), Some(idle)) => Some(active + idle),
            _ => *slot(&mut self.joules, part),
        }
    }

    /// The energy by part.
    pub(crate) fn energy(&mut self) -> EnergySplit {
        Split::new(PerZone::from_fn(|zone| self.total(zone).map(Energy::from_joules)))
    }

    /// What a node used, and how much of it idle machines draw and no workload explains.
    pub(crate) fn usage(mut self) -> StepUsage {
        let joules = |split: &Split<f64>| split.map(Energy::from_joules);
        let (idle, unattributed) = (joules(&self.idle), joules(&self.unattributed));
        let usage = StepUsage::new(self.energy(), None).with_parts(idle, unattributed);
        self.sources.total(usage)
    }

    pub(crate) fn into_node(mut self, name: Arc<str>, covered: TimeRange) -> NodeEnergy {
        let mut zone = |part| {
            let energy = Energy::from_joules(self.total(part)?);
            let joules = |split: &mut Split<f64>| slot(split, part).map(Energy::from_joules);
            let source = self.sources.of(part);
            let mut zone = NodeZoneEnergy::new(energy, source.method, source.name);
            zone.active = joules(&mut self.active);
            zone.idle = joules(&mut self.idle);
            zone.unattributed = joules(&mut self.unattributed);
            zone.power = slot(&mut self.watts, part).map(Power::from_watts);
            Some(zone)
        };
        let mut node = NodeEnergy::new(name, covered);
        node.zones = PerZone::from_fn(&mut zone);
        node.processors = self.processors;
        node
    }
}

/// A workload's figures over a range.
#[derive(Clone, Debug)]
pub(crate) struct WorkloadFigures {
    pub(crate) identity: Identity,
    /// The controller of a pod, where it is reported.
    pub(crate) owner: Option<Owner>,
    /// What it asked for, where it is told.
    pub(crate) resources: Option<Resources>,
    pub(crate) running: bool,
    pub(crate) joules: Split<f64>,
    /// Of what runs; empty where not known.
    pub(crate) watts: Split<f64>,
    pub(crate) cpu_seconds: Option<f64>,
}

impl WorkloadFigures {
    pub(crate) fn new(identity: Identity) -> Self {
        let (joules, watts) = (Split::default(), Split::default());
        WorkloadFigures { identity, owner: None, resources: None, running: false, joules, watts, cpu_seconds: None }
    }

    pub(crate) fn add(&mut self, quantity: Quantity, part: ZoneKind, value: f64) {
        match quantity {
            Quantity::Joules => add(&mut self.joules, part, value),
            Quantity::Watts => add(&mut self.watts, part, value),
            Quantity::CpuSeconds => *self.cpu_seconds.get_or_insert_default() += value,
            Quantity::ActiveJoules | Quantity::IdleJoules | Quantity::UnattributedJoules => {}
        }
    }

    pub(crate) fn usage(&self) -> StepUsage {
        StepUsage::new(self.joules.map(Energy::from_joules), self.cpu_seconds.and_then(seconds))
    }
}

/// Rows of workloads that ran on `node`.
pub(crate) fn rows(node: &NodeEnergy, method: Method, figures: Vec<WorkloadFigures>) -> Vec<WorkloadEnergy> {
    let pods = figures.iter().filter(|row| row.identity.kind == WorkloadKind::Pod);
    let namespaces: HashMap<Arc<str>, Option<Arc<str>>> =
        pods.map(|row| (row.identity.uid.clone(), row.identity.namespace.clone())).collect();
    let row = |row: WorkloadFigures| {
        let StepUsage { mut energy, cpu_time, .. } = row.usage();
        for (zone, part) in energy.zones.iter_mut() {
            // It was charged nothing in a zone that its node has.
            *part = part.or(node.zones[zone].as_ref().map(|_| Energy::ZERO));
        }
        let of_pod = row.identity.pod.as_ref().and_then(|pod| namespaces.get(pod).cloned().flatten());
        let known = row.running && row.watts != Split::default();
        let containment = match (row.identity.kind, &row.identity.pod) {
            (WorkloadKind::Container, Some(pod)) => Containment::Within { kind: WorkloadKind::Pod, uid: pod.clone() },
            (WorkloadKind::Process | WorkloadKind::Vm, _) => Containment::Unknown,
            _ => Containment::Outermost,
        };
        let identity = row.identity;
        let mut id = WorkloadId::new(identity.kind, identity.name, identity.uid, node.name.clone());
        id.namespace = identity.namespace.or(of_pod);
        let mut workload = WorkloadEnergy::new(id, energy.counting(&node.counted()), method);
        (workload.owner, workload.resources) = (row.owner, row.resources);
        workload.running = row.running;
        workload.power = known.then(|| row.watts.map(Power::from_watts).counting(&node.counted()));
        workload.cpu_time = cpu_time;
        workload.containment = containment;
        workload
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
pub(crate) fn plus(a: &StepUsage, b: &StepUsage) -> StepUsage {
    let cpu_time = match (a.cpu_time, b.cpu_time) {
        (Some(a), Some(b)) => Some(a.saturating_add(b)),
        (a, b) => a.or(b),
    };
    // A part that one side does not tell apart is not known of the sum; a side without energy adds nothing.
    let both = |part: fn(&StepUsage) -> &EnergySplit| match (a.energy.total(), b.energy.total()) {
        (None, _) => *part(b),
        (_, None) => *part(a),
        _ if part(a).total().is_some() && part(b).total().is_some() => part(a).plus(part(b)),
        _ => EnergySplit::default(),
    };
    StepUsage::new(a.energy.plus(&b.energy), cpu_time)
        .with_parts(both(|usage| &usage.idle), both(|usage| &usage.unattributed))
}

pub(crate) fn seconds(seconds: f64) -> Option<Duration> {
    Duration::try_from_secs_f64(seconds).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const PACKAGE: ZoneKind = ZoneKind::Package;

    #[test]
    fn a_wrapping_register_is_not_used_where_active_and_idle_are_reported() {
        let mut figures = NodeFigures::default();
        figures.add(Quantity::Joules, PACKAGE, 7.0);
        assert_eq!(figures.energy().cpu(), Some(Energy::from_joules(7.0)));
        figures.add(Quantity::ActiveJoules, PACKAGE, 40.0);
        assert_eq!(figures.energy().cpu(), Some(Energy::from_joules(7.0)), "one alone is no total");
        figures.add(Quantity::IdleJoules, PACKAGE, 20.0);
        assert_eq!(figures.energy().cpu(), Some(Energy::from_joules(60.0)));
    }

    #[test]
    fn a_zone_that_the_node_lacks_stays_absent_and_one_that_it_has_is_zero() {
        let range = TimeRange { start: jiff::Timestamp::UNIX_EPOCH, end: jiff::Timestamp::MAX };
        let mut figures = NodeFigures::default();
        figures.add(Quantity::Joules, PACKAGE, 7.0);
        let node = figures.into_node("n".into(), range);
        let label = |name: &str| (name == "pod_id").then_some("u");
        let row = WorkloadFigures::new(Identity::read(WorkloadKind::Pod, label).unwrap());
        let rows = rows(&node, Method::Measured, vec![row]);
        let zones = &rows[0].energy.zones;
        assert_eq!((zones[ZoneKind::Package], zones[ZoneKind::Dram]), (Some(Energy::ZERO), None));
        assert_eq!((&*rows[0].id.name, rows[0].power, rows[0].cpu_time), ("u", None, None));
    }

    #[test]
    fn time_and_energy_known_on_one_side_only_are_that_sides() {
        let time = StepUsage::new(EnergySplit::default(), Some(Duration::from_secs(1)));
        assert_eq!(plus(&time, &StepUsage::default()), time);
        assert_eq!(plus(&time, &time).cpu_time, Some(Duration::from_secs(2)));
    }
}
