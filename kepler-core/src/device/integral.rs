//! Power over time, as a counter: for devices that show power and count no energy.

use crate::host::Timestamp;
use crate::units::{Energy, Power};
use std::time::Duration;

/// A longer gap between two readings is not bridged: what was drawn meanwhile is unknown.
const LONGEST_GAP: Duration = Duration::from_secs(60);

/// Sums up power by the trapezoidal rule. It never falls, and loses no part of a microjoule.
#[derive(Clone, Debug, Default)]
pub(super) struct PowerIntegral {
    total: Energy,
    /// What is left of a microjoule, in joules.
    rest: f64,
    last: Option<(Power, Timestamp)>,
}

impl PowerIntegral {
    /// Takes the power at a moment. Returns what was drawn since the reading before; nothing at the first one, and after a
    /// gap or sleep.
    pub(super) fn add(&mut self, power: Power, at: Timestamp) -> Energy {
        let Some((before, then)) = self.last.replace((power, at)) else { return Energy::ZERO };
        let elapsed = at.since(&then);
        if elapsed > LONGEST_GAP || at.suspended_since(&then) {
            return Energy::ZERO;
        }
        let joules = (before.watts() + power.watts()) / 2.0 * elapsed.as_secs_f64() + self.rest;
        let drawn = Energy::from_microjoules((joules.max(0.0) * 1e6) as u64);
        self.rest = joules - drawn.joules();
        self.total += drawn;
        drawn
    }

    /// What was drawn since the first reading.
    pub(super) fn total(&self) -> Energy {
        self.total
    }

    /// Counts what another source says was drawn, in place of what the power says.
    #[cfg(feature = "drm")]
    pub(super) fn replace(&mut self, drawn: Energy, by: Energy) {
        self.total = self.total.saturating_sub(drawn) + by;
    }

    /// The device draws nothing that can be read from now on: the next reading starts a new interval.
    #[cfg(any(feature = "drm", feature = "nvml"))]
    pub(super) fn pause(&mut self) {
        self.last = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ramp_is_its_mean_and_no_part_of_a_microjoule_is_lost() {
        let mut integral = PowerIntegral::default();
        let mut at = Timestamp::now();
        assert_eq!(integral.add(Power::from_watts(100.0), at), Energy::ZERO);
        at = at.advanced(Duration::from_secs(2));
        assert_eq!(integral.add(Power::from_watts(200.0), at), Energy::from_joules(300.0));
        // A third of a microjoule each time, after one step from 200 W.
        at = at.advanced(Duration::from_secs(1));
        integral.add(Power::ZERO, at);
        let before = integral.total();
        let watts = Power::from_watts(1.0 / 3.0);
        at = at.advanced(Duration::from_nanos(1));
        integral.add(watts, at);
        for _ in 0..3000 {
            at = at.advanced(Duration::from_micros(1));
            integral.add(watts, at);
        }
        assert!(integral.total().saturating_sub(before).microjoules().abs_diff(1000) <= 1);
    }

    #[test]
    fn what_happened_in_a_gap_or_in_sleep_is_not_invented() {
        let mut integral = PowerIntegral::default();
        let mut at = Timestamp::now();
        integral.add(Power::from_watts(100.0), at);
        at = at.advanced(LONGEST_GAP + Duration::from_secs(1));
        assert_eq!(integral.add(Power::from_watts(100.0), at), Energy::ZERO);
        at.boottime += Duration::from_secs(5);
        assert_eq!(integral.add(Power::from_watts(100.0), at), Energy::ZERO);
        at = at.advanced(Duration::from_secs(1));
        assert_eq!(integral.add(Power::from_watts(100.0), at), Energy::from_joules(100.0));
    }
}
