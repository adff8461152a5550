//! Which workloads are there?

use super::answer::{Evidence, Skip, basis_of, energy_caveats};
use super::arguments::{check_page, default_window};
use super::figures::{Figures, Windows};
use super::groups::check_namespace;
use super::resolve::{Named, most_like, nearest};
use super::{ArgumentRemedy, Length, ToolError, ToolRequest, Toolset};
use crate::context::Context;
use crate::messages::EnergyMessage;
use crate::standards::Basis;
use crate::text::Lang;
use crate::units::Power;
use crate::view::{Inventory, WorkloadEnergy, WorkloadKind};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

/// Finds workloads by part of a name, label or kind, to learn the exact name that other tools take. Not for figures: use `get_energy`
/// or `get_power_now`. Example: {"query": "redis"}.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct FindRequest {
    /// Part of the name of a workload, of its namespace, node or a label of its pods, in any case. Without it all.
    #[serde(default)]
    pub query: Option<String>,
    /// Only in this namespace.
    #[serde(default)]
    pub namespace: Option<String>,
    /// Only of this kind.
    #[serde(default)]
    pub kind: Option<WorkloadKind>,
    /// Only pods with this label, and their controllers: `app=web`, or `app` with any value.
    #[serde(default)]
    pub label: Option<String>,
    /// Only on this node.
    #[serde(default)]
    pub node: Option<String>,
    /// How many to skip.
    #[serde(default)]
    pub offset: usize,
    /// How many at most.
    #[serde(default = "default_limit")]
    #[schemars(range(min = 1, max = 1000))]
    pub limit: usize,
    /// How far back to look.
    #[serde(default = "default_window")]
    pub window: Length,
    /// Language of sentences.
    #[serde(default)]
    pub lang: Lang,
}

const fn default_limit() -> usize {
    20
}

impl Default for FindRequest {
    fn default() -> Self {
        FindRequest {
            query: None,
            namespace: None,
            kind: None,
            label: None,
            node: None,
            offset: 0,
            limit: default_limit(),
            window: default_window(),
            lang: Lang::En,
        }
    }
}

impl ToolRequest for FindRequest {
    type Response = FindResponse;
    const NAME: &'static str = "find_workloads";
    const TITLE: &'static str = "Find workloads by name";
    const TOOLSET: Toolset = Toolset::Energy;

    fn answer(&self, context: &Context<'_>) -> Result<FindResponse, ToolError> {
        find_workloads(context, self)
    }

    fn shorten(&self, response: &mut FindResponse, limit: usize) {
        response.workloads.truncate(limit);
        let next = self.offset.saturating_add(limit.min(self.limit));
        response.next_offset = (next < response.total).then_some(next);
    }
}

/// The workloads found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct FindResponse {
    /// How many were found.
    pub total: usize,
    /// Offset of the next page; `null` on the last.
    pub next_offset: Option<usize>,
    /// One page of them: equal names first, then names that begin so, then the rest; of these the largest consumers first.
    pub workloads: Vec<FoundWorkload>,
    /// Names that look most like the query, where nothing was found.
    pub nearest: Vec<String>,
    /// What could not be looked at, and why.
    pub skipped: Vec<Skip>,
    /// What was looked at.
    #[serde(flatten)]
    pub evidence: Evidence,
}

/// A workload that was found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct FoundWorkload {
    /// Its name, as other tools take it.
    pub workload: String,
    /// Its kind.
    pub kind: WorkloadKind,
    /// Its namespace; `null` for what is in none.
    pub namespace: Option<String>,
    /// Labels that all its pods have in common, where some are known.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// The nodes that it ran on; of a kind that runs on many of them the first three.
    pub nodes: Vec<String>,
    /// How many of it run.
    pub running: usize,
    /// Mean active power over the window of all that ran, watts; `null` where it is not known.
    pub power_watts: Option<f64>,
    /// How the power came about.
    pub basis: Basis,
}

/// Nodes named of a workload.
const NODES_NAMED: usize = 3;

/// What was found of one workload.
struct Found<'a> {
    nodes: BTreeSet<&'a str>,
    labels: Option<BTreeMap<&'a str, &'a str>>,
    figures: Figures,
}

