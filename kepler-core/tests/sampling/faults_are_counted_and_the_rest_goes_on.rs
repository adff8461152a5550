//! What a hostile or failing host does to a simulated machine. Needs the feature `sim`.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use crate::machine::{DRAM, Machine, PACKAGE, SECOND, joules, near, package, process};
use kepler_core::attribution::IdlePolicy;
use kepler_core::host::{Host, Timestamp};
use kepler_core::sampler::{Retention, Sampler};
use kepler_core::snapshot::{Snapshot, State};
use kepler_core::units::{Energy, ZoneKind};
use kepler_core::usage::{Usage, UsageSource};
use proptest::prelude::*;
use std::fs;

fn faults(snapshot: &Snapshot, source: &str) -> u64 {
    snapshot.faults.iter().filter(|fault| fault.source == source).map(|fault| fault.count).sum()
}

#[test]
fn a_zone_full_of_garbage_is_counted_and_the_others_go_on() {
    let mut machine = Machine::new();
    machine.tick(1.0);
    fs::write(machine.tree.zone(DRAM).unwrap().join("energy_uj"), "garbage\n").unwrap();
    machine.tree.draw(PACKAGE, Energy::from_joules(50.0)).unwrap();
    machine.processes.work_unseen(200, None).unwrap();
    let snapshot = machine.tick(1.0);
    assert!(near(package(&snapshot).energy.joules(), 50.0));
    let dram = snapshot.node.zones[ZoneKind::Dram].as_ref().unwrap();
    assert!(dram.power.is_none(), "a zone that could not be read has no power, not zero");
    assert_eq!(faults(&snapshot, "powercap"), 1);
    // Once it can be read again, what it counted meanwhile is found.
    machine.tree.draw(DRAM, Energy::from_joules(8.0)).unwrap();
    machine.processes.work_unseen(200, None).unwrap();
    let snapshot = machine.tick(1.0);
    let dram = snapshot.node.zones[ZoneKind::Dram].as_ref().unwrap();
    assert!(near(dram.energy.joules(), 8.0));
    assert!(near(dram.power.unwrap().total.watts(), 4.0), "8 J in 2 s");
}

#[test]
fn a_reset_makes_no_spike_and_is_counted() {
    let mut machine = Machine::new();
    machine.tick(1.0);
    machine.tree.draw(PACKAGE, Energy::from_joules(100.0)).unwrap();
    machine.tick(1.0);
    machine.tree.reset(PACKAGE, Energy::from_joules(5.0)).unwrap();
    let snapshot = machine.tick(1.0);
    assert!(near(package(&snapshot).energy.joules(), 105.0));
    assert_eq!(package(&snapshot).events.resets, 1);
}

#[test]
fn a_wrap_loses_nothing_and_is_counted() {
    let mut machine = Machine::new();
    machine.tree.reset(PACKAGE, Energy::from_joules(262_100.0)).unwrap();
    machine.tick(1.0);
    machine.tree.draw(PACKAGE, Energy::from_joules(100.0)).unwrap();
    let snapshot = machine.tick(1.0);
    assert!(near(package(&snapshot).energy.joules(), 100.0));
    assert_eq!(package(&snapshot).events.wraps, 1);
}

#[test]
fn without_the_nodes_cpu_times_processes_are_still_charged() {
    let mut machine = Machine::new();
    machine.spawn(10, b"a", "/");
    machine.tick(1.0);
    fs::write(machine.processes.procfs().join("stat"), "").unwrap();
    machine.processes.work(10, 100, None).unwrap();
    fs::write(machine.processes.procfs().join("stat"), "nothing\n").unwrap();
    machine.tree.draw(PACKAGE, Energy::from_joules(50.0)).unwrap();
    let snapshot = machine.tick(1.0);
    assert_eq!(faults(&snapshot, "cpu"), 1);
    assert!(joules(process(&snapshot, 10, State::Running)) > 0.0);
}

