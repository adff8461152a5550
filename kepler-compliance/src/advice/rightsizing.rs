//! Requests that fit what is used.

use super::{Advice, Change, Outcome, bounded};
use crate::text::Text;
use crate::tools::{Complexity, Figures, OptimizationKind};
use crate::view::{EnergySeries, Inventory, NodeEnergy, WorkloadEnergy};

/// The share of the steps whose use the recommended request covers.
const PERCENTILE: f64 = 0.99;

/// What a request beyond the measured use holds idle: the node's idle energy for the freed cores.
///
/// The cores that would be freed are request − 99th percentile of use over the window. A freed core
/// saves energy only if in the end a machine is switched off for it, so the least saving is none.
pub(crate) fn resource_rightsizing(
    inventory: &Inventory,
    figures: &Figures,
    rows: &[&WorkloadEnergy],
    series: Option<&EnergySeries>,
) -> Outcome {
    let running = rows.iter().filter(|row| row.running);
    let requests: Option<f64> = running.map(|row| row.resources.and_then(|own| own.cpu_request_cores)).sum();
    let Some(requested) = requests.filter(|cores| *cores > 0.0) else {
        return Err(Text::new(
            "What it requests is not known (no Kubernetes requests at this source).",
            "요청 자원(requests)을 알 수 없습니다 (이 소스는 Kubernetes 요청값을 제공하지 않음).",
        ));
    };
    let mut used = series.map(cores).unwrap_or_default();
    used.sort_by(f64::total_cmp);
    let Some(needed) = percentile(&used, PERCENTILE) else {
        return Err(Text::new(
            "Its CPU time over the window is not known.",
            "해당 기간의 CPU 사용 시간을 알 수 없습니다.",
        ));
    };
    let freed = requested - needed;
    if freed <= 0.0 {
        return Err(Text::new(
            format!("It uses what it requests: {needed:.2} of {requested:.2} cores (99th percentile)."),
            format!("요청한 만큼 사용 중입니다: {requested:.2} 코어 중 {needed:.2} 코어 (99 백분위)."),
        ));
    }
    let nodes = inventory.nodes.iter().filter(|node| rows.iter().any(|row| row.id.node == node.name));
    let (mut idle_watts, mut cores) = (0.0, 0.0);
    for node in nodes {
        let (Some(idle), Some(processors)) = (idle_power(node), node.processors) else { continue };
        idle_watts += idle;
        cores += f64::from(processors);
    }
    let own = figures.mean.map_or(0.0, |power| power.watts());
    if cores <= 0.0 || own <= 0.0 {
        return Err(Text::new(
            "The idle power of its nodes, or its own power, is not known.",
            "노드의 유휴 전력 또는 워크로드 전력을 알 수 없습니다.",
        ));
    }
    let saved = idle_watts * (freed / cores).min(1.0);
    let factor = bounded(1.0 - saved / own);
    Ok(Advice {
        kind: OptimizationKind::ResourceRightsizing,
        change: Change::Energy(factor),
        factor,
        range: (factor, 1.0),
        complexity: Complexity::Low,
        description: Text::new(
            format!(
                "Request {needed:.2} instead of {requested:.2} cores, so that {freed:.2} cores need not be kept idle."
            ),
            format!("요청량을 {requested:.2}에서 {needed:.2} 코어로 줄여 {freed:.2} 코어의 유휴를 없앱니다."),
        ),
        basis: Text::new(
            format!(
                "99th percentile of {} steps of measured CPU time; idle power {idle_watts:.1} W for {cores:.0} cores of its nodes, \
                 of which {saved:.2} W are counted, at most the workload's own {own:.2} W. Saved only if a machine is freed.",
                used.len()
            ),
            format!(
                "측정된 CPU 시간 {}구간의 99 백분위. 노드 {cores:.0}코어의 유휴 전력 {idle_watts:.1} W 중 {saved:.2} W를 계상하며 \
                 워크로드 전력 {own:.2} W를 넘지 않습니다. 실제 장비가 비워질 때만 절감됩니다.",
                used.len()
            ),
        ),
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
