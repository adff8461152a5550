//! Whether a zone's readings are to be believed: errors, counters that stand still, counters that reset all the time.

use super::silent::is_always_drawn;
use crate::counter::EnergyDelta;
use crate::host::{Host, SharedReading, Timestamp};
use crate::meter::follower::Follower;
use crate::meter::{Distrust, Drawn, ReadError, ReadFault, Reading, Zone};
use crate::units::{Energy, Power};
use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

/// Failed readings in a row after which a zone is taken as lost. A counter that is back sooner shows what was drawn
/// meanwhile, which no estimate does.
const FAILURES: u32 = 10;
/// Resets in a row after which a counter is taken as broken, or somewhat more among other readings: a wrong unit makes every
/// step implausible, and one that begins again whenever it is read falls at every other reading.
const RESETS: u32 = 5;
/// What a reset counts against a reading that went on.
const RESET_WEIGHT: u32 = 3;
/// A package, memory or a platform draws power even at rest, and counters move every millisecond: one that stands
/// still for this long, while processors were busy for this CPU time, does not count.
const STANDS_STILL: Duration = Duration::from_secs(3);
const BUSY_MEANWHILE: Duration = Duration::from_millis(500);
/// A zone that comes and goes is reported once in this time, and one that has gone for good sooner.
const REPORT_INTERVAL: Duration = Duration::from_secs(600);
const REPORT_LOSS_INTERVAL: Duration = Duration::from_secs(60);

/// Tells how long processors were busy, when asked: most readings do not ask.
#[derive(Debug, Default)]
pub(super) struct BusyClock {
    /// `None` for a chain of one meter that was at hand, which is not doubted.
    host: Option<Host>,
}

impl BusyClock {
    pub(super) fn new(host: &Host) -> Self {
        BusyClock { host: Some(host.clone()) }
    }

    fn busy(&self, at: Timestamp) -> Option<Duration> {
        self.processors(at).map(|reading| reading.times.busy)
    }

    /// What each processor did by `at`, if that can be read.
    pub(super) fn processors(&self, at: Timestamp) -> Option<SharedReading<'_>> {
        self.host.as_ref()?.cpu_times(at).ok()
    }
}

