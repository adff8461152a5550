//! Energy between two marks.

use super::{Kind, Mark};
use crate::meter::Method;
use crate::units::{Energy, PerZone, Power, ZoneKind};
use std::time::Duration;

/// What the machine drew between two marks, and the CPU time that this program used meanwhile.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Spent {
    /// Time between the marks, without suspend.
    pub elapsed: Duration,
    /// Each kind of zone that both marks have, summed over sockets.
    pub zones: PerZone<Option<ZoneSpent>>,
    /// CPU time of this process.
    pub own_cpu: Duration,
    /// CPU time of this process, its children and theirs, also of those that have ended and were waited for.
    pub tree_cpu: Duration,
    /// Logical processors online.
    pub processors: u32,
    /// CPU time that all processors were busy, where it is counted: a meter that knows idle power needs it, and
    /// [`Stopwatch::count_busy_time`](super::Stopwatch::count_busy_time) asks for it.
    pub busy: Option<Duration>,
}

/// What one kind of zone drew.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct ZoneSpent {
    /// All of it.
    pub energy: Energy,
    /// The meter it comes from.
    pub source: &'static str,
    /// Measured or estimated.
    pub method: Method,
    /// The part that an idle machine draws all the same, where it is known.
    pub idle: Option<Energy>,
    /// Whether less or more may have been drawn: a counter was reset, or could not be read at a mark or in
    /// time, or another meter took over.
    pub is_uncertain: bool,
}

/// The zones that make up the machine, as far as there are meters.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct MachineEnergy {
    /// The sum of the `zones`.
    pub energy: Energy,
    /// `package` and `dram`, or `psys` where there is neither or where only that is measured.
    pub zones: PerZone<bool>,
}

pub(super) fn between(from: &Mark, to: &Mark) -> Spent {
    let elapsed = to.at.since(&from.at);
    let changed = from.generation != to.generation;
    let zones = PerZone::from_fn(|zone| {
        let (before, after) = (from.kinds[zone].as_ref()?, to.kinds[zone].as_ref()?);
        Some(zone_spent(before, after, elapsed, changed))
    });
    // In a forked child the clocks started at zero with the fork.
    let since = if from.process == to.process { from.cpu } else { Default::default() };
    Spent {
        elapsed,
        zones,
        own_cpu: to.cpu.own.saturating_sub(since.own),
        tree_cpu: to.cpu.tree().saturating_sub(since.tree()),
        processors: to.processors.max(1),
        busy: to.busy.zip(from.busy).map(|(to, from)| to.saturating_sub(from)),
    }
}

fn zone_spent(before: &Kind, after: &Kind, elapsed: Duration, changed: bool) -> ZoneSpent {
    let energy = after.energy.saturating_sub(before.energy);
    let lost = |kind: &Kind| (kind.events.resets, kind.events.ambiguous, kind.failures);
    ZoneSpent {
        energy,
        source: after.source,
        method: after.method,
        idle: after.idle_power.map(|power| (power * elapsed).min(energy)),
        is_uncertain: changed || before.is_stale || lost(before) != lost(after),
    }
}

impl Spent {
    /// The machine's energy: package and memory, which do not overlap; the platform where there is neither, or where it
    /// is measured and the package only estimated.
    /// `None` without any of them.
    #[must_use]
    pub fn machine(&self) -> Option<MachineEnergy> {
        let kinds = [ZoneKind::Package, ZoneKind::Dram, ZoneKind::Psys];
        let is_there = |zone: ZoneKind| kinds.contains(&zone) && self.zones[zone].is_some();
        // A platform counter that does not move, as hypervisors show one, measures nothing.
        let is_nothing = |zone: ZoneKind, spent: &ZoneSpent| zone == ZoneKind::Psys && spent.energy == Energy::ZERO;
        let is_estimated = |zone: ZoneKind| {
            let estimated = |spent: &ZoneSpent| matches!(spent.method, Method::Estimated { .. });
            self.zones[zone].as_ref().is_some_and(|spent| estimated(spent) || is_nothing(zone, spent))
        };
        let zones = ZoneKind::addable_unless_estimated(is_there, is_estimated);
        let energies = self.zones.iter().filter(|(zone, _)| zones[*zone]);
        let energy = energies.filter_map(|(_, zone)| Some(zone.as_ref()?.energy)).sum();
        zones.iter().any(|(_, &counts)| counts).then_some(MachineEnergy { energy, zones })
    }

