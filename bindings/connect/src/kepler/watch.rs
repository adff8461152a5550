//! A polling thread.

use super::KeplerView;
use jiff::Timestamp;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// Polls as long as it lives; dropping it waits for the poll that runs.
#[derive(Debug)]
#[must_use = "polling stops when this is dropped"]
pub struct PollingThread {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl KeplerView {
    /// Polls at once and then every `interval`, on a thread of its own.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn watch(self: &Arc<Self>, interval: Duration) -> io::Result<PollingThread> {
        let (view, (stop, stopped)) = (self.clone(), channel());
        let poll = move || {
            let mut due = Instant::now();
            loop {
                view.poll(Timestamp::now());
                // On an absolute schedule; polls that took too long are left out, not caught up on.
                let now = Instant::now();
                due = due.checked_add(interval).map_or(now, |due| due.max(now));
                match stopped.recv_timeout(due.saturating_duration_since(now)) {
                    Err(RecvTimeoutError::Timeout) => {}
                    Ok(()) | Err(RecvTimeoutError::Disconnected) => return,
                }
            }
        };
        let thread = thread::Builder::new().name("kepler-watch".into()).spawn(poll)?;
        Ok(PollingThread { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for PollingThread {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic in the thread has been reported where it happened.
            let _ = thread.join();
        }
    }
}
