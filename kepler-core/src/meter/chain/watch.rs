//! Whether a zone's readings are to be believed: errors, counters that stand still, counters that reset all the time.

use crate::counter::{CounterTracker, EnergyDelta};
use crate::host::{CpuTimesReader, Host, Timestamp};
use crate::meter::{ReadError, Reading, Zone};
use crate::units::{Energy, Power, ZoneKind};
use std::io;
use std::time::Duration;

/// After so many failed readings in a row a zone is taken as lost. A counter that is back sooner shows what was drawn
/// meanwhile, which no estimate does.
const FAILURES: u32 = 10;
/// After so many resets in a row a counter is taken as broken: a wrong unit makes every step implausible.
const RESETS: u32 = 5;
/// A package, memory or a platform draws power even at rest, and counters move every millisecond: one that stands
/// still for this long, while processors were busy for this CPU time, does not count.
const STANDS_STILL: Duration = Duration::from_secs(3);
const BUSY_MEANWHILE: Duration = Duration::from_millis(500);
/// A zone that comes and goes is reported once in this time.
const REPORT_INTERVAL: Duration = Duration::from_secs(600);

/// Why a reading that succeeded is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(in crate::meter) enum Distrust {
    /// The counter stands still although processors are busy, as in virtual machines that show counters they lack.
    #[error("it stands still while processors are busy")]
    Stuck,
    /// The counter is reset at every reading, or its unit is not what it says.
    #[error("it is reset at every reading, or its unit is wrong")]
    Resets,
}

impl Distrust {
    /// The `reason` label.
    pub(in crate::meter) const fn name(self) -> &'static str {
        match self {
            Distrust::Stuck => "stuck",
            Distrust::Resets => "resets",
        }
    }
}

/// Reads how long processors were busy, where somebody asks: most readings do not.
#[derive(Debug, Default)]
pub(super) struct BusyClock {
    reader: Option<CpuTimesReader>,
}

impl BusyClock {
    pub(super) fn new(host: &Host) -> Self {
        BusyClock { reader: CpuTimesReader::open(host).ok() }
    }

    fn busy(&mut self) -> Option<Duration> {
        self.reader.as_mut()?.read().ok().map(|times| times.busy)
    }
}

/// Follows one zone's readings.
#[derive(Debug)]
pub(super) struct ZoneWatch {
    tracker: CounterTracker,
    last: Option<(Reading, Timestamp)>,
    failures: u32,
    resets: u32,
    /// Since when the reading is the same, and how busy processors had been by then.
    still: Option<(Timestamp, Duration)>,
    distrust: Option<Distrust>,
    report: Report,
}

impl ZoneWatch {
    pub(super) fn new(zone: &Zone) -> Self {
        ZoneWatch {
            tracker: CounterTracker::new(zone.modulus, zone.max_power),
            last: None,
            failures: 0,
            resets: 0,
            still: None,
            distrust: None,
            report: Report::default(),
        }
    }

    /// Whether the zone gives no numbers that could be used.
    pub(super) fn is_lost(&self) -> bool {
        self.failures >= FAILURES || self.distrust.is_some()
    }

    /// Why its readings are not believed, if they are not.
    pub(super) fn distrust(&self) -> Option<Distrust> {
        self.distrust
    }

    /// The last reading that succeeded.
    pub(super) fn last(&self) -> Option<Reading> {
        self.last.map(|(reading, _)| reading)
    }

    /// Takes the next reading; gives it back, or an error where it is not believed, and the mean power since the one before.
    pub(super) fn observe(
        &mut self,
        source: &'static str,
        zone: &Zone,
        reading: Result<Reading, ReadError>,
        at: Timestamp,
        busy: &mut BusyClock,
    ) -> (Result<Reading, ReadError>, Option<Power>) {
        let reading = match reading {
            Ok(reading) => reading,
            Err(error) => {
                self.failures = self.failures.saturating_add(1);
                self.report.failed(source, zone, &error.source, &at);
                return (Err(error), None);
            }
        };
        self.failures = 0;
        self.look_for_standstill(zone, reading, at, busy);
        let before = self.last.replace((reading, at));
        let delta = self.tracker.update(reading, at);
        match delta {
            EnergyDelta::Reset { .. } => self.resets = self.resets.saturating_add(1),
            EnergyDelta::Exact(_) | EnergyDelta::Wrapped(_) => self.resets = 0,
            _ => {}
        }
        if self.resets >= RESETS {
            self.distrust = Some(Distrust::Resets);
        }
        if let Some(distrust) = self.distrust {
            let source_error = io::Error::new(io::ErrorKind::InvalidData, distrust);
            self.report.failed(source, zone, &source_error, &at);
            return (Err(ReadError { path: zone.path.clone(), source: source_error }), None);
        }
        self.report.succeeded(source, zone);
        let elapsed = before.map(|(_, then)| at.since(&then)).filter(|elapsed| !elapsed.is_zero());
        let power = elapsed.zip(energy(delta)).map(|(elapsed, energy)| energy.over(elapsed));
        (Ok(reading), power)
    }

    fn look_for_standstill(&mut self, zone: &Zone, reading: Reading, at: Timestamp, busy: &mut BusyClock) {
        let is_always_drawn = matches!(zone.kind, ZoneKind::Package | ZoneKind::Dram | ZoneKind::Psys);
        let stands = match reading {
            Reading::Counter(_) => self.last.is_some_and(|(last, _)| last == reading),
            Reading::Power(power) => power == Power::ZERO,
        };
        if !is_always_drawn || !stands {
            self.still = None;
            if self.distrust == Some(Distrust::Stuck) {
                self.distrust = None;
            }
            return;
        }
        match self.still {
            None => self.still = busy.busy().map(|busy| (at, busy)),
            Some((since, busy_then)) => {
                let is_long = self.distrust.is_none() && at.since(&since) >= STANDS_STILL;
                if is_long && busy.busy().is_some_and(|now| now.saturating_sub(busy_then) >= BUSY_MEANWHILE) {
                    self.distrust = Some(Distrust::Stuck);
                }
            }
        }
    }
}

fn energy(delta: EnergyDelta) -> Option<Energy> {
    match delta {
        EnergyDelta::Exact(energy) | EnergyDelta::Wrapped(energy) => Some(energy),
        _ => None,
    }
}

/// One line when a zone stops giving numbers, one when it is back, and not more than that in a while.
#[derive(Debug, Default)]
struct Report {
    is_failing: bool,
    /// Whether the failure was written, so that its end is worth a line.
    is_written: bool,
    written: Option<Duration>,
    /// Failures that were not written since.
    unwritten: u32,
}

impl Report {
    fn failed(&mut self, source: &'static str, zone: &Zone, error: &io::Error, at: &Timestamp) {
        if std::mem::replace(&mut self.is_failing, true) {
            return;
        }
        if self.written.is_some_and(|written| at.monotonic.saturating_sub(written) < REPORT_INTERVAL) {
            self.unwritten += 1;
            return;
        }
        tracing::warn!(source, zone = %zone.kind, path = zone.path, %error, earlier = self.unwritten, "a zone stopped giving numbers");
        (self.written, self.is_written, self.unwritten) = (Some(at.monotonic), true, 0);
    }

    fn succeeded(&mut self, source: &'static str, zone: &Zone) {
        self.is_failing = false;
        if std::mem::take(&mut self.is_written) {
            tracing::info!(source, zone = %zone.kind, path = zone.path, "a zone gives numbers again");
        }
    }
}
