//! Energy from a Prometheus server that scrapes Kepler: an [`EnergyView`] over its HTTP API.
//!
//! # Requirements
//! The address of a server that speaks the Prometheus HTTP API v1 (Prometheus 2.26 or newer, Thanos,
//! Mimir, VictoriaMetrics), which scrapes Kepler exporters, ours or Go Kepler v0.11, the node level included. Where
//! one server holds several clusters, [`PrometheusOptions::matchers`] choose one.
//!
//! # Figures
//! Joules and CPU seconds are `increase()` over the range, summed over `state` on the server. `increase()`
//! understands resets, and extrapolates to the ends of the range where samples reach near them, which for
//! counters that run through is right on average; so figures are not exact to the joule as those of
//! [`kepler`](crate::kepler) are. A workload counts from its first sample, so what it used before that is
//! missing: with a scrape interval of 15 s, 7.5 s of its life on average. Watts are those at the end of the
//! range, of what runs. Node totals are active + idle, since the total of Go Kepler is a register that wraps.
//!
//! # Limits
//! `increase()` needs two samples: a range shorter than two scrape intervals has no data. Steps of a series
//! are at least three scrape intervals, and as long as it takes to stay within 11,000 points, the server's limit. A node
//! that Prometheus cannot scrape (`up == 0`, same job) is left out with that reason, and coverage falls.
//! A node that Prometheus no longer knows is not expected. Two jobs that scrape one exporter count it twice:
//! choose one with a matcher. Errors and warnings of the server are passed on.
//!
//! # Cost
//! An inventory is 43 instant queries, six at a time; a series six instant queries and one to seven range
//! queries, twice as many of these where the last step is shorter. A series of a namespace is one instant query
//! more, and as many range queries again where pods of it were named late. For a node that came in the last
//! hundredth of a range there are up to three more.
//!
//! ```
//! use jiff::Timestamp;
//! use kepler_compliance::view::{EnergyView, TimeRange};
//! use kepler_connect::prometheus::{PrometheusOptions, PrometheusView};
//! use std::time::Duration;
//!
//! let mut options = PrometheusOptions::default();
//! options.matchers.push(("cluster".to_owned(), "seoul-1".to_owned()));
//! let view = PrometheusView::new("http://127.0.0.1:9", options)?;
//! match view.inventory(TimeRange::ending(Timestamp::now(), Duration::from_secs(3600))) {
//!     Ok(inventory) => println!("{} workloads", inventory.workloads.len()),
//!     Err(error) => println!("{error}"),
//! }
//! # Ok::<(), kepler_connect::http::HttpError>(())
//! ```

mod api;
mod nodes;
mod promql;
mod series;

use crate::energy::{
    Identity, IdentityLabels, Key, Level, METRICS, Metric, NodeFigures, PLATFORM_METRICS, Platforms, Quantity,
    RESOURCES, SOURCE_ERROR, SOURCE_INFO, WorkloadFigures, annotation_of_pod, hull, labels_of_pod, owner_of_pod, rows,
    skipped,
};
use crate::http::{Auth, ClientOptions, Http, HttpError, base_url, shown};
use api::{Answer, ApiError};
#[cfg(feature = "external")]
pub(crate) use api::{Api, When};
#[cfg(not(feature = "external"))]
use api::{Api, When};
use jiff::Timestamp;
use kepler_compliance::choices::{ChoiceSource, Choices};
use kepler_compliance::view::{
    EnergySeries, EnergyView, Inventory, NewestReading, PlatformEnergy, Skipped, Subject, TimeRange, ViewError,
    WorkloadKind,
};
use kepler_core::metric_names;
use nodes::Nodes;
use promql::{Matchers, duration, is_label};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// Labels that tell a node's accelerators apart. Go Kepler's series have them at node level.
const DEVICE_LABELS: [&str; 4] = ["gpu_uuid", "gpu", "gpu_name", "vendor"];

/// How Prometheus is asked.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct PrometheusOptions {
    /// Time-outs and trust.
    pub http: ClientOptions,
    /// For servers that ask who it is.
    pub auth: Auth,
    /// Labels that every series must have, with their values: `cluster`, `job`.
    pub matchers: Vec<(String, String)>,
}

/// Energy as a Prometheus server knows it.
#[derive(Debug)]
pub struct PrometheusView {
    name: String,
    api: Api,
    matchers: Matchers,
}

