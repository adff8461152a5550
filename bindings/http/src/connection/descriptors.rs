//! The number of connections within the limit of open files.

use rustix::process::{Resource, getrlimit};
use std::num::NonZeroUsize;

/// Kept for files that are opened while serving: the sampler's, the history's, a reload's. A quarter of the limit,
/// this many at least.
const LEAST_KEPT: usize = 64;
/// Below this many connections the limit would keep out probes and scrapes as well.
const LEAST_CONNECTIONS: usize = 4;

/// As many of `wanted` connections as there are descriptors for.
pub(crate) fn connections(wanted: usize) -> usize {
    let Some(limit) = getrlimit(Resource::Nofile).current.and_then(|limit| usize::try_from(limit).ok()) else {
        return wanted;
    };
    // This process's own procfs, whatever host is measured.
    let open = std::fs::read_dir("/proc/self/fd").map_or(0, Iterator::count);
    let fitting = fitting(limit, open, wanted);
    if fitting < wanted {
        tracing::warn!(
            "{fitting} connections at a time and not {wanted}: this process may have {limit} files open; raise that limit \
             (LimitNOFILE= of a systemd unit, ulimit -n)"
        );
    }
    fitting
}

/// As [`connections`], with `limit` descriptors of which `open` are in use.
fn fitting(limit: usize, open: usize, wanted: usize) -> usize {
    let kept = (limit / 4).max(LEAST_KEPT);
    let left = limit.saturating_sub(open).saturating_sub(kept);
    let left = NonZeroUsize::new(left).map_or(LEAST_CONNECTIONS, |left| left.get().max(LEAST_CONNECTIONS));
    wanted.min(left)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_usual_limit_leaves_a_quarter_for_files_and_a_tiny_one_some_connections() {
        assert_eq!(fitting(1024, 40, 1072), 1024 - 40 - 256);
        assert_eq!(fitting(1024, 40, 32), 32);
        assert_eq!(fitting(1_048_576, 40, 1072), 1072);
        assert_eq!(fitting(64, 40, 32), 4);
        assert_eq!(fitting(0, 40, 1), 1);
    }
}
