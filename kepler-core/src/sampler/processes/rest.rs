//! Processes and the rest of the machine: what each is charged of it.

use super::super::groups::Groups;
use super::super::rest::{Charged, Round};
use super::Processes;
use crate::attribution::share::Divider;
use crate::units::{Energy, PerZone};

impl Processes {
    /// Charges all live processes, and their groups, a part of the rest of the machine. `charged` takes the slots of those that
    /// got any.
    pub(in crate::sampler) fn charge_platform(
        &mut self,
        round: &mut Round<'_>,
        groups: &mut Groups,
        charged: &mut Vec<u32>,
    ) -> Charged {
        let mut sum = Charged::default();
        self.active.reserve(self.order.len());
        charged.reserve(self.order.len());
        for position in 0..self.order.len() {
            let Some(&(_, slot)) = self.order.get(position) else { continue };
            let Some(Some(process)) = self.slots.get_mut(slot as usize) else { continue };
            let weight = process.account.platform_weight(round.parts);
            if weight == Energy::ZERO {
                continue;
            }
            let charge = round.share(weight);
            process.account.charge_platform(charge);
            for group in [process.group, process.vm].into_iter().flatten() {
                groups.charge_platform(group, charge);
            }
            sum.add(&charge);
            charged.push(slot);
            self.note_active(slot);
        }
        sum
    }

    /// The same to those that have ended and are listed, of what is left for all that have ended. Returns what is left after them.
    pub(in crate::sampler) fn charge_platform_ended(
        &mut self,
        energy: Energy,
        weight: Energy,
        round: &Round<'_>,
    ) -> Energy {
        let mut divider = Divider::new(energy, weight.microjoules());
        for retired in self.retired.iter_mut() {
            let weight = retired.account.platform_weight(round.parts);
            retired.account.charge_platform(round.of(divider.share(weight.microjoules()), weight));
            retired.account.close();
        }
        divider.rest()
    }

    /// See [`Account::begin_platform`].
    pub(in crate::sampler) fn begin_platform(&mut self, parts: &PerZone<bool>) {
        let live = self.slots.iter_mut().flatten().map(|process| &mut process.account);
        let retired = self.retired.iter_mut().map(|retired| &mut retired.account);
        live.chain(retired).for_each(|account| account.begin_platform(parts));
    }
}
