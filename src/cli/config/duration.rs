//! Durations as Go writes them, since Kepler's files and flags do: `3s`, `1m30s`, `500ms`, `1.5h`, `0`.

use std::time::Duration;

/// Each unit with its length in nanoseconds. A longer name stands before the names it starts with.
const UNITS: [(&str, u64); 8] = [
    ("ns", 1),
    ("us", 1_000),
    ("µs", 1_000), // U+00B5, micro sign
    ("μs", 1_000), // U+03BC, Greek letter mu
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60 * 1_000_000_000),
    ("h", 3_600 * 1_000_000_000),
];

/// Reads a duration in the syntax of Go's `time.ParseDuration`: numbers with a fraction and a unit, one
/// after the other. `0` needs no unit.
///
/// # Errors
/// A sentence that says what is wrong, to put behind the name of the setting.
pub(crate) fn parse(text: &str) -> Result<Duration, String> {
    let malformed =
        || format!("`{text}` is not a duration; write a number and a unit, such as `3s`, `500ms` or `1m30s`");
    if text.starts_with('-') {
        return Err(format!("`{text}` is negative"));
    }
    let mut rest = text.strip_prefix('+').unwrap_or(text);
    if rest == "0" {
        return Ok(Duration::ZERO);
    }
    if rest.is_empty() {
        return Err(malformed());
    }
    let mut nanoseconds: u64 = 0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let (number, after) = rest.split_at(digits);
        if after.is_empty() && !number.is_empty() {
            return Err(format!("`{text}` lacks a unit; did you mean `{text}s`?"));
        }
        let (name, length) = unit(after).ok_or_else(malformed)?;
        if number.matches('.').count() > 1 || !number.contains(|c: char| c.is_ascii_digit()) {
            return Err(malformed());
        }
        let sum = scale(number, length).and_then(|part| nanoseconds.checked_add(part));
        nanoseconds = sum.ok_or_else(|| format!("`{text}` is longer than 584 years"))?;
        rest = after.strip_prefix(name).unwrap_or_default();
    }
    Ok(Duration::from_nanos(nanoseconds))
}

/// The unit with which `text` starts. `m` is a minute only where no `ms` stands.
fn unit(text: &str) -> Option<(&'static str, u64)> {
    UNITS.into_iter().find(|(name, _)| text.starts_with(name))
}

/// `number`, digits with at most one point, times `unit`, cut to whole nanoseconds as Go does. `None` if
/// the product does not fit.
fn scale(number: &str, unit: u64) -> Option<u64> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let whole = if whole.is_empty() { 0 } else { whole.parse::<u64>().ok()? }.checked_mul(unit)?;
    // Digits beyond the nineteenth are below a nanosecond of the longest unit.
    let digits = fraction.get(..fraction.len().min(19)).unwrap_or(fraction);
    let numerator = if fraction.is_empty() { 0 } else { u128::from(digits.parse::<u64>().ok()?) };
    let denominator = 10u128.checked_pow(u32::try_from(digits.len()).ok()?)?;
    let part = numerator.checked_mul(u128::from(unit))?.checked_div(denominator)?;
    whole.checked_add(u64::try_from(part).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn goes_own_examples_are_read() {
        let cases: [(&str, u64); 14] = [
            ("0", 0),
            ("+0", 0),
            ("0s", 0),
            ("5s", 5_000_000_000),
            ("500ms", 500_000_000),
            ("1000ms", 1_000_000_000),
            ("1m30s", 90_000_000_000),
            ("1h15m30.918273645s", 4_530_918_273_645),
            ("1.5h", 5_400_000_000_000),
            (".5s", 500_000_000),
            ("1.s", 1_000_000_000),
            ("3us", 3_000),
            ("3µs", 3_000),
            ("1.0000000000000000000000001s", 1_000_000_000),
        ];
        for (text, nanoseconds) in cases {
            assert_eq!(parse(text), Ok(Duration::from_nanos(nanoseconds)), "{text}");
        }
    }

    #[test]
    fn what_go_refuses_is_refused_with_a_reason() {
        assert_eq!(parse("5"), Err("`5` lacks a unit; did you mean `5s`?".to_owned()));
        assert_eq!(parse("-1s"), Err("`-1s` is negative".to_owned()));
        assert!(parse("9999999h").unwrap_err().contains("584 years"));
        for text in ["", "+", "s", ".s", "3 s", "3x", "1..5s", "5S", "abc", "1m30", "1e3s"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_number_of_nanoseconds_survives_being_written_in_parts(nanoseconds in 0u64..u64::MAX / 2) {
            let (hours, rest) = (nanoseconds / 3_600_000_000_000, nanoseconds % 3_600_000_000_000);
            let (minutes, rest) = (rest / 60_000_000_000, rest % 60_000_000_000);
            let text = format!("{hours}h{minutes}m{}.{:09}s", rest / 1_000_000_000, rest % 1_000_000_000);
            prop_assert_eq!(parse(&text), Ok(Duration::from_nanos(nanoseconds)));
        }

        #[test]
        fn no_text_makes_it_panic(text in ".{0,40}") {
            let _outcome = parse(&text);
        }
    }
}
