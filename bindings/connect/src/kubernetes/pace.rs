//! How often a source is asked: never in a loop, and not by all nodes at once.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::Duration;

/// An answer takes no longer.
pub(super) const TIMEOUT: Duration = Duration::from_secs(10);

/// `length`, give or take a fifth, at random.
pub(super) fn jittered(length: Duration) -> Duration {
    // The standard library's seed of hashes is the system's randomness.
    let random = RandomState::new().build_hasher().finish() % 1000;
    let part = u32::try_from(random).unwrap_or(500);
    length * (800 + part * 400 / 1000) / 1000
}

/// Waits that double with each failure.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Backoff(u32);

impl Backoff {
    const FIRST: Duration = Duration::from_millis(500);
    const LAST: Duration = Duration::from_secs(30);

    pub(super) fn next(&mut self) -> Duration {
        let wait = (Self::FIRST * 2_u32.saturating_pow(self.0.min(10))).min(Self::LAST);
        self.0 = self.0.saturating_add(1);
        jittered(wait)
    }
}

/// Sleeps.
pub(super) fn pause(length: Duration) {
    std::thread::sleep(length);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_and_end_at_half_a_minute_and_differ() {
        let mut backoff = Backoff::default();
        let waits: Vec<f64> = (0..12).map(|_| backoff.next().as_secs_f64()).collect();
        assert!((0.4..=0.6).contains(&waits[0]) && (0.8..=1.2).contains(&waits[1]), "{waits:?}");
        assert!(waits[7..].iter().all(|wait| (24.0..=36.0).contains(wait)), "{waits:?}");
        let some: std::collections::HashSet<_> = (0..50).map(|_| jittered(Duration::from_secs(10))).collect();
        assert!(some.len() > 5, "not all at once");
    }
}