#[test]
fn a_process_that_cannot_be_read_is_counted_and_the_others_go_on() {
    let mut machine = Machine::new();
    machine.spawn(10, b"a", "/");
    machine.spawn(11, b"b", "/");
    machine.tick(1.0);
    machine.processes.work(10, 100, None).unwrap();
    fs::write(machine.processes.procfs().join("11/stat"), "garbage").unwrap();
    machine.tree.draw(PACKAGE, Energy::from_joules(50.0)).unwrap();
    let snapshot = machine.tick(1.0);
    assert!(faults(&snapshot, "procfs") >= 1);
    assert!(joules(process(&snapshot, 10, State::Running)) > 0.0);
}

#[test]
fn a_host_without_any_meter_is_estimated_and_says_so() {
    let root = tempfile::tempdir().unwrap();
    let host = kepler_core::host::Host::default().with_sysfs(root.path()).with_msr(root.path());
    let mut sampler = kepler_core::sampler::Sampler::new(&host, Default::default()).unwrap();
    sampler.tick();
    std::thread::sleep(std::time::Duration::from_millis(250));
    let snapshot = sampler.tick();
    let zone = package(&snapshot);
    assert_eq!((zone.source, zone.method.name()), ("model", "estimated"));
    assert!(zone.power.unwrap().total.watts() > 0.0);
    assert!(
        sampler
            .unavailable()
            .iter()
            .any(|unavailable| unavailable.source_name == "powercap" && !unavailable.remedy.is_none())
    );
}

#[test]
fn a_package_that_vanishes_gives_way_to_the_estimate_and_comes_back() {
    use kepler_core::meter::chain::Source;
    let root = tempfile::tempdir().unwrap();
    let mut tree = kepler_core::sim::PowercapTree::create(root.path()).unwrap();
    tree.add_zone(PACKAGE, "package-0", Energy::from_joules(10.0)).unwrap();
    let options = kepler_core::sampler::SamplerOptions::default();
    let options = options.with(|options| options.chain.sources = vec![Source::Powercap, Source::Model]);
    let mut sampler = kepler_core::sampler::Sampler::new(&tree.host(), options).unwrap();
    let mut at = kepler_core::host::Timestamp::now();
    let mut tick = |sampler: &mut kepler_core::sampler::Sampler| {
        at = at.advanced(std::time::Duration::from_secs(1));
        let snapshot = sampler.tick_at(at);
        (package(&snapshot).source, package(&snapshot).energy)
    };
    assert_eq!(tick(&mut sampler).0, "powercap");
    tree.draw(PACKAGE, Energy::from_joules(5.0)).unwrap();
    let (_, before) = tick(&mut sampler);
    assert_eq!(before, Energy::from_joules(5.0));

    let counter = tree.zone(PACKAGE).unwrap().join("energy_uj");
    fs::write(&counter, "gone").unwrap();
    let sources: Vec<_> = (0..6).map(|_| tick(&mut sampler)).collect();
    assert_eq!(sources.last().unwrap().0, "model");
    assert!(sources.iter().all(|(_, energy)| *energy >= before), "the counter goes on");

    fs::write(&counter, "1000\n").unwrap();
    let sources: Vec<_> = (0..40).map(|_| tick(&mut sampler).0).collect();
    assert_eq!(sources.last(), Some(&"powercap"));
}

#[test]
fn a_socket_that_cannot_be_read_leaves_the_nodes_power_unknown_not_halved() {
    let mut machine = Machine::with_second_socket(IdlePolicy::Ratio);
    machine.tick(1.0);
    let mut step = |garbage: bool| {
        machine.tree.draw(PACKAGE, Energy::from_joules(50.0)).unwrap();
        machine.tree.draw(SECOND, Energy::from_joules(30.0)).unwrap();
        if garbage {
            fs::write(machine.tree.zone(SECOND).unwrap().join("energy_uj"), "garbage\n").unwrap();
        }
        let snapshot = machine.tick(1.0);
        (package(&snapshot).energy.joules(), package(&snapshot).power.map(|power| power.total.watts()))
    };
    assert_eq!(step(false), (80.0, Some(80.0)));
    assert_eq!(step(true), (130.0, None));
    assert_eq!(step(false), (240.0, Some(80.0)), "and it is all made up for");
}

