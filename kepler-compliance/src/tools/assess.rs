//! Does a workload keep a standard, and what would help?

use super::answer::{
    Judged, Month, Optimization, PowerWatts, ProjectedMonthly, Seen, basis_of, energy_caveats, grams_per_hour, say,
};
use super::arguments::{Scope, default_namespace, default_standard, named, range};
use super::figures::Windows;
use super::judge::{Judge, Verdicts};
use super::optimizations::{advise, show};
use super::resolve::{Resolved, resolve};
use super::{Context, Facility, Figures, ToolError};
use crate::advice::Advice;
use crate::standards::{Input, Limit, RuleKind, Status, Verdict};
use crate::text::{Lang, Text};
use crate::units::{Energy, Pue};
use crate::view::{Inventory, ViewError, WorkloadKind};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Assesses whether a workload keeps a carbon standard and its facility a PUE standard: current against
/// target intensity, power, emissions per hour, a projected month, and what would reduce it.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AssessRequest {
    /// A pod, a deployment, stateful set, daemon set or job (the sum of its pods), a container, a systemd
    /// unit, a VM, or a process name (the sum of its processes).
    pub workload_name: String,
    /// The namespace, which selects among pods and their controllers; other workloads are found anyway.
    #[serde(default = "default_namespace")]
    pub namespace: String,
    /// The kind, where several kinds share the name; without it the first in the order above is taken.
    #[serde(default)]
    pub kind: Option<WorkloadKind>,
    /// Code of the standard to judge by; an unknown one is an error that lists the valid ones.
    #[serde(default = "default_standard")]
    pub standard: String,
    /// Where, since when, in which language.
    #[serde(flatten, deserialize_with = "named")]
    #[schemars(with = "Scope")]
    pub scope: Scope,
}

impl AssessRequest {
    /// With the defaults of all other arguments.
    pub fn new(workload_name: impl Into<String>) -> Self {
        AssessRequest {
            workload_name: workload_name.into(),
            namespace: default_namespace(),
            kind: None,
            standard: default_standard(),
            scope: Scope::default(),
        }
    }
}

/// The assessment. Whatever is not known is `null`, never zero.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AssessResponse {
    /// The workload.
    pub workload: String,
    /// What it is; `null` where there are no figures at all.
    pub kind: Option<WorkloadKind>,
    /// Its namespace; `null` for what is not a pod or a controller of pods.
    pub namespace: Option<String>,
    /// The standard judged by.
    pub standard: String,
    /// The region.
    pub region: String,
    /// By all rules: NON_COMPLIANT if any that applies fails, COMPLIANT if all that apply pass.
    pub status: Status,
    /// By the carbon standard.
    pub carbon_status: Status,
    /// By the PUE standard; it judges the facility.
    pub pue_status: Status,
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
    /// What was looked at.
    #[serde(flatten)]
    pub seen: Seen,
}

/// How many rows a workload is the sum of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Instances {
    /// Running at the end of the window: they make power and energy.
    pub running: usize,
    /// Ended within the window: they make energy only.
    pub terminated: usize,
}

/// Assesses whether a workload keeps a carbon standard and its facility a PUE standard.
///
/// # Errors
/// No such workload, region or standard; the source of energy figures cannot answer. Missing data are no
/// error: they give `INSUFFICIENT_DATA`.
pub fn assess_workload_compliance(context: &Context<'_>, request: &AssessRequest) -> Result<AssessResponse, ToolError> {
    let facility = Facility::of(context, request.scope.region.as_deref())?;
    let judge = Judge::new(context, &facility, &request.standard)?;
    let inventory = match context.view.inventory(range(context, request.scope.window)) {
        Ok(inventory) => inventory,
        Err(error @ ViewError::NoData { .. }) => return Ok(without_data(request, &facility, &judge, &error)),
        Err(error) => return Err(error.into()),
    };
    let resolved = resolve(&inventory, &request.workload_name, &request.namespace, request.kind)?;
    let figures = Figures::sum(&inventory, &Windows::of(&inventory), resolved.rows.iter().copied());
    let verdicts = judge.verdicts(Some(&figures));
    let advice = advise(context, &facility, &inventory, &resolved, &figures, &verdicts, request.scope.window)?;
    let advice: Vec<Advice> = advice.into_iter().filter_map(Result::ok).collect();
    Ok(answer(context, request, &facility, &inventory, &resolved, &figures, &verdicts, &advice))
}

#[allow(
    clippy::too_many_arguments,
    reason = "every part of an answer, once; a struct for one call would only rename them"
)]
fn answer(
    context: &Context<'_>,
    request: &AssessRequest,
    facility: &Facility,
    inventory: &Inventory,
    resolved: &Resolved<'_>,
    figures: &Figures,
    verdicts: &Verdicts,
    advice: &[Advice],
) -> AssessResponse {
    let (lang, settings) = (request.scope.lang, context.settings);
    let month = figures.monthly().map(|energy| Month::new(energy, facility, settings));
    let power = figures.power.and_then(|power| power.total());
    let optimizations: Vec<Optimization> = advice.iter().map(|advice| show(advice, month.as_ref(), lang)).collect();
    let mut caveats = resolved.caveats.clone();
    caveats.extend(energy_caveats(inventory, Some(figures.method)));
    caveats.extend(idle_caveat(inventory));
    if figures.running == 0 {
        caveats.push(Text::new(
            "It does not run any more: energy is known, power is not.",
            "더 이상 실행 중이 아니므로 에너지만 있고 전력은 없습니다.",
        ));
    }
    let mut response = frame(request, facility, verdicts, &caveats);
    response.workload.clone_from(&resolved.name);
    response.kind = Some(resolved.kind);
    response.namespace.clone_from(&resolved.namespace);
    response.power_watts = figures.power.map(PowerWatts::from).unwrap_or_default();
    response.emissions_per_hour = grams_per_hour(power, facility);
    response.projected_monthly = month.map(|month| month.show(settings, figures.window));
    response.recommendation = recommend(verdicts, &optimizations, lang);
    response.optimizations = optimizations;
    response.inputs = inputs(context, figures).into_iter().chain(facility.inputs()).collect();
    response.instances = Instances { running: figures.running, terminated: figures.terminated };
    response.energy_joules = figures.energy.total().map(Energy::joules);
    response.seen.coverage = Some(inventory.coverage);
    response.seen.moment = Some(inventory.moment.clone());
    response
}

