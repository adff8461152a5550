//! What does the whole cluster use and emit?

use super::answer::{Evidence, Month, ProjectedMonthly, Skip, basis_of, energy_caveats, grams_per_hour};
use super::arguments::{Scope, named};
use super::figures::MONTH;
use super::groups::{Group, common_kind, groups};
use super::judge::Judge;
use super::judges::{Judges, Terms};
use super::list::StatusCounts;
use super::price::MonthPrice;
use super::{Figures, ToolError, ToolRequest, Toolset};
use crate::carbon::emissions;
use crate::context::Context;
use crate::facility::Facility;
use crate::messages::{Message, SummaryMessage, render_all};
use crate::standards::{Basis, SiteFacts, Status};
use crate::units::{Energy, Power};
use crate::view::{Inventory, NodeEnergy, NodeZoneEnergy, WorkloadKind};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;

/// Sums up a cluster: energy and emissions of nodes and namespaces, idle and unattributed shares,
/// compliance counts, and how much of it the figures cover.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct SummaryRequest {
    /// Code of the standard to judge by. Without it KR_CARBON_2050, or what a workload's pods or namespace choose.
    #[serde(default)]
    pub standard: Option<String>,
    /// The kind of workloads to count. Without it all of them, each once: pods, containers outside pods, units, virtual
    /// machines, and processes that are in none of these.
    #[serde(default)]
    pub kind: Option<WorkloadKind>,
    /// Facts about the site that rules need, as in `assess_workload_compliance`.
    #[serde(default)]
    pub facts: SiteFacts,
    /// Region, window and language.
    #[serde(flatten, deserialize_with = "named")]
    #[schemars(with = "Scope")]
    pub scope: Scope,
}

impl ToolRequest for SummaryRequest {
    type Response = SummaryResponse;
    const NAME: &'static str = "get_cluster_carbon_summary";
    const TITLE: &'static str = "Summarize the cluster";
    const TOOLSET: Toolset = Toolset::Compliance;

    fn answer(&self, context: &Context<'_>) -> Result<SummaryResponse, ToolError> {
        get_cluster_carbon_summary(context, self)
    }
}

/// The summary.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct SummaryResponse {
    /// The standard judged by.
    pub standard: String,
    /// The region.
    pub region: String,
    /// Grid intensity times PUE.
    #[serde(rename = "current_carbon_intensity_gCO2eq_kWh")]
    pub current_carbon_intensity: Option<f64>,
    /// The facility's PUE.
    pub pue: Option<f64>,
    /// The status of the facility by the PUE standard.
    pub pue_status: Status,
    /// The nodes that answered.
    pub nodes: Vec<NodeSummary>,
    /// Workloads by namespace; those in none are not among them.
    pub namespaces: Vec<NamespaceSummary>,
    /// IT energy of all nodes in the window, kWh.
    pub it_energy_kwh: Option<f64>,
    /// Energy of the facility for it, kWh; `null` where the PUE is not known.
    pub facility_energy_kwh: Option<f64>,
    /// Emissions of that, kgCO2e.
    pub emissions_kg: Option<f64>,
    /// Mean IT power of all nodes, watts.
    pub power_watts: Option<f64>,
    /// Emissions per hour at that power.
    #[serde(rename = "emissions_gCO2eq_per_hour")]
    pub emissions_per_hour: Option<f64>,
    /// A month like this window.
    pub projected_monthly: Option<ProjectedMonthly>,
    /// Share of the nodes' energy that idle machines would draw all the same, in per cent.
    pub idle_percent: Option<f64>,
    /// Share of the nodes' energy that no workload explains, in per cent.
    pub unattributed_percent: Option<f64>,
    /// The kind of workloads counted; `null` where there are several, or none.
    pub kind: Option<WorkloadKind>,
    /// How many workloads have each status.
    pub counts: StatusCounts,
    /// What to do first, where anything is worth it.
    pub recommendations: Vec<String>,
    /// What could not be looked at, and why.
    pub skipped: Vec<Skip>,
    /// What was looked at.
    #[serde(flatten)]
    pub evidence: Evidence,
}

