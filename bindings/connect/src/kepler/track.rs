//! A counter over several readings: the increase, across resets.

use jiff::Timestamp;
use std::collections::VecDeque;
use std::time::Duration;

/// A workload's counter in one reading. An exporter shows it under `state="running"`, and after its end
/// under `state="terminated"`; both at once where one of the same name follows.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Reading {
    pub(super) running: Option<f64>,
    pub(super) terminated: Option<f64>,
}

/// A time as nanoseconds since 1970: half of what a [`Timestamp`] takes, and a fleet has a million of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Moment(i64);

impl Moment {
    fn of(at: Timestamp) -> Self {
        let nanoseconds = at.as_nanosecond();
        // Outside of the years 1678 to 2262 all times are one.
        Moment(i64::try_from(nanoseconds).unwrap_or(if nanoseconds < 0 { i64::MIN } else { i64::MAX }))
    }

    /// The time since `earlier`; none if that is later.
    fn since(self, earlier: Moment) -> Duration {
        Duration::from_nanos(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

/// When a node was read, and by whose counters.
#[derive(Clone, Copy, Debug)]
pub(super) struct Poll {
    /// The time of the reading before.
    pub(super) since: Option<Timestamp>,
    pub(super) at: Timestamp,
    /// Another process answered than before, with counters of its own: the part of them that lies after `since`, 0 to 1.
    pub(super) takeover: Option<f64>,
}

impl Poll {
    /// The same for a counter that, where it `is_new`, was there before it was shown: it counts from here.
    pub(super) fn of(self, is_new: bool) -> Self {
        Poll { since: self.since.filter(|_| !is_new), ..self }
    }
}

/// A counter's own total, which never falls, and its course.
#[derive(Debug, Default)]
pub(super) struct Track {
    last: Reading,
    /// Times and totals; between two of them the total rose evenly. Times when it stood still are left out.
    points: VecDeque<(Moment, f64)>,
}

impl Track {
    /// Takes a reading. In the one before, if there is no point yet, the counter did not exist: then all that it
    /// shows was used since.
    pub(super) fn take(&mut self, poll: Poll, now: Reading) {
        let (since, at) = (poll.since.map(Moment::of), Moment::of(poll.at));
        let Some(&(last_at, total)) = self.points.back() else {
            match since {
                Some(since) => {
                    self.push(since, 0.0);
                    self.push(at, used(Reading::default(), now).0);
                }
                None => self.push(at, 0.0),
            }
            self.last = now;
            return;
        };
        let (more, last) = match poll.takeover {
            // What the other counter did not see: its use is taken to have been even.
            Some(part) => (used(Reading::default(), now).0 * part, now),
            None => used(self.last, now),
        };
        self.last = last;
        if more > 0.0 {
            if let Some(since) = since.filter(|&since| since > last_at) {
                self.push(since, total);
            }
            self.push(at, total + more);
        }
    }

    /// There are many of these, and memory that is only reserved would be nearly half of it.
    fn push(&mut self, at: Moment, total: f64) {
        if self.points.len() == self.points.capacity() {
            self.points.reserve_exact(2 + self.points.len() / 4);
        }
        self.points.push_back((at, total));
    }

    /// What was used between two times.
    pub(super) fn between(&self, start: Timestamp, end: Timestamp) -> f64 {
        (self.total(Moment::of(end)) - self.total(Moment::of(start))).max(0.0)
    }

    fn total(&self, at: Moment) -> f64 {
        let after = self.points.partition_point(|&(time, _)| time <= at);
        let before = after.checked_sub(1).and_then(|before| self.points.get(before));
        match (before, self.points.get(after)) {
            (Some(&(t0, a)), Some(&(t1, b))) => {
                a + (b - a) * (at.since(t0).as_secs_f64() / t1.since(t0).as_secs_f64()).min(1.0)
            }
            (Some(&(_, only)), None) | (None, Some(&(_, only))) => only,
            (None, None) => 0.0,
        }
    }

    /// Points that are kept.
    pub(super) fn len(&self) -> usize {
        self.points.len()
    }

    /// Leaves out points before `limit` that follow another one by less than `spacing`: between those that stay, the
    /// total is taken to have risen evenly.
    pub(super) fn thin(&mut self, limit: Timestamp, spacing: Duration) {
        let limit = Moment::of(limit);
        let (mut kept, last): (Option<Moment>, _) = (None, self.points.back().map(|&(time, _)| time));
        self.points.retain(|&(time, _)| {
            let stays = time >= limit || last == Some(time) || kept.is_none_or(|kept| time.since(kept) >= spacing);
            if stays {
                kept = Some(time);
            }
            stays
        });
        if self.points.capacity() > 2 * self.points.len() {
            self.points.shrink_to(self.points.len() + self.points.len() / 4);
        }
    }

    /// Forgets what was before `limit`, but for one point to count from.
    pub(super) fn forget_before(&mut self, limit: Timestamp) {
        let limit = Moment::of(limit);
        while self.points.get(1).is_some_and(|&(time, _)| time <= limit) {
            self.points.pop_front();
        }
    }
}

/// What was used between two readings, and what to compare the next one with. Where readings can be
/// explained in two ways the smaller use is taken: too little ends up unattributed, too much is a lie.
fn used(before: Reading, now: Reading) -> (f64, Reading) {
    let ended = match (before.terminated, now.terminated) {
        (None, Some(total)) => Some(total),
        // One more has ended under the same labels.
        (Some(old), Some(total)) if total > old => Some(total - old),
        _ => None,
    };
    let terminated = now.terminated.or(before.terminated);
    match (ended, before.running) {
        // The one that ran is the one that ended; what runs now is another.
        (Some(total), Some(ran)) if now.running.is_none_or(|runs| runs < ran) => {
            ((total - ran).max(0.0) + now.running.unwrap_or(0.0), Reading { running: now.running, terminated })
        }
        (ended, ran) => {
            let risen = match (ran, now.running) {
                (Some(old), Some(new)) if new >= old => new - old,
                // A reset: it counts from zero again.
                (_, Some(new)) => new,
                (_, None) => 0.0,
            };
            (ended.unwrap_or(0.0) + risen, Reading { running: now.running.or(ran), terminated })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    /// Readings ten seconds apart.
    fn track(readings: &[(Option<f64>, Option<f64>)]) -> Track {
        let mut track = Track::default();
        for (n, &(running, terminated)) in (0..).zip(readings) {
            let since = (n > 0).then(|| at(10 * (n - 1)));
            track.take(Poll { since, at: at(10 * n), takeover: None }, Reading { running, terminated });
        }
        track
    }

    fn total(readings: &[(Option<f64>, Option<f64>)]) -> f64 {
        track(readings).between(at(0), at(10_000))
    }

    #[test]
    fn what_a_counter_shows_at_first_is_not_counted() {
        assert_eq!(total(&[(Some(500.0), None), (Some(510.0), None)]), 10.0);
        assert_eq!(total(&[(Some(500.0), Some(70.0))]), 0.0);
    }

    #[test]
    fn a_workload_that_came_between_two_readings_is_counted_from_its_beginning() {
        let mut track = Track::default();
        let poll = Poll { since: Some(at(10)), at: at(20), takeover: None };
        track.take(poll, Reading { running: Some(4.0), terminated: None });
        assert_eq!(track.between(at(0), at(20)), 4.0);
        assert_eq!(track.between(at(15), at(20)), 2.0);
    }

    #[test]
    fn a_reset_counts_from_zero_again() {
        assert_eq!(total(&[(Some(1000.0), None), (Some(5.0), None), (Some(6.0), None)]), 6.0);
    }

    #[test]
    fn the_end_of_a_workload_is_not_counted_twice() {
        assert_eq!(total(&[(Some(100.0), None), (None, Some(103.0)), (None, Some(103.0))]), 3.0);
        assert_eq!(total(&[(Some(100.0), None), (None, Some(103.0)), (None, None), (None, Some(103.0))]), 3.0);
    }

    #[test]
    fn one_ends_and_another_of_the_same_name_begins() {
        assert_eq!(total(&[(Some(100.0), None), (Some(2.0), Some(103.0))]), 5.0);
        assert_eq!(total(&[(Some(100.0), None), (Some(2.0), Some(103.0)), (None, Some(106.0))]), 6.0);
    }

    #[test]
    fn one_that_is_not_shown_for_a_while_is_not_counted_again() {
        assert_eq!(total(&[(Some(100.0), None), (None, None), (Some(104.0), None)]), 4.0);
    }

    #[test]
    fn between_readings_the_total_rises_evenly_and_stands_still_where_it_stood_still() {
        let track = track(&[(Some(0.0), None), (Some(0.0), None), (Some(0.0), None), (Some(10.0), None)]);
        assert_eq!(track.between(at(0), at(20)), 0.0);
        assert_eq!(track.between(at(20), at(25)), 5.0);
        assert_eq!(track.between(at(25), at(99)), 5.0);
    }

    #[test]
    fn forgetting_does_not_change_what_came_after() {
        let mut track = track(&[(Some(0.0), None), (Some(1.0), None), (Some(3.0), None), (Some(7.0), None)]);
        track.forget_before(at(15));
        assert_eq!((track.between(at(15), at(30)), track.points.len()), (5.0, 3));
    }

    #[test]
    fn thinning_keeps_the_whole_and_loses_the_course_only() {
        let shown: Vec<_> = (0..=60).map(|n| (Some(f64::from(n * n)), None)).collect();
        let mut track = track(&shown);
        let (whole, late) = (track.between(at(0), at(600)), track.between(at(450), at(600)));
        track.thin(at(400), Duration::from_secs(60));
        assert!(track.len() < 32, "{}", track.len());
        assert_eq!((track.between(at(0), at(600)), track.between(at(450), at(600))), (whole, late));
        assert_eq!(track.between(at(0), at(240)) + track.between(at(240), at(600)), whole);
    }

    proptest! {
        /// Lives under one name, one after another, seen at random moments: no joule is invented, and
        /// without a missed end none is lost.
        #[test]
        fn what_is_counted_is_what_was_used(
            lives in prop::collection::vec(prop::collection::vec(0.0..50.0f64, 1..6), 1..6),
        ) {
            let mut readings = vec![(Some(0.0), None)];
            let (mut used, mut ended) = (0.0, 0.0);
            for life in &lives {
                let mut shown = 0.0;
                for more in life {
                    shown += more;
                    used += more;
                    readings.push((Some(shown), (ended > 0.0).then_some(ended)));
                }
                ended += shown;
                readings.push((None, (ended > 0.0).then_some(ended)));
            }
            let counted = total(&readings);
            prop_assert!((counted - used).abs() <= used * 1e-9, "{counted} of {used}");
        }

        #[test]
        fn no_readings_make_a_total_fall(
            readings in prop::collection::vec((prop::option::of(0.0..1e6f64), prop::option::of(0.0..1e6f64)), 1..30),
            cut in 0i64..300,
        ) {
            let track = track(&readings);
            let (all, first, rest) =
                (track.between(at(0), at(300)), track.between(at(0), at(cut)), track.between(at(cut), at(300)));
            prop_assert!(first >= 0.0 && rest >= 0.0);
            prop_assert!((first + rest - all).abs() <= all * 1e-9);
        }
    }
}