#[test]
fn a_socket_that_is_missed_for_a_while_does_not_change_what_idling_costs() {
    let mut machine = Machine::with_second_socket(IdlePolicy::Baseline);
    let mut idle = 0.0;
    for round in 0..40u64 {
        let busy = (round * 37) % 200;
        machine.processes.work_unseen(busy, None).unwrap();
        machine.processes.rest(200 - busy).unwrap();
        for zone in [PACKAGE, SECOND] {
            machine.tree.draw(zone, Energy::from_joules(40.0 + crate::machine::seconds(busy) * 10.0)).unwrap();
        }
        if (20..25).contains(&round) {
            fs::write(machine.tree.zone(SECOND).unwrap().join("energy_uj"), "garbage\n").unwrap();
        }
        let snapshot = machine.tick(1.0);
        if round == 19 {
            idle = package(&snapshot).idle_energy.joules();
            assert_eq!(package(&snapshot).idle_policy, IdlePolicy::Baseline);
        }
        if round == 29 {
            idle = package(&snapshot).idle_energy.joules() - idle;
        }
    }
    assert!((idle - 800.0).abs() < 8.0, "{idle} J in ten seconds at 80 W");
}

#[test]
fn what_a_sleeping_machine_draws_makes_no_spike_and_is_not_attributed() {
    let mut machine = Machine::with(IdlePolicy::Baseline, Retention::default());
    machine.spawn(10, b"a", "/");
    machine.tick(1.0);
    for _ in 0..10 {
        machine.processes.work(10, 2, None).unwrap();
        machine.processes.rest(198).unwrap();
        machine.tree.draw(PACKAGE, Energy::from_joules(40.0)).unwrap();
        machine.tick(1.0);
    }
    let before = machine.tick(0.0);
    // An hour of suspend to idle at 1 W: the counter went on.
    machine.at.boottime += std::time::Duration::from_secs(3600);
    machine.processes.work(10, 2, None).unwrap();
    machine.processes.rest(198).unwrap();
    machine.tree.draw(PACKAGE, Energy::from_joules(3640.0)).unwrap();
    let after = machine.tick(1.0);
    assert!(near(package(&after).energy.joules() - package(&before).energy.joules(), 3640.0));
    let watts = package(&after).power.unwrap().total.watts();
    assert!((1.0..2.0).contains(&watts), "{watts}");
    assert_eq!(package(&after).active_energy, package(&before).active_energy);
}

#[test]
fn missed_cpu_times_do_not_make_the_next_interval_look_twice_as_busy() {
    let mut machine = Machine::new();
    machine.spawn(10, b"a", "/");
    machine.tick(1.0);
    let mut step = |garbage: bool| {
        machine.processes.work(10, 60, None).unwrap();
        machine.processes.rest(140).unwrap();
        if garbage {
            fs::write(machine.processes.procfs().join("stat"), "garbage\n").unwrap();
        }
        machine.tick(1.0).node.usage_ratio
    };
    assert!(near(step(false), 0.3));
    step(true);
    assert!(near(step(false), 0.3));
    assert!(near(step(false), 0.3));
}

