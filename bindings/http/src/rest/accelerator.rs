//! Accelerators in `/api/v1/node`.

use super::figures::method;
use kepler_core::attribution::IdlePolicy;
use kepler_core::device::{DeviceAllocation, DeviceInstance, SharesBy};
use kepler_core::snapshot::{DeviceRow, DeviceUse, Snapshot, ZonePower};
use schemars::JsonSchema;
use serde::Serialize;

/// A GPU or another accelerator: `energy = idle + active + unsplit`, and `active` = what workloads used + unattributed.
#[derive(Serialize, JsonSchema)]
pub(super) struct Accelerator<'a> {
    /// Its number on this machine.
    gpu: u32,
    /// Its globally unique identifier (UUID), else its PCI address.
    uuid: &'a str,
    /// The product.
    name: &'a str,
    /// `nvidia`, `amd`, `intel`, …
    vendor: &'a str,
    /// Its PCI address, where it has one.
    pci_address: Option<&'a str>,
    /// The meter: `nvml`, `drm`, …
    source: &'a str,
    /// `measured` or `estimated`.
    method: &'static str,
    /// Expected relative error of an estimate, one standard deviation; `null` if measured.
    error_ratio: Option<f64>,
    /// The share of time that its power sensor looks at, where that is known to be less than all (A100, H100: 0.25); else `null`.
    observed_ratio: Option<f64>,
    /// Energy since the program started, joules.
    energy_joules: f64,
    /// The part of it caused by work.
    active_energy_joules: f64,
    /// The part that it would have drawn without work, too.
    idle_energy_joules: f64,
    /// The part drawn while neither its idle power nor its utilisation was known: it may be either.
    unsplit_energy_joules: f64,
    /// The part of the active energy that no known workload explains.
    unattributed_energy_joules: f64,
    /// `baseline` (by its idle power) or `ratio` (energy times utilisation); `null` while neither is known.
    idle_policy: Option<&'static str>,
    /// Its idle power, learned or configured, watts; `null` while it is not known.
    idle_watts: Option<f64>,
    /// Mean power between its last two readings, watts; `null` where it is not known.
    power_watts: Option<AcceleratorPower>,
    /// The share of time in which it was busy, 0 to 1, where the device reports it.
    usage_ratio: Option<f64>,
    /// How it was found what each user had of it: `utilisation` (the driver tells of each process), `instance_activity` (MIG, by
    /// DCGM), `instance_slices` (MIG, activity not known: by slices of instances that have processes); `null` before that.
    shares_by: Option<&'static str>,
    /// The instances that it is divided into (MIG).
    instances: Vec<Instance<'a>>,
    /// The containers that Kubernetes gave it, or parts of it, to.
    allocations: Vec<Allocation<'a>>,
    /// How old its last reading is, seconds; `null` before the first one.
    age_seconds: Option<f64>,
    /// Why it cannot be read now; `null` if it can.
    fault: Option<&'static str>,
}

/// Power of an accelerator, watts.
#[derive(Serialize, JsonSchema)]
struct AcceleratorPower {
    /// All of it.
    total: f64,
    /// The part caused by work; `null` while that is unknown.
    active: Option<f64>,
    /// The part that it would draw without work, too; `null` while that cannot be told.
    idle: Option<f64>,
}

/// A part of an accelerator that works by itself.
#[derive(Serialize, JsonSchema)]
struct Instance<'a> {
    /// Its number.
    instance: u32,
    /// `1g.10gb`, where that is known.
    profile: &'a str,
    /// Its slices of the device's processors.
    slices: u32,
    /// `MIG-…`.
    uuids: Vec<&'a str>,
}

impl<'a> Instance<'a> {
    fn of(instance: &'a DeviceInstance) -> Self {
        Instance {
            instance: instance.id,
            profile: &instance.profile,
            slices: instance.slices,
            uuids: instance.uuids.iter().map(|uuid| &**uuid).collect(),
        }
    }
}

