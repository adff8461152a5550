//! What every request must pass: the right `Host`, no foreign `Origin`, the token.

use super::HttpOptions;
use crate::Token;
use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, HOST, ORIGIN, WWW_AUTHENTICATE};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use std::sync::Arc;
use subtle::ConstantTimeEq;

pub(super) struct Guard {
    hosts: Vec<String>,
    origins: Vec<String>,
    token: Option<Token>,
}

/// Why a request may not pass.
#[derive(Debug, PartialEq, Eq)]
enum Refusal {
    Host(String),
    Origin(String),
    Token,
}

impl Guard {
    pub(super) fn new(options: &HttpOptions) -> Self {
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
        if name.is_empty() || !self.hosts.iter().any(|allowed| *allowed == host || *allowed == name) {
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
            Some(given) if bool::from(given.ct_eq(token.text().as_bytes())) => Ok(()),
            _ => Err(Refusal::Token),
        }
    }
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
        let (what, value, remedy) = match self {
            Refusal::Host(host) => {
                ("Host", host, "add it to the allowed hosts if clients reach this server by that name")
            }
            Refusal::Origin(origin) => ("Origin", origin, "add it to the allowed origins if that web page may ask"),
            Refusal::Token => {
                let headers = [(WWW_AUTHENTICATE, "Bearer realm=\"kepler\"")];
                return (StatusCode::UNAUTHORIZED, headers, "a bearer token is needed\n").into_response();
            }
        };
        tracing::warn!(header = what, value, "refused an MCP request");
        (StatusCode::FORBIDDEN, format!("{what} {value:?} is not allowed; {remedy}\n")).into_response()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admit(options: &HttpOptions, headers: &[(&'static str, &str)]) -> Result<(), Refusal> {
        let headers = headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
        Guard::new(options).admit(&Uri::from_static("/mcp"), &headers)
    }

    #[test]
    fn only_names_that_are_allowed_reach_the_server() {
        let options =
            HttpOptions { allowed_hosts: vec!["localhost".into(), "node-1:8080".into()], ..Default::default() };
        for host in ["localhost", "LOCALHOST:28282", "node-1:8080"] {
            assert_eq!(admit(&options, &[("host", host)]), Ok(()), "{host}");
        }
        for host in ["evil.example", "localhost.evil.example", "node-1", "node-1:80", "", "a b", "evil@localhost@x"] {
            assert!(matches!(admit(&options, &[("host", host)]), Err(Refusal::Host(_))), "{host}");
        }
        assert!(matches!(admit(&options, &[]), Err(Refusal::Host(_))), "no name at all");
        assert_eq!(admit(&HttpOptions::default(), &[("host", "[::1]:28282")]), Ok(()));
    }

    #[test]
    fn only_pages_that_are_allowed_may_ask() {
        let options = HttpOptions { allowed_origins: vec!["https://Ops.example".into()], ..Default::default() };
        let from = |origin: &str| admit(&options, &[("host", "localhost:28282"), ("origin", origin)]);
        assert_eq!(from("https://ops.example"), Ok(()));
        assert_eq!(from("http://localhost:28282"), Ok(()), "its own page");
        for origin in ["https://evil.example", "null", "http://localhost:3000", "https://ops.example:444", ""] {
            assert!(matches!(from(origin), Err(Refusal::Origin(_))), "{origin}");
        }
    }

    #[test]
    fn the_token_is_asked_for_and_never_shown() {
        let token = Token::new(" s3cret\n");
        assert_eq!(format!("{token:?}"), "Some(Token(…))");
        let options = HttpOptions { bearer_token: token, ..Default::default() };
        let with = |value: &str| admit(&options, &[("host", "localhost"), ("authorization", value)]);
        assert_eq!(with("Bearer s3cret"), Ok(()));
        assert_eq!(with("bearer s3cret"), Ok(()));
        for wrong in ["Bearer s3cre", "Bearer s3cret2", "Bearer ", "Basic s3cret", "s3cret"] {
            assert_eq!(with(wrong), Err(Refusal::Token), "{wrong}");
        }
        assert_eq!(admit(&options, &[("host", "localhost")]), Err(Refusal::Token));
        assert_eq!(Token::new(" \n"), None);
    }
}
