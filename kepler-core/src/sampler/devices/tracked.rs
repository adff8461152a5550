//! One accelerator, followed from reading to reading.

use super::super::processes::Processes;
use crate::attribution::IdlePolicy;
use crate::attribution::idle::{Baseline, IdleKnowledge, IdleSplit};
use crate::attribution::ledger::NodeAccount;
use crate::counter::{CounterEvents, EnergyDelta};
use crate::device::{Device, DeviceAllocation, DeviceReading, SharesBy};
use crate::host::Timestamp;
use crate::meter::{Drawn, Follower, Reading};
use crate::snapshot::{DeviceRow, ZonePower};
use crate::units::{Energy, Power};
use std::sync::Arc;
use std::time::Duration;

/// After this time without a new reading, a device's last power is not its power any more; nor is the mean of the power before
/// and after such a gap that of the gap.
const STALE: Duration = Duration::from_secs(60);
/// Between readings further apart or closer together than this, power says little about idle power.
const TEACHING: std::ops::RangeInclusive<Duration> = Duration::from_millis(50)..=Duration::from_secs(600);

/// One accelerator.
pub(crate) struct Tracked {
    pub(crate) device: Arc<Device>,
    pub(crate) source: &'static str,
    /// Whether its meter finds it now.
    pub(super) is_present: bool,
    pub(super) account: NodeAccount,
    /// The part of the account's idle energy of which it is not known whether it was idle.
    unsplit: Energy,
    pub(crate) events: CounterEvents,
    pub(super) power: Option<ZonePower>,
    pub(crate) idle_policy: Option<IdlePolicy>,
    pub(crate) fault: Option<&'static str>,
    /// How the shares of the newest reading's users were found.
    pub(super) shares_by: Option<SharesBy>,
    /// Who was given it.
    pub(super) allocations: Arc<[DeviceAllocation]>,
    /// Slots of the processes that were charged for the newest reading.
    pub(super) users: Vec<u32>,
    follower: Follower,
    baseline: Baseline,
    utilisation: Option<f64>,
    last: Option<(Reading, Timestamp)>,
}

/// What a device drew between two readings.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Drawing {
    pub(crate) split: IdleSplit,
    /// The time in which it did.
    pub(super) window: Duration,
}

impl Tracked {
    pub(crate) fn new(device: &Device, source: &'static str, idle_power: Option<Power>) -> Self {
        Tracked {
            is_present: true,
            account: NodeAccount::default(),
            unsplit: Energy::ZERO,
            events: CounterEvents::default(),
            power: None,
            idle_policy: None,
            fault: None,
            shares_by: None,
            allocations: Arc::from([]),
            users: Vec::new(),
            follower: Follower::new(device.modulus, device.max_power),
            baseline: Baseline::new(idle_power.or(device.idle_power)),
            utilisation: None,
            last: None,
            device: Arc::new(device.clone()),
            source,
        }
    }

    /// How its idle power is known, or why it is not.
    pub(super) fn idle_knowledge(&self) -> IdleKnowledge {
        self.baseline.knowledge()
    }

    /// It is found, for the first time or again.
    pub(crate) fn appear(&mut self, device: &Device, source: &'static str, idle_power: Option<Power>) {
        if (self.device.modulus, self.device.max_power) != (device.modulus, device.max_power) || self.source != source {
            // Another counter than before.
            self.follower = Follower::new(device.modulus, device.max_power);
            self.last = None;
        }
        if self.device.idle_power != device.idle_power && idle_power.is_none() {
            self.baseline = Baseline::new(device.idle_power);
        }
        if *self.device != *device {
            self.device = Arc::new(device.clone());
        }
        self.source = source;
        self.is_present = true;
    }

    /// Its meter does not find it any more.
    pub(super) fn vanish(&mut self) {
        self.is_present = false;
        self.lose_power();
    }

    /// A sensor of power says nothing about the time in which it was not read; a counter does.
    fn lose_power(&mut self) {
        if matches!(self.last, Some((Reading::Power(_), _))) {
            self.follower.lose();
        }
    }

    /// It cannot be read.
    pub(crate) fn fail(&mut self, reason: &'static str) {
        self.fault = Some(reason);
        self.power = None;
        self.utilisation = None;
    }

    /// Whether its last reading is too old to say what it draws.
    pub(super) fn is_stale(&self, at: &Timestamp) -> bool {
        self.last.is_some_and(|(_, last)| at.since(&last) > STALE)
    }

