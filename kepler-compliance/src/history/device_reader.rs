//! Accelerators out of the file: what each drew, and what workloads used of them.

use super::columns::energy;
use super::devices::{method_of, shares_of};
use super::reader::{Interval, Intervals, Reading};
use super::schema;
use super::share::Span;
use crate::units::Energy;
use crate::view::{DeviceEnergy, TimeRange, WorkloadDeviceEnergy, add_used, reported_device, weaker};
use rusqlite::params;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

/// What the accelerators of a node drew, and what workloads used of them, by their row.
#[derive(Debug, Default)]
pub(super) struct Devices {
    pub(super) drawn: Vec<DeviceEnergy>,
    pub(super) used: HashMap<i64, Vec<WorkloadDeviceEnergy>>,
}

impl Devices {
    /// Of the part `asked` of `intervals`; power is that of `newest`.
    pub(super) fn read(
        reading: &Reading<'_>,
        intervals: &Intervals,
        asked: Span,
        covered: TimeRange,
        newest: Option<(Interval, Duration)>,
    ) -> rusqlite::Result<Devices> {
        if reading.version()? < schema::WITH_DEVICES {
            return Ok(Devices::default());
        }
        let mut known = known(reading, asked, covered)?;
        drawn(reading, intervals, asked, newest, &mut known)?;
        let used = used(reading, intervals, asked, &known)?;
        let mut drawn: Vec<_> = known.into_values().collect();
        drawn.sort_by_key(|device| device.device.index);
        Ok(Devices { drawn, used })
    }
}

/// The accelerators of the blocks that touch `asked`, with nothing drawn.
fn known(reading: &Reading<'_>, asked: Span, covered: TimeRange) -> rusqlite::Result<BTreeMap<i64, DeviceEnergy>> {
    let mut statement = reading.0.prepare_cached(
        "SELECT d.id, d.uuid, d.gpu, d.vendor, d.name, s.source, s.method, s.error_ratio, s.shares_by
         FROM block AS b CROSS JOIN device_source AS s ON s.block = b.id JOIN device AS d ON d.id = s.device
         WHERE b.end_ms >= ?1 AND b.start_ms < ?2 ORDER BY b.id",
    )?;
    let mut rows = statement.query(params![asked.start, asked.end])?;
    let mut known: BTreeMap<i64, DeviceEnergy> = BTreeMap::new();
    while let Some(row) = rows.next()? {
        let text = |column| row.get_ref(column).and_then(|value| Ok(value.as_str()?));
        let (id, source) = (row.get(0)?, text(5)?);
        let method = method_of(text(6)?, row.get(7)?);
        let shares_by = shares_of(row.get_ref(8)?.as_str_or_null()?);
        let is_new = !known.contains_key(&id);
        if is_new {
            let device = reported_device(text(1)?, text(3)?, text(4)?, row.get(2)?);
            known.insert(id, DeviceEnergy { method, ..DeviceEnergy::new(device, covered, source) });
        }
        let Some(device) = known.get_mut(&id) else { continue };
        device.method = device.method.weaker(method);
        device.shares_by = weaker(device.shares_by, shares_by);
        if *device.source != *source {
            device.source = source.into();
        }
    }
    Ok(known)
}

fn drawn(
    reading: &Reading<'_>,
    intervals: &Intervals,
    asked: Span,
    newest: Option<(Interval, Duration)>,
    known: &mut BTreeMap<i64, DeviceEnergy>,
) -> rusqlite::Result<()> {
    let mut statement = reading.0.prepare_cached(
        "SELECT e.device, e.interval, e.energy_uj, e.active_uj, e.idle_uj, e.unattributed_uj
         FROM block AS b CROSS JOIN device_energy AS e ON e.block = b.id WHERE b.end_ms >= ?1 AND b.start_ms < ?2",
    )?;
    let mut rows = statement.query(params![asked.start, asked.end])?;
    while let Some(row) = rows.next()? {
        let interval = intervals.get(row.get(1)?);
        let (Some(interval), Some(device)) = (interval, known.get_mut(&row.get(0)?)) else { continue };
        let column = |column| Ok::<_, rusqlite::Error>(energy(row, column)?.unwrap_or_default());
        let (all, active, idle) = (column(2)?, column(3)?, column(4)?);
        let share = |energy| interval.span.share_of(energy, asked);
        // The parts are cut, and make up the whole.
        let (unsplit, active, idle) =
            (share(all.saturating_sub(active).saturating_sub(idle)), share(active), share(idle));
        device.energy += active + idle + unsplit;
        (device.active, device.idle, device.unsplit) =
            (device.active + active, device.idle + idle, device.unsplit + unsplit);
        let unattributed = share(column(5)?);
        device.unattributed = device.unattributed.map(|before| before + unattributed);
        if let Some((_, elapsed)) = newest.filter(|(newest, elapsed)| newest.id == interval.id && !elapsed.is_zero()) {
            device.power = Some(all.over(elapsed));
        }
    }
    Ok(())
}

fn used(
    reading: &Reading<'_>,
    intervals: &Intervals,
    asked: Span,
    known: &BTreeMap<i64, DeviceEnergy>,
) -> rusqlite::Result<HashMap<i64, Vec<WorkloadDeviceEnergy>>> {
    let mut used: HashMap<i64, Vec<WorkloadDeviceEnergy>> = HashMap::new();
    if known.is_empty() {
        return Ok(used);
    }
    let mut statement = reading.0.prepare_cached(
        "SELECT e.workload, e.device, e.interval, e.energy_uj, e.shares_by
         FROM block AS b CROSS JOIN workload_device_energy AS e ON e.block = b.id
         WHERE b.end_ms >= ?1 AND b.start_ms < ?2",
    )?;
    let mut rows = statement.query(params![asked.start, asked.end])?;
    while let Some(row) = rows.next()? {
        let interval = intervals.get(row.get(2)?);
        let (Some(interval), Some(device)) = (interval, known.get(&row.get(1)?)) else { continue };
        let energy = interval.span.share_of(energy(row, 3)?.unwrap_or_default(), asked);
        if energy == Energy::ZERO {
            continue;
        }
        let shares_by = shares_of(row.get_ref(4)?.as_str_or_null()?);
        let one = WorkloadDeviceEnergy::new(Arc::clone(&device.device.uuid), energy, shares_by);
        add_used(used.entry(row.get(0)?).or_default(), &[one]);
    }
    Ok(used)
}