#[test]
fn counters_read_between_two_ticks_go_round_unharmed() {
    let mut machine = Machine::new();
    machine.tick(1.0);
    let gap = machine.sampler.longest_gap().unwrap();
    assert!(gap > std::time::Duration::from_secs(100), "{gap:?}");
    // Ten minutes at 1 kW, more than two rounds of the counter.
    for _ in 0..10 {
        machine.tree.draw(PACKAGE, Energy::from_joules(60_000.0)).unwrap();
        machine.at = machine.at.advanced(std::time::Duration::from_secs(60));
        machine.sampler.keep_up_at(machine.at);
    }
    let snapshot = machine.tick(0.0);
    assert!(near(package(&snapshot).energy.joules(), 600_000.0));
    assert!(near(package(&snapshot).power.unwrap().total.watts(), 1000.0));
    let events = package(&snapshot).events;
    assert_eq!((events.wraps, events.ambiguous), (2, 0));
}

#[test]
fn a_procfs_that_cannot_be_listed_is_counted_and_the_node_is_still_measured() {
    let mut machine = Machine::new();
    machine.spawn(10, b"a", "/");
    machine.tick(1.0);
    machine.processes.work(10, 200, None).unwrap();
    machine.tree.draw(PACKAGE, Energy::from_joules(50.0)).unwrap();
    machine.tick(1.0);
    fs::remove_dir_all(machine.processes.procfs()).unwrap();
    machine.tree.draw(PACKAGE, Energy::from_joules(50.0)).unwrap();
    let snapshot = machine.tick(1.0);
    assert_eq!(faults(&snapshot, "procfs"), 1);
    assert!(near(package(&snapshot).energy.joules(), 100.0));
    // No process is known to have ended: what was charged stays listed.
    assert!(near(joules(process(&snapshot, 10, State::Running)), 50.0));
}

/// Where a process can be: nowhere in particular, in a container, in a pod's container on a node that is
/// itself a container, in a service that holds that container, and in a pod but none of its containers.
fn places() -> Vec<String> {
    let (outer, inner, pod) = ("ab".repeat(32), "cd".repeat(32), "7d9f2a3c-1b2c-4d5e-8f90-123456789abc");
    let service = "/system.slice/web.service".to_owned();
    let container = format!("{service}/libpod-payload-{outer}");
    let pod = format!("{container}/kubepods/burstable/pod{pod}");
    let nested = format!("{pod}/{inner}");
    vec!["/".to_owned(), container, nested, service, pod]
}

/// Anything that can happen to a machine between two ticks. Places are numbers of [`places`].
#[derive(Clone, Debug)]
enum Event {
    Spawn(u32, usize),
    Work(u32, u64),
    Unseen(u64, usize),
    Exit(u32),
    Reuse(u32),
    Move(u32, usize),
    RemoveGroup(usize),
    Draw(f64),
    Reset(f64),
    Garbage,
    GarbageTimes,
    Rest(u64),
    Sleep(u64),
    KeepUp(f64),
    Tick(f64),
}

