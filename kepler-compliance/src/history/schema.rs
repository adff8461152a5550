//! The file format: recognition, creation, opening.

use super::HistoryError;
use rusqlite::{Connection, OpenFlags};
use std::path::Path;
use std::time::Duration;

/// `kpLR` in ASCII: what `PRAGMA application_id` says of a history.
pub(super) const APPLICATION_ID: i64 = 0x6b70_4c52;

/// What `PRAGMA user_version` says; rises with every change of the tables.
///
/// 1 (0.1.0): the table of workloads took five kinds only. 2: it takes every kind. 3: sources say how their figures come to
/// be, to distinguish what is partly measured from what is estimated. 4: pods have their controllers, and workloads the
/// energy of accelerators. 5: each accelerator has its energy, and workloads what they used of each. 6: meters of the
/// whole machine. 7: workloads have what they are charged of it.
pub(super) const VERSION: i64 = 7;

/// The version from which workloads have what they are charged of the whole machine.
pub(super) const WITH_REST: i64 = 7;

/// The version from which there are meters of the whole machine.
pub(super) const WITH_PLATFORM: i64 = 6;

/// The version from which pods have their controllers.
const WITH_OWNER: i64 = 4;

/// The version from which sources say their method.
pub(super) const WITH_METHOD: i64 = 3;

/// The version from which workloads have the energy of accelerators.
pub(super) const WITH_GPU: i64 = 4;

/// The version from which accelerators are told apart.
pub(super) const WITH_DEVICES: i64 = 5;

/// What the table of workloads said in version 1.
const KINDS_OF_VERSION_1: &str = " CHECK (kind IN ('pod', 'container', 'unit', 'vm', 'process'))";

const TABLES: &str = include_str!("schema.sql");

/// How the tables of accelerators begin and end.
const DEVICES: (&str, &str) = ("CREATE TABLE device (", "-- node: the node's name.");

/// Between these stand the tables of meters of the whole machine.
const PLATFORM: [&str; 2] = ["CREATE TABLE platform (", "-- Active energy of workloads"];

/// How the views begin, which stand behind the tables.
const VIEWS: &str = "CREATE VIEW workload_joules AS";

/// How long a reader waits for a writer that holds the file for a moment (recovery, checkpoint).
const READER_PATIENCE: Duration = Duration::from_secs(5);

/// How long the writer waits. Nothing else writes, except a user with `sqlite3`, and a record that
/// fails is made up for by the next one.
const WRITER_PATIENCE: Duration = Duration::from_millis(500);

/// Opens to write; creates the tables in a file that is new or empty.
pub(super) fn open_to_write(path: &Path) -> Result<Connection, HistoryError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let failed = |source| HistoryError::of(path, "open", source);
    check_file(path)?;
    let mut connection = Connection::open_with_flags(path, flags).map_err(failed)?;
    connection.busy_timeout(WRITER_PATIENCE).map_err(failed)?;
    // Looked at before anything is changed: what is not ours stays as it is, to the byte.
    let is_new = is_new(&connection, path)?;
    if is_new {
        // Lets the file shrink when old blocks go; only takes effect before the first table.
        connection.pragma_update(None, "auto_vacuum", "INCREMENTAL").map_err(failed)?;
    }
    connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(())).map_err(failed)?;
    // In WAL mode NORMAL loses at most the last transactions to a power cut, none to a kill, and
    // never damages the file (sqlite.org/pragma.html#pragma_synchronous).
    connection.pragma_update(None, "synchronous", "NORMAL").map_err(failed)?;
    connection.pragma_update(None, "journal_size_limit", 4 << 20).map_err(failed)?;
    if is_new {
        let transaction = connection.transaction().map_err(failed)?;
        transaction.execute_batch(TABLES).map_err(failed)?;
        transaction.pragma_update(None, "application_id", APPLICATION_ID).map_err(failed)?;
        transaction.pragma_update(None, "user_version", VERSION).map_err(failed)?;
        transaction.commit().map_err(failed)?;
    } else {
        migrate(&mut connection).map_err(failed)?;
    }
    Ok(connection)
}

