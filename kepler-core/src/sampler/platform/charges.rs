//! Charges what the whole machine draws beside its parts to those who used the parts.
//!
//! A meter of the whole shows something every few seconds or once a minute, so it is not charged by what was done in one tick:
//! each account is weighed by all that it drew in the parts since the charge before. What was drawn idle gets its share as well,
//! and it stays idle; so does what no workload explains.

use super::super::commands::Commands;
use super::super::groups::Groups;
use super::super::processes::Processes;
use super::super::rest::Round;
use crate::attribution::ledger::NodeAccount;
use crate::attribution::share::Divider;
use crate::snapshot::{NodeZone, PowerInterval, Snapshot, ZonePower};
use crate::units::{Energy, PerZone, Power};
use std::sync::Arc;
use std::time::Duration;

/// Who may be charged.
pub(in crate::sampler) struct Workloads<'a> {
    pub(in crate::sampler) processes: &'a mut Processes,
    pub(in crate::sampler) groups: &'a mut Groups,
    pub(in crate::sampler) commands: &'a mut Commands,
}

/// The books of the zone `platform`.
pub(super) struct Charges {
    account: NodeAccount,
    /// Which zones are the machine's parts, and what was drawn in them by the last charge.
    parts: PerZone<bool>,
    before: Drawn,
    /// The time that was charged.
    covered: Duration,
    /// The number of the newest charge, and the part of it that is active.
    number: u64,
    active_share: f64,
    is_shown: bool,
    /// Slots of the processes that were charged last.
    charged: Vec<u32>,
    /// What the zone is called before there is a meter.
    path: Arc<str>,
}

/// What was drawn in the machine's parts.
#[derive(Clone, Copy, Debug, Default)]
struct Drawn {
    measured: Energy,
    idle: Energy,
    processes: Energy,
    short_lived: Energy,
}

impl Drawn {
    fn of(snapshot: &Snapshot, parts: &PerZone<bool>) -> Self {
        let mut sum = Drawn::default();
        for (_, zone) in snapshot.node.zones().filter(|(zone, _)| parts[*zone]) {
            sum.measured += zone.energy;
            sum.idle += zone.idle_energy;
            sum.short_lived += zone.short_lived_energy;
            sum.processes += zone.active_energy - zone.short_lived_energy - zone.unattributed_energy;
        }
        sum
    }

    fn since(self, before: Drawn) -> Self {
        Drawn {
            measured: self.measured - before.measured,
            idle: self.idle - before.idle,
            processes: self.processes - before.processes,
            short_lived: self.short_lived - before.short_lived,
        }
    }
}

impl Charges {
    pub(super) fn new() -> Self {
        Charges {
            account: NodeAccount::default(),
            parts: PerZone::default(),
            before: Drawn::default(),
            covered: Duration::ZERO,
            number: 1,
            active_share: 0.0,
            is_shown: false,
            charged: Vec::new(),
            path: Arc::from("platform"),
        }
    }

    /// The number of the newest charge.
    pub(super) const fn number(&self) -> u64 {
        self.number
    }

    /// Takes the energy of workloads that are no longer listed into the account.
    pub(super) fn drop_energy(&mut self, energy: Energy) {
        self.account.unlisted += energy;
    }

    /// The rest of the machine is this energy by now, over that time, by a meter that contains these parts. `is_new` says that
    /// the meter has shown something since the last tick.
    pub(super) fn update(
        &mut self,
        rest: (Energy, Duration),
        parts: &PerZone<bool>,
        is_new: bool,
        snapshot: &Snapshot,
        workloads: &mut Workloads<'_>,
    ) {
        let (energy, covered) = rest;
        let is_charged = covered > self.covered;
        if is_charged {
            let window = covered - std::mem::replace(&mut self.covered, covered);
            self.charge(energy - self.account.measured, window, snapshot, workloads);
        }
        // What was drawn while the whole was not known is nothing to charge its later rest by.
        if self.parts != *parts || (is_new && !is_charged) {
            self.parts = *parts;
            self.before = Drawn::of(snapshot, parts);
            let Workloads { processes, groups, commands } = workloads;
            processes.begin_platform(parts);
            groups.begin_platform(parts);
            commands.begin_platform(parts);
        }
    }

    /// Whether the meter's newest figure is shown. Where it is not, it is not known what anyone draws of it.
    pub(super) fn show(&mut self, is_shown: bool, processes: &mut Processes) {
        if std::mem::replace(&mut self.is_shown, is_shown) && !is_shown {
            self.renew(processes);
        }
    }

    /// What was charged last is no power any more: those who were charged are shown again.
    fn renew(&mut self, processes: &mut Processes) {
        self.number += 1;
        for slot in self.charged.drain(..) {
            processes.note_active(slot);
        }
    }

    fn charge(&mut self, due: Energy, window: Duration, snapshot: &Snapshot, workloads: &mut Workloads<'_>) {
        self.renew(workloads.processes);
        let now = Drawn::of(snapshot, &self.parts);
        let drawn = now.since(std::mem::replace(&mut self.before, now));
        let mut divider = Divider::new(due, drawn.measured.microjoules());
        let idle = divider.share(drawn.idle.microjoules());
        let parts = &self.parts;
        let mut round = Round { divider, parts, window, number: self.number, due, whole: drawn.measured };

        let Workloads { processes, groups, commands } = workloads;
        let live = processes.charge_platform(&mut round, groups, &mut self.charged);
        // The rest of what processes did is that of those that have ended; with the short-lived ones they were in groups.
        let ended = drawn.processes - live.weight;
        let of_groups = groups.charge_platform_rest(&mut round);
        let elsewhere = (ended + drawn.short_lived) - of_groups.weight;
        let unseen = of_groups.energy + round.divider.share(elsewhere.microjoules());
        let mut both = Divider::new(unseen, (ended + drawn.short_lived).microjoules());
        let of_ended = both.share(ended.microjoules());
        let unlisted = processes.charge_platform_ended(of_ended, ended, &round);
        commands.charge_platform(&round);

        let account = &mut self.account;
        account.measured += due;
        account.idle += idle;
        account.active += due - idle;
        account.processes += live.energy + of_ended;
        account.unlisted += unlisted;
        account.short_lived += both.rest();
        account.unattributed += round.divider.rest();
        debug_assert!(account.balances(), "{account:?}");
        self.active_share = if due > Energy::ZERO { (due - idle).joules() / due.joules() } else { 0.0 };
    }

    /// The zone as it is now; before there is a meter, without figures.
    pub(super) fn zone(&self, residual: Option<&super::Residual>, fault: Option<&'static str>) -> NodeZone {
        let (path, source, method) = match residual {
            Some(residual) => (Arc::clone(&residual.meter.path), residual.meter.source, residual.method),
            None => (Arc::clone(&self.path), "platform", crate::meter::Method::Measured),
        };
        let mut zone = NodeZone::new(path, source, method);
        let account = &self.account;
        (zone.energy, zone.active_energy, zone.idle_energy) = (account.measured, account.active, account.idle);
        zone.unattributed_energy = account.unattributed;
        (zone.short_lived_energy, zone.unlisted_energy) = (account.short_lived, account.unlisted);
        let watts = residual.and_then(|residual| residual.watts).filter(|_| self.is_shown);
        zone.power = watts.map(|watts| {
            let total = Power::from_watts(watts.max(0.0));
            let active = total * self.active_share;
            ZonePower::new(total, active, total - active)
        });
        zone.interval = zone.power.and_then(|power| PowerInterval::of(method, power.total));
        zone.fault = fault;
        zone.is_lost = !self.is_shown;
        zone
    }
}
