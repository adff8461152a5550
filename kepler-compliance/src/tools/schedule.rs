//! When should a job run?

use super::arguments::{MOST_WATTS, Scope, WorkloadQualifiers, named, within};
use super::figures::Windows;
use super::resolve::resolve;
use super::{ArgumentRemedy, Figures, Length, ToolError, ToolRequest, Toolset};
use crate::context::Context;
use crate::facility::Facility;
use crate::intensity::{AccountingMethod, IntensityError, IntensitySeries, SeriesBasis};
use crate::messages::{Message, ScheduleMessage, render_all};
use crate::schedule::{Job, Placement, Plan, PlanRequest, ScheduleError, Slot, local_instant, plan};
use crate::series::Series;
use crate::units::{Power, Pue};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Finds when a job emits least: the best windows before a deadline, compared with starting now.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct ScheduleRequest {
    /// How long the job takes.
    pub duration: Length,
    /// When the job must be finished: a length from now (`24h`), a time (`2026-11-22T08:00:00Z`), or a local
    /// time of the region (`2026-11-22T17:00`). Without it 24 hours from now.
    #[serde(default)]
    pub deadline: Option<String>,
    /// Earliest start, written as `deadline`; without it now.
    #[serde(default)]
    pub earliest: Option<String>,
    /// Whether the job may be paused and resumed.
    #[serde(default)]
    pub interruptible: bool,
    /// Its mean IT power, watts. Without it that of `workload`, where given; else carbon is given per kWh only.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub power_watts: Option<f64>,
    /// A workload whose mean power over `window` is taken as the job's.
    #[serde(default)]
    pub workload: Option<String>,
    /// Which workload is meant where several share the name.
    #[serde(flatten, deserialize_with = "named")]
    #[schemars(with = "WorkloadQualifiers")]
    pub qualifiers: WorkloadQualifiers,
    /// Maximum number of windows to rank.
    #[serde(default = "default_ranking")]
    pub ranking: usize,
    /// Region, window and language.
    #[serde(flatten, deserialize_with = "named")]
    #[schemars(with = "Scope")]
    pub scope: Scope,
}

const fn default_ranking() -> usize {
    crate::schedule::RANKING
}

impl ScheduleRequest {
    /// With the defaults of all other arguments.
    #[must_use]
    pub fn new(duration: Length) -> Self {
        ScheduleRequest {
            duration,
            deadline: None,
            earliest: None,
            interruptible: false,
            power_watts: None,
            workload: None,
            qualifiers: WorkloadQualifiers::default(),
            ranking: default_ranking(),
            scope: Scope::default(),
        }
    }
}

impl ToolRequest for ScheduleRequest {
    type Response = ScheduleResponse;
    const NAME: &'static str = "calculate_optimal_schedule";
    const TITLE: &'static str = "Find the best time to run";
    const TOOLSET: Toolset = Toolset::Tuning;

    fn needs_energy(&self) -> bool {
        self.workload.is_some() && self.power_watts.is_none()
    }

    fn answer(&self, context: &Context<'_>) -> Result<ScheduleResponse, ToolError> {
        calculate_optimal_schedule(context, self)
    }
}

/// The schedule.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct ScheduleResponse {
    /// The region.
    pub region: String,
    /// Its grid zone.
    pub zone: String,
    /// The time zone of local times; UTC where the region has several.
    pub time_zone: String,
    /// How long the job takes.
    pub duration: Length,
    /// The earliest start that was asked for.
    pub earliest: Timestamp,
    /// The deadline that was asked for.
    pub deadline: Timestamp,
    /// The job's mean IT power, watts; `null` where it was not given.
    pub power_watts: Option<f64>,
    /// Whether the intensities distinguish hours. `false`: they are a yearly average, and any time is as good.
    pub distinguishes_hours: bool,
    /// Basis of the intensities.
    pub basis: SeriesBasis,
    /// By what method they were made; `null` where it is not stated.
    pub method: Option<AccountingMethod>,
    /// Publisher of the intensities.
    pub source: String,
    /// When it emits least; of equals the earliest.
    pub best: ScheduledWindow,
    /// Starting now; `null` where the intensity of that time is not known.
    pub now: Option<ScheduledWindow>,
    /// The best and the next best that do not overlap a better one.
    pub ranking: Vec<ScheduledWindow>,
    /// Where a price is known: windows of which none is better in both carbon and cost, cleanest first.
    pub pareto: Vec<ScheduledWindow>,
    /// What the best window saves compared with starting now, in per cent.
    pub saving_percent: Option<f64>,
    /// The same in kgCO2e.
    #[serde(rename = "saving_kgCO2eq")]
    pub saving_kg: Option<f64>,
    /// The recommendation in a sentence.
    pub recommendation: String,
    /// What weakens the answer.
    pub caveats: Vec<String>,
}

