//! Answers of the REST interface about the time before.

use super::super::model::frame::{Parts, Trust};
use super::super::model::item::{Row, Who, id};
use super::super::model::past::{Interval, Moment, Workloads};
use jiff::Timestamp;
use kepler_core::workload::{Identity, WorkloadKind};
use serde::Deserialize;
use std::sync::Arc;

/// Power over time.
#[derive(Debug, Deserialize)]
pub(super) struct HistoryAnswer {
    method: String,
    steps: Vec<Step>,
}

#[derive(Debug, Deserialize)]
struct Step {
    start: Timestamp,
    end: Timestamp,
    power_watts: Total,
    parts_watts: Option<StepParts>,
}

#[derive(Debug, Deserialize)]
struct Total {
    total: Option<f64>,
}

#[derive(Debug, Deserialize)]
struct StepParts {
    idle: f64,
    unattributed: f64,
}

impl HistoryAnswer {
    pub(super) fn moments(self) -> Vec<Moment> {
        let trust = Trust::named(&self.method);
        let moment = |step: Step| {
            let parts = step.power_watts.total.zip(step.parts_watts);
            let parts =
                parts.map(|(total, parts)| Parts { total, idle: parts.idle, unattributed: Some(parts.unattributed) });
            let time = Interval { from: step.start, to: step.end };
            Moment { time, trust, parts, workloads: Workloads::NotWatched }
        };
        self.steps.into_iter().map(moment).collect()
    }

    pub(super) fn series(self) -> Vec<(Timestamp, f64)> {
        self.steps.into_iter().filter_map(|step| Some((step.end, step.power_watts.total?))).collect()
    }
}

/// Who used how much in a time.
#[derive(Debug, Deserialize)]
pub(super) struct WorkloadsAnswer {
    items: Vec<Item>,
}

#[derive(Debug, Deserialize)]
struct Item {
    kind: WorkloadKind,
    name: String,
    namespace: Option<String>,
    uid: String,
    within: Option<Within>,
    energy_joules: Total,
    power_watts: Total,
    cpu_seconds: Option<f64>,
}

#[derive(Debug, Deserialize)]
struct Within {
    kind: WorkloadKind,
    uid: String,
}

/// The number that a workload has in the answers of now as well.
fn number(kind: WorkloadKind, uid: &str) -> (u64, Option<u32>) {
    let process = || {
        let (pid, start) = uid.split_once('/')?;
        Some((pid.parse().ok()?, start.parse().ok()?))
    };
    match process().filter(|_| kind == WorkloadKind::Process) {
        Some((pid, start_ticks)) => (id(kind, &Identity::Process { pid, start_ticks }), Some(pid)),
        None => (id(kind, &Identity::Text(uid)), None),
    }
}

impl WorkloadsAnswer {
    pub(super) fn rows(self) -> Vec<Row> {
        let row = |item: Item| {
            let (id, pid) = number(item.kind, &item.uid);
            let detail = if pid.is_some() || item.uid == item.name { String::new() } else { item.uid };
            Row {
                who: Arc::new(Who {
                    id,
                    kind: item.kind,
                    name: item.name,
                    detail,
                    namespace: item.namespace.unwrap_or_default(),
                    pid,
                    parent: item.within.map(|within| number(within.kind, &within.uid).0),
                }),
                watts: item.power_watts.total,
                joules: item.energy_joules.total.unwrap_or_default(),
                cpu_seconds: item.cpu_seconds.unwrap_or_default(),
                zones: Vec::new(),
                devices: Vec::new(),
            }
        };
        self.items.into_iter().map(row).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_workload_of_the_past_is_the_one_that_runs_now() {
        let text = r#"{"items":[
            {"kind":"process","name":"sshd","namespace":null,"uid":"7/9","within":{"kind":"unit","uid":"/ssh.service"},
             "energy_joules":{"total":5.0},"power_watts":{"total":0.5},"cpu_seconds":null},
            {"kind":"unit","name":"ssh.service","namespace":null,"uid":"/ssh.service","within":null,
             "energy_joules":{"total":5.0},"power_watts":{"total":0.5},"cpu_seconds":1.0}]}"#;
        let rows = serde_json::from_str::<WorkloadsAnswer>(text).unwrap().rows();
        assert_eq!(rows[0].who.id, id(WorkloadKind::Process, &Identity::Process { pid: 7, start_ticks: 9 }));
        assert_eq!((rows[0].who.pid, rows[0].who.parent), (Some(7), Some(rows[1].who.id)));
        assert_eq!(rows[1].who.detail, "/ssh.service");
    }
}
