//! Separating idle from active energy.
//!
//! A machine that does nothing still draws power, which no work caused. How much cannot be
//! measured while the machine works; it can be learned from how power follows utilisation. A line
//! through the *lower* edge of the (utilisation, power) points, weighted towards low utilisation,
//! meets zero utilisation at the idle power: upper outliers (frequency boosts, work that stalls on
//! memory) do not lift it, and the machine need not ever be seen fully idle. On a machine that never comes near rest, a plain
//! line through its points is extended to zero as soon as it is known well enough, and [`IdleEstimate::error`] says how well. Where
//! the frequency is known, utilisation counts for more at a higher one. Processors whose power hardly follows their utilisation
//! up there are taken to be bent, not to draw nearly everything at rest: of them idle power stays unknown. [`IdleKnowledge`] says
//! which of these it is.
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
use line::Sample;
use std::time::Duration;

/// No processor runs at another frequency, GHz: what was counted is something else.
const PLAUSIBLE_GHZ: std::ops::RangeInclusive<f64> = 0.2..=8.0;
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
    knowledge: IdleKnowledge,
    are_processors: bool,
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

/// How idle power is known, or why it is not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum IdleKnowledge {
    /// Not yet: too few intervals were seen.
    #[default]
    Few,
    /// Not yet: power or utilisation has not varied enough, and the machine has not been near rest.
    Steady,
    /// Not: the machine has not been near rest, and its power hardly follows its utilisation where it was.
    Flat,
    /// From how power follows utilisation, extended to rest.
    Extrapolated,
    /// The machine was seen at rest, or close to it.
    AtRest,
    /// It was learned before: by a calibration.
    Calibrated,
    /// The meter or the model says it.
    Given,
}

impl IdleKnowledge {
    /// `few_readings`, `steady_load`, `flat`, `extrapolated`, `at_rest`, `calibrated` or `given`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            IdleKnowledge::Few => "few_readings",
            IdleKnowledge::Steady => "steady_load",
            IdleKnowledge::Flat => "flat",
            IdleKnowledge::Extrapolated => "extrapolated",
            IdleKnowledge::AtRest => "at_rest",
            IdleKnowledge::Calibrated => "calibrated",
            IdleKnowledge::Given => "given",
        }
    }

    /// Whether the idle power is known.
    #[must_use]
    pub const fn is_known(self) -> bool {
        matches!(
            self,
            IdleKnowledge::Extrapolated | IdleKnowledge::AtRest | IdleKnowledge::Calibrated | IdleKnowledge::Given
        )
    }

    /// The less certain of two.
    #[must_use]
    pub fn weaker(self, other: Self) -> Self {
        if (self as u8) < (other as u8) { self } else { other }
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
    /// Zero if it is not known.
    ghz: f64,
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
            knowledge: if known.is_some() { IdleKnowledge::Given } else { IdleKnowledge::Few },
            are_processors: false,
            latest: [0.0; LATEST],
            seen: 0,
            age: Duration::ZERO,
        }
    }

    /// The same, from what was learned before: used until more is seen, and given up when the zone draws less.
    #[must_use]
    pub fn with_learned(mut self, learned: Option<Power>) -> Self {
        self.learned = learned.map(|power| IdleEstimate { power, error: Power::ZERO });
        if learned.is_some() && self.known.is_none() {
            self.knowledge = IdleKnowledge::Calibrated;
        }
        self
    }

    /// The same for a zone of processors, whose power bends: a line far from rest is believed less, or not.
    #[must_use]
    pub fn of_processors(mut self, are_processors: bool) -> Self {
        self.are_processors = are_processors;
        self
    }

    /// How the idle power is known, or why it is not.
    #[must_use]
    pub fn knowledge(&self) -> IdleKnowledge {
        self.knowledge
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
        self.observe_at(utilisation, None, power, elapsed);
    }

    /// The same, where the mean frequency of busy processors is known, GHz.
    pub fn observe_at(&mut self, utilisation: f64, ghz: Option<f64>, power: Power, elapsed: Duration) {
        let ghz = ghz.filter(|ghz| PLAUSIBLE_GHZ.contains(ghz)).unwrap_or(0.0);
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
                *point = Point { utilisation, watts: power.watts(), ghz, at: self.age };
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
        if is_news {
            self.take(line::idle(self.samples(), self.least(), self.are_processors));
        }
        if let Some(learned) = &mut self.learned
            && learned.power > most
        {
            learned.power = most;
        }
    }

    /// What was learned stays until there is better, but for what was extended from points that have turned out to be bent.
    fn take(&mut self, finding: line::Finding) {
        match finding {
            line::Finding::Known(estimate, knowledge) => (self.learned, self.knowledge) = (Some(estimate), knowledge),
            line::Finding::Unknown(knowledge) => {
                if knowledge == IdleKnowledge::Flat && self.knowledge == IdleKnowledge::Extrapolated {
                    self.learned = None;
                }
                if self.learned.is_none() {
                    self.knowledge = knowledge;
                }
            }
        }
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

    /// Every point that is not too old.
    fn samples(&self) -> impl Iterator<Item = Sample> {
        self.bins.iter().flat_map(move |bin| {
            let points = bin.points.iter().take(bin.filled).filter(|point| self.is_young(point));
            let share = 1.0 / points.clone().count().max(1) as f64;
            points.map(move |&Point { utilisation, watts, ghz, .. }| Sample { utilisation, watts, share, ghz })
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
mod hosts;
#[cfg(test)]
mod tests;
