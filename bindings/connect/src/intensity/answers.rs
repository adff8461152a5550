//! Caches a provider's answers: one request per question, back-off after failures, fallback
//! to the last good answer.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Slots kept; a slot is a zone's current figure, its forecast, or one interval of history.
const SLOTS: usize = 64;
const FIRST_PAUSE: Duration = Duration::from_secs(5);
const LONGEST_PAUSE: Duration = Duration::from_secs(600);
/// A `Retry-After` beyond this is not believed.
const LONGEST_BELIEVED: Duration = Duration::from_secs(86_400);

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failure {
    /// What happened and what to do.
    pub(super) reason: String,
    /// When it makes sense to ask again.
    pub(super) retry_after: Option<Duration>,
    /// Whether all questions would fail now, not only this one.
    pub(super) general: bool,
}

#[derive(Debug)]
pub(super) struct Answers<T> {
    fresh_for: Duration,
    keep_last: Duration,
    slots: Mutex<HashMap<String, Held<T>>>,
    pause: Mutex<Pause>,
}

#[derive(Debug)]
struct Held<T> {
    used: Instant,
    slot: Arc<Mutex<Slot<T>>>,
}

#[derive(Debug)]
struct Slot<T> {
    good: Option<Known<Arc<T>>>,
    refused: Option<Known<Failure>>,
}

#[derive(Debug)]
struct Known<V> {
    asked: String,
    at: Instant,
    value: V,
}

#[derive(Debug, Default)]
struct Pause {
    faults: u32,
    until: Option<(Instant, Failure)>,
}

impl<T> Answers<T> {
    pub(super) fn new(fresh_for: Duration, keep_last: Duration) -> Self {
        Answers { fresh_for, keep_last, slots: Mutex::default(), pause: Mutex::default() }
    }

    /// The answer to `asked`, from memory while fresh, else by `ask`. What went wrong comes with the last
    /// good answer of the same `slot`, if there is one.
    pub(super) fn get(
        &self,
        slot: &str,
        asked: &str,
        ask: impl FnOnce() -> Result<T, Failure>,
    ) -> Result<(Arc<T>, Option<Failure>), Failure> {
        let slot = self.slot(slot);
        // Held during the request: concurrent callers with the same question wait here and find the answer.
        let mut slot = lock(&slot);
        if let Some(good) = slot.good.as_ref().filter(|good| good.asked == asked && good.at.elapsed() < self.fresh_for)
        {
            return Ok((good.value.clone(), None));
        }
        let known = slot.refused.as_ref().filter(|known| known.asked == asked && known.at.elapsed() < self.fresh_for);
        let failure = match known.map(|known| known.value.clone()).or_else(|| lock(&self.pause).failure()) {
            Some(failure) => failure,
            None => match ask() {
                Ok(answer) => {
                    *lock(&self.pause) = Pause::default();
                    let value = Arc::new(answer);
                    slot.good = Some(Known { asked: asked.into(), at: Instant::now(), value: value.clone() });
                    return Ok((value, None));
                }
                Err(failure) if failure.general => lock(&self.pause).begin(failure),
                Err(failure) => {
                    slot.refused = Some(Known { asked: asked.into(), at: Instant::now(), value: failure.clone() });
                    failure
                }
            },
        };
        match slot.good.as_ref().filter(|good| good.at.elapsed() < self.keep_last) {
            Some(good) => Ok((good.value.clone(), Some(failure))),
            None => Err(failure),
        }
    }

    fn slot(&self, name: &str) -> Arc<Mutex<Slot<T>>> {
        let mut slots = lock(&self.slots);
        if slots.len() >= SLOTS && !slots.contains_key(name) {
            let oldest = slots.iter().min_by_key(|(_, held)| held.used).map(|(name, _)| name.clone());
            oldest.and_then(|oldest| slots.remove(&oldest));
        }
        let fresh = || Held { used: Instant::now(), slot: Arc::new(Mutex::new(Slot { good: None, refused: None })) };
        let held = slots.entry(name.into()).or_insert_with(fresh);
        held.used = Instant::now();
        held.slot.clone()
    }
}

