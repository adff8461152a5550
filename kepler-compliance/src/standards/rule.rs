//! Rules.

use super::Metric;
use super::facts::Condition;
use crate::text::Text;
use jiff::civil::Date;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The five kinds of rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum RuleKind {
    /// A bound on the effective carbon intensity, `CI * PUE`.
    IntensityLimit,
    /// A bound on a PUE.
    PueLimit,
    /// A bound on emissions per hour or month.
    EmissionBudget,
    /// A yearly amount from which on a duty applies.
    EnergyDuty,
    /// Figures that must be reported, some within bounds.
    MetricReport,
}

/// The binding force of a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Force {
    /// An act of parliament or a regulation of equal rank.
    Law,
    /// A decree or ordinance under a law.
    Decree,
    /// A government's target or plan that binds no site by itself.
    Policy,
    /// The condition of a certificate.
    Certification,
    /// A promise of an industry.
    Voluntary,
    /// A yardstick of this product or of the user.
    Internal,
}

/// How far a rule has come. Its dates say on which days it holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum RuleStatus {
    /// Proposed: not in force, whatever its dates.
    Draft,
    /// Adopted, in force from its first day on; without one not yet.
    Passed,
    /// In force within its dates.
    #[default]
    InForce,
}

/// The subject of a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "Subject")]
#[non_exhaustive]
pub enum RuleSubject {
    /// A workload: pod, unit, VM, process.
    Workload,
    /// All workloads of a namespace.
    Namespace,
    /// A machine.
    Node,
    /// A data centre or site.
    Facility,
    /// A company that runs sites.
    Operator,
    /// A country. Kept for reference: nothing measured here can meet or fail it.
    Country,
}

/// How a value came about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "who shows a figure must show every kind of basis")]
pub enum Basis {
    /// By a meter.
    Measured,
    /// By its operator or regulator.
    Published,
    /// By meters in part; the rest is estimated.
    Partial,
    /// By a model.
    Estimated,
    /// Neither measured nor published: a default or a guess.
    Assumed,
}

impl Basis {
    /// Whether it was measured or published, not estimated or assumed.
    #[must_use]
    pub const fn is_sound(self) -> bool {
        matches!(self, Basis::Measured | Basis::Published)
    }
}

/// A bound.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Limit {
    /// Value <= limit.
    AtMost(f64),
    /// Value < limit.
    Below(f64),
    /// Value >= limit.
    AtLeast(f64),
}

impl Limit {
    /// The figure.
    #[must_use]
    pub const fn value(self) -> f64 {
        match self {
            Limit::AtMost(value) | Limit::Below(value) | Limit::AtLeast(value) => value,
        }
    }

    /// Whether a value meets it.
    ///
    /// Values that differ by less than a billionth are equal: a quotient of two meters that should
    /// be 1.4 and is 1.4000000000000001 keeps "at most 1.4".
    #[must_use]
    pub fn is_met(self, value: f64) -> bool {
        let slack = self.value().abs() * 1e-9;
        match self {
            Limit::AtMost(limit) => value <= limit + slack,
            Limit::Below(limit) => value < limit - slack,
            Limit::AtLeast(limit) => value >= limit - slack,
        }
    }
}

/// A figure that must exist, and its bound where it has one.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct MetricBound {
    /// Which figure.
    pub metric: Metric,
    /// Its bound; none means that reporting it is enough.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<Limit>,
}

/// A size from which on a rule applies.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Threshold {
    /// Which size.
    pub metric: Metric,
    /// It applies from this value on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_least: Option<f64>,
    /// It applies above this value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub more_than: Option<f64>,
}

impl Threshold {
    /// Whether a value reaches it.
    #[must_use]
    pub fn is_reached(&self, value: f64) -> bool {
        self.at_least.is_none_or(|least| value >= least) && self.more_than.is_none_or(|bound| value > bound)
    }
}

/// The first days of operation that a rule speaks of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct OperationStart {
    /// Sites that began on this day or later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Date>,
    /// Sites that began before this day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Date>,
    /// Months after the first day within which the rule need not be met yet.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub grace_months: u32,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde hands skip_serializing_if a reference")]
fn is_zero(months: &u32) -> bool {
    *months == 0
}

/// Conditions on the subjects of a rule; all must hold.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Applies {
    /// Sizes that must be reached.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub metrics: Vec<Threshold>,
    /// What must be so of the site, or must not.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub conditions: BTreeMap<Condition, bool>,
    /// Another condition, in words: the caller must declare whether it holds, as the fact `applicable` or
    /// `not_applicable`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub condition: Option<Text>,
    /// When the site must have begun operation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation_start: Option<OperationStart>,
}

