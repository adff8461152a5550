//! Regular steps over a range, and the parts of intervals that fall into each.

use super::share::Span;
use crate::series::{Series, Step};
use crate::view::StepUsage;
use jiff::Timestamp;
use std::collections::BTreeMap;

/// Regular steps, those with data only.
#[derive(Debug)]
pub(super) struct Steps {
    pub(super) asked: Span,
    length: i64,
    /// By number of the step: the part of it that is known, and what was used in it.
    usage: BTreeMap<i64, (Span, StepUsage)>,
    /// Which intervals had something.
    pub(super) used: Vec<bool>,
}

impl Steps {
    /// Steps of `step` milliseconds, or of the smallest multiple of it that `resolution` allows.
    pub(super) fn new(asked: Span, step: i64, resolution: i64, intervals: usize) -> Self {
        let step = step.max(1);
        let times = resolution.saturating_add(step - 1).div_euclid(step).max(1);
        Steps { asked, length: step.saturating_mul(times), usage: BTreeMap::new(), used: vec![false; intervals] }
    }

    /// Divides an interval among the steps that it touches.
    pub(super) fn spread(&mut self, position: usize, span: Span, mut add: impl FnMut(&mut StepUsage, Span)) {
        let met = span.meet(self.asked);
        let number = |time: i64| time.saturating_sub(self.asked.start).div_euclid(self.length);
        let last = number(met.end.saturating_sub(1).max(met.start));
        for number in number(met.start)..=last {
            let part = self.part(number);
            let seen = met.meet(part);
            let (known, usage) = self.usage.entry(number).or_insert((seen, StepUsage::default()));
            *known = Span { start: known.start.min(seen.start), end: known.end.max(seen.end) };
            add(usage, part);
        }
        if let Some(used) = self.used.get_mut(position) {
            *used = true;
        }
    }

    fn part(&self, number: i64) -> Span {
        let start = self.asked.start.saturating_add(number.saturating_mul(self.length));
        Span { start, end: start.saturating_add(self.length).min(self.asked.end) }
    }

    /// `None` without data.
    pub(super) fn finish(self) -> Option<Series<StepUsage>> {
        if self.usage.is_empty() {
            return None;
        }
        let steps = self.usage.iter().map(|(&number, &(known, value))| {
            // What has no length, a clock that stood still, has the whole step.
            let part = if known.length() == 0 { self.part(number) } else { known };
            Some(Step { start: time(part.start)?, end: time(part.end)?, value })
        });
        Series::new(steps.collect::<Option<Vec<_>>>()?).ok()
    }
}

/// A time as the views tell it; none beyond the calendar.
pub(super) fn time(millisecond: i64) -> Option<Timestamp> {
    Timestamp::from_millisecond(millisecond).ok()
}
