//! Windows for a job that runs at a stretch.

use super::job::{after, nanoseconds};
use super::{Job, Slot};
use crate::series::{Series, span};
use crate::units::CarbonIntensity;
use jiff::Timestamp;
use std::time::Duration;

/// A stretch without gaps: edges of its steps and, at each, the integrals from its start.
pub(super) struct Run<const N: usize> {
    start: Timestamp,
    /// Nanoseconds from `start`, ascending, the first 0.
    edges: Vec<i64>,
    /// Value · hours up to each edge, one for each quantity.
    sums: Vec<[f64; N]>,
}

/// A start with what the job would take there.
#[derive(Clone, Copy, Debug)]
pub(super) struct Candidate<const N: usize> {
    pub(super) start: Timestamp,
    /// Weight · value · hours, one for each quantity.
    pub(super) score: [f64; N],
}

/// Cuts a series at its gaps.
pub(super) fn runs<V, const N: usize>(series: &Series<V>, values: impl Fn(&V) -> [f64; N]) -> Vec<Run<N>> {
    let mut runs: Vec<Run<N>> = Vec::new();
    let mut last: Option<Timestamp> = None;
    for step in series.steps() {
        if last != Some(step.start) {
            runs.push(Run { start: step.start, edges: vec![0], sums: vec![[0.0; N]] });
        }
        last = Some(step.end);
        let Some(run) = runs.last_mut() else { continue };
        let hours = step.length().as_secs_f64() / 3600.0;
        let mut sum = run.sums.last().copied().unwrap_or([0.0; N]);
        for (sum, value) in sum.iter_mut().zip(values(&step.value)) {
            *sum += value * hours;
        }
        run.edges.push(nanoseconds(span(run.start, step.end)));
        run.sums.push(sum);
    }
    runs
}

impl<const N: usize> Run<N> {
    fn length(&self) -> i64 {
        self.edges.last().copied().unwrap_or(0)
    }

    /// The integrals up to `time`. `cursor` is the edge found last: times must ascend from call to
    /// call, which makes a pass over all candidates linear.
    fn at(&self, cursor: &mut usize, time: i64) -> [f64; N] {
        while self.edges.get(*cursor + 1).is_some_and(|&next| next <= time) {
            *cursor += 1;
        }
        let (Some(&edge), Some(&sum)) = (self.edges.get(*cursor), self.sums.get(*cursor)) else { return [0.0; N] };
        let (Some(&next), Some(&above)) = (self.edges.get(*cursor + 1), self.sums.get(*cursor + 1)) else { return sum };
        let share = (time - edge) as f64 / (next - edge) as f64;
        std::array::from_fn(|i| match (sum.get(i), above.get(i)) {
            (Some(sum), Some(above)) => sum + (above - sum) * share,
            _ => 0.0,
        })
    }

    /// Every start at which an edge of the job meets an edge of a step, ascending.
    fn starts(&self, weights: &[(i64, f64)], duration: i64) -> Vec<i64> {
        let last = self.length() - duration;
        if last < 0 {
            return Vec::new();
        }
        let mut starts = Vec::with_capacity(self.edges.len() * (weights.len() + 1));
        for offset in std::iter::once(0).chain(weights.iter().map(|&(end, _)| end)) {
            starts.extend(self.edges.iter().map(|edge| edge - offset).filter(|start| (0..=last).contains(start)));
        }
        // Stable on purpose: it merges the few sorted lists this consists of, several times faster
        // than the unstable sort, which sees them as disorder.
        starts.sort();
        starts.dedup();
        starts
    }

    /// The score of every candidate start.
    pub(super) fn candidates(&self, weights: &[(i64, f64)]) -> Vec<Candidate<N>> {
        let duration = weights.last().map_or(0, |&(end, _)| end);
        let mut cursors = vec![0; weights.len() + 1];
        let score = |start: i64| {
            let mut score = [0.0; N];
            let mut cursors = cursors.iter_mut();
            let mut before = cursors.next().map_or([0.0; N], |cursor| self.at(cursor, start));
            for (&(end, weight), cursor) in weights.iter().zip(cursors) {
                let sum = self.at(cursor, start + end);
                for (score, (sum, before)) in score.iter_mut().zip(sum.iter().zip(before)) {
                    *score += weight * (sum - before);
                }
                before = sum;
            }
            after(self.start, start).map(|start| Candidate { start, score })
        };
        self.starts(weights, duration).into_iter().filter_map(score).collect()
    }
}

/// The best windows that do not overlap, best first, each as its one slot. When no stretch is long
/// enough, the length of the longest.
pub(super) fn ranking(job: &Job, grid: &Series<CarbonIntensity>, count: usize) -> Result<Vec<Vec<Slot>>, Duration> {
    let weights = job.weights();
    let runs = runs(grid, |value| [value.grams_per_kilowatt_hour()]);
    let candidates: Vec<Candidate<1>> = runs.iter().flat_map(|run| run.candidates(&weights)).collect();
    if candidates.is_empty() {
        let longest = runs.iter().map(Run::length).max().unwrap_or(0);
        return Err(Duration::from_nanos(longest.unsigned_abs()));
    }
    let mut chosen: Vec<Slot> = Vec::with_capacity(count);
    while chosen.len() < count {
        let free = |candidate: &&Candidate<1>| {
            chosen.iter().all(|slot| span(candidate.start, slot.start) >= job.duration() || candidate.start >= slot.end)
        };
        let Some(least) = candidates.iter().filter(free).map(score).min_by(f64::total_cmp) else { break };
        // Of equals the earliest. Differences of long sums end in rounding, so what lies within a
        // billionth of the best is its equal.
        let limit = least + least.abs() * 1e-9;
        let best = candidates.iter().filter(free).find(|candidate| score(candidate) <= limit);
        let Some(slot) = best.and_then(|best| slot(job, best.start)) else { break };
        chosen.push(slot);
    }
    Ok(chosen.into_iter().map(|slot| vec![slot]).collect())
}

fn score(candidate: &Candidate<1>) -> f64 {
    let [score] = candidate.score;
    score
}

/// The window that begins at `start`.
pub(super) fn slot(job: &Job, start: Timestamp) -> Option<Slot> {
    Some(Slot { start, end: start.checked_add(job.duration()).ok()? })
}
