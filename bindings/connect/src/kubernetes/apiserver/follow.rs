//! A list, and then what changes, for as long as anybody listens.

use super::super::pace::{Backoff, pause};
use super::super::refusal::Refusal;
use super::watch::Event;
use super::{ApiServer, Connection};
use kepler_core::directory::PodEntry;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;
use std::thread::Thread;

/// What a follower hears.
#[derive(Debug)]
pub(in crate::kubernetes) enum News {
    /// All pods there are.
    List(Vec<PodEntry>),
    /// What happened to one.
    Event(Event),
    /// It cannot be followed now.
    Refused(Refusal),
}

/// Follows the node's pods on the calling thread, and wakes `listener` when there is news.
pub(in crate::kubernetes) fn follow(
    server: &ApiServer,
    news: &Sender<News>,
    listener: &Thread,
    stop: &Arc<AtomicBool>,
) {
    let mut backoff = Backoff::default();
    let tell = |what: News| {
        let heard = news.send(what).is_ok();
        listener.unpark();
        heard && !stop.load(Ordering::Acquire)
    };
    loop {
        let outcome = once(server, &tell, &mut backoff);
        let Err(refusal) = outcome else { return };
        // A list that has to be made again is no fault; many agents are told so at once, so not all of them at once.
        let is_expired = refusal.fault == "expired";
        if !is_expired && !tell(News::Refused(refusal)) {
            return;
        }
        pause(backoff.next());
        if stop.load(Ordering::Acquire) {
            return;
        }
    }
}

/// One list and the watches that go on from it. `Ok` when nobody listens any more.
fn once(server: &ApiServer, tell: &impl Fn(News) -> bool, backoff: &mut Backoff) -> Result<(), Refusal> {
    let connection = Connection::open(&server.access)?;
    let list = server.list_pods(&connection)?;
    let mut version = list.resource_version;
    if !tell(News::List(list.pods)) {
        return Ok(());
    }
    loop {
        let mut watch = server.watch(&connection, &version)?;
        let mut events = 0_u64;
        while let Some(event) = watch.next()? {
            events += 1;
            if !tell(News::Event(event)) {
                return Ok(());
            }
        }
        version.clone_from(&watch.resource_version);
        if events > 0 {
            *backoff = Backoff::default();
        } else {
            // A server that ends watches at once is not asked in a loop.
            pause(backoff.next());
        }
    }
}
