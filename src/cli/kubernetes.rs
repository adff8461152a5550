//! From the configuration to a directory of pods. Nothing here stops the program: without names there are figures.

use super::config::{Annotated, Config, PodInformer, yaml};
use kepler_connect::kubernetes::{
    Access, AccessError, ClusterFollower, KUBELET_CERTIFICATES, Kubeconfig, LabelFilter, Mode, Options, Refresher,
    SERVICE_ACCOUNT, follow_cluster,
};
use kepler_core::directory::Directory;
use kepler_core::host::file::{self, FileLimits};
use serde_json::{Map, Value};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What was named by then is shown from the first measurement on.
const PATIENCE: Duration = Duration::from_millis(1500);

/// Variables that manifests fill from `status.hostIP`.
const HOST_ADDRESS: [&str; 2] = ["HOST_IP", "NODE_IP"];

/// A directory that is kept up to date as long as this lives.
pub(super) struct Pods {
    pub(super) directory: Directory,
    _refresher: Refresher,
    _cluster: Option<ClusterFollower>,
}

impl Pods {
    /// Begins to ask Kubernetes, if that is wanted, and waits a moment for the first answer.
    pub(super) fn start(config: &Config) -> Option<Self> {
        if !config.kube.enabled {
            return None;
        }
        let directory = Directory::new();
        let access = match access(config) {
            Ok(access) => Some(access),
            Err(error) => {
                tracing::warn!("neither the kubelet nor the API server can be asked for pods: {error}");
                None
            }
        };
        match Refresher::start(options(config, access), directory.clone()) {
            Ok(refresher) => {
                let cluster = cluster(config, Some(config.node_name()), &directory);
                refresher.wait_for_first(PATIENCE);
                Some(Pods { directory, _refresher: refresher, _cluster: cluster })
            }
            Err(error) => {
                tracing::error!("pods are not named: {error}");
                None
            }
        }
    }
}

/// Begins to ask the API server for the annotations of namespaces, and for the region of `node` if one is named, where that
/// is wanted; waits a moment for the first answer.
pub(super) fn cluster(config: &Config, node: Option<String>, directory: &Directory) -> Option<ClusterFollower> {
    if config.kube.annotations != Annotated::Cluster {
        return None;
    }
    let unknown = |error: &dyn std::fmt::Display| {
        tracing::warn!("annotations of namespaces and the region of nodes are not known: {error}");
    };
    let access = access(config).map_err(|error| unknown(&error)).ok()?;
    follow_cluster(access, node, directory.clone(), PATIENCE).map_err(|error| unknown(&error)).ok()
}

/// How pods are found. Without access to the cluster the log directories are left.
pub(super) fn options(config: &Config, access: Option<Access>) -> Options {
    let mut options = Options::new(config.node_name(), access);
    options.mode = match config.kube.mode {
        PodInformer::Kubelet => Mode::Kubelet,
        PodInformer::ApiServer => Mode::ApiServer,
        PodInformer::Files => Mode::Files,
    };
    options.interval = config.kube.poll_interval;
    let from_manifest =
        || HOST_ADDRESS.iter().find_map(|name| std::env::var(name).ok().filter(|text| !text.is_empty()));
    options.kubelet_address = config.kube.kubelet_address.clone().or_else(from_manifest);
    options.kubelet_insecure = config.kube.kubelet_insecure;
    let roots = roots(config);
    options.kubelet_certificates = match &config.kube.kubelet_certificate {
        Some(path) => vec![path.clone()],
        None => roots.iter().flat_map(|root| KUBELET_CERTIFICATES.map(|path| root.join(path))).collect(),
    };
    options.kubelet_process = config.kube.kubelet_certificate.is_none();
    let logs = roots.iter().map(|root| root.join("var/log")).find(|logs| logs.join("pods").is_dir());
    options.logs = logs.unwrap_or_else(|| config.root.join("var/log"));
    options.procfs.clone_from(&config.procfs);
    let labels = LabelFilter::new(config.kube.pod_labels.iter().cloned());
    options.labels = match config.kube.annotations {
        Annotated::Nothing => labels.without_energy_annotations(),
        Annotated::Pods | Annotated::Cluster => labels,
    };
    options
}

