//! What work costs on this machine, by its processors' counters: [`LearnedCosts`].
//!
//! A second of one program may cost twice that of another: it retires more instructions, or waits for memory. Where the node's
//! cycles, instructions and cache misses are counted, the power of a zone is explained by them and by busy time, each with a cost that is not
//! below zero (non-negative least squares), and a constant for what is drawn anyway. The costs are used only while they predict power
//! better than the zone's fixed weight, on stretches of time that neither of them was learned from.
//!
//! ```
//! use kepler_core::attribution::learned::LearnedCosts;
//! use kepler_core::attribution::Weight;
//! use kepler_core::units::Power;
//! use kepler_core::usage::Work;
//! use std::time::Duration;
//!
//! let mut costs = LearnedCosts::default();
//! for second in 0..1800u64 {
//!     // One CPU is busy; its instructions change, at 5 W for 1e9 a second, with 30 W besides.
//!     let instructions = (1 + second / 60 * 7 % 5) * 500_000_000;
//!     let mut work = Work::of_time(1_000_000_000);
//!     (work.cycles, work.instructions) = (Some(2_000_000_000), Some(instructions));
//!     let power = Power::from_watts(30.0 + 5e-9 * instructions as f64);
//!     costs.observe(&work, power, Duration::from_secs(1), Weight::Cycles);
//! }
//! let learned = costs.learned().expect("half an hour was seen");
//! assert!(learned.is_better, "cycles are always the same, and do not explain the power");
//! assert!((learned.costs.instruction * 1e9 - 5.0).abs() < 0.01);
//! ```

use super::Weight;
use crate::units::Power;
use crate::usage::Work;
use std::time::Duration;

/// What is counted: busy time, cycles, instructions, cache misses.
const TERMS: usize = 4;
/// Columns of a row: the constant, the terms, and the power.
const COLUMNS: usize = TERMS + 2;
const POWER: usize = COLUMNS - 1;
/// Time is dealt in stretches, in turn, to so many parts; each is predicted from the others.
const PARTS: usize = 4;
const STRETCH: f64 = 120.0;
/// Seconds observed before anything is said: two stretches in each part.
const LEAST_SECONDS: f64 = STRETCH * PARTS as f64 * 2.0;
/// Seconds between two looks at what was learned.
const RENEWED: f64 = 30.0;
/// What was seen counts half as much after this time, s.
const HALF_LIFE: f64 = 6.0 * 3600.0;
/// How much better than the fixed weight costs must predict to be used, and to stay in use.
const BETTER: f64 = 0.9;
const AS_GOOD: f64 = 0.97;
/// A column that is explained by the others but for this share of its square says nothing of its own.
const OWN_SHARE: f64 = 1e-7;

/// What work costs, joules each. None is below zero.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct WorkCosts {
    /// A second of a busy processor; on hybrid processors times its capacity.
    pub second: f64,
    /// A cycle.
    pub cycle: f64,
    /// An instruction retired.
    pub instruction: f64,
    /// A miss of the last-level cache.
    pub cache_miss: f64,
}

impl WorkCosts {
    /// What a piece of work costs, in nanojoules; `None` where something that has a cost is not counted. Time is multiplied by `capacity`.
    #[must_use]
    pub fn of(&self, work: &Work, capacity: u64) -> Option<u64> {
        let mut joules = work.time_ns as f64 * 1e-9 * capacity as f64 * self.second;
        let counted =
            [(self.cycle, work.cycles), (self.instruction, work.instructions), (self.cache_miss, work.cache_misses)];
        for (cost, count) in counted.into_iter().filter(|(cost, _)| *cost > 0.0) {
            joules += cost * count? as f64;
        }
        Some((joules * 1e9) as u64)
    }
}

/// What was learned of a zone, and how well it predicts.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Learned {
    /// What work costs.
    pub costs: WorkCosts,
    /// How far off power is when predicted by costs that were learned from other stretches of time, root mean square.
    pub error: Power,
    /// The weight by which the zone's energy is divided otherwise.
    pub fixed: Weight,
    /// How far off power is when predicted by that alone.
    pub fixed_error: Power,
    /// Whether the costs predict better, so that energy is divided by them.
    pub is_better: bool,
}

