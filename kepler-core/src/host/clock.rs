//! Time: one reading of the three clocks that matter.

use std::time::{Duration, SystemTime};

/// One moment, on three clocks.
///
/// Intervals are taken on the monotonic clock, which no one can set. The boot clock runs on during
/// suspend: the two drifting apart means the machine slept, and a counter may have lost its state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[expect(clippy::exhaustive_structs, reason = "one moment on the three clocks of Linux")]
pub struct Timestamp {
    /// `CLOCK_MONOTONIC`: since an arbitrary start, not counting suspend.
    pub monotonic: Duration,
    /// `CLOCK_BOOTTIME`: since boot, counting suspend.
    pub boottime: Duration,
    /// Wall-clock time, for display only.
    pub wall: SystemTime,
}

/// Clock readings taken one after the other differ by scheduling noise; sleep is longer than this.
const SUSPEND_THRESHOLD: Duration = Duration::from_millis(500);

impl Timestamp {
    /// This moment.
    #[must_use]
    pub fn now() -> Self {
        Timestamp {
            monotonic: read(rustix::time::ClockId::Monotonic),
            boottime: read(rustix::time::ClockId::Boottime),
            wall: SystemTime::now(),
        }
    }

    /// Awake time since `earlier`; zero if `earlier` is later.
    #[must_use]
    pub fn since(&self, earlier: &Timestamp) -> Duration {
        self.monotonic.saturating_sub(earlier.monotonic)
    }

    /// Time since `earlier` including suspend; zero if `earlier` is later.
    #[must_use]
    pub fn boottime_since(&self, earlier: &Timestamp) -> Duration {
        self.boottime.saturating_sub(earlier.boottime)
    }

    /// Whether the machine was suspended between `earlier` and now.
    #[must_use]
    pub fn suspended_since(&self, earlier: &Timestamp) -> bool {
        self.boottime_since(earlier) > self.since(earlier) + SUSPEND_THRESHOLD
    }

    /// The moment that was `awake` earlier, with no sleep in between; the start of the clocks at the earliest.
    #[must_use]
    pub fn before(&self, awake: Duration) -> Self {
        Timestamp {
            monotonic: self.monotonic.saturating_sub(awake),
            boottime: self.boottime.saturating_sub(awake),
            wall: self.wall.checked_sub(awake).unwrap_or(SystemTime::UNIX_EPOCH),
        }
    }

    /// The same moment moved on by `awake`, for simulated clocks.
    #[must_use]
    pub fn advanced(&self, awake: Duration) -> Self {
        Timestamp { monotonic: self.monotonic + awake, boottime: self.boottime + awake, wall: self.wall + awake }
    }
}

fn read(clock: rustix::time::ClockId) -> Duration {
    let time = rustix::time::clock_gettime(clock);
    Duration::new(time.tv_sec.max(0) as u64, time.tv_nsec.clamp(0, 999_999_999) as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_goes_forward_and_a_moment_is_no_sleep() {
        let a = Timestamp::now();
        let b = Timestamp::now();
        assert!(b.monotonic >= a.monotonic && b.boottime >= a.boottime);
        assert!(!b.suspended_since(&a));
    }

    #[test]
    fn boot_clock_running_ahead_is_a_suspend() {
        let a = Timestamp::now();
        let mut b = a.advanced(Duration::from_secs(3));
        assert!(!b.suspended_since(&a));
        b.boottime += Duration::from_secs(60);
        assert!(b.suspended_since(&a));
    }
}
