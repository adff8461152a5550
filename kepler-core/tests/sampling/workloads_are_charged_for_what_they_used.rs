//! Attribution on a simulated machine, tick by tick. Needs the feature `sim`.
#![allow(clippy::unwrap_used, reason = "a machine that cannot be simulated fails the test")]

use crate::machine::{DRAM, Machine, PACKAGE, joules, near, package, process};
use kepler_core::attribution::IdlePolicy;
use kepler_core::sampler::Retention;
use kepler_core::snapshot::State;
use kepler_core::units::{Energy, ZoneKind};
use std::time::Duration;

const ID: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

fn draw(machine: &mut Machine, joules: f64) {
    machine.tree.draw(PACKAGE, Energy::from_joules(joules)).unwrap();
    machine.tree.draw(DRAM, Energy::from_joules(joules / 4.0)).unwrap();
}

#[test]
fn the_first_tick_counts_nothing() {
    let mut machine = Machine::new();
    machine.spawn(10, b"old", "/");
    machine.processes.work(10, 500, None).unwrap();
    let snapshot = machine.tick(1.0);
    assert_eq!(package(&snapshot).energy, Energy::ZERO);
    assert_eq!(package(&snapshot).power, None);
    assert_eq!(joules(process(&snapshot, 10, State::Running)), 0.0);
}

#[test]
fn active_energy_is_divided_by_cpu_time_and_the_rest_is_unattributed() {
    let mut machine = Machine::new();
    machine.spawn(10, b"a", "/");
    machine.spawn(11, b"b", "/");
    machine.tick(1.0);
    // 2 processors, 1 s: 0.4 s idle, 1.6 s busy, of which a used 0.8, b 0.4, and 0.4 is unattributed.
    machine.processes.work(10, 80, None).unwrap();
    machine.processes.work(11, 40, None).unwrap();
    machine.processes.work_unseen(40, None).unwrap();
    machine.processes.rest(40).unwrap();
    draw(&mut machine, 100.0);
    let snapshot = machine.tick(1.0);
    let zone = package(&snapshot);
    assert!((snapshot.node.usage_ratio - 0.8).abs() < 1e-9);
    assert_eq!(zone.energy, Energy::from_joules(100.0));
    assert!(near(zone.active_energy.joules(), 80.0) && near(zone.idle_energy.joules(), 20.0));
    assert!(near(joules(process(&snapshot, 10, State::Running)), 40.0));
    assert!(near(joules(process(&snapshot, 11, State::Running)), 20.0));
    assert!(near(zone.unattributed_energy.joules(), 20.0));
    let row = process(&snapshot, 10, State::Running).unwrap();
    assert!(near(row.power[ZoneKind::Package].watts(), 40.0));
    assert!(near(row.power[ZoneKind::Dram].watts(), 10.0));
}

#[test]
fn a_process_that_ended_between_two_ticks_is_not_charged_to_the_survivors() {
    let mut machine = Machine::new();
    machine.spawn(10, b"survivor", "/");
    machine.spawn(11, b"victim", "/");
    machine.tick(1.0);
    machine.processes.work(10, 50, None).unwrap();
    machine.processes.work(11, 150, None).unwrap();
    machine.processes.exit(11).unwrap();
    draw(&mut machine, 100.0);
    let snapshot = machine.tick(1.0);
    assert!(near(joules(process(&snapshot, 10, State::Running)), 25.0));
    assert!(near(package(&snapshot).unattributed_energy.joules(), 75.0));
}

#[test]
fn a_terminated_process_keeps_its_energy_for_the_time_of_retention() {
    let mut machine = Machine::new();
    machine.spawn(10, b"a", "/");
    machine.tick(1.0);
    machine.processes.work(10, 200, None).unwrap();
    draw(&mut machine, 100.0);
    machine.tick(1.0);
    machine.processes.exit(10).unwrap();
    for _ in 0..10 {
        let snapshot = machine.tick(59.0);
        assert!(process(&snapshot, 10, State::Running).is_none());
        let row = process(&snapshot, 10, State::Terminated);
        assert!(near(joules(row), 100.0));
        assert_eq!(row.unwrap().power[ZoneKind::Package].watts(), 0.0);
    }
    machine.tick(59.0);
    let snapshot = machine.tick(59.0);
    assert!(process(&snapshot, 10, State::Terminated).is_none());
    assert!(near(package(&snapshot).unlisted_energy.joules(), 100.0));
}

