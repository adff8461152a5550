//! How a cluster is reached, and as whom: from within a pod, or by a kubeconfig.

use crate::http::{Auth, Secret};
use kepler_core::host::file::{self, FileLimits};
use reqwest::Url;
use serde::Deserialize;
use serde::de::{Deserializer, Error as _};
use std::fmt;
use std::path::{Path, PathBuf};

/// Where Kubernetes puts a pod's service account.
pub const SERVICE_ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

/// Tokens have some thousand bytes, certificates too; a bundle of a system has 250 KB.
const MAX_FILE: u64 = 1 << 20;

/// A cluster, and who asks it.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Access {
    /// The API server, `https://host:port`; `None` if only the kubelet is to be asked.
    pub server: Option<String>,
    /// The token.
    pub token: BearerToken,
    /// The cluster's certificate authorities.
    pub authorities: Pem,
    /// The certificate of a client, and its key.
    pub identity: Option<(Pem, Pem)>,
    /// Whether the API server's certificate is not looked at.
    pub insecure: bool,
    /// The name that the API server's certificate has, if another than its address.
    pub server_name: Option<String>,
}

/// A bearer token.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub enum BearerToken {
    /// None.
    #[default]
    None,
    /// This one.
    Fixed(Secret),
    /// The content of a file, which is read for each request: Kubernetes replaces it every hour.
    File(PathBuf),
}

/// Something in PEM.
#[derive(Clone, Default)]
#[non_exhaustive]
pub enum Pem {
    /// Nothing.
    #[default]
    None,
    /// This.
    Data(Vec<u8>),
    /// The content of a file, which is read when a connection is made.
    File(PathBuf),
}

impl fmt::Debug for Pem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Pem::None => f.write_str("None"),
            // It may be a key.
            Pem::Data(_) => f.write_str("Data(…)"),
            Pem::File(path) => f.debug_tuple("File").field(path).finish(),
        }
    }
}

impl Pem {
    pub(super) fn read(&self) -> Result<Vec<u8>, AccessError> {
        match self {
            Pem::None => Ok(Vec::new()),
            Pem::Data(data) => Ok(data.clone()),
            Pem::File(path) => read(path),
        }
    }
}

impl BearerToken {
    pub(super) fn auth(&self) -> Result<Auth, AccessError> {
        match self {
            BearerToken::None => Ok(Auth::None),
            BearerToken::Fixed(token) => Ok(Auth::Bearer(token.clone())),
            BearerToken::File(path) => {
                let text = read(path)?;
                let text = String::from_utf8(text)
                    .map_err(|_| AccessError::File { path: path.clone(), reason: "it holds no text".into() })?;
                Ok(Auth::Bearer(Secret::new(&text)))
            }
        }
    }
}

fn read(path: &Path) -> Result<Vec<u8>, AccessError> {
    let refuse =
        |error: file::FileError| AccessError::File { path: path.to_owned(), reason: error.reason().to_string() };
    file::read(path, FileLimits::bytes(MAX_FILE)).map_err(refuse)
}

/// A cluster cannot be reached as configured.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AccessError {
    /// This is no pod.
    #[error("this is no pod of a cluster: {what}")]
    NoPod {
        /// What is missing.
        what: String,
    },
    /// A file cannot be read.
    #[error("{} cannot be read: {reason}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// A kubeconfig that cannot be used.
    #[error("the kubeconfig {what}")]
    Kubeconfig {
        /// What is wrong with it.
        what: String,
    },
}

impl Access {
    /// The access of a pod: the service account in `directory` (see [`SERVICE_ACCOUNT`]), and the address in
    /// `KUBERNETES_SERVICE_HOST` and `KUBERNETES_SERVICE_PORT`, which `variable` looks up.
    ///
    /// # Errors
    /// Where there is no token.
    pub fn in_cluster(directory: &Path, variable: impl Fn(&str) -> Option<String>) -> Result<Self, AccessError> {
        let token = directory.join("token");
        if !token.exists() {
            return Err(AccessError::NoPod { what: format!("there is no {}", token.display()) });
        }
        let set = |name: &str| variable(name).filter(|value| !value.is_empty());
        let server = set("KUBERNETES_SERVICE_HOST").map(|host| {
            let port = set("KUBERNETES_SERVICE_PORT_HTTPS").or_else(|| set("KUBERNETES_SERVICE_PORT"));
            format!("https://{}:{}", bracketed(&host), port.as_deref().unwrap_or("443"))
        });
        let (token, authorities) = (BearerToken::File(token), Pem::File(directory.join("ca.crt")));
        Ok(Access { server, token, authorities, ..Access::default() })
    }

