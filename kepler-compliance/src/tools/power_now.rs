//! What uses power now?

use super::answer::{Evidence, PowerWatts, Skip, basis_of, energy_caveats, grams_per_hour};
use super::devices::{self, DevicePower, DeviceWatts};
use super::find::check_node;
use super::groups::{check_namespace, groups};
use super::hotspots::{Breakdown, Remainder, by_power, mean};
use super::judges::{Judges, Terms};
use super::platform::{self, PlatformFigures};
use super::{Length, ToolError, ToolRequest, Toolset};
use crate::carbon::facility_energy;
use crate::choices::WorkloadChoice;
use crate::context::Context;
use crate::facility::Facility;
use crate::standards::{Basis, Status};
use crate::tariff::EnergyPrice;
use crate::text::Lang;
use crate::units::{Energy, Power};
use crate::view::{Inventory, PowerSplit, WorkloadKind};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::time::Duration;

/// What uses power now: the total, its idle part, and the largest consumers of all kinds, each once, with watts, share,
/// carbon, cost and verdict; the rest is named. Not for a past time or a sum of energy: use `get_energy`. Example: {}.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct PowerNowRequest {
    /// Only consumers in this namespace.
    #[serde(default)]
    pub namespace: Option<String>,
    /// Only consumers of this kind. Without it all: pods, containers outside pods, units, virtual machines, and
    /// processes that are in none of these.
    #[serde(default)]
    pub kind: Option<WorkloadKind>,
    /// Only this node; without it all of them together.
    #[serde(default)]
    pub node: Option<String>,
    /// How many consumers at most.
    #[serde(default = "default_limit")]
    pub limit: usize,
    /// Code of the standard to judge by. Without it KR_CARBON_2050, or what a workload's pods or namespace choose.
    #[serde(default)]
    pub standard: Option<String>,
    /// Where it runs; without it the configured region, else ap-northeast-2.
    #[serde(default)]
    pub region: Option<String>,
    /// The time up to now that power is the mean of.
    #[serde(default = "default_window")]
    pub window: Length,
    /// Language of sentences.
    #[serde(default)]
    pub lang: Lang,
}

const fn default_limit() -> usize {
    5
}

const fn default_window() -> Length {
    Length::minutes(1)
}

impl Default for PowerNowRequest {
    fn default() -> Self {
        PowerNowRequest {
            namespace: None,
            kind: None,
            node: None,
            limit: default_limit(),
            standard: None,
            region: None,
            window: default_window(),
            lang: Lang::En,
        }
    }
}

impl ToolRequest for PowerNowRequest {
    type Response = PowerNowResponse;
    const NAME: &'static str = "get_power_now";
    const TITLE: &'static str = "What uses power now";
    const TOOLSET: Toolset = Toolset::Energy;

    fn answer(&self, context: &Context<'_>) -> Result<PowerNowResponse, ToolError> {
        get_power_now(context, self)
    }

    fn shorten(&self, response: &mut PowerNowResponse, limit: usize) {
        let Some(remainder) = response.remainder.as_mut().filter(|_| response.consumers.len() > limit) else { return };
        let removed = response.consumers.split_off(limit);
        remainder.other_workloads += removed.len();
        remainder.other_workloads_watts += removed.iter().map(|consumer| consumer.power_watts).sum::<f64>();
    }
}

