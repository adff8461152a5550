//! Log lines about rejected requests: truncated and rate-limited.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Characters of a value from outside that a message or a log line shows.
const SHOWN: usize = 100;

/// `text` as it may be shown: at most 100 characters, the rest as a count.
///
/// ```
/// assert_eq!(kepler_guard::shortened("node-1"), "node-1");
/// assert_eq!(kepler_guard::shortened(&"x".repeat(60_000)).chars().count(), 100 + "… (59900 more)".chars().count());
/// ```
#[must_use]
pub fn shortened(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        None => text.to_owned(),
        Some((end, _)) => {
            let (shown, rest) = text.split_at(end);
            format!("{shown}… ({} more)", rest.chars().count())
        }
    }
}

/// Lets one log line through in a period, and counts the others.
#[derive(Debug)]
pub struct LogLimit {
    period: Duration,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    last: Option<Instant>,
    suppressed: u64,
}

impl LogLimit {
    /// One line a `period`.
    #[must_use]
    pub fn new(period: Duration) -> Self {
        LogLimit { period, state: Mutex::default() }
    }

    /// Whether a line may be written now: then with how many were suppressed since the last one.
    pub fn permit(&self) -> Option<u64> {
        self.permit_at(Instant::now())
    }

    fn permit_at(&self, now: Instant) -> Option<u64> {
        // Valid after every step, so a panic elsewhere spoils nothing.
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.last.is_some_and(|last| now.duration_since(last) < self.period) {
            state.suppressed += 1;
            return None;
        }
        state.last = Some(now);
        Some(std::mem::take(&mut state.suppressed))
    }
}

impl Default for LogLimit {
    /// One line in ten seconds.
    fn default() -> Self {
        LogLimit::new(Duration::from_secs(10))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_a_period_says_how_many_it_stands_for() {
        let limit = LogLimit::new(Duration::from_secs(10));
        let start = Instant::now();
        let at = |seconds| limit.permit_at(start + Duration::from_secs(seconds));
        assert_eq!([at(0), at(1), at(9), at(10), at(21)], [Some(0), None, None, Some(2), Some(0)]);
    }

    #[test]
    fn a_long_value_is_cut_at_a_character_and_not_within_one() {
        let text = "서".repeat(200);
        assert_eq!(shortened(&text), format!("{}… (100 more)", "서".repeat(100)));
    }
}