/// A container that has an accelerator, or a part of it.
#[derive(Serialize, JsonSchema)]
struct Allocation<'a> {
    /// The identifier as Kubernetes has it.
    id: &'a str,
    /// The pod's namespace.
    namespace: &'a str,
    /// The pod's name.
    pod: &'a str,
    /// The container's name.
    container: &'a str,
}

impl<'a> Allocation<'a> {
    fn of(allocation: &'a DeviceAllocation) -> Self {
        Allocation {
            id: &allocation.id,
            namespace: &allocation.namespace,
            pod: &allocation.pod,
            container: &allocation.container,
        }
    }
}

/// What a workload used of one accelerator.
#[derive(Serialize, JsonSchema)]
pub(super) struct AcceleratorUse<'a> {
    /// The accelerator's number on this machine.
    gpu: u32,
    /// What its maker calls it in the whole world, else its PCI address.
    uuid: &'a str,
    /// Active energy since the program started, joules: a part of the zone `gpu`.
    energy_joules: f64,
    /// Mean power between the device's last two readings, watts; `null` where the device cannot be read.
    power_watts: Option<f64>,
    /// What the device drew idle while Kubernetes had given it to this workload, or its share of that, joules. No part of `energy_joules`.
    idle_energy_joules: f64,
    /// How the share was found, the weakest way since the start: as in the device's `shares_by`, or `allocation` (the driver hides the
    /// processes, and this container alone has the device); `null` where no energy was charged.
    shares_by: Option<&'static str>,
    /// `measured`, `partial` or `estimated`: the device's energy.
    method: &'static str,
    /// Expected relative error of the device's energy, one standard deviation; `null` if measured.
    error_ratio: Option<f64>,
}

impl<'a> AcceleratorUse<'a> {
    /// All that a workload used.
    pub(super) fn all(snapshot: &'a Snapshot, used: &[DeviceUse], is_running: bool) -> Vec<Self> {
        let of = |used: &DeviceUse| {
            let row = snapshot.devices.get(usize::try_from(used.device).ok()?)?;
            let (method, error_ratio) = method(row.method);
            let power = if is_running { used.power.watts() } else { 0.0 };
            Some(AcceleratorUse {
                gpu: row.device.index,
                uuid: &row.device.uuid,
                energy_joules: used.energy.joules(),
                power_watts: row.power.map(|_| power),
                idle_energy_joules: used.idle_energy.joules(),
                shares_by: used.shares_by.map(SharesBy::name),
                method,
                error_ratio,
            })
        };
        used.iter().filter_map(of).collect()
    }
}

impl<'a> Accelerator<'a> {
    pub(super) fn of(row: &'a DeviceRow) -> Self {
        let (method, error_ratio) = method(row.method);
        let is_split = row.idle_policy.is_some();
        let power = |power: ZonePower| AcceleratorPower {
            total: power.total.watts(),
            active: is_split.then_some(power.active.watts()),
            idle: is_split.then_some(power.idle.watts()),
        };
        Accelerator {
            gpu: row.device.index,
            uuid: &row.device.uuid,
            name: &row.device.name,
            vendor: row.device.vendor,
            pci_address: row.device.pci_address.as_deref(),
            source: row.source,
            method,
            error_ratio,
            observed_ratio: row.device.observed_ratio,
            energy_joules: row.energy.joules(),
            active_energy_joules: row.active_energy.joules(),
            idle_energy_joules: row.idle_energy.joules(),
            unsplit_energy_joules: row.unsplit_energy.joules(),
            unattributed_energy_joules: row.unattributed_energy.joules(),
            idle_policy: row.idle_policy.map(IdlePolicy::name),
            idle_watts: row.idle_power.map(|power| power.watts()),
            power_watts: row.power.map(power),
            usage_ratio: row.utilisation,
            shares_by: row.shares_by.map(SharesBy::name),
            instances: row.device.instances.iter().map(Instance::of).collect(),
            allocations: row.allocations.iter().map(Allocation::of).collect(),
            age_seconds: row.age.map(|age| age.as_secs_f64()),
            fault: row.fault,
        }
    }
}
