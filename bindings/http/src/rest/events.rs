//! `/api/v1/events`: a snapshot at each measurement, as server-sent events (HTML Living Standard 9.2).
//!
//! An event is made when the client can take one, from the newest snapshot there is then. One that is slow
//! misses snapshots and holds none of them up; one that takes nothing is cut off by the server's write
//! time-out.

use super::node::{Node, latest};
use super::problem::{Kind, Problem};
use super::workload::{Container, Pod, Process, Unit, Vm};
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
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
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

/// Rows of a level in an event at most.
const MOST: usize = 1000;

/// What is shown of each snapshot.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct EventsQuery {
    /// The levels, separated by commas: `node`, `process`, `container`, `pod`, `vm`, `unit`.
    #[serde(default = "node")]
    #[schemars(
        with = "String",
        pattern("^(node|process|container|pod|vm|unit)(,(node|process|container|pod|vm|unit))*$")
    )]
    level: String,
    /// How many workloads of a level at most.
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

/// The data of an event: the levels that were asked for.
#[derive(Serialize, JsonSchema)]
pub(super) struct Event<'a> {
    #[serde(flatten)]
    node: Node<'a>,
    /// Processes, if asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    processes: Option<Vec<Row<Process<'a>>>>,
    /// Containers, if asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    containers: Option<Vec<Row<Container<'a>>>>,
    /// Pods, if asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pods: Option<Vec<Row<Pod<'a>>>>,
    /// Virtual machines, if asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    vms: Option<Vec<Row<Vm<'a>>>>,
    /// Systemd units and slices, if asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    units: Option<Vec<Row<Unit<'a>>>>,
}

const LEVELS: [&str; 6] = ["node", "process", "container", "pod", "vm", "unit"];

pub(super) async fn answer(State(shared): Asked, RawQuery(text): RawQuery) -> Result<Response, Problem> {
    let asked: EventsQuery = query::read(text.as_deref())?;
    query::within("limit", asked.limit, MOST)?;
    let levels = asked.level.split(',').map(|level| {
        LEVELS.iter().find(|known| **known == level.trim()).copied().ok_or_else(|| {
            let reason = format!("level: unknown `{level}`, expected {}", LEVELS.join(", "));
            Problem::new(Kind::BadParameter, reason).parameter("level")
        })
    });
    let levels = levels.collect::<Result<Vec<_>, _>>()?;
    let Ok(place) = Arc::clone(&shared.streams).try_acquire_owned() else {
        let most = shared.options.streams;
        return Err(Problem::new(Kind::Busy, format!("{most} streams are open, and there may be no more")));
    };
    latest(&shared)?;
    let mut look = tokio::time::interval(LOOK);
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
    levels: Vec<&'static str>,
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
    fn event(&self, snapshot: &Snapshot) -> Bytes {
        let node_name = &self.exporter.options().node_name;
        let has = |level| self.levels.contains(&level);
        let choice = &self.choice;
        let event = Event {
            node: Node::of(snapshot, node_name),
            processes: has("process").then(|| choose(snapshot, &snapshot.processes, choice).1),
            containers: has("container").then(|| choose(snapshot, &snapshot.containers, choice).1),
            pods: has("pod").then(|| choose(snapshot, &snapshot.pods, choice).1),
            vms: has("vm").then(|| choose(snapshot, &snapshot.vms, choice).1),
            units: has("unit").then(|| choose(snapshot, &snapshot.units, choice).1),
        };
        // The time after which a client whose stream broke asks again, once is enough.
        let retry = if self.seen.is_none() { "retry: 3000\n" } else { "" };
        match serde_json::to_string(&event) {
            Ok(data) => format!("{retry}id: {}\nevent: snapshot\ndata: {data}\n\n", snapshot.sequence).into(),
            Err(error) => format!(": the snapshot is not JSON: {error}\n\n").into(),
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
            let newest = self.exporter.feed().latest().filter(|snapshot| Some(snapshot.sequence) != self.seen);
            let text = match newest {
                Some(snapshot) => {
                    let event = self.event(&snapshot);
                    self.seen = Some(snapshot.sequence);
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
