//! Accelerators in answers: what each draws or used, and whose that was.

use super::answer::basis_of;
use crate::messages::{EnergyMessage, Message};
use crate::standards::Basis;
use crate::units::{Energy, Power, ZoneKind};
use crate::view::{DeviceEnergy, Inventory, NodeEnergy, WorkloadEnergy, weaker};
use kepler_core::device::SharesBy;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;

/// A GPU or another accelerator, and its power.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct DevicePower {
    /// Its node.
    pub node: String,
    /// Its number on the node.
    pub gpu: u32,
    /// Its globally unique identifier, else its PCI address.
    pub uuid: String,
    /// The product.
    pub name: String,
    /// Mean power over the window, watts.
    pub power_watts: f64,
    /// The part that it draws without work, too, watts; `null` where part of the window cannot be told apart.
    pub idle_watts: Option<f64>,
    /// The part that no known workload explains, watts; `null` where the source does not say.
    pub unattributed_watts: Option<f64>,
    /// The share of time in which it was busy at its newest reading, 0 to 1, where it tells.
    pub usage_ratio: Option<f64>,
    /// How the power came about.
    pub basis: Basis,
    /// How the workloads' parts were found: `utilisation`, `instance_activity`, `instance_slices` or `allocation`; `null`
    /// while no process used it.
    pub shares_by: Option<String>,
    /// Why it cannot be read now; `null` if it can.
    pub fault: Option<String>,
}

/// What a workload draws of an accelerator.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct DeviceWatts {
    /// The accelerator's node.
    pub node: String,
    /// Its number on the node.
    pub gpu: u32,
    /// Its identifier.
    pub uuid: String,
    /// Mean active power over the window, a part of the workload's power, watts.
    pub power_watts: f64,
    /// How the part was found, as in `shares_by` of the device.
    pub shares_by: Option<String>,
}

/// An accelerator, and what the subject used of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct DeviceJoules {
    /// Its node.
    pub node: String,
    /// Its number on the node.
    pub gpu: u32,
    /// Its identifier.
    pub uuid: String,
    /// The product.
    pub name: String,
    /// A part of the subject's energy, joules: of workloads active energy, of nodes all of it.
    pub energy_joules: f64,
    /// Of nodes: the part that it draws without work, too, joules; `null` where part of the time cannot be told apart.
    pub idle_joules: Option<f64>,
    /// Of nodes: the part that no known workload explains, joules; `null` where the source does not say.
    pub unattributed_joules: Option<f64>,
    /// How the energy came about.
    pub basis: Basis,
    /// How the workloads' parts were found: `utilisation`, `instance_activity`, `instance_slices` or `allocation`.
    pub shares_by: Option<String>,
}

/// What workloads used of accelerators, by node and identifier.
#[derive(Clone, Debug, Default)]
pub(super) struct DeviceSums<'a>(BTreeMap<(&'a str, &'a str), DeviceSum>);

#[derive(Clone, Copy, Debug, Default)]
struct DeviceSum {
    energy: Energy,
    /// Of what still runs.
    power: Power,
    shares_by: Option<SharesBy>,
}

impl<'a> DeviceSums<'a> {
    /// Adds a row whose node was observed for `window`.
    pub(super) fn add(&mut self, row: &'a WorkloadEnergy, window: Duration) {
        for used in &row.devices {
            let sum = self.0.entry((&*row.id.node, &*used.uuid)).or_default();
            sum.energy += used.energy;
            sum.shares_by = weaker(sum.shares_by, used.shares_by);
            if row.running && !window.is_zero() {
                sum.power += used.energy.over(window);
            }
        }
    }

    /// Adds another sum.
    pub(super) fn absorb(&mut self, other: &DeviceSums<'a>) {
        for (key, own) in &other.0 {
            let sum = self.0.entry(*key).or_default();
            sum.energy += own.energy;
            sum.power += own.power;
            sum.shares_by = weaker(sum.shares_by, own.shares_by);
        }
    }