    /// The address of the API server.
    pub(super) fn server(&self) -> Result<Url, AccessError> {
        let refuse = |what: String| AccessError::Kubeconfig { what };
        let server = self.server.as_deref().ok_or_else(|| refuse("names no server".into()))?;
        let url = crate::http::base_url(server).map_err(|error| refuse(error.to_string()))?;
        if url.scheme() != "https" && !matches!(self.token, BearerToken::None) {
            return Err(refuse("has a server without TLS, to which no token is sent".into()));
        }
        Ok(url)
    }
}

/// An IPv6 address as it stands in a URL.
pub(super) fn bracketed(host: &str) -> String {
    if host.contains(':') && !host.starts_with('[') { format!("[{host}]") } else { host.to_owned() }
}

/// A kubeconfig, to be read from YAML or JSON.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Kubeconfig {
    #[serde(default)]
    current_context: Option<String>,
    #[serde(default)]
    contexts: Option<Vec<Named<Context>>>,
    #[serde(default)]
    clusters: Option<Vec<Named<Cluster>>>,
    #[serde(default)]
    users: Option<Vec<Named<User>>>,
}

#[derive(Clone, Debug, Deserialize)]
struct Named<T> {
    name: String,
    #[serde(alias = "context", alias = "cluster", alias = "user")]
    value: T,
}

#[derive(Clone, Debug, Default, Deserialize)]
struct Context {
    cluster: String,
    #[serde(default)]
    user: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Cluster {
    server: String,
    #[serde(default)]
    certificate_authority: Option<PathBuf>,
    #[serde(default)]
    certificate_authority_data: Option<String>,
    #[serde(default, deserialize_with = "switch")]
    insecure_skip_tls_verify: bool,
    #[serde(default)]
    tls_server_name: Option<String>,
}

#[derive(Clone, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct User {
    #[serde(default)]
    token: Option<String>,
    #[serde(default, rename = "tokenFile")]
    token_file: Option<PathBuf>,
    #[serde(default)]
    client_certificate: Option<PathBuf>,
    #[serde(default)]
    client_certificate_data: Option<String>,
    #[serde(default)]
    client_key: Option<PathBuf>,
    #[serde(default)]
    client_key_data: Option<String>,
    #[serde(default)]
    exec: Option<Exec>,
    #[serde(default)]
    username: Option<String>,
    #[serde(default, rename = "auth-provider")]
    auth_provider: Option<AuthProvider>,
}

#[derive(Clone, Default, Deserialize)]
struct Exec {
    #[serde(default)]
    command: String,
}

#[derive(Clone, Default, Deserialize)]
struct AuthProvider {
    #[serde(default)]
    name: String,
}

impl fmt::Debug for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("User(…)")
    }
}

/// `true` or `"true"`: some readers of YAML know texts only.
fn switch<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Either {
        Switch(bool),
        Text(String),
    }
    match Either::deserialize(deserializer)? {
        Either::Switch(value) => Ok(value),
        Either::Text(text) => text.parse().map_err(|_| D::Error::custom("it is `true` or `false`")),
    }
}

