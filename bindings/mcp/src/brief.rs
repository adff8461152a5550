//! Answers as a model reads them: no digit that no meter knows, no sentence that says what fields beside it say.
//!
//! Who needs nine digits asks the same of REST or Python.

use serde_json::{Map, Number, Value};

/// Digits of a figure.
const DIGITS: usize = 4;
/// Whole numbers up to here are exact as floating-point ones.
const EXACT: f64 = 9_007_199_254_740_992.0;
/// How near a value may be to its bound, in per cent, before rounding makes them one.
const NEAR_PERCENT: f64 = 0.1;

/// Fields that qualify a figure or name something, and say nothing where they are `null`. Figures stay: there `null` is
/// unknown.
const QUALIFIERS: [&str; 8] =
    ["age_seconds", "currency", "energy", "grid_year", "method", "next_offset", "savings", "year"];

/// Fields that a conversation has no use for.
const FOR_PROGRAMS: [&str; 2] = ["moment", "window_seconds"];

/// What says something only where there is something in it.
const EXCEPTIONS: [&str; 4] = ["choices", "labels", "nearest", "skipped"];

/// Shortens an answer of a tool.
pub(crate) fn brief(answer: &mut Value) {
    match answer {
        Value::Number(number) if number.is_f64() => {
            if let Some(short) = number.as_f64().and_then(short) {
                *number = short;
            }
        }
        Value::String(text) => {
            if let Some(whole) = whole_seconds(text) {
                *text = whole;
            }
        }
        Value::Array(items) => {
            join_steps(items);
            items.iter_mut().for_each(brief);
        }
        Value::Object(fields) => {
            if is_said_by_figures(fields) {
                fields.remove("reason");
            }
            // It puts verdicts and optimizations, which are beside it, into sentences.
            if fields.contains_key("verdicts") {
                fields.remove("recommendation");
            }
            // For programs: the newest reading's number, and the window once more.
            for name in FOR_PROGRAMS {
                fields.remove(name);
            }
            fields.retain(|name, value| {
                let name = name.as_str();
                let is_empty =
                    value.as_array().is_some_and(Vec::is_empty) || value.as_object().is_some_and(Map::is_empty);
                let says_nothing = name == "unit" && *value == "" || value.is_null() && QUALIFIERS.contains(&name);
                !(says_nothing || is_empty && EXCEPTIONS.contains(&name))
            });
            fields.values_mut().for_each(brief);
        }
        _ => {}
    }
}

/// Takes from steps in time what the step itself or the next one says: its end, where the next one starts then, and its energy, which
/// is its mean power for its length.
fn join_steps(items: &mut [Value]) {
    let starts: Vec<Option<Value>> = items.iter().map(|step| step.get("start").cloned()).collect();
    for (step, next) in items.iter_mut().zip(starts.iter().skip(1).chain([&None])) {
        let Value::Object(step) = step else { continue };
        if !["start", "end", "power_watts"].into_iter().all(|name| step.contains_key(name)) {
            continue;
        }
        if step.get("power_watts").is_some_and(Value::is_number) {
            step.remove("energy_joules");
        }
        if next.is_some() && step.get("end") == next.as_ref() {
            step.remove("end");
        }
    }
}

/// A number with no more digits than are known of it.
fn short(value: f64) -> Option<Number> {
    let near: f64 = format!("{value:.*e}", DIGITS.saturating_sub(1)).parse().ok()?;
    // `40000` rather than `40000.0`.
    if near.fract() == 0.0 && near.abs() < EXACT { Some(Number::from(near as i64)) } else { Number::from_f64(near) }
}

/// A moment without parts of a second.
fn whole_seconds(text: &str) -> Option<String> {
    let (seconds, part) = text.strip_suffix('Z')?.split_once('.')?;
    let is_moment = seconds.len() == "2026-11-21T00:00:00".len()
        && seconds.bytes().enumerate().all(|(at, byte)| match at {
            4 | 7 => byte == b'-',
            10 => byte == b'T',
            13 | 16 => byte == b':',
            _ => byte.is_ascii_digit(),
        });
    (is_moment && part.bytes().all(|byte| byte.is_ascii_digit())).then(|| format!("{seconds}Z"))
}

