//! TLS, authentication and headers from a file in the format of Prometheus' exporter-toolkit.

mod auth;
mod client_cert;
mod file;
mod rate;
mod tls;

use arc_swap::ArcSwap;
use auth::{Users, Verdict};
use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::{RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use file::{File, HttpServer, RateLimit};
use kepler_core::host::file::{self as files, FileError, FileLimits};
use kepler_core::printable;
use rate::TokenBucket;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use std::{fmt, fs};
use tokio_rustls::TlsAcceptor;

/// The largest file that is read.
const LIMITS: FileLimits = FileLimits::bytes(1 << 20);
/// How often it is looked whether a file has changed.
const ROUND: Duration = Duration::from_secs(2);
/// A certificate that ends within this time is warned of, once a day.
const EXPIRY_WARNING: i64 = 14 * DAY;
const DAY: i64 = 24 * 3600;

/// Encryption, passwords, rate limit and headers of the server, as exporter-toolkit's `web-configuration.md` has them.
///
/// ```yaml
/// tls_server_config:
///   cert_file: server.crt        # relative to this file; or cert: and key: with the PEM text itself
///   key_file: server.key
///   min_version: TLS12           # or TLS13; max_version likewise
///   client_auth_type: RequireAndVerifyClientCert   # default: NoClientCert
///   client_ca_file: clients.crt
///   client_allowed_sans: [prometheus.example]
/// basic_auth_users:
///   prometheus: $2y$10$…         # bcrypt, as `htpasswd -nBC 10 "" | tr -d ':\n'` makes it
/// rate_limit:
///   interval: 100ms
///   burst: 20
/// http_server_config:
///   headers:
///     X-Frame-Options: deny
/// ```
///
/// Every key of the format is known: also `cipher_suites`, `prefer_server_cipher_suites` and `curve_preferences`, of
/// which those are used that rustls offers, and `http2`, which is not offered. A file without any content is
/// refused, as it would protect nothing.
///
/// While a server runs, the file and those it names are read again when they have changed; where they can no longer
/// be used, what was read before stays, and the log says so. Clones share what is read.
#[derive(Clone)]
pub struct WebConfig(Arc<Shared>);

struct Shared {
    path: PathBuf,
    current: ArcSwap<Loaded>,
    watched: Mutex<Watched>,
}

/// What a file gives.
struct Loaded {
    tls: Option<TlsAcceptor>,
    /// When the certificate ends to be valid, in seconds since 1970.
    expires: Option<i64>,
    users: Option<Users>,
    limit: Option<TokenBucket>,
    headers: HeaderMap,
    files: Vec<PathBuf>,
}

#[derive(Default)]
struct Watched {
    stamps: Vec<Stamp>,
    /// When the certificate was last warned of, in seconds since 1970.
    warned: i64,
}

/// What changes with a file: modification, length, inode.
type Stamp = Option<(SystemTime, u64, u64)>;

/// The address and port that a request comes from: its connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PeerAddress(pub(crate) SocketAddr);

impl WebConfig {
    /// Reads the file and the certificates that it names.
    ///
    /// # Errors
    /// When a file cannot be read, is empty, a key is unknown, missing or has a value it cannot have, a
    /// certificate and its key do not belong together, or a password is not a bcrypt hash of bearable cost.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, WebConfigError> {
        let path = path.as_ref();
        // Before reading, so that a change meanwhile is seen.
        let own = stamp(path);
        let loaded = Loaded::read(path)?;
        let stamps = std::iter::once(own).chain(loaded.files.iter().map(|file| stamp(file))).collect();
        let watched = Mutex::new(Watched { stamps, warned: 0 });
        let config =
            WebConfig(Arc::new(Shared { path: path.to_owned(), current: ArcSwap::from_pointee(loaded), watched }));
        config.warn_of_expiry();
        Ok(config)
    }

    /// Reads everything again, for connections and requests from now on.
    ///
    /// # Errors
    /// As [`WebConfig::from_file`]; then what was read before stays.
    pub fn reload(&self) -> Result<(), WebConfigError> {
        let loaded = Loaded::read(&self.0.path)?;
        if let (Some(users), Some(before)) = (&loaded.users, &self.0.current.load().users) {
            users.learn_from(before);
        }
        self.0.current.store(Arc::new(loaded));
        self.0.watched().warned = 0;
        self.warn_of_expiry();
        Ok(())
    }

    /// Reads files again when they have changed, for as long as this is awaited.
    pub(crate) async fn follow_files(self) {
        loop {
            tokio::time::sleep(ROUND).await;
            let config = self.clone();
            // An error means that the runtime ends.
            let _ = tokio::task::spawn_blocking(move || config.reload_if_changed()).await;
        }
    }

    fn reload_if_changed(&self) {
        let files = self.0.current.load().files.clone();
        let stamps: Vec<Stamp> = std::iter::once(&self.0.path).chain(&files).map(|file| stamp(file)).collect();
        if std::mem::replace(&mut self.0.watched().stamps, stamps.clone()) != stamps {
            match self.reload() {
                Ok(()) => {
                    let files = self.0.current.load().files.clone();
                    let stamps = std::iter::once(&self.0.path).chain(&files).map(|file| stamp(file)).collect();
                    self.0.watched().stamps = stamps;
                    tracing::info!("read {} and the files that it names again", self.0.path.display());
                }
                Err(error) => tracing::error!("what was read before stays in use: {error}"),
            }
        }
        self.warn_of_expiry();
    }

    fn warn_of_expiry(&self) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs().cast_signed());
        let Some(expires) = self.0.current.load().expires.filter(|&expires| expires - now < EXPIRY_WARNING) else {
            return;
        };
        let mut watched = self.0.watched();
        if now - watched.warned < DAY {
            return;
        }
        watched.warned = now;
        let path = self.0.path.display();
        if expires < now {
            let days = (now - expires) / DAY;
            tracing::error!("the certificate of {path} has expired {days} days ago: clients refuse it");
        } else {
            tracing::warn!("the certificate of {path} expires in {} days", (expires - now) / DAY);
        }
    }

    pub(crate) fn acceptor(&self) -> Option<TlsAcceptor> {
        self.0.current.load().tls.clone()
    }

    /// Holds every route to the rate limit and the passwords, and adds the headers.
    pub(crate) fn protect(&self, router: Router) -> Router {
        router.layer(middleware::from_fn_with_state(self.clone(), check))
    }
}

