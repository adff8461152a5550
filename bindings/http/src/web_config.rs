//! TLS and basic authentication from a file in the format of Prometheus' exporter-toolkit
//! (`web-configuration.md` there): the keys below, nothing else. A key that is not known is an
//! error and never ignored, because it may be the one that protects.

mod auth;

use auth::Users;
use axum::Router;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use serde::Deserialize;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::{fmt, fs, io};
use tokio_rustls::TlsAcceptor;

/// Encryption and passwords of the server.
///
/// ```yaml
/// tls_server_config:
///   cert_file: server.crt        # relative to this file
///   key_file: server.key
///   min_version: TLS12           # or TLS13
///   client_auth_type: RequireAndVerifyClientCert   # default: NoClientCert
///   client_ca_file: clients.crt
/// basic_auth_users:
///   prometheus: $2y$10$…         # bcrypt, as `htpasswd -nBC 10 "" | tr -d ':\n'` makes it
/// ```
///
/// The files are read once; a new certificate needs a restart.
#[derive(Clone)]
pub struct WebConfig {
    tls: Option<TlsAcceptor>,
    users: Option<Arc<Users>>,
}

impl WebConfig {
    /// Reads the file and the certificates that it names.
    ///
    /// # Errors
    /// When a file cannot be read, a key is unknown, missing or has a value it cannot have, a
    /// certificate and its key do not belong together, or a password is not a bcrypt hash.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, WebConfigError> {
        let path = path.as_ref();
        let text = fs::read_to_string(path).map_err(|source| WebConfigError::Read { path: path.to_owned(), source })?;
        // Without the snippet of the source, which could show a password's hash in a log.
        let options = serde_saphyr::options! { with_snippet: false };
        let file: File = serde_saphyr::from_str_with_options(&text, options)
            .map_err(|error| WebConfigError::Syntax { path: path.to_owned(), reason: error.to_string() })?;
        let folder = path.parent().unwrap_or(Path::new(""));
        let tls = file.tls_server_config.map(|tls| tls.load(path, folder)).transpose()?;
        for (user, hash) in &file.basic_auth_users {
            if hash.parse::<bcrypt::HashParts>().is_err() {
                return Err(WebConfigError::Password { path: path.to_owned(), user: user.clone() });
            }
        }
        let users = (!file.basic_auth_users.is_empty()).then(|| Arc::new(Users::new(file.basic_auth_users)));
        Ok(WebConfig { tls: tls.map(|config| TlsAcceptor::from(Arc::new(config))), users })
    }

    pub(crate) fn acceptor(&self) -> Option<&TlsAcceptor> {
        self.tls.as_ref()
    }

    /// Asks for a password before every route, if there are users.
    pub(crate) fn protect(&self, router: Router) -> Router {
        match &self.users {
            Some(users) => router.layer(axum::middleware::from_fn_with_state(Arc::clone(users), auth::require)),
            None => router,
        }
    }
}

impl fmt::Debug for WebConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebConfig")
            .field("tls", &self.tls.is_some())
            .field("basic_auth", &self.users.is_some())
            .finish()
    }
}