    /// The part of a zone's energy that goes to someone who used `cpu` time; see the [module](super) for how.
    #[must_use]
    pub fn part(&self, zone: ZoneKind, cpu: Duration) -> Option<Energy> {
        let zone = self.zones[zone].as_ref()?;
        let capacity = self.elapsed * self.processors;
        let (energy, whole) = match (zone.idle, self.busy) {
            // Ticks of 10 ms may not show the work yet that the process's own clock shows.
            (Some(idle), Some(busy)) => (zone.energy - idle, busy.max(cpu.min(capacity))),
            _ => (zone.energy, capacity),
        };
        let share = if whole.is_zero() { 0.0 } else { (cpu.as_secs_f64() / whole.as_secs_f64()).min(1.0) };
        Some(Energy::from_joules(energy.joules() * share))
    }

    /// The part of the [machine's](Spent::machine) energy that goes to someone who used `cpu` time.
    #[must_use]
    pub fn part_of_machine(&self, cpu: Duration) -> Option<Energy> {
        let machine = self.machine()?;
        let counted = ZoneKind::ALL.into_iter().filter(|zone| machine.zones[*zone]);
        Some(counted.filter_map(|zone| self.part(zone, cpu)).sum())
    }

    /// How good the machine's energy is: the method of the sum of the zones that were added, and the meter that most of it
    /// comes from. `None` without any.
    #[must_use]
    pub fn machine_source(&self) -> Option<(&'static str, Method)> {
        let machine = self.machine()?;
        let added = || self.zones.iter().filter(|(zone, _)| machine.zones[*zone]).filter_map(|(_, zone)| zone.as_ref());
        let source = added().max_by_key(|zone| zone.energy)?.source;
        Some((source, Method::of_sum(added().map(|zone| (zone.energy.joules(), zone.method)))?))
    }

    /// The machine's mean power.
    #[must_use]
    pub fn power(&self) -> Option<Power> {
        Some(self.machine()?.energy.over(self.elapsed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spent(parts: &[(ZoneKind, f64, Method)]) -> Spent {
        let mut zones = PerZone::default();
        for &(zone, joules, method) in parts {
            let energy = Energy::from_joules(joules);
            zones[zone] = Some(ZoneSpent { energy, source: "test", method, idle: None, is_uncertain: false });
        }
        let none = Duration::ZERO;
        Spent { elapsed: none, zones, own_cpu: none, tree_cpu: none, processors: 1, busy: None }
    }

    #[test]
    fn a_measured_platform_stands_for_a_package_that_is_only_estimated() {
        use ZoneKind::{Dram, Package, Psys};
        let (measured, estimated) = (Method::Measured, Method::Estimated { error_ratio: 0.3 });
        let partial = Method::Partial { error_ratio: 0.1 };
        for (parts, joules) in [
            (&[(Package, 60.0, estimated), (Psys, 100.0, measured)][..], 100.0),
            (&[(Package, 60.0, estimated), (Dram, 9.0, measured), (Psys, 100.0, measured)], 100.0),
            (&[(Package, 60.0, estimated), (Psys, 100.0, estimated)], 60.0),
            // What a virtual machine may show: a counter that stands still.
            (&[(Package, 60.0, estimated), (Psys, 0.0, measured)], 60.0),
            (&[(Package, 60.0, partial), (Psys, 100.0, measured)], 60.0),
            (&[(Package, 60.0, measured), (Dram, 9.0, measured), (Psys, 100.0, measured)], 69.0),
            (&[(Psys, 100.0, measured)], 100.0),
        ] {
            assert_eq!(spent(parts).machine().unwrap().energy.joules(), joules, "{parts:?}");
        }
        assert!(spent(&[]).machine().is_none());
    }
}
