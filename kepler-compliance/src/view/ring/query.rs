//! Answers from the ledger.

use super::super::counted;
use super::super::{
    EnergySeries, EnergySplit, Inventory, NoDataReason, NodeEnergy, NodeZoneEnergy, Split, StepUsage, Subject,
    TimeRange, ViewError, WorkloadEnergy, WorkloadId, WorkloadKind,
};
use super::buckets::Buckets;
use super::devices::{self, DeviceUsed};
use super::ledger::{Identified, Ledger, Sample};
use crate::differ::ZoneCounters;
use crate::series::Series;
use crate::units::{Energy, PerZone, ZoneKind};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

/// As many workloads are few.
const FEW: usize = 8;

/// Samples of a range, with the times they cover.
struct Selection<'a> {
    samples: Vec<&'a Sample>,
    covered: TimeRange,
    coverage: f64,
}

pub(super) fn inventory(ledger: &Ledger, origin: &str, range: TimeRange) -> Result<Inventory, ViewError> {
    let selection = selection(ledger, origin, range, range.length())?;
    let zones = node_zones(ledger, &selection.samples);
    let node = NodeEnergy {
        name: Arc::clone(&ledger.node),
        covered: selection.covered,
        zones,
        processors: ledger.newest.map(|newest| newest.processors),
        devices: ledger.devices.drawn(selection.samples.iter().flat_map(|sample| &sample.devices), selection.covered),
        platform: ledger.platform.drawn(selection.samples.iter().flat_map(|sample| &sample.platform)),
        correction: ledger.correction.clone(),
    };
    Ok(Inventory {
        moment: moment(ledger),
        asked: range,
        covered: selection.covered,
        coverage: selection.coverage,
        workloads: workloads(ledger, &selection.samples, &node),
        nodes: vec![node],
        skipped: Vec::new(),
    })
}

/// What the samples say of one workload: energy by zone, CPU time, energy of devices.
type Used = (PerZone<Energy>, Duration, Vec<DeviceUsed>);

fn workloads(ledger: &Ledger, samples: &[&Sample], node: &NodeEnergy) -> Vec<WorkloadEnergy> {
    let counted = node.counted();
    let split = |energy: &PerZone<Energy>| {
        let zones = PerZone::from_fn(|zone| node.zones[zone].as_ref().map(|_| energy[zone]));
        EnergySplit::new(zones).counting(&counted)
    };
    let mut sums: HashMap<u64, (&Arc<Identified>, Used)> = HashMap::new();
    for used in samples.iter().flat_map(|sample| &sample.rows) {
        let (who, (energy, cpu_time, devices)) =
            sums.entry(used.serial).or_insert_with(|| (&used.who, Used::default()));
        *who = &used.who;
        energy.iter_mut().for_each(|(zone, energy)| *energy += used.energy[zone]);
        *cpu_time += used.cpu_time;
        devices::add(devices, &used.devices);
    }
    // Power is known from the second snapshot on.
    let has_power = ledger.newest.is_some_and(|newest| !newest.interval.is_zero());
    let mut rows = Vec::with_capacity(sums.len());
    for known in ledger.known() {
        let sum = sums.remove(&known.serial);
        // One that had ended before the range and is merely remembered is none of its workloads.
        if !known.running && sum.is_none() {
            continue;
        }
        let (energy, cpu_time, used) = sum.map(|(_, used)| used).unwrap_or_default();
        let energy = split(&energy);
        rows.push(WorkloadEnergy {
            id: known.who.id.clone(),
            owner: known.who.owner.clone(),
            running: known.running,
            energy,
            power: (known.running && has_power).then(|| {
                let zones = PerZone::from_fn(|zone| node.zones[zone].as_ref().map(|_| known.power[zone]));
                Split::new(zones).counting(&counted)
            }),
            cpu_time: Some(cpu_time),
            method: node.method_of(&energy),
            resources: known.resources,
            containment: known.who.containment.clone(),
            devices: ledger.devices.named(&used),
        });
    }
    let gone = sums.into_values().map(|(who, (energy, cpu_time, used))| (who, split(&energy), cpu_time, used));
    rows.extend(gone.map(|(who, energy, cpu_time, used)| WorkloadEnergy {
        id: who.id.clone(),
        owner: who.owner.clone(),
        running: false,
        energy,
        power: None,
        cpu_time: Some(cpu_time),
        method: node.method_of(&energy),
        resources: None,
        containment: who.containment.clone(),
        devices: ledger.devices.named(&used),
    }));
    rows
}

