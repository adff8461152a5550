//! The check of a request's target and headers.

use crate::Token;
use crate::log::shortened;
use http::header::{AUTHORIZATION, HOST, ORIGIN};
use http::uri::Authority;
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Uri, Version};
use std::net::IpAddr;

/// Who may ask.
#[derive(Clone, Debug)]
pub struct Policy {
    /// None: any.
    hosts: Option<Vec<String>>,
    origins: Vec<String>,
    token: Option<Token>,
    names: SettingNames,
}

/// What the settings are called where the server is configured, for messages that say what to change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SettingNames {
    /// Where names of this server are added; default `the allowed hosts`.
    pub hosts: &'static str,
    /// Where web pages that may ask are added; default `the allowed origins`.
    pub origins: &'static str,
}

impl SettingNames {
    /// Names of the settings for host names and for origins.
    #[must_use]
    pub const fn new(hosts: &'static str, origins: &'static str) -> Self {
        SettingNames { hosts, origins }
    }
}

impl Default for SettingNames {
    fn default() -> Self {
        SettingNames { hosts: "the allowed hosts", origins: "the allowed origins" }
    }
}

/// Why a request may not pass. Values from outside are shortened to 100 characters.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Rejection {
    /// It names no server, several, or one in a way that only a proxy takes (RFC 9112, 3.2).
    #[error("{0}")]
    Malformed(&'static str),
    /// It came by this `Host`, which is not ours.
    #[error("Host {:?} is not allowed; if clients reach this server by that name, add it to {}", .0.value, .0.setting)]
    Host(Rejected),
    /// It comes from a page of this `Origin`.
    #[error("Origin {:?} is not allowed; if that web page may ask, add it to {}", .0.value, .0.setting)]
    Origin(Rejected),
    /// It has not the token.
    #[error("send `Authorization: Bearer` and the token")]
    Token,
}

/// A value that is not among the allowed ones.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rejected {
    /// What came, shortened.
    pub value: String,
    /// The setting that allows others.
    pub setting: &'static str,
}

impl Rejection {
    /// The HTTP status that says so: 400, 401 or 403.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        match self {
            Rejection::Malformed(_) => StatusCode::BAD_REQUEST,
            Rejection::Token => StatusCode::UNAUTHORIZED,
            Rejection::Host(_) | Rejection::Origin(_) => StatusCode::FORBIDDEN,
        }
    }
}

impl Policy {
    /// Names in `hosts`, with or without a port, may be asked for beside `localhost` and IP addresses (which
    /// cannot be rebound); pages of `origins` (`scheme://host[:port]`) may ask beside those of the server
    /// itself. With a `token`, a request without it is rejected.
    #[must_use]
    pub fn new(hosts: &[String], origins: &[String], token: Option<Token>) -> Self {
        let lower = |names: &[String]| names.iter().map(|name| name.trim().to_ascii_lowercase()).collect();
        Policy { hosts: Some(lower(hosts)), origins: lower(origins), token, names: SettingNames::default() }
    }

    /// Any well-formed `Host`, and no other check: for servers that are reached by names they do not know.
    #[must_use]
    pub fn any_host() -> Self {
        Policy { hosts: None, origins: Vec::new(), token: None, names: SettingNames::default() }
    }

    /// The check of `Host` alone: pages and tokens are checked elsewhere.
    #[must_use]
    pub fn hosts(hosts: &[String]) -> Self {
        Policy { origins: vec![ANY.to_owned()], ..Policy::new(hosts, &[], None) }
    }

    /// What the settings are called, for messages.
    #[must_use]
    pub fn naming(self, names: SettingNames) -> Self {
        Policy { names, ..self }
    }

