//! The age of blocks, on a clock that tolerates errors of the wall clock.

use super::millis;
use kepler_core::host::Timestamp;
use std::time::Duration;

/// A wall clock that runs ahead by no more than this is believed at once: the machine was off.
const BELIEVED_AT_ONCE: Duration = Duration::from_secs(7 * 86_400);

/// One that runs farther ahead is believed when it has done so for as long as this.
const BELIEVED_AFTER: Duration = Duration::from_secs(86_400);

/// A clock for ages. It never goes back, runs on with the boot clock while the wall clock is behind
/// it, and follows one that is ahead, far jumps only after a day.
#[derive(Clone, Copy, Debug)]
pub(super) struct AgeClock {
    now_ms: Option<i64>,
    boottime: Option<Duration>,
    ahead_since: Option<Duration>,
}

impl AgeClock {
    /// Goes on from the newest age in the file, if there is one.
    pub(super) fn starting_at(newest_ms: Option<i64>) -> Self {
        AgeClock { now_ms: newest_ms, boottime: None, ahead_since: None }
    }

    /// The time, milliseconds since 1970 as far as the wall clock was believed.
    pub(super) fn now_ms(&self) -> i64 {
        self.now_ms.unwrap_or(0)
    }

    /// Moves on to `at`, where the wall clock shows `wall_ms`.
    pub(super) fn advance(&mut self, wall_ms: i64, at: &Timestamp) {
        let Some(before_ms) = self.now_ms else {
            (self.now_ms, self.boottime) = (Some(wall_ms), Some(at.boottime));
            return;
        };
        let elapsed = self.boottime.map_or(Duration::ZERO, |before| at.boottime.saturating_sub(before));
        self.boottime = Some(at.boottime);
        let now_ms = before_ms.saturating_add(millis(elapsed));
        let is_far = wall_ms.saturating_sub(now_ms) > millis(BELIEVED_AT_ONCE);
        let since = if is_far { Some(self.ahead_since.unwrap_or(at.boottime)) } else { None };
        let is_believed = since.is_none_or(|since| at.boottime.saturating_sub(since) >= BELIEVED_AFTER);
        self.ahead_since = if is_believed { None } else { since };
        self.now_ms = Some(if is_believed { now_ms.max(wall_ms) } else { now_ms });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000;

    /// A clock at zero, moved by (hours since boot, hours on the wall).
    fn after(moves: &[(u64, i64)]) -> i64 {
        let mut clock = AgeClock::starting_at(None);
        for &(boot, wall) in moves {
            let at = Timestamp { boottime: Duration::from_secs(boot * 3600), ..Timestamp::now() };
            clock.advance(wall * HOUR, &at);
        }
        clock.now_ms() / HOUR
    }

    #[test]
    fn a_wall_clock_set_back_does_not_stop_the_ageing() {
        assert_eq!(after(&[(0, 100), (1, 50), (2, 51)]), 102);
    }

    #[test]
    fn a_machine_that_was_off_for_days_ages_at_once() {
        assert_eq!(after(&[(0, 100), (1, 200)]), 200);
    }

    #[test]
    fn a_clock_set_years_ahead_by_mistake_ages_nothing() {
        assert_eq!(after(&[(0, 100), (1, 900_000), (2, 102)]), 102);
    }

    #[test]
    fn a_clock_that_stays_ahead_for_a_day_is_believed() {
        assert_eq!(after(&[(0, 100), (1, 9_000), (20, 9_019), (25, 9_024)]), 9_024);
    }
}
