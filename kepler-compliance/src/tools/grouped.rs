//! All workloads of a kind, as lists and sums need them.

use super::figures::Windows;
use super::{Figures, ToolError};
use crate::view::{Inventory, WorkloadEnergy, WorkloadKind};
use std::collections::{BTreeSet, HashMap};

/// Workloads of one kind, each the sum of the rows that share its name.
pub(super) struct Grouped<'a> {
    pub(super) namespace: Option<&'a str>,
    pub(super) name: &'a str,
    pub(super) figures: Figures,
}

/// Pods where there are any, else containers, else units, else processes.
pub(super) fn usual_kind(inventory: &Inventory) -> WorkloadKind {
    let any = |kind: &WorkloadKind| inventory.workloads.iter().any(|row| row.id.kind == *kind);
    let usual = [WorkloadKind::Pod, WorkloadKind::Container, WorkloadKind::Unit];
    usual.into_iter().find(any).unwrap_or(WorkloadKind::Process)
}

/// A namespace that no pod is in is a mistake, not an empty list.
pub(super) fn check_namespace(inventory: &Inventory, namespace: Option<&str>) -> Result<(), ToolError> {
    let Some(namespace) = namespace else { return Ok(()) };
    let known: BTreeSet<&str> = inventory.workloads.iter().filter_map(|row| row.id.namespace.as_deref()).collect();
    if known.contains(namespace) {
        return Ok(());
    }
    let names: Vec<&str> = known.into_iter().collect();
    let remedy = match names.is_empty() {
        true => "no workload here is in a namespace; leave it out".to_owned(),
        false => format!("namespaces with workloads: {}", names.join(", ")),
    };
    Err(ToolError::InvalidArgument { argument: "namespace", given: namespace.to_owned(), remedy })
}

/// The workloads of a kind: rows that share namespace and name are one.
pub(super) fn grouped<'a>(
    inventory: &'a Inventory,
    kind: WorkloadKind,
    namespace: Option<&str>,
) -> Result<Vec<Grouped<'a>>, ToolError> {
    let tells = |row: &WorkloadEnergy| row.owner.is_some() || row.id.kind == kind;
    if kind.is_controller() && !inventory.workloads.iter().any(tells) {
        return Err(ToolError::InvalidArgument {
            argument: "kind",
            given: kind.name().to_owned(),
            remedy: "this source does not know which pods belong to what; list pods".to_owned(),
        });
    }
    let windows = Windows::of(inventory);
    let mut places: HashMap<(Option<&str>, &str), usize> = HashMap::with_capacity(inventory.workloads.len());
    let mut groups: Vec<Grouped<'a>> = Vec::new();
    for row in &inventory.workloads {
        let own = row.id.namespace.as_deref();
        let name: &str = match &row.owner {
            Some(owner) if owner.kind == kind => &owner.name,
            _ if row.id.kind == kind => &row.id.name,
            _ => continue,
        };
        if namespace.is_some_and(|namespace| own != Some(namespace)) {
            continue;
        }
        let place = *places.entry((own, name)).or_insert(groups.len());
        if place == groups.len() {
            groups.push(Grouped { namespace: own, name, figures: Figures::nothing(inventory) });
        }
        if let Some(group) = groups.get_mut(place) {
            group.figures.add(row, windows.get(&row.id.node, inventory.covered));
        }
    }
    Ok(groups)
}
