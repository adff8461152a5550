//! Writes records, one transaction each.

use super::account::{Accounts, Workload, WorkloadRow};
use super::age::AgeClock;
use super::columns::microjoules;
use super::devices::DeviceAccounts;
use super::elapsed::{Elapsed, wall_ms};
use super::platform::PlatformAccounts;
use super::{HistoryError, HistoryOptions, columns, millis, retention, schema};
use crate::differ::{Order, ZoneCounters};
use crate::units::{PerZone, ZoneKind};
use crate::view::WorkloadKind;
use kepler_core::snapshot::Snapshot;
use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What is stored, thinned and dropped as one is at most this long, or one interval.
const BLOCK: Duration = Duration::from_secs(3600);

/// Writes snapshots.
#[derive(Debug)]
pub(super) struct Writer {
    path: PathBuf,
    connection: Connection,
    options: HistoryOptions,
    accounts: Accounts,
    devices: DeviceAccounts,
    platform: PlatformAccounts,
    age: AgeClock,
    current: Option<Interval>,
}

/// The interval being filled.
#[derive(Clone, Copy, Debug)]
struct Interval {
    id: i64,
    block: i64,
    block_start_ms: i64,
    start_ms: i64,
    end_ms: i64,
    covered: Duration,
}

impl Writer {
    pub(super) fn open(path: &Path, options: HistoryOptions) -> Result<Self, HistoryError> {
        let connection = schema::open_to_write(path)?;
        let failed = |source| HistoryError::of(path, "open", source);
        let resolution = millis(options.resolution);
        {
            let mut set = connection
                .prepare(
                    "INSERT INTO setting VALUES (?1, ?2) ON CONFLICT DO UPDATE SET value = excluded.value
                     WHERE value IS NOT excluded.value",
                )
                .map_err(failed)?;
            set.execute(params!["node", &*options.node]).map_err(failed)?;
            set.execute(params!["resolution_ms", resolution]).map_err(failed)?;
        }
        // Who ran when the last writer ended is not known to run now.
        connection.execute("UPDATE workload SET running = 0 WHERE running = 1", []).map_err(failed)?;
        let newest = connection
            .query_row("SELECT max(recorded_ms) FROM block", [], |row| row.get::<_, Option<i64>>(0))
            .map_err(failed)?;
        Ok(Writer {
            path: path.to_owned(),
            connection,
            options,
            accounts: Accounts::default(),
            devices: DeviceAccounts::default(),
            platform: PlatformAccounts::default(),
            age: AgeClock::starting_at(newest),
            current: None,
        })
    }

    /// Stores what was used since the last record.
    pub(super) fn record(&mut self, snapshot: &Snapshot) -> Result<(), HistoryError> {
        let order = self.accounts.order(snapshot);
        let Some(stored) = self.accounts.stored().copied().filter(|_| order != Order::Same) else {
            if order == Order::First {
                self.accounts.read(snapshot, order);
                self.accounts.commit(snapshot);
                self.devices.read(snapshot);
                self.devices.commit();
                self.platform.commit(snapshot);
                self.age.advance(wall_ms(&snapshot.at), &snapshot.at);
            }
            return Ok(());
        };
        let mut elapsed = Elapsed::between(&stored.at, &snapshot.at, self.options.resolution);
        if order == Order::Restarted {
            elapsed = elapsed.restarted(self.accounts.known_for(snapshot, order));
        }
        self.age.advance(elapsed.end_ms, &snapshot.at);
        self.accounts.read(snapshot, order);
        self.devices.read(snapshot);
        match self.write(snapshot, order, elapsed) {
            Ok(interval) => {
                let has_closed = self.current.is_some_and(|current| current.id != interval.id);
                self.current = Some(interval);
                self.accounts.commit(snapshot);
                self.devices.commit();
                self.platform.commit(snapshot);
                if has_closed { self.bound() } else { Ok(()) }
            }
            Err(source) => {
                self.current = None;
                self.accounts.forget_rows();
                Err(HistoryError::of(&self.path, "write", source))
            }
        }
    }

