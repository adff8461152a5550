//! How much energy did something use?

mod grouping;
mod means;
mod sums;

use super::answer::{Evidence, Skip, basis_of, energy_caveats};
use super::arguments::check_step;
use super::devices::{self, DeviceJoules, DeviceSums};
use super::figures::Windows;
use super::find::check_node;
use super::groups::{check_namespace, groups};
use super::judges::facility_of;
use super::platform::{self, PlatformFigures};
use super::power_now::of_node;
use super::report::step_of;
use super::resolve::{Resolved, resolve, shown};
use super::{Length, ToolError, ToolRequest, Toolset, WorkloadQualifiers};
use crate::carbon::facility_energy;
use crate::choices::{UnitEnergy, WorkloadChoice};
use crate::context::Context;
use crate::facility::{Facility, Input};
use crate::messages::{Message, TrendMessage};
use crate::standards::Basis;
use crate::text::Lang;
use crate::units::Energy;
use crate::view::{EnergySeries, Inventory, NodeZoneEnergy, Subject, TimeRange, ViewError, WorkloadKind};
use jiff::Timestamp;
use means::Means;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sums::Used;

/// How much energy a workload, a namespace, a node or the whole cluster used in a time, with emissions and cost; in
/// groups, or as a series. Not for what draws power at the moment: use `get_power_now`. Example: {"namespace": "shop",
/// "window": "24h", "by": "workload"}.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct EnergyRequest {
    /// A workload: pod, deployment, stateful set, daemon set, job, container, unit, VM or process name.
    #[serde(default)]
    pub workload: Option<String>,
    /// The namespace: of the workload, or as a whole. A workload without it is looked for in `default`, then elsewhere.
    #[serde(default)]
    pub namespace: Option<String>,
    /// The kind, where several kinds share the name; of groups only those of this kind.
    #[serde(default)]
    pub kind: Option<WorkloadKind>,
    /// Only on this node; alone the node itself, with its idle energy.
    #[serde(default)]
    pub node: Option<String>,
    /// In groups, the largest first.
    #[serde(default)]
    pub by: Option<EnergyBy>,
    /// How many groups at most.
    #[serde(default = "default_limit")]
    pub limit: usize,
    /// How long.
    #[serde(default = "default_window")]
    pub window: Length,
    /// When the window ends, RFC 3339; without it now.
    #[serde(default)]
    pub end: Option<Timestamp>,
    /// As a series in steps of this length, too.
    #[serde(default)]
    pub step: Option<Length>,
    /// Where it runs; without it the configured region, else ap-northeast-2.
    #[serde(default)]
    pub region: Option<String>,
    /// Language of sentences. Without it the one that the workload's pods or namespace choose, else English.
    #[serde(default)]
    pub lang: Option<Lang>,
}

const fn default_limit() -> usize {
    10
}

const fn default_window() -> Length {
    Length::minutes(60)
}

impl Default for EnergyRequest {
    fn default() -> Self {
        let (limit, window, lang) = (default_limit(), default_window(), None);
        let (workload, namespace, kind, node, by) = (None, None, None, None, None);
        EnergyRequest { workload, namespace, kind, node, by, limit, window, end: None, step: None, region: None, lang }
    }
}

/// By what energy is grouped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum EnergyBy {
    /// Workloads, each once; of one workload its pods, containers or processes.
    Workload,
    /// Namespaces.
    Namespace,
    /// Nodes.
    Node,
    /// Kinds of workloads.
    Kind,
}

impl ToolRequest for EnergyRequest {
    type Response = EnergyResponse;
    const NAME: &'static str = "get_energy";
    const TITLE: &'static str = "Energy over a time";
    const TOOLSET: Toolset = Toolset::Energy;

    fn answer(&self, context: &Context<'_>) -> Result<EnergyResponse, ToolError> {
        get_energy(context, self)
    }

    fn shorten(&self, response: &mut EnergyResponse, limit: usize) {
        if response.groups.len() > limit {
            let removed = response.groups.split_off(limit);
            let joules = removed.iter().filter_map(|group| group.energy_joules);
            response.other_groups_joules = joules.chain(response.other_groups_joules).reduce(|a, b| a + b);
        }
    }
}

