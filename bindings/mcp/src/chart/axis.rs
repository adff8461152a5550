//! Where axes have their marks, and what is written there.

use jiff::Timestamp;

/// Marks that are counted in tens lie 1, 2 or 5 apart; so many at most.
const MOST_MARKS: f64 = 6.0;

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// What time may lie between two marks.
const TIMES: [i64; 20] = [
    1,
    5,
    10,
    30,
    MINUTE,
    2 * MINUTE,
    5 * MINUTE,
    10 * MINUTE,
    15 * MINUTE,
    30 * MINUTE,
    HOUR,
    2 * HOUR,
    3 * HOUR,
    6 * HOUR,
    12 * HOUR,
    DAY,
    2 * DAY,
    7 * DAY,
    30 * DAY,
    90 * DAY,
];

/// Marks from zero to at least `most`, and how many digits after the point they need.
pub(super) fn marks(most: f64) -> (Vec<f64>, usize) {
    let most = if most.is_finite() && most > 0.0 { most } else { 1.0 };
    let least = most / MOST_MARKS;
    let magnitude = 10f64.powf(least.log10().floor());
    let step =
        [1.0, 2.0, 5.0, 10.0].map(|factor| factor * magnitude).into_iter().find(|step| *step >= least * 0.999_999);
    let step = step.unwrap_or(10.0 * magnitude);
    let count = (most / step).ceil().max(1.0) as u32;
    let digits = (-step.log10().floor()).clamp(0.0, 12.0) as usize;
    ((0..=count).map(|at| f64::from(at) * step).collect(), digits)
}

/// Marks between two times, seven at most, with what is written there: clock times, or days.
pub(super) fn times(start: i64, end: i64) -> Vec<(i64, String)> {
    let length = (end - start).max(1);
    let step = TIMES.into_iter().find(|step| length / step <= 7).unwrap_or(length / 7 + 1);
    let first = start.div_euclid(step) * step;
    let format = match step {
        DAY.. => "%m-%d",
        _ if length > DAY => "%m-%d %H:%M",
        MINUTE.. => "%H:%M",
        _ => "%H:%M:%S",
    };
    let write =
        |at: i64| Timestamp::from_second(at).map_or_else(|_| String::new(), |at| at.strftime(format).to_string());
    (0..=8).map(|at| first + at * step).filter(|at| (start..=end).contains(at)).map(|at| (at, write(at))).collect()
}

/// A figure with four significant digits.
pub(super) fn figure(value: f64) -> String {
    if value == 0.0 || !value.is_finite() {
        return if value == 0.0 { "0".to_owned() } else { "–".to_owned() };
    }
    let digits = (3 - value.abs().log10().floor() as i32).clamp(0, 9) as usize;
    let text = format!("{value:.digits$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_round_and_reach_the_largest_figure() {
        for most in [0.000_37, 0.9, 1.0, 3.2, 99.0, 100.0, 101.0, 12_345.0, 0.0, f64::NAN] {
            let (marks, digits) = marks(most);
            assert!(marks.len() >= 2 && marks.len() <= 8, "{most}: {marks:?}");
            assert!(most.is_nan() || most <= *marks.last().unwrap() * 1.000_001, "{most}: {marks:?}");
            let written: Vec<String> = marks.iter().map(|mark| format!("{mark:.digits$}")).collect();
            assert!(written.windows(2).all(|two| two[0] != two[1]), "{most}: {written:?}");
        }
    }

    #[test]
    fn times_are_clock_times_within_a_day_and_days_beyond() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap().as_second();
        let hour = times(at("2026-11-30T11:58:20Z"), at("2026-11-30T12:58:20Z"));
        let written: Vec<&str> = hour.iter().map(|(_, text)| text.as_str()).collect();
        assert_eq!(written, ["12:00", "12:10", "12:20", "12:30", "12:40", "12:50"]);
        let week = times(at("2026-11-23T00:00:00Z"), at("2026-11-30T00:00:00Z"));
        assert_eq!((week.len(), week[0].1.as_str()), (8, "11-23"));
        assert!(times(at("2026-11-30T00:00:00Z"), at("2026-11-30T00:00:00Z")).len() <= 2);
        assert!(times(0, i64::MAX / 2).len() <= 9);
    }

    #[test]
    fn figures_have_four_digits() {
        let written = [0.0, 12.345_6, 1234.56, 123_456.0, 0.001_234_56, 2.0, -3.5, f64::NAN].map(figure);
        assert_eq!(written, ["0", "12.35", "1235", "123456", "0.001235", "2", "-3.5", "–"]);
    }
}
