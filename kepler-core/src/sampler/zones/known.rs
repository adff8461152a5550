//! What is known of a kind of zone's idle power, and what of it teaches.

use super::{Kind, TEACHING, Zones};
use crate::attribution::idle::{IdleEstimate, IdleKnowledge};
use crate::meter::Method;
use crate::units::{Power, ZoneKind};
use std::time::Duration;

impl Zones {
    /// What zones that are measured drew in this interval, where all of it was seen in just that time.
    pub(in crate::sampler) fn teaching(
        &self,
        is_exact: bool,
        interval: Duration,
    ) -> impl Iterator<Item = (ZoneKind, Power)> {
        let can_teach = is_exact && TEACHING.contains(&interval);
        self.kinds.iter().filter(move |_| can_teach).filter_map(|(zone, kind)| {
            let kind = kind.as_ref().filter(|kind| kind.interval.clean && kind.method == Method::Measured)?;
            Some((zone, kind.interval.power?))
        })
    }
}

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
