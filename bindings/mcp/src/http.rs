//! MCP over HTTP, as routes for an axum server.
//!
//! `/mcp` is the streamable HTTP transport for all protocol revisions; `/sse` and `/messages` are the
//! transport of 2024-11-05, where turned on. Every request is checked first: the name, the origin, the token.
//!
//! ```
//! # use kepler_compliance::intensity::IntensityTable;
//! # use kepler_compliance::standards::Standards;
//! # use kepler_compliance::tools::Toolbox;
//! # use kepler_compliance::view::NoView;
//! # use kepler_compliance::zones::Zones;
//! # use std::sync::Arc;
//! # let zones = Zones::embedded()?;
//! # let intensity = Arc::new(IntensityTable::from_zones(&zones));
//! # let toolbox = Toolbox::new(Arc::new(NoView), Standards::embedded()?, zones, intensity);
//! use kepler_mcp::McpServer;
//! use kepler_mcp::http::{HttpOptions, router};
//!
//! // `toolbox`: what the tools answer from, of `kepler_compliance`.
//! let options = HttpOptions::default().with(|options| options.allowed_hosts.push("node-1.example".to_owned()));
//! let routes: axum::Router = router(McpServer::new(toolbox), options);
//! # drop(routes);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod legacy;
#[cfg(feature = "oauth")]
pub(crate) mod oauth;
mod sessions;

use crate::Token;
pub use axum::Router;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::http::header::WWW_AUTHENTICATE;
use axum::http::{HeaderName, HeaderValue, Method};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
#[cfg(feature = "oauth")]
pub use oauth::{OAuth, OAuthError, OAuthOptions};

use kepler_guard::{GuardLayer, Policy, Rejection, SettingNames};
use rmcp::ServerHandler;
use rmcp::transport::{StreamableHttpServerConfig, StreamableHttpService};
use sessions::Sessions;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tower_http::cors::{AllowHeaders, CorsLayer};

/// Who may ask over HTTP, and how much of it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct HttpOptions {
    /// Names by which clients may reach this server (the `Host` header), with or without a port, beside
    /// `localhost` and IP addresses; default none. A page that lets its own name point here (DNS
    /// rebinding) is refused by this.
    pub allowed_hosts: Vec<String>,
    /// Web pages that may ask, as `scheme://host[:port]`; default none but those of this server itself.
    /// Programs that are no browsers send no `Origin` and are not concerned.
    pub allowed_origins: Vec<String>,
    /// What the two settings above are called, for answers that say what to change.
    pub setting_names: SettingNames,
    /// What clients must send as `Authorization: Bearer …`; default nothing.
    pub bearer_token: Option<Token>,
    /// Whose tokens are taken beside `bearer_token`; default none's.
    #[cfg(feature = "oauth")]
    pub oauth: Option<OAuth>,
    /// Largest request in bytes; default 256 KiB. Larger ones are answered with 413.
    pub body_limit: usize,
    /// Sessions at a time; default 4096, as a quiet one holds less than a KiB. One more ends the one that has
    /// been quiet longest; its client is answered 404 and begins again, as the protocol has it.
    pub max_sessions: usize,
    /// A session without a request, or a client that listens, for this long is ended; default 30 min.
    pub session_expiry: Duration,
    /// Whether the transport of 2024-11-05 is offered too; default not.
    pub legacy_sse: bool,
    /// Cancelled when the server stops, so that streams end and do not hold it up.
    pub stop: CancellationToken,
}

impl HttpOptions {
    /// These options with a change, as in `HttpOptions::default().with(|options| options.max_sessions = 64)`.
    #[must_use]
    pub fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }
}

impl Default for HttpOptions {
    fn default() -> Self {
        HttpOptions {
            allowed_hosts: Vec::new(),
            allowed_origins: Vec::new(),
            setting_names: SettingNames::default(),
            bearer_token: None,
            #[cfg(feature = "oauth")]
            oauth: None,
            body_limit: 256 * 1024,
            max_sessions: 4096,
            session_expiry: Duration::from_secs(30 * 60),
            legacy_sse: false,
            stop: CancellationToken::new(),
        }
    }
}

/// The routes of `server`: a [`McpServer`](crate::McpServer), or one of your own. Merge them into the router of
/// your HTTP server; they need a Tokio runtime with time.
///
/// `server` is to speak only while it answers: what it says of itself to a session that has been quiet for a
/// minute is lost.
pub fn router(server: impl ServerHandler + Clone, options: HttpOptions) -> Router {
    let sessions = Sessions::new(options.max_sessions, options.session_expiry);
    // The guard checks Host and Origin for all routes alike. Of the newest revision, whose requests stand alone,
    // an answer is plain JSON unless progress goes before it.
    let mut config = StreamableHttpServerConfig::default()
        .with_json_response(true)
        .disable_allowed_hosts()
        .disable_allowed_origins()
        .with_max_request_body_bytes(options.body_limit)
        .with_cancellation_token(options.stop.clone());
    config.session_store = Some(Arc::<Sessions>::clone(&sessions));
    let mut routes = Router::new();
    if options.legacy_sse {
        routes = routes.merge(legacy::routes(server.clone(), &options));
    }
    let service = StreamableHttpService::new(move || Ok(server.clone()), sessions, config);
    let routes = routes.route_service("/mcp", service).layer(middleware::from_fn(ended));
    let token = options.bearer_token.clone();
    #[cfg(feature = "oauth")]
    let (routes, token) = match &options.oauth {
        Some(oauth) => (oauth::protect(routes, oauth, token, options.body_limit), None),
        None => (routes, token),
    };
    let policy = Policy::new(&options.allowed_hosts, &options.allowed_origins, token);
    let guard = GuardLayer::new(policy.naming(options.setting_names), rejected);
    let cors = cors(&options.allowed_origins);
    routes.layer(guard).layer(cors)
}

/// A session that has been ended: 204, which clients take for done (Python's and TypeScript's SDK warn of 202).
async fn ended(request: Request, next: Next) -> Response {
    let is_end = request.method() == Method::DELETE;
    let response = next.run(request).await;
    if is_end && response.status() == StatusCode::ACCEPTED { StatusCode::NO_CONTENT.into_response() } else { response }
}

/// The answer to a request that may not pass.
fn rejected(rejection: &Rejection) -> Response {
    let mut response = (rejection.status(), format!("{rejection}\n")).into_response();
    if rejection.status() == StatusCode::UNAUTHORIZED {
        response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"kepler\""));
    }
    response
}

/// What browsers ask before they let a page of another origin ask.
fn cors(origins: &[String]) -> CorsLayer {
    let origins: Vec<HeaderValue> = origins.iter().filter_map(|origin| origin.to_lowercase().parse().ok()).collect();
    CorsLayer::new()
        .allow_origin(origins)
        .allow_methods([Method::GET, Method::POST, Method::DELETE])
        .allow_headers(AllowHeaders::mirror_request())
        .expose_headers([HeaderName::from_static("mcp-session-id"), WWW_AUTHENTICATE])
}
