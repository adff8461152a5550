//! The HTTP client under all others: bounded in time and size, verified, silent about secrets.
//!
//! One request ends within [`HttpOptions::timeout`], from name resolution to the last byte, whatever the
//! server does. Certificates are always verified; there is no switch but for a kubelet's. Redirects are not followed: a
//! redirect to another host would carry a token there.
//!
//! ```
//! use kepler_connect::http::HttpOptions;
//! use std::time::Duration;
//!
//! let mut options = HttpOptions::default();
//! options.timeout = Duration::from_secs(3);
//! options.ca_bundle = Some("/etc/ssl/private-authority.pem".into());
//! ```

mod error;
mod secret;
pub(crate) mod tls;

pub use error::HttpError;
pub use secret::{Auth, Secret};

use jiff::Timestamp;
use reqwest::blocking::{Client, RequestBuilder, Response};
use reqwest::header::{DATE, HeaderMap, LOCATION, RETRY_AFTER};
#[cfg(feature = "models")]
use reqwest::header::{ETAG, IF_NONE_MATCH};
use reqwest::{Url, redirect};
use std::io::Read;
use std::path::PathBuf;
use std::time::Duration;

/// Limits and trust of a client.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct HttpOptions {
    /// For the connection alone, TLS included; 5 s.
    pub connect_timeout: Duration,
    /// For the whole request, connection and body included; 15 s.
    pub timeout: Duration,
    /// The longest body that is read; 64 MiB, the `/metrics` of some 20,000 processes.
    pub max_body_bytes: u64,
    /// Certificates (PEM) to trust *instead of* the system's; for private authorities.
    pub ca_bundle: Option<PathBuf>,
}