/// The answer where nothing is known of the window.
fn without_data(request: &AssessRequest, facility: &Facility, judge: &Judge<'_>, error: &ViewError) -> AssessResponse {
    let mut response = frame(request, facility, &judge.verdicts(None), &[]);
    response.seen.caveats.insert(0, error.to_string());
    let hint = Text::new(
        "There are no energy figures of that window yet; measure longer or ask for another window.",
        "해당 기간의 에너지 데이터가 아직 없습니다. 더 오래 측정하거나 다른 기간을 지정하세요.",
    );
    response.recommendation = hint.lang(request.scope.lang).to_owned();
    response
}

/// All that the rules and the facility say, without the workload's own figures.
fn frame(request: &AssessRequest, facility: &Facility, verdicts: &Verdicts, caveats: &[Text]) -> AssessResponse {
    let lang = request.scope.lang;
    let (carbon, pue) = (verdicts.carbon.as_ref(), verdicts.pue.as_ref());
    let intensity = carbon.filter(|verdict| verdict.kind == RuleKind::IntensityLimit);
    let mut texts = caveats.to_vec();
    texts.extend(facility.caveats.iter().cloned());
    for verdict in [carbon, pue].into_iter().flatten() {
        texts.extend(verdict.caveats.iter().cloned());
    }
    if intensity.is_some() {
        texts.push(Text::new(
            "The carbon standard judges the grid and the facility per kWh; it does not depend on how much the workload uses.",
            "이 탄소 기준은 kWh당 전력망과 시설을 평가하며, 워크로드의 사용량과는 무관합니다.",
        ));
    }
    AssessResponse {
        workload: request.workload_name.clone(),
        kind: None,
        namespace: None,
        standard: carbon.or(pue).map_or_else(|| request.standard.clone(), |verdict| verdict.code.clone()),
        region: facility.region.clone(),
        status: verdicts.statuses.overall,
        carbon_status: verdicts.statuses.carbon,
        pue_status: verdicts.statuses.pue,
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
        inputs: facility.inputs(),
        verdicts: [carbon, pue].into_iter().flatten().map(|verdict| Judged::new(verdict, lang)).collect(),
        instances: Instances::default(),
        energy_joules: None,
        seen: Seen { caveats: say(&texts, lang), ..Seen::nothing(request.scope.window) },
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
        year: None,
        age_seconds: None,
    };
    let energy = figures.energy.total().map(|energy| of("energy", energy.joules(), "J"));
    let power = figures.power.and_then(|power| power.total()).map(|power| of("power", power.watts(), "W"));
    energy.into_iter().chain(power).collect()
}

/// Idle energy is nobody's; a reader who adds workloads up must know how much that is.
fn idle_caveat(inventory: &Inventory) -> Option<Text> {
    let sum = |figure: fn(&crate::view::NodeZoneEnergy) -> Option<Energy>| -> Option<Energy> {
        let parts = inventory.nodes.iter().filter_map(|node| node.split(figure).total());
        parts.reduce(|a, b| a + b)
    };
    let (all, idle) = (sum(|zone| Some(zone.energy))?, sum(|zone| zone.idle)?);
    let nobody = sum(|zone| zone.unattributed).unwrap_or(Energy::ZERO);
    if all == Energy::ZERO {
        return None;
    }
    let percent = (idle + nobody).joules() / all.joules() * 100.0;
    Some(Text::new(
        format!("{percent:.0} % of the nodes' energy is idle or unattributed and charged to no workload."),
        format!("노드 에너지의 {percent:.0} %는 유휴 또는 미귀속으로, 어떤 워크로드에도 부과되지 않습니다."),
    ))
}

/// What to do, from the judgements and the largest saving.
fn recommend(verdicts: &Verdicts, optimizations: &[Optimization], lang: Lang) -> String {
    let mut sentences: Vec<String> = Vec::new();
    let failing = |verdict: &&Verdict| verdict.status == Status::NonCompliant;
    let both = || [verdicts.carbon.as_ref(), verdicts.pue.as_ref()].into_iter().flatten();
    for verdict in both().filter(failing) {
        sentences.push(verdict.reason.lang(lang).to_owned());
    }
    let status = verdicts.statuses.overall;
    if status == Status::InsufficientData {
        let missing = both().find(|verdict| verdict.status == Status::InsufficientData);
        sentences.extend(missing.map(|verdict| verdict.reason.lang(lang).to_owned()));
    }
    if sentences.is_empty() {
        let fine = Text::new("No action is needed to keep the standard.", "기준을 지키기 위해 필요한 조치는 없습니다.");
        sentences.push(fine.lang(lang).to_owned());
    }
    if let Some(best) = optimizations.first() {
        let percent = best.estimated_reduction_percent;
        let most = Text::new(
            format!("The largest saving, up to {percent:.0} %: {}", best.description),
            format!("가장 큰 절감(최대 {percent:.0} %): {}", best.description),
        );
        sentences.push(most.lang(lang).to_owned());
    }
    sentences.join(" ")
}
