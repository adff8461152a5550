//! Energy used between two snapshots: one counter differ for the ring in memory and the history file.
//!
//! Counters of a snapshot count from the sampler's start. Use is how far they rose since the last snapshot *that was
//! committed*, so a failed write loses nothing:
//!
//! | seen | used |
//! |---|---|
//! | the first snapshot of all | nothing; counting starts here |
//! | a counter that rose | the difference |
//! | a workload or zone that was not there before | all of its counter: it began since then |
//! | a counter that fell, or a sampler that started again | all of the counter: it began at zero since then |
//! | a workload that is not there any more | what it had used when it was read last, if that is not committed yet |
//!
//! CPU time is the kernel's own count: it outlives the sampler, and that of a workload that was not there before may be
//! older than us. It counts only if it can have been used since then. Of rows with one identity the first counts, which
//! is the running one.

use crate::units::{Energy, PerZone};
use crate::view::{WorkloadKind, for_each_listed};
use kepler_core::host::Timestamp;
use kepler_core::snapshot::{AnyRow, PlatformRow, Snapshot};
use std::collections::HashMap;
use std::fmt::Write;
use std::time::Duration;

/// What is counted of a workload.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Counters {
    pub(crate) energy: PerZone<Energy>,
    pub(crate) cpu_time: Duration,
}

/// What a node's zone counts.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct ZoneCounters {
    pub(crate) energy: Energy,
    pub(crate) active: Energy,
    pub(crate) idle: Energy,
    pub(crate) unattributed: Energy,
}

/// How a snapshot follows the one committed last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// The first of all: counting starts with it.
    First,
    /// The same one again.
    Same,
    /// A later one of the same sampler.
    Next,
    /// One of a sampler that was started since, at a time that is not known.
    Restarted,
}

/// A snapshot that was read or committed, as far as the next one is compared with it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen {
    sequence: u64,
    pub(crate) at: Timestamp,
    zones: PerZone<Option<ZoneCounters>>,
}

/// What a workload used.
pub(crate) struct Change<'a, 's, T> {
    pub(crate) kind: WorkloadKind,
    pub(crate) uid: &'a str,
    pub(crate) used: Counters,
    /// Its row and the namespace it is found by; `None` where it is gone, but what it used is not committed yet.
    pub(crate) row: Option<(AnyRow<'s>, Option<&'s str>)>,
    /// What the caller keeps of it, from the first time it is seen until it is gone.
    pub(crate) kept: &'a mut T,
}

/// Counters of one workload.
#[derive(Debug, Default)]
struct Account<T> {
    /// `None` for one that is new since the last commit.
    committed: Option<Counters>,
    now: Counters,
    /// What it had used at its newest reading, since the last commit.
    used: Counters,
    /// The part counted by a sampler that has ended since.
    carried: PerZone<Energy>,
    seen: u64,
    kept: T,
}

/// Follows the counters of snapshots.
#[derive(Debug)]
pub(crate) struct Differ<T> {
    committed: Option<Seen>,
    /// The snapshot read last, which may not have been committed.
    read: Option<Seen>,
    /// The sampler started again after the last commit.
    has_restarted: bool,
    /// What those that ended had shown of the node since the last commit.
    carried: PerZone<ZoneCounters>,
    reading: u64,
    accounts: HashMap<WorkloadKind, HashMap<Box<str>, Account<T>>>,
}

impl<T> Default for Differ<T> {
    fn default() -> Self {
        Differ {
            committed: None,
            read: None,
            has_restarted: false,
            carried: PerZone::default(),
            reading: 0,
            accounts: HashMap::new(),
        }
    }
}

impl<T: Default> Differ<T> {
    /// The snapshot committed last.
    #[cfg(any(test, feature = "history"))]
    pub(crate) fn committed(&self) -> Option<&Seen> {
        self.committed.as_ref()
    }

    /// How `snapshot` follows the one committed last.
    pub(crate) fn order(&self, snapshot: &Snapshot) -> Order {
        let Some(before) = &self.committed else { return Order::First };
        if snapshot.sequence == before.sequence && snapshot.at == before.at {
            return Order::Same;
        }
        // A sampler that started again while nothing could be committed may have passed the numbers of that time.
        let before = self.read.as_ref().unwrap_or(before);
        if self.has_restarted || before.is_of_an_earlier_sampler(snapshot) { Order::Restarted } else { Order::Next }
    }

