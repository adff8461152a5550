//! `/api/v1/processes`, `containers`, `pods`, … one route a kind: filtered, sorted, limited lists.

use super::accelerator::AcceleratorUse;
use super::figures::{ByZone, Moment, ZoneSource, known, total};
use super::node::latest;
use super::problem::{Kind, Problem};
use super::workload::{Who, called, has, is_in_container, is_in_pod, is_in_unit, without};
use super::{Shared, json, query, to_json};
use axum::response::Response;
use kepler_core::snapshot::{AnyRow, Snapshot, State as RunState};
use kepler_core::units::{Energy, Power};
use kepler_core::workload::WorkloadKind;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::cmp::Ordering;
use std::sync::Arc;

/// The most rows of an answer.
pub(super) const MOST: usize = 10_000;

/// Filter, order and size of a list of workloads.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Choice {
    /// Only workloads of this name; `*` matches anything: `nginx`, `web-*`. A process's name is its command name.
    #[serde(default)]
    name: Option<String>,
    /// Only pods of this namespace, and what runs in them.
    #[serde(default)]
    namespace: Option<String>,
    /// Only the pod of this name or UID, and what runs in it.
    #[serde(default)]
    pod: Option<String>,
    /// Only the container of this name or id, and what runs in it; the first 12 digits of an id suffice.
    #[serde(default)]
    container: Option<String>,
    /// Only what runs in the systemd unit of this name or cgroup.
    #[serde(default)]
    unit: Option<String>,
    /// Only workloads with an attribute (name, path, id, unit, …) that contains this text, ignoring case.
    #[serde(default)]
    search: Option<String>,
    /// Running workloads, terminated ones that are still listed, or both.
    #[serde(default)]
    state: Wanted,
    /// Only workloads that draw at least this much, watts.
    #[serde(default)]
    #[schemars(range(min = 0.0))]
    min_power_watts: Option<f64>,
    /// What to sort by.
    #[serde(default)]
    sort: Sort,
    /// The direction; without it figures begin with the largest and names with the first.
    #[serde(default)]
    order: Option<Order>,
    /// Maximum number of rows.
    #[serde(default = "hundred")]
    #[schemars(range(min = 1, max = 10_000))]
    limit: usize,
}

const fn hundred() -> usize {
    100
}

/// The states to list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Wanted {
    /// Running workloads.
    #[default]
    Running,
    /// Terminated workloads that are still listed.
    Terminated,
    /// Both.
    All,
}

/// What workloads are sorted by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Sort {
    /// Mean power over the last interval.
    #[default]
    Power,
    /// Energy since the program started.
    Energy,
    /// CPU time.
    CpuTime,
    /// The name.
    Name,
}

/// A direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Order {
    /// The smallest first.
    Asc,
    /// The largest first.
    Desc,
}

impl Choice {
    /// Return at most this many rows.
    pub(super) fn top(sort: Sort, limit: usize) -> Self {
        Choice {
            name: None,
            namespace: None,
            pod: None,
            container: None,
            unit: None,
            search: None,
            state: Wanted::Running,
            min_power_watts: None,
            sort,
            order: None,
            limit,
        }
    }

    fn takes(&self, snapshot: &Snapshot, row: &AnyRow<'_>) -> bool {
        let is = |wanted: &Option<String>, is: &dyn Fn(&str) -> bool| wanted.as_deref().is_none_or(is);
        let state = match self.state {
            Wanted::Running => row.state == RunState::Running,
            Wanted::Terminated => row.state == RunState::Terminated,
            Wanted::All => true,
        };
        state
            && is(&self.name, &|pattern| matches(pattern, &called(row)))
            && is(&self.namespace, &|name| row.namespace() == Some(name))
            && is(&self.pod, &|wanted| is_in_pod(row, wanted))
            && is(&self.container, &|wanted| is_in_container(row, wanted))
            && is(&self.unit, &|wanted| is_in_unit(row, wanted))
            && is(&self.search, &|wanted| has(row, &wanted.to_lowercase()))
            && self.min_power_watts.is_none_or(|least| power(snapshot, row) >= least)
    }

    fn compare(&self, snapshot: &Snapshot, a: &AnyRow<'_>, b: &AnyRow<'_>) -> Ordering {
        let by = match self.sort {
            Sort::Power => power(snapshot, a).total_cmp(&power(snapshot, b)),
            Sort::Energy => energy(snapshot, a).total_cmp(&energy(snapshot, b)),
            Sort::CpuTime => a.cpu_time.cmp(&b.cpu_time),
            Sort::Name => called(a).cmp(&called(b)),
        };
        let usual = if self.sort == Sort::Name { Order::Asc } else { Order::Desc };
        if self.order.unwrap_or(usual) == Order::Desc { by.reverse() } else { by }
    }
}

fn power(snapshot: &Snapshot, row: &AnyRow<'_>) -> f64 {
    total(snapshot, &known(snapshot, row.power, Power::watts)).unwrap_or_default()
}

