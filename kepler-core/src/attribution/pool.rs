//! One pool of active energy, and those who share it.
//!
//! A pool is the active energy of one kind of zone, of one package or of the whole node. Of some work it is
//! known where it was done and what it weighs there ([`Amount::placed`]); of other work only how much CPU
//! time it took ([`Time::unplaced_ns`]). The latter can only have been where processors were busy and nobody
//! is known to have been: it shares what the former leaves, in every pool alike.

use super::Weight;
use super::share::Divider;
use crate::units::Energy;
use crate::usage::Work;

/// CPU time of the node in an interval, by what is known of where it was spent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Time {
    /// All of it, whoever spent it.
    pub busy_ns: u64,
    /// Spent by known work at a known place.
    pub placed_ns: u64,
    /// Spent by known work, nobody knows where.
    pub unplaced_ns: u64,
}

/// What there is in a pool's places, in the unit of its weight.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Amount {
    /// All of it, whoever did it.
    pub whole: u64,
    /// That of work whose place is known.
    pub placed: u64,
}

impl Amount {
    /// The whole of what is counted of known work only: what is not accounted for is taken to do as much
    /// in its time as what is. `busy_ns` and `placed_ns` are those of the pool's places.
    #[must_use]
    pub fn extrapolated(placed: u64, busy_ns: u64, placed_ns: u64) -> Self {
        let whole = if placed_ns == 0 { busy_ns } else { scale(placed, busy_ns.max(placed_ns), placed_ns) };
        Amount { whole: whole.max(placed), placed }
    }
}

impl Weight {
    /// What a piece of work weighs; `None` if that is not counted. Time is multiplied by `capacity`.
    #[must_use]
    pub fn of(self, work: &Work, capacity: u64) -> Option<u64> {
        match self {
            Weight::Time => Some(work.time_ns.saturating_mul(capacity)),
            Weight::Cycles => work.cycles,
            Weight::Instructions => work.instructions,
            Weight::CacheMisses => work.cache_misses,
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
/// let time = Time { busy_ns: 10, placed_ns: 6, unplaced_ns: 3 };
/// // All of the 6 s were spent here, with 600 cycles, and 1,000 were counted here.
/// let mut pool = Pool::new(Energy::from_microjoules(1000), Amount { whole: 1000, placed: 600 }, time);
/// assert_eq!(pool.part(600, 0).microjoules(), 600);
/// assert_eq!(pool.part(0, 3).microjoules(), 300);
/// assert_eq!(pool.rest().microjoules(), 100); // of the second that nobody accounts for
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Pool {
    /// What placed work leaves to work without a place, in the unit of the weight.
    left: u64,
    /// So much time without a place would get all of that.
    divisor: u64,
    divider: Divider,
}

impl Pool {
    /// A pool of `energy` to be divided by `amount`, on a node that spent its `time` so.
    #[must_use]
    pub fn new(energy: Energy, amount: Amount, time: Time) -> Self {
        let Amount { whole, placed } = amount;
        let whole = whole.max(placed);
        let spare_ns = time.busy_ns.saturating_sub(time.placed_ns);
        let mut left = whole - placed;
        if time.busy_ns == 0 {
            // The clock of idle time has not ticked yet, but somebody worked.
            left = left.max(time.unplaced_ns);
        } else if time.unplaced_ns > spare_ns {
            // More was done than the processors were busy, as far as their clock tells: the whole is more, too.
            left = left.saturating_add(scale(whole, time.unplaced_ns - spare_ns, time.busy_ns));
        }
        Pool {
            left,
            divisor: spare_ns.max(time.unplaced_ns),
            divider: Divider::new(energy, placed.saturating_add(left)),
        }
    }

    /// The part of work that weighs so much here, and took so much time nobody knows where.
    pub fn part(&mut self, placed: u64, unplaced_ns: u64) -> Energy {
        let unplaced = if unplaced_ns == 0 { 0 } else { scale(self.left, unplaced_ns, self.divisor) };
        self.divider.part(placed.saturating_add(unplaced))
    }

    /// What nobody has got so far.
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
    fn work_without_places_is_charged_by_its_time_over_busy_time() {
        let time = Time { busy_ns: 160, placed_ns: 0, unplaced_ns: 120 };
        let mut pool = Pool::new(energy(), Amount::extrapolated(0, 160, 0), time);
        assert_eq!(pool.part(0, 80).microjoules(), 500_000);
        assert_eq!(pool.part(0, 40).microjoules(), 250_000);
        assert_eq!(pool.rest().microjoules(), 250_000);
    }

    #[test]
    fn more_work_than_busy_time_shares_all_of_it() {
        for busy_ns in [0, 10, 60] {
            let time = Time { busy_ns, placed_ns: 0, unplaced_ns: 120 };
            let mut pool = Pool::new(energy(), Amount::extrapolated(0, busy_ns, 0), time);
            assert_eq!(pool.part(0, 90).microjoules(), 750_000);
            assert_eq!(pool.part(0, 30).microjoules(), 250_000);
        }
    }

    #[test]
    fn what_nobody_accounts_for_is_not_spread_over_the_others() {
        // Half of the busy time is known, with 500 cycles: the other half is taken to have had as many.
        let amount = Amount::extrapolated(500, 100, 50);
        let mut pool = Pool::new(energy(), amount, Time { busy_ns: 100, placed_ns: 50, unplaced_ns: 0 });
        assert_eq!(pool.part(500, 0).microjoules(), 500_000);
        assert_eq!(pool.rest().microjoules(), 500_000);
    }

    #[test]
    fn an_idle_package_is_nobodys_even_if_others_worked_somewhere() {
        let time = Time { busy_ns: 100, placed_ns: 100, unplaced_ns: 5 };
        let mut pool = Pool::new(energy(), Amount::default(), time);
        assert_eq!(pool.part(0, 5), Energy::ZERO);
        assert_eq!(pool.rest(), energy());
    }

    proptest! {
        #[test]
        fn parts_and_rest_are_the_whole_whatever_the_amounts(
            joules in any::<u64>(),
            whole in any::<u64>(), busy_ns in any::<u64>(),
            works in prop::collection::vec((0u64..1 << 50, 0u64..1 << 50), 0..40),
            unknown in any::<(u64, u64, u64)>(),
        ) {
            let placed = works.iter().map(|work| work.0).sum::<u64>();
            let unplaced_ns = works.iter().map(|work| work.1).sum::<u64>();
            let (placed_ns, more_placed, more_ns) = unknown;
            let amount = Amount { whole, placed: placed.saturating_add(more_placed % 1000) };
            let time = Time { busy_ns, placed_ns, unplaced_ns: unplaced_ns.saturating_add(more_ns % 1000) };
            let mut pool = Pool::new(Energy::from_microjoules(joules), amount, time);
            let given: u128 = works.iter().map(|&(p, u)| u128::from(pool.part(p, u).microjoules())).sum();
            prop_assert_eq!(given + u128::from(pool.rest().microjoules()), u128::from(joules));
        }

        #[test]
        fn nobody_gets_more_than_its_weight_in_the_whole(
            placed in 0u64..1 << 40, others in 0u64..1 << 40, more in 0u64..1 << 40,
        ) {
            let whole = placed + others + more;
            let time = Time { busy_ns: 1 << 30, placed_ns: 1 << 29, unplaced_ns: 0 };
            let mut pool = Pool::new(energy(), Amount { whole, placed: placed + others }, time);
            let fair = energy().microjoules() as f64 * placed as f64 / whole.max(1) as f64;
            prop_assert!((pool.part(placed, 0).microjoules() as f64 - fair).abs() <= 1.0);
        }
    }
}
