//! Counters that cannot be read for a while, stand still, or begin again all the time. Needs the feature `sim`.

use crate::lines::Lines;
use crate::machine::{near, package};
use crate::rig::{Rig, faults};
use kepler_core::meter::chain::{self, ChainOptions, Found, Source};
use kepler_core::sampler::Sampler;
use kepler_core::units::{Energy, ZoneKind};
use proptest::prelude::*;
use std::fs;

/// Another zone of the first package's tree.
const PLATFORM: &str = "intel-rapl:5";

fn chain() -> [Source; 2] {
    [Source::Powercap, Source::Model]
}

fn why_not(sampler: &Sampler, source: &str) -> String {
    let found = sampler.unavailable().iter().find(|one| one.source_name == source);
    found.map(ToString::to_string).unwrap_or_default()
}

/// A rig after its first tick, so that what it draws from now on is what is to be measured.
fn started(sockets: usize) -> (Rig, Sampler) {
    let mut rig = Rig::new(sockets);
    let mut sampler = rig.sampler(&chain());
    rig.tick(&mut sampler);
    rig.drawn = 0.0;
    (rig, sampler)
}

#[test]
fn a_socket_that_is_lost_for_a_while_is_estimated_and_its_counter_tells_the_truth_afterwards() {
    // Just beyond the patience, with a search for better sources in between, and for several minutes.
    for seconds in [12, 20, 45, 100, 200] {
        let (mut rig, mut sampler) = started(2);
        let lines = Lines::default();
        lines.during(|| {
            rig.ticks(&mut sampler, 5);
            rig.is_lost[1] = true;
            let mut before = Energy::ZERO;
            for second in 0..seconds {
                let snapshot = rig.tick(&mut sampler);
                assert!(package(&snapshot).energy > before, "it never falls");
                before = package(&snapshot).energy;
                if second > 12 {
                    assert_eq!(package(&snapshot).method.name(), "partial", "second {second} of {seconds}");
                }
            }
            rig.is_lost[1] = false;
            // Another search later it is found, and what was estimated too much is taken off.
            let snapshot = rig.ticks(&mut sampler, 250);
            assert_eq!(package(&snapshot).method.name(), "measured");
            let measured = package(&snapshot).energy.joules();
            assert!(near(measured, rig.drawn), "lost for {seconds} s: {measured} J of {}", rig.drawn);
        });
        assert_eq!(lines.containing("stopped giving numbers"), 1, "{lines:?}");
        assert_eq!(lines.containing("gives numbers again"), 1, "{lines:?}");
    }
}

#[test]
fn the_only_socket_is_estimated_by_the_model_and_its_counter_tells_the_truth_afterwards() {
    let (mut rig, mut sampler) = started(1);
    rig.ticks(&mut sampler, 5);
    rig.is_lost[0] = true;
    let snapshot = rig.ticks(&mut sampler, 40);
    assert_eq!((package(&snapshot).source, package(&snapshot).method.name()), ("model", "estimated"));
    rig.is_lost[0] = false;
    let snapshot = rig.ticks(&mut sampler, 300);
    assert_eq!(package(&snapshot).source, "powercap");
    assert!(near(package(&snapshot).energy.joules(), rig.drawn), "{} of {} J", package(&snapshot).energy, rig.drawn);
}

#[test]
fn counters_of_a_virtual_machine_that_never_move_are_not_believed_under_load() {
    let (mut rig, mut sampler) = started(2);
    rig.is_stuck = [true; 2];
    let lines = Lines::default();
    let snapshot = lines.during(|| rig.ticks(&mut sampler, 12));
    assert_eq!((package(&snapshot).source, package(&snapshot).method.name()), ("model", "estimated"));
    assert!(package(&snapshot).power.unwrap().total.watts() > 1.0);
    assert!(faults(&snapshot, "powercap", "stuck") > 0, "{:?}", snapshot.faults);
    assert!(why_not(&sampler, "powercap").contains("stands still"), "{}", why_not(&sampler, "powercap"));
    assert_eq!(lines.containing("given up"), 1, "{lines:?}");
    // Once they move they are believed again.
    rig.is_stuck = [false; 2];
    let snapshot = rig.ticks(&mut sampler, 45);
    assert_eq!((package(&snapshot).source, package(&snapshot).method.name()), ("powercap", "measured"));
}

