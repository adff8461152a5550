//! One meter of the whole machine, followed from reading to reading.

use super::{PlatformMeter, PlatformReading};
use crate::host::Timestamp;
use crate::units::{Energy, Power};
use std::sync::Arc;
use std::time::Duration;

/// What may be frozen: this many readings in at least this time show the very same figure, while the machine's load, smoothed,
/// has changed by more than that share of its processors; or they do for longer than any sensor stands still.
const FROZEN_READINGS: u32 = 10;
const FROZEN_TIME: Duration = Duration::from_secs(120);
const FROZEN_LOAD: f64 = 0.3;
const FROZEN_FOR_CERTAIN: Duration = Duration::from_secs(3600);

/// Energy that is not asked for is summed up in at most this many pieces.
const MOST_SEGMENTS: usize = 64;

/// What was drawn from one moment to another, on the monotonic clock.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Segment {
    pub(crate) from: Duration,
    pub(crate) to: Duration,
    pub(crate) energy: Energy,
}

/// One meter.
#[derive(Clone, Debug)]
pub(super) struct Followed {
    pub(super) meter: Arc<PlatformMeter>,
    pub(super) energy: Energy,
    /// The time in which it was drawn.
    pub(super) covered: Duration,
    /// The newest reading that is believed.
    pub(super) newest: Option<(Timestamp, Power)>,
    /// Why the latest one is not.
    pub(super) fault: Option<&'static str>,
    /// What was drawn since it was last asked for.
    pub(super) segments: Vec<Segment>,
    /// What is left of a microjoule, in joules.
    rest: f64,
    /// Where the next segment begins.
    last: Option<(Timestamp, Power)>,
    same: Option<Same>,
}

/// How long the very same figure has been shown, and how the load went meanwhile.
#[derive(Clone, Copy, Debug)]
struct Same {
    power: Power,
    since: Timestamp,
    readings: u32,
    load: Option<(f64, f64)>,
}

impl Followed {
    pub(super) fn new(meter: &PlatformMeter) -> Self {
        Followed {
            meter: Arc::new(meter.clone()),
            energy: Energy::ZERO,
            covered: Duration::ZERO,
            newest: None,
            fault: None,
            segments: Vec::new(),
            rest: 0.0,
            last: None,
            same: None,
        }
    }

    /// It cannot be read, or what it says is not believed.
    pub(super) fn fail(&mut self, reason: &'static str) {
        self.fault = Some(reason);
    }

    /// The machine's load, smoothed, is this by now.
    pub(super) fn see_load(&mut self, load: f64) {
        if let Some(same) = &mut self.same {
            let (least, most) = same.load.unwrap_or((load, load));
            same.load = Some((least.min(load), most.max(load)));
        }
    }

