//! What measures energy: the [`EnergyMeter`] trait and what a meter says.
//!
//! A meter knows zones and counters, nothing of processes. Each implementation is one file of the
//! submodules; [`chain`] chooses among them. Errors are per zone: one that fails does not silence
//! the others.

pub mod chain;
#[cfg(feature = "models")]
pub mod configured;
pub mod estimate;
pub mod fake;
pub mod hwmon;
pub mod msr;
#[cfg(feature = "perf")]
pub mod perf;
pub mod powercap;
pub mod replay;
mod uncertainty;

pub use uncertainty::{ErrorBounds, EstimateWarnings};

use crate::host::Timestamp;
use crate::units::{Energy, Power, ZoneKind};
use std::io;

/// Reads the energy of some zones.
pub trait EnergyMeter: Send {
    /// Short fixed name, the `source` label: `powercap`, `msr`, `perf`, `hwmon`, `model`, …
    fn source(&self) -> &'static str;

    /// Whether figures are measured or estimated, and how far off an estimate may be.
    fn method(&self) -> Method;

    /// The zones, in the order in which [`EnergyMeter::read`] reports them. Fixed for the meter's life.
    fn zones(&self) -> &[Zone];

    /// Reads every zone once, at about `at`: clears `readings` and fills it with one entry a zone, in
    /// the order of [`EnergyMeter::zones`].
    fn read(&mut self, at: Timestamp, readings: &mut Vec<Result<Reading, ReadError>>);

    /// Between which bounds the truth lay in the window that was last read, for an estimate that knows more of
    /// that than [`EnergyMeter::method`] says: they need not be alike on both sides.
    fn error_bounds(&self) -> Option<ErrorBounds> {
        None
    }

    /// How many windows so far deserve a warning. Nothing for what is measured.
    fn warnings(&self) -> EstimateWarnings {
        EstimateWarnings::default()
    }
}

/// How a figure came to be.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(tag = "kind", rename_all = "lowercase")
)]
pub enum Method {
    /// By a hardware counter or sensor.
    Measured,
    /// By a model.
    Estimated {
        /// Expected relative error, one standard deviation (0.3 = ±30 %).
        error_ratio: f64,
    },
}

impl Method {
    /// `measured` or `estimated`, the `method` label.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Method::Measured => "measured",
            Method::Estimated { .. } => "estimated",
        }
    }
}

/// One physical zone of a meter: the `dram` of socket 1, say.
#[derive(Clone, Debug, PartialEq)]
pub struct Zone {
    /// What it covers.
    pub kind: ZoneKind,
    /// The package it belongs to, where known.
    pub package: Option<u32>,
    /// Where it is read, for people: a sysfs path, a register, a sensor.
    pub path: String,
    /// After how much energy the counter returns to zero; `None` if it does not within 64 bits of
    /// microjoules, or if the zone reports power.
    pub modulus: Option<Energy>,
    /// The most this zone can plausibly draw. A counter that rose faster did not count.
    pub max_power: Power,
    /// The known idle power of the zone, where the meter is a model that knows it.
    pub idle_power: Option<Power>,
}

impl Zone {
    /// A zone with the default plausible maximum of its kind, which no processor of today reaches.
    #[must_use]
    pub fn new(kind: ZoneKind, path: impl Into<String>) -> Self {
        let max_watts = match kind {
            ZoneKind::Package | ZoneKind::Core => 1500.0,
            ZoneKind::Uncore | ZoneKind::Dram => 600.0,
            ZoneKind::Psys => 10_000.0,
        };
        Zone {
            kind,
            package: None,
            path: path.into(),
            modulus: None,
            max_power: Power::from_watts(max_watts),
            idle_power: None,
        }
    }
}

/// What a zone said.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Reading {
    /// A cumulative energy counter, that wraps at the zone's modulus.
    Counter(Energy),
    /// Power at this moment, or averaged by the sensor over its own short window.
    Power(Power),
}

/// Why a zone could not be read this time. Others go on.
#[derive(Debug, thiserror::Error)]
#[error("cannot read {path}: {source}")]
pub struct ReadError {
    /// What was read.
    pub path: String,
    /// What went wrong. The kind decides the `reason` label.
    pub source: io::Error,
}

impl ReadError {
    /// The `reason` label: a short word for the kind of fault.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        reason(&self.source)
    }
}

/// A short fixed word for a kind of input/output fault, used as a metric's `reason` label.
#[must_use]
pub fn reason(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::NotFound => "not_found",
        io::ErrorKind::PermissionDenied => "permission_denied",
        io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => "invalid_data",
        io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => "timeout",
        _ => "io",
    }
}
