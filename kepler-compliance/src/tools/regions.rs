//! How clean are other regions?

use super::answer::{Month, MonthlySavings, Skip};
use super::arguments::{Scope, WorkloadQualifiers, named, within};
use super::figures::Windows;
use super::price::MonthPrice;
use super::resolve::resolve;
use super::{Figures, ToolError, ToolRequest, Toolset};
use crate::advice::{Candidate, Compared, MIGRATION_MARGIN_PERCENT, candidates, comparable, neighbours};
use crate::context::Context;
use crate::facility::Facility;
use crate::intensity::AccountingMethod;
use crate::messages::{Message, RegionMessage, render_all};
use crate::standards::Basis;
use crate::text::Lang;
use crate::units::Pue;
use crate::view::ViewError;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Ranks regions by grid intensity times PUE against the current one, with what a migration would save.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct RegionalRequest {
    /// The regions to compare with. Without them those of the same cloud provider; for a place that is no
    /// cloud region, the countries in which a cloud provider has one.
    #[serde(default)]
    pub regions: Vec<String>,
    /// A workload, for which savings are given in kg and money as well as in per cent.
    #[serde(default)]
    pub workload: Option<String>,
    /// Which workload is meant where several share the name.
    #[serde(flatten, deserialize_with = "named")]
    #[schemars(with = "WorkloadQualifiers")]
    pub qualifiers: WorkloadQualifiers,
    /// How much lower a region must be to be worth a migration, in per cent of the current intensity.
    #[serde(default = "default_margin")]
    #[schemars(range(min = 0, max = 100))]
    pub margin_percent: f64,
    /// Maximum number of regions to return.
    #[serde(default = "default_limit")]
    pub limit: usize,
    /// Region, window and language.
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
            workload: None,
            qualifiers: WorkloadQualifiers::default(),
            margin_percent: default_margin(),
            limit: default_limit(),
            scope: Scope::default(),
        }
    }
}

impl ToolRequest for RegionalRequest {
    type Response = RegionalResponse;
    const NAME: &'static str = "get_regional_comparison";
    const TITLE: &'static str = "Compare regions";
    const TOOLSET: Toolset = Toolset::Tuning;

    fn needs_energy(&self) -> bool {
        self.workload.is_some()
    }

    fn answer(&self, context: &Context<'_>) -> Result<RegionalResponse, ToolError> {
        get_regional_comparison(context, self)
    }

    fn shorten(&self, response: &mut RegionalResponse, limit: usize) {
        response.regions.truncate(limit);
        response.skipped.truncate(limit);
    }
}

/// The ranking.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct RegionalResponse {
    /// The current region, with rank and figures as the others; `null` where its intensity is not known.
    pub current: Option<RankedRegion>,
    /// The regions by rising intensity times PUE; by rising grid intensity where the current PUE is not known.
    pub regions: Vec<RankedRegion>,
    /// The method of all their grid intensities, as assumed of the current region's where a caveat says so; `null` where
    /// that is not known.
    pub method: Option<AccountingMethod>,
    /// How many regions could be compared, the current one included.
    pub compared: usize,
    /// The cleanest of them.
    pub cleanest: Option<String>,
    /// Whether to migrate.
    pub advice: MigrationAdvice,
    /// Regions that could not be compared, and why; at most as many as `limit` says.
    pub skipped: Vec<Skip>,
    /// How many could not be compared.
    pub skipped_total: usize,
    /// What weakens the comparison.
    pub caveats: Vec<String>,
}

