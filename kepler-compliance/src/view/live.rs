//! The view of this process's own snapshots.

use super::{EnergySeries, EnergyView, HistoryRing, Inventory, RingOptions, Subject, TimeRange, ViewError};
use jiff::Timestamp;
use kepler_core::snapshot::Feed;
use std::sync::Arc;
use std::time::Duration;

/// Energy of this machine, from the snapshots that a [`Monitor`](kepler_core::monitor::Monitor) publishes.
///
/// It keeps what it has seen in a [`HistoryRing`]. It sees a snapshot when it is asked and when
/// [`observe`](Self::observe) is called: whoever wants windows that reach back further than the last
/// question calls that once in a while (a few times in the shortest window of interest). Nothing is
/// lost in between, since snapshots hold totals; only the moments of the windows' edges are coarser.
#[derive(Debug)]
pub struct LiveView {
    feed: Feed,
    ring: HistoryRing,
}

impl LiveView {
    /// A view of `feed`; `node` is this machine's name.
    pub fn new(feed: Feed, node: impl Into<Arc<str>>, options: RingOptions) -> Self {
        let view = LiveView { feed, ring: HistoryRing::new("live", node, options) };
        view.observe();
        view
    }

    /// Takes the newest snapshot into account. Cheap when it was seen already.
    pub fn observe(&self) {
        if let Some(snapshot) = self.feed.latest() {
            self.ring.record(&snapshot);
        }
    }
}

impl EnergyView for LiveView {
    fn name(&self) -> &str {
        self.ring.name()
    }

    fn inventory(&self, range: TimeRange) -> Result<Inventory, ViewError> {
        self.observe();
        self.ring.inventory(range)
    }

    fn series(&self, subject: &Subject, range: TimeRange, step: Duration) -> Result<EnergySeries, ViewError> {
        self.observe();
        self.ring.series(subject, range, step)
    }

    fn newest(&self) -> Option<Timestamp> {
        self.observe();
        self.ring.newest()
    }
}
