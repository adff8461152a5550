//! Does a workload meet a standard, and what would help?

use super::answer::{
    Evidence, Judged, Month, Optimization, PowerWatts, ProjectedMonthly, Statuses, basis_of, energy_caveats,
    grams_per_hour,
};
use super::arguments::{Scope, WorkloadQualifiers, default_standard, named};
use super::chosen::Chosen;
use super::figures::Windows;
use super::judge::{Judge, Verdicts};
use super::judges::{Judges, Terms};
use super::optimizations::{advise, show};
use super::price::MonthPrice;
use super::resolve::{Resolved, resolve};
use super::{Figures, ToolError, ToolRequest, Toolset};
use crate::advice::Advice;
use crate::choices::{UnitEnergy, WorkloadChoice};
use crate::context::Context;
use crate::facility::{Facility, Input};
use crate::messages::{AssessmentMessage, EnergyMessage, Message, render_all};
use crate::standards::{Limit, RuleKind, SiteFacts, Status, Verdict};
use crate::text::Lang;
use crate::units::{Energy, Pue};
use crate::view::{Inventory, ViewError, WorkloadKind};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Assesses a workload against a carbon standard and its facility against a PUE standard: current and target
/// intensity, power, emissions per hour, a projected month, and what would reduce emissions.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct AssessRequest {
    /// A pod, a deployment, stateful set, daemon set or job (the sum of its pods), a container, a systemd
    /// unit, a VM, or a process name (the sum of its processes).
    pub workload: String,
    /// Which workload is meant where several share the name.
    #[serde(flatten, deserialize_with = "named")]
    #[schemars(with = "WorkloadQualifiers")]
    pub qualifiers: WorkloadQualifiers,
    /// Code of the standard to judge by; an unknown one is an error that lists the valid ones. Without it KR_CARBON_2050,
    /// or what the workload's pods or namespace choose.
    #[serde(default)]
    pub standard: Option<String>,
    /// Facts about the site that rules need, in addition to the configured ones: names and values, such as
    /// {"connection_kw": 450, "operation_start": "2026-09-01", "cool_climate": true}. A verdict names the facts it lacks.
    #[serde(default)]
    pub facts: SiteFacts,
    /// Region, window and language.
    #[serde(flatten, deserialize_with = "named")]
    #[schemars(with = "Scope")]
    pub scope: Scope,
}

impl AssessRequest {
    /// With the defaults of all other arguments.
    pub fn new(workload: impl Into<String>) -> Self {
        AssessRequest {
            workload: workload.into(),
            qualifiers: WorkloadQualifiers::default(),
            standard: None,
            facts: SiteFacts::default(),
            scope: Scope::default(),
        }
    }
}

impl ToolRequest for AssessRequest {
    type Response = AssessResponse;
    const NAME: &'static str = "assess_workload_compliance";
    const TITLE: &'static str = "Assess a workload";
    const TOOLSET: Toolset = Toolset::Compliance;

    fn answer(&self, context: &Context<'_>) -> Result<AssessResponse, ToolError> {
        assess_workload_compliance(context, self)
    }
}

/// The assessment. Whatever is not known is `null`, never zero.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct AssessResponse {
    /// The workload.
    pub workload: String,
    /// Its kind; `null` where there are no figures at all.
    pub kind: Option<WorkloadKind>,
    /// Its namespace; `null` for what is not a pod or a controller of pods.
    pub namespace: Option<String>,
    /// The standard judged by.
    pub standard: String,
    /// The region.
    pub region: String,
    /// By all rules and by each kind.
    #[serde(flatten)]
    pub statuses: Statuses,
    /// Grid intensity times PUE: emissions per kWh of IT energy.
    #[serde(rename = "current_carbon_intensity_gCO2eq_kWh")]
    pub current_carbon_intensity: Option<f64>,
    /// The standard's limit of it; `null` where the standard limits something else.
    #[serde(rename = "target_carbon_intensity_gCO2eq_kWh")]
    pub target_carbon_intensity: Option<f64>,
    /// (value − limit) / limit · 100 of the carbon standard; above zero is a breach of an upper bound.
    pub gap_percent: Option<f64>,
    /// The facility's PUE.
    pub pue: Option<f64>,
    /// The PUE standard's limit.
    pub target_pue: Option<f64>,
    /// (PUE − limit) / limit · 100.
    pub pue_gap_percent: Option<f64>,
    /// Mean power over the window of what still runs.
    pub power_watts: PowerWatts,
    /// Emissions per hour at that power, PUE included.
    #[serde(rename = "emissions_gCO2eq_per_hour")]
    pub emissions_per_hour: Option<f64>,
    /// A month like this window; `null` when nothing runs any more.
    pub projected_monthly: Option<ProjectedMonthly>,
    /// What to do, in a sentence or two.
    pub recommendation: String,
    /// What would reduce emissions, the largest first.
    pub optimizations: Vec<Optimization>,
    /// The figures it rests on.
    pub inputs: Vec<Input>,
    /// Each rule's judgement.
    pub verdicts: Vec<Judged>,
    /// How many pods, containers or processes of that name there were.
    pub instances: Instances,
    /// IT energy used in the window by all of them, joules.
    pub energy_joules: Option<f64>,
    /// The same in the unit that the workload's pods or namespace choose.
    #[serde(default)]
    pub energy: Option<UnitEnergy>,
    /// What the workload's pods, namespace or nodes choose for this answer.
    #[serde(default)]
    pub choices: Vec<WorkloadChoice>,
    /// What was looked at.
    #[serde(flatten)]
    pub evidence: Evidence,
}

