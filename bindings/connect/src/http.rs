//! The HTTP client under all others: bounded in time and size, verified, silent about secrets.
//!
//! One request ends within [`ClientOptions::timeout`], from name resolution to the last byte, whatever the
//! server does. Certificates are always verified; there is no switch but for a kubelet's. Redirects are not followed: a
//! redirect to another host would carry a token there.
//!
//! ```
//! use kepler_connect::http::ClientOptions;
//! use std::time::Duration;
//!
//! let mut options = ClientOptions::default();
//! options.timeout = Duration::from_secs(3);
//! options.ca_bundle = Some("/etc/ssl/private-authority.pem".into());
//! ```

#[cfg(feature = "_url")]
mod client;
#[cfg(feature = "external")]
mod digest;
mod error;
#[cfg(any(feature = "kepler", feature = "kubernetes", feature = "redfish"))]
pub(crate) mod peer;
mod secret;
#[cfg(any(feature = "_url", feature = "redfish"))]
mod tls;
#[cfg(any(feature = "_url", feature = "kubernetes", feature = "redfish"))]
mod trusted;

#[cfg(feature = "_url")]
pub(crate) use client::Http;
#[cfg(feature = "models")]
pub(crate) use client::Tagged;

#[cfg(feature = "external")]
pub(crate) use digest::DigestSession;
pub use error::HttpError;
#[cfg(any(feature = "kubernetes", feature = "redfish"))]
pub(crate) use error::Mistrust;
#[cfg(feature = "kepler")]
pub(crate) use error::chain;
pub use secret::{Auth, Secret};

use jiff::Timestamp;
use reqwest::Url;
use reqwest::blocking::Response;
#[cfg(any(feature = "_url", feature = "redfish"))]
use reqwest::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use reqwest::header::{DATE, HeaderMap, LOCATION, RETRY_AFTER};
#[cfg(any(feature = "_url", feature = "redfish"))]
use std::io::ErrorKind;
#[cfg(any(feature = "_url", feature = "kubernetes", feature = "redfish"))]
use std::io::Read;
use std::path::PathBuf;
use std::time::Duration;

/// Limits and trust of a client.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClientOptions {
    /// For the connection alone, TLS included; 5 s.
    pub connect_timeout: Duration,
    /// For the whole request, connection and body included; 15 s.
    pub timeout: Duration,
    /// The longest body that is read; 64 MiB, the `/metrics` of some 20,000 processes.
    pub max_body_bytes: u64,
    /// Certificates (PEM) to trust *instead of* the system's; for private authorities.
    pub ca_bundle: Option<PathBuf>,
}

impl Default for ClientOptions {
    fn default() -> Self {
        ClientOptions {
            connect_timeout: Duration::from_secs(5),
            timeout: Duration::from_secs(15),
            max_body_bytes: 64 << 20,
            ca_bundle: None,
        }
    }
}

/// Reads an address a user gave: http or https, with a host.
pub(crate) fn base_url(text: &str) -> Result<Url, HttpError> {
    // The text may hold a password, so the error does not repeat it unless it was understood.
    let refuse = |reason: &str| HttpError::Address { reason: reason.into() };
    let url = Url::parse(text.trim()).map_err(|error| refuse(&error.to_string()))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(refuse(&format!("its scheme is `{}`", url.scheme())));
    }
    if url.host_str().is_none_or(str::is_empty) {
        return Err(refuse("it names no host"));
    }
    Ok(url)
}

/// `base` with more path segments, each escaped; what `base` ends with stays.
#[cfg(any(
    feature = "kepler",
    feature = "prometheus",
    feature = "electricity-maps",
    feature = "watttime",
    feature = "uk-carbon-intensity"
))]
pub(crate) fn below(base: &Url, segments: &[&str]) -> Url {
    let mut url = base.clone();
    url.set_query(None);
    url.set_fragment(None);
    // Cannot fail: `base_url` lets only http and https pass, and these have a path.
    if let Ok(mut path) = url.path_segments_mut() {
        path.pop_if_empty().extend(segments);
    }
    url
}

