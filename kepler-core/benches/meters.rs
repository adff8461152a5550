//! What a read of a meter costs above the system calls it cannot do without.
//!
//! `cargo bench -p kepler-core --bench meters`. The files lie on tmpfs where there is one, so that the
//! difference between `floor` and the meter is our own work and not a file system's. The last figure is the
//! CPU time of one sample of four zones at 1 kHz, waking up included: 20 µs would be 2 % of a core.
#![allow(missing_docs, reason = "criterion_group makes a public function without documentation")]
#![allow(clippy::unwrap_used, reason = "a benchmark that cannot set up its files fails by panicking")]

use criterion::{Criterion, criterion_group, criterion_main};
use kepler_core::host::{Host, Timestamp};
use kepler_core::meter::EnergyMeter;
use kepler_core::meter::chain::{Chain, ChainOptions, Source};
use kepler_core::meter::msr::Msr;
use kepler_core::meter::powercap::Powercap;
use std::fs::{self, File};
use std::hint::black_box;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Name of a zone's directory, and what its `name` says.
const ZONES: [(&str, &str); 4] = [
    ("intel-rapl:0", "package-0"),
    ("intel-rapl:0:0", "dram"),
    ("intel-rapl:1", "package-1"),
    ("intel-rapl:1:0", "dram"),
];

/// Unit, package, dram.
const REGISTERS: [(u64, u64); 3] = [(0x606, 0xA0E03), (0x611, 123_456_789), (0x619, 98_765_432)];

fn files() -> TempDir {
    let memory = Path::new("/dev/shm");
    let root = if memory.is_dir() { tempfile::tempdir_in(memory).unwrap() } else { tempfile::tempdir().unwrap() };
    for (id, name) in ZONES {
        let zone = root.path().join("sys/class/powercap").join(id);
        fs::create_dir_all(&zone).unwrap();
        fs::write(zone.join("name"), name).unwrap();
        fs::write(zone.join("max_energy_range_uj"), "262143328850\n").unwrap();
        fs::write(zone.join("energy_uj"), "123456789012\n").unwrap();
    }
    let mut cpuinfo = String::new();
    for cpu in 0..2 {
        cpuinfo += &format!(
            "processor\t: {cpu}\nvendor_id\t: GenuineIntel\ncpu family\t: 6\nmodel\t: 85\nphysical id\t: {cpu}\n\n"
        );
        let directory = root.path().join(format!("cpu/{cpu}"));
        fs::create_dir_all(&directory).unwrap();
        let file = File::create(directory.join("msr")).unwrap();
        file.set_len(0x1000).unwrap();
        for (address, value) in REGISTERS {
            file.write_all_at(&u64::to_le_bytes(value), address).unwrap();
        }
    }
    fs::create_dir_all(root.path().join("proc")).unwrap();
    fs::write(root.path().join("proc/cpuinfo"), cpuinfo).unwrap();
    root
}

/// CPU time that this thread has used.
fn cpu_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
}

fn read(meter: &mut dyn EnergyMeter, criterion: &mut Criterion, name: &str) {
    let (at, mut readings) = (Timestamp::now(), Vec::new());
    meter.read(at, &mut readings);
    assert!(readings.len() == 4 && readings.iter().all(Result::is_ok), "{readings:?}");
    criterion.bench_function(name, |bencher| bencher.iter(|| meter.read(at, black_box(&mut readings))));
}

fn meters(criterion: &mut Criterion) {
    let root = files();
    let path = root.path();
    let host = Host::default().with_sysfs(path.join("sys")).with_procfs(path.join("proc")).with_msr(path.join("cpu"));

    let counters = ZONES.map(|(id, _)| File::open(path.join("sys/class/powercap").join(id).join("energy_uj")).unwrap());
    criterion.bench_function("powercap/floor: 4 pread", |bencher| {
        let mut buffer = [0; 24];
        bencher.iter(|| {
            for counter in &counters {
                black_box(counter.read_at(&mut buffer, 0).unwrap());
            }
        });
    });
    read(&mut Powercap::open(&host).unwrap(), criterion, "powercap/read: 4 zones");

    // What the chain adds: the thread that reads, so that a driver that hangs holds nothing up, and the following of counters.
    let options = ChainOptions::default().with_sources(vec![Source::Powercap]);
    let (mut chain, mut drawn) = (Chain::open(&host, options).unwrap(), Vec::new());
    // Always the same moment: counters that stand still for longer are doubted.
    let at = Timestamp::now();
    criterion.bench_function("powercap/read through the chain: 4 zones", |bencher| {
        bencher.iter(|| chain.read(at, black_box(&mut drawn)));
    });

    let mut meter = Powercap::open(&host).unwrap();
    let mut readings = Vec::new();
    let mut group = criterion.benchmark_group("powercap/1 kHz");
    group.sample_size(10).bench_function("CPU time of a sample of 4 zones", |bencher| {
        bencher.iter_custom(|samples| {
            let before = cpu_time();
            let mut due = Instant::now();
            for _ in 0..samples {
                due += Duration::from_millis(1);
                std::thread::sleep(due.saturating_duration_since(Instant::now()));
                meter.read(Timestamp::now(), black_box(&mut readings));
            }
            cpu_time() - before
        });
    });
    group.finish();

    let registers = [0, 1].map(|cpu| File::open(path.join(format!("cpu/{cpu}/msr"))).unwrap());
    criterion.bench_function("msr/floor: 4 pread", |bencher| {
        let mut buffer = [0; 8];
        bencher.iter(|| {
            for file in &registers {
                for address in [0x611, 0x619] {
                    black_box(file.read_at(&mut buffer, address).unwrap());
                }
            }
        });
    });
    read(&mut Msr::open(&host).unwrap(), criterion, "msr/read: 4 zones");
}

criterion_group!(benches, meters);
criterion_main!(benches);
