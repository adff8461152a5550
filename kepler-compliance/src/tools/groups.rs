//! All workloads of a kind, or of all kinds without counting anything twice, as lists and sums need them.

use super::devices::DeviceSums;
use super::figures::Windows;
use super::resolve::most_like;
use super::{ArgumentRemedy, Figures, ToolError};
use crate::view::{Containment, Inventory, WorkloadEnergy, WorkloadKind, joules};
use kepler_core::meter::Method;
use std::collections::{BTreeSet, HashMap, HashSet};

/// Workloads of one kind and name: the sum of the rows that share them.
pub(super) struct Group<'a> {
    pub(super) kind: WorkloadKind,
    pub(super) namespace: Option<&'a str>,
    pub(super) name: &'a str,
    pub(super) figures: Figures,
    /// Its pods, containers or processes.
    pub(super) rows: Vec<&'a WorkloadEnergy>,
    pub(super) devices: DeviceSums<'a>,
}

/// How the energy of all of them came to be.
pub(super) fn method_of(groups: &[Group<'_>]) -> Option<Method> {
    Method::of_sum(groups.iter().map(|group| (joules(group.figures.energy.total()), group.figures.method)))
}

/// Containment among the rows of an inventory.
struct Containers<'a> {
    /// Kind, uid and node of every row that may contain others.
    rows: HashSet<(WorkloadKind, &'a str, &'a str)>,
    has_units: bool,
    /// Namespace and node of every pod.
    pods: HashSet<(&'a str, &'a str)>,
}

impl<'a> Containers<'a> {
    fn of(inventory: &'a Inventory) -> Self {
        let outer = inventory.workloads.iter().filter(|row| row.id.kind != WorkloadKind::Process);
        Containers {
            rows: outer.map(|row| (row.id.kind, &*row.id.uid, &*row.id.node)).collect(),
            has_units: inventory.workloads.iter().any(|row| row.id.kind == WorkloadKind::Unit),
            pods: inventory
                .workloads
                .iter()
                .filter(|row| row.id.kind == WorkloadKind::Pod)
                .filter_map(|row| Some((row.id.namespace.as_deref()?, &*row.id.node)))
                .collect(),
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
                // Only a container in a pod has a namespace: the pod's.
                WorkloadKind::Container => {
                    let own = row.id.namespace.as_deref();
                    own.is_none_or(|namespace| !self.pods.contains(&(namespace, &*row.id.node)))
                }
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
    let is_none = known.is_empty();
    let (nearest, others) = most_like(namespace, known);
    let remedy = if is_none { ArgumentRemedy::NoNamespace } else { ArgumentRemedy::Namespaces { nearest, others } };
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
            let (figures, devices) = (Figures::nothing(inventory), DeviceSums::default());
            groups.push(Group { kind, namespace: own, name, figures, devices, rows: Vec::new() });
        }
        if let Some(group) = groups.get_mut(position) {
            let window = windows.get(&row.id.node, inventory.covered);
            group.figures.add(row, window);
            group.devices.add(row, window);
            group.rows.push(row);
        }
    }
    Ok(groups)
}

/// The kind of all groups; none where there are several kinds, or no group.
pub(super) fn common_kind(groups: &[Group<'_>]) -> Option<WorkloadKind> {
    let first = groups.first()?.kind;
    groups.iter().all(|group| group.kind == first).then_some(first)
}
