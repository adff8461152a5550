//! What the whole machine draws beside its parts, charged to those who used the parts.
//!
//! [`Machine::tick`] checks the books of every zone to the microjoule, that of the rest as well.

use crate::accelerators::Accelerators;
use crate::machine::{DRAM, Machine, PACKAGE, Setup, near, process};
use kepler_core::device::Device;
use kepler_core::platform::{PlatformAttribution, PlatformBoard, PlatformMeter, PlatformReading};
use kepler_core::sampler::Retention;
use kepler_core::snapshot::{NodeZone, Row, Snapshot, State};
use kepler_core::units::{Energy, Power, ZoneKind};
use proptest::prelude::*;
use std::sync::Arc;
use std::time::Duration;

const ID: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
const OTHER: &str = "fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210";

fn setup() -> (Setup, PlatformBoard) {
    let board = PlatformBoard::default();
    let platform_attribution = PlatformAttribution::Proportional;
    (Setup { platform: Some(board.clone()), platform_attribution, ..Setup::default() }, board)
}

fn machine() -> (Machine, PlatformBoard) {
    let (setup, board) = setup();
    (Machine::of(setup), board)
}

fn meter() -> PlatformMeter {
    PlatformMeter::new("redfish", "bmc-1", "1").with(|meter| meter.path = "/redfish/v1/Chassis/1".into())
}

fn report(board: &PlatformBoard, machine: &Machine, watts: f64) {
    board.report(&meter(), PlatformReading::new(Power::from_watts(watts), machine.at));
}

/// Ten seconds go by, in which package and memory draw 40 W and 10 W.
fn ten_seconds(machine: &mut Machine) -> Arc<Snapshot> {
    machine.tree.draw(PACKAGE, Energy::from_joules(400.0)).unwrap();
    machine.tree.draw(DRAM, Energy::from_joules(100.0)).unwrap();
    machine.tick(10.0)
}

fn zone(snapshot: &Snapshot) -> &NodeZone {
    snapshot.node.zones[ZoneKind::Platform].as_ref().unwrap()
}

fn of<Info>(row: &Row<Info>) -> f64 {
    row.energy[ZoneKind::Platform].joules()
}

fn of_process(snapshot: &Snapshot, pid: u32) -> f64 {
    process(snapshot, pid, State::Running).map_or(f64::NAN, of)
}

#[test]
fn who_drew_three_quarters_of_the_parts_is_charged_three_quarters_of_the_rest() {
    let (mut machine, board) = machine();
    let cgroup = format!("/system.slice/docker-{ID}.scope");
    machine.spawn(10, b"train", &cgroup);
    machine.spawn(11, b"serve", "/system.slice/nginx.service");
    machine.tick(1.0);
    report(&board, &machine, 150.0);
    machine.tick(1.0);
    // Both processors are busy, so that nothing is idle.
    machine.processes.work(10, 1500, Some(&cgroup)).unwrap();
    machine.processes.work(11, 500, None).unwrap();
    let before = ten_seconds(&mut machine);
    assert_eq!((zone(&before).energy, of_process(&before, 10)), (Energy::ZERO, 0.0), "one reading is no energy");
    report(&board, &machine, 150.0);
    let snapshot = machine.tick(1.0);
    // 150 W for 11 s less what the parts drew: of that nothing is idle but what was while neither worked.
    let rest = snapshot.platform_residual.as_ref().unwrap();
    assert!(near(rest.energy.joules(), 150.0 * 11.0 - 500.0), "{rest:?}");
    assert_eq!(zone(&snapshot).energy, rest.energy);
    assert!(near(of_process(&snapshot, 10), rest.energy.joules() * 0.75), "{}", of_process(&snapshot, 10));
    assert!(near(of_process(&snapshot, 11), rest.energy.joules() * 0.25));
    assert_eq!(of(&snapshot.containers[0]), of_process(&snapshot, 10));
    // Its power is that of the time between the readings, not of the tick in which it came.
    let power = zone(&snapshot).power.unwrap();
    assert!(near(power.total.watts(), rest.energy.joules() / 11.0) && near(power.active.watts(), power.total.watts()));
    let train = process(&snapshot, 10, State::Running).unwrap();
    assert!(near(train.power[ZoneKind::Platform].watts(), of(train) / 11.0));
    let later = machine.tick(1.0);
    let train = process(&later, 10, State::Running).unwrap();
    assert!(near(train.power[ZoneKind::Platform].watts(), of(train) / 11.0), "until the next one comes");
    // Nothing counts twice: the sum of the zones is the whole.
    let zones = snapshot.machine_zones();
    let sum: f64 = snapshot.node.zones().filter(|(zone, _)| zones[*zone]).map(|(_, zone)| zone.energy.joules()).sum();
    assert!(near(sum, 150.0 * 11.0), "{sum}");
}

