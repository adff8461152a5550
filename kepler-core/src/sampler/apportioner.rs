//! Apportioning an interval's active energy: which pools there are, what weighs in each, and who gets what.
//!
//! First all work is [recorded](Apportioner::record), then the pools are [opened](Apportioner::open), then each
//! [share](Apportioner::share) is taken: what a weight is worth is known only once all are.

use super::busy::DomainTimes;
use crate::attribution::learned::{Learned, LearnedCosts, WorkCosts};
use crate::attribution::pool::{Amount, Pool, Time};
use crate::attribution::{Weight, Weights};
use crate::host::{CpuDomain, CpuDomains};
use crate::units::{Energy, PerZone, Power, ZoneKind};
use crate::usage::{DomainWork, Work};
use std::time::Duration;

/// The part of all busy time of which it must be known what was done, where the processors themselves are not counted.
const MOST: f64 = 0.9;

/// The pools of one interval.
#[derive(Debug)]
pub(super) struct Apportioner {
    wanted: Weights,
    /// By what each zone was apportioned in the last interval in which there was any work.
    used: PerZone<Option<Weight>>,
    warned: PerZone<Option<Weight>>,
    /// What work was found to cost, where no weight is asked for.
    costs: Box<PerZone<LearnedCosts>>,
    /// What was recorded, by domain.
    located: Vec<Work>,
    /// Weights that some work is not counted by.
    uncounted: [bool; Weight::ALL.len()],
    time: Time,
    /// What a nanosecond weighs, by domain.
    capacities: Vec<u64>,
    pools: Vec<ZonePool>,
}

/// The pool of one zone.
#[derive(Debug)]
struct ZonePool {
    kind: ZoneKind,
    /// Whose it is; `None` for all of the node.
    package: Option<u32>,
    weighing: Weighing,
    pool: Pool,
}

/// How the work of one zone is weighed in an interval.
#[derive(Clone, Copy, Debug)]
enum Weighing {
    By(Weight),
    Costs(WorkCosts),
}

impl Weighing {
    /// What a piece of work weighs; `None` if that is not counted.
    fn of(&self, work: &Work, capacity: u64) -> Option<u64> {
        match self {
            Weighing::By(weight) => weight.of(work, capacity),
            Weighing::Costs(costs) => costs.of(work, capacity),
        }
    }

    /// What all processors of a domain did weighs; `None` if that is not counted.
    fn of_all(&self, counted: Option<&Work>, busy_ns: Option<u64>, capacity: u64) -> Option<u64> {
        match self {
            // With its capacity a domain's own busy time is all there is to know.
            Weighing::By(Weight::Time) => busy_ns.map(|busy_ns| busy_ns.saturating_mul(capacity)),
            Weighing::By(weight) => weight.of(counted?, 1),
            Weighing::Costs(costs) => costs.of(&Work { time_ns: busy_ns?, ..*counted? }, capacity),
        }
    }
}

/// Totals of the whole node in an interval.
#[derive(Clone, Copy, Debug)]
pub(super) struct Node<'a> {
    /// Busy nanoseconds.
    pub(super) busy_ns: u64,
    /// Busy nanoseconds by domain, and which domains there are.
    pub(super) domains: &'a DomainTimes,
    /// What was counted on all processors of each domain; empty if nothing was.
    pub(super) counted: &'a [Work],
}

impl Apportioner {
    pub(super) fn new(wanted: Weights, domains: &DomainTimes) -> Self {
        let alike = domains.domains().are_alike();
        let capacity = |domain: &CpuDomain| if alike { 1 } else { u64::from(domain.capacity) };
        Apportioner {
            wanted,
            used: PerZone::default(),
            warned: PerZone::default(),
            costs: Box::default(),
            located: vec![NOTHING; domains.domains().len()],
            uncounted: [false; Weight::ALL.len()],
            time: Time::default(),
            capacities: domains.domains().iter().map(capacity).collect(),
            pools: Vec::new(),
        }
    }

    /// Begins a new interval.
    pub(super) fn begin(&mut self) {
        self.located.fill(NOTHING);
        self.uncounted = [false; Weight::ALL.len()];
        self.time = Time::default();
        self.pools.clear();
    }

    /// Records what a claimant did where, and how much CPU time it was in all.
    pub(super) fn record(&mut self, works: impl Iterator<Item = (u16, Work)>, used_ns: u64) {
        let mut unlocated_ns = used_ns;
        for (domain, work) in works {
            let Some(sum) = self.located.get_mut(usize::from(domain)) else { continue };
            add(sum, &work);
            self.time.located_ns = self.time.located_ns.saturating_add(work.time_ns);
            unlocated_ns = unlocated_ns.saturating_sub(work.time_ns);
            for (weight, uncounted) in Weight::ALL.into_iter().zip(&mut self.uncounted) {
                *uncounted |= weight.of(&work, 1).is_none();
            }
        }
        self.time.unlocated_ns = self.time.unlocated_ns.saturating_add(unlocated_ns);
    }