#[test]
fn a_platform_counter_that_stands_at_zero_is_not_offered_until_it_moves() {
    let mut rig = Rig::new(1);
    rig.tree.add_zone(PLATFORM, "psys", Energy::ZERO).unwrap();
    let options = ChainOptions::default().with_sources(chain().to_vec());
    let skipped = |found: &Found| found.skipped.iter().map(|one| one.unavailable.reason.clone()).collect::<String>();
    let found = chain::probe(&rig.host(), &options).remove(0).outcome.unwrap();
    assert!(found.zones.iter().all(|zone| zone.kind == ZoneKind::Package), "{:?}", found.zones);
    assert!(skipped(&found).contains("psys) stands at zero"), "{}", skipped(&found));
    assert_eq!(found.method.name(), "measured", "the package is whole");
    let mut sampler = rig.sampler(&chain());
    let snapshot = rig.ticks(&mut sampler, 5);
    assert!(snapshot.node.zones[ZoneKind::Psys].is_none());
    assert_eq!((package(&snapshot).source, package(&snapshot).method.name()), ("powercap", "measured"));
    // Once it counts, the next search finds it.
    let mut psys = None;
    for _ in 0..40 {
        rig.tree.draw(PLATFORM, Energy::from_joules(80.0)).unwrap();
        psys = rig.tick(&mut sampler).node.zones[ZoneKind::Psys].as_ref().map(|zone| zone.method.name());
    }
    assert_eq!(psys, Some("measured"));
}

#[test]
fn a_zone_that_stops_again_for_good_is_written_of_again() {
    let (mut rig, mut sampler) = started(2);
    let lines = Lines::default();
    let written = || (lines.containing("stopped giving numbers"), lines.containing("gives numbers again"));
    lines.during(|| {
        for stops in [1, 1, 1] {
            rig.is_lost[1] = true;
            rig.ticks(&mut sampler, 3);
            rig.is_lost[1] = false;
            rig.ticks(&mut sampler, 3);
            assert_eq!(written(), (stops, 1), "one that comes and goes does not fill the log");
        }
        rig.is_lost[1] = true;
        rig.ticks(&mut sampler, 90);
        assert_eq!(written(), (2, 1), "the last line must not say that all is well");
        rig.is_lost[1] = false;
        rig.ticks(&mut sampler, 40);
        assert_eq!(written(), (2, 2), "{lines:?}");
    });
}

/// The ACPI power meter of this rig's machine.
fn platform_meter(rig: &Rig, number: u32, watts: u64) {
    let device = rig.host().sysfs().join(format!("class/hwmon/hwmon{number}/device"));
    fs::create_dir_all(&device).unwrap();
    fs::write(device.join("name"), "power_meter\n").unwrap();
    fs::write(device.join("power1_average"), format!("{}\n", watts * 1_000_000)).unwrap();
}

#[test]
fn a_platform_counter_that_stops_under_load_gives_way_to_the_next_source_and_comes_back() {
    let mut rig = Rig::new(1);
    rig.tree.add_zone(PLATFORM, "psys", Energy::from_joules(7.0)).unwrap();
    let mut sampler = rig.sampler(&[Source::Powercap, Source::Hwmon, Source::Model]);
    let psys = |rig: &mut Rig, sampler: &mut Sampler, ticks| {
        let snapshot = rig.ticks(sampler, ticks);
        assert_eq!((package(&snapshot).source, package(&snapshot).method.name()), ("powercap", "measured"));
        let zone = snapshot.node.zones[ZoneKind::Psys].clone().unwrap();
        (
            zone.source,
            !zone.is_lost,
            zone.power.map(|power| power.total.watts().round()),
            faults(&snapshot, "powercap", "stuck"),
        )
    };
    let (source, has_source, power, stuck) = psys(&mut rig, &mut sampler, 8);
    assert_eq!((source, has_source, power), ("powercap", false, None), "nothing else has it");
    assert!(stuck > 0, "it is counted");
    platform_meter(&rig, 0, 310);
    let (source, has_source, power, _) = psys(&mut rig, &mut sampler, 35);
    assert_eq!((source, has_source, power), ("hwmon", true, Some(310.0)));
    for _ in 0..35 {
        rig.tree.draw(PLATFORM, Energy::from_joules(80.0)).unwrap();
        rig.tick(&mut sampler);
    }
    rig.tree.draw(PLATFORM, Energy::from_joules(80.0)).unwrap();
    let (source, has_source, power, _) = psys(&mut rig, &mut sampler, 1);
    assert_eq!((source, has_source, power), ("powercap", true, Some(80.0)));
}

