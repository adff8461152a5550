//! Values over time: piecewise constant, in order, gaps kept as gaps.
//!
//! ```
//! use kepler_compliance::series::Series;
//! use std::time::Duration;
//!
//! let midnight = "2026-11-28T00:00:00Z".parse()?;
//! let grid = Series::regular(midnight, Duration::from_secs(3600), [410.0, 395.0])?;
//!
//! assert_eq!(grid.at("2026-11-28T01:59:59Z".parse()?), Some(&395.0));
//! assert_eq!(grid.at("2026-11-28T02:00:00Z".parse()?), None);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use jiff::tz::TimeZone;
use jiff::{RoundMode, Timestamp, ToSpan, Unit, Zoned, ZonedRound};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// One value that holds from `start` (included) to `end` (excluded).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "a value and the time it holds")]
pub struct Step<V> {
    /// When the value begins to hold.
    pub start: Timestamp,
    /// When it ceases to; after `start`.
    pub end: Timestamp,
    /// The value.
    pub value: V,
}

impl<V> Step<V> {
    /// How long the value holds.
    #[must_use]
    pub fn length(&self) -> Duration {
        span(self.start, self.end)
    }
}

/// The time from `from` to `to`, zero when `to` is not later.
#[must_use]
pub fn span(from: Timestamp, to: Timestamp) -> Duration {
    Duration::try_from(to.duration_since(from)).unwrap_or(Duration::ZERO)
}

/// Why steps do not make a series.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SeriesError {
    /// A step that ends where it starts or before.
    #[error("the step at {start} ends at {end}: a step must end after it starts")]
    EmptyStep {
        /// Its start.
        start: Timestamp,
        /// Its end.
        end: Timestamp,
    },
    /// Two values for one time.
    #[error("the steps at {first} and {second} overlap: give one value for each time")]
    Overlap {
        /// Start of the earlier step.
        first: Timestamp,
        /// Start of the later step.
        second: Timestamp,
    },
    /// The steps run past the end of the calendar.
    #[error("a series from {start} runs past the last representable time")]
    TooLong {
        /// Where it starts.
        start: Timestamp,
    },
}

/// A series: steps in order of time that do not overlap. Time between two steps is a gap, and a
/// gap has no value; nothing interpolates over it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Vec<Step<V>>", into = "Vec<Step<V>>", bound(serialize = "V: Serialize + Clone"))]
pub struct Series<V> {
    steps: Vec<Step<V>>,
}

impl<V> Default for Series<V> {
    /// No steps.
    fn default() -> Self {
        Series { steps: Vec::new() }
    }
}

impl<V> Series<V> {
    /// From steps in any order.
    ///
    /// # Errors
    /// A step without length, or two that overlap.
    pub fn new(mut steps: Vec<Step<V>>) -> Result<Self, SeriesError> {
        steps.sort_by_key(|step| step.start);
        if let Some(step) = steps.iter().find(|step| step.end <= step.start) {
            return Err(SeriesError::EmptyStep { start: step.start, end: step.end });
        }
        for (before, after) in steps.iter().zip(steps.iter().skip(1)) {
            if after.start < before.end {
                return Err(SeriesError::Overlap { first: before.start, second: after.start });
            }
        }
        Ok(Series { steps })
    }

    /// Values one after another, each holding for `step`.
    ///
    /// # Errors
    /// A `step` of zero, or more steps than the calendar has room for.
    pub fn regular(start: Timestamp, step: Duration, values: impl IntoIterator<Item = V>) -> Result<Self, SeriesError> {
        let mut steps = Vec::new();
        let mut at = start;
        for value in values {
            let end = at.checked_add(step).map_err(|_| SeriesError::TooLong { start })?;
            steps.push(Step { start: at, end, value });
            at = end;
        }
        Series::new(steps)
    }

    /// One value from `start` to `end`.
    ///
    /// # Errors
    /// `end` is not after `start`.
    pub fn constant(start: Timestamp, end: Timestamp, value: V) -> Result<Self, SeriesError> {
        Series::new(vec![Step { start, end, value }])
    }

    /// The steps, in order.
    #[must_use]
    pub fn steps(&self) -> &[Step<V>] {
        &self.steps
    }

    /// Start of the first step; none when there is no step.
    #[must_use]
    pub fn start(&self) -> Option<Timestamp> {
        self.steps.first().map(|step| step.start)
    }

    /// End of the last step; none when there is no step.
    #[must_use]
    pub fn end(&self) -> Option<Timestamp> {
        self.steps.last().map(|step| step.end)
    }

    /// The step that holds at `time`; none in a gap and outside.
    #[must_use]
    pub fn step_at(&self, time: Timestamp) -> Option<&Step<V>> {
        let after = self.steps.partition_point(|step| step.start <= time);
        self.steps.get(after.checked_sub(1)?).filter(|step| time < step.end)
    }

    /// The value that holds at `time`; none in a gap and outside.
    #[must_use]
    pub fn at(&self, time: Timestamp) -> Option<&V> {
        self.step_at(time).map(|step| &step.value)
    }

    /// Whether a value holds at every time from `from` to `to`.
    #[must_use]
    pub fn covers(&self, from: Timestamp, to: Timestamp) -> bool {
        let mut at = from;
        let first = self.steps.partition_point(|step| step.end <= from);
        for step in self.steps.iter().skip(first) {
            if at >= to || step.start > at {
                break;
            }
            at = step.end;
        }
        at >= to
    }

