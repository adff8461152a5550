//! Measure a closure: the energy of the machine while it ran, and this process's share of it.
#![allow(clippy::print_stdout, reason = "an example shows what it found")]
use kepler::core::{host::Host, sampler::Sampler, snapshot::Snapshot, units::Energy, units::ZoneKind};

/// Runs `work`; gives back its result, the machine's energy and this process's, of the package zone.
fn measure<T>(sampler: &mut Sampler, work: impl FnOnce() -> T) -> (T, Energy, Energy) {
    let before = sampler.tick();
    let result = work();
    let after = sampler.tick();
    (result, machine(&after) - machine(&before), this_process(&after) - this_process(&before))
}

fn machine(snapshot: &Snapshot) -> Energy {
    snapshot.node.zones[ZoneKind::Package].as_ref().map(|zone| zone.energy).unwrap_or_default()
}

fn this_process(snapshot: &Snapshot) -> Energy {
    let mine = snapshot.processes.iter().find(|row| row.info.pid == std::process::id());
    mine.map(|row| row.energy[ZoneKind::Package]).unwrap_or_default()
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut sampler = Sampler::new(&Host::default(), Default::default())?;
    let (primes, all, mine) = measure(&mut sampler, || (2..60_000u64).filter(|n| (2..*n).all(|d| n % d != 0)).count());
    let method = sampler.zones().next().map_or("unknown", |zone| zone.method.name());
    println!("{primes} primes: {all} in all, {mine} of them by this process ({method})");
    Ok(())
}
