//! One pool of active energy, and the work that shares it.
//!
//! A pool is the active energy of one kind of zone, of one package or of the whole node. Of some work it is
//! known where it was done and what it weighs there ([`Amount::located`]); of other work only how much CPU
//! time it took ([`Time::unlocated_ns`]). The latter can only have been where processors were busy and no work
//! is known to have been: it shares what the former leaves, in every pool alike.

use super::Weight;
use super::share::Divider;
use crate::units::Energy;
use crate::usage::Work;

/// CPU time of the node in an interval, by whether its CPU domain is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Time {
    /// Time of all work.
    pub busy_ns: u64,
    /// Spent by known work in a known CPU domain.
    pub located_ns: u64,
    /// Spent by known work, in a CPU domain that is not known.
    pub unlocated_ns: u64,
}

impl Time {
    /// All busy time, and the parts of known work in known and in unknown domains, in nanoseconds.
    #[must_use]
    pub const fn new(busy_ns: u64, located_ns: u64, unlocated_ns: u64) -> Self {
        Time { busy_ns, located_ns, unlocated_ns }
    }
}

/// What there is in a pool's CPU domains, in the unit of its weight.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Amount {
    /// That of all work.
    pub whole: u64,
    /// That of work whose CPU domain is known.
    pub located: u64,
}

impl Amount {
    /// All of it, and the part of work in known domains.
    #[must_use]
    pub const fn new(whole: u64, located: u64) -> Self {
        Amount { whole, located }
    }

    /// The whole of what is counted of known work only: what is not accounted for is taken to do as much
    /// in its time as what is. `busy_ns` and `located_ns` are those of the pool's CPU domains.
    #[must_use]
    pub fn extrapolated(located: u64, busy_ns: u64, located_ns: u64) -> Self {
        let whole = if located_ns == 0 { busy_ns } else { scale(located, busy_ns.max(located_ns), located_ns) };
        Amount { whole: whole.max(located), located }
    }
}

impl Weight {
    /// What a piece of work weighs; `None` if that is not counted, and of [`Weight::Learned`], which needs costs. Time is multiplied by `capacity`.
    #[must_use]
    pub fn of(self, work: &Work, capacity: u64) -> Option<u64> {
        match self {
            Weight::Time => Some(work.time_ns.saturating_mul(capacity)),
            Weight::Cycles => work.cycles,
            Weight::Instructions => work.instructions,
            Weight::CacheMisses => work.cache_misses,
            Weight::Learned => None,
        }
    }
}

/// Divides the energy of one pool, in whole microjoules, exactly.
///
/// ```
/// use kepler_core::attribution::pool::{Amount, Pool, Time};
/// use kepler_core::units::Energy;
///
/// // The processors were busy for 10 s; of 6 s it is known where, of 3 s only whose they are.
/// let time = Time::new(10, 6, 3);
/// // All of the 6 s were spent here, with 600 cycles, and 1,000 were counted here.
/// let mut pool = Pool::new(Energy::from_microjoules(1000), Amount::new(1000, 600), time);
/// assert_eq!(pool.share(600, 0).microjoules(), 600);
/// assert_eq!(pool.share(0, 3).microjoules(), 300);
/// assert_eq!(pool.rest().microjoules(), 100); // of the second that is not accounted for
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Pool {
    /// What located work leaves to work of unknown domain, in the unit of the weight.
    left: u64,
    /// Unlocated time that would get all of that.
    divisor: u64,
    divider: Divider,
}

impl Pool {
    /// A pool of `energy` to be divided by `amount`, on a node that spent its `time` so.
    #[must_use]
    pub fn new(energy: Energy, amount: Amount, time: Time) -> Self {
        let Amount { whole, located } = amount;
        let whole = whole.max(located);
        let spare_ns = time.busy_ns.saturating_sub(time.located_ns);
        let mut left = whole - located;
        if time.busy_ns == 0 {
            // The clock of idle time has not ticked yet, but work was done.
            left = left.max(time.unlocated_ns);
        } else if time.unlocated_ns > spare_ns {
            // More was done than the processors were busy, by their clock: the whole is more, too.
            left = left.saturating_add(scale(whole, time.unlocated_ns - spare_ns, time.busy_ns));
        }
        Pool {
            left,
            divisor: spare_ns.max(time.unlocated_ns),
            divider: Divider::new(energy, located.saturating_add(left)),
        }
    }

