//! From raw counters to energy: wraps, resets, gaps, and sensors that only know power.
//!
//! A hardware energy counter is a register of 32 bits or so that returns to zero every few minutes
//! to hours, loses its state in deep sleep, and is read by a thread that may be late. Each reading
//! is turned into an [`EnergyDelta`] that says what happened, and never into a spike: what a zone
//! cannot have drawn did not happen.
//!
//! ```
//! use kepler_core::counter::{CounterTracker, EnergyDelta, Reading};
//! use kepler_core::host::Timestamp;
//! use kepler_core::units::{Energy, Power};
//! use std::time::Duration;
//!
//! // A counter of 1000 J in a zone that draws 100 W at most.
//! let mut tracker = CounterTracker::new(Some(Energy::from_joules(1000.0)), Power::from_watts(100.0));
//! let start = Timestamp::now();
//! let mut read = |joules, second| {
//!     tracker.update(Reading::Counter(Energy::from_joules(joules)), start.advanced(Duration::from_secs(second)))
//! };
//! assert_eq!(read(900.0, 0), EnergyDelta::First);
//! assert_eq!(read(950.0, 1), EnergyDelta::Exact(Energy::from_joules(50.0)));
//! assert_eq!(read(30.0, 2), EnergyDelta::Wrapped(Energy::from_joules(80.0)));
//! assert_eq!(read(5.0, 3), EnergyDelta::Reset { at_least: Energy::from_joules(5.0) });
//! ```

use crate::host::Timestamp;
use crate::units::{Energy, Power};
use std::time::Duration;

/// What a zone of a [meter](crate::meter) reported.
#[derive(Clone, Copy, Debug, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "a sensor counts energy or shows power")]
pub enum Reading {
    /// A cumulative energy counter, that wraps at the zone's modulus.
    Counter(Energy),
    /// Power at this moment, or averaged by the sensor over its own short window.
    Power(Power),
}

/// The energy between two readings of one zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "who reads a counter must treat every case")]
pub enum EnergyDelta {
    /// The first reading: there is nothing to compare it with.
    First,
    /// The counter rose, or the power was integrated, over an interval that allows one reading only.
    Exact(Energy),
    /// The counter passed its end once.
    Wrapped(Energy),
    /// The counter lost its state (suspend, firmware, hot-plug). This much was drawn since, at least.
    Reset {
        /// Lower bound.
        at_least: Energy,
    },
    /// The gap was so long that the counter may have passed its end more often than can be seen.
    Ambiguous {
        /// Lower bound.
        at_least: Energy,
    },
}

impl EnergyDelta {
    /// What is known to have been drawn: exact where it is exact, else the lower bound.
    #[must_use]
    pub const fn energy(self) -> Energy {
        match self {
            EnergyDelta::First => Energy::ZERO,
            EnergyDelta::Exact(energy) | EnergyDelta::Wrapped(energy) => energy,
            EnergyDelta::Reset { at_least } | EnergyDelta::Ambiguous { at_least } => at_least,
        }
    }
}

/// How often a counter did something other than rise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct CounterEvents {
    /// Passed its end; nothing was lost.
    pub wraps: u64,
    /// Lost its state; energy from the last reading to the reset is unknown.
    pub resets: u64,
    /// Was not read for so long that whole rounds may be missing.
    pub ambiguous: u64,
}

impl CounterEvents {
    /// Counts one delta.
    pub fn count(&mut self, delta: EnergyDelta) {
        match delta {
            EnergyDelta::First | EnergyDelta::Exact(_) => {}
            EnergyDelta::Wrapped(_) => self.wraps += 1,
            EnergyDelta::Reset { .. } => self.resets += 1,
            EnergyDelta::Ambiguous { .. } => self.ambiguous += 1,
        }
    }
}

/// Follows one zone from reading to reading.
#[derive(Clone, Debug)]
pub struct CounterTracker {
    modulus: Option<Energy>,
    max_power: Power,
    last: Option<(Reading, Timestamp)>,
}

