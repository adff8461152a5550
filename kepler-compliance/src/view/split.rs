//! A quantity split by part of the machine.

use crate::units::{Energy, PerZone, Power, ZoneKind};
use serde::{Deserialize, Serialize};
use std::ops::Add;

/// Energy or power by power zone. `None` is unknown, not zero.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Split<T> {
    /// By zone. `core` and `uncore` lie within `package`, all of them within `psys`; `gpu` is beside them.
    pub zones: PerZone<Option<T>>,
    /// The total, where it is not the sum that the zones alone suggest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    whole: Option<T>,
}

/// Energy by part of the machine.
pub type EnergySplit = Split<Energy>;

/// Power by part of the machine.
pub type PowerSplit = Split<Power>;

impl<T> Split<T> {
    /// By zone.
    #[must_use]
    pub const fn new(zones: PerZone<Option<T>>) -> Self {
        Split { zones, whole: None }
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

    /// Of the accelerators: `gpu`.
    #[must_use]
    pub fn gpu(&self) -> Option<T> {
        self.zones[ZoneKind::Gpu]
    }

    /// Of all parts that may be added: processors, memory, accelerators. `psys` contains them and stands in where neither
    /// processors nor memory are known, or where who made this said so ([`counting`](Self::counting)).
    #[must_use]
    pub fn total(&self) -> Option<T> {
        self.whole.or_else(|| self.zones.total())
    }

    /// The same with a total of these zones: what is measured as a whole is better than
    /// the sum of parts that are estimated, which the figures alone do not show ([`NodeEnergy::counted`](super::NodeEnergy::counted)).
    #[must_use]
    pub fn counting(self, zones: &PerZone<bool>) -> Self {
        let counted = self.zones.iter().filter(|(zone, _)| zones[*zone]).filter_map(|(_, part)| *part);
        Split { whole: counted.reduce(|a, b| a + b), ..self }
    }

    /// Part by part; a part known on one side only is that side's. Where it is known what one of them
    /// [counts](Self::counting), the total is the sum of both totals, also of machines of which other zones are known.
    #[must_use]
    pub fn plus(&self, other: &Self) -> Self {
        let is_plain = self.whole.is_none() && other.whole.is_none();
        let whole = if is_plain { None } else { sum(self.total(), other.total()) };
        Split { zones: PerZone::from_fn(|zone| sum(self.zones[zone], other.zones[zone])), whole }
    }

    /// Every known part changed.
    #[must_use]
    pub fn map<U: Copy>(&self, mut change: impl FnMut(T) -> U) -> Split<U> {
        Split { zones: PerZone::from_fn(|zone| self.zones[zone].map(&mut change)), whole: self.whole.map(&mut change) }
    }
}

impl<T: Copy + Add<Output = T> + PartialEq> PartialEq for Split<T> {
    fn eq(&self, other: &Self) -> bool {
        self.zones == other.zones && self.total() == other.total()
    }
}

impl<T: Copy + std::ops::Sub<Output = T>> Split<T> {
    /// What is left of it without `part`, a part of every figure.
    pub(super) fn minus(&self, part: &Self) -> Self {
        let rest = |all: Option<T>, part: Option<T>| all.zip(part).map(|(all, part)| all - part);
        Split {
            zones: PerZone::from_fn(|zone| rest(self.zones[zone], part.zones[zone])),
            whole: rest(self.whole, part.whole),
        }
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
    fn a_platform_that_is_measured_stands_for_parts_that_are_estimated_also_in_sums() {
        use ZoneKind::{Dram, Package, Psys};
        let platform = PerZone::from_fn(|zone| zone == Psys);
        let measured = split(&[(Package, 60), (Dram, 5), (Psys, 100)]).counting(&platform);
        assert_eq!(measured.total().map(Energy::joules), Some(100.0));
        assert_eq!(measured.cpu().map(Energy::joules), Some(60.0), "parts stay what they are");
        let other = split(&[(Package, 80), (Dram, 10)]);
        let both = measured.plus(&other);
        assert_eq!(both.total().map(Energy::joules), Some(190.0));
        assert_eq!(both.plus(&other).total().map(Energy::joules), Some(280.0));
        let halves = both.map(|energy| Energy::from_joules(energy.joules() / 2.0));
        assert_eq!(halves.total().map(Energy::joules), Some(95.0));
        assert_eq!(both.minus(&halves).total().map(Energy::joules), Some(95.0));
        let nothing = EnergySplit::default();
        assert_eq!((nothing.plus(&measured), measured.plus(&nothing)), (measured, measured));
    }

    #[test]
    fn machines_of_which_other_zones_are_known_are_added_by_their_totals() {
        use ZoneKind::{Package, Psys};
        let of = |kind, joules| split(&[(kind, joules)]).counting(&PerZone::from_fn(|zone| zone == kind));
        assert_eq!(of(Psys, 100).plus(&of(Package, 80)).total().map(Energy::joules), Some(180.0));
    }

    #[test]
    fn zones_of_one_machine_can_be_put_together_one_by_one() {
        use ZoneKind::{Core, Package};
        let both = split(&[(Package, 90)]).plus(&split(&[(Core, 60)]));
        assert_eq!(both.total().map(Energy::joules), Some(90.0));
    }

    #[test]
    fn nothing_known_is_no_zero() {
        assert_eq!(total(&[]), None);
        assert_eq!(split(&[]).plus(&split(&[])).total(), None);
        assert_eq!(split(&[(ZoneKind::Dram, 0)]).total(), Some(Energy::ZERO));
    }
}
