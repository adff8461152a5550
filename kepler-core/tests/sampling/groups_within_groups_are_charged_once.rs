//! Groups whose cgroups hold other groups, end while others stay, or come again. Needs the feature `sim`.
#![allow(clippy::unwrap_used, reason = "a machine that cannot be simulated fails the test")]

use crate::machine::{Machine, PACKAGE, Setup, joules, near, package, process};
use kepler_core::snapshot::{Snapshot, State};
use kepler_core::units::Energy;
use std::fs;

const ONE: &str = "1111111111111111111111111111111111111111111111111111111111111111";
const TWO: &str = "2222222222222222222222222222222222222222222222222222222222222222";
const UID: &str = "7d9f2a3c-1b2c-4d5e-8f90-123456789abc";

fn draw(machine: &mut Machine, joules: f64) {
    machine.tree.draw(PACKAGE, Energy::from_joules(joules)).unwrap();
}

fn container(snapshot: &Snapshot, id: &str) -> f64 {
    joules(snapshot.containers.iter().find(|row| row.info.id == id))
}

fn unit(snapshot: &Snapshot, name: &str) -> f64 {
    joules(snapshot.units.iter().find(|row| row.info.name == name))
}

#[test]
fn a_service_is_not_charged_for_the_containers_in_its_cgroup() {
    let service = "/system.slice/web.service";
    let inside = format!("{service}/libpod-payload-{ONE}");
    let mut machine = Machine::new();
    machine.spawn(10, b"conmon", service);
    machine.spawn(11, b"nginx", &inside);
    machine.tick(1.0);
    machine.processes.work(10, 20, Some(service)).unwrap();
    machine.processes.work(11, 100, Some(&inside)).unwrap();
    machine.processes.work_unseen(60, Some(&inside)).unwrap();
    machine.processes.work_unseen(20, Some(service)).unwrap();
    draw(&mut machine, 200.0);
    let snapshot = machine.tick(1.0);
    assert!(near(container(&snapshot, ONE), 160.0), "{}", container(&snapshot, ONE));
    assert!(near(unit(&snapshot, "web.service"), 40.0), "{}", unit(&snapshot, "web.service"));
    assert!(near(package(&snapshot).short_lived_energy.joules(), 80.0));
    assert_eq!(package(&snapshot).unattributed_energy, Energy::ZERO);
}

#[test]
fn a_node_that_is_a_container_is_not_charged_for_the_pods_in_it() {
    let node = format!("/docker/{ONE}");
    let inside = format!("{node}/kubelet/kubepods/burstable/pod{UID}/{TWO}");
    let mut machine = Machine::new();
    machine.spawn(10, b"kubelet", &node);
    machine.spawn(11, b"app", &inside);
    machine.tick(1.0);
    machine.processes.work(10, 40, Some(&node)).unwrap();
    machine.processes.work(11, 100, Some(&inside)).unwrap();
    machine.processes.work_unseen(60, Some(&inside)).unwrap();
    draw(&mut machine, 200.0);
    let snapshot = machine.tick(1.0);
    assert!(near(container(&snapshot, ONE), 40.0), "{}", container(&snapshot, ONE));
    assert!(near(container(&snapshot, TWO), 160.0), "{}", container(&snapshot, TWO));
    assert!(near(joules(snapshot.pods.first()), 160.0));
    let seconds = |id: &str| snapshot.containers.iter().find(|row| row.info.id == id).unwrap().cpu_time.as_secs_f64();
    assert!(near(seconds(ONE), 0.4) && near(seconds(TWO), 1.6), "time and energy are of the same work");
}

/// As containers that are not privileged have it on cgroup version 2.
#[test]
fn an_agent_in_a_cgroup_namespace_charges_pods_for_what_their_cgroups_used() {
    let agent = format!("/kubepods/burstable/pod{}/{ONE}", UID.replace('7', "8"));
    let pod = format!("/kubepods/burstable/pod{UID}/{TWO}");
    let mut machine = Machine::of(Setup { cgroup_namespace: Some(agent.clone()), ..Setup::default() });
    machine.spawn(10, b"kepler", &agent);
    machine.spawn(11, b"sh", &pod);
    for (process, shown) in [(10, "/".to_owned()), (11, format!("/../../pod{UID}/{TWO}"))] {
        fs::write(machine.processes.procfs().join(format!("{process}/cgroup")), format!("0::{shown}\n")).unwrap();
    }
    machine.tick(1.0);
    machine.processes.work(10, 40, Some(&agent)).unwrap();
    machine.processes.work(11, 20, Some(&pod)).unwrap();
    machine.processes.work_unseen(140, Some(&pod)).unwrap();
    draw(&mut machine, 200.0);
    let snapshot = machine.tick(1.0);
    assert!(near(container(&snapshot, ONE), 40.0), "{}", container(&snapshot, ONE));
    assert!(near(container(&snapshot, TWO), 160.0), "{}", container(&snapshot, TWO));
    assert!(snapshot.containers.iter().any(|row| row.info.cgroup == pod), "it is the host's path");
}