/// Brings an older file up to date, as sqlite.org/lang_altertable.html#otheralter says for constraints. No row is
/// rewritten, and a kill in between leaves the file as it was.
fn migrate(connection: &mut Connection) -> rusqlite::Result<()> {
    let number =
        |connection: &Connection, name: &str| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    if number(connection, "user_version")? >= VERSION {
        return Ok(());
    }
    let transaction = connection.transaction()?;
    let found = number(&transaction, "user_version")?;
    if found < 2 {
        let schema = number(&transaction, "schema_version")?;
        transaction.pragma_update(None, "writable_schema", true)?;
        transaction.execute(
            "UPDATE sqlite_schema SET sql = replace(sql, ?1, '') WHERE type = 'table' AND name = 'workload'",
            [KINDS_OF_VERSION_1],
        )?;
        transaction.pragma_update(None, "schema_version", schema + 1)?;
        transaction.pragma_update(None, "writable_schema", false)?;
    }
    if found < WITH_METHOD {
        transaction.execute_batch(
            "ALTER TABLE source ADD COLUMN method TEXT CHECK (method IN ('measured', 'partial', 'estimated'))",
        )?;
    }
    if found < WITH_GPU {
        transaction.execute_batch("ALTER TABLE workload_energy ADD COLUMN gpu_uj INTEGER CHECK (gpu_uj >= 0)")?;
    }
    if found < WITH_REST {
        transaction
            .execute_batch("ALTER TABLE workload_energy ADD COLUMN platform_uj INTEGER CHECK (platform_uj >= 0)")?;
    }
    if found < WITH_OWNER {
        transaction.execute_batch(
            "ALTER TABLE workload ADD COLUMN owner_kind TEXT; ALTER TABLE workload ADD COLUMN owner_name TEXT;",
        )?;
    }
    if found < WITH_DEVICES {
        // As in a new file.
        let devices = TABLES.split_once(DEVICES.0).and_then(|(_, rest)| rest.split_once(DEVICES.1));
        if let Some((tables, _)) = devices {
            transaction.execute_batch(&format!("{}{tables}", DEVICES.0))?;
        }
    }
    if found < WITH_PLATFORM {
        // As in a new file.
        let [begin, end] = PLATFORM;
        let tables = TABLES.split_once(begin).and_then(|(_, rest)| rest.split_once(end));
        if let Some((tables, _)) = tables {
            transaction.execute_batch(&format!("{begin}{tables}"))?;
        }
    }
    if let Some((_, views)) = TABLES.split_once(VIEWS) {
        for view in ["workload_joules", "node_joules", "device_joules"] {
            transaction.execute_batch(&format!("DROP VIEW IF EXISTS {view}"))?;
        }
        transaction.execute_batch(&format!("{VIEWS}{views}"))?;
    }
    transaction.pragma_update(None, "user_version", VERSION)?;
    transaction.commit()
}

/// Opens to read only.
pub(super) fn open_to_read(path: &Path) -> Result<Connection, HistoryError> {
    let failed = |source| HistoryError::of(path, "open", source);
    if !path.exists() {
        return Err(HistoryError::Missing { path: path.to_owned() });
    }
    check_file(path)?;
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(failed)?;
    connection.busy_timeout(READER_PATIENCE).map_err(failed)?;
    if is_new(&connection, path)? {
        return Err(HistoryError::Missing { path: path.to_owned() });
    }
    Ok(connection)
}

/// A pipe or a device is no history, and opening it may wait for ever.
fn check_file(path: &Path) -> Result<(), HistoryError> {
    match std::fs::metadata(path) {
        Ok(metadata) if !metadata.is_file() => {
            Err(HistoryError::Foreign { path: path.to_owned(), found: "no regular file".into() })
        }
        _ => Ok(()),
    }
}

/// Whether the file has no tables yet; an error if it is no history of ours.
fn is_new(connection: &Connection, path: &Path) -> Result<bool, HistoryError> {
    let number = |sql: &str| {
        connection
            .query_row(sql, [], |row| row.get::<_, i64>(0))
            .map_err(|source| HistoryError::of(path, "open", source))
    };
    let application = number("PRAGMA application_id")?;
    let version = number("PRAGMA user_version")?;
    let tables = number("SELECT count(*) FROM sqlite_schema")?;
    match (application, version, tables) {
        (0, 0, 0) => Ok(true),
        (APPLICATION_ID, 1..=VERSION, _) => Ok(false),
        (APPLICATION_ID, found, _) if found > VERSION => {
            Err(HistoryError::Newer { path: path.to_owned(), found, known: VERSION })
        }
        _ => Err(HistoryError::Foreign { path: path.to_owned(), found: "an SQLite file of another program".into() }),
    }
}
