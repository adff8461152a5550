//! The form of a rule in a file.
//!
//! Flat on purpose: an error of serde names the line only where nothing is buffered, so the kinds
//! are distinguished after reading, not by a tagged enum.

use super::Metric;
use super::rule::{Applies, Check, Force, Limit, MetricBound, Rule, RuleKind, RuleStatus, RuleSubject, Threshold};
use crate::numbers::figure;
use crate::text::Text;
use jiff::civil::Date;
use schemars::{JsonSchema, Schema, schema_for};
use serde::Deserialize;

/// A file of standards.
#[derive(JsonSchema)]
#[schemars(title = "Kepler standards", deny_unknown_fields)]
#[allow(dead_code, reason = "describes the file for the schema; load.rs reads it piece by piece, to know the lines")]
struct StandardsFile {
    /// Where this schema is, for editors.
    #[schemars(rename = "$schema")]
    schema: Option<String>,
    /// The rules. Entries with the same code are versions of one rule.
    rules: Vec<RuleForm>,
}

/// One version of a rule.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RuleForm {
    /// Its code: upper-case letters, digits and `_`.
    #[schemars(regex(pattern = "^[A-Z0-9_]+$"))]
    pub(super) code: String,
    /// Which kind of rule; it decides which of the fields below are needed.
    kind: RuleKind,
    /// English name.
    name: String,
    /// Name in the language of the jurisdiction.
    #[serde(default)]
    name_local: Option<String>,
    /// What it asks, in a sentence.
    text: Text,
    /// Whose rule it is: a country code, `EU`, or a name of your own.
    jurisdiction: String,
    /// Countries it holds in; without it the jurisdiction.
    #[serde(default)]
    countries: Vec<String>,
    /// Its binding force.
    force: Force,
    /// Its subject.
    subject: RuleSubject,
    /// How far it has come: draft, passed, in_force.
    #[serde(default)]
    status: RuleStatus,
    /// First day in force.
    #[serde(default)]
    valid_from: Option<Date>,
    /// Last day in force.
    #[serde(default)]
    valid_to: Option<Date>,
    /// Conditions on the subjects it applies to.
    #[serde(default)]
    applies: Applies,
    /// The metric of an emission_budget or energy_duty; of a pue_limit where it is not the yearly PUE.
    #[serde(default)]
    metric: Option<Metric>,
    /// The bound; an energy_duty has an `at_least`.
    #[serde(default)]
    limit: Option<Limit>,
    /// The figures of a metric_report.
    #[serde(default)]
    metrics: Vec<MetricBound>,
    /// What an energy_duty obliges to.
    #[serde(default)]
    duty: Option<Text>,
    /// Where it is written.
    source: String,
    /// The year the source speaks of.
    #[serde(default)]
    year: Option<i16>,
    /// The day on which this was last compared with its source or with reports of the rule.
    #[serde(default)]
    verified: Option<Date>,
    /// What an honest reader should know about it.
    #[serde(default)]
    note: Option<Text>,
}

/// The JSON Schema of a file of standards; `data/standards.schema.json` is this.
#[must_use]
pub fn json_schema() -> Schema {
    schema_for!(StandardsFile)
}

/// A field and what is wrong with it.
pub(super) type Fault = (&'static str, String);

impl RuleForm {
    /// Checks what serde cannot and sorts the fields by kind.
    pub(super) fn into_rule(self) -> Result<Rule, Fault> {
        self.check_fields()?;
        let check = self.check()?;
        let countries = if self.countries.is_empty() { vec![self.jurisdiction.clone()] } else { self.countries };
        Ok(Rule {
            code: self.code,
            name: self.name,
            name_local: self.name_local,
            text: self.text,
            jurisdiction: self.jurisdiction,
            countries,
            force: self.force,
            subject: self.subject,
            status: self.status,
            valid_from: self.valid_from,
            valid_to: self.valid_to,
            applies: self.applies,
            check,
            source: self.source,
            year: self.year,
            verified: self.verified,
            note: self.note,
        })
    }

    fn check_fields(&self) -> Result<(), Fault> {
        let code_is_plain =
            |code: &str| code.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_');
        if self.code.is_empty() || !code_is_plain(&self.code) {
            return Err(("code", format!("`{}`: use upper-case letters, digits and `_`", self.code)));
        }
        if self.source.trim().is_empty() {
            return Err(("source", "is empty: say where the rule is written".into()));
        }
        if self.valid_from.zip(self.valid_to).is_some_and(|(from, to)| to < from) {
            return Err(("valid_to", "lies before valid_from".into()));
        }
        let no_bound = |t: &Threshold| t.at_least.is_none() && t.more_than.is_none();
        if self.applies.metrics.iter().any(no_bound) {
            return Err(("applies", "a metric needs `at_least` or `more_than`".into()));
        }
        let bad = |limit: &Limit| !(limit.value().is_finite() && limit.value() >= 0.0);
        let fault =
            |field, limit: Limit| (field, format!("{}: give a finite figure of zero or more", figure(limit.value())));
        if let Some(limit) = self.limit.filter(bad) {
            return Err(fault("limit", limit));
        }
        match self.metrics.iter().filter_map(|bound| bound.limit).find(bad) {
            Some(limit) => Err(fault("metrics", limit)),
            None => Ok(()),
        }
    }

    fn check(&self) -> Result<Check, Fault> {
        let limit = || self.limit.ok_or(("limit", format!("is missing: {} needs it", name(self.kind))));
        let one_of = |allowed: &[Metric], default: Option<Metric>| match self.metric.or(default) {
            Some(metric) if allowed.contains(&metric) => Ok(metric),
            _ => {
                let allowed = serde_json::to_string(allowed).unwrap_or_default();
                Err(("metric", format!("{} needs one of {}", name(self.kind), allowed.replace('"', "`"))))
            }
        };
        Ok(match self.kind {
            RuleKind::IntensityLimit => Check::IntensityLimit { limit: limit()? },
            RuleKind::PueLimit => {
                let metric = one_of(&[Metric::Pue, Metric::DesignPue25PercentLoad], Some(Metric::Pue))?;
                let limit = limit()?;
                if limit.value() < 1.0 {
                    return Err(("limit", format!("{}: a PUE is never below 1", limit.value())));
                }
                Check::PueLimit { metric, limit }
            }
            RuleKind::EmissionBudget => Check::EmissionBudget {
                metric: one_of(&[Metric::EmissionsPerHour, Metric::EmissionsPerMonth], None)?,
                limit: limit()?,
            },
            RuleKind::EnergyDuty => {
                let Limit::AtLeast(at_least) = limit()? else {
                    return Err(("limit", "an energy_duty begins `at_least` somewhere".into()));
                };
                let metric = self.metric.ok_or(("metric", "is missing: an energy_duty needs it".to_owned()))?;
                let duty = self.duty.clone().ok_or(("duty", "is missing: say what must be done".to_owned()))?;
                Check::EnergyDuty { metric, at_least, duty }
            }
            RuleKind::MetricReport if self.metrics.is_empty() => {
                return Err(("metrics", "is empty: a metric_report names what to report".into()));
            }
            RuleKind::MetricReport => Check::MetricReport { metrics: self.metrics.clone() },
        })
    }
}

fn name(kind: RuleKind) -> &'static str {
    match kind {
        RuleKind::IntensityLimit => "intensity_limit",
        RuleKind::PueLimit => "pue_limit",
        RuleKind::EmissionBudget => "emission_budget",
        RuleKind::EnergyDuty => "energy_duty",
        RuleKind::MetricReport => "metric_report",
    }
}
