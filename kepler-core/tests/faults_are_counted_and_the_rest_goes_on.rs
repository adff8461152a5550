//! What a hostile or failing host does to a simulated machine. Needs the feature `sim`.
#![cfg(feature = "sim")]

mod machine;

use kepler_core::attribution::IdlePolicy;
use kepler_core::sampler::Retention;
use kepler_core::snapshot::{Snapshot, State};
use kepler_core::units::{Energy, ZoneKind};
use machine::{DRAM, Machine, PACKAGE, joules, near, package, process};
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
    assert!(sampler.refusals().iter().any(|refusal| refusal.source_name == "powercap" && !refusal.remedy.is_empty()));
}

#[test]
fn a_package_that_vanishes_gives_way_to_the_estimate_and_comes_back() {
    use kepler_core::meter::chain::{ChainOptions, Source};
    let root = tempfile::tempdir().unwrap();
    let mut tree = kepler_core::sim::PowercapTree::create(root.path()).unwrap();
    tree.add_zone(PACKAGE, "package-0", Energy::from_joules(10.0)).unwrap();
    let chain = ChainOptions::default().with_sources(vec![Source::Powercap, Source::Model]);
    let options = kepler_core::sampler::SamplerOptions { chain, ..Default::default() };
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

/// Anything that can happen to a machine between two ticks.
#[derive(Clone, Debug)]
enum Event {
    Spawn(u32, bool),
    Work(u32, u64),
    Unseen(u64, bool),
    Exit(u32),
    Reuse(u32),
    Draw(f64),
    Reset(f64),
    Garbage,
    Rest(u64),
    Tick(f64),
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        (10u32..20, any::<bool>()).prop_map(|(pid, inside)| Event::Spawn(pid, inside)),
        (10u32..20, 0u64..300).prop_map(|(pid, ticks)| Event::Work(pid, ticks)),
        (0u64..300, any::<bool>()).prop_map(|(ticks, inside)| Event::Unseen(ticks, inside)),
        (10u32..20).prop_map(Event::Exit),
        (10u32..20).prop_map(Event::Reuse),
        (0.0f64..5000.0).prop_map(Event::Draw),
        (0.0f64..262_000.0).prop_map(Event::Reset),
        Just(Event::Garbage),
        (0u64..400).prop_map(Event::Rest),
        (0.0f64..600.0).prop_map(Event::Tick),
        (0.5f64..5.0).prop_map(Event::Tick),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    /// The machine checks after every tick that the books balance and that nothing fell.
    #[test]
    fn whatever_happens_the_books_balance(
        events in prop::collection::vec(event(), 1..60),
        baseline in any::<bool>(),
        max in prop_oneof![Just(None), (0usize..4).prop_map(Some)],
    ) {
        let policy = if baseline { IdlePolicy::Baseline } else { IdlePolicy::Ratio };
        let retention = Retention { max, ..Retention::default() };
        let mut machine = Machine::with(policy, retention);
        let container = format!("/docker/{}", "ab".repeat(32));
        let mut alive = std::collections::BTreeMap::new();
        machine.tick(1.0);
        for event in events {
            match event {
                Event::Spawn(pid, inside) => {
                    if let std::collections::btree_map::Entry::Vacant(place) = alive.entry(pid) {
                        machine.spawn(pid, b"p", if inside { &container } else { "/" });
                        place.insert(inside);
                    }
                }
                Event::Work(pid, ticks) => {
                    if let Some(&inside) = alive.get(&pid) {
                        machine.processes.work(pid, ticks, inside.then_some(container.as_str())).unwrap();
                    }
                }
                Event::Unseen(ticks, inside) => {
                    machine.processes.work_unseen(ticks, inside.then_some(container.as_str())).unwrap();
                }
                Event::Exit(pid) => {
                    if alive.remove(&pid).is_some() {
                        machine.processes.exit(pid).unwrap();
                    }
                }
                Event::Reuse(pid) => {
                    if let Some(&inside) = alive.get(&pid) {
                        machine.processes.exit(pid).unwrap();
                        machine.spawn(pid, b"q", if inside { &container } else { "/" });
                    }
                }
                Event::Draw(joules) => {
                    machine.tree.draw(PACKAGE, Energy::from_joules(joules)).unwrap();
                    machine.tree.draw(DRAM, Energy::from_joules(joules / 3.0)).unwrap();
                }
                Event::Reset(joules) => machine.tree.reset(PACKAGE, Energy::from_joules(joules)).unwrap(),
                Event::Garbage => {
                    fs::write(machine.tree.zone(DRAM).unwrap().join("energy_uj"), "-1\n").unwrap();
                }
                Event::Rest(ticks) => machine.processes.rest(ticks).unwrap(),
                Event::Tick(seconds) => drop(machine.tick(seconds)),
            }
        }
        machine.tick(1.0);
    }
}