    /// Whether it is known of any work where it was done.
    pub(super) fn is_located(&self) -> bool {
        self.time.located_ns > 0
    }

    /// By what each zone is apportioned.
    pub(super) fn weights(&self) -> &PerZone<Option<Weight>> {
        &self.used
    }

    /// Opens a pool for each zone's energy.
    pub(super) fn open(
        &mut self,
        energies: impl Iterator<Item = (ZoneKind, Option<u32>, Energy)>,
        node: Node<'_>,
        source: &'static str,
    ) {
        // What the domains' own clocks say and what the node's says differs by a tick or two.
        let mut by_domain_ns = 0u64;
        for (&busy_ns, located) in node.domains.busy_ns().iter().zip(&self.located) {
            by_domain_ns = by_domain_ns.saturating_add(busy_ns.max(located.time_ns));
        }
        for (opened, (kind, package, energy)) in energies.enumerate() {
            // Room for those as well that draw nothing yet: an idle machine's first joule comes in some later tick.
            self.pools.reserve((opened + 1).saturating_sub(self.pools.len()));
            let weighing = self.weighing(kind, source);
            if energy == Energy::ZERO {
                continue;
            }
            let is_by_domain = self.is_located() && !node.domains.busy_ns().is_empty();
            let busy_ns = if is_by_domain { by_domain_ns } else { node.busy_ns.max(self.time.located_ns) };
            let pool = Pool::new(energy, self.amount(package, weighing, node), Time { busy_ns, ..self.time });
            self.pools.push(ZonePool { kind, package, weighing, pool });
        }
    }

    /// How a zone is apportioned in this interval: as asked for, by what work was found to cost, or by the best weight; by time where that is
    /// not counted.
    fn weighing(&mut self, kind: ZoneKind, source: &'static str) -> Weighing {
        let is_idle = self.time.located_ns == 0 && self.time.unlocated_ns == 0;
        if is_idle && self.used[kind].is_some() {
            return Weighing::By(Weight::Time);
        }
        let costs = self.costs[kind].in_use().copied().filter(|costs| self.can_cost(costs));
        if let Some(costs) = costs {
            self.used[kind] = Some(Weight::Learned);
            return Weighing::Costs(costs);
        }
        let weight = self.wanted[kind].unwrap_or_else(|| Weight::best(kind));
        let uncounted = Weight::ALL.into_iter().zip(self.uncounted).any(|(other, not)| other == weight && not);
        let is_counted = weight == Weight::Time || (self.is_located() && !uncounted);
        let used = if is_counted { weight } else { Weight::Time };
        if self.wanted[kind].is_some() && !is_counted && self.warned[kind] != Some(weight) {
            self.warned[kind] = Some(weight);
            tracing::warn!(
                zone = kind.name(),
                weight = weight.name(),
                source,
                "this weight is asked for, but not counted here; energy is divided by time instead"
            );
        }
        self.used[kind] = Some(used);
        Weighing::By(used)
    }

    /// Whether all that has a cost is counted of all work in this interval.
    fn can_cost(&self, costs: &WorkCosts) -> bool {
        let needed = [costs.second, costs.cycle, costs.instruction, costs.cache_miss].map(|cost| cost > 0.0);
        self.is_located() && self.uncounted.iter().zip(needed).all(|(uncounted, needed)| !(needed && *uncounted))
    }

    /// Learns what work costs in a zone of which nothing is asked for, from the power that it drew in this interval.
    pub(super) fn learn(&mut self, kind: ZoneKind, power: Power, node: Node<'_>, elapsed: Duration) {
        if self.wanted[kind].is_none()
            && let Some(work) = self.done(node)
        {
            self.costs[kind].observe(&work, power, elapsed, Weight::best(kind));
        }
    }

    /// What was found out about costs.
    pub(super) fn learned(&self, kind: ZoneKind) -> Option<Learned> {
        self.costs[kind].learned().copied()
    }

    /// What all processors did in this interval: as they count, or as is known of nearly all work. Time is multiplied by capacity.
    fn done(&self, node: Node<'_>) -> Option<Work> {
        let mut sum = NOTHING;
        for (index, located) in self.located.iter().enumerate() {
            let busy_ns = busy_ns(node, index)?.max(located.time_ns);
            let capacity = self.capacities.get(index).copied().unwrap_or(1);
            let counted = node.counted.get(index).filter(|counted| **counted != Work::default());
            let is_known = |ns: u64| ns as f64 >= MOST * busy_ns as f64;
            let work = match counted {
                Some(counted) => *counted,
                None if busy_ns == 0 => NOTHING,
                None if is_known(located.time_ns) => self.extrapolated(located, busy_ns),
                None => return None,
            };
            sum.time_ns = sum.time_ns.saturating_add(busy_ns.saturating_mul(capacity));
            for (sum, more) in [
                (&mut sum.cycles, work.cycles),
                (&mut sum.instructions, work.instructions),
                (&mut sum.cache_misses, work.cache_misses),
            ] {
                *sum = sum.zip(more).map(|(sum, more)| sum.saturating_add(more));
            }
        }
        Some(sum)
    }

