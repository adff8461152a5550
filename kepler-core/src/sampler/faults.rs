//! Counting what went wrong, and remembering what last went right.

use crate::host::Timestamp;
use crate::snapshot::{Fault, SourceHealth};

/// Faults by source and reason, and successes by source. Both are few, so they are searched.
#[derive(Debug, Default)]
pub(super) struct Faults {
    faults: Vec<Fault>,
    successes: Vec<SourceHealth>,
}

impl Faults {
    /// Counts one failure.
    pub(super) fn failed(&mut self, source: &'static str, reason: &'static str) {
        self.failed_times(source, reason, 1);
    }

    /// Counts several failures of a kind.
    pub(super) fn failed_times(&mut self, source: &'static str, reason: &'static str, times: u64) {
        if times == 0 {
            return;
        }
        match self.faults.iter_mut().find(|fault| fault.source == source && fault.reason == reason) {
            Some(fault) => fault.count += times,
            None => self.faults.push(Fault { source, reason, count: times }),
        }
    }

    /// Notes that a source delivered.
    pub(super) fn succeeded(&mut self, source: &'static str, at: Timestamp) {
        match self.successes.iter_mut().find(|health| health.source == source) {
            Some(health) => health.last_success = at,
            None => self.successes.push(SourceHealth { source, last_success: at }),
        }
    }

    /// Shows both.
    pub(super) fn show(&self, faults: &mut Vec<Fault>, sources: &mut Vec<SourceHealth>) {
        faults.clone_from(&self.faults);
        sources.clone_from(&self.successes);
    }
}
