//! How does power develop over time?

mod statistics;

use super::answer::{FULL_COVERAGE, PowerWatts, basis_of, grams_per_hour, method_caveat};
use super::arguments::{WorkloadQualifiers, check_step, named};
use super::figures::MONTH;
use super::judges::facility_of;
use super::resolve::resolve;
use super::{Length, ToolError, ToolRequest, Toolset};
use crate::carbon::{emissions, emissions_over};
use crate::choices::WorkloadChoice;
use crate::context::Context;
use crate::facility::Facility;
use crate::messages::{EnergyMessage, Message, TrendMessage, render_all};
use crate::series::{Series, Step};
use crate::standards::Basis;
use crate::text::Lang;
use crate::units::{CarbonMass, Energy, Power};
use crate::view::{EnergySeries, StepUsage, Subject, ViewError, WorkloadKind};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use statistics::{Points, anomalies, slope};
use std::time::Duration;

/// Analyses a workload's power over a window: slope with its confidence, baseline, peaks, anomalies, and
/// what a month like it would use and emit.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct TrendRequest {
    /// The workload, as in `assess_workload_compliance`. Without it all nodes together.
    #[serde(default)]
    pub workload: Option<String>,
    /// Which workload is meant where several share the name.
    #[serde(flatten, deserialize_with = "named")]
    #[schemars(with = "WorkloadQualifiers")]
    pub qualifiers: WorkloadQualifiers,
    /// How far back the window reaches.
    #[serde(default = "default_window")]
    pub window: Length,
    /// The length of a step; without it a hundredth of the window.
    #[serde(default)]
    pub step: Option<Length>,
    /// Where it runs; without it the configured region, else ap-northeast-2.
    #[serde(default)]
    pub region: Option<String>,
    /// Language of sentences. Without it the one that the workload's pods or namespace choose, else English.
    #[serde(default)]
    pub lang: Option<Lang>,
}

const fn default_window() -> Length {
    Length::minutes(24 * 60)
}

impl Default for TrendRequest {
    fn default() -> Self {
        TrendRequest {
            workload: None,
            qualifiers: WorkloadQualifiers::default(),
            window: default_window(),
            step: None,
            region: None,
            lang: None,
        }
    }
}

impl ToolRequest for TrendRequest {
    type Response = TrendResponse;
    const NAME: &'static str = "analyze_workload_power_trend";
    const TITLE: &'static str = "Analyze power over time";
    const TOOLSET: Toolset = Toolset::Energy;

    fn answer(&self, context: &Context<'_>) -> Result<TrendResponse, ToolError> {
        analyze_workload_power_trend(context, self)
    }
}

/// The trend.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct TrendResponse {
    /// The workload; `null` for all nodes.
    pub workload: Option<String>,
    /// Its kind; `null` for all nodes and where there are no figures.
    pub kind: Option<WorkloadKind>,
    /// Its namespace; `null` for what is not a pod or a controller of pods.
    pub namespace: Option<String>,
    /// The region.
    pub region: String,
    /// Mean power step by step; times without data are left out.
    pub series: Vec<TrendPoint>,
    /// IT energy of all steps, kWh; `null` where there are none.
    pub energy_kwh: Option<f64>,
    /// Mean power over the steps, watts.
    pub mean_watts: Option<f64>,
    /// The level it rarely falls below: the tenth percentile of the steps, watts.
    pub baseline_watts: Option<f64>,
    /// The highest step, watts.
    pub peak_watts: Option<f64>,
    /// When that was.
    pub peak_at: Option<Timestamp>,
    /// How power changes; `null` with fewer than three steps.
    pub slope: Option<Slope>,
    /// Steps far from the median.
    pub anomalies: Vec<Anomaly>,
    /// Emissions of the steps, kgCO2e, with the intensity of each time where that is known.
    pub emissions_kg: Option<f64>,
    /// Emissions per hour at the mean power.
    #[serde(rename = "emissions_gCO2eq_per_hour")]
    pub emissions_per_hour: Option<f64>,
    /// IT energy of a month at the mean power, kWh: a projection.
    pub projected_monthly_energy_kwh: Option<f64>,
    /// Emissions of such a month, kgCO2e: a projection.
    pub projected_monthly_emissions_kg: Option<f64>,
    /// How the figures came about; `null` where there are none.
    pub basis: Option<Basis>,
    /// The trend in a sentence.
    pub summary: String,
    /// The window asked for.
    pub window: Length,
    /// Share of the window that the steps cover, 0 to 1; `null` where there are none.
    pub coverage: Option<f64>,
    /// The state that was seen.
    pub moment: Option<String>,
    /// What the workload's pods, namespace or nodes choose for this answer.
    #[serde(default)]
    pub choices: Vec<WorkloadChoice>,
    /// What weakens the answer.
    pub caveats: Vec<String>,
}

