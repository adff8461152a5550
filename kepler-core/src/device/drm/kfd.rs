//! Processes that compute with ROCm: they work through `/dev/kfd`, of which fdinfo knows nothing (amdgpu_top issue 49).
//!
//! The kernel shows how many compute units each occupies at the moment
//! (`<sysfs>/class/kfd/kfd/proc/<pid>/stats_<gpu>/cu_occupancy`, Linux 5.10, GFX9 and later): a sample, taken every round.

use crate::device::{DeviceUser, holders};
use crate::host::Host;
use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

#[derive(Debug)]
pub(super) struct Kfd {
    directory: PathBuf,
    procfs: PathBuf,
    /// By the driver's number of a device: its PCI address and its compute units.
    devices: HashMap<u64, (String, u64)>,
}

impl Kfd {
    pub(super) fn new(host: &Host) -> Self {
        let directory = host.sysfs().join("class/kfd/kfd");
        let nodes = fs::read_dir(directory.join("topology/nodes")).into_iter().flatten().flatten();
        let devices = nodes.filter_map(|node| device(&node.path())).collect();
        Kfd { directory, procfs: host.procfs().to_owned(), devices }
    }

    /// Adds those that compute on the device at a PCI address, unless they are among the users with a larger share.
    pub(super) fn add_users(&self, address: &str, users: &mut Vec<DeviceUser>) {
        if self.devices.is_empty() {
            return;
        }
        for entry in fs::read_dir(self.directory.join("proc")).into_iter().flatten().flatten() {
            let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
            let of_device = self.devices.iter().filter(|(_, (other, _))| other == address);
            for (gpu, (_, units)) in of_device {
                let path = entry.path().join(format!("stats_{gpu}/cu_occupancy"));
                let Some(occupied) = number(&path) else { continue };
                let share = (occupied as f64 / (*units).max(1) as f64).min(1.0);
                // The number is one of the initial PID namespace; here it must be one that has the driver open.
                let is_here =
                    holders::descriptors(&self.procfs, pid, &["/dev/kfd"]).is_ok_and(|found| !found.is_empty());
                let pid = if is_here { pid } else { 0 };
                match users.iter_mut().find(|user| user.pid == pid) {
                    Some(user) if pid == 0 => user.busy += share,
                    Some(user) => user.busy = user.busy.max(share),
                    None => users.push(DeviceUser::new(pid, share)),
                }
            }
        }
    }
}

/// A device of the topology: the driver's number, its PCI address and its compute units. Processors have no number.
fn device(node: &Path) -> Option<(u64, (String, u64))> {
    let gpu = number(&node.join("gpu_id")).filter(|gpu| *gpu != 0)?;
    let properties = fs::read_to_string(node.join("properties")).ok()?;
    let property = |name: &str| {
        let line = properties.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.and_then(|value| value.trim().parse::<u64>().ok())
    };
    let (location, domain) = (property("location_id")?, property("domain").unwrap_or(0));
    let (bus, device, function) = (location >> 8 & 0xff, location >> 3 & 0x1f, location & 0x7);
    let units = property("simd_count")? / property("simd_per_cu").unwrap_or(4).max(1);
    Some((gpu, (format!("{domain:04x}:{bus:02x}:{device:02x}.{function}"), units)))
}

fn number(path: &Path) -> Option<u64> {
    fs::read_to_string(path).ok()?.trim_end().parse().ok()
}