#[test]
fn what_was_drawn_idle_takes_its_part_of_the_rest_and_stays_idle() {
    let (mut machine, board) = machine();
    machine.spawn(10, b"train", "/");
    machine.tick(1.0);
    report(&board, &machine, 100.0);
    machine.tick(1.0);
    machine.processes.work(10, 500, None).unwrap();
    machine.processes.rest(1500).unwrap();
    ten_seconds(&mut machine);
    report(&board, &machine, 100.0);
    let snapshot = machine.tick(1.0);
    let zone = zone(&snapshot);
    assert!(near(zone.energy.joules(), 600.0) && near(zone.idle_energy.joules(), 450.0), "{zone:?}");
    assert!(near(of_process(&snapshot, 10), 150.0) && zone.unattributed_energy <= Energy::from_microjoules(3));
}

#[test]
fn while_the_whole_is_not_known_nothing_is_charged_and_the_zone_says_so() {
    let (mut machine, board) = machine();
    machine.spawn(10, b"early", "/");
    machine.spawn(11, b"late", "/");
    let first = machine.tick(1.0);
    assert_eq!(
        (zone(&first).fault, zone(&first).is_lost, zone(&first).power.is_none()),
        (Some("not_read"), true, true)
    );
    for _ in 0..3 {
        report(&board, &machine, 150.0);
        machine.processes.work(10, 2000, None).unwrap();
        ten_seconds(&mut machine);
    }
    let known = machine.tick(1.0);
    let (charged, of_early) = (zone(&known).energy, of_process(&known, 10));
    assert!(near(of_early, 2000.0) && zone(&known).fault.is_none(), "{of_early}");
    // The meter is silent for ten minutes, in which the early one works.
    board.fail(&meter(), "timeout");
    let mut silent = known;
    for _ in 0..60 {
        machine.processes.work(10, 2000, None).unwrap();
        silent = ten_seconds(&mut machine);
    }
    assert_eq!((zone(&silent).energy, zone(&silent).power.is_none()), (charged, true));
    assert_eq!((zone(&silent).fault, zone(&silent).is_lost), (Some("timeout"), true));
    assert_eq!(process(&silent, 10, State::Running).unwrap().power[ZoneKind::Platform], Power::ZERO);
    // It is back. Who works now is charged for it, not who worked meanwhile.
    report(&board, &machine, 150.0);
    machine.tick(1.0);
    machine.processes.work(11, 2000, None).unwrap();
    ten_seconds(&mut machine);
    report(&board, &machine, 150.0);
    let back = machine.tick(1.0);
    assert_eq!(of_process(&back, 10), of_early);
    assert!(near(of_process(&back, 11), 150.0 * 11.0 - 500.0), "{}", of_process(&back, 11));
    assert_eq!((zone(&back).fault, zone(&back).is_lost), (None, false));
}

#[test]
fn accelerators_are_parts_where_the_figure_contains_them() {
    for contains_gpus in [true, false] {
        let (setup, board) = setup();
        let device = Device::new("GPU-0", "nvidia", "H200").with(|device| device.idle_power = Some(Power::ZERO));
        let gpus = Accelerators::new(&[device]);
        let mut machine = Machine::of(Setup { devices: vec![gpus.meter()], ..setup });
        let meter = meter().with(|meter| meter.contains_gpus = contains_gpus);
        machine.spawn(10, b"train", "/");
        machine.spawn(11, b"serve", "/");
        let (mut joules, mut last) = (0.0, machine.tick(1.0));
        for _ in 0..4 {
            board.report(&meter, PlatformReading::new(Power::from_watts(700.0), machine.at));
            gpus.count(0, joules, Some(1.0), &[(10, 1.0)]);
            joules += 5000.0;
            machine.processes.work(11, 2000, None).unwrap();
            last = ten_seconds(&mut machine);
        }
        let (train, serve, rest) = (of_process(&last, 10), of_process(&last, 11), zone(&last).energy.joules());
        if contains_gpus {
            // 700 W less 50 W and 500 W: ten elevenths of it are the accelerator's user's.
            assert!(train > 8.0 * serve && serve > 0.0, "{train} {serve}");
            assert!(near(train + serve, rest), "{train} {serve} {rest}");
        } else {
            assert!(train == 0.0 && near(serve, rest), "{train} {serve} {rest}");
        }
    }
}

