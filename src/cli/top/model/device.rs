//! Accelerators of the node, and what a workload uses of one.

use super::trust::Trust;
use kepler_core::snapshot::{AnyRow, DeviceRow, Snapshot};

/// A GPU or another accelerator.
#[derive(Clone, Debug)]
pub(crate) struct Device {
    /// Its number on the machine.
    pub(crate) number: u32,
    pub(crate) uuid: String,
    pub(crate) name: String,
    pub(crate) trust: Trust,
    pub(crate) watts: Option<f64>,
    /// Known once idle and work can be told apart.
    pub(crate) idle_watts: Option<f64>,
    /// The share of time in which it was busy, where it tells.
    pub(crate) busy: Option<f64>,
    pub(crate) joules: f64,
    /// Why it cannot be read.
    pub(crate) fault: Option<String>,
}

/// What a workload uses of an accelerator.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct DevicePart {
    /// The accelerator's number on the machine.
    pub(crate) number: u32,
    pub(crate) watts: Option<f64>,
    pub(crate) joules: f64,
}

impl Device {
    pub(super) fn of(row: &DeviceRow) -> Self {
        Device {
            number: row.device.index,
            uuid: row.device.uuid.to_string(),
            name: row.device.name.to_string(),
            trust: Trust::of(row.method),
            watts: row.power.map(|power| power.total.watts()),
            idle_watts: row.power.filter(|_| row.idle_policy.is_some()).map(|power| power.idle.watts()),
            busy: row.utilisation,
            joules: row.energy.joules(),
            fault: row.fault.map(str::to_owned),
        }
    }
}

/// What a row says of each accelerator.
pub(super) fn parts(snapshot: &Snapshot, row: &AnyRow<'_>) -> Vec<DevicePart> {
    let part = |used: &kepler_core::snapshot::DeviceUse| {
        let device = snapshot.devices.get(usize::try_from(used.device).ok()?)?;
        let watts = device.power.map(|_| used.power.watts());
        Some(DevicePart { number: device.device.index, watts, joules: used.energy.joules() })
    };
    row.devices.iter().filter_map(part).collect()
}
