//! Meters of the whole machine in the history.

use super::TempHistory;
use super::snapshots::{START, at, row, snapshot, unit, zone};
use jiff::Timestamp;
use kepler_compliance::history::{HistoryOptions, HistoryReader};
use kepler_compliance::units::{Energy, ZoneKind};
use kepler_compliance::view::{EnergyView, PlatformEnergy, TimeRange};
use kepler_core::meter::Method;
use kepler_core::platform::{PlatformMeter, PlatformScope};
use kepler_core::snapshot::{PlatformRow, Snapshot};
use rusqlite::Connection;
use std::time::Duration;

/// A BMC that shows 200 W all the time, and a plug of 220 W that was read half of the time.
fn with_platform(sequence: u64, counted: u64) -> Snapshot {
    let mut snapshot = snapshot(sequence, at(sequence * 10), sequence * 1_000_000);
    let bmc = PlatformMeter::new("redfish", "bmc-1", "1").with(|meter| {
        (meter.source_type, meter.source_id) = ("PowerControl".into(), "0".into());
        (meter.scope, meter.contains_gpus) = (PlatformScope::Shared, false);
    });
    let plug = PlatformMeter::new("http", "plug", "").with(|meter| {
        meter.method = Method::Estimated { error_ratio: 0.05 };
    });
    for (meter, watts, seconds) in [(bmc, 200, counted * 10), (plug, 220, counted * 5)] {
        let mut row = PlatformRow::new(meter);
        (row.energy, row.covered) = (Energy::from_joules((watts * seconds) as f64), Duration::from_secs(seconds));
        snapshot.platform.push(row);
    }
    snapshot
}

fn ask(temp: &TempHistory, from: u64, to: u64) -> Vec<PlatformEnergy> {
    let time = |seconds: u64| Timestamp::from_second((START + seconds) as i64).unwrap();
    let range = TimeRange { start: time(from), end: time(to) };
    HistoryReader::open(temp.path()).unwrap().inventory(range).unwrap().nodes[0].platform.clone()
}

fn figures(platform: &[PlatformEnergy]) -> Vec<(f64, u64)> {
    platform.iter().map(|one| (one.energy.joules(), one.covered.unwrap().as_secs())).collect()
}

#[test]
fn each_meter_is_remembered_with_its_identity_and_the_time_that_its_energy_is_of() {
    let temp = TempHistory::new();
    let history =
        temp.open_with(HistoryOptions::default().with(|options| options.resolution = Duration::from_secs(10)));
    // What was counted before the first record is of no time.
    for sequence in 1..=13 {
        history.record(&with_platform(sequence, 1000 + sequence)).unwrap();
    }
    drop(history);
    let shown = ask(&temp, 0, 1000);
    assert_eq!(figures(&shown), [(24_000.0, 120), (13_200.0, 60)]);
    let (bmc, plug) = (&shown[0], &shown[1]);
    assert_eq!((&*bmc.meter.source, &*bmc.meter.source_type, &*bmc.meter.source_id), ("redfish", "PowerControl", "0"));
    assert_eq!((bmc.scope, bmc.contains_gpus), (Some(PlatformScope::Shared), Some(false)));
    assert_eq!((plug.method, plug.scope), (Method::Estimated { error_ratio: 0.05 }, Some(PlatformScope::Node)));
    assert_eq!(figures(&ask(&temp, 70, 130)), [(12_000.0, 60), (6600.0, 30)]);
}