#[test]
fn a_meter_that_is_bound_again_is_found_under_its_new_number_though_no_other_source_is_tried() {
    let mut rig = Rig::new(1);
    platform_meter(&rig, 3, 310);
    let mut sampler = rig.sampler(&[Source::Hwmon]);
    let watts = |rig: &mut Rig, sampler: &mut Sampler, ticks| {
        let zone = rig.ticks(sampler, ticks).node.zones[ZoneKind::Psys].clone().unwrap();
        zone.power.map(|power| power.total.watts().round())
    };
    assert_eq!(watts(&mut rig, &mut sampler, 3), Some(310.0));
    let class = rig.host().sysfs().join("class/hwmon");
    // An open descriptor of a plain file does not fail as one of sysfs would, but an empty file is none's power.
    fs::write(class.join("hwmon3/device/power1_average"), "").unwrap();
    fs::remove_dir_all(class.join("hwmon3")).unwrap();
    platform_meter(&rig, 7, 200);
    assert_eq!(watts(&mut rig, &mut sampler, 3), None, "no figure");
    assert_eq!(watts(&mut rig, &mut sampler, 45), Some(200.0));
    // The same number, a new file.
    fs::write(class.join("hwmon7/device/power1_average"), "").unwrap();
    fs::remove_dir_all(class.join("hwmon7")).unwrap();
    platform_meter(&rig, 7, 100);
    assert_eq!(watts(&mut rig, &mut sampler, 45), Some(100.0));
}

#[test]
fn a_socket_whose_counter_stands_at_zero_from_the_start_is_estimated_from_the_other() {
    let mut rig = Rig::new(2);
    rig.is_stuck[1] = true;
    fs::write(rig.counter(1), "0\n").unwrap();
    let mut sampler = rig.sampler(&chain());
    let snapshot = rig.ticks(&mut sampler, 3);
    assert_eq!((package(&snapshot).source, package(&snapshot).method.name()), ("powercap", "partial"));
    assert!(package(&snapshot).power.unwrap().total.watts() > 60.0);
    assert!(faults(&snapshot, "powercap", "stuck") > 0);
}

#[test]
fn counters_that_all_stand_at_zero_from_the_start_are_no_source() {
    let mut rig = Rig::new(1);
    rig.is_stuck[0] = true;
    fs::write(rig.counter(0), "0\n").unwrap();
    let mut sampler = rig.sampler(&chain());
    let snapshot = rig.ticks(&mut sampler, 2);
    assert_eq!((package(&snapshot).source, package(&snapshot).method.name()), ("model", "estimated"));
    assert!(why_not(&sampler, "powercap").contains("stands at zero"), "{}", why_not(&sampler, "powercap"));
}

#[test]
fn one_socket_that_stands_still_is_estimated_from_the_other() {
    let (mut rig, mut sampler) = started(2);
    rig.watts[1] = 50.0;
    rig.is_stuck[1] = true;
    let snapshot = rig.ticks(&mut sampler, 10);
    let zone = package(&snapshot);
    assert_eq!((zone.source, zone.method.name()), ("powercap", "partial"));
    assert!(near(zone.power.unwrap().total.watts(), 100.0), "{:?}", zone.power);
    assert!(faults(&snapshot, "powercap", "stuck") > 0);
    rig.is_stuck[1] = false;
    let before = package(&rig.ticks(&mut sampler, 4)).energy;
    let snapshot = rig.ticks(&mut sampler, 10);
    assert_eq!(package(&snapshot).method.name(), "measured");
    assert!(near((package(&snapshot).energy - before).joules(), 1000.0), "and nothing is made up for twice");
}

#[test]
fn a_machine_at_rest_is_not_doubted() {
    let (mut rig, mut sampler) = started(2);
    // A deep sleep of the package in which the counter shows no change for a while.
    (rig.busy, rig.is_stuck) = (0, [true; 2]);
    let snapshot = rig.ticks(&mut sampler, 30);
    assert_eq!((package(&snapshot).source, package(&snapshot).method.name()), ("powercap", "measured"));
    assert_eq!(faults(&snapshot, "powercap", "stuck"), 0);
    // Nor one that draws little and does little.
    (rig.busy, rig.is_stuck, rig.watts) = (2, [false; 2], [0.5, 0.2]);
    let snapshot = rig.ticks(&mut sampler, 30);
    assert_eq!((package(&snapshot).source, package(&snapshot).method.name()), ("powercap", "measured"));
}

/// How a broken counter goes on from second to second, in microjoules.
type Broken = fn(u64) -> u64;

