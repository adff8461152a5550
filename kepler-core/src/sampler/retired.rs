//! Workloads that have ended, remembered for a fixed time.

use crate::attribution::ledger::Account;
use crate::host::Timestamp;
use crate::units::{Energy, PerZone};
use std::sync::Arc;
use std::time::Duration;

/// Which terminated workloads stay listed, and how long.
///
/// A fixed time, not "until someone asks": several readers then see the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// How long they stay. Default 10 minutes.
    pub keep: Duration,
    /// How many of each kind stay at most, those with the most energy. `None`: all. Default 500.
    pub max: Option<usize>,
    /// Those with less energy in every zone are not listed at all. Default 1 J.
    pub min_energy: Energy,
}

impl Default for Retention {
    fn default() -> Self {
        Retention { keep: Duration::from_secs(600), max: Some(500), min_energy: Energy::from_microjoules(1_000_000) }
    }
}

/// A terminated workload.
#[derive(Debug)]
pub(super) struct Retired<Info> {
    pub(super) info: Arc<Info>,
    pub(super) account: Account,
    pub(super) cpu_time: Duration,
    ended: Timestamp,
}

/// The terminated workloads of one kind.
#[derive(Debug)]
pub(super) struct RetiredList<Info> {
    retention: Retention,
    list: Vec<Retired<Info>>,
}

impl<Info> RetiredList<Info> {
    pub(super) fn new(retention: Retention) -> Self {
        RetiredList { retention, list: Vec::new() }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Retired<Info>> {
        self.list.iter()
    }

    /// Adds a workload that ended. Returns the energy that is no longer listed because of it: its
    /// own if it does not matter enough, or that of another that it displaces.
    ///
    /// `is_same` tells workloads that nobody outside could tell apart: their accounts are merged, so
    /// that no two series have the same labels.
    pub(super) fn add(
        &mut self,
        info: Arc<Info>,
        mut account: Account,
        cpu_time: Duration,
        ended: Timestamp,
        is_same: impl Fn(&Info, &Info) -> bool,
    ) -> PerZone<Energy> {
        account.begin();
        if self.retention.max == Some(0) || self.is_too_little(&account) {
            return account.total;
        }
        if let Some(twin) = self.list.iter_mut().find(|retired| is_same(&retired.info, &info)) {
            for (zone, energy) in account.total.iter() {
                twin.account.total[zone] += *energy;
            }
            twin.cpu_time += cpu_time;
            twin.ended = ended;
            return PerZone::default();
        }
        self.list.push(Retired { info, account, cpu_time, ended });
        if self.retention.max.is_some_and(|max| self.list.len() > max) {
            let least = (0..self.list.len()).min_by_key(|&index| self.list.get(index).map(|r| r.account.largest()));
            return least.map(|index| self.list.swap_remove(index).account.total).unwrap_or_default();
        }
        PerZone::default()
    }

    /// Whether an account is too small for its workload to be listed once it has ended.
    pub(super) fn is_too_little(&self, account: &Account) -> bool {
        account.largest() < self.retention.min_energy
    }

    /// Takes a workload back that has come to life again.
    pub(super) fn revive(&mut self, is_it: impl Fn(&Info) -> bool) -> Option<Retired<Info>> {
        let index = self.list.iter().position(|retired| is_it(&retired.info))?;
        Some(self.list.swap_remove(index))
    }

    /// Drops those whose time is up, handing their energy to `forget`.
    pub(super) fn expire(&mut self, now: Timestamp, mut forget: impl FnMut(PerZone<Energy>)) {
        let keep = self.retention.keep;
        self.list.retain(|retired| {
            let stays = now.boottime_since(&retired.ended) <= keep;
            if !stays {
                forget(retired.account.total);
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

    fn add(list: &mut RetiredList<u32>, id: u32, joules: f64, at: Timestamp) -> f64 {
        list.add(Arc::new(id), account(joules), Duration::ZERO, at, |a, b| a == b)[ZoneKind::Package].joules()
    }

    #[test]
    fn the_biggest_stay_and_what_goes_is_handed_back() {
        let at = Timestamp::now();
        let mut list = RetiredList::new(Retention { max: Some(2), ..Retention::default() });
        assert_eq!(add(&mut list, 1, 0.5, at), 0.5);
        assert_eq!(add(&mut list, 2, 5.0, at), 0.0);
        assert_eq!(add(&mut list, 3, 3.0, at), 0.0);
        assert_eq!(add(&mut list, 4, 9.0, at), 3.0);
        assert_eq!(add(&mut list, 5, 1.0, at), 1.0);
        let mut left: Vec<u32> = list.iter().map(|retired| *retired.info).collect();
        left.sort_unstable();
        assert_eq!(left, [2, 4]);
    }

    #[test]
    fn twins_are_merged_and_all_expire_after_their_time() {
        let at = Timestamp::now();
        let mut list = RetiredList::new(Retention::default());
        add(&mut list, 7, 2.0, at);
        add(&mut list, 7, 3.0, at);
        assert_eq!(list.iter().count(), 1);
        list.expire(at.advanced(Duration::from_secs(599)), |_| panic!("too early"));
        let mut forgotten = Energy::ZERO;
        list.expire(at.advanced(Duration::from_secs(601)), |energy| forgotten += energy[ZoneKind::Package]);
        assert_eq!(forgotten, Energy::from_joules(5.0));
        assert_eq!(list.iter().count(), 0);
    }

    #[test]
    fn the_returned_one_is_taken_back_with_its_account() {
        let mut list = RetiredList::new(Retention::default());
        add(&mut list, 7, 2.0, Timestamp::now());
        assert!(list.revive(|&id| id == 8).is_none());
        assert_eq!(list.revive(|&id| id == 7).unwrap().account.largest(), Energy::from_joules(2.0));
        assert_eq!(list.iter().count(), 0);
    }

    #[test]
    fn a_maximum_of_zero_keeps_nobody() {
        let mut list = RetiredList::new(Retention { max: Some(0), ..Retention::default() });
        assert_eq!(add(&mut list, 1, 50.0, Timestamp::now()), 50.0);
    }
}
