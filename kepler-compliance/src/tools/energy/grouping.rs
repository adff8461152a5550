//! Energy in groups, the largest first.

use super::super::ToolError;
use super::super::answer::basis_of;
use super::super::groups::groups;
use super::super::power_now::of_node;
use super::means::Means;
use super::sums::{Sum, Used, sums};
use super::{EnergyBy, EnergyGroup, EnergyRequest, EnergyResponse, Of};
use crate::facility::Facility;
use crate::units::Energy;
use crate::view::{Inventory, WorkloadEnergy, WorkloadKind};

/// The subject's energy in groups.
pub(super) fn grouped(
    inventory: &Inventory,
    of: &Of<'_>,
    by: EnergyBy,
    kind: Option<WorkloadKind>,
) -> Result<Vec<Sum>, ToolError> {
    if let Of::Workload(resolved) = of {
        return Ok(sums(resolved.rows.iter().map(|row| (key_of_row(row, by), Used::of_row(row)))));
    }
    let namespace = if let Of::Namespace(namespace) = of { Some(*namespace) } else { None };
    if by == EnergyBy::Node {
        let mut nodes = Vec::new();
        for node in &inventory.nodes {
            let sum = match namespace {
                None if kind.is_none() => Used::of_node(node),
                _ => Used::of_groups(&groups(&of_node(inventory, Some(&node.name)), kind, namespace)?),
            };
            nodes.push(((Some((*node.name).to_owned()), None, None), sum));
        }
        return Ok(nodes);
    }
    let groups = groups(inventory, kind, namespace)?;
    Ok(sums(groups.iter().map(|group| {
        let (name, kind) = (group.name.to_owned(), Some(group.kind));
        let namespace = group.namespace.map(str::to_owned);
        let key = match by {
            EnergyBy::Namespace => (namespace, None, None),
            EnergyBy::Kind => (Some(group.kind.name().to_owned()), kind, None),
            _ => (Some(name), kind, namespace),
        };
        (key, Used::of_group(group))
    })))
}

fn key_of_row(row: &WorkloadEnergy, by: EnergyBy) -> (Option<String>, Option<WorkloadKind>, Option<String>) {
    let namespace = row.id.namespace.as_deref().map(str::to_owned);
    match by {
        EnergyBy::Node => (Some((*row.id.node).to_owned()), None, None),
        EnergyBy::Namespace => (namespace, None, None),
        EnergyBy::Kind => (Some(row.id.kind.name().to_owned()), Some(row.id.kind), None),
        EnergyBy::Workload => (Some((*row.id.name).to_owned()), Some(row.id.kind), namespace),
    }
}

/// Puts the largest groups into the answer.
pub(super) fn list(
    mut sums: Vec<Sum>,
    whole: Option<Energy>,
    means: &Means,
    facility: &Facility,
    request: &EnergyRequest,
    response: &mut EnergyResponse,
) {
    let joules = |sum: &Sum| sum.1.energy.map_or(-1.0, Energy::joules);
    sums.sort_by(|a, b| joules(b).total_cmp(&joules(a)).then_with(|| a.0.cmp(&b.0)));
    response.groups_total = sums.len();
    let (shown, others) = sums.split_at(sums.len().min(request.limit));
    response.other_groups_joules =
        others.iter().filter_map(|sum| sum.1.energy).reduce(|a, b| a + b).map(Energy::joules);
    response.groups = shown
        .iter()
        .map(|((name, kind, namespace), Used { energy, method, cpu_time })| {
            let share = energy.zip(whole).filter(|(_, whole)| *whole > Energy::ZERO);
            EnergyGroup {
                name: name.clone(),
                kind: *kind,
                namespace: namespace.clone(),
                energy_joules: energy.map(Energy::joules),
                share_percent: share.map(|(own, whole)| (own.joules() / whole.joules() * 100.0).min(100.0)),
                cpu_seconds: cpu_time.map(|time| time.as_secs_f64()),
                emissions: means.emissions(*energy, facility),
                basis: basis_of(*method),
            }
        })
        .collect();
}
