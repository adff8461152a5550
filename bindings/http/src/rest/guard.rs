//! What every request must pass: a `Host` that is ours, no foreign `Origin`, the token.
//!
//! A browser lets any page send a request here, so a page could use this server in the name of whoever opened
//! it: by its address from another origin, or by a name of its own that it lets point here (DNS rebinding).
//! An address in figures cannot be rebound, so it passes as `Host` whichever it is.

use super::RestOptions;
use super::problem::{Kind, Problem};
use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, HOST, ORIGIN, WWW_AUTHENTICATE};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderValue, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use std::net::IpAddr;
use std::sync::Arc;
use subtle::ConstantTimeEq;

pub(super) struct Guard {
    hosts: Vec<String>,
    origins: Vec<String>,
    token: Option<String>,
}

/// Why a request may not pass.
#[derive(Debug, PartialEq, Eq)]
enum Refusal {
    Host(String),
    Origin(String),
    Token,
}

impl Guard {
    pub(super) fn new(options: &RestOptions) -> Self {
        let lower = |names: &[String]| names.iter().map(|name| name.trim().to_ascii_lowercase()).collect();
        Guard {
            hosts: lower(&options.allowed_hosts),
            origins: lower(&options.allowed_origins),
            token: options.bearer_token.clone(),
        }
    }

    fn admit(&self, uri: &Uri, headers: &HeaderMap) -> Result<(), Refusal> {
        let host = match headers.get(HOST) {
            Some(host) => String::from_utf8_lossy(host.as_bytes()).to_ascii_lowercase(),
            // HTTP/2 has it in the URI.
            None => uri.authority().map(|authority| authority.as_str().to_ascii_lowercase()).unwrap_or_default(),
        };
        let name = host.parse::<Authority>().map(|authority| authority.host().to_owned()).unwrap_or_default();
        let listed = || self.hosts.iter().any(|allowed| *allowed == host || *allowed == name);
        if name.is_empty() || !(is_address(&name) || name == "localhost" || listed()) {
            return Err(Refusal::Host(host));
        }
        for origin in headers.get_all(ORIGIN) {
            let origin = String::from_utf8_lossy(origin.as_bytes()).to_ascii_lowercase();
            // A page of this server itself, whose name has just been found right.
            let own = ["http://", "https://"].iter().any(|scheme| origin.strip_prefix(scheme) == Some(&*host));
            if !own && !self.origins.contains(&origin) {
                return Err(Refusal::Origin(origin));
            }
        }
        let Some(token) = &self.token else { return Ok(()) };
        let given = headers.get(AUTHORIZATION).map(HeaderValue::as_bytes).and_then(bearer);
        // In constant time, so that the time of the answer tells nothing about the token.
        match given {
            Some(given) if bool::from(given.ct_eq(token.as_bytes())) => Ok(()),
            _ => Err(Refusal::Token),
        }
    }
}

fn is_address(name: &str) -> bool {
    let figures = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    figures.parse::<IpAddr>().is_ok()
}

/// What follows `Bearer `, in whichever case that is written (RFC 9110 11.1).
fn bearer(value: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = value.split_at_checked("Bearer ".len())?;
    scheme.eq_ignore_ascii_case(b"Bearer ").then(|| token.trim_ascii())
}

pub(super) async fn check(State(guard): State<Arc<Guard>>, request: Request, next: Next) -> Response {
    match guard.admit(request.uri(), request.headers()) {
        Ok(()) => next.run(request).await,
        Err(refusal) => refusal.into_response(),
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (header, value, remedy) = match self {
            Refusal::Host(host) => {
                ("Host", host, "if clients reach this server by that name, allow it (--web.allowed-host)")
            }
            Refusal::Origin(origin) => ("Origin", origin, "if that web page may ask, allow it (--web.allowed-origin)"),
            Refusal::Token => {
                let problem = Problem::new(Kind::Unauthorized, "send `Authorization: Bearer` and the token");
                return ([(WWW_AUTHENTICATE, "Bearer realm=\"kepler\"")], problem).into_response();
            }
        };
        tracing::warn!(header, value, "refused a request");
        Problem::new(Kind::Forbidden, format!("{header} {value:?} is not allowed; {remedy}")).into_response()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admit(options: &RestOptions, headers: &[(&'static str, &str)]) -> Result<(), Refusal> {
        let headers = headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
        Guard::new(options).admit(&Uri::from_static("/tools"), &headers)
    }

    #[test]
    fn addresses_and_names_that_are_allowed_reach_the_server() {
        let options = RestOptions { allowed_hosts: vec!["Node-1".into(), "b:8080".into()], ..Default::default() };
        for host in
            ["localhost", "LOCALHOST:28282", "node-1:28282", "b:8080", "10.0.0.7:28282", "[::1]:80", "127.0.0.1"]
        {
            assert_eq!(admit(&options, &[("host", host)]), Ok(()), "{host}");
        }
        for host in
            ["evil.example", "localhost.evil.example", "b", "b:80", "", "a b", "evil@localhost@x", "1.2.3.4.evil"]
        {
            assert!(matches!(admit(&options, &[("host", host)]), Err(Refusal::Host(_))), "{host}");
        }
        assert!(matches!(admit(&options, &[]), Err(Refusal::Host(_))), "no name at all");
    }

    #[test]
    fn only_pages_that_are_allowed_may_ask() {
        let options = RestOptions { allowed_origins: vec!["https://Ops.example".into()], ..Default::default() };
        let from = |origin: &str| admit(&options, &[("host", "localhost:28282"), ("origin", origin)]);
        assert_eq!(from("https://ops.example"), Ok(()));
        assert_eq!(from("http://localhost:28282"), Ok(()), "its own page");
        for origin in ["https://evil.example", "null", "http://localhost:3000", "https://ops.example:444", ""] {
            assert!(matches!(from(origin), Err(Refusal::Origin(_))), "{origin}");
        }
    }

    #[test]
    fn the_token_is_asked_for_and_never_shown() {
        let options = RestOptions { bearer_token: Some("s3cret".into()), ..Default::default() };
        assert!(!format!("{options:?}").contains("s3cret"));
        let with = |value: &str| admit(&options, &[("host", "localhost"), ("authorization", value)]);
        assert_eq!(with("Bearer s3cret"), Ok(()));
        assert_eq!(with("bearer s3cret"), Ok(()));
        for wrong in ["Bearer s3cre", "Bearer s3cret2", "Bearer ", "Basic s3cret", "s3cret"] {
            assert_eq!(with(wrong), Err(Refusal::Token), "{wrong}");
        }
        assert_eq!(admit(&options, &[("host", "localhost")]), Err(Refusal::Token));
    }
}