/// How many instances a workload is the sum of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct Instances {
    /// Running at the end of the window: they make power and energy.
    pub running: usize,
    /// Ended within the window: they make energy only.
    pub terminated: usize,
}

/// Assesses a workload against a carbon standard and its facility against a PUE standard.
///
/// # Errors
/// No such workload, region or standard; the source of energy figures cannot answer. Missing data are no
/// error: they give `INSUFFICIENT_DATA`.
pub fn assess_workload_compliance(context: &Context<'_>, request: &AssessRequest) -> Result<AssessResponse, ToolError> {
    let terms = Terms::new(&request.scope, request.standard.as_deref(), &request.facts);
    let mut judges = Judges::new(context, terms)?;
    let window = request.scope.window;
    let inventory = match context.view.inventory(context.window(window.duration())) {
        Ok(inventory) => inventory,
        Err(error @ ViewError::NoData { .. }) => return Ok(without_data(request, judges.common(), &error)),
        Err(error) => return Err(error.into()),
    };
    let resolved = resolve(&inventory, &request.workload, &request.qualifiers)?;
    let chosen = judges.chosen(&resolved.rows);
    let judge = judges.of(&chosen)?;
    let facility = judge.facility();
    let figures = Figures::sum(&inventory, &Windows::of(&inventory), resolved.rows.iter().copied());
    let verdicts = judge.verdicts(Some(&figures));
    let advice = advise(context, facility, &inventory, &resolved, &figures, &verdicts, window)?;
    let advice = advice.into_iter().filter_map(Result::ok).collect();
    let inventory = &*inventory;
    let found = Found { request, facility, inventory, resolved, chosen, figures, verdicts, advice };
    Ok(found.answer(context))
}

/// All that an assessment rests on.
struct Found<'a> {
    request: &'a AssessRequest,
    facility: &'a Facility,
    inventory: &'a Inventory,
    resolved: Resolved<'a>,
    chosen: Chosen,
    figures: Figures,
    verdicts: Verdicts,
    advice: Vec<Advice>,
}

impl Found<'_> {
    fn answer(&self, context: &Context<'_>) -> AssessResponse {
        let Found { request, facility, inventory, resolved, chosen, figures, verdicts, advice } = self;
        let (lang, settings) = (request.scope.lang.or(chosen.lang).unwrap_or_default(), context.settings);
        let month = figures.monthly().map(|energy| Month::new(energy, facility, &MonthPrice::of(context)));
        let power = figures.power.and_then(|power| power.total());
        let mut response = frame(request, facility, verdicts, &self.caveats(context), lang);
        response.workload.clone_from(&resolved.name);
        response.kind = Some(resolved.kind);
        response.namespace.clone_from(&resolved.namespace);
        response.power_watts = figures.power.map(PowerWatts::from).unwrap_or_default();
        response.emissions_per_hour = grams_per_hour(power, facility);
        response.projected_monthly = month.map(|month| month.show(settings, figures.window));
        response.recommendation = render_all(&recommend(verdicts, advice), lang).join(" ");
        response.optimizations = advice.iter().map(|advice| show(advice, month.as_ref(), lang)).collect();
        response.inputs = inputs(context, figures).into_iter().chain(facility.inputs(lang)).collect();
        response.instances = Instances { running: figures.running, terminated: figures.terminated };
        response.energy_joules = figures.energy.total().map(Energy::joules);
        response.energy = figures.energy.total().zip(chosen.unit).map(|(energy, unit)| UnitEnergy::new(energy, unit));
        response.choices.clone_from(&chosen.made);
        response.evidence.coverage = Some(inventory.coverage);
        response.evidence.moment = Some(inventory.moment.clone());
        response
    }

    fn caveats(&self, context: &Context<'_>) -> Vec<Message> {
        let mut caveats = self.resolved.caveats.clone();
        caveats.extend(self.chosen.warnings.iter().cloned());
        caveats.extend(energy_caveats(context, self.inventory, Some(self.figures.method)));
        caveats.extend(unassigned(self.inventory));
        caveats.extend(MonthPrice::of(context).caveat.filter(|_| self.figures.monthly().is_some()));
        if self.figures.running == 0 {
            caveats.push(EnergyMessage::NotRunning.into());
        }
        caveats
    }
}

