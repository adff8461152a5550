//! The instances that a device is divided into (MIG), and what they used of it.
//!
//! A device has one counter of energy, whatever it is divided into, and the driver does not say how busy an instance is.
//! NVIDIA's DCGM does. Where it is asked, an instance's part of the device is its activity times its slices of all;
//! where not, an instance that has processes counts with its slices. The processes of one instance share alike, for nothing
//! tells them apart; [`SharesBy`] says so in every answer.

use super::Use;
use super::library::{Handle, Nvml};
use super::usage::Identities;
use crate::device::{DeviceInstance, DeviceUser, SharesBy};
use std::sync::Arc;

/// No device has more.
const MOST: u32 = 64;

/// What the driver calls an instance, between the product's name and the profile.
const PROFILE: &str = " MIG ";

/// How a device is divided.
#[derive(Debug)]
pub(super) struct Instances {
    list: Vec<DeviceInstance>,
    /// The handles of each, in the order of `list`: several where it is divided further.
    handles: Vec<Vec<Handle>>,
    slices: u32,
    is_outdated: bool,
}

impl Instances {
    /// The instances of a device. `None` of one that is not divided.
    pub(super) fn of(nvml: &Nvml, device: Handle) -> Option<Self> {
        if !nvml.is_partitioned(device) {
            return None;
        }
        let most = nvml.most_instances(device).unwrap_or(0).min(MOST);
        let mut found = Instances { list: Vec::new(), handles: Vec::new(), slices: 0, is_outdated: false };
        for place in 0..most {
            let Ok(handle) = nvml.instance(device, place) else { continue };
            let Ok(id) = nvml.instance_id(handle) else { continue };
            let uuid: Option<Arc<str>> = nvml.uuid(handle).ok().map(Arc::from);
            let known = found.list.iter_mut().zip(&mut found.handles).find(|(instance, _)| instance.id == id);
            if let Some((instance, handles)) = known {
                instance.uuids.extend(uuid);
                handles.push(handle);
                continue;
            }
            let name = nvml.name(handle).unwrap_or_default();
            let profile = name.split_once(PROFILE).map(|(_, profile)| profile).unwrap_or_default();
            // Compute instances are called after both: `1c.3g.20gb`.
            let profile = profile.split_once("c.").map_or(profile, |(_, whole)| whole);
            let slices = nvml.slices(handle).ok().filter(|slices| *slices > 0).unwrap_or_else(|| named(profile));
            found.list.push(DeviceInstance::new(id, slices).with(|instance| {
                instance.placement = nvml.placement(device, id).ok();
                instance.uuids.extend(uuid);
                instance.profile = profile.into();
            }));
            found.handles.push(vec![handle]);
        }
        let used = found.list.iter().map(|instance| instance.slices).sum();
        found.slices = most.max(used);
        Some(found)
    }

    pub(super) fn list(&self) -> &[DeviceInstance] {
        &self.list
    }

    /// How many slices the device has.
    pub(super) fn slices(&self) -> u32 {
        self.slices
    }

    /// Whether a call has said that an instance is not there any more.
    pub(super) fn is_outdated(&self) -> bool {
        self.is_outdated
    }

    /// Who uses the device now. `busy` is the activity of an instance, by its number, where that is known.
    pub(super) fn used(
        &mut self,
        nvml: &Nvml,
        busy: impl Fn(u32) -> Option<f64>,
        identities: &mut Identities,
        pids: &mut Vec<u32>,
    ) -> Use {
        let mut processes: Vec<Vec<u32>> = Vec::with_capacity(self.list.len());
        for handles in &self.handles {
            let mut found: Vec<u32> = Vec::new();
            for handle in handles {
                match nvml.processes(*handle, pids) {
                    Ok(()) => found.extend(pids.iter().map(|pid| identities.pid(*pid))),
                    Err(_) => self.is_outdated = true,
                }
            }
            found.sort_unstable();
            found.dedup();
            processes.push(found);
        }
        let (parts, shares_by, utilisation) = self.parts(&processes, busy);
        let mut users = Vec::new();
        for ((instance, part), processes) in self.list.iter().zip(parts).zip(processes) {
            // An instance is busy with processes that are not shown.
            let processes = if processes.is_empty() && part > 0.0 { vec![0] } else { processes };
            let each = part / processes.len().max(1) as f64;
            users.extend(processes.into_iter().map(|pid| DeviceUser::new(pid, each).of_instance(instance.id)));
        }
        Use { users, shares_by, utilisation }
    }