#[test]
fn a_container_started_again_between_two_ticks_keeps_its_account_and_its_accounting() {
    let cgroup = format!("/docker/{ONE}");
    let mut machine = Machine::new();
    machine.spawn(10, b"first", &cgroup);
    machine.tick(1.0);
    machine.processes.work(10, 200, Some(&cgroup)).unwrap();
    draw(&mut machine, 10.0);
    machine.tick(1.0);
    machine.processes.exit(10).unwrap();
    machine.processes.remove_cgroup(&cgroup).unwrap();
    machine.spawn(11, b"second", &cgroup);
    machine.tick(1.0);
    machine.processes.work_unseen(200, Some(&cgroup)).unwrap();
    draw(&mut machine, 10.0);
    let snapshot = machine.tick(1.0);
    assert_eq!(snapshot.containers.len(), 1);
    assert!(near(container(&snapshot, ONE), 20.0), "{}", container(&snapshot, ONE));
}

#[test]
fn a_pod_without_a_cgroup_stays_as_long_as_a_container_of_it() {
    // The systemd form of containerd without a directory for the pod.
    let slice = format!("kubepods-burstable-pod{}.slice", UID.replace('-', "_"));
    let cgroup = format!("/system.slice/containerd.service/{slice}:cri-containerd:{ONE}");
    let mut machine = Machine::new();
    machine.spawn(10, b"app", &cgroup);
    machine.tick(1.0);
    machine.processes.exit(10).unwrap();
    machine.tick(1.0);
    // Another group must not take the pod's place meanwhile, nor its energy.
    machine.spawn(20, b"other", "/system.slice/other.service");
    machine.spawn(21, b"again", &cgroup);
    machine.tick(1.0);
    machine.processes.work(21, 100, Some(&cgroup)).unwrap();
    machine.processes.rest(100).unwrap();
    draw(&mut machine, 100.0);
    let snapshot = machine.tick(1.0);
    assert!(near(joules(snapshot.pods.first()), 50.0));
    assert!(near(unit(&snapshot, "other.service"), 0.0));

    machine.processes.exit(21).unwrap();
    machine.processes.remove_cgroup(&cgroup).unwrap();
    let snapshot = machine.tick(1.0);
    assert_eq!(snapshot.pods.first().unwrap().state, State::Terminated, "both end at once");
    assert_eq!(snapshot.containers.first().unwrap().state, State::Terminated);
}

#[test]
fn an_accounting_that_fails_once_charges_nothing_twice() {
    let cgroup = format!("/docker/{ONE}");
    let mut machine = Machine::new();
    machine.spawn(10, b"app", &cgroup);
    machine.tick(1.0);
    let file = machine.processes.host(machine.tree.sysfs()).cgroup().join(format!("docker/{ONE}/cpu.stat"));
    for round in 0..6 {
        machine.processes.work(10, 100, Some(&cgroup)).unwrap();
        machine.processes.rest(100).unwrap();
        if round == 2 {
            fs::write(&file, "garbage").unwrap();
        }
        draw(&mut machine, 100.0);
        machine.tick(1.0);
    }
    let snapshot = machine.tick(1.0);
    assert!(near(container(&snapshot, ONE), 300.0), "{}", container(&snapshot, ONE));
    assert_eq!(package(&snapshot).short_lived_energy, Energy::ZERO);
}

#[test]
fn a_process_that_moves_is_charged_where_it_works() {
    let (one, two) = (format!("/docker/{ONE}"), format!("/docker/{TWO}"));
    let mut machine = Machine::new();
    machine.spawn(10, b"shell", &one);
    machine.spawn(11, b"other", &two);
    machine.tick(1.0);
    fs::write(machine.processes.procfs().join("10/cgroup"), format!("0::{two}\n")).unwrap();
    for _ in 0..30 {
        machine.processes.work(10, 100, Some(&two)).unwrap();
        machine.processes.rest(100).unwrap();
        draw(&mut machine, 100.0);
        machine.tick(1.0);
    }
    let before = machine.tick(1.0);
    machine.processes.work(10, 100, Some(&two)).unwrap();
    // What the first group was shown too much must not hide others' work in it for long.
    machine.processes.work_unseen(100, Some(&one)).unwrap();
    draw(&mut machine, 100.0);
    let after = machine.tick(1.0);
    let risen = |id| container(&after, id) - container(&before, id);
    assert!(near(risen(TWO), 50.0), "{}", risen(TWO));
    assert!((44.0..=50.001).contains(&risen(ONE)), "{}", risen(ONE));
    assert_eq!(process(&after, 10, State::Running).unwrap().info.container.as_ref().unwrap().id, TWO);
}
