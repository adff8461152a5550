//! Which of the host's processes can be seen: the PID namespace of the procfs, and how it is mounted.
//!
//! | mount option | without exemption | exempt |
//! |---|---|---|
//! | `hidepid=0`, `off` | all is seen | |
//! | `hidepid=1`, `noaccess` | other users' processes are listed, but can not be read | group `gid`, `CAP_SYS_PTRACE` |
//! | `hidepid=2`, `invisible` | other users' processes are not even listed | group `gid`, `CAP_SYS_PTRACE` |
//! | `hidepid=4`, `ptraceable` (Linux 5.8) | processes that may not be traced are not listed | `CAP_SYS_PTRACE` |
//! | `subset=pid` (Linux 5.8) | nothing but processes is there: no CPU time of the node | none |
//!
//! Source: Documentation/filesystems/proc.rst, chapter 4, and `has_pid_permissions` in fs/proc/base.c.
//!
//! ```
//! use kepler_core::host::{Host, ProcessVisibility};
//!
//! match ProcessVisibility::of(&Host::default()) {
//!     ProcessVisibility::Hidden(hiding) => println!("hidepid={}", hiding.mode.name()),
//!     other => println!("{other:?}"),
//! }
//! ```

use super::Host;
use super::file::{self, FileLimits};
use crate::availability::{Capability, Remedy, Root};
use procfs_core::process::MountInfo;
use std::fs;
use std::path::Path;

/// Which processes of the host can be seen.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum ProcessVisibility {
    /// All of them.
    All,
    /// Those of a PID namespace that is not the host's first one: a container's own.
    Namespace,
    /// Those that the procfs does not hide from this process.
    Hidden(Hiding),
    /// None, as what would say it cannot be read.
    Unknown,
}

/// How a procfs hides processes from this one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Hiding {
    /// What it hides.
    pub mode: HidePid,
    /// The group whose members see everything, where joining it helps.
    pub group: Option<u32>,
}

/// The mount option `hidepid`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "lowercase"))]
#[non_exhaustive]
pub enum HidePid {
    /// Nothing is hidden.
    #[default]
    Off,
    /// Other users' processes cannot be read.
    NoAccess,
    /// Other users' processes are not listed.
    Invisible,
    /// Processes that this one may not trace are not listed.
    Ptraceable,
}

impl HidePid {
    /// The kernel's name of it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            HidePid::Off => "off",
            HidePid::NoAccess => "noaccess",
            HidePid::Invisible => "invisible",
            HidePid::Ptraceable => "ptraceable",
        }
    }

    /// By name, or by number as kernels before 5.8 show it. One of the future hides something, too.
    fn parse(value: &str) -> Self {
        match value {
            "0" | "off" => HidePid::Off,
            "1" | "noaccess" => HidePid::NoAccess,
            "2" | "invisible" => HidePid::Invisible,
            _ => HidePid::Ptraceable,
        }
    }
}

/// How the host's procfs is mounted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct ProcfsMount {
    /// Which processes it hides.
    pub hide_pid: HidePid,
    /// The group that is exempt; 0 (root's) where none is given.
    pub group: u32,
    /// Whether it holds nothing but processes (`subset=pid`): then there is no `stat`, `cpuinfo` or `meminfo`.
    pub has_processes_only: bool,
}

/// `CAP_SYS_PTRACE`, include/uapi/linux/capability.h.
const SYS_PTRACE: u32 = 19;
/// Inode number of the first PID namespace (`PROC_PID_INIT_INO`, include/linux/proc_ns.h).
const FIRST_PID_NAMESPACE: &str = "pid:[4026531836]";
/// A mount table or a user's mapping is not longer.
const LONGEST: FileLimits = FileLimits::bytes(16 << 20);

impl ProcfsMount {
    /// How this host's procfs is mounted, from this process's `mountinfo` in it. `None` if that has no procfs.
    #[must_use]
    pub fn read(host: &Host) -> Option<Self> {
        let table = file::read(&host.procfs().join("self/mountinfo"), LONGEST).ok()?;
        let table = String::from_utf8_lossy(&table);
        // Line by line: the parser gives up at the first one that it does not know.
        let mounts = table.lines().filter_map(|line| MountInfo::from_line(line).ok());
        let mounts: Vec<MountInfo> = mounts.filter(|mount| mount.fs_type == "proc").collect();
        let procfs = host.procfs().canonicalize().unwrap_or_else(|_| host.procfs().to_owned());
        // Of several at one place the last one is on top. A tree of plain files speaks of the place it was taken from.
        let at = |path: &Path| mounts.iter().rfind(|mount| mount.mount_point == path);
        let mount = at(&procfs).or_else(|| at(Path::new("/proc"))).or(mounts.last())?;
        let option = |name: &str| mount.super_options.get(name).or_else(|| mount.mount_options.get(name))?.as_deref();
        Some(ProcfsMount {
            hide_pid: option("hidepid").map(HidePid::parse).unwrap_or_default(),
            group: option("gid").and_then(|group| group.parse().ok()).unwrap_or(0),
            has_processes_only: option("subset") == Some("pid"),
        })
    }
}

