//! From a zone's readings to what it drew, also across the time in which it could not be read.
//!
//! One [`Follower`] a zone or device serves the whole library: the [chain](super::chain) has those of the zones, and hands
//! out what was [`Drawn`].

use super::Reading;
use crate::counter::{CounterTracker, EnergyDelta};
use crate::host::Timestamp;
use crate::units::{Energy, Power};
use std::time::Duration;

/// What a zone drew since its last reading.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Drawn {
    /// What its counter did.
    pub delta: EnergyDelta,
    /// The time in which it did that.
    pub window: Duration,
    /// What belongs to its total: the energy of the delta, less what was estimated in its stead while it could not be read.
    pub energy: Energy,
    /// The time in which that was drawn.
    pub elapsed: Duration,
}

impl Drawn {
    /// What a counter did, with nothing estimated in its stead.
    #[must_use]
    pub fn of(delta: EnergyDelta, window: Duration) -> Self {
        Drawn { delta, window, energy: delta.energy(), elapsed: window }
    }

    /// The mean power in the window, where it is known exactly.
    #[must_use]
    pub fn power(&self) -> Option<Power> {
        let (EnergyDelta::Exact(energy) | EnergyDelta::Wrapped(energy)) = self.delta else { return None };
        (!self.window.is_zero()).then(|| energy.over(self.window))
    }
}

/// Follows one zone from reading to reading.
///
/// While the zone is lost, something else is counted in its stead. Once it is back and its counter has gone on meanwhile, the counter shows
/// the truth of all that time: its total goes on with that, less what was estimated. Where more was estimated than was
/// drawn, the rest is taken off what the zone draws from then on, half of it at most, so that totals never fall and are right in the end.
#[derive(Clone, Debug)]
pub(crate) struct Follower {
    modulus: Option<Energy>,
    max_power: Power,
    tracker: CounterTracker,
    last: Option<(Reading, Timestamp)>,
    /// Whether it was lost since the last reading.
    was_lost: bool,
    /// What was estimated in its stead since then, and over which time.
    estimated: Energy,
    estimated_time: Duration,
    /// What was estimated too much, and is still in the total.
    excess: Energy,
}

impl Follower {
    /// Of a zone whose counter returns to zero after `modulus`, and which never draws more than `max_power`.
    pub(crate) fn new(modulus: Option<Energy>, max_power: Power) -> Self {
        Follower {
            modulus,
            max_power,
            tracker: CounterTracker::new(modulus, max_power),
            last: None,
            was_lost: false,
            estimated: Energy::ZERO,
            estimated_time: Duration::ZERO,
            excess: Energy::ZERO,
        }
    }

    /// Takes the next reading.
    pub(crate) fn advance(&mut self, reading: Reading, at: Timestamp) -> Drawn {
        let before = self.last.replace((reading, at));
        let window = before.map_or(Duration::ZERO, |(_, then)| covered(reading, &then, &at));
        let delta = self.tracker.update(reading, at);
        if std::mem::take(&mut self.was_lost) {
            return self.come_back(reading, delta, window);
        }
        let mut drawn = Drawn::of(delta, window);
        let returned = self.excess.min(Energy::from_microjoules(drawn.energy.microjoules() / 2));
        self.excess = self.excess.saturating_sub(returned);
        drawn.energy = drawn.energy.saturating_sub(returned);
        drawn
    }

    /// The zone cannot be read, and something else is counted in its stead.
    pub(crate) fn lose(&mut self) {
        self.was_lost = true;
    }

    /// So much was estimated in its stead.
    pub(super) fn estimate(&mut self, energy: Energy, elapsed: Duration) {
        self.was_lost = true;
        self.estimated += energy;
        self.estimated_time += elapsed;
    }

    /// Its counter did not count: the next reading is a first one.
    pub(super) fn restart(&mut self) {
        self.tracker = CounterTracker::new(self.modulus, self.max_power);
        (self.last, self.was_lost) = (None, false);
        (self.estimated, self.estimated_time, self.excess) = (Energy::ZERO, Duration::ZERO, Energy::ZERO);
    }

    /// The first reading after the zone was lost.
    fn come_back(&mut self, reading: Reading, delta: EnergyDelta, window: Duration) -> Drawn {
        let (estimated, time) = (std::mem::take(&mut self.estimated), std::mem::take(&mut self.estimated_time));
        let drawn = match delta {
            // A sensor of power says nothing about the time before.
            _ if matches!(reading, Reading::Power(_)) => None,
            EnergyDelta::Exact(energy) | EnergyDelta::Wrapped(energy) => Some(energy),
            EnergyDelta::Ambiguous { at_least } => {
                // Whole rounds may be missing, but not if the estimate knows better; nor was the counter reset if it does
                // not show far more than the estimate.
                let expected = if time.is_zero() { Energy::ZERO } else { estimated.over(time) * window };
                let is_within_a_round = self.modulus.is_some_and(|modulus| expected + expected < modulus);
                Some(at_least).filter(|&energy| is_within_a_round && energy <= expected + expected + expected)
            }
            EnergyDelta::First | EnergyDelta::Reset { .. } => None,
        };
        let Some(drawn) = drawn else { return Drawn::of(EnergyDelta::First, Duration::ZERO) };
        let counted = estimated + self.excess;
        self.excess = counted.saturating_sub(drawn);
        Drawn { delta, window, energy: drawn.saturating_sub(counted), elapsed: window.saturating_sub(time) }
    }
}

