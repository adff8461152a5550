//! Why a BMC gave no figure.

use crate::http::{HttpError, Mistrust};

/// What went wrong at a BMC. Messages hold no password and no token.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RedfishError {
    /// A request failed.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// User or password are wrong, or may not read.
    #[error("{url} refuses the account (status {status}): check user and password, and that it may log in and read")]
    Refused {
        /// The address.
        url: String,
        /// 401 or 403.
        status: u16,
    },
    /// Its certificate is not trusted.
    #[error(
        "the certificate of {url} is not trusted: {reason}; {}, or, in a network that you trust, allow any certificate \
         (`insecure: true`)",
        remedy(reason)
    )]
    Certificate {
        /// The address.
        url: String,
        /// Why not.
        reason: String,
    },
    /// An answer that is no Redfish.
    #[error("{url} does not answer as Redfish does: {what}")]
    Malformed {
        /// The address.
        url: String,
        /// What is wrong.
        what: String,
    },
    /// A link that leads to another server, where the account has no business.
    #[error("{url} links to another server, which is not followed")]
    Foreign {
        /// The address.
        url: String,
    },
    /// It has no chassis, or not the one that is configured.
    #[error("{url} has no chassis {wanted}; it has {found}")]
    NoChassis {
        /// The address.
        url: String,
        /// The one that is configured, in backticks; `at all` if none is.
        wanted: String,
        /// Those that there are.
        found: String,
    },
    /// No chassis shows its power.
    #[error("{url} shows no power of {chassis}: {why}")]
    NoPower {
        /// The address.
        url: String,
        /// Which.
        chassis: String,
        /// What was looked at, and what came of it.
        why: String,
    },
}

impl RedfishError {
    /// The kind of fault, a fixed word: the `reason` of what is counted.
    #[must_use]
    pub fn fault(&self) -> &'static str {
        match self {
            RedfishError::Http(error) => match error {
                HttpError::TimedOut { .. } => "timeout",
                HttpError::Unreachable { .. } => "unreachable",
                HttpError::Status { .. } => "status",
                HttpError::Broken { .. } => "broken",
                HttpError::TooLarge { .. } => "too_large",
                _ => "client",
            },
            RedfishError::Refused { .. } => "refused",
            RedfishError::Certificate { .. } => "certificate",
            RedfishError::Malformed { .. } => "malformed",
            RedfishError::Foreign { .. } => "foreign_link",
            RedfishError::NoChassis { .. } => "no_chassis",
            RedfishError::NoPower { .. } => "no_power",
        }
    }

    /// Whether it says something of the whole BMC, not of one of its resources.
    pub(super) fn is_of_all(&self) -> bool {
        match self {
            RedfishError::Http(error) => {
                !matches!(error, HttpError::Status { status: 400..=499, .. } | HttpError::TooLarge { .. })
            }
            RedfishError::Refused { .. } | RedfishError::Certificate { .. } | RedfishError::NoChassis { .. } => true,
            _ => false,
        }
    }
}

/// What to do about a certificate that is not trusted.
fn remedy(reason: &str) -> &'static str {
    match Mistrust::of(reason).map(|(why, _)| why) {
        Some(Mistrust::Name) => {
            "ask the BMC by a name or an address that its certificate holds as `subjectAltName` (a common name alone does \
             not count), or give it a certificate with this one"
        }
        Some(Mistrust::Date) => "set this machine's clock, or renew the certificate",
        Some(Mistrust::Authority) => {
            "it says that it is an authority (CA:TRUE), so it is taken only if `caFile` holds this very certificate"
        }
        Some(Mistrust::Kind) => "give the BMC a certificate of X.509 version 3 with a signature of today",
        Some(Mistrust::Issuer) | None => "give it, or that of the authority which signed it, as `caFile`",
    }
}
