//! `POST /train`: a pipeline of models from what Prometheus recorded of an exporter.

mod pipeline;
mod prometheus;
mod request;
mod rows;

use crate::package;
use crate::store::{InstallError, Store};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, FromRequest, Request, State};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderName, HeaderValue, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use kepler_core::printable;
use request::TrainRequest;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tower_http::limit::RequestBodyLimitLayer;

/// The largest training request that is read, 32 MiB: some 1.5 million samples. Memory stays below about ten times that.
pub const MAX_TRAIN_BYTES: usize = 32 << 20;
/// In this time a training request must have come, one minute.
pub const TRAIN_BODY_TIMEOUT: Duration = Duration::from_mins(1);
/// When a caller that comes at the wrong time may come again, in seconds.
const AGAIN: HeaderValue = HeaderValue::from_static("30");
const MODELS: HeaderName = HeaderName::from_static("x-kepler-models");
const ROWS: HeaderName = HeaderName::from_static("x-kepler-rows");
const LEFT_OUT: HeaderName = HeaderName::from_static("x-kepler-left-out");
/// What a header tells of models that were left out; all of it is in the pipeline's `metadata.json`.
const MOST_LEFT_OUT: usize = 1000;

/// The route `/train`, to serve on an address of its own as the reference does (port 8102), or beside [`router`](crate::router).
///
/// Trains one pipeline at a time; a request that comes meanwhile is answered with 429. The models are put into the store's
/// directory and are served from then on; the answer is a zip of the pipeline. Needs a Tokio runtime with time, and a
/// server that limits connections and the bytes of all bodies.
pub fn train_router(store: Arc<Store>) -> Router {
    Router::new()
        .route("/train", post(train))
        .route("/livez", get(|| async { "ok\n" }))
        .fallback(|uri: Uri| async move {
            let text = format!("nothing at {}; there is POST /train", uri.path());
            (StatusCode::NOT_FOUND, printable::bounded(text) + "\n")
        })
        .with_state(Trainer { store, turn: Arc::new(Semaphore::new(1)) })
        .layer(DefaultBodyLimit::disable())
        .layer(RequestBodyLimitLayer::new(MAX_TRAIN_BYTES))
}

#[derive(Clone)]
struct Trainer {
    store: Arc<Store>,
    turn: Arc<Semaphore>,
}

/// Why there are no models.
enum Failure {
    /// The request asks for what cannot be done.
    Request(String),
    /// They cannot be kept.
    Store(InstallError),
}

async fn train(State(trainer): State<Trainer>, request: Request) -> Response {
    let body = match tokio::time::timeout(TRAIN_BODY_TIMEOUT, Bytes::from_request(request, &())).await {
        Ok(Ok(body)) => body,
        Ok(Err(rejection)) => return rejection.into_response(),
        Err(_) => {
            let text = format!("no complete request within {} s\n", TRAIN_BODY_TIMEOUT.as_secs());
            return (StatusCode::REQUEST_TIMEOUT, text).into_response();
        }
    };
    // Only now: a client that has not sent its request yet keeps no other from training.
    let Ok(turn) = trainer.turn.try_acquire_owned() else {
        let text = "another training is under way, one at a time; come again when it is done\n";
        return (StatusCode::TOO_MANY_REQUESTS, [(RETRY_AFTER, AGAIN)], text).into_response();
    };
    let store = trainer.store;
    let work = spawn_blocking(move || {
        // Given up when the work is done, not when the caller leaves.
        let _turn = turn;
        make(&store, &body)
    });
    match work.await {
        Ok(Ok(response)) => response,
        Ok(Err(Failure::Request(text))) => crate::routes::refuse(text),
        Ok(Err(Failure::Store(error @ InstallError::Foreign { .. }))) => crate::routes::refuse(error),
        Ok(Err(Failure::Store(error))) => {
            tracing::warn!(%error, "a trained pipeline cannot be kept");
            (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")).into_response()
        }
        Err(error) => {
            tracing::error!(%error, "a training ended before its time");
            (StatusCode::INTERNAL_SERVER_ERROR, "the training ended before its time; the log says why\n")
                .into_response()
        }
    }
}

fn make(store: &Store, body: &[u8]) -> Result<Response, Failure> {
    let request: TrainRequest = serde_json::from_slice(body)
        .map_err(|error| Failure::Request(format!("the training request is not understood: {error}")))?;
    let plan = request.plan().map_err(Failure::Request)?;
    store.may_install(&plan.name).map_err(Failure::Store)?;
    let trained = pipeline::train(&plan).map_err(Failure::Request)?;
    store.install(&plan.name, &trained.files).map_err(Failure::Store)?;
    tracing::info!(pipeline = plan.name, models = trained.models, rows = trained.rows, "trained");
    let zip = package::zip(&trained.files).map_err(|error| Failure::Request(format!("cannot pack it: {error}")))?;
    let mut response = zip.into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/zip"));
    let mut left_out = trained.left_out.join("; ");
    left_out.truncate(left_out.floor_char_boundary(MOST_LEFT_OUT));
    for (name, text) in [
        (CONTENT_DISPOSITION, format!("attachment; filename={}.zip", plan.name)),
        (MODELS, trained.models.to_string()),
        (ROWS, trained.rows.to_string()),
        (LEFT_OUT, left_out),
    ] {
        if let (Ok(value), false) = (HeaderValue::from_str(&text), text.is_empty()) {
            headers.insert(name, value);
        }
    }
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body;

    #[tokio::test]
    async fn one_training_at_a_time_and_other_work_goes_on() {
        let folder = tempfile::tempdir().unwrap();
        let store = Arc::new(Store::open_to_train(folder.path()).unwrap());
        let trainer = Trainer { store, turn: Arc::new(Semaphore::new(1)) };
        let turn = Arc::clone(&trainer.turn).try_acquire_owned().unwrap();
        let ask = || train(State(trainer.clone()), Request::new(Body::from("{}")));
        let refused = ask().await;
        assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(refused.headers()[RETRY_AFTER], AGAIN);
        drop(turn);
        assert_eq!(ask().await.status(), StatusCode::BAD_REQUEST, "its turn has come: the request itself is read");
    }
}