impl PrometheusView {
    /// For the server at `address`, its base address: `http://prometheus:9090`, or with the path prefix it
    /// runs under.
    ///
    /// # Errors
    /// The address is none, a matcher's label has characters that labels do not have, or the CA bundle cannot
    /// be used.
    pub fn new(address: &str, options: PrometheusOptions) -> Result<Self, HttpError> {
        let base = base_url(address)?;
        let mut matchers = Matchers::default();
        for (label, value) in &options.matchers {
            if !is_label(label) {
                return Err(HttpError::Address { reason: format!("`{label}` is no label to match on") });
            }
            matchers = matchers.equal(label, value);
        }
        let timeout = options.http.timeout;
        let http = Http::new(options.http, base.scheme() == "https")?;
        let name = format!("prometheus {}", shown(&base));
        Ok(PrometheusView { name, api: Api { http, base, auth: options.auth, timeout }, matchers })
    }

    fn unavailable(&self, error: &ApiError) -> ViewError {
        ViewError::Unavailable { origin: self.name.clone(), reason: error.to_string() }
    }

    fn no_data(&self, range: TimeRange, reason: String) -> ViewError {
        ViewError::NoData { origin: self.name.clone(), range, reason: reason.into() }
    }

    /// The series of a query at this moment; none where the server does not answer.
    fn shown_now(&self, query: &str) -> Vec<api::Row> {
        match self.api.query(query, When::At(Timestamp::now())) {
            Ok(answer) => answer.rows,
            Err(error) => {
                tracing::debug!("what pods say is not known: {error}");
                Vec::new()
            }
        }
    }

    /// The nodes with samples in `range`; none is an error.
    fn nodes(&self, range: TimeRange) -> Result<Nodes, ViewError> {
        let nodes = Nodes::ask(&self.api, &self.matchers, range).map_err(|error| self.unavailable(&error))?;
        if nodes.covered.is_empty() {
            let down =
                nodes.skipped.iter().take(3).map(|out| format!("; {}: {}", out.what, out.reason)).collect::<String>();
            let reason = format!(
                "it has no two samples of kepler_node_cpu_joules_total: ask for a time of several scrape intervals, and check that it scrapes Kepler{down}"
            );
            return Err(self.no_data(range, reason));
        }
        Ok(nodes)
    }
}

fn check(range: TimeRange, step: Duration) -> Result<(), ViewError> {
    if range.start < range.end && !step.is_zero() { Ok(()) } else { Err(ViewError::Invalid { range, step }) }
}

/// The query for one metric over `window`: increases of counters, power of what runs.
fn figures_of(metric: &Metric, matchers: &Matchers, window: Duration) -> String {
    let identity = match metric.level {
        Level::Node => None,
        Level::Workload(kind) => Some(IdentityLabels::of(kind)),
    };
    // A workload's series name a device by what does not change only: its number may.
    let of_devices = match (metric.is_of_devices(), metric.level) {
        (false, _) => 0,
        (true, Level::Node) => DEVICE_LABELS.len(),
        (true, Level::Workload(_)) => 1,
    };
    let by = ["node_name", "zone"]
        .into_iter()
        .chain(DEVICE_LABELS.into_iter().take(of_devices))
        .chain(identity.into_iter().flat_map(IdentityLabels::all))
        .collect::<Vec<_>>()
        .join(",");
    let value = match (metric.quantity, metric.level) {
        (Quantity::Watts, Level::Node) => matchers.of(metric.name),
        (Quantity::Watts, Level::Workload(_)) => matchers.clone().equal("state", "running").of(metric.name),
        _ => format!("increase({}[{}])", matchers.of(metric.name), duration(window)),
    };
    format!("sum by ({by}) ({value})")
}

/// What the rows of one node add up to.
#[derive(Debug, Default)]
struct Found {
    figures: NodeFigures,
    platforms: Platforms,
    workloads: BTreeMap<Key, WorkloadFigures>,
}

impl Found {
    fn take(&mut self, metric: &Metric, row: &api::Row) {
        let label = |name: &str| row.label(name);
        let (Some(part), Some(value)) = (metric.part(label), row.value()) else { return };
        match metric.level {
            Level::Node => match metric.device(label) {
                Some(uuid) => self.figures.add_of_device(uuid, metric.quantity, value, label),
                None => self.figures.add(metric.quantity, part, value),
            },
            Level::Workload(kind) => {
                let Some(identity) = Identity::read(kind, label) else { return };
                let row =
                    self.workloads.entry(identity.key()).or_insert_with(|| WorkloadFigures::new(identity.clone()));
                if !row.identity.is_named() {
                    row.identity = identity;
                }
                row.running |= metric.quantity == Quantity::Watts;
                if let Some(uuid) = metric.device(label) {
                    row.note_device(uuid, metric.quantity, value);
                }
                row.add(metric.quantity, part, value);
            }
        }
    }
}

