//! The state of a bridge, and the way of a message through it.

use super::message::{Id, Message, answers, error};
use super::remote::{Remote, Settled};
use super::{legacy, streamable};
use reqwest::{StatusCode, Url};
use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;

pub(super) struct Link {
    pub(super) remote: Remote,
    lines: mpsc::Sender<String>,
    /// Requests without an answer.
    pending: watch::Sender<HashSet<Id>>,
    state: Mutex<State>,
    /// Held while the transport is found out or a session begun anew, so that this is done once.
    pub(super) beginning: tokio::sync::Mutex<()>,
    numbers: AtomicU64,
}

#[derive(Default)]
struct State {
    transport: Transport,
    settled: Settled,
    /// The client's own handshake, to repeat it for another session.
    initialize: Option<(Id, String)>,
    /// Answers that are not for the client.
    own: HashSet<Id>,
    /// Tasks that listen; they end with the bridge.
    listening: JoinSet<()>,
}

/// How the server is spoken to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Transport {
    /// Not known yet.
    #[default]
    Unknown,
    /// Streamable HTTP.
    Streamable,
    /// HTTP with server-sent events; messages go to this address. None while there is no stream.
    Legacy(Option<Url>),
}

impl Link {
    pub(super) fn new(remote: Remote, lines: mpsc::Sender<String>) -> Self {
        Link {
            remote,
            lines,
            pending: watch::Sender::default(),
            state: Mutex::default(),
            beginning: tokio::sync::Mutex::default(),
            numbers: AtomicU64::new(0),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing in it can be half done.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn transport(&self) -> Transport {
        self.state().transport.clone()
    }

    pub(super) fn set_transport(&self, transport: Transport) {
        self.state().transport = transport;
    }

    pub(super) fn settled(&self) -> Settled {
        self.state().settled.clone()
    }

    pub(super) fn set_session(&self, session: Option<reqwest::header::HeaderValue>) {
        self.state().settled.session = session;
    }

    /// Spawns a task that ends with the bridge.
    pub(super) fn listen(&self, task: impl Future<Output = ()> + Send + 'static) {
        let mut state = self.state();
        while state.listening.try_join_next().is_some() {}
        state.listening.spawn(task);
    }

    /// Carries a message to the server and its answers back. `arrived` is dropped or used once the
    /// server has the message.
    pub(super) async fn deliver(self: &Arc<Self>, message: Message, arrived: oneshot::Sender<()>) {
        if let (Some(params), Some(id)) = (&message.initialize, message.requests.first()) {
            let mut state = self.state();
            state.initialize = Some((id.clone(), params.clone()));
            state.settled = Settled::default();
        }
        self.pending.send_modify(|pending| pending.extend(message.requests.iter().cloned()));
        let outcome = match self.transport() {
            Transport::Streamable => streamable::deliver(self, &message, arrived).await,
            Transport::Legacy(_) => legacy::deliver(self, &message).await,
            Transport::Unknown => {
                let beginning = self.beginning.lock().await;
                let outcome = match self.transport() {
                    Transport::Unknown => self.find_out(&message, arrived).await,
                    Transport::Streamable => streamable::deliver(self, &message, arrived).await,
                    Transport::Legacy(_) => legacy::deliver(self, &message).await,
                };
                drop(beginning);
                outcome
            }
        };
        if let Err(failure) = outcome {
            self.fail(&message.requests, &failure.to_string()).await;
        }
    }

    /// Tries streamable HTTP, then the older transport, as the protocol advises clients to do.
    async fn find_out(self: &Arc<Self>, message: &Message, arrived: oneshot::Sender<()>) -> Result<(), Failure> {
        match streamable::deliver(self, message, arrived).await {
            Err(Failure::Status { status, body })
                if matches!(
                    status,
                    StatusCode::BAD_REQUEST | StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED
                ) =>
            {
                if legacy::connect(self).await.is_err() {
                    return Err(Failure::Status { status, body });
                }
                tracing::info!(url = %self.remote.url, "the server speaks HTTP with SSE of 2024-11-05");
                legacy::deliver(self, message).await
            }
            outcome => {
                if outcome.is_ok() {
                    self.set_transport(Transport::Streamable);
                }
                outcome
            }
        }
    }

    /// Begins another session by the client's own handshake, whose answer the client has already.
    pub(super) async fn begin_again(self: &Arc<Self>) -> Result<(), Failure> {
        let initialize = self.state().initialize.clone();
        let Some((_, params)) = initialize else { return Ok(()) };
        let number = self.numbers.fetch_add(1, Ordering::Relaxed);
        let (message, id) = Message::initialize_again(&params, number);
        self.state().own.insert(id.clone());
        self.pending.send_modify(|pending| {
            pending.insert(id.clone());
        });
        self.set_session(None);
        for message in [message, Message::initialized()] {
            let (arrived, _) = oneshot::channel();
            match self.transport() {
                Transport::Legacy(Some(url)) => legacy::post(self, &url, &message).await?,
                _ => streamable::exchange(self, &message, arrived).await?,
            }
            let mut pending = self.pending.subscribe();
            let answered = pending.wait_for(|pending| !pending.contains(&id));
            let in_time = tokio::time::timeout(Duration::from_secs(30), answered).await;
            // The other error, of a closed channel, cannot be: this link has it.
            let _ = in_time.map_err(|_| Failure::Lost("it did not answer the handshake".to_owned()))?;
        }
        Ok(())
    }

    /// Hands a message of the server to the client, and notes what it answers.
    pub(super) async fn emit(&self, text: &str) {
        let Some((ids, version)) = answers(text) else {
            tracing::warn!("left out what is no JSON-RPC message");
            return;
        };
        let own = {
            let mut state = self.state();
            let begun = state.initialize.as_ref().is_some_and(|(id, _)| ids.contains(id));
            let own = ids.iter().any(|id| state.own.remove(id));
            if begun || own {
                state.settled.version = version.or(state.settled.version.take());
            }
            own
        };
        if !own {
            // Line ends in JSON stand between tokens only: those within texts are escaped.
            let line = text.replace(['\n', '\r'], " ");
            // Nobody is left to tell when the client is gone.
            let _ = self.lines.send(line).await;
        }
        self.pending.send_if_modified(|pending| {
            let before = pending.len();
            pending.retain(|id| !ids.contains(id));
            pending.len() < before
        });
    }

    /// Whether any of these requests still awaits its answer.
    pub(super) fn awaits(&self, requests: &[Id]) -> bool {
        let pending = self.pending.borrow();
        requests.iter().any(|id| pending.contains(id))
    }

    /// Answers those of the requests that have no answer yet with an error.
    pub(super) async fn fail(&self, requests: &[Id], why: &str) {
        for id in requests {
            if self.awaits(std::slice::from_ref(id)) {
                self.emit(&error(id, -32000, why)).await;
            }
        }
        if requests.is_empty() {
            tracing::warn!("a notification was not delivered: {why}");
        }
    }

    /// All requests without an answer.
    pub(super) fn unanswered(&self) -> Vec<Id> {
        self.pending.borrow().iter().cloned().collect()
    }

    /// Waits until every request is answered, or until the time is over, then answers the rest by errors.
    pub(super) async fn drain(&self, time: Duration) {
        let mut pending = self.pending.subscribe();
        if tokio::time::timeout(time, pending.wait_for(HashSet::is_empty)).await.is_err() {
            let left = self.unanswered();
            self.fail(&left, "the bridge ends before the server has answered").await;
        }
    }

    /// Ends listening and the session.
    pub(super) async fn end(&self) {
        let mut listening = std::mem::take(&mut self.state().listening);
        listening.shutdown().await;
        let session = self.state().settled.session.take();
        if let Some(session) = session {
            self.remote.end(session).await;
        }
    }
}

/// Why a message did not get its answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// The server cannot be reached, or the connection broke.
    #[error("the server cannot be reached: {0}")]
    Lost(String),
    /// It answered with an HTTP error.
    #[error("the server answered {status}{}", if body.is_empty() { String::new() } else { format!(": {body}") })]
    Status { status: StatusCode, body: String },
}

impl From<reqwest::Error> for Failure {
    fn from(error: reqwest::Error) -> Self {
        // The cause says more than reqwest does: "Connection refused".
        let mut cause: &dyn std::error::Error = &error;
        while let Some(source) = cause.source() {
            cause = source;
        }
        let url = error.url().map(|url| format!("{url}: ")).unwrap_or_default();
        Failure::Lost(format!("{url}{cause}"))
    }
}
