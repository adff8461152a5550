//! Meters of the whole machine in an inventory.

use crate::units::{Energy, Power};
use kepler_core::meter::Method;
use kepler_core::platform::{PlatformMeter, PlatformScope};
use std::sync::Arc;
use std::time::Duration;

/// What a meter of the whole machine showed over the range. It contains zones and devices, and is never added to them.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct PlatformEnergy {
    /// Which meter.
    pub meter: PlatformIdentity,
    /// What it measures, where the source says.
    pub scope: Option<PlatformScope>,
    /// Whether what accelerators draw is contained, where the source says.
    pub contains_gpus: Option<bool>,
    /// Its energy, by its readings' own times.
    pub energy: Energy,
    /// The time that `energy` is of: less than the range where readings were missing; `None` where the source does not say.
    pub covered: Option<Duration>,
    /// Its newest reading; `None` where that is not believed or too old.
    pub power: Option<Power>,
    /// How old its newest believed reading was when the source was read.
    pub age: Option<Duration>,
    /// Measured or estimated.
    pub method: Method,
    /// Why it cannot be read now or is not believed.
    pub fault: Option<Arc<str>>,
}

/// Which meter of the whole machine, as in the labels of `kepler_platform_watts`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub struct PlatformIdentity {
    /// By what it is asked: `redfish`, `ipmi`, …
    pub source: Arc<str>,
    /// Which BMC or outside meter.
    pub bmc_id: Arc<str>,
    /// Which chassis of it.
    pub chassis_id: Arc<str>,
    /// Which of the chassis' figures.
    pub source_id: Arc<str>,
    /// The same for people.
    pub source_name: Arc<str>,
    /// The kind of figure.
    pub source_type: Arc<str>,
}

impl PlatformIdentity {
    /// The meter with these labels; one that lacks a label has it empty.
    #[must_use]
    pub fn of_labels<'a>(label: impl Fn(&str) -> Option<&'a str>) -> Self {
        let text = |name: &str| Arc::from(label(name).unwrap_or_default());
        PlatformIdentity {
            source: text("source"),
            bmc_id: text("bmc_id"),
            chassis_id: text("chassis_id"),
            source_id: text("source_id"),
            source_name: text("source_name"),
            source_type: text("source_type"),
        }
    }
}

impl From<&PlatformMeter> for PlatformIdentity {
    fn from(meter: &PlatformMeter) -> Self {
        PlatformIdentity {
            source: meter.source.into(),
            bmc_id: Arc::clone(&meter.bmc_id),
            chassis_id: Arc::clone(&meter.chassis_id),
            source_id: Arc::clone(&meter.source_id),
            source_name: Arc::clone(&meter.source_name),
            source_type: Arc::clone(&meter.source_type),
        }
    }
}

impl PlatformEnergy {
    /// A meter that has shown nothing. Its fields are public, to be filled in.
    #[must_use]
    pub fn new(meter: PlatformIdentity) -> Self {
        PlatformEnergy {
            meter,
            scope: None,
            contains_gpus: None,
            energy: Energy::ZERO,
            covered: None,
            power: None,
            age: None,
            method: Method::Measured,
            fault: None,
        }
    }

    /// Adds what it showed before.
    pub(super) fn add(&mut self, before: &PlatformEnergy) {
        self.energy += before.energy;
        self.covered = self.covered.zip(before.covered).map(|(now, before)| now + before);
        self.method = self.method.weaker(before.method);
    }
}