/// A node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct NodeSummary {
    /// Its name.
    pub node: String,
    /// IT energy in the window, joules; the platform's (`psys`) is not added.
    pub energy_joules: Option<f64>,
    /// Mean power, watts.
    pub power_watts: Option<f64>,
    /// Share that an idle machine would draw all the same, in per cent.
    pub idle_percent: Option<f64>,
    /// Share that no workload explains, in per cent.
    pub unattributed_percent: Option<f64>,
    /// How its figures came about.
    pub basis: Basis,
}

/// A namespace.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct NamespaceSummary {
    /// Its name.
    pub namespace: String,
    /// How many workloads it has.
    pub workloads: usize,
    /// Active energy of its pods in the window, joules.
    pub energy_joules: Option<f64>,
    /// Emissions of that, kgCO2e.
    pub emissions_kg: Option<f64>,
    /// Mean power of what still runs, watts.
    pub power_watts: Option<f64>,
    /// Its status as a whole, by a budget of namespaces, or as its workloads' by another standard.
    pub status: Status,
}

/// Idle energy beyond this share is worth a word.
const MUCH_IDLE_PERCENT: f64 = 30.0;

/// Unattributed energy beyond this share is worth a word.
const MUCH_UNATTRIBUTED_PERCENT: f64 = 10.0;

/// Sums up a cluster.
///
/// # Errors
/// No such region or standard; the source cannot answer.
pub fn get_cluster_carbon_summary(
    context: &Context<'_>,
    request: &SummaryRequest,
) -> Result<SummaryResponse, ToolError> {
    let (window, lang) = (request.scope.window, request.scope.lang.unwrap_or_default());
    let terms = Terms::new(&request.scope, request.standard.as_deref(), &request.facts);
    let mut judges = Judges::new(context, terms)?;
    let facility = judges.common().facility().clone();
    let mut response = frame(request, &facility, judges.common());
    let Some(inventory) = response.evidence.inventory(context, lang)? else { return Ok(response) };
    totals(context, &facility, &inventory, &mut response);
    let counted = groups(&inventory, request.kind, None)?;
    for group in &counted {
        let chosen = judges.chosen(&group.rows);
        response.counts.count(judges.of(&chosen)?.statuses(Some(&group.figures)).status);
    }
    let pods = groups(&inventory, Some(WorkloadKind::Pod), None)?;
    response.namespaces = namespaces(&inventory, &pods, |namespace| judges.of_namespace(namespace))?;
    let method = inventory.method();
    let mut caveats = energy_caveats(context, &inventory, method);
    caveats.extend(MonthPrice::of(context).caveat);
    caveats.extend(judges.caveats());
    caveats.extend(judges.common().unknown());
    caveats.extend(facility.caveats.iter().cloned());
    response.recommendations = render_all(&recommend(response.idle_percent, response.unattributed_percent), lang);
    response.kind = request.kind.or(common_kind(&counted));
    response.skipped = inventory.skipped.iter().map(Skip::from).collect();
    response.evidence = Evidence::of(&inventory, window, &caveats, lang);
    Ok(response)
}

/// What is known without energy figures.
fn frame(request: &SummaryRequest, facility: &Facility, judge: &Judge<'_>) -> SummaryResponse {
    SummaryResponse {
        standard: judge.standard().to_owned(),
        region: facility.region.clone(),
        current_carbon_intensity: facility.effective().map(|value| value.grams_per_kilowatt_hour()),
        pue: facility.ratio().map(|pue| pue.ratio()),
        pue_status: judge.statuses(None).pue_status,
        nodes: Vec::new(),
        namespaces: Vec::new(),
        it_energy_kwh: None,
        facility_energy_kwh: None,
        emissions_kg: None,
        power_watts: None,
        emissions_per_hour: None,
        projected_monthly: None,
        idle_percent: None,
        unattributed_percent: None,
        kind: request.kind,
        counts: StatusCounts::default(),
        recommendations: Vec::new(),
        skipped: Vec::new(),
        evidence: Evidence::none(request.scope.window, &facility.caveats, request.scope.lang.unwrap_or_default()),
    }
}

