//! CPU time of this process and of those it started, without listing the machine's processes.
//!
//! CPU time moves up the tree: what a child used is in its clock while it lives, and in its parent's account of
//! children once it was waited for. So the sum over the tree only rises, and a difference of two such sums
//! is what the tree used in between, however many processes came and went. What it cannot see: a
//! process whose parent ended before it (it then belongs to `init`), and children that are not waited for
//! because `SIGCHLD` is ignored.

use crate::host::{Host, parse_decimal};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use nix::time::{ClockId, clock_gettime};
use rustix::io::Errno;
use rustix::process::{WaitId, WaitIdOptions};
use std::fs;
use std::path::Path;
use std::time::Duration;

/// The deepest tree that is followed, as a guard against a file system that is no procfs.
const DEEPEST: usize = 64;

/// CPU time since the start of the process.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct CpuUse {
    /// Of this process, all threads.
    pub(super) own: Duration,
    /// Of its descendants: those alive, and those that ended and were waited for.
    descendants: Duration,
}

impl CpuUse {
    /// Of all of them.
    pub(super) fn tree(&self) -> Duration {
        self.own + self.descendants
    }
}

/// As it stands now. Costs a microsecond without living children, and a few files a child with them.
pub(super) fn cpu_use() -> CpuUse {
    let own = clock(ClockId::CLOCK_PROCESS_CPUTIME_ID).unwrap_or_default();
    let ended = getrusage(UsageWho::RUSAGE_CHILDREN).map(|usage| {
        let microseconds = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
        Duration::from_micros(u64::try_from(microseconds).unwrap_or(0))
    });
    let mut descendants = ended.unwrap_or_default();
    if has_children() {
        let host = Host::default();
        add_children(host.procfs(), &host.procfs().join("self"), DEEPEST, &mut descendants);
    }
    CpuUse { own, descendants }
}

/// Asked without looking at any, and without waiting for any.
fn has_children() -> bool {
    let look = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    !matches!(rustix::process::waitid(WaitId::All, look), Err(Errno::CHILD))
}

/// CPU time of another process since it started, with that of its descendants: those alive, and those that ended and were
/// waited for. `None` where there is no such process.
///
/// Processes are found in the procfs of `host`, their clocks by number: both must be of the same PID namespace.
#[must_use]
pub fn tree_cpu_time(host: &Host, pid: u32) -> Option<Duration> {
    let pid = i32::try_from(pid).ok().filter(|pid| *pid > 0)?;
    let mut sum = process_clock(pid)?;
    let directory = host.procfs().join(pid.to_string());
    sum += waited_for(&directory);
    add_children(host.procfs(), &directory, DEEPEST, &mut sum);
    Some(sum)
}

/// `task/TID/children` of every thread names the children that it started.
fn add_children(procfs: &Path, process: &Path, depth: usize, sum: &mut Duration) {
    let Some(depth) = depth.checked_sub(1) else { return };
    let Ok(threads) = fs::read_dir(process.join("task")) else { return };
    for thread in threads.flatten() {
        let Ok(children) = fs::read_to_string(thread.path().join("children")) else { continue };
        for pid in children.split_whitespace().filter_map(|pid| pid.parse::<i32>().ok()) {
            let directory = procfs.join(pid.to_string());
            // The ones it waited for are in its `stat`; read first, so that a grandchild that ends now
            // is missed until the next time, not counted twice.
            *sum += waited_for(&directory);
            *sum += process_clock(pid).unwrap_or_default();
            add_children(procfs, &directory, depth, sum);
        }
    }
}

/// CPU time of the children that a process has waited for.
fn waited_for(process: &Path) -> Duration {
    let ticks = fs::read(process.join("stat")).ok().and_then(|stat| children_ticks(&stat)).unwrap_or(0);
    let tick = 1_000_000_000 / rustix::param::clock_ticks_per_second().max(1);
    Duration::from_nanos(ticks.saturating_mul(tick))
}

/// The kernel's number for a process's CPU clock, as in usage/clock.rs.
fn process_clock(pid: i32) -> Option<Duration> {
    clock(ClockId::from_raw((!pid << 3) | 2))
}

fn clock(clock: ClockId) -> Option<Duration> {
    let time = clock_gettime(clock).ok()?;
    u64::try_from(time.num_nanoseconds()).ok().map(Duration::from_nanos)
}

/// `cutime + cstime` (fields 16 and 17, `proc_pid_stat(5)`).
fn children_ticks(stat: &[u8]) -> Option<u64> {
    let end = stat.iter().rposition(|&byte| byte == b')')?;
    let mut fields = stat.get(end + 2..)?.split(|&byte| byte == b' ').skip(13);
    parse_decimal(fields.next()?)?.checked_add(parse_decimal(fields.next()?)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    /// A shell that starts a shell that works, says so, and waits until its input ends.
    fn family() -> std::process::Child {
        let work = "i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done; echo done; read x";
        Command::new("sh")
            .args(["-c", &format!("sh -c '{work}'; true")])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap()
    }

    #[test]
    fn descendants_count_while_they_live_and_after_and_only_once() {
        use std::io::Read;
        let before = cpu_use();
        let mut family = family();
        family.stdout.take().unwrap().read_exact(&mut [0; 5]).unwrap();
        let alive = cpu_use();
        let used = alive.descendants - before.descendants;
        assert!(used > Duration::from_millis(10), "{used:?}");
        drop(family.stdin.take());
        family.wait().unwrap();
        let after = cpu_use().descendants - before.descendants;
        // Ending costs a little; the kernel rounds the account of children to microseconds.
        assert!(after + Duration::from_millis(5) > used && after < used * 2, "{used:?} alive, {after:?} afterwards");
    }

    #[test]
    fn another_process_is_read_with_its_descendants_until_it_has_gone() {
        use std::io::Read;
        let mut family = family();
        family.stdout.take().unwrap().read_exact(&mut [0; 5]).unwrap();
        let used = tree_cpu_time(&Host::default(), family.id()).unwrap();
        assert!(used > Duration::from_millis(10), "its child did the work: {used:?}");
        drop(family.stdin.take());
        family.wait().unwrap();
        assert_eq!(tree_cpu_time(&Host::default(), family.id()), None);
        assert_eq!(tree_cpu_time(&Host::default(), 0), None);
    }

    #[test]
    fn the_account_of_children_is_read_behind_a_hostile_name() {
        let stat = b"7 (a) b) c) S 1 7 7 0 -1 0 0 0 0 0 10 5 30 4 20 0 1 0 100 0 0\n";
        assert_eq!(children_ticks(stat), Some(34));
        assert_eq!(children_ticks(b"garbage"), None);
    }
}
