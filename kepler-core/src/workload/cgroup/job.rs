//! The directory names that batch schedulers give to their jobs' cgroups.
//!
//! | who | names |
//! |---|---|
//! | Slurm, cgroup version 1 | `slurm/uid_<n>/job_<id>/step_<step>/task_<n>`; `slurm_<node>/…` with several slurmd |
//! | Slurm, version 2 | `slurmstepd.scope/job_<id>/step_<step>/user/task_<n>`, `<node>_slurmstepd.scope/…` with several slurmd; the scope is in `system.slice` or the slice of cgroup.conf. From 26.05 on `<SLUID>` in place of `job_<id>`, 14 characters of base 32 of which the first is `s`, unless `CgroupJobIdPaths=yes` |
//! | HTCondor | `htcondor/condor_<execute directory>_slot<n>[_<m>][@<host>]`, in version 2 beside the daemons in `condor.service` or `system.slice`; a directory below it belongs to the same job (`sshd`) |
//! | PBS Professional, OpenPBS | `<prefix>.service/jobid/<id>` (`pbs_jobs`, `pbspro`); before 2020 `pbspro/<id>` and `pbspro.slice/pbspro-<id>.slice` |
//! | TORQUE | `torque/<id>` |
//! | LSF | `lsf/<cluster>/job.<id>.<pid>.<time>` |
//! | OAR | `oar/<user>_<id>`; version 3 `oar.slice/oar-u<uid>.slice/oar-u<uid>-j<id>.slice` |
//!
//! The cgroup of an HTCondor job has no number of the job: its slot stands for it, in which one job runs at a time.
//! The daemons of a scheduler (`slurmstepd.scope/system`, `condor.service`) belong to no job.

use super::super::JobInfo;
use super::super::unit::unescape;
use super::path::Path;

/// The innermost job on `path`.
pub(super) fn job(path: &Path<'_>) -> Option<JobInfo> {
    let mut above = Above::default();
    let mut found = None;
    for (name, path) in path.directories() {
        if let Some((scheduler, id)) = above.job(name) {
            found = Some(JobInfo::new(id, scheduler, path));
        }
        above.enter(name);
    }
    found
}

/// What is known of the directories above.
#[derive(Default)]
struct Above<'a> {
    parent: &'a str,
    grandparent: &'a str,
    is_slurm: bool,
    is_condor: bool,
}

impl<'a> Above<'a> {
    fn enter(&mut self, name: &'a str) {
        (self.grandparent, self.parent) = (self.parent, name);
        self.is_slurm |= is_slurm_root(name);
        self.is_condor |= matches!(name, "htcondor" | "condor.service");
    }

    /// The scheduler and identifier if the directory `name` is a job's.
    fn job(&self, name: &str) -> Option<(&'static str, String)> {
        if self.is_slurm {
            let id = name.strip_prefix("job_").filter(|id| is_number(id));
            let id = id.or_else(|| Some(name).filter(|name| is_slurm_scope(self.parent) && is_sluid(name)));
            return id.map(|id| ("slurm", id.to_owned()));
        }
        if let Some(slot) = condor_slot(name).filter(|_| self.is_condor || name.starts_with("condor_")) {
            return Some(("htcondor", slot.to_owned()));
        }
        match self.parent {
            "jobid" if self.grandparent.ends_with(".service") => Some(("pbs", name.to_owned())),
            "pbspro" | "pbs_jobs" if starts_with_digit(name) => Some(("pbs", name.to_owned())),
            "pbspro.slice" => {
                let id = unescape(name.strip_prefix("pbspro-")?.strip_suffix(".slice")?);
                starts_with_digit(&id).then_some(("pbs", id))
            }
            "torque" if starts_with_digit(name) => Some(("torque", name.to_owned())),
            "oar" => name.rsplit_once('_').filter(|(_, id)| is_number(id)).map(|(_, id)| ("oar", id.to_owned())),
            _ if self.grandparent == "lsf" => {
                let id = name.strip_prefix("job.")?.split('.').next().filter(|id| starts_with_digit(id))?;
                Some(("lsf", id.to_owned()))
            }
            _ if self.parent.starts_with("oar-u") => {
                let stem = name.strip_suffix(".slice").or_else(|| name.strip_suffix(".scope")).unwrap_or(name);
                let id = stem.strip_prefix("oar-u")?.split_once("-j")?.1;
                is_number(id).then(|| ("oar", id.to_owned()))
            }
            _ => None,
        }
    }
}

fn is_slurm_root(name: &str) -> bool {
    name == "slurm" || name.strip_prefix("slurm_").is_some_and(|node| !node.is_empty()) || is_slurm_scope(name)
}

fn is_slurm_scope(name: &str) -> bool {
    let node = name.strip_suffix("slurmstepd.scope");
    node.is_some_and(|node| node.is_empty() || (node.len() > 1 && node.ends_with('_')))
}

/// Slurm's identifier of a job in Crockford's base 32, which has no I, L, O and U.
fn is_sluid(name: &str) -> bool {
    let digits = name.strip_prefix('s').filter(|digits| digits.len() == 13);
    digits.is_some_and(|digits| {
        digits.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'A'..=b'Z') && !b"ILOU".contains(&digit))
    })
}

/// The slot in the name of an HTCondor job's directory.
fn condor_slot(name: &str) -> Option<&str> {
    let slot = name.get(name.rfind("_slot")? + 1..)?;
    let number = slot.strip_prefix("slot")?.split(['_', '@']).next()?;
    is_number(number).then_some(slot)
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn starts_with_digit(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_digit())
}