    /// Drops and thins what is too old or too much.
    fn bound(&mut self) -> Result<(), HistoryError> {
        let done = retention::bound(&mut self.connection, &self.options, self.age.now_ms());
        match done {
            Ok(still_too_large) => {
                if still_too_large {
                    // Only the current block is left: ending it makes it one that can be dropped.
                    self.current = None;
                }
                Ok(())
            }
            Err(source) => Err(HistoryError::of(&self.path, "write", source)),
        }
    }

    fn write(&mut self, snapshot: &Snapshot, order: Order, elapsed: Elapsed) -> rusqlite::Result<Interval> {
        let zones = self.accounts.zones_used(snapshot, order);
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let interval = place(&transaction, self.current, elapsed, &self.options, self.age.now_ms(), snapshot)?;
        write_node(&transaction, interval, snapshot, &zones)?;
        self.platform.write(&transaction, interval.id, snapshot, order)?;
        write_workloads(&transaction, interval, &mut self.accounts, &zones)?;
        self.devices.write(&transaction, interval.block, interval.id, &self.accounts)?;
        transaction.commit()?;
        Ok(interval)
    }
}

/// Finds or makes the interval and block of the time that elapsed.
fn place(
    transaction: &Transaction<'_>,
    current: Option<Interval>,
    elapsed: Elapsed,
    options: &HistoryOptions,
    recorded_ms: i64,
    snapshot: &Snapshot,
) -> rusqlite::Result<Interval> {
    let resolution = millis(options.resolution);
    let is_same = |length: i64, start_ms: i64| start_ms.div_euclid(length) == elapsed.start_ms.div_euclid(length);
    let current = current.filter(|_| !elapsed.apart);
    if let Some(open) = current.filter(|open| is_same(resolution, open.start_ms)) {
        let covered = open.covered.saturating_add(elapsed.awake);
        let open = Interval { end_ms: elapsed.end_ms.max(open.end_ms), covered, ..open };
        transaction
            .prepare_cached("UPDATE interval SET end_ms = ?2, covered_ms = ?3 WHERE id = ?1")?
            .execute(params![open.id, open.end_ms, millis(covered)])?;
        end_block(transaction, open)?;
        return Ok(open);
    }
    let longest = resolution.max(millis(BLOCK));
    let (block, block_start_ms) = match current.filter(|open| is_same(longest, open.block_start_ms)) {
        Some(open) => (open.block, open.block_start_ms),
        None => {
            transaction
                .prepare_cached(
                    "INSERT INTO block (start_ms, end_ms, recorded_ms, processors) VALUES (?1, ?2, ?3, ?4)",
                )?
                .execute(params![elapsed.start_ms, elapsed.end_ms, recorded_ms, snapshot.node.processors])?;
            (transaction.last_insert_rowid(), elapsed.start_ms)
        }
    };
    transaction
        .prepare_cached("INSERT INTO interval (block, start_ms, end_ms, covered_ms) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![block, elapsed.start_ms, elapsed.end_ms, millis(elapsed.awake)])?;
    let id = transaction.last_insert_rowid();
    let Elapsed { start_ms, end_ms, awake: covered, .. } = elapsed;
    let interval = Interval { id, block, block_start_ms, start_ms, end_ms, covered };
    end_block(transaction, interval)?;
    Ok(interval)
}

fn end_block(transaction: &Transaction<'_>, interval: Interval) -> rusqlite::Result<()> {
    let mut end = transaction.prepare_cached("UPDATE block SET end_ms = max(end_ms, ?2) WHERE id = ?1")?;
    end.execute(params![interval.block, interval.end_ms]).map(drop)
}

fn write_node(
    transaction: &Transaction<'_>,
    interval: Interval,
    snapshot: &Snapshot,
    zones: &PerZone<Option<ZoneCounters>>,
) -> rusqlite::Result<()> {
    // A block with figures of several methods has the weakest, with the largest error: estimated before partial before
    // measured. A block of version 2 that is still open has none yet.
    let mut source = transaction.prepare_cached(
        "INSERT INTO source (block, zone, name, error_ratio, method) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT DO UPDATE SET name = excluded.name,
             error_ratio = coalesce(max(error_ratio, excluded.error_ratio), error_ratio, excluded.error_ratio),
             method = CASE
                 WHEN coalesce(method, iif(error_ratio IS NULL, 'measured', 'estimated')) = 'estimated' THEN 'estimated'
                 WHEN method = 'partial' AND excluded.method = 'measured' THEN 'partial'
                 ELSE excluded.method END
         WHERE name <> excluded.name OR error_ratio IS NOT excluded.error_ratio OR method IS NOT excluded.method",
    )?;
    let mut energy = transaction.prepare_cached(
        "INSERT INTO node_energy VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT DO UPDATE SET energy_uj = energy_uj + excluded.energy_uj, idle_uj = idle_uj + excluded.idle_uj,
             unattributed_uj = unattributed_uj + excluded.unattributed_uj",
    )?;
    for (zone, seen) in snapshot.node.zones() {
        let (error_ratio, method) = (seen.method.error_ratio(), seen.method.name());
        source.execute(params![interval.block, zone.name(), seen.source, error_ratio, method])?;
        if let Some(used) = &zones[zone] {
            let figures = [used.energy, used.idle, used.unattributed].map(microjoules);
            energy.execute(params![interval.id, zone.name(), figures[0], figures[1], figures[2]])?;
        }
    }
    Ok(())
}

fn write_workloads(
    transaction: &Transaction<'_>,
    interval: Interval,
    accounts: &mut Accounts,
    zones: &PerZone<Option<ZoneCounters>>,
) -> rusqlite::Result<()> {
    let mut add = transaction.prepare_cached(&columns::ADD)?;
    let mut state = transaction.prepare_cached("UPDATE workload SET running = ?2 WHERE id = ?1")?;
    for (kind, uid, workload) in accounts.found() {
        if let Some(row) = workload.row.as_mut().filter(|row| row.running != workload.running) {
            state.execute(params![row.id, workload.running])?;
            row.running = workload.running;
        }
        if !workload.is_due(interval.id) {
            continue;
        }
        let row = match workload.row.filter(|row| row.block == interval.block && !workload.is_renamed) {
            Some(row) => row,
            None => WorkloadRow {
                id: introduce(transaction, kind, uid, workload, interval.block)?,
                block: interval.block,
                interval: workload.row.and_then(|row| row.interval),
                running: workload.running,
            },
        };
        let energy = PerZone::from_fn(|zone| zones[zone].map(|_| microjoules(workload.used.energy[zone])));
        let cpu_us = i64::try_from(workload.used.cpu_time.as_micros()).unwrap_or(i64::MAX);
        let figures = [interval.block, row.id, interval.id, cpu_us].map(Some).into_iter();
        let mut values = [None; columns::BEFORE_ZONES + ZoneKind::ALL.len()];
        for (value, figure) in values.iter_mut().zip(figures.chain(energy.iter().map(|(_, energy)| *energy))) {
            *value = figure;
        }
        add.execute(values)?;
        workload.is_renamed = false;
        workload.row = Some(WorkloadRow { interval: Some(interval.id), ..row });
    }
    Ok(())
}

/// Writes who a workload is; returns its row.
fn introduce(
    transaction: &Transaction<'_>,
    kind: WorkloadKind,
    uid: &str,
    workload: &Workload,
    block: i64,
) -> rusqlite::Result<i64> {
    if let Some(row) = workload.row.filter(|_| !workload.is_renamed) {
        let mut still = transaction.prepare_cached("UPDATE workload SET last_block = ?2 WHERE id = ?1 RETURNING id")?;
        if let Some(id) = still.query_row(params![row.id, block], |row| row.get(0)).optional()? {
            return Ok(id);
        }
    }
    transaction
        .prepare_cached(
            "INSERT INTO workload (kind, uid, name, namespace, running, last_block, owner_kind, owner_name)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
             ON CONFLICT DO UPDATE SET name = excluded.name, namespace = excluded.namespace,
                 running = excluded.running, last_block = excluded.last_block,
                 owner_kind = coalesce(excluded.owner_kind, owner_kind),
                 owner_name = coalesce(excluded.owner_name, owner_name)
             RETURNING id",
        )?
        .query_row(
            params![
                kind.name(),
                uid,
                workload.name,
                workload.namespace,
                workload.running,
                block,
                workload.owner.as_ref().map(|owner| owner.kind.name()),
                workload.owner.as_ref().map(|owner| &*owner.name)
            ],
            |row| row.get(0),
        )
}
