//! What would several optimizations bring together?

use super::answer::{Judged, Month, Optimization, OptimizationKind, ProjectedMonthly, Skip, energy_caveats, say};
use super::arguments::{Scope, default_namespace, default_standard, named, range, within};
use super::facility::FacilityPue;
use super::figures::Windows;
use super::judge::Judge;
use super::optimizations::{pue_target, show, use_over_time};
use super::resolve::{Resolved, resolve};
use super::{Context, Facility, Figures, Length, ToolError};
use crate::advice::{
    Advice, Change, Outcome, pue_improvement, regional_migration, resource_rightsizing, temporal_shift,
};
use crate::standards::{Basis, Status};
use crate::text::{Lang, Text};
use crate::units::{CarbonIntensity, Energy, Power, Pue};
use crate::view::{Inventory, WorkloadKind};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Compares a workload before and after optimizations. Each acts on what it changes (energy, intensity,
/// PUE) as the ones before it left it, so that savings multiply and are never added; every rule is judged
/// again after.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ImpactRequest {
    /// The workload, as in `assess_workload_compliance`.
    pub workload_name: String,
    /// The namespace, which selects among pods and their controllers.
    #[serde(default = "default_namespace")]
    pub namespace: String,
    /// The kind, where several kinds share the name.
    #[serde(default)]
    pub kind: Option<WorkloadKind>,
    /// The optimizations to apply; without them all four.
    #[serde(default = "all")]
    pub optimizations: Vec<OptimizationKind>,
    /// Where to migrate to; without it the cleanest region of the same provider.
    #[serde(default)]
    pub target_region: Option<String>,
    /// The PUE to reach; without it the PUE standard's limit.
    #[serde(default)]
    #[schemars(range(min = 1, max = 10))]
    pub target_pue: Option<f64>,
    /// Code of the standard to judge by.
    #[serde(default = "default_standard")]
    pub standard: String,
    /// Where, since when, in which language.
    #[serde(flatten, deserialize_with = "named")]
    #[schemars(with = "Scope")]
    pub scope: Scope,
}

fn all() -> Vec<OptimizationKind> {
    ORDER.to_vec()
}

/// The order in which they are applied: what is used, where, when, and how well the building is run.
const ORDER: [OptimizationKind; 4] = [
    OptimizationKind::ResourceRightsizing,
    OptimizationKind::RegionalMigration,
    OptimizationKind::TemporalShift,
    OptimizationKind::PueImprovement,
];

impl ImpactRequest {
    /// With the defaults of all other arguments.
    pub fn new(workload_name: impl Into<String>) -> Self {
        ImpactRequest {
            workload_name: workload_name.into(),
            namespace: default_namespace(),
            kind: None,
            optimizations: all(),
            target_region: None,
            target_pue: None,
            standard: default_standard(),
            scope: Scope::default(),
        }
    }
}

/// Before and after.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ImpactResponse {
    /// The workload.
    pub workload: String,
    /// What it is.
    pub kind: WorkloadKind,
    /// Its namespace; `null` for what is not a pod or a controller of pods.
    pub namespace: Option<String>,
    /// The standard judged by.
    pub standard: String,
    /// The region it runs in.
    pub region: String,
    /// As it is.
    pub before: ImpactState,
    /// As it would be.
    pub after: ImpactState,
    /// What each step does, in the order of application.
    pub steps: Vec<ImpactStep>,
    /// All steps together: reduction of emissions, 0 to 100 %; not the sum of the steps.
    pub total_reduction_percent: f64,
    /// Emissions avoided a month, kgCO2e; never more than are emitted.
    #[serde(rename = "total_savings_kgCO2eq_per_month")]
    pub total_savings_kg: Option<f64>,
    /// Optimizations that were asked for and cannot be estimated or bring nothing, and why.
    pub skipped: Vec<Skip>,
    /// The window asked for.
    pub window: Length,
    /// The state that was seen.
    pub moment: String,
    /// What weakens it.
    pub caveats: Vec<String>,
}

/// A workload at a facility.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ImpactState {
    /// Mean power over the window, watts.
    pub power_watts: Option<f64>,
    /// Grid intensity.
    #[serde(rename = "grid_intensity_gCO2eq_kWh")]
    pub grid_intensity: Option<f64>,
    /// PUE.
    pub pue: Option<f64>,
    /// Grid intensity times PUE.
    #[serde(rename = "effective_intensity_gCO2eq_kWh")]
    pub effective_intensity: Option<f64>,
    /// A month like the window.
    pub projected_monthly: Option<ProjectedMonthly>,
    /// By all rules.
    pub status: Status,
    /// By the carbon standard.
    pub carbon_status: Status,
    /// By the PUE standard.
    pub pue_status: Status,
    /// Each rule's judgement.
    pub verdicts: Vec<Judged>,
}

