//! Attribution where it is known on which processors work was done, and what it cost them. Needs the feature `sim`.
#![allow(clippy::unwrap_used, reason = "a machine that cannot be simulated fails the test")]

use crate::machine::{DRAM, Machine, PACKAGE, SECOND, Setup, joules, near, package, process};
use crate::seen::Seen;
use kepler_core::attribution::{IdlePolicy, Weight, Weights};
use kepler_core::snapshot::{Snapshot, State};
use kepler_core::units::{Energy, ZoneKind};
use kepler_core::usage::Work;
use proptest::prelude::*;

const ID: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
const UID: &str = "7d9f2a3c-1b2c-4d5e-8f90-123456789abc";
fn of(snapshot: &Snapshot, pid: u32) -> f64 {
    joules(process(snapshot, pid, State::Running))
}

fn nothing_counted(_: &mut Work) {}

#[test]
fn each_process_is_charged_for_its_own_socket() {
    let mut seen = Seen::two_sockets(Setup::default());
    (10..12).for_each(|pid| seen.spawn(pid, "/"));
    seen.tick();
    // Both sockets are fully busy, but one draws five times as much.
    seen.work(10, 0, 100, None, nothing_counted);
    seen.work(11, 1, 100, None, nothing_counted);
    seen.draw(&[(PACKAGE, 100.0), (SECOND, 20.0)]);
    let snapshot = seen.tick();
    assert!(near(of(&snapshot, 10), 100.0) && near(of(&snapshot, 11), 20.0), "{}", of(&snapshot, 10));
    assert_eq!(package(&snapshot).unattributed_energy, Energy::ZERO);
    assert_eq!(&*package(&snapshot).path, "aggregated-package");
}

#[test]
fn each_socket_is_shown_and_one_alone_is_not() {
    let mut seen = Seen::two_sockets(Setup::default());
    seen.spawn(10, "/");
    let first = seen.tick();
    assert!(package(&first).sockets.iter().all(|socket| socket.power.is_none()), "read once so far");
    for _ in 0..2 {
        seen.work(10, 0, 100, None, nothing_counted);
        seen.idle(1, 100);
        seen.draw(&[(PACKAGE, 100.0), (SECOND, 20.0)]);
        seen.tick();
    }
    seen.idle(0, 100);
    seen.idle(1, 100);
    seen.draw(&[(PACKAGE, 30.0), (SECOND, 10.0)]);
    let snapshot = seen.tick();
    let shown = package(&snapshot).sockets.iter();
    let mut shown: Vec<_> = shown.map(|one| (one.socket, one.energy.joules(), one.power.unwrap().watts())).collect();
    shown.sort_by_key(|one| one.0);
    assert!(near(shown[0].1, 230.0) && near(shown[1].1, 50.0), "{shown:?}");
    assert!(near(shown[0].2, 30.0) && near(shown[1].2, 10.0), "{shown:?}");
    assert!(near(package(&snapshot).energy.joules(), 280.0), "together they are the zone");
    let mut single = Seen::new(Setup::default());
    single.tick();
    assert!(package(&single.tick()).sockets.is_empty());
}

#[test]
fn an_idle_socket_costs_no_process_anything() {
    let mut seen = Seen::two_sockets(Setup::default());
    seen.spawn(10, "/");
    seen.tick();
    seen.work(10, 0, 100, None, nothing_counted);
    seen.idle(1, 100);
    seen.draw(&[(PACKAGE, 100.0), (SECOND, 20.0)]);
    let snapshot = seen.tick();
    assert!(near(of(&snapshot, 10), 100.0), "{}", of(&snapshot, 10));
    assert!(near(package(&snapshot).idle_energy.joules(), 20.0));
    assert!(near(package(&snapshot).power.unwrap().active.watts(), 100.0));
}

#[test]
fn what_runs_on_both_sockets_pays_on_both() {
    let mut seen = Seen::two_sockets(Setup::default());
    (10..12).for_each(|pid| seen.spawn(pid, "/"));
    seen.tick();
    seen.work(10, 0, 50, None, nothing_counted);
    seen.work(11, 0, 50, None, nothing_counted);
    seen.work(11, 1, 25, None, nothing_counted);
    seen.idle(1, 75);
    seen.draw(&[(PACKAGE, 100.0), (SECOND, 40.0)]);
    let snapshot = seen.tick();
    assert!(near(of(&snapshot, 10), 50.0) && near(of(&snapshot, 11), 60.0), "{}", of(&snapshot, 11));
}