    /// Whether a request with this target and these headers may pass.
    ///
    /// # Errors
    /// What it is rejected for.
    pub fn admit<B>(&self, request: &Request<B>) -> Result<(), Rejection> {
        let headers = request.headers();
        let named = match authority(request.version(), request.uri(), headers) {
            Err(Rejection::Malformed(NO_HOST)) if may_be_unnamed(request) => None,
            named => Some(named?),
        };
        let Some(hosts) = &self.hosts else { return Ok(()) };
        let host = named.as_ref().map(|named| named.as_str().to_ascii_lowercase()).unwrap_or_default();
        let name = named.as_ref().map(|named| named.host().to_ascii_lowercase());
        let is_ours = |name: &String| {
            let listed = || hosts.iter().any(|allowed| *allowed == host || allowed == name);
            is_address(name) || name == "localhost" || listed()
        };
        if !name.as_ref().is_none_or(is_ours) {
            return Err(Rejection::Host(Rejected { value: shortened(&host), setting: self.names.hosts }));
        }
        self.admit_origins(headers, &host)?;
        let Some(token) = &self.token else { return Ok(()) };
        let given = headers.get(AUTHORIZATION).map(HeaderValue::as_bytes).and_then(bearer);
        // In constant time, so that the time of the answer tells nothing about the token.
        match given {
            Some(given) if token.is(given) => Ok(()),
            _ => Err(Rejection::Token),
        }
    }

    fn admit_origins(&self, headers: &HeaderMap, host: &str) -> Result<(), Rejection> {
        if self.origins.iter().any(|origin| origin == ANY) {
            return Ok(());
        }
        for origin in headers.get_all(ORIGIN) {
            let origin = String::from_utf8_lossy(origin.as_bytes()).to_ascii_lowercase();
            // A page of this server itself, whose name has just been found right.
            let is_own = |scheme: &&str| origin.strip_prefix(*scheme) == Some(host);
            let own = !host.is_empty() && ["http://", "https://"].iter().any(is_own);
            if !own && !self.origins.contains(&origin) {
                return Err(Rejection::Origin(Rejected { value: shortened(&origin), setting: self.names.origins }));
            }
        }
        Ok(())
    }
}

/// Stands for every origin, within this crate: users cannot give it, since it is no origin.
const ANY: &str = "any origin";

const NO_HOST: &str = "the request has no Host header";

/// Whether a request need not name a server: health checks of load balancers speak HTTP/1.0, which has no `Host`. No browser
/// does, so that no page whose name was pointed here can ask so; and what changes something is not for health checks.
fn may_be_unnamed<B>(request: &Request<B>) -> bool {
    request.version() < Version::HTTP_11 && matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS)
}

/// The server that a request names: by one well-formed `Host`, or in HTTP/2 and later by its target.
///
/// A target with scheme and host is for proxies; a server that took it would have to decide which of the two counts.
fn authority(version: Version, uri: &Uri, headers: &HeaderMap) -> Result<Authority, Rejection> {
    let mut hosts = headers.get_all(HOST).iter();
    let host = match (hosts.next(), hosts.next()) {
        (Some(_), Some(_)) => return Err(Rejection::Malformed("the request has several Host headers")),
        (host, _) => host.map(HeaderValue::as_bytes),
    };
    let target = uri.authority().map(|authority| authority.as_str().as_bytes());
    let named = if version >= Version::HTTP_2 {
        match (target, host) {
            (Some(target), Some(host)) if !target.eq_ignore_ascii_case(host) => {
                return Err(Rejection::Malformed("the request's target and its Host header differ"));
            }
            (target, host) => target.or(host),
        }
    } else if target.is_some() {
        return Err(Rejection::Malformed(
            "the request's target names a scheme and host, as for a proxy; send the path",
        ));
    } else {
        host
    };
    let named = named.ok_or(Rejection::Malformed(NO_HOST))?;
    let malformed = Rejection::Malformed("the Host header is not a name or address with an optional port");
    // The parser of authorities takes `user@host`, which a Host header may not have (RFC 9110, 7.2), and names that no
    // server has, such as lists.
    let fits = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~:[]%".contains(byte);
    if !named.iter().all(fits) {
        return Err(malformed);
    }
    let parsed = Authority::try_from(named).map_err(|_| malformed.clone())?;
    let port = parsed.as_str().strip_prefix(parsed.host()).unwrap_or_default();
    let port_fits =
        port.is_empty() || port == ":" || port.strip_prefix(':').is_some_and(|port| port.parse::<u16>().is_ok());
    if parsed.host().is_empty() || !port_fits { Err(malformed) } else { Ok(parsed) }
}

