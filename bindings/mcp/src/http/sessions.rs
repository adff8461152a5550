//! Sessions of streamable HTTP: the SDK's, with a bound on their number.

use futures::Stream;
use rmcp::model::{ClientJsonRpcMessage, ServerJsonRpcMessage};
use rmcp::transport::common::server_side_http::ServerSseMessage;
use rmcp::transport::streamable_http_server::session::local::{
    LocalSessionManager, LocalSessionManagerError, SessionConfig,
};
use rmcp::transport::streamable_http_server::{SessionId, SessionManager};
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Sessions, at most so many. One more closes the one that has been quiet longest.
pub(super) struct Sessions {
    inner: LocalSessionManager,
    max: usize,
    /// When each was last heard of.
    heard: Mutex<HashMap<SessionId, Instant>>,
}

impl Sessions {
    pub(super) fn new(max: usize, expiry: Duration) -> Self {
        let mut config = SessionConfig::default();
        config.keep_alive = Some(expiry);
        let mut inner = LocalSessionManager::default();
        inner.session_config = config;
        Sessions { inner, max: max.max(1), heard: Mutex::default() }
    }

    fn heard(&self) -> MutexGuard<'_, HashMap<SessionId, Instant>> {
        // Nothing in it can be half done.
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The sessions that must go for one more to have room.
    async fn surplus(&self) -> Vec<SessionId> {
        // Those that the SDK has closed by itself are forgotten first.
        let open = self.inner.sessions.read().await;
        let mut heard = self.heard();
        heard.retain(|id, _| open.contains_key(id));
        let mut oldest: Vec<_> = heard.iter().map(|(id, at)| (*at, SessionId::clone(id))).collect();
        oldest.sort();
        let surplus = (oldest.len() + 1).saturating_sub(self.max);
        oldest.into_iter().take(surplus).map(|(_, id)| id).collect()
    }
}

impl SessionManager for Sessions {
    type Error = LocalSessionManagerError;
    type Transport = <LocalSessionManager as SessionManager>::Transport;

    async fn create_session(&self) -> Result<(SessionId, Self::Transport), Self::Error> {
        for id in self.surplus().await {
            tracing::info!(session = %id, max = self.max, "closing the MCP session that was quiet longest");
            self.close_session(&id).await?;
        }
        let (id, transport) = self.inner.create_session().await?;
        self.heard().insert(SessionId::clone(&id), Instant::now());
        Ok((id, transport))
    }

    async fn initialize_session(
        &self,
        id: &SessionId,
        message: ClientJsonRpcMessage,
    ) -> Result<ServerJsonRpcMessage, Self::Error> {
        self.inner.initialize_session(id, message).await
    }

    /// Asked before anything else is done in a session.
    async fn has_session(&self, id: &SessionId) -> Result<bool, Self::Error> {
        if let Some(at) = self.heard().get_mut(id) {
            *at = Instant::now();
        }
        self.inner.has_session(id).await
    }

    async fn close_session(&self, id: &SessionId) -> Result<(), Self::Error> {
        self.heard().remove(id);
        self.inner.close_session(id).await
    }

    async fn create_stream(
        &self,
        id: &SessionId,
        message: ClientJsonRpcMessage,
    ) -> Result<impl Stream<Item = ServerSseMessage> + Send + Sync + 'static, Self::Error> {
        self.inner.create_stream(id, message).await
    }

    async fn accept_message(&self, id: &SessionId, message: ClientJsonRpcMessage) -> Result<(), Self::Error> {
        self.inner.accept_message(id, message).await
    }

    async fn create_standalone_stream(
        &self,
        id: &SessionId,
    ) -> Result<impl Stream<Item = ServerSseMessage> + Send + Sync + 'static, Self::Error> {
        self.inner.create_standalone_stream(id).await
    }

    async fn resume(
        &self,
        id: &SessionId,
        last_event_id: String,
    ) -> Result<impl Stream<Item = ServerSseMessage> + Send + Sync + 'static, Self::Error> {
        self.inner.resume(id, last_event_id).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_session_too_many_closes_the_one_that_was_quiet_longest() {
        let sessions = Sessions::new(2, Duration::from_secs(60));
        let (first, _one) = sessions.create_session().await.unwrap();
        let (second, _two) = sessions.create_session().await.unwrap();
        assert!(sessions.has_session(&first).await.unwrap(), "heard of again, so the second is the oldest");
        let (third, _three) = sessions.create_session().await.unwrap();
        let mut open = Vec::new();
        for id in [&first, &second, &third] {
            open.push(sessions.has_session(id).await.unwrap());
        }
        assert_eq!(open, [true, false, true]);
    }
}
