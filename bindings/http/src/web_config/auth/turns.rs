//! Whose password is checked next.
//!
//! A check takes a whole processor for a while, so that only a few run at a time and few wait. When there are too many,
//! one has to go: the oldest of its kind. Who had to go and comes again with the same credentials has precedence over
//! those that come for the first time: who guesses sends others each time, who knows the password sends the same. For
//! the same reason a connection over which other credentials came before is behind one over which these are the first,
//! and addresses from which wrong ones came are behind all others, however many connections they open.
//! Of the rest the newest is next, since a client that has waited long may be gone.

mod origins;

use super::{Fingerprint, lock};
use origins::{Origin, Origins};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Mutex;
use tokio::sync::oneshot;

/// Checks that may wait, for each that may run: at a cost of 10, less than a second's.
const MOST_WAITING: usize = 12;
/// Of these, from one address, and for users that there are not.
pub(super) const MOST_FROM_ONE: usize = 4;
/// Credentials that had to go and are known again.
const MOST_SENT_AWAY: usize = 256;
/// Connections whose last credentials are known: as many as may be open.
const MOST_CONNECTIONS: usize = 1024;

/// What a check is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Check {
    /// The connection.
    pub(super) from: Option<SocketAddr>,
    pub(super) user_exists: bool,
    pub(super) fingerprint: Fingerprint,
}

/// The checks that run and wait.
pub(super) struct Turns {
    at_once: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    running: usize,
    waiting: Vec<Waiting>,
    sent_away: VecDeque<Fingerprint>,
    connections: VecDeque<Connection>,
    origins: Origins,
}

/// What came over a connection.
struct Connection {
    from: SocketAddr,
    last: Fingerprint,
    /// Whether different credentials came.
    guesses: bool,
}

/// In the order in which they are let go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    /// It had to go before.
    CameAgain,
    First,
    /// It had to go before, and wrong ones came from its address.
    SuspectCameAgain,
    /// Wrong ones came from its address.
    Suspect,
    /// Others came over its connection.
    Guess,
}

impl Rank {
    /// Those that came again are taken in their order, and do not give way to others of their rank.
    fn came_again(self) -> bool {
        matches!(self, Rank::CameAgain | Rank::SuspectCameAgain)
    }
}

struct Waiting {
    check: Check,
    rank: Rank,
    go: oneshot::Sender<()>,
}

/// Leave to check, until dropped.
pub(super) struct Turn<'a>(&'a Turns);

impl Turns {
    /// With up to `at_once` checks at a time.
    pub(super) fn new(at_once: usize) -> Self {
        Turns { at_once: at_once.max(1), state: Mutex::default() }
    }

    /// Waits for a turn; none where another one's was more urgent.
    pub(super) async fn wait(&self, check: Check) -> Option<Turn<'_>> {
        let going = {
            let mut state = lock(&self.state);
            let rank = state.rank(&check);
            if state.running < self.at_once {
                state.running += 1;
                return Some(Turn(self));
            }
            state.enter(check, rank, self.at_once)?
        };
        // A client that is rejected finds the sender gone.
        going.await.ok().map(|()| Turn(self))
    }

    /// What a check came to.
    pub(super) fn learn(&self, from: Option<SocketAddr>, is_right: bool) {
        if let Some(from) = from {
            lock(&self.state).origins.learn(Origin::of(from.ip()), is_right);
        }
    }

    #[cfg(test)]
    pub(super) fn is_suspect(&self, from: Option<SocketAddr>) -> bool {
        from.is_some_and(|from| lock(&self.state).origins.is_suspect(Origin::of(from.ip())))
    }

    #[cfg(test)]
    pub(super) fn is_idle(&self) -> bool {
        let state = lock(&self.state);
        state.running == 0 && state.waiting.is_empty()
    }
}

impl State {
    /// How urgent a check is, by what came from its address and over its connection before.
    fn rank(&mut self, check: &Check) -> Rank {
        let guesses = check.from.is_some_and(|from| self.guesses(from, check.fingerprint));
        let is_suspect = check.from.is_some_and(|from| self.origins.is_suspect(Origin::of(from.ip())));
        match (is_suspect, self.sent_away.contains(&check.fingerprint)) {
            (false, true) => Rank::CameAgain,
            (true, true) => Rank::SuspectCameAgain,
            _ if guesses => Rank::Guess,
            (false, false) => Rank::First,
            (true, false) => Rank::Suspect,
        }
    }

    fn guesses(&mut self, from: SocketAddr, fingerprint: Fingerprint) -> bool {
        if let Some(known) = self.connections.iter_mut().find(|known| known.from == from) {
            known.guesses |= known.last != fingerprint;
            known.last = fingerprint;
            return known.guesses;
        }
        if self.connections.len() >= MOST_CONNECTIONS {
            self.connections.pop_front();
        }
        self.connections.push_back(Connection { from, last: fingerprint, guesses: false });
        false
    }

    /// A place among those who wait; none if all of them are more urgent.
    fn enter(&mut self, check: Check, rank: Rank, at_once: usize) -> Option<oneshot::Receiver<()>> {
        // Clients that went away wait for nothing.
        self.waiting.retain(|one| !one.go.is_closed());
        let (go, going) = oneshot::channel();
        let address = |check: &Check| check.from.map(|from| Origin::of(from.ip()));
        let alike = |one: &Check| address(one) == address(&check) && one.user_exists == check.user_exists;
        let unknown = |one: &Check| !one.user_exists && !check.user_exists;
        let count = |of: &dyn Fn(&Check) -> bool| self.waiting.iter().filter(|one| of(&one.check)).count();
        let full: Option<&dyn Fn(&Check) -> bool> = if count(&alike) >= MOST_FROM_ONE * at_once {
            Some(&alike)
        } else if count(&unknown) >= MOST_FROM_ONE * at_once {
            Some(&unknown)
        } else if self.waiting.len() >= MOST_WAITING * at_once {
            Some(&|_| true)
        } else {
            None
        };
        if let Some(kind) = full {
            // Of those that are least urgent the oldest.
            let of_kind = self.waiting.iter().enumerate().filter(|(_, one)| kind(&one.check));
            let least = of_kind.reduce(|a, b| if b.1.rank > a.1.rank { b } else { a });
            let gives_way = |one: &Waiting| one.rank > rank || (one.rank == rank && !rank.came_again());
            let Some((oldest, _)) = least.filter(|(_, one)| gives_way(one)) else {
                self.send_away(check.fingerprint);
                return None;
            };
            let gone = self.waiting.remove(oldest);
            self.send_away(gone.check.fingerprint);
        }
        self.waiting.push(Waiting { check, rank, go });
        Some(going)
    }

    fn send_away(&mut self, fingerprint: Fingerprint) {
        if self.sent_away.len() >= MOST_SENT_AWAY {
            self.sent_away.pop_front();
        }
        self.sent_away.push_back(fingerprint);
    }

    /// Lets the next one go; whether there is any.
    fn next(&mut self) -> bool {
        while !self.waiting.is_empty() {
            let ranks = self.waiting.iter().enumerate().map(|(index, one)| (index, one.rank));
            // Of those that came again the first, of all others the newest.
            let most = ranks.reduce(|a, b| if b.1 < a.1 || (b.1 == a.1 && !b.1.came_again()) { b } else { a });
            let Some((index, _)) = most else { return false };
            let next = self.waiting.remove(index);
            // It fails where the client has gone away meanwhile.
            if next.go.send(()).is_ok() {
                return true;
            }
        }
        false
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut state = lock(&self.0.state);
        if !state.next() {
            state.running = state.running.saturating_sub(1);
        }
    }
}
