//! The processors' own counters, where this build and this host have them.

use crate::host::{Host, Places};
use crate::usage::Work;
#[cfg(feature = "perf")]
use crate::usage::perf::NodeCounters;

/// Counts on all processors, or nothing.
#[derive(Debug)]
pub(super) struct Counters {
    #[cfg(feature = "perf")]
    node: Option<NodeCounters>,
    counted: Vec<Work>,
}

impl Counters {
    #[cfg(feature = "perf")]
    pub(super) fn open(host: &Host, places: &Places) -> Self {
        let node = NodeCounters::open(host, places);
        if let Err(refusal) = &node {
            tracing::debug!(%refusal, "nothing but time is counted on this host");
        }
        Counters { node: node.ok(), counted: Vec::with_capacity(places.len()) }
    }

    #[cfg(not(feature = "perf"))]
    pub(super) fn open(_: &Host, _: &Places) -> Self {
        Counters { counted: Vec::new() }
    }

    /// Reads what was counted since the last time.
    pub(super) fn read(&mut self) {
        self.counted.clear();
        #[cfg(feature = "perf")]
        if let Some(node) = &mut self.node {
            self.counted.extend_from_slice(node.read());
        }
    }

    /// What was counted in this interval, by place; empty if nothing is.
    pub(super) fn counted(&self) -> &[Work] {
        &self.counted
    }
}
