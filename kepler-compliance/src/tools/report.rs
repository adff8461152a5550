//! What was used, emitted and paid in a time, and by whom: the figures of a report.
//!
//! Not one of the eight tools: it answers for any time in the past, lists every workload, and shows the course over time. Frontends lay
//! it out.

use super::answer::{Skip, energy_caveats};
use super::groups::groups;
use super::platform::{self, PlatformFigures};
use super::{Figures, ToolError};
use crate::carbon::{Contract, ContractError, MarketBased, emissions, emissions_over, facility_energy, market_based};
use crate::context::Context;
use crate::facility::{Settings, Site, site};
use crate::messages::render_all;
use crate::series::{Series, Step, span};
use crate::tariff::Cost;
use crate::text::{Lang, Text};
use crate::units::{CarbonIntensity, CarbonMass, Energy, Pue};
use crate::view::{EnergySeries, Inventory, StepUsage, Subject, TimeRange, WorkloadKind};
use jiff::Timestamp;
use kepler_core::meter::Method;
use serde::Serialize;
use std::collections::BTreeMap;
use std::time::Duration;

/// By what energy is added up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReportBy {
    /// By namespace, what is in none together.
    Namespace,
    /// By workload of any kind, each once: pods, containers outside pods, units, virtual machines, and processes that
    /// are in none of these.
    #[default]
    Workload,
    /// By workload of one kind.
    Kind(WorkloadKind),
    /// By node, idle and unattributed energy included.
    Node,
}

/// What a report is asked for.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ReportRequest {
    /// The time.
    pub range: TimeRange,
    /// By what.
    pub by: ReportBy,
    /// Contracts for energy, in the order in which they are used up.
    pub contracts: Vec<Contract>,
    /// Intensity of energy that no contract covers: the residual mix where one is published. The grid's where it is not given.
    pub residual: Option<CarbonIntensity>,
    /// Language of sentences.
    pub lang: Lang,
}

impl ReportRequest {
    /// Workloads of a time, without contracts, in English.
    #[must_use]
    pub const fn new(range: TimeRange) -> Self {
        ReportRequest { range, by: ReportBy::Workload, contracts: Vec::new(), residual: None, lang: Lang::En }
    }

    /// This request with a change.
    #[must_use]
    pub fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }
}

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReportError {
    /// A region, a kind, or the source of figures.
    #[error(transparent)]
    Tool(#[from] ToolError),
    /// A contract that cannot be.
    #[error(transparent)]
    Contract(#[from] ContractError),
}

/// Energy, emissions and cost of a time. What is not known is `None`, never zero.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Report {
    /// Start of the time asked for.
    pub from: Timestamp,
    /// Its end.
    pub to: Timestamp,
    /// Where the figures come from.
    pub source: String,
    /// Share of the time, and of the nodes, that the figures cover, 0 to 1.
    pub coverage: f64,
    /// Times without figures.
    pub gaps: Vec<Gap>,
    /// `measured`, `partial` or `estimated`.
    pub method: &'static str,
    /// Expected relative error of an estimate, one standard deviation.
    pub error_ratio: Option<f64>,
    /// All nodes, idle and unattributed energy included.
    pub total: Amounts,
    /// The part that idle machines draw all the same.
    pub idle: Amounts,
    /// The part that no workload explains.
    pub unattributed: Amounts,
    /// Facility energy that contracts cover, kWh.
    pub contracted_kwh: Option<f64>,
    /// Currency of costs, ISO 4217.
    pub currency: Option<String>,
    /// Where this is, and its figures with their sources.
    pub site: Site,
    /// Mean grid intensity of the energy, gCO2e/kWh.
    #[serde(rename = "mean_intensity_gCO2eq_kWh")]
    pub mean_intensity: Option<f64>,
    /// Who used it, the largest first.
    pub rows: Vec<ReportRow>,
    /// Meters of whole machines, where there are some. They contain what is above and are no part of its sums.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub platform: Vec<PlatformFigures>,
    /// The course of all nodes.
    pub steps: Vec<ReportStep>,
    /// What could not be looked at, and why.
    pub skipped: Vec<Skip>,
    /// What weakens the figures.
    pub caveats: Vec<String>,
}

/// A time without figures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Gap {
    /// Its start.
    pub from: Timestamp,
    /// Its end.
    pub to: Timestamp,
}

/// An amount of energy and what it means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Amounts {
    /// IT energy, joules.
    pub energy_joules: Option<f64>,
    /// Energy of the facility for it: times its PUE, kWh.
    pub facility_energy_kwh: Option<f64>,
    /// Emissions of that by the grid's mix, gCO2e.
    #[serde(rename = "emissions_location_gCO2eq")]
    pub emissions_location: Option<f64>,
    /// The same by contracts and the residual mix, gCO2e.
    #[serde(rename = "emissions_market_gCO2eq")]
    pub emissions_market: Option<f64>,
    /// What the facility pays for it.
    pub cost: Option<f64>,
}

