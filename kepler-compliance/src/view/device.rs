//! Accelerators in an inventory: what each drew, and what a workload used of it.

use super::TimeRange;
use crate::units::{Energy, Power};
use kepler_core::device::{Device, SharesBy};
use kepler_core::meter::Method;
use std::sync::Arc;

/// One accelerator of a node over the range: a part of the node's zone [`ZoneKind::Gpu`](crate::units::ZoneKind::Gpu).
///
/// Always, exactly: `energy = active + idle + unsplit`.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct DeviceEnergy {
    /// Which one it is.
    pub device: Arc<Device>,
    /// The time its figures cover.
    pub covered: TimeRange,
    /// All of it.
    pub energy: Energy,
    /// The part caused by work.
    pub active: Energy,
    /// The part that it would have drawn without work, too.
    pub idle: Energy,
    /// The part drawn while neither its idle power nor its utilisation was known: it may be either.
    pub unsplit: Energy,
    /// The part of `active` that no known workload explains; `None` where the source does not tell it.
    pub unattributed: Option<Energy>,
    /// Power now: the mean between its last two readings; `None` while that is not known.
    pub power: Option<Power>,
    /// The share of time in which it was busy at its newest reading, where it tells.
    pub utilisation: Option<f64>,
    /// Measured or estimated.
    pub method: Method,
    /// The meter it is read by; empty where the source does not say.
    pub source: Arc<str>,
    /// How it was found what each user had of it, at its newest reading with users.
    pub shares_by: Option<SharesBy>,
    /// Why it cannot be read now.
    pub fault: Option<&'static str>,
}

impl DeviceEnergy {
    /// An accelerator that drew nothing. Its fields are public, to be filled in.
    #[must_use]
    pub fn new(device: impl Into<Arc<Device>>, covered: TimeRange, source: impl Into<Arc<str>>) -> Self {
        let device = device.into();
        DeviceEnergy {
            method: device.method,
            device,
            covered,
            energy: Energy::ZERO,
            active: Energy::ZERO,
            idle: Energy::ZERO,
            unsplit: Energy::ZERO,
            unattributed: Some(Energy::ZERO),
            power: None,
            utilisation: None,
            source: source.into(),
            shares_by: None,
            fault: None,
        }
    }

    /// Adds what was drawn before.
    pub(crate) fn add(&mut self, before: &DeviceEnergy) {
        self.covered.start = self.covered.start.min(before.covered.start);
        self.energy += before.energy;
        self.active += before.active;
        self.idle += before.idle;
        self.unsplit += before.unsplit;
        // What is not known of a part is not known of the sum.
        self.unattributed = self.unattributed.zip(before.unattributed).map(|(now, before)| now + before);
        self.method = self.method.weaker(before.method);
        self.shares_by = weaker(self.shares_by, before.shares_by);
    }
}

/// A device that another program reported, as it described it.
#[must_use]
pub fn reported_device(uuid: &str, vendor: &str, name: &str, index: u32) -> Device {
    let vendor = VENDORS.into_iter().find(|known| *known == vendor).unwrap_or("other");
    Device::new(uuid, vendor, name).with(|device| device.index = index)
}

/// The makers whose accelerators meters name.
const VENDORS: [&str; 5] = ["nvidia", "amd", "intel", "rebellions", "furiosa"];

/// What a workload used of one accelerator of its node: a part of its energy in the zone [`ZoneKind::Gpu`](crate::units::ZoneKind::Gpu).
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct WorkloadDeviceEnergy {
    /// [`Device::uuid`] of the accelerator.
    pub uuid: Arc<str>,
    /// Active energy.
    pub energy: Energy,
    /// How the shares were found: the weakest way in the range.
    pub shares_by: Option<SharesBy>,
}

impl WorkloadDeviceEnergy {
    /// Energy of the accelerator with that identifier.
    pub fn new(uuid: impl Into<Arc<str>>, energy: Energy, shares_by: Option<SharesBy>) -> Self {
        WorkloadDeviceEnergy { uuid: uuid.into(), energy, shares_by }
    }
}

/// Adds what was used before of the same accelerators.
pub(crate) fn add_used(to: &mut Vec<WorkloadDeviceEnergy>, before: &[WorkloadDeviceEnergy]) {
    for used in before {
        match to.iter_mut().find(|known| known.uuid == used.uuid) {
            Some(known) => {
                known.energy += used.energy;
                known.shares_by = weaker(known.shares_by, used.shares_by);
            }
            None => to.push(used.clone()),
        }
    }
}

/// The weaker of two ways, where both are known.
pub(crate) fn weaker(a: Option<SharesBy>, b: Option<SharesBy>) -> Option<SharesBy> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.weaker(b)),
        (a, b) => a.or(b),
    }
}
