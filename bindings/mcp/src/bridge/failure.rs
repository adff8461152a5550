//! Reasons why a message has no answer.

use reqwest::StatusCode;

/// Why a message did not get its answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// The server cannot be reached, or the connection broke.
    #[error("the server cannot be reached: {0}")]
    Lost(String),
    /// It answered with an HTTP error, whose text may be long.
    #[error("the server answered {status}{}", if body.is_empty() { String::new() } else { format!(": {}", kepler_guard::shortened(body)) })]
    Status { status: StatusCode, body: String },
}

impl From<reqwest::Error> for Failure {
    fn from(error: reqwest::Error) -> Self {
        // The cause says more than reqwest does: "Connection refused".
        let mut cause: &dyn std::error::Error = &error;
        while let Some(source) = cause.source() {
            cause = source;
        }
        let url = error.url().map(|url| format!("{url}: ")).unwrap_or_default();
        Failure::Lost(format!("{url}{cause}"))
    }
}
