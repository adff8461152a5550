//! Separating idle from active energy.
//!
//! A machine that does nothing still draws power, which no work caused. How much cannot be
//! measured while the machine works; it can be learned from how power follows utilisation. A line
//! through the *lower* edge of the (utilisation, power) points, weighted towards low utilisation,
//! meets zero utilisation at the idle power: upper outliers (frequency boosts, work that stalls on
//! memory) do not lift it, and the machine need not ever be seen fully idle.
//!
//! ```
//! use kepler_core::attribution::idle::Baseline;
//! use kepler_core::units::{Energy, Power};
//! use std::time::Duration;
//!
//! let second = Duration::from_secs(1);
//! let mut baseline = Baseline::new(None);
//! assert_eq!(baseline.idle_power(), None, "nothing was seen");
//! for step in 0..20 {
//!     let utilisation = f64::from(step % 10) / 10.0;
//!     baseline.observe(utilisation, Power::from_watts(10.0 + 40.0 * utilisation), second);
//! }
//! let learned = baseline.idle_power().expect("the points spread over the range of utilisation");
//! assert!((learned.watts() - 10.0).abs() < 1.0);
//! let split = baseline.split(Energy::from_joules(30.0), 0.5, second);
//! assert_eq!(split.active + split.idle, Energy::from_joules(30.0));
//! ```

use crate::units::{Energy, Power};
use std::time::Duration;

/// Utilisation is sorted into this many bins, so that a long steady load does not outvote the rest.
const BINS: usize = 20;
/// Points kept in a bin; the oldest is overwritten.
const POINTS: usize = 12;
/// Points needed in all, and their spread in utilisation, before the line is trusted.
const MIN_POINTS: usize = 6;
const MIN_SPREAD: f64 = 0.15;
/// The further the points are from zero, the further apart they must be: a line through points between
/// 50 % and 65 % says nothing reliable about 0 %.
const MIN_SPREAD_TO_DISTANCE: f64 = 0.5;
/// Points older than this are not looked at: settings, fans and firmware change what idling costs. A
/// week, because who has quiet hours at all has them every week.
const LIFETIME: Duration = Duration::from_secs(7 * 86_400);
/// A point this close to zero utilisation shows the idle power directly.
const NEARLY_IDLE: f64 = 0.03;
/// Weight of points above the line against points below it: the line follows the lower edge.
const UPPER_WEIGHT: f64 = 0.15;

/// Learns one zone's idle power.
///
/// [`Baseline::idle_power`] is `None` until enough has been seen: six points, close to zero or spread
/// over at least 15 % of the utilisation range and half of their distance from zero. An idle machine
/// gets there in six intervals. Until then the caller falls back to the ratio policy. What was learned
/// stays when its points grow old, until there are new ones, and never exceeds the power last seen.
#[derive(Clone, Debug)]
pub struct Baseline {
    bins: [Bin; BINS],
    known: Option<Power>,
    learned: Option<Power>,
    /// Time observed so far.
    age: Duration,
}

#[derive(Clone, Copy, Debug, Default)]
struct Bin {
    points: [Point; POINTS],
    next: usize,
    filled: usize,
}

#[derive(Clone, Copy, Debug, Default)]
struct Point {
    utilisation: f64,
    watts: f64,
    /// When it was seen, in time observed.
    at: Duration,
}

impl Baseline {
    /// A baseline that has seen nothing; `known` is the idle power where the meter itself knows it
    /// (a model does), which is then used as it is.
    #[must_use]
    pub fn new(known: Option<Power>) -> Self {
        Baseline { bins: [Bin::default(); BINS], known, learned: None, age: Duration::ZERO }
    }

    /// The same, from what was learned before: used until more is seen, and given up when the zone draws less.
    #[must_use]
    pub fn with_learned(mut self, learned: Option<Power>) -> Self {
        self.learned = learned;
        self
    }

    /// The idle power, once known.
    #[must_use]
    pub fn idle_power(&self) -> Option<Power> {
        self.known.or(self.learned)
    }