fn is_address(name: &str) -> bool {
    let address = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    address.parse::<IpAddr>().is_ok()
}

/// What follows `Bearer `, in whichever case that is written (RFC 9110 11.1).
fn bearer(value: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = value.split_at_checked("Bearer ".len())?;
    scheme.eq_ignore_ascii_case(b"Bearer ").then(|| token.trim_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admit(policy: &Policy, headers: &[(&'static str, &str)]) -> Result<(), Rejection> {
        ask(policy, "/tools", headers)
    }

    fn ask(policy: &Policy, target: &str, headers: &[(&'static str, &str)]) -> Result<(), Rejection> {
        let mut request = Request::get(target);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        policy.admit(&request.body(()).unwrap())
    }

    #[test]
    fn addresses_and_names_that_are_allowed_reach_the_server() {
        let policy = Policy::new(&["Node-1".into(), "b:8080".into()], &[], None);
        for host in
            ["localhost", "LOCALHOST:28282", "node-1:28282", "b:8080", "10.0.0.7:28282", "[::1]:80", "127.0.0.1"]
        {
            assert_eq!(admit(&policy, &[("host", host)]), Ok(()), "{host}");
        }
        for host in ["evil.example", "localhost.evil.example", "b", "b:80", "1.2.3.4.evil"] {
            assert!(matches!(admit(&policy, &[("host", host)]), Err(Rejection::Host(_))), "{host}");
        }
    }

    #[test]
    fn a_request_names_one_server_in_one_way() {
        for policy in [Policy::new(&[], &[], None), Policy::any_host(), Policy::hosts(&[])] {
            for host in [
                "",
                "a b",
                "evil@localhost",
                "evil:pw@127.0.0.1:80",
                "localhost:99999",
                "localhost:80:80",
                "localhost/x",
                "localhost,localhost",
                "http://localhost",
            ] {
                let rejection = admit(&policy, &[("host", host)]).unwrap_err();
                assert!(matches!(rejection, Rejection::Malformed(_)), "{host}: {rejection}");
                assert_eq!(rejection.status(), 400);
            }
            assert!(matches!(admit(&policy, &[]), Err(Rejection::Malformed(_))), "no name at all");
            let twice = [("host", "localhost"), ("host", "localhost")];
            assert!(matches!(admit(&policy, &twice), Err(Rejection::Malformed(_))), "twice the same");
            for target in ["http://localhost/tools", "http://evil.example/tools", "http://a@localhost/"] {
                let rejection = ask(&policy, target, &[("host", "localhost")]);
                assert!(matches!(rejection, Err(Rejection::Malformed(_))), "{target}");
            }
        }
    }

    #[test]
    fn health_checks_in_http_1_0_name_no_server_and_what_they_name_is_checked_all_the_same() {
        let token = Token::new("s3cret");
        let ask = |policy: &Policy, method: Method, version: Version, headers: &[(&'static str, &str)]| {
            let mut request = Request::builder().method(method).uri("/livez").version(version);
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            policy.admit(&request.body(()).unwrap())
        };
        for policy in [Policy::new(&[], &[], None), Policy::any_host(), Policy::hosts(&[])] {
            for method in [Method::GET, Method::HEAD, Method::OPTIONS] {
                assert_eq!(ask(&policy, method.clone(), Version::HTTP_10, &[]), Ok(()), "{method}");
                let newer = ask(&policy, method, Version::HTTP_11, &[]);
                assert!(matches!(newer, Err(Rejection::Malformed(_))), "RFC 9112, 3.2");
            }
            let posted = ask(&policy, Method::POST, Version::HTTP_10, &[]);
            assert!(matches!(posted, Err(Rejection::Malformed(_))), "it changes something");
        }
        let policy = Policy::new(&[], &[], token);
        let get = |headers: &[(&'static str, &str)]| ask(&policy, Method::GET, Version::HTTP_10, headers);
        assert_eq!(get(&[]), Err(Rejection::Token));
        assert_eq!(get(&[("authorization", "Bearer s3cret")]), Ok(()));
        assert!(matches!(get(&[("host", "evil.example")]), Err(Rejection::Host(_))));
        assert!(matches!(get(&[("host", "a@localhost")]), Err(Rejection::Malformed(_))));
        assert!(matches!(get(&[("origin", "http://evil.example")]), Err(Rejection::Origin(_))));
        assert!(matches!(get(&[("origin", "http://")]), Err(Rejection::Origin(_))), "no page has no name");
    }

    #[test]
    fn in_http_2_the_target_names_the_server_and_host_may_not_differ() {
        let policy = Policy::new(&[], &[], None);
        let with = |target: &str, host: Option<&str>| {
            let mut request = Request::get(target).version(Version::HTTP_2);
            if let Some(host) = host {
                request = request.header("host", host);
            }
            policy.admit(&request.body(()).unwrap())
        };
        assert_eq!(with("https://localhost/x", None), Ok(()));
        assert_eq!(with("https://localhost/x", Some("LOCALHOST")), Ok(()));
        assert!(matches!(with("https://localhost/x", Some("other")), Err(Rejection::Malformed(_))));
        assert!(matches!(with("https://evil.example/x", None), Err(Rejection::Host(_))));
    }

    #[test]
    fn any_name_reaches_a_server_that_does_not_know_its_names_and_pages_are_not_its_matter() {
        assert_eq!(admit(&Policy::any_host(), &[("host", "whatever.example")]), Ok(()));
        let hosts_only = Policy::hosts(&[]);
        assert_eq!(admit(&hosts_only, &[("host", "localhost"), ("origin", "https://evil.example")]), Ok(()));
        assert!(matches!(admit(&hosts_only, &[("host", "evil.example")]), Err(Rejection::Host(_))));
    }

    #[test]
    fn a_rejection_says_what_to_change_and_shows_no_more_than_it_must() {
        let names = SettingNames { hosts: "--web.allowed-host", origins: "--web.allowed-origin" };
        let policy = Policy::new(&[], &[], None).naming(names);
        let long = format!("{}.example", "x".repeat(60_000));
        let text = admit(&policy, &[("host", &long)]).unwrap_err().to_string();
        assert!(text.contains("--web.allowed-host") && text.len() < 300, "{text}");
        let text = admit(&policy, &[("host", "localhost"), ("origin", &long)]).unwrap_err().to_string();
        assert!(text.contains("--web.allowed-origin") && text.len() < 300, "{text}");
    }

    #[test]
    fn only_pages_that_are_allowed_may_ask() {
        let policy = Policy::new(&[], &["https://Ops.example".into()], None);
        let from = |origin: &str| admit(&policy, &[("host", "localhost:28282"), ("origin", origin)]);
        assert_eq!(from("https://ops.example"), Ok(()));
        assert_eq!(from("http://localhost:28282"), Ok(()), "its own page");
        for origin in ["https://evil.example", "null", "http://localhost:3000", "https://ops.example:444", ""] {
            assert!(matches!(from(origin), Err(Rejection::Origin(_))), "{origin}");
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
            assert_eq!(with(wrong), Err(Rejection::Token), "{wrong}");
        }
        assert_eq!(admit(&policy, &[("host", "localhost")]), Err(Rejection::Token));
    }
}
