//! Basic authentication (RFC 7617) with bcrypt hashes.
//!
//! A check costs tens of milliseconds of CPU by design, so passwords that were right are
//! remembered as SHA-256 digests, and only one check runs at a time, off the executor's thread:
//! guessing passwords cannot take more than one core from the node that is measured.

use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::digest::{SHA256, digest};
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Semaphore;

/// The hash that an unknown user's password is held against, so that the time of an answer does not
/// tell which users exist.
const NOBODY: &str = "$2y$10$KxS0Qm1l4kfJ0b6rXQ0w5uY3cX5l1Yz0m8k8m8k8m8k8m8k8m8k8m";

/// Who may ask.
pub(crate) struct Users {
    hashes: HashMap<String, String>,
    /// SHA-256 of `user:password` pairs that were right, one for each user at most. bcrypt takes 72
    /// bytes of a password, so that more pairs than users can be right.
    known: Mutex<HashSet<Vec<u8>>>,
    checking: Semaphore,
}

impl Users {
    pub(crate) fn new(hashes: HashMap<String, String>) -> Self {
        Users { hashes, known: Mutex::default(), checking: Semaphore::new(1) }
    }

    async fn allow(&self, headers: &HeaderMap) -> bool {
        let Some(credentials) = credentials(headers) else { return false };
        let Some((user, password)) = credentials.split_once(':') else { return false };
        let fingerprint = digest(&SHA256, credentials.as_bytes()).as_ref().to_vec();
        if self.known.lock().unwrap_or_else(PoisonError::into_inner).contains(&fingerprint) {
            return true;
        }
        let Ok(_turn) = self.checking.acquire().await else { return false };
        let exists = self.hashes.contains_key(user);
        let hash = self.hashes.get(user).map_or(NOBODY, String::as_str).to_owned();
        let password = password.to_owned();
        let right = tokio::task::spawn_blocking(move || bcrypt::verify(password, &hash).unwrap_or(false)).await;
        let right = exists && right.unwrap_or(false);
        if right {
            let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            if known.len() >= self.hashes.len() {
                known.clear();
            }
            known.insert(fingerprint);
        }
        right
    }
}

fn credentials(headers: &HeaderMap) -> Option<String> {
    let (scheme, encoded) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()
}

/// Lets a request through, or answers 401.
pub(crate) async fn require(State(users): State<Arc<Users>>, request: Request, next: Next) -> Response {
    if users.allow(request.headers()).await {
        return next.run(request).await;
    }
    (StatusCode::UNAUTHORIZED, [(WWW_AUTHENTICATE, "Basic realm=\"kepler\", charset=\"UTF-8\"")], "unauthorized\n")
        .into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobodys_hash_is_checked_like_any_other() {
        assert!(NOBODY.parse::<bcrypt::HashParts>().is_ok());
        assert!(bcrypt::verify("", NOBODY).is_ok());
    }

    #[test]
    fn only_well_formed_basic_credentials_are_read() {
        let read = |value: &str| credentials(&HeaderMap::from_iter([(AUTHORIZATION, value.parse().unwrap())]));
        assert_eq!(read("Basic YW5uOnNlY3JldA=="), Some("ann:secret".to_owned()));
        assert_eq!(read("basic YW5uOnNlY3JldA=="), Some("ann:secret".to_owned()));
        assert_eq!(read("Bearer YW5uOnNlY3JldA=="), None);
        assert_eq!(read("Basic !"), None);
    }
}
