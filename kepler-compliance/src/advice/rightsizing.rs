//! Resource requests that fit the measured use.

use super::{Advice, Change, Complexity, OptimizationKind, Outcome, bounded};
use crate::messages::SizingMessage;
use crate::units::Power;
use crate::view::{EnergySeries, Inventory, NodeEnergy, WorkloadEnergy};

/// The share of the steps whose use the recommended request covers.
const PERCENTILE: f64 = 0.99;

/// What a request beyond the measured use holds idle: the node's idle energy for the freed cores.
///
/// The cores that would be freed are request − 99th percentile of use over the window. A freed core
/// saves energy only if in the end a machine is switched off for it, so the least saving is none.
pub(crate) fn resource_rightsizing(
    inventory: &Inventory,
    own_power: Option<Power>,
    rows: &[&WorkloadEnergy],
    series: Option<&EnergySeries>,
) -> Outcome {
    let running = rows.iter().filter(|row| row.running);
    let requests: Option<f64> = running.map(|row| row.resources.and_then(|own| own.cpu_request_cores)).sum();
    let requested = requests.filter(|cores| *cores > 0.0).ok_or(SizingMessage::RequestsUnknown)?;
    let mut used = series.map(cores).unwrap_or_default();
    used.sort_by(f64::total_cmp);
    let needed = percentile(&used, PERCENTILE).ok_or(SizingMessage::CpuTimeUnknown)?;
    let freed = requested - needed;
    if freed <= 0.0 {
        return Err(SizingMessage::RequestsFit { needed, requested }.into());
    }
    let nodes = inventory.nodes.iter().filter(|node| rows.iter().any(|row| row.id.node == node.name));
    let (mut idle_watts, mut cores) = (0.0, 0.0);
    for node in nodes {
        let (Some(idle), Some(processors)) = (idle_power(node), node.processors) else { continue };
        idle_watts += idle;
        cores += f64::from(processors);
    }
    let own = own_power.map_or(0.0, Power::watts);
    if cores <= 0.0 || own <= 0.0 {
        return Err(SizingMessage::PowerUnknown.into());
    }
    let saved = idle_watts * (freed / cores).min(1.0);
    let factor = bounded(1.0 - saved / own);
    let basis =
        SizingMessage::LowerRequestsBasis { steps: used.len(), idle_watts, cores, saved_watts: saved, own_watts: own };
    Ok(Advice {
        kind: OptimizationKind::ResourceRightsizing,
        change: Change::Energy(factor),
        factor,
        range: (factor, 1.0),
        complexity: Complexity::Low,
        description: SizingMessage::LowerRequests { needed, requested }.into(),
        basis: basis.into(),
    })
}

/// Cores in use, step by step.
fn cores(series: &EnergySeries) -> Vec<f64> {
    let steps = series.steps.steps().iter();
    steps.filter_map(|step| Some(step.value.cpu_time?.as_secs_f64() / step.length().as_secs_f64())).collect()
}

/// The smallest value that covers a share of the sorted values.
fn percentile(sorted: &[f64], share: f64) -> Option<f64> {
    let rank = (sorted.len() as f64 * share).ceil() as usize;
    sorted.get(rank.saturating_sub(1)).copied()
}

/// Idle power of a node over the window, watts.
fn idle_power(node: &NodeEnergy) -> Option<f64> {
    let idle = node.split(|zone| zone.idle).total()?;
    let window = node.covered.length();
    (!window.is_zero()).then(|| idle.over(window).watts())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_a_value_that_was_seen() {
        let values: Vec<f64> = (1..=100).map(f64::from).collect();
        assert_eq!(percentile(&values, 0.99), Some(99.0));
        assert_eq!(percentile(&[7.0], 0.99), Some(7.0));
        assert_eq!(percentile(&[], 0.99), None);
    }
}
