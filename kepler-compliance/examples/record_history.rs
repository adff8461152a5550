//! Records the energy of this machine into a history: `record_history FILE SECONDS`.

use kepler_compliance::history::{History, HistoryOptions};
use kepler_core::host::Host;
use kepler_core::sampler::{Sampler, SamplerOptions};
use std::time::{Duration, Instant};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let path = arguments.next().ok_or("name the file to record into")?;
    let length = Duration::from_secs(arguments.next().ok_or("say for how many seconds")?.parse()?);
    let options = HistoryOptions::default().with(|options| options.resolution = Duration::from_secs(60));
    let history = History::open(path, options)?;
    let mut sampler = Sampler::new(&Host::default(), SamplerOptions::default())?;
    let started = Instant::now();
    while started.elapsed() < length {
        history.record(&sampler.tick())?;
        std::thread::sleep(Duration::from_secs(1));
    }
    Ok(())
}
