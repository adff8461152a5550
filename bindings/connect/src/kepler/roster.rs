//! The exporters that are there, those that were, and which nodes that leaves out.

use super::known_node::KnownNode;
use super::node::{Node, overlap};
use super::owners::Owners;
use super::target::Target;
use crate::energy::skipped;
use jiff::Timestamp;
use kepler_compliance::series::span;
use kepler_compliance::view::{Skipped, TimeRange};
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

/// An exporter, and what was read of it.
#[derive(Debug)]
pub(super) struct Tracked {
    /// Of this view, never given twice.
    pub(super) id: u64,
    pub(super) target: Target,
    pub(super) node: Node,
    /// When it was first listed; `None` if from the beginning.
    since: Option<Timestamp>,
    /// When it was no longer listed.
    pub(super) gone: Option<Timestamp>,
}

impl Tracked {
    /// The name by which it is reported missing.
    pub(super) fn what(&self) -> String {
        let known = self.target.node.as_ref().or_else(|| self.node.name().filter(|_| self.target.may_repeat));
        known.map_or_else(|| self.target.address(), ToString::to_string)
    }

    /// How much of `range` it is expected to cover: until it was gone, unless its node `is_there` still.
    fn expected(&self, range: TimeRange, is_there: bool) -> Duration {
        let start = self.since.map_or(range.start, |since| since.max(range.start));
        let gone = self.gone.filter(|_| !is_there);
        span(start, gone.map_or(range.end, |gone| gone.min(range.end)))
    }

    /// Whether it is, or was, the exporter of this node.
    fn is_of(&self, known: &KnownNode) -> bool {
        [self.target.node.as_ref(), self.node.name()].into_iter().flatten().any(|name| *name == known.name)
    }
}

/// All exporters of a view.
#[derive(Debug, Default)]
pub(super) struct Roster {
    pub(super) tracked: Vec<Tracked>,
    next: u64,
    /// The nodes that the cluster has, where that is known.
    pub(super) known: Vec<KnownNode>,
    /// What stands above the controllers that pods show.
    pub(super) owners: Owners,
    /// How often a poll failed, by kind of fault.
    pub(super) faults: BTreeMap<&'static str, u64>,
    /// Whether it was ever said which there are.
    is_listed: bool,
}

/// What can be answered for a range.
pub(super) struct Selection<'a> {
    /// The nodes with figures, and of what part of it.
    pub(super) nodes: Vec<(&'a Node, TimeRange)>,
    pub(super) left_out: Vec<Skipped>,
    /// The time that all nodes together are expected to cover.
    pub(super) expected: Duration,
}

impl Roster {
    /// Takes over which exporters there are. Those that are gone are kept as long as their figures are.
    pub(super) fn list(&mut self, targets: Vec<Target>, now: Timestamp) {
        let since = self.is_listed.then_some(now);
        self.is_listed = true;
        let mut known: HashSet<u64> = HashSet::with_capacity(targets.len());
        for target in targets {
            let found = self.tracked.iter_mut().find(|tracked| tracked.target.replaces(&target));
            if let Some(tracked) = found {
                // Of several on a node the first one counts.
                if known.insert(tracked.id) {
                    (tracked.target, tracked.gone) = (target, None);
                }
                continue;
            }
            self.next += 1;
            known.insert(self.next);
            self.tracked.push(Tracked { id: self.next, target, node: Node::default(), since, gone: None });
        }
        for tracked in self.tracked.iter_mut().filter(|tracked| !known.contains(&tracked.id)) {
            tracked.gone.get_or_insert(now);
        }
    }

    /// Forgets exporters that were gone before `limit`.
    pub(super) fn forget_before(&mut self, limit: Timestamp) {
        self.tracked.retain(|tracked| tracked.gone.is_none_or(|gone| gone > limit));
    }

    /// Those to poll, the ones that answered last time first: one that hangs delays no other.
    pub(super) fn due(&self) -> Vec<(u64, Target)> {
        let present = self.tracked.iter().filter(|tracked| tracked.gone.is_none());
        let (well, failing): (Vec<_>, Vec<_>) = present.partition(|tracked| tracked.node.fault.is_none());
        // One way to each is enough.
        let mut names: HashSet<Arc<str>> = HashSet::new();
        let is_first = |tracked: &&Tracked| {
            let is_known = tracked.node.name().is_some_and(|name| !names.insert(Arc::clone(name)));
            !(is_known && tracked.target.may_repeat)
        };
        well.into_iter().filter(is_first).chain(failing).map(|tracked| (tracked.id, tracked.target.clone())).collect()
    }

