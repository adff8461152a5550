//! What goes wrong is said, with the file's name and a remedy, and nothing is overwritten.

use crate::TempHistory;
use crate::snapshots::{START, at, row, snapshot, unit};
use kepler_compliance::history::{History, HistoryError, HistoryOptions, HistoryReader};
use kepler_compliance::view::{EnergyView, TimeRange};
use kepler_core::meter::Method;
use kepler_core::units::{Energy, ZoneKind};
use kepler_core::workload::JobInfo;
use rusqlite::Connection;

fn opening_error(temp: &TempHistory) -> HistoryError {
    History::open(temp.path(), HistoryOptions::default()).expect_err("must be refused")
}

#[test]
fn a_second_writer_learns_who_writes() {
    let temp = TempHistory::new();
    let first = temp.open();
    let error = opening_error(&temp);
    let text = error.to_string();
    assert!(matches!(error, HistoryError::Locked { .. }));
    let link = temp.path().with_file_name("link.db");
    std::os::unix::fs::symlink(temp.path(), &link).unwrap();
    assert!(matches!(History::open(link, HistoryOptions::default()), Err(HistoryError::Locked { .. })));
    assert!(text.contains(&format!("process {}", std::process::id())) && text.contains("energy.db"), "{text}");
    drop(first);
    temp.open();
}

#[test]
fn readers_read_while_a_writer_writes() {
    let temp = TempHistory::new();
    let history = temp.open();
    let (a, b) = (HistoryReader::open(temp.path()).unwrap(), HistoryReader::open(temp.path()).unwrap());
    history.record(&snapshot(1, at(0), 0)).unwrap();
    history.record(&snapshot(2, at(10), 5)).unwrap();
    assert_eq!((a.path(), b.path()), (history.path(), history.path()));
    assert_eq!(temp.number("SELECT sum(energy_uj) FROM node_energy"), 5);
}

#[test]
fn a_file_that_is_no_database_is_left_as_it_is() {
    let temp = TempHistory::new();
    let text = "node energy\n".repeat(1000);
    std::fs::write(temp.path(), &text).unwrap();
    let error = opening_error(&temp);
    assert!(matches!(error, HistoryError::Foreign { .. }), "{error:?}");
    assert!(error.to_string().contains("energy.db") && error.to_string().contains("give another path"));
    assert!(matches!(HistoryReader::open(temp.path()), Err(HistoryError::Foreign { .. })));
    assert_eq!(std::fs::read_to_string(temp.path()).unwrap(), text);
}

#[test]
fn the_database_of_another_program_is_left_as_it_is() {
    let temp = TempHistory::new();
    Connection::open(temp.path()).unwrap().execute_batch("CREATE TABLE bookmarks (url TEXT)").unwrap();
    let before = std::fs::read(temp.path()).unwrap();
    assert!(matches!(opening_error(&temp), HistoryError::Foreign { .. }));
    assert_eq!(std::fs::read(temp.path()).unwrap(), before);
}

#[test]
fn a_newer_schema_is_refused() {
    let temp = TempHistory::new();
    drop(temp.open());
    Connection::open(temp.path()).unwrap().pragma_update(None, "user_version", 99).unwrap();
    assert!(matches!(opening_error(&temp), HistoryError::Newer { found: 99, .. }));
}

#[test]
fn a_truncated_file_is_damaged_not_new() {
    let temp = TempHistory::new();
    drop(temp.open());
    let length = std::fs::metadata(temp.path()).unwrap().len();
    let file = std::fs::OpenOptions::new().write(true).open(temp.path()).unwrap();
    file.set_len(length / 2).unwrap();
    let error = opening_error(&temp);
    assert!(matches!(error, HistoryError::Damaged { .. }), "{error:?}");
    assert!(error.to_string().contains(".recover"));
    assert_eq!(std::fs::metadata(temp.path()).unwrap().len(), length / 2, "left as it is");
}

#[test]
fn an_empty_file_becomes_a_history() {
    let temp = TempHistory::new();
    std::fs::write(temp.path(), "").unwrap();
    temp.open();
    assert_eq!(temp.number("PRAGMA user_version"), 7);
}

