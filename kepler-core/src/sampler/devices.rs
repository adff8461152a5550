//! The node's accelerators: from readings to energy, and on to those who used them.
//!
//! A device is read at its own pace: its meter hands out the newest reading with its time, and what was drawn between two
//! readings is divided among the processes that used it meanwhile. A tick without a new reading changes nothing.

mod allocated;
mod tracked;

use super::faults::Faults;
use super::groups::Groups;
use super::processes::Processes;
use crate::attribution::IdlePolicy;
use crate::attribution::idle::IdleKnowledge;
use crate::attribution::ledger::{DeviceCharge, NodeAccount};
use crate::attribution::share::Divider;
use crate::counter::CounterEvents;
use crate::device::{
    Device, DeviceAllocation, DeviceDirectory, DeviceId, DeviceMeter, DeviceOptions, DeviceReading, DeviceUser,
    SharesBy,
};
use crate::host::Timestamp;
use crate::meter::{Method, ReadError};
use crate::snapshot::{NodeZone, PowerInterval, Snapshot, ZonePower};
use crate::units::{Energy, Power, ZoneKind};
use allocated::Holders;
use std::sync::Arc;
pub(crate) use tracked::{Drawing, Tracked};

/// Devices followed at most. New partitions are devices of their own.
const MOST: usize = 512;
/// A user whose process the driver hides.
const HIDDEN: DeviceUser = DeviceUser::new(0, 1.0);

/// All accelerators.
pub(super) struct Devices {
    policy: IdlePolicy,
    /// What each draws while unused, as configured.
    idle_power: Option<Power>,
    meters: Vec<Metered>,
    tracked: Vec<Tracked>,
    /// The number of each device's newest reading. What was charged for it is shown as power until there is another one.
    numbers: Vec<u64>,
    readings: Vec<Result<DeviceReading, ReadError>>,
    sum: NodeAccount,
    /// The path of the sum.
    path: Arc<str>,
    /// What the network knows of devices.
    directory: Option<DeviceDirectory>,
    /// The allocations that devices have theirs of.
    allocations: Option<Arc<[DeviceAllocation]>>,
    holders: Holders,
}

/// One meter, and where its devices stand among all.
struct Metered {
    meter: Box<dyn DeviceMeter>,
    generation: Option<u64>,
    /// `None` for a device that another meter reads already.
    places: Vec<Option<usize>>,
}

/// Who may be charged.
pub(super) struct Users<'a> {
    pub(super) processes: &'a mut Processes,
    pub(super) groups: &'a mut Groups,
}

impl Devices {
    pub(super) fn new(policy: IdlePolicy, options: &DeviceOptions) -> Self {
        Devices {
            policy,
            idle_power: options.idle_power,
            directory: options.directory.clone(),
            allocations: None,
            holders: Holders::default(),
            meters: Vec::new(),
            tracked: Vec::new(),
            numbers: Vec::new(),
            readings: Vec::new(),
            sum: NodeAccount::default(),
            path: Arc::from("aggregated-gpu"),
        }
    }

    /// Reads with these meters as well. What two of them find is read by the first.
    pub(super) fn add(&mut self, meters: impl IntoIterator<Item = Box<dyn DeviceMeter>>) {
        let metered = |meter| Metered { meter, generation: None, places: Vec::new() };
        self.meters.extend(meters.into_iter().map(metered));
    }

    /// What the meters find now, each with the name of its meter.
    pub(super) fn found(&self) -> impl Iterator<Item = (&'static str, &Device)> {
        self.meters.iter().flat_map(|metered| {
            let source = metered.meter.source();
            metered.meter.devices().iter().map(move |device| (source, device))
        })
    }

    /// Numbers of the devices' newest readings.
    pub(super) fn numbers(&self) -> &[u64] {
        &self.numbers
    }

    /// Takes the energy of workloads that are no longer listed into the sum's account.
    pub(super) fn drop_energy(&mut self, energy: Energy) {
        self.sum.unlisted += energy;
    }

