//! Accounts: the energy charged to each workload and the node since the start. They only grow.
//!
//! ```
//! use kepler_core::attribution::ledger::Account;
//! use kepler_core::units::{Energy, ZoneKind};
//!
//! let mut account = Account::default();
//! account.charge(ZoneKind::Package, Energy::from_joules(3.0));
//! account.begin();
//! account.charge(ZoneKind::Package, Energy::from_joules(1.0));
//! assert_eq!(account.total[ZoneKind::Package], Energy::from_joules(4.0));
//! assert_eq!(account.interval[ZoneKind::Package], Energy::from_joules(1.0));
//! ```

use crate::device::SharesBy;
use crate::units::{Energy, PerZone, Power, ZoneKind};
use std::time::Duration;

/// The account of one workload.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Account {
    /// Everything charged since the start.
    pub total: PerZone<Energy>,
    /// What was charged in the current interval.
    pub interval: PerZone<Energy>,
    /// What [`ZoneKind::Gpu`] consists of: a share of each accelerator that was used. Most use none.
    pub devices: Vec<DeviceShare>,
    /// How [`ZoneKind::Platform`] was charged.
    pub platform: PlatformShare,
}

/// What an account was charged of the rest of the machine, and by what.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct PlatformShare {
    /// Energy in the machine's parts by which it has been charged so far.
    pub weighed: Energy,
    /// The number of the charge that was the last.
    pub number: u64,
    /// The mean power of that charge.
    pub power: Power,
}

/// Energy of the rest of the machine to be charged.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct PlatformCharge {
    /// The energy that is charged.
    pub energy: Energy,
    /// The energy in the machine's parts by which.
    pub weight: Energy,
    /// The number of the charge.
    pub number: u64,
    /// The time in which it was drawn.
    pub window: Duration,
}

/// What an account was charged of one accelerator.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct DeviceShare {
    /// Its place in [`Snapshot::devices`](crate::snapshot::Snapshot::devices).
    pub device: u32,
    /// Everything charged since the start.
    pub total: Energy,
    /// The number of the device's reading that was charged last.
    pub reading: u64,
    /// The mean power between that reading and the one before it.
    pub power: Power,
    /// What the device drew idle while the workload alone had it, or its share of that. It is no part of `total`.
    pub idle: Energy,
    /// How the shares were found; the weakest way so far. `None` while nothing was charged.
    pub shares_by: Option<SharesBy>,
}

/// Energy of an accelerator to be charged.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct DeviceCharge {
    /// Its place in [`Snapshot::devices`](crate::snapshot::Snapshot::devices).
    pub device: u32,
    /// The active energy that is charged.
    pub energy: Energy,
    /// The number of the device's reading.
    pub reading: u64,
    /// The time before that reading in which it was drawn.
    pub window: Duration,
    /// How the share was found.
    pub shares_by: SharesBy,
}

impl Account {
    /// Begins a new interval.
    pub fn begin(&mut self) {
        self.interval = PerZone::default();
    }

    /// Charges energy of one zone.
    pub fn charge(&mut self, zone: ZoneKind, energy: Energy) {
        self.total[zone] += energy;
        self.interval[zone] += energy;
    }

    /// Charges energy of an accelerator.
    pub fn charge_device(&mut self, charge: DeviceCharge) {
        self.charge(ZoneKind::Gpu, charge.energy);
        let share = self.share_of(charge.device);
        share.total += charge.energy;
        let before = if share.reading == charge.reading { share.power } else { Power::ZERO };
        (share.reading, share.power) = (charge.reading, before + charge.energy.over(charge.window));
        share.found(charge.shares_by);
    }

    /// Notes idle energy of an accelerator that the workload has to itself. It is part of the device's idle energy.
    pub fn note_idle(&mut self, device: u32, idle: Energy) {
        self.share_of(device).idle += idle;
    }

    /// Mean power in the accelerators now, where `readings` are the numbers of the devices' newest readings: what an account
    /// was charged for an older one, it draws no more.
    #[must_use]
    pub fn device_power(&self, readings: &[u64]) -> Power {
        self.devices.iter().map(|share| share.power_at(readings)).sum()
    }

    /// Energy in these parts of the machine by which nothing of its rest has been charged yet.
    #[must_use]
    pub fn platform_weight(&self, parts: &PerZone<bool>) -> Energy {
        self.in_parts(parts).saturating_sub(self.platform.weighed)
    }

