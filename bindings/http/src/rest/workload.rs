//! Workloads as JSON, by core's table of attributes.

use kepler_core::snapshot::AnyRow;
use kepler_core::workload::{Attribute, Identity, Value, WorkloadKind};
use serde::{Serialize, Serializer};
use serde_json::{Map, json};
use std::borrow::Cow;

/// Who a workload is: its attributes by name, without those that are not known.
pub(super) struct Who<'a>(pub(super) AnyRow<'a>);

impl Serialize for Who<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let known = self.0.attributes().filter_map(|(attribute, value)| match value {
            Value::Text(text) => Some((attribute.name, Shown::Text(text))),
            Value::Number(number) => Some((attribute.name, Shown::Number(number))),
            _ => None,
        });
        serializer.collect_map(known)
    }
}

#[derive(Serialize)]
#[serde(untagged)]
enum Shown<'a> {
    Text(&'a str),
    Number(u64),
}

/// The attributes of a kind, as properties of a JSON Schema.
pub(super) fn properties(kind: WorkloadKind) -> Map<String, serde_json::Value> {
    let property = |attribute: &Attribute| {
        let about = attribute.about;
        let schema = match attribute.is_number {
            true => json!({ "type": "integer", "minimum": 0, "description": about }),
            false => json!({ "type": "string", "description": about }),
        };
        (attribute.name.to_owned(), schema)
    };
    kind.attributes().iter().map(property).collect()
}

/// Parameters by which workloads of a kind cannot be chosen, since they are in no pod, container or unit.
pub(super) const fn without(kind: WorkloadKind) -> &'static [&'static str] {
    match kind {
        WorkloadKind::Process | WorkloadKind::Command => &[],
        WorkloadKind::Container => &["unit"],
        WorkloadKind::Pod => &["container", "unit"],
        _ => &["container", "namespace", "pod", "unit"],
    }
}

/// What it is called: its name, else its identity.
pub(super) fn called<'a>(row: &AnyRow<'a>) -> Cow<'a, str> {
    match (row.name(), row.identity()) {
        ("", Identity::Text(id)) => id.into(),
        ("", identity) => identity.to_string().into(),
        (name, _) => name.into(),
    }
}

/// Whether it is, or runs in, the pod of a name or UID.
pub(super) fn is_in_pod(row: &AnyRow<'_>, wanted: &str) -> bool {
    let is_it = row.kind() == WorkloadKind::Pod && (row.name() == wanted || row.identity() == Identity::Text(wanted));
    is_it || row.parents().pod.is_some_and(|pod| pod.name == wanted || pod.id == wanted)
}

/// Whether it runs in the systemd unit of a name or cgroup.
pub(super) fn is_in_unit(row: &AnyRow<'_>, wanted: &str) -> bool {
    row.parents().unit.is_some_and(|unit| *unit.name == *wanted || *unit.cgroup == *wanted)
}

/// Whether an attribute contains a text that is in lower case.
pub(super) fn has(row: &AnyRow<'_>, wanted: &str) -> bool {
    row.attributes().any(|(_, value)| match value {
        Value::Text(text) => text.to_lowercase().contains(wanted),
        Value::Number(number) => number.to_string().contains(wanted),
        _ => false,
    })
}

/// Whether it is, or runs in, the container of a name or id; of an id the first 12 digits do.
pub(super) fn is_in_container(row: &AnyRow<'_>, wanted: &str) -> bool {
    let is_called =
        |id: &str, name: &str| name == wanted || id == wanted || (wanted.len() >= 12 && id.starts_with(wanted));
    match (row.kind(), row.identity()) {
        (WorkloadKind::Container, Identity::Text(id)) => is_called(id, row.name()),
        _ => row.parents().container.is_some_and(|container| is_called(&container.id, &container.name)),
    }
}
