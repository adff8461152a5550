//! One charge of what the whole machine draws beside its parts: each share of it by what was drawn in the parts.

use crate::attribution::ledger::PlatformCharge;
use crate::attribution::share::Divider;
use crate::units::{Energy, PerZone};
use std::time::Duration;

/// One charge.
pub(super) struct Round<'a> {
    pub(super) divider: Divider,
    pub(super) parts: &'a PerZone<bool>,
    pub(super) window: Duration,
    pub(super) number: u64,
    /// All that is charged, and by what.
    pub(super) due: Energy,
    pub(super) whole: Energy,
}

/// What some were charged, and by what.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Charged {
    pub(super) energy: Energy,
    pub(super) weight: Energy,
}

impl Charged {
    pub(super) fn add(&mut self, charge: &PlatformCharge) {
        self.energy += charge.energy;
        self.weight += charge.weight;
    }
}

impl Round<'_> {
    /// The share of the next weight. All shares add up to what is charged.
    pub(super) fn share(&mut self, weight: Energy) -> PlatformCharge {
        let energy = self.divider.share(weight.microjoules());
        self.of(energy, weight)
    }

    /// The share of a weight that is part of others as well.
    pub(super) fn share_apart(&self, weight: Energy) -> PlatformCharge {
        let mut divider = Divider::new(self.due, self.whole.microjoules());
        self.of(divider.share(weight.microjoules()), weight)
    }

    pub(super) const fn of(&self, energy: Energy, weight: Energy) -> PlatformCharge {
        PlatformCharge { energy, weight, number: self.number, window: self.window }
    }
}
