//! The history: what a record and the usual questions cost, beside the floor that SQLite sets.
//!
//! `floor: plain INSERTs` writes the same bytes into the same table with plain prepared INSERTs, one
//! transaction; `floor: the bare query` reads the same rows with the bare query and adds them up. What the
//! history takes beyond them is its own.

#![allow(missing_docs, reason = "criterion_group makes public items without documentation")]
#![allow(clippy::print_stderr, reason = "the size of the file is a result")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a bench may fail loudly")]

#[path = "../tests/history/snapshots.rs"]
#[allow(dead_code, reason = "shared with the tests, which use all of it")]
mod snapshots;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use jiff::Timestamp;
use kepler_compliance::history::{History, HistoryOptions};
use kepler_compliance::view::{EnergyView, Subject, TimeRange};
use kepler_core::snapshot::Snapshot;
use kepler_core::units::{Energy, ZoneKind};
use rusqlite::{Connection, params};
use snapshots::{START, at, row, snapshot, unit};
use std::hint::black_box;
use std::path::Path;
use std::time::Duration;

const DAY: u64 = 86_400;

/// Nothing merged, nothing dropped.
fn options() -> HistoryOptions {
    HistoryOptions::default().with(|options| {
        (options.thin_after, options.max_age, options.max_bytes) = (None, None, None);
    })
}

/// `workloads` units with package and dram; all of them have used something since the step before.
fn busy(step: u64, seconds: u64, workloads: u64) -> Snapshot {
    let mut snapshot = snapshot(step + 1, at(seconds), step * workloads * 5_000_000);
    snapshot.node.zones[ZoneKind::Dram] = snapshot.node.zones[ZoneKind::Package].clone();
    snapshot.units = (0..workloads)
        .map(|n| {
            let mut row = row(unit(&format!("service-{n}.service")), step * (5_000_000 + n));
            row.energy[ZoneKind::Dram] = Energy::from_microjoules(step * (900_000 + n));
            row
        })
        .collect();
    snapshot
}

fn insert(c: &mut Criterion) {
    let mut group = c.benchmark_group("insert 1000 workloads");
    for (name, seconds) in [("into the open interval", 10), ("into a new interval", 300)] {
        let directory = tempfile::tempdir().unwrap();
        let history = History::open(directory.path().join("energy.db"), options()).unwrap();
        let mut step = 0;
        history.record(&busy(0, 0, 1000)).unwrap();
        group.bench_function(name, |b| {
            b.iter_batched(
                || {
                    step += 1;
                    busy(step, step * seconds, 1000)
                },
                |snapshot| history.record(&snapshot).unwrap(),
                BatchSize::PerIteration,
            );
        });
    }
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("floor.db");
    drop(History::open(&path, options()).unwrap());
    let mut connection = Connection::open(&path).unwrap();
    connection.pragma_update(None, "synchronous", "NORMAL").unwrap();
    let mut interval = 0i64;
    group.bench_function("floor: plain INSERTs of the same rows", |b| {
        b.iter(|| {
            interval += 1;
            let transaction = connection.transaction().unwrap();
            {
                let sql = "INSERT INTO workload_energy VALUES (?1, ?2, ?3, ?4, ?5, NULL, NULL, ?6, NULL)";
                let mut statement = transaction.prepare_cached(sql).unwrap();
                for workload in 0..1000i64 {
                    let (package, dram) = (5_000_000 + workload, 900_000 + workload);
                    statement.execute(params![interval / 12, workload, interval, 5000, package, dram]).unwrap();
                }
            }
            transaction.commit().unwrap();
        });
    });
    group.finish();
}

/// A file with 30 days of 5-minute intervals of 200 workloads.
fn fill(path: &Path) -> History {
    let history = History::open(path, options()).unwrap();
    let mut snapshot = busy(0, 0, 200);
    for step in 0..=30 * DAY / 300 {
        snapshot.sequence = step + 1;
        snapshot.at = at(step * 300);
        for zone in [ZoneKind::Package, ZoneKind::Dram] {
            let energy = Energy::from_microjoules(step * 200 * 5_000_000);
            snapshot.node.zones[zone].as_mut().unwrap().energy = energy;
        }
        for (n, row) in (0u64..).zip(&mut snapshot.units) {
            row.energy[ZoneKind::Package] = Energy::from_microjoules(step * (5_000_000 + n));
            row.energy[ZoneKind::Dram] = Energy::from_microjoules(step * (900_000 + n));
            row.cpu_time = Duration::from_millis(step * 40);
        }
        history.record(&snapshot).unwrap();
    }
    history
}

fn ask(c: &mut Criterion) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("energy.db");
    let history = fill(&path);
    let time = |seconds: u64| Timestamp::from_second((START + seconds) as i64).unwrap();
    let month = TimeRange { start: time(0), end: time(30 * DAY) };
    let lately = TimeRange::ending(time(30 * DAY), Duration::from_secs(300));
    let inventory = history.inventory(lately).unwrap();
    let id = inventory.workloads.iter().find(|workload| &*workload.id.name == "service-77.service").unwrap().id.clone();
    let subject = Subject::Workloads(vec![id]);
    let series = history.series(&subject, month, Duration::from_secs(300)).unwrap();
    assert_eq!(series.steps.steps().len(), 8640);

    let mut group = c.benchmark_group("30 days of 200 workloads");
    group.bench_function("trend of one workload, 8640 steps", |b| {
        b.iter(|| history.series(black_box(&subject), month, Duration::from_secs(300)).unwrap());
    });
    group.bench_function("trend of the node, 8640 steps", |b| {
        b.iter(|| history.series(&Subject::Cluster, month, Duration::from_secs(300)).unwrap());
    });
    let connection = Connection::open(&path).unwrap();
    group.bench_function("floor: the bare query of the same rows", |b| {
        b.iter(|| {
            let sql = "SELECT e.interval, cpu_us, package_uj, dram_uj FROM block AS b
                 CROSS JOIN workload_energy AS e ON e.block = b.id AND e.workload = 78";
            let mut statement = connection.prepare_cached(sql).unwrap();
            let mut rows = statement.query([]).unwrap();
            let (mut sum, mut count) = (0i64, 0);
            while let Some(row) = rows.next().unwrap() {
                let figures: [i64; 4] = std::array::from_fn(|column| row.get(column).unwrap());
                sum += figures.iter().sum::<i64>();
                count += 1;
            }
            assert_eq!(count, 8640);
            sum
        });
    });
    group.bench_function("inventory of the last 5 minutes", |b| b.iter(|| history.inventory(lately).unwrap()));
    group.sample_size(10);
    group.bench_function("inventory of all 30 days", |b| b.iter(|| history.inventory(month).unwrap()));
    group.finish();
    let size = std::fs::metadata(&path).unwrap().len();
    eprintln!("the file: {:.1} MB, {:.1} bytes a workload and interval", size as f64 / 1e6, size as f64 / 1.728e6);
}

criterion_group! {
    name = history;
    config = Criterion::default().sample_size(50);
    targets = insert, ask
}
criterion_main!(history);