    /// For how long before `snapshot` its use is known, suspended time included: since the one committed last, or, of a
    /// sampler that started again, since its first reading.
    pub(crate) fn known_for(&self, snapshot: &Snapshot, order: Order) -> Duration {
        let since = self.committed.map(|before| snapshot.at.boottime_since(&before.at)).unwrap_or_default();
        match order {
            Order::First | Order::Same => Duration::ZERO,
            Order::Next => since,
            Order::Restarted => {
                let intervals = u32::try_from(snapshot.sequence.saturating_sub(1)).unwrap_or(u32::MAX);
                let counted = snapshot.interval.saturating_mul(intervals);
                let is_same_boot = self.committed.is_some_and(|before| snapshot.at.boottime >= before.at.boottime);
                if is_same_boot { counted.min(since) } else { counted.min(snapshot.at.boottime) }
            }
        }
    }

    /// What the zones of the node used since the last commit.
    pub(crate) fn zones_used(&self, snapshot: &Snapshot, order: Order) -> PerZone<Option<ZoneCounters>> {
        let now = zones_of(snapshot);
        let before = self.committed.map(|before| before.zones).unwrap_or_default();
        let carried = self.carried(snapshot);
        PerZone::from_fn(|zone| {
            let now = now[zone]?;
            let before = match order {
                Order::First | Order::Same => now,
                Order::Next => before[zone].unwrap_or_default(),
                Order::Restarted => ZoneCounters::default(),
            };
            Some(now.since(&before).plus(&carried[zone]))
        })
    }

    /// What samplers that ended before `snapshot` had shown of the node since the last commit.
    fn carried(&self, snapshot: &Snapshot) -> PerZone<ZoneCounters> {
        let (Some(before), Some(read)) = (&self.committed, &self.read) else { return PerZone::default() };
        if !read.is_of_an_earlier_sampler(snapshot) {
            return self.carried;
        }
        PerZone::from_fn(|zone| {
            let shown = read.zones[zone].unwrap_or_default();
            let began_at = if self.has_restarted { None } else { before.zones[zone] };
            self.carried[zone].plus(&shown.since(&began_at.unwrap_or_default()))
        })
    }

    /// Reads the counters of all workloads, and tells what each used since the last commit. Nothing is committed by it.
    pub(crate) fn read<'s>(&mut self, snapshot: &'s Snapshot, order: Order, mut visit: impl FnMut(Change<'_, 's, T>)) {
        self.reading += 1;
        self.carried = self.carried(snapshot);
        if self.committed.and(self.read).is_some_and(|read| read.is_of_an_earlier_sampler(snapshot)) {
            self.has_restarted = true;
            for account in self.accounts.values_mut().flat_map(HashMap::values_mut) {
                account.carried = account.used.energy;
            }
        }
        self.read = Some(Seen::of(snapshot));
        let elapsed = self.committed.map_or(Duration::ZERO, |before| snapshot.at.since(&before.at));
        let reading = Reading { order, cpu_limit: elapsed.saturating_mul(snapshot.node.processors) };
        let (number, accounts) = (self.reading, &mut self.accounts);
        let mut uid = String::new();
        for_each_listed(snapshot, |row, namespace| {
            let kind = row.kind();
            uid.clear();
            // Writing to a string does not fail.
            let _ = write!(uid, "{}", row.identity());
            let table = accounts.entry(kind).or_default();
            if !table.contains_key(uid.as_str()) {
                table.insert(uid.as_str().into(), Account::default());
            }
            let Some(account) = table.get_mut(uid.as_str()).filter(|account| account.seen != number) else { return };
            account.seen = number;
            account.now = Counters { energy: *row.energy, cpu_time: row.cpu_time };
            let mut used = reading.used(account.committed.as_ref(), &account.now);
            used.energy.iter_mut().for_each(|(zone, energy)| *energy += account.carried[zone]);
            account.used = used;
            visit(Change { kind, uid: &uid, used, row: Some((row, namespace)), kept: &mut account.kept });
        });
        for (kind, table) in accounts {
            for (uid, account) in table.iter_mut().filter(|(_, account)| account.seen != number) {
                let used = account.used;
                visit(Change { kind: *kind, uid, used, row: None, kept: &mut account.kept });
            }
        }
    }

    /// What was read is committed. Workloads that were not in the snapshot are forgotten: when one comes back its
    /// counter has begun at zero again.
    pub(crate) fn commit(&mut self, snapshot: &Snapshot) {
        let reading = self.reading;
        for table in self.accounts.values_mut() {
            table.retain(|_, account| {
                account.committed = Some(account.now);
                (account.used, account.carried) = (Counters::default(), PerZone::default());
                account.seen == reading
            });
        }
        self.committed = Some(Seen::of(snapshot));
        (self.has_restarted, self.carried) = (false, PerZone::default());
    }

    /// What the caller keeps of the workloads that were there at the last commit.
    pub(crate) fn kept(&self) -> impl Iterator<Item = &T> {
        self.accounts.values().flat_map(HashMap::values).map(|account| &account.kept)
    }
}

