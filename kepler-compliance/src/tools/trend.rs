//! How does power develop over time?

mod statistics;

use super::answer::{FULL_COVERAGE, PowerWatts, basis_of, grams_per_hour, method_caveat};
use super::arguments::{WorkloadQualifiers, named};
use super::figures::MONTH;
use super::resolve::resolve;
use super::{ArgumentRemedy, Length, ToolError, ToolRequest};
use crate::carbon::{emissions, emissions_over};
use crate::context::Context;
use crate::facility::Facility;
use crate::messages::{EnergyMessage, Message, TrendMessage, render_all};
use crate::series::{Series, Step};
use crate::standards::Basis;
use crate::text::Lang;
use crate::units::{CarbonMass, Energy, Power};
use crate::view::{EnergySeries, Subject, Usage, ViewError, WorkloadKind};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use statistics::{Points, anomalies, slope};
use std::time::Duration;

/// Analyses a workload's power over a range: slope with its confidence, baseline, peaks, anomalies, and
/// what a month like it would use and emit.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct TrendRequest {
    /// The workload, as in `assess_workload_compliance`. Without it all nodes together.
    #[serde(default)]
    pub workload_name: Option<String>,
    /// Which of those that share the name.
    #[serde(flatten, deserialize_with = "named")]
    #[schemars(with = "WorkloadQualifiers")]
    pub qualifiers: WorkloadQualifiers,
    /// How far back.
    #[serde(default = "default_range")]
    pub range: Length,
    /// The length of a step; without it a hundredth of the range.
    #[serde(default)]
    pub step: Option<Length>,
    /// Where it runs; without it the configured region, else ap-northeast-2.
    #[serde(default)]
    pub region: Option<String>,
    /// Language of sentences.
    #[serde(default)]
    pub lang: Lang,
}

const fn default_range() -> Length {
    Length::minutes(24 * 60)
}

impl Default for TrendRequest {
    fn default() -> Self {
        TrendRequest {
            workload_name: None,
            qualifiers: WorkloadQualifiers::default(),
            range: default_range(),
            step: None,
            region: None,
            lang: Lang::En,
        }
    }
}

impl ToolRequest for TrendRequest {
    type Response = TrendResponse;
    const NAME: &'static str = "analyze_workload_power_trend";
    const TITLE: &'static str = "Analyze power over time";
    const WINDOW_ARGUMENT: &'static str = "range";

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
    /// What it is; `null` for all nodes and where there are no figures.
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
    /// In a sentence.
    pub summary: String,
    /// The range asked for.
    pub range: Length,
    /// Share of the range that the steps cover, 0 to 1; `null` where there are none.
    pub coverage: Option<f64>,
    /// The state that was seen.
    pub moment: Option<String>,
    /// What weakens it.
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
    /// Whether there is a trend: the interval leaves zero out, and power changes over the range by more than 5 % of its
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

/// How many steps a range has unless the request says otherwise.
const STEPS: u32 = 100;

/// Steps that a request may ask for.
const MOST_STEPS: u128 = 10_000;

/// Analyses a workload's power over a range.
///
/// # Errors
/// No such workload or region; too many steps; the source cannot answer.
pub fn analyze_workload_power_trend(context: &Context<'_>, request: &TrendRequest) -> Result<TrendResponse, ToolError> {
    let facility = Facility::of(context, request.region.as_deref())?;
    let step = step(request)?;
    let mut response = frame(request, &facility);
    let mut caveats: Vec<Message> = Vec::new();
    caveats.extend(context.stale.map(|age| EnergyMessage::Stale { age }.into()));
    match series(context, request, step, &mut response, &mut caveats) {
        Ok(series) => {
            fill(&series, &mut response, &mut caveats);
            carbon(context, &facility, &series, &mut response, &mut caveats);
        }
        Err(ToolError::View(error @ ViewError::NoData { .. })) => caveats.insert(0, Message::from(&error)),
        Err(error) => return Err(error),
    }
    caveats.extend(facility.caveats.iter().cloned());
    response.summary = Message::from(summarise(&response)).render(request.lang);
    response.caveats = render_all(&caveats, request.lang);
    Ok(response)
}

/// The length of a step.
fn step(request: &TrendRequest) -> Result<Duration, ToolError> {
    let step = request.step.map_or(request.range.duration() / STEPS, Length::duration);
    if request.range.duration().as_nanos() / step.as_nanos().max(1) > MOST_STEPS {
        let given = Length::try_from(step).map_or_else(|_| "0s".to_owned(), |step| step.to_string());
        let remedy = ArgumentRemedy::LongerStep { most: MOST_STEPS };
        return Err(ToolError::InvalidArgument { argument: "step", given, remedy });
    }
    Ok(step)
}

/// What is known without energy figures.
fn frame(request: &TrendRequest, facility: &Facility) -> TrendResponse {
    TrendResponse {
        workload: request.workload_name.clone(),
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
        range: request.range,
        coverage: None,
        moment: None,
        caveats: Vec::new(),
    }
}

fn series(
    context: &Context<'_>,
    request: &TrendRequest,
    step: Duration,
    response: &mut TrendResponse,
    caveats: &mut Vec<Message>,
) -> Result<EnergySeries, ToolError> {
    let range = context.window(request.range.duration());
    let subject = match &request.workload_name {
        None => Subject::Cluster,
        Some(name) => {
            let inventory = context.view.inventory(range)?;
            let resolved = resolve(&inventory, name, &request.qualifiers)?;
            response.workload = Some(resolved.name);
            response.kind = Some(resolved.kind);
            response.namespace = resolved.namespace;
            caveats.extend(resolved.caveats);
            Subject::Workloads(resolved.rows.iter().map(|row| row.id.clone()).collect())
        }
    };
    Ok(context.view.series(&subject, range, step)?)
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
fn energy(series: &EnergySeries) -> Option<Energy> {
    let known = series.steps.steps().iter().filter_map(|step: &Step<Usage>| step.value.energy.total());
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
    let (Some(start), Some(end)) = (series.steps.start(), series.steps.end()) else { return };
    let energy = series.steps.map(|usage| usage.energy.total().unwrap_or(Energy::ZERO));
    // Where settings state an intensity, that is the one; else each time has its own, as far as known.
    let is_stated = facility.grid.as_ref().is_some_and(|grid| grid.is_stated);
    let history = (!is_stated).then(|| context.intensity.history(&facility.zone, start, end).ok()).flatten();
    let pues = Series::constant(start, end, pue).ok();
    let sum = history.zip(pues).map(|(history, pue)| emissions_over(&energy, &pue, &history.values));
    match sum {
        Some(sum) if sum.uncovered == Energy::ZERO => response.emissions_kg = Some(sum.mass.kilograms()),
        Some(sum) => {
            let rest: CarbonMass = emissions(sum.uncovered, pue, grid);
            response.emissions_kg = Some((sum.mass + rest).kilograms());
            caveats.push(TrendMessage::IntensityGaps.into());
        }
        None => response.emissions_kg = Some(emissions(whole, pue, grid).kilograms()),
    }
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
