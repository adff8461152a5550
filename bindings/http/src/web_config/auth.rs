//! Basic authentication (RFC 7617) with bcrypt hashes.
//!
//! A check costs tens of milliseconds of CPU by design, so passwords that were right are remembered as SHA-256
//! digests, and so are some that were wrong; only one check runs at a time, off the executor's thread: guessing
//! passwords cannot take more than one core from the node that is measured. Few may wait for it, and of these
//! few from one address, few for one user, so that the right password has its turn soon; others are refused at
//! once.

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::digest::{SHA256, digest};
use std::collections::{HashMap, HashSet, VecDeque};
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::Semaphore;

/// The hash that an unknown user's password is checked against, so that the time of an answer does not
/// show which users exist.
const UNKNOWN_USER: &str = "$2y$10$KxS0Qm1l4kfJ0b6rXQ0w5uY3cX5l1Yz0m8k8m8k8m8k8m8k8m8k8m";
/// Checks that may wait: at a cost of 10, less than a second's.
const MOST_WAITING: usize = 12;
/// Of these, from one address, and for users that there are not.
const MOST_FROM_ONE: usize = 4;
/// Wrong credentials that are remembered.
const MOST_WRONG: usize = 256;
/// The most costly hash that is accepted: 2^14 rounds take about a second, and twice as long each step up.
pub(super) const MOST_COST: u32 = 14;

/// Who may ask.
pub(super) struct Users {
    hashes: HashMap<String, String>,
    memory: Mutex<Memory>,
    checking: Semaphore,
    waiting: Mutex<Vec<Waiting>>,
}

/// What a check is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Waiting {
    from: Option<IpAddr>,
    user_exists: bool,
}

type Fingerprint = [u8; 32];

#[derive(Default)]
struct Memory {
    /// Pairs of user and password that were right, one for each user at most. bcrypt takes 72 bytes of a
    /// password, so that more pairs than users can be right.
    right: HashSet<Fingerprint>,
    /// Pairs that were wrong, the newest last.
    wrong: VecDeque<Fingerprint>,
}

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Admitted,
    Wrong,
    /// Too many passwords are being checked.
    Busy,
}

impl Users {
    pub(super) fn new(hashes: HashMap<String, String>) -> Self {
        Users { hashes, memory: Mutex::default(), checking: Semaphore::new(1), waiting: Mutex::default() }
    }

    /// Whether the credentials in `headers`, sent from an address, are those of a user.
    pub(super) async fn judge(&self, headers: &HeaderMap, from: Option<IpAddr>) -> Verdict {
        let Some(credentials) = credentials(headers) else { return Verdict::Wrong };
        let Some((user, password)) = credentials.split_once(':') else { return Verdict::Wrong };
        let hashed = digest(&SHA256, credentials.as_bytes());
        let Ok(fingerprint) = Fingerprint::try_from(hashed.as_ref()) else { return Verdict::Wrong };
        if let Some(known) = lock(&self.memory).known(&fingerprint) {
            return known;
        }
        let hash = self.hashes.get(user);
        let Some(_waiting) = self.wait(Waiting { from, user_exists: hash.is_some() }) else { return Verdict::Busy };
        // An error means that the semaphore is closed, which it never is.
        let Ok(_turn) = self.checking.acquire().await else { return Verdict::Busy };
        // The same may have been checked while this one waited.
        if let Some(known) = lock(&self.memory).known(&fingerprint) {
            return known;
        }
        let (exists, hash) = (hash.is_some(), hash.map_or(UNKNOWN_USER, String::as_str).to_owned());
        let password = password.to_owned();
        let matches = tokio::task::spawn_blocking(move || bcrypt::verify(password, &hash).unwrap_or(false)).await;
        let right = exists && matches.unwrap_or(false);
        lock(&self.memory).note(fingerprint, right, self.hashes.len());
        if right { Verdict::Admitted } else { Verdict::Wrong }
    }

    /// A place among those who wait, until dropped.
    fn wait(&self, new: Waiting) -> Option<WaitGuard<'_>> {
        let mut waiting = lock(&self.waiting);
        let alike = |one: &&Waiting| one.from == new.from && one.user_exists == new.user_exists;
        let unknown = waiting.iter().filter(|one| !one.user_exists).count();
        let full = waiting.len() >= MOST_WAITING
            || waiting.iter().filter(alike).count() >= MOST_FROM_ONE
            || (!new.user_exists && unknown >= MOST_FROM_ONE);
        if full {
            return None;
        }
        waiting.push(new);
        Some(WaitGuard { users: self, own: new })
    }
}