/// One optimization, applied to what the ones before it left.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ImpactStep {
    /// The optimization; its estimate is what it brings by itself.
    #[serde(flatten)]
    pub optimization: Optimization,
    /// What it still takes off after the ones before it, in per cent of what they left.
    pub reduction_of_remainder_percent: f64,
}

/// Compares a workload before and after optimizations.
///
/// # Errors
/// No such workload, region or standard; an impossible PUE; no energy figures; the source cannot answer.
pub fn compare_optimization_impact(
    context: &Context<'_>,
    request: &ImpactRequest,
) -> Result<ImpactResponse, ToolError> {
    let target = request.target_pue.map(|pue| within("target_pue", pue, 1.0..=10.0)).transpose()?;
    let target = target.and_then(|pue| Pue::new(pue).ok());
    let facility = Facility::of(context, request.scope.region.as_deref())?;
    let judge = Judge::new(context, &facility, &request.standard)?;
    let inventory = context.view.inventory(range(context, request.scope.window))?;
    let resolved = resolve(&inventory, &request.workload_name, &request.namespace, request.kind)?;
    let figures = Figures::sum(&inventory, &Windows::of(&inventory), resolved.rows.iter().copied());
    let verdicts = judge.verdicts(Some(&figures));
    let limit = pue_target(&verdicts);
    let target = match target {
        Some(pue) => Some((pue, "asked for".to_owned())),
        None => limit,
    };
    let (lang, month) =
        (request.scope.lang, figures.monthly().map(|energy| Month::new(energy, &facility, context.settings)));
    let mut place = Place::new(&facility);
    let (mut steps, mut skipped) = (Vec::new(), Vec::new());
    for kind in ORDER.into_iter().filter(|kind| request.optimizations.contains(kind)) {
        let case = Case {
            context,
            request,
            facility: &facility,
            inventory: &inventory,
            resolved: &resolved,
            figures: &figures,
        };
        match case.advise(kind, &place, target.as_ref())? {
            Ok(advice) => {
                let before = place.factor();
                place.apply(context, &advice)?;
                let left = if before > 0.0 { place.factor() / before } else { 1.0 };
                steps.push(ImpactStep {
                    optimization: show(&advice, month.as_ref(), lang),
                    reduction_of_remainder_percent: (1.0 - left) * 100.0,
                });
            }
            Err(why) => skipped.push(Skip { what: name(kind), reason: why.lang(lang).to_owned() }),
        }
    }
    let after = &place.facility;
    let changed = figures.scaled(place.energy);
    let after_judge = Judge::new(context, after, &request.standard)?;
    let mut texts = resolved.caveats.clone();
    texts.extend(energy_caveats(&inventory, Some(figures.method)));
    texts.extend(facility.caveats.iter().cloned());
    texts.push(Text::new(
        "After is a projection: reductions are estimates, each with its range and basis.",
        "이후 값은 예측이며, 각 감축량은 범위와 근거가 있는 추정치입니다.",
    ));
    let saved = 1.0 - place.factor();
    Ok(ImpactResponse {
        workload: resolved.name.clone(),
        kind: resolved.kind,
        namespace: resolved.namespace.clone(),
        standard: judge.carbon_rule().map_or_else(|| request.standard.clone(), |rule| rule.code.clone()),
        region: facility.region.clone(),
        before: state(context, &facility, &judge, &figures, lang),
        after: state(context, after, &after_judge, &changed, lang),
        steps,
        total_reduction_percent: saved * 100.0,
        total_savings_kg: month.and_then(|month| month.emissions).map(|mass| mass.kilograms() * saved),
        skipped,
        window: request.scope.window,
        moment: inventory.moment.clone(),
        caveats: say(&texts, lang),
    })
}

/// All that advice rests on.
struct Case<'a> {
    context: &'a Context<'a>,
    request: &'a ImpactRequest,
    facility: &'a Facility,
    inventory: &'a Inventory,
    resolved: &'a Resolved<'a>,
    figures: &'a Figures,
}

