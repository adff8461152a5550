//! Sessions of streamable HTTP: held by the SDK while in use, reduced to a few bytes while idle.
//!
//! This server never speaks first, so between two requests a session is no more than the protocol revision
//! that its client has chosen. The SDK's session is queues and tasks of some tens of KiB. One that is quiet is
//! therefore put to sleep: the SDK's part is closed, and recreated from the handshake at the next request, as
//! the SDK does for servers that share their sessions ([`SessionStore`]). Clients do not notice.

mod known;

use async_trait::async_trait;
use futures::{Stream, StreamExt, stream};
use known::Known;
use rmcp::model::{ClientJsonRpcMessage, ServerJsonRpcMessage};
use rmcp::transport::common::server_side_http::ServerSseMessage;
use rmcp::transport::streamable_http_server::session::local::{
    LocalSessionManager, LocalSessionManagerError, SessionConfig,
};
use rmcp::transport::streamable_http_server::session::{RestoreOutcome, SessionState, SessionStore, SessionStoreError};
use rmcp::transport::streamable_http_server::{SessionId, SessionManager};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};
use tokio::sync::Notify;

/// Sessions that are awake at a time, where the rest is quiet.
const AWAKE: usize = 128;
/// A session that is quiet for this long sleeps. Until then a client whose connection broke can fetch what it missed.
const NAP: Duration = Duration::from_secs(60);
/// One that is quiet for this long sleeps if too many are awake.
const PAUSE: Duration = Duration::from_millis(100);
/// How often is looked for quiet ones.
const ROUND: Duration = Duration::from_secs(10);

/// A bounded number of sessions. One more ends the one that has been quiet longest.
pub(super) struct Sessions {
    inner: LocalSessionManager,
    known: Mutex<Known>,
    /// Tells that a session has fallen asleep.
    asleep: Notify,
    own: Weak<Sessions>,
}

impl Sessions {
    pub(super) fn new(max: usize, expiry: Duration) -> Arc<Self> {
        let mut config = SessionConfig::default();
        // Ours ends it before; this is for those that ours has lost.
        config.keep_alive = Some(expiry + ROUND * 2);
        let mut inner = LocalSessionManager::default();
        inner.session_config = config;
        Arc::new_cyclic(|own| Sessions {
            inner,
            known: Mutex::new(Known::new(max, expiry)),
            asleep: Notify::new(),
            own: Weak::clone(own),
        })
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        // Nothing in it can be half done.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A session has come or woken: others may have to sleep for it.
    async fn enter(&self, id: &SessionId) {
        let first = self.known().enter(id, Instant::now());
        if first {
            self.watch();
        }
        let tired = self.known().tired(PAUSE, AWAKE, Instant::now());
        self.put_to_sleep(tired).await;
    }

    /// Looks for quiet sessions as long as there are any.
    fn watch(&self) {
        let own = Weak::clone(&self.own);
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(ROUND).await;
                let Some(sessions) = own.upgrade() else { return };
                let now = Instant::now();
                let (expired, tired, any) = {
                    let mut known = sessions.known();
                    let expired = known.expired(now);
                    (expired, known.tired(NAP, 0, now), known.any())
                };
                for id in expired {
                    tracing::debug!(session = %id, "an MCP session has expired");
                    // It is forgotten; what cannot be closed is closed already.
                    let _ = sessions.inner.close_session(&id).await;
                }
                sessions.put_to_sleep(tired).await;
                if !any {
                    return;
                }
            }
        });
    }

    /// Ends what the SDK runs for them. It tells by [`SessionManager::close_session`] when that is done.
    async fn put_to_sleep(&self, tired: Vec<SessionId>) {
        for id in tired {
            let handle = self.inner.sessions.read().await.get(&id).cloned();
            let closed = match handle {
                Some(handle) => handle.close().await.is_err(),
                None => true,
            };
            // Nothing runs any more that could report the end.
            if closed {
                let _ = self.close_session(&id).await;
            }
        }
    }
}

impl SessionManager for Sessions {
    type Error = LocalSessionManagerError;
    type Transport = <LocalSessionManager as SessionManager>::Transport;

