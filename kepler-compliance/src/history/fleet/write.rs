//! Writes records, one transaction each, and drops the oldest.

use super::super::columns::{self, microjoules};
use super::{FleetHistoryOptions, devices};
use crate::units::ZoneKind;
use crate::view::{Containment, Inventory, NodeEnergy, WorkloadEnergy, WorkloadKind};
use jiff::Timestamp;
use rusqlite::{Connection, Transaction, TransactionBehavior, params};
use std::collections::HashMap;
use std::sync::LazyLock;

/// Adds the energy of a workload, unless the interval has it.
static ADD_ENERGY: LazyLock<String> = LazyLock::new(|| {
    format!(
        "INSERT OR IGNORE INTO workload_energy (interval, workload, cpu_us, {}) VALUES (?, ?, ?{})",
        *columns::NAMES,
        ", ?".repeat(ZoneKind::ALL.len())
    )
});

/// Whether the record was taken.
pub(super) fn record(connection: &mut Connection, inventory: &Inventory) -> rusqlite::Result<bool> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let (start, end) = (inventory.asked.start.as_millisecond(), inventory.asked.end.as_millisecond());
    let overlaps = transaction
        .prepare_cached("SELECT exists(SELECT 1 FROM interval WHERE end_ms > ?1)")?
        .query_row([start], |row| row.get::<_, bool>(0))?;
    if overlaps || end <= start {
        return Ok(false);
    }
    transaction
        .prepare_cached("INSERT INTO interval (start_ms, end_ms, coverage) VALUES (?1, ?2, ?3)")?
        .execute(params![start, end, inventory.coverage])?;
    let interval = transaction.last_insert_rowid();
    let mut nodes: HashMap<&str, i64> = HashMap::new();
    let mut devices: HashMap<(&str, &str), i64> = HashMap::new();
    for node in &inventory.nodes {
        let id = transaction
            .prepare_cached("INSERT INTO node (name) VALUES (?1) ON CONFLICT DO UPDATE SET name = name RETURNING id")?
            .query_row([&*node.name], |row| row.get::<_, i64>(0))?;
        nodes.insert(&node.name, id);
        write_node(&transaction, interval, id, node)?;
        for device in &node.devices {
            let row = devices::write(&transaction, interval, id, device)?;
            devices.insert((&node.name, &device.device.uuid), row);
        }
    }
    for row in inventory.workloads.iter().filter(|row| is_kept(row)) {
        if let Some(&node) = nodes.get(&*row.id.node) {
            let workload = write_workload(&transaction, interval, node, row)?;
            for used in &row.devices {
                if let Some(&device) = devices.get(&(&*row.id.node, &*used.uuid)) {
                    devices::write_used(&transaction, interval, workload, device, used)?;
                }
            }
        }
    }
    let mut skipped = transaction.prepare_cached("INSERT OR IGNORE INTO skipped VALUES (?1, ?2, ?3)")?;
    for out in &inventory.skipped {
        skipped.execute(params![interval, out.what, out.reason])?;
    }
    drop(skipped);
    transaction.commit()?;
    Ok(true)
}

/// What another row contains is kept with that one, and processes are too many.
fn is_kept(row: &WorkloadEnergy) -> bool {
    row.id.kind != WorkloadKind::Process && !matches!(row.containment, Containment::Within { .. })
}

fn write_node(transaction: &Transaction<'_>, interval: i64, node: i64, figures: &NodeEnergy) -> rusqlite::Result<()> {
    let mut insert =
        transaction.prepare_cached("INSERT OR IGNORE INTO node_energy VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)")?;
    for (zone, figures) in figures.zones.iter() {
        let Some(zone_figures) = figures else { continue };
        let [idle, unattributed] = [zone_figures.idle, zone_figures.unattributed].map(|energy| energy.map(microjoules));
        insert.execute(params![
            interval,
            node,
            zone.name(),
            microjoules(zone_figures.energy),
            idle,
            unattributed,
            &*zone_figures.source,
            zone_figures.method.name(),
            zone_figures.method.error_ratio(),
        ])?;
    }
    Ok(())
}

