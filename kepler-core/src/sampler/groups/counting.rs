//! Perf counters of a container, by CPU domain.
//!
//! For sources of CPU time that do not know where it was spent. A container's processes share what was counted
//! of it by their time, and so do those of its processes that came and went unseen.

use super::{GroupIndex, Groups};
use crate::usage::Work;
#[cfg(feature = "perf")]
use crate::{
    host::{CpuDomains, Host},
    usage::perf::CgroupCounters,
};

/// Which containers are counted.
#[cfg(feature = "perf")]
#[derive(Debug)]
pub(super) struct Counting {
    domains: CpuDomains,
    /// Descriptors that may still be opened.
    left: usize,
}

/// Descriptors opened at most for all containers together. A hundred containers on two processors, or ten on
/// twenty; the others are charged by their time.
#[cfg(feature = "perf")]
const MOST_DESCRIPTORS: usize = 1024;

/// What is counted of one group.
#[derive(Debug, Default)]
pub(super) struct Counted {
    #[cfg(feature = "perf")]
    counters: Option<CgroupCounters>,
    /// What was done in this interval with the groups within, by domain.
    #[cfg(feature = "perf")]
    all: Vec<Work>,
    /// The same without them; empty if nothing is counted.
    own: Vec<Work>,
}

#[cfg(feature = "perf")]
impl Counting {
    /// Opens the counters of a container, if there is room for them.
    fn open(&mut self, host: &Host, cgroup: &str) -> Option<CgroupCounters> {
        let processors = self.domains.iter().map(|domain| domain.processors.len()).sum();
        let needed = CgroupCounters::descriptors(processors);
        // No more than a quarter of what the process may open at all.
        let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
        let limit = limit.map_or(usize::MAX, |limit| usize::try_from(limit / 4).unwrap_or(usize::MAX));
        let used = MOST_DESCRIPTORS - self.left;
        if needed > self.left || used + needed > limit {
            tracing::debug!(cgroup, "too many containers to count each; this one is charged by its time");
            return None;
        }
        match CgroupCounters::open(host, cgroup, &self.domains) {
            Ok(counters) => {
                self.left -= needed;
                Some(counters)
            }
            Err(error) => {
                tracing::debug!(cgroup, %error, "a container cannot be counted");
                None
            }
        }
    }
}

impl Groups {
    /// From now on containers are counted, as many as there is room for.
    #[cfg(feature = "perf")]
    pub(in crate::sampler) fn count_at(&mut self, domains: &CpuDomains) {
        self.counting = Some(Counting { domains: domains.clone(), left: MOST_DESCRIPTORS });
    }

    /// Counters for a new container.
    #[cfg_attr(not(feature = "perf"), allow(clippy::unused_self, reason = "this build has no counters"))]
    pub(super) fn counted(&mut self, cgroup: Option<&str>) -> Counted {
        #[cfg(feature = "perf")]
        if let (Some(cgroup), Some(counting)) = (cgroup, &mut self.counting) {
            return Counted { counters: counting.open(&self.host, cgroup), ..Counted::default() };
        }
        let _ = cgroup;
        Counted::default()
    }

    /// Gives back what a group's counters took.
    #[cfg_attr(not(feature = "perf"), allow(clippy::unused_self, reason = "this build has no counters"))]
    pub(super) fn close(&mut self, counted: &Counted) {
        #[cfg(feature = "perf")]
        if let (Some(_), Some(counting)) = (&counted.counters, &mut self.counting) {
            let processors = counting.domains.iter().map(|domain| domain.processors.len()).sum();
            counting.left += CgroupCounters::descriptors(processors);
        }
        let _ = counted;
    }

