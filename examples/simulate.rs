//! A machine with RAPL where there is none: a powercap tree whose counters follow this machine's real CPU
//! use, 40 W and 20 W more per busy CPU, until interrupted.
//!
//! ```sh
//! cargo run --example simulate --features sim -- /tmp/simulated &
//! cargo run --release -- serve --host.sysfs=/tmp/simulated/sys
//! ```
#![allow(clippy::print_stdout, reason = "an example shows what it found")]
use kepler::core::sim::{PowerModel, PowercapTree};
use kepler::core::units::{Energy, Power};
use std::{thread::park, time::Duration};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let root = std::env::args().nth(1).filter(|root| !root.starts_with('-')).ok_or("usage: simulate DIRECTORY")?;
    let mut tree = PowercapTree::create(&root)?;
    tree.add_zone("intel-rapl:0", "package-0", Energy::from_joules(1000.0))?;
    tree.add_zone("intel-rapl:0:0", "dram", Energy::from_joules(500.0))?;
    let package = PowerModel { idle: Power::from_watts(40.0), per_cpu: Power::from_watts(20.0) };
    let dram = PowerModel { idle: Power::from_watts(5.0), per_cpu: Power::from_watts(2.0) };
    let driver = tree.drive(&[("intel-rapl:0", package), ("intel-rapl:0:0", dram)], Duration::from_millis(20))?;
    println!("simulating {}", driver.host().sysfs().display());
    loop {
        park();
    }
}
