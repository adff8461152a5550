//! Differences between snapshots.

use super::super::{WorkloadId, WorkloadKind, for_each_listed};
use super::RingOptions;
use crate::series::span;
use crate::units::{Energy, PerZone, Power};
use jiff::Timestamp;
use kepler_core::host;
use kepler_core::meter::Method;
use kepler_core::snapshot::{AnyRow, NodeZone, Snapshot, State};
use std::collections::{HashMap, VecDeque};
use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

/// What is merged is at most this part of its age long, so that edges of windows stay about where they were
/// asked for.
const COARSEST: f64 = 0.25;

/// What was used between two snapshots.
#[derive(Debug)]
pub(super) struct Sample {
    /// Boot clock at the earlier snapshot.
    pub(super) start: Duration,
    /// Boot clock at the later one.
    pub(super) end: Duration,
    pub(super) node: PerZone<Option<NodeUse>>,
    /// Those that used anything.
    pub(super) rows: Vec<Used>,
}

/// A node's energy of one zone.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct NodeUse {
    pub(super) energy: Energy,
    pub(super) active: Energy,
    pub(super) idle: Energy,
    pub(super) unattributed: Energy,
}

/// A workload's energy and CPU time.
#[derive(Debug)]
pub(super) struct Used {
    pub(super) serial: u64,
    pub(super) id: Arc<WorkloadId>,
    pub(super) energy: PerZone<Energy>,
    pub(super) cpu_time: Duration,
}

/// A workload of the newest snapshot.
#[derive(Debug)]
pub(super) struct Known {
    /// Tells it from all others ever seen here.
    pub(super) serial: u64,
    pub(super) id: Arc<WorkloadId>,
    pub(super) running: bool,
    pub(super) power: PerZone<Power>,
    energy: PerZone<Energy>,
    cpu_time: Duration,
    /// The snapshot it was last seen in.
    seen: u64,
}

/// What is known of the node's zone now.
#[derive(Clone, Debug)]
pub(super) struct ZoneNow {
    pub(super) power: Option<Power>,
    pub(super) method: Method,
    pub(super) source: &'static str,
    totals: NodeUse,
}

/// The newest snapshot, as far as the next one is compared with it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Newest {
    pub(super) sequence: u64,
    pub(super) at: host::Timestamp,
    pub(super) interval: Duration,
    pub(super) processors: u32,
}

#[derive(Debug)]
pub(super) struct Ledger {
    options: RingOptions,
    pub(super) node: Arc<str>,
    pub(super) samples: VecDeque<Sample>,
    /// Rows of all samples.
    rows: usize,
    pub(super) newest: Option<Newest>,
    pub(super) zones: PerZone<Option<ZoneNow>>,
    /// Kind and uid -> workload.
    known: HashMap<WorkloadKind, HashMap<Box<str>, Known>>,
    next_serial: u64,
}

impl Ledger {
    pub(super) fn new(node: Arc<str>, options: RingOptions) -> Self {
        Ledger {
            options,
            node,
            samples: VecDeque::new(),
            rows: 0,
            newest: None,
            zones: PerZone::default(),
            known: HashMap::new(),
            next_serial: 0,
        }
    }

    /// The workloads of the newest snapshot.
    pub(super) fn known(&self) -> impl Iterator<Item = &Known> {
        self.known.values().flat_map(HashMap::values)
    }

    /// The time of a moment of the boot clock, on the wall clock as it is now.
    pub(super) fn wall(&self, boottime: Duration) -> Option<Timestamp> {
        let newest = self.newest?.at;
        let wall = Timestamp::try_from(newest.wall).ok()?;
        wall.checked_sub(newest.boottime.saturating_sub(boottime)).ok()
    }

    /// The boot clock at a time of the wall clock as it is now.
    pub(super) fn boottime(&self, wall: Timestamp) -> Option<Duration> {
        let newest = self.newest?.at;
        let now = Timestamp::try_from(newest.wall).ok()?;
        Some((newest.boottime + span(now, wall)).saturating_sub(span(wall, now)))
    }