impl Applies {
    /// Each condition by itself.
    #[must_use]
    pub fn requirements(&self) -> Vec<Requirement> {
        let start = self.operation_start.map(Requirement::Start);
        let sizes = self.metrics.iter().copied().map(Requirement::Size);
        let conditions = self.conditions.iter().map(|(condition, holds)| Requirement::Condition(*condition, *holds));
        let words = self.condition.clone().map(Requirement::Words);
        start.into_iter().chain(sizes).chain(conditions).chain(words).collect()
    }
}

/// What a site must be for a rule to apply.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Requirement {
    /// Its first day of operation, which must lie within these bounds.
    Start(OperationStart),
    /// A size, which must reach this.
    Size(Threshold),
    /// Whether this is so, and which of both the rule needs.
    Condition(Condition, bool),
    /// Whether a condition in words holds.
    Words(Text),
}

/// What a rule asks.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Check {
    /// A bound on the effective carbon intensity.
    IntensityLimit {
        /// In gCO2e/kWh.
        limit: Limit,
    },
    /// A bound on a PUE.
    PueLimit {
        /// Which PUE.
        metric: Metric,
        /// Its bound.
        limit: Limit,
    },
    /// A bound on emissions of the rule's subject.
    EmissionBudget {
        /// Per hour or per month.
        metric: Metric,
        /// Its bound.
        limit: Limit,
    },
    /// A duty from a yearly amount on.
    EnergyDuty {
        /// Which amount.
        metric: Metric,
        /// From where on.
        at_least: f64,
        /// What must be done then.
        duty: Text,
    },
    /// Figures to report.
    MetricReport {
        /// Which, and their bounds.
        metrics: Vec<MetricBound>,
    },
}

impl Check {
    /// The kind of the rule.
    #[must_use]
    pub const fn kind(&self) -> RuleKind {
        match self {
            Check::IntensityLimit { .. } => RuleKind::IntensityLimit,
            Check::PueLimit { .. } => RuleKind::PueLimit,
            Check::EmissionBudget { .. } => RuleKind::EmissionBudget,
            Check::EnergyDuty { .. } => RuleKind::EnergyDuty,
            Check::MetricReport { .. } => RuleKind::MetricReport,
        }
    }
}

/// One version of a rule.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Rule {
    /// Its code, upper case with `_`.
    pub code: String,
    /// English name.
    pub name: String,
    /// Name in the language of the jurisdiction, where we have one.
    pub name_local: Option<String>,
    /// What it asks, in a sentence.
    pub text: Text,
    /// `KR`, `EU`, `DE`, … or `user`.
    pub jurisdiction: String,
    /// Countries it holds in (ISO 3166-1 alpha-2).
    pub countries: Vec<String>,
    /// Its binding force.
    pub force: Force,
    /// Its subject.
    pub subject: RuleSubject,
    /// How far it has come.
    pub status: RuleStatus,
    /// First day in force; none means since ever.
    pub valid_from: Option<Date>,
    /// Last day in force; none means until further notice.
    pub valid_to: Option<Date>,
    /// Conditions on the subjects it applies to.
    pub applies: Applies,
    /// What it asks, for machines.
    #[serde(flatten)]
    pub check: Check,
    /// Where it is written.
    pub source: String,
    /// The year the source speaks of, where known.
    pub year: Option<i16>,
    /// The day on which this was last compared with reports of the rule; none since it was written.
    pub verified: Option<Date>,
    /// What an honest reader should know about it.
    pub note: Option<Text>,
}

impl Rule {
    /// Whether it is in force on a day.
    #[must_use]
    pub fn in_force(&self, date: Date) -> bool {
        let adopted = match self.status {
            RuleStatus::Draft => false,
            // Passed without a date: nothing says since when it would hold.
            RuleStatus::Passed => self.valid_from.is_some(),
            RuleStatus::InForce => true,
        };
        adopted && self.valid_from.is_none_or(|from| from <= date) && self.valid_to.is_none_or(|to| date <= to)
    }

    /// Whether it binds only within its territory. Yardsticks, promises and certificates can be
    /// applied anywhere by choice.
    #[must_use]
    pub const fn is_territorial(&self) -> bool {
        matches!(self.force, Force::Law | Force::Decree | Force::Policy)
    }
}
