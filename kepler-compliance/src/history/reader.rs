//! Queries on the history file.

use super::columns::energy;
use super::devices::method_of;
use super::share::Span;
use super::{HistoryError, columns, schema};
use crate::units::{Energy, PerZone, ZoneKind};
use crate::view::{Owner, PlatformEnergy, PlatformIdentity, WorkloadId, WorkloadKind};
use kepler_core::meter::Method;
use kepler_core::platform::PlatformScope;
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Reads a history, also while a writer in another process fills it.
#[derive(Debug)]
pub struct HistoryReader {
    path: PathBuf,
    connection: Mutex<Connection>,
}

/// An interval of the file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Interval {
    pub(super) id: i64,
    pub(super) span: Span,
    /// Of this length the energy is known, in milliseconds.
    pub(super) covered: i64,
    /// One of several that were merged.
    pub(super) thinned: bool,
}

/// The intervals that a range touches, in the order in which they were recorded.
#[derive(Debug, Default)]
pub(super) struct Intervals(Vec<Interval>);

/// What a workload used in an interval.
#[derive(Clone, Copy, Debug)]
pub(super) struct WorkloadRow {
    pub(super) workload: i64,
    pub(super) interval: i64,
    pub(super) cpu_time: Duration,
    pub(super) energy: PerZone<Option<Energy>>,
}

/// What a zone of the node used in an interval.
#[derive(Clone, Copy, Debug)]
pub(super) struct NodeRow {
    pub(super) interval: i64,
    pub(super) zone: ZoneKind,
    pub(super) energy: Energy,
    pub(super) idle: Energy,
    pub(super) unattributed: Energy,
}

/// What a meter of the whole machine showed in an interval.
pub(super) struct PlatformRecord {
    pub(super) platform: i64,
    pub(super) interval: i64,
    pub(super) energy: Energy,
    pub(super) covered_ms: i64,
    /// The meter, with nothing shown.
    pub(super) known: PlatformEnergy,
}

/// Where a zone's figures came from.
#[derive(Clone, Debug)]
pub(super) struct Source {
    pub(super) zone: ZoneKind,
    pub(super) name: Arc<str>,
    pub(super) method: Method,
}

/// Who a workload is.
pub(super) struct Known {
    pub(super) id: WorkloadId,
    /// The controller of a pod.
    pub(super) owner: Option<Owner>,
    /// Whether it was alive at the newest record.
    pub(super) running: bool,
}

/// Everything asked in one read transaction is of one state of the file.
pub(super) struct Reading<'a>(pub(super) Transaction<'a>);

impl HistoryReader {
    /// Opens the history at `path` to read.
    ///
    /// The directory must be writable unless a writer has the file open: readers of a write-ahead log
    /// share an index file with it.
    ///
    /// # Errors
    /// [`HistoryError::Missing`] if there is none; [`HistoryError::Foreign`], [`HistoryError::Newer`] or
    /// [`HistoryError::Damaged`] if the file is not usable.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, HistoryError> {
        let path = path.into();
        let connection = schema::open_to_read(&path)?;
        Ok(HistoryReader { path, connection: Mutex::new(connection) })
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Asks the file something, of one state.
    pub(super) fn read<T>(&self, ask: impl FnOnce(&Reading<'_>) -> rusqlite::Result<T>) -> Result<T, HistoryError> {
        let connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        let result = connection.unchecked_transaction().and_then(|transaction| ask(&Reading(transaction)));
        result.map_err(|source| HistoryError::of(&self.path, "read", source))
    }
}

impl Intervals {
    pub(super) fn iter(&self) -> impl Iterator<Item = &Interval> {
        self.0.iter()
    }

    /// An interval, and its place among all.
    pub(super) fn find(&self, id: i64) -> Option<(usize, &Interval)> {
        let place = self.0.binary_search_by_key(&id, |interval| interval.id).ok()?;
        Some((place, self.0.get(place)?))
    }

