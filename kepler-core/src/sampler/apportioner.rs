//! Apportioning an interval's active energy: which pools there are, what weighs in each, and who gets what.
//!
//! First all work is [recorded](Apportioner::record), then the pools are [opened](Apportioner::open), then each
//! [share](Apportioner::share) is taken: what a weight is worth is known only once all are.

use super::busy::DomainTimes;
use crate::attribution::pool::{Amount, Pool, Time};
use crate::attribution::{Weight, Weights};
use crate::host::{CpuDomain, CpuDomains};
use crate::units::{Energy, PerZone, ZoneKind};
use crate::usage::{DomainWork, Work};

/// The pools of one interval.
#[derive(Debug)]
pub(super) struct Apportioner {
    wanted: Weights,
    /// By what each zone was apportioned in the last interval in which there was any work.
    used: PerZone<Option<Weight>>,
    warned: PerZone<Option<Weight>>,
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
    weight: Weight,
    pool: Pool,
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
        for (kind, package, energy) in energies {
            let weight = self.weight(kind, source);
            if energy == Energy::ZERO {
                continue;
            }
            let is_by_domain = self.is_located() && !node.domains.busy_ns().is_empty();
            let busy_ns = if is_by_domain { by_domain_ns } else { node.busy_ns.max(self.time.located_ns) };
            let pool = Pool::new(energy, self.amount(package, weight, node), Time { busy_ns, ..self.time });
            self.pools.push(ZonePool { kind, package, weight, pool });
        }
    }

    /// The weight for a zone in this interval: as asked for, or the best; time where that is not counted.
    fn weight(&mut self, kind: ZoneKind, source: &'static str) -> Weight {
        let is_idle = self.time.located_ns == 0 && self.time.unlocated_ns == 0;
        if let Some(known) = self.used[kind].filter(|_| is_idle) {
            return known;
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
        used
    }

    /// What there is in a pool's domains.
    fn amount(&self, package: Option<u32>, weight: Weight, node: Node<'_>) -> Amount {
        let (busy_ns, counted) = (node.domains.busy_ns(), node.counted);
        let (mut located, mut located_ns, mut pool_busy_ns) = (0u64, 0u64, 0u64);
        let mut whole = Some(0u64);
        for (index, domain) in node.domains.domains().iter().enumerate() {
            if package.is_some_and(|package| package != domain.package) {
                continue;
            }
            let work = self.located.get(index).unwrap_or(&NOTHING);
            let capacity = self.capacities.get(index).copied().unwrap_or(1);
            let here = weight.of(work, capacity).unwrap_or(0);
            let busy = busy_ns.get(index).map(|&busy| busy.max(work.time_ns));
            located = located.saturating_add(here);
            located_ns = located_ns.saturating_add(work.time_ns);
            pool_busy_ns = pool_busy_ns.saturating_add(busy.unwrap_or(0));
            let all = match weight {
                // With its capacity a domain's own busy time is all there is to know.
                Weight::Time => busy.map(|busy| busy.saturating_mul(capacity)),
                _ => counted.get(index).and_then(|counted| weight.of(counted, 1)),
            };
            whole = whole.zip(all).map(|(sum, all)| sum.saturating_add(all.max(here)));
        }
        if package.is_none() && (!self.is_located() || node.domains.busy_ns().is_empty()) {
            (whole, pool_busy_ns) = (whole.filter(|_| weight != Weight::Time), node.busy_ns);
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
                    located = located.saturating_add(open.weight.of(&work, capacity).unwrap_or(0));
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
