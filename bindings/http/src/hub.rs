//! How a hub fares: a program that measures nothing itself and answers for the nodes it asks.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Tells how a hub fares whenever it is asked. In [`ExportOptions`](crate::ExportOptions) it makes the exporter a hub's: no
/// energy of a node, but the state of all nodes.
#[derive(Clone)]
pub struct Hub(Arc<dyn Fn() -> HubStatus + Send + Sync>);

impl Hub {
    /// A hub whose state `status` tells.
    pub fn new(status: impl Fn() -> HubStatus + Send + Sync + 'static) -> Self {
        Hub(Arc::new(status))
    }

    /// Its state now.
    #[must_use]
    pub fn status(&self) -> HubStatus {
        (self.0)()
    }
}

impl fmt::Debug for Hub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hub(…)")
    }
}

/// The state of a hub.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct HubStatus {
    /// Where its figures come from.
    pub source: String,
    /// How it polls; none where it asks a server at each question.
    pub polling: Option<Polling>,
    /// Its nodes.
    pub nodes: Vec<HubNode>,
}

/// How a hub polls its nodes.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Polling {
    /// Polls of all nodes so far.
    pub polls: u64,
    /// The time between two.
    pub interval: Duration,
    /// How long the last one took.
    pub last: Option<Duration>,
    /// When it ended, seconds ago.
    pub age: Option<Duration>,
    /// Nodes that failed in polls, by kind of fault.
    pub faults: Vec<(&'static str, u64)>,
    /// How long ago it was known which nodes there are.
    pub listed: Option<Duration>,
    /// Why that is not known now.
    pub unlisted: Option<String>,
    /// How often it could not be found out, by kind of fault.
    pub list_faults: Vec<(&'static str, u64)>,
    /// Workloads that are known.
    pub workloads: usize,
    /// Points of counters that are kept.
    pub points: usize,
}

/// A node of a hub.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct HubNode {
    /// Its name; its address where that is not known yet.
    pub name: String,
    /// Where its exporter is; none on a node without one.
    pub address: Option<String>,
    /// `scraped`, `failing`, `waiting`, `gone` or `without_exporter`.
    pub state: &'static str,
    /// How long ago it answered.
    pub age: Option<Duration>,
    /// Why it did not.
    pub fault: Option<String>,
    /// The region it is in.
    pub region: Option<String>,
    /// The zone of that.
    pub zone: Option<String>,
    /// What machine it is.
    pub instance_type: Option<String>,
}

/// Each state a node may be in.
pub(crate) const STATES: [&str; 5] = ["scraped", "failing", "waiting", "gone", "without_exporter"];

impl HubStatus {
    /// This state with a change, as in `HubStatus::default().with(|status| status.source = source)`.
    #[must_use]
    pub fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    pub(crate) fn count(&self, state: &str) -> usize {
        self.nodes.iter().filter(|node| node.state == state).count()
    }
}