    pub(super) fn get(&self, id: i64) -> Option<&Interval> {
        self.find(id).map(|(_, interval)| interval)
    }

    pub(super) fn last(&self) -> Option<&Interval> {
        self.0.last()
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

impl Reading<'_> {
    /// The node's name.
    pub(super) fn node(&self) -> rusqlite::Result<Arc<str>> {
        let name: String = self.0.query_row("SELECT value FROM setting WHERE key = 'node'", [], |row| row.get(0))?;
        Ok(name.into())
    }

    /// The length of an interval that is not thinned, in milliseconds.
    pub(super) fn resolution(&self) -> rusqlite::Result<i64> {
        self.0.query_row("SELECT value FROM setting WHERE key = 'resolution_ms'", [], |row| row.get(0))
    }

    /// The newest interval of all.
    pub(super) fn newest_interval(&self) -> rusqlite::Result<Option<i64>> {
        self.0.query_row("SELECT max(id) FROM interval", [], |row| row.get(0))
    }

    /// When the newest record was made, in milliseconds since 1970, and the length of an interval.
    pub(super) fn newest_record(&self) -> rusqlite::Result<Option<(i64, Duration)>> {
        let sql = "SELECT end_ms FROM interval ORDER BY id DESC LIMIT 1";
        let end = self.0.prepare_cached(sql)?.query_row([], |row| row.get(0)).optional()?;
        let resolution = Duration::from_millis(self.resolution()?.unsigned_abs());
        Ok(end.map(|end| (end, resolution)))
    }

    /// Logical processors of the node in the newest block that touches `range`.
    pub(super) fn processors(&self, range: Span) -> rusqlite::Result<Option<u32>> {
        let sql = "SELECT processors FROM block WHERE end_ms >= ?1 AND start_ms < ?2 ORDER BY id DESC LIMIT 1";
        self.0.prepare_cached(sql)?.query_row(params![range.start, range.end], |row| row.get(0)).optional()
    }

    /// The intervals that touch `range`.
    pub(super) fn intervals(&self, range: Span) -> rusqlite::Result<Intervals> {
        let mut statement = self.0.prepare_cached(
            "SELECT i.id, i.start_ms, i.end_ms, i.covered_ms, b.thinned
             FROM block AS b CROSS JOIN interval AS i ON i.block = b.id
             WHERE b.end_ms >= ?1 AND b.start_ms < ?2
               AND i.start_ms < ?2 AND (i.end_ms > ?1 OR i.start_ms >= ?1)",
        )?;
        let rows = statement.query_map(params![range.start, range.end], |row| {
            let span = Span { start: row.get(1)?, end: row.get(2)? };
            Ok(Interval { id: row.get(0)?, span, covered: row.get(3)?, thinned: row.get(4)? })
        })?;
        let mut intervals = rows.collect::<rusqlite::Result<Vec<_>>>()?;
        intervals.sort_by_key(|interval| interval.id);
        Ok(Intervals(intervals))
    }

    /// The version of the tables.
    pub(super) fn version(&self) -> rusqlite::Result<i64> {
        self.0.pragma_query_value(None, "user_version", |row| row.get(0))
    }

    /// What meters of the whole machine showed in `range`.
    pub(super) fn platform(&self, range: Span) -> rusqlite::Result<Vec<PlatformRecord>> {
        if self.version()? < schema::WITH_PLATFORM {
            return Ok(Vec::new());
        }
        let mut statement = self.0.prepare_cached(
            "SELECT e.platform, e.interval, e.energy_uj, e.covered_ms, p.source, p.bmc_id, p.chassis_id, p.source_type,
                 p.source_id, p.source_name, p.scope, p.contains_gpus, p.method, p.error_ratio
             FROM block AS b CROSS JOIN interval AS i ON i.block = b.id CROSS JOIN platform_energy AS e ON e.interval = i.id
             JOIN platform AS p ON p.id = e.platform WHERE b.end_ms >= ?1 AND b.start_ms < ?2",
        )?;
        let rows = statement.query_map(params![range.start, range.end], |row| {
            let text = |column| row.get::<_, String>(column).map(Arc::from);
            let mut meter = PlatformIdentity::default();
            (meter.source, meter.bmc_id, meter.chassis_id) = (text(4)?, text(5)?, text(6)?);
            (meter.source_type, meter.source_id, meter.source_name) = (text(7)?, text(8)?, text(9)?);
            let mut known = PlatformEnergy::new(meter);
            known.scope = PlatformScope::named(&row.get::<_, String>(10)?);
            known.contains_gpus = Some(row.get(11)?);
            known.method = method_of(row.get_ref(12)?.as_str()?, row.get(13)?);
            Ok(PlatformRecord {
                platform: row.get(0)?,
                interval: row.get(1)?,
                energy: energy(row, 2)?.unwrap_or_default(),
                covered_ms: row.get(3)?,
                known,
            })
        })?;
        rows.collect()
    }

    /// The meters of all zones in `range`: the newest name, measured only if always measured.
    pub(super) fn sources(&self, range: Span) -> rusqlite::Result<Vec<Source>> {
        let mut statement = self.0.prepare_cached(match self.version()? {
            schema::WITH_METHOD.. => {
                "SELECT b.id, s.zone, s.name, s.error_ratio, s.method FROM block AS b
                 CROSS JOIN source AS s ON s.block = b.id WHERE b.end_ms >= ?1 AND b.start_ms < ?2"
            }
            _ => {
                "SELECT b.id, s.zone, s.name, s.error_ratio, NULL FROM block AS b
                 CROSS JOIN source AS s ON s.block = b.id WHERE b.end_ms >= ?1 AND b.start_ms < ?2"
            }
        })?;
        let mut rows = statement.query(params![range.start, range.end])?;
        let mut newest: PerZone<Option<(i64, Source)>> = PerZone::default();
        while let Some(row) = rows.next()? {
            let Some(zone) = zone(row, 1)? else { continue };
            let (block, name) = (row.get(0)?, row.get_ref(2)?.as_str()?);
            let is_partial = row.get_ref(4)?.as_str_or_null()? == Some("partial");
            let method = match row.get::<_, Option<f64>>(3)? {
                None => Method::Measured,
                Some(error_ratio) if is_partial => Method::Partial { error_ratio },
                Some(error_ratio) => Method::Estimated { error_ratio },
            };
            let (known, source) =
                newest[zone].get_or_insert_with(|| (block, Source { zone, name: name.into(), method }));
            source.method = source.method.weaker(method);
            if block > *known {
                *known = block;
                if *source.name != *name {
                    source.name = name.into();
                }
            }
        }
        Ok(newest.iter().filter_map(|(_, found)| found.as_ref().map(|(_, source)| source.clone())).collect())
    }

    /// Hands `each` what the node's zones used in every one of `intervals`.
    pub(super) fn node_rows(&self, intervals: &Intervals, mut each: impl FnMut(NodeRow)) -> rusqlite::Result<()> {
        let (Some(first), Some(last)) = (intervals.0.first(), intervals.last()) else { return Ok(()) };
        let mut statement = self.0.prepare_cached(
            "SELECT interval, zone, energy_uj, idle_uj, unattributed_uj FROM node_energy WHERE interval BETWEEN ?1 AND ?2",
        )?;
        let mut rows = statement.query(params![first.id, last.id])?;
        while let Some(row) = rows.next()? {
            let Some(zone) = zone(row, 1)? else { continue };
            let (energy, idle, unattributed) = (energy(row, 2)?, energy(row, 3)?, energy(row, 4)?);
            let [energy, idle, unattributed] = [energy, idle, unattributed].map(Option::unwrap_or_default);
            each(NodeRow { interval: row.get(0)?, zone, energy, idle, unattributed });
        }
        Ok(())
    }

    /// Hands `each` what workloads used in the blocks that touch `range`: one of them, or all.
    pub(super) fn workload_rows(
        &self,
        range: Span,
        workload: Option<i64>,
        mut each: impl FnMut(WorkloadRow),
    ) -> rusqlite::Result<()> {
        // CROSS JOIN keeps SQLite at the blocks as the outer loop: one search a block, then neighbours.
        let (of_workload, unused) = match workload {
            Some(_) => ("AND e.workload = ?3", ""),
            None => ("", "AND ?3 IS NULL"),
        };
        let names = columns::names_in(self.version()?);
        let mut statement = self.0.prepare_cached(&format!(
            "SELECT e.workload, e.interval, cpu_us, {}
             FROM block AS b CROSS JOIN workload_energy AS e ON e.block = b.id {of_workload}
             WHERE b.end_ms >= ?1 AND b.start_ms < ?2 {unused}",
            names.as_str()
        ))?;
        let mut rows = statement.query(params![range.start, range.end, workload])?;
        while let Some(row) = rows.next()? {
            each(WorkloadRow {
                workload: row.get(0)?,
                interval: row.get(1)?,
                cpu_time: Duration::from_micros(u64::try_from(row.get::<_, i64>(2)?).unwrap_or(0)),
                energy: columns::zones(row, 3)?,
            });
        }
        Ok(())
    }

    /// Who a workload is, and whether it was alive at the newest record.
    pub(super) fn workload(&self, id: i64, node: &Arc<str>) -> rusqlite::Result<Option<Known>> {
        let of = "SELECT kind, uid, name, namespace, running, owner_kind, owner_name FROM workload WHERE id = ?1";
        // Before version 4 there were no owners.
        let before = "SELECT kind, uid, name, namespace, running, NULL, NULL FROM workload WHERE id = ?1";
        let mut statement = self.0.prepare_cached(of).or_else(|_| self.0.prepare_cached(before))?;
        let kind_of = |name: &str| WorkloadKind::ALL.into_iter().find(|known| known.name() == name);
        let found = statement.query_row(params![id], |row| {
            let owner = row.get::<_, Option<String>>(5)?.zip(row.get::<_, Option<String>>(6)?);
            let owner = owner.and_then(|(kind, name)| Some(Owner::new(kind_of(&kind)?, name)));
            let kind: String = row.get(0)?;
            let text = |column| row.get::<_, String>(column).map(Arc::<str>::from);
            let namespace = row.get::<_, Option<String>>(3)?.map(Arc::from);
            let kind = kind_of(&kind);
            let (uid, name, running) = (text(1)?, text(2)?, row.get(4)?);
            let id = kind.map(|kind| WorkloadId { kind, namespace, name, uid, node: Arc::clone(node) });
            Ok(id.map(|id| Known { id, owner, running }))
        });
        found.optional().map(Option::flatten)
    }

    /// The row of a workload. A process is found by its name: histories keep no single processes.
    pub(super) fn find(&self, id: &WorkloadId) -> rusqlite::Result<Option<i64>> {
        let uid = if id.kind == WorkloadKind::Process { &id.name } else { &id.uid };
        let mut statement = self.0.prepare_cached("SELECT id FROM workload WHERE kind = ?1 AND uid = ?2")?;
        statement.query_row(params![id.kind.name(), &**uid], |row| row.get(0)).optional()
    }

    /// The pods of a namespace.
    pub(super) fn pods(&self, namespace: &str) -> rusqlite::Result<Vec<i64>> {
        let mut statement = self.0.prepare_cached("SELECT id FROM workload WHERE kind = 'pod' AND namespace = ?1")?;
        statement.query_map(params![namespace], |row| row.get(0))?.collect()
    }
}

fn zone(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<ZoneKind>> {
    Ok(row.get_ref(column)?.as_str()?.parse().ok())
}
