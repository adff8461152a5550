//! Reads that may never return: a driver that hangs must not hold up the zones of others.
//!
//! A read of a sysfs attribute runs the driver's code, and that can wait for a device without end: the process is then in
//! uninterruptible sleep and cannot even be killed (node_exporter issue 1507: ACPI power meters). So whatever may
//! reach a device is read on another thread, which is given up after a second or two. A thread that hangs cannot be ended. It
//! stays behind until its read returns, so their number is bounded, and what hangs is not tried again meanwhile.
//!
//! - [`in_time`] is for opening, once in a while: it starts a thread.
//! - [`Guarded`] is for the readings of each tick: its thread waits for the next one, and nothing is allocated.

mod guarded;

pub(super) use guarded::{Guarded, Probe};

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::sync_channel;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// How long a read may take. Registers answer within a millisecond, chips on a slow bus within some hundred.
const PATIENCE: Duration = Duration::from_secs(1);

/// The same when something is opened, once in a while: chips with many sensors on a slow bus are read one after the other.
const PATIENCE_TO_OPEN: Duration = Duration::from_secs(2);

/// The most threads that may hang at a time in a process.
const MOST_HANGING: usize = 64;

/// Room on a thread's stack for reading an attribute.
const STACK: usize = 256 << 10;

/// The reads under way that are, or may become, hanging ones.
static UNDER_WAY: Mutex<Vec<UnderWay>> = Mutex::new(Vec::new());

#[derive(Debug)]
struct UnderWay {
    id: u64,
    /// What is read.
    path: PathBuf,
    since: Instant,
}

/// A read under way, until this is dropped.
#[derive(Debug)]
struct Ticket(u64);

impl Ticket {
    fn new(path: &Path, since: Instant) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        reads_under_way().push(UnderWay { id, path: path.to_owned(), since });
        Ticket(id)
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        reads_under_way().retain(|read| read.id != self.0);
    }
}

fn reads_under_way() -> MutexGuard<'static, Vec<UnderWay>> {
    UNDER_WAY.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether another thread may be risked.
fn may_risk_another() -> bool {
    reads_under_way().iter().filter(|read| read.since.elapsed() >= PATIENCE).count() < MOST_HANGING
}

/// The error of a read that does not return.
pub(super) fn no_answer() -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, "it does not answer")
}

/// Does `work`, which reads `path`, on a thread of its own.
///
/// # Errors
/// When it does not end in time, when an earlier read of the same file still hangs, or when no thread can be started.
pub(super) fn in_time<T: Send + 'static>(path: &Path, work: impl FnOnce() -> T + Send + 'static) -> io::Result<T> {
    let hangs = reads_under_way().iter().any(|read| read.path == path && read.since.elapsed() >= PATIENCE);
    if hangs || !may_risk_another() {
        return Err(no_answer());
    }
    let ticket = Ticket::new(path, Instant::now());
    let (sender, receiver) = sync_channel(1);
    thread::Builder::new().name("kepler-open".into()).stack_size(STACK * 4).spawn(move || {
        let result = work();
        drop(ticket);
        // It fails if the receiver is gone.
        let _late = sender.send(result);
    })?;
    receiver.recv_timeout(PATIENCE_TO_OPEN).map_err(|_| no_answer())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::channel;

    #[test]
    fn what_hangs_is_given_up_and_not_tried_again_until_it_returns() {
        let device = Path::new("/sys/class/hwmon/hwmon-of-this-test");
        let (release, wait) = channel::<()>();
        let begun = Instant::now();
        let error = in_time(device, move || wait.recv().is_ok()).unwrap_err();
        assert_eq!((error.kind(), error.to_string()), (io::ErrorKind::TimedOut, "it does not answer".to_owned()));
        assert!(begun.elapsed() >= PATIENCE);

        let refused = (0..5).map(|_| {
            let begun = Instant::now();
            assert!(in_time(device, || ()).is_err());
            begun.elapsed()
        });
        assert!(refused.min().unwrap() < PATIENCE / 2, "from then on it is refused at once");
        assert_eq!(in_time(Path::new("/sys/class/hwmon/another"), || 7).unwrap(), 7);

        release.send(()).unwrap();
        let returned = (0..100).any(|_| {
            thread::sleep(Duration::from_millis(10));
            in_time(device, || 7).is_ok()
        });
        assert!(returned);
    }
}
