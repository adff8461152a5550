//! Resource use of this process. The only figures of a scrape that are not in the snapshot.
//!
//! All is read from the process's own procfs, not the host's, which may number processes differently.

use rustix::process::{Resource, getrlimit};
use std::fs;
use std::time::Duration;

/// CPU time of all threads so far.
pub(crate) fn cpu_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// Size of the address space: the first field of `/proc/self/statm`, in pages (`proc_pid_statm(5)`).
pub(crate) fn virtual_bytes() -> Option<u64> {
    statm(0)
}

/// Resident set size: the second field of `/proc/self/statm`.
pub(crate) fn resident_bytes() -> Option<u64> {
    statm(1)
}

fn statm(field: usize) -> Option<u64> {
    let statm = fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = statm.split(' ').nth(field)?.parse().ok()?;
    pages.checked_mul(u64::try_from(rustix::param::page_size()).ok()?)
}

/// When this process started, since 1970: field 22 of `/proc/self/stat` (`proc_pid_stat(5)`), in clock ticks since
/// the boot that `btime` of `/proc/stat` says.
pub(crate) fn start_time() -> Option<Duration> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    // The name before may hold blanks and brackets.
    let (_, fields) = stat.rsplit_once(") ")?;
    let ticks: u64 = fields.split(' ').nth(19)?.parse().ok()?;
    let boot = fs::read_to_string("/proc/stat").ok()?;
    let boot: u64 = boot.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()?;
    let per_second = rustix::param::clock_ticks_per_second();
    let milliseconds = ticks.checked_mul(1000)?.checked_div(per_second)?;
    Some(Duration::from_secs(boot) + Duration::from_millis(milliseconds))
}

/// Open file descriptors, without the one that counts them.
pub(crate) fn open_descriptors() -> Option<u64> {
    let open = fs::read_dir("/proc/self/fd").ok()?.count();
    u64::try_from(open.saturating_sub(1)).ok()
}

/// How many there may be; none where there is no limit.
pub(crate) fn max_descriptors() -> Option<u64> {
    getrlimit(Resource::Nofile).current
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{SystemTime, UNIX_EPOCH};

    #[test]
    fn this_process_has_used_time_and_memory_and_started_before_now() {
        assert!(cpu_time() > Duration::ZERO);
        assert!(resident_bytes().unwrap() > 100 * 1024);
        assert!(virtual_bytes().unwrap() >= resident_bytes().unwrap());
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let age = (now + Duration::from_secs(2)).checked_sub(start_time().unwrap()).unwrap();
        assert!(age < Duration::from_secs(24 * 3600), "{age:?}");
        assert!(open_descriptors().unwrap() >= 3);
    }
}
