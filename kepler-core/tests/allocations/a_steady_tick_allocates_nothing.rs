//! Ticks on this very host, with all its processes, allocate nothing once the tables have grown.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use crate::counting::allocations;
use kepler_core::directory::Directory;
use kepler_core::host::{Host, Timestamp};
use kepler_core::meter::{EnergyMeter, MeterInventory, Method, Quality, ReadError, Reading, Zone};
use kepler_core::platform::{PlatformAttribution, PlatformBoard, PlatformMeter, PlatformReading};
use kepler_core::sampler::{Sampler, SamplerOptions};
use kepler_core::snapshot::{Snapshot, State};
use kepler_core::units::{Energy, Power, ZoneKind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// The chain looks for better sources 30 s after its first tick.
const SHORT_OF_A_PROBE: Duration = Duration::from_secs(25);

/// Those alive, by number and start.
fn alive(snapshot: &Snapshot) -> impl Iterator<Item = (u32, u64)> {
    let running = snapshot.processes.iter().filter(|row| row.state == State::Running);
    running.map(|row| (row.info.pid, row.info.start_ticks))
}

/// Whether the same processes are alive under the same names. What is refused at every tick, such as the reading of a
/// counter that never moves, is no exception.
fn are_the_same(before: &Snapshot, after: &Snapshot) -> bool {
    alive(before).eq(alive(after))
        && before.processes.iter().zip(&after.processes).all(|(before, after)| Arc::ptr_eq(&before.info, &after.info))
        && before.units.len() == after.units.len()
        && before.containers.len() == after.containers.len()
        && before.commands.len() == after.commands.len()
}

/// Ticks, each after `between`, in those of which that changed nothing no memory is asked for.
fn tick_without_allocating(mut sampler: Sampler, mut between: impl FnMut()) -> Arc<Snapshot> {
    let begun = Instant::now();
    // Beyond the second look at every process's open files, and the growth of all tables.
    let mut before = sampler.tick();
    for _ in 0..60 {
        std::thread::sleep(Duration::from_millis(5));
        between();
        before = sampler.tick();
    }
    let (mut steady, mut busy_processes, mut since_change) = (0, 0, 0);
    // Long enough for every active process to be looked at again, short of the chain's next probe, which would ask for memory: on a
    // busy machine so many ticks take longer.
    for _ in 0..400 {
        std::thread::sleep(Duration::from_millis(10));
        if begun.elapsed() > SHORT_OF_A_PROBE {
            break;
        }
        between();
        let allocated = allocations();
        let after = sampler.tick();
        let allocated = allocations() - allocated;
        since_change = if are_the_same(&before, &after) { since_change + 1 } else { 0 };
        // Three snapshots are written in turn, and each makes room for newcomers when it is its turn.
        if since_change > 3 {
            assert_eq!(allocated, 0, "in tick {}", after.sequence);
            steady += 1;
            busy_processes +=
                after.processes.iter().filter(|row| !row.energy.iter().all(|(_, e)| e.joules() == 0.0)).count();
        }
        before = after;
    }
    assert!(steady >= 10, "only {steady} ticks were steady: too much comes and goes on this machine");
    assert!(busy_processes > 0, "no process worked");
    before
}

#[test]
fn ticks_in_which_no_process_comes_or_goes_allocate_nothing() {
    let mut options = SamplerOptions::default();
    options.directory = Some(Directory::new());
    tick_without_allocating(Sampler::new(&Host::default(), options).unwrap(), || {});
}

/// Zones whose counters stand still for a second, as an estimate's do on an idle machine, and then move.
struct Late([Zone; 2], Energy, Arc<AtomicU32>);

impl EnergyMeter for Late {
    fn source(&self) -> &'static str {
        "late"
    }

    fn inventory(&self) -> MeterInventory<'_> {
        MeterInventory::of(&self.0)
    }

    fn quality(&self) -> Quality {
        Quality::of(Method::Measured)
    }

    fn read(&mut self, _at: Timestamp, readings: &mut Vec<Result<Reading, ReadError>>) {
        readings.clear();
        if self.2.fetch_add(1, Ordering::Relaxed) > 100 {
            self.1 += Energy::from_joules(0.5);
        }
        readings.extend(self.0.iter().map(|_| Ok(Reading::Counter(self.1))));
    }
}

#[test]
fn the_first_joule_of_a_zone_allocates_nothing() {
    let zones = [Zone::new(ZoneKind::Package, "/sys/package"), Zone::new(ZoneKind::Dram, "/sys/dram")];
    let read = Arc::new(AtomicU32::new(0));
    let meter = Box::new(Late(zones, Energy::ZERO, Arc::clone(&read)));
    tick_without_allocating(Sampler::with_meter(&Host::default(), meter, &SamplerOptions::default()).unwrap(), || {});
    assert!(read.load(Ordering::Relaxed) > 101, "the counters never moved");
}

#[test]
fn ticks_that_charge_the_rest_of_the_machine_allocate_nothing() {
    let board = PlatformBoard::default();
    let mut options = SamplerOptions::default();
    (options.platform, options.platform_attribution) = (Some(board.clone()), PlatformAttribution::Proportional);
    // One that is an estimate corrects none: what is kept of a correction is new memory with each reading.
    let meter = PlatformMeter::new("redfish", "bmc", "1");
    let (meter, mut watts) = (meter.with(|meter| meter.method = Method::Estimated { error_ratio: 0.1 }), 5000.0);
    // The BMC shows something new at every other tick; now and then it fails.
    let last = tick_without_allocating(Sampler::new(&Host::default(), options).unwrap(), || {
        watts += 1.0;
        match watts as u64 % 10 {
            0 => board.fail(&meter, "timeout"),
            even if even.is_multiple_of(2) => {
                board.report(&meter, PlatformReading::new(Power::from_watts(watts), Timestamp::now()));
            }
            _ => {}
        }
    });
    let zone = last.node.zones[ZoneKind::Platform].as_ref().unwrap();
    assert!(zone.energy > Energy::ZERO && zone.active_energy > Energy::ZERO, "{zone:?}");
}