impl Default for HttpOptions {
    fn default() -> Self {
        HttpOptions {
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

/// A body and its entity tag.
#[cfg(feature = "models")]
pub(crate) struct Tagged {
    pub(crate) body: Vec<u8>,
    pub(crate) etag: Option<String>,
}

/// A server with an address and trust of its own.
#[cfg(feature = "kubernetes")]
pub(crate) struct Peer {
    pub(crate) tls: rustls::ClientConfig,
    /// Its name, and where it is.
    pub(crate) address: Option<(String, std::net::SocketAddr)>,
}

/// As much is read of an answer that says no.
#[cfg(feature = "kubernetes")]
const MAX_REFUSAL_BYTES: u64 = 64 << 10;

/// A client for servers of one owner.
#[derive(Debug)]
pub(crate) struct Http {
    client: Client,
    options: HttpOptions,
}

impl Http {
    /// `secure` says whether any address is https; without one no trust store is needed, and a
    /// container that has none can still reach its neighbours.
    pub(crate) fn new(options: HttpOptions, secure: bool) -> Result<Self, HttpError> {
        let client = Client::builder()
            .tls_backend_preconfigured(tls::config(options.ca_bundle.as_deref(), secure)?)
            .redirect(redirect::Policy::none())
            .connect_timeout(options.connect_timeout)
            .user_agent(concat!("kepler-connect/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| HttpError::Client { reason: error::chain(&error) })?;
        Ok(Http { client, options })
    }

    /// A client of one server, which is found at `peer.address` whatever its name resolves to.
    #[cfg(feature = "kubernetes")]
    pub(crate) fn to_peer(options: HttpOptions, peer: Peer) -> Result<Self, HttpError> {
        let mut builder = Client::builder()
            .tls_backend_preconfigured(peer.tls)
            .redirect(redirect::Policy::none())
            .connect_timeout(options.connect_timeout)
            .pool_max_idle_per_host(1)
            .user_agent(concat!("kepler-connect/", env!("CARGO_PKG_VERSION")));
        if let Some((name, address)) = &peer.address {
            // A proxy would have to be told the token's way; the own node is one hop away.
            builder = builder.no_proxy().resolve(name, *address);
        }
        let client = builder.build().map_err(|error| HttpError::Client { reason: error::chain(&error) })?;
        Ok(Http { client, options })
    }

    /// GET: a successful answer, of which the body is still to be read. All of it has to have come within `timeout`.
    #[cfg(feature = "kubernetes")]
    pub(crate) fn stream(
        &self,
        url: &Url,
        auth: &Auth,
        headers: &[(&'static str, &'static str)],
        timeout: Duration,
    ) -> Result<Response, HttpError> {
        let mut request = self.client.get(url.clone());
        for &(name, value) in headers {
            request = request.header(name, value);
        }
        let response =
            auth.apply(request)?.timeout(timeout).send().map_err(|error| HttpError::of(error, url, timeout))?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let retry_after = retry_after(response.headers());
        let mut body = Vec::new();
        let _ = response.take(MAX_REFUSAL_BYTES).read_to_end(&mut body);
        Err(HttpError::Status { url: shown(url), status: status.as_u16(), redirect: None, retry_after, body })
    }

    /// GET: the body of a successful answer.
    #[cfg(any(
        feature = "kepler",
        feature = "electricity-maps",
        feature = "watttime",
        feature = "uk-carbon-intensity"
    ))]
    pub(crate) fn get(&self, url: Url, auth: &Auth, accept: &'static str) -> Result<Vec<u8>, HttpError> {
        let request = self.client.get(auth.instead_of_user(&url)).header("accept", accept);
        self.send(request, &url, auth)
    }

    /// GET of what may be known already: the body and its entity tag, or `None` if it is still as tagged.
    #[cfg(feature = "models")]
    pub(crate) fn get_if_changed(
        &self,
        url: Url,
        auth: &Auth,
        etag: Option<&str>,
    ) -> Result<Option<Tagged>, HttpError> {
        let mut request =
            self.client.get(auth.instead_of_user(&url)).header("accept", "application/json, application/zip");
        if let Some(etag) = etag {
            request = request.header(IF_NONE_MATCH, etag);
        }
        match self.answer(request, &url, auth) {
            Ok((body, headers)) => {
                let etag = headers.get(ETAG).and_then(|value| value.to_str().ok()).map(str::to_owned);
                Ok(Some(Tagged { body, etag }))
            }
            Err(HttpError::Status { status: 304, .. }) if etag.is_some() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// POST of a form: the body of a successful answer.
    #[cfg(feature = "prometheus")]
    pub(crate) fn post_form(&self, url: Url, auth: &Auth, form: &[(&str, &str)]) -> Result<Vec<u8>, HttpError> {
        self.send(self.client.post(auth.instead_of_user(&url)).form(form), &url, auth)
    }

    #[cfg(any(
        feature = "kepler",
        feature = "prometheus",
        feature = "electricity-maps",
        feature = "watttime",
        feature = "uk-carbon-intensity"
    ))]
    fn send(&self, request: RequestBuilder, url: &Url, auth: &Auth) -> Result<Vec<u8>, HttpError> {
        self.answer(request, url, auth).map(|(body, _)| body)
    }

    /// Body and headers of a successful answer.
    fn answer(&self, request: RequestBuilder, url: &Url, auth: &Auth) -> Result<(Vec<u8>, HeaderMap), HttpError> {
        // The time-out of the request, unlike that of the blocking client, also bounds the body as a whole.
        let response = auth
            .apply(request)?
            .timeout(self.options.timeout)
            .send()
            .map_err(|error| HttpError::of(error, url, self.options.timeout))?;
        let status = response.status();
        let headers = response.headers().clone();
        let retry_after = retry_after(&headers);
        let location = headers.get(LOCATION).and_then(|value| value.to_str().ok()).and_then(|to| url.join(to).ok());
        let body = self.body(response, url);
        if status.is_success() {
            return body.map(|body| (body, headers));
        }
        Err(HttpError::Status {
            url: shown(url),
            status: status.as_u16(),
            redirect: location.filter(|_| status.is_redirection()).map(|to| shown(&to)),
            retry_after,
            body: body.unwrap_or_default(),
        })
    }

    fn body(&self, response: Response, url: &Url) -> Result<Vec<u8>, HttpError> {
        let limit = self.options.max_body_bytes;
        let mut body = Vec::new();
        response.take(limit.saturating_add(1)).read_to_end(&mut body).map_err(|error| {
            match error.downcast::<reqwest::Error>() {
                Ok(error) => HttpError::of(error, url, self.options.timeout),
                Err(error) => HttpError::Broken { url: shown(url), reason: error.to_string() },
            }
        })?;
        if u64::try_from(body.len()).is_ok_and(|length| length > limit) {
            return Err(HttpError::TooLarge { url: shown(url), limit });
        }
        Ok(body)
    }
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
