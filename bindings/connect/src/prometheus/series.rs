//! Energy over time, by range queries.

use super::api::{Row, When};
use super::promql::Matchers;
use super::{PrometheusView, figures_of};
use crate::energy::{
    EXPORTER_INTERVAL, Identity, IdentityLabels, Level, METRICS, Metric, NodeFigures, Quantity, SOURCE_ERROR,
    SOURCE_INFO, Sources, WorkloadFigures, is, plus,
};
use jiff::Timestamp;
use kepler_compliance::series::{Series, Step};
use kepler_compliance::view::{
    EnergySeries, EnergySplit, StepUsage, Subject, TimeRange, ViewError, WorkloadId, WorkloadKind,
};
use kepler_core::meter::Method;
use kepler_core::metric_names;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

/// Points of a series that Prometheus gives at most.
const MOST_POINTS: u32 = 11_000;
/// Least number of scrape intervals in a step: it has two samples even where one is late.
const INTERVALS: u32 = 3;

/// Prometheus counts in milliseconds.
const SHORTEST: Duration = Duration::from_millis(1);

/// The label that pods of a namespace have, unless they were named late.
const NAMESPACE: &str = "pod_namespace";

/// What was used in each step: by its start, with its end.
type Steps = BTreeMap<Timestamp, (Timestamp, StepUsage)>;

/// Whose metrics answer for a subject, and which rows of them.
struct Question<'a> {
    level: Level,
    matchers: Matchers,
    /// All that match, if there are none.
    ids: Cow<'a, [WorkloadId]>,
}

impl<'a> Question<'a> {
    fn of_all(level: Level, matchers: Matchers) -> Self {
        Question { level, matchers, ids: Cow::default() }
    }

    /// Of these workloads, all of one kind; none if there are none.
    fn of_workloads(matchers: Matchers, ids: Cow<'a, [WorkloadId]>) -> Option<Self> {
        let kind = ids.first()?.kind;
        let nodes: BTreeSet<&str> = ids.iter().map(|id| &*id.node).collect();
        let uids: BTreeSet<&str> = ids.iter().map(|id| &*id.uid).collect();
        let matchers = matchers.one_of("node_name", nodes).one_of(IdentityLabels::of(kind).uid, uids);
        Some(Question { level: Level::Workload(kind), matchers, ids })
    }
}

impl PrometheusView {
    pub(super) fn energy_series(
        &self,
        subject: &Subject,
        range: TimeRange,
        step: Duration,
    ) -> Result<EnergySeries, ViewError> {
        let nodes = self.nodes(range)?;
        let matchers = nodes.counted(&self.matchers);
        let questions = self.questions(&matchers, subject, range)?;
        let step = fit(step, range.length(), nodes.interval);
        let mut usage: Steps = BTreeMap::new();
        for question in &questions {
            let mut own = self.steps(question, range.start, step, whole_steps(range, step))?;
            let rest = TimeRange { start: after(range.start, step, whole_steps(range, step)), end: range.end };
            // A rest too short for two samples stays a gap.
            if rest.length() >= nodes.interval.saturating_mul(INTERVALS) {
                own.extend(self.steps(question, rest.start, rest.length(), 1)?);
            }
            for (start, (end, more)) in own {
                usage.entry(start).and_modify(|(_, sum)| *sum = plus(sum, &more)).or_insert((end, more));
            }
        }
        let sources = self.sources(subject, matchers, range)?;
        // Nodes are one sum here: the platform stands for its parts where it does on all of them.
        let total = |usage| match sources.values().next() {
            Some(first) if sources.values().all(Sources::prefers_platform) => first.total(usage),
            _ => usage,
        };
        let steps = usage.into_iter().map(|(start, (end, value))| Step { start, end, value: total(value) });
        let nothing = |reason: &str| self.no_data(range, reason.into());
        let steps = Series::new(steps.collect()).map_err(|error| nothing(&error.to_string()))?;
        if steps.steps().is_empty() {
            return Err(nothing("it has no samples of that name in this time"));
        }
        let covered: f64 = steps.steps().iter().map(|step| step.length().as_secs_f64()).sum();
        let of_time = (covered / range.length().as_secs_f64()).min(1.0);
        // Nodes are one sum here: each is taken to have what all have together.
        let used = steps.steps().iter().fold(EnergySplit::default(), |sum, step| sum.plus(&step.value.energy));
        let of_each = sources.values().map(|source| source.method_of(&used));
        let method = of_each.fold(Method::Measured, Method::weaker);
        let mut series = EnergySeries::new(steps, method, nodes.moment());
        series.coverage = match subject {
            Subject::Cluster => of_time.min(nodes.coverage(range, |_| true)),
            _ => of_time,
        };
        series.resolution = nodes.interval.min(EXPORTER_INTERVAL);
        Ok(series)
    }