/// A URL as it may be shown: without user, password, query and fragment.
pub(crate) fn shown(url: &Url) -> String {
    let mut url = url.clone();
    // These fail only for URLs that cannot have a user.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.set_query(None);
    url.set_fragment(None);
    url.into()
}

/// As much is read of an answer that says no.
#[cfg(any(feature = "kepler", feature = "kubernetes"))]
const MAX_REFUSAL_BYTES: u64 = 64 << 10;

/// GET: a successful answer, of which the body is still to be read. All of it has to have come within `timeout`.
#[cfg(any(feature = "kepler", feature = "kubernetes"))]
fn stream(
    client: &reqwest::blocking::Client,
    url: &Url,
    auth: &Auth,
    headers: &[(&'static str, &'static str)],
    timeout: Duration,
) -> Result<Response, HttpError> {
    send(client.get(url.clone()), url, auth, headers, Some(timeout))
}

/// Sends a request: a successful answer, of which the body is still to be read.
#[cfg(any(feature = "kepler", feature = "kubernetes"))]
fn send(
    mut request: reqwest::blocking::RequestBuilder,
    url: &Url,
    auth: &Auth,
    headers: &[(&'static str, &'static str)],
    timeout: Option<Duration>,
) -> Result<Response, HttpError> {
    for &(name, value) in headers {
        request = request.header(name, value);
    }
    let request = auth.apply(request)?;
    let request = match timeout {
        Some(timeout) => request.timeout(timeout),
        None => request,
    };
    let response = request.send().map_err(|error| HttpError::of(error, url, timeout.unwrap_or_default()))?;
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let (retry_after, redirect) = (retry_after(response.headers()), redirected(&response, url));
    let mut body = Vec::new();
    let _ = response.take(MAX_REFUSAL_BYTES).read_to_end(&mut body);
    Err(HttpError::Status { url: shown(url), status: status.as_u16(), redirect, retry_after, body })
}

/// The whole body of an answer.
#[cfg(feature = "_url")]
fn body(answer: Response, url: &Url, limit: u64, allowed: Duration) -> Result<Vec<u8>, HttpError> {
    match body_until_closed(answer, url, limit, allowed)? {
        (body, None) => Ok(body),
        (_, Some(error)) => Err(error),
    }
}

/// The body of an answer. Of one without a length whose connection was closed without TLS's `close_notify`, what came until
/// then, and the error that it is: whether that is all is to be seen by the body alone.
#[cfg(any(feature = "_url", feature = "redfish"))]
fn body_until_closed(
    answer: Response,
    url: &Url,
    limit: u64,
    allowed: Duration,
) -> Result<(Vec<u8>, Option<HttpError>), HttpError> {
    let has_length = [CONTENT_LENGTH, TRANSFER_ENCODING].iter().any(|name| answer.headers().contains_key(name));
    let mut body = Vec::new();
    let mut closed = None;
    if let Err(error) = answer.take(limit.saturating_add(1)).read_to_end(&mut body) {
        let is_end = !has_length && is_end_of_connection(&error);
        let error = match error.downcast::<reqwest::Error>() {
            Ok(error) => HttpError::of(error, url, allowed),
            Err(error) => HttpError::Broken { url: shown(url), reason: error.to_string() },
        };
        if !is_end {
            return Err(error);
        }
        closed = Some(error);
    }
    if u64::try_from(body.len()).is_ok_and(|length| length > limit) {
        return Err(HttpError::TooLarge { url: shown(url), limit });
    }
    Ok((body, closed))
}

