//! `/api/v1/events`: a snapshot at each measurement, as server-sent events (HTML Living Standard 9.2).
//!
//! An event is made when the client can take one, from the newest snapshot there is then. One that is slow
//! misses snapshots and holds none of them up; one that takes nothing is cut off by the server's write
//! time-out.

use super::node::{Node, latest};
use super::nodes::Nodes;
use super::problem::{Kind, Problem};
use super::workloads::{Choice, Row, Sort, choose};
use super::{Asked, query};
use crate::exporter::Exporter;
use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http_body::Frame;
use kepler_core::snapshot::Snapshot;
use kepler_core::workload::WorkloadKind;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, Interval, MissedTickBehavior};

/// How often a stream looks whether there is a newer snapshot. That is one atomic load.
const LOOK: Duration = Duration::from_millis(100);

/// The same at a hub, which polls every few seconds.
const LOOK_OF_HUB: Duration = Duration::from_secs(1);

/// Rows of a level in an event at most.
const MOST: usize = 1000;

/// What is shown of each snapshot.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct EventsQuery {
    /// The levels, separated by commas: `node`, `process`, `container`, `pod`, `vm`, `unit`, `job`, `command`.
    #[serde(default = "node")]
    #[schemars(
        with = "String",
        pattern(
            "^(node|process|container|pod|vm|unit|job|command)(,(node|process|container|pod|vm|unit|job|command))*$"
        )
    )]
    level: String,
    /// Maximum number of workloads of each level.
    #[serde(default = "ten")]
    #[schemars(range(min = 1, max = 1000))]
    limit: usize,
    /// What they are sorted by, the largest first; names from the first on.
    #[serde(default)]
    sort: Sort,
}

fn node() -> String {
    "node".to_owned()
}

const fn ten() -> usize {
    10
}

/// The data of an event: the node, and the workloads of the levels that were asked for.
#[derive(Serialize)]
struct Event<'a> {
    #[serde(flatten)]
    node: Node<'a>,
    /// By the name of their list: `processes`, `pods`.
    #[serde(flatten)]
    workloads: BTreeMap<&'static str, Vec<Row<'a>>>,
}

/// Reads the levels that are asked for: whether the node is, and which kinds.
fn levels(text: &str) -> Result<Vec<WorkloadKind>, Problem> {
    let kind = |name: &str| WorkloadKind::MEASURED.into_iter().find(|kind| kind.name() == name);
    let asked = text.split(',').map(str::trim).filter(|name| *name != "node");
    let kinds = asked.map(|name| {
        kind(name).ok_or_else(|| {
            let known = WorkloadKind::MEASURED.map(WorkloadKind::name).join(", ");
            Problem::new(Kind::BadParameter, format!("level: unknown `{name}`, expected node, {known}"))
                .parameter("level")
        })
    });
    kinds.collect()
}

pub(super) async fn answer(State(shared): Asked, RawQuery(text): RawQuery) -> Result<Response, Problem> {
    let asked: EventsQuery = query::read(text.as_deref())?;
    query::within("limit", asked.limit, MOST)?;
    let levels = levels(&asked.level)?;
    let Ok(place) = Arc::clone(&shared.streams).try_acquire_owned() else {
        let most = shared.options.streams;
        return Err(Problem::new(Kind::Busy, format!("{most} streams are open, and there may be no more")));
    };
    let of_hub = shared.exporter.options().hub.is_some();
    if !of_hub {
        latest(&shared)?;
    }
    let mut look = tokio::time::interval(if of_hub { LOOK_OF_HUB } else { LOOK });
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let stream = Stream {
        exporter: Arc::clone(&shared.exporter),
        levels,
        choice: Choice::top(asked.sort, asked.limit),
        seen: None,
        look,
        heartbeat: shared.options.heartbeat,
        spoke: Instant::now(),
        stopped: Arc::clone(&shared.stopped),
        _place: place,
    };
    let headers = [(CONTENT_TYPE, "text/event-stream"), (CACHE_CONTROL, "no-store")];
    Ok((headers, Body::new(stream)).into_response())
}

struct Stream {
    exporter: Arc<Exporter>,
    levels: Vec<WorkloadKind>,
    choice: Choice,
    /// The snapshot of the last event.
    seen: Option<u64>,
    look: Interval,
    heartbeat: Duration,
    /// When something was last sent.
    spoke: Instant,
    stopped: Arc<AtomicBool>,
    _place: OwnedSemaphorePermit,
}

impl Stream {
    /// The newest event that was not sent yet, and its number.
    fn newest(&self) -> Option<(u64, Bytes)> {
        let options = self.exporter.options();
        if let Some(hub) = &options.hub {
            let status = hub.status();
            let number = status.polling.as_ref().map_or(0, |polling| polling.polls);
            let is_new = self.seen != Some(number);
            return is_new.then(|| (number, self.text("nodes", number, &Nodes::of(status, &options.build.version))));
        }
        let snapshot = self.exporter.feed().latest().filter(|snapshot| Some(snapshot.sequence) != self.seen)?;
        Some((snapshot.sequence, self.event(&snapshot)))
    }

    fn event(&self, snapshot: &Snapshot) -> Bytes {
        let node_name = &self.exporter.options().node_name;
        let rows = self.levels.iter().map(|&kind| (kind.plural(), choose(snapshot, kind, &self.choice).1));
        let event = Event { node: Node::of(snapshot, node_name), workloads: rows.collect() };
        self.text("snapshot", snapshot.sequence, &event)
    }

    fn text(&self, name: &str, number: u64, data: &impl Serialize) -> Bytes {
        // The time after which a client whose stream broke asks again, once is enough.
        let retry = if self.seen.is_none() { "retry: 3000\n" } else { "" };
        match kepler_compliance::numbers::to_json(data) {
            Ok(data) => {
                let mut text = format!("{retry}id: {number}\nevent: {name}\ndata: ").into_bytes();
                text.extend_from_slice(&data);
                text.extend_from_slice(b"\n\n");
                text.into()
            }
            Err(error) => format!(": the event is not JSON: {error}\n\n").into(),
        }
    }
}

impl http_body::Body for Stream {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        loop {
            if self.stopped.load(Ordering::Relaxed) {
                return Poll::Ready(None);
            }
            let text = match self.newest() {
                Some((number, event)) => {
                    self.seen = Some(number);
                    Some(event)
                }
                None if self.spoke.elapsed() >= self.heartbeat => Some(Bytes::from_static(b": alive\n\n")),
                None => None,
            };
            if let Some(text) = text {
                self.spoke = Instant::now();
                return Poll::Ready(Some(Ok(Frame::data(text))));
            }
            ready!(self.look.poll_tick(cx));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_a_level_in_the_parameter_and_in_its_schema() {
        let names = WorkloadKind::MEASURED.map(WorkloadKind::name).join("|");
        let schema = serde_json::to_string(&schemars::schema_for!(EventsQuery)).unwrap();
        assert!(
            schema.contains(&format!("(node|{names})*")) || schema.contains(&format!(",(node|{names})")),
            "{schema}"
        );
        let all = format!("node,{}", WorkloadKind::MEASURED.map(WorkloadKind::name).join(","));
        assert_eq!(levels(&all).ok(), Some(WorkloadKind::MEASURED.to_vec()));
        assert!(levels("node,deployment").is_err());
    }
}