/// The host's root: as configured, as mounted under its own paths, as its first process sees it.
fn roots(config: &Config) -> Vec<PathBuf> {
    let mut roots = vec![config.root.clone()];
    if config.root == Path::new("/") {
        roots.push(config.procfs.join("1/root"));
    }
    roots
}

/// The cluster, as configured or as this pod knows it.
///
/// # Errors
/// When this is no pod, or the kubeconfig cannot be used.
pub(super) fn access(config: &Config) -> Result<Access, AccessError> {
    match &config.kube.config {
        Some(path) => kubeconfig(path),
        None => Access::in_cluster(Path::new(SERVICE_ACCOUNT), |name| std::env::var(name).ok()),
    }
}

/// Whether this is a pod with an account of its own.
pub(super) fn in_pod() -> bool {
    Path::new(SERVICE_ACCOUNT).join("token").exists() && std::env::var_os("KUBERNETES_SERVICE_HOST").is_some()
}

/// The namespace of this pod; `default` where it is none, as for kubectl.
pub(super) fn own_namespace() -> String {
    let path = Path::new(SERVICE_ACCOUNT).join("namespace");
    let text = file::read_text(&path, FileLimits::bytes(4096)).unwrap_or_default();
    Some(text.trim().to_owned()).filter(|text| !text.is_empty()).unwrap_or_else(|| "default".to_owned())
}

/// Those of large fleets have some hundred kilobytes.
const MAX_KUBECONFIG: u64 = 1 << 20;

fn kubeconfig(path: &Path) -> Result<Access, AccessError> {
    let text = file::read_text(path, FileLimits::bytes(MAX_KUBECONFIG))
        .map_err(|error| AccessError::File { path: path.to_owned(), reason: error.reason().to_string() })?;
    let refuse = |what: String| AccessError::Kubeconfig { what: format!("{} {what}", path.display()) };
    let document =
        yaml::parse(&text).map_err(|error| refuse(format!("is no YAML at line {}: {}", error.line, error.what)))?;
    let root = document.root.ok_or_else(|| refuse("is empty".into()))?;
    let config: Kubeconfig =
        serde_json::from_value(json(root)).map_err(|error| refuse(format!("cannot be read: {error}")))?;
    config.access(path.parent().unwrap_or(Path::new("/")))
}

/// A YAML document as JSON, in which all scalars are texts.
fn json(node: yaml::Node) -> Value {
    match node.content {
        yaml::Content::Null => Value::Null,
        yaml::Content::Text(text) => Value::String(text),
        yaml::Content::List(items) => Value::Array(items.into_iter().map(json).collect()),
        yaml::Content::Section(entries) => {
            Value::Object(entries.into_iter().map(|entry| (entry.key, json(entry.value))).collect::<Map<_, _>>())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_kubeconfig_in_yaml_is_read_and_what_is_wrong_with_it_is_said() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("config");
        let read = |text: &str| {
            fs::write(&path, text).unwrap();
            kubeconfig(&path).map_err(|error| error.to_string())
        };
        let access = read(
            "apiVersion: v1\nkind: Config\ncurrent-context: default\n\
             clusters:\n- name: default\n  cluster:\n    server: https://127.0.0.1:6443\n    insecure-skip-tls-verify: true\n\
             contexts:\n- name: default\n  context: {cluster: default, user: default}\n\
             users:\n- name: default\n  user:\n    tokenFile: token\n",
        )
        .unwrap();
        assert_eq!(access.server.as_deref(), Some("https://127.0.0.1:6443"));
        assert!(access.insecure);
        assert!(read("").unwrap_err().contains("is empty"));
        assert!(read("a: [\n").unwrap_err().contains("no YAML at line"));
        assert!(read("clusters: 5\n").unwrap_err().contains("cannot be read"));
        fs::remove_file(&path).unwrap();
        assert!(kubeconfig(&path).unwrap_err().to_string().contains("cannot be read"));
    }

    #[test]
    fn nothing_is_asked_unless_that_is_wanted() {
        assert!(Pods::start(&Config::default()).is_none());
    }
}