/// Follows one zone's readings, and judges them.
#[derive(Debug)]
pub(super) struct ZoneWatch {
    follower: Follower,
    last: Option<Reading>,
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
            follower: Follower::new(zone.modulus, zone.max_power),
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
        self.last
    }

    /// Opening it again did not find it either: that is written, unless its first failure was.
    pub(super) fn miss(&mut self, source: &'static str, zone: &Zone, reason: &str, at: &Timestamp) {
        if self.report.is_failing && !self.report.is_written {
            self.report.write(source, zone, reason, at);
        }
    }

    /// An estimate stands in for the zone from now on, or another source.
    pub(super) fn lose(&mut self) {
        self.follower.lose();
    }

    /// So much was estimated in its stead.
    pub(super) fn estimate(&mut self, energy: Energy, elapsed: Duration) {
        self.follower.estimate(energy, elapsed);
    }

    /// Takes the next reading: what was drawn since the one before, or an error where it is not believed. Only the readings
    /// of a sensor are doubted, by how long processors were busy.
    pub(super) fn observe(
        &mut self,
        source: &'static str,
        zone: &Zone,
        reading: Result<Reading, ReadError>,
        at: Timestamp,
        busy: Option<&BusyClock>,
    ) -> Result<Drawn, ReadError> {
        let is_sensor = busy.is_some();
        let reading = self.judge(source, zone, reading, at, busy)?;
        let drawn = self.follower.advance(reading, at);
        match drawn.delta {
            EnergyDelta::Reset { .. } => self.resets = self.resets.saturating_add(RESET_WEIGHT),
            EnergyDelta::Exact(_) | EnergyDelta::Wrapped(_) => self.resets = self.resets.saturating_sub(1),
            _ => {}
        }
        if is_sensor && self.resets >= RESETS * RESET_WEIGHT {
            self.distrust = Some(Distrust::Resets);
            return Err(self.disbelieve(source, zone, Distrust::Resets, &at));
        }
        self.report.succeeded(source, zone);
        Ok(drawn)
    }

    /// The same of a zone for which an estimate stands in: what it drew is left for when it is in use again.
    pub(super) fn observe_replaced(
        &mut self,
        source: &'static str,
        zone: &Zone,
        reading: Result<Reading, ReadError>,
        at: Timestamp,
        busy: &BusyClock,
    ) -> Result<(), ReadError> {
        self.judge(source, zone, reading, at, Some(busy))?;
        self.report.succeeded(source, zone);
        Ok(())
    }

    /// Gives a reading back if it is to be believed.
    fn judge(
        &mut self,
        source: &'static str,
        zone: &Zone,
        reading: Result<Reading, ReadError>,
        at: Timestamp,
        busy: Option<&BusyClock>,
    ) -> Result<Reading, ReadError> {
        let reading = match reading {
            Ok(reading) => reading,
            Err(error) => {
                self.failures = self.failures.saturating_add(1);
                self.report.failed(source, zone, &error.source, &at, self.is_lost());
                return Err(error);
            }
        };
        self.failures = 0;
        if let Some(busy) = busy {
            self.look_for_standstill(zone, reading, at, busy);
        }
        self.last = Some(reading);
        match self.distrust {
            Some(distrust) => Err(self.disbelieve(source, zone, distrust, &at)),
            None => Ok(reading),
        }
    }

    fn disbelieve(&mut self, source: &'static str, zone: &Zone, distrust: Distrust, at: &Timestamp) -> ReadError {
        let error = ReadError::new(Arc::clone(&zone.path), distrust);
        self.report.failed(source, zone, &error.source, at, true);
        error
    }

    fn look_for_standstill(&mut self, zone: &Zone, reading: Reading, at: Timestamp, busy: &BusyClock) {
        let is_always_drawn = is_always_drawn(zone.kind);
        let stands = match reading {
            Reading::Counter(_) => self.last == Some(reading),
            Reading::Power(power) => power == Power::ZERO,
        };
        if !is_always_drawn || !stands {
            self.still = None;
            if self.distrust == Some(Distrust::Stuck) {
                self.distrust = None;
                // It did not count meanwhile.
                self.follower.restart();
            }
            return;
        }
        match self.still {
            None => self.still = busy.busy(at).map(|busy| (at, busy)),
            Some((since, busy_then)) => {
                let is_long = self.distrust.is_none() && at.since(&since) >= STANDS_STILL;
                if is_long && busy.busy(at).is_some_and(|now| now.saturating_sub(busy_then) >= BUSY_MEANWHILE) {
                    self.distrust = Some(Distrust::Stuck);
                }
            }
        }
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
    fn failed(&mut self, source: &'static str, zone: &Zone, error: &ReadFault, at: &Timestamp, is_lost: bool) {
        let begins = !std::mem::replace(&mut self.is_failing, true);
        if self.is_written && !begins {
            return;
        }
        let interval = if is_lost { REPORT_LOSS_INTERVAL } else { REPORT_INTERVAL };
        if self.written.is_some_and(|written| at.monotonic.saturating_sub(written) < interval) {
            self.unwritten += u32::from(begins);
            return;
        }
        self.write(source, zone, error, at);
    }

    fn write(&mut self, source: &'static str, zone: &Zone, error: impl Display, at: &Timestamp) {
        tracing::warn!(source, zone = %zone.kind, path = &*zone.path, %error, earlier = self.unwritten, "a zone stopped giving numbers");
        (self.written, self.is_written, self.unwritten) = (Some(at.monotonic), true, 0);
    }

    fn succeeded(&mut self, source: &'static str, zone: &Zone) {
        self.is_failing = false;
        if std::mem::take(&mut self.is_written) {
            tracing::info!(source, zone = %zone.kind, path = &*zone.path, "a zone gives numbers again");
        }
    }
}