/// What version 2 had: sources without a method, no controllers, and workloads without the energy of accelerators.
const VERSION_2: &str = "DROP TABLE platform; DROP TABLE platform_energy; DROP VIEW device_joules; DROP TABLE device; DROP TABLE device_source;
    DROP TABLE device_energy; DROP TABLE workload_device_energy;
    DROP VIEW workload_joules;
    ALTER TABLE workload_energy DROP COLUMN gpu_uj; ALTER TABLE workload_energy DROP COLUMN platform_uj;
    DROP VIEW node_joules;
    ALTER TABLE workload DROP COLUMN owner_kind; ALTER TABLE workload DROP COLUMN owner_name;
    ALTER TABLE source DROP COLUMN method;
    CREATE VIEW node_joules AS SELECT n.zone, iif(s.error_ratio IS NULL, 'measured', 'estimated') AS method
    FROM node_energy AS n JOIN interval AS i ON i.id = n.interval
    JOIN source AS s ON s.block = i.block AND s.zone = n.zone;
    PRAGMA user_version = 2;";

/// What version 1 said of the table of workloads, which is all that version 2 changed.
const VERSION_1: &str = "PRAGMA writable_schema = ON;
    UPDATE sqlite_schema SET sql = replace(sql, 'kind       TEXT NOT NULL,',
        'kind       TEXT NOT NULL CHECK (kind IN (''pod'', ''container'', ''unit'', ''vm'', ''process'')),')
    WHERE name = 'workload';
    PRAGMA schema_version = 1000; PRAGMA writable_schema = OFF; PRAGMA user_version = 1;";

#[test]
fn a_file_of_version_1_is_read_as_it_is_and_takes_every_kind_once_it_is_written_to() {
    let temp = TempHistory::new();
    let history = temp.open();
    for sequence in [1, 2] {
        let mut with_unit = snapshot(sequence, at(sequence * 10), sequence * 1_000_000);
        with_unit.units.push(row(unit("sshd.service"), sequence * 10));
        history.record(&with_unit).unwrap();
    }
    drop(history);
    Connection::open(temp.path()).unwrap().execute_batch(VERSION_2).unwrap();
    Connection::open(temp.path()).unwrap().execute_batch(VERSION_1).unwrap();
    let job = "INSERT INTO workload (kind, uid, name, running, last_block) VALUES ('job', '/slurm/job_7', '7', 1, 1)";
    assert!(Connection::open(temp.path()).unwrap().execute(job, []).is_err(), "version 1 takes five kinds");
    HistoryReader::open(temp.path()).unwrap();
    assert_eq!(temp.number("PRAGMA user_version"), 1);

    let history = temp.open();
    for sequence in [3, 4] {
        let mut with_job = snapshot(sequence, at(sequence * 10), sequence * 1_000_000);
        with_job.jobs.push(row(JobInfo::new("7", "slurm", "/slurm/uid_1000/job_7"), sequence * 10));
        history.record(&with_job).unwrap();
    }
    drop(history);
    assert_eq!(temp.number("PRAGMA user_version"), 7);
    assert_eq!(temp.number("SELECT count(*) FROM workload WHERE kind = 'unit'"), 1, "what was there stays");
    assert_eq!(temp.number("SELECT count(*) FROM workload WHERE kind = 'job' AND uid = '/slurm/uid_1000/job_7'"), 1);
    let check = Connection::open(temp.path()).unwrap();
    let check: String = check.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(check, "ok");
}

#[test]
fn a_reader_creates_nothing() {
    let temp = TempHistory::new();
    assert!(matches!(HistoryReader::open(temp.path()), Err(HistoryError::Missing { .. })));
    assert!(!temp.path().exists());
}

#[test]
fn a_directory_that_is_missing_is_named() {
    let error = History::open("no/such/temp/energy.db", HistoryOptions::default()).unwrap_err();
    assert!(error.to_string().contains("no/such/temp"), "{error}");
}

