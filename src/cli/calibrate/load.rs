//! A load on all CPUs.

use std::hint::black_box;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

/// Keeps CPUs that this program may use busy until it is dropped.
pub(super) struct Load {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Load {
    /// Starts one thread a CPU.
    ///
    /// # Errors
    /// A thread cannot be started.
    pub(super) fn start() -> io::Result<Self> {
        Load::on(1.0)
    }

    /// Starts as many threads as a share of the CPUs, at least one.
    ///
    /// # Errors
    /// A thread cannot be started.
    pub(super) fn on(share: f64) -> io::Result<Self> {
        let mut load = Load { stop: Arc::default(), threads: Vec::new() };
        let count = (thread::available_parallelism()?.get() as f64 * share).round() as usize;
        for _ in 0..count.max(1) {
            let stop = Arc::clone(&load.stop);
            load.threads.push(thread::Builder::new().name("load".to_owned()).spawn(move || work(&stop))?);
        }
        Ok(load)
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            // It has nothing to tell.
            let _ended = thread.join();
        }
    }
}

/// Whole and floating-point arithmetic over 256 KiB, which is more than a first-level cache holds.
fn work(stop: &AtomicBool) {
    let mut memory = vec![1.0_f64; 32 * 1024];
    let mut number: u64 = 1;
    while !stop.load(Ordering::Relaxed) {
        for value in &mut memory {
            number = number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            *value = value.mul_add(1.000_000_1, (number >> 40) as f64 * 1e-12);
        }
        black_box(&mut memory);
    }
}