/// Whether this is a verdict whose reason is that its value meets its limit, or does not: status, value, limit and unit say
/// that. A value next to its limit keeps the sentence, which has as many digits as it takes.
fn is_said_by_figures(fields: &Map<String, Value>) -> bool {
    let known = |name: &str| fields.get(name).is_some_and(|value| !value.is_null());
    let gap = fields.get("gap_percent").and_then(Value::as_f64);
    ["status", "value", "limit", "unit"].into_iter().all(known) && gap.is_some_and(|gap| gap.abs() > NEAR_PERCENT)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn briefly(mut answer: Value) -> Value {
        brief(&mut answer);
        answer
    }

    #[test]
    fn figures_have_four_digits_and_counts_all_of_theirs() {
        let answer = briefly(
            json!({ "a": 30.0097893, "b": 400.0, "c": 0.000_159_969_161, "d": -95.740_566, "n": 123_456, "e": 1e300 }),
        );
        assert_eq!(answer.to_string(), r#"{"a":30.01,"b":400,"c":0.00016,"d":-95.74,"e":1e+300,"n":123456}"#);
    }

    #[test]
    fn moments_have_whole_seconds_and_names_that_look_like_them_stay() {
        let answer =
            json!(["2026-11-30T09:51:53.437065035Z", "2026-11-30T09:51:53Z", "web.1.5Z", "2026-11-30T09:51:5x.1Z"]);
        let expected = json!(["2026-11-30T09:51:53Z", "2026-11-30T09:51:53Z", "web.1.5Z", "2026-11-30T09:51:5x.1Z"]);
        assert_eq!(briefly(answer), expected);
    }

    #[test]
    fn a_reason_stays_where_figures_do_not_say_it() {
        let verdict = |value: Value, gap: Value| json!({ "status": "NON_COMPLIANT", "value": value, "limit": { "at_most": 424 }, "unit": "g", "gap_percent": gap, "reason": "why" });
        assert_eq!(briefly(verdict(json!(600), json!(41.5))).get("reason"), None);
        assert_eq!(briefly(verdict(Value::Null, Value::Null))["reason"], "why");
        assert_eq!(briefly(verdict(json!(424.04), json!(0.0094)))["reason"], "why");
        assert_eq!(briefly(json!({ "what": "node-1", "reason": "refused" }))["reason"], "refused");
    }

    #[test]
    fn a_step_ends_where_the_next_one_starts_unless_it_says_otherwise() {
        let step =
            |start: &str, end: &str| json!({ "start": start, "end": end, "energy_joules": 120.0, "power_watts": 2.0 });
        let steps = json!([step("10:00", "10:01"), step("10:01", "10:02"), step("10:05", "10:06")]);
        let expected = json!([
            { "start": "10:00", "power_watts": 2 },
            { "start": "10:01", "end": "10:02", "power_watts": 2 },
            { "start": "10:05", "end": "10:06", "power_watts": 2 },
        ]);
        assert_eq!(briefly(steps), expected);
        let unknown = json!([{ "start": "10:00", "end": "10:01", "energy_joules": 120.0, "power_watts": null }]);
        assert_eq!(briefly(unknown.clone())[0]["energy_joules"], 120);
        let windows = json!([{ "start": "10:00", "end": "10:01", "mean_intensity": 3 }, { "start": "10:01", "end": "10:02", "mean_intensity": 3 }]);
        assert_eq!(briefly(windows.clone()), windows);
    }

    #[test]
    fn an_unknown_figure_stays_null() {
        let answer = json!({ "energy_joules": null, "cost": null, "currency": null, "inputs": [{ "value": null, "year": null }] });
        assert_eq!(briefly(answer), json!({ "energy_joules": null, "cost": null, "inputs": [{ "value": null }] }));
    }
}
