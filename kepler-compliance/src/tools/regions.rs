//! How clean are other regions?

use super::answer::Month;
use super::answer::{MonthlySavings, Skip, say};
use super::arguments::{Scope, default_namespace, named, range, within};
use super::figures::Windows;
use super::resolve::resolve;
use super::{Context, Facility, Figures, ToolError};
use crate::advice::{Candidate, Compared, MIGRATION_MARGIN_PERCENT, candidates, neighbours};
use crate::standards::Basis;
use crate::text::{Lang, Text};
use crate::view::{ViewError, WorkloadKind};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Ranks regions by grid intensity times PUE against the current one, with what a migration would save.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RegionalRequest {
    /// The regions to compare with. Without them those of the same cloud provider; for a place that is no
    /// cloud region, all countries.
    #[serde(default)]
    pub regions: Vec<String>,
    /// A workload, for which savings are given in kg and money as well as in per cent.
    #[serde(default)]
    pub workload_name: Option<String>,
    /// The workload's namespace, if it is a pod or a controller of pods.
    #[serde(default = "default_namespace")]
    pub namespace: String,
    /// The workload's kind, where several kinds share the name.
    #[serde(default)]
    pub kind: Option<WorkloadKind>,
    /// How much lower a region must be to be worth a migration, in per cent of the current intensity.
    #[serde(default = "default_margin")]
    #[schemars(range(min = 0, max = 100))]
    pub margin_percent: f64,
    /// How many regions to return at most.
    #[serde(default = "default_limit")]
    pub limit: usize,
    /// Where, since when, in which language.
    #[serde(flatten, deserialize_with = "named")]
    #[schemars(with = "Scope")]
    pub scope: Scope,
}

const fn default_margin() -> f64 {
    MIGRATION_MARGIN_PERCENT
}

const fn default_limit() -> usize {
    20
}

impl Default for RegionalRequest {
    fn default() -> Self {
        RegionalRequest {
            regions: Vec::new(),
            workload_name: None,
            namespace: default_namespace(),
            kind: None,
            margin_percent: default_margin(),
            limit: default_limit(),
            scope: Scope::default(),
        }
    }
}

/// The ranking.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RegionalResponse {
    /// The current region, with rank and figures as the others; `null` where its intensity or PUE is not known.
    pub current: Option<RankedRegion>,
    /// The regions by rising intensity times PUE.
    pub regions: Vec<RankedRegion>,
    /// How many regions could be compared, the current one included.
    pub compared: usize,
    /// The cleanest of them.
    pub cleanest: Option<String>,
    /// Whether to migrate.
    pub advice: MigrationAdvice,
    /// Regions that could not be compared, and why.
    pub skipped: Vec<Skip>,
    /// What weakens the comparison.
    pub caveats: Vec<String>,
}

/// A region of the ranking.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RankedRegion {
    /// 1 is the cleanest.
    pub rank: usize,
    /// The region, as it was named.
    pub region: String,
    /// Its grid zone.
    pub zone: String,
    /// The zone's name.
    pub zone_name: String,
    /// Grid intensity.
    #[serde(rename = "grid_intensity_gCO2eq_kWh")]
    pub grid_intensity: f64,
    /// Who published it.
    pub grid_source: String,
    /// The year it is for.
    pub grid_year: Option<i16>,
    /// PUE.
    pub pue: f64,
    /// How the PUE came about; `assumed` where the region publishes none and the current one's stands in.
    pub pue_basis: Basis,
    /// Grid intensity times PUE.
    #[serde(rename = "effective_intensity_gCO2eq_kWh")]
    pub effective_intensity: f64,
    /// How much less than in the current region is emitted, in per cent; negative where it is more.
    pub savings_percent: Option<f64>,
    /// What that is in a month for the workload; its cost is not known, as prices elsewhere are not.
    pub savings: Option<MonthlySavings>,
    /// What weakens this row.
    pub caveats: Vec<String>,
}

/// Whether to migrate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct MigrationAdvice {
    /// Whether a region is lower by more than the margin.
    pub migrate: bool,
    /// Which.
    pub to: Option<String>,
    /// The margin, in per cent.
    pub margin_percent: f64,
    /// In a sentence.
    pub text: String,
}

