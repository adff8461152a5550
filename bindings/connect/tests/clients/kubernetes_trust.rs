//! Kubelets of distributions: other authorities, names, folders and ports than those of kubeadm.

use crate::kubernetes::{access, options};
use crate::support::cluster::{Authority, kubelet, recorded, server_with, service_account};
use crate::support::{Reply, Server};
use kepler_connect::kubernetes::Options;
use kepler_core::availability::{Capability, Remedy, Unavailable};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

fn probe(options: &Options) -> Result<usize, Unavailable> {
    options.probe().into_iter().find(|(name, _)| *name == "kubelet").unwrap().1
}

/// The folder of a kubelet among the processes of `procfs`.
fn process(procfs: &Path, comm: &str, arguments: &[&str]) -> PathBuf {
    let process = procfs.join("812");
    fs::create_dir_all(process.join("root")).unwrap();
    fs::write(process.join("comm"), format!("{comm}\n")).unwrap();
    fs::write(process.join("cgroup"), "0::/../../../../system.slice/kubelet.service\n").unwrap();
    fs::write(process.join("status"), format!("Name:\t{comm}\nUid:\t0\t0\t0\t0\n")).unwrap();
    fs::write(process.join("cmdline"), arguments.join("\0")).unwrap();
    process
}

fn write(root: &Path, path: &str, text: &str) {
    let path = root.join(path.trim_start_matches('/'));
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

/// A kubelet with this certificate, and what that is with its key, as kubelets with `serverTLSBootstrap` keep them.
fn server(signer: &Authority, names: &[&str]) -> (Server, String) {
    let (certificate, key) = signer.certificate(names);
    let pem = format!("{}{}", certificate.pem(), key.serialize_pem());
    let config = server_with(&certificate, &key);
    let pods = recorded("kubelet-pods.json");
    (Server::start_tls(config, move |request| kubelet(request, || Reply::ok(pods.clone()))), pem)
}

/// OpenShift: `kube-csr-signer`, Gardener: `ca-kubelet`. Neither is in the `ca.crt` of pods.
#[test]
fn a_certificate_of_an_authority_that_pods_do_not_know_is_found_where_the_kubelet_renews_it() {
    let (root, cluster, signer) = (tempfile::tempdir().unwrap(), Authority::new(), Authority::new());
    let account = service_account(root.path(), &cluster);
    let (server, pem) = server(&signer, &["another-name.internal"]);
    let options = options(access(&account, None), &server.address.to_string(), root.path());
    let process = process(&options.procfs, "kubelet", &["/usr/bin/kubelet", "--config=/etc/kubernetes/kubelet.conf"]);
    let refused = probe(&options).unwrap_err();
    let mount = Remedy::MountHostPath { path: "/var/lib/kubelet/pki/kubelet.crt".into() };
    let grant = Remedy::grant([Capability::SysPtrace, Capability::DacReadSearch]);
    assert_eq!(refused.remedy, Remedy::any([grant, mount]), "{refused}");
    assert!(server.asked().is_empty(), "no token is sent to whom is not trusted");
    let file = "/var/lib/kubelet/pki/kubelet-server-2026-12-01-02-50-54.pem";
    write(&process.join("root"), file, &pem);
    symlink(file, process.join("root/var/lib/kubelet/pki/kubelet-server-current.pem")).unwrap();
    assert_eq!(probe(&options), Ok(13));
}

/// AKS without renewed certificates: the configuration is JSON, and names the file.
#[test]
fn the_configuration_of_the_kubelet_leads_to_its_certificate_and_to_its_port() {
    let (root, cluster, own) = (tempfile::tempdir().unwrap(), Authority::new(), Authority::new());
    let account = service_account(root.path(), &cluster);
    let (server, pem) = server(&own, &["10.224.0.4"]);
    let mut options = options(access(&account, None), "127.0.0.1", root.path());
    let process =
        process(&options.procfs, "kubelet", &["/usr/local/bin/kubelet", "--config", "/etc/default/kubeletconfig.json"]);
    let config = format!(
        r#"{{"kind": "KubeletConfiguration", "port": {}, "tlsCertFile": "/srv/own.crt"}}"#,
        server.address.port()
    );
    write(&process.join("root"), "/etc/default/kubeletconfig.json", &config);
    write(&process.join("root"), "/srv/own.crt", &pem);
    assert_eq!(probe(&options), Ok(13));
    options.kubelet_process = false;
    assert!(probe(&options).is_err(), "then it is asked at the usual port");
}

#[test]
fn the_remedy_names_the_file_of_the_distribution() {
    let (root, cluster, own) = (tempfile::tempdir().unwrap(), Authority::new(), Authority::new());
    let account = service_account(root.path(), &cluster);
    let (server, _) = server(&own, &["node-a"]);
    let options = options(access(&account, None), &server.address.to_string(), root.path());
    for (comm, arguments, expected) in [
        ("k3s-server", &["/usr/local/bin/k3s server"][..], "/var/lib/rancher/k3s/agent/serving-kubelet.crt"),
        ("kubelite", &["/snap/microk8s/1/kubelite"], "/var/snap/microk8s/current/certs/kubelet.crt"),
        (
            "kubelet",
            &["kubelet", "--tls-cert-file=/srv/kubernetes/kubelet-server.crt"],
            "/srv/kubernetes/kubelet-server.crt",
        ),
        ("kubelet", &["kubelet", "--root-dir=/var/lib/k0s/kubelet"], "/var/lib/k0s/kubelet/pki/kubelet.crt"),
    ] {
        process(&options.procfs, comm, arguments);
        let mount = Remedy::MountHostPath { path: expected.into() };
        let refused = probe(&options).unwrap_err();
        let Remedy::AnyOf { remedies } = &refused.remedy else { panic!("{refused:?}") };
        assert!(remedies.contains(&mount), "{comm}: {remedies:?}");
    }
}
