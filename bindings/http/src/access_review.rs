//! Requests that Kubernetes decides about: whose token it is, and what its owner may do.

mod cache;

use crate::health;
use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use cache::{Asked, Cache};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;

/// What was decided about a request.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Decision {
    /// It may be answered.
    Allowed,
    /// The token is unknown, or not for this server; why.
    Unknown(String),
    /// Its holder may not ask that; why.
    Forbidden(String),
    /// It cannot be found out now; why.
    Unavailable(String),
}

type Decide = dyn Fn(&str, &str, &str) -> Decision + Send + Sync;

/// Decides about every request but probes, by its bearer token.
///
/// A decision holds for a minute, a refusal for ten seconds; up to 1,024 of them are kept, by a digest of the token. Four are
/// asked for at a time, off the threads that serve; a request that waits for its turn longer than five seconds is told to
/// come again.
#[derive(Clone)]
pub struct AccessReview(Arc<Shared>);

struct Shared {
    decide: Arc<Decide>,
    turns: Semaphore,
    cache: Mutex<Cache>,
}

/// Decisions asked for at a time.
const AT_ONCE: usize = 4;
/// How long a request waits for its turn.
const PATIENCE: Duration = Duration::from_secs(5);
/// No token of Kubernetes is longer: they have some 1,200 bytes.
const LONGEST_TOKEN: usize = 8192;

impl AccessReview {
    /// `decide` is given the token, the method in lower case and the path; it may take seconds.
    pub fn new(decide: impl Fn(&str, &str, &str) -> Decision + Send + Sync + 'static) -> Self {
        AccessReview(Arc::new(Shared {
            decide: Arc::new(decide),
            turns: Semaphore::new(AT_ONCE),
            cache: Mutex::default(),
        }))
    }

    /// Holds every route to it.
    pub(crate) fn protect(&self, router: Router) -> Router {
        router.layer(middleware::from_fn_with_state(self.clone(), check))
    }

    fn cache(&self) -> MutexGuard<'_, Cache> {
        // Whole after each step.
        self.0.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn decision(&self, token: &str, verb: &str, path: &str) -> Decision {
        let asked = Asked::new(token, verb, path);
        if let Some(known) = self.cache().get(&asked, Instant::now()) {
            return known;
        }
        let busy = || Decision::Unavailable("others are being decided about".to_owned());
        let Ok(Ok(_turn)) = tokio::time::timeout(PATIENCE, self.0.turns.acquire()).await else { return busy() };
        // Who waited for a turn may have waited for the same answer.
        if let Some(known) = self.cache().get(&asked, Instant::now()) {
            return known;
        }
        let (decide, token) = (Arc::clone(&self.0.decide), token.to_owned());
        let (verb, path) = (verb.to_owned(), path.to_owned());
        let decided = tokio::task::spawn_blocking(move || decide(&token, &verb, &path)).await;
        let decision = decided.unwrap_or_else(|_| Decision::Unavailable("asking ended by a fault".to_owned()));
        self.cache().note(asked, decision.clone(), Instant::now());
        decision
    }
}

impl fmt::Debug for AccessReview {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessReview").finish_non_exhaustive()
    }
}

async fn check(State(review): State<AccessReview>, request: Request, next: Next) -> Response {
    let path = request.uri().path();
    if health::PATHS.contains(&path) {
        return next.run(request).await;
    }
    let Some(token) = bearer(request.headers()) else {
        return unauthorized("give a token of Kubernetes: Authorization: Bearer …");
    };
    let verb = request.method().as_str().to_ascii_lowercase();
    match review.decision(token, &verb, path).await {
        Decision::Allowed => next.run(request).await,
        Decision::Unknown(reason) => unauthorized(&reason),
        Decision::Forbidden(reason) => (StatusCode::FORBIDDEN, format!("{reason}\n")).into_response(),
        Decision::Unavailable(reason) => {
            let text = format!("it cannot be found out now who asks: {reason}\n");
            (StatusCode::SERVICE_UNAVAILABLE, [(RETRY_AFTER, "5")], text).into_response()
        }
    }
}

fn unauthorized(reason: &str) -> Response {
    (StatusCode::UNAUTHORIZED, [(WWW_AUTHENTICATE, "Bearer realm=\"kepler\"")], format!("{reason}\n")).into_response()
}

/// The one bearer token of a request.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut given = headers.get_all(AUTHORIZATION).iter();
    let (Some(value), None) = (given.next(), given.next()) else { return None };
    let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
    let token = token.trim();
    let fits = !token.is_empty() && token.len() <= LONGEST_TOKEN;
    (scheme.eq_ignore_ascii_case("bearer") && fits).then_some(token)
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body;
    use axum::routing::any;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use tower_service::Service as _;

    fn reviewed(calls: &Arc<AtomicUsize>) -> Router {
        let calls = Arc::clone(calls);
        let review = AccessReview::new(move |token, verb, path| {
            calls.fetch_add(1, Ordering::SeqCst);
            match (token, verb, path) {
                ("down", ..) => Decision::Unavailable("the API server is down".into()),
                ("good", "get", "/metrics") => Decision::Allowed,
                ("good", ..) => Decision::Forbidden("you may not".into()),
                _ => Decision::Unknown("who are you".into()),
            }
        });
        review.protect(Router::new().fallback(any(|| async { "answer" })))
    }

    async fn status(router: &mut Router, path: &str, authorization: &[&str]) -> u16 {
        let mut request = Request::get(path);
        for value in authorization {
            request = request.header("authorization", *value);
        }
        router.call(request.body(Body::empty()).unwrap()).await.unwrap().status().as_u16()
    }

    #[tokio::test]
    async fn probes_are_open_and_all_else_needs_a_token_whose_holder_may_ask_that() {
        let calls = Arc::new(AtomicUsize::new(0));
        let mut router = reviewed(&calls);
        for probe in health::PATHS {
            assert_eq!(status(&mut router, probe, &[]).await, 200, "{probe}");
        }
        let long = format!("Bearer {}", "x".repeat(LONGEST_TOKEN + 1));
        let none: [&[&str]; 6] =
            [&[], &["Basic good"], &["good"], &["Bearer "], &["Bearer good", "Bearer good"], &[&long]];
        for none in none {
            assert_eq!(status(&mut router, "/metrics", none).await, 401, "{none:?}");
        }
        assert_eq!(calls.load(Ordering::SeqCst), 0, "no review is asked for about these");
        assert_eq!(status(&mut router, "/metrics", &["bearer good"]).await, 200);
        assert_eq!(status(&mut router, "/tools", &["Bearer good"]).await, 403);
        assert_eq!(status(&mut router, "/metrics", &["Bearer other"]).await, 401);
        assert_eq!(status(&mut router, "/metrics", &["Bearer down"]).await, 503);
    }

    #[tokio::test]
    async fn a_decision_is_asked_for_once_but_one_that_could_not_be_made_again() {
        let calls = Arc::new(AtomicUsize::new(0));
        let mut router = reviewed(&calls);
        for _ in 0..3 {
            assert_eq!(status(&mut router, "/metrics", &["Bearer good"]).await, 200);
            assert_eq!(status(&mut router, "/metrics", &["Bearer bad"]).await, 401);
        }
        assert_eq!(calls.load(Ordering::SeqCst), 2);
        for _ in 0..3 {
            assert_eq!(status(&mut router, "/metrics", &["Bearer down"]).await, 503);
        }
        assert_eq!(calls.load(Ordering::SeqCst), 5);
    }
}
