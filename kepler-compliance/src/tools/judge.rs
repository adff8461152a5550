//! The assessment that all tools share.

use super::answer::{Statuses, basis_of};
use super::{DEFAULT_PUE_STANDARD, Figures, ToolError};
use crate::carbon::{emissions, rate};
use crate::context::Context;
use crate::facility::{Facility, weaker};
use crate::messages::Message;
use crate::standards::{
    Basis, Check, FigureSource, Limit, Metric, MetricValue, Rule, RuleKind, RuleSubject, Standards, Status, Verdict,
    VerdictInputs, VerdictMessage, evaluate, overall_status,
};
use std::borrow::Cow;

/// Judges workloads of one facility by one standard, and its PUE by the PUE standard.
pub(crate) struct Judge<'a> {
    facility: Facility,
    /// The code that was asked for, or that of the rule.
    standard: String,
    /// What is known of the facility, and the subject of the emissions.
    inputs: VerdictInputs,
    carbon: Option<CarbonRule<'a>>,
    /// The workload's own budget.
    budget: Option<CarbonRule<'a>>,
    pue: Option<Verdict>,
}

/// A rule on carbon.
struct CarbonRule<'a> {
    rule: Cow<'a, Rule>,
    /// The judgement of the facility, for a rule that does not look at the workload's own emissions.
    fixed: Option<Verdict>,
    /// The judgement of a workload without energy figures.
    no_data: Verdict,
    /// What a budget that applies holds a workload's emissions against.
    budget: Option<(Metric, Limit)>,
}

/// The judgements in full.
pub(crate) struct Verdicts {
    pub(crate) carbon: Option<Verdict>,
    /// By the workload's own budget.
    pub(crate) budget: Option<Verdict>,
    pub(crate) pue: Option<Verdict>,
    pub(crate) statuses: Statuses,
}

impl Verdicts {
    /// All of them.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Verdict> {
        [&self.carbon, &self.budget, &self.pue].into_iter().flatten()
    }
}

impl<'a> CarbonRule<'a> {
    fn new(rule: Cow<'a, Rule>, inputs: &VerdictInputs) -> Self {
        let of_workload = matches!(rule.check, Check::EmissionBudget { .. });
        let mut no_data = evaluate(&rule, inputs);
        let fixed = (!of_workload).then(|| no_data.clone());
        if no_data.status != Status::NotApplicable {
            no_data.status = Status::InsufficientData;
            no_data.reason = VerdictMessage::NoEnergy;
        }
        let budget = match rule.check {
            Check::EmissionBudget { metric, limit } if applies(&rule, inputs, metric) => Some((metric, limit)),
            _ => None,
        };
        CarbonRule { rule, fixed, no_data, budget }
    }
}

impl<'a> Judge<'a> {
    /// Looks the rules up and judges all that does not depend on the workload.
    ///
    /// # Errors
    /// No rule has the code.
    pub(crate) fn new(context: &Context<'a>, facility: &Facility, standard: &str) -> Result<Self, ToolError> {
        Judge::of(context, facility, standard, RuleSubject::Workload)
    }

    /// The same for the emissions of another subject.
    pub(crate) fn of(
        context: &Context<'a>,
        facility: &Facility,
        standard: &str,
        subject: RuleSubject,
    ) -> Result<Self, ToolError> {
        let inputs = facility.known(context, subject);
        let standards: &'a Standards = context.standards;
        let rule = standards.version_for(standard, inputs.date)?;
        if matches!(rule.check.kind(), RuleKind::PueLimit | RuleKind::MetricReport) {
            let pue = Some(evaluate(rule, &inputs));
            let standard = rule.code.clone();
            return Ok(Judge { facility: facility.clone(), standard, inputs, carbon: None, budget: None, pue });
        }
        // A user's directory may have taken the PUE standard away; then there is none.
        let pue_rule = standards.version_for(DEFAULT_PUE_STANDARD, inputs.date).ok();
        let pue = pue_rule.map(|rule| evaluate(rule, &inputs));
        let carbon = Some(CarbonRule::new(Cow::Borrowed(rule), &inputs));
        let standard = rule.code.clone();
        Ok(Judge { facility: facility.clone(), standard, inputs, carbon, budget: None, pue })
    }

    /// The same with a budget of the workload beside the standard.
    pub(crate) fn with_budget(mut self, budget: Option<Rule>) -> Self {
        self.budget = budget.map(|rule| CarbonRule::new(Cow::Owned(rule), &self.inputs));
        self
    }

    /// The same for a workload that runs elsewhere.
    ///
    /// # Errors
    /// No rule has the code.
    pub(crate) fn elsewhere(&self, context: &Context<'a>, facility: &Facility) -> Result<Self, ToolError> {
        let budget = self.budget.as_ref().map(|own| own.rule.clone().into_owned());
        Ok(Judge::new(context, facility, &self.standard)?.with_budget(budget))
    }

