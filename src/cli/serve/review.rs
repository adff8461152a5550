//! Tokens of Kubernetes: who may ask this server.

use super::super::config::{Config, Problem};
use super::super::exit::Failure;
use super::super::kubernetes;
use kepler_connect::kubernetes::{Review, Reviewer};
use kepler_http::{AccessReview, Decision};
use std::borrow::Cow;

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
    let decide = move |token: &str, verb: &str, path: &str| decide(&reviewer, token, verb, &to_be_granted(path));
    Ok(Some(AccessReview::new(decide)))
}

/// What the API server says of a request.
fn decide(reviewer: &Reviewer, token: &str, verb: &str, path: &str) -> Decision {
    match reviewer.review(token, verb, path) {
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
    }
}

/// Paths that every account may `get` without being granted it: those of Kubernetes' own API, in the ClusterRole
/// `system:discovery` of every cluster.
const OPEN_TO_ALL: [&str; 4] = ["/api", "/apis", "/openapi", "/version"];

/// The non-resource URL that stands for a path of ours: `/metrics` for itself, `/kepler/api/v1/node` for `/api/v1/node`, which
/// would be open to every pod.
fn to_be_granted(path: &str) -> Cow<'_, str> {
    let below = |open: &str| path.strip_prefix(open).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    if OPEN_TO_ALL.into_iter().any(below) { format!("/kepler{path}").into() } else { path.into() }
}

#[cfg(test)]
mod tests {
    use super::to_be_granted;

    #[test]
    fn what_kubernetes_opens_to_every_account_is_asked_for_by_another_name() {
        for (path, granted) in [
            ("/metrics", "/metrics"),
            ("/tools/get_energy", "/tools/get_energy"),
            ("/api/v1/node", "/kepler/api/v1/node"),
            ("/api", "/kepler/api"),
            ("/version", "/kepler/version"),
            ("/apisomething", "/apisomething"),
            ("/openapi.json", "/openapi.json"),
        ] {
            assert_eq!(to_be_granted(path), granted);
        }
    }
}
