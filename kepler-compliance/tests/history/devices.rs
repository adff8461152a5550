//! Accelerators in the history of a node and in that of a fleet.

use super::snapshots::{START, at, process, row, snapshot, unit, zone};
use super::{TempHistory, number};
use jiff::Timestamp;
use kepler_compliance::history::{FleetHistory, FleetHistoryOptions, HistoryOptions, HistoryReader};
use kepler_compliance::units::{Energy, ZoneKind};
use kepler_compliance::view::{DeviceEnergy, EnergyView, Inventory, TimeRange, WorkloadEnergy};
use kepler_core::device::{Device, SharesBy};
use kepler_core::meter::Method;
use kepler_core::snapshot::{DeviceRow, DeviceUse, Snapshot};
use kepler_core::units::Power;
use proptest::prelude::*;
use rusqlite::Connection;
use std::time::Duration;

/// Joules that were counted since the start by two devices, and of them by `train` and `infer`.
#[derive(Clone, Copy, Debug, Default)]
struct Counted {
    active: [u64; 2],
    idle: [u64; 2],
    train: [u64; 2],
    infer: u64,
}

const UUIDS: [&str; 2] = ["GPU-a", "GPU-b"];

fn joules(joules: u64) -> Energy {
    Energy::from_joules(joules as f64)
}

/// A node of two devices, of whose idle energy the second's may be work as well, a unit that uses both, and two processes of
/// one name, of which the second uses the first device.
fn with_devices(sequence: u64, counted: Counted) -> Snapshot {
    let mut snapshot = snapshot(sequence, at(sequence * 10), sequence * 1_000_000);
    let mut gpu = zone(0);
    for (place, uuid) in UUIDS.into_iter().enumerate() {
        let device = Device::new(uuid, "nvidia", "H200").with(|device| device.index = place as u32);
        let mut row = DeviceRow::new(device, "nvml", Method::Measured);
        row.active_energy = joules(counted.active[place]);
        let rest = joules(counted.idle[place]);
        if place == 0 {
            row.idle_energy = rest
        } else {
            row.unsplit_energy = rest
        }
        row.energy = row.active_energy + rest;
        row.unattributed_energy =
            row.active_energy.saturating_sub(joules(counted.train[place] + if place == 0 { counted.infer } else { 0 }));
        row.shares_by = Some(SharesBy::Utilisation);
        gpu.energy += row.energy;
        gpu.active_energy += row.active_energy;
        gpu.idle_energy += rest;
        gpu.unattributed_energy += row.unattributed_energy;
        snapshot.devices.push(row);
    }
    snapshot.node.zones[ZoneKind::Gpu] = Some(gpu);
    let used = |place: u32, energy: u64, by| {
        DeviceUse::new(place, joules(energy), Power::from_watts(1.0)).with(|used| used.shares_by = Some(by))
    };
    let mut train = row(unit("train.service"), sequence);
    train.energy[ZoneKind::Gpu] = joules(counted.train.iter().sum());
    train.devices =
        vec![used(0, counted.train[0], SharesBy::Utilisation), used(1, counted.train[1], SharesBy::InstanceSlices)];
    snapshot.units.push(train);
    let mut infer = row(process(11, "infer"), sequence);
    infer.energy[ZoneKind::Gpu] = joules(counted.infer);
    infer.devices = vec![used(0, counted.infer, SharesBy::Utilisation)];
    snapshot.processes = vec![row(process(10, "infer"), sequence), infer];
    snapshot
}

fn counted(steps: u64) -> Counted {
    Counted {
        active: [250 * steps, 90 * steps],
        idle: [50 * steps, 20 * steps],
        train: [100 * steps, 60 * steps],
        infer: 70 * steps,
    }
}

fn range(from: u64, to: u64) -> TimeRange {
    let time = |seconds: u64| Timestamp::from_second((START + seconds) as i64).unwrap();
    TimeRange { start: time(from), end: time(to) }
}

fn ask(temp: &TempHistory, range: TimeRange) -> Inventory {
    (*HistoryReader::open(temp.path()).unwrap().inventory(range).unwrap()).clone()
}