/// Ranks regions by grid intensity times PUE.
///
/// # Errors
/// No such region or workload; a margin that is no percentage; the source of energy cannot answer.
pub fn get_regional_comparison(
    context: &Context<'_>,
    request: &RegionalRequest,
) -> Result<RegionalResponse, ToolError> {
    let margin = within("margin_percent", request.margin_percent, 0.0..=100.0)?;
    let facility = Facility::of(context, request.scope.region.as_deref())?;
    let month = match &request.workload_name {
        Some(name) => monthly(context, request, &facility, name)?,
        None => None,
    };
    let regions = if request.regions.is_empty() { neighbours(context, &facility) } else { request.regions.clone() };
    let regions: Vec<String> = regions.into_iter().filter(|region| !same(region, &facility.region)).collect();
    let Compared { mut found, left } = candidates(context, &facility, &regions)?;
    let own = own(&facility);
    let current = own.as_ref().map(|own| own.effective().grams_per_kilowatt_hour());
    found.extend(own);
    found.sort_by(|a, b| {
        let grams = |candidate: &Candidate| candidate.effective().grams_per_kilowatt_hour();
        grams(a).total_cmp(&grams(b)).then_with(|| a.region.cmp(&b.region))
    });
    let ranked: Vec<RankedRegion> = found
        .iter()
        .enumerate()
        .map(|(place, candidate)| rank(place + 1, candidate, current, month.as_ref(), request.scope.lang))
        .collect();
    let mut caveats = facility.caveats.clone();
    if current.is_none() {
        caveats.push(Text::new(
            "The current region's intensity or PUE is not known, so nothing can be compared with it.",
            "현재 리전의 탄소집약도 또는 PUE를 알 수 없어 비교할 수 없습니다.",
        ));
    }
    caveats.push(Text::new(
        "Yearly averages of the grids; latency, data residence and the effort of moving are not considered.",
        "전력망 연평균 기준이며 지연 시간, 데이터 소재지, 이전 비용은 고려하지 않았습니다.",
    ));
    let skip = |(region, why): (String, Text)| Skip { what: region, reason: why.lang(request.scope.lang).to_owned() };
    Ok(RegionalResponse {
        advice: advice(&ranked, &facility.region, margin, request.scope.lang),
        cleanest: ranked.first().map(|region| region.region.clone()),
        current: ranked.iter().find(|region| region.region == facility.region).cloned(),
        compared: ranked.len(),
        regions: ranked.into_iter().take(request.limit).collect(),
        skipped: left.into_iter().map(skip).collect(),
        caveats: say(&caveats, request.scope.lang),
    })
}

/// Whether two names are one region as people write them.
fn same(a: &str, b: &str) -> bool {
    a.eq_ignore_ascii_case(b)
}

/// The current facility as one of the ranking.
fn own(facility: &Facility) -> Option<Candidate> {
    let (grid, pue) = (facility.grid.as_ref()?, facility.pue.as_ref()?);
    Some(Candidate {
        region: facility.region.clone(),
        zone: facility.zone.clone(),
        zone_name: facility.zone_name.clone(),
        grid: grid.figure.value,
        grid_source: grid.figure.provenance.source.clone(),
        grid_year: match grid.figure.period {
            crate::intensity::Period::Year(year) => Some(year),
            _ => None,
        },
        pue: pue.value,
        pue_basis: pue.basis,
        caveats: Vec::new(),
    })
}

fn rank(place: usize, candidate: &Candidate, current: Option<f64>, month: Option<&Month>, lang: Lang) -> RankedRegion {
    let effective = candidate.effective().grams_per_kilowatt_hour();
    let saved = current.filter(|current| *current > 0.0).map(|current| (current - effective) / current);
    let emissions = month.and_then(|month| month.emissions);
    RankedRegion {
        rank: place,
        region: candidate.region.clone(),
        zone: candidate.zone.clone(),
        zone_name: candidate.zone_name.clone(),
        grid_intensity: candidate.grid.grams_per_kilowatt_hour(),
        grid_source: candidate.grid_source.clone(),
        grid_year: candidate.grid_year,
        pue: candidate.pue.ratio(),
        pue_basis: candidate.pue_basis,
        effective_intensity: effective,
        savings_percent: saved.map(|saved| saved * 100.0),
        savings: emissions
            .zip(saved)
            .map(|(mass, saved)| MonthlySavings { kg_co2eq: Some(mass.kilograms() * saved), cost: None }),
        caveats: say(&candidate.caveats, lang),
    }
}

fn advice(ranked: &[RankedRegion], current: &str, margin: f64, lang: Lang) -> MigrationAdvice {
    let best = ranked.first().filter(|best| best.region != current);
    let worth = best.filter(|best| best.savings_percent.is_some_and(|saved| saved > margin));
    let text = match (worth, ranked.iter().any(|region| region.region == current)) {
        (Some(best), _) => {
            let saved = best.savings_percent.unwrap_or_default();
            Text::new(
                format!(
                    "{} ({}) would emit {saved:.1} % less per kWh of IT energy than {current}.",
                    best.region, best.zone_name
                ),
                format!(
                    "{} ({})은(는) {current}보다 IT 전력 1 kWh당 {saved:.1} % 적게 배출합니다.",
                    best.region, best.zone_name
                ),
            )
        }
        (None, true) => Text::new(
            format!("Stay: no compared region is lower than {current} by more than {margin} %."),
            format!("유지: 비교한 리전 중 {current}보다 {margin} % 넘게 낮은 곳이 없습니다."),
        ),
        (None, false) => Text::new("Not enough is known to advise.", "권고하기에 데이터가 부족합니다."),
    };
    MigrationAdvice {
        migrate: worth.is_some(),
        to: worth.map(|best| best.region.clone()),
        margin_percent: margin,
        text: text.lang(lang).to_owned(),
    }
}

/// The workload's month, where it has figures.
fn monthly(
    context: &Context<'_>,
    request: &RegionalRequest,
    facility: &Facility,
    name: &str,
) -> Result<Option<Month>, ToolError> {
    let inventory = match context.view.inventory(range(context, request.scope.window)) {
        Ok(inventory) => inventory,
        Err(ViewError::NoData { .. }) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let resolved = resolve(&inventory, name, &request.namespace, request.kind)?;
    let figures = Figures::sum(&inventory, &Windows::of(&inventory), resolved.rows.iter().copied());
    Ok(figures.monthly().map(|energy| Month::new(energy, facility, context.settings)))
}
