//! The HTTP server: routes, limits, shutdown.
//!
//! `axum::serve` has neither a time limit for headers nor a bound on connections, so the router is
//! served by hyper here, one task a connection.

use crate::body::{GzipBody, PlainBody};
use crate::connection::{Impatient, Place, Places, Request as Busy};
use crate::exporter::Exporter;
use crate::{health, negotiate, page};
use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, VARY};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tower_http::limit::RequestBodyLimitLayer;

/// The most of a request's headers, and of an answer not yet taken, that a connection holds.
const BUFFER: usize = 64 * 1024;
/// How long to wait after a connection could not be accepted, mostly for want of descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// Limits of the server.
#[derive(Clone, Debug)]
pub struct ServerOptions {
    /// Connections at a time, 1 at least; default 32. When all are taken and another client comes,
    /// the one that has waited longest without a request goes; while all are being answered, the
    /// newcomer waits.
    pub max_connections: usize,
    /// Time in which a request's headers must have come, counted from the connection's start or
    /// from the answer before; default 30 s. Idle connections are closed after the same time.
    pub header_timeout: Duration,
    /// Time in which a client must take what is buffered for it (64 KiB or so); default 10 s.
    pub write_timeout: Duration,
    /// Largest request body in bytes; default 64 KiB. Larger ones are answered with 413.
    pub body_limit: usize,
    /// Time for requests under way to finish at shutdown; default 5 s.
    pub shutdown_grace: Duration,
    /// `/readyz` fails when the newest snapshot is older than this, and older than three of its
    /// intervals; default 15 s.
    pub stale_after: Duration,
    /// What the page at `/` links to beside its own routes: path and description. Default none.
    pub links: Vec<(&'static str, &'static str)>,
    /// Encryption and passwords; default none.
    #[cfg(feature = "tls")]
    pub web: Option<crate::WebConfig>,
}

impl Default for ServerOptions {
    fn default() -> Self {
        ServerOptions {
            max_connections: 32,
            header_timeout: Duration::from_secs(30),
            write_timeout: Duration::from_secs(10),
            body_limit: 64 * 1024,
            shutdown_grace: Duration::from_secs(5),
            stale_after: Duration::from_secs(15),
            links: Vec::new(),
            #[cfg(feature = "tls")]
            web: None,
        }
    }
}

/// What the routes share.
struct Shared {
    exporter: Arc<Exporter>,
    stale_after: Duration,
    index: String,
}

/// All routes: `/`, `/metrics`, `/livez`, `/readyz`, `/healthz`. To serve them beside others, merge
/// this router into yours.
pub fn router(exporter: Arc<Exporter>, options: &ServerOptions) -> Router {
    let index = page::index(exporter.options(), &options.links);
    let shared = Arc::new(Shared { exporter, stale_after: options.stale_after, index });
    Router::new()
        .route("/", get(|State(shared): State<Arc<Shared>>| async move { Html(shared.index.clone()) }))
        .route("/metrics", get(metrics))
        .route("/livez", get(health::live))
        .route("/readyz", get(ready))
        .route("/healthz", get(ready))
        .fallback(missing)
        .with_state(shared)
        .layer(RequestBodyLimitLayer::new(options.body_limit))
}

async fn ready(State(shared): State<Arc<Shared>>) -> Response {
    health::ready(shared.exporter.feed().latest().as_deref(), shared.stale_after)
}

async fn metrics(State(shared): State<Arc<Shared>>, headers: HeaderMap) -> Response {
    let format = negotiate::format(&headers);
    let exposition = shared.exporter.exposition(format);
    let gzip = negotiate::gzip(&headers);
    let body = if gzip { Body::new(GzipBody::new(exposition)) } else { Body::new(PlainBody::new(exposition)) };
    let mut response = body.into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(format.content_type()));
    headers.append(VARY, ACCEPT.into());
    headers.append(VARY, ACCEPT_ENCODING.into());
    if gzip {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    response
}

async fn missing(uri: Uri) -> Response {
    (StatusCode::NOT_FOUND, format!("nothing at {}; the figures are at /metrics\n", uri.path())).into_response()
}

/// Serves [`router`] on every listener until `shutdown` resolves. Then no connection is accepted
/// any more, requests under way finish, and what is left after
/// [`ServerOptions::shutdown_grace`] is dropped. Needs a Tokio runtime with time and IO.
///
/// # Errors
/// When a listener cannot be handed to the runtime. What goes wrong with one connection later ends
/// that connection only.
pub async fn serve(
    listeners: Vec<std::net::TcpListener>,
    exporter: Arc<Exporter>,
    options: ServerOptions,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let router = router(exporter, &options);
    serve_router(listeners, router, options, shutdown).await
}