fn event() -> impl Strategy<Value = Event> {
    let (pid, place) = (10u32..20, 0usize..5);
    prop_oneof![
        (pid.clone(), place.clone()).prop_map(|(pid, place)| Event::Spawn(pid, place)),
        (pid.clone(), 0u64..300).prop_map(|(pid, ticks)| Event::Work(pid, ticks)),
        (0u64..300, place.clone()).prop_map(|(ticks, place)| Event::Unseen(ticks, place)),
        pid.clone().prop_map(Event::Exit),
        pid.clone().prop_map(Event::Reuse),
        (pid, place.clone()).prop_map(|(pid, place)| Event::Move(pid, place)),
        (1usize..5).prop_map(Event::RemoveGroup),
        (0.0f64..5000.0).prop_map(Event::Draw),
        (0.0f64..262_000.0).prop_map(Event::Reset),
        Just(Event::Garbage),
        Just(Event::GarbageTimes),
        (0u64..400).prop_map(Event::Rest),
        (0u64..100_000).prop_map(Event::Sleep),
        (0.0f64..60.0).prop_map(Event::KeepUp),
        Just(Event::Tick(0.0)),
        (0.0f64..600.0).prop_map(Event::Tick),
        (0.0f64..10_000_000.0).prop_map(Event::Tick),
        (0.5f64..5.0).prop_map(Event::Tick),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// The machine checks after every tick that the books balance and that nothing fell.
    #[test]
    fn whatever_happens_the_books_balance(
        events in prop::collection::vec(event(), 1..80),
        baseline in any::<bool>(),
        max in prop_oneof![Just(None), (0usize..4).prop_map(Some)],
        blind_at_the_end in any::<bool>(),
    ) {
        let policy = if baseline { IdlePolicy::Baseline } else { IdlePolicy::Ratio };
        let retention = Retention::default().with(|retention| retention.max = max);
        let mut machine = Machine::with(policy, retention);
        let places = places();
        let group = |place: usize| Some(places[place].as_str()).filter(|place| *place != "/");
        let mut alive = std::collections::BTreeMap::new();
        machine.tick(1.0);
        for event in events {
            match event {
                Event::Spawn(pid, place) => {
                    if let std::collections::btree_map::Entry::Vacant(entry) = alive.entry(pid) {
                        machine.spawn(pid, b"p", &places[place]);
                        entry.insert(place);
                    }
                }
                Event::Work(pid, ticks) => {
                    if let Some(&place) = alive.get(&pid) {
                        machine.processes.work(pid, ticks, group(place)).unwrap();
                    }
                }
                Event::Unseen(ticks, place) => machine.processes.work_unseen(ticks, group(place)).unwrap(),
                Event::Exit(pid) => {
                    if alive.remove(&pid).is_some() {
                        machine.processes.exit(pid).unwrap();
                    }
                }
                Event::Reuse(pid) => {
                    if let Some(&place) = alive.get(&pid) {
                        machine.processes.exit(pid).unwrap();
                        machine.spawn(pid, b"q", &places[place]);
                    }
                }
                Event::Move(pid, place) => {
                    if let Some(old) = alive.get_mut(&pid) {
                        *old = place;
                        let text = format!("0::{}\n", places[place]);
                        fs::write(machine.processes.procfs().join(pid.to_string()).join("cgroup"), text).unwrap();
                    }
                }
                Event::RemoveGroup(place) => {
                    // Those below it go with it; processes may stay behind, as zombies do.
                    drop(machine.processes.remove_cgroup(&places[place]));
                }
                Event::Draw(joules) => {
                    machine.tree.draw(PACKAGE, Energy::from_joules(joules)).unwrap();
                    machine.tree.draw(DRAM, Energy::from_joules(joules / 3.0)).unwrap();
                }
                Event::Reset(joules) => machine.tree.reset(PACKAGE, Energy::from_joules(joules)).unwrap(),
                Event::Garbage => {
                    fs::write(machine.tree.zone(DRAM).unwrap().join("energy_uj"), "-1\n").unwrap();
                }
                Event::GarbageTimes => fs::write(machine.processes.procfs().join("stat"), "-1\n").unwrap(),
                Event::Rest(ticks) => machine.processes.rest(ticks).unwrap(),
                Event::Sleep(seconds) => machine.at.boottime += std::time::Duration::from_secs(seconds),
                Event::KeepUp(seconds) => {
                    machine.at = machine.at.advanced(std::time::Duration::from_secs_f64(seconds));
                    machine.sampler.keep_up_at(machine.at);
                }
                Event::Tick(seconds) => drop(machine.tick(seconds)),
            }
        }
        machine.tick(1.0);
        if blind_at_the_end {
            fs::remove_dir_all(machine.processes.procfs()).unwrap();
            for _ in 0..3 {
                machine.tree.draw(PACKAGE, Energy::from_joules(100.0)).unwrap();
                machine.tick(1.0);
            }
        }
    }
}

/// A source that can be lost, before it has reported any process.
struct Lost;

impl UsageSource for Lost {
    fn name(&self) -> &'static str {
        "ebpf"
    }

    fn collect(&mut self, _at: Timestamp, _usage: &mut Usage) -> std::io::Result<()> {
        Err(std::io::ErrorKind::PermissionDenied.into())
    }
}

