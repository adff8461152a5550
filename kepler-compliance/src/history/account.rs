//! From counters to what was used since the last record. Pure arithmetic: no file, no clock.
//!
//! Counters of a snapshot count from the sampler's start. What is stored is how far they rose since
//! the last snapshot *that was stored*, so a write that failed loses nothing:
//!
//! | seen | used |
//! |---|---|
//! | the first snapshot of all | nothing; counting starts here |
//! | a counter that rose | the difference |
//! | a workload that was not there before | all of its counter: it began since then |
//! | a counter that fell, or a sampler that started again | all of the counter: it began at zero since then |
//!
//! CPU time of a workload that was not there before counts only if it can have been used since then.

use super::counters::{Counters, ZoneCounters, counters, risen, zones_of};
use crate::view::{WorkloadKind, for_each_listed};
use kepler_core::host::Timestamp;
use kepler_core::snapshot::{AnyRow, Snapshot, State};
use kepler_core::units::PerZone;
use kepler_core::workload::Identity;
use std::collections::HashMap;
use std::time::Duration;

/// A counter that was stored, and its newest reading.
#[derive(Clone, Copy, Debug, Default)]
struct Account {
    /// `None` for one that is new since the last record.
    stored: Option<Counters>,
    now: Counters,
    seen: u64,
}

/// What a workload used since the last record, and what the writer remembers of it.
#[derive(Clone, Debug, Default)]
pub(super) struct Workload {
    pub(super) name: String,
    pub(super) namespace: Option<String>,
    pub(super) used: Counters,
    /// Alive, so that it gets a row even if it used nothing.
    pub(super) running: bool,
    /// The table of workloads does not have its name yet.
    pub(super) is_renamed: bool,
    /// Its row in the table of workloads, once known, and the block that this table says knows it.
    pub(super) row: Option<WorkloadRow>,
    account: Account,
    seen: u64,
}

/// Where a workload stands in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct WorkloadRow {
    pub(super) id: i64,
    pub(super) block: i64,
    /// The newest interval with a row of it.
    pub(super) interval: Option<i64>,
    /// Whether the table says that it runs.
    pub(super) running: bool,
}

impl Workload {
    /// Whether there is something to write in the interval `interval`.
    pub(super) fn is_due(&self, interval: i64) -> bool {
        let has_row = self.row.is_some_and(|row| row.interval == Some(interval));
        !self.used.is_zero() || (self.running && !has_row)
    }
}

/// How a snapshot follows the one stored last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// The first of all: counting starts with it.
    First,
    /// The same one again.
    Same,
    /// A later one of the same sampler.
    Next,
    /// The first one of a sampler that was started since.
    Restarted,
}

/// The snapshot stored last, as far as the next one is compared with it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stored {
    pub(super) sequence: u64,
    pub(super) at: Timestamp,
    zones: PerZone<Option<ZoneCounters>>,
}

/// All counters that were stored, and what came since.
#[derive(Debug, Default)]
pub(super) struct Accounts {
    stored: Option<Stored>,
    reading: u64,
    processes: HashMap<(u32, u64), Account>,
    workloads: HashMap<WorkloadKind, HashMap<String, Workload>>,
}

impl Accounts {
    /// The snapshot stored last.
    pub(super) fn stored(&self) -> Option<&Stored> {
        self.stored.as_ref()
    }

    /// How `snapshot` follows the one stored last.
    pub(super) fn order(&self, snapshot: &Snapshot) -> Order {
        let Some(stored) = &self.stored else { return Order::First };
        if snapshot.sequence == stored.sequence && snapshot.at == stored.at {
            return Order::Same;
        }
        let fell =
            |(zone, now): (_, &ZoneCounters)| stored.zones[zone].is_some_and(|before| now.energy < before.energy);
        let zones = zones_of(snapshot);
        let has_fallen = zones.iter().filter_map(|(zone, now)| Some((zone, now.as_ref()?))).any(fell);
        if snapshot.sequence <= stored.sequence || snapshot.at.boottime < stored.at.boottime || has_fallen {
            Order::Restarted
        } else {
            Order::Next
        }
    }

    /// What the zones of the node used since the last record.
    pub(super) fn zones_used(&self, snapshot: &Snapshot, order: Order) -> PerZone<Option<ZoneCounters>> {
        let now = zones_of(snapshot);
        let before = self.stored.map(|stored| stored.zones).unwrap_or_default();
        PerZone::from_fn(|zone| {
            let now = now[zone]?;
            let before = match order {
                Order::First | Order::Same => now,
                Order::Next => before[zone].unwrap_or_default(),
                Order::Restarted => ZoneCounters::default(),
            };
            Some(ZoneCounters {
                energy: risen(before.energy, now.energy),
                idle: risen(before.idle, now.idle),
                unattributed: risen(before.unattributed, now.unattributed),
            })
        })
    }

