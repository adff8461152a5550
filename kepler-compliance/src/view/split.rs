//! A quantity split by part of the machine.

use crate::units::{Energy, PerZone, Power, ZoneKind};
use serde::{Deserialize, Serialize};
use std::ops::Add;

/// Energy or power by power zone, and of graphics processors. `None` is unknown, not zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Split<T> {
    /// By zone. `core` and `uncore` lie within `package`, all of them within `psys`.
    pub zones: PerZone<Option<T>>,
    /// Of all graphics processors.
    pub gpu: Option<T>,
}

/// Energy by part of the machine.
pub type EnergySplit = Split<Energy>;

/// Power by part of the machine.
pub type PowerSplit = Split<Power>;

impl<T> Split<T> {
    /// By zone, and of all graphics processors.
    #[must_use]
    pub const fn new(zones: PerZone<Option<T>>, gpu: Option<T>) -> Self {
        Split { zones, gpu }
    }
}

impl<T: Copy + Add<Output = T>> Split<T> {
    /// Of the processors: `package`, else `core` and `uncore` as far as known.
    #[must_use]
    pub fn cpu(&self) -> Option<T> {
        let zones = &self.zones;
        zones[ZoneKind::Package].or_else(|| sum(zones[ZoneKind::Core], zones[ZoneKind::Uncore]))
    }

    /// Of the memory: `dram`.
    #[must_use]
    pub fn memory(&self) -> Option<T> {
        self.zones[ZoneKind::Dram]
    }

    /// Of all parts that may be added: processors, memory, graphics. `psys` contains them and
    /// stands in only where neither processors nor memory are known.
    #[must_use]
    pub fn total(&self) -> Option<T> {
        sum(self.zones.total(), self.gpu)
    }

    /// Part by part; a part known on one side only is that side's.
    #[must_use]
    pub fn plus(&self, other: &Self) -> Self {
        Split {
            zones: PerZone::from_fn(|zone| sum(self.zones[zone], other.zones[zone])),
            gpu: sum(self.gpu, other.gpu),
        }
    }

    /// Every known part changed.
    #[must_use]
    pub fn map<U: Copy>(&self, mut change: impl FnMut(T) -> U) -> Split<U> {
        Split { zones: PerZone::from_fn(|zone| self.zones[zone].map(&mut change)), gpu: self.gpu.map(&mut change) }
    }
}

/// The sum of what is known; unknown only if both are.
fn sum<T: Add<Output = T>>(a: Option<T>, b: Option<T>) -> Option<T> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a + b),
        (a, b) => a.or(b),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(parts: &[(ZoneKind, u64)]) -> EnergySplit {
        let mut split = EnergySplit::default();
        for &(zone, joules) in parts {
            split.zones[zone] = Some(Energy::from_joules(joules as f64));
        }
        split
    }

    fn total(parts: &[(ZoneKind, u64)]) -> Option<f64> {
        split(parts).total().map(Energy::joules)
    }

    #[test]
    fn zones_that_contain_each_other_are_not_added() {
        use ZoneKind::{Core, Dram, Package, Psys, Uncore};
        assert_eq!(total(&[(Package, 90), (Core, 60), (Uncore, 5), (Dram, 45), (Psys, 200)]), Some(135.0));
        assert_eq!(total(&[(Core, 60), (Uncore, 5)]), Some(65.0));
        assert_eq!(total(&[(Psys, 200)]), Some(200.0));
        assert_eq!(total(&[(Psys, 200), (Dram, 45)]), Some(45.0), "parts are preferred to the platform");
    }

    #[test]
    fn nothing_known_is_no_zero() {
        assert_eq!(total(&[]), None);
        assert_eq!(split(&[]).plus(&split(&[])).total(), None);
        assert_eq!(split(&[(ZoneKind::Dram, 0)]).total(), Some(Energy::ZERO));
    }
}
