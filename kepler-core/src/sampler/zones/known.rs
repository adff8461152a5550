//! What is known of a kind of zone's idle power.

use super::Kind;
use crate::attribution::idle::IdleEstimate;

impl Kind {
    /// The idle power by which idle is separated from active, and its error: the sum of its packages' where they are known.
    pub(super) fn idle_estimate(&self) -> Option<IdleEstimate> {
        if !self.is_by_package {
            return self.baseline.estimate();
        }
        self.parts.iter().map(|part| part.baseline.estimate()).try_fold(IdleEstimate::default(), |sum, part| {
            let part = part?;
            // What bends the line of one package bends that of the other: errors add up.
            Some(IdleEstimate::new(sum.power + part.power, sum.error + part.error))
        })
    }

    /// Whether idle is separated from active by a known idle power.
    pub(super) fn knows_idle_power(&self) -> bool {
        match self.is_by_package {
            true => self.parts.iter().all(|part| part.baseline.idle_power().is_some()),
            false => self.baseline.idle_power().is_some(),
        }
    }
}
