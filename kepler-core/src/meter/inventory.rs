//! What a meter found: the zones that it reads, and those that it does not, each with the reason.

use super::Zone;
use crate::availability::{Remedy, Unavailable};
use crate::host::Topology;
use crate::units::ZoneKind;

/// The fault of what is not there.
const NOT_FOUND: &str = "not_found";

/// A zone, register or sensor that is there, or has to be there, and is not read.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SkippedZone {
    /// What it measures, where that is known.
    pub kind: Option<ZoneKind>,
    /// The package it belongs to, where that is known.
    pub package: Option<u32>,
    /// Whether the sum over its kind lacks it: then the sum is [partial](super::Method::Partial). What is a
    /// duplicate of another zone, or measures something else, is not missing.
    pub is_missing: bool,
    /// The same as a short fixed word, as in the `reason` label of faults: `timeout`, `permission_denied`, …
    pub fault: &'static str,
    /// Why it is not read, and what would change that.
    pub unavailable: Unavailable,
}

impl SkippedZone {
    /// Something that is left out on purpose.
    #[must_use]
    pub fn unused(unavailable: Unavailable) -> Self {
        SkippedZone { kind: None, package: None, is_missing: false, fault: NOT_FOUND, unavailable }
    }

    /// A part of a kind of zone that cannot be read.
    #[must_use]
    pub fn missing(kind: ZoneKind, package: Option<u32>, unavailable: Unavailable) -> Self {
        SkippedZone { kind: Some(kind), package, is_missing: true, fault: NOT_FOUND, unavailable }
    }

    /// Whether an estimate stands in for it beside these zones: it is missing from a sum of which a part is read. A
    /// platform is no sum of parts.
    #[must_use]
    pub fn is_estimated_beside(&self, zones: &[Zone]) -> bool {
        let is_sum = |kind: &ZoneKind| *kind != ZoneKind::Psys && zones.iter().any(|zone| zone.kind == *kind);
        self.is_missing && self.kind.as_ref().is_some_and(is_sum)
    }

    /// The same with the kind of fault.
    #[must_use]
    pub fn with_fault(self, fault: &'static str) -> Self {
        SkippedZone { fault, ..self }
    }
}

/// What a meter found.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct MeterInventory<'a> {
    /// What it reads, in the order of its readings.
    pub zones: &'a [Zone],
    /// What it does not read, each with the reason.
    pub skipped: &'a [SkippedZone],
}

impl<'a> MeterInventory<'a> {
    /// An inventory of a meter that left out nothing.
    #[must_use]
    pub const fn of(zones: &'a [Zone]) -> Self {
        MeterInventory { zones, skipped: &[] }
    }

    /// The same with what was left out.
    #[must_use]
    pub const fn with_skipped(self, skipped: &'a [SkippedZone]) -> Self {
        MeterInventory { skipped, ..self }
    }
}

/// Adds the packages of the host that a kind of zone does not cover although it covers others, as far as they are not
/// listed yet: a socket whose zone never appeared.
///
/// Only of packages, cores and memory: a platform counts once, and a graphics unit is on one package alone.
pub(super) fn add_missing_packages(
    source: &'static str,
    zones: &[Zone],
    topology: &Topology,
    skipped: &mut Vec<SkippedZone>,
) {
    for kind in [ZoneKind::Package, ZoneKind::Core, ZoneKind::Dram] {
        let covered: Vec<Option<u32>> =
            zones.iter().filter(|zone| zone.kind == kind).map(|zone| zone.package).collect();
        if covered.is_empty() || covered.contains(&None) {
            continue;
        }
        for (package, _) in topology.packages() {
            let listed = skipped.iter().any(|one| {
                one.is_missing && one.kind == Some(kind) && one.package.is_none_or(|number| number == package)
            });
            if !listed && !covered.contains(&Some(package)) {
                let reason = format!("socket {package} has no {kind} zone, although others have");
                skipped.push(SkippedZone::missing(
                    kind,
                    Some(package),
                    Unavailable::new(source, reason, Remedy::CheckKernelLog),
                ));
            }
        }
    }
}
