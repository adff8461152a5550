//! The rate limit of the format: a bucket of `burst` tokens that gains one each `interval`.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

#[derive(Debug)]
pub(super) struct TokenBucket {
    interval: Duration,
    burst: f64,
    state: Mutex<(f64, Instant)>,
}

impl TokenBucket {
    pub(super) fn new(interval: Duration, burst: u32) -> Self {
        TokenBucket { interval, burst: f64::from(burst), state: Mutex::new((f64::from(burst), Instant::now())) }
    }

    /// Takes a token if there is one.
    pub(super) fn take(&self) -> bool {
        self.take_at(Instant::now())
    }

    fn take_at(&self, now: Instant) -> bool {
        // Valid after every step, so a panic elsewhere spoils nothing.
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let (tokens, last) = *state;
        let gained = now.saturating_duration_since(last).as_secs_f64() / self.interval.as_secs_f64();
        let tokens = (tokens + gained).min(self.burst);
        let taken = tokens >= 1.0;
        *state = (if taken { tokens - 1.0 } else { tokens }, now);
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_let_through_and_then_one_each_interval() {
        let bucket = TokenBucket::new(Duration::from_secs(2), 3);
        let start = Instant::now();
        let at = |seconds| bucket.take_at(start + Duration::from_secs(seconds));
        assert_eq!([at(1), at(1), at(1), at(1)], [true, true, true, false]);
        assert_eq!(
            [at(2), at(3), at(4), at(100), at(100), at(100), at(100)],
            [false, true, false, true, true, true, false]
        );
    }
}
