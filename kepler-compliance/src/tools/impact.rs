//! What would several optimizations bring together?

use super::answer::{Evidence, Judged, Month, Optimization, ProjectedMonthly, Skip, Statuses, energy_caveats};
use super::arguments::{Scope, WorkloadQualifiers, named, within};
use super::chosen::Chosen;
use super::figures::Windows;
use super::judge::Judge;
use super::judges::{Judges, Terms};
use super::optimizations::{pue_target, show, use_over_time};
use super::price::MonthPrice;
use super::resolve::{Resolved, resolve};
use super::{Figures, ToolError, ToolRequest, Toolset};
use crate::advice::{
    Advice, Change, OptimizationKind, Outcome, pue_improvement, regional_migration, resource_rightsizing,
    temporal_shift,
};
use crate::choices::WorkloadChoice;
use crate::context::Context;
use crate::facility::{Facility, FacilityPue, Grid};
use crate::messages::{AssessmentMessage, TargetPue};
use crate::standards::{Basis, FigureSource, SiteFacts};
use crate::text::Lang;
use crate::units::{CarbonIntensity, Energy, Power, Pue};
use crate::view::{Inventory, WorkloadKind};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Compares a workload before and after optimizations. Each acts on what it changes (energy, intensity,
/// PUE) as the ones before it left it, so that savings multiply and are never added; every rule is judged
/// again after.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct ImpactRequest {
    /// The workload, as in `assess_workload_compliance`.
    pub workload: String,
    /// Which workload is meant where several share the name.
    #[serde(flatten, deserialize_with = "named")]
    #[schemars(with = "WorkloadQualifiers")]
    pub qualifiers: WorkloadQualifiers,
    /// The optimizations to apply; without them all four.
    #[serde(default = "all")]
    pub optimizations: Vec<OptimizationKind>,
    /// Where to migrate to; without it the cleanest region of the same provider, or for a place that is no cloud region
    /// the cleanest country in which a cloud provider has one.
    #[serde(default)]
    pub target_region: Option<String>,
    /// The PUE to reach; without it the PUE standard's limit.
    #[serde(default)]
    #[schemars(range(min = 1, max = 10))]
    pub target_pue: Option<f64>,
    /// Code of the standard to judge by; an unknown one is an error that lists the valid ones. Without it KR_CARBON_2050,
    /// or what the workload's pods or namespace choose.
    #[serde(default)]
    pub standard: Option<String>,
    /// Facts about the site that rules need, as in `assess_workload_compliance`.
    #[serde(default)]
    pub facts: SiteFacts,
    /// Region, window and language.
    #[serde(flatten, deserialize_with = "named")]
    #[schemars(with = "Scope")]
    pub scope: Scope,
}

fn all() -> Vec<OptimizationKind> {
    OptimizationKind::ALL.to_vec()
}

impl ImpactRequest {
    /// With the defaults of all other arguments.
    pub fn new(workload: impl Into<String>) -> Self {
        ImpactRequest {
            workload: workload.into(),
            qualifiers: WorkloadQualifiers::default(),
            optimizations: all(),
            target_region: None,
            target_pue: None,
            standard: None,
            facts: SiteFacts::default(),
            scope: Scope::default(),
        }
    }
}

impl ToolRequest for ImpactRequest {
    type Response = ImpactResponse;
    const NAME: &'static str = "compare_optimization_impact";
    const TITLE: &'static str = "Compare optimizations";
    const TOOLSET: Toolset = Toolset::Tuning;

    fn answer(&self, context: &Context<'_>) -> Result<ImpactResponse, ToolError> {
        compare_optimization_impact(context, self)
    }
}

/// Before and after.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct ImpactResponse {
    /// The workload.
    pub workload: String,
    /// Its kind.
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
    /// What the workload's pods, namespace or nodes choose for this answer.
    #[serde(default)]
    pub choices: Vec<WorkloadChoice>,
    /// Optimizations that were asked for and cannot be estimated or bring nothing, and why.
    pub skipped: Vec<Skip>,
    /// What was looked at.
    #[serde(flatten)]
    pub evidence: Evidence,
}

