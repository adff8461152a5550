//! Separating idle from active energy.
//!
//! A machine that does nothing still draws power, which no work caused. How much cannot be
//! measured while the machine works; it can be learned from how power follows utilisation. A line
//! through the *lower* edge of the (utilisation, power) points, weighted towards low utilisation,
//! meets zero utilisation at the idle power: upper outliers (frequency boosts, work that stalls on
//! memory) do not lift it, and the machine need not ever be seen fully idle. On a machine that never comes near rest, a plain
//! line through its points is extended to zero as soon as it is known well enough, and [`IdleEstimate::error`] says how well.
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

mod line;

use crate::units::{Energy, Power};
use std::time::Duration;

/// Utilisation is sorted into this many bins, so that a long steady load does not outvote the rest.
const BINS: usize = 20;
/// Points kept in a bin; the oldest is overwritten.
const POINTS: usize = 12;
/// Points older than this are not looked at: settings, fans and firmware change what idling costs. A
/// week, because who has quiet hours at all has them every week.
const LIFETIME: Duration = Duration::from_secs(7 * 86_400);
/// Intervals whose mean power bounds the idle power: of a single one energy may be missing, which the next then has.
const LATEST: usize = 3;

/// Where all points are taken, what is learned is brought up to date once in this many intervals.
const REFIT: usize = 8;

/// Learns one zone's idle power.
///
/// [`Baseline::idle_power`] is `None` until enough has been seen: six points, close to zero or spread over at least 15 % of the
/// utilisation range and half of their distance from zero; or, of a machine that is always busy, as many as tell
/// its idle power to a tenth of what it draws, by how far they lie from a line. An idle machine
/// gets there in six intervals. Until then the caller falls back to the ratio policy. What was learned
/// stays when its points grow old, until there are new ones, and never exceeds the power last seen (of three intervals).
#[derive(Clone, Debug)]
pub struct Baseline {
    bins: [Bin; BINS],
    known: Option<Power>,
    learned: Option<IdleEstimate>,
    /// Power of the latest intervals.
    latest: [f64; LATEST],
    seen: usize,
    /// Time observed so far.
    age: Duration,
}

/// Idle power as it was learned.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct IdleEstimate {
    /// The idle power.
    pub power: Power,
    /// One standard deviation of its error: by noise, and by how far the machine was from rest.
    pub error: Power,
}

impl IdleEstimate {
    /// Idle power and one standard deviation of its error.
    #[must_use]
    pub const fn new(power: Power, error: Power) -> Self {
        IdleEstimate { power, error }
    }
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
        Baseline {
            bins: [Bin::default(); BINS],
            known,
            learned: None,
            latest: [0.0; LATEST],
            seen: 0,
            age: Duration::ZERO,
        }
    }

    /// The same, from what was learned before: used until more is seen, and given up when the zone draws less.
    #[must_use]
    pub fn with_learned(mut self, learned: Option<Power>) -> Self {
        self.learned = learned.map(|power| IdleEstimate { power, error: Power::ZERO });
        self
    }

    /// The idle power, once known.
    #[must_use]
    pub fn idle_power(&self) -> Option<Power> {
        self.estimate().map(|estimate| estimate.power)
    }

    /// The idle power with its error, once known. What the meter or a calibration knows has its error there, and none here.
    #[must_use]
    pub fn estimate(&self) -> Option<IdleEstimate> {
        self.known.map(|power| IdleEstimate { power, error: Power::ZERO }).or(self.learned)
    }

    /// Learns from one interval of length `elapsed`: mean `power` at mean `utilisation` (0 … 1).
    pub fn observe(&mut self, utilisation: f64, power: Power, elapsed: Duration) {
        if self.known.is_some() || !utilisation.is_finite() || !power.watts().is_finite() {
            return;
        }
        self.age = self.age.saturating_add(elapsed);
        let utilisation = utilisation.clamp(0.0, 1.0);
        let index = ((utilisation * BINS as f64) as usize).min(BINS - 1);
        let mut is_news = self.seen.is_multiple_of(REFIT);
        if let Some(bin) = self.bins.get_mut(index) {
            is_news |= bin.filled < POINTS;
            if let Some(point) = bin.points.get_mut(bin.next) {
                *point = Point { utilisation, watts: power.watts(), at: self.age };
            }
            bin.next = (bin.next + 1) % POINTS;
            bin.filled = (bin.filled + 1).min(POINTS);
        }
        if let Some(slot) = self.latest.get_mut(self.seen % LATEST) {
            *slot = power.watts();
        }
        self.seen += 1;
        let known = self.seen.min(LATEST);
        let most = Power::from_watts((self.latest.iter().take(known).sum::<f64>() / known as f64).max(0.0));
        // Once there are many points, one more changes little.
        let fitted = if is_news { line::idle(|| self.points(), self.least()) } else { None };
        let learned = fitted.or(self.learned);
        self.learned = learned
            .map(|learned| IdleEstimate { power: if learned.power > most { most } else { learned.power }, ..learned });
    }

    /// An idle machine cannot draw more than this one was seen to draw: of each bin not
    /// quite the lowest point, since of single ones energy may be missing.
    fn least(&self) -> f64 {
        let lowest = |bin: &Bin| {
            let mut watts = [f64::INFINITY; POINTS];
            let mut count = 0;
            let young = bin.points.iter().take(bin.filled).filter(|point| self.is_young(point));
            for (slot, point) in watts.iter_mut().zip(young) {
                *slot = point.watts;
                count += 1;
            }
            watts.sort_unstable_by(f64::total_cmp);
            watts.get(count / 4).copied().unwrap_or(f64::INFINITY)
        };
        self.bins.iter().map(lowest).fold(f64::INFINITY, f64::min)
    }

    fn is_young(&self, point: &Point) -> bool {
        self.age.saturating_sub(point.at) <= LIFETIME
    }

    /// Splits an interval's energy into its active and its idle part, which add up to it.
    #[must_use]
    pub fn split(&self, energy: Energy, utilisation: f64, elapsed: Duration) -> IdleSplit {
        match self.idle_power() {
            Some(power) => {
                let idle = (power * elapsed).min(energy);
                IdleSplit { active: energy - idle, idle }
            }
            None => IdleSplit::by_ratio(energy, utilisation),
        }
    }

    /// Every point that is not too old: utilisation, watts, and the share that its bin gives it.
    fn points(&self) -> impl Iterator<Item = (f64, f64, f64)> {
        self.bins.iter().flat_map(move |bin| {
            let points = bin.points.iter().take(bin.filled).filter(|point| self.is_young(point));
            let share = 1.0 / points.clone().count().max(1) as f64;
            points.map(move |point| (point.utilisation, point.watts, share))
        })
    }
}

/// An interval's energy in two parts that add up to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct IdleSplit {
    /// Caused by work.
    pub active: Energy,
    /// Drawn by the machine being on.
    pub idle: Energy,
}

impl IdleSplit {
    /// `active = energy · utilisation`.
    #[must_use]
    pub fn by_ratio(energy: Energy, utilisation: f64) -> Self {
        let active = Energy::from_joules(energy.joules() * utilisation.clamp(0.0, 1.0)).min(energy);
        IdleSplit { active, idle: energy - active }
    }
}

#[cfg(test)]
mod tests;
