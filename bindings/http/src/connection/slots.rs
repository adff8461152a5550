//! Connection slots, and which connection is evicted.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

/// How long to let a connection that was asked to go do so, before another one is asked.
const EVICTION: Duration = Duration::from_millis(50);
/// A client that does not send the rest of its body, or take its answer, for this long has to give way to
/// others when there is no room. A segment lost once or twice comes sooner (RFC 6298, 2.4: one second and two).
const STALLED: Duration = Duration::from_secs(2);

/// The slots for connections.
#[derive(Debug)]
pub(crate) struct ConnectionSlots {
    free: Arc<Semaphore>,
    taken: Mutex<Vec<Weak<ConnectionSlot>>>,
}

impl ConnectionSlots {
    pub(crate) fn new(count: usize) -> Self {
        ConnectionSlots {
            free: Arc::new(Semaphore::new(count.clamp(1, Semaphore::MAX_PERMITS))),
            taken: Mutex::default(),
        }
    }

    /// A slot, for which another connection may have to go. Waits as long as all are busy.
    pub(crate) async fn take(&self) -> Arc<ConnectionSlot> {
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
        let slot = Arc::new(ConnectionSlot {
            _permit: permit,
            leave: Notify::new(),
            activity: Mutex::new(Activity {
                request: None,
                receiving: None,
                unsent: None,
                answer_by: None,
                waiting_since: Instant::now(),
            }),
        });
        let mut taken = lock(&self.taken);
        taken.retain(|slot| slot.strong_count() > 0);
        taken.push(Arc::downgrade(&slot));
        slot
    }

    /// Asks the connection that has waited longest for a request to go; if there is none, the one whose client
    /// has stalled longest.
    pub(crate) fn evict(&self) {
        let now = Instant::now();
        if !self.ask_oldest(|activity| activity.waiting()) {
            self.ask_oldest(|activity| activity.stalled(now));
        }
    }

    /// Asks the connection to go whose client has stalled longest, in a request of `kind` if given.
    pub(crate) fn evict_stalled(&self, kind: Option<RequestKind>) {
        let now = Instant::now();
        self.ask_oldest(|activity| activity.stalled(now).filter(|_| kind.is_none() || activity.request == kind));
    }

    fn ask_oldest(&self, since: impl Fn(&Activity) -> Option<Instant>) -> bool {
        let taken = lock(&self.taken);
        let candidates = taken.iter().filter_map(Weak::upgrade).filter_map(|slot| {
            let since = since(&lock(&slot.activity))?;
            Some((since, slot))
        });
        let oldest = candidates.min_by_key(|(since, _)| *since);
        if let Some((_, slot)) = &oldest {
            slot.leave.notify_one();
        }
        oldest.is_some()
    }
}

/// The class of a request, which decides the connections it may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RequestKind {
    /// Health and readiness: tiny answers, at once.
    Probe,
    /// The exposition.
    Scrape,
    /// Everything else.
    Other,
}

/// The slot of one connection.
#[derive(Debug)]
pub(crate) struct ConnectionSlot {
    _permit: OwnedSemaphorePermit,
    leave: Notify,
    activity: Mutex<Activity>,
}

/// What a connection is about.
#[derive(Clone, Copy, Debug)]
struct Activity {
    /// The request that is being answered.
    request: Option<RequestKind>,
    /// Since when the rest of its body has not come.
    receiving: Option<Instant>,
    /// Since when the client has not taken all that was written.
    unsent: Option<Instant>,
    /// When the client must have taken the whole answer.
    answer_by: Option<Instant>,
    /// Since when there has been no request.
    waiting_since: Instant,
}

impl Activity {
    fn waiting(&self) -> Option<Instant> {
        (self.request.is_none() && self.unsent.is_none()).then_some(self.waiting_since)
    }

    fn stalled(&self, now: Instant) -> Option<Instant> {
        let since = [self.receiving, self.unsent].into_iter().flatten().min()?;
        (now.saturating_duration_since(since) >= STALLED).then_some(since)
    }
}

impl ConnectionSlot {
    /// Resolves when the connection is to go, which it does only while it waits for its client.
    pub(crate) async fn evicted(&self) {
        loop {
            self.leave.notified().await;
            let activity = *lock(&self.activity);
            if activity.waiting().or(activity.stalled(Instant::now())).is_some() {
                return;
            }
        }
    }

    /// Marks the connection as busy until the guard is dropped.
    pub(crate) fn request(self: &Arc<Self>, kind: RequestKind) -> BusyRequest {
        self.change(|activity| activity.request = Some(kind));
        BusyRequest(Arc::clone(self))
    }

    /// The client has a part of its request still to send, or has sent something.
    pub(crate) fn set_receiving(&self, receiving: bool) {
        self.change(|activity| activity.receiving = receiving.then(Instant::now));
    }

    /// The client has a part of its answer still to take, or has taken all.
    pub(super) fn set_unsent(&self, unsent: bool) {
        self.change(|activity| activity.unsent = unsent.then(Instant::now));
    }

    /// The whole answer must have been taken by then.
    pub(crate) fn set_answer_by(&self, time: Option<Instant>) {
        self.change(|activity| activity.answer_by = time);
    }

    pub(super) fn answer_by(&self) -> Option<Instant> {
        lock(&self.activity).answer_by
    }

    fn change(&self, change: impl FnOnce(&mut Activity)) {
        let mut activity = lock(&self.activity);
        change(&mut activity);
        activity.waiting_since = Instant::now();
    }
}

/// A request being answered.
#[derive(Debug)]
pub(crate) struct BusyRequest(Arc<ConnectionSlot>);

impl Drop for BusyRequest {
    fn drop(&mut self) {
        self.0.change(|activity| {
            activity.request = None;
            activity.receiving = None;
            activity.answer_by = None;
        });
    }
}

/// What is kept here is valid after every single step, so a panic elsewhere spoils nothing.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
