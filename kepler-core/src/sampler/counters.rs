//! The processors' own counters, where this build and this host have them.

#[cfg(not(feature = "perf"))]
use crate::availability::Remedy;
use crate::availability::Unavailable;
use crate::host::{CpuDomains, Host};
use crate::usage::Work;
#[cfg(feature = "perf")]
use crate::usage::perf::NodeCounters;

/// Counts on all processors, or nothing.
#[derive(Debug)]
pub(super) struct Counters {
    #[cfg(feature = "perf")]
    node: Option<NodeCounters>,
    unavailable: Option<Unavailable>,
    counted: Vec<Work>,
}

impl Counters {
    #[cfg(feature = "perf")]
    pub(super) fn open(host: &Host, domains: &CpuDomains) -> Self {
        let (node, unavailable) = match NodeCounters::open(host, domains) {
            Ok(node) => (Some(node), None),
            Err(unavailable) => (None, Some(unavailable)),
        };
        Counters { node, unavailable, counted: Vec::with_capacity(domains.len()) }
    }

    #[cfg(not(feature = "perf"))]
    pub(super) fn open(_: &Host, _: &CpuDomains) -> Self {
        let unavailable = Unavailable::new(
            "counters",
            "they were left out of this build",
            Remedy::RebuildWithFeature { feature: "perf" },
        );
        Counters { unavailable: Some(unavailable), counted: Vec::new() }
    }

    /// Why nothing is counted.
    pub(super) fn unavailable(&self) -> Option<&Unavailable> {
        self.unavailable.as_ref()
    }

    /// Reads what was counted since the last time.
    pub(super) fn read(&mut self) {
        self.counted.clear();
        #[cfg(feature = "perf")]
        if let Some(node) = &mut self.node {
            self.counted.extend_from_slice(node.read());
        }
    }

    /// Whether anything is counted here.
    #[cfg(feature = "perf")]
    pub(super) fn is_counting(&self) -> bool {
        self.node.is_some()
    }

    /// What was counted in this interval, by domain; empty if nothing is.
    pub(super) fn counted(&self) -> &[Work] {
        &self.counted
    }
}
