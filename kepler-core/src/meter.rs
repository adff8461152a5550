//! What measures energy: the [`EnergyMeter`] trait and what a meter says.
//!
//! A meter knows zones and counters, nothing of processes. Each implementation is one file of the
//! submodules; [`chain`] chooses among them. Errors are per zone: one that fails does not silence
//! the others.
//!
//! ```
//! use kepler_core::host::Timestamp;
//! use kepler_core::meter::{EnergyMeter, MeterInventory, Method, Quality, ReadError, Reading, Zone};
//! use kepler_core::units::{Energy, ZoneKind};
//!
//! /// A meter with one counter.
//! struct OneCounter([Zone; 1], Energy);
//!
//! impl EnergyMeter for OneCounter {
//!     fn source(&self) -> &'static str {
//!         "one"
//!     }
//!
//!     fn inventory(&self) -> MeterInventory<'_> {
//!         MeterInventory::of(&self.0)
//!     }
//!
//!     fn quality(&self) -> Quality {
//!         Quality::of(Method::Measured)
//!     }
//!
//!     fn read(&mut self, _at: Timestamp, readings: &mut Vec<Result<Reading, ReadError>>) {
//!         readings.clear();
//!         readings.push(Ok(Reading::Counter(self.1)));
//!     }
//! }
//!
//! let mut meter = OneCounter([Zone::new(ZoneKind::Package, "/sys/one")], Energy::from_joules(7.0));
//! let mut readings = Vec::new();
//! meter.read(Timestamp::now(), &mut readings);
//! assert_eq!(meter.zones()[0].kind, ZoneKind::Package);
//! assert!(matches!(readings[0], Ok(Reading::Counter(energy)) if energy == Energy::from_joules(7.0)));
//! ```

pub mod chain;
#[cfg(feature = "models")]
pub mod configured;
pub mod estimate;
pub mod external;
pub mod fake;
mod fault;
mod follower;
pub mod host;
pub mod hwmon;
mod inventory;
mod limits;
pub mod msr;
#[cfg(feature = "perf")]
pub mod perf;
pub mod powercap;
pub mod replay;
pub(crate) mod sysfs;
mod uncertainty;
mod watchdog;

pub use crate::counter::Reading;
pub use fault::{Distrust, ReadError, ReadFault, reason};
pub use follower::Drawn;
pub(crate) use follower::Follower;
pub use inventory::{MeterInventory, SkippedZone};
pub use uncertainty::{ErrorBounds, EstimateWarnings};

use crate::calibration::Scale;
use crate::host::Timestamp;
use crate::units::{Energy, Power, ZoneKind};
use std::sync::Arc;

/// Reads the energy of some zones.
pub trait EnergyMeter: Send {
    /// Short fixed name, the `source` label: `powercap`, `msr`, `perf`, `hwmon`, `model`, …
    fn source(&self) -> &'static str;

    /// What it found: the zones, in the order in which [`EnergyMeter::read`] reports them, and what is not read, each with
    /// the reason. Fixed for the meter's life.
    fn inventory(&self) -> MeterInventory<'_>;

    /// How good the figures of the last reading are.
    fn quality(&self) -> Quality;

    /// Reads every zone once, at about `at`: clears `readings` and fills it with one entry a zone, in
    /// the order of [`EnergyMeter::zones`].
    fn read(&mut self, at: Timestamp, readings: &mut Vec<Result<Reading, ReadError>>);

    /// Corrects its estimate from now on, or no more: [`LiveCorrection`](crate::calibration::LiveCorrection). A meter that measures, or that was
    /// calibrated, leaves it. Whether it does.
    fn rescale(&mut self, scale: Option<Scale>) -> bool {
        let _ = scale;
        false
    }

    /// The zones of the [inventory](EnergyMeter::inventory).
    fn zones(&self) -> &[Zone] {
        self.inventory().zones
    }

    /// The method of the [quality](EnergyMeter::quality).
    fn method(&self) -> Method {
        self.quality().method
    }
}

/// How good a meter's figures are.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Quality {
    /// Whether they are measured or estimated, and how far off an estimate may be.
    pub method: Method,
    /// Between which bounds the truth lay in the window that was last read, for an estimate that knows more of
    /// that than the method says: they need not be alike on both sides.
    pub error_bounds: Option<ErrorBounds>,
    /// How many windows so far deserve a warning. Nothing for what is measured.
    pub warnings: EstimateWarnings,
}