    /// Learns from one interval of length `elapsed`: mean `power` at mean `utilisation` (0 … 1).
    pub fn observe(&mut self, utilisation: f64, power: Power, elapsed: Duration) {
        if self.known.is_some() || !utilisation.is_finite() || !power.watts().is_finite() {
            return;
        }
        self.age = self.age.saturating_add(elapsed);
        let utilisation = utilisation.clamp(0.0, 1.0);
        let index = ((utilisation * BINS as f64) as usize).min(BINS - 1);
        if let Some(bin) = self.bins.get_mut(index) {
            if let Some(point) = bin.points.get_mut(bin.next) {
                *point = Point { utilisation, watts: power.watts(), at: self.age };
            }
            bin.next = (bin.next + 1) % POINTS;
            bin.filled = (bin.filled + 1).min(POINTS);
        }
        let most = power.watts().max(0.0);
        self.learned = self.fit().or(self.learned).map(|learned| Power::from_watts(learned.watts().min(most)));
    }

    /// Splits an interval's energy into its active and its idle part, which add up to it.
    #[must_use]
    pub fn split(&self, energy: Energy, utilisation: f64, elapsed: Duration) -> Split {
        match self.idle_power() {
            Some(power) => {
                let idle = (power * elapsed).min(energy);
                Split { active: energy - idle, idle }
            }
            None => Split::by_ratio(energy, utilisation),
        }
    }

    /// Every point that is not too old: utilisation, watts, and the share that its bin gives it.
    fn points(&self) -> impl Iterator<Item = (f64, f64, f64)> {
        let age = self.age;
        self.bins.iter().flat_map(move |bin| {
            let young = move |point: &&Point| age.saturating_sub(point.at) <= LIFETIME;
            let points = bin.points.iter().take(bin.filled).filter(young);
            let share = 1.0 / points.clone().count().max(1) as f64;
            points.map(move |point| (point.utilisation, point.watts, share))
        })
    }

    fn fit(&self) -> Option<Power> {
        let (mut count, mut low, mut high, mut least) = (0usize, f64::MAX, 0.0f64, f64::MAX);
        for (utilisation, power, _) in self.points() {
            count += 1;
            (low, high) = (low.min(utilisation), high.max(utilisation));
            least = least.min(power);
        }
        let spread = MIN_SPREAD.max(low * MIN_SPREAD_TO_DISTANCE);
        if count < MIN_POINTS || (high - low < spread && low > NEARLY_IDLE) {
            return None;
        }
        if high - low < NEARLY_IDLE {
            return Some(Power::from_watts(least.max(0.0)));
        }
        // Asymmetric least squares: fit, then weigh points above the line less, until it rests on
        // the lower edge. Power rises more steeply near idle than near full load, so points far
        // from zero say less about it.
        let (mut intercept, mut slope) = (0.0, 0.0);
        for round in 0..8 {
            let (mut w, mut wx, mut wy, mut wxx, mut wxy) = (0.0, 0.0, 0.0, 0.0, 0.0);
            for (x, y, share) in self.points() {
                let above = round > 0 && y > intercept + slope * x;
                let weight = share / (0.1 + x) * if above { UPPER_WEIGHT } else { 1.0 };
                w += weight;
                wx += weight * x;
                wy += weight * y;
                wxx += weight * x * x;
                wxy += weight * x * y;
            }
            let determinant = w * wxx - wx * wx;
            if determinant <= f64::EPSILON * w * wxx {
                return Some(Power::from_watts(least.max(0.0)));
            }
            slope = ((w * wxy - wx * wy) / determinant).max(0.0);
            intercept = (wy - slope * wx) / w;
        }
        // An idle machine cannot draw more than this one was seen to draw.
        Some(Power::from_watts(intercept.clamp(0.0, least.max(0.0))))
    }
}

/// An interval's energy in two parts that add up to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Split {
    /// Caused by work.
    pub active: Energy,
    /// Drawn by the machine being on.
    pub idle: Energy,
}