impl Pause {
    /// The failure that stands, with the time that is left of it.
    fn failure(&self) -> Option<Failure> {
        let (until, failure) = self.until.as_ref()?;
        let left = until.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())?;
        Some(Failure { retry_after: Some(left), ..failure.clone() })
    }

    fn begin(&mut self, failure: Failure) -> Failure {
        let doubled = FIRST_PAUSE.saturating_mul(1 << self.faults.min(10)).min(LONGEST_PAUSE);
        let wait = failure.retry_after.map_or(doubled, |asked| asked.min(LONGEST_BELIEVED).max(doubled));
        self.faults = self.faults.saturating_add(1);
        let failure = Failure { retry_after: Some(wait), ..failure };
        // An instant that cannot be represented is no pause; a day always can.
        self.until = Instant::now().checked_add(wait).map(|until| (until, failure.clone()));
        failure
    }
}

/// Nothing that runs under these locks leaves them half-changed.
fn lock<V>(mutex: &Mutex<V>) -> MutexGuard<'_, V> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::thread;

    fn failure(general: bool, retry_after: Option<u64>) -> Failure {
        Failure { reason: "no".into(), retry_after: retry_after.map(Duration::from_secs), general }
    }

    fn answers(fresh_ms: u64) -> Answers<u32> {
        Answers::new(Duration::from_millis(fresh_ms), Duration::from_secs(60))
    }

    #[test]
    fn many_that_ask_the_same_make_one_request() {
        let (answers, asked) = (answers(60_000), AtomicU32::new(0));
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    let answer = answers.get("s", "q", || {
                        asked.fetch_add(1, Ordering::Relaxed);
                        thread::sleep(Duration::from_millis(30));
                        Ok(7)
                    });
                    assert_eq!(*answer.unwrap().0, 7);
                });
            }
        });
        assert_eq!(asked.into_inner(), 1);
    }

    #[test]
    fn a_failing_provider_is_left_alone_and_the_last_answer_serves() {
        let answers = answers(0);
        answers.get("s", "q", || Ok(7)).unwrap();
        let (value, fault) = answers.get("s", "q", || Err(failure(true, Some(30)))).unwrap();
        assert_eq!((*value, fault.unwrap().retry_after), (7, Some(Duration::from_secs(30))));
        let (value, fault) = answers.get("s", "q", || panic!("asked while paused")).unwrap();
        assert_eq!((*value, fault.is_some()), (7, true));
        let refused = answers.get("other", "q", || panic!("asked while paused")).unwrap_err();
        assert!(refused.retry_after.unwrap() > Duration::from_secs(28));
    }

    #[test]
    fn a_question_that_fails_by_itself_does_not_stop_others() {
        let answers = answers(60_000);
        assert!(answers.get("a", "q", || Err(failure(false, None))).is_err());
        assert!(answers.get("a", "q", || panic!("asked again at once")).is_err());
        assert_eq!(*answers.get("b", "q", || Ok(1)).unwrap().0, 1);
    }

    #[test]
    fn pauses_double_up_to_ten_minutes_and_a_long_retry_after_is_capped() {
        let mut pause = Pause::default();
        let waits: Vec<_> = (0..9).map(|_| pause.begin(failure(true, None)).retry_after.unwrap().as_secs()).collect();
        assert_eq!(waits, [5, 10, 20, 40, 80, 160, 320, 600, 600]);
        let mut pause = Pause::default();
        assert_eq!(pause.begin(failure(true, Some(u64::MAX))).retry_after, Some(LONGEST_BELIEVED));
        assert_eq!(Pause::default().begin(failure(true, Some(0))).retry_after, Some(FIRST_PAUSE), "0 is no invitation");
    }

    #[test]
    fn memory_is_bounded() {
        let answers = answers(60_000);
        for n in 0..500u32 {
            answers.get(&n.to_string(), "q", || Ok(n)).unwrap();
        }
        assert_eq!(lock(&answers.slots).len(), SLOTS);
        assert_eq!(*answers.get("499", "q", || panic!("forgotten")).unwrap().0, 499);
    }
}
