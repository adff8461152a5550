//! A limit on concurrent work.

use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;

/// A number of permits, shared by its clones, for work that is done off the threads that serve. A request that
/// finds no free permit waits for a limited time.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// use kepler_guard::WorkLimit;
/// use std::time::Duration;
///
/// let limit = WorkLimit::new(4, Duration::from_secs(10));
/// assert_eq!(limit.run(|| 6 * 7).await.unwrap(), 42);
/// # });
/// ```
#[derive(Clone, Debug)]
pub struct WorkLimit {
    turns: Arc<Semaphore>,
    patience: Duration,
}

/// Why work was not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WorkError {
    /// No turn came in time.
    #[error("others were being answered for {} s; ask again", waited.as_secs_f64())]
    Busy {
        /// How long was waited.
        waited: Duration,
    },
    /// The work ended by a panic, which the log shows.
    #[error("the answer failed; the log of this program says more")]
    Failed,
}

impl WorkLimit {
    /// Up to `at_once` concurrent pieces of work, at least 1; further ones wait for `patience` at most.
    #[must_use]
    pub fn new(at_once: usize, patience: Duration) -> Self {
        WorkLimit { turns: Arc::new(Semaphore::new(at_once.clamp(1, Semaphore::MAX_PERMITS))), patience }
    }

    /// Does `work` on a blocking thread of the runtime. A client that goes away does not end it, and its turn
    /// lasts until it has ended.
    ///
    /// # Errors
    /// [`WorkError::Busy`] when no turn came in time, [`WorkError::Failed`] when `work` panicked.
    pub async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, WorkError> {
        let turn = tokio::time::timeout(self.patience, Arc::clone(&self.turns).acquire_owned()).await;
        // The inner error means that the semaphore is closed, which it never is.
        let Ok(Ok(turn)) = turn else { return Err(WorkError::Busy { waited: self.patience }) };
        let done = tokio::task::spawn_blocking(move || {
            let outcome = work();
            drop(turn);
            outcome
        });
        done.await.map_err(|error| {
            tracing::error!(%error, "an answer failed");
            WorkError::Failed
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc;

    #[tokio::test]
    async fn clones_share_the_turns_and_a_caller_that_finds_none_gets_an_error() {
        let limit = WorkLimit::new(1, Duration::from_millis(20));
        let (release, released) = mpsc::channel::<()>();
        let (started, starting) = tokio::sync::oneshot::channel();
        let other = limit.clone();
        let first = tokio::spawn(async move {
            other
                .run(move || {
                    let _ = started.send(());
                    let _ = released.recv();
                })
                .await
        });
        starting.await.unwrap();
        assert!(matches!(limit.run(|| ()).await, Err(WorkError::Busy { .. })));
        drop(release);
        assert_eq!(first.await.unwrap(), Ok(()));
        assert_eq!(limit.run(|| 7).await, Ok(7));
    }

    #[tokio::test]
    async fn no_more_than_the_limit_are_ever_at_work() {
        let limit = WorkLimit::new(3, Duration::from_secs(60));
        let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let all = (0..24).map(|_| {
            let (limit, now, most) = (limit.clone(), Arc::clone(&now), Arc::clone(&most));
            tokio::spawn(async move {
                limit
                    .run(move || {
                        most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                        std::thread::sleep(Duration::from_millis(2));
                        now.fetch_sub(1, Ordering::SeqCst);
                    })
                    .await
            })
        });
        for one in all.collect::<Vec<_>>() {
            assert_eq!(one.await.unwrap(), Ok(()));
        }
        assert!(most.load(Ordering::SeqCst) <= 3);
    }
}