impl Learned {
    /// What was learned.
    #[must_use]
    pub const fn new(costs: WorkCosts, error: Power, (fixed, fixed_error): (Weight, Power), is_better: bool) -> Self {
        Learned { costs, error, fixed, fixed_error, is_better }
    }
}

/// Learns what work costs in one zone. It keeps sums only, and forgets by half in six hours.
#[derive(Clone, Debug, Default)]
pub struct LearnedCosts {
    parts: [Sums; PARTS],
    /// Which terms are counted: with others it begins again.
    counted: [bool; TERMS],
    seconds: f64,
    looked: f64,
    learned: Option<Learned>,
}

impl LearnedCosts {
    /// Takes what all processors did in an interval, and the mean power of the zone. `fixed` is the weight by which its energy is
    /// divided otherwise. Time of hybrid processors is to be multiplied by their capacity.
    pub fn observe(&mut self, work: &Work, power: Power, elapsed: Duration, fixed: Weight) {
        let (seconds, watts) = (elapsed.as_secs_f64(), power.watts());
        if !(seconds > 0.0 && watts.is_finite() && watts > 0.0) {
            return;
        }
        let counts = [Some(work.time_ns), work.cycles, work.instructions, work.cache_misses];
        let counted = counts.map(|count| count.is_some());
        if counted != self.counted {
            *self = LearnedCosts { counted, ..LearnedCosts::default() };
        }
        let rate = |term: usize| counts.get(term).copied().flatten().unwrap_or(0) as f64 * 1e-9 / seconds;
        let row = [1.0, rate(0), rate(1), rate(2), rate(3), watts];
        let keep = (-std::f64::consts::LN_2 * seconds / HALF_LIFE).exp();
        self.parts.iter_mut().for_each(|part| part.fade(keep));
        let place = (self.seconds / STRETCH) as usize % PARTS;
        if let Some(part) = self.parts.get_mut(place) {
            part.add(&row, seconds);
        }
        self.seconds += seconds;
        if self.seconds >= LEAST_SECONDS && self.seconds - self.looked >= RENEWED {
            self.looked = self.seconds;
            self.learned = self.look(fixed);
        }
    }

    /// What was learned by now; `None` as long as too little was seen, or nothing but time is counted.
    #[must_use]
    pub fn learned(&self) -> Option<&Learned> {
        self.learned.as_ref()
    }

    /// The costs, if they are to be used.
    #[must_use]
    pub fn in_use(&self) -> Option<&WorkCosts> {
        self.learned().filter(|learned| learned.is_better).map(|learned| &learned.costs)
    }

    fn look(&self, fixed: Weight) -> Option<Learned> {
        if self.counted.iter().filter(|counted| **counted).count() < 2 {
            return None;
        }
        let is_counted = Weight::ALL.into_iter().zip(self.counted).any(|(weight, counted)| counted && weight == fixed);
        let fixed = if is_counted { fixed } else { Weight::Time };
        let alone = Weight::ALL.map(|weight| weight == fixed);
        let all = self.parts.iter().fold(Sums::default(), |sum, part| sum.with(part, 1.0));
        let [_, second, cycle, instruction, cache_miss] = all.costs(self.counted)?;
        let (mut squares, mut fixed_squares, mut weight, mut won) = (0.0, 0.0, 0.0, 0);
        for part in &self.parts {
            let others = all.with(part, -1.0);
            let by_costs = part.squares(&others.costs(self.counted)?);
            let by_fixed = part.squares(&others.costs(alone)?);
            won += usize::from(by_costs < by_fixed);
            squares += by_costs;
            fixed_squares += by_fixed;
            weight += part.weight();
        }
        let (error, fixed_error) = ((squares / weight).sqrt(), (fixed_squares / weight).sqrt());
        let was_better = self.learned.is_some_and(|learned| learned.is_better);
        let enough = if was_better { AS_GOOD } else { BETTER };
        let per_count = |cost: f64| cost * 1e-9;
        let costs = WorkCosts {
            second,
            cycle: per_count(cycle),
            instruction: per_count(instruction),
            cache_miss: per_count(cache_miss),
        };
        let does_cost = costs != WorkCosts::default();
        let is_better = does_cost && won + 1 >= PARTS && error <= enough * fixed_error;
        (error.is_finite() && fixed_error.is_finite())
            .then(|| Learned::new(costs, Power::from_watts(error), (fixed, Power::from_watts(fixed_error)), is_better))
    }
}