/// Energy in a time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct EnergyResponse {
    /// Whose: `cluster`, `node N`, `namespace N`, or the kind and name of a workload.
    pub subject: String,
    /// Start of the time.
    pub start: Timestamp,
    /// Its end.
    pub end: Timestamp,
    /// IT energy, joules: of workloads active energy, of nodes all of it.
    pub energy_joules: Option<f64>,
    /// The same in kWh.
    pub energy_kwh: Option<f64>,
    /// What the facility draws for it, kWh; `null` where the PUE is not known.
    pub facility_energy_kwh: Option<f64>,
    /// The same in the unit that the workload's pods or namespace choose.
    #[serde(default)]
    pub energy: Option<UnitEnergy>,
    /// Mean power over the time with figures, watts.
    pub mean_power_watts: Option<f64>,
    /// CPU time of workloads, seconds; absent of nodes, and where it is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_seconds: Option<f64>,
    /// Of nodes: the part that idle machines draw all the same, joules.
    pub idle_joules: Option<f64>,
    /// Of nodes: the part that no workload explains, joules.
    pub unattributed_joules: Option<f64>,
    /// Emissions of the facility for it, gCO2e, by the intensity of each time where that is known.
    #[serde(rename = "emissions_gCO2eq")]
    pub emissions: Option<f64>,
    /// What the facility pays for it.
    pub cost: Option<f64>,
    /// Currency of `cost`, ISO 4217.
    pub currency: Option<String>,
    /// The region.
    pub region: String,
    /// How the figures came about; `null` where there are none.
    pub basis: Option<Basis>,
    /// Expected relative error of an estimate, one standard deviation; absent if measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_ratio: Option<f64>,
    /// What emissions rest on, with sources: grid intensity and PUE.
    pub inputs: Vec<Input>,
    /// The groups, the largest first; empty where none were asked for.
    pub groups: Vec<EnergyGroup>,
    /// How many groups there are.
    pub groups_total: usize,
    /// Energy of the groups that are not listed, joules.
    pub other_groups_joules: Option<f64>,
    /// What of the energy went through which accelerator, where there are some and the source tells them apart.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub devices: Vec<DeviceJoules>,
    /// Of nodes: meters of whole machines, where there are some. They contain the energy above and are no part of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub platform: Vec<PlatformFigures>,
    /// Step by step, where steps were asked for; times without data are left out.
    pub series: Vec<EnergyStep>,
    /// What the workload's pods, namespace or nodes choose for this answer.
    #[serde(default)]
    pub choices: Vec<WorkloadChoice>,
    /// What could not be looked at, and why.
    pub skipped: Vec<Skip>,
    /// What was looked at.
    #[serde(flatten)]
    pub evidence: Evidence,
}

/// A group's energy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct EnergyGroup {
    /// Its name; `null` for all that is in no namespace.
    pub name: Option<String>,
    /// What it is; `null` of a namespace or node.
    pub kind: Option<WorkloadKind>,
    /// The namespace of a workload; `null` for what is in none.
    pub namespace: Option<String>,
    /// Energy, joules.
    pub energy_joules: Option<f64>,
    /// Its share of the subject's energy, in per cent.
    pub share_percent: Option<f64>,
    /// CPU time, seconds; absent of nodes, and where it is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_seconds: Option<f64>,
    /// Emissions, gCO2e.
    #[serde(rename = "emissions_gCO2eq")]
    pub emissions: Option<f64>,
    /// How the figures came about.
    pub basis: Basis,
}

/// Energy of a step.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct EnergyStep {
    /// Its start.
    pub start: Timestamp,
    /// Its end.
    pub end: Timestamp,
    /// Energy, joules.
    pub energy_joules: f64,
    /// Mean power, watts.
    pub power_watts: f64,
    /// Of nodes: the part of the power that idle machines draw all the same, watts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idle_watts: Option<f64>,
    /// Of nodes: the part of the power that no workload explains, watts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unattributed_watts: Option<f64>,
    /// Of workloads: CPU time, seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_seconds: Option<f64>,
}