    /// Reads every meter, and charges what was drawn to those who used it.
    pub(super) fn tick(&mut self, at: Timestamp, users: &mut Users<'_>, faults: &mut Faults) {
        self.allocate(at);
        let mut readings = std::mem::take(&mut self.readings);
        for index in 0..self.meters.len() {
            let Some(metered) = self.meters.get_mut(index) else { continue };
            metered.meter.read(at, &mut readings);
            if metered.generation != Some(metered.meter.generation()) {
                self.follow(index, users, faults);
            }
            let Some(metered) = self.meters.get(index) else { continue };
            let (source, count) = (metered.meter.source(), metered.places.len());
            for position in 0..count {
                let place = self.meters.get(index).and_then(|metered| *metered.places.get(position)?);
                let Some(place) = place else { continue };
                match readings.get(position) {
                    Some(Ok(reading)) => self.take(place, reading, at, users, faults),
                    Some(Err(error)) => {
                        tracing::debug!(source, %error, "a device could not be read");
                        self.fail(place, error.reason(), users, faults);
                    }
                    None => self.fail(place, "missing", users, faults),
                }
            }
        }
        readings.clear();
        self.readings = readings;
    }

    /// Gives each device those allocations that are of it, where there are others than before.
    fn allocate(&mut self, at: Timestamp) {
        let Some(directory) = &self.directory else { return };
        directory.set_wanted(!self.tracked.is_empty());
        let allocations = directory.allocations(at);
        let is_same = match (&self.allocations, &allocations) {
            (Some(before), Some(now)) => Arc::ptr_eq(before, now),
            (before, now) => before.is_none() && now.is_none(),
        };
        if is_same {
            return;
        }
        let all = allocations.as_deref().unwrap_or_default();
        for tracked in &mut self.tracked {
            let is_of_it =
                |allocation: &&DeviceAllocation| DeviceId::of(&allocation.id).names(&tracked.device).is_some();
            let is_unchanged = all.iter().filter(is_of_it).eq(tracked.allocations.iter());
            if !is_unchanged {
                tracked.allocations = all.iter().filter(is_of_it).cloned().collect();
            }
        }
        self.allocations = allocations;
    }

    /// Takes over a meter's devices after they changed. What is gone stays with its totals, and goes on if it comes back.
    fn follow(&mut self, index: usize, users: &mut Users<'_>, faults: &mut Faults) {
        let Some(metered) = self.meters.get_mut(index) else { return };
        metered.generation = Some(metered.meter.generation());
        let source = metered.meter.source();
        let before = std::mem::take(&mut metered.places);
        let mut places = Vec::new();
        for device in metered.meter.devices() {
            let known = self.tracked.iter().position(|tracked| tracked.device.uuid == device.uuid);
            // A device that two meters name differently is known by its address; partitions of one share it, in one meter.
            let is_elsewhere = |other: &Tracked| {
                other.is_present && other.source != source && other.device.pci_address == device.pci_address
            };
            let is_others = match known.and_then(|place| self.tracked.get(place)) {
                Some(tracked) => tracked.is_present && tracked.source != source,
                None => device.pci_address.is_some() && self.tracked.iter().any(is_elsewhere),
            };
            let place = match known {
                _ if is_others => None,
                Some(place) => Some(place),
                None if self.tracked.len() >= MOST => {
                    faults.failed(source, "table_full");
                    None
                }
                None => {
                    self.tracked.push(Tracked::new(device, source, self.idle_power));
                    self.numbers.push(1);
                    Some(self.tracked.len() - 1)
                }
            };
            if let Some(tracked) = place.and_then(|place| self.tracked.get_mut(place)) {
                tracked.appear(device, source, self.idle_power);
            }
            places.push(place);
        }
        for place in before.into_iter().flatten().filter(|place| !places.contains(&Some(*place))) {
            self.fail(place, "vanished", users, faults);
            if let Some(tracked) = self.tracked.get_mut(place) {
                tracked.vanish();
            }
        }
        if let Some(metered) = self.meters.get_mut(index) {
            metered.places = places;
        }
        // Instances have other identifiers than before.
        self.allocations = None;
        self.path = match self.tracked.as_slice() {
            [only] => Arc::clone(&only.device.path),
            _ => Arc::from("aggregated-gpu"),
        };
    }

