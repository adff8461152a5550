//! The counters of a snapshot, and how far one rose.

use kepler_core::snapshot::{AnyRow, Snapshot};
use kepler_core::units::{Energy, PerZone};
use std::time::Duration;

/// What is counted of a workload.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Counters {
    pub(super) energy: PerZone<Energy>,
    pub(super) cpu_time: Duration,
}

impl Counters {
    pub(super) fn add(&mut self, other: &Counters) {
        for (zone, energy) in other.energy.iter() {
            self.energy[zone] += *energy;
        }
        self.cpu_time = self.cpu_time.saturating_add(other.cpu_time);
    }

    pub(super) fn is_zero(&self) -> bool {
        *self == Counters::default()
    }
}

/// What a node's zone counts.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct ZoneCounters {
    pub(super) energy: Energy,
    pub(super) idle: Energy,
    pub(super) unattributed: Energy,
}

/// The rise of one counter; all of it where it fell, because then it began again at zero.
pub(super) fn risen(earlier: Energy, now: Energy) -> Energy {
    now.checked_sub(earlier).unwrap_or(now)
}

/// The counters of one workload.
pub(super) fn counters(row: &AnyRow<'_>) -> Counters {
    Counters { energy: *row.energy, cpu_time: row.cpu_time }
}

/// The counters of the node.
pub(super) fn zones_of(snapshot: &Snapshot) -> PerZone<Option<ZoneCounters>> {
    PerZone::from_fn(|zone| {
        snapshot.node.zones[zone].as_ref().map(|zone| ZoneCounters {
            energy: zone.energy,
            idle: zone.idle_energy,
            unattributed: zone.unattributed_energy,
        })
    })
}