impl Quality {
    /// Figures of which no more is known than their method.
    #[must_use]
    pub fn of(method: Method) -> Self {
        Quality { method, error_bounds: None, warnings: EstimateWarnings::default() }
    }

    /// The same with the bounds of the last window.
    #[must_use]
    pub fn with_error_bounds(self, error_bounds: Option<ErrorBounds>) -> Self {
        Quality { error_bounds, ..self }
    }

    /// The same with what the estimate warns of.
    #[must_use]
    pub fn with_warnings(self, warnings: EstimateWarnings) -> Self {
        Quality { warnings, ..self }
    }
}

/// How a figure came to be.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(tag = "kind", rename_all = "lowercase")
)]
#[non_exhaustive]
pub enum Method {
    /// By a hardware counter or sensor.
    Measured,
    /// By hardware counters or sensors but for a part, which is estimated from the others: a socket whose counter cannot
    /// be read.
    Partial {
        /// Expected relative error of the whole, one standard deviation (0.1 = ±10 %).
        error_ratio: f64,
    },
    /// By a model.
    Estimated {
        /// Expected relative error, one standard deviation (0.3 = ±30 %).
        error_ratio: f64,
    },
}

impl Method {
    /// `measured`, `partial` or `estimated`, the `method` label.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Method::Measured => "measured",
            Method::Partial { .. } => "partial",
            Method::Estimated { .. } => "estimated",
        }
    }

    /// Expected relative error, one standard deviation; `None` of what is measured.
    #[must_use]
    pub const fn error_ratio(self) -> Option<f64> {
        match self {
            Method::Measured => None,
            Method::Partial { error_ratio } | Method::Estimated { error_ratio } => Some(error_ratio),
        }
    }

    /// The same with this error, where it has one.
    #[must_use]
    pub(crate) const fn with_error(self, error_ratio: f64) -> Self {
        match self {
            Method::Measured => Method::Measured,
            Method::Partial { .. } => Method::Partial { error_ratio },
            Method::Estimated { .. } => Method::Estimated { error_ratio },
        }
    }

    /// The weaker of two methods, which is that of a sum: estimated before partial before measured, then the larger error.
    #[must_use]
    pub fn weaker(self, other: Method) -> Method {
        let rank = |method: Method| match method {
            Method::Measured => 0,
            Method::Partial { .. } => 1,
            Method::Estimated { .. } => 2,
        };
        let larger = self.error_ratio().unwrap_or(0.0).max(other.error_ratio().unwrap_or(0.0));
        if rank(self) >= rank(other) { self } else { other }.with_error(larger)
    }

    /// The method of a sum, from the size of each part (its energy, or its power) and how that came to be: the weakest of the
    /// parts that are not zero, with the mean of their errors by size. That is the error where all parts err alike, and no
    /// less than where they do not. `None` without parts.
    #[must_use]
    pub fn of_sum(parts: impl IntoIterator<Item = (f64, Method)>) -> Option<Method> {
        let (mut any, mut some): (Option<Method>, Option<Method>) = (None, None);
        let (mut size, mut error) = (0.0, 0.0);
        let (mut least, mut most) = (f64::INFINITY, 0.0_f64);
        let weakest =
            |so_far: Option<Method>, method: Method| Some(so_far.map_or(method, |known| known.weaker(method)));
        for (part, method) in parts {
            any = weakest(any, method);
            if part > 0.0 {
                some = weakest(some, method);
                let ratio = method.error_ratio().unwrap_or(0.0);
                (size, error) = (size + part, error + part * ratio);
                (least, most) = (least.min(ratio), most.max(ratio));
            }
        }
        // Of equal errors the mean is the same, also in its last digit.
        let error_ratio = if least < most { (error / size).clamp(least, most) } else { most };
        some.map(|method| method.with_error(error_ratio)).or(any)
    }
}

/// One physical zone of a meter: the `dram` of socket 1, say.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Zone {
    /// What it covers.
    pub kind: ZoneKind,
    /// The package it belongs to, where known.
    pub package: Option<u32>,
    /// Where it is read, for people: a sysfs path, a register, a sensor.
    pub path: Arc<str>,
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
    pub fn new(kind: ZoneKind, path: impl Into<Arc<str>>) -> Self {
        Zone {
            kind,
            package: None,
            path: path.into(),
            modulus: None,
            max_power: kind.plausible_maximum(),
            idle_power: None,
        }
    }
}
