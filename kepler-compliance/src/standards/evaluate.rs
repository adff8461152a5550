//! Evaluates a rule on inputs.

use super::Metric;
use super::message::{ScopeMessage, VerdictMessage};
use super::rule::{Applies, Basis, Check, Limit, MetricBound, Requirement, Rule, RuleStatus, RuleSubject};
use super::verdict::{MetricValue, Status, Verdict, VerdictInputs};
use crate::text::Text;
use jiff::Span;

/// Judges by one version of a rule, for the date of the inputs.
///
/// What the rule needs and is not known gives [`Status::InsufficientData`]; so does a value that
/// cannot be, such as a PUE below 1.
#[must_use]
pub fn evaluate(rule: &Rule, inputs: &VerdictInputs) -> Verdict {
    let mut case = Case::new(rule, inputs);
    let (status, reason) = case.scope().unwrap_or_else(|| case.check());
    case.verdict.status = status;
    case.verdict.reason = reason;
    case.verdict
}

/// A judgement in the making.
struct Case<'a> {
    rule: &'a Rule,
    inputs: &'a VerdictInputs,
    verdict: Verdict,
}

type Outcome = (Status, VerdictMessage);

impl<'a> Case<'a> {
    fn new(rule: &'a Rule, inputs: &'a VerdictInputs) -> Self {
        let verdict = Verdict {
            code: rule.code.clone(),
            kind: rule.check.kind(),
            status: Status::InsufficientData,
            reason: VerdictMessage::NoEnergy,
            metric: None,
            value: None,
            limit: None,
            unit: String::new(),
            gap_percent: None,
            basis: None,
            force: rule.force,
            subject: rule.subject,
            inputs: Vec::new(),
            caveats: rule.note.clone().into_iter().map(VerdictMessage::Note).collect(),
        };
        Case { rule, inputs, verdict }
    }

    /// Whether the rule applies: an outcome if it does not or that is not known.
    fn scope(&mut self) -> Option<Outcome> {
        let (rule, inputs) = (self.rule, self.inputs);
        let code = || rule.code.clone();
        if rule.subject == RuleSubject::Country {
            return not_applicable(ScopeMessage::CountryTarget { code: code() });
        }
        match rule.status {
            RuleStatus::Draft => return not_applicable(ScopeMessage::Draft { code: code() }),
            RuleStatus::Passed if rule.valid_from.is_none() => {
                return not_applicable(ScopeMessage::NotYetInForce { code: code() });
            }
            RuleStatus::Passed | RuleStatus::InForce => {}
        }
        if !rule.in_force(inputs.date) {
            let (date, from, to) = (inputs.date, rule.valid_from, rule.valid_to);
            return not_applicable(ScopeMessage::NotInForce { code: code(), date, from, to });
        }
        if let Some(country) = inputs.country.as_ref().filter(|country| {
            rule.is_territorial() && !rule.countries.iter().any(|own| own.eq_ignore_ascii_case(country))
        }) {
            let (jurisdiction, country) = (rule.jurisdiction.clone(), country.clone());
            return not_applicable(ScopeMessage::OtherCountry { code: code(), jurisdiction, country });
        }
        let budget = matches!(rule.check, Check::EmissionBudget { .. });
        if budget && rule.subject != inputs.subject {
            let (speaks_of, asked) = (rule.subject, inputs.subject);
            return not_applicable(ScopeMessage::OtherSubject { code: code(), speaks_of, asked });
        }
        self.site()
    }

    /// Whether the site is one that the rule speaks of. What rules it out decides, whatever else is not known.
    fn site(&mut self) -> Option<Outcome> {
        let (rule, mut missing) = (self.rule, Vec::new());
        if self.declared() == Some(false) {
            return not_applicable(ScopeMessage::DeclaredNotApplicable { code: rule.code.clone() });
        }
        let checks = [Self::operation_start, Self::sizes, Self::conditions, Self::words];
        if let Some(outcome) = checks.into_iter().find_map(|check| check(self, &mut missing)) {
            return Some(outcome);
        }
        if !missing.is_empty() {
            let code = rule.code.clone();
            return Some(insufficient(VerdictMessage::Scope(ScopeMessage::FactsMissing { code, missing })));
        }
        let Applies { conditions, operation_start, .. } = &rule.applies;
        let start = self.inputs.operation_start.filter(|_| operation_start.is_some());
        if start.is_some() || !conditions.is_empty() {
            let conditions = conditions.iter().map(|(condition, holds)| (*condition, *holds)).collect();
            self.verdict.caveats.push(VerdictMessage::StatedFacts { start, conditions });
        }
        None
    }

    /// Whether the rule is declared to apply, which answers what no figure shows.
    fn declared(&self) -> Option<bool> {
        self.inputs.applicable.get(&self.rule.code).copied()
    }

    fn operation_start(&mut self, missing: &mut Vec<Requirement>) -> Option<Outcome> {
        let condition = self.rule.applies.operation_start?;
        let code = self.rule.code.clone();
        let Some(start) = self.inputs.operation_start else {
            missing.push(Requirement::Start(condition));
            return None;
        };
        if condition.from.is_some_and(|from| start < from) || condition.before.is_some_and(|before| start >= before) {
            return not_applicable(ScopeMessage::StartOutside { code, start });
        }
        let grace = Span::new().try_months(condition.grace_months).ok()?;
        let due = start.checked_add(grace).ok()?;
        if self.inputs.date < due {
            return not_applicable(ScopeMessage::NotDue { code, due });
        }
        None
    }