fn write_workload(
    transaction: &Transaction<'_>,
    interval: i64,
    node: i64,
    row: &WorkloadEnergy,
) -> rusqlite::Result<i64> {
    let (id, owner) = (&row.id, row.owner.as_ref());
    let workload = transaction
        .prepare_cached(
            "INSERT INTO workload (node, kind, uid, name, namespace, owner_kind, owner_name, last)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
             ON CONFLICT DO UPDATE SET name = excluded.name, namespace = coalesce(excluded.namespace, namespace),
                 owner_kind = coalesce(excluded.owner_kind, owner_kind),
                 owner_name = coalesce(excluded.owner_name, owner_name), last = excluded.last
             RETURNING id",
        )?
        .query_row(
            params![
                node,
                id.kind.name(),
                &*id.uid,
                &*id.name,
                id.namespace.as_deref(),
                owner.map(|owner| owner.kind.name()),
                owner.map(|owner| &*owner.name),
                interval
            ],
            |row| row.get::<_, i64>(0),
        )?;
    let zones: Vec<Option<i64>> = row.energy.zones.iter().map(|(_, energy)| energy.map(microjoules)).collect();
    let cpu = row.cpu_time.map(|time| i64::try_from(time.as_micros()).unwrap_or(i64::MAX));
    let values = [Some(interval), Some(workload), cpu].into_iter().chain(zones);
    transaction.prepare_cached(&ADD_ENERGY)?.execute(rusqlite::params_from_iter(values))?;
    Ok(workload)
}

/// Drops what is too old or too much. The newest interval always stays.
pub(super) fn bound(
    connection: &mut Connection,
    options: &FleetHistoryOptions,
    now: Timestamp,
) -> rusqlite::Result<()> {
    let limit = options.max_age.and_then(|age| now.checked_sub(age).ok()).map(Timestamp::as_millisecond);
    let mut dropped = false;
    loop {
        let Some((id, end)) = oldest(connection)? else { break };
        let is_old = limit.is_some_and(|limit| end < limit);
        let is_much = || -> rusqlite::Result<bool> {
            let Some(most) = options.max_bytes else { return Ok(false) };
            Ok(used_bytes(connection)? > most)
        };
        if !is_old && !is_much()? {
            break;
        }
        drop_interval(connection, id)?;
        dropped = true;
    }
    if dropped {
        let mut statement = connection.prepare_cached("PRAGMA incremental_vacuum")?;
        let mut rows = statement.query([])?;
        while rows.next()?.is_some() {}
    }
    Ok(())
}

/// The oldest interval and its end, unless it is the newest as well.
fn oldest(connection: &Connection) -> rusqlite::Result<Option<(i64, i64)>> {
    let mut statement = connection.prepare_cached(
        "SELECT id, end_ms FROM interval WHERE id < (SELECT max(id) FROM interval) ORDER BY id LIMIT 1",
    )?;
    statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.next().transpose()
}

/// What the file takes without the pages that are free.
fn used_bytes(connection: &Connection) -> rusqlite::Result<u64> {
    let number = |sql| connection.query_row(sql, [], |row| row.get::<_, i64>(0));
    let pages = number("PRAGMA page_count")?.saturating_sub(number("PRAGMA freelist_count")?);
    Ok(u64::try_from(pages.saturating_mul(number("PRAGMA page_size")?)).unwrap_or(0))
}

fn drop_interval(connection: &mut Connection, id: i64) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for sql in [
        "DELETE FROM workload_energy WHERE interval = ?1",
        "DELETE FROM node_energy WHERE interval = ?1",
        "DELETE FROM workload_device_energy WHERE interval = ?1",
        "DELETE FROM device_energy WHERE interval = ?1",
        "DELETE FROM skipped WHERE interval = ?1",
        "DELETE FROM interval WHERE id = ?1",
        "DELETE FROM workload WHERE last <= ?1",
        "DELETE FROM device WHERE last <= ?1",
    ] {
        transaction.prepare_cached(sql)?.execute([id])?;
    }
    transaction.commit()
}