    pub(super) fn record(&mut self, snapshot: &Snapshot) {
        let restarted = self
            .newest
            .is_some_and(|newest| snapshot.sequence < newest.sequence || snapshot.at.boottime < newest.at.boottime);
        if !restarted && self.newest.is_some_and(|newest| snapshot.sequence == newest.sequence) {
            return;
        }
        let before = if restarted { None } else { self.newest };
        if before.is_none() {
            self.forget();
        }
        let mut used = Vec::new();
        let node = self.advance_zones(snapshot);
        self.advance_workloads(snapshot, &mut used);
        if let Some(before) = before {
            let (start, end) = (before.at.boottime, snapshot.at.boottime);
            used.shrink_to_fit();
            self.rows += used.len();
            self.samples.push_back(Sample { start, end, node, rows: used });
        }
        self.newest = Some(Newest {
            sequence: snapshot.sequence,
            at: snapshot.at,
            interval: snapshot.interval,
            processors: snapshot.node.processors,
        });
        self.trim(snapshot.at.boottime);
    }

    /// A sampler that starts anew counts from zero; what it had counted is no ground to compare with.
    fn forget(&mut self) {
        self.zones = PerZone::default();
        self.known.clear();
    }

    fn trim(&mut self, now: Duration) {
        // Of another boot: their moments cannot be placed any more.
        self.samples.retain(|sample| sample.end <= now);
        let too_old = |sample: &Sample| now.saturating_sub(sample.end) >= self.options.max_age;
        while self.samples.len() > self.options.max_samples || self.samples.front().is_some_and(too_old) {
            self.samples.pop_front();
        }
        self.rows = self.samples.iter().map(|sample| sample.rows.len()).sum();
        while self.rows > self.options.max_rows && self.samples.len() > 1 {
            self.merge(now);
        }
    }

    /// Makes one of the two neighbours whose common length is the smallest part of their age; drops the oldest
    /// sample if all have become long.
    fn merge(&mut self, now: Duration) {
        let pairs = self.samples.iter().zip(self.samples.iter().skip(1)).enumerate();
        // Where nobody measured is a gap, and stays one. The newest sample stays as it is: its end is now.
        let pairs = pairs.filter(|(_, (a, b))| a.end == b.start && b.end < now);
        let coarseness = |a: &Sample, b: &Sample| {
            b.end.saturating_sub(a.start).as_secs_f64() / now.saturating_sub(b.end).as_secs_f64()
        };
        let coarsenesses = pairs.map(|(at, (a, b))| (coarseness(a, b), at)).filter(|(part, _)| *part <= COARSEST);
        let finest = coarsenesses.min_by(|a, b| a.0.total_cmp(&b.0));
        let merged = finest.and_then(|(_, at)| {
            let later = self.samples.remove(at + 1)?;
            let earlier = self.samples.get_mut(at)?;
            self.rows -= earlier.rows.len() + later.rows.len();
            earlier.extend(later);
            self.rows += earlier.rows.len();
            Some(())
        });
        if merged.is_none() {
            self.rows -= self.samples.pop_front().map_or(0, |oldest| oldest.rows.len());
        }
    }

    fn advance_zones(&mut self, snapshot: &Snapshot) -> PerZone<Option<NodeUse>> {
        PerZone::from_fn(|kind| {
            let zone = snapshot.node.zones[kind].as_ref()?;
            let totals = totals(zone);
            let now = ZoneNow {
                power: zone.power.map(|power| power.total),
                method: zone.method,
                source: zone.source,
                totals,
            };
            // A zone that appears later has counted from zero since its first reading.
            let before = self.zones[kind].replace(now).map_or_else(NodeUse::default, |before| before.totals);
            Some(NodeUse {
                energy: risen(before.energy, totals.energy),
                active: risen(before.active, totals.active),
                idle: risen(before.idle, totals.idle),
                unattributed: risen(before.unattributed, totals.unattributed),
            })
        })
    }

