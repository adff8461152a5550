//! A list, and then what changes, until the receiver is gone.

use super::super::access::Access;
use super::super::failure::SourceFailure;
use super::super::pace::{Backoff, pause};
use super::Connection;
use super::watch::{Collection, Event, Watch, Watched};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// A watch that has lasted for so long was one, also if nothing has happened.
const LONG: Duration = Duration::from_secs(5);

/// The server sends a bookmark each minute, up to 75 s apart (Kubernetes 1.36, watch cache): two of them are missing.
pub(in crate::kubernetes) const SILENCE: Duration = Duration::from_secs(150);

/// What can be followed.
pub(in crate::kubernetes) trait Followed {
    /// What the server sends.
    type Object: Watched;
    /// What is made of it.
    type Item;

    fn access(&self) -> &Access;
    /// A watch that says nothing for so long is dead, and another one goes on from there.
    fn silence(&self) -> Duration {
        SILENCE
    }
    fn collection(&self) -> Collection;
    fn item(&self, object: Self::Object) -> Self::Item;
    /// All there are, and the moment of the cluster's history that shows.
    fn list(&self, connection: &Connection) -> Result<(Vec<Self::Item>, String), SourceFailure>;
    /// Whether a watch is asked for what there is, instead of a list: less for the server to hold at once. It needs a
    /// recent etcd; without it the list is asked for.
    fn lists_by_watch(&self) -> bool {
        false
    }
}

/// What a follower hears.
#[derive(Debug)]
pub(in crate::kubernetes) enum News<T> {
    /// All there are.
    List(Vec<T>),
    /// What happened to one.
    Event(Event<T>),
    /// It cannot be followed now.
    Refused(SourceFailure),
}

/// Follows on the calling thread, until `hear` says that there is no listener left, or `stop` is set.
pub(in crate::kubernetes) fn follow<F: Followed>(
    followed: &F,
    mut hear: impl FnMut(News<F::Item>) -> bool,
    stop: &AtomicBool,
) {
    let (mut backoff, mut by_watch) = (Backoff::default(), followed.lists_by_watch());
    let mut tell = |news| hear(news) && !stop.load(Ordering::Acquire);
    loop {
        let Err(refusal) = once(followed, &mut tell, &mut backoff, &mut by_watch) else { return };
        // A list that has to be made again is no fault. Many followers learn of it at the same time, so each waits a little.
        let (is_expired, retry_after) = (refusal.fault == "expired", refusal.retry_after.unwrap_or_default());
        if !is_expired && !tell(News::Refused(refusal)) {
            return;
        }
        pause(backoff.next().max(retry_after));
        if stop.load(Ordering::Acquire) {
            return;
        }
    }
}

/// What there is, and the watches that go on from it. `Ok` when there is no listener left.
fn once<F: Followed>(
    followed: &F,
    tell: &mut impl FnMut(News<F::Item>) -> bool,
    backoff: &mut Backoff,
    by_watch: &mut bool,
) -> Result<(), SourceFailure> {
    let (connection, collection) =
        (Connection::with_silence(followed.access(), followed.silence())?, followed.collection());
    let mut watch = None;
    let mut version = String::new();
    if *by_watch {
        match initial(followed, &connection, &collection) {
            Ok((items, begun)) => {
                if !tell(News::List(items)) {
                    return Ok(());
                }
                watch = Some(begun);
            }
            Err(refusal) if matches!(refusal.fault, "watch" | "status" | "broken") => {
                tracing::debug!("listing, as no watch can begin with what there is: {}", refusal.reason);
                *by_watch = false;
            }
            Err(refusal) => return Err(refusal),
        }
    }
    if watch.is_none() {
        let (items, listed) = followed.list(&connection)?;
        version = listed;
        if !tell(News::List(items)) {
            return Ok(());
        }
    }
    loop {
        let mut under_way = match watch.take() {
            Some(begun) => begun,
            None => Watch::begin(&connection, &collection, Some(&version))?,
        };
        let begun = Instant::now();
        let mut events = 0_u64;
        while let Some(event) = under_way.next()? {
            events += 1;
            let event = match event {
                Event::Present(object) => Event::Present(Box::new(followed.item(*object))),
                Event::Gone(uid) => Event::Gone(uid),
                Event::Bookmark(is_end) => Event::Bookmark(is_end),
            };
            if !tell(News::Event(event)) {
                return Ok(());
            }
        }
        version.clone_from(&under_way.resource_version);
        if events > 0 || begun.elapsed() >= LONG {
            *backoff = Backoff::default();
        } else {
            // A server that ends watches at once is not asked in a loop.
            pause(backoff.next());
        }
    }
}

/// What there is, and the watch that listed it.
type Begun<F> = (Vec<<F as Followed>::Item>, Watch<<F as Followed>::Object>);

/// A watch that begins with what there is.
fn initial<F: Followed>(
    followed: &F,
    connection: &Connection,
    collection: &Collection,
) -> Result<Begun<F>, SourceFailure> {
    let mut watch = Watch::begin(connection, collection, None)?;
    let mut items = Vec::new();
    while let Some(event) = watch.next()? {
        match event {
            Event::Present(object) => items.push(followed.item(*object)),
            Event::Bookmark(true) => return Ok((items, watch)),
            Event::Gone(_) | Event::Bookmark(false) => {}
        }
    }
    let reason = "the API server's watch ended before it had listed what there is";
    Err(SourceFailure::new("broken", reason, kepler_core::availability::Remedy::Wait))
}
