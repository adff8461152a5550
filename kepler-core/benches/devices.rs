//! What accelerators cost the tick, and what is done off it, in CPU time of the thread.
//!
//! Run as `cargo bench -p kepler-core --features drm,nvml,sim --bench devices`. The machine is made up: 400 processes, each of which
//! uses one of 8 devices. Reading devices is off the tick; what a tick takes over and charges is on it.

#![allow(clippy::expect_used, reason = "a benchmark without its ground cannot run")]

use criterion::{Criterion, criterion_group, criterion_main};
use kepler_core::device::background::{Background, Pace, SlowMeter};
use kepler_core::device::drm::{self, DrmOptions};
use kepler_core::device::nvml::{self, NvmlOptions};
use kepler_core::device::{Device, DeviceMeter, DeviceOptions, DeviceReading, DeviceUser, SharesBy};
use kepler_core::host::{Host, Timestamp};
use kepler_core::meter::fake::Fake;
use kepler_core::meter::{ReadError, Reading};
use kepler_core::sampler::{Sampler, SamplerOptions};
use kepler_core::sim::ProcessTree;
use kepler_core::units::{Energy, ZoneKind};
use std::fs;
use std::hint::black_box;
use std::path::Path;
use std::time::Duration;

const DEVICES: u32 = 8;
const USERS: u32 = 50;
const INSTANCES: u32 = 7;

/// Devices with a new reading, with all their users, at each tick.
struct Ready {
    devices: Vec<Device>,
    is_divided: bool,
}

impl Ready {
    fn new(is_divided: bool) -> Self {
        let device = |index| Device::new(format!("GPU-{index}"), "nvidia", "H200").with(|device| device.index = index);
        Ready { devices: (0..DEVICES).map(device).collect(), is_divided }
    }

    fn reading(&self, index: u32, at: Timestamp) -> DeviceReading {
        let joules = at.monotonic.as_secs_f64() * 300.0;
        let user = |number: u32| {
            let user = DeviceUser::new(1000 + index * USERS + number, 1.0 / f64::from(USERS));
            if self.is_divided { user.of_instance(number % INSTANCES) } else { user }
        };
        let by = if self.is_divided { SharesBy::InstanceSlices } else { SharesBy::Utilisation };
        let reading = DeviceReading::new(at, Reading::Counter(Energy::from_joules(joules))).with_utilisation(Some(0.9));
        reading.with_users((0..USERS).map(user).collect()).with_shares_by(by)
    }
}

impl DeviceMeter for Ready {
    fn source(&self) -> &'static str {
        "ready"
    }

    fn devices(&self) -> &[Device] {
        &self.devices
    }

    fn read(&mut self, at: Timestamp, readings: &mut Vec<Result<DeviceReading, ReadError>>) {
        readings.clear();
        readings.extend((0..DEVICES).map(|index| Ok(self.reading(index, at))));
    }
}

impl SlowMeter for Ready {
    fn devices(&self) -> &[Device] {
        &self.devices
    }

    fn read(&mut self, index: usize, at: Timestamp) -> Result<DeviceReading, ReadError> {
        Ok(self.reading(index as u32, at))
    }
}

fn cpu_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
}

fn tick(criterion: &mut Criterion) {
    let root = tempfile::tempdir().expect("a directory");
    let mut processes = ProcessTree::create(root.path(), 2).expect("a procfs");
    for number in 0..DEVICES * USERS {
        processes.spawn(1000 + number, 5, b"train", "/").expect("a process");
    }
    let host = processes.host(&root.path().join("sys"));
    let mut group = criterion.benchmark_group("tick of 400 processes");
    group.sample_size(30);
    let meters: [(&str, Option<bool>); 3] = [
        ("no device", None),
        ("8 devices of 50 users", Some(false)),
        ("8 devices of 7 instances, 50 users", Some(true)),
    ];
    for (name, is_divided) in meters {
        let options = SamplerOptions::default().with(|options| {
            options.devices = DeviceOptions::default().with(|devices| devices.enabled = false);
        });
        let sampler = Sampler::with_meter(&host, Box::new(Fake::new(&[ZoneKind::Package])), &options);
        let devices = is_divided.map(|is_divided| Box::new(Ready::new(is_divided)) as Box<dyn DeviceMeter>);
        let mut sampler = sampler.expect("a sampler").with_devices(devices.into_iter().collect());
        let mut at = Timestamp::now();
        group.bench_function(name, |b| {
            b.iter_custom(|times| {
                let mut sum = Duration::ZERO;
                for _ in 0..times {
                    at = at.advanced(Duration::from_secs(1));
                    let before = cpu_time();
                    drop(black_box(sampler.tick_at(at)));
                    sum += cpu_time() - before;
                }
                sum
            });
        });
    }
    group.finish();
}

/// What a tick takes over from the thread that reads: in a steady state, and where there is nothing.
fn take(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("take over");
    let pace = Pace::default().with(|pace| pace.period = Duration::from_millis(5));
    let mut readings = Vec::new();
    let mut meter = Background::start("ready", pace, || Ok(Ready::new(false))).expect("a meter");
    group.bench_function("8 devices of 50 users", |b| b.iter(|| meter.read(Timestamp::now(), &mut readings)));
    group.finish();
}

/// Finding out that there is nothing: at the start, and never again.
fn none(criterion: &mut Criterion) {
    let root = tempfile::tempdir().expect("a directory");
    fs::create_dir_all(root.path().join("class")).expect("a sysfs");
    let host = Host::default().with_sysfs(root.path());
    let mut group = criterion.benchmark_group("no accelerator");
    group.bench_function("look for NVIDIA's", |b| b.iter(|| nvml::open(&host, &NvmlOptions::default()).is_err()));
    group.bench_function("look for others", |b| b.iter(|| drm::open(&host, &DrmOptions::default()).is_err()));
    group.finish();
}

fn write(root: &Path, path: &str, content: &str) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().expect("a directory")).expect("a directory");
    fs::write(path, content).expect("a file");
}

/// Opening a card and the first look through all processes, one of which uses it; in wall time, since a thread does it.
fn scan(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("open a card, first scan");
    group.sample_size(10);
    for count in [0, 4000] {
        let root = tempfile::tempdir().expect("a directory");
        let device = "sys/class/drm/card0/device";
        write(root.path(), &format!("{device}/uevent"), "DRIVER=xe\nPCI_ID=8086:E20B\nPCI_SLOT_NAME=0000:03:00.0\n");
        write(root.path(), &format!("{device}/hwmon/hwmon7/name"), "xe\n");
        write(root.path(), &format!("{device}/hwmon/hwmon7/energy1_input"), "7000000\n");
        for pid in 1..=count {
            let directory = root.path().join(format!("proc/{pid}/fd"));
            fs::create_dir_all(&directory).expect("a process");
            for number in 0..3 {
                std::os::unix::fs::symlink("/dev/null", directory.join(number.to_string())).expect("a descriptor");
            }
        }
        fs::create_dir_all(root.path().join("proc")).expect("a procfs");
        let host = Host::default().with_procfs(root.path().join("proc")).with_sysfs(root.path().join("sys"));
        group.bench_function(format!("{count} processes"), |b| {
            b.iter(|| drm::open(&host, &DrmOptions::default()).is_ok());
        });
    }
    group.finish();
}

criterion_group!(benches, tick, take, none, scan);
criterion_main!(benches);