/// A step.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct TrendPoint {
    /// Its start.
    pub start: Timestamp,
    /// Its end.
    pub end: Timestamp,
    /// Mean power in it.
    pub power_watts: PowerWatts,
}

/// A straight line through the steps (least squares).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct Slope {
    /// Watts more each hour.
    pub watts_per_hour: f64,
    /// The 95 % confidence interval of that; steps of a real load are not independent, so it is rather too narrow.
    pub confidence_95: [f64; 2],
    /// Whether there is a trend: the interval leaves zero out, and power changes over the window by more than 5 % of its
    /// mean and by more than the source resolves.
    pub significant: bool,
    /// Share of the variance that the line explains, 0 to 1.
    pub r_squared: f64,
}

/// A step that differs from the median by more than 5 %, by more than the source resolves, and by more than 3.5 robust
/// standard deviations.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct Anomaly {
    /// When.
    pub at: Timestamp,
    /// Its power, watts.
    pub power_watts: f64,
    /// How far from the median, in robust standard deviations (1.4826 · median absolute deviation), or, where steps
    /// scatter less than the source resolves, in multiples of its resolution.
    pub deviations: f64,
}

/// How many steps a window has unless the request says otherwise.
const STEPS: u32 = 100;

/// Analyses a workload's power over a window.
///
/// # Errors
/// No such workload or region; too many steps; the source cannot answer.
pub fn analyze_workload_power_trend(context: &Context<'_>, request: &TrendRequest) -> Result<TrendResponse, ToolError> {
    let mut facility = Facility::of(context, request.region.as_deref())?;
    let step = step(request)?;
    let mut response = frame(request, &facility);
    let mut caveats: Vec<Message> = Vec::new();
    caveats.extend(context.stale.map(|age| EnergyMessage::Stale { age }.into()));
    let mut lang = request.lang;
    match subject(context, request, &mut facility, &mut response, &mut caveats) {
        Ok((subject, chosen)) => {
            lang = lang.or(chosen);
            match context.view.series(&subject, context.window(request.window.duration()), step) {
                Ok(series) => {
                    fill(&series, &mut response, &mut caveats);
                    carbon(context, &facility, &series, &mut response, &mut caveats);
                }
                Err(error @ ViewError::NoData { .. }) => caveats.insert(0, Message::from(&error)),
                Err(error) => return Err(error.into()),
            }
        }
        Err(ToolError::View(error @ ViewError::NoData { .. })) => caveats.insert(0, Message::from(&error)),
        Err(error) => return Err(error),
    }
    caveats.extend(facility.caveats.iter().cloned());
    response.summary = Message::from(summarise(&response)).render(lang.unwrap_or_default());
    response.caveats = render_all(&caveats, lang.unwrap_or_default());
    Ok(response)
}

/// The length of a step.
fn step(request: &TrendRequest) -> Result<Duration, ToolError> {
    let step = request.step.map_or(request.window.duration() / STEPS, Length::duration);
    check_step(request.window, step)?;
    Ok(step)
}

/// What is known without energy figures.
fn frame(request: &TrendRequest, facility: &Facility) -> TrendResponse {
    TrendResponse {
        workload: request.workload.clone(),
        kind: None,
        namespace: None,
        region: facility.region.clone(),
        series: Vec::new(),
        energy_kwh: None,
        mean_watts: None,
        baseline_watts: None,
        peak_watts: None,
        peak_at: None,
        slope: None,
        anomalies: Vec::new(),
        emissions_kg: None,
        emissions_per_hour: None,
        projected_monthly_energy_kwh: None,
        projected_monthly_emissions_kg: None,
        basis: None,
        summary: String::new(),
        window: request.window,
        coverage: None,
        moment: None,
        choices: Vec::new(),
        caveats: Vec::new(),
    }
}

/// Whose power it is, and the language that it chooses; `facility` becomes its own.
fn subject(
    context: &Context<'_>,
    request: &TrendRequest,
    facility: &mut Facility,
    response: &mut TrendResponse,
    caveats: &mut Vec<Message>,
) -> Result<(Subject, Option<Lang>), ToolError> {
    let Some(name) = &request.workload else { return Ok((Subject::Cluster, None)) };
    let inventory = context.view.inventory(context.window(request.window.duration()))?;
    let resolved = resolve(&inventory, name, &request.qualifiers)?;
    let choices = context.choices.choices();
    let (own, chosen) = facility_of(context, facility, request.region.as_deref(), &choices, &resolved.rows)?;
    *facility = own.into_owned();
    response.workload = Some(resolved.name);
    response.kind = Some(resolved.kind);
    response.namespace = resolved.namespace;
    response.region.clone_from(&facility.region);
    caveats.extend(resolved.caveats);
    caveats.extend(chosen.warnings);
    response.choices = chosen.made;
    Ok((Subject::Workloads(resolved.rows.iter().map(|row| row.id.clone()).collect()), chosen.lang))
}

