//! Judges inputs by a rule.

use super::Metric;
use super::rule::{Basis, Check, Limit, MetricBound, Rule, Subject};
use super::verdict::{Fact, Input, Inputs, Status, Verdict};
use crate::text::{Lang, Text};
use jiff::Span;

/// Judges by one version of a rule, for the date of the inputs.
///
/// What the rule needs and nobody knows gives [`Status::InsufficientData`]; so does a value that
/// cannot be, such as a PUE below 1.
#[must_use]
pub fn evaluate(rule: &Rule, inputs: &Inputs) -> Verdict {
    let mut case = Case::new(rule, inputs);
    let (status, reason) = case.scope().unwrap_or_else(|| case.check());
    case.verdict.status = status;
    case.verdict.reason = reason;
    case.verdict
}

/// A judgement in the making.
struct Case<'a> {
    rule: &'a Rule,
    inputs: &'a Inputs,
    verdict: Verdict,
}

type Outcome = (Status, Text);

impl<'a> Case<'a> {
    fn new(rule: &'a Rule, inputs: &'a Inputs) -> Self {
        let verdict = Verdict {
            code: rule.code.clone(),
            kind: rule.check.kind(),
            status: Status::InsufficientData,
            reason: Text::new("", ""),
            metric: None,
            value: None,
            limit: None,
            unit: String::new(),
            gap_percent: None,
            basis: None,
            force: rule.force,
            subject: rule.subject,
            inputs: Vec::new(),
            caveats: rule.note.clone().into_iter().collect(),
        };
        Case { rule, inputs, verdict }
    }

    /// Whether the rule applies: an outcome if it does not or nobody knows.
    fn scope(&mut self) -> Option<Outcome> {
        let (rule, inputs) = (self.rule, self.inputs);
        let code = &rule.code;
        if rule.subject == Subject::Country {
            return not_applicable(
                format!("{code} is a target of a country; no site or workload can meet it."),
                format!("{code}은(는) 국가 목표로, 개별 시설이나 워크로드에 적용되지 않습니다."),
            );
        }
        if rule.draft {
            return not_applicable(format!("{code} is a draft."), format!("{code}은(는) 초안입니다."));
        }
        if !rule.in_force(inputs.date) {
            let date = |date: Option<jiff::civil::Date>| date.map_or("…".to_owned(), |date| date.to_string());
            let span = format!("{} ~ {}", date(rule.valid_from), date(rule.valid_to));
            return not_applicable(
                format!("{code} is not in force on {}; it is in force {span}.", inputs.date),
                format!("{code}은(는) {}에 시행 중이 아닙니다 (시행 기간 {span}).", inputs.date),
            );
        }
        if let Some(country) = inputs.country.as_ref().filter(|country| {
            rule.is_territorial() && !rule.countries.iter().any(|own| own.eq_ignore_ascii_case(country))
        }) {
            return not_applicable(
                format!("{code} holds in {}, not in {country}.", rule.jurisdiction),
                format!("{code}은(는) {}에서 적용되며 {country}에는 적용되지 않습니다.", rule.jurisdiction),
            );
        }
        let budget = matches!(rule.check, Check::EmissionBudget { .. });
        if budget && rule.subject != inputs.subject {
            let (whose, given) = (label(&rule.subject), label(&inputs.subject));
            return not_applicable(
                format!("{code} is the budget of a {whose}; the emissions given are a {given}'s."),
                format!("{code}은(는) {whose} 예산이며, 주어진 배출량은 {given}의 것입니다."),
            );
        }
        self.operation_start().or_else(|| self.sizes())
    }

    fn operation_start(&self) -> Option<Outcome> {
        let condition = self.rule.applies.operation_start?;
        let code = &self.rule.code;
        let Some(start) = self.inputs.operation_start else {
            return Some(insufficient(
                format!("{code} depends on when the site began operation, which is not known."),
                format!("{code}은(는) 시설의 가동 개시일에 따라 달라지나 알려져 있지 않습니다."),
            ));
        };
        if condition.from.is_some_and(|from| start < from) || condition.before.is_some_and(|before| start >= before) {
            return not_applicable(
                format!("{code} does not speak of sites that began operation on {start}."),
                format!("{code}은(는) {start}에 가동한 시설에 적용되지 않습니다."),
            );
        }
        let grace = Span::new().try_months(condition.grace_months).ok()?;
        let due = start.checked_add(grace).ok()?;
        if self.inputs.date < due {
            return not_applicable(
                format!("{code} need not be met by this site before {due}."),
                format!("{code}은(는) 이 시설에 {due}부터 적용됩니다."),
            );
        }
        None
    }

