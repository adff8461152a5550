//! How long the last value of a series remains valid.

use std::time::Duration;

/// As the caller says, or by the series' own step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Validity(pub(super) Option<Duration>);

impl Validity {
    /// The longest without the caller's word.
    pub(super) const LONGEST: Duration = Duration::from_secs(2 * 3600);

    /// How long after the end of a step its value may still stand in.
    ///
    /// A step whose end is a guess has used up some of the time already.
    pub(super) fn after(self, step: Duration, end_is_guess: bool) -> Duration {
        self.0.unwrap_or_else(|| {
            let longest = if end_is_guess { Self::LONGEST.saturating_sub(step) } else { Self::LONGEST };
            step.min(longest)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_stands_in_as_long_as_its_step_and_two_hours_at_most() {
        let minutes = |minutes: u64| Duration::from_secs(minutes * 60);
        let usual = Validity(None);
        assert_eq!(usual.after(minutes(5), false), minutes(5));
        assert_eq!(usual.after(minutes(24 * 60), false), minutes(120));
        assert_eq!(usual.after(minutes(60), true), minutes(60));
        assert_eq!(usual.after(minutes(120), true), Duration::ZERO);
        assert_eq!(Validity(Some(minutes(300))).after(minutes(5), true), minutes(300));
    }
}