fn fill(series: &EnergySeries, response: &mut TrendResponse, caveats: &mut Vec<Message>) {
    response.basis = Some(basis_of(series.method));
    response.coverage = Some(series.coverage);
    response.moment = Some(series.moment.clone());
    caveats.extend(method_caveat(series.method));
    if series.coverage < FULL_COVERAGE {
        caveats.push(TrendMessage::Coverage { ratio: series.coverage }.into());
    }
    let known = series.steps.steps().iter().filter(|step| step.value.energy.total().is_some());
    response.series = known
        .map(|step| TrendPoint {
            start: step.start,
            end: step.end,
            power_watts: PowerWatts::from(step.value.energy.map(|energy| energy.over(step.length()))),
        })
        .collect();
    let Some(mean) = mean(series) else { return };
    response.mean_watts = Some(mean.watts());
    let points = Points::of(series);
    response.baseline_watts = points.baseline();
    if let Some((step, watts)) = points.peak() {
        (response.peak_watts, response.peak_at) = (Some(watts), Some(step.start));
    }
    response.slope = slope(&points);
    response.anomalies = anomalies(&points);
}

/// Energy of all steps.
pub(super) fn energy(series: &EnergySeries) -> Option<Energy> {
    let known = series.steps.steps().iter().filter_map(|step: &Step<StepUsage>| step.value.energy.total());
    known.reduce(|a, b| a + b)
}

/// Mean power over all steps.
fn mean(series: &EnergySeries) -> Option<Power> {
    let known = series.steps.steps().iter().filter(|step| step.value.energy.total().is_some());
    let length: Duration = known.map(Step::length).sum();
    energy(series).filter(|_| !length.is_zero()).map(|energy| energy.over(length))
}

fn carbon(
    context: &Context<'_>,
    facility: &Facility,
    series: &EnergySeries,
    response: &mut TrendResponse,
    caveats: &mut Vec<Message>,
) {
    let (Some(whole), Some(mean)) = (energy(series), mean(series)) else { return };
    response.energy_kwh = Some(whole.kilowatt_hours());
    response.emissions_per_hour = grams_per_hour(Some(mean), facility);
    let month = mean * MONTH;
    response.projected_monthly_energy_kwh = Some(month.kilowatt_hours());
    let (Some(pue), Some(grid)) = (facility.ratio(), facility.intensity()) else { return };
    response.projected_monthly_emissions_kg = Some(emissions(month, pue, grid).kilograms());
    let Some(emitted) = emitted(context, facility, series) else { return };
    response.emissions_kg = Some(emitted.mass.kilograms());
    caveats.extend(emitted.has_gaps.then(|| TrendMessage::IntensityGaps.into()));
}

/// What the energy of a series emits.
pub(super) struct Emitted {
    pub(super) mass: CarbonMass,
    /// Whether intensities are missing for some of the time, where the facility's own stands for them.
    pub(super) has_gaps: bool,
}

/// What the energy of a series emits, by the intensity of each time where that is known.
pub(super) fn emitted(context: &Context<'_>, facility: &Facility, series: &EnergySeries) -> Option<Emitted> {
    let (pue, grid, whole) = (facility.ratio()?, facility.intensity()?, energy(series)?);
    let (start, end) = (series.steps.start()?, series.steps.end()?);
    let energy = series.steps.map(|usage| usage.energy.total().unwrap_or(Energy::ZERO));
    // Where settings state an intensity, that is the one; else each time has its own, as far as known.
    let is_stated = facility.grid.as_ref().is_some_and(|grid| grid.is_stated);
    let history = (!is_stated).then(|| context.intensity.history(&facility.zone, start, end).ok()).flatten();
    let pues = Series::constant(start, end, pue).ok();
    let sum = history.zip(pues).map(|(history, pue)| emissions_over(&energy, &pue, &history.values));
    Some(match sum {
        Some(sum) if sum.uncovered == Energy::ZERO => Emitted { mass: sum.mass, has_gaps: false },
        Some(sum) => Emitted { mass: sum.mass + emissions(sum.uncovered, pue, grid), has_gaps: true },
        None => Emitted { mass: emissions(whole, pue, grid), has_gaps: false },
    })
}

fn summarise(response: &TrendResponse) -> TrendMessage {
    let Some(mean_watts) = response.mean_watts else { return TrendMessage::NoFigures };
    TrendMessage::Course {
        mean_watts,
        peak_watts: response.peak_watts.unwrap_or(mean_watts),
        rise: response.slope.filter(|slope| slope.significant).map(|slope| slope.watts_per_hour),
        anomalies: response.anomalies.len(),
    }
}
