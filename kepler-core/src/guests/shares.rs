//! The shares of virtual machines, from snapshot to snapshot.

use super::record::{GuestRecord, GuestZone};
use crate::attribution::share::Divider;
use crate::snapshot::{NodeZone, Snapshot, State};
use crate::units::{Energy, PerZone, ZoneKind};
use std::collections::BTreeMap;
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher as _, Hasher as _};
use std::time::{Duration, UNIX_EPOCH};

/// Two records of a machine are this far apart at least.
const LEAST_APART: Duration = Duration::from_secs(1);
/// Timers come a little early or late.
const TOLERATED: Duration = Duration::from_millis(50);
/// Figures are in whole millijoules.
const GRAIN: u64 = 1000;

/// What a machine is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct GuestOptions {
    /// What of the host's idle energy is a machine's.
    pub idle: GuestIdle,
}

impl GuestOptions {
    /// These options with a change.
    #[must_use]
    pub fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }
}

/// What of the host's idle energy is a machine's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum GuestIdle {
    /// Nothing: a machine is shown the energy that its work caused.
    #[default]
    None,
    /// In proportion to the active energy of the same time, of all that is active on the host.
    Proportional,
}

/// Follows the snapshots of a host, and says what each of its machines is shown.
#[derive(Debug)]
pub struct GuestShares {
    options: GuestOptions,
    machines: BTreeMap<String, Machine>,
    /// What the rows of machines that have ended still show.
    ended: BTreeMap<String, PerZone<Energy>>,
    node: PerZone<Option<Node>>,
    last: Option<(u64, Duration)>,
}

/// What a zone of the node had drawn.
#[derive(Clone, Copy, Debug, Default)]
struct Node {
    active: Energy,
    idle: Energy,
}

#[derive(Debug)]
struct Machine {
    epoch: u64,
    sequence: u64,
    /// What its row has shown.
    seen: PerZone<Energy>,
    /// What it was charged since its epoch began, to the microjoule.
    charged: PerZone<Energy>,
    is_there: bool,
}

impl GuestShares {
    /// Nothing is known of any machine.
    #[must_use]
    pub fn new(options: GuestOptions) -> Self {
        let (machines, ended) = Default::default();
        GuestShares { options, machines, ended, node: PerZone::default(), last: None }
    }

    /// Takes a snapshot in. The records of all machines that run, or none if the last ones were made less than a second ago.
    ///
    /// A machine's epoch begins when it is seen first: what is charged before the first snapshot of all is not shown.
    pub fn follow(&mut self, snapshot: &Snapshot) -> Vec<GuestRecord> {
        let at = snapshot.at.boottime;
        let is_restarted = self.last.is_some_and(|(sequence, _)| snapshot.sequence < sequence);
        if is_restarted {
            *self = GuestShares::new(self.options);
        }
        let since = self.last.map(|(_, last)| at.saturating_sub(last));
        if since.is_some_and(|since| since + TOLERATED < LEAST_APART) {
            return Vec::new();
        }
        self.charge(snapshot);
        self.last = Some((snapshot.sequence, at));
        let zones: Vec<(ZoneKind, &NodeZone)> = snapshot.node.zones().collect();
        let time = snapshot.at.wall.duration_since(UNIX_EPOCH).unwrap_or_default();
        let record = |(vm, machine): (&String, &mut Machine)| {
            machine.sequence += 1;
            let mut record = GuestRecord::new(vm.as_str(), machine.epoch);
            (record.sequence, record.time) = (machine.sequence, time);
            record.interval = since.unwrap_or(snapshot.interval).max(LEAST_APART);
            let shown = zones.iter().map(|(kind, zone)| {
                let energy = machine.charged[*kind].microjoules() / GRAIN * GRAIN;
                GuestZone::new(*kind, Energy::from_microjoules(energy), zone.method)
            });
            record.zones = shown.collect();
            record
        };
        self.machines.iter_mut().map(record).collect()
    }