pub(super) fn series(
    ledger: &Ledger,
    origin: &str,
    subject: &Subject,
    range: TimeRange,
    step: Duration,
) -> Result<EnergySeries, ViewError> {
    let selection = selection(ledger, origin, range, step)?;
    let mut node = NodeEnergy::new(Arc::clone(&ledger.node), selection.covered);
    node.zones = node_zones(ledger, &selection.samples);
    // Each row of each sample is asked about: comparing with a few names costs a tenth of hashing one.
    let asked = match subject {
        Subject::Workloads(ids) if ids.len() > FEW => ids.iter().collect(),
        _ => HashSet::new(),
    };
    let is_of = |id: &WorkloadId| match subject {
        Subject::Namespace(namespace) => id.kind == WorkloadKind::Pod && id.namespace.as_ref() == Some(namespace),
        Subject::Workloads(ids) if ids.len() <= FEW => ids.contains(id),
        Subject::Workloads(_) => asked.contains(id),
        Subject::Cluster | Subject::Node(_) => false,
    };
    let whole_node = match subject {
        Subject::Cluster => true,
        Subject::Node(name) => *name == ledger.node,
        Subject::Namespace(_) | Subject::Workloads(_) => false,
    };
    let known = whole_node
        || ledger.known().any(|known| is_of(&known.who.id))
        || selection.samples.iter().any(|sample| sample.rows.iter().any(|used| is_of(&used.who.id)));
    if !known {
        let reason = NoDataReason::NoSuchSubject;
        return Err(ViewError::NoData { origin: origin.into(), range, reason });
    }
    let (mut builder, mut used) = (Buckets::new(range.start, step), EnergySplit::default());
    for sample in &selection.samples {
        let (Some(start), Some(end)) = (ledger.wall(sample.start), ledger.wall(sample.end)) else { continue };
        let usage = if whole_node { of_node(sample, &node) } else { of_workloads(sample, &node, is_of) };
        used = used.plus(&usage.energy);
        builder.add(start, end, usage);
    }
    let steps = Series::new(builder.into_steps()).map_err(|error| ViewError::Unavailable {
        origin: origin.into(),
        reason: format!("its samples do not form a series: {error}"),
    })?;
    Ok(EnergySeries {
        steps,
        method: node.method_of(&used),
        coverage: selection.coverage,
        resolution: Duration::ZERO,
        moment: moment(ledger),
    })
}

/// What the node used in a sample, in each zone that it has.
fn of_node(sample: &Sample, node: &NodeEnergy) -> StepUsage {
    let (zones, counted) = (&node.zones, node.counted());
    let split = |part: fn(&ZoneCounters) -> Energy| {
        let of = |zone| sample.node[zone].as_ref().map_or(Energy::ZERO, part);
        EnergySplit::new(PerZone::from_fn(|zone| zones[zone].as_ref().map(|_| of(zone)))).counting(&counted)
    };
    StepUsage {
        energy: split(|used| used.energy),
        idle: split(|used| used.idle),
        unattributed: split(|used| used.unattributed),
        cpu_time: None,
    }
}

/// What the workloads used in a sample that `is_of` names.
fn of_workloads(sample: &Sample, node: &NodeEnergy, is_of: impl Fn(&WorkloadId) -> bool) -> StepUsage {
    let mut energy = PerZone::<Energy>::default();
    let mut cpu_time = Duration::ZERO;
    for used in sample.rows.iter().filter(|used| is_of(&used.who.id)) {
        energy.iter_mut().for_each(|(zone, sum)| *sum += used.energy[zone]);
        cpu_time += used.cpu_time;
    }
    let split = PerZone::from_fn(|zone| node.zones[zone].as_ref().map(|_| energy[zone]));
    StepUsage::new(EnergySplit::new(split).counting(&node.counted()), Some(cpu_time))
}

/// The samples that ended in the range.
fn selection<'a>(
    ledger: &'a Ledger,
    origin: &str,
    range: TimeRange,
    step: Duration,
) -> Result<Selection<'a>, ViewError> {
    if range.length().is_zero() || step.is_zero() {
        return Err(ViewError::Invalid { range, step });
    }
    let no_data = |reason| ViewError::NoData { origin: origin.into(), range, reason };
    let (Some(start), Some(end)) = (ledger.boottime(range.start), ledger.boottime(range.end)) else {
        return Err(no_data(NoDataReason::NoSnapshot));
    };
    let inside = |sample: &&Sample| sample.end > start && sample.end <= end;
    let samples: Vec<&Sample> = ledger.samples.iter().filter(inside).collect();
    let edges = samples.first().zip(samples.last());
    let edges = edges.and_then(|(first, last)| Some((ledger.wall(first.start)?, ledger.wall(last.end)?)));
    let Some((first, last)) = edges else {
        return Err(no_data(NoDataReason::NoTwoSnapshots));
    };
    let known: Duration =
        samples.iter().map(|sample| sample.end.min(end).saturating_sub(sample.start.max(start))).sum();
    let coverage = (known.as_secs_f64() / range.length().as_secs_f64()).min(1.0);
    Ok(Selection { samples, covered: TimeRange { start: first, end: last }, coverage })
}

fn moment(ledger: &Ledger) -> String {
    ledger.newest.map_or_else(String::new, |newest| newest.sequence.to_string())
}

fn node_zones(ledger: &Ledger, samples: &[&Sample]) -> PerZone<Option<NodeZoneEnergy>> {
    let mut zones = PerZone::from_fn(|kind| {
        let now = ledger.zones[kind].as_ref()?;
        let mut sum = ZoneCounters::default();
        for used in samples.iter().filter_map(|sample| sample.node[kind]) {
            sum.energy += used.energy;
            sum.active += used.active;
            sum.idle += used.idle;
            sum.unattributed += used.unattributed;
        }
        Some(NodeZoneEnergy {
            energy: sum.energy,
            active: Some(sum.active),
            idle: Some(sum.idle),
            unattributed: Some(sum.unattributed),
            power: now.power,
            method: now.method,
            source: now.source.into(),
        })
    });
    // A platform that was not there all the time does not stand for parts that were.
    let is_whole = |kind: ZoneKind| samples.iter().all(|sample| sample.node[kind].is_some());
    if counted(&zones)[ZoneKind::Psys] && zones[ZoneKind::Package].is_some() && !is_whole(ZoneKind::Psys) {
        zones[ZoneKind::Psys] = None;
    }
    zones
}
