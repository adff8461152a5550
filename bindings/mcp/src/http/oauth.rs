//! OAuth 2.1: this server as a protected resource.
//!
//! Clients learn from its metadata (RFC 9728) which authorization server to ask, and send what that gives them as a bearer
//! token. Taken are JSON Web Tokens that an issuer signed by RS256 or ES256, for this server as their audience, and that have
//! not expired (RFC 9068). What a token permits is told by its scopes: `read`, and `tune` for the tools of that set.

mod access;
mod keys;
mod scopes;
mod signature;
mod token;

pub(super) use access::protect;
pub(crate) use scopes::Scopes;

use axum::http::Uri;
use keys::Keys;
use std::sync::Arc;

/// Whose tokens are taken.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct OAuthOptions {
    /// The authorization server, as `iss` in its tokens names it: an `https` address, or a loopback one.
    pub issuer: String,
    /// The address of `/mcp` as clients have it, such as `https://energy.example/mcp`.
    pub resource: String,
    /// What tokens must be meant for (`aud`); without one `resource`.
    pub audience: Option<String>,
    /// Where the issuer's keys are; without it where its metadata says.
    pub jwks: Option<String>,
}

/// Why tokens cannot be checked so.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OAuthError {
    /// An address that cannot be one of these.
    #[error("{what}: `{given}` {reason}")]
    Address {
        /// Whose address: `issuer`, `resource` or `jwks`.
        what: &'static str,
        /// What is stated.
        given: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The client that is to ask for keys cannot be made.
    #[error("the issuer's keys cannot be asked for: {reason}")]
    Client {
        /// Why.
        reason: String,
    },
}

impl OAuthOptions {
    /// Takes tokens of `issuer` for `resource`.
    pub fn new(issuer: impl Into<String>, resource: impl Into<String>) -> Self {
        OAuthOptions { issuer: issuer.into(), resource: resource.into(), audience: None, jwks: None }
    }
}

/// The check of tokens; clones share the issuer's keys.
#[derive(Clone, Debug)]
pub struct OAuth(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    options: OAuthOptions,
    /// The address of the metadata, for clients that come without a token.
    metadata: String,
    /// The paths at which it is served.
    paths: [String; 2],
    keys: Keys,
}

/// Where metadata of a protected resource are, before the path of the resource.
const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource";

impl OAuth {
    /// Checks tokens so. The issuer is asked once the first token comes.
    ///
    /// # Errors
    /// An address cannot be used.
    pub fn new(options: OAuthOptions) -> Result<Self, OAuthError> {
        signature::install();
        secure("issuer", &options.issuer)?;
        options.jwks.as_deref().map_or(Ok(()), |jwks| secure("jwks", jwks).map(drop))?;
        let resource = secure("resource", &options.resource)?;
        let wrong = |reason| OAuthError::Address { what: "resource", given: options.resource.clone(), reason };
        let authority = resource.authority().ok_or_else(|| wrong("names no server"))?;
        let scheme = resource.scheme_str().unwrap_or("https");
        let path = resource.path().trim_end_matches('/');
        let metadata = format!("{scheme}://{authority}{WELL_KNOWN}{path}");
        let paths = [WELL_KNOWN.to_owned(), format!("{WELL_KNOWN}{path}")];
        let keys = Keys::new(&options).map_err(|reason| OAuthError::Client { reason })?;
        Ok(OAuth(Arc::new(Shared { metadata, paths, keys, options })))
    }

    fn audience(&self) -> &str {
        self.0.options.audience.as_deref().unwrap_or(&self.0.options.resource)
    }
}

/// An address of which what comes cannot be changed on the way.
fn secure(what: &'static str, given: &str) -> Result<Uri, OAuthError> {
    let wrong = |reason| OAuthError::Address { what, given: given.to_owned(), reason };
    let uri: Uri = given.parse().map_err(|_| wrong("is not an address"))?;
    if given.contains(['#', '?']) || uri.authority().is_none_or(|authority| authority.as_str().contains('@')) {
        return Err(wrong("is not an address without user, query and fragment"));
    }
    match uri.scheme_str() {
        Some("https") => Ok(uri),
        Some("http") if uri.host().is_some_and(is_loopback) => Ok(uri),
        _ => Err(wrong("must begin with https:// (http:// of loopback addresses only)")),
    }
}

fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || address.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_that_others_could_change_are_refused_by_name() {
        let with = |issuer: &str, resource: &str| {
            OAuth::new(OAuthOptions::new(issuer, resource)).map(|oauth| oauth.0.metadata.clone())
        };
        let resource = "https://energy.example/mcp";
        assert_eq!(
            with("https://login.example/realms/a", resource).unwrap(),
            "https://energy.example/.well-known/oauth-protected-resource/mcp"
        );
        assert!(with("http://127.0.0.1:9000", "http://localhost:28282/mcp").is_ok());
        for issuer in
            ["http://login.example", "login", "https://u:p@login.example", "https://login.example?x=1", "ftp://a"]
        {
            let error = with(issuer, resource).unwrap_err().to_string();
            assert!(error.starts_with("issuer: ") && error.contains(issuer), "{error}");
        }
        assert!(
            with("https://login.example", "http://energy.example/mcp")
                .unwrap_err()
                .to_string()
                .starts_with("resource: ")
        );
    }
}