/// A region of the ranking.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
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
    /// The zone whose figure it is: a larger one where that of its own zone is not published.
    pub grid_zone: String,
    /// Who published it.
    pub grid_source: String,
    /// The year it is for.
    pub grid_year: Option<i16>,
    /// PUE; `null` where neither the region's nor the current one's is known.
    pub pue: Option<f64>,
    /// How the PUE came about; `assumed` where the region publishes none and the current one's stands in.
    pub pue_basis: Option<Basis>,
    /// Grid intensity times PUE; `null` where the PUE is not known.
    #[serde(rename = "effective_intensity_gCO2eq_kWh")]
    pub effective_intensity: Option<f64>,
    /// How much less than in the current region is emitted, in per cent; negative where it is more.
    pub savings_percent: Option<f64>,
    /// What that is in a month for the workload; its cost is not known, as prices elsewhere are not.
    pub savings: Option<MonthlySavings>,
    /// What weakens this row.
    pub caveats: Vec<String>,
}

/// Whether to migrate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct MigrationAdvice {
    /// Whether a region is lower by more than the margin.
    pub migrate: bool,
    /// The region to migrate to.
    pub to: Option<String>,
    /// The margin, in per cent.
    pub margin_percent: f64,
    /// The advice in a sentence.
    pub text: String,
}

/// Ranks regions by grid intensity times PUE, or by grid intensity alone where the current PUE is not known.
///
/// # Errors
/// No such region or workload; a margin that is no percentage; the source of energy cannot answer.
pub fn get_regional_comparison(
    context: &Context<'_>,
    request: &RegionalRequest,
) -> Result<RegionalResponse, ToolError> {
    let margin = within("margin_percent", request.margin_percent, 0.0..=100.0)?;
    let lang = request.scope.lang.unwrap_or_default();
    let facility = Facility::of(context, request.scope.region.as_deref())?;
    let month = match &request.workload {
        Some(name) => monthly(context, request, &facility, name)?,
        None => None,
    };
    let regions = if request.regions.is_empty() { neighbours(context, &facility) } else { request.regions.clone() };
    let regions: Vec<String> = regions.into_iter().filter(|region| !same(region, &facility.region)).collect();
    let other_method = comparable(context, &facility, &regions, !request.regions.is_empty());
    let changes_method = other_method.is_some();
    let facility = other_method.unwrap_or(facility);
    let method = facility.grid.as_ref().map(|grid| grid.figure.provenance.method);
    let Compared { mut found, left_out } = candidates(context, &facility, &regions)?;
    let by_pue = facility.ratio().is_some();
    let own = Candidate::current(&facility);
    let current = own.as_ref().map(|own| own.rank(by_pue));
    found.extend(own);
    found.sort_by(|a, b| a.rank(by_pue).total_cmp(&b.rank(by_pue)).then_with(|| a.region.cmp(&b.region)));
    let ranking = Ranking { by_pue, current, month: month.as_ref(), lang };
    let ranked: Vec<RankedRegion> =
        found.iter().enumerate().map(|(position, candidate)| ranking.region(position + 1, candidate)).collect();
    let mut caveats = facility.caveats.clone();
    caveats.extend(method.filter(|_| changes_method).map(|method| RegionMessage::ComparedBy { method }.into()));
    caveats.extend(facility.method_caveat());
    caveats.extend(current.is_none().then(|| RegionMessage::CurrentUnknown.into()));
    caveats.extend((!by_pue).then(|| RegionMessage::WithoutPue.into()));
    caveats.push(RegionMessage::YearlyAverages.into());
    caveats.extend(summarise(&left_out));
    let skip = |(region, why): &(String, RegionMessage)| Skip {
        what: region.clone(),
        reason: Message::from(why.clone()).render(lang),
    };
    Ok(RegionalResponse {
        advice: advice(&ranked, &facility.region, margin, &ranking),
        cleanest: ranked.first().map(|region| region.region.clone()),
        current: ranked.iter().find(|region| region.region == facility.region).cloned(),
        method,
        compared: ranked.len(),
        regions: ranked.into_iter().take(request.limit).collect(),
        skipped: left_out.iter().take(request.limit).map(skip).collect(),
        skipped_total: left_out.len(),
        caveats: render_all(&caveats, lang),
    })
}

