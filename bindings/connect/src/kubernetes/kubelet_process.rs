//! The certificate of the kubelet that runs here, in the file system that its process sees.
//!
//! An agent in a pod has no folder of the kubelet's. With the host's processes in view it may look through the kubelet's
//! own root (`/proc/PID/root`), wherever that keeps its files. Pods cannot pass for it: only processes of root that stand in no pod
//! are looked at.

use kepler_core::host::file::{self, FileLimits};
use kepler_core::workload::cgroup::{CgroupMembership, classify};
use std::fs::{self, File};
use std::path::{Component, Path, PathBuf};

/// What kubelets are called: by themselves, or as a part of a distribution's one program (`comm` is 15 bytes at most).
const NAMES: [&str; 8] = ["kubelet", "hyperkube", "k3s", "k3s-server", "k3s-agent", "rke2", "k0s", "kubelite"];

/// Where kubelets keep the certificate that they signed or were given, below the host's root, if no argument says so: their
/// own folder, k3s, rke2, k0s and microk8s.
pub const KUBELET_CERTIFICATES: [&str; 5] = [
    "var/lib/kubelet/pki/kubelet.crt",
    "var/lib/rancher/k3s/agent/serving-kubelet.crt",
    "var/lib/rancher/rke2/agent/serving-kubelet.crt",
    "var/lib/k0s/kubelet/pki/kubelet.crt",
    "var/snap/microk8s/common/var/lib/kubelet/pki/kubelet.crt",
];

/// Of a command line, a cgroup or a status: they have some kilobytes.
const LONGEST: u64 = 64 << 10;

/// The certificates that kubelets among the processes of `procfs` may show; those of them that can be read.
pub(super) fn certificates(procfs: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(procfs) else { return Vec::new() };
    let processes = entries.filter_map(Result::ok).map(|entry| entry.path()).filter(|path| is_kubelet(path));
    let candidates = processes.flat_map(|process| {
        let stated = stated(&read(&process.join("cmdline")).unwrap_or_default());
        let paths = stated.into_iter().chain(KUBELET_CERTIFICATES.map(PathBuf::from));
        paths.map(move |path| process.join("root").join(path)).collect::<Vec<_>>()
    });
    candidates.filter(|path| File::open(path).is_ok()).collect()
}

/// Whether a process has a kubelet's name, is root's, and is in no pod.
fn is_kubelet(process: &Path) -> bool {
    let is_number = process.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.parse::<u32>().is_ok());
    is_number
        && read(&process.join("comm")).is_some_and(|name| NAMES.contains(&name.trim_end()))
        && read(&process.join("cgroup")).is_some_and(|groups| !is_in_pod(&groups))
        && read(&process.join("status")).is_some_and(|status| is_of_root(&status))
}

/// Whether a process with these cgroups stands in a pod. In a container that is none, as kubelets of kind do, is another thing.
fn is_in_pod(groups: &str) -> bool {
    let CgroupMembership { container, outer, pod, .. } = classify(groups.as_bytes());
    pod.is_some() || container.iter().chain(&outer).any(|container| container.pod.is_some())
}

/// Whether all four user identifiers of a `status` are 0.
fn is_of_root(status: &str) -> bool {
    let line = status.lines().find_map(|line| line.strip_prefix("Uid:"));
    line.is_some_and(|users| users.split_whitespace().all(|user| user == "0"))
}

/// The certificates that a command line leads to, below the root.
fn stated(command_line: &str) -> Vec<PathBuf> {
    let arguments: Vec<&str> = command_line.split('\0').collect();
    let value = |flag: &str| {
        arguments.iter().enumerate().find_map(|(position, argument)| {
            let argument = argument.strip_prefix("--")?.strip_prefix(flag)?;
            match argument.strip_prefix('=') {
                Some(value) => Some(value),
                None if argument.is_empty() => arguments.get(position + 1).copied(),
                None => None,
            }
        })
    };
    let file = |flag: &str, below: &str| {
        let value = value(flag).filter(|value| value.starts_with('/'))?;
        let path = Path::new(value.trim_start_matches('/'));
        let path = if below.is_empty() { path.to_owned() } else { path.join(below) };
        // One that climbs would be another's file.
        (!path.components().any(|part| part == Component::ParentDir)).then_some(path)
    };
    let stated = [("tls-cert-file", ""), ("cert-dir", "kubelet.crt"), ("root-dir", "pki/kubelet.crt")];
    stated.into_iter().filter_map(|(flag, below)| file(flag, below)).collect()
}