#[test]
fn energy_of_failed_records_comes_with_the_first_that_fits() {
    let temp = TempHistory::new();
    let history = temp.open();
    let record = |sequence: u64| {
        let mut snapshot = snapshot(sequence, at(sequence * 10), sequence * 100);
        snapshot.units.push(row(unit("a.service"), sequence * 10));
        history.record(&snapshot)
    };
    record(1).unwrap();
    record(2).unwrap();
    // Another program holds the file for longer than the writer waits.
    let other = Connection::open(temp.path()).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let error = record(3).unwrap_err();
    assert!(error.to_string().contains("energy.db"), "{error}");
    assert_eq!(history.failed_records(), 1);
    other.execute_batch("ROLLBACK").unwrap();
    record(4).unwrap();
    assert_eq!(history.failed_records(), 1);
    assert_eq!(temp.number("SELECT sum(energy_uj) FROM node_energy"), 300);
    assert_eq!(temp.number("SELECT sum(package_uj) FROM workload_energy"), 30);
}

/// A small file system of its own; none where this user may not mount one.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn mount() -> Option<Self> {
        let directory = tempfile::tempdir().unwrap();
        let mount = ["-t", "tmpfs", "-o", "size=2m", "kepler-test"];
        let mounted = std::process::Command::new("mount").args(mount).arg(directory.path()).output();
        mounted.is_ok_and(|output| output.status.success()).then_some(SmallDisk(directory))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg(self.0.path()).status();
    }
}

#[test]
fn a_full_disk_is_said_and_costs_no_energy() {
    let Some(disk) = SmallDisk::mount() else {
        println!("not tested: mounting a tmpfs takes root");
        return;
    };
    let path = disk.0.path().join("energy.db");
    let filler = disk.0.path().join("filler");
    let history = History::open(&path, HistoryOptions::default()).unwrap();
    let record = |step: u64| {
        let mut snapshot = snapshot(step, at(step * 300), step * 100);
        snapshot.units = (0..200).map(|n| row(unit(&format!("{n}.service")), step * 10)).collect();
        history.record(&snapshot)
    };
    record(1).unwrap();
    record(2).unwrap();
    let _ = std::fs::write(&filler, vec![1u8; 4 << 20]);
    let mut full = 0;
    for step in 3..40 {
        if let Err(error) = record(step) {
            assert!(matches!(error, HistoryError::Full { .. }), "{error:?}");
            full += 1;
        }
    }
    assert!(full > 0, "the disk was full");
    assert_eq!(history.failed_records(), full);
    std::fs::remove_file(&filler).unwrap();
    record(40).unwrap();
    drop(history);
    assert_eq!(crate::number(&path, "SELECT sum(energy_uj) FROM node_energy"), 39 * 100);
    assert_eq!(crate::number(&path, "SELECT sum(package_uj) FROM workload_energy"), 200 * 39 * 10);
}

#[test]
fn a_pipe_or_a_directory_is_no_history_and_is_not_waited_for() {
    let temp = TempHistory::new();
    std::fs::create_dir(temp.path()).unwrap();
    let error = History::open(temp.path(), HistoryOptions::default()).unwrap_err().to_string();
    assert!(error.contains("no regular file"), "{error}");
    std::fs::remove_dir(temp.path()).unwrap();
    let made = std::process::Command::new("mkfifo").arg(temp.path()).status().unwrap();
    assert!(made.success());
    assert!(History::open(temp.path(), HistoryOptions::default()).is_err());
    assert!(kepler_compliance::history::HistoryReader::open(temp.path()).is_err());
}