async fn check(State(config): State<WebConfig>, request: Request, next: Next) -> Response {
    let loaded = config.0.current.load_full();
    if loaded.limit.as_ref().is_some_and(|limit| !limit.take()) {
        return (StatusCode::TOO_MANY_REQUESTS, [(RETRY_AFTER, "1")], "too many requests\n").into_response();
    }
    let verdict = match &loaded.users {
        Some(users) => {
            let from = request.extensions().get::<PeerAddress>().map(|peer| peer.0);
            users.judge(request.headers(), from).await
        }
        None => Verdict::Admitted,
    };
    let mut response = match verdict {
        Verdict::Admitted => next.run(request).await,
        Verdict::Wrong => {
            let headers = [(WWW_AUTHENTICATE, "Basic realm=\"kepler\", charset=\"UTF-8\"")];
            (StatusCode::UNAUTHORIZED, headers, "unauthorized\n").into_response()
        }
        Verdict::Busy => {
            let text = "too many passwords are being checked; try again\n";
            (StatusCode::TOO_MANY_REQUESTS, [(RETRY_AFTER, "1")], text).into_response()
        }
    };
    for (name, value) in &loaded.headers {
        response.headers_mut().insert(name.clone(), value.clone());
    }
    response
}

impl Shared {
    fn watched(&self) -> std::sync::MutexGuard<'_, Watched> {
        // Valid after every step, so a panic elsewhere spoils nothing.
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn stamp(path: &Path) -> Stamp {
    let metadata = fs::metadata(path).ok()?;
    Some((metadata.modified().ok()?, metadata.len(), metadata.ino()))
}

impl Loaded {
    fn read(path: &Path) -> Result<Self, WebConfigError> {
        let text =
            files::read_text(path, LIMITS).map_err(|source| WebConfigError::Read { key: "the file itself", source })?;
        let written = |line: &&str| !matches!(line.trim(), "" | "---" | "...") && !line.trim_start().starts_with('#');
        if !text.lines().any(|line| written(&line)) {
            return Err(WebConfigError::Empty { path: path.to_owned() });
        }
        // Without the snippet of the source, which could show a password's hash in a log.
        let options = serde_saphyr::options! { with_snippet: false };
        let file: File = serde_saphyr::from_str_with_options(&text, options).map_err(|error| {
            WebConfigError::Syntax { path: path.to_owned(), reason: printable::names_only(&error.to_string()) }
        })?;
        let tls = file.tls_server_config.map(|tls| tls::load(tls, path)).transpose()?;
        let users = users(file.basic_auth_users.unwrap_or_default(), path)?;
        let limit = limit(&file.rate_limit.unwrap_or_default(), path)?;
        let headers = headers(&file.http_server_config.unwrap_or_default(), path)?;
        let (tls, expires, files) = match tls {
            Some(tls) => (Some(TlsAcceptor::from(tls.config)), tls.expires, tls.files),
            None => (None, None, Vec::new()),
        };
        Ok(Loaded { tls, expires, users, limit, headers, files })
    }
}

fn users(hashes: HashMap<String, String>, path: &Path) -> Result<Option<Users>, WebConfigError> {
    for (user, hash) in &hashes {
        let Ok(parts) = hash.parse::<bcrypt::HashParts>() else {
            return Err(WebConfigError::Password { path: path.to_owned(), user: user.clone() });
        };
        if parts.get_cost() > auth::MOST_COST {
            let (user, cost) = (user.clone(), parts.get_cost());
            return Err(WebConfigError::Cost { path: path.to_owned(), user, cost });
        }
    }
    Ok((!hashes.is_empty()).then(|| Users::new(hashes)))
}

fn limit(written: &RateLimit, path: &Path) -> Result<Option<TokenBucket>, WebConfigError> {
    let value = |key, reason: &str| WebConfigError::Value { path: path.to_owned(), key, reason: reason.to_owned() };
    let Some(interval) = &written.interval else { return Ok(None) };
    let interval = interval.duration().ok_or_else(|| value("interval", "is no duration; write one such as 100ms"))?;
    if interval.is_zero() {
        return Ok(None);
    }
    if written.burst == 0 {
        return Err(value("burst", "lets no request through; give 1 at least"));
    }
    Ok(Some(TokenBucket::new(interval, written.burst)))
}

/// The headers that the format allows, each with the values it may have; none: any.
const HEADERS: [(&str, &[&str]); 5] = [
    ("Strict-Transport-Security", &[]),
    ("X-Content-Type-Options", &["nosniff"]),
    ("X-Frame-Options", &["deny", "sameorigin"]),
    ("X-XSS-Protection", &[]),
    ("Content-Security-Policy", &[]),
];

fn headers(written: &HttpServer, path: &Path) -> Result<HeaderMap, WebConfigError> {
    let bad = |reason: String| WebConfigError::Value { path: path.to_owned(), key: "headers", reason };
    let mut headers = HeaderMap::new();
    for (name, value) in &written.headers {
        let Some((name, values)) = HEADERS.into_iter().find(|(known, _)| known == name) else {
            let known: Vec<&str> = HEADERS.into_iter().map(|(known, _)| known).collect();
            return Err(bad(format!("{name:?} cannot be set; these can: {}", known.join(", "))));
        };
        if !values.is_empty() && !values.contains(&value.as_str()) {
            return Err(bad(format!("{name} may be {}", values.join(" or "))));
        }
        let value =
            HeaderValue::from_str(value).map_err(|_| bad(format!("{name} has characters no header may have")))?;
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|error| bad(error.to_string()))?;
        headers.insert(name, value);
    }
    Ok(headers)
}

