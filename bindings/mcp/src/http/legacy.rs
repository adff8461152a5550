//! The HTTP transport of protocol revision 2024-11-05: answers come as events of one long `GET /sse`,
//! requests go by `POST` to the address that its first event names.

use super::HttpOptions;
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::Uri;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use futures::{Stream, StreamExt, stream};
use rmcp::model::{ClientJsonRpcMessage, ServerJsonRpcMessage};
use rmcp::transport::Transport;
use rmcp::transport::common::server_side_http::{SessionId, session_id};
use rmcp::{RoleServer, ServerHandler, ServiceExt};
use std::collections::HashMap;
use std::convert::Infallible;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Messages that wait to be taken by the other side; then the sender waits.
const QUEUE: usize = 16;

type Open = Mutex<HashMap<SessionId, mpsc::Sender<ClientJsonRpcMessage>>>;

struct Shared<S> {
    server: S,
    sessions: Arc<Open>,
    max_sessions: usize,
    body_limit: usize,
    stop: CancellationToken,
}

fn lock(open: &Open) -> MutexGuard<'_, HashMap<SessionId, mpsc::Sender<ClientJsonRpcMessage>>> {
    // Nothing in it can be half done.
    open.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(super) fn routes<S: ServerHandler + Clone>(server: S, options: &HttpOptions) -> Router {
    let shared = Arc::new(Shared {
        server,
        sessions: Arc::default(),
        max_sessions: options.max_sessions,
        body_limit: options.body_limit,
        stop: options.stop.clone(),
    });
    Router::new().route("/sse", get(listen::<S>)).route("/messages", post(send::<S>)).with_state(shared)
}

/// Begins a session, which lasts as long as its stream.
async fn listen<S: ServerHandler + Clone>(State(shared): State<Arc<Shared<S>>>) -> Response {
    let id = session_id();
    let (requests, incoming) = mpsc::channel(QUEUE);
    let (outgoing, answers) = mpsc::channel(QUEUE);
    {
        let mut sessions = lock(&shared.sessions);
        if sessions.len() >= shared.max_sessions {
            return (StatusCode::SERVICE_UNAVAILABLE, "too many sessions; try again later\n").into_response();
        }
        sessions.insert(SessionId::clone(&id), requests);
    }
    let session = Session { id: SessionId::clone(&id), open: Arc::clone(&shared.sessions) };
    let server = shared.server.clone();
    tokio::spawn(async move {
        // The client's end of the stream ends the service; earlier errors are sent on it.
        if let Ok(running) = server.serve(Channels { incoming, outgoing }).await {
            let _ = running.waiting().await;
        }
    });
    let endpoint = Event::default().event("endpoint").data(format!("/messages?session_id={id}"));
    let events = stream::once(async move { endpoint }).chain(messages(answers, session)).map(Ok::<_, Infallible>);
    let stopped = shared.stop.clone().cancelled_owned();
    Sse::new(events.take_until(stopped)).keep_alive(KeepAlive::default()).into_response()
}

fn messages(answers: mpsc::Receiver<ServerJsonRpcMessage>, session: Session) -> impl Stream<Item = Event> {
    // The session ends with the stream, on either side.
    stream::unfold((answers, session), |(mut answers, session)| async move {
        loop {
            let message = answers.recv().await?;
            // What cannot be written as JSON is left out rather than ending the stream.
            if let Ok(text) = serde_json::to_string(&message) {
                return Some((Event::default().event("message").data(text), (answers, session)));
            }
        }
    })
}

struct Session {
    id: SessionId,
    open: Arc<Open>,
}

impl Drop for Session {
    fn drop(&mut self) {
        lock(&self.open).remove(&self.id);
    }
}

async fn send<S: Send + Sync + 'static>(State(shared): State<Arc<Shared<S>>>, uri: Uri, body: Body) -> Response {
    let id = uri.query().unwrap_or_default().split('&').find_map(|pair| pair.strip_prefix("session_id="));
    let requests = id.and_then(|id| lock(&shared.sessions).get(id).cloned());
    let Some(requests) = requests else {
        return (StatusCode::NOT_FOUND, "no such session; begin with GET /sse\n").into_response();
    };
    let Ok(bytes) = to_bytes(body, shared.body_limit).await else {
        return (StatusCode::PAYLOAD_TOO_LARGE, "the message is too large\n").into_response();
    };
    let message = match serde_json::from_slice(&bytes) {
        Ok(message) => message,
        Err(error) => return (StatusCode::BAD_REQUEST, format!("not a JSON-RPC message: {error}\n")).into_response(),
    };
    match requests.send(message).await {
        Ok(()) => (StatusCode::ACCEPTED, "Accepted").into_response(),
        Err(_) => (StatusCode::NOT_FOUND, "the session has ended\n").into_response(),
    }
}

/// A session's queues as a transport of the SDK.
struct Channels {
    incoming: mpsc::Receiver<ClientJsonRpcMessage>,
    outgoing: mpsc::Sender<ServerJsonRpcMessage>,
}

impl Transport<RoleServer> for Channels {
    type Error = io::Error;

    fn send(&mut self, item: ServerJsonRpcMessage) -> impl Future<Output = io::Result<()>> + Send + 'static {
        let outgoing = self.outgoing.clone();
        async move { outgoing.send(item).await.map_err(|_| io::ErrorKind::BrokenPipe.into()) }
    }

    async fn receive(&mut self) -> Option<ClientJsonRpcMessage> {
        self.incoming.recv().await
    }

    async fn close(&mut self) -> io::Result<()> {
        self.incoming.close();
        Ok(())
    }
}
