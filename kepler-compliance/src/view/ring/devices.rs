//! Accelerators in the ring: which were ever seen, and what each drew between two snapshots.

use super::super::{DeviceEnergy, TimeRange, WorkloadDeviceEnergy, weaker};
use crate::differ::{Order, ZoneCounters, risen};
use crate::units::{Energy, Power};
use kepler_core::device::{Device, SharesBy};
use kepler_core::meter::Method;
use kepler_core::snapshot::{DeviceRow, DeviceUse, Snapshot};
use std::sync::Arc;

/// What an accelerator drew between two snapshots.
#[derive(Clone, Copy, Debug)]
pub(super) struct DeviceDrawn {
    /// Its place among all that were ever seen.
    device: usize,
    used: ZoneCounters,
}

/// What a workload used of an accelerator between two snapshots; or, of its newest row, since the sampler's start.
#[derive(Clone, Copy, Debug)]
pub(super) struct DeviceUsed {
    device: usize,
    energy: Energy,
    shares_by: Option<SharesBy>,
}

/// All accelerators that were ever seen, in the order in which they came.
#[derive(Debug, Default)]
pub(super) struct Devices {
    known: Vec<KnownDevice>,
    /// Where those of the newest snapshot stand, in its order.
    places: Vec<usize>,
}

/// An accelerator as its newest row showed it.
#[derive(Debug)]
struct KnownDevice {
    device: Arc<Device>,
    source: &'static str,
    method: Method,
    power: Option<Power>,
    utilisation: Option<f64>,
    shares_by: Option<SharesBy>,
    fault: Option<&'static str>,
    counters: ZoneCounters,
}

impl KnownDevice {
    fn of(row: &DeviceRow) -> Self {
        KnownDevice {
            device: Arc::clone(&row.device),
            source: row.source,
            method: row.method,
            power: row.power.map(|power| power.total),
            utilisation: row.utilisation,
            shares_by: row.shares_by,
            fault: row.fault,
            counters: ZoneCounters {
                energy: row.energy,
                active: row.active_energy,
                idle: row.idle_energy,
                unattributed: row.unattributed_energy,
            },
        }
    }
}

impl Devices {
    /// What each of the snapshot's accelerators drew since the snapshot before.
    pub(super) fn advance(&mut self, snapshot: &Snapshot, order: Order) -> Vec<DeviceDrawn> {
        self.places.clear();
        let mut drawn = Vec::new();
        for row in &snapshot.devices {
            let now = KnownDevice::of(row);
            let place = self.known.iter().position(|known| known.device.uuid == now.device.uuid);
            let before = place.and_then(|place| self.known.get(place)).map(|known| known.counters);
            let used = match order {
                Order::First | Order::Same => ZoneCounters::default(),
                Order::Next => now.counters.since(&before.unwrap_or_default()),
                Order::Restarted => now.counters,
            };
            let device = place.unwrap_or(self.known.len());
            match self.known.get_mut(device) {
                Some(known) => *known = now,
                None => self.known.push(now),
            }
            self.places.push(device);
            if used != ZoneCounters::default() {
                drawn.push(DeviceDrawn { device, used });
            }
        }
        drawn
    }

    /// What a workload of the newest snapshot used since the snapshot before; `counted` is what its row showed then, and becomes
    /// what it shows now.
    pub(super) fn used(&self, row: &[DeviceUse], order: Order, counted: &mut Vec<DeviceUsed>) -> Box<[DeviceUsed]> {
        if row.is_empty() {
            counted.clear();
            return Box::default();
        }
        let now = row.iter().filter_map(|used| {
            let device = *self.places.get(usize::try_from(used.device).ok()?)?;
            Some(DeviceUsed { device, energy: used.energy, shares_by: used.shares_by })
        });
        let now: Vec<DeviceUsed> = now.collect();
        let used = now.iter().filter_map(|now| {
            let before = counted.iter().find(|before| before.device == now.device).map(|before| before.energy);
            let energy = match order {
                Order::First | Order::Same => Energy::ZERO,
                Order::Next => risen(before.unwrap_or_default(), now.energy),
                Order::Restarted => now.energy,
            };
            (energy > Energy::ZERO).then_some(DeviceUsed { energy, ..*now })
        });
        let used = used.collect();
        *counted = now;
        used
    }

    /// What each drew, of what was drawn in some samples.
    pub(super) fn drawn<'a>(
        &self,
        drawn: impl Iterator<Item = &'a DeviceDrawn>,
        covered: TimeRange,
    ) -> Vec<DeviceEnergy> {
        let mut sums = vec![ZoneCounters::default(); self.known.len()];
        for drawn in drawn {
            if let Some(sum) = sums.get_mut(drawn.device) {
                *sum = sum.plus(&drawn.used);
            }
        }
        let is_present = |place: usize| self.places.contains(&place);
        let is_shown = |(place, (_, sum)): &(usize, (&KnownDevice, ZoneCounters))| {
            is_present(*place) || *sum != ZoneCounters::default()
        };
        let shown = self.known.iter().zip(sums).enumerate().filter(is_shown);
        shown
            .map(|(place, (known, sum))| {
                let is_present = is_present(place);
                let mut device = DeviceEnergy::new(Arc::clone(&known.device), covered, known.source);
                device.method = known.method;
                (device.energy, device.active, device.idle) = (sum.energy, sum.active, sum.idle);
                device.unsplit = sum.energy.saturating_sub(sum.active).saturating_sub(sum.idle);
                device.unattributed = Some(sum.unattributed);
                device.power = known.power.filter(|_| is_present);
                device.utilisation = known.utilisation.filter(|_| is_present);
                device.shares_by = known.shares_by;
                device.fault = if is_present { known.fault } else { Some("vanished") };
                device
            })
            .collect()
    }

    /// What a workload used, by the accelerators' identifiers.
    pub(super) fn named(&self, used: &[DeviceUsed]) -> Vec<WorkloadDeviceEnergy> {
        let named = |used: &DeviceUsed| {
            let known = self.known.get(used.device)?;
            Some(WorkloadDeviceEnergy::new(Arc::clone(&known.device.uuid), used.energy, used.shares_by))
        };
        used.iter().filter_map(named).collect()
    }
}

/// Adds what one accelerator after the other drew in the sample that follows.
pub(super) fn extend(drawn: &mut Vec<DeviceDrawn>, later: Vec<DeviceDrawn>) {
    for later in later {
        match drawn.iter_mut().find(|drawn| drawn.device == later.device) {
            Some(drawn) => drawn.used = drawn.used.plus(&later.used),
            None => drawn.push(later),
        }
    }
}

/// Adds what a workload used.
pub(super) fn add(sum: &mut Vec<DeviceUsed>, used: &[DeviceUsed]) {
    for used in used {
        match sum.iter_mut().find(|sum| sum.device == used.device) {
            Some(sum) => {
                sum.energy += used.energy;
                sum.shares_by = weaker(sum.shares_by, used.shares_by);
            }
            None => sum.push(*used),
        }
    }
}
