//! `/api/v1/carbon`: what the energy of a time cost and emitted, and what that is reckoned with.

use super::figures::method;
use super::problem::{Kind, Problem};
use super::{Asked, json, query, to_json};
use axum::extract::{RawQuery, State};
use axum::response::Response;
use jiff::Timestamp;
use kepler_compliance::carbon::{effective_intensity, emissions, facility_energy};
use kepler_compliance::tariff::Cost;
use kepler_compliance::text::Lang;
use kepler_compliance::tools::{Length, Settings, Site, ToolError, Toolbox, cost_of_steps, site};
use kepler_compliance::units::Energy;
use kepler_compliance::view::{EnergySeries, Subject, TimeRange, ViewError};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;

/// Which time, where.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CarbonQuery {
    /// How far back, from the newest reading.
    #[serde(default = "day")]
    range: Length,
    /// The start instead, such as today's midnight.
    #[serde(default)]
    from: Option<Timestamp>,
    /// The region; without it the configured one, else `ap-northeast-2`.
    #[serde(default)]
    region: Option<String>,
    /// Language of sentences.
    #[serde(default)]
    lang: Lang,
}

const fn day() -> Length {
    Length::minutes(24 * 60)
}

/// Energy of all nodes in a time, its cost and emissions; `null` is unknown, not zero.
#[derive(Serialize, JsonSchema)]
pub(super) struct Carbon {
    /// Start of the range.
    from: Timestamp,
    /// End of the range.
    to: Timestamp,
    /// Share of the range that the figures cover, 0 to 1.
    coverage: f64,
    /// `measured`, `partial` or `estimated`; `null` where there are no figures.
    method: Option<&'static str>,
    /// Expected relative error of an estimate, one standard deviation; `null` if measured.
    error_ratio: Option<f64>,
    /// IT energy: that of all nodes, idle and unattributed energy included, joules.
    energy_joules: Option<f64>,
    /// Energy of the facility for it: times its PUE, kWh.
    facility_energy_kwh: Option<f64>,
    /// Emissions of that at the grid's intensity of now, gCO2e.
    #[serde(rename = "emissions_gCO2eq")]
    emissions: Option<f64>,
    /// What the facility pays for it.
    cost: Option<f64>,
    /// Currency of `cost`, ISO 4217.
    currency: Option<String>,
    /// What a kilowatt-hour costs; `null` where it is not stated or depends on the time of use.
    price_per_kwh: Option<f64>,
    /// Grid intensity times PUE: emissions of a kilowatt-hour of IT energy.
    #[serde(rename = "effective_intensity_gCO2eq_kWh")]
    effective_intensity: Option<f64>,
    /// Where this is, and its figures with their sources.
    site: Site,
}

pub(super) async fn answer(State(shared): Asked, RawQuery(text): RawQuery) -> Result<Response, Problem> {
    let asked: CarbonQuery = query::read(text.as_deref())?;
    let toolbox = Arc::clone(&shared.toolbox);
    let answer = shared.work(move || to_json(&carbon(&toolbox, &asked, Timestamp::now())?));
    answer.await.map(json)
}

fn carbon(toolbox: &Toolbox, asked: &CarbonQuery, now: Timestamp) -> Result<Carbon, Problem> {
    let context = toolbox.context(now);
    let to = context.now;
    let range = match asked.from {
        Some(from) if from < to => TimeRange { start: from, end: to },
        Some(from) => {
            let reason = format!("from = {from}: give a time before the newest reading, {to}");
            return Err(Problem::new(Kind::BadParameter, reason).parameter("from"));
        }
        None => TimeRange::ending(to, asked.range.duration()),
    };
    let site = site(&context, asked.region.as_deref(), asked.lang)
        .map_err(|error| Problem::from(ToolError::from(error)).parameter("region"))?;
    let series = match context.view.series(&Subject::Cluster, range, step(range)) {
        Ok(series) => Some(series),
        Err(ViewError::NoData { .. }) => None,
        Err(error) => return Err(error.into()),
    };
    let (pue, grid) = (site.ratio(), site.grid());
    let energy = series.as_ref().and_then(total);
    let method = series.as_ref().map(|series| method(series.method));
    let settings = &toolbox.settings;
    Ok(Carbon {
        from: range.start,
        to: range.end,
        coverage: series.as_ref().map_or(0.0, |series| series.coverage),
        method: method.map(|(name, _)| name),
        error_ratio: method.and_then(|(_, error_ratio)| error_ratio),
        energy_joules: energy.map(Energy::joules),
        facility_energy_kwh: energy.zip(pue).map(|(energy, pue)| facility_energy(energy, pue).kilowatt_hours()),
        emissions: energy.zip(pue).zip(grid).map(|((energy, pue), grid)| emissions(energy, pue, grid).grams()),
        cost: series
            .as_ref()
            .zip(pue)
            .and_then(|(series, pue)| cost_of_steps(&series.steps, range, pue, settings))
            .map(Cost::amount),
        currency: currency(settings),
        price_per_kwh: match settings.tariff {
            Some(_) => None,
            None => settings.price.as_ref().map(|price| price.per_kwh.value()),
        },
        effective_intensity: grid.zip(pue).map(|(grid, pue)| effective_intensity(grid, pue).grams_per_kilowatt_hour()),
        site,
    })
}

/// Prices change by the hour at most.
fn step(range: TimeRange) -> Duration {
    const HOUR: Duration = Duration::from_secs(3600);
    range.length().min(HOUR).max(range.length() / 10_000)
}

fn total(series: &EnergySeries) -> Option<Energy> {
    series.steps.steps().iter().filter_map(|step| step.value.energy.total()).reduce(|a, b| a + b)
}

fn currency(settings: &Settings) -> Option<String> {
    let tariff = settings.tariff.as_ref().map(|tariff| tariff.currency.clone());
    tariff.or_else(|| settings.price.as_ref().map(|price| price.currency.clone()))
}
