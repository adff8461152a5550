//! Rounding of figures for people and for programs.
//!
//! No figure of this project is known to more than a few digits: a meter is off by per cents, a yearly intensity by
//! more. People read four significant digits; programs get nine, which keeps every microjoule of a kilojoule and
//! leaves out the seventeen digits of binary rounding.
//!
//! ```
//! use kepler_compliance::numbers::{figure, rounded};
//!
//! assert_eq!(figure(510.072_000_000_000_1), "510.1");
//! assert_eq!(figure(0.000_012_345), "0.00001234");
//! assert_eq!(figure(1e308), "1e308");
//! assert_eq!(rounded(0.1 + 0.2), 0.3);
//! ```

use serde::Serialize;
use serde_json::Value;
use serde_json::ser::{CompactFormatter, Formatter, PrettyFormatter, Serializer};
use std::io::{self, Write};

/// Digits of a figure in a sentence or a table.
const FOR_PEOPLE: usize = 4;

/// Digits of a figure in JSON.
const FOR_PROGRAMS: usize = 9;

/// Powers of ten up to this one are exact as floating-point numbers.
const EXACT: i32 = 22;

/// Orders of magnitude that people read without an exponent.
const PLAIN: std::ops::Range<i32> = -6..9;

/// A figure with four significant digits and no trailing zeros: `24.38`, `40000`, `1e308`.
#[must_use]
pub fn figure(value: f64) -> String {
    significant(value, FOR_PEOPLE)
}

/// A value and a bound, with as many digits as it takes to tell them apart.
pub(crate) fn apart(value: f64, bound: f64) -> (String, String) {
    let mut pair = (figure(value), figure(bound));
    for digits in FOR_PEOPLE + 1..=FOR_PROGRAMS {
        if pair.0 != pair.1 || value == bound {
            break;
        }
        pair = (significant(value, digits), significant(bound, digits));
    }
    pair
}

/// A change in per cent, with its sign: one decimal, and of the very large what [`figure`] shows.
#[must_use]
pub fn change(percent: f64) -> String {
    if percent.abs() < 1e6 {
        format!("{percent:+.1}")
    } else {
        format!("{}{}", if percent > 0.0 { "+" } else { "" }, figure(percent))
    }
}

/// A share in per cent: whole, and with more digits where it is small.
pub(crate) fn percent(value: f64) -> String {
    if value.abs() >= 1.0 && value.abs() < 1e6 { format!("{value:.0}") } else { significant(value, 2) }
}

fn significant(value: f64, digits: usize) -> String {
    if value == 0.0 || !value.is_finite() {
        return format!("{}", value + 0.0);
    }
    let scientific = format!("{value:.*e}", digits.saturating_sub(1));
    let exponent = scientific.rsplit_once('e').and_then(|(_, exponent)| exponent.parse::<i32>().ok()).unwrap_or(0);
    let Some(nearest) = scientific.parse::<f64>().ok().filter(|nearest| nearest.is_finite()) else { return scientific };
    // Of a rounded number the shortest text that reads back has no more than the digits asked for.
    if PLAIN.contains(&exponent) { format!("{nearest}") } else { format!("{nearest:e}") }
}

/// The nearest number of nine significant digits.
#[must_use]
pub fn rounded(value: f64) -> f64 {
    if value == 0.0 || !value.is_finite() {
        return value;
    }
    let digits = FOR_PROGRAMS as i32;
    let places = digits - 1 - value.abs().log10().floor() as i32;
    let result = match places {
        0..=EXACT => (value * 10f64.powi(places)).round() / 10f64.powi(places),
        places if (-EXACT..0).contains(&places) => (value / 10f64.powi(-places)).round() * 10f64.powi(-places),
        _ => format!("{value:.*e}", FOR_PROGRAMS - 1).parse().unwrap_or(value),
    };
    if result.is_finite() { result } else { value }
}

/// Rounds every number of a JSON value that is no integer.
pub(crate) fn round_all(value: &mut Value) {
    match value {
        Value::Number(number) if number.is_f64() => {
            let near = number.as_f64().map(rounded).and_then(serde_json::Number::from_f64);
            if let Some(near) = near {
                *number = near;
            }
        }
        Value::Array(items) => items.iter_mut().for_each(round_all),
        Value::Object(fields) => fields.values_mut().for_each(round_all),
        _ => {}
    }
}

/// An answer as indented JSON, its figures rounded as [`rounded`] does, its fields in their own order.
///
/// # Errors
/// The answer cannot be written as JSON.
pub fn to_json_pretty<T: Serialize + ?Sized>(answer: &T) -> serde_json::Result<String> {
    let mut text = Vec::new();
    let formatter = Rounding { format: PrettyFormatter::new(), round: rounded };
    answer.serialize(&mut Serializer::with_formatter(&mut text, formatter))?;
    // serde_json writes UTF-8 only.
    Ok(String::from_utf8_lossy(&text).into_owned())
}