/// Sums of products of the columns.
#[derive(Clone, Copy, Debug, Default)]
struct Sums([[f64; COLUMNS]; COLUMNS]);

impl Sums {
    fn fade(&mut self, keep: f64) {
        self.0.iter_mut().flatten().for_each(|sum| *sum *= keep);
    }

    fn add(&mut self, row: &[f64; COLUMNS], weight: f64) {
        for (line, left) in self.0.iter_mut().zip(row) {
            line.iter_mut().zip(row).for_each(|(sum, right)| *sum += weight * left * right);
        }
    }

    fn with(mut self, other: &Sums, sign: f64) -> Self {
        for (sum, more) in self.0.iter_mut().flatten().zip(other.0.iter().flatten()) {
            *sum += sign * more;
        }
        self
    }

    fn at(&self, line: usize, column: usize) -> f64 {
        self.0.get(line).and_then(|line| line.get(column)).copied().unwrap_or(0.0)
    }

    fn weight(&self) -> f64 {
        self.at(0, 0)
    }

    /// The sum of squares by which costs are off.
    fn squares(&self, costs: &[f64; POWER]) -> f64 {
        let factor = |column: usize| costs.get(column).copied().unwrap_or(-1.0);
        let products = (0..COLUMNS)
            .flat_map(|line| (0..COLUMNS).map(move |column| factor(line) * factor(column) * self.at(line, column)));
        products.sum::<f64>().max(0.0)
    }

    /// The constant and the cost of each term, none below zero, that explain power best. Terms that are not `counted` cost nothing. With so few
    /// terms each choice of those that cost something is tried: the best without a negative cost is what non-negative least squares is.
    fn costs(&self, counted: [bool; TERMS]) -> Option<[f64; POWER]> {
        let mut best: Option<(f64, [f64; POWER])> = None;
        for choice in 0u32..1 << TERMS {
            let is_in = |column: usize| column == 0 || choice >> (column - 1) & 1 == 1;
            let is_allowed = (1..=TERMS).all(|column| !is_in(column) || counted.get(column - 1) == Some(&true));
            if !is_allowed {
                continue;
            }
            let Some(costs) = self.solve(is_in).filter(|costs| costs.iter().all(|cost| *cost >= 0.0)) else { continue };
            let squares = self.squares(&costs);
            if best.is_none_or(|(least, _)| squares < least) {
                best = Some((squares, costs));
            }
        }
        best.map(|(_, costs)| costs)
    }

    /// Least squares with some of the columns, by elimination; `None` where one says nothing beside the others.
    fn solve(&self, is_in: impl Fn(usize) -> bool) -> Option<[f64; POWER]> {
        let mut matrix = self.0;
        for place in (0..POWER).filter(|place| is_in(*place)) {
            let own = *matrix.get(place)?;
            let pivot = *own.get(place)?;
            if pivot.is_nan() || pivot <= OWN_SHARE * self.at(place, place) {
                return None;
            }
            for (_, line) in matrix.iter_mut().enumerate().filter(|(other, _)| *other != place && is_in(*other)) {
                let factor = line.get(place)? / pivot;
                line.iter_mut().zip(&own).for_each(|(cell, own)| *cell -= factor * own);
            }
        }
        let mut costs = [0.0; POWER];
        for (place, (cost, line)) in costs.iter_mut().zip(&matrix).enumerate().filter(|(place, _)| is_in(*place)) {
            *cost = line.get(POWER)? / line.get(place)?;
        }
        costs.iter().all(|cost| cost.is_finite()).then_some(costs)
    }
}

#[cfg(test)]
mod tests;
