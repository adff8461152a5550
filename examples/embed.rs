//! Embed the monitor: the machine's power, and the process that took most of it so far.
#![allow(clippy::print_stdout, reason = "an example shows what it found")]
use kepler::core::{host::Host, monitor::Monitor, sampler::Sampler, units::ZoneKind::Package};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let sampler = Sampler::new(&Host::default(), Default::default())?;
    let monitor = Monitor::start(sampler, std::time::Duration::from_secs(1))?;
    std::thread::sleep(std::time::Duration::from_secs(3));
    let snapshot = monitor.feed().latest().ok_or("no snapshot")?;
    for (zone, node) in snapshot.node.zones() {
        println!("{zone}: {:?}, {} by {}", node.power, node.method.name(), node.source);
    }
    if let Some(top) = snapshot.processes.iter().max_by_key(|row| row.energy[Package]) {
        println!("most: {} with {}", top.info.comm, top.energy[Package]);
    }
    Ok(())
}
