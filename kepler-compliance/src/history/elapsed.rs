//! The time between two records, on clocks that may be set.

use super::millis;
use kepler_core::host::Timestamp;
use std::time::{Duration, UNIX_EPOCH};

/// Clocks that differ by more than this between two records were set, not adjusted.
const CLOCK_TOLERANCE: Duration = Duration::from_secs(2);

/// The time between two records, on the wall clock as it is now.
#[derive(Clone, Copy, Debug)]
pub(super) struct Elapsed {
    pub(super) start_ms: i64,
    pub(super) end_ms: i64,
    pub(super) awake: Duration,
    /// It cannot be one with what was before: a clock was set, the sampler started again, or it is long.
    pub(super) apart: bool,
}

impl Elapsed {
    pub(super) fn between(earlier: &Timestamp, now: &Timestamp, resolution: Duration) -> Elapsed {
        let elapsed = now.boottime_since(earlier);
        let end_ms = wall_ms(now);
        let start_ms = wall_ms(earlier);
        let by_wall = end_ms.saturating_sub(start_ms);
        let was_set = by_wall.abs_diff(millis(elapsed)) > CLOCK_TOLERANCE.as_millis() as u64;
        let is_long = elapsed > resolution;
        // After a clock was set the new time is the better one, and the length is known from the other clock.
        let start_ms = if was_set { end_ms.saturating_sub(millis(elapsed)) } else { start_ms.min(end_ms) };
        Elapsed { start_ms, end_ms, awake: now.since(earlier), apart: was_set || is_long }
    }

    /// The same of a sampler that started again and has counted for so long: before that is a gap.
    pub(super) fn restarted(self, counted: Duration) -> Elapsed {
        let start_ms = self.end_ms.saturating_sub(millis(counted)).max(self.start_ms);
        Elapsed { start_ms, awake: self.awake.min(counted), apart: true, ..self }
    }
}

/// Wall-clock milliseconds since 1970; negative before.
pub(super) fn wall_ms(at: &Timestamp) -> i64 {
    match at.wall.duration_since(UNIX_EPOCH) {
        Ok(since) => millis(since),
        Err(before) => -millis(before.duration()),
    }
}
