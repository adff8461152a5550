//! Inputs and results of an assessment.

use super::Metric;
use super::facts::{Condition, SiteFacts};
use super::message::{FigureSource, VerdictMessage};
use super::rule::{Basis, Force, Limit, RuleKind, RuleSubject};
use jiff::civil::Date;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// The outcome of a judgement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[expect(clippy::exhaustive_enums, reason = "who acts on a verdict must treat every case")]
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
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct MetricValue {
    /// The value.
    pub value: f64,
    /// How it was determined.
    pub basis: Basis,
    /// Its source.
    pub source: FigureSource,
    /// The year it is for, where it is a year's.
    pub year: Option<i16>,
    /// How old it is.
    pub age: Option<Duration>,
    /// What weakens it.
    pub caveats: Vec<VerdictMessage>,
}

impl MetricValue {
    /// From a value and its origin.
    pub fn new(value: f64, basis: Basis, source: impl Into<FigureSource>) -> Self {
        MetricValue { value, basis, source: source.into(), year: None, age: None, caveats: Vec::new() }
    }
}

/// What is known about a subject, its facility and its operator. A metric that is not here is
/// unknown, never zero.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct VerdictInputs {
    /// The subject of the emissions among the values.
    pub subject: RuleSubject,
    /// The day of the assessment.
    pub date: Date,
    /// Country of the site (ISO 3166-1 alpha-2); unknown skips the question of territory.
    pub country: Option<String>,
    /// The site's first day of operation.
    pub operation_start: Option<Date>,
    /// What is known.
    pub values: BTreeMap<Metric, MetricValue>,
    /// What is stated to be so of the site, or not.
    pub conditions: BTreeMap<Condition, bool>,
    /// Codes of rules: whether their condition in words is declared to hold.
    pub applicable: BTreeMap<String, bool>,
    /// Codes of the duties that are declared fulfilled.
    pub fulfilled: BTreeSet<String>,
}

impl VerdictInputs {
    /// Nothing known yet.
    #[must_use]
    pub fn new(subject: RuleSubject, date: Date) -> Self {
        VerdictInputs {
            subject,
            date,
            country: None,
            operation_start: None,
            values: BTreeMap::new(),
            conditions: BTreeMap::new(),
            applicable: BTreeMap::new(),
            fulfilled: BTreeSet::new(),
        }
    }

    /// States a value.
    pub fn set(&mut self, metric: Metric, value: MetricValue) {
        self.values.insert(metric, value);
    }

    /// States what an operator says of the site.
    pub fn state(&mut self, facts: &SiteFacts) {
        self.operation_start = facts.operation_start.or(self.operation_start);
        self.conditions.extend(&facts.conditions);
        self.applicable.extend(facts.applicable.iter().map(|(code, holds)| (code.clone(), *holds)));
        self.fulfilled.extend(facts.fulfilled.iter().cloned());
        for (metric, value) in &facts.values {
            self.set(*metric, MetricValue::new(*value, Basis::Assumed, FigureSource::SiteFacts));
        }
    }
}

/// A judgement with all it rests on.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Verdict {
    /// The rule's code.
    pub code: String,
    /// The kind of rule.
    pub kind: RuleKind,
    /// The outcome.
    pub status: Status,
    /// The reason, in a sentence.
    pub reason: VerdictMessage,
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
    /// The binding force of the rule.
    pub force: Force,
    /// The subject of the rule.
    pub subject: RuleSubject,
    /// All values that were looked at.
    pub inputs: Vec<(Metric, MetricValue)>,
    /// What weakens the judgement.
    pub caveats: Vec<VerdictMessage>,
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
