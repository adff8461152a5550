//! Advice for a workload, in the form of answers.

use super::answer::{Month, MonthlySavings, Optimization};
use super::judge::Verdicts;
use super::resolve::Resolved;
use super::{Figures, Length, ToolError};
use crate::advice::{Advice, Outcome, pue_improvement, regional_migration, resource_rightsizing, temporal_shift};
use crate::context::Context;
use crate::facility::Facility;
use crate::messages::TargetPue;
use crate::standards::{Limit, Status};
use crate::text::Lang;
use crate::units::Pue;
use crate::view::{EnergySeries, Inventory, Subject, ViewError};

/// All that could be advised, the largest saving first; where there is no advice, why.
pub(super) fn advise(
    context: &Context<'_>,
    facility: &Facility,
    inventory: &Inventory,
    resolved: &Resolved<'_>,
    figures: &Figures,
    verdicts: &Verdicts,
    window: Length,
) -> Result<Vec<Outcome>, ToolError> {
    let series = use_over_time(context, resolved, window)?;
    let target = pue_target(verdicts);
    let mut advice = vec![
        resource_rightsizing(inventory, figures.mean, &resolved.rows, series.as_ref()),
        regional_migration(context, facility, None, None)?,
        temporal_shift(context, facility, window.duration()),
        pue_improvement(facility, target.as_ref()),
    ];
    let factor = |outcome: &Outcome| outcome.as_ref().map_or(1.0, |advice| advice.factor);
    advice.sort_by(|a, b| factor(a).total_cmp(&factor(b)));
    Ok(advice)
}

/// How many steps right-sizing looks at.
const USE_STEPS: u32 = 60;

/// CPU use over the window, for those that state requests.
pub(super) fn use_over_time(
    context: &Context<'_>,
    resolved: &Resolved<'_>,
    window: Length,
) -> Result<Option<EnergySeries>, ToolError> {
    if resolved.rows.iter().all(|row| row.resources.is_none()) {
        return Ok(None);
    }
    let subject = Subject::Workloads(resolved.rows.iter().map(|row| row.id.clone()).collect());
    let step = window.duration() / USE_STEPS;
    match context.view.series(&subject, context.window(window.duration()), step) {
        Ok(series) => Ok(Some(series)),
        Err(ViewError::NoData { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// The bound of the PUE standard, with its code.
pub(super) fn pue_target(verdicts: &Verdicts) -> Option<(Pue, TargetPue)> {
    let verdict = verdicts.pue.as_ref().filter(|verdict| verdict.status != Status::NotApplicable)?;
    match verdict.limit? {
        Limit::AtMost(limit) | Limit::Below(limit) => {
            Some((Pue::new(limit).ok()?, TargetPue::Standard { code: verdict.code.clone() }))
        }
        Limit::AtLeast(_) => None,
    }
}

/// Advice as an answer shows it.
pub(super) fn show(advice: &Advice, month: Option<&Month>, lang: Lang) -> Optimization {
    let saved = 1.0 - advice.factor;
    Optimization {
        kind: advice.kind,
        description: advice.description.render(lang),
        estimated_reduction_percent: saved * 100.0,
        reduction_range_percent: [(1.0 - advice.range.1) * 100.0, (1.0 - advice.range.0) * 100.0],
        estimated_savings: MonthlySavings {
            kg_co2eq: month.and_then(|month| month.emissions).map(|mass| mass.kilograms() * saved),
            cost: month.and_then(|month| month.cost).and_then(|cost| Some(cost * advice.cost_saved()?)),
        },
        implementation_complexity: advice.complexity,
        basis: advice.basis.render(lang),
    }
}