#[test]
fn a_reused_pid_is_another_process_and_starts_at_zero() {
    let mut machine = Machine::new();
    machine.spawn(10, b"first", "/");
    machine.tick(1.0);
    machine.processes.work(10, 200, None).unwrap();
    draw(&mut machine, 100.0);
    machine.tick(1.0);
    machine.processes.exit(10).unwrap();
    machine.spawn(10, b"second", "/");
    machine.processes.work(10, 100, None).unwrap();
    machine.processes.rest(100).unwrap();
    draw(&mut machine, 60.0);
    let snapshot = machine.tick(1.0);
    assert!(near(joules(process(&snapshot, 10, State::Terminated)), 100.0));
    assert!(near(joules(process(&snapshot, 10, State::Running)), 30.0));
    assert_eq!(process(&snapshot, 10, State::Running).unwrap().info.comm, "second");
}

#[test]
fn processes_of_one_pid_and_name_are_one_terminated_row() {
    let mut machine = Machine::new();
    machine.tick(1.0);
    for _ in 0..3 {
        machine.spawn(10, b"again", "/");
        machine.processes.work(10, 200, None).unwrap();
        draw(&mut machine, 10.0);
        machine.tick(1.0);
        machine.processes.exit(10).unwrap();
        machine.tick(1.0);
    }
    let snapshot = machine.tick(1.0);
    let rows: Vec<_> = snapshot.processes.iter().filter(|row| row.info.pid == 10).collect();
    assert_eq!(rows.len(), 1);
    assert!(near(joules(rows.first().copied()), 30.0));
}

#[test]
fn a_containers_short_lived_children_count_for_it() {
    let cgroup = format!("/docker/{ID}");
    let mut machine = Machine::new();
    machine.spawn(10, b"shell", &cgroup);
    machine.spawn(20, b"other", "/");
    machine.tick(1.0);
    // The shell itself uses 0.1 s; children that were never listed 0.9 s more, which the cgroup knows.
    machine.processes.work(10, 10, Some(&cgroup)).unwrap();
    machine.processes.work_unseen(90, Some(&cgroup)).unwrap();
    machine.processes.work(20, 50, None).unwrap();
    machine.processes.rest(50).unwrap();
    draw(&mut machine, 100.0);
    let snapshot = machine.tick(1.0);
    let container = snapshot.containers.first();
    assert_eq!(container.unwrap().info.id, ID);
    assert_eq!(container.unwrap().info.runtime, "docker");
    assert!(near(joules(container), 50.0));
    assert!(near(joules(process(&snapshot, 10, State::Running)), 5.0));
    assert!(near(joules(process(&snapshot, 20, State::Running)), 25.0));
    assert!(near(package(&snapshot).short_lived_energy.joules(), 45.0));
    assert_eq!(package(&snapshot).unattributed_energy, Energy::ZERO);
}

#[test]
fn a_containers_total_survives_its_processes_and_the_container_its_end() {
    let cgroup = format!("/docker/{ID}");
    let mut machine = Machine::new();
    machine.tick(1.0);
    for pid in 10..15 {
        machine.spawn(pid, b"step", &cgroup);
        machine.processes.work(pid, 200, Some(&cgroup)).unwrap();
        draw(&mut machine, 10.0);
        machine.tick(1.0);
        machine.processes.exit(pid).unwrap();
        let snapshot = machine.tick(1.0);
        assert_eq!(snapshot.containers.first().unwrap().state, State::Running);
    }
    machine.processes.remove_cgroup(&cgroup).unwrap();
    let snapshot = machine.tick(1.0);
    let container = snapshot.containers.first();
    assert!(near(joules(container), 50.0));
    assert_eq!(container.unwrap().state, State::Terminated);
    // Started again, it goes on where it was.
    machine.spawn(30, b"again", &cgroup);
    machine.processes.work(30, 200, Some(&cgroup)).unwrap();
    draw(&mut machine, 10.0);
    let snapshot = machine.tick(1.0);
    assert_eq!(snapshot.containers.len(), 1);
    assert_eq!(snapshot.containers.first().unwrap().state, State::Running);
    assert!(near(joules(snapshot.containers.first()), 60.0));
}

