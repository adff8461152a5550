//! Energy of accelerators on a simulated machine: who used it, what was idle, and what is unknown.

use crate::accelerators::Accelerators;
use crate::machine::{Machine, Setup, near, process};
use kepler_core::attribution::IdlePolicy;
use kepler_core::device::Device;
use kepler_core::sampler::Retention;
use kepler_core::snapshot::{Row, Snapshot, State};
use kepler_core::units::{Energy, Power, ZoneKind};
use proptest::prelude::*;
use std::sync::Arc;
use std::time::Duration;

const ID: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

fn device(number: u32) -> Device {
    Device::new(format!("GPU-{number}"), "nvidia", "H200").with(|device| device.index = number)
}

/// A device whose idle power is known to be 50 W.
fn idles_at_50(number: u32) -> Device {
    device(number).with(|device| device.idle_power = Some(Power::from_watts(50.0)))
}

fn machine(devices: &[Device]) -> (Machine, Accelerators) {
    machine_with(devices, IdlePolicy::Baseline, Retention::default())
}

fn machine_with(devices: &[Device], policy: IdlePolicy, retention: Retention) -> (Machine, Accelerators) {
    let accelerators = Accelerators::new(devices);
    let setup = Setup { devices: vec![accelerators.meter()], policy, retention, ..Setup::default() };
    (Machine::of(setup), accelerators)
}

fn joules<Info>(row: Option<&Row<Info>>) -> f64 {
    row.map_or(f64::NAN, |row| row.energy[ZoneKind::Gpu].joules())
}

fn of_process(snapshot: &Snapshot, pid: u32) -> f64 {
    joules(process(snapshot, pid, State::Running))
}

fn faults(snapshot: &Snapshot, reason: &str) -> u64 {
    let faults = snapshot.faults.iter().filter(|fault| fault.source == "stand-in" && fault.reason == reason);
    faults.map(|fault| fault.count).sum()
}

#[test]
fn two_processes_of_a_container_at_60_and_30_percent_get_two_thirds_and_a_third() {
    let (mut machine, gpus) = machine(&[idles_at_50(0)]);
    let cgroup = format!("/system.slice/docker-{ID}.scope");
    machine.spawn(10, b"train", &cgroup);
    machine.spawn(11, b"serve", &cgroup);
    gpus.count(0, 1000.0, Some(0.9), &[]);
    machine.tick(1.0);
    // Neither uses any CPU time.
    gpus.count(0, 1300.0, Some(0.9), &[(10, 0.6), (11, 0.3)]);
    let snapshot = machine.tick(1.0);
    let [row] = snapshot.devices.as_slice() else { panic!("one device") };
    assert_eq!((row.energy, row.idle_energy), (Energy::from_joules(300.0), Energy::from_joules(50.0)));
    assert_eq!((row.active_energy, row.unsplit_energy), (Energy::from_joules(250.0), Energy::ZERO));
    let power = row.power.unwrap();
    assert!(near(power.total.watts(), 300.0) && near(power.active.watts(), 250.0), "{power:?}");
    assert!((of_process(&snapshot, 10) - 250.0 * 2.0 / 3.0).abs() < 2e-6);
    assert!((of_process(&snapshot, 11) - 250.0 / 3.0).abs() < 2e-6);
    let container = snapshot.containers.first().unwrap();
    assert!(near(joules(Some(container)), 250.0) && near(container.power[ZoneKind::Gpu].watts(), 250.0));
    assert_eq!(snapshot.node.zones[ZoneKind::Gpu].as_ref().unwrap().energy, Energy::from_joules(300.0));
    assert_eq!(row.idle_policy, Some(IdlePolicy::Baseline));
}

#[test]
fn a_tick_without_a_new_reading_shows_the_power_of_the_last_one_and_charges_nothing() {
    let (mut machine, gpus) = machine(&[idles_at_50(0)]);
    machine.spawn(10, b"train", "/");
    gpus.count(0, 0.0, None, &[]);
    machine.tick(1.0);
    gpus.count(0, 150.0, None, &[(10, 0.5)]);
    let first = machine.tick(1.0);
    gpus.change(|shown| shown.is_fresh = false);
    gpus.change(|shown| shown.readings[0].as_mut().unwrap().at = first.at);
    // Longer than any snapshot is kept.
    for _ in 0..8 {
        let snapshot = machine.tick(1.0);
        let row = process(&snapshot, 10, State::Running).unwrap();
        assert_eq!((joules(Some(row)), row.power[ZoneKind::Gpu].watts()), (100.0, 100.0));
        assert_eq!(row.devices.len(), 1);
    }
    // Two minutes later that is no power any more.
    let snapshot = machine.tick(120.0);
    assert_eq!((snapshot.devices[0].fault, snapshot.devices[0].power), (Some("stale"), None));
    for _ in 0..5 {
        let snapshot = machine.tick(1.0);
        assert_eq!(process(&snapshot, 10, State::Running).unwrap().power[ZoneKind::Gpu], Power::ZERO);
    }
    gpus.change(|shown| shown.is_fresh = true);
    gpus.count(0, 20_000.0, None, &[]);
    let snapshot = machine.tick(1.0);
    assert_eq!(snapshot.devices[0].energy, Energy::from_joules(20_000.0), "the counter has gone on");
    assert_eq!((of_process(&snapshot, 10), snapshot.devices[0].fault), (100.0, None));
}