/// The share of a workload, or of whatever the report groups by.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ReportRow {
    /// What it is; `None` of a namespace or a node.
    pub kind: Option<WorkloadKind>,
    /// Its namespace; `None` for what is in none.
    pub namespace: Option<String>,
    /// Its name; empty for all that is in no namespace.
    pub name: String,
    /// Energy and what it means.
    #[serde(flatten)]
    pub amounts: Amounts,
    /// Its part of the nodes' energy, 0 to 1.
    pub share: Option<f64>,
    /// `measured`, `partial` or `estimated`.
    pub method: &'static str,
    /// Expected relative error of an estimate, one standard deviation.
    pub error_ratio: Option<f64>,
    /// CPU time, seconds.
    pub cpu_seconds: Option<f64>,
    /// Mean power over the time covered, watts.
    pub mean_power_watts: Option<f64>,
}

/// What all nodes drew in a step.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ReportStep {
    /// Its start.
    pub from: Timestamp,
    /// Its end.
    pub to: Timestamp,
    /// Mean power, watts.
    pub power_watts: Option<f64>,
    /// The part that idle machines draw all the same; `None` where the source does not tell it.
    pub idle_watts: Option<f64>,
    /// The part that no workload explains.
    pub unattributed_watts: Option<f64>,
}

/// Steps of the course, in seconds: a minute to a day.
const STEPS: [u64; 7] = [60, 300, 900, 3_600, 4 * 3_600, 12 * 3_600, 86_400];

/// As many steps as a chart shows at most.
const MOST_STEPS: u64 = 200;

/// Readings never meet an edge exactly: a time without figures that is shorter than this part of the whole is none.
const SHORTEST_GAP: u32 = 200;

/// Adds up what was used in a time.
///
/// # Errors
/// The region is unknown, a contract is impossible, or the source has no figures of that time.
pub fn report(context: &Context<'_>, request: &ReportRequest) -> Result<Report, ReportError> {
    let ReportRequest { range, by, lang, .. } = *request;
    let context = &context.at(range.end);
    let site = site(context, None, lang).map_err(ToolError::from)?;
    let inventory = context.view.inventory(range).map_err(ToolError::from)?;
    let series = context.view.series(&Subject::Cluster, range, step_of(range)).map_err(ToolError::from)?;
    let money = Money { context, request, range, series: &series, pue: site.ratio() };
    let carbon = money.carbon(&site)?;
    let total = carbon.amounts(total(&series, |usage| usage.energy.total()), money.cost());
    let part = |figure: fn(&StepUsage) -> Option<Energy>| {
        let energy = self::total(&series, figure);
        carbon.amounts(energy, money.cost_of(energy))
    };
    let mut rows = rows(&inventory, by)?;
    for row in &mut rows {
        let energy = row.amounts.energy_joules.map(Energy::from_joules);
        row.amounts = carbon.amounts(energy, money.cost_of(energy));
        row.share = row.amounts.energy_joules.zip(total.energy_joules).map(|(own, all)| own / all);
        row.share = row.share.filter(|share| share.is_finite());
    }
    rows.sort_by(|a, b| {
        let joules = |row: &ReportRow| row.amounts.energy_joules.unwrap_or(-1.0);
        joules(b).total_cmp(&joules(a)).then_with(|| a.name.cmp(&b.name))
    });
    let gaps = gaps(&series, range);
    let mut caveats = render_all(&energy_caveats(context, &inventory, Some(series.method)), lang);
    caveats.extend(carbon.caveats.iter().chain(&money.caveats()).map(|text| text.lang(lang).to_owned()));
    caveats.extend(site.caveats.iter().cloned());
    Ok(Report {
        from: range.start,
        to: range.end,
        source: context.view.name().to_owned(),
        coverage: series.coverage,
        gaps,
        method: series.method.name(),
        error_ratio: series.method.error_ratio(),
        total,
        idle: part(|usage| usage.idle.total()),
        unattributed: part(|usage| usage.unattributed.total()),
        contracted_kwh: carbon.market.map(|market| market.contracted.kilowatt_hours()),
        currency: context.settings.currency().map(str::to_owned),
        mean_intensity: carbon.grid.map(CarbonIntensity::grams_per_kilowatt_hour),
        site,
        rows,
        platform: platform::figures(&inventory),
        steps: series.steps.steps().iter().map(course).collect(),
        skipped: inventory.skipped.iter().map(Skip::from).collect(),
        caveats,
    })
}