/// What uses power now.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct PowerNowResponse {
    /// Mean power of the nodes, watts: idle, of workloads and unattributed.
    pub power_watts: PowerWatts,
    /// The part that idle machines draw all the same, watts; `null` where the source does not tell it apart.
    pub idle_watts: Option<f64>,
    /// The part of all workloads, watts.
    pub workloads_watts: Option<f64>,
    /// How the power came about; `null` where there are no figures.
    pub basis: Option<Basis>,
    /// Nodes that answered.
    pub nodes: usize,
    /// The region.
    pub region: String,
    /// Emissions per hour at that power.
    #[serde(rename = "emissions_gCO2eq_per_hour")]
    pub emissions_per_hour: Option<f64>,
    /// Cost of an hour at that power, by the price of this hour.
    pub cost_per_hour: Option<f64>,
    /// Currency of costs, ISO 4217.
    pub currency: Option<String>,
    /// The largest consumers, by falling power.
    pub consumers: Vec<Consumer>,
    /// What of the power of workloads is not among the consumers; `null` where there are no figures.
    pub remainder: Option<Remainder>,
    /// GPUs and other accelerators, where there are some and the source tells them apart.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub devices: Vec<DevicePower>,
    /// Meters of whole machines, where there are some. They contain what is above and are no part of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub platform: Vec<PlatformFigures>,
    /// The standard that consumers are judged by.
    pub standard: String,
    /// What could not be looked at, and why.
    pub skipped: Vec<Skip>,
    /// What was looked at.
    #[serde(flatten)]
    pub evidence: Evidence,
}

/// A consumer of power.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct Consumer {
    /// Its name.
    pub workload: String,
    /// Its kind.
    pub kind: WorkloadKind,
    /// Its namespace; `null` for what is in none.
    pub namespace: Option<String>,
    /// Mean active power over the window, watts.
    pub power_watts: f64,
    /// Its share of the nodes' power, idle and unattributed power included, in per cent.
    pub share_percent: Option<f64>,
    /// Emissions per hour at that power.
    #[serde(rename = "emissions_gCO2eq_per_hour")]
    pub emissions_per_hour: Option<f64>,
    /// Cost of an hour at that power.
    pub cost_per_hour: Option<f64>,
    /// Its status by the standard.
    pub status: Status,
    /// How the power came about.
    pub basis: Basis,
    /// What the workload's pods, namespace or nodes choose.
    #[serde(default)]
    pub choices: Vec<WorkloadChoice>,
    /// What of the power is drawn by which accelerator.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub devices: Vec<DeviceWatts>,
}

/// Tells what uses power now.
///
/// # Errors
/// No such namespace, node, region or standard; the source cannot answer.
pub fn get_power_now(context: &Context<'_>, request: &PowerNowRequest) -> Result<PowerNowResponse, ToolError> {
    let (window, lang) = (request.window, request.lang);
    let terms = Terms { region: request.region.as_deref(), standard: request.standard.as_deref(), facts: None };
    let mut judges = Judges::new(context, terms)?;
    let mut response = frame(request, &judges);
    let Some(inventory) = response.evidence.inventory(context, lang)? else { return Ok(response) };
    check_node(&inventory, request.node.as_deref())?;
    let inventory = of_node(&inventory, request.node.as_deref());
    check_namespace(&inventory, request.namespace.as_deref())?;
    let groups = groups(&inventory, request.kind, request.namespace.as_deref())?;
    let running = by_power(&groups);
    let drawing = running.iter().filter(|(power, _)| power.watts() > 0.0).count();
    let (listed, others) = running.split_at(drawing.min(request.limit));
    let breakdown = Breakdown::new(&inventory, &groups, others);
    let power = mean_power(&inventory);
    let total = power.total();
    let facility = judges.common().facility().clone();
    let price = PriceNow::of(context, &facility);
    for (power, group) in listed {
        let chosen = judges.chosen(&group.rows);
        let judge = judges.of(&chosen)?;
        response.consumers.push(Consumer {
            workload: group.name.to_owned(),
            kind: group.kind,
            namespace: group.namespace.map(str::to_owned),
            power_watts: power.watts(),
            share_percent: total.filter(|total| total.watts() > 0.0).map(|total| share(*power, total)),
            emissions_per_hour: grams_per_hour(Some(*power), judge.facility()),
            cost_per_hour: PriceNow::of(context, judge.facility()).per_hour(*power),
            status: judge.statuses(Some(&group.figures)).status,
            basis: basis_of(group.figures.method),
            devices: group.devices.watts(&inventory),
            choices: chosen.made,
        });
    }
    response.power_watts = PowerWatts::from(power);
    response.idle_watts = mean(&inventory, |node| node.split(|zone| zone.idle).total()).map(Power::watts);
    response.workloads_watts = breakdown.all.map(Power::watts);
    response.nodes = inventory.nodes.len();
    response.emissions_per_hour = grams_per_hour(total, &facility);
    response.cost_per_hour = total.and_then(|total| price.per_hour(total));
    response.currency = context.settings.currency().filter(|_| response.cost_per_hour.is_some()).map(str::to_owned);
    response.remainder = Some(breakdown.remainder);
    response.devices = devices::power(&inventory);
    response.platform = platform::figures(&inventory);
    response.skipped = inventory.skipped.iter().map(Skip::from).collect();
    let method = inventory.method();
    response.basis = method.map(basis_of);
    let mut caveats = energy_caveats(context, &inventory, method);
    caveats.extend(judges.caveats());
    caveats.extend(judges.common().unknown());
    caveats.extend(devices::caveat(&inventory));
    caveats.extend(facility.caveats.iter().cloned());
    response.evidence = Evidence::of(&inventory, window, &caveats, lang);
    Ok(response)
}

