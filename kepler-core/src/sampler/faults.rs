//! Faults and warnings by source, and the last success of each source.

use crate::host::Timestamp;
use crate::meter::EstimateWarnings;
use crate::snapshot::{Fault, Snapshot, SourceHealth};

/// Faults and warnings by source and reason, and successes by source. All are few, so they are searched.
#[derive(Debug, Default)]
pub(super) struct Faults {
    faults: Vec<Fault>,
    successes: Vec<SourceHealth>,
    warnings: Vec<Fault>,
    /// What each source counted when it was last asked.
    warned: Vec<(&'static str, EstimateWarnings)>,
}

impl Faults {
    /// Counts one failure.
    pub(super) fn failed(&mut self, source: &'static str, reason: &'static str) {
        self.failed_times(source, reason, 1);
    }

    /// Counts several failures of a kind.
    pub(super) fn failed_times(&mut self, source: &'static str, reason: &'static str, times: u64) {
        count(&mut self.faults, source, reason, times);
    }

    /// Takes over a source's warnings, counted since it was opened: it may be another one of the same name by now.
    pub(super) fn warned(&mut self, source: &'static str, warnings: EstimateWarnings) {
        let before = match self.warned.iter_mut().find(|(known, _)| *known == source) {
            Some((_, known)) => std::mem::replace(known, warnings),
            None => {
                self.warned.push((source, warnings));
                EstimateWarnings::default()
            }
        };
        for ((reason, now), (_, before)) in warnings.by_reason().into_iter().zip(before.by_reason()) {
            count(&mut self.warnings, source, reason, now.checked_sub(before).unwrap_or(now));
        }
    }

    /// Notes that a source delivered.
    pub(super) fn succeeded(&mut self, source: &'static str, at: Timestamp) {
        match self.successes.iter_mut().find(|health| health.source == source) {
            Some(health) => health.last_success = at,
            None => self.successes.push(SourceHealth { source, last_success: at }),
        }
    }

    /// Shows all.
    pub(super) fn publish(&self, snapshot: &mut Snapshot) {
        snapshot.faults.clone_from(&self.faults);
        snapshot.estimate_warnings.clone_from(&self.warnings);
        snapshot.sources.clone_from(&self.successes);
    }
}

fn count(faults: &mut Vec<Fault>, source: &'static str, reason: &'static str, times: u64) {
    if times == 0 {
        return;
    }
    match faults.iter_mut().find(|fault| fault.source == source && fault.reason == reason) {
        Some(fault) => fault.count += times,
        None => faults.push(Fault { source, reason, count: times }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_meter_that_is_reopened_takes_nothing_back() {
        let mut faults = Faults::default();
        let warnings = |clipped| EstimateWarnings { clipped, ..EstimateWarnings::default() };
        for counted in [0, 3, 5, 2, 2] {
            faults.warned("model", warnings(counted));
        }
        assert_eq!(faults.warnings, [Fault { source: "model", reason: "clipped", count: 7 }]);
    }
}
