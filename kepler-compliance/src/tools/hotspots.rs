//! Who draws the most power?

use super::answer::{Evidence, Skip, energy_caveats, grams_per_hour};
use super::arguments::{MOST_WATTS, Scope, named, within};
use super::devices::{self, DeviceWatts};
use super::groups::{Group, check_namespace, common_kind, groups, method_of};
use super::judges::facility_of;
use super::{Figures, ToolError, ToolRequest, Toolset};
use crate::context::Context;
use crate::facility::Facility;
use crate::messages::{HotspotMessage, Message};
use crate::units::{Energy, Power};
use crate::view::{Inventory, NodeEnergy, WorkloadKind};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Lists the workloads that draw the most power, why that is, and what to do about it.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct HotspotsRequest {
    /// The namespace; without it all of them, and workloads in no namespace.
    #[serde(default)]
    pub namespace: Option<String>,
    /// The kind of workloads. Without it all of them, each once: pods, containers outside pods, units, virtual machines,
    /// and processes that are in none of these.
    #[serde(default)]
    pub kind: Option<WorkloadKind>,
    /// Only workloads that draw at least this much, watts.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub threshold_watts: f64,
    /// Maximum number of hotspots.
    #[serde(default = "default_limit")]
    pub limit: usize,
    /// Region, window and language.
    #[serde(flatten, deserialize_with = "named")]
    #[schemars(with = "Scope")]
    pub scope: Scope,
}

const fn default_limit() -> usize {
    10
}

impl Default for HotspotsRequest {
    fn default() -> Self {
        HotspotsRequest {
            namespace: None,
            kind: None,
            threshold_watts: 0.0,
            limit: default_limit(),
            scope: Scope::default(),
        }
    }
}

impl ToolRequest for HotspotsRequest {
    type Response = HotspotsResponse;
    const NAME: &'static str = "get_power_hotspots";
    const TITLE: &'static str = "Find the largest consumers";
    const TOOLSET: Toolset = Toolset::Energy;

    fn answer(&self, context: &Context<'_>) -> Result<HotspotsResponse, ToolError> {
        get_power_hotspots(context, self)
    }

    fn shorten(&self, response: &mut HotspotsResponse, limit: usize) {
        if response.hotspots.len() <= limit {
            return;
        }
        let Some(remainder) = &mut response.remainder else { return };
        let caveats = &mut response.evidence.caveats;
        if remainder.message().is_some() {
            caveats.pop();
        }
        let removed = response.hotspots.split_off(limit);
        remainder.other_workloads += removed.len();
        remainder.other_workloads_watts += removed.iter().map(|hotspot| hotspot.power_watts).sum::<f64>();
        caveats.extend(remainder.message().map(|message| message.render(self.scope.lang.unwrap_or_default())));
    }
}

/// The hotspots.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct HotspotsResponse {
    /// The kind that is listed; `null` where several are, or none.
    pub kind: Option<WorkloadKind>,
    /// How many draw at least the threshold.
    pub total: usize,
    /// The hotspots, by falling power.
    pub hotspots: Vec<Hotspot>,
    /// Mean active power of all workloads, the ones that are not listed included, watts.
    pub all_workloads_watts: Option<f64>,
    /// What of that is not among the hotspots; `null` where there are no figures.
    pub remainder: Option<Remainder>,
    /// What could not be looked at, and why.
    pub skipped: Vec<Skip>,
    /// What was looked at.
    #[serde(flatten)]
    pub evidence: Evidence,
}

/// Active power beside the hotspots.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct Remainder {
    /// Running workloads below the threshold or beyond the limit.
    pub other_workloads: usize,
    /// Their power, watts.
    pub other_workloads_watts: f64,
    /// Power of work that belongs to no workload of those that could be listed, watts: of another namespace or kind, of
    /// what has ended, or of processes whose container the source does not know. `null` where the source does not say.
    pub unlisted_watts: Option<f64>,
    /// Active power that no workload explains, watts; `null` where the source does not say.
    pub unattributed_watts: Option<f64>,
}

