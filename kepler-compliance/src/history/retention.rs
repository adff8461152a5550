//! Bounds: by age and by size, oldest first; older intervals are merged into one a block.

use super::{HistoryOptions, columns, devices, millis};
use rusqlite::{Connection, TransactionBehavior, params};
use std::time::Duration;

/// Keeps the file within its bounds. Returns whether it is too large still, because the newest block
/// alone is.
pub(super) fn bound(connection: &mut Connection, options: &HistoryOptions, now_ms: i64) -> rusqlite::Result<bool> {
    if let Some(age) = options.max_age {
        while let Some(block) = oldest(connection)?.filter(|block| block.recorded_ms < before(now_ms, age)) {
            drop_block(connection, block.id)?;
        }
    }
    if let Some(age) = options.thin_after {
        thin(connection, before(now_ms, age))?;
    }
    let Some(max_bytes) = options.max_bytes else { return Ok(false) };
    while used_bytes(connection)? > max_bytes {
        match oldest(connection)? {
            Some(block) => drop_block(connection, block.id)?,
            None => return Ok(true),
        }
    }
    Ok(false)
}

fn before(now_ms: i64, age: Duration) -> i64 {
    now_ms.saturating_sub(millis(age))
}

/// What the file takes, pages not yet written back from the log included.
fn used_bytes(connection: &Connection) -> rusqlite::Result<u64> {
    let number = |sql| connection.query_row(sql, [], |row| row.get::<_, i64>(0));
    let bytes = number("PRAGMA page_count")?.saturating_mul(number("PRAGMA page_size")?);
    Ok(u64::try_from(bytes).unwrap_or(0))
}

struct Oldest {
    id: i64,
    recorded_ms: i64,
}

/// The oldest block, unless it is the newest as well.
fn oldest(connection: &Connection) -> rusqlite::Result<Option<Oldest>> {
    connection
        .prepare_cached("SELECT id, recorded_ms, (SELECT max(id) FROM block) FROM block ORDER BY id LIMIT 1")?
        .query_map([], |row| {
            let newest: i64 = row.get(2)?;
            let oldest = Oldest { id: row.get(0)?, recorded_ms: row.get(1)? };
            Ok((oldest.id < newest).then_some(oldest))
        })?
        .next()
        .transpose()
        .map(Option::flatten)
}

/// Drops a block and the workloads that no later one knows, and gives the space back.
fn drop_block(connection: &mut Connection, block: i64) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for sql in [
        "DELETE FROM workload_energy WHERE block = ?1",
        "DELETE FROM workload_device_energy WHERE block = ?1",
        "DELETE FROM device_energy WHERE block = ?1",
        "DELETE FROM device_source WHERE block = ?1",
        "DELETE FROM node_energy WHERE interval IN (SELECT id FROM interval WHERE block = ?1)",
        "DELETE FROM platform_energy WHERE interval IN (SELECT id FROM interval WHERE block = ?1)",
        "DELETE FROM interval WHERE block = ?1",
        "DELETE FROM source WHERE block = ?1",
        "DELETE FROM workload WHERE last_block <= ?1",
        "DELETE FROM block WHERE id = ?1",
    ] {
        transaction.prepare_cached(sql)?.execute(params![block])?;
    }
    transaction.prepare_cached("DELETE FROM device WHERE id NOT IN (SELECT device FROM device_source)")?.execute([])?;
    transaction.commit()?;
    shrink(connection)
}

/// Gives free pages back to the file system.
fn shrink(connection: &Connection) -> rusqlite::Result<()> {
    // Each step frees one page.
    let mut statement = connection.prepare_cached("PRAGMA incremental_vacuum")?;
    let mut rows = statement.query([])?;
    while rows.next()?.is_some() {}
    Ok(())
}

/// Merges the intervals of every block recorded before `before_ms` into one.
fn thin(connection: &mut Connection, before_ms: i64) -> rusqlite::Result<()> {
    let blocks = connection
        .prepare_cached(
            "SELECT id FROM block WHERE thinned = 0 AND recorded_ms < ?1 AND id < (SELECT max(id) FROM block)
             ORDER BY id",
        )?
        .query_map(params![before_ms], |row| row.get::<_, i64>(0))?
        .collect::<rusqlite::Result<Vec<_>>>()?;
    for block in blocks {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let (sums, weakest) = (columns::SUMS.as_str(), devices::SHARES);
        transaction.execute_batch(&format!(
            "CREATE TEMP TABLE kept AS
                 SELECT min(id) AS id, min(start_ms) AS start_ms, max(end_ms) AS end_ms, sum(covered_ms) AS covered_ms
                 FROM main.interval WHERE block = {block};
             CREATE TEMP TABLE merged_node AS
                 SELECT (SELECT id FROM kept), zone, sum(energy_uj), sum(idle_uj), sum(unattributed_uj)
                 FROM main.node_energy WHERE interval IN (SELECT id FROM main.interval WHERE block = {block})
                 GROUP BY zone;
             CREATE TEMP TABLE merged_platform AS
                 SELECT (SELECT id FROM kept), platform, sum(energy_uj), sum(covered_ms)
                 FROM main.platform_energy WHERE interval IN (SELECT id FROM main.interval WHERE block = {block})
                 GROUP BY platform;
             CREATE TEMP TABLE merged_workload AS
                 SELECT block, workload, (SELECT id FROM kept), sum(cpu_us), {sums}
                 FROM main.workload_energy WHERE block = {block} GROUP BY block, workload;
             CREATE TEMP TABLE merged_device AS
                 SELECT block, device, (SELECT id FROM kept), sum(energy_uj), sum(active_uj), sum(idle_uj), sum(unattributed_uj)
                 FROM main.device_energy WHERE block = {block} GROUP BY block, device;
             CREATE TEMP TABLE merged_share AS
                 SELECT block, workload, device, kept_id, energy_uj, shares_by FROM (
                     SELECT block, workload, device, (SELECT id FROM kept) AS kept_id, sum(energy_uj) AS energy_uj, shares_by,
                            max(coalesce(instr('{weakest}', shares_by), 0))
                     FROM main.workload_device_energy WHERE block = {block} GROUP BY block, workload, device);
             DELETE FROM main.workload_energy WHERE block = {block};
             DELETE FROM main.device_energy WHERE block = {block};
             DELETE FROM main.workload_device_energy WHERE block = {block};
             DELETE FROM main.node_energy WHERE interval IN (SELECT id FROM main.interval WHERE block = {block});
             DELETE FROM main.platform_energy WHERE interval IN (SELECT id FROM main.interval WHERE block = {block});
             DELETE FROM main.interval WHERE block = {block};
             INSERT INTO main.interval (id, block, start_ms, end_ms, covered_ms)
                 SELECT id, {block}, start_ms, end_ms, covered_ms FROM kept;
             INSERT INTO main.node_energy SELECT * FROM merged_node;
             INSERT INTO main.platform_energy SELECT * FROM merged_platform;
             INSERT INTO main.workload_energy SELECT * FROM merged_workload;
             INSERT INTO main.device_energy SELECT * FROM merged_device;
             INSERT INTO main.workload_device_energy SELECT * FROM merged_share;
             UPDATE main.block SET thinned = 1 WHERE id = {block};
             DROP TABLE kept; DROP TABLE merged_node; DROP TABLE merged_platform; DROP TABLE merged_workload;
             DROP TABLE merged_device; DROP TABLE merged_share;"
        ))?;
        transaction.commit()?;
    }
    shrink(connection)
}
