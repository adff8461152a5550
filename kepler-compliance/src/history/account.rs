//! Energy of each workload since the last record; processes of one name together.

use crate::differ::{Change, Counters, Differ, Order, Seen, ZoneCounters};
use crate::view::{Owner, WorkloadKind};
use kepler_core::snapshot::{Snapshot, State};
use kepler_core::units::PerZone;
use std::collections::HashMap;
use std::time::Duration;

/// What a workload used since the last record, and what the writer remembers of it.
#[derive(Clone, Debug, Default)]
pub(super) struct Workload {
    pub(super) name: String,
    pub(super) namespace: Option<String>,
    /// The controller of a pod.
    pub(super) owner: Option<Owner>,
    pub(super) used: Counters,
    /// Alive, so that it gets a row even if it used nothing.
    pub(super) running: bool,
    /// The table of workloads does not have its name yet.
    pub(super) is_renamed: bool,
    /// Its row in the table of workloads, once known, and the block that this table says knows it.
    pub(super) row: Option<WorkloadRow>,
    /// A row of the newest reading is of it.
    is_there: bool,
    /// The newest reading that its figures are of.
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
    /// Clears the figures of an earlier reading.
    fn begin(&mut self, reading: u64) {
        if self.seen != reading {
            self.seen = reading;
            self.used = Counters::default();
            (self.running, self.is_there) = (false, false);
        }
    }

    /// Whether there is something to write in the interval `interval`.
    pub(super) fn is_due(&self, interval: i64) -> bool {
        let has_row = self.row.is_some_and(|row| row.interval == Some(interval));
        !self.used.is_zero() || (self.running && !has_row)
    }
}

/// All counters that were stored, and what came since.
#[derive(Debug, Default)]
pub(super) struct Accounts {
    /// Keeps the uid that a workload has in the file.
    differ: Differ<String>,
    reading: u64,
    workloads: HashMap<WorkloadKind, HashMap<String, Workload>>,
}

impl Accounts {
    /// The snapshot stored last.
    pub(super) fn stored(&self) -> Option<&Seen> {
        self.differ.committed()
    }

    /// How `snapshot` follows the one stored last.
    pub(super) fn order(&self, snapshot: &Snapshot) -> Order {
        self.differ.order(snapshot)
    }

    /// For how long before `snapshot` its use is known.
    pub(super) fn known_for(&self, snapshot: &Snapshot, order: Order) -> Duration {
        self.differ.known_for(snapshot, order)
    }

    /// What the zones of the node used since the last record.
    pub(super) fn zones_used(&self, snapshot: &Snapshot, order: Order) -> PerZone<Option<ZoneCounters>> {
        self.differ.zones_used(snapshot, order)
    }

    /// Reads the counters of all workloads; [`Accounts::found`] then tells what they used. Nothing is
    /// taken as stored before [`Accounts::commit`].
    pub(super) fn read(&mut self, snapshot: &Snapshot, order: Order) {
        self.reading += 1;
        let Accounts { differ, reading, workloads } = self;
        differ.read(snapshot, order, |change| take(workloads, *reading, change));
    }

    /// What [`Accounts::read`] found: each workload, by kind and uid. Those that were not in the
    /// snapshot are among them; they used nothing more and do not run.
    pub(super) fn found(&mut self) -> impl Iterator<Item = (WorkloadKind, &str, &mut Workload)> {
        let reading = self.reading;
        self.workloads.iter_mut().flat_map(move |(kind, table)| {
            table.iter_mut().map(move |(uid, workload)| {
                workload.begin(reading);
                (*kind, uid.as_str(), workload)
            })
        })
    }

    /// What was read is stored now. Workloads that were not in the snapshot are forgotten.
    pub(super) fn commit(&mut self, snapshot: &Snapshot) {
        self.differ.commit(snapshot);
        for table in self.workloads.values_mut() {
            table.retain(|_, workload| workload.is_there);
        }
    }

    /// Where a workload stands in the file.
    pub(super) fn row(&self, kind: WorkloadKind, uid: &str) -> Option<WorkloadRow> {
        self.workloads.get(&kind)?.get(uid)?.row
    }

    /// Forgets where workloads stand in the file, after a write that failed.
    pub(super) fn forget_rows(&mut self) {
        for workload in self.workloads.values_mut().flat_map(HashMap::values_mut) {
            workload.row = None;
        }
    }
}

/// Adds what one row used to its workload.
fn take(
    workloads: &mut HashMap<WorkloadKind, HashMap<String, Workload>>,
    reading: u64,
    change: Change<'_, '_, String>,
) {
    let Change { kind, uid, used, row, kept } = change;
    if let Some((row, _)) = &row {
        // A history keeps no single processes, but all of one name together. What one uses after it has changed its
        // name is the new name's.
        let own = if kind == WorkloadKind::Process { row.name() } else { uid };
        if kept != own {
            own.clone_into(kept);
        }
    }
    let table = workloads.entry(kind).or_default();
    if !table.contains_key(kept.as_str()) {
        table.insert(kept.clone(), Workload::default());
    }
    let Some(workload) = table.get_mut(kept.as_str()) else { return };
    workload.begin(reading);
    workload.used.add(&used);
    let Some((row, namespace)) = row else { return };
    workload.is_there = true;
    workload.running |= row.state == State::Running;
    let name = if row.name().is_empty() { uid } else { row.name() };
    if workload.name != name || workload.namespace.as_deref() != namespace {
        workload.name = name.to_owned();
        workload.namespace = namespace.map(str::to_owned);
        workload.is_renamed = true;
    }
    // What is known of it stays.
    if let Some(owner) = row.owner().filter(|_| kind == WorkloadKind::Pod).and_then(Owner::of)
        && workload.owner.as_ref() != Some(&owner)
    {
        workload.owner = Some(owner);
        workload.is_renamed = true;
    }
}
