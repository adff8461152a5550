//! Whose password is checked next.
//!
//! A check takes a whole processor for a while, so that only a few run at a time and few wait. When there are too many,
//! one has to go: the oldest of its kind. Who had to go and comes again with the same credentials has precedence over
//! those that come for the first time: who guesses sends others each time, who knows the password sends the same. Of
//! the rest the newest is next, since whoever has waited long may be gone.

use super::{Fingerprint, lock};
use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::Mutex;
use tokio::sync::oneshot;

/// Checks that may wait, for each that may run: at a cost of 10, less than a second's.
const MOST_WAITING: usize = 12;
/// Of these, from one address, and for users that there are not.
pub(super) const MOST_FROM_ONE: usize = 4;
/// Credentials that had to go and are known again.
const MOST_SENT_AWAY: usize = 256;

/// What a check is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Check {
    pub(super) from: Option<IpAddr>,
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
}

struct Waiting {
    check: Check,
    /// Whether it has precedence.
    came_again: bool,
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
            if state.running < self.at_once {
                state.running += 1;
                return Some(Turn(self));
            }
            state.enter(check, self.at_once)?
        };
        // Whoever is sent away finds the sender gone.
        going.await.ok().map(|()| Turn(self))
    }

    #[cfg(test)]
    pub(super) fn is_idle(&self) -> bool {
        let state = lock(&self.state);
        state.running == 0 && state.waiting.is_empty()
    }
}

impl State {
    /// A place among those who wait; none if all of them have precedence.
    fn enter(&mut self, check: Check, at_once: usize) -> Option<oneshot::Receiver<()>> {
        // Clients that went away wait for nothing.
        self.waiting.retain(|one| !one.go.is_closed());
        let came_again = self.sent_away.contains(&check.fingerprint);
        let (go, going) = oneshot::channel();
        let alike = |one: &Check| one.from == check.from && one.user_exists == check.user_exists;
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
            let Some(oldest) = self.waiting.iter().position(|one| kind(&one.check) && !one.came_again) else {
                self.send_away(check.fingerprint);
                return None;
            };
            let gone = self.waiting.remove(oldest);
            self.send_away(gone.check.fingerprint);
        }
        self.waiting.push(Waiting { check, came_again, go });
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
            let first = self.waiting.iter().position(|one| one.came_again);
            let next = self.waiting.remove(first.unwrap_or(self.waiting.len() - 1));
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
