//! The share of an interval's energy that belongs to part of its time.

use crate::units::Energy;

/// A span of wall-clock time, milliseconds since 1970, from `start` (included) to `end` (excluded).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) start: i64,
    pub(super) end: i64,
}

impl Span {
    /// How long it is, in milliseconds.
    pub(super) fn length(self) -> i64 {
        self.end.saturating_sub(self.start).max(0)
    }

    /// What both have in common; empty where they do not meet.
    pub(super) fn meet(self, other: Span) -> Span {
        Span { start: self.start.max(other.start), end: self.end.min(other.end) }
    }

    /// The part of `amount`, used evenly over this span, that was used within `part`. The parts of
    /// adjacent spans add up to the whole, to the unit. What has no length belongs to its start.
    pub(super) fn share(self, amount: u64, part: Span) -> u64 {
        if self.length() == 0 {
            return if part.start <= self.start && self.start < part.end { amount } else { 0 };
        }
        if part.start <= self.start && self.end <= part.end {
            return amount;
        }
        let length = self.length().unsigned_abs();
        let up_to = |time: i64| {
            let passed = time.clamp(self.start, self.end).saturating_sub(self.start).unsigned_abs();
            match amount.checked_mul(passed) {
                // A division of 128 bits takes some ten times longer; a month's trend has thousands.
                Some(product) => product / length,
                None => u64::try_from(u128::from(amount) * u128::from(passed) / u128::from(length)).unwrap_or(u64::MAX),
            }
        };
        up_to(part.end).saturating_sub(up_to(part.start))
    }

    /// [`Span::share`] of an energy.
    pub(super) fn share_of(self, energy: Energy, part: Span) -> Energy {
        Energy::from_microjoules(self.share(energy.microjoules(), part))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn adjacent_parts_add_up_to_the_whole(
            amount: u64, start in -5_000i64..5_000, length in 0i64..5_000, cuts in prop::collection::vec(-6_000i64..11_000, 0..9)
        ) {
            let whole = Span { start, end: start + length };
            let mut edges = cuts;
            edges.extend([-20_000, 20_000]);
            edges.sort_unstable();
            let sum: u128 = edges.windows(2).map(|w| u128::from(whole.share(amount, Span { start: w[0], end: w[1] }))).sum();
            prop_assert_eq!(sum, u128::from(amount));
        }
    }

    #[test]
    fn half_of_the_time_has_half_of_the_energy() {
        let hour = Span { start: 0, end: 3_600_000 };
        let half = Span { start: 1_800_000, end: 9_000_000 };
        assert_eq!(hour.share_of(Energy::from_joules(7.0), half), Energy::from_joules(3.5));
    }
}