fn figures(device: &DeviceEnergy) -> [f64; 5] {
    let all = [Some(device.energy), Some(device.active), Some(device.idle), Some(device.unsplit), device.unattributed];
    all.map(|energy| energy.unwrap().joules())
}

fn used(inventory: &Inventory, name: &str) -> Vec<(String, f64, Option<SharesBy>)> {
    let row: &WorkloadEnergy = inventory.workloads.iter().find(|row| &*row.id.name == name).unwrap();
    let used = row.devices.iter().map(|used| (used.uuid.to_string(), used.energy.joules(), used.shares_by));
    used.collect()
}

#[test]
fn each_device_and_what_workloads_used_of_it_are_told_of_any_part_of_the_time() {
    let temp = TempHistory::new();
    let history = temp.open();
    for sequence in 1..=11 {
        history.record(&with_devices(sequence, counted(sequence))).unwrap();
    }
    drop(history);
    let all = ask(&temp, range(0, 1000));
    let devices = &all.nodes[0].devices;
    assert_eq!(
        devices.iter().map(|device| (&*device.device.uuid, device.device.index)).collect::<Vec<_>>(),
        [("GPU-a", 0), ("GPU-b", 1)]
    );
    assert_eq!(figures(&devices[0]), [3000.0, 2500.0, 500.0, 0.0, 800.0]);
    assert_eq!(figures(&devices[1]), [1100.0, 900.0, 0.0, 200.0, 300.0]);
    assert_eq!(
        (&*devices[0].source, devices[0].method, devices[0].device.vendor),
        ("nvml", Method::Measured, "nvidia")
    );
    assert_eq!(devices[0].shares_by, Some(SharesBy::Utilisation));
    assert!((devices[0].power.unwrap().watts() - 30.0).abs() < 1e-6, "{:?}", devices[0].power);
    let of_unit = [
        ("GPU-a".to_owned(), 1000.0, Some(SharesBy::Utilisation)),
        ("GPU-b".to_owned(), 600.0, Some(SharesBy::InstanceSlices)),
    ];
    assert_eq!(used(&all, "train.service"), of_unit);
    assert_eq!(used(&all, "infer"), [("GPU-a".to_owned(), 700.0, Some(SharesBy::Utilisation))]);
    // A hundred seconds are one interval: half of them have half of the energy.
    let half = ask(&temp, range(10, 60));
    assert_eq!(figures(&half.nodes[0].devices[0])[0], 1500.0);
    assert_eq!(used(&half, "infer")[0].1, 350.0);
    assert!(number(&temp.path(), "SELECT count(*) FROM device_joules WHERE joules > 0 AND gpu = 1") > 0);
}

#[test]
fn a_sampler_that_starts_again_and_a_device_that_comes_later_lose_and_invent_nothing() {
    let temp = TempHistory::new();
    let history = temp.open();
    let without = |sequence| {
        let mut snapshot = with_devices(sequence, counted(sequence));
        snapshot.devices.clear();
        snapshot.units[0].devices.clear();
        snapshot.processes[1].devices.clear();
        snapshot
    };
    history.record(&without(1)).unwrap();
    // The device began to count when it came.
    history.record(&with_devices(2, counted(1))).unwrap();
    history.record(&with_devices(3, counted(2))).unwrap();
    // The sampler starts again.
    let mut again = with_devices(1, counted(1));
    again.at = at(60);
    history.record(&again).unwrap();
    let mut again = with_devices(2, counted(3));
    again.at = at(70);
    history.record(&again).unwrap();
    drop(history);
    let all = ask(&temp, range(0, 1000));
    assert_eq!(figures(&all.nodes[0].devices[0])[0], 300.0 * 5.0);
    assert_eq!(used(&all, "infer")[0].1, 70.0 * 5.0);
}

