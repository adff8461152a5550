//! A read that succeeds allocates nothing: it happens on every tick, for ever.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use kepler_core::host::{Host, Timestamp};
use kepler_core::meter::fake::Fake;
use kepler_core::meter::msr::Msr;
use kepler_core::meter::powercap::Powercap;
use kepler_core::meter::replay::Replay;
use kepler_core::meter::{EnergyMeter, ReadError, Reading};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::fs::{self, File};
use std::os::unix::fs::FileExt;

thread_local! {
    // Of this thread only: the test harness allocates on others.
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

struct Counting;

// SAFETY: every call is passed on to the system allocator unchanged. The counter is a constant-initialised
// thread-local without a destructor, so that counting does not allocate.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller's promises are those that the system allocator asks for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: `pointer` came from `alloc` above, that is, from the system allocator.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn allocations(meter: &mut dyn EnergyMeter) -> usize {
    let (at, mut readings): (_, Vec<Result<Reading, ReadError>>) = (Timestamp::now(), Vec::new());
    meter.read(at, &mut readings);
    let before = ALLOCATIONS.get();
    for _ in 0..10 {
        meter.read(at, &mut readings);
    }
    let after = ALLOCATIONS.get();
    assert!(!readings.is_empty() && readings.iter().all(Result::is_ok), "{readings:?}");
    after - before
}

#[test]
fn allocations_are_counted() {
    let before = ALLOCATIONS.get();
    drop(std::hint::black_box(Box::new(1)));
    assert_eq!(ALLOCATIONS.get(), before + 1);
}

#[test]
fn powercap_allocates_nothing() {
    let root = tempfile::tempdir().unwrap();
    let zone = root.path().join("class/powercap/intel-rapl:0");
    fs::create_dir_all(&zone).unwrap();
    for (file, text) in [("name", "package-0"), ("max_energy_range_uj", "262143328850"), ("energy_uj", "5")] {
        fs::write(zone.join(file), text).unwrap();
    }
    let host = Host::default().with_sysfs(root.path());
    assert_eq!(allocations(&mut Powercap::open(&host).unwrap()), 0);
}

#[test]
fn msr_allocates_nothing() {
    let root = tempfile::tempdir().unwrap();
    fs::create_dir_all(root.path().join("0")).unwrap();
    let cpuinfo = "processor\t: 0\nvendor_id\t: GenuineIntel\ncpu family\t: 6\nmodel\t: 85\n";
    fs::write(root.path().join("cpuinfo"), cpuinfo).unwrap();
    let registers = File::create(root.path().join("0/msr")).unwrap();
    registers.set_len(0x1000).unwrap();
    registers.write_all_at(&[5, 14], 0x606).unwrap();
    registers.write_all_at(&[1], 0x611).unwrap();
    let host = Host::default().with_procfs(root.path()).with_sysfs(root.path()).with_msr(root.path());
    assert_eq!(allocations(&mut Msr::open(&host).unwrap()), 0);
}

#[test]
fn fake_and_replay_allocate_nothing() {
    assert_eq!(allocations(&mut Fake::default()), 0);
    let trace = tempfile::NamedTempFile::new().unwrap();
    let text = "trace,1,x,measured\nseconds,package\nmodulus,\nmax_watts,100\n0,0\n9,9000\n";
    fs::write(trace.path(), text).unwrap();
    assert_eq!(allocations(&mut Replay::open(trace.path()).unwrap()), 0);
}
