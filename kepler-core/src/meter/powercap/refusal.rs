//! Why there is nothing to read, and what to do about each case.

use super::SOURCE;
use crate::host::Topology;
use crate::meter::{ReadError, Refusal};
use std::io;
use std::path::Path;

/// What to do about a zone that cannot be read.
pub(super) fn remedy(error: &ReadError) -> &'static str {
    match error.source.kind() {
        io::ErrorKind::PermissionDenied => {
            "energy_uj is of mode 0400 since kernel 5.10: run as root, or give the process CAP_DAC_READ_SEARCH, or \
             open the files to a group with a udev rule: SUBSYSTEM==\"powercap\", ACTION==\"add\", \
             RUN+=\"/bin/chgrp -R power /sys%p\", RUN+=\"/bin/chmod -R g=u /sys%p\""
        }
        io::ErrorKind::InvalidData => "check the kernel log for RAPL messages: the firmware or the driver is at fault",
        _ => {
            "check that the whole of sysfs is mounted; reload the driver: modprobe -r intel_rapl_msr && \
             modprobe intel_rapl_msr"
        }
    }
}

const VIRTUAL: &str = "hypervisors keep RAPL to themselves: measure on the host and pass its figures in, or let the \
     model estimate";

/// The class directory cannot be listed.
pub(super) fn no_tree(class: &Path, error: &io::Error, topology: &Topology) -> Refusal {
    let reason = format!("cannot list {}: {error}", class.display());
    let remedy = match error.kind() {
        io::ErrorKind::NotFound if topology.virtualised => VIRTUAL,
        io::ErrorKind::NotFound => {
            "load the drivers, in this order: modprobe intel_rapl_common && modprobe intel_rapl_msr \
             (kernel options CONFIG_POWERCAP and CONFIG_INTEL_RAPL); in a container mount the host's /sys and \
             pass its place with --host.sysfs"
        }
        io::ErrorKind::PermissionDenied => "run as root, or give the process CAP_DAC_READ_SEARCH",
        _ => "check that a sysfs is mounted there, or pass its place with --host.sysfs",
    };
    Refusal::new(SOURCE, reason, remedy)
}

/// The class directory holds no zone.
pub(super) fn no_zones(class: &Path, topology: &Topology) -> Refusal {
    let remedy = if topology.virtualised {
        VIRTUAL
    } else {
        "the framework is there, its RAPL driver is not: modprobe intel_rapl_common && modprobe intel_rapl_msr, in this \
         order (kernel option CONFIG_INTEL_RAPL); a processor the driver does not know has no zones either"
    };
    Refusal::new(SOURCE, format!("{} has no intel-rapl zone", class.display()), remedy)
}
