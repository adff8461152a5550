//! A stand-in for a kubelet and an API server: certificates like theirs, and the recorded answers of a real cluster.
#![allow(dead_code, reason = "each test file uses a part of it")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a fixture that fails fails its test")]

use super::{Reply, Request, Server};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use rustls::server::WebPkiClientVerifier;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// An answer recorded at a real cluster.
pub(crate) fn recorded(name: &str) -> String {
    // The program's tests use them as well.
    let folders = ["tests/fixtures/kubernetes", "bindings/connect/tests/fixtures/kubernetes"];
    let folders = folders.map(|folder| Path::new(env!("CARGO_MANIFEST_DIR")).join(folder));
    fs::read_to_string(folders.iter().find(|folder| folder.exists()).unwrap().join(name)).unwrap()
}

/// A certificate authority of its own, as a kubelet makes for itself.
pub(crate) struct Authority {
    pub(crate) pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = params.self_signed(&key).unwrap();
        Authority { pem: certificate.pem(), issuer: Issuer::new(params, key) }
    }

    /// A server's configuration with a certificate of these names.
    pub(crate) fn server(&self, names: &[&str]) -> Arc<rustls::ServerConfig> {
        let (certificate, key) = self.certificate(names);
        server_with(&certificate, &key)
    }
}

/// A server's configuration with this certificate.
pub(crate) fn server_with(certificate: &rcgen::Certificate, key: &KeyPair) -> Arc<rustls::ServerConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let key = PrivatePkcs8KeyDer::from(key.serialize_der()).into();
    let config = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    Arc::new(config.with_no_client_auth().with_single_cert(vec![certificate.der().clone()], key).unwrap())
}

impl Authority {
    /// The same for a server that answers only who shows a certificate of this authority.
    pub(crate) fn demanding_server(&self, names: &[&str]) -> Arc<rustls::ServerConfig> {
        let (certificate, key) = self.certificate(names);
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut roots = rustls::RootCertStore::empty();
        roots.add_parsable_certificates(CertificateDer::pem_slice_iter(self.pem.as_bytes()).map(Result::unwrap));
        let clients = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone()).build().unwrap();
        let config =
            rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let key = PrivatePkcs8KeyDer::from(key.serialize_der()).into();
        Arc::new(
            config.with_client_cert_verifier(clients).with_single_cert(vec![certificate.der().clone()], key).unwrap(),
        )
    }

    /// A certificate of these names and its key.
    pub(crate) fn certificate(&self, names: &[&str]) -> (rcgen::Certificate, KeyPair) {
        let key = KeyPair::generate().unwrap();
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        (CertificateParams::new(names).unwrap().signed_by(&key, &self.issuer).unwrap(), key)
    }
}

pub(crate) const TOKEN: &str = "eyJhbGciOi.good";

/// What a kubelet answers: pods to a client with the token, else what a real one says.
pub(crate) fn kubelet(request: &Request, pods: impl FnOnce() -> Reply) -> Reply {
    match request.header("authorization") {
        Some(header) if header == format!("Bearer {TOKEN}") => match request.path() {
            "/pods" => pods(),
            _ => Reply::status(404),
        },
        _ => Reply::Full(401, vec![("content-type", "text/plain; charset=utf-8".into())], b"Unauthorized".to_vec()),
    }
}

/// The directory of a service account.
pub(crate) fn service_account(directory: &Path, authority: &Authority) -> PathBuf {
    fs::write(directory.join("token"), format!("{TOKEN}\n")).unwrap();
    fs::write(directory.join("ca.crt"), &authority.pem).unwrap();
    directory.to_owned()
}

/// A kubeconfig for the API server at `server`, whose token is in a file beside it.
pub(crate) fn kubeconfig(directory: &Path, authority: &Authority, server: &str) -> String {
    service_account(directory, authority);
    let path = directory.join("kubeconfig");
    let text = format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: test\ncontexts:\n- name: test\n  context: {{cluster: test, user: test}}\n\
         clusters:\n- name: test\n  cluster: {{server: \"{server}\", certificate-authority: ca.crt}}\n\
         users:\n- name: test\n  user: {{tokenFile: token}}\n"
    );
    fs::write(&path, text).unwrap();
    path.display().to_string()
}

/// A kubelet of the node `node-a` that answers with the recorded pods.
pub(crate) fn recorded_kubelet(authority: &Authority) -> Server {
    let pods = recorded("kubelet-pods.json");
    Server::start_tls(authority.server(&["node-a"]), move |request| kubelet(request, || Reply::ok(pods.clone())))
}

/// Makes the directories of logs that were recorded below `root`.
pub(crate) fn log_directories(root: &Path) {
    let (pods, containers) = (root.join("var/log/pods"), root.join("var/log/containers"));
    fs::create_dir_all(&pods).unwrap();
    fs::create_dir_all(&containers).unwrap();
    for pod in recorded("var-log-pods.txt").lines() {
        fs::create_dir_all(pods.join(pod.trim())).unwrap();
    }
    for line in recorded("var-log-containers.txt").lines() {
        if let Some((link, target)) = line.split_once(" -> ") {
            std::os::unix::fs::symlink(target.trim(), containers.join(link.trim())).unwrap();
        }
    }
}