/// What `steps` of a range cost, if every part of them has a price.
#[must_use]
pub fn cost_of_steps(steps: &Series<StepUsage>, range: TimeRange, pue: Pue, settings: &Settings) -> Option<Cost> {
    let prices = settings.prices(range.start, range.end)?;
    let mut amount = 0.0;
    for Step { start, end, value } in steps.steps() {
        // The edge of a range is known to a millisecond or so; readings are not cut there.
        let whole = Series::constant((*start).max(range.start), (*end).min(range.end), value.energy.total()?).ok()?;
        let length = whole.steps().first()?.length();
        let priced = whole.zip(&prices);
        let covered: Duration = priced.steps().iter().map(Step::length).sum();
        if covered < length {
            return None;
        }
        for Step { start, end, value: (energy, price) } in priced.steps() {
            let share = span(*start, *end).as_secs_f64() / length.as_secs_f64();
            amount += (facility_energy(*energy, pue) * *price).amount() * share;
        }
    }
    Some(Cost::new(amount))
}

/// The length of a step of a chart of that time.
pub(super) fn step_of(range: TimeRange) -> Duration {
    let least = range.length().as_secs() / MOST_STEPS;
    Duration::from_secs(STEPS.into_iter().find(|step| *step >= least).unwrap_or(least))
}

fn total(series: &EnergySeries, figure: impl Fn(&StepUsage) -> Option<Energy>) -> Option<Energy> {
    series.steps.steps().iter().filter_map(|step| figure(&step.value)).reduce(|a, b| a + b)
}

fn course(step: &Step<StepUsage>) -> ReportStep {
    let watts = |energy: Option<Energy>| energy.map(|energy| energy.over(step.length()).watts());
    ReportStep {
        from: step.start,
        to: step.end,
        power_watts: watts(step.value.energy.total()),
        idle_watts: watts(step.value.idle.total()),
        unattributed_watts: watts(step.value.unattributed.total()),
    }
}

fn gaps(series: &EnergySeries, range: TimeRange) -> Vec<Gap> {
    let mut gaps = Vec::new();
    let mut known = range.start;
    let shortest = (range.length() / SHORTEST_GAP).max(series.resolution);
    let edges = series.steps.steps().iter().map(|step| (step.start, step.end)).chain([(range.end, range.end)]);
    for (start, end) in edges {
        if span(known, start) > shortest {
            gaps.push(Gap { from: known, to: start });
        }
        known = known.max(end);
    }
    gaps
}

/// What a kilowatt-hour of IT energy emits and costs on the mean of the time.
struct Money<'a> {
    context: &'a Context<'a>,
    request: &'a ReportRequest,
    range: TimeRange,
    series: &'a EnergySeries,
    pue: Option<Pue>,
}

/// What energy emits.
struct Emitting {
    pue: Option<Pue>,
    /// Mean intensity of the grid.
    grid: Option<CarbonIntensity>,
    market: Option<MarketBased>,
    /// Mean intensity of what was bought.
    bought: Option<CarbonIntensity>,
    caveats: Vec<Text>,
}

