//! Distributes intervals of any length over steps of one length.

use super::super::{EnergySplit, StepUsage};
use crate::series::{Step, span};
use crate::units::Energy;
use jiff::Timestamp;
use std::time::Duration;

/// Steps of a fixed length, into which intervals of other lengths are sorted.
pub(super) struct Buckets {
    start: Timestamp,
    length: Duration,
    steps: Vec<Step<StepUsage>>,
}

impl Buckets {
    pub(super) fn new(start: Timestamp, length: Duration) -> Self {
        Buckets { start, length, steps: Vec::new() }
    }

    /// Adds what was used from `from` to `to`, as drawn evenly; what of it lies before the start is
    /// left in the first step, so that nothing is lost.
    pub(super) fn add(&mut self, from: Timestamp, to: Timestamp, usage: StepUsage) {
        let (mut at, mut left) = (from, usage);
        while at < to {
            let edge = self.edge_after(at).min(to);
            let share = share_of(at, edge, to);
            let part = if edge == to { left } else { part_of(&left, share) };
            left = rest_of(&left, &part);
            self.push(at, edge, part);
            at = edge;
        }
    }

    pub(super) fn into_steps(self) -> Vec<Step<StepUsage>> {
        self.steps
    }

    fn push(&mut self, start: Timestamp, end: Timestamp, usage: StepUsage) {
        let begins_step =
            self.edge_after(start) != self.steps.last().map_or(Timestamp::MIN, |last| self.edge_after(last.start));
        match self.steps.last_mut() {
            Some(last) if !begins_step && last.end == start => {
                last.end = end;
                last.value = StepUsage {
                    energy: last.value.energy.plus(&usage.energy),
                    idle: last.value.idle.plus(&usage.idle),
                    unattributed: last.value.unattributed.plus(&usage.unattributed),
                    cpu_time: last.value.cpu_time.zip(usage.cpu_time).map(|(a, b)| a + b),
                };
            }
            _ => self.steps.push(Step { start, end, value: usage }),
        }
    }

    /// The first edge between steps that lies after `time`.
    fn edge_after(&self, time: Timestamp) -> Timestamp {
        let since = span(self.start, time);
        let whole = since.as_nanos() / self.length.as_nanos().max(1) + 1;
        let whole = u32::try_from(whole).unwrap_or(u32::MAX);
        self.start.checked_add(self.length.saturating_mul(whole)).unwrap_or(Timestamp::MAX)
    }
}

/// How much of the time from `from` to `to` lies before `edge`.
fn share_of(from: Timestamp, edge: Timestamp, to: Timestamp) -> f64 {
    let whole = span(from, to).as_secs_f64();
    if whole > 0.0 { span(from, edge).as_secs_f64() / whole } else { 1.0 }
}

fn part_of(usage: &StepUsage, share: f64) -> StepUsage {
    let part = |split: &EnergySplit| {
        split.map(|energy| Energy::from_microjoules((energy.microjoules() as f64 * share) as u64).min(energy))
    };
    StepUsage {
        energy: part(&usage.energy),
        idle: part(&usage.idle),
        unattributed: part(&usage.unattributed),
        cpu_time: usage.cpu_time.map(|time| time.mul_f64(share)),
    }
}

fn rest_of(usage: &StepUsage, part: &StepUsage) -> StepUsage {
    StepUsage {
        energy: usage.energy.minus(&part.energy),
        idle: usage.idle.minus(&part.idle),
        unattributed: usage.unattributed.minus(&part.unattributed),
        cpu_time: usage.cpu_time.zip(part.cpu_time).map(|(all, part)| all.saturating_sub(part)),
    }
}