#[test]
fn a_file_of_version_2_is_read_as_it_is_and_tells_partial_from_estimated_once_it_is_written_to() {
    let methods = |temp: &TempHistory| -> Vec<String> {
        let connection = Connection::open(temp.path()).unwrap();
        let mut statement = connection.prepare("SELECT DISTINCT method FROM node_joules ORDER BY method").unwrap();
        statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    };
    let with_method = |sequence: u64, method: Method| {
        let mut snapshot = snapshot(sequence, at(sequence * 10), sequence * 1_000_000);
        snapshot.node.zones[ZoneKind::Package].as_mut().unwrap().method = method;
        snapshot
    };
    let temp = TempHistory::new();
    let history = temp.open();
    for sequence in [1, 2] {
        history.record(&with_method(sequence, Method::Estimated { error_ratio: 0.3 })).unwrap();
    }
    drop(history);
    Connection::open(temp.path()).unwrap().execute_batch(VERSION_2).unwrap();
    let time = |seconds: u64| jiff::Timestamp::from_second((START + seconds) as i64).unwrap();
    let range = TimeRange { start: time(0), end: time(10_000) };
    let method = |temp: &TempHistory| {
        let inventory = HistoryReader::open(temp.path()).unwrap().inventory(range).unwrap();
        inventory.nodes[0].zones[ZoneKind::Package].as_ref().unwrap().method
    };
    assert_eq!(method(&temp), Method::Estimated { error_ratio: 0.3 });
    assert_eq!(temp.number("PRAGMA user_version"), 2);

    // Another block after the machine was off for two hours.
    let history = temp.open();
    for sequence in [720, 721] {
        history.record(&with_method(sequence, Method::Partial { error_ratio: 0.1 })).unwrap();
    }
    drop(history);
    assert_eq!(temp.number("PRAGMA user_version"), 7);
    assert!(methods(&temp).iter().any(|method| method == "partial"), "{:?}", methods(&temp));
    assert_eq!(method(&temp), Method::Estimated { error_ratio: 0.3 }, "the old part stays what it was");
}

#[test]
fn a_file_of_version_3_is_read_as_it_is_and_takes_the_energy_of_accelerators_once_it_is_written_to() {
    let temp = TempHistory::new();
    let with_gpu = |sequence: u64, has_gpu: bool| {
        let mut snapshot = snapshot(sequence, at(sequence * 10), sequence * 1_000_000);
        let mut unit = row(unit("train.service"), sequence * 10);
        if has_gpu {
            let mut zone = snapshot.node.zones[ZoneKind::Package].clone().unwrap();
            zone.energy = zone.energy + zone.energy;
            snapshot.node.zones[ZoneKind::Gpu] = Some(zone);
            unit.energy[ZoneKind::Gpu] = Energy::from_joules(sequence as f64);
        }
        snapshot.units.push(unit);
        snapshot
    };
    let history = temp.open();
    for sequence in [1, 2] {
        history.record(&with_gpu(sequence, false)).unwrap();
    }
    drop(history);
    let version_3 = "DROP TABLE platform; DROP TABLE platform_energy; DROP VIEW device_joules; DROP TABLE device; DROP TABLE device_source; DROP TABLE device_energy;
        DROP TABLE workload_device_energy; DROP VIEW workload_joules; ALTER TABLE workload_energy DROP COLUMN gpu_uj;
        ALTER TABLE workload_energy DROP COLUMN platform_uj;
        ALTER TABLE workload DROP COLUMN owner_kind; ALTER TABLE workload DROP COLUMN owner_name; PRAGMA user_version = 3;";
    Connection::open(temp.path()).unwrap().execute_batch(version_3).unwrap();
    let time = |seconds: u64| jiff::Timestamp::from_second((START + seconds) as i64).unwrap();
    let range = TimeRange { start: time(0), end: time(10_000) };
    let gpu = |temp: &TempHistory| {
        let inventory = HistoryReader::open(temp.path()).unwrap().inventory(range).unwrap();
        let unit = inventory.workloads.iter().find(|row| &*row.id.name == "train.service").unwrap();
        (unit.energy.gpu(), inventory.nodes[0].zones[ZoneKind::Gpu].as_ref().map(|zone| zone.energy))
    };
    assert_eq!(gpu(&temp), (None, None));
    assert_eq!(temp.number("PRAGMA user_version"), 3);
    let history = temp.open();
    for sequence in [720, 721, 722] {
        history.record(&with_gpu(sequence, true)).unwrap();
    }
    drop(history);
    assert_eq!(temp.number("PRAGMA user_version"), 7);
    let (of_unit, of_node) = gpu(&temp);
    assert!(of_unit > Some(Energy::ZERO) && of_node > of_unit, "{of_unit:?} {of_node:?}");
    assert!(temp.number("SELECT count(*) FROM workload_joules WHERE gpu_joules > 0") > 0);
}
