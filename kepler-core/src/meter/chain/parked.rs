//! Zones that are not in use for a while: their counters go on, and are followed further once they are back.

use super::Active;
use super::watch::ZoneWatch;
use crate::meter::Drawn;
use crate::units::{Energy, PerZone, ZoneKind};
use std::sync::Arc;
use std::time::Duration;

/// The most zones that are remembered. A machine has some tens.
const MOST: usize = 4096;

/// The zones that are not in use.
#[derive(Default)]
pub(super) struct Parked {
    zones: Vec<ParkedZone>,
    /// What zones of each kind drew in the current reading, by other sources than those of the parked ones.
    instead: PerZone<(Energy, Duration)>,
}

struct ParkedZone {
    key: Key,
    watch: ZoneWatch,
}

/// Which counter it is.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Key {
    source: &'static str,
    kind: ZoneKind,
    package: Option<u32>,
    path: Arc<str>,
    epoch: u64,
}

impl Parked {
    /// Hands the state of zones that go on from one set of meters to another, and keeps that of those that do not.
    pub(super) fn change_over(&mut self, from: Vec<Active>, to: &mut [Active]) {
        for active in from {
            let keys = keys(&active);
            for (key, state) in keys.into_iter().zip(active.zones).filter(|(_, state)| state.is_used) {
                // Counters that start when they are opened cannot go on, and one that did not count has nothing to show.
                if key.epoch == 0 && state.watch.distrust().is_none() && self.zones.len() < MOST {
                    self.zones.retain(|parked| parked.key != key);
                    self.zones.push(ParkedZone { key, watch: state.watch });
                }
            }
        }
        for active in to {
            let keys = keys(active);
            for (key, state) in keys.into_iter().zip(&mut active.zones).filter(|(_, state)| state.is_used) {
                if let Some(index) = self.zones.iter().position(|parked| parked.key == key) {
                    state.watch = self.zones.swap_remove(index).watch;
                }
            }
        }
        for parked in &mut self.zones {
            parked.watch.lose();
        }
    }

    /// Another source drew this in the stead of zones that are lost with theirs.
    pub(super) fn stand_in(&mut self, source: &'static str, kind: ZoneKind, drawn: &Drawn) {
        if self.zones.iter().any(|parked| parked.key.kind == kind && parked.key.source != source) {
            let (energy, elapsed) = &mut self.instead[kind];
            *energy += drawn.energy;
            *elapsed = drawn.elapsed.max(*elapsed);
        }
    }

    /// Ends a reading: each zone that is lost with its source has an equal part of what was drawn in their stead.
    pub(super) fn advance(&mut self) {
        if self.zones.is_empty() {
            return;
        }
        for (kind, (energy, elapsed)) in std::mem::take(&mut self.instead).iter() {
            let count = self.zones.iter().filter(|parked| parked.key.kind == kind).count() as u64;
            let Some(part) = energy.microjoules().checked_div(count).filter(|part| *part > 0) else { continue };
            for parked in self.zones.iter_mut().filter(|parked| parked.key.kind == kind) {
                parked.watch.estimate(Energy::from_microjoules(part), *elapsed);
            }
        }
    }

    /// A part was estimated from other zones of the same source.
    pub(super) fn estimate(&mut self, source: &'static str, kind: ZoneKind, package: Option<u32>, part: &Drawn) {
        let is_meant = |key: &Key| (key.source, key.kind, key.package) == (source, kind, package);
        if let Some(parked) = self.zones.iter_mut().find(|parked| is_meant(&parked.key)) {
            parked.watch.estimate(part.energy, part.elapsed);
        }
    }
}

fn keys(active: &Active) -> Vec<Key> {
    let key = |zone: &crate::meter::Zone| Key {
        source: active.meter.source(),
        kind: zone.kind,
        package: zone.package,
        path: Arc::clone(&zone.path),
        epoch: active.epoch,
    };
    active.meter.inventory().zones.iter().map(key).collect()
}