#[test]
fn a_source_that_does_not_know_where_divides_all_sockets_at_once() {
    let mut machine = Machine::of(Setup { second_socket: true, packages: Some([0, 1]), ..Setup::default() });
    (10..12).for_each(|pid| machine.spawn(pid, b"worker", "/"));
    machine.tick(1.0);
    machine.processes.work_on(0, 10, 100, None).unwrap();
    machine.processes.work_on(1, 11, 100, None).unwrap();
    machine.tree.draw(PACKAGE, Energy::from_joules(100.0)).unwrap();
    machine.tree.draw(SECOND, Energy::from_joules(20.0)).unwrap();
    let snapshot = machine.tick(1.0);
    assert!(near(of(&snapshot, 10), 60.0) && near(of(&snapshot, 11), 60.0));
    assert_eq!(snapshot.node.weights[ZoneKind::Package], Some(Weight::Time));
    assert_eq!(snapshot.node.weights[ZoneKind::Core], None);
}

#[test]
fn what_no_process_accounts_for_stays_on_its_socket_and_unattributed() {
    let mut seen = Seen::two_sockets(Setup::default());
    (10..12).for_each(|pid| seen.spawn(pid, "/"));
    seen.tick();
    seen.work(10, 0, 25, None, nothing_counted);
    seen.machine.processes.work_unseen_on(0, 75, None).unwrap();
    seen.work(11, 1, 100, None, nothing_counted);
    seen.draw(&[(PACKAGE, 100.0), (SECOND, 20.0)]);
    let snapshot = seen.tick();
    assert!(near(of(&snapshot, 10), 25.0) && near(of(&snapshot, 11), 20.0));
    assert!(near(package(&snapshot).unattributed_energy.joules(), 75.0));
}

#[test]
fn a_containers_unseen_work_was_where_processors_were_busy_with_no_known_process() {
    let cgroup = format!("/kubepods/burstable/pod{UID}/{ID}");
    let mut seen = Seen::two_sockets(Setup::default());
    seen.spawn(10, &cgroup);
    seen.spawn(11, "/");
    seen.tick();
    seen.work(10, 0, 50, Some(&cgroup), nothing_counted);
    seen.machine.processes.work_unseen_on(0, 50, Some(&cgroup)).unwrap();
    seen.work(11, 1, 100, None, nothing_counted);
    seen.draw(&[(PACKAGE, 100.0), (SECOND, 20.0)]);
    let snapshot = seen.tick();
    let container = joules(snapshot.containers.first());
    assert!(near(container, 100.0) && near(of(&snapshot, 11), 20.0), "{container}");
    assert!(near(joules(snapshot.pods.first()), 100.0));
    assert!(near(package(&snapshot).short_lived_energy.joules(), 50.0));
}

#[test]
fn units_get_the_energy_of_their_processes_sockets() {
    let mut seen = Seen::two_sockets(Setup::default());
    seen.spawn(10, "/system.slice/one.service");
    seen.spawn(11, "/system.slice/two.service");
    seen.tick();
    seen.work(10, 0, 100, Some("/system.slice/one.service"), nothing_counted);
    seen.work(11, 1, 100, Some("/system.slice/two.service"), nothing_counted);
    seen.draw(&[(PACKAGE, 100.0), (SECOND, 20.0)]);
    let snapshot = seen.tick();
    let unit = |name: &str| joules(snapshot.units.iter().find(|row| row.info.name == name));
    assert!(near(unit("one.service"), 100.0) && near(unit("two.service"), 20.0));
}

#[test]
fn each_socket_has_an_idle_power_of_its_own() {
    let mut seen = Seen::two_sockets(Setup { policy: IdlePolicy::Baseline, ..Setup::default() });
    (10..12).for_each(|pid| seen.spawn(pid, "/"));
    seen.tick();
    // 40 W + 20 W and 10 W + 50 W per busy CPU, at loads that change independently of each other.
    for round in 0..60u64 {
        let busy = [10 + (round * 37) % 90, 10 + (round * 53) % 90];
        seen.work(10, 0, busy[0], None, nothing_counted);
        seen.work(11, 1, busy[1], None, nothing_counted);
        seen.idle(0, 100 - busy[0]);
        seen.idle(1, 100 - busy[1]);
        let power = busy.map(crate::machine::seconds);
        seen.draw(&[(PACKAGE, 40.0 + 20.0 * power[0]), (SECOND, 10.0 + 50.0 * power[1])]);
        seen.tick();
    }
    let before = seen.machine.tick(0.0);
    for _ in 0..10 {
        seen.work(10, 0, 100, None, nothing_counted);
        seen.work(11, 1, 50, None, nothing_counted);
        seen.idle(1, 50);
        seen.draw(&[(PACKAGE, 60.0), (SECOND, 35.0)]);
        seen.tick();
    }
    let after = seen.machine.tick(0.0);
    let risen = |pid| (of(&after, pid) - of(&before, pid)) / 10.0;
    assert!((risen(10) - 20.0).abs() < 0.3, "{}", risen(10));
    assert!((risen(11) - 25.0).abs() < 0.3, "{}", risen(11));
}

