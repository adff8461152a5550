//! Running at a time of lower intensity.

use super::{Advice, Change, Complexity, OptimizationKind, Outcome, SHIFT_HORIZON, bounded};
use crate::context::Context;
use crate::facility::Facility;
use crate::intensity::SeriesBasis;
use crate::messages::{Message, ScheduleMessage, ShiftMessage};
use crate::schedule::{Job, Placement, PlanRequest, plan};
use crate::units::Power;
use std::time::Duration;

/// Work of `length`, were it free to wait for up to [`SHIFT_HORIZON`], against doing it now.
pub(crate) fn temporal_shift(context: &Context<'_>, facility: &Facility, length: Duration) -> Outcome {
    let no_plan = |error: ScheduleMessage| ShiftMessage::NoPlan { error: Box::new(error.into()) };
    let now = context.now;
    // At the end of the calendar there is no later.
    let end = now.checked_add(SHIFT_HORIZON).map_err(|_| ShiftMessage::NowIsCleanest)?;
    let series = context.intensity.forecast(&facility.zone, now, end);
    let series = series.map_err(|error| ShiftMessage::NoForecast { error: Box::new(Message::from(&error)) })?;
    if series.basis == SeriesBasis::YearlyAverage {
        return Err(ShiftMessage::YearlyOnly.into());
    }
    // Emissions are linear in power: that of one watt gives the ratio.
    let job = Job::constant(length, Power::from_watts(1.0)).map_err(|error| no_plan(ScheduleMessage::Job(error)))?;
    let found = plan(&PlanRequest::new(&job, now, end, &series.values));
    let found = found.map_err(|error| no_plan(ScheduleMessage::Plan(error)))?;
    let current = found.now.as_ref().ok_or(ShiftMessage::NowUnknown)?;
    let grams = |placement: &Placement| placement.mean_intensity.grams_per_kilowatt_hour();
    let (before, after) = (grams(current), grams(&found.best));
    let factor = bounded(after / before);
    if factor >= 1.0 {
        return Err(ShiftMessage::NowIsCleanest.into());
    }
    let (zone, source) = (facility.zone.clone(), series.provenance.source);
    Ok(Advice {
        kind: OptimizationKind::TemporalShift,
        change: Change::Time(factor),
        factor,
        range: (factor, 1.0),
        complexity: Complexity::Low,
        description: ShiftMessage::RunLater { start: found.best.start(), then: after, now: before }.into(),
        basis: ShiftMessage::RunLaterBasis { zone, basis: series.basis, source }.into(),
    })
}
