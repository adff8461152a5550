//! Slots for a job that may be interrupted.

use super::{Job, Slot};
use crate::series::{Series, Step};
use crate::units::CarbonIntensity;
use std::time::Duration;

/// The cheapest intervals that together are as long as the job, in order of time, neighbours
/// joined. When all together are too short, their length.
pub(super) fn best(job: &Job, grid: &Series<CarbonIntensity>) -> Result<Vec<Slot>, Duration> {
    cheapest(job, grid, |value| value.grams_per_kilowatt_hour())
}

/// The same by any measure of a step's value.
pub(super) fn cheapest<V>(job: &Job, series: &Series<V>, value: impl Fn(&V) -> f64) -> Result<Vec<Slot>, Duration> {
    let steps = series.steps();
    let mut order: Vec<(f64, usize)> = steps.iter().map(|step| value(&step.value)).zip(0..).collect();
    order.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    let mut left = job.duration();
    let mut taken = vec![false; steps.len()];
    let mut part: Option<(usize, Duration)> = None;
    for (_, index) in order {
        let (Some(step), Some(taken)) = (steps.get(index), taken.get_mut(index)) else { continue };
        let length = step.length();
        if length > left {
            part = Some((index, left));
            left = Duration::ZERO;
            break;
        }
        *taken = true;
        left -= length;
        if left.is_zero() {
            break;
        }
    }
    if !left.is_zero() {
        return Err(job.duration() - left);
    }
    let mut slots: Vec<Slot> =
        steps.iter().zip(&taken).filter(|(_, taken)| **taken).map(|(step, _)| whole(step)).collect();
    if let Some((index, length)) = part.filter(|(_, length)| !length.is_zero()) {
        let follows = |index: usize| taken.get(index).copied().unwrap_or(false);
        if let Some(slot) = steps.get(index).and_then(|step| {
            // All of the step is equally cheap: lean on a neighbour, for one interruption less.
            let before = index.checked_sub(1).is_some_and(follows);
            piece(step, length, !before && follows(index + 1))
        }) {
            slots.push(slot);
            slots.sort_unstable_by_key(|slot| slot.start);
        }
    }
    Ok(join(slots))
}

fn whole<V>(step: &Step<V>) -> Slot {
    Slot { start: step.start, end: step.end }
}

fn piece<V>(step: &Step<V>, length: Duration, at_the_end: bool) -> Option<Slot> {
    if at_the_end {
        Some(Slot { start: step.end.checked_sub(length).ok()?, end: step.end })
    } else {
        Some(Slot { start: step.start, end: step.start.checked_add(length).ok()? })
    }
}

/// Joins slots that touch.
fn join(slots: Vec<Slot>) -> Vec<Slot> {
    let mut joined: Vec<Slot> = Vec::new();
    for slot in slots {
        match joined.last_mut() {
            Some(last) if last.end == slot.start => last.end = slot.end,
            _ => joined.push(slot),
        }
    }
    joined
}
