//! Requests under way: shares of the connections, so that one kind of request cannot keep another out.

use super::slots::{ConnectionSlots, RequestKind};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How long a request waits for one whose client has stalled to give way.
const HAND_OVER: Duration = Duration::from_millis(250);
/// The most connections that are kept for probes, and for scrapes.
const MOST_RESERVED: usize = 16;

/// The shares of requests in the connections of a server.
#[derive(Debug)]
pub(crate) struct RequestShares {
    scrapes: Arc<Semaphore>,
    others: Arc<Semaphore>,
    streams: Arc<Semaphore>,
    /// Requests that wait for one of another kind to give way: few, since each holds a connection.
    waiting: Arc<Semaphore>,
}

/// A part of a share, given back when dropped.
pub(crate) type Share = Option<OwnedSemaphorePermit>;

impl RequestShares {
    /// For a server of `connections`: a sixteenth is kept for probes, a quarter for scrapes, 16 of each at most;
    /// of the rest half may be streams. Fewer than four connections cannot be shared.
    pub(crate) fn new(connections: usize) -> Self {
        let (probes, scrapes) = match connections {
            0..4 => (0, 0),
            _ => ((connections / 16).clamp(1, MOST_RESERVED), (connections / 4).clamp(1, MOST_RESERVED)),
        };
        let others = connections.saturating_sub(probes + scrapes).max(1);
        let semaphore = |count: usize| Arc::new(Semaphore::new(count.min(Semaphore::MAX_PERMITS)));
        RequestShares {
            scrapes: semaphore(scrapes),
            others: semaphore(others),
            streams: semaphore(others.div_ceil(2)),
            waiting: semaphore(probes.div_ceil(2).max(1)),
        }
    }

    /// A share for a request of `kind`, for which one whose client has stalled may have to go.
    ///
    /// # Errors
    /// There is none.
    pub(crate) async fn take(&self, kind: RequestKind, slots: &ConnectionSlots) -> Result<Share, NoShare> {
        let own = match kind {
            RequestKind::Probe => return Ok(None),
            RequestKind::Scrape => &self.scrapes,
            RequestKind::Other => &self.others,
        };
        // A scrape may use what others leave, and not the other way round.
        let free = || try_take(own).or_else(|| try_take(&self.others).filter(|_| kind == RequestKind::Scrape));
        if let Some(share) = free() {
            return Ok(Some(share));
        }
        slots.evict_stalled(Some(kind));
        let Some(_waiting) = try_take(&self.waiting) else { return Err(NoShare) };
        match tokio::time::timeout(HAND_OVER, Arc::clone(own).acquire_owned()).await {
            Ok(Ok(share)) => Ok(Some(share)),
            _ => free().map(Some).ok_or(NoShare),
        }
    }

    /// A share for an answer that does not end by itself.
    ///
    /// # Errors
    /// There is none.
    pub(crate) fn take_stream(&self) -> Result<Share, NoShare> {
        try_take(&self.streams).map(Some).ok_or(NoShare)
    }
}

fn try_take(share: &Arc<Semaphore>) -> Share {
    Arc::clone(share).try_acquire_owned().ok()
}

/// All shares of a kind are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NoShare;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_the_number_of_connections_the_shares_fit_into_it_and_each_kind_has_one() {
        for connections in 1..2000 {
            let shares = RequestShares::new(connections);
            let (scrapes, others) = (shares.scrapes.available_permits(), shares.others.available_permits());
            assert!(others >= 1 && shares.streams.available_permits() >= 1, "{connections}");
            if connections >= 4 {
                assert!(scrapes >= 1 && scrapes + others < connections, "{connections}: probes have one");
                assert!(shares.streams.available_permits() < scrapes + others);
            } else {
                assert_eq!(others, connections.max(1));
            }
        }
    }
}