fn totals(context: &Context<'_>, facility: &Facility, inventory: &Inventory, response: &mut SummaryResponse) {
    let sum = |figure: fn(&NodeZoneEnergy) -> Option<Energy>| {
        inventory.nodes.iter().filter_map(|node| node.split(figure).total()).reduce(|a, b| a + b)
    };
    let energy = sum(|zone| Some(zone.energy));
    let powers = inventory.nodes.iter().filter_map(mean_power);
    let power = powers.reduce(|a, b| a + b);
    let pue = facility.ratio();
    response.nodes = inventory.nodes.iter().map(node).collect();
    response.it_energy_kwh = energy.map(Energy::kilowatt_hours);
    response.facility_energy_kwh = energy.zip(pue).map(|(energy, pue)| (energy * pue).kilowatt_hours());
    let known = energy.zip(pue).zip(facility.intensity());
    response.emissions_kg = known.map(|((energy, pue), grid)| emissions(energy, pue, grid).kilograms());
    response.power_watts = power.map(Power::watts);
    response.emissions_per_hour = grams_per_hour(power, facility);
    let window = inventory.covered.length();
    let price = MonthPrice::of(context);
    let month = power.map(|power| Month::new(power * MONTH, facility, &price));
    response.projected_monthly = month.map(|month| month.show(context.settings, window));
    response.idle_percent = percent(sum(|zone| zone.idle), energy);
    response.unattributed_percent = percent(sum(|zone| zone.unattributed), energy);
}

fn node(node: &NodeEnergy) -> NodeSummary {
    let energy = node.energy().total();
    NodeSummary {
        node: (*node.name).to_owned(),
        energy_joules: energy.map(Energy::joules),
        power_watts: mean_power(node).map(Power::watts),
        idle_percent: percent(node.split(|zone| zone.idle).total(), energy),
        unattributed_percent: percent(node.split(|zone| zone.unattributed).total(), energy),
        basis: basis_of(node.method()),
    }
}

fn namespaces<'a>(
    inventory: &Inventory,
    pods: &[Group<'_>],
    mut judge: impl FnMut(&str) -> Result<Judge<'a>, ToolError>,
) -> Result<Vec<NamespaceSummary>, ToolError> {
    let mut sums: BTreeMap<&str, (usize, Figures)> = BTreeMap::new();
    for pod in pods {
        // A pod whose namespace is not known yet is in none.
        let Some(namespace) = pod.namespace else { continue };
        let (workloads, sum) = sums.entry(namespace).or_insert_with(|| (0, Figures::nothing(inventory)));
        *workloads += 1;
        sum.absorb(&pod.figures);
    }
    let mut namespaces = Vec::with_capacity(sums.len());
    for (namespace, (workloads, figures)) in sums {
        let judge = judge(namespace)?;
        let energy = figures.energy.total();
        let known = energy.zip(judge.facility().ratio()).zip(judge.facility().intensity());
        namespaces.push(NamespaceSummary {
            namespace: namespace.to_owned(),
            workloads,
            energy_joules: energy.map(Energy::joules),
            emissions_kg: known.map(|((energy, pue), grid)| emissions(energy, pue, grid).kilograms()),
            power_watts: figures.power.and_then(|power| power.total()).map(Power::watts),
            status: judge.statuses(Some(&figures)).status,
        });
    }
    Ok(namespaces)
}

fn mean_power(node: &NodeEnergy) -> Option<Power> {
    let window: Duration = node.covered.length();
    node.energy().total().filter(|_| !window.is_zero()).map(|energy| energy.over(window))
}

fn percent(part: Option<Energy>, whole: Option<Energy>) -> Option<f64> {
    let (part, whole) = (part?, whole?);
    (whole > Energy::ZERO).then(|| part.joules() / whole.joules() * 100.0)
}

fn recommend(idle: Option<f64>, unattributed: Option<f64>) -> Vec<Message> {
    let idle = idle.filter(|percent| *percent > MUCH_IDLE_PERCENT);
    let idle = idle.map(|percent| SummaryMessage::MuchIdle { percent });
    let unattributed = unattributed.filter(|percent| *percent > MUCH_UNATTRIBUTED_PERCENT);
    let unattributed = unattributed.map(|percent| SummaryMessage::MuchUnattributed { percent });
    idle.into_iter().chain(unattributed).map(Message::from).collect()
}