#[test]
fn a_counter_that_is_reset_at_every_reading_is_given_up_with_the_reason() {
    let broken: [(&str, Broken); 4] = [
        ("every rise is implausible: the unit is a thousand times too large", |second| second * 20_000_000_000),
        ("what was drawn since the last reading", |second| 5_000_000 + second * 618_033 % 1_000_000),
        ("two machines in turn, as on a Xen host", |second| 190_000_000_000 * (second % 2) + 65_000_000 * second),
        ("it falls at every reading", |second| 9_000_000_000 - second * 12_345),
    ];
    for (what, counter) in broken {
        let (mut rig, mut sampler) = started(1);
        rig.is_stuck[0] = true;
        let mut last = None;
        for second in 0..60 {
            fs::write(rig.counter(0), format!("{}\n", counter(second))).unwrap();
            last = Some(rig.tick(&mut sampler));
        }
        let snapshot = last.unwrap();
        assert_eq!(package(&snapshot).source, "model", "{what}");
        assert!(faults(&snapshot, "powercap", "resets") > 0, "{what}");
        assert!(why_not(&sampler, "powercap").contains("reset at every reading"), "{what}");
        let joules = package(&snapshot).energy.joules();
        assert!(joules < 60.0 * 1500.0, "{what}: {joules} J");
    }
}

#[test]
fn a_counter_that_is_reset_now_and_then_is_kept() {
    let (mut rig, mut sampler) = started(1);
    for _ in 0..10 {
        rig.ticks(&mut sampler, 8);
        rig.tree.reset(crate::machine::PACKAGE, Energy::ZERO).unwrap();
    }
    let snapshot = rig.tick(&mut sampler);
    assert_eq!(package(&snapshot).source, "powercap");
    assert_eq!(package(&snapshot).events.resets, 10);
}

#[test]
fn a_socket_that_comes_online_is_measured_and_one_that_goes_is_missed_by_no_one() {
    let mut rig = Rig::new(1);
    let mut sampler = rig.sampler(&chain());
    let lines = Lines::default();
    let snapshot = lines.during(|| rig.ticks(&mut sampler, 5));
    assert_eq!(package(&snapshot).method.name(), "measured");
    rig.add_socket();
    let snapshot = lines.during(|| rig.ticks(&mut sampler, 40));
    assert_eq!(package(&snapshot).method.name(), "measured");
    assert!(near(package(&snapshot).power.unwrap().total.watts(), 80.0), "{:?}", package(&snapshot).power);

    // The kernel takes the zone away with the last processor of its socket.
    fs::write(rig.counter(1), "gone\n").unwrap();
    fs::remove_dir_all(rig.tree.zone(crate::machine::SECOND).unwrap()).unwrap();
    fs::remove_file(rig.tree.sysfs().join("class/powercap").join(crate::machine::SECOND)).unwrap();
    rig.show_sockets(1);
    let mut last = None;
    for _ in 0..45 {
        rig.tree.draw(crate::machine::PACKAGE, Energy::from_joules(50.0)).unwrap();
        rig.at = rig.at.advanced(std::time::Duration::from_secs(1));
        last = Some(sampler.tick_at(rig.at));
    }
    let zone = last.unwrap().node.zones[ZoneKind::Package].clone().unwrap();
    assert_eq!(zone.method.name(), "measured", "what is not there is not missing");
    assert!(near(zone.power.unwrap().total.watts(), 50.0), "{:?}", zone.power);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 6, ..ProptestConfig::default() })]

    /// Whenever the sockets are lost, and for how long: nothing falls, and in the end the total is what was drawn.
    #[test]
    fn energy_is_conserved_however_counters_are_lost(
        losses in prop::collection::vec((0usize..3, 1usize..50, 1usize..50), 1..5),
        watts in (20.0f64..100.0, 20.0f64..100.0),
    ) {
        let (mut rig, mut sampler) = started(2);
        rig.watts = [watts.0.round(), watts.1.round()];
        let mut before = Energy::ZERO;
        let mut step = |rig: &mut Rig, count: usize| {
            for _ in 0..count {
                let energy = package(&rig.tick(&mut sampler)).energy;
                assert!(energy >= before);
                before = energy;
            }
            before
        };
        for (which, lost, afterwards) in losses {
            rig.is_lost = [which != 1, which != 0];
            step(&mut rig, lost);
            rig.is_lost = [false; 2];
            step(&mut rig, afterwards);
        }
        let total = step(&mut rig, 400);
        prop_assert!(near(total.joules(), rig.drawn), "{total} of {} J", rig.drawn);
    }
}