/// A workload that draws much.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct Hotspot {
    /// Its name.
    pub workload: String,
    /// Its kind.
    pub kind: WorkloadKind,
    /// Its namespace; `null` for what is not a pod.
    pub namespace: Option<String>,
    /// Mean power over the window of what still runs, watts.
    pub power_watts: f64,
    /// Its share of the power of all workloads, in per cent.
    pub share_percent: f64,
    /// Processors in use, in cores, as a mean over the window.
    pub cpu_cores: Option<f64>,
    /// Emissions per hour at that power.
    #[serde(rename = "emissions_gCO2eq_per_hour")]
    pub emissions_per_hour: Option<f64>,
    /// Why it draws that much.
    pub reason: String,
    /// What to do.
    pub recommendation: String,
    /// What of the power is drawn by which accelerator.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub devices: Vec<DeviceWatts>,
}

/// Lists the workloads that draw the most power.
///
/// # Errors
/// No such namespace or region; a threshold that is no power; the source cannot answer.
pub fn get_power_hotspots(context: &Context<'_>, request: &HotspotsRequest) -> Result<HotspotsResponse, ToolError> {
    let threshold = within("threshold_watts", request.threshold_watts, 0.0..=MOST_WATTS)?;
    let (window, lang) = (request.scope.window, request.scope.lang.unwrap_or_default());
    let facility = Facility::of(context, request.scope.region.as_deref())?;
    let mut response = HotspotsResponse {
        kind: request.kind,
        total: 0,
        hotspots: Vec::new(),
        all_workloads_watts: None,
        remainder: None,
        skipped: Vec::new(),
        evidence: Evidence::none(window, &facility.caveats, lang),
    };
    let Some(inventory) = response.evidence.inventory(context, lang)? else { return Ok(response) };
    check_namespace(&inventory, request.namespace.as_deref())?;
    let groups = groups(&inventory, request.kind, request.namespace.as_deref())?;
    let running = by_power(&groups);
    let is_hot = |power: &Power| power.watts() >= threshold && power.watts() > 0.0;
    response.total = running.iter().filter(|(power, _)| is_hot(power)).count();
    let (hot, others) = running.split_at(response.total.min(request.limit));
    let breakdown = Breakdown::new(&inventory, &groups, others);
    let choices = context.choices.choices();
    let mut unusable: Vec<Message> = Vec::new();
    for (power, group) in hot {
        let share = breakdown.share(*power);
        let (reason, advice) = explain(&group.figures, *power, share);
        let (facility, chosen) =
            facility_of(context, &facility, request.scope.region.as_deref(), &choices, &group.rows)?;
        unusable.extend(chosen.warnings);
        response.hotspots.push(Hotspot {
            workload: group.name.to_owned(),
            kind: group.kind,
            namespace: group.namespace.map(str::to_owned),
            power_watts: power.watts(),
            share_percent: share,
            cpu_cores: group.figures.cores(),
            emissions_per_hour: grams_per_hour(Some(*power), &facility),
            reason: Message::from(reason).render(lang),
            recommendation: Message::from(advice).render(lang),
            devices: group.devices.watts(&inventory),
        });
    }
    let method = method_of(&groups);
    let mut caveats = energy_caveats(context, &inventory, method);
    caveats.extend(unusable);
    caveats.extend(devices::caveat(&inventory));
    caveats.extend(facility.caveats.iter().cloned());
    // The last, where `shorten` finds it.
    caveats.extend(breakdown.remainder.message());
    response.kind = request.kind.or(common_kind(&groups));
    response.all_workloads_watts = breakdown.all.map(Power::watts);
    response.remainder = Some(breakdown.remainder);
    response.skipped = inventory.skipped.iter().map(Skip::from).collect();
    response.evidence = Evidence::of(&inventory, window, &caveats, lang);
    Ok(response)
}

