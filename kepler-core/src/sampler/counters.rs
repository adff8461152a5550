//! The processors' own counters, where this build and this host have them.

#[cfg(not(feature = "perf"))]
use crate::availability::Remedy;
use crate::availability::Unavailable;
use crate::host::{CpuDomains, Host};
use crate::usage::Work;
#[cfg(feature = "perf")]
use crate::usage::perf::NodeCounters;

/// The least busy time that tells a frequency: its clock ticks in 10 ms.
const LEAST_BUSY_NS: u64 = 200_000_000;

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

    /// Mean frequency of the processors in the time that they were busy, GHz; `None` where no cycles are counted, and of too short a
    /// time, of which the kernel's clock tells too little.
    pub(super) fn frequency(&self, busy_ns: u64) -> Option<f64> {
        let sum = self.counted.iter().try_fold(0u64, |sum, domain| Some(sum.saturating_add(domain.cycles?)))?;
        (!self.counted.is_empty() && busy_ns >= LEAST_BUSY_NS).then(|| sum as f64 / busy_ns as f64)
    }
}
