//! What goes into a judgement and what comes out.

use super::Metric;
use super::rule::{Basis, Force, Limit, RuleKind, Subject};
use crate::text::Text;
use jiff::civil::Date;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// The outcome of a judgement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Status {
    /// The rule applies and is met.
    Compliant,
    /// The rule applies and is not met.
    NonCompliant,
    /// The rule does not apply here or now.
    NotApplicable,
    /// What is known does not decide it.
    InsufficientData,
}

/// A known value of a metric, in the metric's unit ([`Metric::unit`]).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fact {
    /// The value.
    pub value: f64,
    /// How it came about.
    pub basis: Basis,
    /// From where.
    pub source: String,
    /// The year it is for, where it is a year's.
    pub year: Option<i16>,
    /// How old it is.
    pub age: Option<Duration>,
    /// What weakens it.
    pub caveats: Vec<Text>,
}

impl Fact {
    /// From a value and its origin.
    pub fn new(value: f64, basis: Basis, source: impl Into<String>) -> Self {
        Fact { value, basis, source: source.into(), year: None, age: None, caveats: Vec::new() }
    }
}

/// What is known about a subject, its facility and its operator. A metric that is not here is
/// unknown, never zero.
#[derive(Clone, Debug, PartialEq)]
pub struct Inputs {
    /// Whom the emissions among the facts are of.
    pub subject: Subject,
    /// The day to judge for.
    pub date: Date,
    /// Country of the site (ISO 3166-1 alpha-2); unknown skips the question of territory.
    pub country: Option<String>,
    /// The site's first day of operation.
    pub operation_start: Option<Date>,
    /// What is known.
    pub facts: BTreeMap<Metric, Fact>,
    /// Codes of the duties that somebody declares fulfilled.
    pub fulfilled: BTreeSet<String>,
}

impl Inputs {
    /// Nothing known yet.
    #[must_use]
    pub fn new(subject: Subject, date: Date) -> Self {
        Inputs {
            subject,
            date,
            country: None,
            operation_start: None,
            facts: BTreeMap::new(),
            fulfilled: BTreeSet::new(),
        }
    }

    /// States a value.
    pub fn give(&mut self, metric: Metric, fact: Fact) {
        self.facts.insert(metric, fact);
    }
}

/// A figure that a judgement or an answer rests on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Input {
    /// What it is: a metric's name, or `power`, `energy`, `grid_intensity`, `pue`, `price`.
    pub name: String,
    /// Its value.
    pub value: f64,
    /// Its unit; empty for a pure ratio.
    pub unit: String,
    /// How it came about.
    pub basis: Basis,
    /// From where.
    pub source: String,
    /// The year it is for, where it is a year's.
    pub year: Option<i16>,
    /// How old it is, in seconds; `null` while it holds or where it is a year's.
    pub age_seconds: Option<u64>,
}

/// A judgement with all it rests on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Verdict {
    /// The rule's code.
    pub code: String,
    /// The kind of rule.
    pub kind: RuleKind,
    /// The outcome.
    pub status: Status,
    /// Why, in a sentence.
    pub reason: Text,
    /// The metric that decided.
    pub metric: Option<Metric>,
    /// Its value.
    pub value: Option<f64>,
    /// The bound it was held against.
    pub limit: Option<Limit>,
    /// Unit of value and limit; empty for a pure ratio.
    pub unit: String,
    /// `(value - limit) / limit * 100`. Above zero is a breach of an upper bound, below zero of a
    /// lower one. None where value or limit is unknown or the limit is zero.
    pub gap_percent: Option<f64>,
    /// How the deciding value came about.
    pub basis: Option<Basis>,
    /// What makes somebody follow the rule.
    pub force: Force,
    /// Whom the rule speaks of.
    pub subject: Subject,
    /// All values that were looked at.
    pub inputs: Vec<Input>,
    /// What weakens the judgement.
    pub caveats: Vec<Text>,
}

/// The status of several verdicts together: NON_COMPLIANT if any applicable rule fails, COMPLIANT
/// only if all applicable rules pass, NOT_APPLICABLE if none applies, else INSUFFICIENT_DATA.
pub fn overall<'a>(verdicts: impl IntoIterator<Item = &'a Verdict>) -> Status {
    overall_status(verdicts.into_iter().map(|verdict| verdict.status))
}

/// The same, of statuses.
pub fn overall_status(statuses: impl IntoIterator<Item = Status>) -> Status {
    let mut sum = Status::NotApplicable;
    for status in statuses {
        sum = match (sum, status) {
            (Status::NonCompliant, _) | (_, Status::NonCompliant) => Status::NonCompliant,
            (other, Status::NotApplicable) => other,
            (Status::InsufficientData, _) | (_, Status::InsufficientData) => Status::InsufficientData,
            (_, Status::Compliant) => Status::Compliant,
        };
    }
    sum
}