#[test]
fn a_process_that_ended_before_the_reading_came_is_charged_with_its_container() {
    let (mut machine, board) = machine();
    let cgroup = format!("/system.slice/docker-{ID}.scope");
    machine.spawn(10, b"short", &cgroup);
    machine.spawn(11, b"long", &cgroup);
    machine.tick(1.0);
    report(&board, &machine, 150.0);
    machine.tick(1.0);
    machine.processes.work(10, 1000, Some(&cgroup)).unwrap();
    machine.processes.work(11, 1000, Some(&cgroup)).unwrap();
    ten_seconds(&mut machine);
    machine.processes.exit(10).unwrap();
    machine.tick(1.0);
    report(&board, &machine, 150.0);
    let snapshot = machine.tick(1.0);
    let rest = zone(&snapshot).energy.joules();
    let ended = of(process(&snapshot, 10, State::Terminated).unwrap());
    assert!(near(ended, rest / 2.0) && near(of_process(&snapshot, 11), rest / 2.0), "{ended} of {rest}");
    assert!(near(of(&snapshot.containers[0]), rest), "{}", of(&snapshot.containers[0]));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn books_balance_as_workloads_come_and_go_and_whenever_the_whole_is_read(
        steps in prop::collection::vec((0u32..6, 0u64..900, 0u8..8, 40.0f64..400.0, 1u64..40), 5..40),
        min_energy in prop::sample::select(vec![0u64, 200_000_000]),
    ) {
        let (setup, board) = setup();
        let retention = Retention::default().with(|retention| {
            (retention.min_energy, retention.max) = (Energy::from_microjoules(min_energy), Some(2));
        });
        let mut machine = Machine::of(Setup { retention, ..setup });
        let cgroups = [
            format!("/system.slice/docker-{ID}.scope"),
            format!("/kubepods/burstable/pod11111111-2222-3333-4444-555555555555/{OTHER}"),
            "/system.slice/nginx.service".to_owned(),
        ];
        let cgroup = |number: u32| cgroups[number as usize % cgroups.len()].clone();
        let mut alive = std::collections::HashSet::new();
        machine.tick(1.0);
        for (number, work, event, watts, lag) in steps {
            let pid = 10 + number;
            match event {
                0 if alive.remove(&pid) => machine.processes.exit(pid).unwrap(),
                1 => board.fail(&meter(), "timeout"),
                2..=4 => {
                    let age = Duration::from_secs(lag);
                    board.report(&meter(), PlatformReading::new(Power::from_watts(watts), machine.at).aged(age));
                }
                5 => machine.processes.work_unseen(work / 2, Some(&cgroup(number))).unwrap(),
                _ => {}
            }
            if event != 0 && alive.insert(pid) {
                machine.spawn(pid, b"work", &cgroup(number));
            }
            if alive.contains(&pid) {
                machine.processes.work(pid, work, Some(&cgroup(number))).unwrap();
            }
            let snapshot = ten_seconds(&mut machine);
            let (zone, rest) = (zone(&snapshot), snapshot.platform_residual.as_ref());
            prop_assert_eq!(zone.energy, rest.map_or(Energy::ZERO, |rest| rest.energy));
            prop_assert_eq!(zone.power.is_some(), rest.is_some_and(|rest| rest.watts.is_some()));
        }
    }
}

#[test]
fn where_it_is_not_asked_for_there_is_no_such_zone() {
    let board = PlatformBoard::default();
    let mut machine = Machine::of(Setup { platform: Some(board.clone()), ..Setup::default() });
    machine.tick(1.0);
    for _ in 0..3 {
        report(&board, &machine, 150.0);
        let snapshot = ten_seconds(&mut machine);
        assert!(snapshot.node.zones[ZoneKind::Platform].is_none());
    }
}
