//! Errors of HTTP requests.

use super::shown;
use reqwest::Url;
use std::error::Error;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;

/// A request that brought nothing. Messages name the address without user, password and query.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HttpError {
    /// The address is none.
    #[error("the address cannot be used: {reason}; give http://HOST[:PORT][/PATH] or https://…")]
    Address {
        /// What is wrong with it.
        reason: String,
    },
    /// A token or password that no header can carry.
    #[error("the {what} holds a character that no HTTP header can carry; look for line breaks in the file or variable")]
    Secret {
        /// Which.
        what: &'static str,
    },
    /// The file of a token cannot be read.
    #[error("the token in {} cannot be read: {reason}", path.display())]
    TokenFile {
        /// The file.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// The certificates to trust cannot be read.
    #[error("the CA bundle {} cannot be used: {reason}; give a PEM file with at least one certificate", path.display())]
    CaBundle {
        /// The file.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// The system has no certificates to trust.
    #[error("no certificate authorities found on this system: {reason}; install ca-certificates or give a CA bundle")]
    NoTrust {
        /// What the system said.
        reason: String,
    },
    /// The client cannot be made.
    #[error("the HTTP client cannot be made: {reason}")]
    Client {
        /// Why not.
        reason: String,
    },
    /// No connection.
    #[error("{url} cannot be reached: {reason}; check the address, that the server runs, and firewalls between")]
    Unreachable {
        /// The address.
        url: String,
        /// What the system said.
        reason: String,
    },
    /// Too slow.
    #[error("{url} has not answered completely within {} s; try again, or allow more time", after.as_secs_f64())]
    TimedOut {
        /// The address.
        url: String,
        /// The time allowed.
        after: Duration,
    },
    /// An answer that says no.
    #[error("{url} answers with status {status}{}{}", redirect.as_ref().map(|to| format!(" (redirect to {to})")).unwrap_or_default(), remedy(*status))]
    Status {
        /// The address.
        url: String,
        /// The status, 300 to 599.
        status: u16,
        /// Where it points to instead.
        redirect: Option<String>,
        /// When to ask again, where it says so.
        retry_after: Option<Duration>,
        /// What came with it. Not part of the message: it may repeat what was sent.
        body: Vec<u8>,
    },
    /// The server asks for another proof of who asks than there is.
    #[cfg(feature = "external")]
    #[error(
        "{url} asks for {asked} authentication, not for a digest by SHA-256; say how it is to be asked, or look for newer firmware"
    )]
    Challenge {
        /// The address.
        url: String,
        /// What it asks for.
        asked: String,
    },
    /// The answer broke off or is no HTTP.
    #[error("the answer of {url} is broken: {reason}; try again, and look at proxies between")]
    Broken {
        /// The address.
        url: String,
        /// How.
        reason: String,
    },
    /// The answer is too long.
    #[error("the answer of {url} is longer than {limit} bytes; ask for less, or allow more")]
    TooLarge {
        /// The address.
        url: String,
        /// Bytes allowed.
        limit: u64,
    },
}

impl HttpError {
    pub(super) fn of(error: reqwest::Error, url: &Url, allowed: Duration) -> Self {
        let url = shown(url);
        if error.is_timeout() && !error.is_connect() {
            return HttpError::TimedOut { url, after: allowed };
        }
        let (connecting, reason) = (error.is_connect(), chain(&error.without_url()));
        if connecting { HttpError::Unreachable { url, reason } } else { HttpError::Broken { url, reason } }
    }

    /// The kind of fault, a fixed word.
    #[cfg(any(feature = "external", feature = "kepler"))]
    pub(crate) fn fault(&self) -> &'static str {
        match self {
            HttpError::TimedOut { .. } => "timeout",
            HttpError::Unreachable { .. } => "unreachable",
            HttpError::Status { status: 401 | 403, .. } => "refused",
            #[cfg(feature = "external")]
            HttpError::Challenge { .. } => "refused",
            HttpError::Status { .. } => "status",
            HttpError::Broken { .. } => "broken",
            HttpError::TooLarge { .. } => "too_large",
            _ => "client",
        }
    }

    /// When the server wants to be asked again, where it says so.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            HttpError::Status { retry_after, .. } => *retry_after,
            _ => None,
        }
    }
}

/// Why a certificate is not trusted, as rustls 0.23 words it.
#[cfg(any(feature = "kubernetes", feature = "redfish"))]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mistrust {
    /// It is of another name than the one that was asked for.
    Name,
    /// It is not valid yet, or no longer.
    Date,
    /// It says that it is an authority, and is not one of those that are trusted.
    Authority,
    /// It is of a kind or signed in a way that is not read.
    Kind,
    /// No authority that is trusted has signed it.
    Issuer,
}

#[cfg(any(feature = "kubernetes", feature = "redfish"))]
impl Mistrust {
    /// What is wrong where a connection failed for its certificate, and the reason without what changes from one attempt to the next.
    pub(crate) fn of(reason: &str) -> Option<(Self, &str)> {
        let reason = reason.contains("certificate").then_some(reason)?;
        // rustls adds the time in seconds.
        let reason = reason.split(": verification time").next().unwrap_or(reason);
        let has = |words: &[&str]| words.iter().any(|word| reason.contains(word));
        let why = if has(&["not valid for name", "NotValidForName"]) {
            Mistrust::Name
        } else if has(&["certificate expired", "not valid yet", "Expired"]) {
            Mistrust::Date
        } else if has(&["CaUsedAsEndEntity"]) {
            Mistrust::Authority
        } else if has(&["Unsupported", "unsupported", "BadEncoding"]) {
            Mistrust::Kind
        } else {
            Mistrust::Issuer
        };
        Some((why, reason))
    }
}

/// What to do about a status.
fn remedy(status: u16) -> &'static str {
    match status {
        300..=399 => "; redirects are not followed: give the final address",
        401 => "; check the token or the user and password",
        403 => "; the account may not ask for this: check its rights or plan",
        404 => "; check the path of the address",
        429 => "; too many requests: it will be asked again later",
        500..=599 => "; the server has a fault: it will be asked again later",
        _ => "",
    }
}

/// An error with its causes, which is where the reason is.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        // Writing to a string cannot fail.
        let _ = write!(text, ": {inner}");
        cause = inner.source();
    }
    text
}