#[test]
fn a_sampler_that_starts_again_counts_on_and_thinning_keeps_the_sums() {
    let temp = TempHistory::new();
    let options = HistoryOptions::default().with(|options| {
        options.resolution = Duration::from_secs(60);
        options.thin_after = Some(Duration::from_secs(3600));
        options.max_age = None;
    });
    let history = temp.open_with(options.clone());
    for sequence in 1..=1081 {
        history.record(&with_platform(sequence, sequence)).unwrap();
    }
    drop(history);
    assert!(temp.number("SELECT count(*) FROM block WHERE thinned = 1") > 0);
    assert_eq!(figures(&ask(&temp, 0, 100_000)), [(2_160_000.0, 10_800), (1_188_000.0, 5400)]);
    let history = temp.open_with(options.with(|options| options.max_age = Some(Duration::from_secs(3600))));
    for sequence in 1..=720 {
        let time = at(20_000 + sequence * 10);
        history.record(&snapshot(sequence, time, sequence)).unwrap();
    }
    drop(history);
    assert_eq!(temp.number("SELECT count(*) FROM platform_energy"), 0, "they go with their blocks");
}

#[test]
fn a_file_of_version_5_is_read_as_it_is_and_takes_them_once_it_is_written_to() {
    let temp = TempHistory::new();
    let history = temp.open();
    for sequence in [1, 2] {
        history.record(&with_platform(sequence, sequence)).unwrap();
    }
    drop(history);
    let version_5 = "DROP TABLE platform; DROP TABLE platform_energy; DROP VIEW workload_joules;
        ALTER TABLE workload_energy DROP COLUMN platform_uj; PRAGMA user_version = 5;";
    Connection::open(temp.path()).unwrap().execute_batch(version_5).unwrap();
    assert!(ask(&temp, 0, 1000).is_empty());
    let history = temp.open();
    for sequence in [3, 4] {
        history.record(&with_platform(sequence, sequence)).unwrap();
    }
    drop(history);
    assert_eq!(temp.number("PRAGMA user_version"), 7);
    assert_eq!(figures(&ask(&temp, 0, 1000)), [(2000.0, 10), (1100.0, 5)]);
}

#[test]
fn a_file_of_version_6_takes_what_workloads_are_charged_of_the_whole_once_it_is_written_to() {
    let temp = TempHistory::new();
    let charged = |sequence: u64| {
        let mut snapshot = with_platform(sequence, sequence);
        let mut zone = zone(sequence * 8_000_000);
        (zone.path, zone.source) = ("/redfish/v1/Chassis/1".into(), "redfish");
        snapshot.node.zones[ZoneKind::Platform] = Some(zone);
        let mut unit = row(unit("web.service"), sequence * 1_000_000);
        unit.energy[ZoneKind::Platform] = Energy::from_joules(3.0 * sequence as f64);
        snapshot.units.push(unit);
        snapshot
    };
    let record = |from: u64, rest: bool| {
        let history = temp.open();
        for sequence in [from, from + 1] {
            let mut snapshot = charged(sequence);
            if !rest {
                snapshot.node.zones[ZoneKind::Platform] = None;
                snapshot.units[0].energy[ZoneKind::Platform] = Energy::ZERO;
            }
            history.record(&snapshot).unwrap();
        }
    };
    record(1, false);
    let version_6 =
        "DROP VIEW workload_joules; ALTER TABLE workload_energy DROP COLUMN platform_uj; PRAGMA user_version = 6;";
    Connection::open(temp.path()).unwrap().execute_batch(version_6).unwrap();
    let of = |temp: &TempHistory| {
        let time = |seconds: i64| Timestamp::from_second(START as i64 + seconds).unwrap();
        let inventory = HistoryReader::open(temp.path()).unwrap();
        let inventory = inventory.inventory(TimeRange { start: time(0), end: time(1000) }).unwrap();
        let web = inventory.workloads.iter().find(|row| &*row.id.name == "web.service").unwrap();
        let node = inventory.nodes[0].zones[ZoneKind::Platform].as_ref().map(|zone| zone.energy.joules());
        (web.energy.zones[ZoneKind::Platform].map(Energy::joules), node)
    };
    assert_eq!(of(&temp), (None, None), "what is not there is not known");
    record(30, true);
    assert_eq!(temp.number("PRAGMA user_version"), 7);
    let (web, node) = of(&temp);
    assert!(web > Some(0.0) && node > web, "{web:?} {node:?}");
    assert_eq!(temp.number("SELECT sum(platform_joules > 0) FROM workload_joules"), 1);
}
