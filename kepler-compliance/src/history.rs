//! An embedded history: an SQLite file of the energy used by each workload.
//!
//! A [`History`] is fed with snapshots and answers as an [`EnergyView`]; a [`HistoryReader`] only
//! answers, from the same file, in the same or another process. The tables are documented in
//! `docs/history.md`, so that they can be queried with `sqlite3`.
//!
//! # What is stored
//! For every interval (5 minutes by default) what the node and each pod, container, unit,
//! virtual machine and process *name* used within it, in integer microjoules by zone, and what of it was drawn by each accelerator. Each record adds to the open
//! interval in one transaction, so a crash loses what was used since the last record and nothing else.
//! Intervals begin and end with records: they are a little off the round minute, and no energy is split.
//!
//! # What it withstands
//! - **Kill, crash, power cut.** Write-ahead log: the file is whole at any moment. A killed process loses
//!   no record; a power cut may lose the last ones.
//! - **A sampler that starts again.** Its counters begin at zero; what they show counts from there, and the time before is a gap.
//! - **A wall clock that is set.** A new interval begins, rows never replace others, and blocks are
//!   numbered in the order of recording. Ages are taken on a clock that does not follow mistakes.
//! - **A full disk.** [`History::record`] says so and counts it; the first record that fits holds the
//!   energy of those that did not.
//! - **A second writer** is refused with the name of the first.
//!
//! # Size
//! About 30 bytes a workload and interval, so 200 workloads take some 50 MB for 30 days of 5-minute
//! intervals; older ones are merged into hours. The oldest hours go when the file exceeds an age or a size.
//!
//! ```
//! use kepler_compliance::history::{History, HistoryOptions};
//! use kepler_core::{host::Host, sampler::{Sampler, SamplerOptions}};
//!
//! let directory = tempfile::tempdir()?;
//! let history = History::open(directory.path().join("energy.db"), HistoryOptions::default())?;
//! let mut sampler = Sampler::new(&Host::default(), SamplerOptions::default())?;
//! for _ in 0..3 {
//!     history.record(&sampler.tick())?;
//! }
//! assert_eq!(history.failed_records(), 0);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod account;
mod age;
mod columns;
mod device_reader;
mod devices;
mod elapsed;
mod error;
mod fleet;
mod lock;
mod platform;
mod reader;
mod retention;
mod schema;
mod share;
mod steps;
mod view;
mod writer;

pub use error::HistoryError;
pub use fleet::{FleetHistory, FleetHistoryOptions};
pub use reader::HistoryReader;

use crate::view::{EnergySeries, EnergyView, Inventory, NewestReading, Subject, TimeRange, ViewError};
use kepler_core::snapshot::Snapshot;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How a history is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct HistoryOptions {
    /// The node's name, the `node_name` label. Default `localhost`.
    pub node: Arc<str>,
    /// The length of an interval; at least 1 s. Default 5 minutes.
    pub resolution: Duration,
    /// Intervals recorded longer ago than this are merged into one an hour. `None`: never. Default 35 days.
    pub thin_after: Option<Duration>,
    /// What was recorded longer ago than this is dropped. `None`: never. Default 400 days.
    pub max_age: Option<Duration>,
    /// The oldest hours are dropped while the file is larger than this, in bytes. The newest hour always stays.
    /// The write-ahead log beside it takes up to some 4 MiB more. `None`: no bound. Default 1 GiB.
    pub max_bytes: Option<u64>,
}

impl HistoryOptions {
    /// These options with a change, as in `HistoryOptions::default().with(|options| options.max_bytes = None)`.
    #[must_use]
    pub fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }
}

impl Default for HistoryOptions {
    fn default() -> Self {
        let days = |days: u64| Duration::from_secs(days * 86_400);
        HistoryOptions {
            node: "localhost".into(),
            resolution: Duration::from_secs(300),
            thin_after: Some(days(35)),
            max_age: Some(days(400)),
            max_bytes: Some(1 << 30),
        }
    }
}

/// A history that is being written. One a file; any number of [`HistoryReader`]s beside it.
#[derive(Debug)]
pub struct History {
    // Dropped in this order: the writer must close last, it puts the log back into the file; then the lock.
    reader: HistoryReader,
    writer: Mutex<writer::Writer>,
    failed: AtomicU64,
    _lock: lock::WriterLock,
}

impl History {
    /// Opens the history at `path`, or makes it if there is no such file, or an empty one.
    ///
    /// # Errors
    /// [`HistoryError::Locked`] if it has a writer already; [`HistoryError::Foreign`],
    /// [`HistoryError::Newer`] or [`HistoryError::Damaged`] if the file is not usable, which is then
    /// left as it is.
    pub fn open(path: impl Into<PathBuf>, mut options: HistoryOptions) -> Result<Self, HistoryError> {
        let path = path.into();
        // One file has one lock, whatever links lead to it.
        let path = path.canonicalize().unwrap_or(path);
        options.resolution = options.resolution.max(Duration::from_secs(1));
        let lock = lock::WriterLock::take(&path)?;
        let writer = writer::Writer::open(&path, options)?;
        let reader = HistoryReader::open(path)?;
        Ok(History { reader, writer: Mutex::new(writer), failed: AtomicU64::new(0), _lock: lock })
    }

    /// Stores what was used since the last record; of the first snapshot, only where its counters stand.
    ///
    /// Call it with every snapshot or with one in a while: counters lose nothing in between, but a
    /// workload that came and went between two records is seen as far as the snapshot still lists it.
    /// The same snapshot again does nothing.
    ///
    /// # Errors
    /// [`HistoryError::Full`], [`HistoryError::Damaged`], or what else SQLite says. It is also counted in
    /// [`History::failed_records`]; the next record that succeeds holds the energy of this one.
    pub fn record(&self, snapshot: &Snapshot) -> Result<(), HistoryError> {
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        writer.record(snapshot).inspect_err(|_| {
            self.failed.fetch_add(1, Ordering::Relaxed);
        })
    }

    /// Records that failed since it was opened.
    #[must_use]
    pub fn failed_records(&self) -> u64 {
        self.failed.load(Ordering::Relaxed)
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.reader.path()
    }
}

impl EnergyView for History {
    fn name(&self) -> &str {
        self.reader.name()
    }

    fn inventory(&self, range: TimeRange) -> Result<Arc<Inventory>, ViewError> {
        self.reader.inventory(range)
    }

    fn series(&self, subject: &Subject, range: TimeRange, step: Duration) -> Result<EnergySeries, ViewError> {
        self.reader.series(subject, range, step)
    }

    fn newest(&self) -> Option<NewestReading> {
        self.reader.newest()
    }
}

/// Whole milliseconds, as the file keeps times.
fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