/// What is known without energy figures.
fn frame(request: &PowerNowRequest, judges: &Judges<'_>) -> PowerNowResponse {
    let (judge, facility) = (judges.common(), judges.common().facility());
    PowerNowResponse {
        power_watts: PowerWatts::default(),
        idle_watts: None,
        workloads_watts: None,
        basis: None,
        nodes: 0,
        region: facility.region.clone(),
        emissions_per_hour: None,
        cost_per_hour: None,
        currency: None,
        consumers: Vec::new(),
        remainder: None,
        devices: Vec::new(),
        platform: Vec::new(),
        standard: judge.standard().to_owned(),
        skipped: Vec::new(),
        evidence: Evidence::none(request.window, &facility.caveats, request.lang),
    }
}

fn share(part: Power, whole: Power) -> f64 {
    (part.watts() / whole.watts() * 100.0).min(100.0)
}

/// The inventory of one node, or all of it.
pub(super) fn of_node<'a>(inventory: &'a Inventory, node: Option<&str>) -> Cow<'a, Inventory> {
    let Some(node) = node else { return Cow::Borrowed(inventory) };
    let mut own = Inventory::new(&*inventory.moment, inventory.asked, inventory.covered, inventory.coverage);
    own.nodes = inventory.nodes.iter().filter(|one| &*one.name == node).cloned().collect();
    own.workloads = inventory.workloads.iter().filter(|row| &*row.id.node == node).cloned().collect();
    if let Some(one) = own.nodes.first() {
        own.covered = one.covered;
        let asked = own.asked.length().as_secs_f64();
        own.coverage = if asked > 0.0 { (one.covered.length().as_secs_f64() / asked).min(1.0) } else { 0.0 };
    }
    Cow::Owned(own)
}

/// Mean power of all nodes, by part.
fn mean_power(inventory: &Inventory) -> PowerSplit {
    let powers = inventory.nodes.iter().filter_map(|node| {
        let length = node.covered.length();
        (!length.is_zero()).then(|| node.energy().map(|energy: Energy| energy.over(length)))
    });
    powers.reduce(|a, b| a.plus(&b)).unwrap_or_default()
}

/// What energy costs at this hour.
struct PriceNow<'a> {
    facility: &'a Facility,
    per_kwh: Option<EnergyPrice>,
}

impl<'a> PriceNow<'a> {
    fn of(context: &Context<'_>, facility: &'a Facility) -> Self {
        PriceNow { facility, per_kwh: context.settings.price_at(context.now) }
    }

    fn per_hour(&self, power: Power) -> Option<f64> {
        let energy = facility_energy(power * Duration::from_secs(3600), self.facility.ratio()?);
        Some((energy * self.per_kwh?).amount())
    }
}