/// Whose energy is asked for.
enum Of<'a> {
    Workload(Resolved<'a>),
    Namespace(&'a str),
    Nodes(Option<&'a str>),
}

/// Tells how much energy something used.
///
/// # Errors
/// No such workload, namespace, node or region; too many steps; the source cannot answer.
pub fn get_energy(context: &Context<'_>, request: &EnergyRequest) -> Result<EnergyResponse, ToolError> {
    request.step.map_or(Ok(()), |step| check_step(request.window, step.duration()))?;
    let now = context.now;
    let end = request.end.unwrap_or(now).min(now);
    let own = if end == now { *context } else { context.at(end) };
    let context = &own;
    let range = context.window(request.window.duration());
    let facility = Facility::of(context, request.region.as_deref())?;
    let mut response = frame(request, range, &facility);
    let inventory = match context.view.inventory(range) {
        Ok(inventory) => inventory,
        Err(error @ ViewError::NoData { .. }) => {
            response.evidence.caveats.insert(0, Message::from(&error).render(request.lang.unwrap_or_default()));
            return Ok(response);
        }
        Err(error) => return Err(error.into()),
    };
    check_node(&inventory, request.node.as_deref())?;
    let inventory = of_node(&inventory, request.node.as_deref());
    let (of, mut caveats) = subject(&inventory, request)?;
    let rows = if let Of::Workload(resolved) = &of { resolved.rows.as_slice() } else { &[] };
    let choices = context.choices.choices();
    let (facility, chosen) = facility_of(context, &facility, request.region.as_deref(), &choices, rows)?;
    let Used { energy, method, cpu_time } = whole(&inventory, &of)?;
    (response.subject, response.region) = (name_of(&of), facility.region.clone());
    response.energy = energy.zip(chosen.unit).map(|(energy, unit)| UnitEnergy::new(energy, unit));
    response.devices = by_device(&inventory, &of)?;
    response.energy_joules = energy.map(Energy::joules);
    response.energy_kwh = energy.map(Energy::kilowatt_hours);
    let of_facility = energy.zip(facility.ratio()).map(|(energy, pue)| facility_energy(energy, pue));
    response.facility_energy_kwh = of_facility.map(Energy::kilowatt_hours);
    response.cpu_seconds = cpu_time.map(|time| time.as_secs_f64());
    response.error_ratio = energy.and_then(|_| method.error_ratio());
    let length = inventory.covered.length();
    response.mean_power_watts = energy.filter(|_| !length.is_zero()).map(|energy| energy.over(length).watts());
    if let Of::Nodes(_) = of {
        let part = |figure: fn(&NodeZoneEnergy) -> Option<Energy>| {
            inventory.nodes.iter().filter_map(|node| node.split(figure).total()).reduce(|a, b| a + b)
        };
        response.platform = platform::figures(&inventory);
        response.idle_joules = part(|zone| zone.idle).map(Energy::joules);
        response.unattributed_joules = part(|zone| zone.unattributed).map(Energy::joules);
    }
    let step = request.step.map_or_else(|| step_of(range), Length::duration);
    let series = match context.view.series(&series_of(&of, &inventory), range, step) {
        Ok(series) => Some(series),
        Err(ViewError::NoData { .. }) => None,
        Err(error) => return Err(error.into()),
    };
    let means = Means::of(context, &facility, series.as_ref(), range);
    response.emissions = means.emissions(energy, &facility);
    response.cost = means.cost(energy, &facility);
    response.currency = context.settings.currency().filter(|_| response.cost.is_some()).map(str::to_owned);
    caveats.extend(means.has_gaps.then(|| TrendMessage::IntensityGaps.into()));
    if let (Some(series), Some(_)) = (&series, request.step) {
        response.series = steps(series);
    }
    if let Some(by) = request.by {
        let groups = grouping::grouped(&inventory, &of, by, request.kind)?;
        grouping::list(groups, energy, &means, &facility, request, &mut response);
    }
    response.basis = energy.is_some().then(|| basis_of(method));
    response.skipped = inventory.skipped.iter().map(Skip::from).collect();
    caveats.extend(energy_caveats(context, &inventory, Some(method)));
    caveats.extend(devices::caveat(&inventory));
    caveats.extend(facility.caveats.iter().cloned());
    caveats.extend(chosen.warnings);
    response.choices = chosen.made;
    let lang = request.lang.or(chosen.lang).unwrap_or_default();
    response.inputs = facility.inputs(lang);
    response.evidence = Evidence::of(&inventory, request.window, &caveats, lang);
    Ok(response)
}

/// What is known without energy figures.
fn frame(request: &EnergyRequest, range: TimeRange, facility: &Facility) -> EnergyResponse {
    let subject = match (&request.workload, &request.namespace, &request.node) {
        (Some(name), ..) => name.clone(),
        (None, Some(namespace), _) => format!("namespace {namespace}"),
        (None, None, Some(node)) => format!("node {node}"),
        (None, None, None) => "cluster".to_owned(),
    };
    EnergyResponse {
        subject,
        start: range.start,
        end: range.end,
        energy_joules: None,
        energy_kwh: None,
        facility_energy_kwh: None,
        energy: None,
        mean_power_watts: None,
        cpu_seconds: None,
        idle_joules: None,
        unattributed_joules: None,
        emissions: None,
        cost: None,
        currency: None,
        region: facility.region.clone(),
        basis: None,
        error_ratio: None,
        inputs: facility.inputs(request.lang.unwrap_or_default()),
        groups: Vec::new(),
        groups_total: 0,
        other_groups_joules: None,
        devices: Vec::new(),
        platform: Vec::new(),
        series: Vec::new(),
        choices: Vec::new(),
        skipped: Vec::new(),
        evidence: Evidence::none(request.window, &facility.caveats, request.lang.unwrap_or_default()),
    }
}

/// Whose energy is meant, and what is inferred of that.
fn subject<'a>(inventory: &'a Inventory, request: &'a EnergyRequest) -> Result<(Of<'a>, Vec<Message>), ToolError> {
    if let Some(name) = &request.workload {
        let qualifiers = WorkloadQualifiers::new(request.namespace.clone(), request.kind);
        let mut resolved = resolve(inventory, name, &qualifiers)?;
        let caveats = std::mem::take(&mut resolved.caveats);
        return Ok((Of::Workload(resolved), caveats));
    }
    check_namespace(inventory, request.namespace.as_deref())?;
    Ok(match &request.namespace {
        Some(namespace) => (Of::Namespace(namespace), Vec::new()),
        None => (Of::Nodes(request.node.as_deref()), Vec::new()),
    })
}

fn name_of(of: &Of<'_>) -> String {
    match of {
        Of::Workload(Resolved { kind, namespace, name, .. }) => shown((*kind, namespace.as_deref(), name)),
        Of::Namespace(namespace) => format!("namespace {namespace}"),
        Of::Nodes(Some(node)) => format!("node {node}"),
        Of::Nodes(None) => "cluster".to_owned(),
    }
}

/// What the subject used.
fn whole(inventory: &Inventory, of: &Of<'_>) -> Result<Used, ToolError> {
    Ok(match of {
        Of::Workload(resolved) => Used::total(resolved.rows.iter().map(|row| Used::of_row(row))),
        Of::Namespace(namespace) => Used::of_groups(&groups(inventory, None, Some(namespace))?),
        Of::Nodes(_) => Used::total(inventory.nodes.iter().map(Used::of_node)),
    })
}

/// What of the subject's energy went through which accelerator.
fn by_device(inventory: &Inventory, of: &Of<'_>) -> Result<Vec<DeviceJoules>, ToolError> {
    Ok(match of {
        Of::Workload(resolved) => {
            let windows = Windows::of(inventory);
            let mut sums = DeviceSums::default();
            resolved.rows.iter().for_each(|row| sums.add(row, windows.get(&row.id.node, inventory.covered)));
            sums.joules(inventory)
        }
        Of::Namespace(namespace) => {
            let groups = groups(inventory, None, Some(namespace))?;
            let mut sums = DeviceSums::default();
            groups.iter().for_each(|group| sums.absorb(&group.devices));
            sums.joules(inventory)
        }
        Of::Nodes(_) => devices::energy(inventory),
    })
}

fn series_of(of: &Of<'_>, inventory: &Inventory) -> Subject {
    match of {
        Of::Workload(resolved) => Subject::Workloads(resolved.rows.iter().map(|row| row.id.clone()).collect()),
        Of::Namespace(namespace) => Subject::Namespace((*namespace).into()),
        Of::Nodes(Some(_)) if let [node] = inventory.nodes.as_slice() => Subject::Node(node.name.clone()),
        Of::Nodes(_) => Subject::Cluster,
    }
}

fn steps(series: &EnergySeries) -> Vec<EnergyStep> {
    let step = |step: &crate::series::Step<crate::view::StepUsage>| {
        let (energy, length) = (step.value.energy.total()?, step.length());
        let watts = |energy: Energy| energy.over(length).watts();
        Some(EnergyStep {
            start: step.start,
            end: step.end,
            energy_joules: energy.joules(),
            power_watts: watts(energy),
            idle_watts: step.value.idle.total().map(watts),
            unattributed_watts: step.value.unattributed.total().map(watts),
            cpu_seconds: step.value.cpu_time.map(|time| time.as_secs_f64()),
        })
    };
    series.steps.steps().iter().filter_map(step).collect()
}
