//! Sums over a range, and inventory rows built from them.

use super::source::Source;
use super::{Identity, Quantity, Sources, add, slot};
use kepler_compliance::units::{Energy, PerZone, Power, ZoneKind};
use kepler_compliance::view::{
    Containment, DeviceEnergy, EnergySplit, NodeEnergy, NodeZoneEnergy, Owner, Resources, Split, StepUsage, TimeRange,
    WorkloadDeviceEnergy, WorkloadEnergy, WorkloadId, WorkloadKind, reported_device,
};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

/// An accelerator's figures over a range, in joules and watts.
#[derive(Clone, Debug, Default)]
pub(crate) struct DeviceFigures {
    pub(crate) index: u32,
    pub(crate) name: Arc<str>,
    pub(crate) vendor: Arc<str>,
    pub(crate) joules: Option<f64>,
    pub(crate) active: Option<f64>,
    pub(crate) idle: Option<f64>,
    pub(crate) unattributed: Option<f64>,
    pub(crate) watts: Option<f64>,
}

impl DeviceFigures {
    /// Takes over who it is, from the labels of a series.
    pub(crate) fn name<'a>(&mut self, label: impl Fn(&str) -> Option<&'a str>) {
        if let Some(index) = label("gpu").and_then(|index| index.parse().ok()) {
            self.index = index;
        }
        for (known, shown) in [(&mut self.name, label("gpu_name")), (&mut self.vendor, label("vendor"))] {
            if let Some(shown) = shown.filter(|shown| **known != **shown) {
                *known = shown.into();
            }
        }
    }

    /// The figure of that quantity.
    pub(crate) fn figure(&mut self, quantity: Quantity) -> Option<&mut Option<f64>> {
        Some(match quantity {
            Quantity::Joules => &mut self.joules,
            Quantity::ActiveJoules => &mut self.active,
            Quantity::IdleJoules => &mut self.idle,
            Quantity::UnattributedJoules => &mut self.unattributed,
            Quantity::Watts => &mut self.watts,
            Quantity::CpuSeconds => return None,
        })
    }

    /// All of its energy. Go Kepler's parts may be more than what its counter showed, and our own counter more than the parts:
    /// some may be either.
    fn total(&self) -> Option<f64> {
        more(self.joules, self.active, self.idle)
    }

    fn into_device(self, uuid: &str, covered: TimeRange, source: Source) -> DeviceEnergy {
        let device = reported_device(uuid, &self.vendor, &self.name, self.index);
        let mut energy = DeviceEnergy::new(device, covered, source.name);
        let of = |joules: Option<f64>| Energy::from_joules(joules.unwrap_or(0.0));
        (energy.active, energy.idle) = (of(self.active), of(self.idle));
        // What is not told apart may be either; rounding is not.
        let rest = of(self.total()).saturating_sub(energy.active).saturating_sub(energy.idle);
        let is_told_apart = self.active.is_some() && self.idle.is_some();
        let is_rounding = rest.joules() <= (energy.active + energy.idle).joules() * ROUNDING;
        energy.unsplit = if is_told_apart && is_rounding { Energy::ZERO } else { rest };
        energy.energy = energy.active + energy.idle + energy.unsplit;
        energy.unattributed = self.unattributed.map(Energy::from_joules);
        energy.power = self.watts.map(Power::from_watts);
        energy.method = source.method;
        energy
    }
}

/// Less than this share of the parts is rounding.
const ROUNDING: f64 = 1e-4;

/// The more of a counter and the sum of its parts.
fn more(joules: Option<f64>, active: Option<f64>, idle: Option<f64>) -> Option<f64> {
    let parts = active.zip(idle).map(|(active, idle)| active + idle);
    joules.into_iter().chain(parts).reduce(f64::max)
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
    /// By their identifiers; their figures are part of those of the zone as well.
    pub(crate) devices: BTreeMap<Arc<str>, DeviceFigures>,
}

impl NodeFigures {
    /// Adds a figure of an accelerator: to its own, and to those of the zone.
    pub(crate) fn add_of_device<'a>(
        &mut self,
        uuid: &str,
        quantity: Quantity,
        value: f64,
        label: impl Fn(&str) -> Option<&'a str>,
    ) {
        if !self.devices.contains_key(uuid) {
            self.devices.insert(uuid.into(), DeviceFigures::default());
        }
        if let Some(device) = self.devices.get_mut(uuid) {
            device.name(label);
            if let Some(figure) = device.figure(quantity) {
                *figure = Some(figure.unwrap_or(0.0) + value);
            }
        }
        self.add(quantity, ZoneKind::Gpu, value);
    }

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

    /// All energy of a part: of processors and memory active plus idle where both are reported, since the total of Go Kepler is
    /// the raw register, which wraps, and these two are not; of accelerators what each drew.
    fn total(&mut self, part: ZoneKind) -> Option<f64> {
        if part == ZoneKind::Gpu {
            let of_devices = self.devices.values().filter_map(DeviceFigures::total).reduce(|a, b| a + b);
            let zones = (self.joules.zones[part], self.active.zones[part], self.idle.zones[part]);
            return of_devices.or_else(|| more(zones.0, zones.1, zones.2));
        }
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
        let source = || self.sources.of(ZoneKind::Gpu);
        let devices = self.devices.into_iter();
        node.devices = devices.map(|(uuid, device)| device.into_device(&uuid, covered, source())).collect();
        node.devices.sort_by_key(|device| device.device.index);
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
    /// Joules by accelerator, where they are told apart; they are part of those of the zone as well.
    pub(crate) devices: Vec<(Arc<str>, f64)>,
}

