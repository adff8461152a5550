//! Reading a meter again and again allocates nothing: perf, hwmon and the estimate.
#![allow(clippy::unwrap_used, reason = "a test that cannot lay out its fixture fails")]

use crate::counting::allocations;
use kepler_core::host::{Host, Timestamp};
use kepler_core::meter::EnergyMeter;
use kepler_core::meter::estimate::Estimate;
use kepler_core::meter::hwmon::{Hwmon, HwmonRules};
use std::fs;
use std::path::Path;

fn write(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

fn assert_reads_without_allocating(meter: &mut dyn EnergyMeter) {
    let mut readings = Vec::new();
    // The first reading sizes the buffers.
    meter.read(Timestamp::now(), &mut readings);
    let before = allocations();
    for _ in 0..100 {
        meter.read(Timestamp::now(), &mut readings);
    }
    let allocated = allocations() - before;
    assert!(readings.iter().all(Result::is_ok) && !readings.is_empty(), "{readings:?}");
    assert_eq!(allocated, 0, "{} allocates in 100 readings", meter.source());
}

#[test]
fn the_estimate_reads_without_allocating() {
    assert_reads_without_allocating(&mut Estimate::open(&Host::default()));
}

#[test]
fn hwmon_reads_without_allocating() {
    let tree = tempfile::tempdir().unwrap();
    let chip = tree.path().join("class/hwmon/hwmon0");
    write(&chip.join("name"), "ina3221\n");
    write(&chip.join("in1_label"), "VDD_IN\n");
    write(&chip.join("in1_input"), "5000\n");
    write(&chip.join("curr1_input"), "1200\n");
    let host = Host::default().with_sysfs(tree.path());
    assert_reads_without_allocating(&mut Hwmon::open(&host, &HwmonRules::default()).unwrap());
}

#[cfg(feature = "perf")]
#[test]
fn perf_reads_without_allocating() {
    let tree = tempfile::tempdir().unwrap();
    let pmu = tree.path().join("bus/event_source/devices/power");
    // PERF_TYPE_SOFTWARE, PERF_COUNT_SW_CPU_CLOCK: a counter every kernel has.
    for (file, text) in [
        ("type", "1\n"),
        ("cpumask", "0\n"),
        ("format/event", "config:0-7\n"),
        ("events/energy-pkg", "event=0x00\n"),
        ("events/energy-pkg.scale", "1e-9\n"),
        ("events/energy-pkg.unit", "Joules\n"),
    ] {
        write(&pmu.join(file), text);
    }
    match kepler_core::meter::perf::Perf::open(&Host::default().with_sysfs(tree.path())) {
        Ok(mut meter) => assert_reads_without_allocating(&mut meter),
        Err(unavailable) if unavailable.remedy.is_permission() => println!("SKIPPED: {unavailable}"),
        Err(unavailable) => panic!("{unavailable}"),
    }
}

#[test]
fn this_machine_shows_what_it_has() {
    for unavailable in [
        Hwmon::open(&Host::default(), &HwmonRules::default()).err(),
        #[cfg(feature = "perf")]
        kepler_core::meter::perf::Perf::open(&Host::default()).err(),
    ]
    .into_iter()
    .flatten()
    {
        println!("{unavailable}");
        assert!(!unavailable.reason.is_empty() && !unavailable.remedy.is_none());
    }
}
