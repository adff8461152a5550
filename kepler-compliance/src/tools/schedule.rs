//! When should a job run?

use super::answer::say;
use super::arguments::{Scope, default_namespace, named, range, within};
use super::figures::Windows;
use super::resolve::resolve;
use super::{Context, Facility, Figures, Length, ToolError};
use crate::intensity::SeriesBasis;
use crate::schedule::{Job, Placement, Request, Slot, local_instant, plan};
use crate::series::Series;
use crate::text::Text;
use crate::units::{Power, Pue};
use crate::view::WorkloadKind;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Finds when a job emits least: the best windows before a deadline, against starting now.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ScheduleRequest {
    /// How long the job takes.
    pub duration: Length,
    /// It must have ended by then: a length from now (`24h`), a time (`2026-11-22T08:00:00Z`), or a local
    /// time of the region (`2026-11-22T17:00`). Without it 24 hours from now.
    #[serde(default)]
    pub deadline: Option<String>,
    /// It may not start before; written as `deadline`. Without it now.
    #[serde(default)]
    pub earliest: Option<String>,
    /// Whether it may pause and go on.
    #[serde(default)]
    pub interruptible: bool,
    /// Its mean IT power, watts. Without it that of `workload_name`, where given; else carbon is given per kWh only.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub power_watts: Option<f64>,
    /// A workload whose mean power over `window` stands for the job's.
    #[serde(default)]
    pub workload_name: Option<String>,
    /// The workload's namespace, if it is a pod or a controller of pods.
    #[serde(default = "default_namespace")]
    pub namespace: String,
    /// The workload's kind, where several kinds share the name.
    #[serde(default)]
    pub kind: Option<WorkloadKind>,
    /// How many windows to rank at most.
    #[serde(default = "default_ranking")]
    pub ranking: usize,
    /// Where, since when, in which language.
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
            workload_name: None,
            namespace: default_namespace(),
            kind: None,
            ranking: default_ranking(),
            scope: Scope::default(),
        }
    }
}

/// The plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ScheduleResponse {
    /// The region.
    pub region: String,
    /// Its grid zone.
    pub zone: String,
    /// The time zone of local times; UTC where the region has several.
    pub time_zone: String,
    /// How long the job takes.
    pub duration: Length,
    /// It was not to start before.
    pub earliest: Timestamp,
    /// It had to have ended by.
    pub deadline: Timestamp,
    /// The job's mean IT power, watts; `null` where it was not given.
    pub power_watts: Option<f64>,
    /// Whether the intensities tell hours apart. `false`: they are a yearly average, and any time is as good.
    pub distinguishes_hours: bool,
    /// What the intensities rest on.
    pub basis: SeriesBasis,
    /// Who says so.
    pub source: String,
    /// When it emits least; of equals the earliest.
    pub best: ScheduledWindow,
    /// Starting now; `null` where the intensity of that time is not known.
    pub now: Option<ScheduledWindow>,
    /// The best and the next best that do not overlap a better one.
    pub ranking: Vec<ScheduledWindow>,
    /// Where a price is known: windows of which none is better in both carbon and cost, cleanest first.
    pub pareto: Vec<ScheduledWindow>,
    /// What the best saves against now, in per cent.
    pub saving_percent: Option<f64>,
    /// The same in kgCO2e.
    #[serde(rename = "saving_kgCO2eq")]
    pub saving_kg: Option<f64>,
    /// In a sentence.
    pub recommendation: String,
    /// What weakens it.
    pub caveats: Vec<String>,
}

/// One way to run the job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ScheduledWindow {
    /// Its start.
    pub start: Timestamp,
    /// Its end.
    pub end: Timestamp,
    /// Its start as a clock in the region shows it, with the offset.
    pub local_start: String,
    /// When it runs; several stretches if it is interrupted.
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

/// A stretch of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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
    let price = context.settings.price.as_ref();
    let horizon = (earliest.min(context.now), deadline.max(context.now));
    let prices = price.and_then(|price| Series::constant(horizon.0, horizon.1, price.per_kwh).ok());
    let asked = Request {
        earliest,
        prices: prices.as_ref(),
        ranking: request.ranking,
        ..Request::new(&job, context.now, deadline, &series.values)
    };
    let found = plan(&asked)?;
    let known = power.is_some() && facility.ratio().is_some();
    let show = |placement: &Placement| show(placement, &zone, known);
    let saved = found.saving.as_ref();
    let hours = series.basis != SeriesBasis::YearlyAverage;
    caveats.extend(facility.caveats.iter().cloned());
    if !hours {
        caveats.push(Text::new(
            "Only a yearly average is known: it says nothing about when to run. Configure a forecast or an hourly profile.",
            "연평균만 알려져 있어 언제 실행할지 알 수 없습니다. 예측 또는 시간대별 프로필을 설정하세요.",
        ));
    }
    if context.settings.price.is_some() {
        caveats.push(Text::new(
            "One price holds for all hours; windows differ in carbon only.",
            "모든 시간에 같은 단가를 적용했으므로 시간대별 차이는 탄소뿐입니다.",
        ));
    }
    let recommendation = recommend(&found.best, saved.and_then(|saving| saving.percent), hours, &zone);
    Ok(ScheduleResponse {
        region: facility.region.clone(),
        zone: facility.zone.clone(),
        time_zone: zone.iana_name().unwrap_or("UTC").to_owned(),
        duration: request.duration,
        earliest,
        deadline,
        power_watts: power.map(Power::watts),
        distinguishes_hours: hours,
        basis: series.basis,
        source: series.provenance.source.clone(),
        best: show(&found.best),
        now: found.now.as_ref().map(show),
        ranking: found.ranking.iter().map(show).collect(),
        pareto: found.pareto.iter().map(show).collect(),
        saving_percent: saved.and_then(|saving| saving.percent),
        saving_kg: saved.filter(|_| known).map(|saving| saving.carbon.kilograms()),
        recommendation: recommendation.lang(request.scope.lang).to_owned(),
        caveats: say(&caveats, request.scope.lang),
    })
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

