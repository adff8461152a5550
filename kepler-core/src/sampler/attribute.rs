//! Who gets an interval's energy: everybody's work is noted, then everybody's part is taken and booked.

use super::division::{self, of_process};
use super::groups::Groups;
use super::processes::Process;
use super::zones::Utilisation;
use super::{Sampler, busy};
use crate::host::{BusyWindow, Timestamp};
use crate::units::Energy;
use crate::usage::{Usage, Work};
use std::time::Duration;

impl Sampler {
    /// Divides the interval's active energy among those who worked. Returns the node's utilisation.
    pub(super) fn attribute(&mut self, at: Timestamp, interval: Duration, busy: Option<BusyWindow>) -> f64 {
        let is_exact = busy.is_some_and(|window| window.elapsed == interval);
        let busy_ns = busy.map_or(0, |window| busy::within(interval, window));
        let used_ns = self.processes.used_ns().saturating_add(self.commands.used_ns());
        let unexplained_ns = self.groups.read(busy_ns.saturating_sub(used_ns));

        self.division.begin();
        for position in 0..self.processes.active() {
            let Some(process) = self.processes.active_at(position) else { continue };
            let works = works(&self.usage, &self.groups, process);
            self.division.note(works, process.used_ns);
        }
        for entry in self.commands.short_lived() {
            self.division.note(std::iter::once((entry.work.domain, entry.work.work)), entry.work.work.time_ns);
        }
        for position in 0..self.groups.positions() {
            let Some((group, unexplained_ns)) = self.groups.unexplained(position) else { continue };
            self.division.note(self.groups.works(Some(group), unexplained_ns), unexplained_ns);
        }

        // Busy time that nobody accounts for stays nobody's; it is not spread over the others.
        let shown_ns = busy_ns.max(used_ns.saturating_add(unexplained_ns));
        let share = |elapsed: Duration| {
            let capacity = elapsed.as_secs_f64() * f64::from(self.processors);
            if capacity > 0.0 { (shown_ns as f64 / 1e9 / capacity).min(1.0) } else { 0.0 }
        };
        // A machine that slept was not busy meanwhile, but its counters may have gone on.
        let slept = self.last.filter(|last| at.suspended_since(last));
        let overall = slept.map_or(interval, |last| at.boottime_since(&last));
        let utilisation = share(interval);
        let domains = &self.domains;
        self.zones.split(
            Utilisation { share: share(overall), is_exact },
            interval,
            // A package's energy is of use only if it is known who worked there.
            self.division.is_placed(),
            |package| {
                let share = domains.utilisation(package, overall)?;
                Some(Utilisation { share, is_exact: is_exact && domains.is_exact() })
            },
        );

        let node = division::Node { busy_ns, domains, counted: self.counters.counted() };
        self.division.open(self.zones.active(), node, self.usage_source.name());
        for position in 0..self.processes.active() {
            let Some(process) = self.processes.active_at(position) else { continue };
            let works = works(&self.usage, &self.groups, process);
            let energy = self.division.part(self.domains.domains(), works, process.used_ns);
            for (zone, &energy) in energy.iter().filter(|(_, energy)| **energy > Energy::ZERO) {
                process.account.charge(zone, energy);
                for group in [process.group, process.vm].into_iter().flatten() {
                    self.groups.charge(group, zone, energy);
                }
                self.zones.book(zone, |account| account.processes += energy);
            }
        }
        for position in 0..self.commands.short_lived().len() {
            let Some(&entry) = self.commands.short_lived().get(position) else { continue };
            let energy = self.division.part(
                self.domains.domains(),
                std::iter::once((entry.work.domain, entry.work.work)),
                entry.work.work.time_ns,
            );
            for (zone, &energy) in energy.iter().filter(|(_, energy)| **energy > Energy::ZERO) {
                if let Some(account) = self.commands.account(position) {
                    account.charge(zone, energy);
                }
                if let Some(group) = entry.group {
                    self.groups.charge(group, zone, energy);
                }
                self.zones.book(zone, |account| account.short_lived += energy);
            }
        }
        for position in 0..self.groups.positions() {
            let Some((group, unexplained_ns)) = self.groups.unexplained(position) else { continue };
            let works = self.groups.works(Some(group), unexplained_ns);
            let energy = self.division.part(self.domains.domains(), works, unexplained_ns);
            for (zone, &energy) in energy.iter().filter(|(_, energy)| **energy > Energy::ZERO) {
                self.groups.charge(group, zone, energy);
                self.zones.book(zone, |account| account.short_lived += energy);
            }
        }
        for (zone, &energy) in self.division.rest().iter() {
            self.zones.book(zone, |account| account.unattributed += energy);
        }
        utilisation
    }
}

/// What a process did where, as far as that is known: by its source, else as its part of what its container did.
fn works<'a>(
    usage: &'a Usage,
    groups: &'a Groups,
    process: &Process,
) -> impl Iterator<Item = (u16, Work)> + Clone + use<'a> {
    let by_domain = of_process(&usage.by_domain, process.info.pid).iter().map(|work| (work.domain, work.work));
    let container = process.group.filter(|_| usage.by_domain.is_empty());
    by_domain.chain(groups.works(container, process.used_ns))
}
