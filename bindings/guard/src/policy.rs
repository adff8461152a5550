//! The check of a request's headers.

use crate::Token;
use http::header::{AUTHORIZATION, HOST, ORIGIN};
use http::uri::Authority;
use http::{HeaderMap, HeaderValue, Uri};
use std::fmt;
use std::net::IpAddr;
use subtle::ConstantTimeEq;

/// Who may ask.
#[derive(Clone, Debug)]
pub struct Policy {
    hosts: Vec<String>,
    origins: Vec<String>,
    token: Option<Token>,
}

/// Why a request may not pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It came by this `Host`, which is not ours.
    Host(String),
    /// It comes from a page of this `Origin`.
    Origin(String),
    /// It has not the token.
    Token,
}

impl Policy {
    /// Names in `hosts`, with or without a port, may be asked for beside `localhost` and addresses in figures
    /// (which cannot be rebound); pages of `origins` (`scheme://host[:port]`) may ask beside those of the server
    /// itself. With a `token`, who does not send it is refused.
    #[must_use]
    pub fn new(hosts: &[String], origins: &[String], token: Option<Token>) -> Self {
        let lower = |names: &[String]| names.iter().map(|name| name.trim().to_ascii_lowercase()).collect();
        Policy { hosts: lower(hosts), origins: lower(origins), token }
    }

    /// Whether a request with these headers may pass.
    ///
    /// # Errors
    /// What it is refused for.
    pub fn admit(&self, uri: &Uri, headers: &HeaderMap) -> Result<(), Refusal> {
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
            Some(given) if bool::from(given.ct_eq(token.text().as_bytes())) => Ok(()),
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

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::Host(host) => write!(
                f,
                "Host {host:?} is not allowed; if clients reach this server by that name, add it to the allowed hosts \
                 (of `kepler serve`: --web.allowed-host, and --mcp.allowed-host for /mcp)"
            ),
            Refusal::Origin(origin) => {
                write!(
                    f,
                    "Origin {origin:?} is not allowed; if that web page may ask, add it to the allowed origins \
                     (of `kepler serve`: --web.allowed-origin, and --mcp.allowed-origin for /mcp)"
                )
            }
            Refusal::Token => f.write_str("send `Authorization: Bearer` and the token"),
        }
    }
}

impl std::error::Error for Refusal {}

#[cfg(test)]
mod tests {
    use super::*;

    fn admit(policy: &Policy, headers: &[(&'static str, &str)]) -> Result<(), Refusal> {
        let headers = headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
        policy.admit(&Uri::from_static("/tools"), &headers)
    }

    #[test]
    fn addresses_and_names_that_are_allowed_reach_the_server() {
        let policy = Policy::new(&["Node-1".into(), "b:8080".into()], &[], None);
        for host in
            ["localhost", "LOCALHOST:28282", "node-1:28282", "b:8080", "10.0.0.7:28282", "[::1]:80", "127.0.0.1"]
        {
            assert_eq!(admit(&policy, &[("host", host)]), Ok(()), "{host}");
        }
        for host in
            ["evil.example", "localhost.evil.example", "b", "b:80", "", "a b", "evil@localhost@x", "1.2.3.4.evil"]
        {
            assert!(matches!(admit(&policy, &[("host", host)]), Err(Refusal::Host(_))), "{host}");
        }
        assert!(matches!(admit(&policy, &[]), Err(Refusal::Host(_))), "no name at all");
    }

    #[test]
    fn only_pages_that_are_allowed_may_ask() {
        let policy = Policy::new(&[], &["https://Ops.example".into()], None);
        let from = |origin: &str| admit(&policy, &[("host", "localhost:28282"), ("origin", origin)]);
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
        assert_eq!(Token::new(" \n"), None);
        let policy = Policy::new(&[], &[], token);
        assert!(!format!("{policy:?}").contains("s3cret"));
        let with = |value: &str| admit(&policy, &[("host", "localhost"), ("authorization", value)]);
        assert_eq!(with("Bearer s3cret"), Ok(()));
        assert_eq!(with("bearer s3cret"), Ok(()));
        for wrong in ["Bearer s3cre", "Bearer s3cret2", "Bearer ", "Basic s3cret", "s3cret"] {
            assert_eq!(with(wrong), Err(Refusal::Token), "{wrong}");
        }
        assert_eq!(admit(&policy, &[("host", "localhost")]), Err(Refusal::Token));
    }
}
