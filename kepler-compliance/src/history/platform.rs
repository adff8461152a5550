//! Meters of the whole machine in the history.

use super::columns::microjoules;
use super::millis;
use super::reader::{Intervals, PlatformRecord};
use super::share::Span;
use crate::differ::{Order, platform_used};
use crate::units::Energy;
use crate::view::PlatformEnergy;
use kepler_core::snapshot::{PlatformRow, Snapshot};
use rusqlite::{Transaction, params};
use std::collections::BTreeMap;
use std::time::Duration;

/// What was stored of each meter.
#[derive(Debug, Default)]
pub(super) struct PlatformAccounts {
    stored: Vec<PlatformRow>,
}

impl PlatformAccounts {
    /// Writes what each meter has shown since the last record.
    pub(super) fn write(
        &self,
        transaction: &Transaction<'_>,
        interval: i64,
        snapshot: &Snapshot,
        order: Order,
    ) -> rusqlite::Result<()> {
        for row in &snapshot.platform {
            let before = self.stored.iter().find(|stored| stored.meter.is_same(&row.meter));
            let (energy, covered) = platform_used(before, row, order);
            if covered.is_zero() {
                continue;
            }
            let id = introduce(transaction, row)?;
            transaction
                .prepare_cached(
                    "INSERT INTO platform_energy VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO UPDATE SET
                         energy_uj = energy_uj + excluded.energy_uj, covered_ms = covered_ms + excluded.covered_ms",
                )?
                .execute(params![interval, id, microjoules(energy), millis(covered)])?;
        }
        Ok(())
    }

    /// What was read is stored now.
    pub(super) fn commit(&mut self, snapshot: &Snapshot) {
        self.stored.clone_from(&snapshot.platform);
    }
}

/// Writes which meter it is; returns its row.
fn introduce(transaction: &Transaction<'_>, row: &PlatformRow) -> rusqlite::Result<i64> {
    let meter = &row.meter;
    transaction
        .prepare_cached(
            "INSERT INTO platform (source, bmc_id, chassis_id, source_type, source_id, source_name, scope, contains_gpus, method,
                 error_ratio)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
             ON CONFLICT DO UPDATE SET source_name = excluded.source_name, scope = excluded.scope,
                 contains_gpus = excluded.contains_gpus, method = excluded.method, error_ratio = excluded.error_ratio
             RETURNING id",
        )?
        .query_row(
            params![
                meter.source,
                &*meter.bmc_id,
                &*meter.chassis_id,
                &*meter.source_type,
                &*meter.source_id,
                &*meter.source_name,
                meter.scope.name(),
                meter.contains_gpus,
                meter.method.name(),
                meter.method.error_ratio()
            ],
            |row| row.get(0),
        )
}

/// What each meter showed in a range.
pub(super) fn sums(records: Vec<PlatformRecord>, intervals: &Intervals, asked: Span) -> Vec<PlatformEnergy> {
    let mut sums: BTreeMap<i64, PlatformEnergy> = BTreeMap::new();
    for record in records {
        let Some(interval) = intervals.get(record.interval) else { continue };
        let sum = sums.entry(record.platform).or_insert_with(|| record.known);
        sum.energy += interval.span.share_of(record.energy, asked);
        let covered = Duration::from_millis(interval.span.share(record.covered_ms.unsigned_abs(), asked));
        sum.covered = Some(sum.covered.unwrap_or(Duration::ZERO) + covered);
    }
    let shown = sums.into_values().filter(|sum| sum.energy > Energy::ZERO || sum.covered > Some(Duration::ZERO));
    shown.collect()
}
