//! The text of a trace, written.

use super::trace::VERSION;
use crate::counter::CounterTracker;
use crate::host::Timestamp;
use crate::meter::{EnergyMeter, Method, ReadError, Reading, Zone};
use crate::units::Energy;
use std::io::{self, Write};

/// Writes what a meter says as a trace for [`super::Replay`].
///
/// Counters are kept as they are, wraps included. Power is integrated into a counter that never wraps.
///
/// ```
/// use kepler_core::host::Timestamp;
/// use kepler_core::meter::{EnergyMeter, fake::Fake, replay::Recorder};
///
/// let (mut meter, mut readings) = (Fake::default(), Vec::new());
/// let mut recorder = Recorder::new(Vec::new(), &meter)?;
/// let at = Timestamp::now();
/// meter.read(at, &mut readings);
/// recorder.record(at, &readings)?;
/// let text = String::from_utf8(recorder.finish()?)?;
/// assert_eq!(text.lines().last(), Some("0.000000000,0,0"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Recorder<W: Write> {
    out: W,
    start: Option<Timestamp>,
    last: Option<Timestamp>,
    integrals: Vec<Integral>,
}

/// The energy of a zone that reports power, since the first reading.
#[derive(Debug)]
struct Integral {
    tracker: CounterTracker,
    total: Energy,
}

impl<W: Write> Recorder<W> {
    /// Starts a trace of `meter` on `out` with the lines that describe its zones. One line is written at
    /// a time: give a buffered writer.
    ///
    /// # Errors
    /// When `out` cannot be written.
    pub fn new(mut out: W, meter: &dyn EnergyMeter) -> io::Result<Self> {
        let method = match meter.method() {
            Method::Measured => "measured".to_owned(),
            Method::Partial { error_ratio } => format!("partial:{error_ratio}"),
            Method::Estimated { error_ratio } => format!("estimated:{error_ratio}"),
        };
        writeln!(out, "trace,{VERSION},{},{method}", meter.source())?;
        let zones = meter.zones();
        row(&mut out, "seconds", zones.iter().map(column))?;
        let modulus = |zone: &Zone| zone.modulus.map(|modulus| modulus.microjoules().to_string()).unwrap_or_default();
        row(&mut out, "modulus", zones.iter().map(modulus))?;
        row(&mut out, "max_watts", zones.iter().map(|zone| zone.max_power.watts().to_string()))?;
        let integral =
            |zone: &Zone| Integral { tracker: CounterTracker::new(zone.modulus, zone.max_power), total: Energy::ZERO };
        Ok(Recorder { out, start: None, last: None, integrals: zones.iter().map(integral).collect() })
    }

    /// Writes what [`EnergyMeter::read`] gave at `at`. A zone in error leaves its cell empty.
    ///
    /// # Errors
    /// When `out` cannot be written, or `at` is not later than the line before.
    pub fn record(&mut self, at: Timestamp, readings: &[Result<Reading, ReadError>]) -> io::Result<()> {
        if self.last.is_some_and(|last| last.monotonic >= at.monotonic) {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "a trace goes forward in time only"));
        }
        self.last = Some(at);
        let elapsed = at.since(self.start.get_or_insert(at));
        write!(self.out, "{}.{:09}", elapsed.as_secs(), elapsed.subsec_nanos())?;
        for (index, integral) in self.integrals.iter_mut().enumerate() {
            match readings.get(index) {
                Some(Ok(Reading::Counter(energy))) => write!(self.out, ",{}", energy.microjoules())?,
                Some(Ok(power)) => {
                    integral.total += integral.tracker.update(*power, at).energy();
                    write!(self.out, ",{}", integral.total.microjoules())?;
                }
                Some(Err(_)) | None => write!(self.out, ",")?,
            }
        }
        writeln!(self.out)
    }

    /// Writes out what is buffered and gives the writer back.
    ///
    /// # Errors
    /// When `out` cannot be written.
    pub fn finish(mut self) -> io::Result<W> {
        self.out.flush()?;
        Ok(self.out)
    }
}

/// `package:0`, or `psys` where the package is not known.
fn column(zone: &Zone) -> String {
    zone.package.map_or_else(|| zone.kind.to_string(), |package| format!("{}:{package}", zone.kind))
}

fn row(out: &mut impl Write, keyword: &str, cells: impl Iterator<Item = String>) -> io::Result<()> {
    write!(out, "{keyword}")?;
    for cell in cells {
        write!(out, ",{cell}")?;
    }
    writeln!(out)
}
