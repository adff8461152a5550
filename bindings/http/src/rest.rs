//! The REST interface: the compliance tools, figures of this node as JSON, their history, and a stream of
//! snapshots; described by OpenAPI.
//!
//! Schemas and descriptions come from the types that answer: the tools' from
//! [`registry`](kepler_compliance::tools::registry), the others' from their structs. Errors are
//! `application/problem+json` (RFC 9457).
//!
//! Nothing here measures. Answers are made on Tokio's blocking threads, a few at a time, so that a scrape of
//! `/metrics` never waits for them.

mod accelerator;
mod body;
mod carbon;
#[cfg(feature = "docs")]
mod docs;
mod events;
mod figures;
mod history;
mod node;
mod nodes;
mod openapi;
mod platform;
mod problem;
mod query;
mod schema;
mod sources;
mod tools;
mod workload;
mod workloads;

use crate::exporter::Exporter;
use axum::Router;
use axum::extract::{RawQuery, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderValue, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post};
use kepler_compliance::tools::Toolbox;
use kepler_core::workload::WorkloadKind;
use kepler_guard::{GuardLayer, Policy, SettingNames, Token, WorkLimit};
pub(crate) use problem::rejected;
use problem::{Kind, Problem};
use serde::Serialize;
pub use sources::UnusedSource;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::Semaphore;
use tower_http::cors::{AllowHeaders, CorsLayer};

/// Answers that are worked out at a time, by default.
const DEFAULT_AT_ONCE: usize = 4;
/// How long a request waits for its turn, by default.
const DEFAULT_PATIENCE: Duration = Duration::from_secs(10);

/// Who may ask, and how much of it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RestOptions {
    /// Names by which clients may reach this server (the `Host` header), with or without a port, beside
    /// `localhost` and IP addresses; default none. A page that lets its own name point here (DNS
    /// rebinding) is refused by this.
    pub allowed_hosts: Vec<String>,
    /// Web pages that may ask, as `scheme://host[:port]`; default none but those of this server itself.
    pub allowed_origins: Vec<String>,
    /// What clients must send as `Authorization: Bearer …`; default nothing.
    pub bearer_token: Option<Token>,
    /// Largest request body in bytes; default 64 KiB. Larger ones are answered with 413.
    pub body_limit: usize,
    /// Time in which a request body must have come; default 10 s.
    pub body_timeout: Duration,
    /// What the two settings above are called, for answers that say what to change.
    pub setting_names: SettingNames,
    /// Answers that are worked out at a time; default 4. Others wait for 10 s at most, and are answered with 503
    /// then. A clone may limit the same work over other protocols.
    pub work: WorkLimit,
    /// Streams of events at a time; default 16. One more is answered with 503.
    pub streams: usize,
    /// A stream without events says that it lives after this long; default 15 s.
    pub heartbeat: Duration,
    /// What `/api/v1/sources` says could be used and is not; default nothing.
    pub unused_sources: Vec<UnusedSource>,
}

impl RestOptions {
    /// These options with a change, as in `RestOptions::default().with(|options| options.streams = 4)`.
    #[must_use]
    pub fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }
}

impl Default for RestOptions {
    fn default() -> Self {
        RestOptions {
            allowed_hosts: Vec::new(),
            allowed_origins: Vec::new(),
            bearer_token: None,
            body_limit: 64 * 1024,
            body_timeout: Duration::from_secs(10),
            setting_names: SettingNames::default(),
            work: WorkLimit::new(DEFAULT_AT_ONCE, DEFAULT_PATIENCE),
            streams: 16,
            heartbeat: Duration::from_secs(15),
            unused_sources: Vec::new(),
        }
    }
}

/// The REST interface over the snapshots of an [`Exporter`] and the tools of a [`Toolbox`].
#[derive(Clone)]
pub struct Rest(Arc<Shared>);

/// What the routes share.
struct Shared {
    exporter: Arc<Exporter>,
    toolbox: Arc<Toolbox>,
    options: RestOptions,
    streams: Arc<Semaphore>,
    stopped: Arc<AtomicBool>,
}

