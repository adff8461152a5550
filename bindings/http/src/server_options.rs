//! Limits and paths of the server.

use kepler_guard::SettingNames;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// Limits of the server.
///
/// ```
/// use kepler_http::ServerOptions;
///
/// let mut options = ServerOptions::default();
/// options.max_connections = 64;
/// options.telemetry_path = "/kepler/metrics".parse()?;
/// # Ok::<(), kepler_http::BadTelemetryPath>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ServerOptions {
    /// Connections at a time, 1 at least; default 32. When all are taken and another client comes, the one that
    /// has waited longest without a request goes, or else one whose client has stalled for two seconds; while all
    /// are being answered, the newcomer waits. There are fewer where the limit of open files leaves fewer.
    ///
    /// A sixteenth of them is kept for probes of health and a quarter for scrapes (16 of each at most); of the
    /// rest, half may be streams. Requests beyond their share are answered with 503.
    pub max_connections: usize,
    /// Time in which a request's headers must have come, counted from the connection's start or
    /// from the answer before; default 30 s. Idle connections are closed after the same time.
    pub header_timeout: Duration,
    /// Time in which a request's body must have come; default 10 s. Later ones are answered with 408.
    pub body_timeout: Duration,
    /// Time in which a client must take what is buffered for it (64 KiB or so); default 10 s.
    pub write_timeout: Duration,
    /// Time in which a client must take a whole answer that is no stream of events; default 120 s.
    pub answer_timeout: Duration,
    /// Largest request body in bytes; default 64 KiB. Larger ones are answered with 413.
    pub body_limit: usize,
    /// Bytes of the bodies of all requests that are being answered; default 16 MiB. Bodies beyond it are answered
    /// with 503.
    pub body_budget: usize,
    /// Time for requests under way to finish at shutdown; default 5 s.
    pub shutdown_grace: Duration,
    /// `/readyz` fails when the newest snapshot is older than this, and older than three of its
    /// intervals; default 15 s.
    pub stale_after: Duration,
    /// Names by which clients may reach a listener on the loopback interface (the `Host` header), beside
    /// `localhost` and IP addresses; default none. A web page that lets its own name point here (DNS rebinding) is
    /// refused by this. Other listeners answer to any name.
    pub allowed_hosts: Vec<String>,
    /// What the setting of those names is called, for the message of a refusal.
    pub setting_names: SettingNames,
    /// Where the exposition is; default `/metrics`.
    pub telemetry_path: TelemetryPath,
    /// How an answer says that names are escaped where the client does not ask for a way, such as `underscores`;
    /// default none: then it says nothing.
    pub escaping: Option<&'static str>,
    /// What the page at `/` links to beside its own routes: path and description. Default none.
    pub links: Vec<(&'static str, &'static str)>,
    /// Whether `/` is the live page, which shows what [`Rest`](crate::Rest) answers: merge its routes as well. Default
    /// no: then `/` is a list of links.
    #[cfg(feature = "rest")]
    pub live_page: bool,
    /// Encryption and passwords; default none.
    #[cfg(feature = "tls")]
    pub web: Option<crate::WebConfig>,
    /// What decides about requests by their tokens; none by default.
    #[cfg(feature = "tls")]
    pub review: Option<crate::AccessReview>,
}

impl ServerOptions {
    /// These options with a change, as in `ServerOptions::default().with(|options| options.max_connections = 64)`.
    #[must_use]
    pub fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }
}

impl Default for ServerOptions {
    fn default() -> Self {
        ServerOptions {
            max_connections: 32,
            header_timeout: Duration::from_secs(30),
            body_timeout: Duration::from_secs(10),
            write_timeout: Duration::from_secs(10),
            answer_timeout: Duration::from_secs(120),
            body_limit: 64 * 1024,
            body_budget: 16 << 20,
            shutdown_grace: Duration::from_secs(5),
            stale_after: Duration::from_secs(15),
            allowed_hosts: Vec::new(),
            setting_names: SettingNames::default(),
            telemetry_path: TelemetryPath::default(),
            escaping: None,
            links: Vec::new(),
            #[cfg(feature = "rest")]
            live_page: false,
            #[cfg(feature = "tls")]
            web: None,
            #[cfg(feature = "tls")]
            review: None,
        }
    }
}

/// Where the exposition is: a path such as `/metrics`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TelemetryPath(String);

impl TelemetryPath {
    /// The path, beginning with a slash.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for TelemetryPath {
    fn default() -> Self {
        TelemetryPath("/metrics".to_owned())
    }
}

impl fmt::Display for TelemetryPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Paths of other routes, and of what is below them.
const TAKEN: [&str; 13] = [
    "/livez",
    "/readyz",
    "/healthz",
    "/-",
    "/debug",
    "/tools",
    "/api",
    "/openapi.json",
    "/docs",
    "/page",
    "/mcp",
    "/sse",
    "/messages",
];

impl FromStr for TelemetryPath {
    type Err = BadTelemetryPath;

    /// Reads a path of letters, digits and `-._~` between slashes that is not taken by another route. `/` puts the
    /// exposition in the place of the page with links.
    fn from_str(text: &str) -> Result<Self, BadTelemetryPath> {
        let bad = |reason| BadTelemetryPath { path: text.to_owned(), reason };
        let segments = text.strip_prefix('/').ok_or_else(|| bad("must begin with a slash"))?;
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        let fits = |segment: &str| !matches!(segment, "" | "." | "..") && segment.bytes().all(plain);
        if !segments.is_empty() && !segments.split('/').all(fits) {
            return Err(bad("may have letters, digits and -._~ between its slashes"));
        }
        let below = |taken: &str| text.strip_prefix(taken).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        if TAKEN.into_iter().any(below) {
            return Err(bad("is taken by another route"));
        }
        Ok(TelemetryPath(text.to_owned()))
    }
}

/// A path that the exposition cannot have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path:?} cannot be the path of the metrics: it {reason}; give one such as /metrics")]
pub struct BadTelemetryPath {
    path: String,
    reason: &'static str,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exposition_may_be_anywhere_but_where_something_else_is() {
        for path in ["/", "/metrics", "/kepler/metrics", "/a.b_c~d-1", "/apis", "/mcp2"] {
            assert_eq!(path.parse::<TelemetryPath>().unwrap().as_str(), path);
        }
        for path in [
            "",
            "metrics",
            "/livez",
            "/-/ready",
            "/api/v1/node",
            "/mcp",
            "/{x}",
            "/a//b",
            "/a/../b",
            "/a?b",
            "/메트릭",
            "/a/",
        ] {
            let error = path.parse::<TelemetryPath>().unwrap_err().to_string();
            assert!(error.contains("/metrics"), "{path}: {error}");
        }
    }
}