    /// What a machine was charged since its epoch began, to the microjoule; `None` of one that does not run.
    #[must_use]
    pub fn charged(&self, vm: &str) -> Option<&PerZone<Energy>> {
        self.machines.get(vm).map(|machine| &machine.charged)
    }

    fn charge(&mut self, snapshot: &Snapshot) {
        let mut idle = self.idle(snapshot);
        self.machines.values_mut().for_each(|machine| machine.is_there = false);
        for row in snapshot.vms.iter().filter(|row| row.state == State::Running) {
            let id = row.info.id.as_str();
            let machine = self.machines.entry(id.to_owned()).or_insert_with(|| {
                // One that is started again under its name goes on in the row of the one that has ended.
                let before = if self.last.is_none() { Some(&row.energy) } else { self.ended.get(id) };
                let seen = before.copied().unwrap_or_default();
                Machine { epoch: epoch(), sequence: 0, seen, charged: PerZone::default(), is_there: true }
            });
            machine.is_there = true;
            for (zone, &energy) in row.energy.iter() {
                let used = energy.checked_sub(machine.seen[zone]).unwrap_or(energy);
                machine.seen[zone] = energy;
                machine.charged[zone] += used + idle[zone].share(used.microjoules());
            }
        }
        self.machines.retain(|_, machine| machine.is_there);
        let ended = snapshot.vms.iter().filter(|row| row.state != State::Running);
        self.ended = ended.map(|row| (row.info.id.clone(), row.energy)).collect();
    }

    /// The idle energy of the time since the last records, to be divided by active energy.
    fn idle(&mut self, snapshot: &Snapshot) -> PerZone<Divider> {
        let mut dividers = PerZone::default();
        for (kind, zone) in snapshot.node.zones() {
            let now = Node { active: zone.active_energy, idle: zone.idle_energy };
            let before = self.node[kind].replace(now);
            let Some(before) = before.filter(|_| self.options.idle == GuestIdle::Proportional) else { continue };
            let (active, idle) = (now.active.saturating_sub(before.active), now.idle.saturating_sub(before.idle));
            dividers[kind] = Divider::new(idle, active.microjoules());
        }
        dividers
    }
}

