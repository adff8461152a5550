//! Embed the monitor: the machine's power and the processes that cause most of it, every two seconds.
use kepler::core::{host::Host, monitor::Monitor, sampler::Sampler, units::ZoneKind};
use std::{thread::sleep, time::Duration};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let sampler = Sampler::new(&Host::default(), Default::default())?;
    let monitor = Monitor::start(sampler, Duration::from_secs(2))?;
    for _ in 0..3 {
        sleep(Duration::from_secs(2));
        let Some(snapshot) = monitor.feed().latest() else { continue };
        for (zone, node) in snapshot.node.zones() {
            println!(
                "{zone}: {:.2} W, {} by {}",
                node.power.map_or(0.0, |p| p.total.watts()),
                node.method.name(),
                node.source
            );
        }
        let top = snapshot.processes.iter().max_by_key(|row| row.energy[ZoneKind::Package]);
        top.map(|row| println!("  most: {} with {}", row.info.comm, row.energy[ZoneKind::Package]));
    }
    Ok(())
}