/// One way to run the job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct ScheduledWindow {
    /// Its start.
    pub start: Timestamp,
    /// Its end.
    pub end: Timestamp,
    /// Its start as a clock in the region shows it, with the offset.
    pub local_start: String,
    /// When it runs; several slots if it is interrupted.
    pub slots: Vec<ScheduledSlot>,
    /// Mean grid intensity, weighted by power.
    #[serde(rename = "mean_intensity_gCO2eq_kWh")]
    pub mean_intensity: f64,
    /// What it emits, PUE included; `null` where power or PUE is not known.
    #[serde(rename = "emissions_kgCO2eq")]
    pub emissions_kg: Option<f64>,
    /// What its energy costs, PUE included; `null` where power, PUE or price is not known.
    pub cost: Option<f64>,
}

/// A range of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct ScheduledSlot {
    /// Its start.
    pub start: Timestamp,
    /// Its end.
    pub end: Timestamp,
}

/// Finds when a job emits least.
///
/// # Errors
/// No such region or workload; a time that cannot be read; a horizon or data shorter than the job.
pub fn calculate_optimal_schedule(
    context: &Context<'_>,
    request: &ScheduleRequest,
) -> Result<ScheduleResponse, ToolError> {
    let facility = Facility::of(context, request.scope.region.as_deref())?;
    let zone = time_zone(&facility);
    let earliest = match &request.earliest {
        Some(text) => instant("earliest", text, context.now, &zone)?,
        None => context.now,
    };
    let deadline = instant("deadline", request.deadline.as_deref().unwrap_or("24h"), context.now, &zone)?;
    let power = power(context, request)?;
    let (series, mut caveats) = intensities(context, &facility, earliest.min(context.now), deadline)?;
    // Placements do not depend on power; one watt finds them where it is not known.
    let job = Job::constant(request.duration.duration(), power.unwrap_or(Power::from_watts(1.0)))?;
    let job = job.at_pue(facility.ratio().unwrap_or(Pue::ONE));
    let job = if request.interruptible { job.interruptible()? } else { job };
    let horizon = (earliest.min(context.now), deadline.max(context.now));
    let prices = context.settings.prices(horizon.0, horizon.1);
    let asked = PlanRequest {
        earliest,
        prices: prices.as_ref(),
        ranking: request.ranking,
        ..PlanRequest::new(&job, context.now, deadline, &series.values)
    };
    let plan = plan(&asked)?;
    caveats.extend(facility.caveats.iter().cloned());
    caveats.extend((series.basis == SeriesBasis::YearlyAverage).then(|| ScheduleMessage::YearlyOnly.into()));
    let flat = context.settings.tariff.is_none() && context.settings.price.is_some();
    caveats.extend(flat.then(|| ScheduleMessage::OnePrice.into()));
    let found = Found { request, facility: &facility, zone, earliest, deadline, power, series };
    Ok(found.answer(&plan, &caveats))
}

/// All that a plan rests on.
struct Found<'a> {
    request: &'a ScheduleRequest,
    facility: &'a Facility,
    zone: TimeZone,
    earliest: Timestamp,
    deadline: Timestamp,
    power: Option<Power>,
    series: IntensitySeries,
}

impl Found<'_> {
    fn answer(&self, plan: &Plan, caveats: &[Message]) -> ScheduleResponse {
        let Found { request, facility, zone, series, .. } = self;
        let known = self.power.is_some() && facility.ratio().is_some();
        let show = |placement: &Placement| show(placement, zone, known);
        let saved = plan.saving.as_ref();
        let hours = series.basis != SeriesBasis::YearlyAverage;
        let percent = saved.and_then(|saving| saving.percent);
        ScheduleResponse {
            region: facility.region.clone(),
            zone: facility.zone.clone(),
            time_zone: zone.iana_name().unwrap_or("UTC").to_owned(),
            duration: request.duration,
            earliest: self.earliest,
            deadline: self.deadline,
            power_watts: self.power.map(Power::watts),
            distinguishes_hours: hours,
            basis: series.basis,
            method: series.provenance.stated_method(),
            source: self.source().render(request.scope.lang.unwrap_or_default()),
            best: show(&plan.best),
            now: plan.now.as_ref().map(show),
            ranking: plan.ranking.iter().map(show).collect(),
            pareto: plan.pareto.iter().map(show).collect(),
            saving_percent: percent,
            saving_kg: saved.filter(|_| known).map(|saving| saving.carbon.kilograms()),
            recommendation: Message::from(recommend(&plan.best, percent, hours, zone))
                .render(request.scope.lang.unwrap_or_default()),
            caveats: render_all(caveats, request.scope.lang.unwrap_or_default()),
        }
    }

    /// Who says what the intensities are: the operator, where the settings do.
    fn source(&self) -> Message {
        let stated = self.facility.grid.as_ref().filter(|grid| grid.is_stated);
        match stated {
            Some(grid) => grid.source().into(),
            None => self.series.provenance.source.clone().into(),
        }
    }
}

