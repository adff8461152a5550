//! Tokens of Kubernetes: who may ask this server.

use super::super::config::{Config, Problem};
use super::super::exit::Failure;
use super::super::kubernetes;
use kepler_connect::kubernetes::{Review, Reviewer};
use kepler_http::{AccessReview, Decision};

/// Who decides about requests by their tokens, if that is wanted.
///
/// # Errors
/// When there is no API server to ask, or another token is configured too: starting without access control would be worse than not starting.
pub(super) fn options(config: &Config) -> Result<Option<AccessReview>, Failure> {
    let Some(audience) = &config.web.kubernetes_audience else { return Ok(None) };
    let refuse = |what: String| Failure::Config(vec![Problem(format!("--web.kubernetes-audience: {what}"))]);
    if config.web.token_file.is_some() {
        return Err(refuse("a request has one token: leave --web.token-file out".to_owned()));
    }
    #[cfg(feature = "mcp")]
    if config.mcp.token_file.is_some() {
        return Err(refuse("a request has one token: leave --mcp.token-file out".to_owned()));
    }
    let access = kubernetes::access(config).map_err(|error| refuse(error.to_string()))?;
    let reviewer = Reviewer::new(access, audience);
    let decide = move |token: &str, verb: &str, path: &str| match reviewer.review(token, verb, path) {
        Ok(Review::Allowed { .. }) => Decision::Allowed,
        Ok(Review::Unknown { reason }) => Decision::Unknown(reason),
        Ok(Review::Forbidden { user }) => Decision::Forbidden(format!(
            "`{user}` may not {verb} {path}: grant it a ClusterRole with nonResourceURLs: [\"{path}\"], verbs: [{verb}]"
        )),
        Ok(_) => Decision::Unavailable("an answer that is not known".to_owned()),
        Err(reason) => {
            tracing::warn!("the API server says nothing of a token: {reason}");
            // What it said may name more than a stranger should know.
            Decision::Unavailable("the API server does not say".to_owned())
        }
    };
    Ok(Some(AccessReview::new(decide)))
}