/// Names of pods or containers that are told beside the series of energy, and owners of pods.
fn take_names(found: &mut BTreeMap<Arc<str>, Found>, kind: WorkloadKind, answer: Option<&Answer>) {
    for row in answer.iter().flat_map(|answer| &answer.rows) {
        let node = found.get_mut(row.label("node_name").unwrap_or_default());
        let named = Identity::read(kind, |name| row.label(name));
        let (Some(node), Some(named)) = (node, named) else { continue };
        let Some(figures) = node.workloads.get_mut(&named.key()) else { continue };
        figures.owner = owner_of_pod(|name| row.label(name)).map(|(_, owner)| owner).or(figures.owner.take());
        if named.is_named() {
            figures.identity.take_name(named);
        }
    }
}

/// What pods and containers asked the scheduler for.
fn take_resources<'a>(found: &mut BTreeMap<Arc<str>, Found>, answers: impl Iterator<Item = &'a Answer>) {
    for ((_, series), row) in
        RESOURCES.iter().zip(answers).flat_map(|(of, answer)| answer.rows.iter().map(move |row| (of, row)))
    {
        let node = found.get_mut(row.label("node_name").unwrap_or_default());
        let (Some(node), Some(uid), Some(value)) = (node, series.uid(|name| row.label(name)), row.value()) else {
            continue;
        };
        if let Some(figures) = node.workloads.get_mut(&(series.kind, Arc::from(uid), Arc::default())) {
            series.note(figures.resources.get_or_insert_default(), |name| row.label(name), value);
        }
    }
}

/// The query for a metric of meters of the whole machine: what they showed in the time, and what they show now.
fn platform(metric: &str, matchers: &Matchers, window: &str) -> String {
    match metric {
        metric_names::PLATFORM_JOULES_TOTAL | metric_names::PLATFORM_COVERED_SECONDS_TOTAL => {
            format!("increase({}[{window}])", matchers.of(metric))
        }
        // What a meter was is known also of one that is gone.
        metric_names::PLATFORM_INFO => format!("last_over_time({}[{window}])", matchers.of(metric)),
        _ => matchers.of(metric),
    }
}

/// Meters of the whole machine. One that shows neither power nor an age nor a fault at the end is gone.
fn platforms(shown: &Platforms) -> Vec<PlatformEnergy> {
    let meters = shown.0.iter();
    meters
        .map(|(meter, shown)| shown.energy(meter, shown.joules.unwrap_or(0.0), shown.covered_seconds, shown.is_now()))
        .collect()
}

/// What the server says may be missing, once each.
fn warnings(answers: &[Answer]) -> Vec<Skipped> {
    let mut messages: Vec<&String> = answers.iter().flat_map(|answer| &answer.warnings).collect();
    messages.sort();
    messages.dedup();
    messages.into_iter().map(|warning| skipped("warning of Prometheus", warning)).collect()
}

/// What pods say and which labels they have, as their exporters show it now. Prometheus is asked each time; where it does not
/// answer, nothing is chosen, and the question that this is for is not answered either.
impl ChoiceSource for PrometheusView {
    fn choices(&self) -> Choices {
        let annotations = format!(
            "group by (pod_id, annotation, value, written_as) ({})",
            self.matchers.of(metric_names::POD_ANNOTATION_INFO)
        );
        let mut choices = Choices::default();
        for row in self.shown_now(&annotations) {
            if let Some((pod, annotation)) = annotation_of_pod(|name| row.label(name)) {
                choices.pods.entry(pod.into()).or_default().push(annotation);
            }
        }
        for row in self.shown_now(&self.matchers.of(metric_names::POD_INFO)) {
            let labels = labels_of_pod(row.labels());
            if let Some(pod) = row.label("pod_id").filter(|_| !labels.is_empty()) {
                choices.labels.insert(pod.into(), labels);
            }
        }
        choices
    }
}

impl EnergyView for PrometheusView {
    fn name(&self) -> &str {
        &self.name
    }