    /// What to ask for a subject. No series answers two of the questions.
    fn questions<'a>(
        &self,
        matchers: &Matchers,
        subject: &'a Subject,
        range: TimeRange,
    ) -> Result<Vec<Question<'a>>, ViewError> {
        let matchers = matchers.clone();
        let questions: Vec<_> = match subject {
            Subject::Cluster => vec![Question::of_all(Level::Node, matchers)],
            Subject::Node(node) => vec![Question::of_all(Level::Node, matchers.equal("node_name", node))],
            Subject::Namespace(namespace) => {
                let late = self.named_late(&matchers, namespace, range)?;
                let unnamed = matchers.clone().equal(NAMESPACE, "");
                let named = Question::of_all(Level::Workload(WorkloadKind::Pod), matchers.equal(NAMESPACE, namespace));
                [named].into_iter().chain(Question::of_workloads(unnamed, late.into())).collect()
            }
            Subject::Workloads(ids) => Question::of_workloads(matchers, ids.into()).into_iter().collect(),
            _ => Vec::new(),
        };
        if questions.is_empty() {
            return Err(self.no_data(range, "no workload is named".into()));
        }
        Ok(questions)
    }

    /// Pods of a namespace whose series of energy do not say so: they began before Kubernetes told their names, which
    /// are told beside them. Of Go Kepler there are none.
    fn named_late(&self, matchers: &Matchers, namespace: &str, range: TimeRange) -> Result<Vec<WorkloadId>, ViewError> {
        let window = super::duration(range.length());
        let pods = |of: String| format!("group by (node_name, pod_id) (last_over_time({of}[{window}]))");
        let unnamed = matchers.clone().equal(NAMESPACE, "");
        let is_energy = |metric: &&Metric| {
            metric.level == Level::Workload(WorkloadKind::Pod) && metric.quantity == Quantity::Joules
        };
        let energy: Vec<_> = METRICS.iter().filter(is_energy).map(|metric| pods(unnamed.of(metric.name))).collect();
        let named = pods(matchers.clone().equal(NAMESPACE, namespace).of(metric_names::POD_INFO));
        let query = format!("({}) and on (node_name, pod_id) {named}", energy.join(" or "));
        let answer = self.api.query(&query, When::At(range.end)).map_err(|error| self.unavailable(&error))?;
        let pod = |row: &Row| {
            let uid = row.label("pod_id").filter(|uid| !uid.is_empty())?;
            Some(WorkloadId::new(WorkloadKind::Pod, uid, uid, row.label("node_name").unwrap_or_default()))
        };
        Ok(answer.rows.iter().filter_map(pod).collect())
    }

    /// What was used in `count` steps from `start`: by their start, with their end.
    fn steps(&self, question: &Question<'_>, start: Timestamp, step: Duration, count: u32) -> Result<Steps, ViewError> {
        let metrics: Vec<&Metric> = METRICS
            .iter()
            .filter(|metric| metric.level == question.level && metric.quantity != Quantity::Watts)
            .collect();
        let when = When::Every { first: after(start, step, 1), last: after(start, step, count), step };
        let queries = metrics.iter().map(|metric| (figures_of(metric, &question.matchers, step), when));
        let answers = self.api.all(&queries.collect::<Vec<_>>()).map_err(|error| self.unavailable(&error))?;
        // By the number of the step, which rounding of times cannot split.
        let mut by_step: HashMap<u32, (NodeFigures, Option<StepUsage>)> = HashMap::new();
        for (metric, row) in
            metrics.iter().zip(&answers).flat_map(|(metric, answer)| answer.rows.iter().map(move |row| (metric, row)))
        {
            for (time, value) in row.points() {
                let passed = (time - start.as_duration().as_secs_f64()) / step.as_secs_f64();
                let (figures, usage) = by_step.entry(passed.round() as u32).or_default();
                match question.level {
                    Level::Node => {
                        if let Some(part) = metric.part(|name| row.label(name)) {
                            figures.add(metric.quantity, part, value);
                        }
                    }
                    Level::Workload(kind) => {
                        if let Some(more) = workload(metric, row, kind, &question.ids, value) {
                            *usage = Some(usage.map_or(more, |sum| plus(&sum, &more)));
                        }
                    }
                }
            }
        }
        let of_step = |(number, (figures, usage)): (u32, (NodeFigures, Option<StepUsage>))| {
            let usage = match question.level {
                Level::Node => figures.usage(),
                Level::Workload(_) => usage?,
            };
            Some((after(start, step, number.checked_sub(1)?), (after(start, step, number), usage)))
        };
        Ok(by_step.into_iter().filter_map(of_step).collect())
    }

    /// Where the figures come from, by node.
    fn sources(
        &self,
        subject: &Subject,
        matchers: Matchers,
        range: TimeRange,
    ) -> Result<BTreeMap<String, Sources>, ViewError> {
        let nodes: BTreeSet<&str> = match subject {
            Subject::Workloads(ids) => ids.iter().map(|id| &*id.node).collect(),
            _ => BTreeSet::new(),
        };
        let matchers = if nodes.is_empty() { matchers } else { matchers.one_of("node_name", nodes) };
        let window = super::duration(range.length());
        let query = |metric| (format!("last_over_time({}[{window}])", matchers.of(metric)), When::At(range.end));
        let answers =
            self.api.all(&[SOURCE_INFO, SOURCE_ERROR].map(query)).map_err(|error| self.unavailable(&error))?;
        let mut sources: BTreeMap<String, Sources> = BTreeMap::new();
        for (metric, answer) in [SOURCE_INFO, SOURCE_ERROR].iter().zip(&answers) {
            for row in &answer.rows {
                let of_node = sources.entry(row.label("node_name").unwrap_or_default().to_owned()).or_default();
                of_node.take(metric, |name| row.label(name), row.value().unwrap_or(f64::NAN));
            }
        }
        Ok(sources)
    }
}

