//! Accelerators of nodes: what each drew, and what workloads used of them.

use super::super::columns::{energy, microjoules};
use super::super::devices::{method_of, shares_of};
use super::super::share::Span;
use crate::units::Energy;
use crate::view::{DeviceEnergy, TimeRange, WorkloadDeviceEnergy, add_used, reported_device};
use kepler_core::device::SharesBy;
use rusqlite::{Connection, Transaction, params};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// Writes what an accelerator of `node` drew; returns its row.
pub(super) fn write(
    transaction: &Transaction<'_>,
    interval: i64,
    node: i64,
    drawn: &DeviceEnergy,
) -> rusqlite::Result<i64> {
    let device = &drawn.device;
    let id: i64 = transaction
        .prepare_cached(
            "INSERT INTO device (node, uuid, gpu, vendor, name, last) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
             ON CONFLICT DO UPDATE SET gpu = excluded.gpu, vendor = excluded.vendor, name = excluded.name,
                 last = excluded.last RETURNING id",
        )?
        .query_row(params![node, &*device.uuid, device.index, device.vendor, &*device.name, interval], |row| {
            row.get(0)
        })?;
    transaction
        .prepare_cached("INSERT OR IGNORE INTO device_energy VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)")?
        .execute(params![
            interval,
            id,
            microjoules(drawn.energy),
            microjoules(drawn.active),
            microjoules(drawn.idle),
            drawn.unattributed.map(microjoules),
            &*drawn.source,
            drawn.method.name(),
            drawn.method.error_ratio(),
            drawn.shares_by.map(SharesBy::name)
        ])?;
    Ok(id)
}

/// Writes what a workload used of an accelerator.
pub(super) fn write_used(
    transaction: &Transaction<'_>,
    interval: i64,
    workload: i64,
    device: i64,
    used: &WorkloadDeviceEnergy,
) -> rusqlite::Result<()> {
    let mut insert =
        transaction.prepare_cached("INSERT OR IGNORE INTO workload_device_energy VALUES (?1, ?2, ?3, ?4, ?5)")?;
    let shares_by = used.shares_by.map(SharesBy::name);
    insert.execute(params![interval, workload, device, microjoules(used.energy), shares_by]).map(drop)
}

/// What accelerators drew, by the row of their node, and what workloads used of them, by theirs.
#[derive(Debug, Default)]
pub(super) struct Devices {
    pub(super) drawn: HashMap<i64, Vec<DeviceEnergy>>,
    pub(super) used: HashMap<i64, Vec<WorkloadDeviceEnergy>>,
}

impl Devices {
    /// Of the part `asked` of the intervals with these identifiers.
    pub(super) fn read(
        connection: &Connection,
        intervals: &[(i64, Span)],
        asked: Span,
        covered: TimeRange,
    ) -> rusqlite::Result<Devices> {
        let mut known: BTreeMap<i64, (i64, DeviceEnergy)> = BTreeMap::new();
        let mut used: HashMap<i64, Vec<WorkloadDeviceEnergy>> = HashMap::new();
        for &(interval, span) in intervals {
            drawn(connection, interval, (span, asked), covered, &mut known)?;
            let mut statement = connection.prepare_cached(
                "SELECT workload, device, energy_uj, shares_by FROM workload_device_energy WHERE interval = ?1",
            )?;
            let mut rows = statement.query([interval])?;
            while let Some(row) = rows.next()? {
                let Some((_, device)) = known.get(&row.get(1)?) else { continue };
                let energy = span.share_of(energy(row, 2)?.unwrap_or_default(), asked);
                let shares_by = shares_of(row.get_ref(3)?.as_str_or_null()?);
                let one = WorkloadDeviceEnergy::new(Arc::clone(&device.device.uuid), energy, shares_by);
                if energy > Energy::ZERO {
                    add_used(used.entry(row.get(0)?).or_default(), &[one]);
                }
            }
        }
        let mut drawn: HashMap<i64, Vec<DeviceEnergy>> = HashMap::new();
        for (node, device) in known.into_values() {
            drawn.entry(node).or_default().push(device);
        }
        drawn.values_mut().for_each(|devices| devices.sort_by_key(|device| device.device.index));
        Ok(Devices { drawn, used })
    }
}

/// Adds what accelerators drew in the part `asked` of an interval.
fn drawn(
    connection: &Connection,
    interval: i64,
    (span, asked): (Span, Span),
    covered: TimeRange,
    known: &mut BTreeMap<i64, (i64, DeviceEnergy)>,
) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached(
        "SELECT d.id, d.node, d.uuid, d.gpu, d.vendor, d.name, e.energy_uj, e.active_uj, e.idle_uj, e.unattributed_uj,
                e.source, e.method, e.error_ratio, e.shares_by
         FROM device_energy AS e JOIN device AS d ON d.id = e.device WHERE e.interval = ?1",
    )?;
    let mut rows = statement.query([interval])?;
    while let Some(row) = rows.next()? {
        let text = |column| row.get_ref(column).and_then(|value| Ok(value.as_str()?));
        let share = |energy: Energy| span.share_of(energy, asked);
        let column = |column| Ok::<_, rusqlite::Error>(energy(row, column)?.unwrap_or_default());
        let (all, active, idle) = (column(6)?, column(7)?, column(8)?);
        let device = reported_device(text(2)?, text(4)?, text(5)?, row.get(3)?);
        let mut now = DeviceEnergy::new(device, covered, text(10)?);
        // The parts are cut, and make up the whole.
        (now.active, now.idle, now.unsplit) =
            (share(active), share(idle), share(all.saturating_sub(active).saturating_sub(idle)));
        now.energy = now.active + now.idle + now.unsplit;
        now.unattributed = energy(row, 9)?.map(share);
        now.method = method_of(text(11)?, row.get(12)?);
        now.shares_by = shares_of(row.get_ref(13)?.as_str_or_null()?);
        match known.get_mut(&row.get(0)?) {
            Some((_, before)) => before.add(&now),
            None => drop(known.insert(row.get(0)?, (row.get(1)?, now))),
        }
    }
    Ok(())
}