#[test]
fn one_who_stops_using_a_device_is_shown_without_power() {
    let (mut machine, gpus) = machine(&[idles_at_50(0)]);
    machine.spawn(10, b"train", "/");
    gpus.count(0, 0.0, None, &[]);
    machine.tick(1.0);
    gpus.count(0, 150.0, None, &[(10, 0.5)]);
    machine.tick(1.0);
    gpus.count(0, 250.0, None, &[]);
    for _ in 0..6 {
        let snapshot = machine.tick(1.0);
        assert_eq!(process(&snapshot, 10, State::Running).unwrap().power[ZoneKind::Gpu], Power::ZERO);
    }
}

#[test]
fn hidden_users_and_unknown_ones_leave_their_share_unattributed() {
    let (mut machine, gpus) = machine(&[idles_at_50(0)]);
    machine.spawn(10, b"train", "/");
    gpus.count(0, 0.0, None, &[]);
    machine.tick(1.0);
    gpus.count(0, 130.0, None, &[(10, 0.2), (0, 0.4), (4711, 0.2)]);
    let snapshot = machine.tick(1.0);
    assert!(near(of_process(&snapshot, 10), 20.0));
    assert!(near(snapshot.devices[0].unattributed_energy.joules(), 60.0));
}

#[test]
fn what_is_neither_known_to_be_idle_nor_active_is_called_neither() {
    let (mut machine, gpus) = machine(&[device(0)]);
    machine.spawn(10, b"train", "/");
    gpus.count(0, 0.0, None, &[]);
    machine.tick(1.0);
    gpus.count(0, 300.0, None, &[(10, 0.9)]);
    let snapshot = machine.tick(1.0);
    let row = &snapshot.devices[0];
    assert_eq!((row.unsplit_energy, row.active_energy), (Energy::from_joules(300.0), Energy::ZERO));
    let zone = snapshot.node.zones[ZoneKind::Gpu].as_ref().unwrap();
    assert!(zone.unsplit_energy == Energy::from_joules(300.0) && near(zone.unsplit_power.watts(), 300.0), "{zone:?}");
    assert_eq!((row.idle_policy, row.idle_known(), of_process(&snapshot, 10)), (None, false, 0.0));
    // With its utilisation it is divided by that, and says so.
    gpus.count(0, 600.0, Some(0.5), &[(10, 0.5)]);
    let snapshot = machine.tick(1.0);
    let row = &snapshot.devices[0];
    assert_eq!((row.idle_policy, row.idle_known()), (Some(IdlePolicy::Ratio), false));
    assert_eq!((row.active_energy, row.idle_energy), (Energy::from_joules(150.0), Energy::from_joules(150.0)));
}

#[test]
fn the_idle_power_of_a_device_is_learned() {
    let (mut machine, gpus) = machine(&[device(0)]);
    let mut joules = 0.0;
    for step in 0..30 {
        let busy = f64::from(step % 10) / 10.0;
        joules += 60.0 + 300.0 * busy;
        gpus.count(0, joules, Some(busy), &[]);
        machine.tick(1.0);
    }
    let snapshot = machine.tick(1.0);
    let idle = snapshot.devices[0].idle_power.unwrap().watts();
    assert!((idle - 60.0).abs() < 3.0, "{idle}");
}

#[test]
fn a_process_that_ended_in_the_interval_is_charged_and_one_that_got_its_number_later_is_not() {
    let (mut machine, gpus) = machine(&[idles_at_50(0)]);
    machine.spawn(10, b"train", "/");
    gpus.count(0, 0.0, None, &[]);
    machine.tick(1.0);
    machine.processes.exit(10).unwrap();
    gpus.count(0, 150.0, None, &[(10, 0.5)]);
    let snapshot = machine.tick(1.0);
    assert!(near(joules(process(&snapshot, 10, State::Terminated)), 100.0));
    // The reading is older than the process of that number.
    gpus.count(0, 300.0, None, &[(10, 0.5)]);
    gpus.change(|shown| shown.is_fresh = false);
    gpus.change(|shown| shown.readings[0].as_mut().unwrap().at = machine.at.advanced(Duration::from_millis(100)));
    machine.spawn(10, b"another", "/");
    let snapshot = machine.tick(1.0);
    assert_eq!(of_process(&snapshot, 10), 0.0);
    assert!(snapshot.devices[0].unattributed_energy > Energy::ZERO);
}

