//! Why the kernel refuses `perf_event_open`, and what would change that.

use crate::availability::{Capability, Remedy, ResourceLimit};
use rustix::io::Errno;
use std::io;

/// What to do about an error that does not depend on the event; `None` for others.
pub(crate) fn remedy(error: &io::Error) -> Option<Remedy> {
    let grant = Remedy::grant([Capability::Perfmon]);
    Some(match Errno::from_io_error(error)? {
        // `perf_allow_cpu` asks for CAP_PERFMON, before Linux 5.8 for CAP_SYS_ADMIN.
        Errno::ACCESS => {
            Remedy::any([grant, Remedy::SetKernelParameter { name: "kernel.perf_event_paranoid", value: "0" }])
        }
        // Container engines deny the call unless a capability lifts that.
        Errno::PERM => Remedy::any([grant, Remedy::AllowSystemCall { calls: vec!["perf_event_open"] }]),
        Errno::NOSYS => Remedy::EnableKernelOption { option: "CONFIG_PERF_EVENTS" },
        Errno::MFILE | Errno::NFILE => Remedy::RaiseLimit { limit: ResourceLimit::OpenFiles },
        _ => return None,
    })
}
