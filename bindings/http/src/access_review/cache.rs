//! Decisions that still hold.

use super::Decision;
use ring::digest::{Context, SHA256, SHA256_OUTPUT_LEN};
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// Decisions that are kept.
const MOST: usize = 1024;
/// How long a grant holds: a token that was revoked is taken for so long.
const GRANTED: Duration = Duration::from_secs(60);
/// How long a refusal holds.
const REFUSED: Duration = Duration::from_secs(10);

/// Who asked what, without the token itself.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct Asked([u8; SHA256_OUTPUT_LEN]);

impl Asked {
    pub(super) fn new(token: &str, verb: &str, path: &str) -> Self {
        let mut context = Context::new(&SHA256);
        for part in [token, verb, path] {
            // Lengths before the parts, so that no two questions are the same bytes.
            context.update(&part.len().to_le_bytes());
            context.update(part.as_bytes());
        }
        let mut digest = [0; SHA256_OUTPUT_LEN];
        digest.iter_mut().zip(context.finish().as_ref()).for_each(|(to, from)| *to = *from);
        Asked(digest)
    }
}

#[derive(Default)]
pub(super) struct Cache(HashMap<Asked, (Decision, Instant)>);

impl Cache {
    pub(super) fn get(&self, asked: &Asked, now: Instant) -> Option<Decision> {
        self.0.get(asked).filter(|(_, until)| now < *until).map(|(decision, _)| decision.clone())
    }

    /// Keeps a decision, unless it is none.
    pub(super) fn note(&mut self, asked: Asked, decision: Decision, now: Instant) {
        let holds = match decision {
            Decision::Allowed => GRANTED,
            Decision::Unavailable(_) => return,
            _ => REFUSED,
        };
        if self.0.len() >= MOST {
            self.0.retain(|_, (_, until)| now < *until);
        }
        if self.0.len() >= MOST {
            // Many unknown tokens: what was granted stays as long as it holds.
            self.0.retain(|_, (decision, _)| *decision == Decision::Allowed);
        }
        if self.0.len() < MOST {
            self.0.insert(asked, (decision, now + holds));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grants_hold_for_a_minute_refusals_for_ten_seconds_and_guesses_push_no_grant_out() {
        let (mut cache, now) = (Cache::default(), Instant::now());
        let refused = Decision::Unknown(String::new());
        cache.note(Asked::new("good", "get", "/metrics"), Decision::Allowed, now);
        cache.note(Asked::new("bad", "get", "/metrics"), refused.clone(), now);
        let after =
            |token, seconds| cache.get(&Asked::new(token, "get", "/metrics"), now + Duration::from_secs(seconds));
        assert_eq!((after("good", 59), after("good", 60)), (Some(Decision::Allowed), None));
        assert_eq!((after("bad", 9), after("bad", 10)), (Some(refused.clone()), None));
        for guess in 0..5 * MOST {
            cache.note(Asked::new(&guess.to_string(), "get", "/metrics"), refused.clone(), now);
        }
        assert!(cache.0.len() <= MOST);
        assert_eq!(cache.get(&Asked::new("good", "get", "/metrics"), now), Some(Decision::Allowed));
        assert!(Asked::new("a", "bc", "d") != Asked::new("ab", "c", "d"), "no two questions are the same");
    }
}
