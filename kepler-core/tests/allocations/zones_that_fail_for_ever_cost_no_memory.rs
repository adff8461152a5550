//! A zone that gives no usable number may do so for ever, on every tick. Needs the feature `sim`.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use crate::counting::allocations;
use kepler_core::host::Timestamp;
use kepler_core::meter::EnergyMeter;
use kepler_core::meter::chain::{ChainOptions, Source};
use kepler_core::meter::powercap::Powercap;
use kepler_core::sampler::{Sampler, SamplerOptions};
use kepler_core::sim::{PowercapTree, ProcessTree};
use kepler_core::units::Energy;
use std::fs;
use std::time::Duration;

const PACKAGE: &str = "intel-rapl:0";
const PLATFORM: &str = "intel-rapl:1";
const GRAPHICS: &str = "intel-rapl:0:0";

/// Ticks with zones of which one is refused at every tick, for this reason.
fn assert_refusing_costs_nothing(sources: &[Source], zones: &[(&str, &str)], garbage: Option<&str>, reason: &str) {
    let root = tempfile::tempdir().unwrap();
    let mut tree = PowercapTree::create(root.path()).unwrap();
    let mut processes = ProcessTree::create(root.path(), 2).unwrap();
    for (entry, name) in zones {
        tree.add_zone(entry, name, Energy::from_joules(1000.0)).unwrap();
    }
    let chain = ChainOptions::default().with_sources(sources.to_vec());
    let options = SamplerOptions::default().with(|options| options.chain = chain);
    let mut sampler = Sampler::new(&processes.host(tree.sysfs()), options).unwrap();
    if let Some(entry) = garbage {
        fs::write(tree.zone(entry).unwrap().join("energy_uj"), "garbage\n").unwrap();
    }
    let mut at = Timestamp::now();
    let mut tick = |sampler: &mut Sampler| {
        if zones.iter().any(|(entry, _)| *entry == PACKAGE) {
            tree.draw(PACKAGE, Energy::from_joules(50.0)).unwrap();
        }
        processes.work_unseen(100, None).unwrap();
        processes.rest(100).unwrap();
        at = at.advanced(Duration::from_secs(1));
        let before = allocations();
        let snapshot = sampler.tick_at(at);
        (allocations() - before, snapshot)
    };
    let refused = |snapshot: &kepler_core::snapshot::Snapshot| -> u64 {
        let faults = snapshot.faults.iter().filter(|fault| fault.reason == reason);
        faults.map(|fault| fault.count).sum()
    };
    (0..12).for_each(|_| drop(tick(&mut sampler)));
    // Short of the next search for better sources, 30 s after the first reading.
    for _ in 0..8 {
        let before = refused(&tick(&mut sampler).1);
        let (allocated, snapshot) = tick(&mut sampler);
        assert_eq!(refused(&snapshot), before + 1, "it is refused at every tick");
        assert_eq!(allocated, 0, "in tick {}", snapshot.sequence);
    }
}

#[test]
fn a_tick_with_zones_that_are_refused_allocates_nothing() {
    // Graphics whose driver gives no number.
    let zones = [(PACKAGE, "package-0"), (GRAPHICS, "uncore")];
    assert_refusing_costs_nothing(&[Source::Powercap, Source::Model], &zones, Some(GRAPHICS), "invalid_data");
    // A platform that stands still, and is all that there is.
    assert_refusing_costs_nothing(&[Source::Powercap], &[(PLATFORM, "psys")], None, "stuck");
}

#[test]
fn refusing_what_a_counter_says_allocates_nothing() {
    let root = tempfile::tempdir().unwrap();
    let mut tree = PowercapTree::create(root.path()).unwrap();
    tree.add_zone(PACKAGE, "package-0", Energy::from_joules(1000.0)).unwrap();
    let mut meter = Powercap::open(&tree.host()).unwrap();
    let mut readings = Vec::with_capacity(1);
    for text in ["garbage\n", "", "99999999999999999\n", "-1\n"] {
        fs::write(tree.zone(PACKAGE).unwrap().join("energy_uj"), text).unwrap();
        let before = allocations();
        meter.read(Timestamp::now(), &mut readings);
        assert_eq!(allocations(), before, "{text:?}");
        assert!(readings.iter().all(Result::is_err), "{readings:?}");
    }
}