#[test]
fn a_source_of_cpu_time_that_is_lost_gives_way_at_once_and_is_counted() {
    let meter = Box::new(kepler_core::meter::fake::Fake::default());
    let sampler = Sampler::with_meter(&Host::default(), meter, &Default::default()).unwrap();
    let mut sampler = sampler.with_usage_source(Box::new(Lost));
    let snapshot = sampler.tick();
    assert_eq!(sampler.usage_source(), "clock");
    assert!(snapshot.processes.iter().any(|row| row.info.pid == std::process::id()));
    let fault = snapshot.faults.iter().find(|fault| fault.source == "ebpf").unwrap();
    assert_eq!((fault.reason, fault.count), ("permission_denied", 1));
    assert!(sampler.usage_unavailable().is_some_and(|unavailable| unavailable.source_name == "ebpf"));
    assert_eq!(sampler.tick().faults.iter().filter(|fault| fault.source == "ebpf").count(), 1);
}

/// Two sockets, both idle: what is known of the first says what the second draws.
#[test]
fn a_socket_that_is_missing_at_start_is_estimated_and_measured_again_when_it_is_back() {
    use kepler_core::meter::Method;
    use kepler_core::meter::chain::Source;
    use kepler_core::sampler::Sampler;
    let root = tempfile::tempdir().unwrap();
    let mut tree = kepler_core::sim::PowercapTree::create(root.path()).unwrap();
    tree.add_zone(PACKAGE, "package-0", Energy::from_joules(10.0)).unwrap();
    tree.add_zone(SECOND, "package-1", Energy::from_joules(10.0)).unwrap();
    let procfs = root.path().join("proc");
    fs::create_dir_all(&procfs).unwrap();
    fs::write(procfs.join("cpuinfo"), "processor\t: 0\nphysical id\t: 0\n\nprocessor\t: 1\nphysical id\t: 1\n")
        .unwrap();
    fs::write(procfs.join("stat"), "cpu  0 0 0 100 0 0 0 0\ncpu0 0 0 0 50 0 0 0 0\ncpu1 0 0 0 50 0 0 0 0\n").unwrap();
    let host = tree.host().with_procfs(&procfs);
    let second = tree.zone(SECOND).unwrap().join("energy_uj");
    let good = fs::read(&second).unwrap();
    fs::write(&second, "garbage").unwrap();
    let options = kepler_core::sampler::SamplerOptions::default();
    let options = options.with(|options| options.chain.sources = vec![Source::Powercap, Source::Model]);
    let mut sampler = Sampler::new(&host, options).unwrap();
    let mut at = kepler_core::host::Timestamp::now();
    let mut tick = |sampler: &mut Sampler, tree: &mut kepler_core::sim::PowercapTree, seconds: u64| {
        at = at.advanced(std::time::Duration::from_secs(seconds));
        tree.draw(PACKAGE, Energy::from_joules(100.0 * seconds as f64)).unwrap();
        package(&sampler.tick_at(at)).clone()
    };
    tick(&mut sampler, &mut tree, 1);
    let partial = tick(&mut sampler, &mut tree, 1);
    assert!(matches!(partial.method, Method::Partial { error_ratio } if error_ratio > 0.0), "{partial:?}");
    let watts = partial.power.unwrap().total.watts();
    assert!((watts - 200.0).abs() < 1.0, "{watts} W");
    assert!(partial.interval.is_some(), "the error is shown");

    fs::write(&second, good).unwrap();
    tick(&mut sampler, &mut tree, 31);
    let whole = tick(&mut sampler, &mut tree, 1);
    assert_eq!((whole.source, whole.method), ("powercap", Method::Measured));
}
