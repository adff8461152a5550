//! What a tick costs beside what the kernel charges for the same answer, in CPU time of the thread.
//!
//! Run as `cargo bench -p kepler-core --features ebpf --bench tick`, as root for the part with eBPF. 4,000
//! sleeping processes are started first and ended at the end; `KEPLER_BENCH_PROCESSES` sets another number.
//! Before each whole tick 50 other processes work a little. CPU time, not wall time, is taken: that is what
//! the machine pays, and it hardly depends on what else is running.

#![allow(clippy::expect_used, clippy::print_stderr, reason = "a benchmark without its ground cannot run")]

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use kepler_core::host::{Host, Timestamp};
use kepler_core::platform::{PlatformAttribution, PlatformBoard, PlatformMeter, PlatformReading};
use kepler_core::sampler::{Sampler, SamplerOptions};
use kepler_core::units::Power;
use kepler_core::usage::clock::CpuClocks;
use kepler_core::usage::{Usage, UsageChoice, UsageSource};
use rustix::fs::{Mode, OFlags, RawDir, SeekFrom};
use std::hint::black_box;
use std::io::Write;
use std::mem::MaybeUninit;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

struct Sleepers(Vec<Child>);

impl Sleepers {
    fn start() -> Self {
        let count = std::env::var("KEPLER_BENCH_PROCESSES").ok().and_then(|n| n.parse().ok()).unwrap_or(4000);
        let sleeper = || Command::new("sleep").arg("100000").stdin(Stdio::null()).stdout(Stdio::null()).spawn().ok();
        Sleepers((0..count).map_while(|_| sleeper()).collect())
    }
}

impl Drop for Sleepers {
    fn drop(&mut self) {
        for child in &mut self.0 {
            let _ = child.kill();
        }
        for child in &mut self.0 {
            let _ = child.wait();
        }
    }
}

fn cpu_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// CPU time of a number of calls.
fn cost(times: u64, mut call: impl FnMut()) -> Duration {
    let before = cpu_time();
    for _ in 0..times {
        call();
    }
    cpu_time() - before
}

/// Lists `/proc` and reads each process's clock, and does nothing with the answers.
fn floor() -> impl FnMut() {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY;
    let directory = rustix::fs::open("/proc", flags, Mode::empty()).expect("/proc");
    let mut buffer = vec![MaybeUninit::<u8>::uninit(); 32 * 1024];
    move || {
        rustix::fs::seek(&directory, SeekFrom::Start(0)).expect("seek");
        let mut entries = RawDir::new(&directory, &mut buffer);
        while let Some(Ok(entry)) = entries.next() {
            let Some(pid) = entry.file_name().to_str().ok().and_then(|name| name.parse::<i32>().ok()) else { continue };
            let clock = nix::time::ClockId::from_raw((!pid << 3) | 2);
            let _ = black_box(nix::time::clock_gettime(clock));
        }
    }
}

/// Processes that work a little whenever they are asked to.
struct Workers(Vec<Child>);

impl Workers {
    fn start(count: usize) -> Self {
        let worker = || Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::null()).spawn().expect("cat");
        Workers((0..count).map(|_| worker()).collect())
    }

    /// Has each of them work, and waits until they have.
    fn work(&mut self) {
        for child in &mut self.0 {
            let input = child.stdin.as_mut().expect("piped");
            input.write_all(&[b'x'; 4096]).expect("a worker");
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        for child in &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// CPU time of a number of ticks, before each of which the workers work.
fn cost_of_ticks(times: u64, sampler: &mut Sampler, workers: &mut Workers) -> Duration {
    let mut sum = Duration::ZERO;
    for _ in 0..times {
        workers.work();
        sum += cost(1, || drop(black_box(sampler.tick())));
    }
    sum
}

fn sampler(usage: UsageChoice) -> Option<Sampler> {
    sampler_of(SamplerOptions::default().with(|options| options.usage = usage))
}

fn sampler_of(options: SamplerOptions) -> Option<Sampler> {
    let mut sampler = Sampler::new(&Host::default(), options).ok()?;
    for _ in 0..3 {
        sampler.tick();
    }
    Some(sampler)
}

fn tick(criterion: &mut Criterion) {
    let sleepers = Sleepers::start();
    let mut workers = Workers::start(50);
    let mut clocks = CpuClocks::open(&Host::default()).expect("clocks");
    let mut usage = Usage::default();
    clocks.collect(Timestamp::now(), &mut usage).expect("processes");

    let mut group = criterion.benchmark_group("tick");
    group.throughput(Throughput::Elements(usage.tasks.len() as u64)).sample_size(30);
    let mut floor = floor();
    group.bench_function("floor: readdir and process clocks", |b| b.iter_custom(|n| cost(n, &mut floor)));
    group.bench_function("usage source", |b| {
        b.iter_custom(|n| cost(n, || clocks.collect(Timestamp::now(), &mut usage).expect("processes")));
    });
    let mut by_clock = sampler(UsageChoice::Clock).expect("sampler");
    group.bench_function("whole tick", |b| b.iter_custom(|n| cost_of_ticks(n, &mut by_clock, &mut workers)));
    drop(by_clock);
    // The meter of the whole machine shows something new at every tick, which is the most that there is to charge.
    let board = PlatformBoard::default();
    let options = SamplerOptions::default().with(|options| {
        options.usage = UsageChoice::Clock;
        (options.platform, options.platform_attribution) = (Some(board.clone()), PlatformAttribution::Proportional);
    });
    let mut charging = sampler_of(options).expect("sampler");
    let (meter, mut watts) = (PlatformMeter::new("redfish", "bmc", "1"), 5000.0);
    group.bench_function("whole tick, the rest of the machine charged", |b| {
        b.iter_custom(|n| {
            let mut sum = Duration::ZERO;
            for _ in 0..n {
                workers.work();
                watts += 1.0;
                board.report(&meter, PlatformReading::new(Power::from_watts(watts), Timestamp::now()));
                sum += cost(1, || drop(black_box(charging.tick())));
            }
            sum
        });
    });
    drop(charging);
    group.finish();

    // By a whole tick, not by process: only those that work are looked at.
    let mut group = criterion.benchmark_group("tick by eBPF, 50 processes active");
    group.sample_size(30);
    match sampler(UsageChoice::Ebpf) {
        Some(mut by_ebpf) => {
            group.bench_function("whole tick", |b| b.iter_custom(|n| cost_of_ticks(n, &mut by_ebpf, &mut workers)));
        }
        None => eprintln!("SKIPPED: eBPF cannot be used here; `kepler doctor` says why"),
    }
    group.finish();
    drop(sleepers);
}

criterion_group!(benches, tick);
criterion_main!(benches);