#[test]
fn a_device_that_comes_back_goes_on_with_its_totals() {
    let (mut machine, gpus) = machine(&[idles_at_50(0), idles_at_50(1)]);
    machine.spawn(10, b"train", "/");
    let both = |joules: f64| {
        gpus.count(0, joules, None, &[(10, 0.5)]);
        gpus.draw(1, 100.0, None, &[(10, 0.5)]);
    };
    both(0.0);
    machine.tick(1.0);
    both(150.0);
    let snapshot = machine.tick(1.0);
    assert_eq!(process(&snapshot, 10, State::Running).unwrap().devices.len(), 2);
    assert!(near(of_process(&snapshot, 10), 150.0), "two devices at once");
    let lone = idles_at_50(1);
    gpus.change(|shown| {
        shown.devices = vec![lone.clone()];
        shown.readings.remove(0);
        shown.generation += 1;
    });
    for _ in 0..3 {
        let snapshot = machine.tick(1.0);
        assert_eq!((snapshot.devices[0].fault, snapshot.devices[0].power), (Some("vanished"), None));
        assert_eq!(snapshot.devices[0].energy, Energy::from_joules(150.0));
    }
    // Its driver was loaded again: it counts from zero, and the other way round.
    gpus.change(|shown| {
        shown.devices = vec![lone, idles_at_50(0)];
        shown.readings.push(None);
        shown.generation += 1;
    });
    gpus.count(1, 20.0, None, &[]);
    let snapshot = machine.tick(1.0);
    assert_eq!(snapshot.devices.len(), 2);
    assert_eq!((snapshot.devices[0].energy, snapshot.devices[0].events.resets), (Energy::from_joules(170.0), 1));
    assert_eq!(snapshot.devices[1].device.index, 1);
    assert!(near(snapshot.devices[1].energy.joules(), 500.0), "the other one went on");
    assert_eq!(faults(&snapshot, "vanished"), 1);
}

#[test]
fn one_that_cannot_be_read_does_not_silence_the_other() {
    let (mut machine, gpus) = machine(&[idles_at_50(0), idles_at_50(1)]);
    gpus.count(0, 0.0, None, &[]);
    let snapshot = machine.tick(1.0);
    gpus.count(0, 80.0, None, &[]);
    assert_eq!(faults(&snapshot, "timeout"), 1);
    let snapshot = machine.tick(1.0);
    assert_eq!((snapshot.devices[1].fault, snapshot.devices[1].power), (Some("timeout"), None));
    assert!(snapshot.devices[0].power.is_some());
    let zone = snapshot.node.zones[ZoneKind::Gpu].as_ref().unwrap();
    assert_eq!((zone.power, zone.fault), (None, Some("timeout")), "a part is not the sum");
}

#[test]
fn devices_of_two_vendors_are_both_counted() {
    let named =
        |uuid, vendor| Device::new(uuid, vendor, "x").with(|one| one.idle_power = Some(Power::from_watts(50.0)));
    let (nvidia, amd) =
        (Accelerators::new(&[named("GPU-1", "nvidia")]), Accelerators::new(&[named("0000:41:00.0", "amd")]));
    let devices = vec![nvidia.named_meter("nvml"), amd.named_meter("drm")];
    let mut machine = Machine::of(Setup { devices, ..Setup::default() });
    machine.spawn(10, b"both", "/");
    let mut snapshot = machine.tick(1.0);
    for second in 0..3 {
        nvidia.count(0, f64::from(second) * 300.0, Some(0.5), &[(10, 0.5)]);
        amd.count(0, f64::from(second) * 100.0, Some(0.5), &[(10, 0.5)]);
        snapshot = machine.tick(1.0);
    }
    let energies: Vec<f64> = snapshot.devices.iter().map(|device| device.energy.joules()).collect();
    assert_eq!(energies, [600.0, 200.0]);
    assert_eq!(snapshot.node.zones[ZoneKind::Gpu].as_ref().unwrap().energy, Energy::from_joules(800.0));
    assert_eq!(of_process(&snapshot, 10), 400.0, "of both, for half of the time");
}

