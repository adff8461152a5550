//! Accelerators in a snapshot: each with its own figures, and what a workload used of it.

use super::ZonePower;
use crate::attribution::IdlePolicy;
use crate::counter::CounterEvents;
use crate::device::{Device, DeviceAllocation, SharesBy};
use crate::meter::Method;
use crate::units::{Energy, Power};
use std::sync::Arc;
use std::time::Duration;

/// One accelerator.
///
/// Always, exactly: `energy = idle_energy + active_energy + unsplit_energy`, and the active energy is that of the workloads
/// that used it and `unattributed_energy`.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct DeviceRow {
    /// Which one it is.
    pub device: Arc<Device>,
    /// The meter it is read by.
    pub source: &'static str,
    /// Measured or estimated.
    pub method: Method,
    /// What it has drawn since the start.
    pub energy: Energy,
    /// The part caused by work.
    pub active_energy: Energy,
    /// The part that it would have drawn without work, too.
    pub idle_energy: Energy,
    /// The part that was drawn while neither its idle power nor its utilisation was known, so that it may be
    /// either. The zone [`ZoneKind::Gpu`](crate::units::ZoneKind::Gpu) counts it as idle.
    pub unsplit_energy: Energy,
    /// The part of `active_energy` that no known workload explains.
    pub unattributed_energy: Energy,
    /// How idle was separated from active at the last reading: by the idle power, or by the utilisation as long as that is
    /// not known; `None` if neither was known.
    pub idle_policy: Option<IdlePolicy>,
    /// Its idle power, once it was learned or where it was configured.
    pub idle_power: Option<Power>,
    /// Mean power between its last two readings; `None` while that is not known.
    pub power: Option<ZonePower>,
    /// The share of time in which it was busy, 0 … 1, where it tells.
    pub utilisation: Option<f64>,
    /// How it was found what each user had of it, at the last reading with users; `None` before that.
    pub shares_by: Option<SharesBy>,
    /// The containers that Kubernetes gave it, or parts of it, to, where the kubelet was asked.
    pub allocations: Arc<[DeviceAllocation]>,
    /// How old its last reading is; `None` if there was none yet.
    pub age: Option<Duration>,
    /// What its counter did.
    pub events: CounterEvents,
    /// Why it cannot be read now, as in the `reason` label of [faults](super::Snapshot::faults): `vanished` of one that its meter
    /// does not find any more, `stale` of one whose meter has nothing new.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub fault: Option<&'static str>,
}

impl DeviceRow {
    /// An accelerator that has not drawn anything yet. Its fields are public, to be filled in.
    #[must_use]
    pub fn new(device: impl Into<Arc<Device>>, source: &'static str, method: Method) -> Self {
        DeviceRow {
            device: device.into(),
            source,
            method,
            energy: Energy::ZERO,
            active_energy: Energy::ZERO,
            idle_energy: Energy::ZERO,
            unsplit_energy: Energy::ZERO,
            unattributed_energy: Energy::ZERO,
            idle_policy: None,
            idle_power: None,
            power: None,
            utilisation: None,
            shares_by: None,
            allocations: Arc::from([]),
            age: None,
            events: CounterEvents::default(),
            fault: None,
        }
    }

    /// Whether idle is separated from active by a known idle power.
    #[must_use]
    pub fn idle_known(&self) -> bool {
        self.idle_power.is_some()
    }
}

/// What a workload used of one accelerator.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct DeviceUse {
    /// Its place in [`Snapshot::devices`](super::Snapshot::devices).
    pub device: u32,
    /// Active energy since the start.
    pub energy: Energy,
    /// Mean power between the device's last two readings.
    pub power: Power,
    /// What the device drew idle while Kubernetes had given it to this container or pod, or its share of that; no part of
    /// `energy`.
    pub idle_energy: Energy,
    /// How the shares were found; the weakest way since the start. `None` while it was charged nothing.
    pub shares_by: Option<SharesBy>,
}

impl DeviceUse {
    /// Energy and power in the device at that place of the list.
    #[must_use]
    pub const fn new(device: u32, energy: Energy, power: Power) -> Self {
        DeviceUse { device, energy, power, idle_energy: Energy::ZERO, shares_by: None }
    }

    /// The same with a change.
    #[must_use]
    pub fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }
}