fn show(placement: &Placement, zone: &TimeZone, known: bool) -> ScheduledWindow {
    let slot = |slot: &Slot| ScheduledSlot { start: slot.start, end: slot.end };
    ScheduledWindow {
        start: placement.start(),
        end: placement.end(),
        local_start: local(placement.start(), zone),
        slots: placement.slots.iter().map(slot).collect(),
        mean_intensity: placement.mean_intensity.grams_per_kilowatt_hour(),
        emissions_kg: known.then(|| placement.carbon.kilograms()),
        cost: placement.cost.filter(|_| known).map(|cost| cost.amount()),
    }
}

fn local(time: Timestamp, zone: &TimeZone) -> String {
    time.to_zoned(zone.clone()).strftime("%Y-%m-%dT%H:%M:%S%:z").to_string()
}

fn recommend(best: &Placement, percent: Option<f64>, hours: bool, zone: &TimeZone) -> ScheduleMessage {
    if !hours {
        return ScheduleMessage::AnyTime;
    }
    let (local, intensity) = (local(best.start(), zone), best.mean_intensity.grams_per_kilowatt_hour());
    match percent {
        Some(percent) if percent <= 0.0 => ScheduleMessage::StartOrNow { local },
        saving_percent => ScheduleMessage::Start { local, intensity, saving_percent },
    }
}

fn time_zone(facility: &Facility) -> TimeZone {
    facility.time_zone.as_deref().and_then(|name| TimeZone::get(name).ok()).unwrap_or(TimeZone::UTC)
}

/// A time: a length from now, an instant, or a local time.
fn instant(argument: &'static str, text: &str, now: Timestamp, zone: &TimeZone) -> Result<Timestamp, ToolError> {
    let invalid = || ToolError::InvalidArgument { argument, given: text.to_owned(), remedy: ArgumentRemedy::Time };
    if let Ok(length) = text.parse::<Length>() {
        return now.checked_add(length.duration()).map_err(|_| invalid());
    }
    local_instant(text, zone).map_err(|_| invalid())
}

/// The job's power: as given, else the workload's.
fn power(context: &Context<'_>, request: &ScheduleRequest) -> Result<Option<Power>, ToolError> {
    if let Some(watts) = request.power_watts {
        return Ok(Some(Power::from_watts(within("power_watts", watts, 0.0..=MOST_WATTS)?)));
    }
    let Some(name) = &request.workload else { return Ok(None) };
    let inventory = context.view.inventory(context.window(request.scope.window.duration()))?;
    let resolved = resolve(&inventory, name, &request.qualifiers)?;
    let figures = Figures::sum(&inventory, &Windows::of(&inventory), resolved.rows.iter().copied());
    Ok(figures.mean)
}

/// Whether a source does not have the zone at all: a published average may then have been taken.
const fn is_elsewhere(error: &IntensityError) -> bool {
    matches!(error, IntensityError::UnknownZone { .. })
}

/// The forecast; where the source has none, the figure of now for all hours.
fn intensities(
    context: &Context<'_>,
    facility: &Facility,
    from: Timestamp,
    to: Timestamp,
) -> Result<(IntensitySeries, Vec<Message>), ToolError> {
    let is_stated = facility.grid.as_ref().is_some_and(|grid| grid.is_stated);
    let error = match (is_stated, context.intensity.forecast(&facility.zone, from, to)) {
        (true, _) => None,
        (false, Ok(series)) => return Ok((series, Vec::new())),
        // The figure of now says nothing of later hours, and a stale series nothing at all.
        (false, Err(error)) if !(context.intensity.is_builtin() || is_elsewhere(&error)) => return Err(error.into()),
        (false, Err(error)) => Some(error),
    };
    let flat = facility.grid.as_ref().and_then(|grid| {
        let values = Series::constant(from, to, grid.figure.value).ok()?;
        let provenance = grid.figure.provenance.clone();
        Some(IntensitySeries { provenance, basis: SeriesBasis::YearlyAverage, values })
    });
    match (flat, error) {
        (Some(series), error) => {
            let no_forecast = |error| ScheduleMessage::NoForecast { error: Box::new(Message::from(&error)) };
            Ok((series, error.map(no_forecast).map(Message::from).into_iter().collect()))
        }
        (None, Some(error)) => Err(error.into()),
        (None, None) => Err(ScheduleError::TooLittleData {
            job: std::time::Duration::ZERO,
            known: std::time::Duration::ZERO,
            interruptible: false,
            earliest: from,
            deadline: to,
        }
        .into()),
    }
}