    /// Takes a device's reading, and charges what it drew since the one before.
    fn take(
        &mut self,
        place: usize,
        reading: &DeviceReading,
        at: Timestamp,
        users: &mut Users<'_>,
        faults: &mut Faults,
    ) {
        let Some(tracked) = self.tracked.get_mut(place) else { return };
        let Some(drawing) = tracked.advance(reading, self.policy) else {
            match tracked.is_stale(&at) {
                true => self.fail(place, "stale", users, faults),
                // Its users go on with the power that they have.
                false => tracked.keep_users(users.processes),
            }
            return;
        };
        faults.succeeded(tracked.source, reading.at);
        self.book(place, drawing, users);
        self.charge(place, reading, drawing, users);
    }

    /// Books what a device drew. All of the active part is unattributed so far.
    fn book(&mut self, place: usize, drawing: Drawing, users: &mut Users<'_>) {
        self.renew(place, users);
        let Some(tracked) = self.tracked.get_mut(place) else { return };
        for account in [&mut tracked.account, &mut self.sum] {
            account.measured += drawing.split.active + drawing.split.idle;
            account.active += drawing.split.active;
            account.idle += drawing.split.idle;
            account.unattributed += drawing.split.active;
        }
    }

    /// Divides a device's active energy among its users in proportion to how busy they kept it. The part of one whom the driver hides
    /// goes to the container that Kubernetes gave the device to, if that is one; else it stays unattributed.
    fn charge(&mut self, place: usize, reading: &DeviceReading, drawing: Drawing, users: &mut Users<'_>) {
        let (Some(tracked), Some(&number), Ok(device)) =
            (self.tracked.get_mut(place), self.numbers.get(place), u32::try_from(place))
        else {
            return;
        };
        let Drawing { split, window } = drawing;
        self.holders.find(&tracked.device, &tracked.allocations, users.groups);
        if tracked.idle_policy.is_some() {
            let note = |group, idle| users.groups.note_idle(group, device, idle);
            self.holders.divide_idle(&tracked.device, split.idle, note);
        }
        let charge = |energy, shares_by| DeviceCharge { device, energy, reading: number, window, shares_by };
        let whole = reading.users.iter().map(DeviceUser::weight).fold(0, u64::saturating_add);
        // Where no use is reported at all, it was a hidden process.
        let (shares, whole) = match whole {
            0 => (std::slice::from_ref(&HIDDEN), HIDDEN.weight()),
            whole => (reading.users.as_slice(), whole),
        };
        let mut divider = Divider::new(split.active, whole);
        for user in shares {
            let energy = divider.share(user.weight());
            if energy == Energy::ZERO {
                continue;
            }
            if user.pid == HIDDEN.pid {
                let Some(group) = self.holders.only(user.instance) else { continue };
                users.groups.charge_device(group, charge(energy, SharesBy::Allocation));
                for account in [&mut tracked.account, &mut self.sum] {
                    account.short_lived += energy;
                    account.unattributed = account.unattributed.saturating_sub(energy);
                }
                continue;
            }
            let Some(slot) = users.processes.user(user.pid, &reading.at) else { continue };
            let Some(process) = users.processes.note_active(slot) else { continue };
            process.account.charge_device(charge(energy, reading.shares_by));
            for group in [process.group, process.vm].into_iter().flatten() {
                users.groups.charge_device(group, charge(energy, reading.shares_by));
            }
            tracked.users.push(slot);
            for account in [&mut tracked.account, &mut self.sum] {
                account.processes += energy;
                account.unattributed = account.unattributed.saturating_sub(energy);
            }
        }
    }

