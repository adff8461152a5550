//! Why the kernel refuses `perf_event_open`, and what would change that.

use rustix::io::Errno;
use std::io;

/// What to do about a refusal that does not depend on the event; `None` for others.
pub(crate) fn remedy(error: &io::Error) -> Option<&'static str> {
    match Errno::from_io_error(error)? {
        Errno::ACCESS => Some(
            "grant CAP_PERFMON (`setcap cap_perfmon=ep`, or capabilities.add: [PERFMON]; CAP_SYS_ADMIN before \
             Linux 5.8) or set `sysctl kernel.perf_event_paranoid=0`",
        ),
        Errno::PERM => Some(
            "perf_event_open is blocked by a seccomp profile or a security module: add CAP_PERFMON to the \
             container, or a profile that allows perf_event_open",
        ),
        Errno::NOSYS => Some("the kernel has no perf events: it needs CONFIG_PERF_EVENTS"),
        Errno::MFILE | Errno::NFILE => Some("raise the limit of open files (`ulimit -n`, LimitNOFILE=)"),
        _ => None,
    }
}
