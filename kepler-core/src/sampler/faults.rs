//! Faults and warnings by source, and the last success of each source.

use crate::host::Timestamp;
use crate::meter::Doubts;
use crate::snapshot::{Fault, Snapshot, SourceHealth};

/// Faults and doubts by source and reason, and successes by source. All are few, so they are searched.
#[derive(Debug, Default)]
pub(super) struct Faults {
    faults: Vec<Fault>,
    successes: Vec<SourceHealth>,
    doubts: Vec<Fault>,
    /// What each source counted when it was last asked.
    doubted: Vec<(&'static str, Doubts)>,
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

    /// Takes over what a source doubts, counted since it was opened: it may be another one of the same name by now.
    pub(super) fn doubted(&mut self, source: &'static str, doubts: Doubts) {
        let before = match self.doubted.iter_mut().find(|(known, _)| *known == source) {
            Some((_, known)) => std::mem::replace(known, doubts),
            None => {
                self.doubted.push((source, doubts));
                Doubts::default()
            }
        };
        for ((reason, now), (_, before)) in doubts.by_reason().into_iter().zip(before.by_reason()) {
            count(&mut self.doubts, source, reason, now.checked_sub(before).unwrap_or(now));
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
        snapshot.doubts.clone_from(&self.doubts);
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
    fn a_meter_that_is_opened_anew_takes_nothing_back() {
        let mut faults = Faults::default();
        let doubts = |clipped| Doubts { clipped, ..Doubts::default() };
        for counted in [0, 3, 5, 2, 2] {
            faults.doubted("model", doubts(counted));
        }
        assert_eq!(faults.doubts, [Fault { source: "model", reason: "clipped", count: 7 }]);
    }
}
