//! The HTTP server: accepting, limits, shutdown.
//!
//! `axum::serve` has neither a time limit for headers nor a bound on connections, so the router is
//! served by hyper here, one task a connection.

use crate::connection::answer::AnswerBody;
use crate::connection::body::{BodyBudget, BodyLimits, BodyOutcome, LimitedBody};
use crate::connection::descriptors;
use crate::connection::shares::RequestShares;
use crate::connection::slots::{ConnectionSlot, ConnectionSlots, RequestKind};
use crate::connection::stream::WriteTimeoutStream;
use crate::exporter::Exporter;
use crate::health;
use crate::routes::router;
use crate::server_options::ServerOptions;
use axum::Router;
use axum::body::Body;
use axum::http::header::{CONNECTION, CONTENT_TYPE, RETRY_AFTER};
use axum::http::{Method, Request, StatusCode};
use axum::response::{IntoResponse, Response};
use http_body::Body as _;
use hyper::body::Incoming;
use hyper_util::rt::{TokioIo, TokioTimer};
use kepler_guard::{GuardLayer, Policy, Rejection};
use std::convert::Infallible;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tower_service::Service as _;

/// The most of a request's headers, and of an answer not yet taken, that a connection holds.
const BUFFER: usize = 64 * 1024;
/// How long to wait after a connection could not be accepted, mostly for lack of descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// Where a server listens.
#[derive(Debug)]
pub struct Listener {
    listener: std::net::TcpListener,
    is_plain: bool,
}

impl Listener {
    /// A listener that does not encrypt where the others do, as beside one that does. Passwords and tokens are asked for all
    /// the same.
    #[must_use]
    pub fn plain(listener: std::net::TcpListener) -> Self {
        Listener { listener, is_plain: true }
    }
}

impl From<std::net::TcpListener> for Listener {
    fn from(listener: std::net::TcpListener) -> Self {
        Listener { listener, is_plain: false }
    }
}

/// Serves [`router`] on every listener until `shutdown` resolves. Then no connection is accepted
/// any more, requests under way finish, and what is left after
/// [`ServerOptions::shutdown_grace`] is dropped. Needs a Tokio runtime with time and IO.
///
/// # Errors
/// When a listener cannot be handed to the runtime. What goes wrong with one connection later ends
/// that connection only.
pub async fn serve(
    listeners: Vec<impl Into<Listener>>,
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
    listeners: Vec<impl Into<Listener>>,
    router: Router,
    options: ServerOptions,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    #[cfg(feature = "tls")]
    let router = match &options.web {
        Some(web) => web.protect(router),
        None => router,
    };
    #[cfg(feature = "tls")]
    let following = options.web.clone().map(|web| tokio::spawn(web.follow_files()));
    #[cfg(feature = "tls")]
    let router = match &options.review {
        Some(review) => review.protect(router),
        None => router,
    };
    let listeners = listeners
        .into_iter()
        .map(|listener| {
            let Listener { listener, is_plain } = listener.into();
            listener.set_nonblocking(true)?;
            let router = guarded(router.clone(), &listener, &options);
            Ok((TcpListener::from_std(listener)?, router, is_plain))
        })
        .collect::<io::Result<Vec<_>>>()?;
    let (stop, stopped) = watch::channel(false);
    let grace = options.shutdown_grace;
    let server = Arc::new(Server::new(options, stopped));
    let mut accepting = JoinSet::new();
    for (listener, router, is_plain) in listeners {
        accepting.spawn(Arc::clone(&server).accept(listener, router, is_plain));
    }
    drop(server);
    shutdown.await;
    stop.send_replace(true);
    #[cfg(feature = "tls")]
    following.iter().for_each(tokio::task::JoinHandle::abort);
    let finish = async { while accepting.join_next().await.is_some() {} };
    if tokio::time::timeout(grace, finish).await.is_err() {
        tracing::warn!(?grace, "dropping connections still open after the time for shutdown");
    }
    Ok(())
}

/// A client that reaches a loopback listener by a name may be a web page in a browser of this machine.
/// The names of others are those of a network, which are not known here.
fn guarded(router: Router, listener: &std::net::TcpListener, options: &ServerOptions) -> Router {
    let loopback = listener.local_addr().is_ok_and(|address| address.ip().to_canonical().is_loopback());
    let policy = if loopback { Policy::hosts(&options.allowed_hosts) } else { Policy::any_host() };
    router.layer(GuardLayer::new(policy.naming(options.setting_names), rejected))
}

/// The answer to a request that may not pass, in the form of all errors.
fn rejected(rejection: &Rejection) -> Response {
    #[cfg(feature = "rest")]
    return crate::rest::rejected(rejection);
    #[cfg(not(feature = "rest"))]
    (rejection.status(), format!("{rejection}\n")).into_response()
}

struct Server {
    slots: Arc<ConnectionSlots>,
    shares: RequestShares,
    bodies: Arc<BodyLimits>,
    options: ServerOptions,
    stopped: watch::Receiver<bool>,
}

impl Server {
    fn new(options: ServerOptions, stopped: watch::Receiver<bool>) -> Self {
        let connections = descriptors::connections(options.max_connections.max(1));
        Server {
            slots: Arc::new(ConnectionSlots::new(connections)),
            shares: RequestShares::new(connections),
            bodies: Arc::new(BodyLimits {
                timeout: options.body_timeout,
                budget: BodyBudget::new(options.body_budget),
            }),
            options,
            stopped,
        }
    }

