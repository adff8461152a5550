//! Why the kernel refuses `perf_event_open`, and what would change that.

use super::Host;
use crate::availability::{Capability, Remedy, ResourceLimit};
use rustix::io::Errno;
use std::{fs, io};

const PARANOID: &str = "kernel.perf_event_paranoid";

/// `kernel.perf_event_paranoid`. Above 2, which only the kernels of Debian (3) and Ubuntu (4) and theirs tell from 2, `perf_event_open`
/// asks for `CAP_SYS_ADMIN` before anything else (`perf_paranoid_any` in their `kernel/events/core.c`, as of Linux 6.1 and 5.15).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Paranoia(i64);

impl Paranoia {
    /// That of a host; 2, the kernel's default, where it cannot be read.
    pub(crate) fn of(host: &Host) -> Self {
        let text = fs::read_to_string(host.procfs().join("sys/kernel/perf_event_paranoid")).unwrap_or_default();
        Paranoia(text.trim().parse().unwrap_or(2))
    }

    fn refuses(self, error: &io::Error) -> bool {
        self.0 > 2 && Errno::from_io_error(error) == Some(Errno::ACCESS)
    }

    /// The error, and why it is one in spite of `CAP_PERFMON`.
    pub(crate) fn describe(self, error: &io::Error) -> String {
        if !self.refuses(error) {
            return error.to_string();
        }
        format!("{error}; with {PARANOID} at {} this kernel wants CAP_SYS_ADMIN, with 2 it wants CAP_PERFMON", self.0)
    }
}

/// What to do about an error that does not depend on the event; `None` for others.
pub(crate) fn remedy(error: &io::Error, paranoia: Paranoia) -> Option<Remedy> {
    let grant = Remedy::grant([Capability::Perfmon]);
    Some(match Errno::from_io_error(error)? {
        Errno::ACCESS if paranoia.refuses(error) => Remedy::any([
            Remedy::SetKernelParameter { name: PARANOID, value: "2" },
            Remedy::grant([Capability::SysAdmin]),
        ]),
        // `perf_allow_cpu` asks for CAP_PERFMON, before Linux 5.8 for CAP_SYS_ADMIN.
        Errno::ACCESS => Remedy::any([grant, Remedy::SetKernelParameter { name: PARANOID, value: "0" }]),
        // Container engines deny the call unless a capability lifts that.
        Errno::PERM => Remedy::any([grant, Remedy::AllowSystemCall { calls: vec!["perf_event_open"] }]),
        Errno::NOSYS => Remedy::EnableKernelOption { option: "CONFIG_PERF_EVENTS" },
        Errno::MFILE | Errno::NFILE => Remedy::RaiseLimit { limit: ResourceLimit::OpenFiles },
        _ => return None,
    })
}
