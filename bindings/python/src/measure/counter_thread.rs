//! Reading counters during long measurements, so that no wrap is missed.

use super::Meters;
use crate::fork;
use std::sync::atomic::{AtomicU32, Ordering, fence};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

/// Starts a thread with the first mark, where counters wrap at all, and lets it end when no mark is
/// left. Starting one for every measurement would cost more than the measurement.
pub(super) struct CounterThread {
    /// Half the longest time that the counters may go unread: a thread may be late.
    interval: Option<Duration>,
    /// The process in which the thread runs, 0 for none: threads do not survive a fork.
    process: Arc<AtomicU32>,
    /// Shared with every mark: its count is that of the marks, and one.
    held: Arc<()>,
}

impl CounterThread {
    pub(super) fn new(longest_gap: Option<Duration>) -> Self {
        let interval = longest_gap.map(|gap| (gap / 2).max(Duration::from_millis(1)));
        CounterThread { interval, process: Arc::default(), held: Arc::default() }
    }

    /// Sees to it that the meters are read as long as what it returns is kept.
    pub(super) fn hold(&self, meters: &Arc<Mutex<Meters>>) -> Arc<()> {
        let held = Arc::clone(&self.held);
        let Some(interval) = self.interval else { return held };
        // Either this sees that the thread is gone, or the thread sees this mark: see `keep_up`.
        fence(Ordering::SeqCst);
        let (me, running) = (std::process::id(), self.process.load(Ordering::Acquire));
        let claim = || self.process.compare_exchange(running, me, Ordering::AcqRel, Ordering::Acquire);
        if running != me && claim().is_ok() {
            let (meters, marks) = (Arc::downgrade(meters), Arc::downgrade(&self.held));
            let process = Arc::clone(&self.process);
            let thread = std::thread::Builder::new().name("kepler-keep-up".into());
            if let Err(error) = thread.spawn(move || keep_up(interval, &meters, &marks, &process)) {
                // Not fatal: a counter that was not read in time says that it is uncertain.
                tracing::warn!(%error, "no thread to read counters during long measurements");
                self.process.store(0, Ordering::Release);
            }
        }
        held
    }

    pub(super) fn is_running(&self) -> bool {
        self.process.load(Ordering::Acquire) == std::process::id()
    }
}

fn keep_up(interval: Duration, meters: &Weak<Mutex<Meters>>, marks: &Weak<()>, process: &AtomicU32) {
    let me = std::process::id();
    loop {
        std::thread::sleep(interval);
        // One is that of the `CounterThread` itself.
        if marks.strong_count() <= 1 {
            process.store(0, Ordering::SeqCst);
            fence(Ordering::SeqCst);
            let is_claimed = || process.compare_exchange(0, me, Ordering::AcqRel, Ordering::Acquire).is_err();
            if marks.strong_count() <= 1 || is_claimed() {
                return;
            }
        }
        let Some(meters) = meters.upgrade() else { break };
        let _reading = fork::reading();
        meters.lock().unwrap_or_else(PoisonError::into_inner).keep_up();
    }
    process.store(0, Ordering::Release);
}