    /// The share of work that weighs `located` here and took `unlocated_ns` in domains that are not known.
    pub fn share(&mut self, located: u64, unlocated_ns: u64) -> Energy {
        let unlocated = if unlocated_ns == 0 { 0 } else { scale(self.left, unlocated_ns, self.divisor) };
        self.divider.share(located.saturating_add(unlocated))
    }

    /// What has not been given to anyone so far.
    #[must_use]
    pub const fn rest(&self) -> Energy {
        self.divider.rest()
    }
}

/// `amount · part / whole`, rounded down; zero if `whole` is.
fn scale(amount: u64, part: u64, whole: u64) -> u64 {
    if part == whole {
        return amount;
    }
    let scaled = (u128::from(amount) * u128::from(part)).checked_div(u128::from(whole)).unwrap_or(0);
    u64::try_from(scaled).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn energy() -> Energy {
        Energy::from_microjoules(1_000_000)
    }

    #[test]
    fn work_of_unknown_domain_is_charged_by_its_time_over_busy_time() {
        let time = Time { busy_ns: 160, located_ns: 0, unlocated_ns: 120 };
        let mut pool = Pool::new(energy(), Amount::extrapolated(0, 160, 0), time);
        assert_eq!(pool.share(0, 80).microjoules(), 500_000);
        assert_eq!(pool.share(0, 40).microjoules(), 250_000);
        assert_eq!(pool.rest().microjoules(), 250_000);
    }

    #[test]
    fn more_work_than_busy_time_shares_all_of_it() {
        for busy_ns in [0, 10, 60] {
            let time = Time { busy_ns, located_ns: 0, unlocated_ns: 120 };
            let mut pool = Pool::new(energy(), Amount::extrapolated(0, busy_ns, 0), time);
            assert_eq!(pool.share(0, 90).microjoules(), 750_000);
            assert_eq!(pool.share(0, 30).microjoules(), 250_000);
        }
    }

    #[test]
    fn what_is_not_accounted_for_is_not_spread_over_the_others() {
        // Half of the busy time is known, with 500 cycles: the other half is taken to have had as many.
        let amount = Amount::extrapolated(500, 100, 50);
        let mut pool = Pool::new(energy(), amount, Time { busy_ns: 100, located_ns: 50, unlocated_ns: 0 });
        assert_eq!(pool.share(500, 0).microjoules(), 500_000);
        assert_eq!(pool.rest().microjoules(), 500_000);
    }

    #[test]
    fn an_idle_package_is_not_charged_even_if_others_worked_somewhere() {
        let time = Time { busy_ns: 100, located_ns: 100, unlocated_ns: 5 };
        let mut pool = Pool::new(energy(), Amount::default(), time);
        assert_eq!(pool.share(0, 5), Energy::ZERO);
        assert_eq!(pool.rest(), energy());
    }

    proptest! {
        #[test]
        fn shares_and_rest_are_the_whole_whatever_the_amounts(
            joules in any::<u64>(),
            whole in any::<u64>(), busy_ns in any::<u64>(),
            works in prop::collection::vec((0u64..1 << 50, 0u64..1 << 50), 0..40),
            unknown in any::<(u64, u64, u64)>(),
        ) {
            let located = works.iter().map(|work| work.0).sum::<u64>();
            let unlocated_ns = works.iter().map(|work| work.1).sum::<u64>();
            let (located_ns, more_located, more_ns) = unknown;
            let amount = Amount { whole, located: located.saturating_add(more_located % 1000) };
            let time = Time { busy_ns, located_ns, unlocated_ns: unlocated_ns.saturating_add(more_ns % 1000) };
            let mut pool = Pool::new(Energy::from_microjoules(joules), amount, time);
            let given: u128 = works.iter().map(|&(p, u)| u128::from(pool.share(p, u).microjoules())).sum();
            prop_assert_eq!(given + u128::from(pool.rest().microjoules()), u128::from(joules));
        }

        #[test]
        fn no_share_is_more_than_its_weight_in_the_whole(
            located in 0u64..1 << 40, others in 0u64..1 << 40, more in 0u64..1 << 40,
        ) {
            let whole = located + others + more;
            let time = Time { busy_ns: 1 << 30, located_ns: 1 << 29, unlocated_ns: 0 };
            let mut pool = Pool::new(energy(), Amount { whole, located: located + others }, time);
            let fair = energy().microjoules() as f64 * located as f64 / whole.max(1) as f64;
            prop_assert!((pool.share(located, 0).microjoules() as f64 - fair).abs() <= 1.0);
        }
    }
}
