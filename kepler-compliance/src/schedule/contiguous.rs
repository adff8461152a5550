//! Windows for a job that runs without interruption.

use super::job::{after, nanoseconds};
use super::{Job, Slot};
use crate::series::Series;
use crate::units::CarbonIntensity;
use jiff::Timestamp;
use std::time::Duration;

/// An interval without gaps: edges of its steps and, at each, the integrals from its start.
///
/// Times are nanoseconds from the start of the series: a year has 210,000 candidate starts, and
/// calendar arithmetic on each would cost more than the search.
pub(super) struct Run<const N: usize> {
    /// Ascending.
    edges: Vec<i64>,
    /// Value · hours up to each edge, one for each quantity.
    sums: Vec<[f64; N]>,
}

/// A start with what the job would take there.
#[derive(Clone, Copy, Debug)]
pub(super) struct Candidate<const N: usize> {
    /// Nanoseconds from the start of the series.
    pub(super) start: i64,
    /// Weight · value · hours, one for each quantity.
    pub(super) score: [f64; N],
}

/// Cuts a series at its gaps.
pub(super) fn runs<V, const N: usize>(series: &Series<V>, values: impl Fn(&V) -> [f64; N]) -> Vec<Run<N>> {
    let mut runs: Vec<Run<N>> = Vec::new();
    let Some(origin) = series.start() else { return runs };
    let mut last: Option<Timestamp> = None;
    let mut start = 0;
    // The first run is usually the only one: it gets room for all.
    let mut room = series.steps().len() + 1;
    for step in series.steps() {
        if last != Some(step.start) {
            start = offset(origin, step.start);
            let mut run = Run { edges: Vec::with_capacity(room), sums: Vec::with_capacity(room) };
            run.edges.push(start);
            run.sums.push([0.0; N]);
            room = 0;
            runs.push(run);
        }
        last = Some(step.end);
        let Some(run) = runs.last_mut() else { continue };
        let end = offset(origin, step.end);
        let hours = (end - start) as f64 / 3.6e12;
        let mut sum = run.sums.last().copied().unwrap_or([0.0; N]);
        for (sum, value) in sum.iter_mut().zip(values(&step.value)) {
            *sum += value * hours;
        }
        run.edges.push(end);
        run.sums.push(sum);
        start = end;
    }
    runs
}

/// Nanoseconds from `origin` to `time`; saturates after 292 years.
fn offset(origin: Timestamp, time: Timestamp) -> i64 {
    let seconds = time.as_second() - origin.as_second();
    let rest = i64::from(time.subsec_nanosecond() - origin.subsec_nanosecond());
    seconds.saturating_mul(1_000_000_000).saturating_add(rest)
}

impl<const N: usize> Run<N> {
    fn length(&self) -> i64 {
        self.edges.last().zip(self.edges.first()).map_or(0, |(last, first)| last - first)
    }

    /// The integrals up to `time`. `cursor` is the edge found last: times must ascend from call to
    /// call, which makes a pass over all candidates linear.
    fn at(&self, cursor: &mut usize, time: i64) -> [f64; N] {
        while self.edges.get(*cursor + 1).is_some_and(|&next| next <= time) {
            *cursor += 1;
        }
        let (Some(&edge), Some(&sum)) = (self.edges.get(*cursor), self.sums.get(*cursor)) else { return [0.0; N] };
        if time == edge {
            return sum;
        }
        let (Some(&next), Some(&above)) = (self.edges.get(*cursor + 1), self.sums.get(*cursor + 1)) else { return sum };
        let share = (time - edge) as f64 / (next - edge) as f64;
        std::array::from_fn(|i| match (sum.get(i), above.get(i)) {
            (Some(sum), Some(above)) => sum + (above - sum) * share,
            _ => 0.0,
        })
    }

    /// Every start at which an edge of the job meets an edge of a step, ascending: the edges, shifted
    /// by each offset, merged as they come. A list to sort would cost more in fresh memory than the
    /// whole search.
    fn starts(&self, weights: &[(i64, f64)], duration: i64) -> impl Iterator<Item = i64> {
        let first = self.edges.first().copied().unwrap_or(0);
        let last = self.edges.last().copied().unwrap_or(0) - duration;
        let offsets = std::iter::once(0).chain(weights.iter().map(|&(end, _)| end));
        let from = |offset: i64| (offset, self.edges.partition_point(|edge| edge - offset < first));
        let mut cursors: Vec<(i64, usize)> = offsets.map(from).collect();
        std::iter::from_fn(move || {
            let shifted = |&(offset, next): &(i64, usize)| self.edges.get(next).map(|edge| edge - offset);
            let start = cursors.iter().filter_map(shifted).min().filter(|start| *start <= last)?;
            for cursor in &mut cursors {
                cursor.1 += usize::from(shifted(cursor) == Some(start));
            }
            Some(start)
        })
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
            Candidate { start, score }
        };
        let mut candidates = Vec::with_capacity(self.edges.len());
        candidates.extend(self.starts(weights, duration).map(score));
        candidates
    }
}

/// The best windows that do not overlap, best first, each as its one slot. When no interval is long
/// enough, the length of the longest.
pub(super) fn ranking(job: &Job, grid: &Series<CarbonIntensity>, count: usize) -> Result<Vec<Vec<Slot>>, Duration> {
    let weights = job.weights();
    let runs = runs(grid, |value| [value.grams_per_kilowatt_hour()]);
    let mut lists: Vec<Vec<Candidate<1>>> = runs.iter().map(|run| run.candidates(&weights)).collect();
    // Usually there is one run: its list is used as it is, not copied.
    let candidates = if lists.len() == 1 { lists.swap_remove(0) } else { lists.concat() };
    if candidates.is_empty() {
        let longest = runs.iter().map(Run::length).max().unwrap_or(0);
        return Err(Duration::from_nanos(longest.unsigned_abs()));
    }
    let duration = nanoseconds(job.duration());
    let mut chosen: Vec<i64> = Vec::with_capacity(count);
    while chosen.len() < count {
        let is_free = |start: i64| chosen.iter().all(|other| start.abs_diff(*other) >= duration.unsigned_abs());
        let free = |candidate: &&Candidate<1>| is_free(candidate.start);
        let least = candidates.iter().filter(free).map(score).fold(f64::INFINITY, f64::min);
        // Of equals the earliest. Differences of long sums end in rounding, so what lies within a
        // billionth of the best is its equal.
        let limit = least + least.abs() * 1e-9;
        let Some(best) = candidates.iter().find(|one| score(one) <= limit && is_free(one.start)) else { break };
        chosen.push(best.start);
    }
    Ok(chosen.into_iter().filter_map(|start| slot(job, grid, start)).map(|slot| vec![slot]).collect())
}

fn score(candidate: &Candidate<1>) -> f64 {
    let [score] = candidate.score;
    score
}

/// The window that begins `offset` nanoseconds after the series.
pub(super) fn slot<V>(job: &Job, series: &Series<V>, start: i64) -> Option<Slot> {
    let start = after(series.start()?, start)?;
    Some(Slot { start, end: start.checked_add(job.duration()).ok()? })
}