impl Money<'_> {
    /// At the price of each hour; unknown where one has none.
    fn cost(&self) -> Option<f64> {
        cost_of_steps(&self.series.steps, self.range, self.pue?, self.context.settings).map(Cost::amount)
    }

    /// Of a part, at a price that holds at all hours: when it was used is not known.
    fn cost_of(&self, energy: Option<Energy>) -> Option<f64> {
        let settings = self.context.settings;
        let price = settings.price.as_ref().filter(|_| settings.tariff.is_none())?;
        Some((facility_energy(energy?, self.pue?) * price.per_kwh).amount())
    }

    fn caveats(&self) -> Option<Text> {
        self.context.settings.tariff.as_ref().map(|_| {
            Text::new(
                "Prices depend on the hour: the cost of all nodes is known, not that of each row.",
                "시간대별 요금이므로 전체 비용만 알 수 있고 항목별 비용은 알 수 없습니다.",
            )
        })
    }

    fn carbon(&self, site: &Site) -> Result<Emitting, ContractError> {
        let mut caveats = Vec::new();
        let energy = total(self.series, |usage| usage.energy.total());
        let grid = match self.over_time(site) {
            Some((mean, coverage)) => {
                if coverage < 0.999 {
                    let percent = crate::numbers::figure(coverage * 100.0);
                    caveats.push(Text::new(
                        format!("Grid intensities are known for {percent} % of the energy; their mean stands for the rest."),
                        format!("전력망 탄소집약도는 에너지의 {percent} %에 대해서만 알려져 있으며, 나머지는 그 평균으로 계산했습니다."),
                    ));
                }
                Some(mean)
            }
            None => site.grid(),
        };
        let facility = energy.zip(self.pue).map(|(energy, pue)| facility_energy(energy, pue));
        let residual = self.request.residual.or(grid);
        let market = match facility.zip(residual) {
            Some((facility, residual)) => Some(market_based(facility, residual, &self.request.contracts)?),
            None => None,
        };
        if market.is_some() && self.request.residual.is_none() {
            caveats.push(match self.request.contracts.is_empty() {
                true => Text::new(
                    "No contract and no residual mix is stated: market-based emissions are those of the grid's mix.",
                    "계약과 잔여 믹스가 지정되지 않아 시장 기반 배출량은 전력망 평균으로 계산했습니다.",
                ),
                false => Text::new(
                    "No residual mix is stated: what contracts leave counts at the grid's mix.",
                    "잔여 믹스가 지정되지 않아 계약 외 전력은 전력망 평균으로 계산했습니다.",
                ),
            });
        }
        let bought = market.zip(facility).filter(|(_, facility)| *facility > Energy::ZERO);
        let bought = bought.map(|(market, facility)| {
            CarbonIntensity::from_grams_per_kilowatt_hour(market.mass.grams() / facility.kilowatt_hours())
        });
        Ok(Emitting { pue: self.pue, grid, market, bought, caveats })
    }

    /// The mean by the hours in which energy was drawn, from a source that knows them, and how much of it that covers.
    fn over_time(&self, site: &Site) -> Option<(CarbonIntensity, f64)> {
        let context = self.context;
        if context.intensity.is_builtin() || context.settings.grid_intensity.is_some() {
            return None;
        }
        let TimeRange { start, end } = self.range;
        let known = context.intensity.history(&site.zone, start, end).ok()?;
        let energy = self.series.steps.map(|usage| usage.energy.total().unwrap_or_default());
        let pue = Series::constant(start, end, self.pue.unwrap_or(Pue::ONE)).ok()?;
        let emitted = emissions_over(&energy, &pue, &known.values);
        emitted.mean_intensity().zip(emitted.coverage())
    }
}

impl Emitting {
    fn amounts(&self, energy: Option<Energy>, cost: Option<f64>) -> Amounts {
        let by = |intensity: Option<CarbonIntensity>| {
            let ((energy, pue), intensity) = energy.zip(self.pue).zip(intensity)?;
            Some(CarbonMass::grams(emissions(energy, pue, intensity)))
        };
        Amounts {
            energy_joules: energy.map(Energy::joules),
            facility_energy_kwh: energy
                .zip(self.pue)
                .map(|(energy, pue)| facility_energy(energy, pue).kilowatt_hours()),
            emissions_location: by(self.grid),
            emissions_market: by(self.bought),
            cost,
        }
    }
}

fn rows(inventory: &Inventory, by: ReportBy) -> Result<Vec<ReportRow>, ToolError> {
    let row = |kind, namespace: Option<&str>, name: &str, figures: &Figures| {
        let cpu = figures.cpu_time.map(|time| time.as_secs_f64());
        let watts = figures.mean.map(|power| power.watts());
        of_row(kind, namespace, name, figures.energy.total(), figures.method, (cpu, watts))
    };
    Ok(match by {
        ReportBy::Node => inventory
            .nodes
            .iter()
            .map(|node| {
                let energy = node.energy().total();
                let length = node.covered.length();
                let watts = energy.filter(|_| !length.is_zero()).map(|energy| energy.over(length).watts());
                of_row(None, None, &node.name, energy, node.method(), (None, watts))
            })
            .collect(),
        ReportBy::Namespace => {
            let mut sums: BTreeMap<Option<&str>, Figures> = BTreeMap::new();
            let found = groups(inventory, None, None)?;
            for group in &found {
                let sum = sums.entry(group.namespace).or_insert_with(|| Figures::nothing(inventory));
                sum.absorb(&group.figures);
            }
            sums.iter().map(|(namespace, sum)| row(None, *namespace, namespace.unwrap_or_default(), sum)).collect()
        }
        ReportBy::Workload | ReportBy::Kind(_) => {
            let kind = if let ReportBy::Kind(kind) = by { Some(kind) } else { None };
            let found = groups(inventory, kind, None)?;
            found.iter().map(|group| row(Some(group.kind), group.namespace, group.name, &group.figures)).collect()
        }
    })
}

fn of_row(
    kind: Option<WorkloadKind>,
    namespace: Option<&str>,
    name: &str,
    energy: Option<Energy>,
    method: Method,
    (cpu_seconds, mean_power_watts): (Option<f64>, Option<f64>),
) -> ReportRow {
    ReportRow {
        kind,
        namespace: namespace.map(str::to_owned),
        name: name.to_owned(),
        amounts: Amounts { energy_joules: energy.map(Energy::joules), ..Amounts::default() },
        share: None,
        method: method.name(),
        error_ratio: method.error_ratio(),
        cpu_seconds,
        mean_power_watts,
    }
}
