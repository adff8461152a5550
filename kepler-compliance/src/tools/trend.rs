//! How does power develop over time?

mod statistics;

use super::answer::{PowerWatts, basis_of, grams_per_hour, say};
use super::arguments::{default_namespace, range};
use super::resolve::resolve;
use super::{Context, Facility, Length, ToolError};
use crate::carbon::{emissions, emissions_over};
use crate::series::{Series, Step};
use crate::standards::Basis;
use crate::text::{Lang, Text};
use crate::units::{CarbonMass, Energy, Power};
use crate::view::{EnergySeries, Subject, Usage, ViewError, WorkloadKind};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use statistics::{anomalies, slope};
use std::time::Duration;

/// Analyses a workload's power over a range: slope with its confidence, baseline, peaks, anomalies, and
/// what a month like it would use and emit.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TrendRequest {
    /// The workload, as in `assess_workload_compliance`. Without it all nodes together.
    #[serde(default)]
    pub workload_name: Option<String>,
    /// The namespace, which selects among pods and their controllers.
    #[serde(default = "default_namespace")]
    pub namespace: String,
    /// The kind, where several kinds share the name.
    #[serde(default)]
    pub kind: Option<WorkloadKind>,
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
            namespace: default_namespace(),
            kind: None,
            range: default_range(),
            step: None,
            region: None,
            lang: Lang::En,
        }
    }
}

/// The trend.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
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
pub struct Slope {
    /// Watts more each hour.
    pub watts_per_hour: f64,
    /// The 95 % confidence interval of that; steps of a real load are not independent, so it is rather too narrow.
    pub confidence_95: [f64; 2],
    /// Whether the interval leaves zero out: there is a trend.
    pub significant: bool,
    /// Share of the variance that the line explains, 0 to 1.
    pub r_squared: f64,
}

/// A step far from the median.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Anomaly {
    /// When.
    pub at: Timestamp,
    /// Its power, watts.
    pub power_watts: f64,
    /// How far from the median, in robust standard deviations (1.4826 · median absolute deviation).
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
    let step = request.step.map_or(request.range.duration() / STEPS, Length::duration);
    if request.range.duration().as_nanos() / step.as_nanos().max(1) > MOST_STEPS {
        let given = Length::try_from(step).map_or_else(|_| "0s".to_owned(), |step| step.to_string());
        let remedy = format!("give a step of at least a {MOST_STEPS}th of the range");
        return Err(ToolError::InvalidArgument { argument: "step", given, remedy });
    }
    let mut response = TrendResponse {
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
        caveats: facility.caveats(request.lang).collect(),
    };
    match series(context, request, step, &mut response) {
        Ok(series) => fill(context, &facility, &series, &mut response, request.lang),
        Err(ToolError::View(error @ ViewError::NoData { .. })) => response.caveats.insert(0, error.to_string()),
        Err(error) => return Err(error),
    }
    response.summary = summarise(&response).lang(request.lang).to_owned();
    Ok(response)
}

fn series(
    context: &Context<'_>,
    request: &TrendRequest,
    step: Duration,
    response: &mut TrendResponse,
) -> Result<EnergySeries, ToolError> {
    let range = range(context, request.range);
    let subject = match &request.workload_name {
        None => Subject::Cluster,
        Some(name) => {
            let inventory = context.view.inventory(range)?;
            let resolved = resolve(&inventory, name, &request.namespace, request.kind)?;
            response.workload = Some(resolved.name);
            response.kind = Some(resolved.kind);
            response.namespace = resolved.namespace;
            response.caveats.extend(say(&resolved.caveats, request.lang));
            Subject::Workloads(resolved.rows.iter().map(|row| row.id.clone()).collect())
        }
    };
    Ok(context.view.series(&subject, range, step)?)
}