    fn conditions(&mut self, missing: &mut Vec<Requirement>) -> Option<Outcome> {
        for (&condition, &needed) in &self.rule.applies.conditions {
            match self.inputs.conditions.get(&condition) {
                None if self.declared().is_some() => {}
                None => missing.push(Requirement::Condition(condition, needed)),
                Some(&holds) if holds != needed => {
                    let code = self.rule.code.clone();
                    return not_applicable(ScopeMessage::ConditionFails { code, condition, holds });
                }
                Some(_) => {}
            }
        }
        None
    }

    /// A condition in words, which must be declared to hold.
    fn words(&mut self, missing: &mut Vec<Requirement>) -> Option<Outcome> {
        let words = self.rule.applies.condition.as_ref().filter(|_| self.declared().is_none())?;
        missing.push(Requirement::Words(words.clone()));
        None
    }

    fn sizes(&mut self, missing: &mut Vec<Requirement>) -> Option<Outcome> {
        for threshold in &self.rule.applies.metrics {
            let (code, metric) = (self.rule.code.clone(), threshold.metric);
            match self.known(metric) {
                None => missing.push(Requirement::Size(*threshold)),
                Some(known) if !threshold.is_reached(known.value) => {
                    return not_applicable(ScopeMessage::TooSmall { code, metric, value: known.value });
                }
                Some(_) => {}
            }
        }
        None
    }

    fn check(&mut self) -> Outcome {
        match &self.rule.check {
            Check::IntensityLimit { limit } => self.bound(Metric::CarbonIntensity, *limit),
            Check::PueLimit { metric, limit } | Check::EmissionBudget { metric, limit } => self.bound(*metric, *limit),
            Check::EnergyDuty { metric, at_least, duty } => self.duty(*metric, *at_least, duty),
            Check::MetricReport { metrics } => self.report(metrics),
        }
    }

    /// A value against a bound; it becomes the verdict's value.
    fn bound(&mut self, metric: Metric, limit: Limit) -> Outcome {
        self.verdict.metric = Some(metric);
        self.verdict.limit = Some(limit);
        self.verdict.unit = metric.unit().to_owned();
        let Some(known) = self.known(metric) else { return unknown(metric) };
        let (value, bound) = (known.value, limit.value());
        self.verdict.value = Some(value);
        self.verdict.basis = Some(known.basis);
        self.verdict.gap_percent = (bound != 0.0).then(|| (value - bound) / bound * 100.0);
        let is_met = limit.is_met(value);
        let status = if is_met { Status::Compliant } else { Status::NonCompliant };
        (status, VerdictMessage::Bound { metric, value, limit, is_met })
    }

    /// Below its threshold a duty does not apply; above it must be declared fulfilled.
    fn duty(&mut self, metric: Metric, at_least: f64, duty: &Text) -> Outcome {
        let (status, reason) = self.bound(metric, Limit::AtLeast(at_least));
        match status {
            Status::Compliant if self.inputs.fulfilled.contains(&self.rule.code) => {
                self.verdict.caveats.push(VerdictMessage::Declared);
                (Status::Compliant, VerdictMessage::DutyFulfilled { duty: duty.clone() })
            }
            Status::Compliant => insufficient(VerdictMessage::DutyOpen { duty: duty.clone() }),
            Status::NonCompliant => (Status::NotApplicable, VerdictMessage::BelowDuty { metric, at_least }),
            other => (other, reason),
        }
    }

    /// Every figure must exist; the first that breaks its bound decides, then the first missing.
    fn report(&mut self, metrics: &[MetricBound]) -> Outcome {
        let mut outcomes = Vec::new();
        for wanted in metrics {
            let outcome = match wanted.limit {
                Some(limit) => self.bound(wanted.metric, limit),
                None if self.known(wanted.metric).is_some() => continue,
                None => unknown(wanted.metric),
            };
            outcomes.push((outcome, wanted));
        }
        let first = |status: Status| outcomes.iter().find(|(outcome, _)| outcome.0 == status);
        let worst = first(Status::NonCompliant).or_else(|| first(Status::InsufficientData));
        match worst {
            Some((outcome, wanted)) => {
                // Several bounds may have been tried: show the figure that decided.
                if let Some(limit) = wanted.limit {
                    return self.bound(wanted.metric, limit);
                }
                let verdict = &mut self.verdict;
                verdict.metric = Some(wanted.metric);
                verdict.unit = wanted.metric.unit().to_owned();
                (verdict.value, verdict.limit, verdict.gap_percent, verdict.basis) = (None, None, None, None);
                outcome.clone()
            }
            None => {
                let metrics = metrics.iter().map(|wanted| wanted.metric).collect();
                (Status::Compliant, VerdictMessage::AllReported { metrics })
            }
        }
    }

    /// A usable value; it is listed among the inputs once, an unusable one among the caveats.
    fn known(&mut self, metric: Metric) -> Option<&'a MetricValue> {
        let known = self.inputs.values.get(&metric)?;
        let Verdict { inputs, caveats, .. } = &mut self.verdict;
        if inputs.iter().any(|(listed, _)| *listed == metric) {
            return metric.admits(known.value).then_some(known);
        }
        inputs.push((metric, known.clone()));
        caveats.extend(known.caveats.iter().cloned());
        if matches!(known.basis, Basis::Assumed | Basis::Estimated | Basis::Partial) {
            let source = known.source.clone();
            caveats.push(VerdictMessage::NotMeasured { metric, basis: known.basis, source });
        }
        if !metric.admits(known.value) {
            caveats.push(VerdictMessage::Impossible { metric, value: known.value });
            return None;
        }
        Some(known)
    }
}

fn not_applicable(why: ScopeMessage) -> Option<Outcome> {
    Some((Status::NotApplicable, VerdictMessage::Scope(why)))
}

fn insufficient(why: VerdictMessage) -> Outcome {
    (Status::InsufficientData, why)
}

fn unknown(metric: Metric) -> Outcome {
    insufficient(VerdictMessage::Unknown { metric })
}
