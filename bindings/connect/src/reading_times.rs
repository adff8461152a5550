//! How old a reading is, by the time that the BMC says it was taken.

use jiff::Timestamp as Moment;
use kepler_core::host::Timestamp;
use std::time::Duration;

/// Clocks of BMCs differ this much from each other and from the header of their answers.
const TOLERATED: Duration = Duration::from_secs(60);

/// What is known of the times of one sensor's readings.
#[derive(Clone, Debug, Default)]
pub(crate) struct ReadingTimes {
    /// The last one, and when it was seen first.
    last: Option<(Moment, Timestamp)>,
    /// Whether its clock is wrong and goes on all the same.
    is_off: bool,
}

impl ReadingTimes {
    /// How old a reading is that says it was taken at `time`, at a BMC whose clock shows `reference`. One that says nothing was
    /// taken when it was received.
    ///
    /// A time that is years ago is that old, unless it has moved on with ours: then the clock is wrong, not the reading.
    pub(crate) fn age(&mut self, time: Option<&str>, reference: Option<Moment>, received: &Timestamp) -> Duration {
        let Some(time) = time.and_then(|text| text.parse::<Moment>().ok()) else { return Duration::ZERO };
        let reference = reference.or_else(|| Moment::try_from(received.wall).ok()).unwrap_or_else(Moment::now);
        let by_clock = Duration::try_from(reference.duration_since(time));
        let is_ahead = by_clock.is_err() && time.duration_since(reference).unsigned_abs() > TOLERATED;
        let by_clock = by_clock.unwrap_or(Duration::ZERO);
        let Some((last, seen)) = self.last else {
            self.last = Some((time, *received));
            return by_clock;
        };
        let since = received.since(&seen);
        if time == last {
            return if self.is_off || is_ahead { since } else { by_clock.max(since) };
        }
        let moved = Duration::try_from(time.duration_since(last)).unwrap_or(Duration::ZERO);
        self.last = Some((time, *received));
        let goes_with_ours = moved + TOLERATED > since && moved < since * 2 + TOLERATED && !moved.is_zero();
        self.is_off = goes_with_ours && (by_clock > TOLERATED * 2 || is_ahead);
        if self.is_off { Duration::ZERO } else { by_clock }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(start: &Timestamp, seconds: u64) -> Timestamp {
        start.advanced(Duration::from_secs(seconds))
    }

    #[test]
    fn a_reading_is_as_old_as_the_bmcs_own_clock_says_whatever_ours_shows() {
        let (mut times, start) = (ReadingTimes::default(), Timestamp::now());
        let reference = "2019-05-01T12:00:30Z".parse().ok();
        assert_eq!(times.age(Some("2019-05-01T12:00:00Z"), reference, &start), Duration::from_secs(30));
        assert_eq!(times.age(Some("2019-05-01T21:00:25+09:00"), reference, &at(&start, 5)), Duration::from_secs(5));
        assert_eq!(times.age(None, reference, &start), Duration::ZERO);
        assert_eq!(times.age(Some("yesterday"), reference, &start), Duration::ZERO);
    }

    #[test]
    fn a_time_of_years_ago_that_stands_still_is_stale_and_one_that_goes_on_is_a_wrong_clock() {
        let (mut still, mut moving, start) = (ReadingTimes::default(), ReadingTimes::default(), Timestamp::now());
        for second in [0, 10, 20] {
            assert!(still.age(Some("2019-05-01T12:00:00Z"), None, &at(&start, second)) > Duration::from_secs(1 << 25));
        }
        assert!(moving.age(Some("2019-05-01T12:00:00Z"), None, &start) > Duration::from_secs(1 << 25));
        assert_eq!(moving.age(Some("2019-05-01T12:00:10Z"), None, &at(&start, 10)), Duration::ZERO);
        assert_eq!(moving.age(Some("2019-05-01T12:00:10Z"), None, &at(&start, 17)), Duration::from_secs(7));
    }

    #[test]
    fn a_time_ahead_of_ours_ages_from_when_it_was_seen() {
        let (mut times, start) = (ReadingTimes::default(), Timestamp::now());
        assert_eq!(times.age(Some("2199-01-01T00:00:00Z"), None, &start), Duration::ZERO);
        assert_eq!(times.age(Some("2199-01-01T00:00:00Z"), None, &at(&start, 500)), Duration::from_secs(500));
    }
}
