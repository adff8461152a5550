//! Groups and the rest of the machine: each is charged what its processes are, and for what they do not explain.

use super::super::rest::{Charged, Round};
use super::{GroupIndex, GroupInfo, Groups};
use crate::attribution::ledger::PlatformCharge;
use crate::units::{Energy, PerZone};

/// A job in a container in a pod has so many groups around it.
const DEEPEST: usize = 3;

impl Groups {
    /// Charges the group, and the containers, pods and jobs that it belongs to.
    pub(in crate::sampler) fn charge_platform(&mut self, index: GroupIndex, charge: PlatformCharge) {
        let mut next = Some(index);
        while let Some(group) = next.and_then(|index| self.get_mut(index)) {
            group.account.charge_platform(charge);
            next = group.parent;
        }
    }

    /// Charges each group for what its live processes do not explain, the inner ones first. A process of a virtual machine may be
    /// in a container as well, and what has ended counts for whatever it was in: these are charged by themselves.
    pub(in crate::sampler) fn charge_platform_rest(&mut self, round: &mut Round<'_>) -> Charged {
        let mut sum = Charged::default();
        for depth in (0..=DEEPEST).rev() {
            for position in 0..self.slots.len() {
                let Ok(index) = u32::try_from(position).map(GroupIndex) else { continue };
                if self.depth(index) != Some(depth) {
                    continue;
                }
                let Some(group) = self.get_mut(index) else { continue };
                let weight = group.account.platform_weight(round.parts);
                if weight == Energy::ZERO {
                    continue;
                }
                if matches!(group.info, GroupInfo::Vm(_)) {
                    group.account.charge_platform(round.share_apart(weight));
                    continue;
                }
                let charge = round.share(weight);
                self.charge_platform(index, charge);
                sum.add(&charge);
            }
        }
        for retired in self.retired.iter_mut() {
            let weight = retired.account.platform_weight(round.parts);
            retired.account.charge_platform(round.share_apart(weight));
            retired.account.close();
        }
        sum
    }

    /// See [`Account::begin_platform`](crate::attribution::ledger::Account::begin_platform).
    pub(in crate::sampler) fn begin_platform(&mut self, parts: &PerZone<bool>) {
        self.groups_mut().for_each(|group| group.account.begin_platform(parts));
        self.retired.iter_mut().for_each(|retired| retired.account.begin_platform(parts));
    }

    /// How many groups this one's energy counts for as well; `None` where there is none at this place.
    fn depth(&self, index: GroupIndex) -> Option<usize> {
        let mut around = self.get(index)?.parent;
        let mut depth = 0;
        while let Some(group) = around.and_then(|index| self.get(index)).filter(|_| depth < DEEPEST) {
            (around, depth) = (group.parent, depth + 1);
        }
        Some(depth)
    }
}