    /// Takes a reading.
    ///
    /// # Errors
    /// Why it is not believed, in a fixed word. Nothing is summed up then.
    pub(super) fn take(&mut self, reading: &PlatformReading) -> Result<(), &'static str> {
        let outcome = self.believe(reading);
        self.fault = outcome.err();
        outcome
    }

    fn believe(&mut self, reading: &PlatformReading) -> Result<(), &'static str> {
        let (power, at) = (reading.power, reading.received.before(reading.age));
        // A machine that runs this program draws power: many BMCs say 0 where they do not know.
        if !power.watts().is_finite() || power <= Power::ZERO || power > self.meter.max_power {
            return Err("implausible");
        }
        if reading.age > self.meter.max_age {
            return Err("stale");
        }
        if self.newest.is_some_and(|(then, _)| at.monotonic <= then.monotonic) {
            // The same reading once more: not new, and not wrong until it is too old.
            return Ok(());
        }
        if self.is_frozen(power, &at) {
            self.last = None;
            return Err("frozen");
        }
        self.newest = Some((at, power));
        if let Some((then, before)) = self.last.replace((at, power)) {
            let elapsed = at.since(&then);
            if elapsed <= self.meter.max_gap && !at.suspended_since(&then) {
                self.add((before.watts() + power.watts()) / 2.0, &then, &at);
            }
        }
        Ok(())
    }

    /// Sums up by the trapezoidal rule.
    fn add(&mut self, watts: f64, from: &Timestamp, to: &Timestamp) {
        let elapsed = to.since(from);
        let joules = watts * elapsed.as_secs_f64() + self.rest;
        let energy = Energy::from_microjoules((joules.max(0.0) * 1e6) as u64);
        self.rest = joules - energy.joules();
        self.energy += energy;
        self.covered += elapsed;
        match self.segments.last_mut() {
            // Nothing takes them: what belongs together is kept together, and of what does not the oldest is forgotten.
            Some(last) if last.to == from.monotonic => {
                last.to = to.monotonic;
                last.energy += energy;
            }
            _ => {
                if self.segments.len() >= MOST_SEGMENTS {
                    self.segments.remove(0);
                }
                self.segments.push(Segment { from: from.monotonic, to: to.monotonic, energy });
            }
        }
    }

    fn is_frozen(&mut self, power: Power, at: &Timestamp) -> bool {
        let Some(same) = self.same.as_mut().filter(|same| same.power == power) else {
            self.same = Some(Same { power, since: *at, readings: 1, load: None });
            return false;
        };
        same.readings = same.readings.saturating_add(1);
        let time = at.since(&same.since);
        let load_changed = same.load.is_some_and(|(least, most)| most - least >= FROZEN_LOAD);
        same.readings >= FROZEN_READINGS && time >= FROZEN_TIME && (load_changed || time >= FROZEN_FOR_CERTAIN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meter() -> PlatformMeter {
        PlatformMeter::new("redfish", "bmc", "1")
    }

    /// Feeds readings of the given watts, ten seconds apart, and says what came of each.
    fn feed(followed: &mut Followed, start: &Timestamp, watts: &[f64]) -> Vec<Result<(), &'static str>> {
        let readings = watts.iter().zip(0u64..);
        readings
            .map(|(&watts, index)| {
                let at = start.advanced(Duration::from_secs(10 * index));
                followed.take(&PlatformReading::new(Power::from_watts(watts), at))
            })
            .collect()
    }

    #[test]
    fn power_is_summed_up_over_the_readings_own_times() {
        let (mut followed, start) = (Followed::new(&meter()), Timestamp::now());
        for (received, age, watts) in [(60, 50, 100.0), (61, 41, 200.0), (90, 10, 200.0)] {
            let at = start.advanced(Duration::from_secs(1000 + received));
            let reading = PlatformReading::new(Power::from_watts(watts), at).aged(Duration::from_secs(age));
            assert_eq!(followed.take(&reading), Ok(()));
        }
        // Taken at 10, 20 and 80 s: 10 s of 150 W on the mean, then 60 s of 200 W.
        assert_eq!(followed.energy, Energy::from_joules(1500.0 + 12_000.0));
        assert_eq!(followed.covered, Duration::from_secs(70));
        assert_eq!(followed.segments.len(), 1);
    }

    #[test]
    fn absurd_and_stale_readings_are_named_and_add_nothing() {
        let (mut followed, start) = (Followed::new(&meter()), Timestamp::now());
        for watts in [160_000.0, 4_294_967.295, 0.0, f64::NAN, f64::INFINITY] {
            let outcome = feed(&mut followed, &start, &[watts]);
            assert_eq!(outcome, [Err("implausible")], "{watts}");
        }
        let old = PlatformReading::new(Power::from_watts(300.0), start).aged(Duration::from_secs(7 * 365 * 86_400));
        assert_eq!(followed.take(&old), Err("stale"));
        assert_eq!((followed.energy, followed.newest), (Energy::ZERO, None));
        assert_eq!(followed.fault, Some("stale"));
    }

    #[test]
    fn the_same_reading_again_is_neither_new_nor_a_fault() {
        let (mut followed, start) = (Followed::new(&meter()), Timestamp::now());
        let reading = PlatformReading::new(Power::from_watts(300.0), start.advanced(Duration::from_secs(100)));
        assert_eq!(followed.take(&reading), Ok(()));
        let again = PlatformReading::new(Power::from_watts(300.0), start.advanced(Duration::from_secs(130)));
        assert_eq!(followed.take(&again.aged(Duration::from_secs(30))), Ok(()));
        assert_eq!((followed.energy, followed.covered), (Energy::ZERO, Duration::ZERO));
    }

    #[test]
    fn a_figure_that_stands_still_while_the_load_changes_is_frozen_until_it_moves() {
        let (mut followed, start) = (Followed::new(&meter()), Timestamp::now());
        assert_eq!(feed(&mut followed, &start, &[250.0; 13]), [Ok(()); 13], "an even load is possible");
        let before = followed.energy;
        followed.see_load(0.1);
        followed.see_load(0.8);
        let later = start.advanced(Duration::from_secs(130));
        assert_eq!(feed(&mut followed, &later, &[250.0, 250.0]), [Err("frozen"); 2]);
        assert_eq!(followed.energy, before);
        let later = start.advanced(Duration::from_secs(150));
        assert_eq!(feed(&mut followed, &later, &[400.0, 400.0]), [Ok(()); 2]);
        assert_eq!(
            followed.energy.saturating_sub(before),
            Energy::from_joules(4000.0),
            "counts from the first new one"
        );
    }

    #[test]
    fn a_long_gap_and_sleep_are_not_bridged() {
        let (mut followed, start) = (Followed::new(&meter()), Timestamp::now());
        let gap = PlatformMeter::MAX_GAP + Duration::from_secs(1);
        let mut at = start;
        for (pause, sleep) in [(Duration::ZERO, 0), (gap, 0), (Duration::from_secs(10), 3600)] {
            at = at.advanced(pause);
            at.boottime += Duration::from_secs(sleep);
            assert_eq!(followed.take(&PlatformReading::new(Power::from_watts(100.0), at)), Ok(()));
        }
        assert_eq!(followed.energy, Energy::ZERO);
    }

    #[test]
    fn segments_that_are_not_taken_stay_few() {
        let (mut followed, start) = (Followed::new(&meter()), Timestamp::now());
        for index in 0..1000u64 {
            // Pairs ten seconds apart, each pair after a gap.
            let at = start.advanced(Duration::from_secs(index / 2 * 1000 + index % 2 * 10));
            let power = Power::from_watts(100.0 + index as f64);
            assert_eq!(followed.take(&PlatformReading::new(power, at)), Ok(()));
        }
        assert_eq!(followed.segments.len(), MOST_SEGMENTS);
    }
}