#[test]
fn a_pod_has_the_energy_of_its_containers_and_of_its_own_short_lived_work() {
    let pod = "/kubepods/burstable/pod7d9f2a3c-1b2c-4d5e-8f90-123456789abc";
    let (one, two) = (format!("{pod}/{ID}"), format!("{pod}/{}", ID.replace('0', "f")));
    let mut machine = Machine::new();
    machine.spawn(10, b"one", &one);
    machine.spawn(11, b"two", &two);
    // The pod's own cgroup exists as the parent of both.
    machine.processes.spawn(9, 1, b"pause", pod).unwrap();
    machine.tick(1.0);
    machine.processes.work(10, 60, Some(&one)).unwrap();
    machine.processes.work(11, 40, Some(&two)).unwrap();
    machine.processes.work_unseen(100, Some(&one)).unwrap();
    draw(&mut machine, 200.0);
    let snapshot = machine.tick(1.0);
    let of = |id: &str| snapshot.containers.iter().find(|row| row.info.id == id);
    assert!(near(joules(of(ID)), 160.0));
    assert!(near(joules(of(&ID.replace('0', "f"))), 40.0));
    assert_eq!(snapshot.pods.len(), 1);
    assert!(near(joules(snapshot.pods.first()), 200.0));
    assert_eq!(snapshot.pods.first().unwrap().info.id, "7d9f2a3c-1b2c-4d5e-8f90-123456789abc");
    assert_eq!(package(&snapshot).unattributed_energy, Energy::ZERO);
}

#[test]
fn a_systemd_unit_is_a_workload_too() {
    let mut machine = Machine::new();
    machine.spawn(10, b"nginx", "/system.slice/nginx.service");
    machine.tick(1.0);
    machine.processes.work(10, 200, Some("/system.slice/nginx.service")).unwrap();
    draw(&mut machine, 10.0);
    let snapshot = machine.tick(1.0);
    assert_eq!(snapshot.units.first().unwrap().info.name, "nginx.service");
    assert!(near(joules(snapshot.units.first()), 10.0));
    assert!(snapshot.containers.is_empty());
}

#[test]
fn accounting_noise_of_cgroups_does_not_add_up() {
    let cgroup = format!("/docker/{ID}");
    let mut machine = Machine::new();
    machine.spawn(10, b"busy", &cgroup);
    machine.tick(1.0);
    for round in 0..50 {
        // The cgroup is read a little later than the process in one tick, a little earlier in the next.
        machine.processes.work(10, 98, Some(&cgroup)).unwrap();
        if round % 2 == 0 {
            machine.processes.work_unseen(2, Some(&cgroup)).unwrap();
        } else {
            machine.processes.work(10, 2, None).unwrap();
        }
        machine.processes.rest(100).unwrap();
        draw(&mut machine, 10.0);
        machine.tick(1.0);
    }
    let snapshot = machine.tick(1.0);
    let short_lived = package(&snapshot).short_lived_energy.joules();
    assert!(short_lived < 0.2, "{short_lived} J of 250 J");
}

#[test]
fn workload_counters_go_on_through_intervals_without_energy() {
    let mut machine = Machine::new();
    machine.spawn(10, b"a", "/");
    machine.tick(1.0);
    machine.processes.work(10, 200, None).unwrap();
    draw(&mut machine, 10.0);
    machine.tick(1.0);
    machine.processes.work(10, 200, None).unwrap();
    machine.tick(1.0); // the counter stood still
    machine.processes.work(10, 200, None).unwrap();
    draw(&mut machine, 10.0);
    let snapshot = machine.tick(1.0);
    assert!(near(joules(process(&snapshot, 10, State::Running)), 20.0));
}

