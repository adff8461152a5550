//! How a fleet of exporters fares.

use super::known_node::KnownNode;
use super::roster::Roster;
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How finding and polling fared so far.
#[derive(Debug, Default)]
pub(super) struct Progress {
    pub(super) polls: u64,
    last_poll: Option<(Instant, Duration)>,
    listed_at: Option<Timestamp>,
    /// Why it is not known now which exporters there are.
    unlisted: Option<String>,
    faults: BTreeMap<&'static str, u64>,
}

impl Progress {
    pub(super) fn listed(&mut self, now: Timestamp) {
        (self.listed_at, self.unlisted) = (Some(now), None);
    }

    pub(super) fn not_listed(&mut self, fault: &'static str, reason: String) {
        *self.faults.entry(fault).or_default() += 1;
        self.unlisted = Some(reason);
    }

    pub(super) fn unlisted(&self) -> Option<&str> {
        self.unlisted.as_deref()
    }

    pub(super) fn polled(&mut self, took: Duration) {
        self.polls += 1;
        self.last_poll = Some((Instant::now(), took));
    }
}

/// A fleet at one moment.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Fleet {
    /// Each exporter that is listed, or was as long as its figures are kept; and each node that has none.
    pub nodes: Vec<FleetNode>,
    /// Polls so far.
    pub polls: u64,
    /// How long the last one took.
    pub last_poll: Option<Duration>,
    /// How long ago it ended.
    pub since_poll: Option<Duration>,
    /// Exporters that failed in polls, by kind of fault.
    pub poll_faults: Vec<(&'static str, u64)>,
    /// When it was last known which exporters there are.
    pub listed_at: Option<Timestamp>,
    /// Why that is not known now.
    pub unlisted: Option<String>,
    /// How often that could not be found out, by kind of fault.
    pub list_faults: Vec<(&'static str, u64)>,
    /// Workloads that are known.
    pub workloads: usize,
    /// Points of counters that are kept.
    pub points: usize,
}

/// A node of a fleet.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FleetNode {
    /// Its name, where that is known.
    pub name: Option<Arc<str>>,
    /// Where its exporter is; none on a node without one.
    pub address: Option<String>,
    /// How it fares.
    pub state: NodeState,
    /// When it answered last.
    pub last_success: Option<Timestamp>,
    /// Why the last poll brought nothing.
    pub fault: Option<String>,
    /// What the cluster says of it.
    pub known: Option<KnownNode>,
}

/// How a node fares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum NodeState {
    /// It is listed and was not polled yet.
    Waiting,
    /// It answered the last poll.
    Scraped,
    /// It did not.
    Failing,
    /// It is no longer listed.
    Gone,
    /// It has no exporter.
    WithoutExporter,
}

impl NodeState {
    /// All of them.
    pub const ALL: [NodeState; 5] =
        [NodeState::Waiting, NodeState::Scraped, NodeState::Failing, NodeState::Gone, NodeState::WithoutExporter];

    /// A fixed word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            NodeState::Waiting => "waiting",
            NodeState::Scraped => "scraped",
            NodeState::Failing => "failing",
            NodeState::Gone => "gone",
            NodeState::WithoutExporter => "without_exporter",
        }
    }
}

impl Fleet {
    pub(super) fn of(progress: &Progress, roster: &mut Roster) -> Self {
        let (workloads, points) =
            roster.nodes_mut().fold((0, 0), |(rows, points), node| (rows + node.rows(), points + node.points()));
        let roster = &*roster;
        let node = |tracked: &super::roster::Tracked| {
            let (node, target) = (&tracked.node, &tracked.target);
            let state = match (tracked.gone, &node.fault, node.newest()) {
                (Some(_), ..) => NodeState::Gone,
                (None, Some(_), _) => NodeState::Failing,
                (None, None, Some(_)) => NodeState::Scraped,
                (None, None, None) => NodeState::Waiting,
            };
            let name = target.node.as_ref().or(node.name());
            let known = name.and_then(|name| roster.known.iter().find(|known| known.name == *name)).cloned();
            FleetNode {
                name: node.name().or(target.node.as_ref()).cloned(),
                address: Some(target.address()),
                state,
                last_success: node.newest(),
                fault: node.fault.clone(),
                known,
            }
        };
        let without = |known: &KnownNode| FleetNode {
            name: Some(Arc::clone(&known.name)),
            address: None,
            state: NodeState::WithoutExporter,
            last_success: None,
            fault: None,
            known: Some(known.clone()),
        };
        let counts =
            |faults: &BTreeMap<&'static str, u64>| faults.iter().map(|(&fault, &count)| (fault, count)).collect();
        Fleet {
            nodes: roster.tracked.iter().map(node).chain(roster.without().map(without)).collect(),
            polls: progress.polls,
            last_poll: progress.last_poll.map(|(_, took)| took),
            since_poll: progress.last_poll.map(|(at, _)| at.elapsed()),
            poll_faults: counts(&roster.faults),
            listed_at: progress.listed_at,
            unlisted: progress.unlisted.clone(),
            list_faults: counts(&progress.faults),
            workloads,
            points,
        }
    }
}