/// Finds workloads by part of a name.
///
/// # Errors
/// No such namespace or node; a limit of none; the source cannot answer.
pub fn find_workloads(context: &Context<'_>, request: &FindRequest) -> Result<FindResponse, ToolError> {
    check_page(request.limit)?;
    let (window, lang) = (request.window, request.lang);
    let mut response = FindResponse {
        total: 0,
        next_offset: None,
        workloads: Vec::new(),
        nearest: Vec::new(),
        skipped: Vec::new(),
        evidence: Evidence::none(window, &[], lang),
    };
    let Some(inventory) = response.evidence.inventory(context, lang)? else { return Ok(response) };
    check_namespace(&inventory, request.namespace.as_deref())?;
    check_node(&inventory, request.node.as_deref())?;
    let query = request.query.as_deref().unwrap_or_default().trim().to_lowercase();
    let choices = context.choices.choices();
    let all = workloads(&inventory, request, &choices.labels);
    let mut found: Vec<(usize, &Named<'_>, &Found<'_>)> =
        all.iter().filter_map(|(key, own)| Some((likeness(&query, key, own)?, key, own))).collect();
    let watts = |own: &Found<'_>| own.figures.mean.map_or(-1.0, Power::watts);
    found.sort_by(|a, b| a.0.cmp(&b.0).then_with(|| watts(b.2).total_cmp(&watts(a.2))).then_with(|| a.1.cmp(b.1)));
    response.total = found.len();
    let shown = found.iter().skip(request.offset).take(request.limit);
    response.workloads = shown.map(|(_, key, own)| show(key, own)).collect();
    let next = request.offset.saturating_add(request.limit);
    response.next_offset = (next < found.len()).then_some(next);
    if found.is_empty() {
        response.nearest = nearest(all.keys().copied(), |name| strsim::jaro_winkler(&query, &name.to_lowercase()));
    }
    response.skipped = inventory.skipped.iter().map(Skip::from).collect();
    let mut caveats = energy_caveats(context, &inventory, None);
    if request.label.is_some() && choices.labels.is_empty() {
        caveats.insert(0, EnergyMessage::NoLabels.into());
    }
    response.evidence = Evidence::of(&inventory, window, &caveats, lang);
    Ok(response)
}

/// A node that did not answer is a mistake, not an empty list.
pub(super) fn check_node(inventory: &Inventory, node: Option<&str>) -> Result<(), ToolError> {
    let Some(node) = node else { return Ok(()) };
    if inventory.nodes.iter().any(|own| &*own.name == node) {
        return Ok(());
    }
    let (nearest, others) = most_like(node, inventory.nodes.iter().map(|own| &*own.name));
    let remedy = ArgumentRemedy::Nodes { nearest, others };
    Err(ToolError::InvalidArgument { argument: "node", given: node.to_owned(), remedy })
}

/// All workloads that the request admits, whatever their names.
fn workloads<'a>(
    inventory: &'a Inventory,
    request: &FindRequest,
    labels: &'a HashMap<Arc<str>, Vec<(String, String)>>,
) -> BTreeMap<Named<'a>, Found<'a>> {
    let mut all: BTreeMap<Named<'a>, Found<'a>> = BTreeMap::new();
    let windows = Windows::of(inventory);
    let admitted = |row: &&WorkloadEnergy| {
        let namespace = request.namespace.as_deref();
        (namespace.is_none() || row.id.namespace.as_deref() == namespace)
            && request.node.as_deref().is_none_or(|node| *row.id.node == *node)
            && request.label.as_deref().is_none_or(|label| is_labelled(labels_of(row, labels), label))
    };
    for row in inventory.workloads.iter().filter(admitted) {
        let namespace = row.id.namespace.as_deref();
        let own = (row.id.kind, namespace, &*row.id.name);
        let owner = row.owner.as_ref().map(|owner| (owner.kind, namespace, &*owner.name));
        for key in [Some(own), owner].into_iter().flatten() {
            if request.kind.is_some_and(|kind| kind != key.0) {
                continue;
            }
            let nothing = || Found { nodes: BTreeSet::new(), labels: None, figures: Figures::nothing(inventory) };
            let found = all.entry(key).or_insert_with(nothing);
            found.nodes.insert(&row.id.node);
            found.have(labels_of(row, labels));
            found.figures.add(row, windows.get(&row.id.node, inventory.covered));
        }
    }
    all
}