/// What is wrong with a web configuration file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WebConfigError {
    /// The file itself, or one that it names, cannot be read.
    #[error("cannot read {path}: {source}", path = path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The file is not YAML, or has a key or a value that does not belong there.
    #[error("{path}: {reason}", path = path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Key, line and column.
        reason: String,
    },
    /// The values of some keys do not go together.
    #[error("{path}: {key}: {reason}", path = path.display())]
    Value {
        /// The file.
        path: PathBuf,
        /// The key.
        key: &'static str,
        /// What to change.
        reason: String,
    },
    /// A certificate or key file does not hold one.
    #[error("{path}, given as {key}: {reason}", path = path.display())]
    Pem {
        /// The certificate or key file.
        path: PathBuf,
        /// The key that names it.
        key: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// A password is not given as a bcrypt hash.
    #[error(
        "{path}: basic_auth_users: the password of {user:?} is not a bcrypt hash; make one with `htpasswd -nBC 10 {user}`",
        path = path.display()
    )]
    Password {
        /// The file.
        path: PathBuf,
        /// The user.
        user: String,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    tls_server_config: Option<Tls>,
    #[serde(default)]
    basic_auth_users: HashMap<String, String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Tls {
    cert_file: PathBuf,
    key_file: PathBuf,
    #[serde(default)]
    min_version: MinVersion,
    #[serde(default)]
    client_auth_type: ClientAuth,
    client_ca_file: Option<PathBuf>,
}

#[derive(Clone, Copy, Default, Deserialize)]
enum MinVersion {
    #[default]
    #[serde(rename = "TLS12")]
    Tls12,
    #[serde(rename = "TLS13")]
    Tls13,
}

#[derive(Clone, Copy, Default, Deserialize)]
enum ClientAuth {
    #[default]
    NoClientCert,
    RequireAndVerifyClientCert,
}

impl Tls {
    fn load(self, file: &Path, folder: &Path) -> Result<ServerConfig, WebConfigError> {
        let chain = certificates(&folder.join(&self.cert_file), "cert_file")?;
        let key_path = folder.join(&self.key_file);
        let key = PrivateKeyDer::from_pem_file(&key_path).map_err(|error| pem_error(&key_path, "key_file", error))?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let versions: &[_] = match self.min_version {
            MinVersion::Tls12 => &[&rustls::version::TLS13, &rustls::version::TLS12],
            MinVersion::Tls13 => &[&rustls::version::TLS13],
        };
        let value = |key, reason: String| WebConfigError::Value { path: file.to_owned(), key, reason };
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(versions)
            .map_err(|error| value("min_version", error.to_string()))?;
        let builder = match (self.client_auth_type, &self.client_ca_file) {
            (ClientAuth::NoClientCert, None) => builder.with_no_client_auth(),
            (ClientAuth::NoClientCert, Some(_)) => {
                let reason = "has no effect unless client_auth_type is RequireAndVerifyClientCert".to_owned();
                return Err(value("client_ca_file", reason));
            }
            (ClientAuth::RequireAndVerifyClientCert, None) => {
                return Err(value("client_auth_type", "needs client_ca_file".to_owned()));
            }
            (ClientAuth::RequireAndVerifyClientCert, Some(ca)) => {
                let path = folder.join(ca);
                let mut roots = RootCertStore::empty();
                roots.add_parsable_certificates(certificates(&path, "client_ca_file")?);
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
                    .build()
                    .map_err(|error| WebConfigError::Pem { path, key: "client_ca_file", reason: error.to_string() })?;
                builder.with_client_cert_verifier(verifier)
            }
        };
        let mut config = builder
            .with_single_cert(chain, key)
            .map_err(|error| value("cert_file", format!("does not go with key_file: {error}")))?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(config)
    }
}

fn certificates(path: &Path, key: &'static str) -> Result<Vec<CertificateDer<'static>>, WebConfigError> {
    let found: Vec<_> =
        CertificateDer::pem_file_iter(path).and_then(Iterator::collect).map_err(|error| pem_error(path, key, error))?;
    if found.is_empty() {
        return Err(WebConfigError::Pem { path: path.to_owned(), key, reason: "holds no certificate".to_owned() });
    }
    Ok(found)
}

fn pem_error(path: &Path, key: &'static str, error: rustls::pki_types::pem::Error) -> WebConfigError {
    match error {
        rustls::pki_types::pem::Error::Io(source) => WebConfigError::Read { path: path.to_owned(), source },
        other => WebConfigError::Pem { path: path.to_owned(), key, reason: other.to_string() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<WebConfig, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("web.yml");
        fs::write(&path, text).unwrap();
        WebConfig::from_file(&path).map_err(|error| error.to_string())
    }

    #[test]
    fn an_error_names_the_file_and_the_key() {
        for (text, parts) in [
            ("basic_auth_user:\n  a: b\n", ["web.yml", "basic_auth_user"]),
            ("tls_server_config:\n  cert_file: a.crt\n", ["web.yml", "key_file"]),
            ("tls_server_config:\n  cert_file: a.crt\n  key_file: a.key\n", ["a.crt", "cannot read"]),
            ("basic_auth_users:\n  ann: secret\n", ["ann", "bcrypt"]),
            ("http_server_config:\n  http2: true\n", ["web.yml", "http_server_config"]),
        ] {
            let error = read(text).unwrap_err();
            assert!(parts.iter().all(|part| error.contains(part)), "{text}: {error}");
            assert!(!error.contains("secret"), "{error}");
        }
    }

    #[test]
    fn an_error_in_the_text_names_its_line() {
        let error = read("basic_auth_users: {}\nunknown_key: 1\n").unwrap_err();
        assert!(error.contains("line 2"), "{error}");
    }

    #[test]
    fn an_empty_configuration_asks_for_nothing() {
        let config = read("{}").unwrap();
        assert!(config.tls.is_none() && config.users.is_none());
    }
}
