//! Answers from the recorded readings.

use super::KeplerView;
use super::node::{Node, overlap};
use crate::energy::{EXPORTER_INTERVAL, hull, is, plus, rows};
use kepler_compliance::series::{Series, Step};
use kepler_compliance::view::{
    EnergySeries, EnergyView, Inventory, NewestReading, Subject, TimeRange, Usage, ViewError, WorkloadKind,
};
use kepler_core::meter::Method;
use std::sync::Arc;
use std::time::Duration;

fn check(range: TimeRange, step: Duration) -> Result<(), ViewError> {
    if range.start < range.end && !step.is_zero() { Ok(()) } else { Err(ViewError::Invalid { range, step }) }
}

impl EnergyView for KeplerView {
    fn name(&self) -> &str {
        &self.name
    }

    fn inventory(&self, range: TimeRange) -> Result<Arc<Inventory>, ViewError> {
        check(range, Duration::from_secs(1))?;
        let state = self.state();
        let (selected, left_out) = self.select(&state, range);
        let Some(covered) = hull(selected.iter().map(|&(_, covered)| covered)) else {
            return Err(self.nothing(&state, range, &left_out));
        };
        let coverage = coverage(selected.iter().map(|(_, covered)| covered.length()), self.urls.len(), range);
        let mut inventory = Inventory::new(format!("poll {}", state.polls), range, covered, coverage);
        inventory.skipped = left_out;
        for (node, covered) in selected {
            let Some(name) = node.name() else { continue };
            let figures = node.figures(covered);
            let method = figures.sources.method();
            let energy = figures.into_node(name.clone(), covered);
            inventory.workloads.extend(rows(&energy, method, node.workloads(covered, |_| true)));
            inventory.nodes.push(energy);
        }
        Ok(Arc::new(inventory))
    }

    fn series(&self, subject: &Subject, range: TimeRange, step: Duration) -> Result<EnergySeries, ViewError> {
        check(range, step)?;
        let state = self.state();
        let (mut selected, left_out) = self.select(&state, range);
        if selected.is_empty() {
            return Err(self.nothing(&state, range, &left_out));
        }
        let mut expected = self.urls.len();
        if let Subject::Node(wanted) = subject {
            selected.retain(|(node, _)| node.name() == Some(wanted));
            expected = 1;
        }
        let spacing = selected.iter().filter_map(|(node, _)| node.spacing()).max().unwrap_or_default();
        let step = whole_multiple(step, spacing);
        let (mut steps, mut method, mut covered_times) = (Vec::new(), Method::Measured, Vec::new());
        let mut start = range.start;
        while start < range.end {
            let end = start.checked_add(step).map_or(range.end, |end| end.min(range.end));
            let whole = TimeRange { start, end };
            let parts = selected.iter().filter_map(|&(node, covered)| {
                let part = overlap(whole, covered).filter(|_| node.read_in(whole))?;
                Some((part, usage(node, part, subject)?, node.figures(part).sources.method()))
            });
            let parts: Vec<_> = parts.collect();
            if let Some(covered) = hull(parts.iter().map(|&(part, ..)| part)) {
                let value = parts.iter().fold(Usage::default(), |sum, (_, usage, _)| plus(&sum, usage));
                method = parts.iter().fold(method, |worst, &(.., method)| worst.weaker(method));
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
            expected = selected.iter().filter(|&&(node, covered)| usage(node, covered, subject).is_some()).count();
        }
        let steps = Series::new(steps).map_err(|error| nothing(&error.to_string()))?;
        let mut series = EnergySeries::new(steps, method, format!("poll {}", state.polls));
        series.coverage = coverage(covered_times, expected, range);
        series.resolution = spacing.min(EXPORTER_INTERVAL);
        Ok(series)
    }

    fn newest(&self) -> Option<NewestReading> {
        let state = self.state();
        let newest =
            state.nodes.iter().filter_map(|node| Some((node.newest()?, node.spacing()))).max_by_key(|of| of.0)?;
        Some(NewestReading::new(newest.0, newest.1.unwrap_or_default()))
    }
}

/// What `subject` used on a node; none if it was not there.
fn usage(node: &Node, range: TimeRange, subject: &Subject) -> Option<Usage> {
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
    workloads.iter().map(|figures| figures.usage()).reduce(|a, b| plus(&a, &b))
}

fn coverage(covered: impl IntoIterator<Item = Duration>, expected: usize, range: TimeRange) -> f64 {
    let seconds: f64 = covered.into_iter().map(|time| time.as_secs_f64()).sum();
    (seconds / (expected.max(1) as f64 * range.length().as_secs_f64())).clamp(0.0, 1.0)
}

/// `step`, or the smallest multiple of it that is not shorter than `spacing`.
fn whole_multiple(step: Duration, spacing: Duration) -> Duration {
    let times = spacing.as_nanos().div_ceil(step.as_nanos().max(1)).max(1);
    u32::try_from(times).ok().and_then(|times| step.checked_mul(times)).unwrap_or(spacing)
}
