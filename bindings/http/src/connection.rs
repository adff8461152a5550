//! Connections: how many, and which one goes when there are too many.
//!
//! A client may open connections and send nothing, send headers one byte at a time, or take an
//! answer one byte at a time. The first two only *wait*: when the places are taken, whoever has
//! waited longest goes, so that a newcomer gets a place at once. The third has to take what is
//! buffered for it within a time, or is cut off.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Sleep};

/// How long to let a connection that was told to go do so, before another one is told.
const EVICTION: Duration = Duration::from_millis(50);

/// The places for connections.
#[derive(Debug)]
pub(crate) struct Places {
    free: Arc<Semaphore>,
    taken: Mutex<Vec<Weak<Place>>>,
}

impl Places {
    pub(crate) fn new(count: usize) -> Self {
        Places { free: Arc::new(Semaphore::new(count.clamp(1, Semaphore::MAX_PERMITS))), taken: Mutex::default() }
    }

    /// A place, for which another connection may have to go. Waits as long as all are busy.
    pub(crate) async fn take(&self) -> Arc<Place> {
        let permit = loop {
            if let Ok(permit) = Arc::clone(&self.free).try_acquire_owned() {
                break permit;
            }
            self.evict();
            // Only an error if the semaphore is closed, which it never is.
            if let Ok(Ok(permit)) = tokio::time::timeout(EVICTION, Arc::clone(&self.free).acquire_owned()).await {
                break permit;
            }
        };
        let place = Arc::new(Place {
            _permit: permit,
            leave: Notify::new(),
            doing: Mutex::new(Doing { request: false, unsent: false, since: Instant::now() }),
        });
        let mut taken = lock(&self.taken);
        taken.retain(|place| place.strong_count() > 0);
        taken.push(Arc::downgrade(&place));
        place
    }

    /// Tells the connection that has waited longest to go.
    fn evict(&self) {
        let taken = lock(&self.taken);
        let waiting = taken.iter().filter_map(Weak::upgrade).filter_map(|place| Some((place.waiting_since()?, place)));
        if let Some((_, place)) = waiting.min_by_key(|(since, _)| *since) {
            place.leave.notify_one();
        }
    }
}

/// The place of one connection.
#[derive(Debug)]
pub(crate) struct Place {
    _permit: OwnedSemaphorePermit,
    leave: Notify,
    doing: Mutex<Doing>,
}

#[derive(Clone, Copy, Debug)]
struct Doing {
    /// A request is being answered.
    request: bool,
    /// The client has not taken all that was written.
    unsent: bool,
    /// When that last changed.
    since: Instant,
}

impl Place {
    /// Resolves when the connection is to go, which it does only while it waits for its client.
    pub(crate) async fn evicted(&self) {
        loop {
            self.leave.notified().await;
            if self.waiting_since().is_some() {
                return;
            }
        }
    }

    /// Marks the connection as busy until the guard is dropped.
    pub(crate) fn request(self: &Arc<Self>) -> Request {
        self.change(|doing| doing.request = true);
        Request(Arc::clone(self))
    }

    fn waiting_since(&self) -> Option<Instant> {
        let doing = *lock(&self.doing);
        (!doing.request && !doing.unsent).then_some(doing.since)
    }

    fn change(&self, change: impl FnOnce(&mut Doing)) {
        let mut doing = lock(&self.doing);
        change(&mut doing);
        doing.since = Instant::now();
    }
}

/// A request being answered.
#[derive(Debug)]
pub(crate) struct Request(Arc<Place>);

impl Drop for Request {
    fn drop(&mut self) {
        self.0.change(|doing| doing.request = false);
    }
}

/// What is kept here is valid after every single step, so a panic elsewhere spoils nothing.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A stream whose other end has to take what is written within a time.
///
/// The time runs from the first write that has to wait until all that is buffered has gone (at most
/// one HTTP buffer), so reading one byte at a time does not extend it.
pub(crate) struct Impatient<S> {
    stream: S,
    place: Arc<Place>,
    timeout: Duration,
    deadline: Option<Pin<Box<Sleep>>>,
}

impl<S: AsyncWrite + Unpin> Impatient<S> {
    pub(crate) fn new(stream: S, place: Arc<Place>, timeout: Duration) -> Self {
        Impatient { stream, place, timeout, deadline: None }
    }

    fn watch<T>(&mut self, cx: &mut Context<'_>, result: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if result.is_pending() && self.deadline.is_none() {
            self.place.change(|doing| doing.unsent = true);
            self.deadline = Some(Box::pin(tokio::time::sleep(self.timeout)));
        }
        if let Some(deadline) = &mut self.deadline
            && deadline.as_mut().poll(cx).is_ready()
        {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        result
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Impatient<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Impatient<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.watch(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.watch(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    /// Called when everything buffered above has been written.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(cx);
        ready!(self.watch(cx, flushed))?;
        if self.deadline.take().is_some() {
            self.place.change(|doing| doing.unsent = false);
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let shut = Pin::new(&mut self.stream).poll_shutdown(cx);
        self.watch(cx, shut)
    }
}
