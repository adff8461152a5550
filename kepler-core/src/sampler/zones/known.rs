//! What is known of a kind of zone's idle power.

use super::Kind;
use crate::attribution::idle::{IdleEstimate, IdleKnowledge};

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

    /// How it is known, or why not: of the package of which least is.
    pub(super) fn idle_knowledge(&self) -> IdleKnowledge {
        match self.is_by_package {
            true => self
                .parts
                .iter()
                .map(|part| part.baseline.knowledge())
                .fold(IdleKnowledge::Given, IdleKnowledge::weaker),
            false => self.baseline.knowledge(),
        }
    }

    /// Whether idle is separated from active by a known idle power.
    pub(super) fn knows_idle_power(&self) -> bool {
        self.idle_knowledge().is_known()
    }
}