    fn sizes(&mut self) -> Option<Outcome> {
        for threshold in &self.rule.applies.metrics {
            let code = &self.rule.code;
            let metric = threshold.metric;
            let name = metric.name();
            match self.fact(metric) {
                None => {
                    return Some(insufficient(
                        format!("Whether {code} applies depends on {}, which is not known.", name.en),
                        format!("{code}의 적용 여부는 {}에 달려 있으나 알려져 있지 않습니다.", name.ko),
                    ));
                }
                Some(fact) if !threshold.is_reached(fact.value) => {
                    let size = quantity(fact.value, metric);
                    return not_applicable(
                        format!("{code} does not apply at {} of {size}.", name.en),
                        format!("{} {size}에서는 {code}이(가) 적용되지 않습니다.", name.ko),
                    );
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
        let Some(fact) = self.fact(metric) else { return unknown(metric) };
        let (value, bound) = (fact.value, limit.value());
        self.verdict.value = Some(value);
        self.verdict.basis = Some(fact.basis);
        self.verdict.gap_percent = (bound != 0.0).then(|| (value - bound) / bound * 100.0);
        let (sign, ko) = match limit {
            Limit::AtMost(_) => ("at most", "이하"),
            Limit::Below(_) => ("below", "미만"),
            Limit::AtLeast(_) => ("at least", "이상"),
        };
        let (status, is, ko_is) = match limit.is_met(value) {
            true => (Status::Compliant, "meets", "충족합니다"),
            false => (Status::NonCompliant, "does not meet", "충족하지 못합니다"),
        };
        let (name, value, bound) = (metric.name(), quantity(value, metric), quantity(bound, metric));
        let en = format!("The {} of {value} {is} the limit of {sign} {bound}.", name.en);
        let ko = format!("{} {value}, 기준 {bound} {ko}를 {ko_is}.", name.ko);
        (status, Text::new(en, ko))
    }

    /// Below its threshold a duty does not apply; above it somebody must say that it is fulfilled.
    fn duty(&mut self, metric: Metric, at_least: f64, duty: &Text) -> Outcome {
        let (status, reason) = self.bound(metric, Limit::AtLeast(at_least));
        let code = &self.rule.code;
        match status {
            Status::Compliant if self.inputs.fulfilled.contains(code) => {
                self.verdict.caveats.push(Text::new(
                    "That the duty is fulfilled is declared, not measured.",
                    "의무 이행은 측정이 아니라 신고된 사항입니다.",
                ));
                let en = format!("The duty applies and is declared fulfilled: {}", duty.en);
                (Status::Compliant, Text::new(en, format!("의무가 적용되며 이행한 것으로 신고됨: {}", duty.ko)))
            }
            Status::Compliant => insufficient(
                format!("The duty applies; whether it is fulfilled is not known: {}", duty.en),
                format!("의무가 적용되나 이행 여부는 알 수 없습니다: {}", duty.ko),
            ),
            Status::NonCompliant => (
                Status::NotApplicable,
                Text::new(
                    format!("Below the threshold of {at_least} {}: no duty.", metric.unit()),
                    format!("기준 {at_least} {} 미만으로 의무가 없습니다.", metric.unit()),
                ),
            ),
            other => (other, reason),
        }
    }

    /// Every figure must exist; the first that breaks its bound decides, then the first missing.
    fn report(&mut self, metrics: &[MetricBound]) -> Outcome {
        let mut outcomes = Vec::new();
        for wanted in metrics {
            let outcome = match wanted.limit {
                Some(limit) => self.bound(wanted.metric, limit),
                None if self.fact(wanted.metric).is_some() => continue,
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
                let names: Vec<Text> = metrics.iter().map(|wanted| wanted.metric.name()).collect();
                let join = |lang| names.iter().map(|name| name.lang(lang)).collect::<Vec<_>>().join(", ");
                let en = format!("All figures are there and within their bounds: {}.", join(Lang::En));
                let ko = format!("모든 지표가 있으며 기준을 충족합니다: {}.", join(Lang::Ko));
                (Status::Compliant, Text::new(en, ko))
            }
        }
    }

    /// A usable fact; it is noted among the inputs once, an unusable one among the caveats.
    fn fact(&mut self, metric: Metric) -> Option<&'a Fact> {
        let fact = self.inputs.facts.get(&metric)?;
        let Verdict { inputs, caveats, .. } = &mut self.verdict;
        let name = label(&metric);
        if inputs.iter().any(|input| input.name == name) {
            return metric.admits(fact.value).then_some(fact);
        }
        inputs.push(Input {
            name,
            value: fact.value,
            unit: metric.unit().to_owned(),
            basis: fact.basis,
            source: fact.source.clone(),
            year: fact.year,
            age_seconds: fact.age.map(|age| age.as_secs()),
        });
        caveats.extend(fact.caveats.iter().cloned());
        if matches!(fact.basis, Basis::Assumed | Basis::Estimated) {
            let (en, ko) = match fact.basis {
                Basis::Assumed => ("assumed", "가정값"),
                _ => ("estimated", "추정값"),
            };
            let name = metric.name();
            caveats.push(Text::new(
                format!("The {} is {en}, not measured ({}).", name.en, fact.source),
                format!("{}은(는) 측정값이 아닌 {ko}입니다 ({}).", name.ko, fact.source),
            ));
        }
        if !metric.admits(fact.value) {
            let name = metric.name();
            caveats.push(Text::new(
                format!("The {} of {} is not possible and was not used.", name.en, fact.value),
                format!("{} {}은(는) 불가능한 값이므로 사용하지 않았습니다.", name.ko, fact.value),
            ));
            return None;
        }
        Some(fact)
    }
}

fn not_applicable(en: String, ko: String) -> Option<Outcome> {
    Some((Status::NotApplicable, Text::new(en, ko)))
}

fn insufficient(en: String, ko: String) -> Outcome {
    (Status::InsufficientData, Text::new(en, ko))
}

fn unknown(metric: Metric) -> Outcome {
    let name = metric.name();
    insufficient(format!("The {} is not known.", name.en), format!("{} 값이 없습니다.", name.ko))
}

/// A value with its unit, to four decimals.
fn quantity(value: f64, metric: Metric) -> String {
    let rounded = (value * 1e4).round() / 1e4;
    format!("{rounded} {}", metric.unit()).trim_end().to_owned()
}

/// The name a value has in files and answers: its serde name.
fn label(value: &impl serde::Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(name)) => name,
        _ => String::new(),
    }
}
