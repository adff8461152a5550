//! Basic authentication (RFC 7617) with bcrypt hashes.
//!
//! A check costs tens of milliseconds of CPU by design, so passwords that were right are remembered, as digests under a
//! key of this process, also when the file is read again, and so are some that were wrong. Checks run off the executor's thread, one
//! for each eight processors: guessing passwords cannot take more from the node that is measured. Few may wait ([`turns`]).

mod turns;

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::hmac::{self, HMAC_SHA256};
use ring::rand::SystemRandom;
use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use turns::{Check, Turns};

/// The hash that an unknown user's password is checked against, so that the time of an answer does not
/// show which users exist.
const UNKNOWN_USER: &str = "$2y$10$KxS0Qm1l4kfJ0b6rXQ0w5uY3cX5l1Yz0m8k8m8k8m8k8m8k8m8k8m";
/// Wrong credentials that are remembered.
const MOST_WRONG: usize = 256;
/// The most costly hash that is accepted: 2^14 rounds take about a second, and twice as long each step up.
pub(super) const MOST_COST: u32 = 14;

/// Processors for each check that may run at a time.
const PROCESSORS_A_CHECK: usize = 8;
/// Checks at a time at most.
const MOST_AT_ONCE: usize = 4;

/// Who may ask.
pub(super) struct Users {
    hashes: HashMap<String, String>,
    memory: Mutex<Memory>,
    turns: Turns,
}

type Fingerprint = [u8; 32];

#[derive(Default)]
struct Memory {
    /// By user, the pair of user and password that was last right. bcrypt takes 72 bytes of a password, so that more
    /// than one can be right.
    right: HashMap<String, Fingerprint>,
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
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        let at_once = (processors / PROCESSORS_A_CHECK).clamp(1, MOST_AT_ONCE);
        Users { hashes, memory: Mutex::default(), turns: Turns::new(at_once) }
    }

    /// Knows the passwords that were right before for those users whose hash has not changed.
    pub(super) fn learn_from(&self, before: &Users) {
        let same = |user: &String| self.hashes.contains_key(user) && self.hashes.get(user) == before.hashes.get(user);
        let mut known = lock(&before.memory).right.clone();
        known.retain(|user, _| same(user));
        lock(&self.memory).right = known;
    }

    /// Whether the credentials in `headers`, sent over a connection, are those of a user.
    pub(super) async fn judge(&self, headers: &HeaderMap, from: Option<SocketAddr>) -> Verdict {
        let Some(credentials) = credentials(headers) else { return Verdict::Wrong };
        let Some((user, password)) = credentials.split_once(':') else { return Verdict::Wrong };
        let Some(fingerprint) = fingerprint(&credentials) else { return Verdict::Wrong };
        if let Some(known) = lock(&self.memory).known(user, &fingerprint) {
            return known;
        }
        let hash = self.hashes.get(user);
        let check = Check { from, user_exists: hash.is_some(), fingerprint };
        let Some(_turn) = self.turns.wait(check).await else { return Verdict::Busy };
        // The same may have been checked while this one waited.
        if let Some(known) = lock(&self.memory).known(user, &fingerprint) {
            return known;
        }
        let (exists, hash) = (hash.is_some(), hash.map_or(UNKNOWN_USER, String::as_str).to_owned());
        let password = password.to_owned();
        let matches = tokio::task::spawn_blocking(move || bcrypt::verify(password, &hash).unwrap_or(false)).await;
        let right = exists && matches.unwrap_or(false);
        lock(&self.memory).note(user, fingerprint, right);
        self.turns.learn(from, right);
        if right { Verdict::Admitted } else { Verdict::Wrong }
    }
}

impl Memory {
    fn known(&self, user: &str, fingerprint: &Fingerprint) -> Option<Verdict> {
        if self.right.get(user) == Some(fingerprint) {
            return Some(Verdict::Admitted);
        }
        self.wrong.contains(fingerprint).then_some(Verdict::Wrong)
    }

