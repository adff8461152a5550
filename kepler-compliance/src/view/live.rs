//! The view of this process's own snapshots.

use super::{
    EnergySeries, EnergyView, HistoryRing, Inventory, NewestReading, RingOptions, Subject, TimeRange, ViewError,
};
use kepler_core::snapshot::Feed;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Energy of this machine, from the snapshots that a [`Monitor`](kepler_core::monitor::Monitor) publishes.
///
/// It keeps what it has seen in a [`HistoryRing`]. It sees a snapshot when it is asked and when
/// [`observe`](Self::observe) is called: a caller that wants windows that reach back further than the last
/// question calls that once in a while (a few times in the shortest window of interest). Nothing is
/// lost in between, since snapshots hold totals; only the moments of the windows' edges are coarser.
#[derive(Debug)]
pub struct LiveView {
    feed: Feed,
    ring: HistoryRing,
    cache: Mutex<AnswerCache>,
}

/// What was answered since the newest snapshot. Those who ask for the same range, as all do whose window ends
/// at [`newest`](EnergyView::newest), share one answer.
#[derive(Debug, Default)]
struct AnswerCache {
    newest: Option<NewestReading>,
    answers: VecDeque<Arc<Inventory>>,
}

/// Answers that are kept: two windows at a time are asked for mostly, and one takes 2 MB with 4,000 processes.
const KEPT: usize = 2;

impl LiveView {
    /// A view of `feed`; `node` is this machine's name.
    pub fn new(feed: Feed, node: impl Into<Arc<str>>, options: RingOptions) -> Self {
        let ring = HistoryRing::new("live", node, options);
        let view = LiveView { feed, ring, cache: Mutex::default() };
        view.observe();
        view
    }

    /// Takes the newest snapshot into account. Cheap when it was seen already.
    pub fn observe(&self) {
        if let Some(snapshot) = self.feed.latest() {
            self.ring.record(&snapshot);
        }
    }

    fn cache(&self) -> MutexGuard<'_, AnswerCache> {
        // What is kept is true, whatever happened to who kept it.
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl EnergyView for LiveView {
    fn name(&self) -> &str {
        self.ring.name()
    }

    fn inventory(&self, range: TimeRange) -> Result<Arc<Inventory>, ViewError> {
        self.observe();
        let newest = self.ring.newest();
        {
            let cache = self.cache();
            let known = cache.answers.iter().find(|answer| cache.newest == newest && answer.asked == range);
            if let Some(known) = known {
                return Ok(Arc::clone(known));
            }
        }
        let answer = self.ring.inventory(range)?;
        // A snapshot that came in between may be in the answer or not.
        if self.ring.newest() == newest {
            let mut cache = self.cache();
            if cache.newest != newest {
                *cache = AnswerCache { newest, answers: VecDeque::new() };
            }
            cache.answers.truncate(KEPT - 1);
            cache.answers.push_front(Arc::clone(&answer));
        }
        Ok(answer)
    }

    fn series(&self, subject: &Subject, range: TimeRange, step: Duration) -> Result<EnergySeries, ViewError> {
        self.observe();
        self.ring.series(subject, range, step)
    }

    fn newest(&self) -> Option<NewestReading> {
        self.observe();
        self.ring.newest()
    }
}
