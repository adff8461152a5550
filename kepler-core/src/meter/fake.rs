//! An artificial meter for development: a plausible curve on a machine that can measure nothing.
//!
//! Requirements: none. It is never chosen automatically, only by name. Its figures are
//! invented, its source says `fake`, and its method is never `measured`.

use super::{EnergyMeter, MeterInventory, Method, Quality, ReadError, Reading, Zone};
use crate::host::Timestamp;
use crate::units::{Energy, ZoneKind};
use std::f64::consts::TAU;
use std::time::Duration;

/// One swing from the mean up, down and back, in seconds.
const PERIOD: f64 = 60.0;

/// A meter that makes figures up, from nothing but the time.
///
/// Each zone's power is a sine around a fixed mean, all in phase, such that the parts never exceed the
/// whole. The same times give the same energy, so tests and demonstrations repeat.
///
/// ```
/// use kepler_core::host::Timestamp;
/// use kepler_core::meter::{EnergyMeter, fake::Fake};
///
/// let mut meter = Fake::default();
/// let mut readings = Vec::new();
/// meter.read(Timestamp::now(), &mut readings);
/// assert_eq!((meter.source(), meter.method().name()), ("fake", "estimated"));
/// assert_eq!(readings.len(), 2);
/// ```
#[derive(Clone, Debug)]
pub struct Fake {
    zones: Vec<Zone>,
    start: Option<Timestamp>,
}

impl Fake {
    /// A meter with one zone of each kind given, in that order.
    #[must_use]
    pub fn new(kinds: &[ZoneKind]) -> Self {
        let zone = |&kind: &ZoneKind| Zone { package: Some(0), ..Zone::new(kind, format!("fake {kind}")) };
        Fake { zones: kinds.iter().map(zone).collect(), start: None }
    }
}

impl Default for Fake {
    /// The zones of a small server: package and dram.
    fn default() -> Self {
        Fake::new(&[ZoneKind::Package, ZoneKind::Dram])
    }
}

impl EnergyMeter for Fake {
    fn source(&self) -> &'static str {
        "fake"
    }

    /// Estimated with an error as large as the figure: it says nothing about this machine.
    fn quality(&self) -> Quality {
        Quality::of(Method::Estimated { error_ratio: 1.0 })
    }

    fn inventory(&self) -> MeterInventory<'_> {
        MeterInventory::of(&self.zones)
    }

    fn read(&mut self, at: Timestamp, readings: &mut Vec<Result<Reading, ReadError>>) {
        let elapsed = at.since(self.start.get_or_insert(at));
        readings.clear();
        readings.extend(self.zones.iter().map(|zone| Ok(Reading::Counter(energy(zone.kind, elapsed)))));
    }
}

/// Mean and swing of the power, in watts. Invented: package ≥ core + uncore and psys ≥ package + dram at
/// every moment, and no mean below its swing, so that no counter runs backwards.
const fn curve(kind: ZoneKind) -> (f64, f64) {
    match kind {
        ZoneKind::Package => (45.0, 25.0),
        ZoneKind::Core => (30.0, 20.0),
        ZoneKind::Uncore => (5.0, 3.0),
        ZoneKind::Dram => (6.0, 2.0),
        ZoneKind::Psys => (80.0, 35.0),
        ZoneKind::Gpu | ZoneKind::Platform => (0.0, 0.0),
    }
}

/// The integral of `mean + swing · sin(2π·t/PERIOD)` from zero: exact at any rate of reading.
fn energy(kind: ZoneKind, elapsed: Duration) -> Energy {
    let (mean, swing) = curve(kind);
    let t = elapsed.as_secs_f64();
    Energy::from_joules(mean * t + swing * PERIOD / TAU * (1.0 - (TAU * t / PERIOD).cos()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn it_never_looks_measured() {
        let meter = Fake::new(&ZoneKind::METERED);
        assert_eq!(meter.source(), "fake");
        assert_eq!(meter.method(), Method::Estimated { error_ratio: 1.0 });
        assert!(meter.zones().iter().all(|zone| zone.path.starts_with("fake ")));
    }

    #[test]
    fn a_whole_period_draws_the_mean() {
        let mut meter = Fake::default();
        let (start, mut readings) = (Timestamp::now(), Vec::new());
        meter.read(start, &mut readings);
        assert_eq!(readings[0].as_ref().unwrap(), &Reading::Counter(Energy::ZERO));
        meter.read(start.advanced(Duration::from_secs(60)), &mut readings);
        assert_eq!(readings[0].as_ref().unwrap(), &Reading::Counter(Energy::from_joules(45.0 * 60.0)));
        assert_eq!(readings[1].as_ref().unwrap(), &Reading::Counter(Energy::from_joules(6.0 * 60.0)));
        assert_eq!(readings.len(), 2);
    }

    proptest! {
        #[test]
        fn no_counter_falls_and_no_part_exceeds_its_whole(from in 0u64..10_000_000, step in 1u64..1_000_000) {
            let drawn = |kind| {
                let (from, to) = (Duration::from_millis(from), Duration::from_millis(from + step));
                energy(kind, to).checked_sub(energy(kind, from))
            };
            let all: Option<Vec<Energy>> = ZoneKind::METERED.into_iter().map(drawn).collect();
            let all = all.expect("a counter fell");
            let [package, core, uncore, dram, psys] = all[..] else { panic!("five kinds") };
            let rounding = Energy::from_microjoules(3);
            prop_assert!(package + rounding >= core + uncore);
            prop_assert!(psys + rounding >= package + dram);
        }
    }
}
