//! Counters that stand at zero since they were opened: a zone that is listed and was never seen to count.
//!
//! The kernel leaves out counters that read zero, but for `psys`, which it does not check (`arch/x86/events/rapl.c`), and
//! hypervisors list zones that they do not fill. Such a zone is no measurement: it is not used until it has moved, and another
//! source can take its place meanwhile. The same holds for a zone beside the package that was found out later to stand still
//! or to begin again all the time.

use crate::availability::{Remedy, Unavailable};
use crate::host::Timestamp;
use crate::meter::{Distrust, EnergyMeter, ReadError, Reading, SkippedZone, Zone};
use crate::units::{Energy, ZoneKind};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

/// Counters move every millisecond. One that starts when it is opened, as perf's, has this long to begin.
const PATIENCE: Duration = Duration::from_millis(20);
const STEP: Duration = Duration::from_millis(2);

/// Why a zone of a sensor is not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Silence {
    /// Its counter stands at zero although what it counts draws power even at rest.
    Zero,
    /// Its readings were not believed, and are still the same.
    Doubted(Distrust),
}

/// Zones beside the package whose readings were not believed.
#[derive(Debug, Default)]
pub(super) struct Doubts(Vec<Doubt>);

#[derive(Debug)]
struct Doubt {
    source: &'static str,
    path: Arc<str>,
    distrust: Distrust,
    /// What it said: one that stood still is used again once it says something else.
    reading: Option<Reading>,
    /// When one that begins again all the time is given another try.
    until: Duration,
}

impl Doubts {
    /// Leaves a zone out from now on.
    pub(super) fn add(
        &mut self,
        source: &'static str,
        zone: &Zone,
        distrust: Distrust,
        reading: Option<Reading>,
        until: Duration,
    ) {
        self.0.retain(|doubt| !doubt.is_of(source, zone));
        self.0.push(Doubt { source, path: Arc::clone(&zone.path), distrust, reading, until });
    }

    /// Forgets those whose time has passed.
    pub(super) fn expire(&mut self, at: &Timestamp) {
        self.0.retain(|doubt| doubt.distrust == Distrust::Stuck || at.monotonic < doubt.until);
    }

    pub(super) fn has(&self, source: &'static str, zone: &Zone) -> bool {
        self.0.iter().any(|doubt| doubt.is_of(source, zone))
    }

    /// Why a zone's reading is still not believed, if it is not.
    fn about(&self, source: &'static str, zone: &Zone, reading: &Result<Reading, ReadError>) -> Option<Distrust> {
        let doubt = self.0.iter().find(|doubt| doubt.is_of(source, zone))?;
        let is_same = || reading.as_ref().is_ok_and(|reading| Some(reading) == doubt.reading.as_ref());
        (doubt.distrust != Distrust::Stuck || is_same()).then_some(doubt.distrust)
    }
}

impl Doubt {
    fn is_of(&self, source: &'static str, zone: &Zone) -> bool {
        self.source == source && self.path == zone.path
    }
}

/// For each zone of a sensor, whether and why it is not used.
pub(super) fn find(meter: &mut dyn EnergyMeter, doubts: &Doubts) -> Vec<Option<Silence>> {
    let (begun, mut readings) = (Instant::now(), Vec::new());
    let mut is_heard = vec![false; meter.zones().len()];
    loop {
        meter.read(Timestamp::now(), &mut readings);
        let (source, zones) = (meter.source(), meter.zones());
        let silence = |((heard, zone), reading): ((&mut bool, &Zone), &Result<Reading, ReadError>)| {
            let doubt = || doubts.about(source, zone, reading).map(Silence::Doubted);
            let is_zero = is_always_drawn(zone.kind) && matches!(reading, Ok(Reading::Counter(Energy::ZERO)));
            let silence = is_zero.then_some(Silence::Zero).or_else(doubt).filter(|_| !*heard);
            *heard |= silence.is_none();
            silence
        };
        let silent: Vec<_> = is_heard.iter_mut().zip(zones).zip(&readings).map(silence).collect();
        if silent.iter().all(Option::is_none) || begun.elapsed() >= PATIENCE {
            return silent;
        }
        thread::sleep(STEP);
    }
}

/// What is not used for that, each with the reason. Where another zone of the kind counts, the sum lacks this one.
pub(super) fn skipped(meter: &dyn EnergyMeter, silent: &[Option<Silence>]) -> Vec<SkippedZone> {
    let zones = || meter.zones().iter().zip(silent);
    let found = zones().filter_map(|(zone, silence)| Some((zone, (*silence)?))).map(|(zone, silence)| {
        let (why, fault) = match silence {
            Silence::Zero => ("stands at zero: it was not seen to count".to_owned(), Distrust::Stuck),
            Silence::Doubted(distrust) => (format!("is not believed: {distrust}"), distrust),
        };
        let unavailable =
            Unavailable::new(meter.source(), format!("{} ({}) {why}", zone.path, zone.kind), Remedy::None);
        match zones().any(|(other, silence)| other.kind == zone.kind && silence.is_none()) {
            true => SkippedZone::missing(zone.kind, zone.package, unavailable).with_fault(fault.name()),
            false => SkippedZone::unused(unavailable),
        }
    });
    found.collect()
}

/// Whether a zone of this kind draws power even at rest.
pub(super) const fn is_always_drawn(kind: ZoneKind) -> bool {
    matches!(kind, ZoneKind::Package | ZoneKind::Dram | ZoneKind::Psys)
}