impl Split {
    /// `active = energy · utilisation`.
    #[must_use]
    pub fn by_ratio(energy: Energy, utilisation: f64) -> Self {
        let active = Energy::from_joules(energy.joules() * utilisation.clamp(0.0, 1.0)).min(energy);
        Split { active, idle: energy - active }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn watts(w: f64) -> Power {
        Power::from_watts(w)
    }

    const INTERVAL: Duration = Duration::from_secs(3);

    #[test]
    fn a_linear_machine_shows_its_idle_power_without_ever_being_idle() {
        let mut baseline = Baseline::new(None);
        for step in 0..30 {
            let utilisation = 0.3 + 0.02 * f64::from(step % 15);
            baseline.observe(utilisation, watts(40.0 + 40.0 * utilisation), INTERVAL);
        }
        let idle = baseline.idle_power().unwrap().watts();
        assert!((idle - 40.0).abs() < 0.1, "{idle}");
    }

    #[test]
    fn a_steady_load_teaches_nothing_and_the_ratio_is_used() {
        let mut baseline = Baseline::new(None);
        for _ in 0..100 {
            baseline.observe(0.5, watts(60.0), INTERVAL);
        }
        assert_eq!(baseline.idle_power(), None);
        let energy = Energy::from_joules(60.0);
        assert_eq!(baseline.split(energy, 0.5, Duration::from_secs(1)), Split::by_ratio(energy, 0.5));
    }

    #[test]
    fn idle_power_does_not_vanish_at_full_load() {
        let mut baseline = Baseline::new(None);
        for step in 0..=20 {
            let utilisation = f64::from(step) / 20.0;
            baseline.observe(utilisation, watts(40.0 + 40.0 * utilisation), INTERVAL);
        }
        let split = baseline.split(Energy::from_joules(80.0), 1.0, Duration::from_secs(1));
        assert!((split.idle.joules() - 40.0).abs() < 0.1, "{split:?}");
    }

    #[test]
    fn boosts_above_the_line_do_not_lift_it() {
        let mut baseline = Baseline::new(None);
        for step in 0..200 {
            let utilisation = f64::from(step % 21) / 20.0;
            let boost = if step % 4 == 0 { 15.0 } else { 0.0 };
            baseline.observe(utilisation, watts(40.0 + 40.0 * utilisation + boost * utilisation), INTERVAL);
        }
        let idle = baseline.idle_power().unwrap().watts();
        assert!((idle - 40.0).abs() < 1.0, "{idle}");
    }

    #[test]
    fn a_curve_that_rises_steeply_from_idle_is_not_overestimated() {
        // Power of many servers: concave in utilisation.
        let mut baseline = Baseline::new(None);
        for step in 1..=40 {
            let utilisation = f64::from(step) / 40.0;
            baseline.observe(utilisation, watts(40.0 + 60.0 * utilisation.sqrt()), INTERVAL);
        }
        let idle = baseline.idle_power().unwrap().watts();
        assert!((30.0..=50.0).contains(&idle), "{idle}");
    }

    #[test]
    fn an_idle_machine_shows_its_idle_power_in_six_intervals() {
        let mut baseline = Baseline::new(None);
        for second in 0..6 {
            assert_eq!(baseline.idle_power(), None);
            baseline.observe(0.01, watts(40.0 + f64::from(second) / 10.0), INTERVAL);
        }
        assert_eq!(baseline.idle_power(), Some(watts(40.0)));
    }

    #[test]
    fn the_first_quiet_moment_after_a_long_steady_load_is_enough() {
        let mut baseline = Baseline::new(None);
        for _ in 0..10_000 {
            baseline.observe(0.5, watts(60.0), INTERVAL);
        }
        baseline.observe(0.01, watts(40.4), INTERVAL);
        let idle = baseline.idle_power().unwrap().watts();
        assert!((idle - 40.0).abs() < 0.5, "{idle}");
    }

    #[test]
    fn a_narrow_band_far_from_idle_is_not_extended_to_zero() {
        let mut baseline = Baseline::new(None);
        for step in 0..100 {
            // Between 50 % and 66 % power happens to follow something else.
            baseline.observe(0.5 + 0.01 * f64::from(step % 17), watts(60.0 - 0.1 * f64::from(step % 17)), INTERVAL);
        }
        assert_eq!(baseline.idle_power(), None);
    }

    #[test]
    fn a_machine_that_comes_to_idle_lower_is_followed_at_once_and_higher_within_a_week() {
        let mut baseline = Baseline::new(None);
        let mut run = |idle: f64, days: u32| {
            for hour in 0..days * 24 {
                let utilisation = f64::from(hour % 24) / 24.0;
                baseline.observe(utilisation, watts(idle + 40.0 * utilisation), Duration::from_secs(3600));
            }
            baseline.idle_power().unwrap().watts()
        };
        assert!((run(60.0, 7) - 60.0).abs() < 0.5);
        assert!(run(40.0, 1) <= 41.0);
        assert!((run(40.0, 8) - 40.0).abs() < 0.5);
        assert!((run(60.0, 8) - 60.0).abs() < 0.5);
    }

    #[test]
    fn what_was_learned_outlives_its_points_but_not_evidence_against_it() {
        let mut baseline = Baseline::new(None);
        for step in 0..=20 {
            baseline.observe(f64::from(step) / 20.0, watts(40.0 + 2.0 * f64::from(step)), INTERVAL);
        }
        for _ in 0..20 * 24 {
            baseline.observe(0.9, watts(76.0), Duration::from_secs(3600));
        }
        assert!((baseline.idle_power().unwrap().watts() - 40.0).abs() < 0.1);
        baseline.observe(0.9, watts(30.0), Duration::from_secs(3600));
        assert!(baseline.idle_power().unwrap().watts() <= 30.0);
    }

    #[test]
    fn what_was_learned_before_is_used_at_once_and_follows_what_is_seen() {
        let mut baseline = Baseline::new(None).with_learned(Some(watts(40.0)));
        assert_eq!(baseline.idle_power(), Some(watts(40.0)));
        baseline.observe(0.9, watts(76.0), INTERVAL);
        assert_eq!(baseline.idle_power(), Some(watts(40.0)));
        baseline.observe(0.9, watts(35.0), INTERVAL);
        assert_eq!(baseline.idle_power(), Some(watts(35.0)));
        for _ in 0..6 {
            baseline.observe(0.01, watts(30.0), INTERVAL);
        }
        assert!((baseline.idle_power().unwrap().watts() - 30.0).abs() < 0.5);
    }

    #[test]
    fn what_the_meter_knows_is_not_learned_again() {
        let mut baseline = Baseline::new(Some(watts(7.0)));
        baseline.observe(0.0, watts(50.0), INTERVAL);
        assert_eq!(baseline.idle_power(), Some(watts(7.0)));
    }

    proptest! {
        #[test]
        fn active_and_idle_add_up_whatever_was_seen(
            seen in prop::collection::vec((-0.5f64..1.5, -10.0f64..500.0), 0..=POINTS),
            uj in any::<u64>(), utilisation in -0.5f64..1.5, ms in 0u64..100_000,
        ) {
            let mut baseline = Baseline::new(None);
            let mut least = f64::MAX;
            for (utilisation, power) in seen {
                baseline.observe(utilisation, watts(power), INTERVAL);
                least = least.min(power);
            }
            let energy = Energy::from_microjoules(uj);
            let split = baseline.split(energy, utilisation, Duration::from_millis(ms));
            prop_assert_eq!(split.active.microjoules().checked_add(split.idle.microjoules()), Some(uj));
            if let Some(idle) = baseline.idle_power() {
                prop_assert!(idle.watts() >= 0.0 && idle.watts() <= least.max(0.0));
            }
        }
    }
}