/// [`serve`] for a router of your own, with the same limits.
///
/// # Errors
/// As [`serve`].
pub async fn serve_router(
    listeners: Vec<std::net::TcpListener>,
    router: Router,
    options: ServerOptions,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let listeners = listeners
        .into_iter()
        .map(|listener| {
            listener.set_nonblocking(true)?;
            TcpListener::from_std(listener)
        })
        .collect::<io::Result<Vec<_>>>()?;
    #[cfg(feature = "tls")]
    let router = match &options.web {
        Some(web) => web.protect(router),
        None => router,
    };
    let (stop, stopped) = watch::channel(false);
    let grace = options.shutdown_grace;
    let server = Arc::new(Server { router, places: Places::new(options.max_connections), options, stopped });
    let mut accepting = JoinSet::new();
    for listener in listeners {
        accepting.spawn(Arc::clone(&server).accept(listener));
    }
    drop(server);
    shutdown.await;
    stop.send_replace(true);
    let finish = async { while accepting.join_next().await.is_some() {} };
    if tokio::time::timeout(grace, finish).await.is_err() {
        tracing::warn!(?grace, "dropping connections still open after the time for shutdown");
    }
    Ok(())
}

struct Server {
    router: Router,
    places: Places,
    options: ServerOptions,
    stopped: watch::Receiver<bool>,
}

impl Server {
    /// Accepts connections until stopped, then waits for those it has. Dropping it drops them.
    async fn accept(self: Arc<Self>, listener: TcpListener) {
        let mut connections = JoinSet::new();
        loop {
            while connections.try_join_next().is_some() {}
            let next = async {
                let accepted = listener.accept().await?;
                Ok::<_, io::Error>((accepted, self.places.take().await))
            };
            let next = tokio::select! {
                () = self.stopped() => break,
                next = next => next,
            };
            match next {
                Ok(((stream, peer), place)) => {
                    let server = Arc::clone(&self);
                    connections.spawn(async move {
                        if let Err(error) = server.answer(stream, place).await {
                            tracing::debug!(%peer, %error, "connection ended early");
                        }
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
        drop(listener);
        while connections.join_next().await.is_some() {}
    }

    async fn stopped(&self) {
        // An error means that `serve_router` is gone, which is a stop too.
        let _ = self.stopped.clone().wait_for(|stopped| *stopped).await;
    }

    async fn answer(&self, stream: TcpStream, place: Arc<Place>) -> io::Result<()> {
        // Pieces are large: nothing gains from waiting to fill a segment.
        let _ = stream.set_nodelay(true);
        let stream = Impatient::new(stream, Arc::clone(&place), self.options.write_timeout);
        #[cfg(feature = "tls")]
        if let Some(acceptor) = self.options.web.as_ref().and_then(crate::WebConfig::acceptor) {
            let stream = tokio::select! {
                stream = tokio::time::timeout(self.options.header_timeout, acceptor.accept(stream)) => stream??,
                () = place.evicted() => return Ok(()),
                () = self.stopped() => return Ok(()),
            };
            return self.answer_http(stream, place).await.map_err(io::Error::other);
        }
        self.answer_http(stream, place).await.map_err(io::Error::other)
    }

    async fn answer_http(
        &self,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        place: Arc<Place>,
    ) -> hyper::Result<()> {
        let routes = TowerToHyperService::new(self.router.clone());
        let at = Arc::clone(&place);
        let service = hyper::service::service_fn(move |request| {
            let busy = at.request();
            let answer = hyper::service::Service::call(&routes, request);
            async move { answer.await.map(|response| response.map(|body| Answer { body, _busy: busy })) }
        });
        let mut connection = pin!(
            hyper::server::conn::http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(self.options.header_timeout)
                .max_buf_size(BUFFER)
                .serve_connection(TokioIo::new(stream), service)
        );
        tokio::select! {
            result = connection.as_mut() => return result,
            () = place.evicted() => return Ok(()),
            () = self.stopped() => connection.as_mut().graceful_shutdown(),
        }
        connection.await
    }
}

/// A response's body; the connection counts as busy as long as it lives.
struct Answer {
    body: Body,
    _busy: Busy,
}

impl http_body::Body for Answer {
    type Data = bytes::Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Self::Data>, Self::Error>>> {
        std::pin::Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> http_body::SizeHint {
        self.body.size_hint()
    }
}