#[test]
fn package_energy_goes_by_cycles_and_memory_by_cache_misses_where_they_are_counted() {
    let mut seen = Seen::new(Setup::default());
    (10..12).for_each(|pid| seen.spawn(pid, "/"));
    seen.tick();
    let counted =
        |cycles, misses| move |work: &mut Work| (work.cycles, work.cache_misses) = (Some(cycles), Some(misses));
    seen.work(10, 0, 100, None, |work| counted(3_000, 10)(work));
    seen.script.lock().unwrap().by_domain.last_mut().unwrap().domain = 0;
    seen.work(11, 1, 100, None, |work| counted(1_000, 90)(work));
    seen.script.lock().unwrap().by_domain.last_mut().unwrap().domain = 0;
    seen.draw(&[(PACKAGE, 100.0), (DRAM, 20.0)]);
    let snapshot = seen.tick();
    assert!(near(of(&snapshot, 10), 75.0) && near(of(&snapshot, 11), 25.0), "{}", of(&snapshot, 10));
    let dram = |pid| process(&snapshot, pid, State::Running).unwrap().energy[ZoneKind::Dram].joules();
    assert!(near(dram(10), 2.0) && near(dram(11), 18.0), "{}", dram(10));
    let weights = snapshot.node.weights;
    assert_eq!(weights[ZoneKind::Package], Some(Weight::Cycles));
    assert_eq!(weights[ZoneKind::Dram], Some(Weight::CacheMisses));
}

#[test]
fn uncounted_cycles_are_not_spread_over_counted_processes() {
    let mut seen = Seen::new(Setup::default());
    seen.spawn(10, "/");
    seen.tick();
    seen.work(10, 0, 50, None, |work| work.cycles = Some(1_000));
    seen.machine.processes.work_unseen(150, None).unwrap();
    seen.draw(&[(PACKAGE, 100.0)]);
    let snapshot = seen.tick();
    assert!(near(of(&snapshot, 10), 25.0), "{}", of(&snapshot, 10));
    assert!(near(package(&snapshot).unattributed_energy.joules(), 75.0));
}

#[test]
fn a_counter_missing_for_one_is_used_for_none() {
    let mut seen = Seen::two_sockets(Setup::default());
    (10..12).for_each(|pid| seen.spawn(pid, "/"));
    seen.tick();
    seen.work(10, 0, 60, None, |work| work.cycles = Some(1_000));
    seen.work(11, 0, 40, None, nothing_counted);
    seen.idle(1, 100);
    seen.draw(&[(PACKAGE, 100.0)]);
    let snapshot = seen.tick();
    assert_eq!(snapshot.node.weights[ZoneKind::Package], Some(Weight::Time));
    assert!(near(of(&snapshot, 10), 60.0) && near(of(&snapshot, 11), 40.0));
}

#[test]
fn a_weight_is_used_as_asked_for_and_time_where_it_is_not_counted() {
    let mut weights = Weights::default();
    weights[ZoneKind::Package] = Some(Weight::Instructions);
    weights[ZoneKind::Dram] = Some(Weight::Cycles);
    let mut seen = Seen::new(Setup { weights, ..Setup::default() });
    (10..12).for_each(|pid| seen.spawn(pid, "/"));
    seen.tick();
    seen.work(10, 0, 100, None, |work| work.instructions = Some(900));
    seen.work(11, 0, 100, None, |work| work.instructions = Some(100));
    seen.draw(&[(PACKAGE, 100.0), (DRAM, 10.0)]);
    let snapshot = seen.tick();
    assert!(near(of(&snapshot, 10), 90.0) && near(of(&snapshot, 11), 10.0));
    let dram = |pid| process(&snapshot, pid, State::Running).unwrap().energy[ZoneKind::Dram].joules();
    assert!(near(dram(10), 5.0) && near(dram(11), 5.0), "{}", dram(10));
    assert_eq!(snapshot.node.weights[ZoneKind::Package], Some(Weight::Instructions));
    assert_eq!(snapshot.node.weights[ZoneKind::Dram], Some(Weight::Time));
}

#[test]
fn time_on_a_slow_core_of_a_hybrid_weighs_less() {
    let files = vec![
        ("devices/cpu_core/cpus", "0\n"),
        ("devices/cpu_atom/cpus", "1\n"),
        ("devices/system/cpu/cpu0/acpi_cppc/highest_perf", "64\n"),
        ("devices/system/cpu/cpu1/acpi_cppc/highest_perf", "32\n"),
    ];
    let mut seen = Seen::new(Setup { packages: Some([0, 0]), sysfs_files: files, ..Setup::default() });
    (10..12).for_each(|pid| seen.spawn(pid, "/"));
    seen.tick();
    seen.work(10, 0, 100, None, nothing_counted);
    seen.work(11, 1, 50, None, nothing_counted);
    seen.machine.processes.work_unseen_on(1, 50, None).unwrap();
    seen.draw(&[(PACKAGE, 120.0)]);
    let snapshot = seen.tick();
    // 1 s at full capacity, 1 s at half of it.
    assert!(near(of(&snapshot, 10), 80.0) && near(of(&snapshot, 11), 20.0), "{}", of(&snapshot, 11));
    assert!(near(package(&snapshot).unattributed_energy.joules(), 20.0));
}