    fn advance_workloads(&mut self, snapshot: &Snapshot, used: &mut Vec<Used>) {
        let Ledger { node, known, next_serial, .. } = self;
        let sequence = snapshot.sequence;
        let mut uid = String::new();
        for_each_listed(snapshot, |row, namespace| {
            let kind = row.kind();
            uid.clear();
            // Writing to a string does not fail.
            let _ = write!(uid, "{}", row.identity());
            let uid = uid.as_str();
            let name = if row.name().is_empty() { uid } else { row.name() };
            let identify = || {
                let (namespace, name, uid) = (namespace.map(Arc::from), name.into(), uid.into());
                Arc::new(WorkloadId { kind, namespace, name, uid, node: Arc::clone(node) })
            };
            let table = known.entry(kind).or_default();
            let known = match table.get_mut(uid) {
                // Two rows of one identity: the first, running one is its account.
                Some(known) if known.seen == sequence => return,
                Some(known) => known,
                None => {
                    *next_serial += 1;
                    table.entry(uid.into()).or_insert(Known::new(*next_serial, identify()))
                }
            };
            // A process changes its name by exec; Kubernetes tells a pod's name after its first energy.
            if *known.id.name != *name || known.id.namespace.as_deref() != namespace {
                known.id = identify();
            }
            used.extend(known.advance(sequence, &row));
        });
        self.known.values_mut().for_each(|table| table.retain(|_, known| known.seen == sequence));
    }
}

impl Sample {
    /// Takes in the sample that follows.
    fn extend(&mut self, later: Sample) {
        self.end = later.end;
        self.node = PerZone::from_fn(|zone| match (self.node[zone], later.node[zone]) {
            (Some(a), Some(b)) => Some(NodeUse {
                energy: a.energy + b.energy,
                active: a.active + b.active,
                idle: a.idle + b.idle,
                unattributed: a.unattributed + b.unattributed,
            }),
            (a, b) => a.or(b),
        });
        self.rows.extend(later.rows);
        self.rows.sort_by_key(|used| used.serial);
        // The sort is stable, so the later row is the second one: its name is the newer.
        self.rows.dedup_by(|later, earlier| {
            let same = later.serial == earlier.serial;
            if same {
                earlier.energy.iter_mut().for_each(|(zone, sum)| *sum += later.energy[zone]);
                earlier.cpu_time += later.cpu_time;
                earlier.id = Arc::clone(&later.id);
            }
            same
        });
        self.rows.shrink_to_fit();
    }
}

impl Known {
    fn new(serial: u64, id: Arc<WorkloadId>) -> Self {
        Known {
            serial,
            id,
            running: true,
            power: PerZone::default(),
            energy: PerZone::default(),
            cpu_time: Duration::ZERO,
            seen: 0,
        }
    }

    /// Takes new totals in; what was used since the last ones, if anything.
    fn advance(&mut self, sequence: u64, row: &AnyRow<'_>) -> Option<Used> {
        let energy = PerZone::from_fn(|zone| risen(self.energy[zone], row.energy[zone]));
        let cpu_time = row.cpu_time.saturating_sub(self.cpu_time);
        (self.seen, self.running, self.power) = (sequence, row.state == State::Running, *row.power);
        (self.energy, self.cpu_time) = (*row.energy, row.cpu_time);
        let anything = !cpu_time.is_zero() || energy != PerZone::default();
        anything.then(|| Used { serial: self.serial, id: Arc::clone(&self.id), energy, cpu_time })
    }
}

fn totals(zone: &NodeZone) -> NodeUse {
    NodeUse {
        energy: zone.energy,
        active: zone.active_energy,
        idle: zone.idle_energy,
        unattributed: zone.unattributed_energy,
    }
}

/// How far a counter rose. One that fell has started again: what it shows now was used since.
fn risen(before: Energy, now: Energy) -> Energy {
    now.checked_sub(before).unwrap_or(now)
}