#[test]
fn only_those_above_the_threshold_stay_and_the_rest_is_not_lost() {
    let mut machine = Machine::with(IdlePolicy::Ratio, Retention::default().with(|retention| retention.max = Some(2)));
    for pid in 10..20 {
        machine.spawn(pid, b"p", "/");
    }
    machine.tick(1.0);
    for pid in 10..20 {
        machine.processes.work(pid, u64::from(pid), None).unwrap();
    }
    machine.processes.rest(55).unwrap();
    draw(&mut machine, 200.0);
    machine.tick(1.0);
    for pid in 10..20 {
        machine.processes.exit(pid).unwrap();
    }
    let snapshot = machine.tick(1.0);
    let mut left: Vec<u32> = snapshot.processes.iter().map(|row| row.info.pid).collect();
    left.sort_unstable();
    assert_eq!(left, [18, 19]);
    assert!(package(&snapshot).unlisted_energy > Energy::ZERO);
}

#[test]
fn names_that_are_not_utf8_are_kept_readable() {
    let mut machine = Machine::new();
    machine.spawn(10, b"ev\xffil ) 1 (x", "/");
    machine.tick(1.0);
    machine.processes.work(10, 200, None).unwrap();
    draw(&mut machine, 10.0);
    let snapshot = machine.tick(1.0);
    let row = process(&snapshot, 10, State::Running);
    assert_eq!(row.unwrap().info.comm, "ev\u{fffd}il ) 1 (x");
    assert!(near(joules(row), 10.0));
}

#[test]
fn a_process_born_in_the_interval_is_charged_for_all_its_work() {
    let mut machine = Machine::new();
    machine.tick(1.0);
    machine.spawn(10, b"new", "/");
    machine.processes.work(10, 50, None).unwrap();
    machine.processes.rest(150).unwrap();
    draw(&mut machine, 100.0);
    let snapshot = machine.tick(1.0);
    assert!(near(joules(process(&snapshot, 10, State::Running)), 25.0));
}

#[test]
fn the_learned_baseline_charges_a_steady_process_twenty_joules_a_cpu_second() {
    let mut machine = Machine::with(IdlePolicy::Baseline, Retention::default());
    machine.spawn(10, b"a", "/");
    machine.tick(1.0);
    // P = 40 W + 20 W per busy CPU, at changing load.
    for round in 0..40u64 {
        let busy = 10 + (round * 37) % 180;
        machine.processes.work(10, busy, None).unwrap();
        machine.processes.rest(200 - busy).unwrap();
        draw(&mut machine, 40.0 + 20.0 * crate::machine::seconds(busy));
        machine.tick(1.0);
    }
    let before = joules(process(&machine.tick(0.0), 10, State::Running));
    for _ in 0..10 {
        machine.processes.work(10, 100, None).unwrap();
        machine.processes.rest(100).unwrap();
        draw(&mut machine, 60.0);
        machine.tick(1.0);
    }
    let snapshot = machine.tick(0.0);
    let per_second = (joules(process(&snapshot, 10, State::Running)) - before) / 10.0;
    assert!((per_second - 20.0).abs() < 0.2, "{per_second} J per CPU second");
}

#[test]
fn the_interval_after_a_gap_counts_all_that_was_drawn_in_it() {
    let mut machine = Machine::new();
    machine.spawn(10, b"a", "/");
    machine.tick(1.0);
    machine.processes.work(10, 4000, None).unwrap();
    draw(&mut machine, 2000.0);
    machine.at = machine.at.advanced(Duration::from_secs(19));
    let snapshot = machine.tick(1.0);
    assert!(near(package(&snapshot).power.unwrap().total.watts(), 100.0));
}
