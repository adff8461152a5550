//! A read that succeeds allocates nothing: it happens on every tick, for ever.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use crate::counting::allocations;
use kepler_core::host::{Host, Timestamp};
use kepler_core::meter::chain::{Chain, ChainOptions, Source};
use kepler_core::meter::fake::Fake;
use kepler_core::meter::msr::Msr;
use kepler_core::meter::powercap::Powercap;
use kepler_core::meter::replay::Replay;
use kepler_core::meter::{EnergyMeter, ReadError, Reading};
use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::time::Duration;

fn allocations_of(meter: &mut dyn EnergyMeter) -> usize {
    let (at, mut readings): (_, Vec<Result<Reading, ReadError>>) = (Timestamp::now(), Vec::new());
    meter.read(at, &mut readings);
    let before = allocations();
    for _ in 0..10 {
        meter.read(at, &mut readings);
    }
    let after = allocations();
    assert!(!readings.is_empty() && readings.iter().all(Result::is_ok), "{readings:?}");
    after - before
}

#[test]
fn allocations_are_counted() {
    let before = allocations();
    drop(std::hint::black_box(Box::new(1)));
    assert_eq!(allocations(), before + 1);
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
    assert_eq!(allocations_of(&mut Powercap::open(&host).unwrap()), 0);
}

#[test]
fn a_guarded_meter_and_the_chain_around_it_allocate_nothing() {
    let root = tempfile::tempdir().unwrap();
    for zone in 0..3 {
        let directory = root.path().join(format!("class/powercap/intel-rapl:{zone}"));
        fs::create_dir_all(&directory).unwrap();
        let name = format!("package-{zone}");
        for (file, text) in [("name", name.as_str()), ("max_energy_range_uj", "262143328850"), ("energy_uj", "5")] {
            fs::write(directory.join(file), text).unwrap();
        }
    }
    let options = ChainOptions::default().with_sources(vec![Source::Powercap]);
    let mut chain = Chain::open(&Host::default().with_sysfs(root.path()), options).unwrap();
    let (mut at, mut drawn) = (Timestamp::now(), Vec::new());
    let mut read = || {
        at = at.advanced(Duration::from_millis(50));
        chain.read(at, &mut drawn);
        assert!(drawn.len() == 3 && drawn.iter().all(Result::is_ok), "{drawn:?}");
    };
    // The first starts the thread that reads, the second asks how busy the processors are, as nothing moved.
    read();
    read();
    let before = allocations();
    (0..20).for_each(|_| read());
    assert_eq!(allocations(), before);
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
    assert_eq!(allocations_of(&mut Msr::open(&host).unwrap()), 0);
}

#[test]
fn fake_and_replay_allocate_nothing() {
    assert_eq!(allocations_of(&mut Fake::default()), 0);
    let trace = tempfile::NamedTempFile::new().unwrap();
    let text = "trace,1,x,measured\nseconds,package\nmodulus,\nmax_watts,100\n0,0\n9,9000\n";
    fs::write(trace.path(), text).unwrap();
    assert_eq!(allocations_of(&mut Replay::open(trace.path()).unwrap()), 0);
}