/// The time in which what a reading adds was drawn. A counter goes on while the machine sleeps, if it
/// keeps its state; a sensor of power is asked only while it is awake.
fn covered(reading: Reading, last: &Timestamp, at: &Timestamp) -> Duration {
    match reading {
        Reading::Counter(_) if at.suspended_since(last) => at.boottime_since(last),
        _ => at.since(last),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A zone whose counter returns to zero after 1000 J.
    fn follower() -> Follower {
        Follower::new(Some(Energy::from_joules(1000.0)), Power::from_watts(50.0))
    }

    fn counter(joules: f64) -> Reading {
        Reading::Counter(Energy::from_joules(joules))
    }

    fn joules(joules: f64) -> Energy {
        Energy::from_joules(joules)
    }

    #[test]
    fn a_counter_that_is_back_shows_what_was_not_estimated() {
        let (mut zone, at) = (follower(), Timestamp::now());
        zone.advance(counter(100.0), at);
        zone.estimate(joules(30.0), Duration::from_secs(3));
        let drawn = zone.advance(counter(200.0), at.advanced(Duration::from_secs(10)));
        assert_eq!((drawn.energy, drawn.elapsed), (joules(70.0), Duration::from_secs(7)));
        assert_eq!(drawn.power(), Some(Power::from_watts(10.0)), "the true mean of the whole time");
    }

    #[test]
    fn what_was_estimated_too_much_is_returned_little_by_little() {
        let (mut zone, mut at) = (follower(), Timestamp::now());
        zone.advance(counter(0.0), at);
        zone.estimate(joules(25.0), Duration::from_secs(1));
        let mut total = joules(25.0);
        for second in 1..=4 {
            at = at.advanced(Duration::from_secs(1));
            let drawn = zone.advance(counter(f64::from(second) * 10.0), at);
            assert!(second == 1 || drawn.energy >= joules(5.0), "half at least stays");
            total += drawn.energy;
        }
        assert_eq!(total, joules(40.0));
    }

    #[test]
    fn a_counter_that_lost_its_state_meanwhile_begins_again_and_the_estimate_stands() {
        let (mut zone, at) = (follower(), Timestamp::now());
        zone.advance(counter(900.0), at);
        zone.estimate(joules(30.0), Duration::from_secs(3));
        let drawn = zone.advance(counter(5.0), at.advanced(Duration::from_secs(1)));
        assert_eq!(drawn, Drawn::of(EnergyDelta::First, Duration::ZERO));
        let drawn = zone.advance(counter(12.0), at.advanced(Duration::from_secs(2)));
        assert_eq!(drawn.energy, joules(7.0));
    }

    #[test]
    fn after_a_gap_of_several_rounds_the_estimate_tells_whether_the_counter_can_be_believed() {
        // Two minutes at 50 W could be six rounds of 1000 J; at the 2 W that were estimated they are none.
        let back = |estimated: f64, to: f64| {
            let (mut zone, at) = (follower(), Timestamp::now());
            zone.advance(counter(100.0), at);
            zone.estimate(joules(estimated), Duration::from_secs(100));
            zone.advance(counter(to), at.advanced(Duration::from_secs(120))).energy
        };
        assert_eq!(back(200.0, 320.0), joules(20.0));
        assert_eq!(back(200.0, 900.0), Energy::ZERO, "far more than was estimated: it was reset");
        assert_eq!(back(900.0, 320.0), Energy::ZERO, "it may have gone round");
    }

    #[test]
    fn a_sensor_of_power_tells_nothing_of_the_time_in_which_it_was_lost() {
        let (mut zone, at) = (follower(), Timestamp::now());
        zone.advance(Reading::Power(Power::from_watts(10.0)), at);
        zone.estimate(joules(30.0), Duration::from_secs(3));
        let drawn = zone.advance(Reading::Power(Power::from_watts(10.0)), at.advanced(Duration::from_secs(10)));
        assert_eq!(drawn.energy, Energy::ZERO);
    }

    proptest! {
        /// Whatever is estimated: nothing is lost, nothing falls, and in the end the total is what was drawn.
        #[test]
        fn energy_is_conserved_across_losses(losses in prop::collection::vec((1u64..10, 0u64..200, 1u64..40), 1..8)) {
            let (mut zone, mut at, mut truth, mut total) = (follower(), Timestamp::now(), 0u64, Energy::ZERO);
            zone.advance(counter(0.0), at);
            let mut step = |zone: &mut Follower, total: &mut Energy, seconds: u64| {
                at = at.advanced(Duration::from_secs(seconds));
                truth += seconds * 10;
                *total += zone.advance(counter((truth % 1000) as f64), at).energy;
                truth
            };
            for (seconds, estimated, afterwards) in losses {
                zone.estimate(joules(estimated as f64), Duration::from_secs(seconds));
                total += joules(estimated as f64);
                step(&mut zone, &mut total, seconds);
                for _ in 0..afterwards {
                    step(&mut zone, &mut total, 1);
                }
            }
            let mut truth = 0;
            for _ in 0..1000 {
                truth = step(&mut zone, &mut total, 1);
            }
            prop_assert!(total.joules() - truth as f64 <= 0.001 && total.joules() >= truth as f64, "{total} of {truth}");
        }
    }
}