fn energy(snapshot: &Snapshot, row: &AnyRow<'_>) -> f64 {
    total(snapshot, &known(snapshot, row.energy, Energy::joules)).unwrap_or_default()
}

/// Whether a text fits a pattern in which `*` stands for anything.
fn matches(pattern: &str, text: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(mut text) = text.strip_prefix(first) else { return false };
    let mut parts: Vec<&str> = rest.split('*').collect();
    let last = parts.pop().unwrap_or_default();
    for part in parts {
        // The earliest place leaves the most for what follows.
        let Some((_, after)) = text.split_once(part) else { return false };
        text = after;
    }
    text.ends_with(last)
}

/// Workloads of one kind.
#[derive(Serialize, JsonSchema)]
pub(super) struct List<'a> {
    /// The moment the answer is of.
    snapshot: Moment,
    /// The node's name.
    node_name: &'a str,
    /// Where the figures of each zone come from.
    zones: Vec<ZoneSource>,
    /// How many there are that fit, beyond the limit too.
    matched: usize,
    /// The first of them.
    #[schemars(skip)]
    items: Vec<Row<'a>>,
}

/// A workload and what it used.
#[derive(Serialize, JsonSchema)]
pub(super) struct Row<'a> {
    #[serde(flatten)]
    #[schemars(skip)]
    who: Who<'a>,
    /// `running`, or `terminated` and still listed.
    state: &'static str,
    /// CPU time since it started (of groups: since it was first seen), seconds.
    cpu_seconds: f64,
    /// Active energy since the program started, joules.
    energy_joules: ByZone,
    /// Mean power over the last interval, watts; 0 once terminated.
    power_watts: ByZone,
    /// What the zone `gpu` consists of; absent where it used no accelerator.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    devices: Vec<AcceleratorUse<'a>>,
}

/// The rows of a kind that are chosen, and how many fit.
pub(super) fn choose<'a>(snapshot: &'a Snapshot, kind: WorkloadKind, choice: &Choice) -> (usize, Vec<Row<'a>>) {
    let mut chosen: Vec<_> = snapshot.rows(kind).filter(|row| choice.takes(snapshot, row)).collect();
    let matched = chosen.len();
    // A stable sort: equal ones stay in the order of the snapshot.
    chosen.sort_by(|a, b| choice.compare(snapshot, a, b));
    chosen.truncate(choice.limit);
    let show = |row: AnyRow<'a>| Row {
        who: Who(row),
        state: row.state.name(),
        cpu_seconds: row.cpu_time.as_secs_f64(),
        energy_joules: ByZone::joules(snapshot, row.energy),
        power_watts: ByZone::watts(snapshot, row.power),
        devices: AcceleratorUse::all(snapshot, row.devices, row.state == RunState::Running),
    };
    (matched, chosen.into_iter().map(show).collect())
}

/// The answer to a question for workloads of `kind`.
pub(super) async fn answer(kind: WorkloadKind, shared: Arc<Shared>, text: Option<String>) -> Result<Response, Problem> {
    let choice: Choice = query::read(text.as_deref())?;
    query::within("limit", choice.limit, MOST)?;
    if let Some(watts) = choice.min_power_watts.filter(|watts| !(*watts >= 0.0 && watts.is_finite())) {
        let reason = format!("min_power_watts = {watts}: give a number of 0 or more");
        return Err(Problem::new(Kind::BadParameter, reason).parameter("min_power_watts"));
    }
    let given = [
        ("namespace", &choice.namespace),
        ("pod", &choice.pod),
        ("container", &choice.container),
        ("unit", &choice.unit),
    ];
    if let Some((name, _)) = given.iter().find(|(name, given)| given.is_some() && without(kind).contains(name)) {
        return Err(Problem::new(Kind::BadParameter, format!("these have no {name} to choose by")).parameter(*name));
    }
    let snapshot = latest(&shared)?;
    let exporter = Arc::clone(&shared.exporter);
    let answer = shared.work(move || {
        let (matched, items) = choose(&snapshot, kind, &choice);
        let (moment, zones) = (Moment::of(&snapshot), ZoneSource::of(&snapshot));
        to_json(&List { snapshot: moment, node_name: &exporter.options().node_name, zones, matched, items })
    });
    answer.await.map(json)
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn a_star_stands_for_anything() {
        for (pattern, text, fits) in [
            ("nginx", "nginx", true),
            ("nginx", "nginx-2", false),
            ("", "", true),
            ("*", "", true),
            ("web-*", "web-7", true),
            ("web-*", "my-web-7", false),
            ("*-7", "web-7", true),
            ("*-7", "web-7-8", false),
            ("w*b*7", "web-b-7", true),
            ("w*b*7", "web-8", false),
            ("a*a", "a", false),
            ("**x", "x", true),
        ] {
            assert_eq!(matches(pattern, text), fits, "{pattern} {text}");
        }
    }
}
