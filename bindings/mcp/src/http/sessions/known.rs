//! The table of sessions, active and suspended.

use rmcp::model::{ClientCapabilities, Implementation, InitializeRequestParams, ProtocolVersion};
use rmcp::transport::streamable_http_server::SessionId;
use rmcp::transport::streamable_http_server::session::SessionState;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio_util::sync::{CancellationToken, DropGuard};

/// The book of sessions.
pub(super) struct Known {
    sessions: HashMap<SessionId, Session>,
    max: usize,
    expiry: Duration,
}

struct Session {
    /// Its protocol revision, once the handshake is done. Other data of the client are not needed here.
    version: Option<ProtocolVersion>,
    heard: Instant,
    wake: Wake,
    /// Each request under way holds one more of it.
    busy: Arc<()>,
    /// Each client that listens holds one more of it.
    listening: Arc<()>,
    /// Cancelled with the session.
    ended: DropGuard,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Wake {
    Awake,
    FallingAsleep,
    Asleep,
}

/// What becomes of a request for a session.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Heard {
    Awake,
    FallingAsleep,
    AsleepOrUnknown,
}

/// A request under way, or a client that listens.
pub(super) type Held = Arc<()>;

impl Known {
    pub(super) fn new(max: usize, expiry: Duration) -> Self {
        Known { sessions: HashMap::new(), max: max.max(1), expiry }
    }

    pub(super) fn any(&self) -> bool {
        !self.sessions.is_empty()
    }

    /// Notes one that is awake; whether it is the first of all.
    pub(super) fn enter(&mut self, id: &SessionId, now: Instant) -> bool {
        let first = self.sessions.is_empty();
        let session = self.sessions.entry(SessionId::clone(id)).or_insert_with(|| Session {
            version: None,
            heard: now,
            wake: Wake::Awake,
            busy: Arc::default(),
            listening: Arc::default(),
            ended: CancellationToken::new().drop_guard(),
        });
        (session.heard, session.wake) = (now, Wake::Awake);
        first
    }

    pub(super) fn hear(&mut self, id: &SessionId, now: Instant) -> Heard {
        let Some(session) = self.sessions.get_mut(id) else { return Heard::AsleepOrUnknown };
        session.heard = now;
        match session.wake {
            Wake::Awake => Heard::Awake,
            Wake::FallingAsleep => Heard::FallingAsleep,
            Wake::Asleep => Heard::AsleepOrUnknown,
        }
    }

    pub(super) fn busy(&mut self, id: &SessionId) -> Option<Held> {
        self.sessions.get(id).map(|session| Arc::clone(&session.busy))
    }

    pub(super) fn listen(&mut self, id: &SessionId) -> Option<(Held, CancellationToken)> {
        let session = self.sessions.get(id)?;
        // A token of the same end, which the guard keeps for itself.
        Some((Arc::clone(&session.listening), session.ended.token().clone()))
    }

    /// What the SDK ran for it has ended: it sleeps if it was to, and else is gone.
    pub(super) fn closed(&mut self, id: &SessionId) {
        match self.sessions.get_mut(id) {
            Some(session) if session.wake == Wake::FallingAsleep => session.wake = Wake::Asleep,
            _ => self.forget(id),
        }
    }

    pub(super) fn forget(&mut self, id: &str) {
        self.sessions.remove(id);
    }

    pub(super) fn keep(&mut self, id: &str, state: &SessionState) {
        if let Some(session) = self.sessions.get_mut(id) {
            session.version = Some(state.initialize_params.protocol_version.clone());
        }
    }

    pub(super) fn handshake(&self, id: &str) -> Option<SessionState> {
        let version = self.sessions.get(id)?.version.clone()?;
        let params = InitializeRequestParams::new(ClientCapabilities::default(), Implementation::default());
        Some(SessionState::new(params.with_protocol_version(version)))
    }

    /// Takes out those that must go for one more to have room: the quietest.
    pub(super) fn surplus(&mut self) -> Vec<SessionId> {
        let count = (self.sessions.len() + 1).saturating_sub(self.max);
        if count == 0 {
            return Vec::new();
        }
        let mut quietest: Vec<_> = self.sessions.iter().map(|(id, one)| (one.heard, SessionId::clone(id))).collect();
        quietest.sort_unstable();
        let gone: Vec<SessionId> = quietest.into_iter().take(count).map(|(_, id)| id).collect();
        gone.iter().for_each(|id| self.forget(id));
        gone
    }

    /// Removes sessions without a request or listener for too long.
    pub(super) fn expired(&mut self, now: Instant) -> Vec<SessionId> {
        let expiry = self.expiry;
        let old = self.sessions.iter().filter(|(_, one)| {
            one.is_idle() && Arc::strong_count(&one.listening) == 1 && now.duration_since(one.heard) >= expiry
        });
        let gone: Vec<SessionId> = old.map(|(id, _)| SessionId::clone(id)).collect();
        gone.iter().for_each(|id| self.forget(id));
        gone
    }

    /// Those that are to sleep, so that `most` are awake beside those that were heard of within `quiet`.
    pub(super) fn tired(&mut self, quiet: Duration, most: usize, now: Instant) -> Vec<SessionId> {
        let awake = self.sessions.values().filter(|one| one.wake == Wake::Awake).count();
        if awake <= most {
            return Vec::new();
        }
        // One whose handshake is not done could not be woken.
        let may_sleep = |one: &Session| {
            one.wake == Wake::Awake && one.version.is_some() && one.is_idle() && now.duration_since(one.heard) >= quiet
        };
        let mut quietest: Vec<(Instant, SessionId)> = self
            .sessions
            .iter()
            .filter(|(_, one)| may_sleep(one))
            .map(|(id, one)| (one.heard, SessionId::clone(id)))
            .collect();
        quietest.sort_unstable();
        quietest.truncate(awake - most);
        for (_, id) in &quietest {
            if let Some(one) = self.sessions.get_mut(id) {
                one.wake = Wake::FallingAsleep;
            }
        }
        quietest.into_iter().map(|(_, id)| id).collect()
    }
}

impl Session {
    fn is_idle(&self) -> bool {
        Arc::strong_count(&self.busy) == 1
    }
}
