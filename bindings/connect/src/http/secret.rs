//! Tokens and passwords, and how they are sent.

use super::HttpError;
use kepler_core::host::file::{self, FileLimits};
#[cfg(any(feature = "_url", feature = "redfish"))]
use reqwest::Url;
use reqwest::blocking::RequestBuilder;
use reqwest::header::{HeaderName, HeaderValue};
use std::fmt;
use std::path::PathBuf;

/// Tokens have some thousand bytes.
const MAX_TOKEN: u64 = 64 << 10;

/// A token or password. Its `Debug` shows nothing.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Keeps `text` without white space at its ends, which files and variables tend to add.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Secret(text.trim().into())
    }

    /// From an environment variable; none if it is not set, empty or not UTF-8.
    #[must_use]
    pub fn from_env(name: &str) -> Option<Self> {
        std::env::var(name).ok().map(|text| Secret::new(&text)).filter(|secret| !secret.0.is_empty())
    }

    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// How a client shows who it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Auth {
    /// Not at all.
    #[default]
    None,
    /// By user and password.
    Basic {
        /// The user.
        user: String,
        /// The password.
        password: Secret,
    },
    /// By user and password, of which a digest is sent where the server asks for it (RFC 7616). Known to
    /// [meters outside](crate::external) with a JSON answer alone: other clients show nothing.
    #[cfg(feature = "external")]
    Digest {
        /// The user.
        user: String,
        /// The password.
        password: Secret,
    },
    /// By a token: `Authorization: Bearer …`.
    Bearer(Secret),
    /// By a token in a file, which is read again for each request: Kubernetes replaces its tokens every hour.
    BearerFile(PathBuf),
    /// By a token in a header of the provider's own.
    Header {
        /// The header's name, lower case.
        name: &'static str,
        /// The token.
        token: Secret,
    },
}

impl Auth {
    /// `url` without its own user and password where another `Authorization` is sent: of two, servers
    /// take one or none.
    #[cfg(any(feature = "_url", feature = "redfish"))]
    pub(super) fn instead_of_user(&self, url: &Url) -> Url {
        let mut url = url.clone();
        if matches!(self, Auth::Basic { .. } | Auth::Bearer(_) | Auth::BearerFile(_)) {
            // These fail only for URLs that cannot have a user.
            let _ = url.set_username("");
            let _ = url.set_password(None);
        }
        url
    }

    pub(super) fn apply(&self, request: RequestBuilder) -> Result<RequestBuilder, HttpError> {
        Ok(match self {
            Auth::None => request,
            #[cfg(feature = "external")]
            Auth::Digest { .. } => request,
            Auth::Basic { user, password } => request.basic_auth(user, Some(password.expose())),
            Auth::Bearer(token) => request.header("authorization", value(&format!("Bearer {}", token.expose()))?),
            Auth::BearerFile(path) => {
                let text = file::read_text(path, FileLimits::bytes(MAX_TOKEN));
                let text = text
                    .map_err(|error| HttpError::TokenFile { path: path.clone(), reason: error.reason().to_string() })?;
                request.header("authorization", value(&format!("Bearer {}", text.trim()))?)
            }
            Auth::Header { name, token } => request.header(HeaderName::from_static(name), value(token.expose())?),
        })
    }
}

fn value(text: &str) -> Result<HeaderValue, HttpError> {
    let mut value = HeaderValue::from_str(text).map_err(|_| HttpError::Secret { what: "token" })?;
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_does_not_show_itself() {
        let auth = Auth::Basic { user: "ada".into(), password: Secret::new("hunter2\n") };
        assert!(!format!("{auth:?}").contains("hunter2"));
        assert_eq!(Secret::new(" hunter2\n").expose(), "hunter2");
    }

    #[test]
    fn a_token_with_a_line_break_is_refused_without_being_shown() {
        let error = value("abc\ndef").unwrap_err().to_string();
        assert!(error.contains("line breaks") && !error.contains("abc"), "{error}");
    }
}