    /// Reads all counters, and takes what is within a group out of what it did itself.
    #[cfg(feature = "perf")]
    pub(super) fn read_counters(&mut self) {
        if self.counting.is_none() {
            return;
        }
        for group in self.groups_mut() {
            group.counted.read();
        }
        for index in 0..self.slots.len() {
            let Some(Some(group)) = self.slots.get_mut(index) else { continue };
            let Some(outer) = group.accounted_in.filter(|_| !group.counted.all.is_empty()) else { continue };
            let within = std::mem::take(&mut group.counted.all);
            if let Some(outer) = self.get_mut(outer) {
                for (own, within) in outer.counted.own.iter_mut().zip(&within) {
                    subtract(own, within);
                }
            }
            if let Some(Some(group)) = self.slots.get_mut(index) {
                group.counted.all = within;
            }
        }
    }

    /// What a part of a group's time was, by domain, if the group is counted: as much of its work as of its time.
    pub(in crate::sampler) fn works(
        &self,
        group: Option<GroupIndex>,
        used_ns: u64,
    ) -> impl Iterator<Item = (u16, Work)> + Clone {
        let group = group.and_then(|group| self.get(group)).filter(|_| used_ns > 0);
        let works = group.map(|group| group.counted.own.as_slice()).unwrap_or_default();
        let whole_ns = group.map_or(0, |group| group.interval.members_ns.saturating_add(group.interval.unexplained_ns));
        (0u16..)
            .zip(works)
            .filter(|(_, work)| work.time_ns > 0)
            .map(move |(domain, work)| (domain, part(work, used_ns, whole_ns)))
    }
}

#[cfg(feature = "perf")]
impl Counted {
    fn read(&mut self) {
        if let Some(counters) = &mut self.counters {
            self.all.clear();
            self.all.extend_from_slice(counters.read());
            self.own.clone_from(&self.all);
        }
    }
}

/// `used` out of `whole` of some work, rounded down; never more than all of it.
fn part(work: &Work, used: u64, whole: u64) -> Work {
    let used = used.min(whole);
    let scale = |amount: u64| {
        let scaled = (u128::from(amount) * u128::from(used)).checked_div(u128::from(whole)).unwrap_or(0);
        u64::try_from(scaled).unwrap_or(amount)
    };
    Work {
        time_ns: scale(work.time_ns),
        cycles: work.cycles.map(scale),
        instructions: work.instructions.map(scale),
        cache_misses: work.cache_misses.map(scale),
    }
}

/// Takes one amount of work out of another; what is not known of either is not known of the rest.
#[cfg(feature = "perf")]
fn subtract(work: &mut Work, part: &Work) {
    let less = |amount: Option<u64>, part: Option<u64>| Some(amount?.saturating_sub(part?));
    work.time_ns = work.time_ns.saturating_sub(part.time_ns);
    work.cycles = less(work.cycles, part.cycles);
    work.instructions = less(work.instructions, part.instructions);
    work.cache_misses = less(work.cache_misses, part.cache_misses);
}

#[cfg(all(test, feature = "perf"))]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn work(time_ns: u64, cycles: Option<u64>) -> Work {
        Work { time_ns, cycles, ..Work::default() }
    }

    #[test]
    fn what_is_counted_within_is_taken_out_and_unknown_stays_unknown() {
        let mut outer = work(100, Some(1000));
        subtract(&mut outer, &work(30, Some(400)));
        assert_eq!(outer, work(70, Some(600)));
        subtract(&mut outer, &work(80, None));
        assert_eq!(outer, work(0, None));
    }

    proptest! {
        #[test]
        fn parts_of_work_never_add_up_to_more(
            work in any::<(u64, Option<u64>)>(), times in prop::collection::vec(0u64..1 << 40, 1..20),
        ) {
            let whole = times.iter().sum();
            let all = Work { time_ns: work.0, cycles: work.1, ..Work::default() };
            let parts: Vec<Work> = times.iter().map(|&used| part(&all, used, whole)).collect();
            prop_assert!(parts.iter().map(|part| u128::from(part.time_ns)).sum::<u128>() <= u128::from(all.time_ns));
            let cycles: Option<u128> = parts.iter().map(|part| part.cycles.map(u128::from)).sum();
            prop_assert!(cycles <= all.cycles.map(u128::from));
        }
    }
}