fn recommend(best: &Placement, percent: Option<f64>, hours: bool, zone: &TimeZone) -> Text {
    if !hours {
        return Text::new(
            "Any time is as good as another by what is known.",
            "알려진 데이터로는 실행 시점에 차이가 없습니다.",
        );
    }
    let (start, grams) = (local(best.start(), zone), best.mean_intensity.grams_per_kilowatt_hour());
    match percent {
        Some(percent) if percent > 0.0 => Text::new(
            format!("Start at {start}: {grams:.0} g/kWh, {percent:.1} % less than starting now."),
            format!("{start}에 시작하세요: {grams:.0} g/kWh, 지금 시작할 때보다 {percent:.1} % 적습니다."),
        ),
        Some(_) => Text::new(
            format!("Start at {start}; starting now would not emit more."),
            format!("{start}에 시작하세요. 지금 시작해도 더 배출하지 않습니다."),
        ),
        None => Text::new(
            format!("Start at {start}: {grams:.0} g/kWh."),
            format!("{start}에 시작하세요: {grams:.0} g/kWh."),
        ),
    }
}

fn time_zone(facility: &Facility) -> TimeZone {
    facility.time_zone.as_deref().and_then(|name| TimeZone::get(name).ok()).unwrap_or(TimeZone::UTC)
}

/// A time: a length from now, an instant, or a local time.
fn instant(argument: &'static str, text: &str, now: Timestamp, zone: &TimeZone) -> Result<Timestamp, ToolError> {
    let invalid = || ToolError::InvalidArgument {
        argument,
        given: text.to_owned(),
        remedy: "write a length from now (24h), a time (2026-11-22T08:00:00Z) or a local time (2026-11-22T17:00)"
            .to_owned(),
    };
    if let Ok(length) = text.parse::<Length>() {
        return now.checked_add(length.duration()).map_err(|_| invalid());
    }
    local_instant(text, zone).map_err(|_| invalid())
}

/// The job's power: as given, else the workload's.
fn power(context: &Context<'_>, request: &ScheduleRequest) -> Result<Option<Power>, ToolError> {
    if let Some(watts) = request.power_watts {
        return Ok(Some(Power::from_watts(within("power_watts", watts, 0.0..=f64::MAX)?)));
    }
    let Some(name) = &request.workload_name else { return Ok(None) };
    let inventory = context.view.inventory(range(context, request.scope.window))?;
    let resolved = resolve(&inventory, name, &request.namespace, request.kind)?;
    let figures = Figures::sum(&inventory, &Windows::of(&inventory), resolved.rows.iter().copied());
    Ok(figures.mean)
}

/// The forecast; where the source has none, the figure of now for all hours.
fn intensities(
    context: &Context<'_>,
    facility: &Facility,
    from: Timestamp,
    to: Timestamp,
) -> Result<(crate::intensity::IntensitySeries, Vec<Text>), ToolError> {
    let stated = facility.grid.as_ref().filter(|grid| grid.basis == crate::standards::Basis::Assumed);
    let error = match (stated, context.intensity.forecast(&facility.zone, from, to)) {
        (None, Ok(series)) => return Ok((series, Vec::new())),
        (None, Err(error)) => Some(error),
        (Some(_), _) => None,
    };
    let flat = facility.grid.as_ref().and_then(|grid| {
        let values = Series::constant(from, to, grid.figure.value).ok()?;
        let provenance = grid.figure.provenance.clone();
        Some(crate::intensity::IntensitySeries { provenance, basis: SeriesBasis::YearlyAverage, values })
    });
    match (flat, error) {
        (Some(series), None) => Ok((series, Vec::new())),
        (Some(series), Some(error)) => {
            let caveat = Text::new(format!("No forecast: {error}"), format!("예측 없음: {error}"));
            Ok((series, vec![caveat]))
        }
        (None, Some(error)) => Err(error.into()),
        (None, None) => Err(crate::schedule::ScheduleError::TooLittleData {
            job: std::time::Duration::ZERO,
            known: std::time::Duration::ZERO,
            interruptible: false,
            earliest: from,
            deadline: to,
        }
        .into()),
    }
}