impl Seen {
    fn of(snapshot: &Snapshot) -> Self {
        Seen { sequence: snapshot.sequence, at: snapshot.at, zones: zones_of(snapshot) }
    }

    fn is_of_an_earlier_sampler(&self, snapshot: &Snapshot) -> bool {
        let now = zones_of(snapshot);
        let fell = |(zone, now): (_, &Option<ZoneCounters>)| {
            now.zip(self.zones[zone]).is_some_and(|(now, before)| now.energy < before.energy)
        };
        let is_same_reading = snapshot.sequence == self.sequence && snapshot.at == self.at;
        let is_earlier = snapshot.sequence <= self.sequence || snapshot.at.boottime < self.at.boottime;
        !is_same_reading && (is_earlier || now.iter().any(fell))
    }
}

/// What all accounts go by in a snapshot.
struct Reading {
    order: Order,
    /// More CPU time than this cannot have been used since the last commit.
    cpu_limit: Duration,
}

impl Reading {
    fn used(&self, before: Option<&Counters>, now: &Counters) -> Counters {
        let energy = match self.order {
            Order::First | Order::Same => return Counters::default(),
            Order::Next => {
                let before = before.map(|before| before.energy).unwrap_or_default();
                PerZone::from_fn(|zone| risen(before[zone], now.energy[zone]))
            }
            Order::Restarted => now.energy,
        };
        let known = before.and_then(|before| now.cpu_time.checked_sub(before.cpu_time));
        let cpu_time = known.unwrap_or(if now.cpu_time <= self.cpu_limit { now.cpu_time } else { Duration::ZERO });
        Counters { energy, cpu_time }
    }
}

impl ZoneCounters {
    /// How far each rose.
    pub(crate) fn since(&self, before: &ZoneCounters) -> ZoneCounters {
        ZoneCounters {
            energy: risen(before.energy, self.energy),
            active: risen(before.active, self.active),
            idle: risen(before.idle, self.idle),
            unattributed: risen(before.unattributed, self.unattributed),
        }
    }

    pub(crate) fn plus(&self, other: &ZoneCounters) -> ZoneCounters {
        ZoneCounters {
            energy: self.energy + other.energy,
            active: self.active + other.active,
            idle: self.idle + other.idle,
            unattributed: self.unattributed + other.unattributed,
        }
    }
}

impl Counters {
    #[cfg(any(test, feature = "history"))]
    pub(crate) fn add(&mut self, other: &Counters) {
        for (zone, energy) in other.energy.iter() {
            self.energy[zone] += *energy;
        }
        self.cpu_time = self.cpu_time.saturating_add(other.cpu_time);
    }

    pub(crate) fn is_zero(&self) -> bool {
        *self == Counters::default()
    }
}

/// The rise of one counter; all of it where it fell, because then it began again at zero.
pub(crate) fn risen(earlier: Energy, now: Energy) -> Energy {
    now.checked_sub(earlier).unwrap_or(now)
}

/// What a meter of the whole machine has shown since the row `before`, and the time that it is of.
pub(crate) fn platform_used(before: Option<&PlatformRow>, row: &PlatformRow, order: Order) -> (Energy, Duration) {
    let (energy, covered) = before.map(|before| (before.energy, before.covered)).unwrap_or_default();
    match order {
        Order::First | Order::Same => (Energy::ZERO, Duration::ZERO),
        Order::Next if row.covered >= covered => (risen(energy, row.energy), row.covered - covered),
        Order::Next | Order::Restarted => (row.energy, row.covered),
    }
}

/// The counters of the node.
fn zones_of(snapshot: &Snapshot) -> PerZone<Option<ZoneCounters>> {
    PerZone::from_fn(|zone| {
        snapshot.node.zones[zone].as_ref().map(|zone| ZoneCounters {
            energy: zone.energy,
            active: zone.active_energy,
            idle: zone.idle_energy,
            unattributed: zone.unattributed_energy,
        })
    })
}

#[cfg(test)]
mod tests;
