//! The file stays within its bounds; the oldest goes first; merging loses no energy.

use crate::TempHistory;
use crate::snapshots::{START, at, row, snapshot, unit};
use kepler_compliance::history::{History, HistoryOptions};
use std::time::{Duration, SystemTime};

const HOUR: u64 = 3600;

fn unbounded() -> HistoryOptions {
    HistoryOptions::default().with(|options| {
        (options.max_age, options.max_bytes, options.thin_after) = (None, None, None);
    })
}

/// Records a snapshot every five minutes from hour `from` to hour `to`.
fn record(history: &History, units: u64, from: u64, to: u64) {
    for step in from * 12..=to * 12 {
        let mut snapshot = snapshot(step + 1, at(step * 300), step * units * 1_000);
        snapshot.units = (0..units).map(|n| row(unit(&format!("{n}.service")), step * 1_000)).collect();
        history.record(&snapshot).unwrap();
    }
}

#[test]
fn the_oldest_hours_go_when_they_are_too_old() {
    let temp = TempHistory::new();
    let history = temp.open_with(unbounded().with(|options| options.max_age = Some(Duration::from_secs(5 * HOUR))));
    record(&history, 2, 0, 24);
    let oldest = temp.number("SELECT min(start_ms) FROM interval") as u64 / 1000 - START;
    assert!((18 * HOUR..=19 * HOUR).contains(&oldest), "oldest is {oldest} s after the start");
    for table in ["interval", "source", "workload_energy"] {
        let orphans = format!("SELECT count(*) FROM {table} WHERE block NOT IN (SELECT id FROM block)");
        assert_eq!(temp.number(&orphans), 0, "{table}");
    }
    let orphans = "SELECT count(*) FROM node_energy WHERE interval NOT IN (SELECT id FROM interval)";
    assert_eq!(temp.number(orphans), 0);
}

#[test]
fn workloads_go_with_their_last_energy() {
    let temp = TempHistory::new();
    let history = temp.open_with(unbounded().with(|options| options.max_age = Some(Duration::from_secs(3 * HOUR))));
    record(&history, 5, 0, 2);
    record(&history, 1, 3, 12);
    assert_eq!(temp.number("SELECT count(*) FROM workload"), 1);
}

#[test]
fn the_file_stays_below_its_size_and_gives_space_back() {
    let temp = TempHistory::new();
    let size = |temp: &TempHistory| std::fs::metadata(temp.path()).unwrap().len();
    let history = temp.open_with(unbounded());
    record(&history, 100, 0, 48);
    drop(history);
    let full = size(&temp);
    assert!(full > 1_000_000, "{full}");

    let max = 500_000;
    let history = temp.open_with(unbounded().with(|options| options.max_bytes = Some(max)));
    record(&history, 100, 48, 96);
    let used = temp.number("PRAGMA page_count") * temp.number("PRAGMA page_size");
    assert!(used as u64 <= max + 100_000, "{used}");
    drop(history);
    assert!(size(&temp) <= max + 100_000, "{}", size(&temp));
    let newest = temp.number("SELECT max(end_ms) FROM interval") as u64 / 1000 - START;
    assert_eq!(newest, 96 * HOUR, "the newest stays");
    assert!(temp.number("SELECT count(*) FROM block") > 3);
}

#[test]
fn a_bound_below_one_hour_leaves_the_newest_and_does_not_fail() {
    let temp = TempHistory::new();
    let history = temp.open_with(unbounded().with(|options| options.max_bytes = Some(1)));
    record(&history, 20, 0, 4);
    assert_eq!(temp.number("SELECT count(*) FROM block"), 1);
}

#[test]
fn merged_hours_hold_the_same_energy() {
    let temp = TempHistory::new();
    let history = temp.open_with(unbounded().with(|options| options.thin_after = Some(Duration::from_secs(6 * HOUR))));
    record(&history, 3, 0, 24);
    let total = 24 * 12 * 3 * 1_000;
    assert_eq!(temp.number("SELECT sum(package_uj) FROM workload_energy"), total);
    assert_eq!(temp.number("SELECT sum(energy_uj) FROM node_energy"), total);
    assert_eq!(temp.number("SELECT sum(covered_ms) FROM interval"), 24 * HOUR as i64 * 1000);
    assert_eq!(
        temp.number(
            "SELECT max(n) FROM (SELECT count(*) AS n FROM interval WHERE block IN
        (SELECT id FROM block WHERE thinned) GROUP BY block)"
        ),
        1
    );
    assert!(temp.number("SELECT count(*) FROM block WHERE thinned") >= 17);
    assert_eq!(
        temp.number(
            "SELECT count(*) FROM block WHERE NOT thinned AND start_ms <
        (SELECT max(end_ms) FROM block) - 8 * 3600000"
        ),
        0
    );
}

#[test]
fn a_clock_set_far_ahead_for_a_moment_drops_nothing() {
    let temp = TempHistory::new();
    let history = temp.open_with(unbounded().with(|options| options.max_age = Some(Duration::from_secs(5 * HOUR))));
    record(&history, 1, 0, 4);
    let total = temp.number("SELECT sum(energy_uj) FROM node_energy");
    for step in 0..6 {
        let mut moment = at(4 * HOUR + 300 * (step + 1));
        moment.wall = SystemTime::UNIX_EPOCH + Duration::from_secs(4_000_000_000 + 300 * step);
        history.record(&snapshot(100 + step, moment, total as u64 + step)).unwrap();
    }
    assert_eq!(temp.number("SELECT sum(energy_uj) FROM node_energy"), total + 5);
}
