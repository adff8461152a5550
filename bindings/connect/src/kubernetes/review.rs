//! Whose token it is and what that may, as the API server says: `TokenReview` and `SubjectAccessReview`.
//!
//! It needs the right to `create` both, which the ClusterRole `system:auth-delegator` gives.

use super::access::Access;
use super::apiserver::Connection;
use super::failure::{Right, SourceFailure};
use super::source::Bounded;
use kepler_core::printable;
use serde::Deserialize;
use serde_json::json;
use std::collections::BTreeMap;
use std::io::BufReader;
use std::time::Duration;

/// A review takes no longer: a client waits for it.
const TIMEOUT: Duration = Duration::from_secs(5);
/// An answer repeats the token and lists groups; it is no longer than this.
const MAX_BYTES: u64 = 1 << 20;
/// As much of what the API server says is repeated.
const LONGEST: usize = 200;

/// Asks the API server about tokens that are for an audience.
#[derive(Clone, Debug)]
pub struct Reviewer {
    access: Access,
    audience: String,
}

/// What the API server says of a token and a request.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Review {
    /// It is known, and its holder may ask that.
    Allowed {
        /// The holder.
        user: String,
    },
    /// It is not known, has expired, or is for another audience.
    Unknown {
        /// What the API server says.
        reason: String,
    },
    /// It is known, and its holder may not ask that.
    Forbidden {
        /// The holder.
        user: String,
    },
}

impl Reviewer {
    /// For tokens that are for `audience`, such as `kepler.kepler-system.svc`.
    pub fn new(access: Access, audience: impl Into<String>) -> Self {
        Reviewer { access, audience: audience.into() }
    }

    /// Whether the holder of `token` may send a request: `verb` is its method in lower case, as in a rule of a role on
    /// `nonResourceURLs`. Makes two requests, each of five seconds at most.
    ///
    /// # Errors
    /// Why the API server does not say so, and what would help.
    pub fn review(&self, token: &str, verb: &str, path: &str) -> Result<Review, String> {
        let said = |failure: SourceFailure| {
            let unavailable = failure.unavailable("reviews");
            format!("{}; {}", unavailable.reason, unavailable.remedy)
        };
        let connection = Connection::open(&self.access).map_err(said)?;
        let user = match self.authenticate(&connection, token).map_err(said)? {
            Ok(user) => user,
            Err(reason) => return Ok(Review::Unknown { reason }),
        };
        let allowed = authorize(&connection, &user, verb, path).map_err(said)?;
        let user = short(&user.username);
        Ok(if allowed { Review::Allowed { user } } else { Review::Forbidden { user } })
    }

    /// The holder of a token, or why there is none.
    fn authenticate(&self, connection: &Connection, token: &str) -> Result<Result<User, String>, SourceFailure> {
        let body = json!({
            "apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview",
            "spec": { "token": token, "audiences": [self.audience] },
        });
        let right = Right { api_group: "authentication.k8s.io", resource: "tokenreviews", verbs: &["create"] };
        let status: TokenStatus = create(connection, "authentication.k8s.io", "tokenreviews", &body, &right)?;
        // A server that knows no audiences takes any token; then it names none.
        let is_for_us = status.audiences.iter().flatten().any(|audience| *audience == self.audience);
        Ok(match (status.authenticated, is_for_us, status.user) {
            (true, true, Some(user)) if !user.username.is_empty() => Ok(user),
            (true, false, _) => Err(format!("the token is not for `{}`", self.audience)),
            _ => Err(short(status.error.as_deref().unwrap_or("the token is not known"))),
        })
    }
}

fn authorize(connection: &Connection, user: &User, verb: &str, path: &str) -> Result<bool, SourceFailure> {
    let body = json!({
        "apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview",
        "spec": {
            "nonResourceAttributes": { "path": path, "verb": verb },
            "user": user.username, "uid": user.uid, "groups": user.groups, "extra": user.extra,
        },
    });
    let right = Right { api_group: "authorization.k8s.io", resource: "subjectaccessreviews", verbs: &["create"] };
    let status: AccessStatus = create(connection, "authorization.k8s.io", "subjectaccessreviews", &body, &right)?;
    Ok(status.allowed && !status.denied)
}

/// Posts a review; its status.
fn create<T: for<'de> Deserialize<'de>>(
    connection: &Connection,
    group: &str,
    resource: &str,
    body: &serde_json::Value,
    right: &Right,
) -> Result<T, SourceFailure> {
    #[derive(Deserialize)]
    struct Answer<T> {
        status: T,
    }
    let (url, answer) = connection.post(&["apis", group, "v1", resource], body, TIMEOUT, right)?;
    let answer: Answer<T> = serde_json::from_reader(BufReader::new(Bounded::new(answer, MAX_BYTES)))
        .map_err(|error| SourceFailure::malformed(url.as_str(), error))?;
    Ok(answer.status)
}

fn short(text: &str) -> String {
    let text: String = text.chars().take(LONGEST).collect();
    printable::line(&text).into_owned()
}

#[derive(Deserialize)]
struct TokenStatus {
    #[serde(default)]
    authenticated: bool,
    #[serde(default)]
    user: Option<User>,
    #[serde(default)]
    audiences: Option<Vec<String>>,
    #[serde(default)]
    error: Option<String>,
}

#[derive(Default, Deserialize)]
struct User {
    #[serde(default)]
    username: String,
    #[serde(default)]
    uid: Option<String>,
    #[serde(default)]
    groups: Option<Vec<String>>,
    #[serde(default)]
    extra: Option<BTreeMap<String, Vec<String>>>,
}

#[derive(Deserialize)]
struct AccessStatus {
    #[serde(default)]
    allowed: bool,
    #[serde(default)]
    denied: bool,
}
