//! Attribution of an interval's energy: claims of all work, then each claim's share is charged.

use super::apportioner::{self, of_process};
use super::commands::Commands;
use super::groups::{GroupIndex, Groups};
use super::processes::Processes;
use super::zones::Utilisation;
use super::{Sampler, busy};
use crate::host::{BusyWindow, Timestamp};
use crate::units::{Energy, PerZone};
use crate::usage::{DomainWork, Usage, Work};
use std::time::Duration;

/// CPU time of an interval that energy is due for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Claim {
    claimant: Claimant,
    used_ns: u64,
}

/// Whose claim it is.
#[derive(Clone, Copy, Debug)]
enum Claimant {
    /// A process, by its position among those that worked.
    Process(usize),
    /// Short-lived work that is known by command and cgroup, by its position.
    ShortLived(usize),
    /// A group's CPU time that none of its processes explains.
    Unexplained(GroupIndex),
}

impl Sampler {
    /// Apportions the interval's active energy among those who worked. Returns the node's utilisation.
    pub(super) fn attribute(&mut self, at: Timestamp, interval: Duration, busy: Option<BusyWindow>) -> f64 {
        let is_exact = busy.is_some_and(|window| window.elapsed == interval);
        let busy_ns = busy.map_or(0, |window| busy::within(interval, window));
        let used_ns = self.processes.used_ns().saturating_add(self.commands.used_ns());
        let unexplained_ns = self.groups.read(busy_ns.saturating_sub(used_ns));

        let mut claims = std::mem::take(&mut self.claims);
        self.collect_claims(&mut claims);
        self.apportioner.begin();
        let work = IntervalWork::of(&self.processes, &self.commands, &self.groups, &self.usage);
        for claim in &claims {
            self.apportioner.record(work.done_for(claim), claim.used_ns);
        }

        // Busy time that is not accounted for stays so; it is not spread over the others.
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
        let ghz = self.counters.frequency(busy_ns);
        self.zones.split(
            Utilisation { share: share(overall), is_exact, ghz },
            interval,
            // A package's energy is of use only if it is known who worked there.
            self.apportioner.is_located(),
            |package| {
                let share = domains.utilisation(package, overall)?;
                Some(Utilisation { share, is_exact: is_exact && domains.is_exact(), ghz })
            },
        );

        let node = apportioner::Node { busy_ns, domains, counted: self.counters.counted() };
        for (kind, power) in self.zones.teaching(is_exact, interval) {
            self.apportioner.learn(kind, power, node, interval);
        }
        self.apportioner.open(self.zones.active(), node, self.usage_source.name());
        for claim in &claims {
            let work = IntervalWork::of(&self.processes, &self.commands, &self.groups, &self.usage);
            let energy = self.apportioner.share(self.domains.domains(), work.done_for(claim), claim.used_ns);
            self.charge(claim.claimant, &energy);
        }
        for (zone, &energy) in self.apportioner.rest().iter() {
            self.zones.charge(zone, |account| account.unattributed += energy);
        }
        self.claims = claims;
        utilisation
    }

    /// Everything that was done in this interval and is known to have been.
    fn collect_claims(&mut self, claims: &mut Vec<Claim>) {
        claims.clear();
        // All may work at once; then is no time to make room.
        let short_lived = self.commands.short_lived().len();
        claims.reserve(self.processes.len().max(self.processes.active()) + short_lived + self.groups.positions());
        for position in 0..self.processes.active() {
            let Some(process) = self.processes.active_at(position) else { continue };
            claims.push(Claim { claimant: Claimant::Process(position), used_ns: process.used_ns });
        }
        for (position, entry) in self.commands.short_lived().iter().enumerate() {
            claims.push(Claim { claimant: Claimant::ShortLived(position), used_ns: entry.work.work.time_ns });
        }
        for position in 0..self.groups.positions() {
            let Some((group, used_ns)) = self.groups.unexplained(position) else { continue };
            claims.push(Claim { claimant: Claimant::Unexplained(group), used_ns });
        }
    }

    /// Charges the claimant, the groups it is in, and the node's account of its sort.
    fn charge(&mut self, claimant: Claimant, energy: &PerZone<Energy>) {
        let is_process = matches!(claimant, Claimant::Process(_));
        for (zone, &energy) in energy.iter().filter(|(_, energy)| **energy > Energy::ZERO) {
            let (account, groups) = match claimant {
                Claimant::Process(position) => match self.processes.active_at(position) {
                    Some(process) => (Some(&mut process.account), [process.group, process.vm]),
                    None => continue,
                },
                Claimant::ShortLived(position) => {
                    let group = self.commands.short_lived().get(position).and_then(|entry| entry.group);
                    (self.commands.account(position), [group, None])
                }
                Claimant::Unexplained(group) => (None, [Some(group), None]),
            };
            if let Some(account) = account {
                account.charge(zone, energy);
            }
            for group in groups.into_iter().flatten() {
                self.groups.charge(group, zone, energy);
            }
            self.zones.charge(zone, |account| match is_process {
                true => account.processes += energy,
                false => account.short_lived += energy,
            });
        }
    }
}

/// What was done in an interval, by whomever.
#[derive(Clone, Copy)]
struct IntervalWork<'a> {
    processes: &'a Processes,
    commands: &'a Commands,
    groups: &'a Groups,
    usage: &'a Usage,
}

impl<'a> IntervalWork<'a> {
    fn of(processes: &'a Processes, commands: &'a Commands, groups: &'a Groups, usage: &'a Usage) -> Self {
        IntervalWork { processes, commands, groups, usage }
    }

    /// What was done for a claim in each CPU domain, as far as that is known: as the process's source reports, in the
    /// domain of short-lived work, or as the group's counters show.
    fn done_for(self, claim: &Claim) -> impl Iterator<Item = (u16, Work)> + Clone + use<'a> {
        let by_domain = &self.usage.by_domain;
        let (reported, short_lived, group): (&[DomainWork], _, _) = match claim.claimant {
            Claimant::Process(position) => match self.processes.active_row(position) {
                Some(process) if by_domain.is_empty() => (&[], None, process.group),
                Some(process) => (of_process(by_domain, process.info.pid), None, None),
                None => (&[], None, None),
            },
            Claimant::ShortLived(position) => {
                let entry = self.commands.short_lived().get(position);
                (&[], entry.map(|entry| (entry.work.domain, entry.work.work)), None)
            }
            Claimant::Unexplained(group) => (&[], None, Some(group)),
        };
        let reported = reported.iter().map(|entry| (entry.domain, entry.work));
        reported.chain(short_lived).chain(self.groups.works(group, claim.used_ns))
    }
}
