//! The history of a fleet: an SQLite file of the energy of many nodes and of the pods on them, as a hub has seen it.
//!
//! A [`FleetHistory`] is fed with inventories, one an interval, and answers as an [`EnergyView`]. An inventory says what was
//! used within its time, so nothing is counted here: what was not recorded is a gap.
//!
//! Kept are nodes and those workloads that no other one contains, with the controllers of pods; processes, and containers
//! within pods, are not. A row has some 35 bytes: 250 nodes with 30 pods take 26 MB a day at an interval of 15 minutes.
//!
//! One connection writes and reads. Reading locks out writing for as long as a question takes.

mod answer;
mod devices;
mod write;

use super::HistoryError;
use super::lock::WriterLock;
use crate::view::{EnergySeries, EnergyView, Inventory, NewestReading, Subject, TimeRange, ViewError};
use jiff::Timestamp;
use rusqlite::{Connection, OpenFlags};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

const TABLES: &str = include_str!("fleet/schema.sql");
/// `kpFL` in ASCII: what `PRAGMA application_id` says of the history of a fleet.
const APPLICATION_ID: i64 = 0x6b70_464c;
/// What `PRAGMA user_version` says. 1: no accelerator was told from another. 2: each has its energy, and workloads what they used
/// of each. 3: workloads have what they are charged of the whole machine.
const VERSION: i64 = 3;
/// The version from which accelerators are told apart.
const WITH_DEVICES: i64 = 2;
/// How the tables of accelerators begin and end.
const DEVICES: (&str, &str) = ("-- Accelerators of nodes.", "-- Nodes that were missing");
/// How long to wait for a user who has the file open with `sqlite3`.
const PATIENCE: Duration = Duration::from_secs(5);
/// Pages that are kept in memory, in KiB.
const CACHE_KIB: i64 = 4096;

/// How the history of a fleet is bounded.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FleetHistoryOptions {
    /// What was recorded longer ago is dropped. `None`: never. Default 400 days.
    pub max_age: Option<Duration>,
    /// The oldest intervals are dropped while the file is larger, in bytes. `None`: no bound. Default 1 GiB.
    pub max_bytes: Option<u64>,
}

impl FleetHistoryOptions {
    /// These options with a change, as in `FleetHistoryOptions::default().with(|options| options.max_bytes = None)`.
    #[must_use]
    pub fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }
}

impl Default for FleetHistoryOptions {
    fn default() -> Self {
        FleetHistoryOptions { max_age: Some(Duration::from_secs(400 * 86_400)), max_bytes: Some(1 << 30) }
    }
}

/// The history of a fleet that is being written.
#[derive(Debug)]
pub struct FleetHistory {
    path: PathBuf,
    options: FleetHistoryOptions,
    connection: Mutex<Connection>,
    _lock: WriterLock,
}

impl FleetHistory {
    /// Opens the history at `path`, or makes it if there is no such file, or an empty one.
    ///
    /// # Errors
    /// [`HistoryError::Locked`] if it has a writer already; [`HistoryError::Foreign`], [`HistoryError::Newer`] or
    /// [`HistoryError::Damaged`] if the file is not usable, which is then left as it is.
    pub fn open(path: impl Into<PathBuf>, options: FleetHistoryOptions) -> Result<Self, HistoryError> {
        let path = path.into();
        let path = path.canonicalize().unwrap_or(path);
        let lock = WriterLock::take(&path)?;
        let connection = open(&path)?;
        Ok(FleetHistory { path, options, connection: Mutex::new(connection), _lock: lock })
    }

    /// Stores what was used in the time that `inventory` was asked for. Times must not overlap: what begins before the
    /// newest record ends is refused, and `false`.
    ///
    /// # Errors
    /// [`HistoryError::Full`], [`HistoryError::Damaged`], or what else SQLite says; then nothing of it is stored.
    pub fn record(&self, inventory: &Inventory) -> Result<bool, HistoryError> {
        let mut connection = self.connection();
        let failed = |source| HistoryError::of(&self.path, "write", source);
        let is_new = write::record(&mut connection, inventory).map_err(failed)?;
        write::bound(&mut connection, &self.options, inventory.asked.end).map_err(failed)?;
        Ok(is_new)
    }

