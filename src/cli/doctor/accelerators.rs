//! GPUs and other accelerators, and who tells more about them.

use super::super::accelerators;
use super::super::config::Config;
use super::reason::{Reason, indented};
use kepler_core::device::Device;
use kepler_core::sampler::Sampler;
use serde::Serialize;
use std::fmt;

/// What was found.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Accelerators {
    /// Those that are read.
    accelerators: Vec<FoundDevice>,
    /// Why some are not read.
    #[serde(rename = "accelerators_unavailable", skip_serializing_if = "Vec::is_empty")]
    unavailable: Vec<Reason>,
    /// Who tells more about them.
    #[serde(rename = "accelerators_known_by", skip_serializing_if = "Vec::is_empty")]
    known_by: Vec<KnownBy>,
}

/// A GPU or another accelerator.
#[derive(Clone, Debug, Serialize)]
struct FoundDevice {
    /// Its number on this machine.
    gpu: u32,
    uuid: String,
    vendor: &'static str,
    name: String,
    /// The meter it is read by.
    source: &'static str,
    path: String,
    /// `measured` or `estimated`.
    method: &'static str,
    error_ratio: Option<f64>,
    /// The share of time that its power sensor looks at, where that is known to be less than all.
    #[serde(skip_serializing_if = "Option::is_none")]
    observed_ratio: Option<f64>,
    /// The instances that it is divided into.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    instances: Vec<FoundInstance>,
}

#[derive(Clone, Debug, Serialize)]
struct FoundInstance {
    instance: u32,
    profile: String,
    slices: u32,
    uuids: Vec<String>,
}

/// A source that was asked once.
#[derive(Clone, Debug, Serialize)]
struct KnownBy {
    source: &'static str,
    /// What it told, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    told: Option<String>,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    refused: Option<Reason>,
}

impl Accelerators {
    /// What the sampler found, and what the sources of allocations say. They are not asked where there is no device.
    pub(super) fn of(sampler: &Sampler, config: &Config) -> Self {
        let accelerators: Vec<FoundDevice> = sampler.devices().map(FoundDevice::of).collect();
        let known_by = if accelerators.is_empty() { Vec::new() } else { KnownBy::ask(config) };
        let unavailable = sampler.devices_unavailable().iter().map(Reason::of).collect();
        Accelerators { accelerators, unavailable, known_by }
    }
}

impl FoundDevice {
    fn of((source, device): (&'static str, &Device)) -> Self {
        let instance = |one: &kepler_core::device::DeviceInstance| FoundInstance {
            instance: one.id,
            profile: one.profile.to_string(),
            slices: one.slices,
            uuids: one.uuids.iter().map(ToString::to_string).collect(),
        };
        FoundDevice {
            gpu: device.index,
            uuid: device.uuid.to_string(),
            vendor: device.vendor,
            name: device.name.to_string(),
            source,
            path: device.path.to_string(),
            method: device.method.name(),
            error_ratio: device.method.error_ratio(),
            observed_ratio: device.observed_ratio,
            instances: device.instances.iter().map(instance).collect(),
        }
    }
}

impl KnownBy {
    /// Asks each source once.
    fn ask(config: &Config) -> Vec<Self> {
        let told = |source, told| KnownBy { source, told: Some(told), refused: None };
        let refused = |unavailable| {
            let reason = Reason::of(&unavailable);
            KnownBy { source: reason.source, told: None, refused: Some(reason) }
        };
        let dcgm = accelerators::dcgm(config).map(|exporter| match exporter.activities() {
            Ok(found) if found.is_empty() => {
                told("dcgm", format!("{} tells the activity of no instance", exporter.name()))
            }
            Ok(found) => told("dcgm", format!("activity of {} instances, by {}", found.len(), exporter.name())),
            Err(error) => refused(error.unavailable()),
        });
        let kubelet = accelerators::pod_resources(config).map(|kubelet| match kubelet.list() {
            Ok(found) => told("pod-resources", format!("{} devices are given to containers", found.len())),
            Err(error) => refused(error.unavailable(kubelet.socket())),
        });
        dcgm.into_iter().chain(kubelet).collect()
    }
}

impl fmt::Display for Accelerators {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\nGPUs and other accelerators")?;
        for FoundDevice { gpu, uuid, vendor, name, source, path, method, error_ratio, observed_ratio, instances } in
            &self.accelerators
        {
            let error = error_ratio.map(|ratio| format!(", ±{:.0} %", ratio * 100.0)).unwrap_or_default();
            writeln!(f, "  {source:<9} {gpu}: {vendor} {name}, {uuid} ({method}{error})")?;
            writeln!(f, "            {path}")?;
            if let Some(ratio) = observed_ratio {
                writeln!(f, "            its power sensor looks at {:.0} % of the time", ratio * 100.0)?;
            }
            for FoundInstance { instance, profile, slices, uuids } in instances {
                writeln!(f, "            instance {instance}: {profile}, {slices} slices, {}", uuids.join(", "))?;
            }
        }
        for Reason { source, reason, remedy, action } in &self.unavailable {
            // Where nothing can be done, nothing is wrong: there is no such device, or it is measured elsewhere.
            if action.is_none() {
                writeln!(f, "  {source:<9} not read: {reason}")?;
                continue;
            }
            writeln!(f, "  {source:<9} not usable: {reason}")?;
            indented(f, "            remedy: ", remedy)?;
        }
        for KnownBy { source, told, refused } in &self.known_by {
            if let Some(told) = told {
                writeln!(f, "  {source:<9} {told}")?;
            }
            if let Some(Reason { reason, remedy, .. }) = refused {
                writeln!(f, "  {source:<9} not usable: {reason}")?;
                indented(f, "            remedy: ", remedy)?;
            }
        }
        if self.accelerators.is_empty() && self.unavailable.is_empty() {
            writeln!(f, "  none found")?;
        }
        Ok(())
    }
}