    /// What each instance has of the device's time, how that is known, and their sum if it is known.
    fn parts(&self, processes: &[Vec<u32>], busy: impl Fn(u32) -> Option<f64>) -> (Vec<f64>, SharesBy, Option<f64>) {
        let share = |instance: &DeviceInstance| f64::from(instance.slices) / f64::from(self.slices.max(1));
        let activity: Option<Vec<f64>> = self.list.iter().map(|instance| busy(instance.id)).collect();
        let has_users = processes.iter().any(|processes| !processes.is_empty());
        // DCGM's counters of activity stand at 0 now and then while the device is at work (dcgm-exporter issue 662, 2026).
        let is_believed = |activity: &Vec<f64>| !has_users || activity.iter().any(|busy| *busy > 0.0);
        if let Some(activity) = activity.filter(is_believed) {
            let parts: Vec<f64> = self.list.iter().zip(activity).map(|(one, busy)| share(one) * busy).collect();
            let utilisation = parts.iter().sum();
            return (parts, SharesBy::InstanceActivity, Some(utilisation));
        }
        let part = |(instance, processes): (&DeviceInstance, &Vec<u32>)| {
            if processes.is_empty() { 0.0 } else { share(instance) }
        };
        (self.list.iter().zip(processes).map(part).collect(), SharesBy::InstanceSlices, None)
    }
}

/// The number of slices in a profile's name: 3 of `3g.20gb`.
fn named(profile: &str) -> u32 {
    profile.split_once('g').and_then(|(slices, _)| slices.parse().ok()).unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn divided(slices: &[u32]) -> Instances {
        let list: Vec<_> = slices.iter().zip(1..).map(|(slices, id)| DeviceInstance::new(id, *slices)).collect();
        Instances { handles: vec![Vec::new(); list.len()], list, slices: 7, is_outdated: false }
    }

    fn rounded(parts: &[f64]) -> Vec<f64> {
        parts.iter().map(|part| (part * 7.0 * 100.0).round() / 100.0).collect()
    }

    #[test]
    fn activity_counts_by_slices_where_it_is_known_of_every_instance() {
        let instances = divided(&[3, 2, 1]);
        let processes = [vec![10], vec![11], vec![]];
        let (parts, by, utilisation) = instances.parts(&processes, |id| Some([0.5, 0.25, 0.0][id as usize - 1]));
        assert_eq!((rounded(&parts), by), (vec![1.5, 0.5, 0.0], SharesBy::InstanceActivity));
        assert!((utilisation.unwrap() - 2.0 / 7.0).abs() < 1e-9);
        // Of one nothing is said: all count by their slices.
        let (parts, by, utilisation) = instances.parts(&processes, |id| (id != 2).then_some(0.5));
        assert_eq!((rounded(&parts), by, utilisation), (vec![3.0, 2.0, 0.0], SharesBy::InstanceSlices, None));
    }

    #[test]
    fn counters_that_stand_at_0_while_there_are_processes_are_not_believed() {
        let instances = divided(&[3, 2]);
        let (parts, by, utilisation) = instances.parts(&[vec![10], vec![]], |_| Some(0.0));
        assert_eq!((rounded(&parts), by, utilisation), (vec![3.0, 0.0], SharesBy::InstanceSlices, None));
        let (parts, by, utilisation) = instances.parts(&[vec![], vec![]], |_| Some(0.0));
        assert_eq!((rounded(&parts), by, utilisation), (vec![0.0, 0.0], SharesBy::InstanceActivity, Some(0.0)));
    }

    #[test]
    fn slices_are_read_from_the_profile_where_the_driver_does_not_tell() {
        assert_eq!([named("3g.20gb"), named("1g.10gb+me"), named(""), named("MIG")], [3, 1, 1, 1]);
    }
}