/// What one point of a workload's metric adds, if it is one of `ids`.
fn workload(metric: &Metric, row: &Row, kind: WorkloadKind, ids: &[WorkloadId], value: f64) -> Option<StepUsage> {
    let label = |name: &str| row.label(name);
    let identity = Identity::read(kind, label)?;
    if !ids.is_empty() && !ids.iter().any(|id| is(id, &identity, label("node_name").unwrap_or_default())) {
        return None;
    }
    let mut figures = WorkloadFigures::new(identity);
    figures.add(metric.quantity, metric.part(label)?, value);
    Some(figures.usage())
}

/// `step`, or the smallest multiple of it that holds enough samples and keeps within the limit of points;
/// never longer than the range.
fn fit(step: Duration, length: Duration, interval: Duration) -> Duration {
    let for_points = length.as_nanos().div_ceil(u128::from(MOST_POINTS)).max(SHORTEST.as_nanos());
    let least = interval.saturating_mul(INTERVALS).as_nanos().max(for_points);
    let times = least.div_ceil(step.as_nanos().max(1)).max(1);
    let fitted = u32::try_from(times).ok().and_then(|times| step.checked_mul(times)).unwrap_or(length);
    fitted.min(length)
}

fn whole_steps(range: TimeRange, step: Duration) -> u32 {
    u32::try_from(range.length().as_nanos() / step.as_nanos().max(1)).unwrap_or(u32::MAX)
}

/// The end of step `count` from `start`.
fn after(start: Timestamp, step: Duration, count: u32) -> Timestamp {
    start.checked_add(step.saturating_mul(count)).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn steps_are_whole_multiples_that_hold_three_scrapes() {
        let seconds = Duration::from_secs;
        assert_eq!(fit(seconds(60), seconds(3600), seconds(15)), seconds(60));
        assert_eq!(fit(seconds(20), seconds(3600), seconds(15)), seconds(60));
        assert_eq!(fit(seconds(60), seconds(30), seconds(15)), seconds(30));
        assert_eq!(fit(seconds(1), seconds(86_400 * 30), seconds(15)), seconds(236));
    }

    proptest! {
        #[test]
        fn no_series_has_more_points_than_prometheus_gives(step in 1u64..100_000, length in 1u64..1_000_000_000, interval in 0u64..600_000) {
            let (step, length) = (Duration::from_millis(step), Duration::from_millis(length));
            let fitted = fit(step, length, Duration::from_millis(interval));
            let range = TimeRange { start: Timestamp::UNIX_EPOCH, end: after(Timestamp::UNIX_EPOCH, length, 1) };
            prop_assert!((1..=MOST_POINTS).contains(&whole_steps(range, fitted)));
        }
    }
}
