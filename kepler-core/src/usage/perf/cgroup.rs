//! Hardware counters of one cgroup and those below it.

use super::{NOTHING, Processor, Scaled, event_on, pmu_type};
use crate::host::{CpuDomains, Host};
use crate::usage::Work;
use perf_event::Builder;
use perf_event::events::Software;
use std::fs::File;
use std::io;
use std::path::{Component, Path};

/// Where the hierarchy with the controller `perf_event` is, below the root: of its own (version 1), hybrid, version 2,
/// where it is always there unless version 1 has it.
const HIERARCHIES: [&str; 3] = ["perf_event", "unified", ""];

/// Counts what runs in one cgroup, wherever it does: `perf_event_open` with `PERF_FLAG_PID_CGROUP`.
///
/// Time on each processor is counted by the kernel (`PERF_COUNT_SW_CPU_CLOCK`, while one of the cgroup's tasks
/// runs), so that it is known where a container worked even without any PMU; cycles, instructions and cache misses
/// where there is one. Processes that came and went between two readings are in it.
///
/// **Cost.** Up to four descriptors a processor, and the kernel has more to do when it switches between tasks of
/// different cgroups.
#[derive(Debug)]
pub struct CgroupCounters {
    processors: Vec<OnProcessor>,
    sums: Vec<Work>,
}

#[derive(Debug)]
struct OnProcessor {
    domain: u16,
    clock: Scaled,
    counters: Option<Processor>,
}

impl CgroupCounters {
    /// Opens counters on every processor of these domains for the cgroup `path`, as `/proc/PID/cgroup` gives it.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`] when no hierarchy with `perf_event` has that cgroup, and for the root, which is
    /// the node; [`io::ErrorKind::InvalidInput`] for a path with `..` in it; else what the kernel said.
    pub fn open(host: &Host, path: &str, domains: &CpuDomains) -> io::Result<Self> {
        let directory = directory(host.cgroup(), path)?;
        let mut processors = Vec::new();
        for (domain, index) in domains.iter().zip(0u16..) {
            let pmu = pmu_type(host, domain);
            for &number in &domain.processors {
                let mut clock = Builder::new(Software::CPU_CLOCK);
                clock.observe_cgroup(&directory).one_cpu(number as usize).include_kernel();
                let counters = Processor::open(index, |event| {
                    let mut builder = event_on(number, event, pmu);
                    builder.observe_cgroup(&directory);
                    Scaled::open(builder)
                });
                processors.push(OnProcessor { domain: index, clock: Scaled::open(clock)?, counters: counters.ok() });
            }
        }
        Ok(CgroupCounters { processors, sums: vec![Work::default(); domains.len()] })
    }

    /// Most descriptors that one such set takes on this number of processors.
    #[must_use]
    pub const fn descriptors(processors: usize) -> usize {
        4 * processors
    }

    /// What the cgroup did since the last reading, by domain: nothing known at the first one.
    pub fn read(&mut self) -> &[Work] {
        self.sums.fill(NOTHING);
        for processor in &mut self.processors {
            let Some(sum) = self.sums.get_mut(usize::from(processor.domain)) else { continue };
            sum.time_ns = sum.time_ns.saturating_add(processor.clock.advance().unwrap_or(0));
            match &mut processor.counters {
                Some(counters) => counters.add_to(sum),
                None => (sum.cycles, sum.instructions, sum.cache_misses) = (None, None, None),
            }
        }
        &self.sums
    }
}

/// The cgroup's directory in the hierarchy that can be counted.
fn directory(root: &Path, path: &str) -> io::Result<File> {
    let below = Path::new(path.trim_start_matches('/'));
    if !below.components().all(|component| matches!(component, Component::Normal(_))) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, format!("cgroup path `{path}` leaves its hierarchy")));
    }
    let missing = || {
        let message = format!("no hierarchy with perf_event under {} has the cgroup `{path}`", root.display());
        io::Error::new(io::ErrorKind::NotFound, message)
    };
    if below.as_os_str().is_empty() {
        return Err(missing());
    }
    let opened = HIERARCHIES.iter().find_map(|hierarchy| File::open(root.join(hierarchy).join(below)).ok());
    opened.ok_or_else(missing)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cgroup_that_is_not_there_is_not_found_and_none_leaves_its_hierarchy() {
        let open = |path| CgroupCounters::open(&Host::default(), path, &CpuDomains::default()).unwrap_err();
        assert_eq!(open("/kepler-there-is-no-such-cgroup").kind(), io::ErrorKind::NotFound);
        assert_eq!(open("/").kind(), io::ErrorKind::NotFound);
        assert_eq!(open("/../etc").kind(), io::ErrorKind::InvalidInput);
    }
}
