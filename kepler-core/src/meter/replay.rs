//! Recorded traces: what a meter said on some machine, said again.
//!
//! A trace makes a fault repeatable and a demonstration honest. Any meter is recorded by [`Recorder`] and
//! replayed by [`Replay`]; the text between them is comma-separated:
//!
//! ```text
//! # lines like this and empty ones are skipped
//! trace,1,powercap,measured
//! seconds,package:0,dram:0,psys
//! modulus,262143328911,65712999628,
//! max_watts,1500,600,10000
//! 0,262143000000,1000000,500
//! 1.5,60000000,8500000,
//! ```
//!
//! 1. Format version, source of the recorded meter, and `measured` or `estimated:` with the expected
//!    relative error.
//! 2. The zones: the kind, and after a colon the package where it is known. A kind may come more than once.
//! 3. The energy in µJ after which each counter is back at zero; an empty cell where it never is.
//! 4. The most each zone can plausibly draw, W.
//! 5. From here on one line a reading: seconds on any clock, rising, and each counter in µJ. An empty cell
//!    is a zone that could not be read.
//!
//! ```
//! use kepler_core::host::Timestamp;
//! use kepler_core::meter::EnergyMeter;
//! use kepler_core::meter::fake::Fake;
//! use kepler_core::meter::replay::Recorder;
//! use kepler_core::units::ZoneKind;
//!
//! let mut meter = Fake::new(&[ZoneKind::Package]);
//! let mut trace = Recorder::new(Vec::new(), &meter)?;
//! let (at, mut readings) = (Timestamp::now(), Vec::new());
//! meter.read(at, &mut readings);
//! trace.record(at, &readings)?;
//! assert!(trace.finish()?.starts_with(b"trace,1,fake,"));
//! # Ok::<(), std::io::Error>(())
//! ```

mod recorder;
mod trace;

pub use recorder::Recorder;
pub use trace::TraceError;

use super::{EnergyMeter, MeterInventory, Quality, ReadError, ReadFault, Reading, Zone};
use crate::counter::{CounterTracker, EnergyDelta};
use crate::host::Timestamp;
use crate::units::Energy;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use trace::Trace;

/// Says again what a recorded meter said.
///
/// The first read is the start of the trace. At the time of a line the counters are those of the line;
/// between two lines they rise evenly, so that reading faster than was recorded shows no jump that a
/// tracker would rightly disbelieve. Before a reset or a gap the earlier value holds.
///
/// The first read after the last line still has that line's counters, so that no recorded energy is
/// lost; then every zone is an error, because a trace that ended is not a machine that draws nothing.
#[derive(Clone, Debug)]
pub struct Replay {
    trace: Trace,
    start: Option<Timestamp>,
    line: usize,
    ended: bool,
}

impl Replay {
    /// Loads a trace.
    ///
    /// # Errors
    /// When the file cannot be read or is no trace; the error names line and column.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, TraceError> {
        Ok(Replay { trace: Trace::load(path.as_ref())?, start: None, line: 0, ended: false })
    }

    /// The [`EnergyMeter::source`] of the meter that was recorded.
    #[must_use]
    pub fn recorded_source(&self) -> &str {
        &self.trace.source
    }

    /// Moves on to the line that is current at `at`. The time on the trace's clock, or `None` after its end.
    fn advance(&mut self, at: Timestamp) -> Option<Duration> {
        let now = self.trace.lines.first()?.at + at.since(self.start.get_or_insert(at));
        if self.ended {
            return None;
        }
        while self.trace.lines.get(self.line + 1).is_some_and(|next| next.at <= now) {
            self.line += 1;
        }
        self.ended = self.trace.lines.last().is_some_and(|last| now > last.at);
        Some(now)
    }

    /// The counter of the zone in `column` at `now`, which is not before the current line.
    fn counter(&self, column: usize, zone: &Zone, now: Duration) -> Option<Energy> {
        let line = self.trace.lines.get(self.line)?;
        let from = (*line.counters.get(column)?)?;
        let next = self.trace.lines.get(self.line + 1);
        let Some((next, to)) = next.and_then(|next| Some((next, (*next.counters.get(column)?)?))) else {
            return Some(from);
        };
        let start = self.start?;
        let mut tracker = CounterTracker::new(zone.modulus, zone.max_power);
        tracker.update(Reading::Counter(from), start);
        let rise = match tracker.update(Reading::Counter(to), start.advanced(next.at - line.at)) {
            EnergyDelta::Exact(rise) | EnergyDelta::Wrapped(rise) => rise,
            _ => return Some(from),
        };
        // Below 2^64 µJ times 2^64 ns. Rounded down: never ahead of the next line.
        let (gone, whole) = ((now - line.at).as_nanos(), (next.at - line.at).as_nanos());
        let part = u128::from(rise.microjoules()).saturating_mul(gone).checked_div(whole)?;
        let counter = from + Energy::from_microjoules(u64::try_from(part).ok()?);
        Some(zone.modulus.and_then(|modulus| counter.checked_sub(modulus)).unwrap_or(counter))
    }
}

impl EnergyMeter for Replay {
    fn source(&self) -> &'static str {
        "replay"
    }

    /// As it was for the recorded meter.
    fn quality(&self) -> Quality {
        Quality::of(self.trace.method)
    }

    fn inventory(&self) -> MeterInventory<'_> {
        MeterInventory::of(&self.trace.zones)
    }

    fn read(&mut self, at: Timestamp, readings: &mut Vec<Result<Reading, ReadError>>) {
        let now = self.advance(at);
        readings.clear();
        readings.extend(self.trace.zones.iter().enumerate().map(|(column, zone)| {
            let fault = match now.map(|now| self.counter(column, zone, now)) {
                Some(Some(counter)) => return Ok(Reading::Counter(counter)),
                Some(None) => ReadFault::Invalid("it could not be read when the trace was recorded"),
                None => ReadFault::Invalid("the trace has ended"),
            };
            Err(ReadError::new(Arc::clone(&zone.path), fault))
        }));
    }
}
