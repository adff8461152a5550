//! The kubelet that runs here: its certificate in the file system that its process sees, and its port.
//!
//! An agent in a pod has no folder of the kubelet's. With the host's processes in view it may look through the kubelet's
//! own root (`/proc/PID/root`), wherever that keeps its files. Neither pods nor other containers can pass for it: only processes of
//! root are looked at that are where the first process is, which in a node of kind or k3d is a container. Links are followed within
//! that root: the one to a renewed certificate is absolute (`kubelet-server-current.pem -> /var/lib/kubelet/pki/kubelet-server-….pem`),
//! and folders of kubelets are links to other disks.

mod stated;

use super::certificates;
use kepler_core::availability::{Capability, Remedy};
use kepler_core::host::HostRoot;
use kepler_core::host::file::{self, FileLimits};
use kepler_core::workload::cgroup::{CgroupMembership, classify};
use stated::Stated;
use std::fs;
use std::path::{Path, PathBuf};

/// What kubelets are called: by themselves, or as a part of a distribution's one program (`comm` is 15 bytes at most).
/// With each where it keeps the certificate that it shows, below the root, if nothing says so.
const NAMES: [(&str, &str); 9] = [
    ("kubelet", "var/lib/kubelet/pki/kubelet.crt"),
    ("hyperkube", "var/lib/kubelet/pki/kubelet.crt"),
    ("k3s", K3S),
    ("k3s-server", K3S),
    ("k3s-agent", K3S),
    ("rke2", "var/lib/rancher/rke2/agent/serving-kubelet.crt"),
    ("k0s", "var/lib/k0s/kubelet/pki/kubelet-server-current.pem"),
    ("kubelite", "var/snap/microk8s/current/certs/kubelet.crt"),
    ("microshift", MICROSHIFT),
];

const K3S: &str = "var/lib/rancher/k3s/agent/serving-kubelet.crt";
const MICROSHIFT: &str = "var/lib/microshift/certs/kubelet-csr-signer-signer/csr-signer/kubelet-server/server.crt";

/// Where kubelets keep the certificate that they signed or were given, below the host's root, if no argument says so.
///
/// Their own folder, where `kubelet-server-current.pem` is one of the cluster (`serverTLSBootstrap`: OpenShift, EKS, AKS, Gardener,
/// Bottlerocket), of an authority that pods need not know; AKS without it; k3s, rke2, k0s, MicroK8s and MicroShift.
pub const KUBELET_CERTIFICATES: [&str; 10] = [
    "var/lib/kubelet/pki/kubelet.crt",
    "var/lib/kubelet/pki/kubelet-server-current.pem",
    "etc/kubernetes/certs/kubeletserver.crt",
    K3S,
    "var/lib/rancher/rke2/agent/serving-kubelet.crt",
    "var/lib/k0s/kubelet/pki/kubelet.crt",
    "var/lib/k0s/kubelet/pki/kubelet-server-current.pem",
    "var/snap/microk8s/current/certs/kubelet.crt",
    "var/snap/microk8s/common/var/lib/kubelet/pki/kubelet.crt",
    MICROSHIFT,
];

/// Of a command line, a cgroup, a status or a certificate: they have some kilobytes.
const LONGEST: u64 = 64 << 10;

/// What the kubelets among the processes say.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    /// The certificates that they may show, PEM; empty where none can be read.
    pub(super) certificates: Vec<u8>,
    /// Where the first one keeps the one that it shows; `None` if there is no kubelet among the processes.
    pub(super) path: Option<PathBuf>,
    /// The port of the first one that states one.
    pub(super) port: Option<u16>,
}

impl Found {
    /// What helps where none of the certificates will do.
    pub(super) fn remedy(&self) -> Option<Remedy> {
        let mount = Remedy::MountHostPath { path: self.path.clone()? };
        Some(match self.certificates.is_empty() {
            true => Remedy::any([Remedy::grant([Capability::SysPtrace, Capability::DacReadSearch]), mount]),
            false => mount,
        })
    }
}