#[test]
fn what_could_not_be_written_is_in_the_next_record() {
    let temp = TempHistory::new();
    let history = temp.open();
    history.record(&with_devices(1, counted(1))).unwrap();
    history.record(&with_devices(2, counted(2))).unwrap();
    let locked = Connection::open(temp.path()).unwrap();
    locked.execute_batch("BEGIN IMMEDIATE").unwrap();
    assert!(history.record(&with_devices(3, counted(3))).is_err());
    locked.execute_batch("ROLLBACK").unwrap();
    history.record(&with_devices(4, counted(4))).unwrap();
    drop(history);
    let all = ask(&temp, range(0, 1000));
    assert_eq!(figures(&all.nodes[0].devices[1])[0], 110.0 * 3.0);
    assert_eq!(used(&all, "train.service")[1].1, 60.0 * 3.0);
}

#[test]
fn thinning_keeps_each_devices_energy_and_dropping_forgets_it() {
    let hour = Duration::from_secs(3600);
    let options = HistoryOptions::default().with(|options| {
        options.resolution = Duration::from_secs(60);
        options.thin_after = Some(hour);
        options.max_age = None;
    });
    let temp = TempHistory::new();
    let history = temp.open_with(options.clone());
    let steps = 3 * 360;
    for sequence in 1..=steps {
        history.record(&with_devices(sequence, counted(sequence))).unwrap();
    }
    drop(history);
    assert!(temp.number("SELECT count(*) FROM block WHERE thinned = 1") > 0);
    let all = ask(&temp, range(0, 100_000));
    let since = (steps - 1) as f64;
    assert_eq!(figures(&all.nodes[0].devices[0])[0], 300.0 * since);
    assert_eq!(figures(&all.nodes[0].devices[1])[3], 20.0 * since);
    assert_eq!(used(&all, "train.service")[1], ("GPU-b".to_owned(), 60.0 * since, Some(SharesBy::InstanceSlices)));
    // Two hours without a device.
    let history = temp.open_with(options.with(|options| options.max_age = Some(hour)));
    for sequence in 1..=720 {
        let at = at(20_000 + sequence * 10);
        history.record(&snapshot(sequence, at, sequence)).unwrap();
    }
    drop(history);
    for table in ["device", "device_source", "device_energy", "workload_device_energy"] {
        assert_eq!(temp.number(&format!("SELECT count(*) FROM {table}")), 0, "{table}");
    }
}

#[test]
fn a_file_of_version_4_is_read_as_it_is_and_tells_devices_apart_once_it_is_written_to() {
    let temp = TempHistory::new();
    let history = temp.open();
    for sequence in [1, 2] {
        history.record(&with_devices(sequence, counted(sequence))).unwrap();
    }
    drop(history);
    let version_4 = "DROP TABLE platform; DROP TABLE platform_energy; DROP VIEW device_joules; DROP TABLE device; DROP TABLE device_source; DROP TABLE device_energy;
        DROP TABLE workload_device_energy; DROP VIEW workload_joules;
        ALTER TABLE workload_energy DROP COLUMN platform_uj; PRAGMA user_version = 4;";
    Connection::open(temp.path()).unwrap().execute_batch(version_4).unwrap();
    let before = ask(&temp, range(0, 1000));
    assert!(before.nodes[0].devices.is_empty() && before.workloads.iter().all(|row| row.devices.is_empty()));
    assert_eq!(before.nodes[0].zones[ZoneKind::Gpu].as_ref().unwrap().energy, joules(410));
    let history = temp.open();
    for sequence in [3, 4] {
        history.record(&with_devices(sequence, counted(sequence))).unwrap();
    }
    drop(history);
    assert_eq!(temp.number("PRAGMA user_version"), 7);
    let after = ask(&temp, range(0, 1000));
    assert_eq!(figures(&after.nodes[0].devices[0])[0], 300.0);
    assert_eq!(after.nodes[0].zones[ZoneKind::Gpu].as_ref().unwrap().energy, joules(820), "what was there stays");
}

