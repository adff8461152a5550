//! The assessment that all tools share.

use super::answer::{Statuses, basis_of};
use super::{DEFAULT_PUE_STANDARD, Figures, ToolError};
use crate::carbon::{emissions, rate};
use crate::context::Context;
use crate::facility::{Facility, weaker};
use crate::messages::Message;
use crate::standards::{
    Basis, Check, FigureSource, Inputs, Limit, Metric, MetricValue, Rule, RuleKind, Standards, Status, Subject,
    Verdict, VerdictMessage, evaluate, overall_status,
};

/// Judges workloads of one facility by one standard, and its PUE by the PUE standard.
pub(crate) struct Judge<'a> {
    facility: &'a Facility,
    /// What is known of the facility, and the subject of the emissions.
    inputs: Inputs,
    carbon: Option<CarbonRule<'a>>,
    pue: Option<Verdict>,
}

/// A rule on carbon.
struct CarbonRule<'a> {
    rule: &'a Rule,
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
    pub(crate) pue: Option<Verdict>,
    pub(crate) statuses: Statuses,
}

impl<'a> Judge<'a> {
    /// Looks the rules up and judges all that does not depend on the workload.
    ///
    /// # Errors
    /// No rule has the code.
    pub(crate) fn new(context: &Context<'a>, facility: &'a Facility, standard: &str) -> Result<Self, ToolError> {
        Judge::of(context, facility, standard, Subject::Workload)
    }

    /// The same for the emissions of another subject.
    pub(crate) fn of(
        context: &Context<'a>,
        facility: &'a Facility,
        standard: &str,
        subject: Subject,
    ) -> Result<Self, ToolError> {
        let inputs = facility.known(context, subject);
        let standards: &'a Standards = context.standards;
        let rule = standards.version_for(standard, inputs.date)?;
        if matches!(rule.check.kind(), RuleKind::PueLimit | RuleKind::MetricReport) {
            let pue = Some(evaluate(rule, &inputs));
            return Ok(Judge { facility, inputs, carbon: None, pue });
        }
        // A user's directory may have taken the PUE standard away; then there is none.
        let pue_rule = standards.version_for(DEFAULT_PUE_STANDARD, inputs.date).ok();
        let pue = pue_rule.map(|rule| evaluate(rule, &inputs));
        let of_workload = matches!(rule.check, Check::EmissionBudget { .. });
        let mut no_data = evaluate(rule, &inputs);
        let fixed = (!of_workload).then(|| no_data.clone());
        if no_data.status != Status::NotApplicable {
            no_data.status = Status::InsufficientData;
            no_data.reason = VerdictMessage::NoEnergy;
        }
        let budget = match rule.check {
            Check::EmissionBudget { metric, limit } if applies(rule, &inputs, metric) => Some((metric, limit)),
            _ => None,
        };
        Ok(Judge { facility, inputs, carbon: Some(CarbonRule { rule, fixed, no_data, budget }), pue })
    }

    /// The rule on carbon that is judged by.
    pub(crate) fn carbon_rule(&self) -> Option<&'a Rule> {
        self.carbon.as_ref().map(|own| own.rule)
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
        let carbon = self.carbon.as_ref().map(|own| match (known(figures), &own.fixed) {
            (None, _) => own.no_data.status,
            (Some(_), Some(fixed)) => fixed.status,
            (Some(figures), None) => match own.budget {
                // The status that `evaluate` would give, without composing its sentences.
                Some((metric, limit)) => match self.emitted(metric, figures).filter(|value| metric.admits(*value)) {
                    Some(value) if limit.is_met(value) => Status::Compliant,
                    Some(_) => Status::NonCompliant,
                    None => Status::InsufficientData,
                },
                None => self.budget(own.rule, figures).status,
            },
        });
        self.all(carbon)
    }

    /// The judgements with their reasons.
    pub(crate) fn verdicts(&self, figures: Option<&Figures>) -> Verdicts {
        let carbon = self.carbon.as_ref().map(|own| match (known(figures), &own.fixed) {
            (None, _) => own.no_data.clone(),
            (Some(_), Some(fixed)) => fixed.clone(),
            (Some(figures), None) => self.budget(own.rule, figures),
        });
        let statuses = self.all(carbon.as_ref().map(|verdict| verdict.status));
        Verdicts { carbon, pue: self.pue.clone(), statuses }
    }

    fn all(&self, carbon: Option<Status>) -> Statuses {
        let pue = self.pue.as_ref().map(|verdict| verdict.status);
        Statuses {
            status: overall_status(carbon.into_iter().chain(pue)),
            carbon_status: carbon.unwrap_or(Status::NotApplicable),
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
fn applies(rule: &Rule, inputs: &Inputs, metric: Metric) -> bool {
    let mut inputs = inputs.clone();
    inputs.set(metric, MetricValue::new(0.0, Basis::Assumed, ""));
    matches!(evaluate(rule, &inputs).status, Status::Compliant | Status::NonCompliant)
}

/// Figures that hold any energy.
fn known(figures: Option<&Figures>) -> Option<&Figures> {
    figures.filter(|figures| figures.energy.total().is_some())
}