#[test]
fn a_place_that_does_not_exist_is_no_place() {
    let mut seen = Seen::two_sockets(Setup::default());
    seen.spawn(10, "/");
    seen.tick();
    seen.work(10, 0, 100, None, nothing_counted);
    seen.work(10, 1, 100, None, nothing_counted);
    seen.script.lock().unwrap().by_domain.last_mut().unwrap().domain = 77;
    seen.draw(&[(PACKAGE, 100.0), (SECOND, 20.0)]);
    let snapshot = seen.tick();
    assert!(near(of(&snapshot, 10), 120.0), "{}", of(&snapshot, 10));
}

/// One step in the life of a machine of two sockets.
#[derive(Clone, Debug)]
enum Step {
    Work { pid: u32, processor: u16, ticks: u64, cycles: Option<u64>, misses: Option<u64> },
    Unseen { processor: usize, ticks: u64, in_container: bool },
    Idle { processor: usize, ticks: u64 },
    Draw { zone: usize, microjoules: u64 },
    Exit { pid: u32 },
    Tick,
}

fn step() -> impl Strategy<Value = Step> {
    let count = || prop::option::weighted(0.9, 0u64..1 << 40);
    prop_oneof![
        6 => (10u32..16, 0u16..3, 0u64..200, count(), count())
            .prop_map(|(pid, processor, ticks, cycles, misses)| Step::Work { pid, processor, ticks, cycles, misses }),
        2 => (0usize..2, 0u64..100, any::<bool>())
            .prop_map(|(processor, ticks, in_container)| Step::Unseen { processor, ticks, in_container }),
        2 => (0usize..2, 0u64..200).prop_map(|(processor, ticks)| Step::Idle { processor, ticks }),
        4 => (0usize..3, 0u64..300_000_000).prop_map(|(zone, microjoules)| Step::Draw { zone, microjoules }),
        1 => (10u32..16).prop_map(|pid| Step::Exit { pid }),
        3 => Just(Step::Tick),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// The books are checked to the microjoule at each tick.
    #[test]
    fn no_energy_is_lost_or_made_wherever_processes_run(
        steps in prop::collection::vec(step(), 1..60),
        baseline in any::<bool>(),
        weight in prop::option::of(0usize..4),
    ) {
        let mut weights = Weights::default();
        weights[ZoneKind::Package] = weight.and_then(|weight| Weight::ALL.get(weight).copied());
        let policy = if baseline { IdlePolicy::Baseline } else { IdlePolicy::Ratio };
        let mut seen = Seen::two_sockets(Setup { policy, weights, ..Setup::default() });
        let cgroup = format!("/docker/{ID}");
        let in_container = |pid: u32| pid.is_multiple_of(2).then_some(cgroup.as_str());
        for step in steps {
            match step {
                Step::Work { pid, processor, ticks, cycles, misses } => {
                    if !seen.script.lock().unwrap().totals.contains_key(&pid) {
                        seen.spawn(pid, in_container(pid).unwrap_or("/"));
                    }
                    // The third is a domain that is not there; the work itself is done somewhere.
                    seen.work(pid, processor % 2, ticks, in_container(pid), |work| {
                        (work.cycles, work.cache_misses) = (cycles, misses);
                    });
                    seen.script.lock().unwrap().by_domain.last_mut().unwrap().domain = processor;
                }
                Step::Unseen { processor, ticks, in_container: true } if seen.script.lock().unwrap().totals.contains_key(&10) => {
                    seen.machine.processes.work_unseen_on(processor, ticks, Some(&cgroup)).unwrap();
                }
                Step::Unseen { processor, ticks, .. } => {
                    seen.machine.processes.work_unseen_on(processor, ticks, None).unwrap();
                }
                Step::Idle { processor, ticks } => seen.idle(processor, ticks),
                Step::Draw { zone, microjoules } => {
                    let zone = [PACKAGE, SECOND, DRAM][zone];
                    seen.machine.tree.draw(zone, Energy::from_microjoules(microjoules)).unwrap();
                }
                Step::Exit { pid } => {
                    if seen.script.lock().unwrap().totals.contains_key(&pid) {
                        seen.exit(pid);
                    }
                }
                Step::Tick => drop(seen.tick()),
            }
        }
        seen.tick();
    }
}