impl Kubeconfig {
    /// The access of the current context. Paths in it are relative to `directory`, where the file is.
    ///
    /// # Errors
    /// When something is missing, or the user authenticates in a way that is not supported: no program is run for it.
    pub fn access(&self, directory: &Path) -> Result<Access, AccessError> {
        let refuse = |what: String| AccessError::Kubeconfig { what };
        let contexts = self.contexts.as_deref().unwrap_or_default();
        let current = self.current_context.as_deref().filter(|name| !name.is_empty());
        let context = match current {
            Some(name) => find(contexts, name).ok_or_else(|| refuse(format!("has no context `{name}`")))?,
            None => &contexts.first().ok_or_else(|| refuse("has no context".into()))?.value,
        };
        let clusters = self.clusters.as_deref().unwrap_or_default();
        let cluster =
            find(clusters, &context.cluster).ok_or_else(|| refuse(format!("has no cluster `{}`", context.cluster)))?;
        let user = match context.user.as_deref().filter(|name| !name.is_empty()) {
            None => User::default(),
            Some(name) => {
                let users = self.users.as_deref().unwrap_or_default();
                find(users, name).ok_or_else(|| refuse(format!("has no user `{name}`")))?.clone()
            }
        };
        let identity = user.identity(directory)?;
        let token = user.token(directory, identity.is_some())?;
        let pem = |data: &Option<String>, path: &Option<PathBuf>| pem(data.as_deref(), path.as_deref(), directory);
        Ok(Access {
            server: Some(cluster.server.clone()),
            token,
            authorities: pem(&cluster.certificate_authority_data, &cluster.certificate_authority)?,
            identity,
            insecure: cluster.insecure_skip_tls_verify,
            server_name: cluster.tls_server_name.clone().filter(|name| !name.is_empty()),
        })
    }
}

impl User {
    fn identity(&self, directory: &Path) -> Result<Option<(Pem, Pem)>, AccessError> {
        let certificate = pem(self.client_certificate_data.as_deref(), self.client_certificate.as_deref(), directory)?;
        let key = pem(self.client_key_data.as_deref(), self.client_key.as_deref(), directory)?;
        match (certificate, key) {
            (Pem::None, _) => Ok(None),
            (_, Pem::None) => Err(AccessError::Kubeconfig { what: "has a client certificate without its key".into() }),
            (certificate, key) => Ok(Some((certificate, key))),
        }
    }

    fn token(&self, directory: &Path, has_identity: bool) -> Result<BearerToken, AccessError> {
        let refuse = |what: String| Err(AccessError::Kubeconfig { what });
        // kubectl prefers the file, too.
        if let Some(path) = &self.token_file {
            return Ok(BearerToken::File(directory.join(path)));
        }
        if let Some(token) = self.token.as_deref().filter(|token| !token.is_empty()) {
            return Ok(BearerToken::Fixed(Secret::new(token)));
        }
        if has_identity {
            return Ok(BearerToken::None);
        }
        if let Some(exec) = &self.exec {
            let what = format!(
                "has its user authenticate by running `{}` (exec), and no program is run for that; use a token, a token file or \
                 a client certificate",
                kepler_core::printable::line(&exec.command)
            );
            return refuse(what);
        }
        if let Some(provider) = &self.auth_provider {
            let name = kepler_core::printable::line(&provider.name).into_owned();
            return refuse(format!(
                "has its user authenticate by `{name}` (auth-provider), which is not supported; use a token"
            ));
        }
        if self.username.is_some() {
            return refuse("has its user authenticate by password, which Kubernetes has not taken since 1.19".into());
        }
        Ok(BearerToken::None)
    }
}

fn find<'a, T>(list: &'a [Named<T>], name: &str) -> Option<&'a T> {
    list.iter().find(|named| named.name == name).map(|named| &named.value)
}

/// Data goes before a file, as for kubectl.
fn pem(data: Option<&str>, path: Option<&Path>, directory: &Path) -> Result<Pem, AccessError> {
    match (data.filter(|data| !data.is_empty()), path.filter(|path| !path.as_os_str().is_empty())) {
        (Some(data), _) => {
            let data =
                decode(data).ok_or_else(|| AccessError::Kubeconfig { what: "has data that are not base64".into() });
            Ok(Pem::Data(data?))
        }
        (None, Some(path)) => Ok(Pem::File(directory.join(path))),
        (None, None) => Ok(Pem::None),
    }
}

