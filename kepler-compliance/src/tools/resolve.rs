//! Resolution of a workload's name to rows of an inventory.

use super::{ToolError, WorkloadQualifiers};
use crate::messages::{EnergyMessage, Message};
use crate::view::{Inventory, WorkloadEnergy, WorkloadKind};
use std::collections::BTreeSet;

/// The rows that a name means.
#[derive(Debug)]
#[non_exhaustive]
pub struct Resolved<'a> {
    /// What the name is the name of.
    pub kind: WorkloadKind,
    /// The namespace, where the kind has one.
    pub namespace: Option<String>,
    /// The name as the inventory has it.
    pub name: String,
    /// Its pods, containers, processes, …; never empty.
    pub rows: Vec<&'a WorkloadEnergy>,
    /// What is inferred.
    pub caveats: Vec<Message>,
}

/// As for kubectl.
const DEFAULT_NAMESPACE: &str = "default";

/// How many names an error suggests.
const SUGGESTIONS: usize = 5;

/// The workload of a name: a pod, a deployment, stateful set, daemon set or job (the sum of its pods), a batch
/// scheduler's job, a container, a systemd unit, a VM, or all processes of a name; the first of these kinds that has it.
/// The namespace selects among pods and their controllers; others are found whatever it says. Without one it is
/// `default`, else the only one that has the workload.
///
/// # Errors
/// There is none; the error names those that are most like it.
pub fn resolve<'a>(
    inventory: &'a Inventory,
    name: &str,
    qualifiers: &WorkloadQualifiers,
) -> Result<Resolved<'a>, ToolError> {
    let kind = qualifiers.kind;
    if let Some(namespace) = &qualifiers.namespace {
        return within(inventory, name, namespace, kind);
    }
    let error = match within(inventory, name, DEFAULT_NAMESPACE, kind) {
        Ok(resolved) => return Ok(resolved),
        Err(error) => error,
    };
    match &error {
        ToolError::UnknownWorkload { elsewhere, .. } if let [only] = elsewhere.as_slice() => {
            within(inventory, name, only, kind)
        }
        _ => Err(error),
    }
}

/// The workload of a name in a namespace.
fn within<'a>(
    inventory: &'a Inventory,
    name: &str,
    namespace: &str,
    kind: Option<WorkloadKind>,
) -> Result<Resolved<'a>, ToolError> {
    let kinds = WorkloadKind::ALL.into_iter().filter(|own| kind.is_none_or(|kind| kind == *own));
    for kind in kinds {
        let is_it = |row: &&WorkloadEnergy| {
            is_named(row, kind, name)
                && (row.id.kind != WorkloadKind::Pod || row.id.namespace.as_deref() == Some(namespace))
        };
        let rows: Vec<&WorkloadEnergy> = inventory.workloads.iter().filter(is_it).collect();
        let Some(first) = rows.first() else { continue };
        let mut caveats = Vec::new();
        let is_pods = first.id.kind == WorkloadKind::Pod;
        let is_controller = kind.is_controller() && is_pods;
        if is_controller && rows.iter().any(|row| row.owner.is_none()) {
            caveats.push(EnergyMessage::InferredPods { controller: name.to_owned() }.into());
        }
        let own_name = if is_controller { name.to_owned() } else { (*first.id.name).to_owned() };
        return Ok(Resolved { kind, namespace: is_pods.then(|| namespace.to_owned()), name: own_name, rows, caveats });
    }
    Err(unknown(inventory, name, namespace, kind))
}

/// Whether a row is the workload of that kind and name, or a pod of it.
fn is_named(row: &WorkloadEnergy, kind: WorkloadKind, name: &str) -> bool {
    let id = &row.id;
    match kind {
        WorkloadKind::Unit if id.kind == kind => *id.name == *name || id.name.strip_suffix(".service") == Some(name),
        _ if id.kind == kind => *id.name == *name || *id.uid == *name,
        _ if kind.is_controller() && id.kind == WorkloadKind::Pod => match &row.owner {
            Some(owner) => owner.kind == kind && *owner.name == *name,
            // How a foreign controller names its pods is not known.
            None if kind == WorkloadKind::Controller => false,
            None => looks_like_pod_of(&id.name, kind, name),
        },
        _ => false,
    }
}

