//! All workloads of a kind, or of all kinds without counting anything twice, as lists and sums need them.

use super::figures::Windows;
use super::resolve::SUGGESTIONS;
use super::{ArgumentRemedy, Figures, ToolError};
use crate::view::{Containment, Inventory, WorkloadEnergy, WorkloadKind};
use std::collections::{BTreeSet, HashMap, HashSet};

/// Workloads of one kind and name: the sum of the rows that share them.
pub(super) struct Group<'a> {
    pub(super) kind: WorkloadKind,
    pub(super) namespace: Option<&'a str>,
    pub(super) name: &'a str,
    pub(super) figures: Figures,
}

/// Containment among the rows of an inventory.
struct Containers<'a> {
    /// Kind, uid and node of every row that may contain others.
    rows: HashSet<(WorkloadKind, &'a str, &'a str)>,
    has_units: bool,
}

impl<'a> Containers<'a> {
    fn of(inventory: &'a Inventory) -> Self {
        let outer = inventory.workloads.iter().filter(|row| row.id.kind != WorkloadKind::Process);
        Containers {
            rows: outer.map(|row| (row.id.kind, &*row.id.uid, &*row.id.node)).collect(),
            has_units: inventory.workloads.iter().any(|row| row.id.kind == WorkloadKind::Unit),
        }
    }

    /// Whether no other row contains this one, as far as the source tells.
    fn is_outermost(&self, row: &WorkloadEnergy) -> bool {
        match &row.containment {
            Containment::Outermost => true,
            // What contains it may be no row: a source that lists containers and no pods.
            Containment::Within { kind, uid } => !self.rows.contains(&(*kind, uid, &row.id.node)),
            Containment::Unknown => match row.id.kind {
                // A virtual machine is a process of a unit, where there are units.
                WorkloadKind::Vm => !self.has_units,
                WorkloadKind::Process => self.rows.is_empty(),
                _ => true,
            },
        }
    }
}

/// A namespace that no pod is in is a mistake, not an empty list.
pub(super) fn check_namespace(inventory: &Inventory, namespace: Option<&str>) -> Result<(), ToolError> {
    let Some(namespace) = namespace else { return Ok(()) };
    let known: BTreeSet<&str> = inventory.workloads.iter().filter_map(|row| row.id.namespace.as_deref()).collect();
    if known.contains(namespace) {
        return Ok(());
    }
    let count = known.len();
    let mut names: Vec<&str> = known.into_iter().collect();
    names.sort_by(|a, b| strsim::jaro_winkler(namespace, b).total_cmp(&strsim::jaro_winkler(namespace, a)));
    names.truncate(SUGGESTIONS);
    let (nearest, others) = (names.iter().map(|name| (*name).to_owned()).collect(), count - names.len());
    let remedy = if count == 0 { ArgumentRemedy::NoNamespace } else { ArgumentRemedy::Namespaces { nearest, others } };
    Err(ToolError::InvalidArgument { argument: "namespace", given: namespace.to_owned(), remedy })
}

/// The workloads of a kind, or, without one, of all kinds but those that another one contains: pods, containers
/// outside pods, units, virtual machines, and processes that are in none of these. Rows that share kind, namespace
/// and name are one.
pub(super) fn groups<'a>(
    inventory: &'a Inventory,
    kind: Option<WorkloadKind>,
    namespace: Option<&str>,
) -> Result<Vec<Group<'a>>, ToolError> {
    if let Some(kind) = kind.filter(|kind| kind.is_controller())
        && inventory.workloads.iter().all(|row| row.owner.is_none() && row.id.kind != kind)
    {
        return Err(ToolError::InvalidArgument {
            argument: "kind",
            given: kind.name().to_owned(),
            remedy: ArgumentRemedy::NoControllers,
        });
    }
    let containers = Containers::of(inventory);
    let windows = Windows::of(inventory);
    let mut positions: HashMap<(WorkloadKind, Option<&str>, &str), usize> =
        HashMap::with_capacity(inventory.workloads.len());
    let mut groups: Vec<Group<'a>> = Vec::new();
    for row in &inventory.workloads {
        let own = row.id.namespace.as_deref();
        let named = match (kind, &row.owner) {
            (None, _) if containers.is_outermost(row) => Some((row.id.kind, &*row.id.name)),
            (Some(kind), Some(owner)) if owner.kind == kind => Some((kind, &*owner.name)),
            (Some(kind), _) if row.id.kind == kind => Some((kind, &*row.id.name)),
            _ => None,
        };
        let Some((kind, name)) = named.filter(|_| namespace.is_none_or(|namespace| own == Some(namespace))) else {
            continue;
        };
        let position = *positions.entry((kind, own, name)).or_insert(groups.len());
        if position == groups.len() {
            groups.push(Group { kind, namespace: own, name, figures: Figures::nothing(inventory) });
        }
        if let Some(group) = groups.get_mut(position) {
            group.figures.add(row, windows.get(&row.id.node, inventory.covered));
        }
    }
    Ok(groups)
}

/// The kind of all groups; none where there are several kinds, or no group.
pub(super) fn common_kind(groups: &[Group<'_>]) -> Option<WorkloadKind> {
    let first = groups.first()?.kind;
    groups.iter().all(|group| group.kind == first).then_some(first)
}