    /// Charges energy of the rest of the machine.
    pub fn charge_platform(&mut self, charge: PlatformCharge) {
        self.charge(ZoneKind::Platform, charge.energy);
        let share = &mut self.platform;
        let before = if share.number == charge.number { share.power } else { Power::ZERO };
        (share.number, share.power) = (charge.number, before + charge.energy.over(charge.window));
        share.weighed += charge.weight;
    }

    /// What was drawn in the machine's parts so far is not what more of its rest is charged by.
    pub fn begin_platform(&mut self, parts: &PerZone<bool>) {
        self.platform.weighed = self.in_parts(parts);
    }

    /// Mean power of the rest of the machine, where `number` is that of the newest charge.
    #[must_use]
    pub fn platform_power(&self, number: u64) -> Power {
        if self.platform.number == number { self.platform.power } else { Power::ZERO }
    }

    fn in_parts(&self, parts: &PerZone<bool>) -> Energy {
        self.total.iter().filter(|(zone, _)| parts[*zone]).map(|(_, &energy)| energy).sum()
    }

    /// Takes over what another account was charged in earlier intervals: it is shown here from now on.
    pub fn take_over(&mut self, earlier: &Account) {
        for (zone, &energy) in earlier.total.iter() {
            self.total[zone] += energy;
        }
        self.platform.weighed += earlier.platform.weighed;
        for share in &earlier.devices {
            let own = self.share_of(share.device);
            own.total += share.total;
            own.idle += share.idle;
            if let Some(by) = share.shares_by {
                own.found(by);
            }
        }
    }

    /// Nothing is charged any more: all of it belongs to the past.
    pub fn close(&mut self) {
        self.begin();
        self.platform.power = Power::ZERO;
        for share in &mut self.devices {
            share.power = Power::ZERO;
        }
    }

    fn share_of(&mut self, device: u32) -> &mut DeviceShare {
        let known = self.devices.iter().position(|share| share.device == device);
        let index = known.unwrap_or_else(|| {
            self.devices.push(DeviceShare::new(device));
            self.devices.len() - 1
        });
        #[allow(clippy::indexing_slicing, reason = "it was found there, or has just been added")]
        &mut self.devices[index]
    }

    /// The zone with the most energy says how much the workload matters. Zones overlap (a package
    /// contains its cores), so they are not added.
    #[must_use]
    pub fn largest(&self) -> Energy {
        self.total.iter().map(|(_, &energy)| energy).max().unwrap_or_default()
    }
}

impl DeviceShare {
    const fn new(device: u32) -> Self {
        DeviceShare { device, total: Energy::ZERO, reading: 0, power: Power::ZERO, idle: Energy::ZERO, shares_by: None }
    }

    /// Notes how a share was found.
    fn found(&mut self, by: SharesBy) {
        self.shares_by = Some(self.shares_by.map_or(by, |before| before.weaker(by)));
    }

    /// The mean power now, where `readings` are the numbers of the devices' newest readings.
    #[must_use]
    pub fn power_at(&self, readings: &[u64]) -> Power {
        let is_current = readings.get(self.device as usize) == Some(&self.reading);
        if is_current { self.power } else { Power::ZERO }
    }
}

/// The account of one zone of the node.
///
/// `measured = active + idle` and `active = processes + short_lived + unattributed`, always.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct NodeAccount {
    /// Everything measured.
    pub measured: Energy,
    /// What an idle machine would have drawn.
    pub idle: Energy,
    /// The rest of what was measured: the cause is work.
    pub active: Energy,
    /// The part of `active` that went to processes that were seen.
    pub processes: Energy,
    /// The part of `active` that went to a container, pod or unit for processes that came and went
    /// unseen.
    pub short_lived: Energy,
    /// The part of `active` whose cause is not known.
    pub unattributed: Energy,
    /// The part of `processes` whose accounts are closed and no longer listed.
    pub unlisted: Energy,
}

impl NodeAccount {
    /// Whether the account balances to the microjoule.
    #[must_use]
    pub fn balances(&self) -> bool {
        self.measured == self.active + self.idle
            && self.active == self.processes + self.short_lived + self.unattributed
            && self.unlisted <= self.processes
    }
}
