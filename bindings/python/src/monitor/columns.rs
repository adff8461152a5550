//! A level of a snapshot as columns: the one form from which rows, Arrow and CSV are made.

use kepler_core::snapshot::Snapshot;
use kepler_core::workload::{Attribute, Value, WorkloadKind};
use std::time::UNIX_EPOCH;

/// The kind of workload that a level of this name shows: `processes`, `pods`.
pub(super) fn level(name: &str) -> Option<WorkloadKind> {
    WorkloadKind::MEASURED.into_iter().find(|kind| kind.plural() == name)
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
    /// Mean watts of each row; none before the second tick.
    Power(Option<Vec<f64>>, usize),
}

/// The columns of a level: who, then `state` and `cpu_seconds`, then `<zone>_joules`, `<zone>_watts` and `<zone>_method`
/// (of the zone's meter) of every zone the node has.
pub(super) fn columns(snapshot: &Snapshot, kind: WorkloadKind) -> Vec<Column<'_>> {
    let since = snapshot.at.wall.duration_since(UNIX_EPOCH).unwrap_or_default();
    let now = i64::try_from(since.as_micros()).unwrap_or(i64::MAX);
    let count = snapshot.count(kind);
    let mut table = vec![Column { name: "timestamp".into(), values: Values::Time(now, count) }];
    let attributes = kind.attributes();
    let empty = |attribute: &Attribute| match attribute.is_number {
        true => Values::Whole(Vec::with_capacity(count)),
        false => Values::Text(Vec::with_capacity(count)),
    };
    let mut who: Vec<Values<'_>> = attributes.iter().map(empty).collect();
    for row in snapshot.rows(kind) {
        for ((_, value), column) in row.attributes().zip(&mut who) {
            match (column, value) {
                (Values::Whole(column), Value::Number(number)) => column.push(number),
                (Values::Text(column), value) => column.push(value.text()),
                _ => {}
            }
        }
    }
    let names = attributes.iter().map(column_name);
    table.extend(names.zip(who).map(|(name, values)| Column { name: name.into(), values }));
    let mut push = |name: String, values| table.push(Column { name, values });
    push("state".into(), Values::Text(snapshot.rows(kind).map(|row| Some(row.state.name())).collect()));
    push("cpu_seconds".into(), Values::Real(snapshot.rows(kind).map(|row| row.cpu_time.as_secs_f64()).collect()));
    for (zone, node) in snapshot.node.zones() {
        let joules = snapshot.rows(kind).map(|row| row.energy[zone].joules()).collect();
        let watts = node.power.is_some().then(|| snapshot.rows(kind).map(|row| row.power[zone].watts()).collect());
        push(format!("{zone}_joules"), Values::Real(joules));
        push(format!("{zone}_watts"), Values::Power(watts, count));
        push(format!("{zone}_method"), Values::Text(vec![Some(node.method.name()); count]));
    }
    table
}

/// An identifier is called as other tables refer to it, so that they can be joined.
fn column_name(attribute: &Attribute) -> &'static str {
    match (attribute.name, attribute.label) {
        ("id", Some(label)) => label,
        (name, _) => name,
    }
}
