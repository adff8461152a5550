//! The moments before: the node's power as far back as is known, its workloads as far back as was watched, and beyond
//! that where they were asked for.

use super::frame::{Frame, Parts, Trust};
use super::item::{Item, Row};
use jiff::Timestamp;
use std::collections::VecDeque;

/// Moments that are remembered, two hours at one a second.
const MOST: usize = 7200;
/// The newest of them with [`ROWS`] workloads each, the others with [`FEW`].
const MOST_WITH_ROWS: usize = 900;
/// Workloads of a moment that are remembered, the largest first.
const ROWS: usize = 100;
/// The same of moments long ago.
const FEW: usize = 25;
/// Moments whose workloads were asked for and are remembered.
const MOST_ASKED: usize = 64;

/// A time that has passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Interval {
    pub(crate) from: Timestamp,
    pub(crate) to: Timestamp,
}

impl Interval {
    pub(crate) fn seconds(self) -> f64 {
        self.to.duration_since(self.from).as_secs_f64()
    }
}

/// Workloads of a moment.
#[derive(Clone, Debug, Default)]
pub(crate) enum Workloads {
    /// They were not watched; the source may know.
    #[default]
    NotWatched,
    /// The source was asked and does not know.
    NotKnown,
    /// Watched: counters as they stood then.
    Watched { rows: Vec<Row>, is_whole: bool },
    /// Of the source's history: what was used in the time of the moment.
    Asked(Vec<Row>),
}

impl Workloads {
    fn rows(&self) -> Option<&Vec<Row>> {
        match self {
            Workloads::Watched { rows, .. } | Workloads::Asked(rows) => Some(rows),
            Workloads::NotWatched | Workloads::NotKnown => None,
        }
    }
}

/// A moment that has passed.
#[derive(Clone, Debug)]
pub(crate) struct Moment {
    /// Its power is the mean of this time.
    pub(crate) time: Interval,
    pub(crate) trust: Trust,
    pub(crate) parts: Option<Parts>,
    pub(crate) workloads: Workloads,
}

impl Moment {
    /// Processor use of a workload since the moment before, where that is known.
    pub(crate) fn cpu_since(&self, before: Option<&Moment>, item: &Item<'_>) -> Option<f64> {
        let (used, seconds) = match &self.workloads {
            Workloads::Asked(_) => (item.cpu_seconds, self.time.seconds()),
            _ => {
                let before = before?;
                let Workloads::Watched { rows, .. } = &before.workloads else { return None };
                let earlier = rows.iter().find(|row| row.who.id == item.id)?;
                (item.cpu_seconds - earlier.cpu_seconds, self.time.to.duration_since(before.time.to).as_secs_f64())
            }
        };
        (seconds > 0.0 && used >= 0.0).then(|| used / seconds)
    }

    /// Its workloads, where they are known.
    pub(crate) fn rows(&self) -> Option<&[Row]> {
        self.workloads.rows().map(Vec::as_slice)
    }
}

/// Moments, the oldest first.
#[derive(Debug, Default)]
pub(crate) struct Past {
    moments: VecDeque<Moment>,
    /// Ends of moments whose workloads were asked for, the oldest question first.
    asked: VecDeque<Timestamp>,
}

impl Past {
    /// Remembers a moment: the workloads that drew most.
    pub(crate) fn push(&mut self, frame: &Frame) {
        let mut rows: Vec<&Row> = frame.rows.iter().filter(|row| row.watts.unwrap_or_default() > 0.0).collect();
        let watts = |row: &Row| row.watts.unwrap_or_default();
        let is_whole = rows.len() <= ROWS;
        if !is_whole {
            rows.select_nth_unstable_by(ROWS, |a, b| watts(b).total_cmp(&watts(a)));
            rows.truncate(ROWS);
        }
        // By zone they are shown of now only.
        let kept = rows.into_iter().map(|row| Row {
            zones: Vec::new(),
            devices: Vec::new(),
            who: std::sync::Arc::clone(&row.who),
            ..*row
        });
        let mut rows: Vec<Row> = kept.collect();
        rows.sort_by(|a, b| watts(b).total_cmp(&watts(a)));
        let to = frame.node.at;
        let from = to.checked_sub(frame.node.interval).unwrap_or(to);
        self.moments.push_back(Moment {
            time: Interval { from, to },
            trust: frame.node.trust,
            parts: frame.node.parts,
            workloads: Workloads::Watched { rows, is_whole },
        });
        if self.moments.len() > MOST {
            self.moments.pop_front();
        }
        let old = self.moments.len().checked_sub(MOST_WITH_ROWS + 1);
        if let Some(Moment { workloads: Workloads::Watched { rows, is_whole }, .. }) =
            old.and_then(|index| self.moments.get_mut(index))
        {
            *is_whole &= rows.len() <= FEW;
            rows.truncate(FEW);
            rows.shrink_to_fit();
        }
    }

    /// What a server remembers of the time before the first moment here.
    pub(crate) fn before(&mut self, older: Vec<Moment>) {
        let first = self.moments.front().map_or(Timestamp::MAX, |moment| moment.time.from);
        for moment in older.into_iter().rev().filter(|moment| moment.time.to <= first) {
            if self.moments.len() >= MOST {
                return;
            }
            self.moments.push_front(moment);
        }
    }

    /// The workloads that a server tells of a moment; `None` where it knows none.
    pub(crate) fn fill(&mut self, time: Interval, rows: Option<Vec<Row>>) {
        let Some(moment) = self.moments.iter_mut().find(|moment| moment.time == time) else { return };
        moment.workloads = rows.map_or(Workloads::NotKnown, Workloads::Asked);
        self.asked.push_back(time.to);
        if self.asked.len() > MOST_ASKED
            && let Some(oldest) = self.asked.pop_front()
            && let Some(moment) = self.moments.iter_mut().find(|moment| moment.time.to == oldest)
        {
            moment.workloads = Workloads::NotWatched;
        }
    }

    pub(crate) fn moments(&self) -> impl DoubleEndedIterator<Item = &Moment> {
        self.moments.iter()
    }

    pub(crate) fn len(&self) -> usize {
        self.moments.len()
    }

    /// The moment `steps` before the newest.
    pub(crate) fn back(&self, steps: usize) -> Option<&Moment> {
        self.moments.len().checked_sub(steps + 1).and_then(|index| self.moments.get(index))
    }

    /// How many moments before the newest the first is that ends at a time or before it.
    pub(crate) fn steps_to(&self, time: Timestamp) -> usize {
        let later = self.moments.iter().rev().take_while(|moment| moment.time.to > time).count();
        later.min(self.moments.len().saturating_sub(1))
    }

    /// Power of one workload over time. `None` where it was among those too small to be remembered.
    pub(crate) fn of(&self, id: u64) -> impl Iterator<Item = (Timestamp, Option<f64>)> {
        self.moments.iter().filter_map(move |moment| {
            let Workloads::Watched { rows, is_whole } = &moment.workloads else { return None };
            let watts = rows.iter().find(|row| row.who.id == id).and_then(|row| row.watts);
            Some((moment.time.to, watts.or(is_whole.then_some(0.0))))
        })
    }
}