impl Rest {
    /// Over `exporter`'s feed; `toolbox` is what the tools and the history answer from, of this node or others.
    pub fn new(exporter: Arc<Exporter>, toolbox: Arc<Toolbox>, options: RestOptions) -> Self {
        let streams = Arc::new(Semaphore::new(options.streams.min(Semaphore::MAX_PERMITS)));
        Rest(Arc::new(Shared { exporter, toolbox, options, streams, stopped: Arc::default() }))
    }

    /// The routes `/tools`, `/api/v1/…`, `/openapi.json` and, with feature `docs`, `/docs`. Merge them with
    /// [`router`](crate::router).
    pub fn router(&self) -> Router {
        let options = &self.0.options;
        let policy = Policy::new(&options.allowed_hosts, &options.allowed_origins, options.bearer_token.clone());
        let guard = GuardLayer::new(policy.naming(options.setting_names), problem::rejected);
        let routes = Router::new()
            .route("/tools", get(tools::list))
            .route("/tools/{name}", post(tools::call))
            .route("/api/v1/node", get(node::answer))
            .route("/api/v1/nodes", get(nodes::answer))
            .merge(workload_routes())
            .route("/api/v1/sources", get(sources::answer))
            .route("/api/v1/carbon", get(carbon::answer))
            .route("/api/v1/history", get(history::answer))
            .route("/api/v1/history/workloads", get(history::workloads))
            .route("/api/v1/events", get(events::answer))
            .method_not_allowed_fallback(method)
            .route("/tools/", any(missing))
            .route("/tools/{name}/{*rest}", any(missing))
            .route("/api", any(missing))
            .route("/api/{*rest}", any(missing))
            .layer(guard)
            .layer(cors(&options.allowed_origins))
            .route("/openapi.json", get(openapi::answer));
        #[cfg(feature = "docs")]
        let routes = routes.merge(docs::routes());
        routes.with_state(Arc::clone(&self.0))
    }

    /// Ends all streams of events, which never end by themselves, within a second. Call it when the server is
    /// to stop.
    pub fn end_streams(&self) {
        self.0.stopped.store(true, Ordering::Relaxed);
    }
}

/// A list a kind of workload: `/api/v1/processes`, …
fn workload_routes() -> Router<Arc<Shared>> {
    WorkloadKind::MEASURED.into_iter().fold(Router::new(), |routes, kind| {
        let answer = move |State(shared): Asked, RawQuery(query): RawQuery| workloads::answer(kind, shared, query);
        routes.route(&format!("/api/v1/{}", kind.plural()), get(answer))
    })
}

impl fmt::Debug for Rest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rest").field("options", &self.0.options).finish_non_exhaustive()
    }
}

impl Shared {
    /// Lets `work` be done when its turn comes.
    async fn work<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, Problem> + Send + 'static,
    ) -> Result<T, Problem> {
        self.options.work.run(work).await?
    }
}

type Asked = State<Arc<Shared>>;

async fn missing(uri: Uri) -> Problem {
    Problem::new(
        Kind::NotFound,
        format!("nothing at {}; /openapi.json lists what there is", kepler_guard::shortened(uri.path())),
    )
}

async fn method(method: Method, uri: Uri) -> Problem {
    Problem::new(
        Kind::MethodNotAllowed,
        format!("{} does not take {method}; the Allow header says what it takes", uri.path()),
    )
}

/// What browsers ask before they let a page of another origin ask.
fn cors(origins: &[String]) -> CorsLayer {
    let origins: Vec<HeaderValue> = origins.iter().filter_map(|origin| origin.to_lowercase().parse().ok()).collect();
    CorsLayer::new()
        .allow_origin(origins)
        .allow_methods([Method::GET, Method::POST])
        .allow_headers(AllowHeaders::mirror_request())
}

/// An answer as bytes of JSON, made where it may take a while.
fn to_json(answer: &impl Serialize) -> Result<Vec<u8>, Problem> {
    kepler_compliance::numbers::to_json(answer)
        .map_err(|error| Problem::new(Kind::Internal, format!("the answer is not JSON: {error}")))
}

fn json(bytes: Vec<u8>) -> Response {
    let headers =
        [(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "no-store"), (X_CONTENT_TYPE_OPTIONS, "nosniff")];
    (StatusCode::OK, headers, bytes).into_response()
}