    /// What known work would be if all busy time were like it; what is not counted of all is unknown.
    fn extrapolated(&self, located: &Work, busy_ns: u64) -> Work {
        let [_, cycles, instructions, cache_misses] = Weight::ALL.map(|weight| {
            let is_counted = Weight::ALL.into_iter().zip(self.uncounted).all(|(other, not)| other != weight || !not);
            let known = weight.of(located, 1).filter(|_| is_counted)?;
            Some(Amount::extrapolated(known, busy_ns, located.time_ns).whole)
        });
        Work { time_ns: busy_ns, cycles, instructions, cache_misses }
    }

    /// What there is in a pool's domains.
    fn amount(&self, package: Option<u32>, weighing: Weighing, node: Node<'_>) -> Amount {
        let is_time = matches!(weighing, Weighing::By(Weight::Time));
        let of_domains = node.domains.busy_ns();
        let (mut located, mut located_ns, mut pool_busy_ns) = (0u64, 0u64, 0u64);
        let mut whole = Some(0u64);
        for (index, domain) in node.domains.domains().iter().enumerate() {
            if package.is_some_and(|package| package != domain.package) {
                continue;
            }
            let work = self.located.get(index).unwrap_or(&NOTHING);
            let capacity = self.capacities.get(index).copied().unwrap_or(1);
            let here = weighing.of(work, capacity).unwrap_or(0);
            let busy = of_domains.get(index).map(|&busy| busy.max(work.time_ns));
            located = located.saturating_add(here);
            located_ns = located_ns.saturating_add(work.time_ns);
            pool_busy_ns = pool_busy_ns.saturating_add(busy.unwrap_or(0));
            let all_busy = if is_time { busy } else { busy.or_else(|| busy_ns(node, index)) };
            let all = weighing.of_all(node.counted.get(index), all_busy, capacity);
            whole = whole.zip(all).map(|(sum, all)| sum.saturating_add(all.max(here)));
        }
        if package.is_none() && (!self.is_located() || node.domains.busy_ns().is_empty()) {
            (whole, pool_busy_ns) = (whole.filter(|_| !is_time), node.busy_ns);
        }
        match whole {
            Some(whole) => Amount { whole: whole.max(located), located },
            None => Amount::extrapolated(located, pool_busy_ns, located_ns),
        }
    }

    /// The energy of a claimant's work in each zone. The same must have been recorded before.
    pub(super) fn share(
        &mut self,
        domains: &CpuDomains,
        works: impl Iterator<Item = (u16, Work)> + Clone,
        used_ns: u64,
    ) -> PerZone<Energy> {
        let mut energy = PerZone::default();
        for open in &mut self.pools {
            let (mut located, mut unlocated_ns) = (0u64, used_ns);
            for (index, work) in works.clone() {
                let Some(domain) = domains.get(index) else { continue };
                unlocated_ns = unlocated_ns.saturating_sub(work.time_ns);
                if open.package.is_none_or(|package| package == domain.package) {
                    let capacity = self.capacities.get(usize::from(index)).copied().unwrap_or(1);
                    located = located.saturating_add(open.weighing.of(&work, capacity).unwrap_or(0));
                }
            }
            energy[open.kind] += open.pool.share(located, unlocated_ns);
        }
        energy
    }

    /// What no claimant got, in each zone.
    pub(super) fn rest(&self) -> PerZone<Energy> {
        let mut rest = PerZone::default();
        for open in &self.pools {
            rest[open.kind] += open.pool.rest();
        }
        rest
    }
}

/// Busy time of a domain; of the only one that is the node's.
fn busy_ns(node: Node<'_>, index: usize) -> Option<u64> {
    let is_only = node.domains.domains().len() == 1;
    node.domains.busy_ns().get(index).copied().or_else(|| is_only.then_some(node.busy_ns))
}

/// The work of a process at domains, from what its source reports of all: `located` is sorted by number.
pub(super) fn of_process(located: &[DomainWork], pid: u32) -> &[DomainWork] {
    let start = located.partition_point(|work| work.pid < pid);
    let rest = located.get(start..).unwrap_or_default();
    let length = rest.partition_point(|work| work.pid == pid);
    rest.get(..length).unwrap_or_default()
}

/// Adds up; what is not counted counts nothing, and is not what the sum is used for then.
fn add(sum: &mut Work, work: &Work) {
    let Work { time_ns, cycles, instructions, cache_misses } = work;
    sum.time_ns = sum.time_ns.saturating_add(*time_ns);
    for (sum, more) in
        [(&mut sum.cycles, cycles), (&mut sum.instructions, instructions), (&mut sum.cache_misses, cache_misses)]
    {
        *sum = Some(sum.unwrap_or(0).saturating_add(more.unwrap_or(0)));
    }
}

const NOTHING: Work = Work { time_ns: 0, cycles: Some(0), instructions: Some(0), cache_misses: Some(0) };
