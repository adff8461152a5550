//! What was drawn beyond a machine at rest.
//!
//! A baseline is what the machine drew in some time before the work, whatever ran on it then. Work adds energy and busy
//! time to both; their ratio is what a second of CPU time costs beyond rest. That needs no knowledge of idle power, and
//! other load cancels as long as it costs as much a second.

use super::Spent;
use crate::units::Energy;
use std::time::Duration;

/// Where the machine was busier than at rest by less than this share of the CPU time in question, other load has ended
/// meanwhile, and the ratio says nothing.
const LEAST_ADDED: f64 = 0.5;

impl Spent {
    /// The machine's energy beyond what it would have drawn in this time as it did at `rest`, in joules; below zero where it
    /// drew less. `None` where the same zones are not known of both.
    #[must_use]
    pub fn above_rest(&self, rest: &Spent) -> Option<f64> {
        let (machine, before) = (self.machine()?, rest.machine()?);
        (machine.zones == before.zones && !rest.elapsed.is_zero())
            .then(|| machine.energy.joules() - before.energy.joules() * self.times(rest))
    }

    /// The part of that which goes to someone who used `cpu` time: what the machine drew beyond rest, by the busy time beyond
    /// rest. `None` where busy time was not [counted](super::Stopwatch::count_busy_time), or where
    /// the machine was not busier, or drew no more, than at rest.
    #[must_use]
    pub fn part_above_rest(&self, rest: &Spent, cpu: Duration) -> Option<Energy> {
        let joules = self.above_rest(rest).filter(|joules| *joules > 0.0)?;
        let added = self.busy?.as_secs_f64() - rest.busy?.as_secs_f64() * self.times(rest);
        let cpu = cpu.as_secs_f64();
        (added > 0.0 && added >= cpu * LEAST_ADDED).then(|| Energy::from_joules(joules * cpu / added))
    }

    /// How many times as long as `rest`.
    fn times(&self, rest: &Spent) -> f64 {
        self.elapsed.as_secs_f64() / rest.elapsed.as_secs_f64()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::meter::Method;
    use crate::stopwatch::ZoneSpent;
    use crate::units::{PerZone, ZoneKind};

    /// A machine of 40 W, and 20 W more for each busy CPU.
    fn spent(seconds: f64, busy: f64) -> Spent {
        let mut zones = PerZone::default();
        zones[ZoneKind::Package] = Some(ZoneSpent {
            energy: Energy::from_joules(40.0 * seconds + 20.0 * busy),
            source: "powercap",
            method: Method::Measured,
            idle: None,
            is_uncertain: false,
        });
        let duration = Duration::from_secs_f64;
        Spent {
            elapsed: duration(seconds),
            zones,
            own_cpu: Duration::ZERO,
            tree_cpu: Duration::ZERO,
            processors: 2,
            busy: Some(duration(busy)),
        }
    }

    #[test]
    fn a_cpu_second_costs_the_same_whatever_else_runs() {
        let rest = spent(10.0, 3.0);
        for other in [0.0, 1.5, 4.0] {
            let run = spent(5.0, 4.0 + other);
            let part = run.part_above_rest(&rest, Duration::from_secs(4)).unwrap();
            assert!((part.joules() - 80.0).abs() < 1e-5, "{other}: {part}");
        }
        assert!((spent(5.0, 4.0).above_rest(&rest).unwrap() - 50.0).abs() < 1e-9);
    }

    #[test]
    fn a_machine_that_was_busier_at_rest_says_nothing_of_the_work() {
        let rest = spent(10.0, 10.0);
        assert_eq!(spent(5.0, 5.5).part_above_rest(&rest, Duration::from_secs(4)), None);
        assert_eq!(spent(5.0, 4.0).part_above_rest(&rest, Duration::from_secs(4)), None);
        assert!(spent(5.0, 4.0).above_rest(&rest).unwrap() < 0.0, "it drew less");
        let uncounted = Spent { busy: None, ..spent(5.0, 9.0) };
        assert_eq!(uncounted.part_above_rest(&rest, Duration::from_secs(1)), None);
    }
}