    async fn create_session(&self) -> Result<(SessionId, Self::Transport), Self::Error> {
        let surplus = self.known().surplus();
        for id in surplus {
            tracing::info!(session = %id, "ending the MCP session that was quiet longest: there are too many");
            self.inner.close_session(&id).await?;
        }
        let (id, transport) = self.inner.create_session().await?;
        self.enter(&id).await;
        Ok((id, transport))
    }

    async fn initialize_session(
        &self,
        id: &SessionId,
        message: ClientJsonRpcMessage,
    ) -> Result<ServerJsonRpcMessage, Self::Error> {
        self.inner.initialize_session(id, message).await
    }

    /// Asked before anything else is done in a session. One that sleeps is not there: it is loaded then.
    async fn has_session(&self, id: &SessionId) -> Result<bool, Self::Error> {
        loop {
            let mut asleep = std::pin::pin!(self.asleep.notified());
            // From here on no telling is missed.
            asleep.as_mut().enable();
            let heard = self.known().hear(id, Instant::now());
            match heard {
                known::Heard::FallingAsleep => asleep.await,
                known::Heard::Awake => return self.inner.has_session(id).await,
                known::Heard::AsleepOrUnknown => return Ok(false),
            }
        }
    }

    /// By the client, by the SDK when what it runs for the session has ended, or by [`Sessions::put_to_sleep`].
    async fn close_session(&self, id: &SessionId) -> Result<(), Self::Error> {
        let closed = self.inner.close_session(id).await;
        self.known().closed(id);
        self.asleep.notify_waiters();
        closed
    }

    async fn create_stream(
        &self,
        id: &SessionId,
        message: ClientJsonRpcMessage,
    ) -> Result<impl Stream<Item = ServerSseMessage> + Send + Sync + 'static, Self::Error> {
        let busy = self.known().busy(id);
        let stream = self.inner.create_stream(id, message).await?;
        // Held until the client has its answer or is gone.
        Ok(stream.map(move |event| {
            let _busy = &busy;
            event
        }))
    }

    async fn accept_message(&self, id: &SessionId, message: ClientJsonRpcMessage) -> Result<(), Self::Error> {
        self.inner.accept_message(id, message).await
    }

    /// It ends with the session, not when that falls asleep; from then on nothing comes on it.
    async fn create_standalone_stream(
        &self,
        id: &SessionId,
    ) -> Result<impl Stream<Item = ServerSseMessage> + Send + Sync + 'static, Self::Error> {
        let (listening, ended) =
            self.known().listen(id).ok_or_else(|| LocalSessionManagerError::SessionNotFound(SessionId::clone(id)))?;
        let said = self.inner.create_standalone_stream(id).await?;
        let said = said.chain(stream::pending()).map(move |event| {
            let _listening = &listening;
            event
        });
        Ok(said.take_until(ended.cancelled_owned()))
    }

    async fn resume(
        &self,
        id: &SessionId,
        last_event_id: String,
    ) -> Result<impl Stream<Item = ServerSseMessage> + Send + Sync + 'static, Self::Error> {
        // The stream of a request has its number behind a slash.
        if last_event_id.contains('/') {
            return self.inner.resume(id, last_event_id).await.map(StreamExt::left_stream);
        }
        self.create_standalone_stream(id).await.map(StreamExt::right_stream)
    }

    async fn restore_session(&self, id: SessionId) -> Result<RestoreOutcome<Self::Transport>, Self::Error> {
        let restored = self.inner.restore_session(SessionId::clone(&id)).await?;
        self.enter(&id).await;
        Ok(restored)
    }
}

#[async_trait]
impl SessionStore for Sessions {
    async fn load(&self, id: &str) -> Result<Option<SessionState>, SessionStoreError> {
        Ok(self.known().handshake(id))
    }

    async fn store(&self, id: &str, state: &SessionState) -> Result<(), SessionStoreError> {
        self.known().keep(id, state);
        Ok(())
    }

    async fn delete(&self, id: &str) -> Result<(), SessionStoreError> {
        self.known().forget(id);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
