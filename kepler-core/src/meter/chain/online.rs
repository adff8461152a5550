//! Sockets that come and go.

use crate::host::Host;
use std::fs::File;
use std::io::Read as _;
use std::path::PathBuf;

/// Which processors are online, by the kernel's list: sockets that come and go change it.
pub(super) struct Online {
    path: PathBuf,
    known: Option<u64>,
}

impl Online {
    pub(super) fn new(host: &Host) -> Self {
        let mut online = Online { path: host.sysfs().join("devices/system/cpu/online"), known: None };
        online.has_changed();
        online
    }

    /// Whether the list is another one than the last time.
    pub(super) fn has_changed(&mut self) -> bool {
        let mut text = [0; 1024];
        let length = File::open(&self.path).and_then(|mut file| file.read(&mut text)).ok();
        // A sum is enough to notice a change, and needs no memory.
        let now = length
            .and_then(|length| text.get(..length))
            .map(|text| text.iter().fold(0u64, |sum, &byte| sum.wrapping_mul(31).wrapping_add(u64::from(byte))));
        std::mem::replace(&mut self.known, now) != now
    }
}
