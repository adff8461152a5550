//! The node's activity: from counts to rates.

use crate::host::{BusyWindow, SoftInterrupts, Timestamp};
use crate::usage::{Activity, Work};
use std::time::Duration;

/// Remembers the counts of the tick before.
#[derive(Debug, Default)]
pub(super) struct Rates {
    last: Option<(SoftInterrupts, Timestamp)>,
}

impl Rates {
    /// The rates since the last time that these counts were known; `counted` is what all processors did in
    /// this interval, by domain. What is not known now has none.
    pub(super) fn advance(
        &mut self,
        busy: Option<BusyWindow>,
        counts: Option<SoftInterrupts>,
        counted: &[Work],
        interval: Duration,
        at: Timestamp,
    ) -> Activity {
        let busy = busy.filter(|window| !window.elapsed.is_zero());
        let cpu_time = busy.map(|window| window.busy.as_secs_f64() * 1000.0 / window.elapsed.as_secs_f64());
        let before = counts.and_then(|now| self.last.replace((now, at)));
        let elapsed = before.map_or(0.0, |(_, then)| at.since(&then).as_secs_f64());
        let rate = |count: fn(&SoftInterrupts) -> u64| {
            let (now, (before, _)) = counts.zip(before).filter(|_| elapsed > 0.0)?;
            // A processor that goes takes its counts out of the sum: then nobody knows.
            Some(count(&now).checked_sub(count(&before))? as f64 / elapsed)
        };
        let counter = |count: fn(&Work) -> Option<u64>| {
            let sum = counted.iter().try_fold(0u64, |sum, domain| Some(sum.saturating_add(count(domain)?)))?;
            (!counted.is_empty() && !interval.is_zero()).then(|| sum as f64 / interval.as_secs_f64())
        };
        Activity {
            cpu_time,
            cycles: counter(|work| work.cycles),
            instructions: counter(|work| work.instructions),
            cache_misses: counter(|work| work.cache_misses),
            block_interrupts: rate(|counts| counts.block),
            network_receive_interrupts: rate(|counts| counts.network_receive),
            network_transmit_interrupts: rate(|counts| counts.network_transmit),
            ..Activity::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(block: u64) -> Option<SoftInterrupts> {
        Some(SoftInterrupts { block, network_receive: 2 * block, network_transmit: 0 })
    }

    #[test]
    fn rates_are_per_second_and_cover_the_time_in_which_nothing_could_be_read() {
        let (mut rates, start) = (Rates::default(), Timestamp::now());
        let at = |seconds| start.advanced(Duration::from_secs(seconds));
        assert_eq!(rates.advance(None, counts(100), &[], Duration::ZERO, at(0)), Activity::default());
        assert_eq!(rates.advance(None, None, &[], Duration::ZERO, at(1)), Activity::default());
        let busy = BusyWindow { elapsed: Duration::from_secs(2), busy: Duration::from_secs(3) };
        let activity = rates.advance(Some(busy), counts(110), &[], Duration::ZERO, at(2));
        assert_eq!(activity.cpu_time, Some(1500.0));
        assert_eq!((activity.block_interrupts, activity.network_receive_interrupts), (Some(5.0), Some(10.0)));
        assert_eq!((activity.network_transmit_interrupts, activity.cycles), (Some(0.0), None));
    }

    #[test]
    fn counts_that_fall_and_moments_that_coincide_have_no_rate() {
        let (mut rates, at) = (Rates::default(), Timestamp::now());
        rates.advance(None, counts(100), &[], Duration::ZERO, at);
        assert_eq!(rates.advance(None, counts(200), &[], Duration::ZERO, at).block_interrupts, None);
        assert_eq!(
            rates.advance(None, counts(50), &[], Duration::ZERO, at.advanced(Duration::from_secs(1))).block_interrupts,
            None
        );
    }

    #[test]
    fn counters_are_summed_over_places_and_missing_in_one_they_are_missing() {
        let domain = |cycles| Work { cycles: Some(cycles), ..Work::default() };
        let half = Work { instructions: Some(8), ..domain(20) };
        let activity =
            Rates::default().advance(None, None, &[domain(10), half], Duration::from_secs(2), Timestamp::now());
        assert_eq!((activity.cycles, activity.instructions), (Some(15.0), None));
    }
}
