//! `/api/v1/history`: energy over time.

mod workloads;

use super::figures::{Interval, method};
use super::problem::{Kind, Problem};
use super::{Asked, json, query, to_json};
use axum::extract::{RawQuery, State};
use axum::response::Response;
use jiff::Timestamp;
use kepler_compliance::series::Step;
use kepler_compliance::tools::{Length, PowerWatts, Toolbox, WorkloadQualifiers, resolve};
use kepler_compliance::units::{Energy, Power};
use kepler_compliance::view::{EnergySplit, EnergyView, StepUsage, Subject, TimeRange, WorkloadKind};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;
pub(super) use workloads::{WorkloadHistory, WorkloadHistoryQuery, answer as workloads};

/// The steps of an answer at most.
const MOST_STEPS: u128 = 10_000;

/// Steps of an answer where none are asked for.
const STEPS: u32 = 100;

/// Whose energy, and when.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct HistoryQuery {
    /// The workload, as the tools take it. Without it all nodes together, idle and unattributed energy included.
    #[serde(default)]
    workload: Option<String>,
    /// The namespace, which selects among pods and their controllers. Without it `default`, else the only one that has
    /// the workload.
    #[serde(default)]
    namespace: Option<String>,
    /// The kind, where several kinds share the name.
    #[serde(default)]
    kind: Option<WorkloadKind>,
    /// How far back.
    #[serde(default = "hour")]
    range: Length,
    /// The end of the range; without it the newest reading.
    #[serde(default)]
    to: Option<Timestamp>,
    /// The length of a step; without it a hundredth of the range. A source that cannot tell so finely answers in
    /// longer steps.
    #[serde(default)]
    step: Option<Length>,
}

const fn hour() -> Length {
    Length::minutes(60)
}

/// Energy over time.
#[derive(Serialize, JsonSchema)]
pub(super) struct History {
    /// The workload; `null` for all nodes.
    workload: Option<String>,
    /// What it is; `null` for all nodes.
    kind: Option<WorkloadKind>,
    /// Its namespace; `null` for what is not a pod or a controller of pods.
    namespace: Option<String>,
    /// Start of the range asked for.
    from: Timestamp,
    /// End of the range asked for.
    to: Timestamp,
    /// Where the figures come from: `live`, `history`, `kepler http://…`, `prometheus http://…`.
    source: String,
    /// `measured` or `estimated`.
    method: &'static str,
    /// Expected relative error of an estimate, one standard deviation; `null` if measured.
    error_ratio: Option<f64>,
    /// Share of the range that the steps cover, 0 to 1.
    coverage: f64,
    /// The state that was seen: equal texts of one source rest on the same readings.
    moment: String,
    /// The steps; times without data are left out.
    steps: Vec<HistoryStep>,
}

/// What was used in a step.
#[derive(Serialize, JsonSchema)]
struct HistoryStep {
    /// Its start.
    start: Timestamp,
    /// Its end.
    end: Timestamp,
    /// Energy used in it, joules.
    energy_joules: EnergyJoules,
    /// Mean power in it, watts.
    power_watts: PowerWatts,
    /// Of nodes: where that power went; `null` for workloads, and where the source does not tell it.
    parts_watts: Option<Parts>,
    /// Where `power_watts.total` lies with 90 % probability if it is estimated, as far as the error of the range says;
    /// `null` if measured.
    interval_watts: Option<Interval>,
    /// CPU time used in it, seconds; `null` where it is not known.
    cpu_seconds: Option<f64>,
}

/// Where a node's power went, watts; together `power_watts.total`.
#[derive(Serialize, JsonSchema)]
struct Parts {
    /// An idle machine draws it all the same.
    idle: f64,
    /// Charged to workloads.
    workloads: f64,
    /// Caused by work that no workload explains.
    unattributed: f64,
}

