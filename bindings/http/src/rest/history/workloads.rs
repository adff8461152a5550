//! `/api/v1/history/workloads`: who used how much in a time that has passed.

use super::super::figures::method;
use super::super::problem::{Kind, Problem};
use super::super::{Asked, json, query, to_json};
use super::EnergyJoules;
use axum::extract::{RawQuery, State};
use axum::response::Response;
use jiff::Timestamp;
use kepler_compliance::series::Step;
use kepler_compliance::tools::{Length, PowerWatts, Toolbox};
use kepler_compliance::units::Energy;
use kepler_compliance::view::{
    Containment, EnergyView, Inventory, StepUsage, Subject, TimeRange, ViewError, WorkloadEnergy, WorkloadKind,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::cmp::Ordering;
use std::sync::Arc;
use std::time::Duration;

/// The most rows of an answer.
const MOST: usize = 10_000;

/// The most rows of an answer with `step`: each is a question to the source of its own.
const MOST_WITH_STEPS: usize = 100;

/// The most steps of a row.
const MOST_STEPS_OF_ROW: u128 = 1_000;

/// Which time, whose, and how much of it.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct WorkloadHistoryQuery {
    /// The length of the time.
    #[serde(default = "minute")]
    range: Length,
    /// Its end; without it the newest reading.
    #[serde(default)]
    to: Option<Timestamp>,
    /// Only this kind: `process`, `container`, `pod`, …
    #[serde(default)]
    kind: Option<WorkloadKind>,
    /// Only what belongs to this namespace.
    #[serde(default)]
    namespace: Option<String>,
    /// Only those with this text in their name, namespace, kind or identity, whatever its case.
    #[serde(default)]
    search: Option<String>,
    /// What they are sorted by; names from the first on, figures from the largest.
    #[serde(default)]
    sort: Sort,
    /// How many at most; with `step` 100.
    #[serde(default = "hundred")]
    #[schemars(range(min = 1, max = 10_000))]
    limit: usize,
    /// Give each row its mean power in steps of this length as well, a thousand at most. A source that cannot tell so
    /// finely answers in longer steps.
    #[serde(default)]
    step: Option<Length>,
}

const fn minute() -> Length {
    Length::minutes(1)
}

const fn hundred() -> usize {
    100
}

/// What rows are sorted by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Sort {
    /// Energy used in the time.
    #[default]
    Energy,
    /// CPU time used in it.
    CpuTime,
    /// The name.
    Name,
}

/// Who used how much in a time.
#[derive(Serialize, JsonSchema)]
pub(in super::super) struct WorkloadHistory {
    /// Start of the time asked for.
    from: Timestamp,
    /// End of the time asked for.
    to: Timestamp,
    /// Start of the time that the figures are of: that of a reading.
    covered_from: Timestamp,
    /// End of the time that the figures are of.
    covered_to: Timestamp,
    /// Share of the time, and of the nodes, that the figures stand for, 0 to 1.
    coverage: f64,
    /// Where the figures come from: `live`, `history`, `kepler http://…`, `prometheus http://…`.
    source: String,
    /// The state that was seen: equal texts of one source rest on the same readings.
    moment: String,
    /// How many there are, whatever the limit.
    matched: usize,
    /// The rows. Kinds overlap: a pod's energy is that of its containers as well.
    items: Vec<WorkloadUsage>,
}

/// A workload and what it used in the time.
#[derive(Serialize, JsonSchema)]
struct WorkloadUsage {
    /// What it is.
    kind: WorkloadKind,
    /// Its name.
    name: String,
    /// The namespace of a pod, and of a container in one; `null` for others.
    namespace: Option<String>,
    /// What tells it from others of its name: the UID of a pod, the id of a container, the cgroup of a unit, a process's PID
    /// and start time (`PID/TICKS`). A history file knows processes by name only.
    uid: String,
    /// The node it ran on.
    node: String,
    /// What contains it; `null` if nothing does, or that is not known.
    within: Option<Within>,
    /// Whether it still ran at the end of the time, or is not known to have ended.
    running: bool,
    /// `measured`, `partial` or `estimated`.
    method: &'static str,
    /// Expected relative error of an estimate, one standard deviation; `null` if measured.
    error_ratio: Option<f64>,
    /// Energy used in the time, joules.
    energy_joules: EnergyJoules,
    /// Mean power, watts: that energy by the time covered.
    power_watts: PowerWatts,
    /// CPU time used, seconds; `null` where it is not known.
    cpu_seconds: Option<f64>,
    /// With `step`: mean power over time, the oldest first. Times without data are left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    steps: Option<Vec<PowerStep>>,
}

/// What contains a workload.
#[derive(Serialize, JsonSchema)]
struct Within {
    /// What it is.
    kind: WorkloadKind,
    /// Its `uid`.
    uid: String,
}

/// Mean power in a step.
#[derive(Serialize, JsonSchema)]
struct PowerStep {
    /// Its start.
    start: Timestamp,
    /// Its end.
    end: Timestamp,
    /// Watts; `null` where they are not known.
    watts: Option<f64>,
}

