//! A level of a snapshot as columns: the one form from which rows, Arrow and CSV are made.

use kepler_core::snapshot::{Row, Snapshot};
use std::time::UNIX_EPOCH;

/// Whose energy a table tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Level {
    Processes,
    Containers,
    Pods,
    Vms,
    Units,
}

impl Level {
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "processes" => Level::Processes,
            "containers" => Level::Containers,
            "pods" => Level::Pods,
            "vms" => Level::Vms,
            "units" => Level::Units,
            _ => return None,
        })
    }

    pub(super) fn len(self, snapshot: &Snapshot) -> usize {
        match self {
            Level::Processes => snapshot.processes.len(),
            Level::Containers => snapshot.containers.len(),
            Level::Pods => snapshot.pods.len(),
            Level::Vms => snapshot.vms.len(),
            Level::Units => snapshot.units.len(),
        }
    }
}

/// A column: its name and its values, which are borrowed from the snapshot where they are text.
pub(super) struct Column<'a> {
    pub(super) name: String,
    pub(super) values: Values<'a>,
}

/// The values of a column.
pub(super) enum Values<'a> {
    /// The same moment in all rows, microseconds since 1970.
    Time(i64, usize),
    /// Text; none where it does not apply.
    Text(Vec<Option<&'a str>>),
    /// Process numbers and start times.
    Whole(Vec<u64>),
    /// Joules, seconds.
    Real(Vec<f64>),
    /// Watts, for so many rows; none before there was an interval to take the mean over.
    Power(Option<Vec<f64>>, usize),
}

/// The columns of a level: who, then `cpu_seconds`, then `<zone>_joules` and `<zone>_watts` of every zone the node has.
pub(super) fn columns(snapshot: &Snapshot, level: Level) -> Vec<Column<'_>> {
    let since = snapshot.at.wall.duration_since(UNIX_EPOCH).unwrap_or_default();
    let now = i64::try_from(since.as_micros()).unwrap_or(i64::MAX);
    let mut table = vec![Column { name: "timestamp".into(), values: Values::Time(now, level.len(snapshot)) }];
    match level {
        Level::Processes => {
            let rows = &snapshot.processes;
            whole(&mut table, rows, "pid", |info| info.pid.into());
            whole(&mut table, rows, "start_ticks", |info| info.start_ticks);
            text(&mut table, rows, "comm", |info| Some(&info.comm));
            text(&mut table, rows, "exe", |info| present(&info.exe));
            text(&mut table, rows, "kind", |info| Some(info.process_type()));
            text(&mut table, rows, "container_id", |info| Some(info.container.as_ref()?.id.as_str()));
            text(&mut table, rows, "vm_id", |info| Some(info.vm.as_ref()?.id.as_str()));
            text(&mut table, rows, "unit", |info| Some(info.unit.as_ref()?.name.as_str()));
            figures(&mut table, rows, snapshot);
        }
        Level::Containers => {
            let rows = &snapshot.containers;
            text(&mut table, rows, "container_id", |info| Some(&info.id));
            text(&mut table, rows, "name", |info| present(&info.name));
            text(&mut table, rows, "runtime", |info| Some(info.runtime));
            text(&mut table, rows, "pod_id", |info| Some(info.pod.as_ref()?.id.as_str()));
            figures(&mut table, rows, snapshot);
        }
        Level::Pods => {
            let rows = &snapshot.pods;
            text(&mut table, rows, "pod_id", |info| Some(&info.id));
            text(&mut table, rows, "name", |info| present(&info.name));
            text(&mut table, rows, "namespace", |info| present(&info.namespace));
            figures(&mut table, rows, snapshot);
        }
        Level::Vms => {
            let rows = &snapshot.vms;
            text(&mut table, rows, "vm_id", |info| Some(&info.id));
            text(&mut table, rows, "name", |info| present(&info.name));
            text(&mut table, rows, "hypervisor", |info| Some(info.hypervisor));
            figures(&mut table, rows, snapshot);
        }
        Level::Units => {
            let rows = &snapshot.units;
            text(&mut table, rows, "name", |info| Some(&info.name));
            text(&mut table, rows, "cgroup", |info| Some(&info.cgroup));
            figures(&mut table, rows, snapshot);
        }
    }
    table
}

/// Empty means unknown in a snapshot, and nothing in a table.
fn present(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}

fn text<'a, Info>(
    table: &mut Vec<Column<'a>>,
    rows: &'a [Row<Info>],
    name: &str,
    value: impl Fn(&'a Info) -> Option<&'a str>,
) {
    table.push(Column { name: name.into(), values: Values::Text(rows.iter().map(|row| value(&row.info)).collect()) });
}

fn whole<'a, Info>(table: &mut Vec<Column<'a>>, rows: &[Row<Info>], name: &str, value: impl Fn(&Info) -> u64) {
    table.push(Column { name: name.into(), values: Values::Whole(rows.iter().map(|row| value(&row.info)).collect()) });
}

fn figures<'a, Info>(table: &mut Vec<Column<'a>>, rows: &'a [Row<Info>], snapshot: &Snapshot) {
    let state = |row: &Row<Info>| Some(row.state.name());
    table.push(Column { name: "state".into(), values: Values::Text(rows.iter().map(state).collect()) });
    let mut push = |name: String, values: Values<'a>| table.push(Column { name, values });
    push("cpu_seconds".into(), Values::Real(rows.iter().map(|row| row.cpu_time.as_secs_f64()).collect()));
    for (zone, node) in snapshot.node.zones() {
        let joules = rows.iter().map(|row| row.energy[zone].joules()).collect();
        let watts = node.power.is_some().then(|| rows.iter().map(|row| row.power[zone].watts()).collect());
        push(format!("{zone}_joules"), Values::Real(joules));
        push(format!("{zone}_watts"), Values::Power(watts, rows.len()));
    }
}