/// A workload at a facility.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
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
    /// By all rules and by each kind.
    #[serde(flatten)]
    pub statuses: Statuses,
    /// Each rule's judgement.
    pub verdicts: Vec<Judged>,
}

/// One optimization, applied to what the ones before it left.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
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
    let terms = Terms::new(&request.scope, request.standard.as_deref(), &request.facts);
    let mut judges = Judges::new(context, terms)?;
    let inventory = context.view.inventory(context.window(request.scope.window.duration()))?;
    let resolved = resolve(&inventory, &request.workload, &request.qualifiers)?;
    let chosen = judges.chosen(&resolved.rows);
    let judge = judges.of(&chosen)?;
    let figures = Figures::sum(&inventory, &Windows::of(&inventory), resolved.rows.iter().copied());
    let target = match target {
        Some(pue) => Some((pue, TargetPue::Request)),
        None => pue_target(&judge.verdicts(Some(&figures))),
    };
    let (facility, inventory) = (judge.facility(), &*inventory);
    let case = Case { context, request, facility, inventory, resolved, chosen: &chosen, figures, target };
    let applied = case.apply()?;
    case.answer(judge, applied)
}

/// All that advice rests on.
struct Case<'a> {
    context: &'a Context<'a>,
    request: &'a ImpactRequest,
    facility: &'a Facility,
    inventory: &'a Inventory,
    resolved: Resolved<'a>,
    chosen: &'a Chosen,
    figures: Figures,
    target: Option<(Pue, TargetPue)>,
}

/// What the optimizations made of the facility, and how.
struct Applied {
    after: Situation,
    steps: Vec<ImpactStep>,
    skipped: Vec<Skip>,
}

impl Case<'_> {
    /// The language asked for, else the workload's.
    fn lang(&self) -> Lang {
        self.request.scope.lang.or(self.chosen.lang).unwrap_or_default()
    }

    /// Applies the optimizations asked for, one after the other.
    fn apply(&self) -> Result<Applied, ToolError> {
        let (lang, month) = (self.lang(), self.month());
        let mut applied = Applied { after: Situation::of(self.facility), steps: Vec::new(), skipped: Vec::new() };
        for kind in OptimizationKind::ALL.into_iter().filter(|kind| self.request.optimizations.contains(kind)) {
            match self.advise(kind, &applied.after)? {
                Ok(advice) => {
                    let before = applied.after.factor();
                    applied.after.apply(self.context, &advice)?;
                    let left = if before > 0.0 { applied.after.factor() / before } else { 1.0 };
                    applied.steps.push(ImpactStep {
                        optimization: show(&advice, month.as_ref(), lang),
                        reduction_of_remainder_percent: (1.0 - left) * 100.0,
                    });
                }
                Err(why) => {
                    applied.skipped.push(Skip { what: kind.name().to_owned(), reason: why.render(lang) });
                }
            }
        }
        Ok(applied)
    }

    fn answer(&self, judge: &Judge<'_>, applied: Applied) -> Result<ImpactResponse, ToolError> {
        let Case { context, request, facility, inventory, resolved, figures, .. } = self;
        let Applied { after, steps, skipped } = applied;
        let lang = self.lang();
        let changed = figures.scaled(after.energy);
        let after_judge = judge.elsewhere(context, &after.facility)?;
        let mut caveats = resolved.caveats.clone();
        caveats.extend(self.chosen.warnings.iter().cloned());
        caveats.extend(energy_caveats(context, inventory, Some(figures.method)));
        caveats.extend(MonthPrice::of(context).caveat);
        caveats.extend(facility.caveats.iter().cloned());
        caveats.push(AssessmentMessage::Projection.into());
        let saved = 1.0 - after.factor();
        Ok(ImpactResponse {
            workload: resolved.name.clone(),
            kind: resolved.kind,
            namespace: resolved.namespace.clone(),
            standard: judge.standard().to_owned(),
            region: facility.region.clone(),
            before: state(context, facility, judge, figures, lang),
            after: state(context, &after.facility, &after_judge, &changed, lang),
            steps,
            total_reduction_percent: saved * 100.0,
            total_savings_kg: self.month().and_then(|month| month.emissions).map(|mass| mass.kilograms() * saved),
            choices: self.chosen.made.clone(),
            skipped,
            evidence: Evidence::of(inventory, request.scope.window, &caveats, lang),
        })
    }

    /// A month like the window, as things are.
    fn month(&self) -> Option<Month> {
        self.figures.monthly().map(|energy| Month::new(energy, self.facility, &MonthPrice::of(self.context)))
    }

    /// Advice of a kind, in the situation that the steps before have made.
    fn advise(&self, kind: OptimizationKind, now: &Situation) -> Result<Outcome, ToolError> {
        let Case { context, request, facility, inventory, resolved, figures, target, .. } = self;
        let window = request.scope.window;
        Ok(match kind {
            OptimizationKind::ResourceRightsizing => {
                let series = use_over_time(context, resolved, window)?;
                resource_rightsizing(inventory, figures.mean, &resolved.rows, series.as_ref())
            }
            OptimizationKind::RegionalMigration => {
                // A region that was asked for by name is compared whatever the margin.
                let margin = request.target_region.as_ref().map(|_| 0.0);
                regional_migration(context, facility, request.target_region.as_deref(), margin)?
            }
            OptimizationKind::TemporalShift => temporal_shift(context, &now.facility, window.duration()),
            OptimizationKind::PueImprovement => pue_improvement(&now.facility, target.as_ref()),
        })
    }
}

