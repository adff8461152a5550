//! Where this process runs: what decides whether containers can be recognised.

use kepler_core::availability::{Capability, Remedy, Root};
use kepler_core::host::{Host, ProcessVisibility, Topology};
use kepler_core::usage::cgroup::whole_hierarchy;
use serde::Serialize;
use std::fs;

/// Where this process runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Environment {
    /// The kernel's release, `6.18.0`, where known.
    pub(super) kernel: Option<String>,
    /// Whether all processes of the host are seen; `None` if that is not known.
    pub(super) sees_host_processes: Option<bool>,
    /// Which are, and why not all.
    pub(super) processes: ProcessVisibility,
    /// The control group hierarchy.
    pub(super) cgroup: Cgroup,
    /// What this machine is a guest of, where it is one: `kvm`, a product's name, `a hypervisor`.
    pub(super) guest_of: Option<String>,
}

/// The version of the control group hierarchy (cgroups(7)).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Cgroup {
    /// One hierarchy per controller.
    V1,
    /// One hierarchy per controller, and a unified one without controllers at `unified`.
    Hybrid,
    /// One hierarchy for all.
    V2,
    /// One hierarchy for all, of which only the part of this container is seen.
    #[serde(rename = "v2_part")]
    Part,
    /// None found: containers cannot be recognised.
    Missing,
}

impl Cgroup {
    /// For people.
    pub(super) const fn describe(self) -> &'static str {
        match self {
            Cgroup::V1 => "version 1",
            Cgroup::Hybrid => "version 1, with a unified hierarchy beside it",
            Cgroup::V2 => "version 2",
            Cgroup::Part => {
                "version 2, of which this container's part only is seen: what ends between two measurements is in no container"
            }
            Cgroup::Missing => "none found; containers cannot be recognised",
        }
    }

    /// What shows all of it.
    pub(super) fn remedy(self) -> Remedy {
        match self {
            Cgroup::Part => {
                Remedy::any([Remedy::grant([Capability::SysPtrace]), Remedy::MountRoot { root: Root::Cgroup }])
            }
            _ => Remedy::None,
        }
    }
}

/// Looks around.
pub(super) fn read(host: &Host) -> Environment {
    let line = |path: std::path::PathBuf| {
        fs::read_to_string(path).ok().map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
    };
    let processes = ProcessVisibility::of(host);
    Environment {
        sees_host_processes: match processes {
            ProcessVisibility::All => Some(true),
            ProcessVisibility::Unknown => None,
            _ => Some(false),
        },
        kernel: line(host.procfs().join("sys/kernel/osrelease")),
        cgroup: cgroup(host, processes == ProcessVisibility::All),
        processes,
        guest_of: guest_of(host, host.firmware("sys_vendor"), line(host.sysfs().join("hypervisor/type"))),
    }
}

fn cgroup(host: &Host, sees_host_processes: bool) -> Cgroup {
    let whole = whole_hierarchy(host);
    let root = whole.as_deref().unwrap_or(host.cgroup());
    if root.join("cgroup.controllers").exists() {
        // Every cgroup has this file but the root of the hierarchy.
        let is_part = sees_host_processes && root.join("cgroup.events").exists();
        if is_part { Cgroup::Part } else { Cgroup::V2 }
    } else if root.join("unified").is_dir() {
        Cgroup::Hybrid
    } else if ["cpu", "cpuacct", "cpu,cpuacct", "systemd"].iter().any(|name| root.join(name).is_dir()) {
        Cgroup::V1
    } else {
        Cgroup::Missing
    }
}

/// Who the hypervisor is, firmware or Xen may tell.
fn guest_of(host: &Host, vendor: Option<String>, xen: Option<String>) -> Option<String> {
    if Topology::read(host).virtualised {
        return Some(vendor.or(xen).unwrap_or_else(|| "a hypervisor".to_owned()));
    }
    xen
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn host(files: &[(&str, &str)], folders: &[&str]) -> (tempfile::TempDir, Host) {
        let root = tempfile::tempdir().unwrap();
        for folder in folders {
            fs::create_dir_all(root.path().join(folder)).unwrap();
        }
        for (path, text) in files {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let host = Host::default().with_procfs(root.path().join("proc")).with_sysfs(root.path().join("sys"));
        (root, host)
    }

    #[test]
    fn a_guest_is_recognised_by_its_processors_and_named_by_its_firmware() {
        let cpuinfo = ("proc/cpuinfo", "processor\t: 0\nflags\t\t: fpu hypervisor lm\n");
        let (_root, guest) = host(&[cpuinfo, ("sys/class/dmi/id/sys_vendor", "QEMU\n")], &[]);
        assert_eq!(read(&guest).guest_of.as_deref(), Some("QEMU"));
        let (_root, unnamed) = host(&[cpuinfo], &[]);
        assert_eq!(read(&unnamed).guest_of.as_deref(), Some("a hypervisor"));
        let (_root, metal) = host(
            &[("proc/cpuinfo", "processor\t: 0\nflags\t\t: fpu lm\n"), ("sys/class/dmi/id/sys_vendor", "QEMU\n")],
            &[],
        );
        assert_eq!(read(&metal).guest_of, None);
    }

    #[test]
    fn hierarchies_are_distinguished() {
        let cases = [
            (host(&[("sys/fs/cgroup/cgroup.controllers", "cpu")], &[]), Cgroup::V2),
            (host(&[], &["sys/fs/cgroup/unified", "sys/fs/cgroup/cpu"]), Cgroup::Hybrid),
            (host(&[], &["sys/fs/cgroup/cpu,cpuacct"]), Cgroup::V1),
            (host(&[], &["sys"]), Cgroup::Missing),
        ];
        for ((_root, host), expected) in cases {
            assert_eq!(read(&host).cgroup, expected);
        }
    }

    #[test]
    fn what_is_seen_of_the_host_is_one_truth_with_its_reason() {
        let mount = "23 27 0:21 / /proc rw - proc proc rw,gid=987,hidepid=invisible\n";
        let (root, host) = host(&[("proc/self/mountinfo", mount)], &["proc/1/ns"]);
        let seen = || (read(&host).sees_host_processes, read(&host).processes);
        let namespace = |number: &str| {
            let _ = fs::remove_file(root.path().join("proc/1/ns/pid"));
            symlink(number, root.path().join("proc/1/ns/pid")).unwrap();
        };
        namespace("pid:[4026531836]");
        assert!(matches!(seen(), (Some(false), ProcessVisibility::Hidden(_))), "{:?}", seen());
        namespace("pid:[4026532177]");
        assert_eq!(seen(), (Some(false), ProcessVisibility::Namespace));
        fs::write(root.path().join("proc/self/mountinfo"), mount.replace("invisible", "off")).unwrap();
        namespace("pid:[4026531836]");
        assert_eq!(seen(), (Some(true), ProcessVisibility::All));
        let cgroup = root.path().join("sys/fs/cgroup");
        fs::create_dir_all(&cgroup).unwrap();
        fs::write(cgroup.join("cgroup.controllers"), "cpu").unwrap();
        assert_eq!(read(&host).cgroup, Cgroup::V2);
        fs::write(cgroup.join("cgroup.events"), "populated 1").unwrap();
        assert_eq!(read(&host).cgroup, Cgroup::Part, "the root of the hierarchy has no such file");
        namespace("pid:[4026532177]");
        assert_eq!(read(&host).cgroup, Cgroup::V2, "it is all that there is for what is seen");
    }
}
