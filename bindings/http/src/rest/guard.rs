//! What every request must pass, and how one that may not is answered.

use super::problem::{Kind, Problem};
use axum::extract::{Request, State};
use axum::http::header::WWW_AUTHENTICATE;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use kepler_guard::{Policy, Refusal};
use std::sync::Arc;

pub(super) async fn check(State(policy): State<Arc<Policy>>, request: Request, next: Next) -> Response {
    match policy.admit(request.uri(), request.headers()) {
        Ok(()) => next.run(request).await,
        Err(Refusal::Token) => {
            let problem = Problem::new(Kind::Unauthorized, Refusal::Token.to_string());
            ([(WWW_AUTHENTICATE, "Bearer realm=\"kepler\"")], problem).into_response()
        }
        Err(refusal) => {
            tracing::warn!(%refusal, "refused a request");
            Problem::new(Kind::Forbidden, refusal.to_string()).into_response()
        }
    }
}