    /// When the newest record ends.
    #[must_use]
    pub fn end(&self) -> Option<Timestamp> {
        let newest =
            self.connection().query_row("SELECT max(end_ms) FROM interval", [], |row| row.get::<_, Option<i64>>(0));
        newest.ok().flatten().and_then(|end| Timestamp::from_millisecond(end).ok())
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn connection(&self) -> MutexGuard<'_, Connection> {
        // A transaction that was not ended is undone.
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn unavailable(&self, source: rusqlite::Error) -> ViewError {
        let reason = HistoryError::of(&self.path, "read", source).to_string();
        ViewError::Unavailable { origin: self.name().to_owned(), reason }
    }
}

impl EnergyView for FleetHistory {
    fn name(&self) -> &str {
        "history"
    }

    fn inventory(&self, range: TimeRange) -> Result<Arc<Inventory>, ViewError> {
        let asked = answer::span_of(range, Duration::from_secs(1))?;
        let found = answer::inventory(&self.connection(), range, asked).map_err(|source| self.unavailable(source))?;
        found.map(Arc::new).ok_or_else(|| answer::no_data(&self.path, range))
    }

    fn series(&self, subject: &Subject, range: TimeRange, step: Duration) -> Result<EnergySeries, ViewError> {
        let asked = answer::span_of(range, step)?;
        let found =
            answer::series(&self.connection(), subject, asked, step).map_err(|source| self.unavailable(source))?;
        found.ok_or_else(|| answer::no_data(&self.path, range))
    }

    fn newest(&self) -> Option<NewestReading> {
        Some(NewestReading::new(self.end()?, Duration::ZERO))
    }
}

fn open(path: &Path) -> Result<Connection, HistoryError> {
    let failed = |source| HistoryError::of(path, "open", source);
    if std::fs::metadata(path).is_ok_and(|metadata| !metadata.is_file()) {
        return Err(HistoryError::Foreign { path: path.to_owned(), found: "no regular file".into() });
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags).map_err(failed)?;
    connection.busy_timeout(PATIENCE).map_err(failed)?;
    let number = |connection: &Connection, sql: &str| connection.query_row(sql, [], |row| row.get::<_, i64>(0));
    let application = number(&connection, "PRAGMA application_id").map_err(failed)?;
    let version = number(&connection, "PRAGMA user_version").map_err(failed)?;
    let tables = number(&connection, "SELECT count(*) FROM sqlite_schema").map_err(failed)?;
    match (application, version, tables) {
        (0, 0, 0) => connection.pragma_update(None, "auto_vacuum", "INCREMENTAL").map_err(failed)?,
        (APPLICATION_ID, 1..=VERSION, _) => {}
        (APPLICATION_ID, found, _) => return Err(HistoryError::Newer { path: path.to_owned(), found, known: VERSION }),
        (super::schema::APPLICATION_ID, ..) => {
            let found = "the history of one node".into();
            return Err(HistoryError::Foreign { path: path.to_owned(), found });
        }
        _ => {
            let found = "an SQLite file of another program".into();
            return Err(HistoryError::Foreign { path: path.to_owned(), found });
        }
    }
    connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(())).map_err(failed)?;
    connection.pragma_update(None, "synchronous", "NORMAL").map_err(failed)?;
    connection.pragma_update(None, "journal_size_limit", 4 << 20).map_err(failed)?;
    connection.pragma_update(None, "cache_size", -CACHE_KIB).map_err(failed)?;
    if tables == 0 {
        let transaction = connection.transaction().map_err(failed)?;
        transaction.execute_batch(TABLES).map_err(failed)?;
        transaction.pragma_update(None, "application_id", APPLICATION_ID).map_err(failed)?;
        transaction.pragma_update(None, "user_version", VERSION).map_err(failed)?;
        transaction.commit().map_err(failed)?;
    } else if version < VERSION {
        let devices = TABLES.split_once(DEVICES.0).and_then(|(_, rest)| rest.split_once(DEVICES.1));
        let transaction = connection.transaction().map_err(failed)?;
        if version < WITH_DEVICES {
            transaction.execute_batch(devices.map_or("", |(tables, _)| tables)).map_err(failed)?;
        }
        let rest = "ALTER TABLE workload_energy ADD COLUMN platform_uj INTEGER CHECK (platform_uj >= 0)";
        transaction.execute_batch(rest).map_err(failed)?;
        transaction.pragma_update(None, "user_version", VERSION).map_err(failed)?;
        transaction.commit().map_err(failed)?;
    }
    Ok(connection)
}