impl<'a> Found<'a> {
    /// One more of its pods has these labels: those that differ are none of the workload's.
    fn have(&mut self, labels: &'a [(String, String)]) {
        match &mut self.labels {
            None => self.labels = Some(labels.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()),
            Some(known) => {
                known.retain(|name, value| labels.iter().any(|(other, own)| other == name && own == value));
            }
        }
    }

    fn labels(&self) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.labels.iter().flatten().map(|(name, value)| (*name, *value))
    }
}

/// The labels of a pod.
fn labels_of<'a>(row: &WorkloadEnergy, labels: &'a HashMap<Arc<str>, Vec<(String, String)>>) -> &'a [(String, String)] {
    match row.id.kind {
        WorkloadKind::Pod => labels.get(&row.id.uid).map_or(&[], Vec::as_slice),
        _ => &[],
    }
}

/// Whether a label is among them: `name=value`, or a name alone.
fn is_labelled(labels: &[(String, String)], wanted: &str) -> bool {
    let (name, value) = wanted.split_once('=').map_or((wanted, None), |(name, value)| (name, Some(value.trim())));
    let name = plain(name.trim());
    labels.iter().any(|(own, is)| plain(own) == name && value.is_none_or(|value| value == is))
}

/// A label's name as exporters write it: `app.kubernetes.io/name` is `app_kubernetes_io_name`.
fn plain(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect()
}

/// How well a workload fits a query, best first; none where it does not.
fn likeness(query: &str, (_, namespace, name): &Named<'_>, found: &Found<'_>) -> Option<usize> {
    if query.is_empty() {
        return Some(0);
    }
    let name = name.to_lowercase();
    // As other answers write it: `namespace/name`.
    let full = namespace.map(|namespace| format!("{}/{name}", namespace.to_lowercase()));
    if name == query || full.as_deref() == Some(query) {
        return Some(0);
    }
    if name.starts_with(query) {
        return Some(1);
    }
    if name.contains(query) || full.is_some_and(|full| full.contains(query)) {
        return Some(2);
    }
    let is_labelled = found.labels().any(|(name, value)| format!("{name}={value}").to_lowercase().contains(query));
    (is_labelled || found.nodes.iter().any(|node| node.to_lowercase().contains(query))).then_some(3)
}

fn show((kind, namespace, name): &Named<'_>, found: &Found<'_>) -> FoundWorkload {
    FoundWorkload {
        workload: (*name).to_owned(),
        kind: *kind,
        namespace: namespace.map(str::to_owned),
        labels: found.labels().map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
        nodes: found.nodes.iter().take(NODES_NAMED).map(|node| (*node).to_owned()).collect(),
        running: found.figures.running,
        power_watts: found.figures.mean.map(Power::watts),
        basis: basis_of(found.figures.method),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::TimeRange;

    fn labels(all: &[(&str, &str)]) -> Vec<(String, String)> {
        all.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn a_workload_has_the_labels_that_all_its_pods_have() {
        let (first, second) =
            (labels(&[("app", "web"), ("track", "stable")]), labels(&[("app", "web"), ("track", "canary")]));
        let range = TimeRange::ending(jiff::Timestamp::UNIX_EPOCH, std::time::Duration::from_secs(60));
        let figures = Figures::nothing(&Inventory::new("1", range, range, 1.0));
        let mut found = Found { nodes: BTreeSet::new(), labels: None, figures };
        found.have(&first);
        found.have(&second);
        assert_eq!(found.labels().collect::<Vec<_>>(), [("app", "web")]);
    }

    #[test]
    fn a_label_is_asked_for_as_kubernetes_or_the_exporter_writes_it() {
        let (own, shown) = (labels(&[("app.kubernetes.io/name", "web")]), labels(&[("app_kubernetes_io_name", "web")]));
        for known in [&own, &shown] {
            for wanted in ["app.kubernetes.io/name", "app_kubernetes_io_name=web", "app.kubernetes.io/name = web"] {
                assert!(is_labelled(known, wanted), "{wanted}");
            }
            for other in ["app.kubernetes.io/name=we", "name=web", "app.kubernetes.io/name=", "=web"] {
                assert!(!is_labelled(known, other), "{other}");
            }
        }
    }
}
