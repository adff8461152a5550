//! Why there is nothing to read, and what to do about each case.

use super::SOURCE;
use crate::availability::{Capability, Remedy, Root, Unavailable};
use crate::host::Topology;
use crate::meter::ReadError;
use std::io;
use std::path::Path;

/// What to do about a zone that cannot be read.
pub(super) fn remedy(error: &ReadError) -> Remedy {
    match error.source.kind() {
        // energy_uj is of mode 0400 since Linux 5.10.
        io::ErrorKind::PermissionDenied => Remedy::MakeReadable { path: (*error.path).into() },
        io::ErrorKind::NotFound => Remedy::any([Remedy::MountRoot { root: Root::Sysfs }, Remedy::load(DRIVERS)]),
        // It is there, and its driver or firmware fails.
        _ => Remedy::CheckKernelLog,
    }
}

/// In this order: the second looks for processors as soon as it is loaded.
const DRIVERS: [&str; 2] = ["intel_rapl_common", "intel_rapl_msr"];

/// The class directory cannot be listed.
pub(super) fn no_tree(class: &Path, error: &io::Error, topology: &Topology) -> Unavailable {
    let reason = format!("cannot list {}: {error}", class.display());
    let remedy = match error.kind() {
        // Hypervisors keep RAPL to themselves.
        io::ErrorKind::NotFound if topology.virtualised => Remedy::MeasureOnHost,
        io::ErrorKind::NotFound => Remedy::any([
            Remedy::load(DRIVERS),
            Remedy::MountRoot { root: Root::Sysfs },
            Remedy::EnableKernelOption { option: "CONFIG_INTEL_RAPL" },
        ]),
        io::ErrorKind::PermissionDenied => Remedy::grant([Capability::DacReadSearch]),
        _ => Remedy::MountRoot { root: Root::Sysfs },
    };
    Unavailable::new(SOURCE, reason, remedy)
}

/// The class directory holds no zone: the framework is there, its driver is not, or does not know the processor.
pub(super) fn no_zones(class: &Path, topology: &Topology) -> Unavailable {
    let remedy = if topology.virtualised {
        Remedy::MeasureOnHost
    } else {
        Remedy::any([Remedy::load(DRIVERS), Remedy::EnableKernelOption { option: "CONFIG_INTEL_RAPL" }])
    };
    Unavailable::new(SOURCE, format!("{} has no intel-rapl zone", class.display()), remedy)
}
