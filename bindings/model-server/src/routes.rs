//! The HTTP routes.

use crate::choice::{Choice, Kind, Wanted};
use crate::estimate::estimate;
use crate::filter::Filter;
use crate::request::{self, ModelRequest, PowerRequest};
use crate::store::Store;
use crate::{MAX_REQUEST_BYTES, package};
use axum::Router;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, Query, State};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::http::{HeaderName, HeaderValue, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use kepler_core::model::{FeatureGroup, OutputType};
use kepler_core::printable;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tower_http::limit::RequestBodyLimitLayer;

/// Estimates that are worked out at a time.
static ESTIMATES: Semaphore = Semaphore::const_new(2);

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const MODEL: HeaderName = HeaderName::from_static("x-kepler-model");
const DISTANCE: HeaderName = HeaderName::from_static("x-kepler-machine-distance");
const DIFFERENCE: HeaderName = HeaderName::from_static("x-kepler-machine-difference");

/// The routes `/model`, `/best-models`, `/predict` and `/livez`, to serve alone or beside others. Needs a Tokio runtime,
/// and a server that limits connections, the time of a body and the bytes of all bodies.
pub fn router(store: Arc<Store>) -> Router {
    Router::new()
        .route("/model", post(model))
        .route("/best-models", get(best_models))
        .route("/predict", post(predict))
        .route("/livez", get(|| async { "ok\n" }))
        .fallback(|uri: Uri| async move {
            let text = format!("nothing at {}; there are POST /model, GET /best-models and POST /predict", uri.path());
            (StatusCode::NOT_FOUND, printable::bounded(text) + "\n")
        })
        .with_state(store)
        // Its own limit is 2 MB.
        .layer(DefaultBodyLimit::disable())
        .layer(RequestBodyLimitLayer::new(MAX_REQUEST_BYTES))
}

/// A rejection: 400 and a text, as of the reference.
pub(crate) fn refuse(reason: impl std::fmt::Display) -> Response {
    (StatusCode::BAD_REQUEST, format!("{reason}\n")).into_response()
}

/// A body that is JSON, whatever its declared type: exporters differ in what they declare.
pub(crate) fn parse<T: DeserializeOwned>(body: Result<Bytes, BytesRejection>) -> Result<T, Box<Response>> {
    let body = body.map_err(|rejection| Box::new(rejection.into_response()))?;
    serde_json::from_slice(&body)
        .map_err(|error| Box::new(refuse(format_args!("the request is not understood: {error}"))))
}

async fn model(State(store): State<Arc<Store>>, body: Result<Bytes, BytesRejection>) -> Response {
    let request: ModelRequest = match parse(body) {
        Ok(request) => request,
        Err(response) => return *response,
    };
    let (wanted, described) = match request.wanted() {
        Ok(wanted) => wanted,
        Err(reason) => return refuse(reason),
    };
    let choice = match store.choose(&wanted) {
        Ok(choice) => choice,
        Err(reason) => return refuse(reason),
    };
    let is_weights = matches!(wanted.kind, Kind::Weights { .. });
    let content = if is_weights { package::weights(&choice, described) } else { package::archive(&choice) };
    let content = match content {
        Ok(content) => content,
        Err(error) => return refuse(format_args!("{} cannot be read any more: {error}", choice.name)),
    };
    let mut response = content.into_response();
    let headers = response.headers_mut();
    if is_weights {
        headers.insert(CONTENT_TYPE, JSON);
    } else {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/zip"));
        headers.extend(header(CONTENT_DISPOSITION, &format!("attachment; filename={}.zip", choice.name)));
    }
    headers.extend(about(&choice));
    response
}

/// Which model it is, and how far its machine is from the caller's.
fn about(choice: &Choice) -> impl Iterator<Item = (HeaderName, HeaderValue)> {
    let distance = choice.distance.and_then(|distance| header(DISTANCE, &format!("{distance:.3}")));
    header(MODEL, &choice.name).into_iter().chain(distance).chain(header(DIFFERENCE, &choice.reason))
}

fn header(name: HeaderName, text: &str) -> Option<(HeaderName, HeaderValue)> {
    Some((name, HeaderValue::from_str(text).ok()?))
}

/// `GET /best-models`, with the names of either version of the reference.
#[derive(Debug, Default, Deserialize)]
struct ListQuery {
    #[serde(alias = "source", rename = "energy-source")]
    source: Option<String>,
    #[serde(alias = "ot", rename = "output-type")]
    output: Option<String>,
    #[serde(alias = "fg", rename = "feature-group")]
    group: Option<String>,
    #[serde(rename = "node-type")]
    node_type: Option<i64>,
    filter: Option<String>,
}

async fn best_models(
    State(store): State<Arc<Store>>,
    query: Result<Query<ListQuery>, axum::extract::rejection::QueryRejection>,
) -> Response {
    let listed = query.map_err(|error| error.to_string()).and_then(|Query(query)| list(&store, &query));
    match listed {
        Ok(names) => (
            [(CONTENT_TYPE, JSON)],
            // Maps of strings cannot fail.
            serde_json::to_vec(&names).unwrap_or_default(),
        )
            .into_response(),
        Err(reason) => refuse(format_args!("failed to get best model list: {reason}")),
    }
}

type Names = BTreeMap<&'static str, BTreeMap<&'static str, String>>;

fn list(store: &Store, query: &ListQuery) -> Result<Names, String> {
    let outputs = match &query.output {
        Some(name) => vec![request::output(name)?],
        None => OutputType::ALL.to_vec(),
    };
    let groups = match &query.group {
        Some(name) => vec![FeatureGroup::named(name).ok_or_else(|| format!("feature-group: `{name}` is not known"))?],
        None => FeatureGroup::ALL.to_vec(),
    };
    let source = request::source(query.source.as_deref())?;
    let filter = Filter::parse(query.filter.as_deref().unwrap_or_default())?;
    let listed = store.listed();
    let mut names = Names::new();
    for output in outputs {
        let of_output = names.entry(output.name()).or_default();
        for &group in &groups {
            let wanted = Wanted {
                metrics: group.features().iter().map(|feature| (*feature).to_owned()).collect(),
                output,
                source,
                node_type: query.node_type.filter(|&number| number >= 0),
                loose: query.node_type.is_none(),
                trainer: None,
                filter: filter.clone(),
                pipeline: None,
                machine: None,
                semantics: None,
                categories: Vec::new(),
                kind: Kind::Predict,
            };
            // A wider group holds the metrics of a narrower one, whose models are listed there.
            let of_group = listed.iter().filter(|listed| listed.entry.group == group);
            if let Ok(choice) = Choice::of(of_group, &wanted) {
                of_output.insert(group.name(), choice.name);
            }
        }
    }
    Ok(names)
}

async fn predict(State(store): State<Arc<Store>>, body: Result<Bytes, BytesRejection>) -> Response {
    let request: PowerRequest = match parse(body) {
        Ok(request) => request,
        Err(response) => return *response,
    };
    // Some 100,000 rows take a while: the threads that serve answer others meanwhile.
    let turn = ESTIMATES.acquire().await;
    let Ok(reply) = spawn_blocking(move || estimate(&store, &request, None)).await else {
        return (StatusCode::INTERNAL_SERVER_ERROR, "the estimate failed; the log says why\n").into_response();
    };
    drop(turn);
    let status = if reply.powers.is_empty() { StatusCode::BAD_REQUEST } else { StatusCode::OK };
    (status, [(CONTENT_TYPE, JSON)], reply.to_json()).into_response()
}