/// Reading and timestamp are not taken at the same instant, and counters are updated about every
/// millisecond: this much more time is granted before a rise is called impossible.
const SLACK: Duration = Duration::from_millis(100);

/// How long a counter that returns to zero after `modulus` may go unread without a whole round being
/// missed, if the zone draws `max_power` at most. `None` for a zone without a plausible power.
#[must_use]
pub fn longest_gap(modulus: Energy, max_power: Power) -> Option<Duration> {
    let round = Duration::try_from_secs_f64(modulus.joules() / max_power.watts()).ok()?;
    // Strictly less than a round, and not only by the rounding of this division.
    Some(round.saturating_sub(SLACK).saturating_sub(Duration::from_millis(1)))
}

impl CounterTracker {
    /// A tracker of a zone whose counter returns to zero after `modulus` (`None`: never) and which
    /// never draws more than `max_power`.
    #[must_use]
    pub fn new(modulus: Option<Energy>, max_power: Power) -> Self {
        CounterTracker { modulus, max_power, last: None }
    }

    /// Takes the next reading and says what was drawn since the one before.
    pub fn update(&mut self, reading: Reading, at: Timestamp) -> EnergyDelta {
        let delta = match self.last {
            None => EnergyDelta::First,
            Some((last, then)) => match (last, reading) {
                (Reading::Counter(from), Reading::Counter(to)) => self.difference(from, to, &then, &at),
                (Reading::Power(from), Reading::Power(to)) => EnergyDelta::Exact(self.integral(from, to, &then, &at)),
                // A zone that changes its kind starts again.
                _ => EnergyDelta::First,
            },
        };
        self.last = Some((reading, at));
        delta
    }

    /// The difference of two counter values.
    fn difference(&self, from: Energy, to: Energy, then: &Timestamp, now: &Timestamp) -> EnergyDelta {
        let plausible = self.max_power * (now.boottime_since(then) + SLACK);
        if to >= from {
            let risen = to - from;
            return if risen > plausible {
                // A jump no hardware could make: the register was overwritten. What it holds now
                // says nothing about what was drawn.
                EnergyDelta::Reset { at_least: Energy::ZERO }
            } else if self.modulus.is_some_and(|modulus| plausible >= modulus) {
                EnergyDelta::Ambiguous { at_least: risen }
            } else {
                EnergyDelta::Exact(risen)
            };
        }
        // After a reset the counter holds what was drawn since, if that is possible at all.
        let since_reset = if to > plausible { Energy::ZERO } else { to };
        let Some(wrapped) = self.modulus.and_then(|modulus| (modulus + to).checked_sub(from)) else {
            return EnergyDelta::Reset { at_least: since_reset };
        };
        if wrapped > plausible || now.suspended_since(then) {
            EnergyDelta::Reset { at_least: since_reset }
        } else if self.modulus.is_some_and(|modulus| plausible >= modulus) {
            EnergyDelta::Ambiguous { at_least: wrapped }
        } else {
            EnergyDelta::Wrapped(wrapped)
        }
    }

