//! The whole machine in a snapshot: each of its meters, and what it draws beside its parts.

use crate::meter::Method;
use crate::platform::PlatformMeter;
use crate::units::{Energy, Power};
use std::sync::Arc;
use std::time::Duration;

/// A meter of the whole machine. It contains zones and devices, and is never added to them.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct PlatformRow {
    /// Which one it is.
    pub meter: Arc<PlatformMeter>,
    /// What it has measured since its first reading, by the readings' own times.
    pub energy: Energy,
    /// The time that `energy` is of. Where readings were missing, this is less than has passed.
    pub covered: Duration,
    /// Its newest reading; `None` where that is not believed or too old.
    pub power: Option<Power>,
    /// How old its newest reading is that is believed; `None` if there was none yet.
    pub age: Option<Duration>,
    /// Why it cannot be read now or is not believed, as in the `reason` label of [faults](super::Snapshot::faults): `stale`,
    /// `implausible`, `frozen`, `timeout`, `replaced` of one in whose place another figure is read, …
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub fault: Option<&'static str>,
}

impl PlatformRow {
    /// A meter that has not shown anything yet. Its fields are public, to be filled in.
    #[must_use]
    pub fn new(meter: impl Into<Arc<PlatformMeter>>) -> Self {
        PlatformRow {
            meter: meter.into(),
            energy: Energy::ZERO,
            covered: Duration::ZERO,
            power: None,
            age: None,
            fault: None,
        }
    }

    /// The same with what it has measured since the meters were as in `before`, by the readings' own times. Energy that is of no
    /// time is not known: it takes two readings.
    #[must_use]
    pub fn since(&self, before: &[PlatformRow]) -> Self {
        let before = before.iter().find(|before| before.meter.is_same(&self.meter));
        let (energy, covered) = before.map(|before| (before.energy, before.covered)).unwrap_or_default();
        PlatformRow {
            energy: self.energy.saturating_sub(energy),
            covered: self.covered.saturating_sub(covered),
            ..self.clone()
        }
    }
}

/// What the machine draws beside the parts that have meters of their own: fans, disks, network, losses of power supplies.
///
/// Over the time that it is known of: `platform = parts + energy`, but for what is shown as `deficit`.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct PlatformResidual {
    /// The meter of the whole.
    pub meter: Arc<PlatformMeter>,
    /// The rest since the meter's first reading. It never falls.
    pub energy: Energy,
    /// What the parts drew beyond the whole, and the rest has still to make up for: meters differ in time and in error.
    pub deficit: Energy,
    /// The time that both are of.
    pub covered: Duration,
    /// Mean over the time between the last two readings, watts. Below zero where the parts say more than the whole.
    pub watts: Option<f64>,
    /// As the weaker of the whole and its parts came to be. Its error is that of their difference, beside what is left: a small rest of
    /// two large figures is known badly, and its relative error may be above 1.
    pub method: Method,
    /// `below_parts` where the parts said distinctly more than the whole between the last two readings: then the meter does not
    /// contain one of them.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub fault: Option<&'static str>,
}

impl PlatformResidual {
    /// A rest of nothing. Its fields are public, to be filled in.
    #[must_use]
    pub fn new(meter: impl Into<Arc<PlatformMeter>>, method: Method) -> Self {
        PlatformResidual {
            meter: meter.into(),
            energy: Energy::ZERO,
            deficit: Energy::ZERO,
            covered: Duration::ZERO,
            watts: None,
            method,
            fault: None,
        }
    }
}