/// Base64 as kubectl writes it (RFC 4648, padded).
fn decode(text: &str) -> Option<Vec<u8>> {
    let (mut bytes, mut bits, mut count) = (Vec::with_capacity(text.len() / 4 * 3), 0_u32, 0);
    for byte in text.bytes().filter(|byte| !byte.is_ascii_whitespace()) {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            b'=' => continue,
            _ => return None,
        };
        (bits, count) = (bits << 6 | u32::from(value), count + 6);
        if count >= 8 {
            count -= 8;
            bytes.push(u8::try_from(bits >> count & 0xff).ok()?);
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(user: &str) -> Result<Access, AccessError> {
        let text = format!(
            r#"{{"apiVersion": "v1", "kind": "Config", "current-context": "c", "preferences": {{}},
                "contexts": [{{"name": "other", "context": {{"cluster": "x", "user": "x"}}}},
                             {{"name": "c", "context": {{"cluster": "k", "user": "u", "namespace": "n"}}}}],
                "clusters": [{{"name": "k", "cluster": {{"server": "https://10.0.0.1:6443",
                    "certificate-authority-data": "LS0tCg==", "insecure-skip-tls-verify": "false"}}}}],
                "users": [{{"name": "u", "user": {user}}}]}}"#
        );
        serde_json::from_str::<Kubeconfig>(&text).unwrap().access(Path::new("/etc/kubernetes"))
    }

    #[test]
    fn tokens_files_and_certificates_are_taken_from_the_current_context() {
        let access = config(r#"{"token": "abc"}"#).unwrap();
        assert_eq!(access.server.as_deref(), Some("https://10.0.0.1:6443"));
        assert!(matches!(&access.authorities, Pem::Data(data) if data == b"---\n"));
        assert!(matches!(access.token, BearerToken::Fixed(_)) && !access.insecure);
        assert!(!format!("{access:?}").contains("abc"), "a token is not shown");
        let access = config(r#"{"token": "abc", "tokenFile": "token"}"#).unwrap();
        assert!(matches!(access.token, BearerToken::File(path) if path == Path::new("/etc/kubernetes/token")));
        let access = config(r#"{"client-certificate": "/c.crt", "client-key": "c.key"}"#).unwrap();
        let Some((Pem::File(certificate), Pem::File(key))) = access.identity else { panic!() };
        assert_eq!((certificate.as_path(), key.as_path()), (Path::new("/c.crt"), Path::new("/etc/kubernetes/c.key")));
    }

    #[test]
    fn what_would_run_a_program_or_is_not_whole_is_refused_by_name() {
        let refused = |user: &str| config(user).unwrap_err().to_string();
        assert!(
            refused(r#"{"exec": {"command": "aws-iam-authenticator", "args": []}}"#)
                .contains("`aws-iam-authenticator` (exec)")
        );
        assert!(refused(r#"{"auth-provider": {"name": "gcp"}}"#).contains("`gcp` (auth-provider)"));
        assert!(refused(r#"{"username": "admin", "password": "secret"}"#).contains("password"));
        assert!(refused(r#"{"client-certificate-data": "LS0tCg=="}"#).contains("without its key"));
        assert!(refused(r#"{"client-certificate-data": "%%"}"#).contains("not base64"));
        let empty = serde_json::from_str::<Kubeconfig>("{}").unwrap().access(Path::new("/")).unwrap_err();
        assert_eq!(empty.to_string(), "the kubeconfig has no context");
    }

    #[test]
    fn no_token_is_sent_without_tls() {
        let mut access = Access { server: Some("http://127.0.0.1:8080".into()), ..Access::default() };
        assert!(access.server().is_ok());
        access.token = BearerToken::Fixed(Secret::new("abc"));
        assert!(access.server().unwrap_err().to_string().contains("without TLS"));
    }

    #[test]
    fn a_pod_finds_its_cluster_also_by_ipv6() {
        let directory = tempfile::tempdir().unwrap();
        let variable = |name: &str| match name {
            "KUBERNETES_SERVICE_HOST" => Some("fd00::1".to_owned()),
            "KUBERNETES_SERVICE_PORT" => Some("6443".to_owned()),
            _ => None,
        };
        assert!(matches!(Access::in_cluster(directory.path(), variable), Err(AccessError::NoPod { .. })));
        std::fs::write(directory.path().join("token"), "abc\n").unwrap();
        let access = Access::in_cluster(directory.path(), variable).unwrap();
        assert_eq!(access.server.as_deref(), Some("https://[fd00::1]:6443"));
        assert!(access.token.auth().is_ok());
    }
}