impl WorkloadHistoryQuery {
    fn check(&self) -> Result<(), Problem> {
        let most = if self.step.is_some() { MOST_WITH_STEPS } else { MOST };
        query::within("limit", self.limit, most)?;
        let range = self.range.duration();
        let too_fine = |step: Length| range.as_nanos() / step.duration().as_nanos().max(1) > MOST_STEPS_OF_ROW;
        if self.step.is_some_and(too_fine) {
            let reason = format!("step: give one of at least a {MOST_STEPS_OF_ROW}th of the range");
            return Err(Problem::new(Kind::BadParameter, reason).parameter("step"));
        }
        Ok(())
    }

    fn takes(&self, row: &WorkloadEnergy, search: &str) -> bool {
        let id = &row.id;
        let has = |text: &str| text.to_lowercase().contains(search);
        self.kind.is_none_or(|kind| kind == id.kind)
            && self.namespace.as_deref().is_none_or(|wanted| id.namespace.as_deref() == Some(wanted))
            && (search.is_empty()
                || has(&id.name)
                || has(&id.uid)
                || id.kind.name().contains(search)
                || id.namespace.as_deref().is_some_and(has))
    }

    fn compare(&self, a: &WorkloadEnergy, b: &WorkloadEnergy) -> Ordering {
        let energy = |row: &WorkloadEnergy| row.energy.total().unwrap_or(Energy::ZERO);
        let by = match self.sort {
            Sort::Energy => energy(b).cmp(&energy(a)),
            Sort::CpuTime => b.cpu_time.cmp(&a.cpu_time),
            Sort::Name => Ordering::Equal,
        };
        // Rows come in no particular order; the same question has the same answer.
        by.then_with(|| (&a.id.name, &a.id.uid).cmp(&(&b.id.name, &b.id.uid)))
    }
}

pub(in super::super) async fn answer(State(shared): Asked, RawQuery(text): RawQuery) -> Result<Response, Problem> {
    let asked: WorkloadHistoryQuery = query::read(text.as_deref())?;
    asked.check()?;
    let toolbox = Arc::clone(&shared.toolbox);
    let answer = shared.work(move || to_json(&history(&toolbox, &asked, Timestamp::now())?));
    answer.await.map(json)
}

fn history(toolbox: &Toolbox, asked: &WorkloadHistoryQuery, now: Timestamp) -> Result<WorkloadHistory, Problem> {
    let to = asked.to.unwrap_or_else(|| toolbox.context(now).now);
    let range = TimeRange::ending(to, asked.range.duration());
    let view: &dyn EnergyView = &*toolbox.view;
    let inventory = view.inventory(range)?;
    let search = asked.search.as_deref().unwrap_or_default().to_lowercase();
    let mut rows: Vec<_> = inventory.workloads.iter().filter(|row| asked.takes(row, &search)).collect();
    let matched = rows.len();
    rows.sort_by(|a, b| asked.compare(a, b));
    rows.truncate(asked.limit);
    let usage = |row: &WorkloadEnergy| {
        let steps = asked.step.map(|step| steps(view, row, range, step.duration())).transpose()?;
        Ok(WorkloadUsage { steps, ..WorkloadUsage::of(row, &inventory) })
    };
    Ok(WorkloadHistory {
        from: range.start,
        to: range.end,
        covered_from: inventory.covered.start,
        covered_to: inventory.covered.end,
        coverage: inventory.coverage,
        source: view.name().to_owned(),
        moment: inventory.moment.clone(),
        matched,
        items: rows.into_iter().map(usage).collect::<Result<_, Problem>>()?,
    })
}

fn steps(
    view: &dyn EnergyView,
    row: &WorkloadEnergy,
    range: TimeRange,
    step: Duration,
) -> Result<Vec<PowerStep>, Problem> {
    let series = match view.series(&Subject::Workloads(vec![row.id.clone()]), range, step) {
        Ok(series) => series,
        Err(ViewError::NoData { .. }) => return Ok(Vec::new()),
        Err(error) => return Err(error.into()),
    };
    let of = |step: &Step<StepUsage>| PowerStep {
        start: step.start,
        end: step.end,
        watts: step.value.energy.total().map(|energy| energy.over(step.length()).watts()),
    };
    Ok(series.steps.steps().iter().map(of).collect())
}

impl WorkloadUsage {
    fn of(row: &WorkloadEnergy, inventory: &Inventory) -> Self {
        // A node may have been read for a part of the time only.
        let node = inventory.nodes.iter().find(|node| node.name == row.id.node);
        let length = node.map_or(inventory.covered, |node| node.covered).length();
        let (method, error_ratio) = method(row.method);
        let within = match &row.containment {
            Containment::Within { kind, uid } => Some(Within { kind: *kind, uid: (**uid).to_owned() }),
            _ => None,
        };
        WorkloadUsage {
            kind: row.id.kind,
            name: (*row.id.name).to_owned(),
            namespace: row.id.namespace.as_deref().map(str::to_owned),
            uid: (*row.id.uid).to_owned(),
            node: (*row.id.node).to_owned(),
            within,
            running: row.running,
            method,
            error_ratio,
            energy_joules: row.energy.into(),
            power_watts: row.energy.map(|energy| energy.over(length)).into(),
            cpu_seconds: row.cpu_time.map(|time| time.as_secs_f64()),
            steps: None,
        }
    }
}