/// A number that no other epoch has, as far as anything random can say that.
fn epoch() -> u64 {
    RandomState::new().build_hasher().finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::Timestamp;
    use crate::meter::Method;
    use crate::snapshot::Row;
    use crate::workload::VmInfo;
    use proptest::prelude::*;

    fn snapshot(second: u64, vms: &[(&str, u64)], active: u64, idle: u64) -> Snapshot {
        let mut at = Timestamp::now();
        (at.boottime, at.monotonic) = (Duration::from_secs(1000 + second), Duration::from_secs(1000 + second));
        let mut snapshot = Snapshot::empty(at);
        (snapshot.sequence, snapshot.interval) = (second + 1, Duration::from_secs(1));
        let mut zone = NodeZone::new("package-0", "fake", Method::Measured);
        zone.active_energy = Energy::from_microjoules(active);
        zone.idle_energy = Energy::from_microjoules(idle);
        zone.energy = zone.active_energy + zone.idle_energy;
        snapshot.node.zones[ZoneKind::Package] = Some(zone);
        snapshot.vms.extend(vms.iter().map(|(id, energy)| {
            let info = VmInfo::new(*id, *id, "kvm");
            let mut row = Row::new(info, State::Running);
            row.energy[ZoneKind::Package] = Energy::from_microjoules(*energy);
            row
        }));
        snapshot
    }

    fn shown(records: &[GuestRecord]) -> Vec<(&str, u64, u64)> {
        records.iter().map(|one| (one.vm.as_str(), one.sequence, one.zones[0].energy.microjoules())).collect()
    }

    #[test]
    fn each_machine_is_shown_its_own_energy_since_it_was_seen_in_millijoules_a_second_apart() {
        let mut shares = GuestShares::new(GuestOptions::default());
        assert_eq!(shown(&shares.follow(&snapshot(0, &[("a", 5_000_000)], 0, 0))), [("a", 1, 0)]);
        let mut early = snapshot(0, &[("a", 5_400_000)], 0, 0);
        early.at.boottime += Duration::from_millis(400);
        assert_eq!(shares.follow(&early), []);
        let records = shares.follow(&snapshot(2, &[("a", 6_234_567), ("b", 10)], 0, 0));
        assert_eq!(shown(&records), [("a", 2, 1_234_000), ("b", 1, 0)]);
        assert_eq!(shares.charged("a").unwrap()[ZoneKind::Package], Energy::from_microjoules(1_234_567));
        // What was cut off is shown later.
        assert_eq!(shown(&shares.follow(&snapshot(3, &[("a", 6_235_000)], 0, 0))), [("a", 3, 1_235_000)]);
    }

    #[test]
    fn a_machine_that_went_and_came_has_another_epoch_and_begins_at_nothing() {
        let mut shares = GuestShares::new(GuestOptions::default());
        let first = shares.follow(&snapshot(0, &[("a", 0)], 0, 0))[0].epoch;
        assert_eq!(shares.follow(&snapshot(1, &[], 0, 0)), []);
        let again = shares.follow(&snapshot(2, &[("a", 9_000_000)], 0, 0));
        assert!(again[0].epoch != first && shown(&again) == [("a", 1, 9_000_000)]);
        let mut ended = snapshot(3, &[("a", 9_500_000)], 0, 0);
        ended.vms[0].state = State::Terminated;
        assert_eq!(shares.follow(&ended), []);
        let third = shares.follow(&snapshot(4, &[("a", 9_700_000)], 0, 0));
        assert!(third[0].epoch != again[0].epoch && shown(&third) == [("a", 1, 200_000)], "its row goes on");
        // The sampler began again: so do all epochs.
        let restarted = shares.follow(&snapshot(0, &[("a", 1_000_000)], 0, 0));
        assert!(restarted[0].epoch != third[0].epoch && shown(&restarted) == [("a", 1, 0)]);
    }

    proptest! {
        /// The charges of all machines and their parts of the idle energy add up exactly; nothing falls.
        #[test]
        fn shares_add_up_to_what_the_host_charged(
            steps in prop::collection::vec(([0..5_000_000u64, 0..5_000_000, 0..5_000_000], 0..9_000_000u64, 0..9_000_000u64), 1..20),
        ) {
            let mut shares = GuestShares::new(GuestOptions::default().with(|options| options.idle = GuestIdle::Proportional));
            let (mut used, mut active, mut idle) = ([0u64; 3], 0, 0);
            let rows = |used: &[u64; 3]| [("a", used[0]), ("b", used[1]), ("c", used[2])];
            shares.follow(&snapshot(0, &rows(&used), 0, 0));
            let mut idle_due = 0;
            let mut before = vec![0; 3];
            for (second, (more, others, rest)) in (1..).zip(steps) {
                let all: u64 = more.iter().sum();
                used.iter_mut().zip(more).for_each(|(used, more)| *used += more);
                active += all + others;
                idle += rest;
                idle_due += u128::from(rest) * u128::from(all) / u128::from((all + others).max(1));
                let records = shares.follow(&snapshot(second, &rows(&used), active, idle));
                let now: Vec<u64> = records.iter().map(|one| one.zones[0].energy.microjoules()).collect();
                prop_assert!(now.iter().zip(&before).all(|(now, before)| now >= before && now % 1000 == 0));
                before = now;
            }
            let charged: u64 = ["a", "b", "c"].iter().map(|vm| shares.charged(vm).unwrap()[ZoneKind::Package].microjoules()).sum();
            let expected = u128::from(used.iter().sum::<u64>()) + idle_due;
            prop_assert_eq!(u128::from(charged), expected);
        }
    }
}