    /// Power integrated over the time awake (trapezoid), limited to what is plausible.
    fn integral(&self, from: Power, to: Power, then: &Timestamp, now: &Timestamp) -> Energy {
        let mean = ((from + to) * 0.5).watts();
        Power::from_watts(mean.clamp(0.0, self.max_power.watts())) * now.since(then)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn joules(j: f64) -> Reading {
        Reading::Counter(Energy::from_joules(j))
    }

    fn tracker(range_joules: f64, max_watts: f64) -> CounterTracker {
        CounterTracker::new(Some(Energy::from_joules(range_joules)), Power::from_watts(max_watts))
    }

    fn step(tracker: &mut CounterTracker, at: &mut Timestamp, seconds: f64, j: f64) -> EnergyDelta {
        *at = at.advanced(Duration::from_secs_f64(seconds));
        tracker.update(joules(j), *at)
    }

    #[test]
    fn the_first_reading_is_no_energy() {
        let mut t = tracker(262_143.0, 500.0);
        assert_eq!(t.update(joules(1000.0), Timestamp::now()), EnergyDelta::First);
    }

    #[test]
    fn a_wrap_loses_nothing() {
        let (mut t, mut at) = (tracker(1000.0, 50.0), Timestamp::now());
        step(&mut t, &mut at, 1.0, 990.0);
        assert_eq!(step(&mut t, &mut at, 1.0, 5.0), EnergyDelta::Wrapped(Energy::from_joules(15.0)));
    }

    #[test]
    fn a_reset_from_1000_to_5_joules_in_a_second_is_no_quarter_megajoule() {
        let (mut t, mut at) = (tracker(262_143.328_850, 500.0), Timestamp::now());
        step(&mut t, &mut at, 1.0, 1000.0);
        assert_eq!(step(&mut t, &mut at, 1.0, 5.0), EnergyDelta::Reset { at_least: Energy::from_joules(5.0) });
    }

    #[test]
    fn a_jump_that_no_processor_can_make_is_a_reset_without_energy() {
        let (mut t, mut at) = (tracker(262_143.0, 500.0), Timestamp::now());
        step(&mut t, &mut at, 1.0, 1000.0);
        assert_eq!(step(&mut t, &mut at, 1.0, 200_000.0), EnergyDelta::Reset { at_least: Energy::ZERO });
        assert_eq!(step(&mut t, &mut at, 1.0, 200_100.0), EnergyDelta::Exact(Energy::from_joules(100.0)));
    }

    #[test]
    fn a_gap_longer_than_a_round_is_ambiguous_and_bounded() {
        let (mut t, mut at) = (tracker(1000.0, 50.0), Timestamp::now());
        step(&mut t, &mut at, 1.0, 100.0);
        assert_eq!(step(&mut t, &mut at, 21.0, 300.0), EnergyDelta::Ambiguous { at_least: Energy::from_joules(200.0) });
        assert_eq!(step(&mut t, &mut at, 21.0, 100.0), EnergyDelta::Ambiguous { at_least: Energy::from_joules(800.0) });
    }

    #[test]
    fn common_counters_are_unambiguous_at_common_intervals() {
        // Joules in a round and the default maximum of the kind: Intel's package, its memory with the
        // 15.3 µJ unit, AMD's package with the same unit, and a client's platform.
        for (round, watts, seconds) in
            [(262_144.0, 1500.0, 174), (65_536.0, 600.0, 109), (65_536.0, 1500.0, 43), (262_144.0, 10_000.0, 26)]
        {
            let (mut t, mut at) = (tracker(round, watts), Timestamp::now());
            let gap = longest_gap(Energy::from_joules(round), Power::from_watts(watts)).unwrap();
            assert_eq!(gap.as_secs(), seconds);
            step(&mut t, &mut at, 1.0, 0.0);
            assert_eq!(step(&mut t, &mut at, gap.as_secs_f64(), 9.0), EnergyDelta::Exact(Energy::from_joules(9.0)));
        }
        assert_eq!(longest_gap(Energy::from_joules(1.0), Power::ZERO), None);
    }

    #[test]
    fn a_drop_across_a_suspend_is_a_reset() {
        let (mut t, mut at) = (tracker(1000.0, 50.0), Timestamp::now());
        step(&mut t, &mut at, 1.0, 990.0);
        at.boottime += Duration::from_secs(3);
        assert_eq!(step(&mut t, &mut at, 1.0, 5.0), EnergyDelta::Reset { at_least: Energy::from_joules(5.0) });
    }

    #[test]
    fn a_counter_without_an_end_that_falls_was_reset() {
        let mut t = CounterTracker::new(None, Power::from_watts(100.0));
        let mut at = Timestamp::now();
        step(&mut t, &mut at, 1.0, 990.0);
        assert_eq!(step(&mut t, &mut at, 1.0, 5.0), EnergyDelta::Reset { at_least: Energy::from_joules(5.0) });
    }

    #[test]
    fn power_is_integrated_over_the_time_that_really_passed() {
        let mut t = CounterTracker::new(None, Power::from_watts(1000.0));
        let at = Timestamp::now();
        assert_eq!(t.update(Reading::Power(Power::from_watts(100.0)), at), EnergyDelta::First);
        let later = at.advanced(Duration::from_millis(2500));
        let delta = t.update(Reading::Power(Power::from_watts(200.0)), later);
        assert_eq!(delta, EnergyDelta::Exact(Energy::from_joules(375.0)));
    }

    #[test]
    fn two_sockets_over_five_seconds_draw_135_watts() {
        // The first worked example of the carbon specification.
        let counters = [
            (1_234_567.89, 1_234_793.89),
            (1_234_500.12, 1_234_726.12),
            (567_890.45, 568_002.45),
            (567_850.23, 567_962.23),
        ];
        let at = Timestamp::now();
        let interval = Duration::from_secs(5);
        let drawn: Vec<Energy> = counters
            .iter()
            .map(|&(from, to)| {
                let mut t = CounterTracker::new(None, Power::from_watts(1000.0));
                t.update(joules(from), at);
                t.update(joules(to), at.advanced(interval)).energy()
            })
            .collect();
        let total: Energy = drawn.iter().copied().sum();
        assert_eq!(total, Energy::from_joules(676.0));
        assert_eq!(total / interval, Power::from_watts(135.2));
        assert_eq!((drawn[0] + drawn[1]) / interval, Power::from_watts(90.4));
        assert_eq!((drawn[2] + drawn[3]) / interval, Power::from_watts(44.8));
    }

    proptest! {
        /// True power and sampling gaps of any kind, within one round: every microjoule is found.
        #[test]
        fn nothing_is_lost_while_sampling_keeps_up(
            start in 0u64..1_000_000_000,
            steps in prop::collection::vec((1u64..19_000, 0.0f64..50.0), 1..200),
        ) {
            let modulus = 1_000_000_000u64; // 1000 J at 50 W: a round takes at least 20 s
            let mut t = tracker(1000.0, 50.0);
            let (mut at, mut truth) = (Timestamp::now(), start);
            t.update(Reading::Counter(Energy::from_microjoules(truth % modulus)), at);
            let mut found = 0;
            for (milliseconds, watts) in steps {
                truth += (watts * milliseconds as f64 * 1e3) as u64;
                at = at.advanced(Duration::from_millis(milliseconds));
                let delta = t.update(Reading::Counter(Energy::from_microjoules(truth % modulus)), at);
                prop_assert!(matches!(delta, EnergyDelta::Exact(_) | EnergyDelta::Wrapped(_)), "{delta:?}");
                found += delta.energy().microjoules();
            }
            prop_assert_eq!(found, truth - start);
        }

        /// Any register values whatever at any times: never more than the zone can draw.
        #[test]
        fn never_a_spike(readings in prop::collection::vec((0u64..2_000_000_000, 0u64..100_000, 0u64..10_000), 2..100)) {
            let mut t = tracker(1000.0, 50.0);
            let mut at = Timestamp::now();
            for (raw, milliseconds, asleep) in readings {
                let before = at;
                at = at.advanced(Duration::from_millis(milliseconds));
                at.boottime += Duration::from_millis(asleep);
                let drawn = t.update(Reading::Counter(Energy::from_microjoules(raw)), at).energy();
                prop_assert!(drawn <= Power::from_watts(50.0) * (at.boottime_since(&before) + SLACK));
            }
        }

        /// Gaps of any length: the figure never exceeds the truth.
        #[test]
        fn a_gap_never_invents_energy(
            steps in prop::collection::vec((1u64..100_000, 0.0f64..50.0), 1..100),
        ) {
            let modulus = 1_000_000_000u64;
            let mut t = tracker(1000.0, 50.0);
            let (mut at, mut truth, mut found) = (Timestamp::now(), 0u64, 0u64);
            t.update(Reading::Counter(Energy::ZERO), at);
            for (milliseconds, watts) in steps {
                truth += (watts * milliseconds as f64 * 1e3) as u64;
                at = at.advanced(Duration::from_millis(milliseconds));
                found += t.update(Reading::Counter(Energy::from_microjoules(truth % modulus)), at).energy().microjoules();
                prop_assert!(found <= truth);
            }
        }
    }
}
