//! Answers from the recorded readings.

use super::KeplerView;
use super::node::Node;
use super::roster::{Selection, part_of, share};
use crate::energy::{EXPORTER_INTERVAL, hull, is, plus, rows};
use kepler_compliance::choices::{ChoiceSource, Choices};
use kepler_compliance::series::{Series, Step};
use kepler_compliance::units::Energy;
use kepler_compliance::view::{
    EnergySeries, EnergyView, Inventory, NewestReading, StepUsage, Subject, TimeRange, ViewError, WorkloadKind,
};
use kepler_core::meter::Method;
use std::sync::Arc;
use std::time::Duration;

fn check(range: TimeRange, step: Duration) -> Result<(), ViewError> {
    if range.start < range.end && !step.is_zero() { Ok(()) } else { Err(ViewError::Invalid { range, step }) }
}

/// What pods say, as their exporters show it, and the regions of nodes, where the cluster was asked.
impl ChoiceSource for KeplerView {
    fn choices(&self) -> Choices {
        let state = self.state();
        let mut choices = Choices::default();
        for tracked in &state.roster.tracked {
            let pods = tracked.node.annotated().map(|(uid, annotations)| (Arc::clone(uid), annotations.to_vec()));
            choices.pods.extend(pods);
            let labels = tracked.node.labelled().map(|(uid, labels)| (Arc::clone(uid), labels.to_vec()));
            choices.labels.extend(labels);
        }
        let located = state.roster.known.iter().filter_map(|node| Some((Arc::clone(&node.name), node.region.clone()?)));
        choices.regions.extend(located);
        choices
    }
}

impl EnergyView for KeplerView {
    fn name(&self) -> &str {
        &self.name
    }

    fn inventory(&self, range: TimeRange) -> Result<Arc<Inventory>, ViewError> {
        check(range, Duration::from_secs(1))?;
        let state = self.state();
        let Selection { nodes: selected, left_out, expected } = self.select(&state, range);
        let Some(covered) = hull(selected.iter().map(|&(_, covered)| covered)) else {
            return Err(self.nothing(&state, range, &left_out));
        };
        let coverage = share(selected.iter().map(|(_, covered)| covered.length()), expected);
        let mut inventory = Inventory::new(format!("poll {}", state.progress.polls), range, covered, coverage);
        inventory.skipped = left_out;
        for (node, covered) in selected {
            let Some(name) = node.name() else { continue };
            let figures = node.figures(covered);
            let mut energy = figures.into_node(name.clone(), covered);
            energy.platform = node.platform(covered);
            let mut workloads = node.workloads(covered, |_| true);
            for pod in workloads.iter_mut().filter(|row| row.owner.is_some()) {
                let namespace = pod.identity.namespace.as_ref();
                pod.owner = pod.owner.take().map(|shown| state.roster.owners.top(namespace, shown));
            }
            inventory.workloads.extend(rows(&energy, workloads));
            inventory.nodes.push(energy);
        }
        Ok(Arc::new(inventory))
    }

    fn series(&self, subject: &Subject, range: TimeRange, step: Duration) -> Result<EnergySeries, ViewError> {
        check(range, step)?;
        let state = self.state();
        let Selection { nodes: mut selected, left_out, mut expected } = self.select(&state, range);
        if selected.is_empty() {
            return Err(self.nothing(&state, range, &left_out));
        }
        if let Subject::Node(wanted) = subject {
            selected.retain(|(node, _)| node.name() == Some(wanted));
            expected = range.length();
        }
        let spacing = selected.iter().filter_map(|(node, _)| node.spacing()).max().unwrap_or_default();
        let step = whole_multiple(step, spacing);
        let (mut steps, mut methods, mut covered_times) = (Vec::new(), Vec::new(), Vec::new());
        let mut start = range.start;
        while start < range.end {
            let end = start.checked_add(step).map_or(range.end, |end| end.min(range.end));
            let whole = TimeRange { start, end };
            let parts = selected.iter().filter_map(|&(node, covered)| {
                let part = part_of(node, covered, whole)?;
                let used = usage(node, part, subject)?;
                Some((part, used, node.figures(part).sources.method_of(&used.energy)))
            });
            let parts: Vec<_> = parts.collect();
            if let Some(covered) = hull(parts.iter().map(|&(part, ..)| part)) {
                let value = parts.iter().fold(StepUsage::default(), |sum, (_, usage, _)| plus(&sum, usage));
                methods.extend(
                    parts.iter().map(|(_, usage, method)| (usage.energy.total().map_or(0.0, Energy::joules), *method)),
                );
                covered_times.extend(parts.iter().map(|(part, ..)| part.length()));
                steps.push(Step { start: covered.start, end: covered.end, value });
            }
            start = end;
        }
        let nothing = |reason: &str| ViewError::NoData { origin: self.name.clone(), range, reason: reason.into() };
        if steps.is_empty() {
            return Err(nothing("no workload or node of that name was seen in this time"));
        }
        if !matches!(subject, Subject::Cluster | Subject::Node(_)) {
            // Only nodes on which it was seen are expected to tell of it.
            let seen = selected.iter().filter(|&&(node, covered)| usage(node, covered, subject).is_some()).count();
            expected = range.length().saturating_mul(u32::try_from(seen).unwrap_or(u32::MAX));
        }
        let steps = Series::new(steps).map_err(|error| nothing(&error.to_string()))?;
        let method = Method::of_sum(methods).unwrap_or(Method::Measured);
        let mut series = EnergySeries::new(steps, method, format!("poll {}", state.progress.polls));
        series.coverage = share(covered_times, expected);
        series.resolution = spacing.min(EXPORTER_INTERVAL);
        Ok(series)
    }

    fn newest(&self) -> Option<NewestReading> {
        let state = self.state();
        let nodes = state.roster.tracked.iter().map(|tracked| &tracked.node);
        let newest = nodes.filter_map(|node| Some((node.newest()?, node.spacing()))).max_by_key(|of| of.0)?;
        Some(NewestReading::new(newest.0, newest.1.unwrap_or_default()))
    }
}

/// What `subject` used on a node; none if it was not there.
fn usage(node: &Node, range: TimeRange, subject: &Subject) -> Option<StepUsage> {
    let name = node.name()?;
    let workloads = match subject {
        Subject::Cluster | Subject::Node(_) => {
            return Some(node.figures(range).usage());
        }
        Subject::Namespace(namespace) => node.workloads(range, |identity| {
            identity.kind == WorkloadKind::Pod && identity.namespace.as_ref() == Some(namespace)
        }),
        Subject::Workloads(ids) => node.workloads(range, |identity| ids.iter().any(|id| is(id, identity, name))),
        _ => return None,
    };
    let sources = node.figures(range).sources;
    workloads.iter().map(|figures| sources.total(figures.usage())).reduce(|a, b| plus(&a, &b))
}

/// `step`, or the smallest multiple of it that is not shorter than `spacing`.
fn whole_multiple(step: Duration, spacing: Duration) -> Duration {
    let times = spacing.as_nanos().div_ceil(step.as_nanos().max(1)).max(1);
    u32::try_from(times).ok().and_then(|times| step.checked_mul(times)).unwrap_or(spacing)
}