    /// Accepts connections until stopped, then waits for those it has. Dropping it drops them.
    async fn accept(self: Arc<Self>, listener: TcpListener, router: Router, is_plain: bool) {
        let mut connections = JoinSet::new();
        loop {
            while connections.try_join_next().is_some() {}
            let next = async {
                let accepted = listener.accept().await?;
                Ok::<_, io::Error>((accepted, self.slots.take().await))
            };
            let next = tokio::select! {
                () = self.stopped() => break,
                next = next => next,
            };
            match next {
                Ok(((stream, peer), slot)) => {
                    let (server, router) = (Arc::clone(&self), router.clone());
                    connections.spawn(async move {
                        if let Err(error) = server.answer(stream, router, slot, is_plain).await {
                            tracing::debug!(%peer, %error, "connection ended early");
                        }
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    // A descriptor comes free with it.
                    self.slots.evict();
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

    async fn answer(
        self: Arc<Self>,
        stream: TcpStream,
        router: Router,
        slot: Arc<ConnectionSlot>,
        is_plain: bool,
    ) -> io::Result<()> {
        #[cfg(not(feature = "tls"))]
        let _ = is_plain;
        // Pieces are large: nothing gains from waiting to fill a segment.
        let _ = stream.set_nodelay(true);
        #[cfg(feature = "tls")]
        let router = match stream.peer_addr() {
            Ok(peer) => router
                .layer(axum::Extension(crate::web_config::PeerAddress((peer.ip().to_canonical(), peer.port()).into()))),
            Err(_) => router,
        };
        let stream = WriteTimeoutStream::new(stream, Arc::clone(&slot), self.options.write_timeout);
        #[cfg(feature = "tls")]
        if let Some(acceptor) = self.options.web.as_ref().filter(|_| !is_plain).and_then(crate::WebConfig::acceptor) {
            let stream = tokio::select! {
                stream = tokio::time::timeout(self.options.header_timeout, acceptor.accept(stream)) => stream??,
                () = slot.evicted() => return Ok(()),
                () = self.stopped() => return Ok(()),
            };
            return self.answer_http(stream, router, slot).await.map_err(io::Error::other);
        }
        self.answer_http(stream, router, slot).await.map_err(io::Error::other)
    }

    async fn answer_http(
        self: Arc<Self>,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        router: Router,
        slot: Arc<ConnectionSlot>,
    ) -> hyper::Result<()> {
        let (server, own) = (Arc::clone(&self), Arc::clone(&slot));
        let service = hyper::service::service_fn(move |request| {
            Arc::clone(&server).respond(router.clone(), Arc::clone(&own), request)
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
            () = slot.evicted() => return Ok(()),
            () = self.stopped() => connection.as_mut().graceful_shutdown(),
        }
        tokio::select! {
            result = connection.as_mut() => result,
            () = slot.evicted() => Ok(()),
        }
    }

    /// Answers one request within its limits.
    async fn respond(
        self: Arc<Self>,
        mut router: Router,
        slot: Arc<ConnectionSlot>,
        request: Request<Incoming>,
    ) -> Result<Response<AnswerBody>, Infallible> {
        let kind = self.kind(request.uri().path());
        let busy = slot.request(kind);
        let Ok(share) = self.shares.take(kind, &self.slots).await else {
            return Ok(
                too_many("others are being answered; try again").map(|body| AnswerBody::new(body, busy, [None, None]))
            );
        };
        let may_stream = request.method() == Method::GET;
        let outcome = BodyOutcome::default();
        let request = request.map(|body| {
            if body.is_end_stream() {
                return Body::empty();
            }
            let (slot, slots, limits) = (Arc::clone(&slot), Arc::clone(&self.slots), Arc::clone(&self.bodies));
            Body::new(LimitedBody::new(Body::new(body), slot, slots, limits, outcome.clone()))
        });
        let Ok(mut response) = router.call(request).await;
        if let Some(rejection) = outcome.rejection() {
            response = rejection;
        }
        let mut stream = None;
        if is_event_stream(&response) {
            if may_stream {
                match self.shares.take_stream() {
                    Ok(share) => stream = share,
                    Err(_) => response = too_many("as many streams are open as may be; try again"),
                }
            }
        } else {
            slot.set_answer_by(Some(Instant::now() + self.options.answer_timeout));
        }
        Ok(response.map(|body| AnswerBody::new(body, busy, [share, stream])))
    }

    fn kind(&self, path: &str) -> RequestKind {
        if health::PATHS.contains(&path) {
            RequestKind::Probe
        } else if path == self.options.telemetry_path.as_str() {
            RequestKind::Scrape
        } else {
            RequestKind::Other
        }
    }
}

fn is_event_stream(response: &Response) -> bool {
    let media = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    response.status().is_success() && media.starts_with("text/event-stream")
}

fn too_many(text: &str) -> Response {
    let headers = [(RETRY_AFTER, "5"), (CONNECTION, "close")];
    (StatusCode::SERVICE_UNAVAILABLE, headers, format!("{text}\n")).into_response()
}