    /// The code of the standard judged by.
    pub(crate) fn standard(&self) -> &str {
        &self.standard
    }

    /// The facility it judges by.
    pub(crate) fn facility(&self) -> &Facility {
        &self.facility
    }

    /// What is not known of the facility, for which no workload can be judged.
    pub(crate) fn unknown(&self) -> Vec<Message> {
        let fixed = self.carbon.as_ref().and_then(|own| own.fixed.as_ref());
        let verdicts = fixed.into_iter().chain(&self.pue);
        let open = verdicts.filter(|verdict| verdict.status == Status::InsufficientData);
        open.map(|verdict| Message::from(verdict.reason.clone())).collect()
    }

    /// The status alone, which is cheaper.
    pub(crate) fn statuses(&self, figures: Option<&Figures>) -> Statuses {
        let status = |own: &CarbonRule<'_>| match (known(figures), &own.fixed) {
            (None, _) => own.no_data.status,
            (Some(_), Some(fixed)) => fixed.status,
            (Some(figures), None) => match own.budget {
                // The status that `evaluate` would give, without composing its sentences.
                Some((metric, limit)) => match self.emitted(metric, figures).filter(|value| metric.admits(*value)) {
                    Some(value) if limit.is_met(value) => Status::Compliant,
                    Some(_) => Status::NonCompliant,
                    None => Status::InsufficientData,
                },
                None => self.budget(&own.rule, figures).status,
            },
        };
        self.all(self.carbon.as_ref().map(status), self.budget.as_ref().map(status))
    }

    /// The judgements with their reasons.
    pub(crate) fn verdicts(&self, figures: Option<&Figures>) -> Verdicts {
        let verdict = |own: &CarbonRule<'_>| match (known(figures), &own.fixed) {
            (None, _) => own.no_data.clone(),
            (Some(_), Some(fixed)) => fixed.clone(),
            (Some(figures), None) => self.budget(&own.rule, figures),
        };
        let (carbon, budget) = (self.carbon.as_ref().map(verdict), self.budget.as_ref().map(verdict));
        let status = |verdict: &Option<Verdict>| verdict.as_ref().map(|verdict| verdict.status);
        let statuses = self.all(status(&carbon), status(&budget));
        Verdicts { carbon, budget, pue: self.pue.clone(), statuses }
    }

    fn all(&self, carbon: Option<Status>, budget: Option<Status>) -> Statuses {
        let pue = self.pue.as_ref().map(|verdict| verdict.status);
        let both = || carbon.into_iter().chain(budget);
        Statuses {
            status: overall_status(both().chain(pue)),
            carbon_status: both().next().map_or(Status::NotApplicable, |_| overall_status(both())),
            pue_status: pue.unwrap_or(Status::NotApplicable),
        }
    }

    /// A budget, held against what the workload itself emits.
    fn budget(&self, rule: &Rule, figures: &Figures) -> Verdict {
        let mut inputs = self.inputs.clone();
        if let Some(basis) = self.facility.basis() {
            let basis = weaker(basis, basis_of(figures.method));
            for (metric, source) in [
                (Metric::EmissionsPerHour, FigureSource::MeanPower),
                (Metric::EmissionsPerMonth, FigureSource::ProjectedEnergy),
            ] {
                if let Some(value) = self.emitted(metric, figures) {
                    inputs.set(metric, MetricValue::new(value, basis, source));
                }
            }
        }
        evaluate(rule, &inputs)
    }

    /// What the workload emits, in the metric's unit; none where that is not known.
    fn emitted(&self, metric: Metric, figures: &Figures) -> Option<f64> {
        let (grid, pue) = (self.facility.intensity()?, self.facility.ratio()?);
        match metric {
            Metric::EmissionsPerHour => Some(rate(figures.power?.total()?, pue, grid).grams_per_hour()),
            Metric::EmissionsPerMonth => Some(emissions(figures.monthly()?, pue, grid).kilograms()),
            _ => None,
        }
    }
}

/// Whether a budget applies at all, and nothing but the emissions is left to decide it.
fn applies(rule: &Rule, inputs: &VerdictInputs, metric: Metric) -> bool {
    let mut inputs = inputs.clone();
    inputs.set(metric, MetricValue::new(0.0, Basis::Assumed, ""));
    matches!(evaluate(rule, &inputs).status, Status::Compliant | Status::NonCompliant)
}

/// Figures that hold any energy.
fn known(figures: Option<&Figures>) -> Option<&Figures> {
    figures.filter(|figures| figures.energy.total().is_some())
}