/// What a history of one node says of a time, as a hub would see it.
fn of_a_node(steps: u64) -> Inventory {
    let temp = TempHistory::new();
    let history = temp.open();
    for sequence in 1..=steps + 1 {
        history.record(&with_devices(sequence, counted(sequence))).unwrap();
    }
    drop(history);
    ask(&temp, range(10, 10 * (steps + 1)))
}

#[test]
fn the_history_of_a_fleet_tells_devices_apart_and_takes_a_file_that_did_not() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("fleet.db");
    let open = || FleetHistory::open(&path, FleetHistoryOptions::default()).unwrap();
    let mut first = of_a_node(3);
    assert!(open().record(&first).unwrap());
    let version_1 = "DROP TABLE device; DROP TABLE device_energy; DROP TABLE workload_device_energy;
         ALTER TABLE workload_energy DROP COLUMN platform_uj; PRAGMA user_version = 1;";
    Connection::open(&path).unwrap().execute_batch(version_1).unwrap();
    assert!(open().inventory(range(0, 1000)).unwrap().nodes[0].devices.is_empty());
    first.asked = range(50, 80);
    first.nodes[0].devices[1].unattributed = None;
    assert!(open().record(&first).unwrap());
    first.asked = range(80, 110);
    assert!(open().record(&first).unwrap());
    let all = open().inventory(range(0, 1000)).unwrap();
    let devices = &all.nodes[0].devices;
    assert_eq!(figures(&devices[0]), [1800.0, 1500.0, 300.0, 0.0, 480.0]);
    assert_eq!((devices[1].energy, devices[1].unsplit, devices[1].unattributed), (joules(660), joules(120), None));
    assert_eq!((&*devices[0].source, devices[0].shares_by), ("nvml", Some(SharesBy::Utilisation)));
    assert_eq!(used(&all, "train.service")[1], ("GPU-b".to_owned(), 360.0, Some(SharesBy::InstanceSlices)));
    let half = open().inventory(range(50, 65)).unwrap();
    assert_eq!(figures(&half.nodes[0].devices[0])[0], 450.0);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Random rises, samplers that start again, records that are left out: the parts are the whole, in every part of the time.
    #[test]
    fn the_devices_are_the_zone_and_their_users_the_active_part(
        rises in prop::collection::vec((0u64..50, 0u64..50, 0u64..30, 0u64..30, 0u8..8), 2..30), cut in 0u64..400,
    ) {
        let temp = TempHistory::new();
        let history = temp.open();
        let (mut now, mut sequence) = (Counted::default(), 0);
        for (step, (train, infer, idle, hidden, event)) in rises.into_iter().enumerate() {
            if event == 0 {
                (now, sequence) = (Counted::default(), 0);
            }
            sequence += 1;
            now.train[0] += train;
            now.train[1] += hidden;
            now.infer += infer;
            now.active[0] += train + infer + hidden;
            now.active[1] += hidden;
            now.idle[0] += idle;
            now.idle[1] += hidden;
            let mut snapshot = with_devices(sequence, now);
            snapshot.at = at(10 + 10 * step as u64);
            if event != 1 {
                history.record(&snapshot).unwrap();
            }
        }
        drop(history);
        for range in [range(0, 1000), range(0, cut + 11)] {
            let Ok(all) = HistoryReader::open(temp.path()).unwrap().inventory(range) else { continue };
            let node = &all.nodes[0];
            for device in &node.devices {
                prop_assert_eq!(device.energy, device.active + device.idle + device.unsplit);
                let used = all.workloads.iter().flat_map(|row| &row.devices).filter(|used| used.uuid == device.device.uuid);
                let used: Energy = used.map(|used| used.energy).sum();
                let explained = used + device.unattributed.unwrap();
                prop_assert!(explained.microjoules().abs_diff(device.active.microjoules()) <= 8, "{:?} {:?}", device, used);
            }
            if let Some(zone) = &node.zones[ZoneKind::Gpu] {
                let sum: Energy = node.devices.iter().map(|device| device.energy).sum();
                prop_assert!(sum.microjoules().abs_diff(zone.energy.microjoules()) <= 12, "{} {}", sum.joules(), zone.energy.joules());
            }
        }
    }
}