struct WaitGuard<'a> {
    users: &'a Users,
    own: Waiting,
}

impl Drop for WaitGuard<'_> {
    fn drop(&mut self) {
        let mut waiting = lock(&self.users.waiting);
        if let Some(at) = waiting.iter().position(|one| *one == self.own) {
            waiting.swap_remove(at);
        }
    }
}

impl Memory {
    fn known(&self, fingerprint: &Fingerprint) -> Option<Verdict> {
        if self.right.contains(fingerprint) {
            return Some(Verdict::Admitted);
        }
        self.wrong.contains(fingerprint).then_some(Verdict::Wrong)
    }

    fn note(&mut self, fingerprint: Fingerprint, right: bool, users: usize) {
        if right {
            if self.right.len() >= users {
                self.right.clear();
            }
            self.right.insert(fingerprint);
        } else {
            if self.wrong.len() >= MOST_WRONG {
                self.wrong.pop_front();
            }
            self.wrong.push_back(fingerprint);
        }
    }
}

/// What is kept here is valid after every step, so a panic elsewhere spoils nothing.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn credentials(headers: &HeaderMap) -> Option<String> {
    let (scheme, encoded) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    fn headers(credentials: &str) -> HeaderMap {
        HeaderMap::from_iter([(AUTHORIZATION, format!("Basic {}", STANDARD.encode(credentials)).parse().unwrap())])
    }

    fn from(last: u8) -> Option<IpAddr> {
        Some([192, 0, 2, last].into())
    }

    #[test]
    fn the_hash_for_unknown_users_is_checked_like_any_other() {
        assert!(UNKNOWN_USER.parse::<bcrypt::HashParts>().is_ok());
        assert!(bcrypt::verify("", UNKNOWN_USER).is_ok());
    }

    #[test]
    fn only_well_formed_basic_credentials_are_read() {
        let read = |value: &str| credentials(&HeaderMap::from_iter([(AUTHORIZATION, value.parse().unwrap())]));
        assert_eq!(read("Basic YW5uOnNlY3JldA=="), Some("ann:secret".to_owned()));
        assert_eq!(read("basic YW5uOnNlY3JldA=="), Some("ann:secret".to_owned()));
        assert_eq!(read("Bearer YW5uOnNlY3JldA=="), None);
        assert_eq!(read("Basic !"), None);
    }

    #[tokio::test]
    async fn wrong_passwords_from_one_address_leave_room_for_the_right_one_from_another() {
        let hash = bcrypt::hash("secret", 8).unwrap();
        let users = Arc::new(Users::new([("ann".to_owned(), hash)].into()));
        let attack: Vec<_> = (0..200)
            .map(|number| {
                let users = Arc::clone(&users);
                let user = if number % 2 == 0 { "ann" } else { "bob" };
                let headers = headers(&format!("{user}:{number}"));
                tokio::spawn(async move { users.judge(&headers, from(1)).await })
            })
            .collect();
        tokio::task::yield_now().await;
        assert_eq!(users.judge(&headers("ann:secret"), from(2)).await, Verdict::Admitted);
        let mut refused = 0;
        for one in attack {
            let verdict = one.await.unwrap();
            assert_ne!(verdict, Verdict::Admitted);
            refused += usize::from(verdict == Verdict::Busy);
        }
        assert_eq!(refused, 200 - 2 * MOST_FROM_ONE, "few were let wait");
        assert!(lock(&users.waiting).is_empty());
    }

    #[tokio::test]
    async fn wrong_credentials_are_checked_once_and_right_ones_are_known_while_others_wait() {
        let users = Users::new([("ann".to_owned(), bcrypt::hash("secret", 4).unwrap())].into());
        assert_eq!(users.judge(&headers("ann:secret"), from(1)).await, Verdict::Admitted);
        assert_eq!(users.judge(&headers("ann:wrong"), from(1)).await, Verdict::Wrong);
        let _checking = users.checking.acquire().await.unwrap();
        assert_eq!(users.judge(&headers("ann:secret"), from(1)).await, Verdict::Admitted);
        assert_eq!(users.judge(&headers("ann:wrong"), from(1)).await, Verdict::Wrong);
    }
}