    /// The same times with other values.
    #[must_use]
    pub fn map<W>(&self, mut change: impl FnMut(&V) -> W) -> Series<W> {
        let change = |step: &Step<V>| Step { start: step.start, end: step.end, value: change(&step.value) };
        Series { steps: self.steps.iter().map(change).collect() }
    }
}

impl<V: Clone> Series<V> {
    /// What lies between `from` and `to`; steps at the edges are cut.
    #[must_use]
    pub fn clip(&self, from: Timestamp, to: Timestamp) -> Series<V> {
        if to <= from {
            return Series { steps: Vec::new() };
        }
        let first = self.steps.partition_point(|step| step.end <= from);
        let after = self.steps.partition_point(|step| step.start < to);
        let mut steps = self.steps.get(first..after).unwrap_or(&[]).to_vec();
        if let Some(step) = steps.first_mut() {
            step.start = step.start.max(from);
        }
        if let Some(step) = steps.last_mut() {
            step.end = step.end.min(to);
        }
        Series { steps }
    }

    /// Both values where both are known, cut at the edges of either.
    #[must_use]
    pub fn zip<W: Clone>(&self, other: &Series<W>) -> Series<(V, W)> {
        let (mut ours, mut theirs) = (self.steps.iter().peekable(), other.steps.iter().peekable());
        let mut steps = Vec::with_capacity(self.steps.len().max(other.steps.len()));
        while let (Some(a), Some(b)) = (ours.peek(), theirs.peek()) {
            let (start, end) = (a.start.max(b.start), a.end.min(b.end));
            if start < end {
                steps.push(Step { start, end, value: (a.value.clone(), b.value.clone()) });
            }
            if a.end <= b.end {
                ours.next();
            } else {
                theirs.next();
            }
        }
        Series { steps }
    }
}

impl<V> TryFrom<Vec<Step<V>>> for Series<V> {
    type Error = SeriesError;
    fn try_from(steps: Vec<Step<V>>) -> Result<Self, SeriesError> {
        Series::new(steps)
    }
}

impl<V> From<Series<V>> for Vec<Step<V>> {
    fn from(series: Series<V>) -> Self {
        series.steps
    }
}

/// The hours of the wall clock from `from` to `to`, first and last cut, each with the local time of
/// its start. On the day the clocks go forward one hour is missing, when they go back one comes twice.
pub(crate) fn local_hours(from: Timestamp, to: Timestamp, zone: &TimeZone) -> impl Iterator<Item = Step<Zoned>> {
    let zone = zone.clone();
    let mut at = from;
    std::iter::from_fn(move || {
        let local = (at < to).then(|| at.to_zoned(zone.clone()))?;
        // From the start of the wall-clock hour, so zones with half-hour offsets keep their hours;
        // adding an hour to an instant steps over a change of the clocks correctly.
        let to_the_hour = ZonedRound::new().smallest(Unit::Hour).mode(RoundMode::Trunc);
        let end = local.round(to_the_hour).ok()?.checked_add(1.hour()).ok()?.timestamp().min(to);
        Some(Step { start: std::mem::replace(&mut at, end), end, value: local })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn steps(parts: &[(i64, i64, u32)]) -> Series<u32> {
        Series::new(parts.iter().map(|&(s, e, value)| Step { start: at(s), end: at(e), value }).collect()).unwrap()
    }

    #[test]
    fn a_gap_has_no_value() {
        let series = steps(&[(0, 10, 1), (20, 30, 2)]);
        assert_eq!(series.at(at(9)), Some(&1));
        assert_eq!(series.at(at(10)), None);
        assert_eq!(series.at(at(20)), Some(&2));
        assert_eq!(series.at(at(30)), None);
        assert!(series.covers(at(20), at(30)) && series.covers(at(3), at(10)));
        assert!(!series.covers(at(5), at(25)) && !series.covers(at(25), at(31)));
    }

    #[test]
    fn overlapping_or_empty_steps_are_refused() {
        let step = |s, e| Step { start: at(s), end: at(e), value: 0 };
        assert!(matches!(Series::new(vec![step(5, 15), step(0, 10)]), Err(SeriesError::Overlap { .. })));
        assert!(matches!(Series::new(vec![step(5, 5)]), Err(SeriesError::EmptyStep { .. })));
    }

    #[test]
    fn zipping_cuts_at_the_edges_of_either() {
        let both = steps(&[(0, 10, 1), (10, 20, 2)]).zip(&steps(&[(5, 15, 7)]));
        let seen: Vec<_> = both.steps().iter().map(|s| (s.start.as_second(), s.end.as_second(), s.value)).collect();
        assert_eq!(seen, [(5, 10, (1, 7)), (10, 15, (2, 7))]);
    }

    #[test]
    fn a_series_reads_back_from_json_and_a_bad_one_does_not() {
        let series = steps(&[(0, 10, 1), (20, 30, 2)]);
        let text = serde_json::to_string(&series).unwrap();
        assert_eq!(serde_json::from_str::<Series<u32>>(&text).unwrap(), series);
        let bad = text.replace("1970-01-01T00:00:20Z", "1970-01-01T00:00:05Z");
        assert!(serde_json::from_str::<Series<u32>>(&bad).unwrap_err().to_string().contains("overlap"));
    }
}