/// How many regions are left out for each reason.
fn summarise(left_out: &[(String, RegionMessage)]) -> Vec<Message> {
    let mut reasons: Vec<(&RegionMessage, usize)> = Vec::new();
    for (_, reason) in left_out {
        match reasons.iter_mut().find(|(known, _)| *known == reason) {
            Some((_, count)) => *count += 1,
            None => reasons.push((reason, 1)),
        }
    }
    let message = |(reason, count): (&RegionMessage, usize)| {
        RegionMessage::NotCompared { count, reason: Box::new(reason.clone().into()) }.into()
    };
    reasons.into_iter().map(message).collect()
}

/// What all rows of a ranking are held against.
struct Ranking<'a> {
    /// By grid intensity times PUE, not by grid intensity alone.
    by_pue: bool,
    /// The current region's, g/kWh.
    current: Option<f64>,
    month: Option<&'a Month>,
    lang: Lang,
}

impl Ranking<'_> {
    fn region(&self, rank: usize, candidate: &Candidate) -> RankedRegion {
        let current = self.current.filter(|current| *current > 0.0);
        let saved = current.map(|current| (current - candidate.rank(self.by_pue)) / current);
        let emissions = self.month.and_then(|month| month.emissions);
        RankedRegion {
            rank,
            region: candidate.region.clone(),
            zone: candidate.zone.clone(),
            zone_name: candidate.zone_name.lang(self.lang).to_owned(),
            grid_intensity: candidate.grid.grams_per_kilowatt_hour(),
            grid_zone: candidate.grid_zone.clone(),
            grid_source: Message::from(candidate.grid_source.clone()).render(self.lang),
            grid_year: candidate.grid_year,
            pue: candidate.pue.map(|(pue, _)| Pue::ratio(pue)),
            pue_basis: candidate.pue.map(|(_, basis)| basis),
            effective_intensity: candidate.effective().map(|value| value.grams_per_kilowatt_hour()),
            savings_percent: saved.map(|saved| saved * 100.0),
            savings: emissions
                .zip(saved)
                .map(|(mass, saved)| MonthlySavings { kg_co2eq: Some(mass.kilograms() * saved), cost: None }),
            caveats: render_all(&candidate.caveats, self.lang),
        }
    }
}

/// Whether two names are one region as people write them.
fn same(a: &str, b: &str) -> bool {
    a.eq_ignore_ascii_case(b)
}

fn advice(ranked: &[RankedRegion], current: &str, margin_percent: f64, ranking: &Ranking<'_>) -> MigrationAdvice {
    let best = ranked.first().filter(|best| best.region != current);
    let worth = best.and_then(|best| Some((best, best.savings_percent.filter(|saved| *saved > margin_percent)?)));
    let message = match worth {
        Some((best, percent)) => RegionMessage::Migrate {
            region: best.region.clone(),
            zone: best.zone_name.clone(),
            current: current.to_owned(),
            percent,
            grid_only: !ranking.by_pue,
        },
        None if ranking.current.is_some() => RegionMessage::Stay { current: current.to_owned(), margin_percent },
        None => RegionMessage::NoAdvice,
    };
    MigrationAdvice {
        migrate: worth.is_some(),
        to: worth.map(|(best, _)| best.region.clone()),
        margin_percent,
        text: Message::from(message).render(ranking.lang),
    }
}

/// The workload's month, where it has figures.
fn monthly(
    context: &Context<'_>,
    request: &RegionalRequest,
    facility: &Facility,
    name: &str,
) -> Result<Option<Month>, ToolError> {
    let inventory = match context.view.inventory(context.window(request.scope.window.duration())) {
        Ok(inventory) => inventory,
        Err(ViewError::NoData { .. }) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let resolved = resolve(&inventory, name, &request.qualifiers)?;
    let figures = Figures::sum(&inventory, &Windows::of(&inventory), resolved.rows.iter().copied());
    Ok(figures.monthly().map(|energy| Month::new(energy, facility, &MonthPrice::of(context))))
}