/// What the steps have made of energy, time, region and facility.
struct Situation {
    /// Factor on energy.
    energy: f64,
    /// Factor on intensity by the time it runs.
    time: f64,
    /// Factor on intensity times PUE by where it runs and how well that is run.
    site: f64,
    facility: Facility,
}

impl Situation {
    fn of(facility: &Facility) -> Self {
        Situation { energy: 1.0, time: 1.0, site: 1.0, facility: facility.clone() }
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
            Change::Region { region, grid, source, pue, pue_basis } => {
                self.site *= advice.factor;
                let zone = context.zones.find(region)?;
                let to = &mut self.facility;
                to.region.clone_from(region);
                to.zone.clone_from(&zone.id);
                to.zone_name = context.zones.name(zone);
                to.country.clone_from(&zone.country);
                to.time_zone.clone_from(&zone.time_zone);
                if let (Some(own), FigureSource::Named(source)) = (&mut to.grid, source) {
                    let mut figure = own.figure.clone();
                    figure.value = *grid;
                    figure.provenance.zone.clone_from(&zone.id);
                    figure.provenance.source.clone_from(source);
                    *own = Grid::published(figure, None);
                }
                let source = FigureSource::Region(region.clone());
                to.pue = Some(FacilityPue { value: *pue, basis: *pue_basis, source, year: None });
            }
            Change::Pue(value) => {
                self.site *= advice.factor;
                let (value, basis, source) = (*value, Basis::Assumed, FigureSource::Target);
                self.facility.pue = Some(FacilityPue { value, basis, source, year: None });
            }
        }
        Ok(())
    }
}

fn state(context: &Context<'_>, facility: &Facility, judge: &Judge<'_>, figures: &Figures, lang: Lang) -> ImpactState {
    let verdicts = judge.verdicts(Some(figures));
    let month = figures.monthly().map(|energy| Month::new(energy, facility, &MonthPrice::of(context)));
    ImpactState {
        power_watts: figures.power.and_then(|power| power.total()).map(Power::watts),
        grid_intensity: facility.intensity().map(CarbonIntensity::grams_per_kilowatt_hour),
        pue: facility.ratio().map(Pue::ratio),
        effective_intensity: facility.effective().map(CarbonIntensity::grams_per_kilowatt_hour),
        projected_monthly: month.map(|month| month.show(context.settings, figures.window)),
        statuses: verdicts.statuses,
        verdicts: verdicts.iter().map(|verdict| Judged::new(verdict, lang)).collect(),
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
