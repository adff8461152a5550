//! Arguments that several tools share.

use super::{ArgumentRemedy, ToolError};
use crate::lasting::exactly;
use crate::numbers::figure;
use crate::text::Lang;
use crate::view::WorkloadKind;
use jiff::{SignedDuration, Span, SpanRelativeTo};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};
use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// A length of time as text: `5m`, `1h30m`, `7d`. A day has 24 hours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct Length(Duration);

/// A text that is no length of time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a length of time: write 30s, 5m, 1h30m or 7d")]
#[non_exhaustive]
pub struct InvalidDuration(pub String);

impl Length {
    /// From minutes.
    #[must_use]
    pub const fn minutes(minutes: u64) -> Self {
        Length(Duration::from_secs(minutes * 60))
    }

    /// As a duration; never zero.
    #[must_use]
    pub const fn duration(self) -> Duration {
        self.0
    }

    /// As people say it: `1 h 30 min`, `1시간 30분`.
    #[must_use]
    pub fn in_words(self, lang: Lang) -> String {
        exactly(self.0, lang)
    }
}

impl FromStr for Length {
    type Err = InvalidDuration;

    fn from_str(text: &str) -> Result<Self, InvalidDuration> {
        let invalid = || InvalidDuration(text.to_owned());
        let span: Span = text.trim().parse().map_err(|_| invalid())?;
        let length = span.to_duration(SpanRelativeTo::days_are_24_hours()).map_err(|_| invalid())?;
        let length = Duration::try_from(length).map_err(|_| invalid())?;
        if length.is_zero() { Err(invalid()) } else { Ok(Length(length)) }
    }
}

impl TryFrom<Duration> for Length {
    type Error = InvalidDuration;
    fn try_from(length: Duration) -> Result<Self, InvalidDuration> {
        if length.is_zero() { Err(InvalidDuration("0s".to_owned())) } else { Ok(Length(length)) }
    }
}

impl TryFrom<String> for Length {
    type Error = InvalidDuration;
    fn try_from(text: String) -> Result<Self, InvalidDuration> {
        text.parse()
    }
}

impl From<Length> for String {
    fn from(length: Length) -> String {
        length.to_string()
    }
}

impl fmt::Display for Length {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match SignedDuration::try_from(self.0) {
            Ok(length) => write!(f, "{length:#}"),
            Err(_) => write!(f, "{}s", self.0.as_secs()),
        }
    }
}

impl JsonSchema for Length {
    fn schema_name() -> Cow<'static, str> {
        "Length".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "description": "A length of time: 30s, 5m, 1h30m, 7d.", "examples": ["5m", "24h"] })
    }
}

/// Which of the workloads that share a name is meant.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct WorkloadQualifiers {
    /// The namespace, which selects among pods and their controllers; other workloads are found anyway. Without it
    /// `default`, else the only namespace that has the workload.
    #[serde(default)]
    pub namespace: Option<String>,
    /// The kind, where several kinds share the name; without it the first of pod, deployment, statefulset, daemonset,
    /// job, controller (of another kind: an Argo rollout, a bare replica set), container, unit, vm and process that has it.
    #[serde(default)]
    pub kind: Option<WorkloadKind>,
}

impl WorkloadQualifiers {
    /// A namespace and a kind, where they matter.
    #[must_use]
    pub const fn new(namespace: Option<String>, kind: Option<WorkloadKind>) -> Self {
        WorkloadQualifiers { namespace, kind }
    }
}

/// What every question about energy says, whatever it asks.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct Scope {
    /// Where it runs: an AWS, GCP or Azure region, a country, a grid zone or a city. Without it the
    /// configured region, else ap-northeast-2.
    #[serde(default)]
    pub region: Option<String>,
    /// How far back figures are taken.
    #[serde(default = "default_window")]
    pub window: Length,
    /// Language of sentences. Without it the one that the workload's pods or namespace choose, else English.
    #[serde(default)]
    pub lang: Option<Lang>,
}

impl Scope {
    /// The configured region, over a window, in a language.
    #[must_use]
    pub const fn new(window: Length, lang: Lang) -> Self {
        Scope { region: None, window, lang: Some(lang) }
    }
}

impl Default for Scope {
    fn default() -> Self {
        Scope { region: None, window: default_window(), lang: None }
    }
}

/// Reads a flattened part of a request, so that an error names the argument: in what serde flattens, the
/// path to it is lost.
pub(super) fn named<'de, D: Deserializer<'de>, T: Deserialize<'de>>(arguments: D) -> Result<T, D::Error> {
    serde_path_to_error::deserialize(arguments).map_err(|error| D::Error::custom(explain(error)))
}

/// An error with the argument that it is about, where it is about one.
pub(super) fn explain<E: fmt::Display>(error: serde_path_to_error::Error<E>) -> String {
    let path = error.path().to_string();
    let reason = error.into_inner();
    if path == "." { reason.to_string() } else { format!("{path}: {reason}") }
}

/// An argument must lie between two bounds, and be a number.
pub(super) fn within(
    argument: &'static str,
    given: f64,
    range: std::ops::RangeInclusive<f64>,
) -> Result<f64, ToolError> {
    if range.contains(&given) {
        return Ok(given);
    }
    let remedy = ArgumentRemedy::Between { from: figure(*range.start()), to: figure(*range.end()) };
    Err(ToolError::InvalidArgument { argument, given: figure(given), remedy })
}

/// The most items of a page.
const LARGEST_PAGE: usize = 1000;

/// A page has at least one item, and not more than [`LARGEST_PAGE`].
pub(super) fn check_page(limit: usize) -> Result<(), ToolError> {
    if (1..=LARGEST_PAGE).contains(&limit) {
        return Ok(());
    }
    let remedy = ArgumentRemedy::Page { most: LARGEST_PAGE };
    Err(ToolError::InvalidArgument { argument: "limit", given: limit.to_string(), remedy })
}

/// Steps that a request may ask for.
const MOST_STEPS: u128 = 10_000;

/// A window has at most [`MOST_STEPS`] steps.
pub(super) fn check_step(window: Length, step: Duration) -> Result<(), ToolError> {
    if window.duration().as_nanos() / step.as_nanos().max(1) <= MOST_STEPS {
        return Ok(());
    }
    let given = Length::try_from(step).map_or_else(|_| "0s".to_owned(), |step| step.to_string());
    let remedy = ArgumentRemedy::LongerStep { most: MOST_STEPS };
    Err(ToolError::InvalidArgument { argument: "step", given, remedy })
}

/// The largest power that may be stated, watts: more than any site on Earth draws.
pub(super) const MOST_WATTS: f64 = 1e12;

pub(super) fn default_standard() -> String {
    crate::standards::DEFAULT_STANDARD.to_owned()
}

pub(super) const fn default_window() -> Length {
    Length::minutes(5)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_read_and_print_as_people_write_them() {
        for (text, seconds) in [("5m", 300), ("30s", 30), ("1h30m", 5400), ("7d", 604_800), ("PT1H", 3600)] {
            assert_eq!(text.parse::<Length>().unwrap().duration().as_secs(), seconds, "{text}");
        }
        assert_eq!(Length::minutes(5).to_string(), "5m");
        assert_eq!(serde_json::to_string(&Length::minutes(90)).unwrap(), "\"1h 30m\"");
        assert_eq!("1h 30m".parse(), Ok(Length::minutes(90)));
        for bad in ["", "0s", "-5m", "five", "5"] {
            assert!(bad.parse::<Length>().is_err(), "{bad}");
        }
    }
}