impl fmt::Debug for WebConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let loaded = self.0.current.load();
        f.debug_struct("WebConfig")
            .field("path", &self.0.path)
            .field("tls", &loaded.tls.is_some())
            .field("basic_auth", &loaded.users.is_some())
            .finish_non_exhaustive()
    }
}

/// What is wrong with a web configuration file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WebConfigError {
    /// The file itself, or one that it names, cannot be read.
    #[error("{key}: {source}")]
    Read {
        /// The key that names it.
        key: &'static str,
        /// Which file, and why not.
        source: FileError,
    },
    /// The file holds nothing.
    #[error("{path} is empty, and would protect nothing; write {{}} if that is what it is for", path = path.display())]
    Empty {
        /// The file.
        path: PathBuf,
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
    /// A certificate or key, or the file of one, does not hold one.
    #[error("{path}, given as {key}: {reason}", path = path.display())]
    Pem {
        /// The file that holds it.
        path: PathBuf,
        /// The key that gives it.
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
    /// A password's hash takes too long to check.
    #[error(
        "{path}: basic_auth_users: the hash of {user:?} has a cost of {cost}, at which a check takes seconds; make one of 10 with `htpasswd -nBC 10 {user}`",
        path = path.display()
    )]
    Cost {
        /// The file.
        path: PathBuf,
        /// The user.
        user: String,
        /// Its cost, in powers of two.
        cost: u32,
    },
}

#[cfg(test)]
mod tests;