impl Case<'_> {
    /// Advice of a kind, at the place that the steps before have moved the workload to.
    fn advise(
        &self,
        kind: OptimizationKind,
        place: &Place,
        target: Option<&(Pue, String)>,
    ) -> Result<Outcome, ToolError> {
        let Case { context, request, facility, inventory, resolved, figures } = *self;
        Ok(match kind {
            OptimizationKind::ResourceRightsizing => {
                let series = use_over_time(context, resolved, request.scope.window)?;
                resource_rightsizing(inventory, figures, &resolved.rows, series.as_ref())
            }
            OptimizationKind::RegionalMigration => {
                // A region that was asked for by name is compared whatever the margin.
                let margin = request.target_region.as_ref().map(|_| 0.0);
                regional_migration(context, facility, request.target_region.as_deref(), margin)?
            }
            OptimizationKind::TemporalShift => {
                temporal_shift(context, &place.facility, request.scope.window.duration())
            }
            OptimizationKind::PueImprovement => {
                pue_improvement(&place.facility, target.map(|(pue, whose)| (*pue, whose.as_str())))
            }
        })
    }
}

/// What the steps have made of energy, time, place and facility.
struct Place {
    /// Factor on energy.
    energy: f64,
    /// Factor on intensity by the time it runs.
    time: f64,
    /// Factor on intensity times PUE by where it runs and how well that is run.
    site: f64,
    facility: Facility,
}

impl Place {
    fn new(facility: &Facility) -> Self {
        Place { energy: 1.0, time: 1.0, site: 1.0, facility: facility.clone() }
    }

    /// What is left of the emissions.
    fn factor(&self) -> f64 {
        self.energy * self.time * self.site
    }

    fn apply(&mut self, context: &Context<'_>, advice: &Advice) -> Result<(), ToolError> {
        match &advice.change {
            Change::Energy(factor) => self.energy *= factor,
            Change::Time(factor) => {
                self.time *= factor;
                if let Some(grid) = &mut self.facility.grid {
                    let grams = grid.figure.value.grams_per_kilowatt_hour() * factor;
                    grid.figure.value = CarbonIntensity::from_grams_per_kilowatt_hour(grams);
                    grid.basis = Basis::Estimated;
                }
            }
            Change::Place { region, grid, source, pue, pue_basis } => {
                self.site *= advice.factor;
                let zone = context.zones.find(region)?;
                let to = &mut self.facility;
                to.region.clone_from(region);
                to.zone.clone_from(&zone.id);
                to.zone_name.clone_from(&zone.name);
                to.country.clone_from(&zone.country);
                to.time_zone.clone_from(&zone.time_zone);
                if let Some(own) = &mut to.grid {
                    own.figure.value = *grid;
                    own.figure.provenance.zone.clone_from(&zone.id);
                    own.figure.provenance.source.clone_from(source);
                    own.basis = Basis::Published;
                    own.age = None;
                }
                to.pue =
                    Some(FacilityPue { value: *pue, basis: *pue_basis, source: format!("of {region}"), year: None });
            }
            Change::Pue(pue) => {
                self.site *= advice.factor;
                let source = "aimed at".to_owned();
                self.facility.pue = Some(FacilityPue { value: *pue, basis: Basis::Assumed, source, year: None });
            }
        }
        Ok(())
    }
}

fn state(context: &Context<'_>, facility: &Facility, judge: &Judge<'_>, figures: &Figures, lang: Lang) -> ImpactState {
    let verdicts = judge.verdicts(Some(figures));
    let month = figures.monthly().map(|energy| Month::new(energy, facility, context.settings));
    ImpactState {
        power_watts: figures.power.and_then(|power| power.total()).map(Power::watts),
        grid_intensity: facility.intensity().map(CarbonIntensity::grams_per_kilowatt_hour),
        pue: facility.ratio().map(Pue::ratio),
        effective_intensity: facility.effective().map(CarbonIntensity::grams_per_kilowatt_hour),
        projected_monthly: month.map(|month| month.show(context.settings, figures.window)),
        status: verdicts.statuses.overall,
        carbon_status: verdicts.statuses.carbon,
        pue_status: verdicts.statuses.pue,
        verdicts: [&verdicts.carbon, &verdicts.pue]
            .into_iter()
            .flatten()
            .map(|verdict| Judged::new(verdict, lang))
            .collect(),
    }
}

impl Figures {
    /// The same use at a fraction of the energy.
    fn scaled(&self, factor: f64) -> Figures {
        Figures {
            energy: self.energy.map(|energy| Energy::from_joules(energy.joules() * factor)),
            power: self.power.map(|power| power.map(|power| power * factor)),
            mean: self.mean.map(|power| power * factor),
            ..*self
        }
    }
}

/// The name an optimization has in answers.
fn name(kind: OptimizationKind) -> String {
    match kind {
        OptimizationKind::ResourceRightsizing => "resource_rightsizing",
        OptimizationKind::RegionalMigration => "regional_migration",
        OptimizationKind::TemporalShift => "temporal_shift",
        OptimizationKind::PueImprovement => "pue_improvement",
    }
    .to_owned()
}
