//! The threads that are on a processor.

use crate::host::{Host, Topology, parse_decimal};
use rustix::fs::{Mode, OFlags};
use rustix::thread::{CpuSet, sched_setaffinity};
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::sync::mpsc;
use std::time::Duration;

/// Asks the procfs how long a thread has been on a processor.
#[derive(Debug)]
pub(super) struct Runners {
    procfs: OwnedFd,
}

impl Runners {
    pub(super) fn open(host: &Host) -> io::Result<Self> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(Runners { procfs: rustix::fs::open(host.procfs(), flags, Mode::empty())? })
    }

    /// `sum_exec_runtime` of a thread, as `schedstat` shows it (Documentation/scheduler/sched-stats.rst): of one that runs, up to the
    /// last timer tick. `None` where it has ended or the kernel does not tell.
    pub(super) fn cpu_time_ns(&self, pid: u32, thread: u32) -> Option<u64> {
        let mut path = [0u8; 48];
        let mut rest = path.as_mut_slice();
        write!(rest, "{pid}/task/{thread}/schedstat").ok()?;
        let length = 48 - rest.len();
        let path = path.get(..length)?;
        let file = rustix::fs::openat(&self.procfs, path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).ok()?;
        let mut text = [0u8; 96];
        let length = rustix::io::read(&file, &mut text).ok()?;
        parse_decimal(text.get(..length)?.split(|&byte| byte == b' ').next()?)
    }
}

/// Waiting longer for a processor that does not let us in (a real-time thread keeps it) gains nothing.
const PATIENCE: Duration = Duration::from_secs(1);

/// Makes every processor switch once, so that what runs there is known from now on: a thread that never
/// lets go would not be known at all. Where the kernel does not let us on a processor, its own
/// next switch does the same.
pub(super) fn switch_every_processor(host: &Host) {
    let processors: Vec<usize> =
        Topology::read(host).processors.iter().map(|processor| processor.number as usize).collect();
    let (done, wait) = mpsc::channel();
    let visitor = std::thread::Builder::new().name("kepler-visitor".into()).spawn(move || {
        for processor in processors.into_iter().filter(|&processor| processor < CpuSet::MAX_CPU) {
            let mut set = CpuSet::new();
            set.set(processor);
            // The thread ends soon, and its mask with it.
            let _ = sched_setaffinity(None, &set);
        }
        let _ = done.send(());
    });
    if visitor.is_ok() {
        let _ = wait.recv_timeout(PATIENCE);
    }
}
