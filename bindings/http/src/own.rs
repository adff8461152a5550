//! What this process itself costs. The only figures of a scrape that are not in the snapshot.

use std::time::Duration;

/// CPU time of all threads so far.
pub(crate) fn cpu_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// Resident set size: the second field of `/proc/self/statm`, in pages (`proc_pid_statm(5)`).
/// This is the process's own procfs, not the host's, which may number processes differently.
pub(crate) fn resident_bytes() -> Option<u64> {
    let statm = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = statm.split(' ').nth(1)?.parse().ok()?;
    pages.checked_mul(u64::try_from(rustix::param::page_size()).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_used_time_and_memory() {
        assert!(cpu_time() > Duration::ZERO);
        assert!(resident_bytes().unwrap() > 100 * 1024);
    }
}
