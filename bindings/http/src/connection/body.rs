//! Request bodies: a time limit for each, and a limit in bytes for all together.

use super::slots::{ConnectionSlot, ConnectionSlots};
use axum::body::{Body, Bytes};
use axum::http::header::{CONNECTION, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use http_body::{Frame, SizeHint};
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Sleep};

/// The bytes of all bodies that are held at a time.
#[derive(Debug)]
pub(crate) struct BodyBudget(Arc<Semaphore>);

impl BodyBudget {
    pub(crate) fn new(bytes: usize) -> Self {
        BodyBudget(Arc::new(Semaphore::new(bytes.min(Semaphore::MAX_PERMITS))))
    }
}

/// What a server asks of the bodies of its requests.
#[derive(Debug)]
pub(crate) struct BodyLimits {
    pub(crate) timeout: Duration,
    pub(crate) budget: BodyBudget,
}

/// What became of a body; held until its request is answered, and with it the bytes that were counted.
#[derive(Clone, Debug, Default)]
pub(crate) struct BodyOutcome(Arc<Mutex<Outcome>>);

#[derive(Debug, Default)]
struct Outcome {
    failure: Option<BodyFailure>,
    held: Option<OwnedSemaphorePermit>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
enum BodyFailure {
    #[error("the body took longer than {} s", .0.as_secs_f64())]
    TooSlow(Duration),
    #[error("the bodies of other requests fill the memory that is kept for them; try again")]
    NoRoom,
}

impl BodyOutcome {
    fn change<T>(&self, change: impl FnOnce(&mut Outcome) -> T) -> T {
        // Valid after every step, so a panic elsewhere spoils nothing.
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn fail(&self, failure: BodyFailure) -> io::Error {
        self.change(|outcome| outcome.failure = Some(failure));
        io::Error::other(failure)
    }

    /// The answer that says why the body was not read, in place of what a handler made of a body cut short.
    pub(crate) fn rejection(&self) -> Option<Response> {
        let failure = self.change(|outcome| outcome.failure)?;
        let status = match failure {
            BodyFailure::TooSlow(_) => StatusCode::REQUEST_TIMEOUT,
            BodyFailure::NoRoom => StatusCode::SERVICE_UNAVAILABLE,
        };
        let mut response = (status, [(CONNECTION, "close")], format!("{failure}\n")).into_response();
        if status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("5"));
        }
        Some(response)
    }
}

/// A request's body within its limits.
pub(crate) struct LimitedBody {
    body: Body,
    deadline: Pin<Box<Sleep>>,
    slot: Arc<ConnectionSlot>,
    slots: Arc<ConnectionSlots>,
    limits: Arc<BodyLimits>,
    outcome: BodyOutcome,
    receiving: bool,
}

impl LimitedBody {
    pub(crate) fn new(
        body: Body,
        slot: Arc<ConnectionSlot>,
        slots: Arc<ConnectionSlots>,
        limits: Arc<BodyLimits>,
        outcome: BodyOutcome,
    ) -> Self {
        let deadline = Box::pin(tokio::time::sleep_until(Instant::now() + limits.timeout));
        LimitedBody { body, deadline, slot, slots, limits, outcome, receiving: false }
    }

    /// Counts `bytes` until the request is answered.
    fn count(&self, bytes: usize) -> io::Result<()> {
        let count = u32::try_from(bytes).unwrap_or(u32::MAX);
        let Ok(permit) = Arc::clone(&self.limits.budget.0).try_acquire_many_owned(count) else {
            // For the next one.
            self.slots.evict_stalled(None);
            return Err(self.outcome.fail(BodyFailure::NoRoom));
        };
        self.outcome.change(|outcome| match &mut outcome.held {
            Some(held) => held.merge(permit),
            None => outcome.held = Some(permit),
        });
        Ok(())
    }

    /// From the first wait to the end of the body, so that a byte now and then is no progress.
    fn set_receiving(&mut self, receiving: bool) {
        if self.receiving != receiving {
            self.receiving = receiving;
            self.slot.set_receiving(receiving);
        }
    }
}

impl http_body::Body for LimitedBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        if polled.is_pending() {
            self.set_receiving(true);
            ready!(self.deadline.as_mut().poll(cx));
            let timeout = self.limits.timeout;
            return Poll::Ready(Some(Err(self.outcome.fail(BodyFailure::TooSlow(timeout)))));
        }
        if self.body.is_end_stream() {
            self.set_receiving(false);
        }
        let Some(frame) = ready!(polled) else { return Poll::Ready(None) };
        let frame = frame.map_err(io::Error::other)?;
        if let Some(data) = frame.data_ref() {
            self.count(data.len())?;
        }
        // One that never pauses for long may still take too long.
        if self.deadline.as_mut().poll(cx).is_ready() && !self.body.is_end_stream() {
            let timeout = self.limits.timeout;
            return Poll::Ready(Some(Err(self.outcome.fail(BodyFailure::TooSlow(timeout)))));
        }
        Poll::Ready(Some(Ok(frame)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
