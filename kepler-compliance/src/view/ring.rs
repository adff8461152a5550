//! A history in memory, fed by snapshots.

mod buckets;
mod devices;
mod ledger;
mod platform;
mod query;

use super::{EnergySeries, EnergyView, Inventory, NewestReading, Subject, TimeRange, ViewError};
use jiff::Timestamp;
use kepler_core::snapshot::Snapshot;
use ledger::Ledger;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How much a ring remembers. What is older or more is dropped, oldest first; what takes too many rows is
/// kept at a lower resolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RingOptions {
    /// How far back it reaches. Default one hour.
    pub max_age: Duration,
    /// How many intervals it holds at most. Default 1,200 (an hour of 3 s).
    pub max_samples: usize,
    /// How many rows these hold at most: one for each workload that used anything in an interval, some 100 bytes.
    /// Where there are more, intervals are merged, the oldest first, so that old times have longer
    /// steps and lose no energy. Default 50,000 (5 MB): 40 busy workloads in each interval.
    pub max_rows: usize,
}

impl RingOptions {
    /// These options with a change, as in `RingOptions::default().with(|options| options.max_rows = 10_000)`.
    #[must_use]
    pub fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }
}

impl Default for RingOptions {
    fn default() -> Self {
        RingOptions { max_age: Duration::from_secs(3600), max_samples: 1200, max_rows: 50_000 }
    }
}

/// What was used between each two snapshots, for as long as [`RingOptions`] says.
///
/// It holds differences of those that used anything, not copies of snapshots: a thousand idle
/// processes cost nothing. A sampler that starts again starts a new account; the time between is a
/// gap, since it was not measured. Times follow the boot clock, and are shown on the wall clock as it is
/// now: setting the clock neither loses nor doubles energy.
#[derive(Debug)]
pub struct HistoryRing {
    name: String,
    ledger: Mutex<Ledger>,
}

impl HistoryRing {
    /// An empty ring. `name` is the view's name, `node` the machine's.
    pub fn new(name: impl Into<String>, node: impl Into<Arc<str>>, options: RingOptions) -> Self {
        HistoryRing { name: name.into(), ledger: Mutex::new(Ledger::new(node.into(), options)) }
    }

    /// Takes a snapshot in. The first one lays the ground; one that was seen already changes nothing.
    pub fn record(&self, snapshot: &Snapshot) {
        self.ledger().record(snapshot);
    }

    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        // A panic elsewhere leaves the ledger as it was after the last snapshot: still true.
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl EnergyView for HistoryRing {
    fn name(&self) -> &str {
        &self.name
    }

    fn inventory(&self, range: TimeRange) -> Result<Arc<Inventory>, ViewError> {
        query::inventory(&self.ledger(), &self.name, range).map(Arc::new)
    }

    fn series(&self, subject: &Subject, range: TimeRange, step: Duration) -> Result<EnergySeries, ViewError> {
        query::series(&self.ledger(), &self.name, subject, range, step)
    }

    fn newest(&self) -> Option<NewestReading> {
        let newest = self.ledger().newest?;
        Some(NewestReading { at: Timestamp::try_from(newest.at.wall).ok()?, interval: newest.interval })
    }
}

#[cfg(test)]
mod tests;
