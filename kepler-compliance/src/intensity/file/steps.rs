//! Conversion of rows into a series: order, ends, gaps, duplicates.

use super::row::Row;
use crate::series::{Series, Step, span};
use crate::units::CarbonIntensity;
use jiff::Timestamp;
use std::time::Duration;

/// Two rows that speak for one time.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Overlap {
    pub(super) rows: [usize; 2],
    pub(super) at: Timestamp,
}

/// The series of a zone's rows, and whether its last end is a guess.
///
/// A row without an end holds until the next one. Where that comes half a step later than usual rows are missing
/// between, and where there is none nothing says how long the last holds: then it holds for the usual step, as
/// the last `longest` at most.
pub(super) fn close(mut rows: Vec<Row>, longest: Duration) -> Result<(Series<CarbonIntensity>, bool), Overlap> {
    rows.sort_by_key(|row| row.start);
    drop_duplicates(&mut rows)?;
    let usual = usual_step(&rows);
    let mut open_ended = false;
    let mut steps: Vec<(Step<CarbonIntensity>, usize)> = Vec::with_capacity(rows.len());
    let next = rows.iter().skip(1).map(|row| Some(row.start)).chain([None]);
    for (row, next) in rows.iter().zip(next) {
        if let Some((before, number)) = steps.last().filter(|(before, _)| before.end > row.start) {
            return Err(Overlap { rows: [*number, row.number], at: row.start.max(before.start) });
        }
        let for_usual = |most: Duration| row.start.checked_add(usual.min(most)).unwrap_or(Timestamp::MAX);
        let end = match (row.end, next) {
            (Some(end), _) => end,
            (None, Some(next)) if span(row.start, next) <= usual + usual / 2 => next,
            (None, Some(next)) => for_usual(usual).min(next),
            (None, None) => for_usual(longest),
        };
        open_ended = row.end.is_none();
        if let Some(value) = row.value.filter(|_| end > row.start) {
            steps.push((Step { start: row.start, end, value }, row.number));
        }
    }
    let steps = steps.into_iter().map(|(step, _)| step).collect();
    // In order, none empty, none overlapping: the series is never refused.
    Ok((Series::new(steps).unwrap_or_default(), open_ended))
}

/// Of equal rows one stays; of rows that differ none can.
fn drop_duplicates(rows: &mut Vec<Row>) -> Result<(), Overlap> {
    let same_time = |pair: &[Row]| match pair {
        [a, b] if a.start == b.start && (a.value != b.value || a.end != b.end) => {
            Some(Overlap { rows: [a.number, b.number], at: a.start })
        }
        _ => None,
    };
    if let Some(overlap) = rows.windows(2).find_map(same_time) {
        return Err(overlap);
    }
    rows.dedup_by_key(|row| row.start);
    Ok(())
}

/// The median distance of two rows, an hour if there is only one.
fn usual_step(rows: &[Row]) -> Duration {
    let mut distances: Vec<_> = rows.iter().zip(rows.iter().skip(1)).map(|(a, b)| span(a.start, b.start)).collect();
    distances.sort_unstable();
    distances.get(distances.len() / 2).copied().unwrap_or(Duration::from_secs(3600))
}