    /// The exporter of this number. Where it says that it is a node whose exporter is gone, it goes on with that one's
    /// figures; its own, if it was there before the other one went, are of the same node.
    pub(super) fn answering(&mut self, id: u64, name: Option<&str>) -> Option<&mut Tracked> {
        let index = self.tracked.iter().position(|tracked| tracked.id == id)?;
        if let Some(name) = name {
            let is_it = |other: &Tracked| {
                other.id != id && other.gone.is_some() && other.node.name().is_some_and(|own| **own == *name)
            };
            if let Some(before) = self.tracked.iter().position(is_it) {
                let before = self.tracked.remove(before);
                let index = self.tracked.iter().position(|tracked| tracked.id == id)?;
                let tracked = self.tracked.get_mut(index)?;
                (tracked.node, tracked.since) = (before.node, before.since);
                return Some(tracked);
            }
        }
        self.tracked.get_mut(index)
    }

    pub(super) fn nodes_mut(&mut self) -> impl Iterator<Item = &mut Node> {
        self.tracked.iter_mut().map(|tracked| &mut tracked.node)
    }

    /// Nodes of the cluster on which no exporter is, nor was lately.
    pub(super) fn without(&self) -> impl Iterator<Item = &KnownNode> {
        let names: HashSet<&Arc<str>> = self
            .tracked
            .iter()
            .flat_map(|tracked| [tracked.target.node.as_ref(), tracked.node.name()])
            .flatten()
            .collect();
        self.known.iter().filter(move |known| !names.contains(&known.name))
    }

    /// All that can be answered for `range`.
    pub(super) fn select(&self, range: TimeRange) -> Selection<'_> {
        let mut selection = Selection { nodes: Vec::new(), left_out: Vec::new(), expected: Duration::ZERO };
        let mut names: HashSet<&Arc<str>> = HashSet::new();
        let spare = self.spare_family();
        let mut order: Vec<&Tracked> = self.tracked.iter().collect();
        order.sort_by_key(|tracked| tracked.target.may_repeat && tracked.node.fault.is_some());
        for tracked in order {
            let (node, fault) = (&tracked.node, &tracked.node.fault);
            let repeats = node.name().filter(|&name| !names.insert(name));
            if tracked.target.may_repeat && (repeats.is_some() || spare(tracked)) {
                continue;
            }
            let covered = node.covered(range);
            if tracked.gone.is_some() && covered.is_none() {
                continue;
            }
            let is_there = tracked.gone.is_some() && self.known.iter().any(|known| tracked.is_of(known));
            selection.expected += tracked.expected(range, is_there);
            let mut leave_out = |reason: String| selection.left_out.push(skipped(tracked.what(), reason));
            if let Some(name) = repeats {
                leave_out(format!("it answers for node `{name}`, as another address does: name each exporter once"));
                continue;
            }
            if let Some(note) = node.left_out() {
                leave_out(note);
            }
            match (covered, fault) {
                (Some(covered), fault) => {
                    selection.nodes.push((node, covered));
                    match (tracked.gone, fault) {
                        (Some(gone), _) => leave_out(format!("its exporter is no longer listed since {gone:.0}")),
                        (None, Some(fault)) => leave_out(format!("since its last good answer: {fault}")),
                        (None, None) => {}
                    }
                }
                (None, Some(fault)) => leave_out(fault.clone()),
                (None, None) if node.name().is_none() => leave_out("it was not polled yet".into()),
                (None, None) => leave_out("it was not polled before and within this time: wait for two polls".into()),
            }
        }
        for known in self.without() {
            selection.expected += range.length();
            selection.left_out.push(skipped(known.name.to_string(), "no exporter is listed on this node"));
        }
        selection
    }

    /// Addresses of a family none of which has answered, while as many of the other one have: other ways to the same
    /// exporters, that do not lead there from here.
    fn spare_family(&self) -> impl Fn(&Tracked) -> bool {
        let mut count = [[0_usize; 2]; 2];
        for tracked in self.tracked.iter().filter(|tracked| tracked.target.may_repeat && tracked.gone.is_none()) {
            let (family, answered) =
                (usize::from(tracked.target.is_ipv6()), usize::from(tracked.node.name().is_some()));
            if let Some(count) = count.get_mut(family).and_then(|family| family.get_mut(answered)) {
                *count += 1;
            }
        }
        let [[silent4, known4], [silent6, known6]] = count;
        let (spare4, spare6) = (known4 == 0 && known6 >= silent4, known6 == 0 && known4 >= silent6);
        move |tracked| tracked.node.name().is_none() && if tracked.target.is_ipv6() { spare6 } else { spare4 }
    }
}

/// The part of a range that a node covers, for those that were there.
pub(super) fn share(covered: impl IntoIterator<Item = Duration>, expected: Duration) -> f64 {
    let seconds: f64 = covered.into_iter().map(|time| time.as_secs_f64()).sum();
    if expected.is_zero() { 0.0 } else { (seconds / expected.as_secs_f64()).clamp(0.0, 1.0) }
}

/// The part of `range` that a node's readings speak for.
pub(super) fn part_of(node: &Node, covered: TimeRange, range: TimeRange) -> Option<TimeRange> {
    overlap(range, covered).filter(|_| node.read_in(range))
}