/// Looks for kubelets among the processes of `procfs`.
pub(super) fn find(procfs: &Path) -> Found {
    let mut found = Found::default();
    let Ok(entries) = fs::read_dir(procfs) else { return found };
    let here = read(&procfs.join("1/cgroup")).and_then(|groups| containers(&groups)).unwrap_or_default();
    for process in entries.filter_map(Result::ok).map(|entry| entry.path()) {
        let Some(usual) = kubelet(&process, &here) else { continue };
        let root = HostRoot::open(&process.join("root"));
        let read_file = |path: &Path| root.as_ref()?.read(path.to_str()?, LONGEST);
        let arguments = read(&process.join("cmdline")).unwrap_or_default();
        let list =
            |path: &Path| root.as_ref().zip(path.to_str()).map_or_else(Vec::new, |(root, path)| root.list(path, 100));
        let Stated { certificates, port } = stated::stated(&arguments, read_file, list);
        found.port = found.port.or(port);
        let first = certificates.first().map_or_else(|| Path::new("/").join(usual), Clone::clone);
        found.path.get_or_insert(first);
        let usual = KUBELET_CERTIFICATES.iter().map(|path| Path::new("/").join(path));
        let mut paths: Vec<PathBuf> = certificates;
        paths.extend(usual);
        for certificate in paths.iter().filter_map(|path| read_file(path)) {
            found.certificates.extend(certificates::of(&certificate));
        }
    }
    found
}

/// Where a kubelet of this name usually keeps its certificate, if that is a process of root in the containers `here`.
fn kubelet(process: &Path, here: &[String]) -> Option<&'static str> {
    let is_number = process.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.parse::<u32>().is_ok());
    let name = is_number.then(|| read(&process.join("comm")))??;
    let (_, usual) = NAMES.iter().find(|(known, _)| *known == name.trim_end())?;
    let is_it = read(&process.join("cgroup")).and_then(|groups| containers(&groups)).is_some_and(|its| its == here)
        && read(&process.join("status")).is_some_and(|status| is_of_root(&status));
    is_it.then_some(*usual)
}

/// The containers that a process with these cgroups is in, outermost first; `None` in a pod.
fn containers(groups: &str) -> Option<Vec<String>> {
    let CgroupMembership { container, outer, pod, .. } = classify(groups.as_bytes());
    let all = || outer.iter().chain(&container);
    let is_in_pod = pod.is_some() || all().any(|container| container.pod.is_some());
    (!is_in_pod).then(|| all().map(|container| container.id.clone()).collect())
}