    fn inventory(&self, range: TimeRange) -> Result<Arc<Inventory>, ViewError> {
        check(range, Duration::from_secs(1))?;
        let nodes = self.nodes(range)?;
        let (at, window) = (When::At(range.end), duration(range.length()));
        let matchers = nodes.counted(&self.matchers);
        let last = |metric| format!("last_over_time({}[{window}])", matchers.of(metric));
        let of_metrics = METRICS.iter().map(|metric| figures_of(metric, &matchers, range.length()));
        let of_sources = [SOURCE_INFO, SOURCE_ERROR].map(last);
        let pods = last(metric_names::POD_INFO);
        let pods = format!("group by (node_name, pod_id, pod_name, pod_namespace, owner_kind, owner_name) ({pods})");
        let containers = last(metric_names::CONTAINER_INFO);
        let containers = format!("group by (node_name, container_id, container_name, pod_id) ({containers})");
        let resources = RESOURCES
            .map(|(metric, _)| format!("max by (node_name, pod_id, container_id, resource) ({})", last(metric)));
        let processors = format!("count by (instance) ({})", last(metric_names::NODE_CPU_INFO));
        let of_platform = PLATFORM_METRICS.map(|metric| platform(metric, &matchers, &window));
        let queries: Vec<_> = of_metrics
            .chain(of_sources)
            .chain([pods, containers])
            .chain(resources)
            .chain(of_platform)
            .chain([processors])
            .map(|query| (query, at))
            .collect();
        let answers = self.api.all(&queries).map_err(|error| self.unavailable(&error))?;

        let mut found: BTreeMap<Arc<str>, Found> =
            nodes.covered.keys().map(|name| (name.clone(), Found::default())).collect();
        for (metric, answer) in METRICS.iter().zip(&answers) {
            for row in &answer.rows {
                if let Some(node) = found.get_mut(row.label("node_name").unwrap_or_default()) {
                    node.take(metric, row);
                }
            }
        }
        for (metric, answer) in [SOURCE_INFO, SOURCE_ERROR].iter().zip(answers.iter().skip(METRICS.len())) {
            for row in &answer.rows {
                if let (Some(node), Some(value)) =
                    (found.get_mut(row.label("node_name").unwrap_or_default()), row.value())
                {
                    node.figures.sources.take(metric, |name| row.label(name), value);
                }
            }
        }
        take_names(&mut found, WorkloadKind::Pod, answers.get(METRICS.len() + 2));
        take_names(&mut found, WorkloadKind::Container, answers.get(METRICS.len() + 3));
        let mut rest = answers.iter().skip(METRICS.len() + 4);
        take_resources(&mut found, rest.by_ref().take(RESOURCES.len()));
        for (metric, row) in
            PLATFORM_METRICS.iter().zip(rest).flat_map(|(of, answer)| answer.rows.iter().map(move |row| (of, row)))
        {
            let node = found.get_mut(row.label("node_name").unwrap_or_default());
            if let (Some(node), Some(value)) = (node, row.value()) {
                node.platforms.take(metric, |name| row.label(name), value);
            }
        }
        for row in answers.last().iter().flat_map(|answer| &answer.rows) {
            let node = row.label("instance").and_then(|instance| nodes.instances.get(instance));
            if let Some(node) = node.and_then(|node| found.get_mut(node)) {
                node.figures.processors = row.value().map(|count| count as u32);
            }
        }

        let covered = hull(nodes.covered.values().copied()).unwrap_or(range);
        let mut inventory = Inventory::new(nodes.moment(), range, covered, nodes.coverage(range, |_| true));
        inventory.skipped = nodes.skipped.iter().cloned().chain(warnings(&answers)).collect();
        for (name, found) in found {
            let Some(&covered) = nodes.covered.get(&name) else { continue };
            let mut node = found.figures.into_node(name, covered);
            node.platform = platforms(&found.platforms);
            inventory.workloads.extend(rows(&node, found.workloads.into_values().collect()));
            inventory.nodes.push(node);
        }
        Ok(Arc::new(inventory))
    }

    fn series(&self, subject: &Subject, range: TimeRange, step: Duration) -> Result<EnergySeries, ViewError> {
        check(range, step)?;
        self.energy_series(subject, range, step)
    }

    /// Every question is asked of the server, which may have newer samples each time.
    fn newest(&self) -> Option<NewestReading> {
        None
    }
}
