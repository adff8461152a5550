//! Energy between snapshots, retained for a while and merged with age.

use super::super::containment::Nesting;
use super::super::{Containment, Owner, Resources, WorkloadId, WorkloadKind};
use super::RingOptions;
use super::devices::{self, DeviceDrawn, DeviceUsed, Devices};
use super::platform::{self, PlatformDrawn, Platforms};
use crate::differ::{Differ, Order, ZoneCounters};
use crate::series::span;
use crate::units::{Energy, PerZone, Power};
use jiff::Timestamp;
use kepler_core::host;
use kepler_core::meter::Method;
use kepler_core::snapshot::{EstimateCorrection, Snapshot, State};
use std::collections::{HashMap, VecDeque};
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
    pub(super) node: PerZone<Option<ZoneCounters>>,
    /// Those that used anything.
    pub(super) rows: Vec<Used>,
    /// Accelerators that drew anything.
    pub(super) devices: Vec<DeviceDrawn>,
    /// Meters of the whole machine that showed anything.
    pub(super) platform: Vec<PlatformDrawn>,
}

/// A workload's energy and CPU time.
#[derive(Debug)]
pub(super) struct Used {
    pub(super) serial: u64,
    pub(super) who: Arc<Identified>,
    pub(super) energy: PerZone<Energy>,
    pub(super) cpu_time: Duration,
    /// What of it each accelerator drew.
    pub(super) devices: Box<[DeviceUsed]>,
}

/// Who a workload is, and what contains it.
#[derive(Debug)]
pub(super) struct Identified {
    pub(super) id: WorkloadId,
    pub(super) owner: Option<Owner>,
    pub(super) containment: Containment,
}

/// A workload of the newest snapshot.
#[derive(Debug)]
pub(super) struct Known {
    /// Tells it from all others ever seen here.
    pub(super) serial: u64,
    pub(super) who: Arc<Identified>,
    pub(super) running: bool,
    pub(super) power: PerZone<Power>,
    /// What it asked for, as it is now: that can be changed while it runs.
    pub(super) resources: Option<Resources>,
    /// What its newest row showed of accelerators.
    devices: Vec<DeviceUsed>,
}

/// What is known of the node's zone now.
#[derive(Clone, Debug)]
pub(super) struct ZoneNow {
    pub(super) power: Option<Power>,
    pub(super) method: Method,
    pub(super) source: &'static str,
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
    pub(super) devices: Devices,
    pub(super) platform: Platforms,
    /// By what its estimate is corrected now.
    pub(super) correction: Option<EstimateCorrection>,
    differ: Differ<Option<Known>>,
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
            devices: Devices::default(),
            platform: Platforms::default(),
            correction: None,
            differ: Differ::default(),
            next_serial: 0,
        }
    }

    /// The workloads of the newest snapshot.
    pub(super) fn known(&self) -> impl Iterator<Item = &Known> {
        self.differ.kept().flatten()
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
        let order = self.differ.order(snapshot);
        if order == Order::Same {
            return;
        }
        let length = self.differ.known_for(snapshot, order);
        let node = self.differ.zones_used(snapshot, order);
        let devices = self.devices.advance(snapshot, order);
        let platform = self.platform.advance(snapshot, order);
        let rows = self.read(snapshot, order);
        self.differ.commit(snapshot);
        // Of a sampler that has just begun nothing is known yet.
        if !length.is_zero() {
            let end = snapshot.at.boottime;
            self.rows += rows.len();
            self.samples.push_back(Sample { start: end.saturating_sub(length), end, node, rows, devices, platform });
        }
        self.zones = PerZone::from_fn(|zone| {
            let zone = snapshot.node.zones[zone].as_ref()?;
            Some(ZoneNow { power: zone.power.map(|power| power.total), method: zone.method, source: zone.source })
        });
        self.correction = snapshot.node.zones().find_map(|(_, zone)| zone.correction.clone());
        self.newest = Some(Newest {
            sequence: snapshot.sequence,
            at: snapshot.at,
            interval: snapshot.interval,
            processors: snapshot.node.processors,
        });
        self.trim(snapshot.at.boottime);
    }

    /// What each workload used since the snapshot before.
    fn read(&mut self, snapshot: &Snapshot, order: Order) -> Vec<Used> {
        let Ledger { node, differ, next_serial, devices, samples, .. } = self;
        let nesting = Nesting::of(snapshot);
        let (mut rows, mut named_late) = (Vec::new(), HashMap::new());
        differ.read(snapshot, order, |change| {
            let Some((row, namespace)) = change.row else { return };
            let (kind, uid) = (change.kind, change.uid);
            let name = if row.name().is_empty() { uid } else { row.name() };
            let identify = || {
                let (namespace, name, uid) = (namespace.map(Arc::from), name.into(), uid.into());
                let id = WorkloadId { kind, namespace, name, uid, node: Arc::clone(node) };
                Arc::new(Identified {
                    id,
                    owner: row.owner().and_then(Owner::of),
                    containment: nesting.containment(&row),
                })
            };
            let known = change.kept.get_or_insert_with(|| {
                *next_serial += 1;
                Known {
                    serial: *next_serial,
                    who: identify(),
                    running: true,
                    power: PerZone::default(),
                    resources: None,
                    devices: Vec::new(),
                }
            });
            // A process changes its name by exec; Kubernetes tells a pod's name after its first energy.
            if *known.who.id.name != *name || known.who.id.namespace.as_deref() != namespace {
                known.who = identify();
                if kind != WorkloadKind::Process {
                    named_late.insert(known.serial, Arc::clone(&known.who));
                }
            }
            (known.running, known.power) = (row.state == State::Running, *row.power);
            known.resources = Resources::of(row.resources());
            let devices = devices.used(row.devices, order, &mut known.devices);
            if !change.used.is_zero() {
                let (energy, cpu_time) = (change.used.energy, change.used.cpu_time);
                rows.push(Used { serial: known.serial, who: Arc::clone(&known.who), energy, cpu_time, devices });
            }
        });
        rows.shrink_to_fit();
        if !named_late.is_empty() {
            // What it used before is found by the same name.
            for used in samples.iter_mut().flat_map(|sample| &mut sample.rows) {
                if let Some(who) = named_late.get(&used.serial) {
                    used.who = Arc::clone(who);
                }
            }
        }
        rows
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
        // A gap between readings stays one. The newest sample stays as it is: its end is now.
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
}

impl Sample {
    /// Takes in the sample that follows.
    fn extend(&mut self, later: Sample) {
        self.end = later.end;
        self.node = PerZone::from_fn(|zone| match (self.node[zone], later.node[zone]) {
            (Some(a), Some(b)) => Some(a.plus(&b)),
            (a, b) => a.or(b),
        });
        devices::extend(&mut self.devices, later.devices);
        platform::extend(&mut self.platform, later.platform);
        self.rows.extend(later.rows);
        self.rows.sort_by_key(|used| used.serial);
        // The sort is stable, so the later row is the second one: its name is the newer.
        self.rows.dedup_by(|later, earlier| {
            let same = later.serial == earlier.serial;
            if same {
                earlier.energy.iter_mut().for_each(|(zone, sum)| *sum += later.energy[zone]);
                earlier.cpu_time += later.cpu_time;
                if !later.devices.is_empty() {
                    let mut sum = std::mem::take(&mut earlier.devices).into_vec();
                    devices::add(&mut sum, &later.devices);
                    earlier.devices = sum.into();
                }
                earlier.who = Arc::clone(&later.who);
            }
            same
        });
        self.rows.shrink_to_fit();
    }
}