impl WorkloadFigures {
    pub(crate) fn new(identity: Identity) -> Self {
        let (joules, watts) = (Split::default(), Split::default());
        let (owner, resources, cpu_seconds, devices) = (None, None, None, Vec::new());
        WorkloadFigures { identity, owner, resources, running: false, joules, watts, cpu_seconds, devices }
    }

    /// Notes which accelerator a figure is of.
    pub(crate) fn note_device(&mut self, uuid: &str, quantity: Quantity, value: f64) {
        if quantity != Quantity::Joules {
            return;
        }
        match self.devices.iter_mut().find(|(known, _)| **known == *uuid) {
            Some((_, joules)) => *joules += value,
            None => self.devices.push((uuid.into(), value)),
        }
    }

    /// What it used of each accelerator of its node. A series that names none is of the node's only one.
    fn used(&self, node: &NodeEnergy) -> Vec<WorkloadDeviceEnergy> {
        let one = |uuid: &Arc<str>, joules: f64| {
            WorkloadDeviceEnergy::new(Arc::clone(uuid), Energy::from_joules(joules), None)
        };
        let is_used = |used: &WorkloadDeviceEnergy| used.energy > Energy::ZERO;
        let joules = self.joules.zones[ZoneKind::Gpu].unwrap_or(0.0);
        match (self.devices.as_slice(), node.devices.as_slice()) {
            ([], [only]) => Some(one(&only.device.uuid, joules)).filter(is_used).into_iter().collect(),
            (devices, _) => devices.iter().map(|(uuid, joules)| one(uuid, *joules)).filter(is_used).collect(),
        }
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
pub(crate) fn rows(node: &NodeEnergy, figures: Vec<WorkloadFigures>) -> Vec<WorkloadEnergy> {
    let pods = figures.iter().filter(|row| row.identity.kind == WorkloadKind::Pod);
    let namespaces: HashMap<Arc<str>, Option<Arc<str>>> =
        pods.map(|row| (row.identity.uid.clone(), row.identity.namespace.clone())).collect();
    let row = |row: WorkloadFigures| {
        let StepUsage { mut energy, cpu_time, .. } = row.usage();
        let devices = row.used(node);
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
        let mut workload = WorkloadEnergy::new(id, energy.counting(&node.counted()), node.method_of(&energy));
        (workload.owner, workload.resources) = (row.owner, row.resources);
        workload.running = row.running;
        workload.power = known.then(|| row.watts.map(Power::from_watts).counting(&node.counted()));
        workload.cpu_time = cpu_time;
        workload.devices = devices;
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
        let rows = rows(&node, vec![row]);
        let zones = &rows[0].energy.zones;
        assert_eq!((zones[ZoneKind::Package], zones[ZoneKind::Dram]), (Some(Energy::ZERO), None));
        assert_eq!((&*rows[0].id.name, rows[0].power, rows[0].cpu_time), ("u", None, None));
    }

    #[test]
    fn what_a_device_drew_is_its_counter_or_its_parts_and_a_series_without_a_name_is_of_the_only_one() {
        let range = TimeRange { start: jiff::Timestamp::UNIX_EPOCH, end: jiff::Timestamp::MAX };
        let node_of = |shown: &[(&str, Quantity, f64)]| {
            let mut figures = NodeFigures::default();
            for &(uuid, quantity, value) in shown {
                let label = |name: &str| (name == "gpu").then_some(if uuid == "GPU-b" { "1" } else { "0" });
                figures.add_of_device(uuid, quantity, value, label);
            }
            figures.into_node("n".into(), range)
        };
        let joules = |device: &DeviceEnergy| {
            [device.energy, device.active, device.idle, device.unsplit].map(|energy| energy.joules())
        };
        let (all, active, idle) = (Quantity::Joules, Quantity::ActiveJoules, Quantity::IdleJoules);
        let node =
            node_of(&[("GPU-b", all, 10.0), ("GPU-a", all, 100.0), ("GPU-a", active, 60.0), ("GPU-a", idle, 30.0)]);
        assert_eq!(joules(&node.devices[0]), [100.0, 60.0, 30.0, 10.0], "ours, until the idle power is known");
        assert_eq!(joules(&node.devices[1]), [10.0, 0.0, 0.0, 10.0], "nothing is told apart");
        assert_eq!((node.devices[1].unattributed, node.devices[1].device.index), (None, 1));
        assert_eq!(node.zones[ZoneKind::Gpu].as_ref().unwrap().energy, Energy::from_joules(110.0));
        let other = node_of(&[("GPU-a", all, 100.0), ("GPU-a", active, 80.0), ("GPU-a", idle, 30.0)]);
        assert_eq!(joules(&other.devices[0]), [110.0, 80.0, 30.0, 0.0], "Go Kepler's sums disagree");
        let label = |name: &str| (name == "pod_id").then_some("u");
        let used = |node: &NodeEnergy, named: bool| {
            let mut row = WorkloadFigures::new(Identity::read(WorkloadKind::Pod, label).unwrap());
            row.add(all, ZoneKind::Gpu, 7.0);
            if named {
                row.note_device("GPU-b", all, 7.0);
            }
            let rows = rows(node, vec![row]);
            rows[0].devices.iter().map(|used| (used.uuid.to_string(), used.energy.joules())).collect::<Vec<_>>()
        };
        assert_eq!(used(&other, false), [("GPU-a".to_owned(), 7.0)]);
        assert_eq!(used(&node, false), [], "of two it is not known which");
        assert_eq!(used(&node, true), [("GPU-b".to_owned(), 7.0)]);
    }

    #[test]
    fn time_and_energy_known_on_one_side_only_are_that_sides() {
        let time = StepUsage::new(EnergySplit::default(), Some(Duration::from_secs(1)));
        assert_eq!(plus(&time, &StepUsage::default()), time);
        assert_eq!(plus(&time, &time).cpu_time, Some(Duration::from_secs(2)));
    }
}
