//! Classification of a process by its `/proc/PID/cgroup`.
//!
//! The file has one line a hierarchy, `number:controllers:path` (cgroups(7)): many on a version 1
//! host, only `0::path` on a version 2 host, both on a hybrid one. Container runtimes put their
//! identifier into a directory name on that path; [`classify`] looks for the names they use.
//!
//! A line is preferred if CPU time can be read at its path, in the order in which
//! [`CgroupCpu::open`](crate::usage::cgroup::CgroupCpu::open) looks: version 1 `cpuacct`, version 2,
//! the others. So the path in a [`CgroupMembership`] is one that `open` finds wherever there is such a one.

mod container;
mod job;
pub(super) mod path;

use super::{ContainerInfo, JobInfo, PodInfo, UnitInfo, unit};
use path::Path;
use std::cmp::Reverse;
use std::sync::Arc;

/// Where one process belongs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CgroupMembership {
    /// The innermost container around the process, its name still empty.
    pub container: Option<ContainerInfo>,
    /// The containers around that one, outermost first: a Kubernetes node that is itself a Docker
    /// container (kind), Docker in LXC. Their cgroups' CPU time includes that of `container`.
    pub outer: Vec<ContainerInfo>,
    /// The pod of a process that is in a pod, but in none of its containers (CRI-O's `conmon`).
    /// The pod of a process in a container is [`ContainerInfo::pod`].
    pub pod: Option<PodInfo>,
    /// The job of a batch scheduler that the process runs in: within the container, where its cgroup is below that of
    /// the container, or around it.
    pub job: Option<JobInfo>,
    /// The systemd unit or slice; `None` in a container, in a job and in the root cgroup.
    pub unit: Option<UnitInfo>,
}

impl CgroupMembership {
    /// Whether the job runs within the container or pod, instead of these within the job.
    #[must_use]
    pub(crate) fn job_is_inside(&self) -> bool {
        let container = self.container.as_ref().map(|container| container.cgroup.as_str());
        let around = container.or_else(|| self.pod.as_ref().map(|pod| pod.cgroup.as_str()));
        let rest = self.job.as_ref().and_then(|job| job.cgroup.strip_prefix(around?));
        rest.is_some_and(|rest| rest.starts_with('/'))
    }
}

/// Reads a placement from the content of `/proc/PID/cgroup`.
///
/// Any bytes are accepted: lines that are none are skipped, bytes that are not UTF-8 are replaced
/// (the workload is still named, though its cgroup will not be found under the replaced name).
/// Leading `..`, which the kernel writes for paths outside the reader's cgroup namespace, are left
/// out, and so is the mark ` (deleted)` of a removed cgroup.
///
/// A process that moved itself to another directory may call that what it likes, so a placement is
/// only as trustworthy as the users who may write to the cgroup file system.
///
/// ```
/// let id = "4f".repeat(32);
/// let placement = kepler_core::workload::cgroup::classify(format!("0::/system.slice/docker-{id}.scope\n").as_bytes());
/// let container = placement.container.unwrap();
/// assert_eq!((container.runtime, container.id), ("docker", id));
/// ```
#[must_use]
pub fn classify(text: &[u8]) -> CgroupMembership {
    let text = String::from_utf8_lossy(text);
    let mut lines: Vec<Line<'_>> = text.lines().filter_map(Line::parse).collect();
    lines.sort_by_key(|line| line.rank); // stable: equal ranks stay in the kernel's order

    // `min_by_key` takes the first of equals, that is, the line with CPU accounting. A deeper line
    // wins all the same: some managers make their directories in a few hierarchies only.
    let layers = lines.iter().map(|line| container::layers(&line.path));
    let layers = layers.min_by_key(|layers| Reverse((layers.containers.len(), layers.pod.is_some())));
    let mut layers = layers.unwrap_or_default();

    let container = layers.containers.pop();
    let pod_of_container = container.as_ref().and_then(|container| container.pod.as_ref());
    let pod = layers.pod.filter(|pod| Some(pod) != pod_of_container).map(Arc::unwrap_or_clone);
    // The line with CPU accounting again, unless the job is in another one only.
    let job = lines.iter().find_map(|line| job::job(&line.path));
    let unit = if container.is_none() && job.is_none() {
        let units = lines.iter().filter_map(|line| unit::deepest(&line.path));
        units.min_by_key(|found| Reverse(found.precision)).map(|found| found.unit)
    } else {
        None
    };
    CgroupMembership { container, outer: layers.containers, pod, job, unit }
}

/// One line of `/proc/PID/cgroup`.
struct Line<'a> {
    /// Preference, lowest first.
    rank: u8,
    path: Path<'a>,
}

impl<'a> Line<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        let mut columns = line.splitn(3, ':');
        let (number, controllers, path) = (columns.next()?, columns.next()?, columns.next()?);
        if !path.starts_with('/') {
            return None;
        }
        let has = |name: &str| controllers.split(',').any(|controller| controller == name);
        let rank = match number {
            _ if has("cpuacct") => 0,
            "0" if controllers.is_empty() => 1,
            _ if has("cpu") => 2,
            _ if has("name=systemd") => 3,
            _ => 4,
        };
        Some(Line { rank, path: Path::new(path) })
    }
}
