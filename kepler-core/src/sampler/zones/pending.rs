//! What a zone drew between two ticks.

use crate::counter::EnergyDelta;
use crate::meter::Drawn;
use crate::units::{Energy, Power};
use std::time::Duration;

/// What a zone drew since the last tick.
#[derive(Clone, Copy, Default)]
pub(super) struct Pending {
    pub(super) energy: Energy,
    /// The time in which it was drawn.
    pub(super) elapsed: Duration,
    /// What its counter showed, and in which time: the same, but for what was estimated while it could not be read.
    pub(super) counted: Energy,
    pub(super) window: Duration,
    /// Whether the latest reading succeeded.
    pub(super) is_read: bool,
    /// Whether its counter did something other than go on: then `energy` is only a lower bound.
    pub(super) is_lower_bound: bool,
    /// Whether that was a reset, so that nothing at all may be known.
    pub(super) was_reset: bool,
}

impl Pending {
    pub(super) fn add(&mut self, drawn: &Drawn) {
        self.energy += drawn.energy;
        self.elapsed += drawn.elapsed;
        self.counted += drawn.delta.energy();
        self.window += drawn.window;
        self.is_read = true;
        self.is_lower_bound |= !matches!(drawn.delta, EnergyDelta::Exact(_) | EnergyDelta::Wrapped(_));
        self.was_reset |= matches!(drawn.delta, EnergyDelta::Reset { .. });
    }

    /// Mean power; `None` when it is not known.
    pub(super) fn power(&self) -> Option<Power> {
        let is_known = self.is_read && !self.was_reset && !self.window.is_zero();
        is_known.then(|| self.counted.over(self.window))
    }
}
