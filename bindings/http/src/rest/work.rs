//! Work that takes a while, off the thread that serves.

use super::problem::{Kind, Problem};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;

/// A number of turns; who has none waits, but not for ever.
pub(super) struct Work {
    turns: Arc<Semaphore>,
    patience: Duration,
}

impl Work {
    pub(super) fn new(at_once: usize, patience: Duration) -> Self {
        Work { turns: Arc::new(Semaphore::new(at_once.clamp(1, Semaphore::MAX_PERMITS))), patience }
    }

    /// Does `work` on a blocking thread. A client that goes away does not end it, and its turn lasts until it
    /// has ended.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, Problem> + Send + 'static,
    ) -> Result<T, Problem> {
        let turn = tokio::time::timeout(self.patience, Arc::clone(&self.turns).acquire_owned()).await;
        // The inner error means that the semaphore is closed, which it never is.
        let Ok(Ok(turn)) = turn else {
            let waited = self.patience.as_secs_f64();
            return Err(Problem::new(Kind::Busy, format!("others were being answered for {waited} s; ask again")));
        };
        let done = tokio::task::spawn_blocking(move || {
            let outcome = work();
            drop(turn);
            outcome
        });
        done.await.unwrap_or_else(|error| {
            tracing::error!(%error, "an answer failed");
            Err(Problem::new(Kind::Internal, "the answer failed; the log of this program says more"))
        })
    }
}