#[test]
fn a_counter_of_32_bits_that_passes_its_end_loses_nothing_and_one_without_an_end_began_again() {
    // Intel's register, and that of table 1.0: 2^32 units of 2^-14 and 2^-16 J.
    for joules in [262_144.0, 65_536.0] {
        let wraps = idles_at_50(0).with(|device| {
            (device.modulus, device.max_power) = (Some(Energy::from_joules(joules)), Power::from_watts(1000.0));
        });
        let (mut machine, gpus) = machine(&[wraps, idles_at_50(1)]);
        let mut snapshot = machine.tick(1.0);
        for counted in [joules - 400.0, joules - 100.0, 200.0, 500.0] {
            gpus.count(0, counted, Some(1.0), &[]);
            gpus.count(1, counted, Some(1.0), &[]);
            snapshot = machine.tick(1.0);
        }
        assert_eq!(snapshot.devices[0].energy, Energy::from_joules(900.0));
        // 200 J may have been drawn before or after it began again: what it shows since is counted.
        assert_eq!(snapshot.devices[1].energy, Energy::from_joules(800.0));
    }
}

#[test]
fn a_device_that_two_meters_find_is_counted_once() {
    let address: Arc<str> = "0000:41:00.0".into();
    let named =
        |name: &str| Device::new(name, "amd", "MI300X").with(|one| one.pci_address = Some(Arc::clone(&address)));
    let (first, second) = (Accelerators::new(&[named("GPU-1")]), Accelerators::new(&[named("drm-1")]));
    let devices = vec![first.meter(), second.named_meter("other")];
    let mut machine = Machine::of(Setup { devices, ..Setup::default() });
    for second_of in 0..3 {
        first.count(0, f64::from(second_of) * 100.0, Some(0.5), &[]);
        second.count(0, f64::from(second_of) * 100.0, Some(0.5), &[]);
        let snapshot = machine.tick(1.0);
        assert_eq!(snapshot.devices.len(), 1);
        assert_eq!(snapshot.devices[0].energy, Energy::from_joules(f64::from(second_of) * 100.0));
    }
}

/// Joules that a device drew, its utilisation, what its meter does, and its users.
type Shown = (u32, Option<f64>, u8, Vec<(u32, f64)>);

/// What happens to the devices and their users in one tick.
#[derive(Clone, Debug)]
struct Step {
    seconds: u64,
    devices: Vec<Shown>,
    spawn: Option<u32>,
    exit: Option<u32>,
    work: Option<u32>,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let users = prop::collection::vec((0u32..14, 0.0f64..1.2), 0..5);
    let one = (0u32..3000, prop::option::of(0.0f64..=1.0), 0u8..10, users);
    let process = || prop::option::of(10u32..14);
    let step = (1u64..5, prop::collection::vec(one, 3..=3), process(), process(), process());
    let step = step.prop_map(|(seconds, devices, spawn, exit, work)| Step { seconds, devices, spawn, exit, work });
    prop::collection::vec(step, 1..25)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    /// Random devices and users, resets, missing samples, devices that vanish and return, processes that come and go: the
    /// machine checks at every tick that all books balance to the microjoule and that no counter falls.
    #[test]
    fn energy_is_conserved(steps in steps(), keep in 0usize..3) {
        let all = [idles_at_50(0), device(1), device(2)];
        let retention = Retention::default().with(|retention| retention.max = Some(keep));
        let (mut machine, gpus) = machine_with(&all, IdlePolicy::Baseline, retention);
        let mut alive = Vec::new();
        let mut counters = [0.0f64; 3];
        let cgroup = format!("/system.slice/docker-{ID}.scope");
        for step in steps {
            if let Some(pid) = step.spawn.filter(|pid| !alive.contains(pid)) {
                machine.spawn(pid, b"work", if pid % 2 == 0 { "/" } else { &cgroup });
                alive.push(pid);
            }
            if let Some(pid) = step.work.filter(|pid| alive.contains(pid)) {
                machine.processes.work(pid, 10, None).unwrap();
            }
            if let Some(pid) = step.exit.filter(|pid| alive.contains(pid)) {
                machine.processes.exit(pid).unwrap();
                alive.retain(|&other| other != pid);
            }
            let mut present = Vec::new();
            for (place, (joules, busy, fate, users)) in step.devices.iter().enumerate() {
                counters[place] = if *fate == 1 { f64::from(*joules) / 10.0 } else { counters[place] + f64::from(*joules) };
                if *fate == 0 {
                    continue; // It has vanished.
                }
                present.push((place, all[place].clone(), *busy, *fate == 2, users.clone()));
            }
            gpus.change(|shown| {
                shown.generation += 1;
                shown.devices = present.iter().map(|(_, device, ..)| device.clone()).collect();
                shown.readings = vec![None; present.len()];
            });
            for (position, (place, _, busy, is_missing, users)) in present.iter().enumerate() {
                match *is_missing {
                    true => {}
                    // One of them shows power.
                    false if *place == 2 => gpus.draw(position, counters[*place] % 700.0, *busy, users),
                    false => gpus.count(position, counters[*place], *busy, users),
                }
            }
            machine.tick(step.seconds as f64);
        }
    }
}