/// Whether Kubernetes would name a pod of this controller so: `name-<replica set>-<5>` for a deployment,
/// `name-<ordinal>` for a stateful set, `name-<5>` for daemon sets and jobs.
fn looks_like_pod_of(pod: &str, kind: WorkloadKind, name: &str) -> bool {
    let Some(rest) = pod.strip_prefix(name).and_then(|rest| rest.strip_prefix('-')) else { return false };
    match kind {
        WorkloadKind::Deployment => rest
            .split_once('-')
            .is_some_and(|(set, own)| (5..=10).contains(&set.len()) && set.chars().all(is_generated) && is_suffix(own)),
        WorkloadKind::StatefulSet => !rest.is_empty() && rest.len() < 5 && rest.chars().all(|c| c.is_ascii_digit()),
        _ => is_suffix(rest),
    }
}

fn is_suffix(text: &str) -> bool {
    text.len() == 5 && text.chars().all(is_generated)
}

/// The alphabet of generated names (`k8s.io/apimachinery/pkg/util/rand`): no vowels, no `0`, `1`, `3`.
const fn is_generated(c: char) -> bool {
    matches!(c, 'b'..='d' | 'f'..='h' | 'j'..='n' | 'p'..='t' | 'v'..='x' | 'z' | '2' | '4'..='9')
}

fn unknown(inventory: &Inventory, name: &str, namespace: &str, kind: Option<WorkloadKind>) -> ToolError {
    let mut elsewhere = BTreeSet::new();
    let mut named = BTreeSet::new();
    for row in &inventory.workloads {
        let own = row.id.namespace.as_deref();
        let kinds = WorkloadKind::ALL.into_iter().filter(|k| k.is_namespaced() && kind.is_none_or(|asked| asked == *k));
        if own != Some(namespace) && kinds.into_iter().any(|kind| is_named(row, kind, name)) {
            elsewhere.extend(own.map(str::to_owned));
        }
        if kind.is_none_or(|kind| kind == row.id.kind || kind.is_namespaced()) {
            named.insert((row.id.kind, own, &*row.id.name));
        }
    }
    ToolError::UnknownWorkload {
        name: name.to_owned(),
        kind,
        range: format!("from {:.0} to {:.0}", inventory.asked.start, inventory.asked.end),
        elsewhere: elsewhere.into_iter().take(SUGGESTIONS).collect(),
        nearest: nearest(named, |other| strsim::jaro_winkler(name, other)),
    }
}

/// A workload's kind, namespace and name.
pub(super) type Named<'a> = (WorkloadKind, Option<&'a str>, &'a str);

/// The workloads whose names are most like what was asked for, best first, as an answer shows them.
pub(super) fn nearest<'a>(named: impl IntoIterator<Item = Named<'a>>, likeness: impl Fn(&str) -> f64) -> Vec<String> {
    let mut scored: Vec<_> = named.into_iter().map(|row| (likeness(row.2), row)).collect();
    scored.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
    scored.into_iter().take(SUGGESTIONS).map(|(_, row)| shown(row)).collect()
}

/// A workload as an answer shows it: `pod shop/cart-0`, `unit nginx.service`.
pub(super) fn shown((kind, namespace, name): Named<'_>) -> String {
    match namespace {
        Some(namespace) => format!("{} {namespace}/{name}", kind.name()),
        None => format!("{} {name}", kind.name()),
    }
}

/// The names that are most like what was asked for, best first, and how many others there are.
pub(super) fn most_like<'a>(asked: &str, names: impl IntoIterator<Item = &'a str>) -> (Vec<String>, usize) {
    let mut names: Vec<&str> = names.into_iter().collect();
    let count = names.len();
    names.sort_by(|a, b| strsim::jaro_winkler(asked, b).total_cmp(&strsim::jaro_winkler(asked, a)));
    names.truncate(SUGGESTIONS);
    (names.iter().map(|name| (*name).to_owned()).collect(), count - names.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pods_are_inferred_from_their_controllers_names() {
        use WorkloadKind::{DaemonSet, Deployment, Job, StatefulSet};
        assert!(looks_like_pod_of("cart-7d4b9c6f5-x2x9z", Deployment, "cart"));
        assert!(!looks_like_pod_of("cart-api-7d4b9c6f5-x2x9z", Deployment, "cart"), "another deployment's");
        assert!(looks_like_pod_of("cart-api-7d4b9c6f5-x2x9z", Deployment, "cart-api"));
        assert!(looks_like_pod_of("db-0", StatefulSet, "db") && !looks_like_pod_of("db-main", StatefulSet, "db"));
        assert!(looks_like_pod_of("agent-bcd4f", DaemonSet, "agent") && looks_like_pod_of("sync-bcd4f", Job, "sync"));
        assert!(!looks_like_pod_of("cart", Deployment, "cart") && !looks_like_pod_of("cartoon-x2x9z", Job, "cart"));
    }
}