    /// As power, the most first.
    pub(super) fn watts(&self, inventory: &Inventory) -> Vec<DeviceWatts> {
        let drawing = self.0.iter().filter(|(_, sum)| sum.power.watts() > 0.0);
        let mut devices: Vec<DeviceWatts> = drawing
            .map(|((node, uuid), sum)| DeviceWatts {
                node: (*node).to_owned(),
                gpu: device(inventory, node, uuid).map_or(0, |device| device.device.index),
                uuid: (*uuid).to_owned(),
                power_watts: sum.power.watts(),
                shares_by: name(sum.shares_by),
            })
            .collect();
        devices.sort_by(|a, b| b.power_watts.total_cmp(&a.power_watts));
        devices
    }

    /// As energy, the most first.
    pub(super) fn joules(&self, inventory: &Inventory) -> Vec<DeviceJoules> {
        let used = self.0.iter().filter(|(_, sum)| sum.energy > Energy::ZERO);
        let mut devices: Vec<DeviceJoules> = used
            .filter_map(|((node, uuid), sum)| {
                let device = device(inventory, node, uuid)?;
                let (idle_joules, unattributed_joules) = (None, None);
                let (energy_joules, shares_by) = (sum.energy.joules(), name(sum.shares_by));
                Some(DeviceJoules { energy_joules, idle_joules, unattributed_joules, shares_by, ..whole(node, device) })
            })
            .collect();
        devices.sort_by(|a, b| b.energy_joules.total_cmp(&a.energy_joules));
        devices
    }
}

fn device<'a>(inventory: &'a Inventory, node: &str, uuid: &str) -> Option<&'a DeviceEnergy> {
    let node = inventory.nodes.iter().find(|one| &*one.name == node)?;
    node.devices.iter().find(|device| &*device.device.uuid == uuid)
}

fn name(shares_by: Option<SharesBy>) -> Option<String> {
    shares_by.map(|by| by.name().to_owned())
}

fn all(inventory: &Inventory) -> impl Iterator<Item = (&NodeEnergy, &DeviceEnergy)> {
    inventory.nodes.iter().flat_map(|node| node.devices.iter().map(move |device| (node, device)))
}

/// All accelerators of the nodes with their power.
pub(super) fn power(inventory: &Inventory) -> Vec<DevicePower> {
    let known = all(inventory).filter(|(_, device)| !device.covered.length().is_zero());
    known
        .map(|(node, device)| {
            let watts = |energy: Energy| energy.over(device.covered.length()).watts();
            DevicePower {
                node: (*node.name).to_owned(),
                gpu: device.device.index,
                uuid: (*device.device.uuid).to_owned(),
                name: (*device.device.name).to_owned(),
                power_watts: watts(device.energy),
                idle_watts: (device.unsplit == Energy::ZERO).then(|| watts(device.idle)),
                unattributed_watts: device.unattributed.map(watts),
                usage_ratio: device.utilisation,
                basis: basis_of(device.method),
                shares_by: name(device.shares_by),
                fault: device.fault.map(str::to_owned),
            }
        })
        .collect()
}

/// All accelerators of the nodes with their energy.
pub(super) fn energy(inventory: &Inventory) -> Vec<DeviceJoules> {
    all(inventory).map(|(node, device)| whole(&node.name, device)).collect()
}

fn whole(node: &str, device: &DeviceEnergy) -> DeviceJoules {
    DeviceJoules {
        node: node.to_owned(),
        gpu: device.device.index,
        uuid: (*device.device.uuid).to_owned(),
        name: (*device.device.name).to_owned(),
        energy_joules: device.energy.joules(),
        idle_joules: (device.unsplit == Energy::ZERO).then(|| device.idle.joules()),
        unattributed_joules: device.unattributed.map(|energy| energy.joules()),
        basis: basis_of(device.method),
        shares_by: name(device.shares_by),
    }
}

/// What is not known by device, where that is anything.
pub(super) fn caveat(inventory: &Inventory) -> Option<Message> {
    let all: Energy = inventory.nodes.iter().filter_map(|node| Some(node.zones[ZoneKind::Gpu].as_ref()?.energy)).sum();
    let known: Energy = inventory.nodes.iter().flat_map(|node| &node.devices).map(|device| device.energy).sum();
    let is_worth_saying = all.joules() - known.joules() > all.joules() * NEGLIGIBLE;
    is_worth_saying
        .then(|| EnergyMessage::DevicesNotTold { known_joules: known.joules(), all_joules: all.joules() }.into())
}

/// Less than this share is rounding.
const NEGLIGIBLE: f64 = 0.001;