fn fill(context: &Context<'_>, facility: &Facility, series: &EnergySeries, response: &mut TrendResponse, lang: Lang) {
    let steps = series.steps.steps();
    let watts = |step: &Step<Usage>| Some(step.value.energy.total()?.over(step.length()).watts());
    let points: Vec<(&Step<Usage>, f64)> = steps.iter().filter_map(|step| Some((step, watts(step)?))).collect();
    response.basis = Some(basis_of(series.method));
    response.coverage = Some(series.coverage);
    response.moment = Some(series.moment.clone());
    let point = |step: &Step<Usage>| TrendPoint {
        start: step.start,
        end: step.end,
        power_watts: PowerWatts::from(step.value.energy.map(|energy| energy.over(step.length()))),
    };
    response.series = points.iter().map(|(step, _)| point(step)).collect();
    if points.is_empty() {
        return;
    }
    let energy: Energy = points.iter().filter_map(|(step, _)| step.value.energy.total()).sum();
    let length: Duration = points.iter().map(|(step, _)| step.length()).sum();
    let mean = energy.over(length);
    response.energy_kwh = Some(energy.kilowatt_hours());
    response.mean_watts = Some(mean.watts());
    let mut sorted: Vec<f64> = points.iter().map(|(_, watts)| *watts).collect();
    sorted.sort_by(f64::total_cmp);
    response.baseline_watts = sorted.get(sorted.len() / 10).copied();
    if let Some((step, watts)) = points.iter().max_by(|a, b| a.1.total_cmp(&b.1)) {
        (response.peak_watts, response.peak_at) = (Some(*watts), Some(step.start));
    }
    response.slope = slope(&points);
    response.anomalies = anomalies(&points, &sorted);
    carbon(context, facility, series, mean, response, lang);
    if series.coverage < 0.95 {
        let percent = series.coverage * 100.0;
        let caveat = Text::new(
            format!("The steps cover {percent:.0} % of the range."),
            format!("구간 데이터는 요청 범위의 {percent:.0} %만 포함합니다."),
        );
        response.caveats.push(caveat.lang(lang).to_owned());
    }
}

fn carbon(
    context: &Context<'_>,
    facility: &Facility,
    series: &EnergySeries,
    mean: Power,
    response: &mut TrendResponse,
    lang: Lang,
) {
    response.emissions_per_hour = grams_per_hour(Some(mean), facility);
    let month = mean * super::figures::MONTH;
    response.projected_monthly_energy_kwh = Some(month.kilowatt_hours());
    let (Some(pue), Some(grid)) = (facility.ratio(), facility.intensity()) else { return };
    response.projected_monthly_emissions_kg = Some(emissions(month, pue, grid).kilograms());
    let (Some(start), Some(end)) = (series.steps.start(), series.steps.end()) else { return };
    let energy = series.steps.map(|usage| usage.energy.total().unwrap_or(Energy::ZERO));
    let whole: Energy = energy.steps().iter().map(|step| step.value).sum();
    // Where settings state an intensity, that is the one; else each time has its own, as far as known.
    let stated = context.settings.grid_intensity.is_some();
    let history = (!stated).then(|| context.intensity.history(&facility.zone, start, end).ok()).flatten();
    let pues = Series::constant(start, end, pue).ok();
    let sum = history.zip(pues).map(|(history, pue)| emissions_over(&energy, &pue, &history.values));
    match sum {
        Some(sum) if sum.uncovered == Energy::ZERO => response.emissions_kg = Some(sum.mass.kilograms()),
        Some(sum) => {
            let rest: CarbonMass = emissions(sum.uncovered, pue, grid);
            response.emissions_kg = Some((sum.mass + rest).kilograms());
            let text = Text::new(
                "For part of the time no intensity is known; the current one stands in.",
                "일부 시간의 탄소집약도가 없어 현재 값으로 대신했습니다.",
            );
            response.caveats.push(text.lang(lang).to_owned());
        }
        None => response.emissions_kg = Some(emissions(whole, pue, grid).kilograms()),
    }
}

fn summarise(response: &TrendResponse) -> Text {
    let Some(mean) = response.mean_watts else {
        return Text::new("There are no energy figures of that range.", "해당 범위의 에너지 데이터가 없습니다.");
    };
    let peak = response.peak_watts.unwrap_or(mean);
    let (en, ko) = match response.slope.filter(|slope| slope.significant) {
        Some(slope) if slope.watts_per_hour > 0.0 => {
            let rate = slope.watts_per_hour;
            (format!("rising by {rate:.3} W an hour"), format!("시간당 {rate:.3} W 증가"))
        }
        Some(slope) => {
            let rate = -slope.watts_per_hour;
            (format!("falling by {rate:.3} W an hour"), format!("시간당 {rate:.3} W 감소"))
        }
        None => ("without a clear trend".to_owned(), "뚜렷한 추세 없음".to_owned()),
    };
    let count = response.anomalies.len();
    Text::new(
        format!(
            "{mean:.2} W on average, at most {peak:.2} W, {en}; {count} {} far from the median.",
            if count == 1 { "step" } else { "steps" }
        ),
        format!("평균 {mean:.2} W, 최대 {peak:.2} W, {ko}; 이상치 {count}건."),
    )
}