/// Whether the connection was closed where more, or `close_notify`, was to come.
#[cfg(any(feature = "_url", feature = "redfish"))]
fn is_end_of_connection(error: &std::io::Error) -> bool {
    let mut cause = error.get_ref().map(|error| error as &(dyn std::error::Error + 'static));
    while let Some(error) = cause {
        if error.downcast_ref::<std::io::Error>().is_some_and(|error| error.kind() == ErrorKind::UnexpectedEof) {
            return true;
        }
        cause = error.source();
    }
    false
}

/// What a client of one server trusts: its certificate by `bundle` or the system's, or whatever it shows.
#[cfg(feature = "redfish")]
pub(crate) fn trust(
    bundle: Option<&std::path::Path>,
    secure: bool,
    insecure: bool,
) -> Result<rustls::ClientConfig, HttpError> {
    if insecure {
        peer::PeerTrust { insecure, ..peer::PeerTrust::default() }.config()
    } else {
        tls::config(bundle, secure)
    }
}

/// The body of an answer, decompressed where it is compressed.
#[cfg(any(feature = "kepler", feature = "kubernetes"))]
pub(crate) fn decompressed(answer: Response) -> Box<dyn Read + Send> {
    let is_compressed = answer.headers().get("content-encoding").is_some_and(|encoding| encoding == "gzip");
    if is_compressed {
        Box::new(flate2::read::GzDecoder::new(std::io::BufReader::new(answer)))
    } else {
        Box::new(answer)
    }
}

/// Where an answer points to instead.
fn redirected(response: &Response, url: &Url) -> Option<String> {
    let to = response.headers().get(LOCATION).filter(|_| response.status().is_redirection())?;
    url.join(to.to_str().ok()?).ok().map(|to| shown(&to))
}

/// The wait a server asks for: seconds, or a date. A date is taken against the server's own clock
/// where the answer shows it, so ours may be wrong.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    let after = text(RETRY_AFTER)?;
    if let Ok(seconds) = after.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = |text: &str| jiff::fmt::rfc2822::parse(text).ok().map(|date| date.timestamp());
    let now = text(DATE).and_then(date).unwrap_or_else(Timestamp::now);
    Duration::try_from(date(after)?.duration_since(now)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use reqwest::header::HeaderValue;

    fn wait(after: &'static str, date: Option<&'static str>) -> Option<Duration> {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, HeaderValue::from_static(after));
        if let Some(date) = date {
            headers.insert(DATE, HeaderValue::from_static(date));
        }
        retry_after(&headers)
    }

    #[test]
    fn a_wait_is_read_as_seconds_or_as_a_date_by_the_servers_clock() {
        assert_eq!(wait("120", None), Some(Duration::from_secs(120)));
        let date = Some("Wed, 21 Oct 2015 07:26:00 GMT");
        assert_eq!(wait("Wed, 21 Oct 2015 07:28:00 GMT", date), Some(Duration::from_secs(120)));
        assert_eq!(wait("Wed, 21 Oct 2015 07:20:00 GMT", date), None, "already over");
        assert_eq!(wait("soon", date), None);
    }

    #[test]
    fn an_address_without_scheme_or_host_is_refused() {
        for text in ["node-1:28282", "ftp://host/", "http://", "", "/metrics"] {
            assert!(matches!(base_url(text), Err(HttpError::Address { .. })), "{text}");
        }
        assert!(base_url(" http://node-1:28282/metrics\n").is_ok());
    }

    #[test]
    fn what_is_shown_of_a_url_holds_no_secret() {
        let url = base_url("https://user:secret@host/path?token=secret#secret").unwrap();
        assert_eq!(shown(&url), "https://host/path");
    }

    #[cfg(feature = "prometheus")]
    #[test]
    fn a_base_path_is_kept_and_segments_are_escaped() {
        let base = base_url("http://host/prometheus/").unwrap();
        assert_eq!(below(&base, &["api", "v1/x"]).as_str(), "http://host/prometheus/api/v1%2Fx");
    }

    proptest! {
        #[test]
        fn no_address_panics(text in ".*") {
            let _ = base_url(&text);
        }
    }
}