    /// Reads the counters of all workloads; [`Accounts::found`] then tells what they used. Nothing is
    /// taken as stored before [`Accounts::commit`].
    pub(super) fn read(&mut self, snapshot: &Snapshot, order: Order) {
        self.reading += 1;
        let elapsed = self.stored.map_or(Duration::ZERO, |stored| snapshot.at.since(&stored.at));
        let cpu_limit = elapsed.saturating_mul(snapshot.node.processors);
        let reading = Reading { number: self.reading, order, cpu_limit };
        let Accounts { processes, workloads, .. } = self;
        let mut table = Table { reading, workloads };

        for_each_listed(snapshot, |row, namespace| match row.identity() {
            // A history keeps no single processes, but all of one name together.
            Identity::Process { pid, start_ticks } => {
                let account = processes.entry((pid, start_ticks)).or_default();
                let used = account.read(counters(&row), reading);
                if let Some(workload) = table.seen(row.kind(), row.name(), row.name(), None) {
                    workload.used.add(&used);
                    workload.running |= row.state == State::Running;
                }
            }
            Identity::Text(uid) => table.charge(uid, namespace, &row),
            other => table.charge(&other.to_string(), namespace, &row),
        });
    }

    /// What [`Accounts::read`] found: each workload, by kind and uid. Those that were not in the
    /// snapshot are among them; they used nothing and do not run.
    pub(super) fn found(&mut self) -> impl Iterator<Item = (WorkloadKind, &str, &mut Workload)> {
        let reading = self.reading;
        self.workloads.iter_mut().flat_map(move |(kind, table)| {
            table.iter_mut().map(move |(uid, workload)| {
                if workload.seen != reading {
                    workload.used = Counters::default();
                    workload.running = false;
                }
                (*kind, uid.as_str(), workload)
            })
        })
    }

    /// What was read is stored now. Workloads that were not in the snapshot are forgotten: when one
    /// comes back its counter has begun at zero again.
    pub(super) fn commit(&mut self, snapshot: &Snapshot) {
        let reading = self.reading;
        let keep = |account: &mut Account| {
            account.stored = Some(account.now);
            account.seen == reading
        };
        self.processes.retain(|_, account| keep(account));
        for table in self.workloads.values_mut() {
            table.retain(|_, workload| {
                keep(&mut workload.account);
                workload.seen == reading
            });
        }
        self.stored = Some(Stored { sequence: snapshot.sequence, at: snapshot.at, zones: zones_of(snapshot) });
    }

    /// Forgets where workloads stand in the file, after a write that failed.
    pub(super) fn forget_rows(&mut self) {
        for workload in self.workloads.values_mut().flat_map(HashMap::values_mut) {
            workload.row = None;
        }
    }
}

impl Account {
    /// Takes a reading; returns what was used since the last one stored.
    fn read(&mut self, now: Counters, reading: Reading) -> Counters {
        self.now = now;
        self.seen = reading.number;
        let before = self.stored.map(|stored| stored.energy).unwrap_or_default();
        let energy = match reading.order {
            Order::First | Order::Same => return Counters::default(),
            Order::Next => PerZone::from_fn(|zone| risen(before[zone], now.energy[zone])),
            Order::Restarted => now.energy,
        };
        // CPU time is the kernel's own count: it outlives the sampler, and may be older than us.
        let known = self.stored.and_then(|stored| now.cpu_time.checked_sub(stored.cpu_time));
        let cpu_time = known.unwrap_or(if now.cpu_time <= reading.cpu_limit { now.cpu_time } else { Duration::ZERO });
        Counters { energy, cpu_time }
    }
}

/// What all accounts are told of a snapshot.
#[derive(Clone, Copy, Debug)]
struct Reading {
    number: u64,
    order: Order,
    /// More CPU time than this cannot have been used since the last record.
    cpu_limit: Duration,
}

/// The workloads, while a snapshot is read.
struct Table<'a> {
    reading: Reading,
    workloads: &'a mut HashMap<WorkloadKind, HashMap<String, Workload>>,
}

impl Table<'_> {
    /// The entry of a workload; cleared where it is seen for the first time in this reading.
    fn seen(&mut self, kind: WorkloadKind, uid: &str, name: &str, namespace: Option<&str>) -> Option<&mut Workload> {
        let table = self.workloads.entry(kind).or_default();
        if !table.contains_key(uid) {
            table.insert(uid.to_owned(), Workload::default());
        }
        let workload = table.get_mut(uid)?;
        if workload.seen != self.reading.number {
            workload.seen = self.reading.number;
            workload.used = Counters::default();
            workload.running = false;
            let name = if name.is_empty() { uid } else { name };
            if workload.name != name || workload.namespace.as_deref() != namespace {
                workload.name = name.to_owned();
                workload.namespace = namespace.map(str::to_owned);
                workload.is_renamed = true;
            }
        }
        Some(workload)
    }

    fn charge(&mut self, uid: &str, namespace: Option<&str>, row: &AnyRow<'_>) {
        let reading = self.reading;
        if let Some(workload) = self.seen(row.kind(), uid, row.name(), namespace) {
            workload.used = workload.account.read(counters(row), reading);
            workload.running |= row.state == State::Running;
        }
    }
}
