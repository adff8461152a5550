//! The thread that asks a BMC, and how often.

use super::Bmc;
use super::error::RedfishError;
use super::round::Rounds;
use kepler_core::platform::PlatformBoard;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

/// The longest pause after failures.
const LONGEST_PAUSE: Duration = Duration::from_secs(300);
/// How long the end waits for a request under way and for the session to be ended.
const PATIENCE_AT_END: Duration = Duration::from_secs(3);

/// Asks a BMC on a thread of its own for as long as it lives, and ends its session.
#[derive(Debug)]
pub struct RedfishPoller {
    stop: Arc<AtomicBool>,
    thread: Option<Thread>,
    ended: Receiver<()>,
}

impl RedfishPoller {
    /// Begins to ask. What cannot be had is counted at the board and said in the log; it is tried again and again.
    #[must_use]
    pub fn start(bmc: Bmc, board: PlatformBoard) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (ending, ended) = mpsc::channel();
        let stopped = Arc::clone(&stop);
        let spawned = thread::Builder::new().name("kepler-redfish".into()).spawn(move || {
            work(bmc, &board, &stopped);
            // The receiver may be gone.
            let _ = ending.send(());
        });
        let thread = match spawned {
            Ok(handle) => Some(handle.thread().clone()),
            Err(error) => {
                tracing::error!("no thread can be started to ask the BMC: {error}");
                None
            }
        };
        RedfishPoller { stop, thread, ended }
    }
}

impl Drop for RedfishPoller {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        if let Some(thread) = &self.thread {
            thread.unpark();
            // A BMC that hangs is not waited for: its thread ends with the process.
            let _ = self.ended.recv_timeout(PATIENCE_AT_END);
        }
    }
}

fn work(bmc: Bmc, board: &PlatformBoard, stop: &AtomicBool) {
    let (id, origin, interval) = (bmc.id.clone(), bmc.origin.clone(), bmc.interval);
    let mut rounds = match Rounds::new(bmc, board.clone()) {
        Ok(rounds) => rounds,
        Err(error) => {
            board.fail_all("redfish", &id, error.fault());
            tracing::error!("{origin}: BMC `{id}` cannot be asked: {error}");
            return;
        }
    };
    let is_stopped = || stop.load(Ordering::Acquire);
    let mut failures = 0;
    while !is_stopped() {
        let begun = Instant::now();
        let outcome = rounds.run(&is_stopped);
        failures = if outcome.is_ok() { 0 } else { failures + 1 };
        let pause = pause(interval, begun.elapsed(), failures, outcome.as_ref().err());
        let until = Instant::now() + pause;
        while !is_stopped() {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            thread::park_timeout(left);
        }
    }
    rounds.client.log_out();
}

/// The pause after a round. A BMC that needs half a minute for an answer has as long a rest; one that refuses the account is
/// left alone for minutes, since some lock those out who try again.
fn pause(interval: Duration, took: Duration, failures: u32, error: Option<&RedfishError>) -> Duration {
    match error {
        None => interval.saturating_sub(took).max(took),
        Some(RedfishError::Refused { .. } | RedfishError::Certificate { .. }) => LONGEST_PAUSE,
        Some(_) => (interval * 2u32.saturating_pow(failures.saturating_sub(1).min(8))).min(LONGEST_PAUSE.max(interval)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_keep_the_pace_spare_the_slow_and_grow_with_failures() {
        let seconds = Duration::from_secs;
        assert_eq!(pause(seconds(10), seconds(2), 0, None), seconds(8));
        assert_eq!(pause(seconds(10), seconds(40), 0, None), seconds(40));
        let refused = RedfishError::Refused { url: String::new(), status: 401 };
        assert_eq!(pause(seconds(10), seconds(1), 1, Some(&refused)), LONGEST_PAUSE);
        let foreign = RedfishError::Foreign { url: String::new() };
        let pauses = [1, 2, 3, 50].map(|failures| pause(seconds(10), seconds(1), failures, Some(&foreign)));
        assert_eq!(pauses, [seconds(10), seconds(20), seconds(40), LONGEST_PAUSE]);
    }
}