/// Figures as compact JSON: rounded as [`rounded`] does, but for counters, which keep whole millionths (microjoules,
/// microseconds) however large they are, so that their differences stay exact.
///
/// ```
/// let json = kepler_compliance::numbers::to_json(&[0.1 + 0.2, 1_234_567_890.123_456, 1.0 / 3.0])?;
/// assert_eq!(json, b"[0.3,1234567890.123456,0.333333333]");
/// # Ok::<(), serde_json::Error>(())
/// ```
///
/// # Errors
/// The answer cannot be written as JSON.
pub fn to_json<T: Serialize + ?Sized>(answer: &T) -> serde_json::Result<Vec<u8>> {
    let mut text = Vec::new();
    let formatter = Rounding { format: CompactFormatter, round: millionths_or_rounded };
    answer.serialize(&mut Serializer::with_formatter(&mut text, formatter))?;
    Ok(text)
}

/// A value of whole millionths without what binary arithmetic added to it; any other rounded.
fn millionths_or_rounded(value: f64) -> f64 {
    let whole = (value * 1e6).round() / 1e6;
    let is_whole = (value - whole).abs() <= value.abs() * 4.0 * f64::EPSILON;
    if is_whole && whole != 0.0 { whole } else { rounded(value) }
}

/// Rounds floating-point numbers, and writes all else as another formatter does.
struct Rounding<F> {
    format: F,
    round: fn(f64) -> f64,
}

impl<F: Formatter> Formatter for Rounding<F> {
    fn write_f64<W: ?Sized + Write>(&mut self, writer: &mut W, value: f64) -> io::Result<()> {
        self.format.write_f64(writer, (self.round)(value))
    }

    fn begin_array<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.format.begin_array(writer)
    }

    fn end_array<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.format.end_array(writer)
    }

    fn begin_array_value<W: ?Sized + Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        self.format.begin_array_value(writer, first)
    }

    fn end_array_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.format.end_array_value(writer)
    }

    fn begin_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.format.begin_object(writer)
    }

    fn end_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.format.end_object(writer)
    }

    fn begin_object_key<W: ?Sized + Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        self.format.begin_object_key(writer, first)
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.format.begin_object_value(writer)
    }

    fn end_object_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.format.end_object_value(writer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn people_read_four_digits_whatever_the_magnitude() {
        assert_eq!([change(12.24), change(-97.2), change(2.83e307)], ["+12.2", "-97.2", "+2.83e307"]);
        for (value, text) in [
            (24.38, "24.38"),
            (510.072, "510.1"),
            (1.0, "1"),
            (40_000.0, "40000"),
            (0.0, "0"),
            (-0.0, "0"),
            (-2.345_678, "-2.346"),
            (f64::MAX, "1.798e308"),
            (5e-324, "5e-324"),
            (999_999.0, "1000000"),
        ] {
            assert_eq!(figure(value), text);
        }
        assert_eq!(percent(66.666), "67");
        assert_eq!(percent(0.123), "0.12");
    }

    #[test]
    fn a_value_that_breaks_its_bound_never_reads_like_the_bound() {
        assert_eq!(apart(424.001, 424.0), ("424.001".to_owned(), "424".to_owned()));
        assert_eq!(apart(424.0, 424.0), ("424".to_owned(), "424".to_owned()));
    }

    #[test]
    fn json_keeps_the_order_of_fields_and_nine_digits() {
        #[derive(Serialize)]
        struct Answer {
            watts: f64,
            count: u64,
            empty: [u8; 0],
            series: Vec<f64>,
        }
        let answer = Answer { watts: 0.1 + 0.2, count: u64::MAX, empty: [], series: vec![1.0 / 3.0] };
        let text = to_json_pretty(&answer).unwrap();
        let expected = "{\n  \"watts\": 0.3,\n  \"count\": 18446744073709551615,\n  \"empty\": [],\n  \"series\": [\n    0.333333333\n  ]\n}";
        assert_eq!(text, expected);
        let mut value = json!({ "a": [0.1 + 0.2], "b": 7, "c": "0.30000000000000004" });
        round_all(&mut value);
        assert_eq!(value, json!({ "a": [0.3], "b": 7, "c": "0.30000000000000004" }));
    }

    proptest! {
        #[test]
        fn rounding_is_near_and_settles(value in prop::num::f64::NORMAL | prop::num::f64::ZERO | prop::num::f64::SUBNORMAL) {
            let near = rounded(value);
            prop_assert!((near - value).abs() <= value.abs() * 1e-8 || value.abs() < 1e-300);
            prop_assert_eq!(rounded(near), near);
            let digits = format!("{near:e}");
            let digits = digits.split('e').next().unwrap().chars().filter(char::is_ascii_digit).count();
            prop_assert!(digits <= 9 || value.abs() < 1e-300, "{} has {} digits", near, digits);
        }
    }
}
