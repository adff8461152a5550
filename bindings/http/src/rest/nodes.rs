//! `/api/v1/nodes`: the nodes of a hub, and how it fares with each.

use super::problem::{Kind, Problem};
use super::{Asked, json, query, to_json};
use crate::hub::{HubNode, HubStatus};
use axum::extract::{RawQuery, State};
use axum::response::Response;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// It takes no parameters.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NoQuery {}

/// The nodes of a hub.
#[derive(Serialize, JsonSchema)]
pub(super) struct Nodes {
    /// Where its figures come from.
    source: String,
    /// This program's version.
    version: String,
    /// Polls of all nodes so far; `null` where a server is queried for each answer.
    polls: Option<u64>,
    /// The time between two, seconds.
    interval_seconds: Option<f64>,
    /// How long ago the last one ended, seconds.
    age_seconds: Option<f64>,
    /// Why the list of nodes is not known now.
    unlisted: Option<String>,
    /// Workloads that are known.
    workloads: Option<usize>,
    /// Each node.
    nodes: Vec<Node>,
}

/// A node.
#[derive(Serialize, JsonSchema)]
struct Node {
    /// Its name; its address where that is not known yet.
    node: String,
    /// Where its exporter is; `null` on a node without one.
    address: Option<String>,
    /// `scraped`, `failing`, `waiting` (not polled yet), `gone` (no longer listed) or `without_exporter`.
    state: &'static str,
    /// How long ago it answered, seconds; `null` if never.
    age_seconds: Option<f64>,
    /// Why the last poll failed.
    fault: Option<String>,
    /// Its region, as labelled in the cluster.
    region: Option<String>,
    /// Its zone, likewise.
    zone: Option<String>,
    /// Its instance type, likewise.
    instance_type: Option<String>,
}

impl From<HubNode> for Node {
    fn from(node: HubNode) -> Self {
        let HubNode { name, address, state, age, fault, region, zone, instance_type } = node;
        let age_seconds = age.map(|age| age.as_secs_f64());
        Node { node: name, address, state, age_seconds, fault, region, zone, instance_type }
    }
}

impl Nodes {
    pub(super) fn of(status: HubStatus, version: &str) -> Self {
        let HubStatus { source, polling, nodes } = status;
        let seconds = |time: Option<Duration>| time.map(|time| time.as_secs_f64());
        Nodes {
            source,
            version: version.to_owned(),
            polls: polling.as_ref().map(|polling| polling.polls),
            interval_seconds: seconds(polling.as_ref().map(|polling| polling.interval)),
            age_seconds: seconds(polling.as_ref().and_then(|polling| polling.age)),
            workloads: polling.as_ref().map(|polling| polling.workloads),
            unlisted: polling.and_then(|polling| polling.unlisted),
            nodes: nodes.into_iter().map(Node::from).collect(),
        }
    }
}

pub(super) async fn answer(State(shared): Asked, RawQuery(text): RawQuery) -> Result<Response, Problem> {
    let NoQuery {} = query::read(text.as_deref())?;
    let options = shared.exporter.options();
    let Some(hub) = &options.hub else {
        let reason = "this program measures its own node, at /api/v1/node; a hub (`kepler hub`) has a list of nodes";
        return Err(Problem::new(Kind::NotFound, reason));
    };
    to_json(&Nodes::of(hub.status(), &options.build.version)).map(json)
}