    fn note(&mut self, user: &str, fingerprint: Fingerprint, right: bool) {
        if right {
            self.right.insert(user.to_owned(), fingerprint);
        } else {
            if self.wrong.len() >= MOST_WRONG {
                self.wrong.pop_front();
            }
            self.wrong.push_back(fingerprint);
        }
    }
}

/// Tells credentials apart, by a key that never leaves this process: what is remembered of a password cannot be tried out
/// elsewhere faster than its bcrypt hash.
fn fingerprint(credentials: &str) -> Option<Fingerprint> {
    static KEY: OnceLock<hmac::Key> = OnceLock::new();
    // A system without random numbers has digests without a secret.
    let no_secret = |_| hmac::Key::new(HMAC_SHA256, b"kepler");
    let key = KEY.get_or_init(|| hmac::Key::generate(HMAC_SHA256, &SystemRandom::new()).unwrap_or_else(no_secret));
    Fingerprint::try_from(hmac::sign(key, credentials.as_bytes()).as_ref()).ok()
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
    use std::time::Duration;

    fn headers(credentials: &str) -> HeaderMap {
        HeaderMap::from_iter([(AUTHORIZATION, format!("Basic {}", STANDARD.encode(credentials)).parse().unwrap())])
    }

    /// An address, each time from the same port.
    fn from(last: u8) -> Option<SocketAddr> {
        connection(last, 1)
    }

    fn connection(last: u8, port: u16) -> Option<SocketAddr> {
        Some(([192, 0, 2, last], port).into())
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
        assert!(refused >= 200 - 3 * turns::MOST_FROM_ONE * MOST_AT_ONCE, "few were let wait: {refused}");
        assert!(users.turns.is_idle());
    }

    /// Fifty guesses a second from the address of the right one, each at a check that takes longer than there is time for.
    #[tokio::test]
    async fn the_right_password_has_its_turn_when_it_comes_again_beside_fifty_wrong_ones_a_second_from_its_own_address()
    {
        // More than fifty a second leave time for.
        let cost = costly();
        let users = Arc::new(Users::new([("ann".to_owned(), bcrypt::hash("secret", cost).unwrap())].into()));
        let attacking = Arc::clone(&users);
        let attack = tokio::spawn(async move {
            for number in 0.. {
                let (users, headers) = (Arc::clone(&attacking), headers(&format!("ann:{number}")));
                tokio::spawn(async move { users.judge(&headers, from(1)).await });
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        });
        tokio::time::sleep(Duration::from_millis(500)).await;
        let begun = std::time::Instant::now();
        // What a client does that is asked to retry.
        let mut tries = 1;
        while users.judge(&headers("ann:secret"), from(1)).await == Verdict::Busy {
            tries += 1;
            assert!(tries <= 3, "it has precedence when it comes again");
        }
        println!("cost {cost}: admitted after {tries} tries and {:?}", begun.elapsed());
        assert_eq!(lock(&users.memory).right.keys().collect::<Vec<_>>(), ["ann"], "it is known from then on");
        assert_eq!(users.judge(&headers("ann:secret"), from(1)).await, Verdict::Admitted);
        attack.abort();
    }

    /// A cost at which a check takes 40 ms here, whatever the build.
    fn costly() -> u32 {
        let took = |cost: u32| {
            let begun = std::time::Instant::now();
            bcrypt::hash("secret", cost).unwrap();
            begun.elapsed()
        };
        (4..=12).find(|cost| took(*cost) > Duration::from_millis(40)).unwrap()
    }

    #[tokio::test]
    async fn the_right_password_is_answered_at_once_beside_a_hundred_connections_that_guess_from_its_own_address() {
        let cost = costly();
        let users = Arc::new(Users::new([("ann".to_owned(), bcrypt::hash("secret", cost).unwrap())].into()));
        let guess = |port: u16| {
            let users = Arc::clone(&users);
            tokio::spawn(async move {
                for number in 0.. {
                    let headers = headers(&format!("ann:{port}-{number}"));
                    assert_ne!(users.judge(&headers, connection(1, port)).await, Verdict::Admitted);
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
            })
        };
        let guessing: Vec<_> = (1000..1100).map(guess).collect();
        tokio::time::sleep(Duration::from_millis(300)).await;
        // Never seen before, over several new connections; and then known.
        for port in 1..=5 {
            lock(&users.memory).right.clear();
            let begun = std::time::Instant::now();
            let verdict = users.judge(&headers("ann:secret"), connection(1, port)).await;
            println!("cost {cost}: {verdict:?} after {:?}", begun.elapsed());
            assert_eq!(verdict, Verdict::Admitted, "it has its turn without coming again");
        }
        let begun = std::time::Instant::now();
        assert_eq!(users.judge(&headers("ann:secret"), connection(1, 99)).await, Verdict::Admitted);
        println!("known: after {:?}", begun.elapsed());
        guessing.iter().for_each(tokio::task::JoinHandle::abort);
    }

    /// Each guess over a connection of its own, and again when it had to go.
    #[tokio::test]
    async fn an_address_that_guesses_over_ever_new_connections_keeps_no_other_from_its_turn() {
        let cost = costly();
        let users = Arc::new(Users::new([("ann".to_owned(), bcrypt::hash("secret", cost).unwrap())].into()));
        let attacking = Arc::clone(&users);
        let attack = tokio::spawn(async move {
            for number in 0..u16::MAX {
                let (users, headers) = (Arc::clone(&attacking), headers(&format!("ann:{number}")));
                tokio::spawn(async move {
                    while users.judge(&headers, connection(1, number)).await == Verdict::Busy {
                        tokio::time::sleep(Duration::from_millis(20)).await;
                    }
                });
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        });
        while !users.turns.is_suspect(from(1)) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        for last in 2..7 {
            lock(&users.memory).right.clear();
            assert_eq!(users.judge(&headers("ann:secret"), from(last)).await, Verdict::Admitted, "the first time");
        }
        attack.abort();
    }

    #[tokio::test]
    async fn what_was_right_is_known_after_the_file_is_read_again_unless_the_hash_has_changed() {
        let hash = |password: &str| bcrypt::hash(password, 4).unwrap();
        let before = Users::new([("ann".to_owned(), hash("secret")), ("bob".to_owned(), hash("other"))].into());
        assert_eq!(before.judge(&headers("ann:secret"), from(1)).await, Verdict::Admitted);
        assert_eq!(before.judge(&headers("bob:other"), from(1)).await, Verdict::Admitted);
        let same = before.hashes["ann"].clone();
        let after = Users::new([("ann".to_owned(), same), ("bob".to_owned(), hash("new"))].into());
        after.learn_from(&before);
        assert_eq!(lock(&after.memory).right.keys().collect::<Vec<_>>(), ["ann"]);
        assert_eq!(after.judge(&headers("bob:other"), from(1)).await, Verdict::Wrong);
        assert_eq!(after.judge(&headers("ann:secret"), from(1)).await, Verdict::Admitted);
    }

    #[tokio::test]
    async fn wrong_credentials_are_checked_once_and_right_ones_are_known_while_others_wait() {
        let users = Users::new([("ann".to_owned(), bcrypt::hash("secret", 4).unwrap())].into());
        assert_eq!(users.judge(&headers("ann:secret"), from(1)).await, Verdict::Admitted);
        assert_eq!(users.judge(&headers("ann:wrong"), from(1)).await, Verdict::Wrong);
        let other = |number: u8| Check { from: from(9), user_exists: true, fingerprint: [number; 32] };
        let mut checking = Vec::new();
        for number in 0..u8::try_from(MOST_AT_ONCE).unwrap() {
            let waiting = tokio::time::timeout(Duration::from_millis(1), users.turns.wait(other(number))).await;
            checking.extend(waiting.ok().flatten());
        }
        assert_eq!(users.judge(&headers("ann:secret"), from(1)).await, Verdict::Admitted);
        assert_eq!(users.judge(&headers("ann:wrong"), from(1)).await, Verdict::Wrong);
    }
}
