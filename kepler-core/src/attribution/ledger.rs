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

use crate::units::{Energy, PerZone, ZoneKind};

/// The account of one workload.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Account {
    /// Everything charged since the start.
    pub total: PerZone<Energy>,
    /// What was charged in the current interval.
    pub interval: PerZone<Energy>,
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

    /// Takes over what another account was charged in earlier intervals: it is shown here from now on.
    pub fn take_over(&mut self, earlier: &PerZone<Energy>) {
        for (zone, &energy) in earlier.iter() {
            self.total[zone] += energy;
        }
    }

    /// The zone with the most energy says how much the workload matters. Zones overlap (a package
    /// contains its cores), so they are not added.
    #[must_use]
    pub fn largest(&self) -> Energy {
        self.total.iter().map(|(_, &energy)| energy).max().unwrap_or_default()
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