/// Whether all four user identifiers of a `status` are 0.
fn is_of_root(status: &str) -> bool {
    let line = status.lines().find_map(|line| line.strip_prefix("Uid:"));
    line.is_some_and(|users| users.split_whitespace().all(|user| user == "0"))
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

    /// What may be a certificate, of one line that says where it was.
    fn certificate(process: &Path, path: &str) -> String {
        let file = process.join("root").join(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        let content: String = path.bytes().map(|byte| format!("{byte:04x}")).collect();
        let certificate = format!("-----BEGIN CERTIFICATE-----\n{content}\n-----END CERTIFICATE-----\n");
        fs::write(&file, format!("{certificate}-----BEGIN PRIVATE KEY-----\nsecret\n-----END PRIVATE KEY-----\n"))
            .unwrap();
        certificate
    }

    fn certificates(procfs: &Path) -> String {
        String::from_utf8(find(procfs).certificates).unwrap()
    }

    #[test]
    fn the_kubelets_own_folder_is_found_as_its_arguments_say_or_where_it_usually_is() {
        let procfs = tempfile::tempdir().unwrap();
        let service = "0::/system.slice/kubelet.service\n";
        let plain = process(procfs.path(), "812", "kubelet", service, "0", &["/usr/bin/kubelet", "--v=2"]);
        let usual = certificate(&plain, "var/lib/kubelet/pki/kubelet.crt");
        assert_eq!(certificates(procfs.path()), usual);
        let moved = [
            "kubelet",
            "--root-dir",
            "/data/kubelet",
            "--cert-dir=/etc/own",
            "--tls-cert-file=/etc/tls.crt",
            "--port=1",
        ];
        let moved = process(procfs.path(), "812", "kubelet", service, "0", &moved);
        let stated = ["etc/tls.crt", "etc/own/kubelet.crt", "data/kubelet/pki/kubelet.crt"];
        let mut stated: Vec<_> = stated.iter().map(|path| certificate(&moved, path)).collect();
        stated.push(usual);
        let found = find(procfs.path());
        assert_eq!(String::from_utf8(found.certificates).unwrap(), stated.concat());
        assert_eq!((found.path.as_deref(), found.port), (Some(Path::new("/etc/tls.crt")), Some(1)));
    }

    /// As kubelets with `serverTLSBootstrap` have it, whose folder is a link to another disk.
    #[test]
    fn links_are_followed_in_the_file_system_of_the_kubelet() {
        let procfs = tempfile::tempdir().unwrap();
        let kubelet = process(procfs.path(), "812", "kubelet", "0::/system.slice/kubelet.service\n", "0", &["kubelet"]);
        let renewed = certificate(&kubelet, "mnt/disk/kubelet/pki/kubelet-server-2026-12-01-02-50-54.pem");
        fs::create_dir_all(kubelet.join("root/var/lib")).unwrap();
        let link = |target: &str, at: &str| std::os::unix::fs::symlink(target, kubelet.join("root").join(at)).unwrap();
        link("/mnt/disk/kubelet", "var/lib/kubelet");
        let file = "/var/lib/kubelet/pki/kubelet-server-2026-12-01-02-50-54.pem";
        link(file, "mnt/disk/kubelet/pki/kubelet-server-current.pem");
        assert_eq!(certificates(procfs.path()), renewed);
    }

    #[test]
    fn a_distribution_that_has_the_kubelet_in_its_own_program_is_known_by_its_name() {
        for (comm, cgroup, usual) in [
            ("k3s-server", "0::/system.slice/k3s.service\n", "/var/lib/rancher/k3s/agent/serving-kubelet.crt"),
            (
                "kubelite",
                "0::/system.slice/snap.microk8s.daemon-kubelite.service\n",
                "/var/snap/microk8s/current/certs/kubelet.crt",
            ),
            ("kubelet", "0::/system.slice/k0sworker.service\n", "/var/lib/kubelet/pki/kubelet.crt"),
            ("microshift", "0::/system.slice/microshift.service\n", &format!("/{MICROSHIFT}")),
            // Talos runs it in a container of its own.
            ("kubelet", "0::/podruntime/kubelet\n", "/var/lib/kubelet/pki/kubelet.crt"),
            ("kubelet", "0::/runtime.slice/kubelet.service\n", "/var/lib/kubelet/pki/kubelet.crt"),
        ] {
            let procfs = tempfile::tempdir().unwrap();
            let one = process(procfs.path(), "77", comm, cgroup, "0", &[comm]);
            let found = find(procfs.path());
            assert_eq!(found.path.as_deref(), Some(Path::new(usual)), "{comm} in {cgroup}");
            let mount = Remedy::MountHostPath { path: usual.into() };
            let grant = Remedy::grant([Capability::SysPtrace, Capability::DacReadSearch]);
            assert_eq!(found.remedy(), Some(Remedy::any([grant, mount.clone()])), "its files are not seen");
            let own = certificate(&one, usual.trim_start_matches('/'));
            assert_eq!((certificates(procfs.path()), find(procfs.path()).remedy()), (own, Some(mount)));
        }
        assert_eq!(find(Path::new("/nonexistent")), Found::default());
    }

    #[test]
    fn a_pod_a_container_or_a_user_does_not_pass_for_a_kubelet() {
        let pod = "0::/../../pod5754c611-ac2a-41a1-abe4-b39b88f1e6e2/7e86494a3ca43fdd3a4363a76eee67ed3077c96505a2067bd773442cf231d336\n";
        let kind = format!("0::/docker/{}/kubelet.slice/kubelet.service\n", "4f".repeat(32));
        let host = "0::/init.scope\n";
        let init_of_kind = format!("0::/docker/{}/init.scope\n", "4f".repeat(32));
        for (first, cgroup, user, comm, is_one) in [
            (host, "0::/system.slice/kubelet.service\n", "0", "kubelet", true),
            (init_of_kind.as_str(), kind.as_str(), "0", "kubelet", true),
            (host, "0::/system.slice/k3s.service\n", "0", "k3s-server", true),
            (host, kind.as_str(), "0", "kubelet", false),
            (host, "0::/user.slice/user-1000.slice\n", "1000", "kubelet", false),
            (host, "0::/system.slice/kubelet.service\n", "0", "kubelet-helper", false),
            (host, pod, "0", "kubelet", false),
            (pod, pod, "0", "kubelet", false),
        ] {
            let procfs = tempfile::tempdir().unwrap();
            process(procfs.path(), "1", "systemd", first, "0", &["init"]);
            certificate(&process(procfs.path(), "77", comm, cgroup, user, &[comm]), "var/lib/kubelet/pki/kubelet.crt");
            assert_eq!(find(procfs.path()) != Found::default(), is_one, "{comm} of {user} in {cgroup}");
        }
    }
}