    /// A device cannot be read: nothing is known of its power.
    fn fail(&mut self, place: usize, reason: &'static str, users: &mut Users<'_>, faults: &mut Faults) {
        self.renew(place, users);
        if let Some(tracked) = self.tracked.get_mut(place) {
            faults.failed(tracked.source, reason);
            tracked.fail(reason);
        }
    }

    /// What was charged for the reading so far is no power any more: those who were charged are shown again.
    fn renew(&mut self, place: usize, users: &mut Users<'_>) {
        if let (Some(number), Some(tracked)) = (self.numbers.get_mut(place), self.tracked.get_mut(place)) {
            *number += 1;
            tracked.keep_users(users.processes);
            tracked.users.clear();
        }
    }

    /// Shows the devices and their sum.
    pub(super) fn publish(&self, snapshot: &mut Snapshot, at: Timestamp) {
        debug_assert!(self.sum.balances(), "{:?}", self.sum);
        snapshot.devices.truncate(self.tracked.len());
        for (place, tracked) in self.tracked.iter().enumerate() {
            debug_assert!(tracked.account.balances(), "{:?}", tracked.account);
            match snapshot.devices.get_mut(place) {
                Some(row) => tracked.publish(row, &at),
                None => {
                    let mut row = tracked.row();
                    tracked.publish(&mut row, &at);
                    snapshot.devices.push(row);
                }
            }
        }
        if let Some(first) = self.tracked.first() {
            snapshot.node.zones[ZoneKind::Gpu] = Some(self.zone(first));
        }
    }

    /// The sum of all devices.
    fn zone(&self, first: &Tracked) -> NodeZone {
        let present = || self.tracked.iter().filter(|tracked| tracked.is_present);
        let shown = present().next().unwrap_or(first);
        let method = present().map(|tracked| tracked.device.method).reduce(Method::weaker);
        let mut zone = NodeZone::new(Arc::clone(&self.path), shown.source, method.unwrap_or(shown.device.method));
        zone.energy = self.sum.measured;
        zone.active_energy = self.sum.active;
        zone.idle_energy = self.sum.idle;
        zone.unsplit_energy = self.tracked.iter().map(Tracked::unsplit).sum();
        let unsplit = present().filter(|tracked| tracked.idle_policy.is_none()).filter_map(|tracked| tracked.power);
        zone.unsplit_power = unsplit.map(|power| power.idle).sum();
        zone.unattributed_energy = self.sum.unattributed;
        zone.short_lived_energy = self.sum.short_lived;
        zone.unlisted_energy = self.sum.unlisted;
        let by_idle_power = present().all(|tracked| tracked.idle_policy == Some(IdlePolicy::Baseline));
        zone.idle_policy = if by_idle_power { IdlePolicy::Baseline } else { IdlePolicy::Ratio };
        zone.idle_knowledge = present().map(Tracked::idle_knowledge).reduce(IdleKnowledge::weaker).unwrap_or_default();
        // A sum with a part missing is not the node's power, and that of no device is not known either.
        let mut powers = present().map(|tracked| tracked.power);
        let first = powers.next().flatten();
        zone.power = powers.fold(first, |sum, power| Some(add(sum?, power?)));
        zone.interval = zone.power.and_then(|power| PowerInterval::of(zone.method, power.total));
        zone.events = self.tracked.iter().fold(CounterEvents::default(), |mut sum, tracked| {
            sum.wraps += tracked.events.wraps;
            sum.resets += tracked.events.resets;
            sum.ambiguous += tracked.events.ambiguous;
            sum
        });
        zone.fault = self.tracked.iter().find_map(|tracked| tracked.fault);
        zone
    }
}

fn add(a: ZonePower, b: ZonePower) -> ZonePower {
    ZonePower::new(a.total + b.total, a.active + b.active, a.idle + b.idle)
}
