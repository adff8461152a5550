//! Sampling on a thread of its own, on an absolute schedule.
//!
//! Each tick is due a whole number of intervals after the first: a slow tick does not shift the ones
//! after it, and one that is missed altogether is left out, not made up for. Readers take the
//! newest [`Snapshot`](crate::snapshot::Snapshot) from the [`Feed`]; they never wait and never cause
//! a tick.
//!
//! ```
//! use kepler_core::host::Host;
//! use kepler_core::monitor::Monitor;
//! use kepler_core::sampler::{Sampler, SamplerOptions};
//! use std::time::Duration;
//!
//! let sampler = Sampler::new(&Host::default(), SamplerOptions::default())?;
//! let monitor = Monitor::start(sampler, Duration::from_secs(5))?;
//! // A feed may be cloned and read by any thread.
//! let snapshot = monitor.feed().latest().expect("the first tick was before the start returned");
//! println!("{} processes", snapshot.processes.len());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use crate::sampler::Sampler;
use crate::snapshot::Feed;
use std::io;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// The second tick comes this soon, whatever the interval, so that there is power to show.
const WARM_UP: Duration = Duration::from_millis(500);

/// Limits of the interval.
const SHORTEST: Duration = Duration::from_millis(1);
const LONGEST: Duration = Duration::from_secs(86_400);

/// A sampler at work. Dropping it stops its thread and waits for the tick under way.
#[derive(Debug)]
pub struct Monitor {
    feed: Feed,
    interval: Duration,
    stop: Arc<Stop>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Stop {
    asked: Mutex<bool>,
    changed: Condvar,
}

impl Monitor {
    /// Ticks once, then starts a thread that ticks every `interval` (1 ms … 1 day; others are taken for
    /// the nearest of these). The second tick comes after half a second at most. Where counters go
    /// round faster than that, they are read in between ([`Sampler::keep_up`]).
    ///
    /// # Errors
    /// When the thread cannot be started.
    pub fn start(mut sampler: Sampler, interval: Duration) -> io::Result<Self> {
        let interval = interval.clamp(SHORTEST, LONGEST);
        let feed = Feed::default();
        let stop = Arc::new(Stop::default());
        feed.publish(sampler.tick());
        let thread = std::thread::Builder::new().name("kepler-monitor".into()).spawn({
            let (feed, stop) = (feed.clone(), Arc::clone(&stop));
            move || {
                let mut due = Instant::now() + interval.min(WARM_UP);
                loop {
                    // Half the longest gap, as a thread may be late.
                    let gap = sampler.longest_gap().map_or(interval, |gap| (gap / 2).max(SHORTEST));
                    let next = due.min(Instant::now() + gap);
                    if !stop.wait_until(next) {
                        break;
                    }
                    if next < due {
                        sampler.keep_up();
                        continue;
                    }
                    feed.publish(sampler.tick());
                    due = next_after(due, interval, Instant::now());
                }
            }
        })?;
        Ok(Monitor { feed, interval, stop, thread: Some(thread) })
    }

    /// Where the snapshots are found. It outlives the monitor, with the last snapshot in it.
    #[must_use]
    pub fn feed(&self) -> Feed {
        self.feed.clone()
    }

    /// Time between two ticks.
    #[must_use]
    pub fn interval(&self) -> Duration {
        self.interval
    }
}

impl Drop for Monitor {
    fn drop(&mut self) {
        *self.stop.asked.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.stop.changed.notify_all();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Stop {
    /// Waits; `true` when the time has come, `false` when it is time to stop.
    fn wait_until(&self, due: Instant) -> bool {
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if *asked {
                return false;
            }
            let left = due.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return true;
            }
            asked = self.changed.wait_timeout(asked, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

/// The first moment of the schedule that lies ahead.
fn next_after(due: Instant, interval: Duration, now: Instant) -> Instant {
    let late = now.saturating_duration_since(due);
    let missed = late.as_nanos() / interval.as_nanos().max(1);
    due + interval * u32::try_from(missed + 1).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_late_tick_keeps_to_the_schedule_and_a_missed_one_is_left_out() {
        let due = Instant::now();
        let interval = Duration::from_secs(3);
        assert_eq!(next_after(due, interval, due + Duration::from_secs(1)), due + interval);
        assert_eq!(next_after(due, interval, due + Duration::from_secs(7)), due + interval * 3);
    }
}
