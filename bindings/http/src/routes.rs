//! The exporter's own routes.

use crate::body::{CompressedBody, PlainBody};
use crate::exporter::Exporter;
use crate::health;
use crate::negotiate::{self, Coding};
use crate::page;
use crate::server_options::ServerOptions;
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, VARY};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use axum::middleware::Next;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{any, get};
use std::sync::Arc;
use std::time::Duration;
use tower_http::limit::RequestBodyLimitLayer;

/// What the routes share.
struct Shared {
    exporter: Arc<Exporter>,
    stale_after: Duration,
    telemetry_path: String,
    escaping: Option<&'static str>,
}

/// All routes: the exposition (`/metrics`), the page at `/`, and probes: `/livez` and `/-/healthy`; `/readyz`, `/healthz` and
/// `/-/ready`. To serve them beside others, merge this router into yours.
pub fn router(exporter: Arc<Exporter>, options: &ServerOptions) -> Router {
    let telemetry_path = options.telemetry_path.as_str().to_owned();
    let paths = page::paths(&telemetry_path, &options.links);
    let at_root = telemetry_path != "/";
    let routes = Router::new()
        .route(&telemetry_path, get(metrics))
        .route("/livez", get(health::live))
        .route("/-/healthy", get(health::live))
        .route("/readyz", get(ready))
        .route("/healthz", get(ready))
        .route("/-/ready", get(ready))
        .route("/debug/pprof", any(no_profiles))
        .route("/debug/pprof/", any(no_profiles))
        .route("/debug/pprof/{*profile}", any(no_profiles))
        .fallback(missing);
    #[cfg(feature = "rest")]
    let is_live = options.live_page;
    #[cfg(not(feature = "rest"))]
    let is_live = false;
    let routes = match (is_live, at_root) {
        #[cfg(feature = "rest")]
        (true, _) => routes.merge(page::live::routes(at_root, &paths)),
        (_, true) => {
            let index = page::index(exporter.options(), &paths);
            routes.route("/", get(|| async move { Html(index) }))
        }
        _ => routes,
    };
    let (stale_after, escaping) = (options.stale_after, options.escaping);
    let shared = Arc::new(Shared { exporter, stale_after, telemetry_path, escaping });
    routes
        .with_state(shared)
        .layer(RequestBodyLimitLayer::new(options.body_limit))
        .layer(axum::middleware::from_fn(answer_options))
}

/// Answers OPTIONS, by which HAProxy checks health unless it is told otherwise, with the methods of the path.
async fn answer_options(request: Request, next: Next) -> Response {
    let asks = request.method() == Method::OPTIONS;
    let mut response = next.run(request).await;
    // The router names the methods in `Allow` itself, after this.
    if asks && response.status() == StatusCode::METHOD_NOT_ALLOWED {
        *response.status_mut() = StatusCode::NO_CONTENT;
        *response.body_mut() = Body::empty();
        response.headers_mut().remove(CONTENT_LENGTH);
    }
    response
}

async fn ready(State(shared): State<Arc<Shared>>) -> Response {
    match &shared.exporter.options().hub {
        Some(hub) => health::hub_ready(&hub.status(), shared.stale_after),
        None => health::ready(shared.exporter.feed().latest().as_deref(), shared.stale_after),
    }
}

async fn metrics(State(shared): State<Arc<Shared>>, headers: HeaderMap) -> Response {
    let format = negotiate::format(&headers);
    let exposition = shared.exporter.exposition(format);
    let coding = negotiate::coding(&headers);
    let escaping = negotiate::escaping(&headers).or(shared.escaping);
    let body = match coding {
        Coding::Identity => Body::new(PlainBody::new(exposition)),
        Coding::Gzip => Body::new(CompressedBody::gzip(exposition)),
        #[cfg(feature = "zstd")]
        Coding::Zstd => match CompressedBody::zstd(exposition) {
            Ok(body) => Body::new(body),
            Err(error) => return (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")).into_response(),
        },
    };
    let mut response = body.into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(format.content_type()));
    headers.append(VARY, ACCEPT.into());
    headers.append(VARY, ACCEPT_ENCODING.into());
    let named = escaping.map(|escaping| format!("{}; escaping={escaping}", format.content_type()));
    if let Some(named) = named.and_then(|named| HeaderValue::from_str(&named).ok()) {
        headers.insert(CONTENT_TYPE, named);
    }
    if let Some(coding) = coding.name() {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static(coding));
    }
    response
}

/// Kepler in Go profiles itself by Go's runtime, which there is none of here.
async fn no_profiles() -> Response {
    let text = "this program does not profile itself; use `perf record -g -p PID` on its host\n";
    (StatusCode::NOT_FOUND, text).into_response()
}

async fn missing(State(shared): State<Arc<Shared>>, uri: Uri) -> Response {
    let path = kepler_guard::shortened(uri.path());
    (StatusCode::NOT_FOUND, format!("nothing at {path}; the metrics are at {}\n", shared.telemetry_path))
        .into_response()
}
