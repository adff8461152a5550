//! Dividing an amount by weights so that nothing is lost to rounding.

use crate::units::Energy;

/// Divides energy in proportion to CPU time, in whole microjoules, exactly.
///
/// Each share is the difference of two rounded-down running totals, so it is off by less than 1 µJ,
/// and the shares and the [rest](Divider::rest) add up to the whole.
///
/// ```
/// use kepler_core::attribution::share::Divider;
/// use kepler_core::units::Energy;
///
/// let mut divider = Divider::new(Energy::from_microjoules(100), 3);
/// let shares = [divider.share(1), divider.share(1)];
/// assert_eq!(shares.map(Energy::microjoules), [33, 33]);
/// assert_eq!(divider.rest().microjoules(), 34);
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Divider {
    whole: u64,
    denominator: u64,
    weighed: u64,
    given: u64,
}

impl Divider {
    /// Divides `whole`; a weight of `denominator` would get all of it. Weights that add up to more
    /// than `denominator` get no more than the whole.
    #[must_use]
    pub const fn new(whole: Energy, denominator: u64) -> Self {
        Divider { whole: whole.microjoules(), denominator, weighed: 0, given: 0 }
    }

    /// The share of the next weight.
    pub fn share(&mut self, weight: u64) -> Energy {
        if self.whole == 0 || self.denominator == 0 {
            return Energy::ZERO;
        }
        self.weighed = self.weighed.saturating_add(weight).min(self.denominator);
        let upto = u128::from(self.whole) * u128::from(self.weighed) / u128::from(self.denominator);
        let upto = u64::try_from(upto).unwrap_or(self.whole);
        let part = upto.saturating_sub(self.given);
        self.given = upto;
        Energy::from_microjoules(part)
    }

    /// What has not been given to anyone so far.
    #[must_use]
    pub const fn rest(&self) -> Energy {
        Energy::from_microjoules(self.whole.saturating_sub(self.given))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn five_and_sixty_five_percent_of_the_worked_example() {
        // 135.2 W over 5 s on a fully busy node: CPU 452 J, DRAM 224 J.
        let (cpu, dram) = (Energy::from_joules(452.0), Energy::from_joules(224.0));
        let busy = 40_000_000_000;
        let pods = [busy / 100 * 5, busy / 100 * 65];
        let (mut cpu, mut dram) = (Divider::new(cpu, busy), Divider::new(dram, busy));
        let parts = pods.map(|weight| (cpu.share(weight).joules(), dram.share(weight).joules()));
        assert_eq!(parts, [(22.6, 11.2), (293.8, 145.6)]);
        let watts = parts.map(|(cpu, dram)| (cpu + dram) / 5.0);
        assert!((watts[0] - 6.76).abs() < 1e-9 && (watts[1] - 87.88).abs() < 1e-9, "{watts:?}");
        let joules = parts.map(|(cpu, dram)| cpu + dram);
        assert!((joules[0] - 33.8).abs() < 1e-9 && (joules[1] - 439.4).abs() < 1e-9, "{joules:?}");
    }

    #[test]
    fn without_any_busy_time_all_of_it_is_the_rest() {
        let mut divider = Divider::new(Energy::from_joules(1.0), 0);
        assert_eq!(divider.share(5), Energy::ZERO);
        assert_eq!(divider.rest(), Energy::from_joules(1.0));
    }

    proptest! {
        #[test]
        fn parts_and_rest_add_up_exactly(
            whole in any::<u64>(),
            weights in prop::collection::vec(0u64..1_000_000_000_000, 0..50),
            more in any::<u64>(),
        ) {
            let denominator = weights.iter().sum::<u64>().saturating_add(more);
            let mut divider = Divider::new(Energy::from_microjoules(whole), denominator);
            let mut total = 0u128;
            for &weight in &weights {
                let part = divider.share(weight).microjoules();
                let fair = whole as f64 * weight as f64 / (denominator.max(1)) as f64;
                prop_assert!((part as f64 - fair).abs() <= 1.0 + fair * 1e-9);
                total += u128::from(part);
            }
            prop_assert_eq!(total + u128::from(divider.rest().microjoules()), u128::from(whole));
        }

        #[test]
        fn weights_beyond_the_denominator_never_get_more_than_the_whole(
            whole in any::<u64>(), weights in prop::collection::vec(any::<u64>(), 0..20), denominator in any::<u64>(),
        ) {
            let mut divider = Divider::new(Energy::from_microjoules(whole), denominator);
            let total: u128 = weights.iter().map(|&weight| u128::from(divider.share(weight).microjoules())).sum();
            prop_assert_eq!(total + u128::from(divider.rest().microjoules()), u128::from(whole));
        }
    }
}