impl ProcessVisibility {
    /// What would let this process see all of the host.
    #[must_use]
    pub fn remedy(&self) -> Remedy {
        let trace = || Remedy::grant([Capability::SysPtrace]);
        match self {
            ProcessVisibility::All | ProcessVisibility::Unknown => Remedy::None,
            ProcessVisibility::Namespace => {
                Remedy::any([Remedy::SharePidNamespace, Remedy::MountRoot { root: Root::Procfs }])
            }
            // Root's own group, which is exempt where none is named, opens more than the procfs.
            ProcessVisibility::Hidden(Hiding { group: Some(group), .. }) if *group != 0 => {
                Remedy::any([Remedy::JoinGroup { group: *group }, trace()])
            }
            ProcessVisibility::Hidden(_) => trace(),
        }
    }

    /// What this process sees of the host.
    #[must_use]
    pub fn of(host: &Host) -> Self {
        match (hiding(host), is_first_namespace(host)) {
            // In another namespace nothing else helps, whatever is hidden in it.
            (_, Some(false)) => ProcessVisibility::Namespace,
            (Some(hiding), _) => ProcessVisibility::Hidden(hiding),
            (None, Some(true)) => ProcessVisibility::All,
            (None, None) => ProcessVisibility::Unknown,
        }
    }
}

/// What the procfs hides from this process; `None` if nothing.
fn hiding(host: &Host) -> Option<Hiding> {
    let mount = ProcfsMount::read(host).filter(|mount| mount.hide_pid != HidePid::Off)?;
    let status = Status::read(host);
    let can_trace = status.number("CapEff", 16).is_some_and(|held| held & (1 << SYS_PTRACE) != 0);
    // A capability counts for the processes of one's own user namespace and those below.
    if can_trace && is_first_user_namespace(host) {
        return None;
    }
    let group_helps = mount.hide_pid != HidePid::Ptraceable;
    // The last of the four is the one that files are accessed with.
    let own = status.words("Gid").nth(3).into_iter().chain(status.words("Groups"));
    if group_helps && own.map(str::parse).any(|group| group == Ok(mount.group)) {
        return None;
    }
    Some(Hiding { mode: mount.hide_pid, group: group_helps.then_some(mount.group) })
}

/// The text of this process's `status`. Not through the `procfs` crate, which refuses one that lacks any of thirty fields.
struct Status(String);

impl Status {
    fn read(host: &Host) -> Self {
        let text = file::read(&host.procfs().join("self/status"), LONGEST).unwrap_or_default();
        Status(String::from_utf8_lossy(&text).into_owned())
    }

    fn words(&self, field: &str) -> impl Iterator<Item = &str> {
        let line = self.0.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
        line.unwrap_or_default().split_whitespace()
    }

    fn number(&self, field: &str, radix: u32) -> Option<u64> {
        u64::from_str_radix(self.words(field).next()?, radix).ok()
    }
}

/// Whether this process is in the user namespace that the machine was started with, which maps all numbers to themselves.
fn is_first_user_namespace(host: &Host) -> bool {
    let map = file::read(&host.procfs().join("self/uid_map"), LONGEST).ok();
    // A tree of plain files has none.
    map.is_none_or(|map| String::from_utf8_lossy(&map).split_whitespace().eq(["0", "0", "4294967295"]))
}

/// Whether the procfs is of the host's first PID namespace; `None` if nothing says so.
fn is_first_namespace(host: &Host) -> Option<bool> {
    let link = |path: &str| {
        let link = fs::read_link(host.procfs().join(path)).ok()?;
        Some(link.as_os_str() == FIRST_PID_NAMESPACE)
    };
    // The first process may be looked into by few, the parent of the kernel's threads by all; it lives in the first
    // namespace only.
    let is_kthreadd = || {
        let name = file::read(&host.procfs().join("2/comm"), FileLimits::bytes(64)).ok()?;
        (name == b"kthreadd\n").then_some(true)
    };
    link("1/ns/pid").or_else(is_kthreadd).or_else(|| {
        // More than one number: the procfs is of a namespace around ours, and ours says nothing of it.
        if Status::read(host).words("NSpid").count() > 1 { None } else { link("self/ns/pid") }
    })
}

#[cfg(test)]
mod tests;