    /// The processes that were charged for the newest reading are shown in this tick, too.
    pub(super) fn keep_users(&self, processes: &mut Processes) {
        for &slot in &self.users {
            processes.note_active(slot);
        }
    }

    /// Takes a reading. `None` if it is the one before again.
    pub(crate) fn advance(&mut self, reading: &DeviceReading, policy: IdlePolicy) -> Option<Drawing> {
        let gap = self.last.map(|(_, last)| reading.at.since(&last));
        if gap.is_some_and(|gap| gap.is_zero()) {
            return None;
        }
        if gap.is_some_and(|gap| gap > STALE) {
            self.lose_power();
        }
        self.last = Some((reading.energy, reading.at));
        self.fault = None;
        if !reading.users.is_empty() {
            self.shares_by = Some(reading.shares_by);
        }
        // The sum of nothing is -0.
        self.utilisation =
            reading.utilisation.filter(|share| share.is_finite()).map(|share| share.clamp(0.0, 1.0) + 0.0);
        let drawn = self.follower.advance(reading.energy, reading.at);
        self.events.count(drawn.delta);
        self.learn(&drawn);
        let split = self.split(&drawn, policy);
        self.power = drawn.power().map(|total| {
            let active = total * share(split.active, drawn.energy);
            ZonePower::new(total, active, total - active)
        });
        Some(Drawing { split, window: drawn.window })
    }

    /// Learns its idle power. A counter that stood still was not refreshed: no device that is on draws nothing.
    fn learn(&mut self, drawn: &Drawn) {
        let is_clean =
            drawn.energy > Energy::ZERO && matches!(drawn.delta, EnergyDelta::Exact(_) | EnergyDelta::Wrapped(_));
        if let (Some(power), Some(utilisation)) = (drawn.power(), self.utilisation)
            && is_clean
            && TEACHING.contains(&drawn.window)
        {
            self.baseline.observe(utilisation, power, drawn.window);
        }
    }

    /// Splits what it drew into idle and active: by the idle power, or by the utilisation as long as that is not known. Where
    /// neither is known nothing is called active.
    fn split(&mut self, drawn: &Drawn, policy: IdlePolicy) -> IdleSplit {
        let (energy, idle_power) = (drawn.energy, self.baseline.idle_power());
        let (split, by) = match (policy, idle_power, self.utilisation) {
            (IdlePolicy::Ratio, _, Some(utilisation)) | (_, None, Some(utilisation)) => {
                (IdleSplit::by_ratio(energy, utilisation), Some(IdlePolicy::Ratio))
            }
            (_, Some(_), utilisation) => {
                let utilisation = utilisation.unwrap_or_default();
                (self.baseline.split(energy, utilisation, drawn.elapsed), Some(IdlePolicy::Baseline))
            }
            (_, None, None) => {
                self.unsplit += energy;
                (IdleSplit { active: Energy::ZERO, idle: energy }, None)
            }
        };
        self.idle_policy = by;
        split
    }

    /// The part of the idle energy of which it is not known whether it was idle.
    pub(super) fn unsplit(&self) -> Energy {
        self.unsplit
    }

    /// A row of it, to be filled in.
    pub(super) fn row(&self) -> DeviceRow {
        DeviceRow::new(Arc::clone(&self.device), self.source, self.device.method)
    }

    /// Shows it as it is now.
    pub(super) fn publish(&self, row: &mut DeviceRow, at: &Timestamp) {
        if !Arc::ptr_eq(&row.device, &self.device) {
            row.device = Arc::clone(&self.device);
        }
        row.source = self.source;
        row.method = self.device.method;
        row.energy = self.account.measured;
        row.active_energy = self.account.active;
        row.idle_energy = self.account.idle.saturating_sub(self.unsplit);
        row.unsplit_energy = self.unsplit;
        row.unattributed_energy = self.account.unattributed;
        row.idle_policy = self.idle_policy;
        row.idle_power = self.baseline.idle_power();
        row.power = self.power;
        row.utilisation = self.utilisation;
        row.shares_by = self.shares_by;
        if !Arc::ptr_eq(&row.allocations, &self.allocations) {
            row.allocations = Arc::clone(&self.allocations);
        }
        row.age = self.last.map(|(_, last)| at.since(&last));
        row.events = self.events;
        row.fault = self.fault;
    }
}

/// A part of a whole, 0 … 1.
fn share(part: Energy, whole: Energy) -> f64 {
    if whole == Energy::ZERO { 0.0 } else { part.joules() / whole.joules() }
}