impl Parts {
    fn of(usage: &StepUsage, length: Duration) -> Option<Self> {
        let (total, idle) = (usage.energy.total()?, usage.idle.total()?);
        let unattributed = usage.unattributed.total()?;
        let watts = |energy: Energy| energy.over(length).watts();
        Some(Parts {
            idle: watts(idle),
            workloads: watts(total - idle - unattributed),
            unattributed: watts(unattributed),
        })
    }
}

/// Energy in joules; `null` is unknown, not zero.
#[derive(Serialize, JsonSchema)]
struct EnergyJoules {
    /// Processors: the package, or its parts.
    cpu: Option<f64>,
    /// Memory.
    memory: Option<f64>,
    /// Graphics processors.
    gpu: Option<f64>,
    /// All of it.
    total: Option<f64>,
}

impl From<EnergySplit> for EnergyJoules {
    fn from(energy: EnergySplit) -> Self {
        let joules = |energy: Option<Energy>| energy.map(Energy::joules);
        EnergyJoules {
            cpu: joules(energy.cpu()),
            memory: joules(energy.memory()),
            gpu: joules(energy.gpu()),
            total: joules(energy.total()),
        }
    }
}

impl HistoryStep {
    fn of(step: &Step<StepUsage>, error_ratio: Option<f64>) -> Self {
        let (energy, length) = (step.value.energy, step.length());
        let power = energy.map(|energy| energy.over(length));
        let around = |(power, error_ratio): (Power, f64)| Interval::around(power.watts(), error_ratio);
        HistoryStep {
            start: step.start,
            end: step.end,
            energy_joules: energy.into(),
            power_watts: power.into(),
            parts_watts: Parts::of(&step.value, length),
            interval_watts: power.total().zip(error_ratio).map(around),
            cpu_seconds: step.value.cpu_time.map(|time| time.as_secs_f64()),
        }
    }
}

pub(super) async fn answer(State(shared): Asked, RawQuery(text): RawQuery) -> Result<Response, Problem> {
    let asked: HistoryQuery = query::read(text.as_deref())?;
    let toolbox = Arc::clone(&shared.toolbox);
    let answer = shared.work(move || to_json(&history(&toolbox, &asked, Timestamp::now())?));
    answer.await.map(json)
}

fn history(toolbox: &Toolbox, asked: &HistoryQuery, now: Timestamp) -> Result<History, Problem> {
    let to = asked.to.unwrap_or_else(|| toolbox.context(now).now);
    let range = TimeRange::ending(to, asked.range.duration());
    let step = asked.step.map_or(asked.range.duration() / STEPS, Length::duration);
    if range.length().as_nanos() / step.as_nanos().max(1) > MOST_STEPS {
        let reason = format!("step: give one of at least a {MOST_STEPS}th of the range");
        return Err(Problem::new(Kind::BadParameter, reason).parameter("step"));
    }
    let view: &dyn EnergyView = &*toolbox.view;
    let (mut workload, mut kind, mut namespace) = (None, None, None);
    let subject = match &asked.workload {
        None => Subject::Cluster,
        Some(name) => {
            let inventory = view.inventory(range)?;
            let resolved = resolve(&inventory, name, &WorkloadQualifiers::new(asked.namespace.clone(), asked.kind))
                .map_err(|error| Problem::from(error).parameter("workload"))?;
            (workload, kind, namespace) = (Some(resolved.name), Some(resolved.kind), resolved.namespace);
            Subject::Workloads(resolved.rows.iter().map(|row| row.id.clone()).collect())
        }
    };
    let series = view.series(&subject, range, step)?;
    let (method, error_ratio) = method(series.method);
    Ok(History {
        workload,
        kind,
        namespace,
        from: range.start,
        to: range.end,
        source: view.name().to_owned(),
        method,
        error_ratio,
        coverage: series.coverage,
        moment: series.moment,
        steps: series.steps.steps().iter().map(|step| HistoryStep::of(step, error_ratio)).collect(),
    })
}