fn read(path: &Path) -> Option<String> {
    file::read_text(path, FileLimits::bytes(LONGEST)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A process of `procfs`, as the kernel shows it.
    fn process(procfs: &Path, pid: &str, comm: &str, cgroup: &str, user: &str, arguments: &[&str]) -> PathBuf {
        let path = procfs.join(pid);
        fs::create_dir_all(&path).unwrap();
        fs::write(path.join("comm"), format!("{comm}\n")).unwrap();
        fs::write(path.join("cgroup"), cgroup).unwrap();
        fs::write(path.join("status"), format!("Name:\t{comm}\nUid:\t{user}\t{user}\t{user}\t{user}\n")).unwrap();
        fs::write(path.join("cmdline"), arguments.join("\0")).unwrap();
        path
    }

    fn certificate(process: &Path, path: &str) -> PathBuf {
        let path = process.join("root").join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, "-----BEGIN CERTIFICATE-----").unwrap();
        path
    }

    #[test]
    fn the_kubelets_own_folder_is_found_as_its_arguments_say_or_where_it_usually_is() {
        let procfs = tempfile::tempdir().unwrap();
        let service = "0::/system.slice/kubelet.service\n";
        let plain = process(procfs.path(), "812", "kubelet", service, "0", &["/usr/bin/kubelet", "--v=2"]);
        let usual = certificate(&plain, "var/lib/kubelet/pki/kubelet.crt");
        assert_eq!(certificates(procfs.path()), std::slice::from_ref(&usual));
        let moved = ["kubelet", "--root-dir", "/data/kubelet", "--cert-dir=/etc/own", "--tls-cert-file=/etc/tls.crt"];
        let moved = process(procfs.path(), "812", "kubelet", service, "0", &moved);
        let stated = ["etc/tls.crt", "etc/own/kubelet.crt", "data/kubelet/pki/kubelet.crt"];
        let mut stated: Vec<_> = stated.iter().map(|path| certificate(&moved, path)).collect();
        stated.push(usual);
        assert_eq!(certificates(procfs.path()), stated);
        let climbs =
            process(procfs.path(), "812", "kubelet", service, "0", &["kubelet", "--cert-dir=/../../9/root/etc"]);
        certificate(&climbs, "../../9/root/etc/kubelet.crt");
        assert_eq!(certificates(procfs.path()).len(), 1);
    }

    #[test]
    fn a_pod_or_a_user_does_not_pass_for_a_kubelet() {
        let pod = "0::/../../pod5754c611-ac2a-41a1-abe4-b39b88f1e6e2/7e86494a3ca43fdd3a4363a76eee67ed3077c96505a2067bd773442cf231d336\n";
        let kind = format!("0::/docker/{}/kubelet.slice/kubelet.service\n", "4f".repeat(32));
        for (cgroup, user, comm, found) in [
            ("0::/system.slice/kubelet.service\n", "0", "kubelet", 1),
            (kind.as_str(), "0", "kubelet", 1),
            ("0::/system.slice/k3s.service\n", "0", "k3s-server", 1),
            ("0::/user.slice/user-1000.slice\n", "1000", "kubelet", 0),
            ("0::/system.slice/kubelet.service\n", "0", "kubelet-helper", 0),
            (pod, "0", "kubelet", 0),
        ] {
            let procfs = tempfile::tempdir().unwrap();
            certificate(&process(procfs.path(), "77", comm, cgroup, user, &[comm]), "var/lib/kubelet/pki/kubelet.crt");
            assert_eq!(certificates(procfs.path()).len(), found, "{comm} of {user} in {cgroup}");
        }
    }
}
