//! What every request must pass, and how one that may not is answered.

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::WWW_AUTHENTICATE;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use kepler_guard::{Policy, Refusal};
use std::sync::Arc;

pub(super) async fn check(State(policy): State<Arc<Policy>>, request: Request, next: Next) -> Response {
    match policy.admit(request.uri(), request.headers()) {
        Ok(()) => next.run(request).await,
        Err(Refusal::Token) => {
            let headers = [(WWW_AUTHENTICATE, "Bearer realm=\"kepler\"")];
            (StatusCode::UNAUTHORIZED, headers, format!("{}\n", Refusal::Token)).into_response()
        }
        Err(refusal) => {
            tracing::warn!(%refusal, "refused an MCP request");
            (StatusCode::FORBIDDEN, format!("{refusal}\n")).into_response()
        }
    }
}