/// What still runs, by falling power.
pub(super) fn by_power<'a, 'b>(groups: &'a [Group<'b>]) -> Vec<(Power, &'a Group<'b>)> {
    let mut running: Vec<(Power, &Group<'_>)> =
        groups.iter().filter_map(|group| Some((group.figures.power?.total()?, group))).collect();
    running.sort_by(|(one, a), (other, b)| {
        other.watts().total_cmp(&one.watts()).then_with(|| (a.namespace, a.name).cmp(&(b.namespace, b.name)))
    });
    running
}

/// The active power of all workloads, and what of it is not listed.
pub(super) struct Breakdown {
    pub(super) all: Option<Power>,
    pub(super) remainder: Remainder,
}

/// Less than this share of all is rounding and the edges of windows, in watts per watt.
const NEGLIGIBLE: f64 = 0.005;

impl Breakdown {
    pub(super) fn new(inventory: &Inventory, groups: &[Group<'_>], others: &[(Power, &Group<'_>)]) -> Self {
        let listed: Option<Power> = groups.iter().filter_map(|group| group.figures.mean).reduce(|a, b| a + b);
        let running: Power = groups.iter().filter_map(|group| group.figures.power?.total()).sum();
        let active = mean(inventory, |node| node.split(|zone| zone.active).total());
        let unattributed = mean(inventory, |node| node.split(|zone| zone.unattributed).total());
        // All that is attributed; where the nodes do not tell that, all that is listed.
        let attributed = active.map(|active| (active.watts() - unattributed.map_or(0.0, Power::watts)).max(0.0));
        let listed_watts = listed.map_or(0.0, Power::watts);
        let all = attributed.map(|watts| watts.max(listed_watts)).or(listed.map(Power::watts));
        let all = all.map(Power::from_watts);
        let worth = |watts: f64| all.is_some_and(|all| watts > all.watts() * NEGLIGIBLE).then_some(watts);
        let unlisted = attributed.zip(all).map(|(_, all)| (all.watts() - running.watts()).max(0.0));
        Breakdown {
            all,
            remainder: Remainder {
                other_workloads: others.len(),
                other_workloads_watts: others.iter().map(|(power, _)| power.watts()).sum(),
                unlisted_watts: unlisted.map(|watts| worth(watts).unwrap_or(0.0)),
                unattributed_watts: unattributed.map(Power::watts),
            },
        }
    }

    fn share(&self, power: Power) -> f64 {
        let all = self.all.map_or(0.0, Power::watts);
        if all > 0.0 { (power.watts() / all * 100.0).min(100.0) } else { 0.0 }
    }
}

impl Remainder {
    /// In a sentence, where there is any.
    fn message(&self) -> Option<Message> {
        let Remainder { other_workloads, other_workloads_watts, unlisted_watts, unattributed_watts } = *self;
        let any = |watts: Option<f64>| watts.filter(|watts| *watts > 0.0);
        let (unlisted_watts, unattributed_watts) = (any(unlisted_watts), any(unattributed_watts));
        let others = if other_workloads_watts > 0.0 { other_workloads } else { 0 };
        let is_any = others > 0 || unlisted_watts.is_some() || unattributed_watts.is_some();
        is_any.then(|| {
            let others_watts = other_workloads_watts;
            HotspotMessage::Remainder { others, others_watts, unlisted_watts, unattributed_watts }.into()
        })
    }
}

/// Mean power of a figure of all nodes, each over the time it was observed.
pub(super) fn mean(inventory: &Inventory, energy: impl Fn(&NodeEnergy) -> Option<Energy>) -> Option<Power> {
    let of_node = |node: &NodeEnergy| {
        let window = node.covered.length();
        energy(node).filter(|_| !window.is_zero()).map(|energy| energy.over(window))
    };
    inventory.nodes.iter().filter_map(of_node).reduce(|a, b| a + b)
}

/// Why it draws that much, and what to look at first.
fn explain(figures: &Figures, power: Power, percent: f64) -> (HotspotMessage, HotspotMessage) {
    use HotspotMessage as Say;
    let part = |energy: Option<Energy>| {
        let whole = figures.energy.total().map_or(0.0, Energy::joules);
        energy.filter(|_| whole > 0.0).map_or(0.0, |energy| energy.joules() / whole)
    };
    let (gpu, memory) = (part(figures.energy.gpu()), part(figures.energy.memory()));
    if gpu > 0.5 {
        return (Say::MostlyGpu { percent: gpu * 100.0 }, Say::LookAtGpu);
    }
    if memory > 0.5 {
        return (Say::MostlyMemory { percent: memory * 100.0 }, Say::LookAtMemory);
    }
    match (figures.cores(), figures.running) {
        (Some(cores), count @ 2..) => (Say::Instances { count, cores, percent }, Say::LookAtInstances),
        (Some(cores), _) => (Say::Cores { cores, percent }, Say::LookAtCores),
        (None, _) => (Say::Power { watts: power.watts(), percent }, Say::LookAtNode),
    }
}