/// The answer where nothing is known of the window.
fn without_data(request: &AssessRequest, judge: &Judge<'_>, error: &ViewError) -> AssessResponse {
    let lang = request.scope.lang.unwrap_or_default();
    let mut response = frame(request, judge.facility(), &judge.verdicts(None), &[Message::from(error)], lang);
    response.recommendation = Message::from(AssessmentMessage::NoFigures).render(lang);
    response
}

/// All that the rules and the facility say, without the workload's own figures.
fn frame(
    request: &AssessRequest,
    facility: &Facility,
    verdicts: &Verdicts,
    caveats: &[Message],
    lang: Lang,
) -> AssessResponse {
    let (carbon, pue) = (verdicts.carbon.as_ref(), verdicts.pue.as_ref());
    let intensity = carbon.filter(|verdict| verdict.kind == RuleKind::IntensityLimit);
    let mut caveats = caveats.to_vec();
    caveats.extend(facility.caveats.iter().cloned());
    for verdict in verdicts.iter() {
        caveats.extend(verdict.caveats.iter().cloned().map(Message::from));
    }
    caveats.extend(intensity.map(|_| AssessmentMessage::IntensityOnly.into()));
    AssessResponse {
        workload: request.workload.clone(),
        kind: None,
        namespace: None,
        standard: carbon.or(pue).map_or_else(default_standard, |verdict| verdict.code.clone()),
        region: facility.region.clone(),
        statuses: verdicts.statuses,
        current_carbon_intensity: facility.effective().map(|value| value.grams_per_kilowatt_hour()),
        target_carbon_intensity: intensity.and_then(|verdict| verdict.limit).map(Limit::value),
        gap_percent: carbon.and_then(|verdict| verdict.gap_percent),
        pue: facility.ratio().map(Pue::ratio),
        target_pue: pue.and_then(|verdict| verdict.limit).map(Limit::value),
        pue_gap_percent: pue.and_then(|verdict| verdict.gap_percent),
        power_watts: PowerWatts::default(),
        emissions_per_hour: None,
        projected_monthly: None,
        recommendation: String::new(),
        optimizations: Vec::new(),
        inputs: facility.inputs(lang),
        verdicts: verdicts.iter().map(|verdict| Judged::new(verdict, lang)).collect(),
        instances: Instances::default(),
        energy_joules: None,
        energy: None,
        choices: Vec::new(),
        evidence: Evidence::none(request.scope.window, &caveats, lang),
    }
}

fn inputs(context: &Context<'_>, figures: &Figures) -> Vec<Input> {
    let basis = basis_of(figures.method);
    let of = |name: &str, value: f64, unit: &str| Input {
        name: name.to_owned(),
        value,
        unit: unit.to_owned(),
        basis,
        source: context.view.name().to_owned(),
        method: None,
        year: None,
        age_seconds: context.stale.map(|age| age.as_secs()),
    };
    let energy = figures.energy.total().map(|energy| of("energy", energy.joules(), "J"));
    let power = figures.power.and_then(|power| power.total()).map(|power| of("power", power.watts(), "W"));
    energy.into_iter().chain(power).collect()
}

/// Idle and unattributed energy is charged to no workload; a reader who adds workloads up must know how much that is.
fn unassigned(inventory: &Inventory) -> Option<Message> {
    let sum = |figure: fn(&crate::view::NodeZoneEnergy) -> Option<Energy>| -> Option<Energy> {
        let parts = inventory.nodes.iter().filter_map(|node| node.split(figure).total());
        parts.reduce(|a, b| a + b)
    };
    let (all, idle) = (sum(|zone| Some(zone.energy))?, sum(|zone| zone.idle)?);
    let unattributed = sum(|zone| zone.unattributed).unwrap_or(Energy::ZERO);
    if all == Energy::ZERO {
        return None;
    }
    let percent = (idle + unattributed).joules() / all.joules() * 100.0;
    Some(EnergyMessage::Unassigned { percent }.into())
}

/// What to do, from the judgements and the largest saving.
fn recommend(verdicts: &Verdicts, advice: &[Advice]) -> Vec<Message> {
    let both = || verdicts.iter();
    let reason = |verdict: &Verdict| Message::from(verdict.reason.clone());
    let mut messages: Vec<Message> =
        both().filter(|verdict| verdict.status == Status::NonCompliant).map(reason).collect();
    if verdicts.statuses.status == Status::InsufficientData {
        messages.extend(both().find(|verdict| verdict.status == Status::InsufficientData).map(reason));
    }
    if messages.is_empty() {
        messages.push(AssessmentMessage::NoAction.into());
    }
    if let Some(best) = advice.first() {
        let (percent, advice) = ((1.0 - best.factor) * 100.0, Box::new(best.description.clone()));
        messages.push(AssessmentMessage::LargestSaving { percent, advice }.into());
    }
    messages
}
