//! The state of a bridge: pending requests and the negotiated session.

use super::message::{Id, Message, answers, error};
use super::output::Lines;
use super::remote::{Remote, Settled};
use reqwest::Url;
use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;

pub(super) struct Link {
    pub(super) remote: Remote,
    lines: Lines,
    /// Requests without an answer.
    pending: watch::Sender<HashSet<Id>>,
    state: Mutex<State>,
    /// Held while the transport is found out or another session begun, so that this is done once.
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
    pub(super) fn new(remote: Remote, lines: Lines) -> Self {
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

    /// Notes what `message` asks: its requests await answers, and a handshake begins another session.
    pub(super) fn note(&self, message: &Message) {
        if let (Some(params), Some(id)) = (&message.initialize, message.requests.first()) {
            let mut state = self.state();
            state.initialize = Some((id.clone(), params.clone()));
            state.settled = Settled::default();
        }
        self.pending.send_modify(|pending| pending.extend(message.requests.iter().cloned()));
    }

    /// The client's own handshake under another id, whose answer is not for the client; none before there was one.
    pub(super) fn handshake_again(&self) -> Option<(Message, Id)> {
        let (_, params) = self.state().initialize.clone()?;
        let number = self.numbers.fetch_add(1, Ordering::Relaxed);
        let (message, id) = Message::initialize_again(&params, number);
        self.state().own.insert(id.clone());
        self.pending.send_modify(|pending| {
            pending.insert(id.clone());
        });
        Some((message, id))
    }

    /// Waits until a request has its answer, for `time` at most; whether it has.
    pub(super) async fn answered(&self, id: &Id, time: Duration) -> bool {
        let mut pending = self.pending.subscribe();
        // The other error, of a closed channel, cannot be: this link has it.
        tokio::time::timeout(time, pending.wait_for(|pending| !pending.contains(id))).await.is_ok()
    }

    /// Hands a message of the server to the client, and notes what it answers.
    pub(super) async fn emit(&self, text: &str) {
        let Some((ids, version)) = answers(text) else {
            tracing::warn!("the server sent something that is no JSON-RPC message; it was left out");
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
            self.lines.send(text).await;
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

    /// Answers all requests without an answer with an error.
    pub(super) async fn fail_all(&self, why: &str) {
        let left: Vec<Id> = self.pending.borrow().iter().cloned().collect();
        if !left.is_empty() {
            self.fail(&left, why).await;
        }
    }

    /// Waits until every request is answered.
    pub(super) async fn answered_all(&self) {
        // The error of a closed channel cannot be: this link has it.
        let _ = self.pending.subscribe().wait_for(HashSet::is_empty).await;
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
