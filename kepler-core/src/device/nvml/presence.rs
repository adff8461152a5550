//! Whether there is an NVIDIA device, without loading anything or waking it.

use crate::host::Host;
use std::fs;
use std::path::{Path, PathBuf};

/// NVIDIA's number among the makers of PCI devices.
const VENDOR: &str = "0x10de";

/// What the kernel shows of NVIDIA devices.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Presence {
    /// The PCI addresses of display and compute controllers.
    pub(super) addresses: Vec<String>,
    /// Whether NVIDIA's kernel driver is loaded. Without PCI devices it drives those of a system on a chip.
    pub(super) has_driver: bool,
}

impl Presence {
    pub(super) fn of(host: &Host) -> Self {
        let devices = host.sysfs().join("bus/pci/devices");
        let entries = fs::read_dir(&devices).into_iter().flatten().flatten();
        let is_gpu = |path: &Path| {
            attribute(path, "vendor").is_some_and(|vendor| vendor == VENDOR)
                && attribute(path, "class").is_some_and(|class| class.starts_with("0x03") || class.starts_with("0x12"))
        };
        let of_nvidia = entries.filter(|entry| is_gpu(&entry.path()));
        let mut addresses: Vec<String> = of_nvidia.filter_map(|entry| entry.file_name().into_string().ok()).collect();
        addresses.sort_unstable();
        let has_driver =
            host.procfs().join("driver/nvidia/version").exists() || host.sysfs().join("module/nvidia").exists();
        Presence { addresses, has_driver }
    }

    pub(super) fn is_none(&self) -> bool {
        self.addresses.is_empty() && !self.has_driver
    }

    /// Whether every device sleeps, so that opening the library would wake them all.
    pub(super) fn sleeps(&self, host: &Host) -> bool {
        !self.addresses.is_empty() && self.addresses.iter().all(|address| is_suspended(host, address))
    }
}

/// Whether the kernel has suspended a PCI device because it is unused. Reading it would wake it.
pub(super) fn is_suspended(host: &Host, address: &str) -> bool {
    let directory: PathBuf = host.sysfs().join("bus/pci/devices").join(address);
    attribute(&directory, "power/runtime_status").is_some_and(|status| status.starts_with("suspend"))
}

fn attribute(directory: &Path, name: &str) -> Option<String> {
    Some(fs::read_to_string(directory.join(name)).ok()?.trim_end().to_owned())
}
