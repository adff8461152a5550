//! Workloads that have ended, listed for a fixed time.

use crate::attribution::ledger::Account;
use crate::host::Timestamp;
use crate::units::{Energy, PerZone};
use crate::workload::WorkloadKind;
use std::time::Duration;

/// Which terminated workloads stay listed, and how long.
///
/// A fixed time, not "until someone asks": several readers then see the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Retention {
    /// How long they stay. Default 10 minutes.
    pub keep: Duration,
    /// How many of each kind stay at most, those with the most energy. `None`: all. Default 500.
    pub max: Option<usize>,
    /// Those with less energy in every zone are not listed at all. Default 1 J.
    pub min_energy: Energy,
}

impl Retention {
    /// These limits with a change, as in `Retention::default().with(|retention| retention.max = None)`.
    #[must_use]
    pub fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }
}

impl Default for Retention {
    fn default() -> Self {
        Retention { keep: Duration::from_secs(600), max: Some(500), min_energy: Energy::from_microjoules(1_000_000) }
    }
}

/// Who a terminated workload is.
pub(super) trait Identified {
    fn kind(&self) -> WorkloadKind;

    /// Whether the two have the same labels: their accounts are merged, so that no two series have
    /// the same labels.
    fn is_same(&self, other: &Self) -> bool;
}

/// A terminated workload.
#[derive(Debug)]
pub(super) struct Retired<Info> {
    pub(super) info: Info,
    pub(super) account: Account,
    pub(super) cpu_time: Duration,
    ended: Timestamp,
}

/// Terminated workloads of one kind or of several, each of which may have the maximum.
#[derive(Debug)]
pub(super) struct RetiredTable<Info> {
    retention: Retention,
    rows: Vec<Retired<Info>>,
}

impl<Info: Identified> RetiredTable<Info> {
    pub(super) fn new(retention: Retention) -> Self {
        RetiredTable { retention, rows: Vec::new() }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Retired<Info>> {
        self.rows.iter()
    }

    /// Those that are listed, to be described again.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Retired<Info>> {
        self.rows.iter_mut()
    }

    /// Adds a workload that ended. Returns the energy that is no longer listed because of it: its
    /// own if it does not matter enough, or that of another that it displaces.
    pub(super) fn add(
        &mut self,
        info: Info,
        mut account: Account,
        cpu_time: Duration,
        ended: Timestamp,
    ) -> PerZone<Energy> {
        account.close();
        if self.retention.max == Some(0) || self.is_too_little(&account) {
            return account.total;
        }
        if let Some(same) = self.rows.iter_mut().find(|retired| retired.info.is_same(&info)) {
            same.account.take_over(&account);
            same.cpu_time += cpu_time;
            same.ended = ended;
            return PerZone::default();
        }
        let kind = info.kind();
        self.rows.push(Retired { info, account, cpu_time, ended });
        let of_kind = || self.rows.iter().enumerate().filter(|(_, retired)| retired.info.kind() == kind);
        if self.retention.max.is_none_or(|max| of_kind().count() <= max) {
            return PerZone::default();
        }
        let least = of_kind().min_by_key(|(_, retired)| retired.account.largest()).map(|(index, _)| index);
        least.map(|index| self.rows.swap_remove(index).account.total).unwrap_or_default()
    }

    /// Whether an account is too small for its workload to be listed once it has ended.
    pub(super) fn is_too_little(&self, account: &Account) -> bool {
        account.largest() < self.retention.min_energy
    }

    /// Takes a workload back that runs again.
    pub(super) fn revive(&mut self, info: &Info) -> Option<Retired<Info>> {
        let index = self.rows.iter().position(|retired| retired.info.is_same(info))?;
        Some(self.rows.swap_remove(index))
    }

    /// Drops those whose time is up, handing their energy to `drop_energy`.
    pub(super) fn expire(&mut self, now: Timestamp, mut drop_energy: impl FnMut(PerZone<Energy>)) {
        let keep = self.retention.keep;
        self.rows.retain(|retired| {
            let stays = now.boottime_since(&retired.ended) <= keep;
            if !stays {
                drop_energy(retired.account.total);
            }
            stays
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::ZoneKind;

    fn account(joules: f64) -> Account {
        let mut account = Account::default();
        account.charge(ZoneKind::Package, Energy::from_joules(joules));
        account
    }

    /// Odd numbers are containers, even ones are pods.
    impl Identified for u32 {
        fn kind(&self) -> WorkloadKind {
            if self % 2 == 1 { WorkloadKind::Container } else { WorkloadKind::Pod }
        }

        fn is_same(&self, other: &u32) -> bool {
            self == other
        }
    }

    fn add(table: &mut RetiredTable<u32>, id: u32, joules: f64, at: Timestamp) -> f64 {
        table.add(id, account(joules), Duration::ZERO, at)[ZoneKind::Package].joules()
    }

    #[test]
    fn the_biggest_stay_and_what_goes_is_handed_back() {
        let at = Timestamp::now();
        let mut table = RetiredTable::new(Retention { max: Some(2), ..Retention::default() });
        assert_eq!(add(&mut table, 1, 0.5, at), 0.5);
        assert_eq!(add(&mut table, 3, 5.0, at), 0.0);
        assert_eq!(add(&mut table, 5, 3.0, at), 0.0);
        assert_eq!(add(&mut table, 2, 1.5, at), 0.0, "another kind has its own maximum");
        assert_eq!(add(&mut table, 7, 9.0, at), 3.0);
        assert_eq!(add(&mut table, 9, 1.0, at), 1.0);
        let mut left: Vec<u32> = table.iter().map(|retired| retired.info).collect();
        left.sort_unstable();
        assert_eq!(left, [2, 3, 7]);
    }

    #[test]
    fn those_with_equal_labels_are_merged_and_all_expire_after_their_time() {
        let at = Timestamp::now();
        let mut table = RetiredTable::new(Retention::default());
        add(&mut table, 7, 2.0, at);
        add(&mut table, 7, 3.0, at);
        assert_eq!(table.iter().count(), 1);
        table.expire(at.advanced(Duration::from_secs(599)), |_| panic!("too early"));
        let mut dropped = Energy::ZERO;
        table.expire(at.advanced(Duration::from_secs(601)), |energy| dropped += energy[ZoneKind::Package]);
        assert_eq!(dropped, Energy::from_joules(5.0));
        assert_eq!(table.iter().count(), 0);
    }

    #[test]
    fn the_returned_one_is_taken_back_with_its_account() {
        let mut table = RetiredTable::new(Retention::default());
        add(&mut table, 7, 2.0, Timestamp::now());
        assert!(table.revive(&8).is_none());
        assert_eq!(table.revive(&7).unwrap().account.largest(), Energy::from_joules(2.0));
        assert_eq!(table.iter().count(), 0);
    }

    #[test]
    fn a_maximum_of_zero_keeps_none() {
        let mut table = RetiredTable::new(Retention { max: Some(0), ..Retention::default() });
        assert_eq!(add(&mut table, 1, 50.0, Timestamp::now()), 50.0);
    }
}
